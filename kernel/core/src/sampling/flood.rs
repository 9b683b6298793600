//! The flooding noise that hides what an answer holds beyond its sum.
//!
//! Every value takes the same time and reads the same memory.

use zeroize::Zeroizing;

use crate::prg::Stream;
use crate::simd::{self, Path};

/// The flooding noise y = 2^k·G + U₁ + U₂ − 2^k, with G a discrete Gaussian and U₁, U₂ uniform in [0, 2^k).
///
/// One uniform would leave a staircase whose divergence from a shifted copy of itself is 2^k/δ times that of a
/// Gaussian; the triangle of two makes it the Gaussian's own δ²/2σ².
pub struct Flood {
    shift: u32,
    /// `cumulative[x]` is the weight of |G| ≤ x, in a scale where the weight of all is `total`.
    cumulative: Vec<u128>,
    total: u128,
    table: Table,
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
        assert!(total < 1 << 123, "weights fit in two planes");
        Self {
            shift,
            table: Table::new(&cumulative),
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
        let mut value = Zeroizing::new([0]);
        self.fill(stream, &mut *value);
        value[0]
    }

    /// Values one after the other, each of five words of the stream.
    pub fn fill(&self, stream: &mut Stream, out: &mut [i64]) {
        self.fill_on(simd::path(), stream, out);
    }

    /// As [`Flood::fill`], on a given path.
    pub fn fill_on(&self, path: Path, stream: &mut Stream, out: &mut [i64]) {
        assert!(path.is_available(), "a path that this processor has");
        let mut words = Zeroizing::new([0u64; 5 * CHUNK]);
        let mut drawn = Zeroizing::new([[0u64; CHUNK]; 3]);
        for out in out.chunks_mut(CHUNK) {
            let words = &mut words[..5 * out.len()];
            stream.fill(words);
            let [high, low, magnitudes] = &mut *drawn;
            for (index, words) in words.as_chunks::<5>().0.iter().enumerate() {
                let word = u128::from(words[0]) << 64 | u128::from(words[1]);
                [high[index], low[index]] = planes(multiply_high(word, self.total));
            }
            self.scan(path, high, low, magnitudes);
            let values = words.as_chunks::<5>().0.iter().zip(magnitudes);
            for (value, (words, magnitude)) in out.iter_mut().zip(values) {
                let sign = -((words[2] & 1) as i64);
                let coarse = (*magnitude as i64 ^ sign) - sign;
                let fine = (words[3] >> (64 - self.shift)) + (words[4] >> (64 - self.shift));
                *value = (coarse << self.shift) + fine as i64 - (1 << self.shift);
            }
        }
    }

    /// How many bounds each number reaches.
    fn scan(&self, path: Path, high: &Chunk, low: &Chunk, reached: &mut Chunk) {
        match path {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the path is available
            Path::Avx512 => unsafe { x86::scan_avx512(&self.table, high, low, reached) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above
            Path::Avx2 => unsafe { x86::scan_avx2(&self.table, high, low, reached) },
            _ => scan(&self.table, high, low, reached),
        }
    }
}

/// Values that are drawn together.
const CHUNK: usize = 64;
type Chunk = [u64; CHUNK];

/// Bits of the lower plane of a bound.
const LOW_BITS: u32 = 62;

/// A number below 2^124 in two planes of 62 bits, so that a difference shows its sign in the top bit of a word.
fn planes(value: u128) -> [u64; 2] {
    let mask = (1 << LOW_BITS) - 1;
    [(value >> LOW_BITS) as u64, value as u64 & mask]
}

/// The bounds in 16 buckets of `depth` neighbours: line j has the two planes of number j of each bucket.
///
/// Numbers beyond the last bound are never reached.
struct Table {
    depth: usize,
    high: Vec<[u64; BUCKETS]>,
    low: Vec<[u64; BUCKETS]>,
}

const BUCKETS: usize = 16;

impl Table {
    fn new(bounds: &[u128]) -> Self {
        let depth = bounds.len().div_ceil(BUCKETS);
        let plane = |plane: usize| {
            let line = |at| {
                std::array::from_fn(|bucket| match bounds.get(bucket * depth + at) {
                    Some(bound) => planes(*bound)[plane],
                    None => (1 << LOW_BITS) - 1,
                })
            };
            (0..depth).map(line).collect()
        };
        Self {
            depth,
            high: plane(0),
            low: plane(1),
        }
    }
}

/// Compares every number with every bound.
#[inline(always)]
fn scan(table: &Table, high: &Chunk, low: &Chunk, reached: &mut Chunk) {
    const LANES: usize = 16;
    let numbers = high
        .as_chunks::<LANES>()
        .0
        .iter()
        .zip(low.as_chunks::<LANES>().0);
    for (reached, (high, low)) in reached.as_chunks_mut::<LANES>().0.iter_mut().zip(numbers) {
        let mut missed = [0u64; LANES];
        for (highs, lows) in table.high.iter().zip(&table.low) {
            for (bound_high, bound_low) in highs.iter().zip(lows) {
                for lane in 0..LANES {
                    // all are below 2^62: a borrow is the top bit
                    let borrow = low[lane].wrapping_sub(*bound_low) >> 63;
                    let difference = high[lane].wrapping_sub(*bound_high).wrapping_sub(borrow);
                    missed[lane] += difference >> 63;
                }
            }
        }
        for (reached, missed) in reached.iter_mut().zip(missed) {
            *reached = (table.depth * BUCKETS) as u64 - missed;
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{BUCKETS, CHUNK, Chunk, Table};

    /// As the portable one, four numbers a register.
    #[target_feature(enable = "avx2")]
    pub fn scan_avx2(table: &Table, high: &Chunk, low: &Chunk, reached: &mut Chunk) {
        super::scan(table, high, low, reached);
    }

    /// Numbers of a register.
    const LANES: usize = 8;
    /// Registers that go through the table side by side.
    const FLIGHT: usize = 4;

    /// First finds the bucket of each number, then compares it with all bounds of that bucket: a line of the table is two
    /// registers a plane, and each lane picks its bucket's bound by a permutation of registers.
    ///
    /// All lines are read, in order, whatever the numbers are.
    #[target_feature(enable = "avx512f")]
    pub fn scan_avx512(table: &Table, high: &Chunk, low: &Chunk, reached: &mut Chunk) {
        let one = _mm512_set1_epi64(1);
        let zero = _mm512_setzero_si512();
        for first in (0..CHUNK).step_by(LANES * FLIGHT) {
            let mut numbers = [(zero, zero); FLIGHT];
            for (line, number) in numbers.iter_mut().enumerate() {
                let at = first + line * LANES;
                *number = (load(&high[at..at + LANES]), load(&low[at..at + LANES]));
            }
            let mut buckets = [zero; FLIGHT];
            for bucket in 1..BUCKETS {
                let bound = (
                    _mm512_set1_epi64(table.high[0][bucket] as i64),
                    _mm512_set1_epi64(table.low[0][bucket] as i64),
                );
                for (found, number) in buckets.iter_mut().zip(numbers) {
                    *found = count(*found, number, bound, one);
                }
            }
            let depth = _mm512_set1_epi64(table.depth as i64);
            let mut counts = buckets.map(|bucket| _mm512_mul_epu32(bucket, depth));
            for (high, low) in table.high.iter().zip(&table.low) {
                let high = [load(&high[..LANES]), load(&high[LANES..])];
                let low = [load(&low[..LANES]), load(&low[LANES..])];
                let places = buckets.iter().zip(numbers);
                for (found, (bucket, number)) in counts.iter_mut().zip(places) {
                    let bound = (
                        _mm512_permutex2var_epi64(high[0], *bucket, high[1]),
                        _mm512_permutex2var_epi64(low[0], *bucket, low[1]),
                    );
                    *found = count(*found, number, bound, one);
                }
            }
            for (line, found) in counts.into_iter().enumerate() {
                let out = &mut reached[first + line * LANES..][..LANES];
                // SAFETY: eight words are written
                unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), found) };
            }
        }
    }

    /// Adds one where the number is at least the bound.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn count(
        found: __m512i,
        number: (__m512i, __m512i),
        bound: (__m512i, __m512i),
        one: __m512i,
    ) -> __m512i {
        let above = _mm512_cmpgt_epu64_mask(number.0, bound.0);
        let equal = _mm512_cmpeq_epi64_mask(number.0, bound.0);
        let reached = _mm512_mask_cmpge_epu64_mask(equal, number.1, bound.1);
        _mm512_mask_add_epi64(found, above | reached, found, one)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load(words: &[u64]) -> __m512i {
        assert!(words.len() >= LANES);
        // SAFETY: eight words are read
        unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
    }
}

/// 1 in the fixed point of the weights.
const ONE: u128 = 1 << 126;
/// Keeps the sum of all weights, 1 + 200·√(2π) at most, below 2^123.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_counts_the_bounds_that_a_number_reaches() {
        for sigma in [4, 103, 107, 200] {
            let flood = Flood::new(44, sigma);
            let bounds = flood.cumulative.iter().step_by(1 + sigma as usize / 16);
            let around = bounds.flat_map(|bound| [bound - 1, *bound, bound + 1]);
            // a lower plane that differs, and an upper one alone
            let numbers: Vec<u128> = around
                .flat_map(|number| [number, number ^ 1 << 40, number >> 62 << 62])
                .chain([0, flood.total - 1])
                .collect();
            for numbers in numbers.chunks(CHUNK) {
                let (mut high, mut low) = ([0; CHUNK], [0; CHUNK]);
                for (index, number) in numbers.iter().enumerate() {
                    [high[index], low[index]] = planes(*number);
                }
                for path in simd::available() {
                    let mut reached = [7; CHUNK];
                    flood.scan(path, &high, &low, &mut reached);
                    for (number, reached) in numbers.iter().zip(reached) {
                        let expected = flood.cumulative.iter().filter(|bound| number >= *bound);
                        assert_eq!(reached, expected.count() as u64, "{} {number}", path.name());
                    }
                }
            }
        }
    }
}
