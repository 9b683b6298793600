//! What the paths with lanes share: groups of inputs, and the order of the rounds.

use super::{BLOCK_SIZE, hash_one};

/// The first half of the constants of SHA-256, which BLAKE3 takes over.
pub(super) const IV: [u32; 4] = [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a];

/// CHUNK_START, CHUNK_END, ROOT, KEYED_HASH: the only block of a keyed input.
pub(super) const FLAGS: u32 = 1 | 1 << 1 | 1 << 3 | 1 << 4;

/// Which message word each step of a round takes (BLAKE3 paper §2.2: one permutation, repeated).
pub(super) const SCHEDULE: [[usize; 16]; 7] = schedule();

const fn schedule() -> [[usize; 16]; 7] {
    const PERMUTATION: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
    let mut rounds = [[0; 16]; 7];
    let mut round = 0;
    while round < 7 {
        let mut step = 0;
        while step < 16 {
            rounds[round][step] = match round {
                0 => step,
                _ => rounds[round - 1][PERMUTATION[step]],
            };
            step += 1;
        }
        round += 1;
    }
    rounds
}

/// Zero-padded inputs, one a lane.
#[repr(C, align(64))]
pub(super) struct Blocks<const LANES: usize> {
    pub rows: [[u8; BLOCK_SIZE]; LANES],
    pub sizes: [u32; LANES],
}

/// The eight words of a key.
pub(super) fn key_words(key: &[u8; 32]) -> [u32; 8] {
    let words = key.as_chunks::<4>().0;
    std::array::from_fn(|index| u32::from_le_bytes(words[index]))
}

/// Hashes `input(0)`, `input(1)`, … into the rows of `out`, `LANES` at a time. `compress` takes inputs of at most 64 bytes.
#[inline]
pub(super) fn hash_each<'a, const LANES: usize>(
    compress: impl Fn(&[&[u8]; LANES], usize, &mut [u8]),
    key: &[u8; 32],
    input: impl Fn(usize) -> &'a [u8],
    width: usize,
    out: &mut [u8],
) {
    let group = |inputs: &[&[u8]; LANES], out: &mut [u8]| {
        if inputs.iter().all(|input| input.len() <= BLOCK_SIZE) {
            compress(inputs, width, out);
            return;
        }
        compress(
            &inputs.map(|input| {
                if input.len() <= BLOCK_SIZE {
                    input
                } else {
                    &[]
                }
            }),
            width,
            out,
        );
        for (input, out) in inputs.iter().zip(out.chunks_exact_mut(width)) {
            if input.len() > BLOCK_SIZE {
                hash_one(key, input, out);
            }
        }
    };
    let count = out.len() / width;
    let mut groups = out.chunks_exact_mut(LANES * width);
    for (index, out) in groups.by_ref().enumerate() {
        group(
            &std::array::from_fn(|lane| input(index * LANES + lane)),
            out,
        );
    }
    let rest = groups.into_remainder();
    if !rest.is_empty() {
        let first = count - rest.len() / width;
        let inputs = std::array::from_fn(|lane| {
            if first + lane < count {
                input(first + lane)
            } else {
                &[]
            }
        });
        let mut room = [[0; BLOCK_SIZE]; LANES];
        group(&inputs, &mut room.as_flattened_mut()[..LANES * width]);
        rest.copy_from_slice(&room.as_flattened()[..rest.len()]);
    }
}
