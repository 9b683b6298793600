//! Columns: streams from leaves, summed with weights; and the way from columns to rows.

use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use super::{COLUMNS, ROW_BYTES, mask_of};
use crate::aes::{Block, Key};
use crate::simd::{self, Path};

/// Blocks of a stream that are computed at a time: many for each key, few enough to stay in the second cache.
const STRETCH: usize = 256;

/// Blocks of a column in a line of the cache: what is read of it at a time when rows are made.
const LINE: usize = 4;

/// For every group of 2^`depth` keys: the sum of their streams, and for each bit the sum of the streams at places with it.
///
/// `sums` gets one run of `blocks` blocks a group, `columns` one run a bit, group by group. Streams are AES-128 in counter
/// mode from zero. Uses all threads.
///
/// # Panics
/// When keys, sums and columns are not of as many groups.
pub fn fold_on(
    path: Path,
    keys: &[[u8; ROW_BYTES]],
    depth: usize,
    blocks: usize,
    sums: &mut [Block],
    columns: &mut [Block],
) {
    let groups = keys.len() >> depth;
    assert_eq!(keys.len(), groups << depth, "whole groups of keys");
    assert_eq!(sums.len(), groups * blocks, "a sum for each group");
    assert_eq!(
        columns.len(),
        groups * depth * blocks,
        "a column for each bit"
    );
    if blocks == 0 {
        return;
    }
    keys.par_chunks(1 << depth)
        .zip(sums.par_chunks_mut(blocks))
        .zip(columns.par_chunks_mut(depth * blocks))
        .for_each(|((keys, sum), columns)| fold_group(path, keys, depth, sum, columns));
}

/// As [`fold_on`], on this process's path.
pub fn fold(
    keys: &[[u8; ROW_BYTES]],
    depth: usize,
    blocks: usize,
    sums: &mut [Block],
    columns: &mut [Block],
) {
    fold_on(simd::path(), keys, depth, blocks, sums, columns);
}

fn fold_group(
    path: Path,
    keys: &[[u8; ROW_BYTES]],
    depth: usize,
    sum: &mut [Block],
    columns: &mut [Block],
) {
    match path {
        Path::Portable => fold_portable(path, keys, depth, sum, columns),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a path is taken only where it is available
        Path::Avx2 => unsafe { fold_avx2(path, keys, depth, sum, columns) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above
        Path::Avx512 => unsafe { fold_avx512(path, keys, depth, sum, columns) },
        #[cfg(not(target_arch = "x86_64"))]
        Path::Avx2 | Path::Avx512 => fold_portable(path, keys, depth, sum, columns),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn fold_avx2(
    path: Path,
    keys: &[[u8; ROW_BYTES]],
    depth: usize,
    sum: &mut [Block],
    columns: &mut [Block],
) {
    fold_portable(path, keys, depth, sum, columns);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn fold_avx512(
    path: Path,
    keys: &[[u8; ROW_BYTES]],
    depth: usize,
    sum: &mut [Block],
    columns: &mut [Block],
) {
    fold_portable(path, keys, depth, sum, columns);
}

/// Pairs of neighbours are added, then pairs of pairs, and so on: 2 additions a leaf instead of depth/2 + 1.
///
/// The compiler makes the additions as wide as the caller's instructions.
#[inline(always)]
fn fold_portable(
    path: Path,
    keys: &[[u8; ROW_BYTES]],
    depth: usize,
    sum: &mut [Block],
    columns: &mut [Block],
) {
    let blocks = sum.len();
    let mut open = Zeroizing::new(vec![[0; 2]; depth * STRETCH]);
    let mut stream = Zeroizing::new(vec![[0; 2]; STRETCH]);
    columns.fill([0; 2]);
    for (index, sum) in sum.chunks_mut(STRETCH).enumerate() {
        let first = index * STRETCH;
        let stream = &mut stream[..sum.len()];
        for (place, key) in keys.iter().enumerate() {
            Key::new_on(path, key).fill(first as u64, stream);
            let level = place.trailing_ones() as usize;
            for bit in 0..level {
                add(&mut columns[bit * blocks + first..], stream);
                add(stream, &open[bit * STRETCH..]);
            }
            if level < depth {
                open[level * STRETCH..][..stream.len()].copy_from_slice(stream);
            } else {
                sum.copy_from_slice(stream);
            }
        }
    }
}

/// sum ⊕= term, as far as both go.
#[inline(always)]
fn add(sum: &mut [Block], term: &[Block]) {
    for (sum, term) in sum.iter_mut().zip(term) {
        sum[0] ^= term[0];
        sum[1] ^= term[1];
    }
}

/// column ⊕= `correction`, for each of the group's columns whose bit of Δ is set.
pub fn correct(
    columns: &mut [Block],
    blocks: usize,
    delta: &[u8; ROW_BYTES],
    corrections: &[Block],
) {
    if blocks == 0 {
        return;
    }
    let depth = COLUMNS * blocks / corrections.len();
    for (index, column) in columns.chunks_exact_mut(blocks).enumerate() {
        let mask = mask_of(delta, index);
        let correction = &corrections[index / depth * blocks..][..blocks];
        for (column, correction) in column.iter_mut().zip(correction) {
            column[0] ^= correction[0] & mask;
            column[1] ^= correction[1] & mask;
        }
    }
}

/// Rows from columns: bit j of row i is bit i of column j. Uses all threads.
///
/// # Panics
/// When there are not 128 columns of one length, at least as long as the rows.
pub fn transpose(columns: &[Block], rows: &mut [u8]) {
    transpose_on(simd::path(), columns, rows);
}

/// As [`transpose`], on the given path.
pub fn transpose_on(path: Path, columns: &[Block], rows: &mut [u8]) {
    let blocks = columns.len() / COLUMNS;
    assert_eq!(columns.len(), COLUMNS * blocks, "128 columns");
    assert!(
        rows.len().is_multiple_of(ROW_BYTES) && rows.len() <= columns.len() * ROW_BYTES,
        "rows of 16 bytes, no more than the columns have"
    );
    rows.par_chunks_mut(LINE * COLUMNS * ROW_BYTES)
        .enumerate()
        .for_each(|(line, rows)| {
            let first = line * LINE;
            let mut squares = [[[0; 2]; COLUMNS]; LINE];
            for column in 0..COLUMNS {
                let end = blocks.min(first + LINE);
                let line = &columns[column * blocks..][first..end];
                for (square, block) in squares.iter_mut().zip(line) {
                    square[column] = *block;
                }
            }
            for (rows, square) in rows.chunks_mut(COLUMNS * ROW_BYTES).zip(&mut squares) {
                turn(path, square);
                for (row, square) in rows.as_chunks_mut::<ROW_BYTES>().0.iter_mut().zip(square) {
                    *row = crate::aes::to_bytes(*square);
                }
            }
            squares.zeroize();
        });
}

type Square = [Block; COLUMNS];

fn turn(path: Path, square: &mut Square) {
    match path {
        Path::Portable => turn_portable(square),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a path is taken only where it is available, and the wider one has all of the narrower
        Path::Avx2 | Path::Avx512 => unsafe { turn_avx2(square) },
        #[cfg(not(target_arch = "x86_64"))]
        Path::Avx2 | Path::Avx512 => turn_portable(square),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn turn_avx2(square: &mut Square) {
    turn_portable(square);
}

/// Transposes a square of bits in seven rounds: round r swaps the off-diagonal squares of side 2^r (Knuth, TAOCP 7.1.3).
///
/// Written so that the compiler makes each round of whole vectors.
#[inline(always)]
fn turn_portable(square: &mut Square) {
    for pair in 0..64 {
        let (low, high) = (square[pair][1], square[pair + 64][0]);
        square[pair][1] = high;
        square[pair + 64][0] = low;
    }
    swap::<32>(square, 0x0000_0000_ffff_ffff);
    swap::<16>(square, 0x0000_ffff_0000_ffff);
    swap::<8>(square, 0x00ff_00ff_00ff_00ff);
    swap::<4>(square, 0x0f0f_0f0f_0f0f_0f0f);
    swap::<2>(square, 0x3333_3333_3333_3333);
    swap::<1>(square, 0x5555_5555_5555_5555);
}

/// Swaps the high bits of every row with the low bits of the row `SIDE` further.
#[inline(always)]
fn swap<const SIDE: usize>(square: &mut Square, low: u64) {
    for pair in square.chunks_exact_mut(2 * SIDE) {
        let (upper, lower) = pair.split_at_mut(SIDE);
        for (upper, lower) in upper.iter_mut().zip(lower) {
            for (upper, lower) in upper.iter_mut().zip(lower) {
                let other = (*upper >> SIDE ^ *lower) & low;
                *lower ^= other;
                *upper ^= other << SIDE;
            }
        }
    }
}
