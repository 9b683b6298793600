//! Gradients of a ranking: LambdaMART with NDCG (Burges, "From RankNet to LambdaRank to LambdaMART", 2010).
//!
//! Rows i and j of one group, i of the higher grade, have the loss ln(1 + e^(m_j − m_i)) times |ΔNDCG|, the change of the
//! group's NDCG if the two changed places in the present order. A grade y gains 2^y − 1, place p (from 0) counts
//! 1/log2(p + 2). Pairs are those with a row among the first [`PAIRED`] places, so that a group of n rows has at most
//! PAIRED·n. h is twice a pair's second derivative, since both of its rows move.

use rayon::prelude::*;

use super::elementary::{ln, sigmoid, sum};
use super::losses::{LEAST_HESSIAN, Rows};
use super::vectors::{Task, run_on};
use crate::simd::Path;

/// Each of so many first places is paired with all places behind it.
pub const PAIRED: usize = 32;
/// Grades of relevance are below this.
pub const GRADES: usize = 32;
/// Groups that a thread takes at least.
const GROUPS: usize = 32;

/// What grade `label` adds, before its place counts.
#[inline(always)]
pub fn gain(label: f64) -> f64 {
    f64::from_bits((1023 + label as u64) << 52) - 1.0
}

/// 1/log2(place + 2) for the first places.
pub fn discounts(places: usize) -> Vec<f64> {
    (0..places)
        .map(|place| std::f64::consts::LN_2 / ln((place + 2) as f64))
        .collect()
}

/// The most that Σ gain · discount can be: grades in falling order.
pub fn ideal(labels: &[f64], discounts: &[f64]) -> f64 {
    let mut counts = [0usize; GRADES];
    for label in labels {
        counts[*label as usize] += 1;
    }
    let falling = counts.iter().enumerate().rev();
    let gains = falling.flat_map(|(grade, count)| std::iter::repeat_n(gain(grade as f64), *count));
    gains.zip(discounts).map(|(gain, place)| gain * place).sum()
}

/// Places of the rows by falling margin; of equal margins the first row comes first.
pub fn order(margins: &[f64]) -> Vec<u32> {
    let mut order = Vec::new();
    sort_rows(margins, &mut order);
    order
}

fn sort_rows(margins: &[f64], order: &mut Vec<u32>) {
    order.clear();
    order.extend(0..margins.len() as u32);
    // adding 0 makes both zeros one
    let key = |row: &u32| margins[*row as usize] + 0.0;
    order.sort_unstable_by(|left, right| key(right).total_cmp(&key(left)).then(left.cmp(right)));
}

/// Writes g and h of every row, without weights.
pub(super) fn gradients_on(path: Path, rows: &Rows, margins: &[f64], g: &mut [f64], h: &mut [f64]) {
    let groups = rows.groups.expect("a ranking has groups");
    let longest = groups.windows(2).map(|pair| pair[1] - pair[0]).max();
    let discounts = discounts(longest.unwrap_or(0) as usize);
    let (mut g, mut h) = (g, h);
    let mut tasks = Vec::with_capacity(groups.len());
    for pair in groups.windows(2) {
        let (first, end) = (pair[0] as usize, pair[1] as usize);
        let (own_g, rest_g) = g.split_at_mut(end - first);
        let (own_h, rest_h) = h.split_at_mut(end - first);
        tasks.push((first..end, own_g, own_h));
        (g, h) = (rest_g, rest_h);
    }
    tasks.into_par_iter().with_min_len(GROUPS).for_each_init(
        Room::default,
        |room, (places, g, h)| {
            let (labels, margins) = (&rows.labels[places.clone()], &margins[places]);
            one_group(path, labels, margins, &discounts, room, (g, h));
        },
    );
}

/// What a thread works in, kept from group to group.
#[derive(Default)]
struct Room {
    order: Vec<u32>,
    columns: [Vec<f64>; 6],
}

fn one_group(
    path: Path,
    labels: &[f64],
    margins: &[f64],
    discounts: &[f64],
    room: &mut Room,
    out: (&mut [f64], &mut [f64]),
) {
    let count = margins.len();
    let best = ideal(labels, discounts);
    sort_rows(margins, &mut room.order);
    let order = &room.order;
    for column in &mut room.columns {
        column.clear();
        column.resize(count, 0.0);
    }
    let [ordered, gains, g, h, slopes, bends] = &mut room.columns;
    for ((row, margin), gained) in order.iter().zip(&mut *ordered).zip(&mut *gains) {
        (*margin, *gained) = (margins[*row as usize], gain(labels[*row as usize]));
    }
    let group = Group {
        margins: ordered,
        gains,
        discounts: &discounts[..count],
        scale: if best > 0.0 { 1.0 / best } else { 0.0 },
        g,
        h,
        room: (slopes, bends),
    };
    run_on(path, group);
    for ((row, found_g), found_h) in order.iter().zip(g).zip(h) {
        (out.0[*row as usize], out.1[*row as usize]) = (*found_g, found_h.max(LEAST_HESSIAN));
    }
}

/// A group's rows by falling margin.
struct Group<'a> {
    margins: &'a [f64],
    gains: &'a [f64],
    discounts: &'a [f64],
    scale: f64,
    g: &'a mut [f64],
    h: &'a mut [f64],
    room: (&'a mut [f64], &'a mut [f64]),
}

impl Task for Group<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let count = self.margins.len();
        for first in 0..count.min(PAIRED) {
            let rest = first + 1;
            let (margin, gain) = (self.margins[first], self.gains[first]);
            let discount = self.discounts[first];
            let (slopes, bends) = (&mut self.room.0[rest..], &mut self.room.1[rest..]);
            let others = self.margins[rest..].iter().zip(&self.gains[rest..]);
            let out = slopes.iter_mut().zip(bends.iter_mut());
            for (((other, other_gain), place), (slope, bend)) in
                others.zip(&self.discounts[rest..]).zip(out)
            {
                let change = ((gain - other_gain) * (discount - place)).abs() * self.scale;
                let sign = if gain > *other_gain { 1.0 } else { -1.0 };
                // how likely the pair is taken to be in the wrong order
                let wrong = sigmoid(sign * (other - margin));
                *slope = sign * wrong * change;
                *bend = 2.0 * wrong * (1.0 - wrong) * change;
            }
            self.g[first] -= sum(slopes);
            self.h[first] += sum(bends);
            let out = self.g[rest..].iter_mut().zip(&mut self.h[rest..]);
            for ((g, h), (slope, bend)) in out.zip(slopes.iter().zip(bends.iter())) {
                *g += slope;
                *h += bend;
            }
        }
    }
}
