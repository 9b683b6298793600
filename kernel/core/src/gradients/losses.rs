//! Losses, their derivatives by the margin, and what a user reads of a margin.

use rayon::prelude::*;

use super::elementary::{exp, ln, sigmoid, softplus, sum};
use super::quantiles::quantile;
use super::ranking;
use super::vectors::{Task, run_on};
use crate::simd::{self, Path};

/// Rows that are worked on together: what they read and write fits the second-level cache.
const BLOCK: usize = 1 << 11;
/// h of a row that is all but certain: keeps every denominator away from zero.
pub(super) const LEAST_HESSIAN: f64 = 1e-16;
/// Logarithms of means are cut to ± this before their exponential, so that sums of gradients stay finite (e^230 is 10^100).
const MOST_LOG_MEAN: f64 = 230.0;
/// Poisson: h is that of a margin greater by this, which keeps the step from overshooting (as xgboost does).
const POISSON_STEP: f64 = 0.7;

/// What a boosted model is fitted to: how far margins are from labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// Labels 0 and 1, margins are log-odds: −ln of the label's probability.
    Binary,
    /// Labels 0 … classes − 1, a margin for each class: −ln of the label's probability in the softmax.
    Multiclass { classes: usize },
    /// Any labels: half the squared difference.
    Squared,
    /// Counts; the margin is ln of the mean: e^m − y·m.
    Poisson,
    /// Labels > 0; the margin is ln of the mean: m + y·e^−m.
    Gamma,
    /// Labels ≥ 0, variance = mean^power, 1 < power < 2: e^((2−p)m)/(2−p) − y·e^((1−p)m)/(1−p).
    Tweedie { power: f64 },
    /// Any labels; the margin is the quantile: alpha·(y − m) above it, (1 − alpha)·(m − y) below.
    Quantile { alpha: f64 },
    /// Labels are grades of relevance within groups of rows: see [`ranking`].
    Ranking,
}

impl Loss {
    /// How many margins a row has.
    pub fn outputs(self) -> usize {
        match self {
            Self::Multiclass { classes } => classes,
            _ => 1,
        }
    }

    /// The margins that all rows start from, one for each output: the constants with the least loss.
    pub fn base_margins(self, labels: &[f64], weights: Option<&[f64]>) -> Vec<f64> {
        let mean = || weighted_sum(labels, weights) / total(labels.len(), weights);
        match self {
            Self::Binary => {
                let mean = mean();
                vec![ln(mean / (1.0 - mean))]
            }
            Self::Multiclass { classes } => class_shares(labels, weights, classes)
                .into_iter()
                .map(ln)
                .collect(),
            Self::Squared => vec![mean()],
            Self::Poisson | Self::Gamma | Self::Tweedie { .. } => vec![ln(mean())],
            Self::Quantile { alpha } => vec![quantile(labels, weights, alpha)],
            Self::Ranking => vec![0.0],
        }
    }

    /// Writes the first and second derivatives of every row's loss by its margins, times its weight.
    ///
    /// Margins, g and h are output after output, each with a number for every row. Groups, for [`Loss::Ranking`] alone,
    /// are rising places of rows: group i has the rows groups\[i\] .. groups\[i + 1\].
    pub fn gradients(self, rows: &Rows, margins: &[f64], g: &mut [f64], h: &mut [f64]) {
        self.gradients_on(simd::path(), rows, margins, g, h);
    }

    /// [`Loss::gradients`] on `path`.
    pub fn gradients_on(
        self,
        path: Path,
        rows: &Rows,
        margins: &[f64],
        g: &mut [f64],
        h: &mut [f64],
    ) {
        let count = rows.labels.len();
        assert!(count > 0 && margins.len() == count * self.outputs());
        assert!(g.len() == margins.len() && h.len() == margins.len());
        if self == Self::Ranking {
            ranking::gradients_on(path, rows, margins, g, h);
        }
        let blocks: Vec<_> = blocks_of(g, count)
            .into_iter()
            .zip(blocks_of(h, count))
            .enumerate()
            .collect();
        blocks.into_par_iter().for_each(|(index, (g, h))| {
            let first = index * BLOCK;
            let end = count.min(first + BLOCK);
            let block = Gradients {
                loss: self,
                labels: &rows.labels[first..end],
                weights: rows.weights.map(|weights| &weights[first..end]),
                margins,
                stride: count,
                first,
                g,
                h,
            };
            run_on(path, block);
        });
    }

    /// The mean loss of the rows, weighted. Squared: the mean squared difference; Poisson, Gamma, Tweedie: the mean unit
    /// deviance (Jørgensen 1997), which is 0 where the mean is the label.
    pub fn mean(self, rows: &Rows, margins: &[f64]) -> f64 {
        self.mean_on(simd::path(), rows, margins)
    }

    /// [`Loss::mean`] on `path`.
    pub fn mean_on(self, path: Path, rows: &Rows, margins: &[f64]) -> f64 {
        assert!(
            self != Self::Ranking,
            "a ranking has figures of its own alone"
        );
        mean_of(path, rows, margins, self.outputs(), Figure::Loss(self))
    }

    /// What a user reads, output after output: probabilities, means, or the margins themselves.
    pub fn scores(self, margins: &[f64], scores: &mut [f64]) {
        self.scores_on(simd::path(), margins, scores);
    }

    /// [`Loss::scores`] on `path`.
    pub fn scores_on(self, path: Path, margins: &[f64], scores: &mut [f64]) {
        assert!(margins.len() == scores.len() && margins.len().is_multiple_of(self.outputs()));
        let stride = margins.len() / self.outputs();
        let blocks = blocks_of(scores, stride);
        blocks
            .into_par_iter()
            .enumerate()
            .for_each(|(index, scores)| {
                let block = Scores {
                    loss: self,
                    margins,
                    stride,
                    first: index * BLOCK,
                    scores,
                };
                run_on(path, block);
            });
    }
}

/// What is known of the rows beside their margins.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    pub labels: &'a [f64],
    /// How much each row counts, ≥ 0; None: all the same.
    pub weights: Option<&'a [f64]>,
    /// Where groups of rows begin, and where the last ends.
    pub groups: Option<&'a [i64]>,
}

/// The number of rows, or the sum of their weights.
pub(super) fn total(rows: usize, weights: Option<&[f64]>) -> f64 {
    weights.map_or(rows as f64, |weights| weights.chunks(BLOCK).map(sum).sum())
}

fn weighted_sum(values: &[f64], weights: Option<&[f64]>) -> f64 {
    match weights {
        None => values.chunks(BLOCK).map(sum).sum(),
        Some(weights) => values.iter().zip(weights).map(|(v, w)| v * w).sum(),
    }
}

fn class_shares(labels: &[f64], weights: Option<&[f64]>, classes: usize) -> Vec<f64> {
    let mut sums = vec![0.0; classes];
    for (row, label) in labels.iter().enumerate() {
        sums[*label as usize] += weights.map_or(1.0, |weights| weights[row]);
    }
    let total = total(labels.len(), weights);
    sums.into_iter().map(|sum| sum / total).collect()
}

/// The columns of `rows` numbers each that lie in `all`, cut into blocks of rows: block after block, column after column.
fn blocks_of(all: &mut [f64], rows: usize) -> Vec<Vec<&mut [f64]>> {
    let mut blocks: Vec<Vec<&mut [f64]>> = Vec::new();
    blocks.resize_with(rows.div_ceil(BLOCK), Vec::new);
    for column in all.chunks_mut(rows.max(1)) {
        for (block, part) in blocks.iter_mut().zip(column.chunks_mut(BLOCK)) {
            block.push(part);
        }
    }
    blocks
}

struct Gradients<'a> {
    loss: Loss,
    labels: &'a [f64],
    weights: Option<&'a [f64]>,
    margins: &'a [f64],
    stride: usize,
    first: usize,
    g: Vec<&'a mut [f64]>,
    h: Vec<&'a mut [f64]>,
}

impl Gradients<'_> {
    /// `of(label, margin)` gives g and h of a row.
    #[inline(always)]
    fn each(&mut self, of: impl Fn(f64, f64) -> (f64, f64)) {
        let margins = &self.margins[self.first..];
        let rows = self.labels.iter().zip(margins);
        let out = self.g[0].iter_mut().zip(self.h[0].iter_mut());
        for ((label, margin), (g, h)) in rows.zip(out) {
            (*g, *h) = of(*label, *margin);
        }
    }

    #[inline(always)]
    fn softmax(&mut self) {
        softmax(self.margins, self.stride, self.first, &mut self.g);
        for (class, (g, h)) in self.g.iter_mut().zip(&mut self.h).enumerate() {
            let class = class as f64;
            for ((g, h), label) in g.iter_mut().zip(h.iter_mut()).zip(self.labels) {
                let probability = *g;
                // twice the diagonal bounds the whole matrix of second derivatives, as in xgboost
                *h = (2.0 * probability * (1.0 - probability)).max(LEAST_HESSIAN);
                *g = probability - if *label == class { 1.0 } else { 0.0 };
            }
        }
    }
}

impl Task for Gradients<'_> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        match self.loss {
            Loss::Binary => self.each(|label, margin| {
                let probability = sigmoid(margin);
                let spread = (probability * (1.0 - probability)).max(LEAST_HESSIAN);
                (probability - label, spread)
            }),
            Loss::Multiclass { .. } => self.softmax(),
            Loss::Squared => self.each(|label, margin| (margin - label, 1.0)),
            Loss::Poisson => self.each(|label, margin| {
                let margin = bounded(margin);
                (
                    exp(margin) - label,
                    exp(margin + POISSON_STEP).max(LEAST_HESSIAN),
                )
            }),
            Loss::Gamma => self.each(|label, margin| {
                let ratio = label * exp(-bounded(margin));
                (1.0 - ratio, ratio.max(LEAST_HESSIAN))
            }),
            Loss::Tweedie { power } => self.each(|label, margin| {
                let (one, two, margin) = (1.0 - power, 2.0 - power, bounded(margin));
                let (below, above) = (label * exp(one * margin), exp(two * margin));
                (
                    above - below,
                    (two * above - one * below).max(LEAST_HESSIAN),
                )
            }),
            Loss::Quantile { alpha } => self.each(|label, margin| {
                let is_over = margin >= label;
                (if is_over { 1.0 - alpha } else { -alpha }, 1.0)
            }),
            // written group by group before
            Loss::Ranking => {}
        }
        let Some(weights) = self.weights else { return };
        for column in self.g.iter_mut().chain(&mut self.h) {
            for (value, weight) in column.iter_mut().zip(weights) {
                *value *= weight;
            }
        }
    }
}

#[inline(always)]
fn bounded(log_mean: f64) -> f64 {
    log_mean.clamp(-MOST_LOG_MEAN, MOST_LOG_MEAN)
}

/// Probabilities e^margin / Σ e^margin of each class, for the rows from `first` on.
#[inline(always)]
fn softmax(margins: &[f64], stride: usize, first: usize, out: &mut [&mut [f64]]) {
    let rows = out[0].len();
    let (mut most, mut sums) = ([f64::NEG_INFINITY; BLOCK], [0.0; BLOCK]);
    let (most, sums) = (&mut most[..rows], &mut sums[..rows]);
    let column = |class: usize| &margins[class * stride + first..][..rows];
    for class in 0..out.len() {
        for (most, margin) in most.iter_mut().zip(column(class)) {
            *most = most.max(*margin);
        }
    }
    for (class, out) in out.iter_mut().enumerate() {
        let rows = out.iter_mut().zip(sums.iter_mut());
        for ((out, sum), (margin, most)) in rows.zip(column(class).iter().zip(most.iter())) {
            *out = exp(margin - most);
            *sum += *out;
        }
    }
    for out in out.iter_mut() {
        for (out, sum) in out.iter_mut().zip(sums.iter()) {
            *out /= sum;
        }
    }
}

struct Scores<'a> {
    loss: Loss,
    margins: &'a [f64],
    stride: usize,
    first: usize,
    scores: Vec<&'a mut [f64]>,
}

impl Scores<'_> {
    #[inline(always)]
    fn each(&mut self, of: impl Fn(f64) -> f64) {
        let margins = &self.margins[self.first..];
        for (score, margin) in self.scores[0].iter_mut().zip(margins) {
            *score = of(*margin);
        }
    }
}

impl Task for Scores<'_> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        match self.loss {
            Loss::Binary => self.each(sigmoid),
            Loss::Multiclass { .. } => {
                softmax(self.margins, self.stride, self.first, &mut self.scores);
            }
            Loss::Poisson | Loss::Gamma | Loss::Tweedie { .. } => self.each(exp),
            Loss::Squared | Loss::Quantile { .. } | Loss::Ranking => self.each(|margin| margin),
        }
    }
}

/// A figure that is the mean of one number for each row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Figure {
    Loss(Loss),
    /// |score − label|; not of probabilities
    Absolute(Loss),
    /// (score − label)²; not of probabilities
    Squared(Loss),
    /// 1 where the most likely class is another than the label's
    Wrong(Loss),
}

/// The weighted mean of a figure over the rows.
pub(super) fn mean_of(
    path: Path,
    rows: &Rows,
    margins: &[f64],
    outputs: usize,
    figure: Figure,
) -> f64 {
    let count = rows.labels.len();
    assert!(count > 0 && margins.len() == count * outputs);
    let blocks = count.div_ceil(BLOCK);
    let sums: Vec<f64> = (0..blocks)
        .into_par_iter()
        .map(|index| {
            let first = index * BLOCK;
            let end = count.min(first + BLOCK);
            let block = Figures {
                figure,
                labels: &rows.labels[first..end],
                weights: rows.weights.map(|weights| &weights[first..end]),
                margins,
                stride: count,
                first,
                outputs,
            };
            run_on(path, block)
        })
        .collect();
    sums.iter().sum::<f64>() / total(count, rows.weights)
}

struct Figures<'a> {
    figure: Figure,
    labels: &'a [f64],
    weights: Option<&'a [f64]>,
    margins: &'a [f64],
    stride: usize,
    first: usize,
    outputs: usize,
}

impl Figures<'_> {
    #[inline(always)]
    fn each(&self, out: &mut [f64], of: impl Fn(f64, f64) -> f64) {
        let margins = &self.margins[self.first..];
        for ((out, label), margin) in out.iter_mut().zip(self.labels).zip(margins) {
            *out = of(*label, *margin);
        }
    }

    #[inline(always)]
    fn loss(&self, loss: Loss, out: &mut [f64]) {
        match loss {
            Loss::Binary => self.each(out, |label, margin| softplus((1.0 - 2.0 * label) * margin)),
            Loss::Multiclass { .. } => self.of_classes(out, |own, most, sum| ln(sum) + most - own),
            Loss::Squared => self.each(out, |label, margin| (margin - label) * (margin - label)),
            Loss::Poisson => self.each(out, |label, margin| {
                // ln is finite at 0 as well, so that no branch is needed
                2.0 * (label * ln(label) - label * margin - label + exp(margin))
            }),
            Loss::Gamma => self.each(out, |label, margin| {
                2.0 * (margin - ln(label) + label * exp(-margin) - 1.0)
            }),
            Loss::Tweedie { power } => self.tweedie(power, out),
            Loss::Quantile { alpha } => self.each(out, |label, margin| {
                let above = label - margin;
                (alpha * above).max((alpha - 1.0) * above)
            }),
            Loss::Ranking => {}
        }
    }

    /// In two passes: one with all of it is too long for the compiler to make vectors of.
    #[inline(always)]
    fn tweedie(&self, power: f64, out: &mut [f64]) {
        let (one, two) = (1.0 - power, 2.0 - power);
        self.each(out, |label, _| {
            let found = exp(two * ln(label));
            if label > 0.0 { found } else { 0.0 }
        });
        let margins = &self.margins[self.first..];
        for ((out, label), margin) in out.iter_mut().zip(self.labels).zip(margins) {
            let gone = label * exp(one * margin) / one - exp(two * margin) / two;
            *out = 2.0 * (*out / (one * two) - gone);
        }
    }

    /// `of(own margin, greatest margin, Σ e^(margin − greatest))` of each row.
    #[inline(always)]
    fn of_classes(&self, out: &mut [f64], of: impl Fn(f64, f64, f64) -> f64) {
        let rows = out.len();
        let zeros = [0.0; BLOCK];
        let (mut most, mut sums, mut owns) = ([f64::NEG_INFINITY; BLOCK], zeros, zeros);
        let (most, sums, owns) = (&mut most[..rows], &mut sums[..rows], &mut owns[..rows]);
        let column = |class: usize| &self.margins[class * self.stride + self.first..][..rows];
        for class in 0..self.outputs {
            for (most, margin) in most.iter_mut().zip(column(class)) {
                *most = most.max(*margin);
            }
        }
        for class in 0..self.outputs {
            let number = class as f64;
            let rows = sums.iter_mut().zip(owns.iter_mut()).zip(self.labels);
            for (((sum, own), label), (margin, most)) in
                rows.zip(column(class).iter().zip(most.iter()))
            {
                *sum += exp(margin - most);
                *own = if *label == number { *margin } else { *own };
            }
        }
        for ((out, own), (most, sum)) in out.iter_mut().zip(owns).zip(most.iter().zip(sums)) {
            *out = of(*own, *most, *sum);
        }
    }

    /// `of(score, label)`
    #[inline(always)]
    fn each_score(&self, loss: Loss, out: &mut [f64], of: impl Fn(f64, f64) -> f64) {
        match loss {
            Loss::Poisson | Loss::Gamma | Loss::Tweedie { .. } => {
                self.each(out, |label, margin| of(exp(margin), label));
            }
            _ => self.each(out, |label, margin| of(margin, label)),
        }
    }

    #[inline(always)]
    fn wrong(&self, loss: Loss, out: &mut [f64]) {
        match loss {
            Loss::Multiclass { .. } => self.wrong_class(out),
            _ => self.each(out, |label, margin| {
                let said = if margin > 0.0 { 1.0 } else { 0.0 };
                (said - label).abs()
            }),
        }
    }

    /// Of equal margins the first class is taken.
    #[inline(always)]
    fn wrong_class(&self, out: &mut [f64]) {
        let mut most = [f64::NEG_INFINITY; BLOCK];
        for class in 0..self.outputs {
            let number = class as f64;
            let margins = &self.margins[class * self.stride + self.first..][..out.len()];
            let rows = out.iter_mut().zip(self.labels).zip(&mut most);
            for (((out, label), most), margin) in rows.zip(margins) {
                let is_wrong = if *label == number { 0.0 } else { 1.0 };
                *out = if *margin > *most { is_wrong } else { *out };
                *most = most.max(*margin);
            }
        }
    }
}

impl Task for Figures<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let mut each = [0.0; BLOCK];
        let each = &mut each[..self.labels.len()];
        match self.figure {
            Figure::Loss(loss) => self.loss(loss, each),
            Figure::Absolute(loss) => {
                self.each_score(loss, each, |score, label| (score - label).abs());
            }
            Figure::Squared(loss) => self.each_score(loss, each, |score, label| {
                let away = score - label;
                away * away
            }),
            Figure::Wrong(loss) => self.wrong(loss, each),
        }
        if let Some(weights) = self.weights {
            for (value, weight) in each.iter_mut().zip(weights) {
                *value *= weight;
            }
        }
        sum(each)
    }
}
