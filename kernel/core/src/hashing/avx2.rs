//! Eight inputs in the 32-bit lanes of 256-bit registers.

use std::arch::x86_64::*;

use super::BLOCK_SIZE;
use super::lanes::{Blocks, FLAGS, IV, SCHEDULE};

pub(super) const LANES: usize = 8;

/// Hashes inputs of at most 64 bytes to `width` bytes each.
#[target_feature(enable = "avx2")]
pub(super) fn compress(key: &[u32; 8], inputs: &[&[u8]; LANES], width: usize, out: &mut [u8]) {
    let (blocks, longest) = pad(inputs);
    match longest {
        0..=16 => compress_pieces::<1>(key, &blocks, width, out),
        17..=32 => compress_pieces::<2>(key, &blocks, width, out),
        _ => compress_pieces::<4>(key, &blocks, width, out),
    }
}

/// Pads each input with zeros to a block; also returns the size of the longest.
#[target_feature(enable = "avx2")]
fn pad(inputs: &[&[u8]; LANES]) -> (Blocks<LANES>, usize) {
    let mut blocks = Blocks {
        rows: [[0; BLOCK_SIZE]; LANES],
        sizes: [0; LANES],
    };
    let mut longest = 0;
    for (lane, input) in inputs.iter().enumerate() {
        copy(input, &mut blocks.rows[lane]);
        blocks.sizes[lane] = input.len() as u32;
        longest = longest.max(input.len());
    }
    (blocks, longest)
}

/// Copies the input to the start of the row in pieces of fixed sizes, which may overlap: no call, no loop.
fn copy(input: &[u8], row: &mut [u8; BLOCK_SIZE]) {
    macro_rules! ends {
        ($size:literal) => {{
            let last = input.len() - $size;
            let end: [u8; $size] = input[last..].try_into().expect("its size");
            row[..$size].copy_from_slice(&input[..$size]);
            row[last..last + $size].copy_from_slice(&end);
        }};
    }
    match input.len() {
        0 => {}
        1 => row[0] = input[0],
        2..4 => ends!(2),
        4..8 => ends!(4),
        8..16 => ends!(8),
        16..32 => ends!(16),
        _ => ends!(32),
    }
}

/// One compression a lane, of blocks whose bytes beyond the first `PIECES`·16 are 0.
#[target_feature(enable = "avx2")]
fn compress_pieces<const PIECES: usize>(
    key: &[u32; 8],
    blocks: &Blocks<LANES>,
    width: usize,
    out: &mut [u8],
) {
    let mut m = [_mm256_setzero_si256(); 16];
    for piece in 0..PIECES {
        m[4 * piece..4 * piece + 4].copy_from_slice(&words(blocks, piece));
    }
    let word = |word: u32| _mm256_set1_epi32(word as i32);
    let zero = _mm256_setzero_si256();
    // SAFETY: as many lanes as sizes
    let sizes = unsafe { _mm256_loadu_si256(blocks.sizes.as_ptr().cast()) };
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
            v[$a] = _mm256_add_epi32(_mm256_add_epi32(v[$a], $x), v[$b]);
            v[$d] = turn_16(_mm256_xor_si256(v[$d], v[$a]));
            v[$c] = _mm256_add_epi32(v[$c], v[$d]);
            v[$b] = turn_12(_mm256_xor_si256(v[$b], v[$c]));
            v[$a] = _mm256_add_epi32(_mm256_add_epi32(v[$a], $y), v[$b]);
            v[$d] = turn_8(_mm256_xor_si256(v[$d], v[$a]));
            v[$c] = _mm256_add_epi32(v[$c], v[$d]);
            v[$b] = turn_7(_mm256_xor_si256(v[$b], v[$c]));
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
    let low = |index: usize| _mm256_xor_si256(v[index], v[index + 8]);
    let high = |index: usize| _mm256_xor_si256(v[index + 8], word(key[index]));
    let pieces: [[__m256i; 4]; 4] = [
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
#[target_feature(enable = "avx2")]
fn words(blocks: &Blocks<LANES>, piece: usize) -> [__m256i; 4] {
    let load = |row: usize| {
        // SAFETY: 16 bytes of each of the rows, at 16·piece < 64
        unsafe {
            let at = |row: usize| _mm_load_si128(blocks.rows[row].as_ptr().add(16 * piece).cast());
            _mm256_set_m128i(at(row + 4), at(row))
        }
    };
    transpose([load(0), load(1), load(2), load(3)])
}

/// Writes rows of four words, given word by word, `stride` bytes apart.
#[target_feature(enable = "avx2")]
fn store(words: [__m256i; 4], out: &mut [u8], stride: usize) {
    assert!(out.len() >= 7 * stride + 16, "room for each row");
    for (first, rows) in transpose(words).into_iter().enumerate() {
        // SAFETY: 16 bytes at `stride` times at most 7, which the assertion allows
        unsafe {
            let mut at = |row: usize| out.as_mut_ptr().add((first + row) * stride).cast();
            _mm_storeu_si128(at(0), _mm256_castsi256_si128(rows));
            _mm_storeu_si128(at(4), _mm256_extracti128_si256::<1>(rows));
        }
    }
}

/// Transposes the 4×4 words that four registers have in each 128 bits.
#[target_feature(enable = "avx2")]
fn transpose(rows: [__m256i; 4]) -> [__m256i; 4] {
    let low = [
        _mm256_unpacklo_epi32(rows[0], rows[1]),
        _mm256_unpacklo_epi32(rows[2], rows[3]),
    ];
    let high = [
        _mm256_unpackhi_epi32(rows[0], rows[1]),
        _mm256_unpackhi_epi32(rows[2], rows[3]),
    ];
    [
        _mm256_unpacklo_epi64(low[0], low[1]),
        _mm256_unpackhi_epi64(low[0], low[1]),
        _mm256_unpacklo_epi64(high[0], high[1]),
        _mm256_unpackhi_epi64(high[0], high[1]),
    ]
}

/// Turns each word right by 16 bits.
#[target_feature(enable = "avx2")]
fn turn_16(words: __m256i) -> __m256i {
    let places = _mm256_set_epi8(
        13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0, 3, 2, 13, 12, 15, 14, 9, 8, 11, 10, 5, 4,
        7, 6, 1, 0, 3, 2,
    );
    _mm256_shuffle_epi8(words, places)
}

/// Turns each word right by 8 bits.
#[target_feature(enable = "avx2")]
fn turn_8(words: __m256i) -> __m256i {
    let places = _mm256_set_epi8(
        12, 15, 14, 13, 8, 11, 10, 9, 4, 7, 6, 5, 0, 3, 2, 1, 12, 15, 14, 13, 8, 11, 10, 9, 4, 7,
        6, 5, 0, 3, 2, 1,
    );
    _mm256_shuffle_epi8(words, places)
}

/// Turns each word right by 12 bits.
#[target_feature(enable = "avx2")]
fn turn_12(words: __m256i) -> __m256i {
    _mm256_or_si256(
        _mm256_srli_epi32::<12>(words),
        _mm256_slli_epi32::<20>(words),
    )
}

/// Turns each word right by 7 bits.
#[target_feature(enable = "avx2")]
fn turn_7(words: __m256i) -> __m256i {
    _mm256_or_si256(
        _mm256_srli_epi32::<7>(words),
        _mm256_slli_epi32::<25>(words),
    )
}
