//! Stochastic rounding of gradients to a few bits.

use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use super::elementary::ROUND;
use super::vectors::{Task, run_on};
use crate::prg::{Seed, Stream, derive};
use crate::simd::{self, Path};

/// Rows per stream of rounding noise.
const CHUNK: usize = 1 << 14;
/// Rows per call of the stream: one word a row.
const BATCH: usize = 64;

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

/// The largest absolute value. A maximum does not depend on the order.
fn largest(values: &[f64]) -> f64 {
    let path = simd::path();
    values
        .par_chunks(CHUNK)
        .map(|chunk| run_on(path, Largest(chunk)))
        .reduce(|| 0.0, f64::max)
}

struct Largest<'a>(&'a [f64]);

impl Task for Largest<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let mut lanes = [0.0f64; 8];
        let (eights, rest) = self.0.as_chunks::<8>();
        for eight in eights {
            for (lane, value) in lanes.iter_mut().zip(eight) {
                *lane = lane.max(value.abs());
            }
        }
        let ends = rest.iter().map(|value| value.abs());
        lanes.into_iter().chain(ends).fold(0.0, f64::max)
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
    quantise_on(simd::path(), g, h, scales, bits, seed, out);
}

/// [`quantise`] on `path`.
pub fn quantise_on(
    path: Path,
    g: &[f64],
    h: &[f64],
    scales: Scales,
    bits: (u32, u32),
    seed: &Seed,
    out: (&mut [i32], &mut [i32]),
) {
    assert!(g.len() == h.len() && g.len() == out.0.len() && g.len() == out.1.len());
    let key = Zeroizing::new(derive(seed, "hanse gradients: rounding", &[]));
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
            let mut noise = [0u64; BATCH];
            let columns = g.chunks(BATCH).zip(h.chunks(BATCH));
            let rounded = g_out.chunks_mut(BATCH).zip(h_out.chunks_mut(BATCH));
            for ((g, h), (g_out, h_out)) in columns.zip(rounded) {
                stream.fill(&mut noise);
                run_on(
                    path,
                    Batch {
                        g,
                        h,
                        scales,
                        most,
                        noise: &noise,
                        g_out,
                        h_out,
                    },
                );
            }
            noise.zeroize();
        });
}

struct Batch<'a> {
    g: &'a [f64],
    h: &'a [f64],
    scales: Scales,
    most: (f64, f64),
    noise: &'a [u64; BATCH],
    g_out: &'a mut [i32],
    h_out: &'a mut [i32],
}

impl Task for Batch<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let rows = self.g.iter().zip(self.h).zip(self.noise);
        let out = self.g_out.iter_mut().zip(self.h_out.iter_mut());
        for (((g, h), noise), (g_out, h_out)) in rows.zip(out) {
            let g = g * self.scales.g + around_zero(*noise as i32);
            let h = h * self.scales.h + around_zero((*noise >> 32) as i32);
            *g_out = nearest(g.clamp(-self.most.0, self.most.0));
            *h_out = nearest(h.clamp(0.0, self.most.1));
        }
    }
}

/// A number in (−½, ½), of mean 0: the nearest integer to x plus this is ⌊x + a number in (0, 1)⌋.
#[inline(always)]
fn around_zero(word: i32) -> f64 {
    f64::from(word | 1) * (1.0 / 4_294_967_296.0)
}

#[inline(always)]
fn nearest(x: f64) -> i32 {
    (x + ROUND).to_bits() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(path: Path, g: &[f64], h: &[f64], bits: (u32, u32), seed: u8) -> (Vec<i32>, Vec<i32>) {
        let (mut g_out, mut h_out) = (vec![0i32; g.len()], vec![0i32; g.len()]);
        let scales = Scales::of(g, h, bits.0, bits.1);
        let out = (&mut g_out[..], &mut h_out[..]);
        quantise_on(path, g, h, scales, bits, &[seed; 32], out);
        (g_out, h_out)
    }

    fn columns(rows: u32) -> (Vec<f64>, Vec<f64>) {
        let g: Vec<f64> = (0..rows)
            .map(|row| (f64::from(row) / f64::from(rows) - 0.4) * 0.37)
            .collect();
        let h = g.iter().map(|g| 0.25 - g * g).collect();
        (g, h)
    }

    #[test]
    fn rounding_is_unbiased_bounded_and_repeatable() {
        let rows = 40_000;
        let (g, h) = columns(rows);
        let scales = Scales::of(&g, &h, 5, 4);
        let (g_out, h_out) = round(Path::Portable, &g, &h, (5, 4), 1);
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
        assert_eq!(
            round(Path::Portable, &g, &h, (5, 4), 1),
            (g_out.clone(), h_out)
        );
        assert_ne!(round(Path::Portable, &g, &h, (5, 4), 2).0, g_out);
    }

    #[test]
    fn every_value_goes_to_one_of_its_two_neighbours_with_the_share_of_its_fraction() {
        let (g, h) = (vec![0.3; 60_000], vec![1.0; 60_000]);
        let mut g = g;
        g[0] = 15.0;
        let (found, _) = round(Path::Portable, &g, &h, (5, 4), 9);
        assert_eq!(found[0], 15);
        let up = found[1..].iter().filter(|value| **value == 1).count() as f64;
        assert!(found[1..].iter().all(|value| *value == 0 || *value == 1));
        // five standard errors of a share of 0.3
        assert!((up / 59_999.0 - 0.3).abs() < 5.0 * (0.21f64 / 59_999.0).sqrt());
    }

    #[test]
    fn every_path_rounds_alike_at_every_length() {
        for rows in (1..70).chain([CHUNK as u32 + 3]) {
            let (g, h) = columns(rows);
            let expected = round(Path::Portable, &g, &h, (20, 18), 4);
            for path in simd::available() {
                assert_eq!(round(path, &g, &h, (20, 18), 4), expected);
            }
        }
    }

    #[test]
    fn equal_hessians_are_rounded_without_noise() {
        let found = round(Path::Portable, &[0.0; 100], &[1.0; 100], (20, 18), 3);
        assert_eq!(found, (vec![0; 100], vec![(1 << 18) - 1; 100]));
    }
}
