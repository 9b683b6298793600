//! Gradients of boosting, their losses, and their rounding to a few bits.
//!
//! Exponential and logarithm are polynomials of our own, in IEEE additions, multiplications and divisions only: the same
//! bits on every machine, which no C library promises. Sums run in row order.

use rayon::prelude::*;

use crate::prg::{Seed, Stream, derive};

/// Rows per stream of rounding noise.
const CHUNK: usize = 1 << 14;
/// h of a row that is all but certain: keeps every denominator away from zero.
const LEAST_HESSIAN: f64 = 1e-16;

const LN2: f64 = std::f64::consts::LN_2;
/// ln 2 in two parts, the first with 21 zero bits at its end, so that k·LN2_HIGH is exact (Cody and Waite 1980).
const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// 1/k! for k = 13 down to 2.
const EXP_TERMS: [f64; 12] = [
    1.0 / 6_227_020_800.0,
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
];

/// e^x within 2 units of the last place; x is first clamped to [−708, 709].
#[inline]
pub fn exp(x: f64) -> f64 {
    let x = x.clamp(-708.0, 709.0);
    let power = (x * std::f64::consts::LOG2_E).round();
    let rest = (x - power * LN2_HIGH) - power * LN2_LOW;
    let curved = EXP_TERMS.iter().fold(0.0, |sum, term| sum * rest + term) * rest * rest;
    let mantissa = 1.0 + (rest + curved);
    mantissa * f64::from_bits(((power as i64 + 1023) as u64) << 52)
}

/// ln x of a normal positive number, from 2·artanh((m − 1)/(m + 1)) with m in [√½, √2).
#[inline]
pub fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i64 - 1023;
    let mut mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let series = (0..=11).rev().fold(0.0, |sum, index| {
        sum * square + 1.0 / f64::from(2 * index + 1)
    });
    exponent as f64 * LN2 + 2.0 * ratio * series
}

/// 1 / (1 + e^−x).
#[inline]
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// What a boosted model is fitted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// Labels 0 and 1, margins are log-odds: g = p − y, h = p(1 − p).
    Binary,
    /// Any labels: g = margin − y, h = 1.
    Squared,
}

impl Objective {
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "binary" => Some(Self::Binary),
            "regression" => Some(Self::Squared),
            _ => None,
        }
    }

    /// The margin that all rows start from: the one constant with the least loss.
    pub fn base_margin(self, labels: &[f64]) -> f64 {
        let mean = labels.iter().sum::<f64>() / labels.len() as f64;
        match self {
            Self::Binary => ln(mean / (1.0 - mean)),
            Self::Squared => mean,
        }
    }

    /// First and second derivatives of the loss by the margin.
    pub fn gradients(self, labels: &[f64], margins: &[f64], g: &mut [f64], h: &mut [f64]) {
        let rows = g
            .par_iter_mut()
            .zip(h)
            .zip(labels.par_iter().zip(margins))
            .with_min_len(CHUNK);
        rows.for_each(|((g, h), (label, margin))| match self {
            Self::Binary => {
                let probability = sigmoid(*margin);
                *g = probability - label;
                *h = (probability * (1.0 - probability)).max(LEAST_HESSIAN);
            }
            Self::Squared => {
                *g = margin - label;
                *h = 1.0;
            }
        });
    }

    /// Mean log-loss (binary) or mean squared error (regression).
    pub fn loss(self, labels: &[f64], margins: &[f64]) -> f64 {
        let each = labels
            .iter()
            .zip(margins)
            .map(|(label, margin)| match self {
                Self::Binary => softplus((1.0 - 2.0 * label) * margin),
                Self::Squared => (margin - label) * (margin - label),
            });
        each.sum::<f64>() / labels.len() as f64
    }

    /// What a user reads as the score: the probability of label 1, or the value itself.
    pub fn scores(self, margins: &[f64], scores: &mut [f64]) {
        for (score, margin) in scores.iter_mut().zip(margins) {
            *score = match self {
                Self::Binary => sigmoid(*margin),
                Self::Squared => *margin,
            };
        }
    }
}

/// ln(1 + e^x).
fn softplus(x: f64) -> f64 {
    x.max(0.0) + ln(1.0 + exp(-x.abs()))
}

/// Factors that take gradients to integers and their sums back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scales {
    pub g: f64,
    pub h: f64,
}

impl Scales {
    /// The largest |g| becomes 2^(bits−1) − 1, the largest h 2^bits − 1.
    pub fn of(g: &[f64], h: &[f64], gradient_bits: u32, hessian_bits: u32) -> Self {
        assert!(
            (2..=31).contains(&gradient_bits) && (1..=30).contains(&hessian_bits),
            "bits out of range"
        );
        let largest = |values: &[f64]| {
            values
                .iter()
                .fold(0.0f64, |most, value| most.max(value.abs()))
        };
        let scale = |bits: u32, most: f64| {
            if most > 0.0 {
                ((1u64 << bits) - 1) as f64 / most
            } else {
                1.0
            }
        };
        Self {
            g: scale(gradient_bits - 1, largest(g)),
            h: scale(hessian_bits, largest(h)),
        }
    }
}

/// Stochastic rounding: value·scale goes up with the probability of its fraction, so that sums stay unbiased
/// (Gupta et al. 2015; for boosting Shi et al. 2022). The noise depends on `seed` and the row's place only.
pub fn quantise(
    g: &[f64],
    h: &[f64],
    scales: Scales,
    bits: (u32, u32),
    seed: &Seed,
    out: (&mut [i32], &mut [i32]),
) {
    assert!(g.len() == h.len() && g.len() == out.0.len() && g.len() == out.1.len());
    let key = derive(seed, "hanse gradients: rounding", &[]);
    let most = (
        ((1u64 << (bits.0 - 1)) - 1) as f64,
        ((1u64 << bits.1) - 1) as f64,
    );
    let inputs = g.par_chunks(CHUNK).zip(h.par_chunks(CHUNK));
    let outputs = out.0.par_chunks_mut(CHUNK).zip(out.1.par_chunks_mut(CHUNK));
    inputs
        .zip(outputs)
        .enumerate()
        .for_each(|(lane, ((g, h), (g_out, h_out)))| {
            let mut stream = Stream::new(&key, lane as u64);
            let mut words = [0u64; 128];
            for start in (0..g.len()).step_by(64) {
                stream.fill(&mut words);
                for row in start..g.len().min(start + 64) {
                    let noise = (
                        fraction(words[2 * (row - start)]),
                        fraction(words[2 * (row - start) + 1]),
                    );
                    g_out[row] =
                        (g[row] * scales.g + noise.0).floor().clamp(-most.0, most.0) as i32;
                    h_out[row] = (h[row] * scales.h + noise.1).floor().clamp(0.0, most.1) as i32;
                }
            }
        });
}

/// A number in [0, 1) from the upper 53 bits.
fn fraction(word: u64) -> f64 {
    (word >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KNOWN_BITS: [(f64, u64); 4] = [
        (0.0, 0x3ff0_0000_0000_0000),
        (1.0, 0x4005_bf0a_8b14_576a),
        (-1.0, 0x3fd7_8b56_362c_ef38),
        (1e9, 0x7fdd_422d_2be5_dc9b),
    ];

    #[test]
    fn the_exponential_has_the_same_bits_everywhere() {
        for (x, bits) in KNOWN_BITS {
            assert_eq!(exp(x).to_bits(), bits, "exp({x}) = {:#x}", exp(x).to_bits());
        }
    }

    #[test]
    fn loss_and_base_of_a_coin_are_those_of_the_textbook() {
        let labels = [0.0, 1.0, 1.0, 1.0];
        let base = Objective::Binary.base_margin(&labels);
        assert!((base - 3.0f64.ln()).abs() < 1e-15);
        let entropy = -(0.75f64.ln() * 0.75 + 0.25f64.ln() * 0.25);
        assert!((Objective::Binary.loss(&labels, &[base; 4]) - entropy).abs() < 1e-15);
        assert_eq!(Objective::Squared.base_margin(&labels), 0.75);
        assert_eq!(Objective::Squared.loss(&labels, &[0.5; 4]), 0.25);
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        for objective in [Objective::Binary, Objective::Squared] {
            let (mut g, mut h) = ([0.0], [0.0]);
            objective.gradients(&[1.0], &[0.3], &mut g, &mut h);
            let slope = (objective.loss(&[1.0], &[0.3 + 1e-5])
                - objective.loss(&[1.0], &[0.3 - 1e-5]))
                / 2e-5;
            let halved = if objective == Objective::Squared {
                slope / 2.0
            } else {
                slope
            };
            assert!((g[0] - halved).abs() < 1e-9, "{objective:?}");
        }
    }

    #[test]
    fn a_certain_row_keeps_a_positive_hessian() {
        let (mut g, mut h) = ([0.0; 2], [0.0; 2]);
        Objective::Binary.gradients(&[1.0, 0.0], &[800.0, -800.0], &mut g, &mut h);
        assert!(h.iter().all(|h| *h > 0.0) && g.iter().all(|g| g.is_finite()));
    }

    #[test]
    fn rounding_is_unbiased_bounded_and_repeatable() {
        let rows = 40_000;
        let g: Vec<f64> = (0..rows)
            .map(|row| (f64::from(row) / f64::from(rows) - 0.4) * 0.37)
            .collect();
        let h: Vec<f64> = g.iter().map(|g| 0.25 - g * g).collect();
        let scales = Scales::of(&g, &h, 5, 4);
        let round = |seed: u8| {
            let (mut g_out, mut h_out) = (vec![0i32; g.len()], vec![0i32; g.len()]);
            quantise(
                &g,
                &h,
                scales,
                (5, 4),
                &[seed; 32],
                (&mut g_out, &mut h_out),
            );
            (g_out, h_out)
        };
        let (g_out, h_out) = round(1);
        assert!(
            g_out.iter().all(|g| (-15..=15).contains(g))
                && h_out.iter().all(|h| (0..=15).contains(h))
        );
        let mean = |out: &[i32], scale: f64| {
            out.iter().map(|v| f64::from(*v)).sum::<f64>() / scale / f64::from(rows)
        };
        // the standard error of a mean of roundings is at most ½/scale/√rows
        let tolerance = |scale: f64| 5.0 * 0.5 / scale / f64::from(rows).sqrt();
        let true_mean = |values: &[f64]| values.iter().sum::<f64>() / f64::from(rows);
        assert!((mean(&g_out, scales.g) - true_mean(&g)).abs() < tolerance(scales.g));
        assert!((mean(&h_out, scales.h) - true_mean(&h)).abs() < tolerance(scales.h));
        assert_eq!(round(1), (g_out.clone(), h_out));
        assert_ne!(round(2).0, g_out);
    }

    #[test]
    fn equal_hessians_are_rounded_without_noise() {
        let (g, h) = (vec![0.0; 100], vec![1.0; 100]);
        let (mut g_out, mut h_out) = (vec![9i32; 100], vec![9i32; 100]);
        quantise(
            &g,
            &h,
            Scales::of(&g, &h, 20, 18),
            (20, 18),
            &[3; 32],
            (&mut g_out, &mut h_out),
        );
        assert_eq!((g_out, h_out), (vec![0; 100], vec![(1 << 18) - 1; 100]));
    }

    proptest! {
        #[test]
        fn exponential_and_logarithm_agree_with_the_library(x in -700.0..700.0f64) {
            prop_assert!((exp(x) / x.exp() - 1.0).abs() < 1e-15);
            let y = x.exp();
            prop_assert!((ln(y) - x).abs() <= 1e-15 * x.abs().max(1.0));
        }
    }
}
