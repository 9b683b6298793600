//! What each path computes, on batches of elements. Places past the end of a batch compute on whatever they hold.

use subtle::ConditionallySelectable;
use zeroize::Zeroize;

use super::scalar::Scalar;
use super::{A, BATCH, portable};
use crate::field25519::{Element, divide};
use crate::simd::Path;

#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

/// A scalar as the ladder walks it: from the top bit down, always over all 256 bits.
#[derive(Clone)]
pub(super) struct Ladder {
    /// Bit i says whether bit i of the scalar differs from bit i + 1.
    pub changes: [u64; 4],
    /// The last bit that takes a whole step.
    pub last: u8,
    /// How many bits below it are 0 in every scalar, and take doublings alone.
    pub doublings: u32,
}

impl Drop for Ladder {
    fn drop(&mut self) {
        self.changes.zeroize();
        self.last.zeroize();
    }
}

impl Ladder {
    /// # Panics
    /// When the scalar is no multiple of 8.
    pub fn by_multiple_of_eight(scalar: &Scalar) -> Self {
        assert!(scalar[0] & 7 == 0, "a factor is a multiple of 8");
        Self::walk(scalar, 3)
    }

    pub fn by_any(scalar: &Scalar) -> Self {
        Self::walk(scalar, 0)
    }

    fn walk(scalar: &Scalar, doublings: u32) -> Self {
        let mut words = [0, 1, 2, 3].map(|word| u64::from_le_bytes(scalar.as_chunks().0[word]));
        let last = (words[0] >> doublings & 1) as u8;
        let changes = std::array::from_fn(|index| {
            let above = if index < 3 { words[index + 1] } else { 0 };
            words[index] ^ (words[index] >> 1 | above << 63)
        });
        words.zeroize();
        Self {
            changes,
            last,
            doublings,
        }
    }
}

/// Multiplies the first `count` points; a point of low order becomes 0. All ladders have as many doublings.
pub(super) fn multiply_points(
    path: Path,
    points: &mut [Element; BATCH],
    ladder: impl Fn(usize) -> Ladder,
    count: usize,
) {
    let mut denominators = [Element::ONE; BATCH];
    match path {
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => {
            let rows = points.as_chunks_mut().0.iter_mut();
            let strides = rows.zip(denominators.as_chunks_mut().0).enumerate();
            for (stride, (points, denominators)) in strides.take(count.div_ceil(avx512::STRIDE)) {
                let ladders = ladders_of(&ladder, stride, count);
                // SAFETY: a path is taken only where the processor has its instructions
                unsafe { avx512::ladder(points, denominators, &ladders) };
            }
        }
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => {
            let rows = points.as_chunks_mut().0.iter_mut();
            let strides = rows.zip(denominators.as_chunks_mut().0).enumerate();
            for (stride, (points, denominators)) in strides.take(count.div_ceil(avx2::STRIDE)) {
                let ladders = ladders_of(&ladder, stride, count);
                // SAFETY: a path is taken only where the processor has its instructions
                unsafe { avx2::ladder(points, denominators, &ladders) };
            }
        }
        _ => {
            for index in 0..count {
                (points[index], denominators[index]) =
                    portable::ladder(points[index], &ladder(index));
            }
        }
    }
    divide_points(path, points, &mut denominators);
}

/// The ladders of a stride; places past the end repeat the last one.
fn ladders_of<const STRIDE: usize>(
    ladder: impl Fn(usize) -> Ladder,
    stride: usize,
    count: usize,
) -> [Ladder; STRIDE] {
    std::array::from_fn(|lane| ladder((stride * STRIDE + lane).min(count - 1)))
}

/// numerators/denominators, 0 where the denominator is 0.
fn divide_points(path: Path, numerators: &mut [Element], denominators: &mut [Element]) {
    for (numerator, denominator) in numerators.iter_mut().zip(denominators.iter_mut()) {
        let zero = denominator.is_zero();
        numerator.conditional_assign(&Element::ZERO, zero);
        denominator.conditional_assign(&Element::ONE, zero);
    }
    match path {
        // SAFETY: a path is taken only where the processor has its instructions
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => unsafe { avx512::divide(numerators, denominators) },
        // SAFETY: as above
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => unsafe { avx2::divide(numerators, denominators) },
        _ => divide(numerators, denominators),
    }
}

/// Elligator 2 of the first `count` fields, in their place.
///
/// With d = 1 + 2r² and w = −A/d, u is w when w³ + A·w² + w is a square, else −w − A.
pub(super) fn map_to_curve(path: Path, fields: &mut [Element; BATCH], count: usize) {
    let mut symbols = [Element::ONE; BATCH];
    match path {
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => {
            let rows = fields.as_chunks_mut().0.iter_mut();
            let strides = rows.zip(symbols.as_chunks_mut().0);
            for (fields, symbols) in strides.take(count.div_ceil(avx512::STRIDE)) {
                // SAFETY: a path is taken only where the processor has its instructions
                unsafe { avx512::elligator(fields, symbols) };
            }
        }
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => {
            let rows = fields.as_chunks_mut().0.iter_mut();
            let strides = rows.zip(symbols.as_chunks_mut().0);
            for (fields, symbols) in strides.take(count.div_ceil(avx2::STRIDE)) {
                // SAFETY: a path is taken only where the processor has its instructions
                unsafe { avx2::elligator(fields, symbols) };
            }
        }
        _ => {
            for index in 0..count {
                (fields[index], symbols[index]) = portable::elligator(fields[index]);
            }
        }
    }
    for (field, symbol) in fields.iter_mut().zip(&symbols).take(count) {
        // A/d is the quotient times its symbol: −A/d for 1, and −(−A/d) − A for −1
        let negated = Element::ZERO - *field;
        let square = (*symbol - Element::ONE).is_zero();
        let shifted = negated.carried() - A;
        *field = Element::conditional_select(&shifted, &negated, square).carried();
    }
}

/// The quadratic symbols of u³ + A·u² + u in place of the first `count` u.
pub(super) fn curve_symbols(path: Path, points: &mut [Element; BATCH], count: usize) {
    match path {
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => {
            let rows = points.as_chunks_mut().0.iter_mut();
            for points in rows.take(count.div_ceil(avx512::STRIDE)) {
                // SAFETY: a path is taken only where the processor has its instructions
                unsafe { avx512::curve_symbols(points) };
            }
        }
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => {
            let rows = points.as_chunks_mut().0.iter_mut();
            for points in rows.take(count.div_ceil(avx2::STRIDE)) {
                // SAFETY: a path is taken only where the processor has its instructions
                unsafe { avx2::curve_symbols(points) };
            }
        }
        _ => {
            for point in &mut points[..count] {
                *point = portable::curve_symbol(*point);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd;

    fn filled(first: u8) -> Scalar {
        std::array::from_fn(|index| {
            first
                .wrapping_mul(37)
                .wrapping_add((index as u8).wrapping_mul(101))
        })
    }

    /// scalar·u(9), for the ladder that makes of the scalar.
    fn multiple(path: Path, ladder: &Ladder) -> [u8; 32] {
        let mut points = [Element::from_small(9); BATCH];
        multiply_points(path, &mut points, |_| ladder.clone(), 1);
        points[0].to_bytes()
    }

    #[test]
    fn a_ladder_by_any_scalar_is_one_by_a_multiple_of_eight_where_both_apply() {
        for path in simd::available() {
            for first in 0..20 {
                let mut scalar = filled(first);
                scalar[0] &= 248;
                let any = multiple(path, &Ladder::by_any(&scalar));
                assert_eq!(any, multiple(path, &Ladder::by_multiple_of_eight(&scalar)));
            }
        }
    }

    #[test]
    fn eight_times_an_odd_multiple_is_the_multiple_by_eight_times_the_scalar() {
        let mut eight = [0; 32];
        eight[0] = 8;
        for path in simd::available() {
            for first in 0..20 {
                let mut scalar = filled(first);
                scalar[0] |= 1;
                scalar[31] &= 31;
                let mut shifted = [0; 32];
                for index in 0..32 {
                    let below = if index > 0 { scalar[index - 1] >> 5 } else { 0 };
                    shifted[index] = scalar[index] << 3 | below;
                }
                let mut points =
                    [Element::from_bytes(&multiple(path, &Ladder::by_any(&scalar))); BATCH];
                let ladder = Ladder::by_multiple_of_eight(&eight);
                multiply_points(path, &mut points, |_| ladder.clone(), 1);
                let expected = multiple(path, &Ladder::by_multiple_of_eight(&shifted));
                assert_eq!(points[0].to_bytes(), expected, "{path:?}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "multiple of 8")]
    fn a_factor_that_is_no_multiple_of_eight_is_refused() {
        Ladder::by_multiple_of_eight(&[1; 32]);
    }
}
