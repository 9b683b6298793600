//! Samplers of ring-LWE: uniform mod p, uniform ternary, rounded Gaussian of σ = 3.2, and the flooding noise.
//!
//! All but the public uniform one take the same time and touch the same memory whatever they draw.

mod flood;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use flood::Flood;

use zeroize::Zeroize;

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
