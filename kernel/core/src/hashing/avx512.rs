//! Sixteen inputs in the 32-bit lanes of 512-bit registers.

use std::arch::x86_64::*;

use super::BLOCK_SIZE;
use super::lanes::{Blocks, FLAGS, IV, SCHEDULE};

pub(super) const LANES: usize = 16;

/// Hashes inputs of at most 64 bytes to `width` bytes each.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi2")]
pub(super) fn compress(key: &[u32; 8], inputs: &[&[u8]; LANES], width: usize, out: &mut [u8]) {
    let (blocks, longest) = pad(inputs);
    match longest {
        0..=16 => compress_pieces::<1>(key, &blocks, width, out),
        17..=32 => compress_pieces::<2>(key, &blocks, width, out),
        _ => compress_pieces::<4>(key, &blocks, width, out),
    }
}

/// Pads each input with zeros to a block; also returns the size of the longest.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi2")]
fn pad(inputs: &[&[u8]; LANES]) -> (Blocks<LANES>, usize) {
    let mut blocks = Blocks {
        rows: [[0; BLOCK_SIZE]; LANES],
        sizes: [0; LANES],
    };
    let mut longest = 0;
    for (lane, input) in inputs.iter().enumerate() {
        let size = input.len();
        assert!(size <= BLOCK_SIZE, "one block");
        // SAFETY: the mask lets the load touch the bytes of the input alone; a row has room for a whole register
        unsafe {
            let present = _bzhi_u64(u64::MAX, size as u32);
            let bytes = _mm512_maskz_loadu_epi8(present, input.as_ptr().cast());
            _mm512_storeu_si512(blocks.rows[lane].as_mut_ptr().cast(), bytes);
        }
        blocks.sizes[lane] = size as u32;
        longest = longest.max(size);
    }
    (blocks, longest)
}

/// One compression a lane, of blocks whose bytes beyond the first `PIECES`·16 are 0.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi2")]
fn compress_pieces<const PIECES: usize>(
    key: &[u32; 8],
    blocks: &Blocks<LANES>,
    width: usize,
    out: &mut [u8],
) {
    let mut m = [_mm512_setzero_si512(); 16];
    for piece in 0..PIECES {
        m[4 * piece..4 * piece + 4].copy_from_slice(&words(blocks, piece));
    }
    let word = |word: u32| _mm512_set1_epi32(word as i32);
    let zero = _mm512_setzero_si512();
    // SAFETY: as many lanes as sizes
    let sizes = unsafe { _mm512_loadu_si512(blocks.sizes.as_ptr().cast()) };
    let [k0, k1, k2, k3, k4, k5, k6, k7] = key.map(word);
    let [i0, i1, i2, i3] = IV.map(word);
    let mut v = [
        k0,
        k1,
        k2,
        k3,
        k4,
        k5,
        k6,
        k7,
        i0,
        i1,
        i2,
        i3,
        zero,
        zero,
        sizes,
        word(FLAGS),
    ];
    macro_rules! mix {
        ($a:literal $b:literal $c:literal $d:literal, $x:expr, $y:expr) => {
            v[$a] = _mm512_add_epi32(_mm512_add_epi32(v[$a], $x), v[$b]);
            v[$d] = _mm512_ror_epi32::<16>(_mm512_xor_si512(v[$d], v[$a]));
            v[$c] = _mm512_add_epi32(v[$c], v[$d]);
            v[$b] = _mm512_ror_epi32::<12>(_mm512_xor_si512(v[$b], v[$c]));
            v[$a] = _mm512_add_epi32(_mm512_add_epi32(v[$a], $y), v[$b]);
            v[$d] = _mm512_ror_epi32::<8>(_mm512_xor_si512(v[$d], v[$a]));
            v[$c] = _mm512_add_epi32(v[$c], v[$d]);
            v[$b] = _mm512_ror_epi32::<7>(_mm512_xor_si512(v[$b], v[$c]));
        };
    }
    macro_rules! round {
        ($s:expr) => {
            mix!(0 4 8 12, m[$s[0]], m[$s[1]]);
            mix!(1 5 9 13, m[$s[2]], m[$s[3]]);
            mix!(2 6 10 14, m[$s[4]], m[$s[5]]);
            mix!(3 7 11 15, m[$s[6]], m[$s[7]]);
            mix!(0 5 10 15, m[$s[8]], m[$s[9]]);
            mix!(1 6 11 12, m[$s[10]], m[$s[11]]);
            mix!(2 7 8 13, m[$s[12]], m[$s[13]]);
            mix!(3 4 9 14, m[$s[14]], m[$s[15]]);
        };
    }
    round!(SCHEDULE[0]);
    round!(SCHEDULE[1]);
    round!(SCHEDULE[2]);
    round!(SCHEDULE[3]);
    round!(SCHEDULE[4]);
    round!(SCHEDULE[5]);
    round!(SCHEDULE[6]);
    let low = |index: usize| _mm512_xor_si512(v[index], v[index + 8]);
    let high = |index: usize| _mm512_xor_si512(v[index + 8], word(key[index]));
    let pieces: [[__m512i; 4]; 4] = [
        [low(0), low(1), low(2), low(3)],
        [low(4), low(5), low(6), low(7)],
        [high(0), high(1), high(2), high(3)],
        [high(4), high(5), high(6), high(7)],
    ];
    if width.is_multiple_of(16) {
        for (piece, words) in pieces[..width / 16].iter().enumerate() {
            store(*words, &mut out[16 * piece..], width);
        }
        return;
    }
    let mut room = [[0; BLOCK_SIZE]; LANES];
    for (piece, words) in pieces[..width.div_ceil(16)].iter().enumerate() {
        store(
            *words,
            &mut room.as_flattened_mut()[16 * piece..],
            BLOCK_SIZE,
        );
    }
    for (out, row) in out.chunks_exact_mut(width).zip(&room) {
        out.copy_from_slice(&row[..width]);
    }
}

/// Word k of the 16 bytes `piece` of every row, for k = 0 … 3.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi2")]
fn words(blocks: &Blocks<LANES>, piece: usize) -> [__m512i; 4] {
    let load = |row: usize| {
        // SAFETY: 16 bytes of each of the rows, at 16·piece < 64
        unsafe {
            let at = |row: usize| _mm_load_si128(blocks.rows[row].as_ptr().add(16 * piece).cast());
            let first = _mm512_castsi128_si512(at(row));
            let second = _mm512_mask_broadcast_i32x4(first, 0x00f0, at(row + 4));
            let third = _mm512_mask_broadcast_i32x4(second, 0x0f00, at(row + 8));
            _mm512_mask_broadcast_i32x4(third, 0xf000, at(row + 12))
        }
    };
    transpose([load(0), load(1), load(2), load(3)])
}

/// Writes rows of four words, given word by word, `stride` bytes apart.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi2")]
fn store(words: [__m512i; 4], out: &mut [u8], stride: usize) {
    assert!(out.len() >= 15 * stride + 16, "room for each row");
    for (first, rows) in transpose(words).into_iter().enumerate() {
        // SAFETY: 16 bytes at `stride` times at most 15, which the assertion allows
        unsafe {
            let mut at = |row: usize| out.as_mut_ptr().add((first + row) * stride).cast();
            _mm_storeu_si128(at(0), _mm512_castsi512_si128(rows));
            _mm_storeu_si128(at(4), _mm512_extracti32x4_epi32::<1>(rows));
            _mm_storeu_si128(at(8), _mm512_extracti32x4_epi32::<2>(rows));
            _mm_storeu_si128(at(12), _mm512_extracti32x4_epi32::<3>(rows));
        }
    }
}

/// Transposes the 4×4 words that four registers have in each 128 bits.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi2")]
fn transpose(rows: [__m512i; 4]) -> [__m512i; 4] {
    let low = [
        _mm512_unpacklo_epi32(rows[0], rows[1]),
        _mm512_unpacklo_epi32(rows[2], rows[3]),
    ];
    let high = [
        _mm512_unpackhi_epi32(rows[0], rows[1]),
        _mm512_unpackhi_epi32(rows[2], rows[3]),
    ];
    [
        _mm512_unpacklo_epi64(low[0], low[1]),
        _mm512_unpackhi_epi64(low[0], low[1]),
        _mm512_unpacklo_epi64(high[0], high[1]),
        _mm512_unpackhi_epi64(high[0], high[1]),
    ]
}
