//! Samplers of ring-LWE: uniform mod p, uniform ternary, rounded Gaussian of σ = 3.2, and the flooding noise.
//!
//! All but the public uniform one take the same time and touch the same memory whatever they draw.

#[cfg(target_arch = "x86_64")]
mod x86;

use zeroize::{Zeroize, Zeroizing};

use crate::prg::{PublicStream, Stream};
use crate::simd::{self, Path};

/// Standard deviation of the error of every RLWE sample.
pub const ERROR_SIGMA: f64 = 3.2;

/// 2^63 · P(|X| ≤ k) for X = round(N(0, 3.2²)), k = 0, 1, … `kernel/core/parameters.py` recomputes it.
pub const ERROR_TABLE: [u64; 29] = [
    0x0fe49b67dc8159c6,
    0x2e2d1c3c52a898ee,
    0x485d35a2bfb73e55,
    0x5ceb732e1722d4e3,
    0x6b90978ed137b379,
    0x750918a6261b9ef9,
    0x7a9838194645678e,
    0x7d8e6d64fa05b5b3,
    0x7efd15671e083d30,
    0x7f9e04e86b3032cd,
    0x7fde2288855d8680,
    0x7ff551b61e4379ea,
    0x7ffceda7e45f8f31,
    0x7fff31ecd05c47a9,
    0x7fffced014618980,
    0x7ffff54fdd5bdbf5,
    0x7ffffde2f40fc52c,
    0x7fffff9eabf0edbd,
    0x7ffffff013b1364f,
    0x7ffffffda1a45e49,
    0x7fffffffae0214e1,
    0x7ffffffff5ec6bf4,
    0x7ffffffffedfec2a,
    0x7fffffffffe2c526,
    0x7ffffffffffd4e43,
    0x7fffffffffffc640,
    0x7ffffffffffffb9c,
    0x7fffffffffffffb2,
    0x7ffffffffffffffb,
];

const CHUNK: usize = 64;
/// Words that are drawn at a time: some of the stream's own batches.
const BATCH: usize = 512;

/// Uniform values below `prime` by rejection. For public values only: the time depends on what is drawn.
pub fn fill_uniform(stream: &mut PublicStream, prime: u64, out: &mut [u64]) {
    fill_uniform_on(simd::path(), stream, prime, out);
}

/// As [`fill_uniform`], on a given path.
pub fn fill_uniform_on(_path: Path, stream: &mut PublicStream, prime: u64, out: &mut [u64]) {
    let mask = u64::MAX >> prime.leading_zeros();
    let mut filled = 0;
    let mut words = [0u64; CHUNK];
    while filled < out.len() {
        stream.fill(&mut words);
        for word in words {
            let candidate = word & mask;
            if candidate < prime && filled < out.len() {
                out[filled] = candidate;
                filled += 1;
            }
        }
    }
}

/// Uniform values in {-1, 0, 1}; each is within 2^-62 of uniform.
pub fn fill_ternary(stream: &mut Stream, out: &mut [i8]) {
    fill_ternary_on(simd::path(), stream, out);
}

/// As [`fill_ternary`], on a given path.
pub fn fill_ternary_on(path: Path, stream: &mut Stream, out: &mut [i8]) {
    assert!(path.is_available(), "a path that this processor has");
    let mut words = [0u64; BATCH];
    for chunk in out.chunks_mut(BATCH) {
        let words = &mut words[..chunk.len()];
        stream.fill(words);
        match path {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => {
                // SAFETY: the path is available
                let done = unsafe { x86::ternary_avx512(words, chunk) };
                scan_ternary(&words[done..], &mut chunk[done..]);
            }
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the path is available
            Path::Avx2 => unsafe { x86::ternary_avx2(words, chunk) },
            _ => scan_ternary(words, chunk),
        }
    }
    words.zeroize();
}

/// A value of each word.
#[inline(always)]
fn scan_ternary(words: &[u64], out: &mut [i8]) {
    for (value, word) in out.iter_mut().zip(words) {
        *value = ((u128::from(*word) * 3) >> 64) as i8 - 1;
    }
}

/// Rounded Gaussian values of σ = 3.2, from a full scan of the cumulative table (63 bits).
///
/// Draws a word for each value, and for those that are missing to a multiple of 64.
pub fn fill_gaussian(stream: &mut Stream, out: &mut [i8]) {
    fill_gaussian_on(simd::path(), stream, out);
}

/// As [`fill_gaussian`], on a given path.
pub fn fill_gaussian_on(path: Path, stream: &mut Stream, out: &mut [i8]) {
    assert!(path.is_available(), "a path that this processor has");
    let mut words = [0u64; BATCH];
    for chunk in out.chunks_mut(BATCH) {
        let words = &mut words[..chunk.len().next_multiple_of(CHUNK)];
        stream.fill(words);
        match path {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => {
                // SAFETY: the path is available
                let done = unsafe { x86::gaussian_avx512(words, chunk) };
                scan_gaussian(&words[done..], &mut chunk[done..]);
            }
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the path is available
            Path::Avx2 => unsafe { x86::gaussian_avx2(words, chunk) },
            _ => scan_gaussian(words, chunk),
        }
    }
    words.zeroize();
}

/// A value of each of the first words, as many as there is room for.
#[inline(always)]
fn scan_gaussian(words: &[u64], out: &mut [i8]) {
    let mut magnitudes = [0u64; CHUNK];
    for (out, words) in out.chunks_mut(CHUNK).zip(words.chunks(CHUNK)) {
        magnitudes.fill(0);
        for bound in ERROR_TABLE {
            for (magnitude, word) in magnitudes.iter_mut().zip(words) {
                // 1 when (word >> 1) >= bound: both are below 2^63, so the borrow is the top bit
                *magnitude += (bound - 1).wrapping_sub(word >> 1) >> 63;
            }
        }
        for ((value, magnitude), word) in out.iter_mut().zip(&magnitudes).zip(words) {
            let sign = -((word & 1) as i8);
            *value = (*magnitude as i8 ^ sign) - sign;
        }
    }
    magnitudes.zeroize();
}

/// The flooding noise y = 2^k·G + U₁ + U₂ − 2^k, with G a discrete Gaussian and U₁, U₂ uniform in [0, 2^k).
///
/// One uniform would leave a staircase whose divergence from a shifted copy of itself is 2^k/δ times that of a
/// Gaussian; the triangle of two makes it the Gaussian's own δ²/2σ².
pub struct Flood {
    shift: u32,
    /// `cumulative[x]` is the weight of |G| ≤ x, in a scale where the weight of all is `total`.
    cumulative: Vec<u128>,
    total: u128,
}

impl Flood {
    /// Noise of standard deviation about `coarse_sigma`·2^`shift`, cut at 13 σ (a mass below 2^-120).
    ///
    /// The weights exp(−x²/2σ²) come from integer arithmetic alone, so that they are the same on every machine:
    /// w(x+1) = w(x)·c^(2x+1) with c = exp(−1/2σ²) from its Taylor series.
    pub fn new(shift: u32, coarse_sigma: u64) -> Self {
        assert!(
            (1..=50).contains(&shift) && (4..=200).contains(&coarse_sigma),
            "flooding noise out of range"
        );
        let c = exp_of_minus_one_over(2 * u128::from(coarse_sigma) * u128::from(coarse_sigma));
        let c_squared = multiply_fixed(c, c);
        let (mut weight, mut ratio) = (ONE, c);
        let mut cumulative = vec![ONE >> WEIGHT_SHIFT];
        for _ in 0..13 * coarse_sigma {
            weight = multiply_fixed(weight, ratio);
            ratio = multiply_fixed(ratio, c_squared);
            let last = cumulative[cumulative.len() - 1];
            cumulative.push(last + 2 * (weight >> WEIGHT_SHIFT));
        }
        let total = cumulative[cumulative.len() - 1];
        Self {
            shift,
            cumulative,
            total,
        }
    }

    /// P(G = x) for x = 0, 1, …: what the table says, for the statistical tests.
    pub fn coarse_probabilities(&self) -> Vec<f64> {
        let total = self.total as f64;
        let mut below = 0u128;
        let mut probabilities: Vec<f64> = Vec::with_capacity(self.cumulative.len());
        for bound in &self.cumulative {
            let mass = (bound - below) as f64 / total;
            probabilities.push(if probabilities.is_empty() {
                mass
            } else {
                mass / 2.0
            });
            below = *bound;
        }
        probabilities
    }

    /// One value; draws five words.
    pub fn sample(&self, stream: &mut Stream) -> i64 {
        let mut words = Zeroizing::new([0u64; 5]);
        stream.fill(&mut *words);
        let uniform = multiply_high(
            u128::from(words[0]) << 64 | u128::from(words[1]),
            self.total,
        );
        let mut magnitude = 0i64;
        for bound in &self.cumulative {
            // 1 when uniform >= bound: both are below 2^127
            magnitude += ((bound - 1).wrapping_sub(uniform) >> 127) as i64;
        }
        let sign = -((words[2] & 1) as i64);
        let coarse = (magnitude ^ sign) - sign;
        let fine = (words[3] >> (64 - self.shift)) as i64 + (words[4] >> (64 - self.shift)) as i64;
        (coarse << self.shift) + fine - (1 << self.shift)
    }
}

/// 1 in the fixed point of the weights.
const ONE: u128 = 1 << 126;
/// Keeps the sum of all weights (≤ 2·13·200) below 2^127.
const WEIGHT_SHIFT: u32 = 12;

/// exp(−1/`denominator`) in fixed point: 1 − t₁ + t₂ − …, t_k = t_(k−1) / (k·denominator).
fn exp_of_minus_one_over(denominator: u128) -> u128 {
    let (mut sum, mut term, mut index) = (ONE, ONE, 0u128);
    loop {
        index += 1;
        term /= denominator * index;
        if term == 0 {
            return sum;
        }
        sum = if index % 2 == 1 {
            sum - term
        } else {
            sum + term
        };
    }
}

fn multiply_fixed(left: u128, right: u128) -> u128 {
    // both are at most 2^126, so the product is below 2^252 and its top fits after the shift
    multiply_high(left << 1, right << 1)
}

/// The upper half of the 256-bit product.
fn multiply_high(left: u128, right: u128) -> u128 {
    let mask = u128::from(u64::MAX);
    let (left_high, left_low) = (left >> 64, left & mask);
    let (right_high, right_low) = (right >> 64, right & mask);
    let low = left_low * right_low;
    let middle = left_high * right_low + (low >> 64);
    let other = left_low * right_high + (middle & mask);
    left_high * right_high + (middle >> 64) + (other >> 64)
}
