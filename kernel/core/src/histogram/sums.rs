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
/// Sums wrap at 2^64: the caller reduces every [`LAZY_SAMPLES`] samples. Columns are taken four at a time, so that a sum
/// that was just stored is not needed again at once.
///
/// # Panics
/// When `width` is not 2, 4 or 8, the columns are not of one length, there are fewer samples, or a slot lies beyond its
/// table.
pub fn accumulate_on(path: Path, width: usize, columns: &mut [Column<'_>], samples: &[Line]) {
    match width {
        2 => accumulate_width::<2>(path, columns, samples),
        4 => accumulate_width::<4>(path, columns, samples),
        8 => accumulate_width::<8>(path, columns, samples),
        _ => panic!("a group has 2, 4 or 8 words"),
    }
}

fn accumulate_width<const WIDTH: usize>(path: Path, columns: &mut [Column<'_>], samples: &[Line]) {
    let count = columns.first().map_or(0, |column| column.slots.len());
    assert!(samples.len() * 8 >= count * WIDTH, "a sample for each slot");
    for column in &*columns {
        assert_eq!(column.slots.len(), count, "columns of one length");
        let most = column.slots.iter().fold(0, |most, slot| most.max(*slot));
        let rows = column.table.len() * 8 / WIDTH;
        assert!(
            count == 0 || usize::from(most) < rows,
            "a slot lies beyond its table"
        );
    }
    #[cfg(target_arch = "x86_64")]
    if path != Path::Portable {
        let (fours, rest) = columns.as_chunks_mut::<4>();
        for four in fours {
            // SAFETY: the path is one that this processor can take; samples and tables are long enough, as checked above
            unsafe { x86::accumulate::<WIDTH, 4>(path, four, samples) };
        }
        let (twos, rest) = rest.as_chunks_mut::<2>();
        for two in twos {
            // SAFETY: as above
            unsafe { x86::accumulate::<WIDTH, 2>(path, two, samples) };
        }
        let (ones, _) = rest.as_chunks_mut::<1>();
        for one in ones {
            // SAFETY: as above
            unsafe { x86::accumulate::<WIDTH, 1>(path, one, samples) };
        }
        return;
    }
    let _ = path;
    for column in columns {
        portable::<WIDTH>(column, samples);
    }
}

fn portable<const WIDTH: usize>(column: &mut Column<'_>, samples: &[Line]) {
    let samples = words(samples).as_chunks::<WIDTH>().0;
    let table = words_mut(column.table).as_chunks_mut::<WIDTH>().0;
    for (slot, sample) in column.slots.iter().zip(samples) {
        let sum = &mut table[usize::from(*slot)];
        for lane in 0..WIDTH {
            sum[lane] = sum[lane].wrapping_add(sample[lane]);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Column, Line, Path};

    /// # Safety
    /// The path must be AVX2 or AVX-512 and available; every column must have the first one's number of slots, each below the
    /// rows of its table; and there must be a sample for each slot.
    pub unsafe fn accumulate<const WIDTH: usize, const COLUMNS: usize>(
        path: Path,
        columns: &mut [Column<'_>; COLUMNS],
        samples: &[Line],
    ) {
        if path == Path::Avx512 && WIDTH == 8 {
            // SAFETY: the caller's
            unsafe { avx512(columns, samples) };
        } else {
            // SAFETY: the caller's; AVX-512 has AVX2
            unsafe { avx2::<WIDTH, COLUMNS>(columns, samples) };
        }
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn avx512<const COLUMNS: usize>(columns: &mut [Column<'_>; COLUMNS], samples: &[Line]) {
        let count = columns[0].slots.len();
        let slots: [*const u8; COLUMNS] = std::array::from_fn(|at| columns[at].slots.as_ptr());
        let tables: [*mut Line; COLUMNS] = std::array::from_fn(|at| columns[at].table.as_mut_ptr());
        for (index, sample) in samples[..count].iter().enumerate() {
            // SAFETY: a line is 64 bytes at a multiple of 64; slots are below the rows of the tables, by the contract
            unsafe {
                let sample = _mm512_load_si512(std::ptr::from_ref(sample).cast());
                for column in 0..COLUMNS {
                    let slot = usize::from(*slots[column].add(index));
                    let place: *mut __m512i = tables[column].add(slot).cast();
                    let sum = _mm512_add_epi64(_mm512_load_si512(place), sample);
                    _mm512_store_si512(place, sum);
                }
            }
        }
    }

    #[target_feature(enable = "avx2")]
    unsafe fn avx2<const WIDTH: usize, const COLUMNS: usize>(
        columns: &mut [Column<'_>; COLUMNS],
        samples: &[Line],
    ) {
        let count = columns[0].slots.len();
        let slots: [*const u8; COLUMNS] = std::array::from_fn(|at| columns[at].slots.as_ptr());
        let tables: [*mut u64; COLUMNS] =
            std::array::from_fn(|at| columns[at].table.as_mut_ptr().cast());
        let samples: *const u64 = samples.as_ptr().cast();
        for index in 0..count {
            // SAFETY: a sample and a row are WIDTH words at a multiple of their size; slots are below the rows of the
            // tables and samples are enough, by the contract
            unsafe {
                let sample = samples.add(index * WIDTH);
                for column in 0..COLUMNS {
                    let slot = usize::from(*slots[column].add(index));
                    let place = tables[column].add(slot * WIDTH);
                    if WIDTH == 2 {
                        let place: *mut __m128i = place.cast();
                        let sum =
                            _mm_add_epi64(_mm_load_si128(place), _mm_load_si128(sample.cast()));
                        _mm_store_si128(place, sum);
                    } else {
                        for half in 0..WIDTH / 4 {
                            let place: *mut __m256i = place.add(4 * half).cast();
                            let own = _mm256_load_si256(sample.add(4 * half).cast());
                            let sum = _mm256_add_epi64(_mm256_load_si256(place), own);
                            _mm256_store_si256(place, sum);
                        }
                    }
                }
            }
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
