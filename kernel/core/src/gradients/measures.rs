//! How good margins are: the figures that are measured after each tree.

use rayon::prelude::*;

use super::losses::{Figure, Loss, Rows, mean_of, total};
use super::ranking::{discounts, gain, ideal, order};
use crate::simd;

/// Places that count in NDCG.
const TOP: usize = 10;
/// Grades of relevance are below this.
pub const GRADES: usize = 32;

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
            Self::Rmse => !matches!(loss, Loss::Multiclass { .. } | Loss::Ranking),
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
            let of = |label: f64| {
                let pairs = rows.labels.iter().zip(margins);
                let own = pairs.filter(|row| *row.0 == label);
                let mut keys: Vec<u64> = own.map(|row| falling(*row.1)).collect();
                keys.sort_unstable();
                keys
            };
            let (negative, positive) = rayon::join(|| of(0.0), || of(1.0));
            merged(&negative, &positive, |keys| keys.len() as f64, |key| *key)
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
            let sum = |keys: &[(u64, f64)]| keys.iter().map(|pair| pair.1).sum();
            merged(&negative, &positive, sum, |pair| pair.0)
        }
    }
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
    weight: impl Fn(&[T]) -> f64,
    key: impl Fn(&T) -> u64,
) -> Vec<(f64, f64)> {
    let mut steps = Vec::new();
    let (mut negative, mut positive) = (negative, positive);
    while let Some(next) = [negative, positive]
        .iter()
        .filter_map(|rest| rest.first().map(&key))
        .min()
    {
        let taken = |rest: &mut &[T]| {
            let equal = rest.iter().take_while(|one| key(one) == next).count();
            let (head, tail) = rest.split_at(equal);
            *rest = tail;
            weight(head)
        };
        steps.push((taken(&mut negative), taken(&mut positive)));
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
        let mut above = [0u64; GRADES];
        let (mut wrong, mut pairs) = (0.0, 0u64);
        for equal in order(margins).chunk_by(|a, b| margins[*a as usize] == margins[*b as usize]) {
            let mut here = [0u64; GRADES];
            for row in equal {
                here[labels[*row as usize] as usize] += 1;
            }
            for grade in 0..GRADES {
                let below = |counts: &[u64]| counts[..grade].iter().sum::<u64>();
                let over = |counts: &[u64]| counts[grade + 1..].iter().sum::<u64>();
                wrong += here[grade] as f64 * (below(&above) as f64 + 0.5 * below(&here) as f64);
                pairs += here[grade] * (below(&above) + over(&above) + below(&here));
            }
            for (all, here) in above.iter_mut().zip(here) {
                *all += here;
            }
        }
        (wrong, pairs as f64)
    })
}
