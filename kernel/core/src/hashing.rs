//! Keyed BLAKE3 of many short inputs at once, bit for bit what the crate `blake3` computes of each.
//!
//! An input of at most 64 bytes is one block of one chunk, so one compression (BLAKE3 paper §2.2) under the flags
//! CHUNK_START, CHUNK_END, ROOT and KEYED_HASH gives its hash and the first 64 bytes of its extended output (§2.6). Inputs
//! share nothing, hence sixteen (AVX-512) or eight (AVX2) are compressed side by side, one in each 32-bit lane. Longer
//! inputs go to the crate.

use rayon::prelude::*;

use crate::simd::{self, Path};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod lanes;

/// Most bytes of a row that goes in, and of a hash that comes out.
pub const BLOCK_SIZE: usize = 64;

/// Rows that one thread takes at a time.
const BATCH: usize = 4096;

/// Hashes each text to `width` bytes under `key`: text i is `data[offsets[i]..offsets[i + 1]]`. Uses all threads.
///
/// # Panics
/// When the offsets do not rise within `data`, `width` is not 1 to 64, or `out` is not `width` bytes a text.
pub fn hash_texts(key: &[u8; 32], data: &[u8], offsets: &[i64], width: usize, out: &mut [u8]) {
    hash_texts_on(simd::path(), key, data, offsets, width, out);
}

/// As [`hash_texts`], on the given path.
pub fn hash_texts_on(
    path: Path,
    key: &[u8; 32],
    data: &[u8],
    offsets: &[i64],
    width: usize,
    out: &mut [u8],
) {
    check_output(offsets.len().saturating_sub(1), width, out);
    out.par_chunks_mut(BATCH * width)
        .enumerate()
        .for_each(|(batch, out)| {
            let first = batch * BATCH;
            let offsets = &offsets[first..=first + out.len() / width];
            hash_texts_serial(path, key, data, offsets, width, out);
        });
}

/// As [`hash_texts_on`], in the calling thread alone: for use within other batches.
///
/// # Panics
/// As [`hash_texts`].
pub fn hash_texts_serial(
    path: Path,
    key: &[u8; 32],
    data: &[u8],
    offsets: &[i64],
    width: usize,
    out: &mut [u8],
) {
    check_output(offsets.len().saturating_sub(1), width, out);
    let text = |row: usize| &data[offsets[row] as usize..offsets[row + 1] as usize];
    hash_each(path, key, text, width, out);
}

/// Hashes each row of `width_in` bytes to `width_out` bytes under `key`. Uses all threads.
///
/// # Panics
/// When a width is not 1 to 64, or `rows` and `out` are not as many whole rows.
pub fn hash_rows(key: &[u8; 32], rows: &[u8], width_in: usize, width_out: usize, out: &mut [u8]) {
    hash_rows_on(simd::path(), key, rows, width_in, width_out, out);
}

/// As [`hash_rows`], on the given path.
pub fn hash_rows_on(
    path: Path,
    key: &[u8; 32],
    rows: &[u8],
    width_in: usize,
    width_out: usize,
    out: &mut [u8],
) {
    check_rows(rows, width_in, width_out, out);
    rows.par_chunks(BATCH * width_in)
        .zip(out.par_chunks_mut(BATCH * width_out))
        .for_each(|(rows, out)| hash_rows_serial(path, key, rows, width_in, width_out, out));
}

/// As [`hash_rows_on`], in the calling thread alone: for use within other batches.
///
/// # Panics
/// As [`hash_rows`].
pub fn hash_rows_serial(
    path: Path,
    key: &[u8; 32],
    rows: &[u8],
    width_in: usize,
    width_out: usize,
    out: &mut [u8],
) {
    check_rows(rows, width_in, width_out, out);
    let row = |row: usize| &rows[row * width_in..(row + 1) * width_in];
    hash_each(path, key, row, width_out, out);
}

fn check_output(count: usize, width: usize, out: &[u8]) {
    assert!(
        (1..=BLOCK_SIZE).contains(&width),
        "a hash has 1 to 64 bytes"
    );
    assert_eq!(out.len(), count * width, "room for each hash");
}

fn check_rows(rows: &[u8], width_in: usize, width_out: usize, out: &[u8]) {
    assert!(
        (1..=BLOCK_SIZE).contains(&width_in) && rows.len().is_multiple_of(width_in),
        "whole rows of 1 to 64 bytes"
    );
    check_output(rows.len() / width_in, width_out, out);
}

/// Hashes `input(0)`, `input(1)`, … into the rows of `out`.
#[inline]
fn hash_each<'a>(
    path: Path,
    key: &[u8; 32],
    input: impl Fn(usize) -> &'a [u8],
    width: usize,
    out: &mut [u8],
) {
    assert!(path.is_available(), "instructions of this processor");
    match path {
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => {
            let key_words = lanes::key_words(key);
            let compress = |inputs: &[&[u8]; _], width: usize, out: &mut [u8]| {
                // SAFETY: the path is available
                unsafe { avx512::compress(&key_words, inputs, width, out) }
            };
            lanes::hash_each::<{ avx512::LANES }>(compress, key, input, width, out);
        }
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => {
            let key_words = lanes::key_words(key);
            let compress = |inputs: &[&[u8]; _], width: usize, out: &mut [u8]| {
                // SAFETY: the path is available
                unsafe { avx2::compress(&key_words, inputs, width, out) }
            };
            lanes::hash_each::<{ avx2::LANES }>(compress, key, input, width, out);
        }
        _ => hash_each_portable(key, input, width, out),
    }
}

fn hash_each_portable<'a>(
    key: &[u8; 32],
    input: impl Fn(usize) -> &'a [u8],
    width: usize,
    out: &mut [u8],
) {
    for (row, out) in out.chunks_exact_mut(width).enumerate() {
        hash_one(key, input(row), out);
    }
}

/// One input of any length by the crate: up to 64 bytes of its extended output.
fn hash_one(key: &[u8; 32], input: &[u8], out: &mut [u8]) {
    if out.len() <= blake3::OUT_LEN {
        out.copy_from_slice(&blake3::keyed_hash(key, input).as_bytes()[..out.len()]);
    } else {
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(input).finalize_xof().fill(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of every length from 0 to 130 in a mixed order, and some long ones.
    fn texts() -> (Vec<u8>, Vec<i64>) {
        let lengths = (0..131usize)
            .map(|row| row * 37 % 131)
            .chain([1000, 3, 1024, 1025, 0, 64, 65, 5000, 16, 16, 17]);
        let mut offsets = vec![0];
        offsets.extend(lengths.scan(0, |end, length| {
            *end += length as i64;
            Some(*end)
        }));
        let size = offsets[offsets.len() - 1] as usize;
        let data = (0..size).map(|place| (place * 31 % 251) as u8).collect();
        (data, offsets)
    }

    fn oracle(key: &[u8; 32], input: &[u8], width: usize) -> Vec<u8> {
        let mut out = vec![0; width];
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(input).finalize_xof().fill(&mut out);
        out
    }

    const KEY: [u8; 32] = *b"whats the Elvish word for friend";

    #[test]
    fn every_path_hashes_texts_as_the_crate_does() {
        let (data, offsets) = texts();
        for width in [1, 7, 8, 16, 24, 31, 32, 33, 48, 63, 64] {
            let expected: Vec<u8> = offsets
                .windows(2)
                .flat_map(|ends| oracle(&KEY, &data[ends[0] as usize..ends[1] as usize], width))
                .collect();
            for path in simd::available() {
                let mut out = vec![0; expected.len()];
                hash_texts_on(path, &KEY, &data, &offsets, width, &mut out);
                assert!(out == expected, "{path:?}, {width} bytes");
            }
        }
    }

    #[test]
    fn every_path_hashes_rows_of_every_width_and_number_as_the_crate_does() {
        for width_in in 1..=BLOCK_SIZE {
            let count = width_in * 7 % 40;
            let rows: Vec<u8> = (0..count * width_in)
                .map(|place| (place * 89 % 241) as u8)
                .collect();
            for width_out in [8, 16, 32, 64] {
                let expected: Vec<u8> = rows
                    .chunks_exact(width_in)
                    .flat_map(|row| oracle(&KEY, row, width_out))
                    .collect();
                for path in simd::available() {
                    let mut out = vec![0; expected.len()];
                    hash_rows_on(path, &KEY, &rows, width_in, width_out, &mut out);
                    assert!(out == expected, "{path:?}, {width_in} to {width_out} bytes");
                }
            }
        }
    }

    #[test]
    fn batches_of_many_rows_are_hashed_in_place() {
        let rows: Vec<u8> = (0..(2 * BATCH + 5) as u64)
            .flat_map(|row| row.to_le_bytes())
            .collect();
        let mut out = vec![0; rows.len() * 2];
        hash_rows(&KEY, &rows, 8, 16, &mut out);
        for row in [0, 1, BATCH - 1, BATCH, 2 * BATCH, 2 * BATCH + 4] {
            assert_eq!(
                out[16 * row..][..16],
                oracle(&KEY, &rows[8 * row..][..8], 16)
            );
        }
    }

    #[test]
    fn nothing_is_hashed_to_nothing() {
        hash_texts(&KEY, &[], &[], 16, &mut []);
        hash_texts(&KEY, &[], &[0], 16, &mut []);
        hash_rows(&KEY, &[], 16, 16, &mut []);
    }
}
