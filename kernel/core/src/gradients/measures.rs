//! How good margins are: the figures that are measured after each tree.

use rayon::prelude::*;

use super::losses::{Figure, Loss, Rows, mean_of, total};
use super::ranking::{GRADES, discounts, gain, ideal, order};
use crate::simd;

/// Places that count in NDCG.
const TOP: usize = 10;

/// A figure of how well margins fit labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Area under the ROC curve; equal margins count half.
    Auc,
    /// Average precision: Σ precision · change of recall, over the distinct margins from the highest down.
    Aucpr,
    /// Mean −ln of the label's probability.
    LogLoss,
    /// Share of rows whose likeliest class is another than their label.
    Error,
    /// Root of the mean squared difference of score and label.
    Rmse,
    /// Mean absolute difference of score and label.
    Mae,
    /// Mean unit deviance of Poisson, Gamma or Tweedie.
    Deviance,
    /// Mean pinball loss.
    Pinball,
    /// Mean over groups of NDCG of the first ten places; equal margins share their places (McSherry and Najork 2008).
    Ndcg,
    /// Share of the pairs of unequal grade, within groups, that are in the wrong order; equal margins count half.
    PairwiseError,
}

impl Metric {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "auc" => Self::Auc,
            "aucpr" => Self::Aucpr,
            "log_loss" => Self::LogLoss,
            "error" => Self::Error,
            "rmse" => Self::Rmse,
            "mae" => Self::Mae,
            "deviance" => Self::Deviance,
            "pinball" => Self::Pinball,
            "ndcg" => Self::Ndcg,
            "pairwise_error" => Self::PairwiseError,
            _ => return None,
        })
    }

    /// Whether the figure says something of such labels.
    pub fn suits(self, loss: Loss) -> bool {
        match self {
            Self::Auc | Self::Aucpr => loss == Loss::Binary,
            Self::LogLoss | Self::Error => matches!(loss, Loss::Binary | Loss::Multiclass { .. }),
            Self::Rmse => !matches!(loss, Loss::Binary | Loss::Multiclass { .. } | Loss::Ranking),
            Self::Mae => matches!(loss, Loss::Squared | Loss::Quantile { .. }),
            Self::Deviance => matches!(loss, Loss::Poisson | Loss::Gamma | Loss::Tweedie { .. }),
            Self::Pinball => matches!(loss, Loss::Quantile { .. }),
            Self::Ndcg | Self::PairwiseError => loss == Loss::Ranking,
        }
    }
}

/// Several figures of the same rows, in the order in which they are asked for; margins are output after output.
///
/// NaN where nothing can be said: areas of one class alone, NDCG without a group of unequal grades.
pub fn measure(loss: Loss, metrics: &[Metric], rows: &Rows, margins: &[f64]) -> Vec<f64> {
    assert!(metrics.iter().all(|metric| metric.suits(loss)));
    let path = simd::path();
    let mean = |figure| mean_of(path, rows, margins, loss.outputs(), figure);
    let mut steps = None;
    let mut each = |metric: &Metric| match metric {
        Metric::Auc => auc(steps.get_or_insert_with(|| steps_of(rows, margins))),
        Metric::Aucpr => aucpr(steps.get_or_insert_with(|| steps_of(rows, margins))),
        Metric::LogLoss | Metric::Deviance | Metric::Pinball => loss.mean(rows, margins),
        Metric::Error => mean(Figure::Wrong(loss)),
        Metric::Rmse => mean(Figure::Squared(loss)).sqrt(),
        Metric::Mae => mean(Figure::Absolute(loss)),
        Metric::Ndcg => ndcg(rows, margins),
        Metric::PairwiseError => pairwise_error(rows, margins),
    };
    metrics.iter().map(&mut each).collect()
}

/// Weight of each class at each distinct margin, from the highest down: (of label 0, of label 1).
fn steps_of(rows: &Rows, margins: &[f64]) -> Vec<(f64, f64)> {
    let count = margins.len();
    assert!(rows.labels.len() == count && u32::try_from(count).is_ok());
    match rows.weights {
        None => {
            let (mut negative, mut positive) = parted(rows.labels, margins);
            rayon::join(|| negative.sort_unstable(), || positive.sort_unstable());
            merged(&negative, &positive, |_| 1.0, |key| *key)
        }
        Some(weights) => {
            let of = |label: f64| {
                let own = (0..count).filter(|row| rows.labels[*row] == label);
                let mut keys: Vec<(u64, f64)> = own
                    .map(|row| (falling(margins[row]), weights[row]))
                    .collect();
                keys.sort_by_key(|pair| pair.0);
                keys
            };
            let (negative, positive) = rayon::join(|| of(0.0), || of(1.0));
            merged(&negative, &positive, |pair| pair.1, |pair| pair.0)
        }
    }
}

/// The keys of the rows of labels 0 and 1. Without a branch, since no processor foretells labels.
fn parted(labels: &[f64], margins: &[f64]) -> (Vec<u64>, Vec<u64>) {
    let mut keys = (vec![0; labels.len()], vec![0; labels.len()]);
    let mut counts = (0, 0);
    for (label, margin) in labels.iter().zip(margins) {
        let key = falling(*margin);
        (keys.0[counts.0], keys.1[counts.1]) = (key, key);
        counts.0 += usize::from(*label == 0.0);
        counts.1 += usize::from(*label == 1.0);
        if counts.0.max(counts.1) == labels.len() {
            break;
        }
    }
    keys.0.truncate(counts.0);
    keys.1.truncate(counts.1);
    keys
}

/// Numbers in the opposite order of the margins; both zeros are one.
fn falling(margin: f64) -> u64 {
    let bits = (margin + 0.0).to_bits();
    let rising = bits ^ (((bits as i64) >> 63) as u64 | 1 << 63);
    !rising
}

fn merged<T>(
    negative: &[T],
    positive: &[T],
    weight: impl Fn(&T) -> f64,
    key: impl Fn(&T) -> u64,
) -> Vec<(f64, f64)> {
    let mut steps = Vec::with_capacity(negative.len() + positive.len());
    let (mut row, mut other) = (0, 0);
    while row < negative.len() || other < positive.len() {
        let next = |rest: Option<&T>| rest.map_or(u64::MAX, &key);
        let least = next(negative.get(row)).min(next(positive.get(other)));
        let taken = |all: &[T], place: &mut usize| {
            let mut sum = 0.0;
            while let Some(one) = all.get(*place).filter(|one| key(one) == least) {
                sum += weight(one);
                *place += 1;
            }
            sum
        };
        steps.push((taken(negative, &mut row), taken(positive, &mut other)));
    }
    steps
}

fn auc(steps: &[(f64, f64)]) -> f64 {
    let (mut doubled, mut above) = (0.0, (0.0, 0.0));
    for (negative, positive) in steps {
        doubled += negative * (2.0 * above.1 + positive);
        above = (above.0 + negative, above.1 + positive);
    }
    doubled / (2.0 * above.0 * above.1)
}

fn aucpr(steps: &[(f64, f64)]) -> f64 {
    let (mut sum, mut above) = (0.0, (0.0, 0.0));
    for (negative, positive) in steps {
        above = (above.0 + negative, above.1 + positive);
        if *positive > 0.0 {
            sum += positive * (above.1 / (above.0 + above.1));
        }
    }
    sum / above.1
}

/// Sums over groups: of (what `of` finds, its weight), both times the mean weight of the group's rows.
fn over_groups(rows: &Rows, of: impl Fn(std::ops::Range<usize>) -> (f64, f64) + Sync) -> f64 {
    let groups = rows.groups.expect("a ranking has groups");
    let found: Vec<(f64, f64)> = groups
        .par_windows(2)
        .map(|pair| {
            let places = pair[0] as usize..pair[1] as usize;
            let weight = rows.weights.map_or(1.0, |weights| {
                total(places.len(), Some(&weights[places.clone()])) / places.len() as f64
            });
            let (value, count) = of(places);
            (value * weight, count * weight)
        })
        .collect();
    let (value, count) = found
        .iter()
        .fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    value / count
}

fn ndcg(rows: &Rows, margins: &[f64]) -> f64 {
    let discounts = discounts(TOP);
    over_groups(rows, |places| {
        let (labels, margins) = (&rows.labels[places.clone()], &margins[places]);
        let best = ideal(labels, &discounts);
        if labels.iter().all(|label| *label == labels[0]) {
            return (0.0, 0.0); // no order is better than another
        }
        let order = order(margins);
        let mut sum = 0.0;
        let mut place = 0;
        for equal in order.chunk_by(|a, b| margins[*a as usize] == margins[*b as usize]) {
            let gains: f64 = equal.iter().map(|row| gain(labels[*row as usize])).sum();
            let counted = &discounts[place.min(TOP)..(place + equal.len()).min(TOP)];
            sum += counted.iter().sum::<f64>() * gains / equal.len() as f64;
            place += equal.len();
        }
        (sum / best, 1.0)
    })
}

fn pairwise_error(rows: &Rows, margins: &[f64]) -> f64 {
    over_groups(rows, |places| {
        let (labels, margins) = (&rows.labels[places.clone()], &margins[places]);
        let grade = |row: &u32| labels[*row as usize] as usize;
        let mut above = [0u32; GRADES];
        let mut wrong = 0.0;
        for equal in order(margins).chunk_by(|a, b| margins[*a as usize] == margins[*b as usize]) {
            let lower = |row: &u32| above[..grade(row)].iter().sum::<u32>();
            wrong += equal.iter().map(|row| f64::from(lower(row))).sum::<f64>();
            let before = above;
            for row in equal {
                above[grade(row)] += 1;
            }
            // each pair of unequal grades among these rows is half wrong
            wrong += 0.5
                * unequal_pairs(
                    above
                        .iter()
                        .zip(before)
                        .map(|(after, before)| after - before),
                );
        }
        (wrong, unequal_pairs(above.into_iter()))
    })
}

/// Pairs of unequal kind, when there are so many of each kind.
fn unequal_pairs(counts: impl Iterator<Item = u32>) -> f64 {
    let (all, squares) = counts.fold((0u64, 0u64), |(all, squares), count| {
        let count = u64::from(count);
        (all + count, squares + count * count)
    });
    ((all * all - squares) / 2) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_fall_as_margins_rise(left: f64, right: f64) {
            prop_assume!(!left.is_nan() && !right.is_nan());
            prop_assert_eq!(falling(left).cmp(&falling(right)), right.partial_cmp(&left).unwrap());
        }
    }
}
