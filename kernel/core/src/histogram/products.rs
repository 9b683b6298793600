//! Inner products of bytes with small signed numbers: the heavy half of ct(ρ·b) and of ct(H·s).

use crate::simd::{self, Path};

/// [`products_on`] with the path of this process.
pub fn products(left: &[u8], right: &[i8], inner: usize, out: &mut [i32]) {
    products_on(simd::path(), left, right, inner, out);
}

/// All inner products of rows of `left` with rows of `right`, each of `inner` numbers:
/// `out[i·columns + j] = Σ_k left[i·inner + k]·right[j·inner + k]` where `right` has `columns` rows.
///
/// `right` holds −1, 0 and 1 only and is secret: time and memory access do not depend on it. `inner` is a multiple of 64,
/// at most 2^15.
///
/// # Panics
/// When the lengths do not fit together.
pub fn products_on(path: Path, left: &[u8], right: &[i8], inner: usize, out: &mut [i32]) {
    assert!(inner > 0 && inner.is_multiple_of(64) && inner <= 1 << 15);
    let (rows, columns) = (left.len() / inner, right.len() / inner);
    assert!(left.len() == rows * inner && right.len() == columns * inner);
    assert_eq!(out.len(), rows * columns);
    #[cfg(target_arch = "x86_64")]
    match path {
        Path::Portable => {}
        // SAFETY: the paths are available, and the lengths are as checked above
        Path::Avx2 => return unsafe { x86::avx2(left, right, inner, columns, out) },
        // SAFETY: as above
        Path::Avx512 => return unsafe { x86::avx512(left, right, inner, columns, out) },
    }
    let _ = path;
    portable(left, right, inner, columns, out);
}

/// Numbers of a row that are multiplied before the next rows are taken: eight such strips stay in the first cache.
#[cfg(target_arch = "x86_64")]
const STRIP: usize = 2048;

fn portable(left: &[u8], right: &[i8], inner: usize, columns: usize, out: &mut [i32]) {
    for (left, out) in left.chunks(inner).zip(out.chunks_mut(columns)) {
        for (right, out) in right.chunks(inner).zip(out) {
            let terms = left.iter().zip(right);
            *out = terms.map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::STRIP;

    /// Goes through strips of the inner dimension, and in each through tiles of 4 × 4 products.
    ///
    /// `$tile` adds one tile of up to 4 rows and 4 columns.
    macro_rules! by_tiles {
        ($left:ident, $right:ident, $inner:ident, $columns:ident, $out:ident, $tile:ident) => {
            $out.fill(0);
            let rows = $left.len() / $inner;
            for start in (0..$inner).step_by(STRIP) {
                let length = STRIP.min($inner - start);
                for column in (0..$columns).step_by(4) {
                    for row in (0..rows).step_by(4) {
                        let left = std::array::from_fn(|at| {
                            let row = (row + at).min(rows - 1);
                            $left[row * $inner + start..][..length].as_ptr()
                        });
                        let right = std::array::from_fn(|at| {
                            let column = (column + at).min($columns - 1);
                            $right[column * $inner + start..][..length].as_ptr()
                        });
                        // SAFETY: every pointer is good for `length` bytes, a multiple of 64
                        let sums = unsafe { $tile(left, right, length) };
                        for (at, sums) in sums.iter().enumerate().take(rows - row) {
                            let out = &mut $out[(row + at) * $columns + column..];
                            for (out, sum) in out.iter_mut().zip(sums).take($columns - column) {
                                *out += *sum;
                            }
                        }
                    }
                }
            }
        };
    }

    /// # Safety
    /// The columns must be of the lengths that `products_on` checks.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub unsafe fn avx512(left: &[u8], right: &[i8], inner: usize, columns: usize, out: &mut [i32]) {
        by_tiles!(left, right, inner, columns, out, tile_512);
    }

    /// # Safety
    /// As for `avx512`.
    #[target_feature(enable = "avx2")]
    pub unsafe fn avx2(left: &[u8], right: &[i8], inner: usize, columns: usize, out: &mut [i32]) {
        by_tiles!(left, right, inner, columns, out, tile_256);
    }

    /// # Safety
    /// Every pointer must be good for `length` bytes, a multiple of 64.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    unsafe fn tile_512(
        left: [*const u8; 4],
        right: [*const i8; 4],
        length: usize,
    ) -> [[i32; 4]; 4] {
        let mut sums = [[_mm512_setzero_si512(); 4]; 4];
        for at in (0..length).step_by(64) {
            // SAFETY: 64 bytes from `at` are within the length
            let right = unsafe { right.map(|place| _mm512_loadu_si512(place.add(at).cast())) };
            for (sums, place) in sums.iter_mut().zip(left) {
                // SAFETY: as above
                let left = unsafe { _mm512_loadu_si512(place.add(at).cast()) };
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = _mm512_dpbusd_epi32(*sum, left, right);
                }
            }
        }
        sums.map(|sums| sums.map(|sum| _mm512_reduce_add_epi32(sum)))
    }

    /// # Safety
    /// As for `tile_512`.
    #[target_feature(enable = "avx2")]
    unsafe fn tile_256(
        left: [*const u8; 4],
        right: [*const i8; 4],
        length: usize,
    ) -> [[i32; 4]; 4] {
        let ones = _mm256_set1_epi16(1);
        let mut found = [[0; 4]; 4];
        // two rows at a time, so that the sums stay in registers
        for (found, left) in found.chunks_exact_mut(2).zip(left.chunks_exact(2)) {
            let mut sums = [[_mm256_setzero_si256(); 4]; 2];
            for at in (0..length).step_by(32) {
                for (sums, place) in sums.iter_mut().zip(left) {
                    // SAFETY: 32 bytes from `at` are within the length
                    let left = unsafe { _mm256_loadu_si256(place.add(at).cast()) };
                    for (sum, place) in sums.iter_mut().zip(right) {
                        // SAFETY: as above
                        let right = unsafe { _mm256_loadu_si256(place.add(at).cast()) };
                        // at most 510 in absolute value: nothing is cut off
                        let pairs = _mm256_maddubs_epi16(left, right);
                        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, ones));
                    }
                }
            }
            for (found, sums) in found.iter_mut().zip(sums) {
                *found = sums.map(|sum| {
                    let mut words = [0i32; 8];
                    // SAFETY: 32 bytes are stored
                    unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), sum) };
                    words.iter().sum()
                });
            }
        }
        found
    }
}
