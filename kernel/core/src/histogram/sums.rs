//! Sums of residues over the samples of each row: the histogram itself.
//!
//! The residues of a sample modulo every prime, for all queries of a level, lie side by side in *lanes* (query-major), in
//! groups of eight: one 64-byte line a sample and group. A last group of fewer lanes takes two or four words. Adding a
//! sample to a row is then one vector addition a group.

use crate::parameters::Parameters;
use crate::simd::{self, Path};

/// Samples whose residues (below 2^50) may be added without a reduction.
pub const LAZY_SAMPLES: usize = 1 << 13;

/// Eight words at a whole cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line(pub [u64; 8]);

/// The words of lines, flat.
pub fn words(lines: &[Line]) -> &[u64] {
    // SAFETY: a line is eight words without padding
    unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * 8) }
}

/// The words of lines, flat and writable.
pub fn words_mut(lines: &mut [Line]) -> &mut [u64] {
    // SAFETY: as in `words`; the borrow is exclusive
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * 8) }
}

/// Lanes that are added together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Number of the first lane.
    pub first: usize,
    /// How many lanes are in use.
    pub used: usize,
    /// Words of a sample: 2, 4 or 8.
    pub width: usize,
}

impl Group {
    /// The groups of `lanes` lanes.
    pub fn all(lanes: usize) -> Vec<Self> {
        (0..lanes)
            .step_by(8)
            .map(|first| {
                let used = (lanes - first).min(8);
                let width = used.next_power_of_two().max(2);
                Self { first, used, width }
            })
            .collect()
    }

    /// Lines that hold `count` samples, or rows, of the group.
    pub fn lines(&self, count: usize) -> usize {
        (count * self.width).div_ceil(8)
    }
}

/// One column in the making: the row (within its feature) of each sample, and the sums of every row.
pub struct Column<'a> {
    pub slots: &'a [u8],
    /// At least `width` words for every slot that occurs.
    pub table: &'a mut [Line],
}

/// [`accumulate_on`] with the path of this process.
pub fn accumulate(width: usize, columns: &mut [Column<'_>], samples: &[Line]) {
    accumulate_on(simd::path(), width, columns, samples);
}

/// Adds every sample's words to the row that it is in, for each column: `table[slot·width + lane] += sample[lane]`.
///
/// Sums wrap at 2^64: the caller reduces every [`LAZY_SAMPLES`] samples.
///
/// # Panics
/// When `width` is not 2, 4 or 8, a column's slots are not one for each sample, or a table is shorter than 256 rows and
/// a slot lies beyond it.
pub fn accumulate_on(path: Path, width: usize, columns: &mut [Column<'_>], samples: &[Line]) {
    let _ = path;
    match width {
        2 => columns
            .iter_mut()
            .for_each(|column| portable::<2>(column, samples)),
        4 => columns
            .iter_mut()
            .for_each(|column| portable::<4>(column, samples)),
        8 => columns
            .iter_mut()
            .for_each(|column| portable::<8>(column, samples)),
        _ => panic!("a group has 2, 4 or 8 words"),
    }
}

fn portable<const WIDTH: usize>(column: &mut Column<'_>, samples: &[Line]) {
    let samples = words(samples).as_chunks::<WIDTH>().0;
    let table = words_mut(column.table).as_chunks_mut::<WIDTH>().0;
    assert!(
        samples.len() >= column.slots.len(),
        "a sample for each slot"
    );
    for (slot, sample) in column.slots.iter().zip(samples) {
        let sum = &mut table[usize::from(*slot)];
        for lane in 0..WIDTH {
            sum[lane] = sum[lane].wrapping_add(sample[lane]);
        }
    }
}

/// Brings the sums of a group back near their primes: x becomes (x mod 2^bits) + ⌊x / 2^bits⌋·(2^bits mod p), which is the same
/// modulo p and below 2^bits + 2^(64 − bits)·(2^bits − p).
pub fn fold(parameters: &Parameters, group: Group, table: &mut [Line]) {
    let bits = parameters.prime_bits;
    let mask = (1 << bits) - 1;
    let mut above = [0u64; 8];
    for (lane, above) in above.iter_mut().enumerate() {
        let prime = parameters.primes[(group.first + lane % group.width) % parameters.primes.len()];
        *above = (1 << bits) - prime;
    }
    for Line(words) in table {
        for (word, above) in words.iter_mut().zip(&above) {
            *word = (*word & mask) + (*word >> bits) * above;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_fall_into_groups_of_eight_and_a_narrow_rest() {
        let widths = |lanes| {
            Group::all(lanes)
                .iter()
                .map(|group| (group.first, group.used, group.width))
                .collect::<Vec<_>>()
        };
        assert_eq!(widths(2), [(0, 2, 2)]);
        assert_eq!(widths(3), [(0, 3, 4)]);
        assert_eq!(widths(13), [(0, 8, 8), (8, 5, 8)]);
        assert_eq!(widths(17), [(0, 8, 8), (8, 8, 8), (16, 1, 2)]);
    }
}
