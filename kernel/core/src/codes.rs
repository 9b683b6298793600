//! Expand-convolute codes: long pseudorandom vectors from sparse ones.
//!
//! Raghuraman, Rindal, Tanguy: "Expand-Convolute Codes for Pseudorandom Correlation Generators from LPN", CRYPTO 2023
//! (eprint 2023/882). The code has rate ½ and is systematic: a vector (x, y) of 2m elements becomes m elements
//! x + E·C·y, in which everything is a sum of elements, so that it commutes with every linear map of them.
//!
//! - C, the convolution: in order of i, y_i is added to y_(i+25) and, for j = 1 … 24, to y_(i+j) where a public random
//!   bit says so; places are taken modulo m. This is done twice, with other bits, so that what the last places hold
//!   reaches all others.
//! - E, the expander: y is cut into `weight` regions, and each row of E takes one public random element of each region.
//!
//! All bits and places come from a public key in counter mode: both sides have the same code.
//!
//! Cost for each row, of which the expander is nearly all: `weight` reads at random places. A region of 2^20 rows (16
//! bytes an element, weight 21) is 0.8 MB and stays in a second-level cache while all rows of a tile pass by; the rows
//! themselves stream through `weight` times, from the third level or from memory. That stream,
//! 2·16·21 bytes a row, is the bound.

use rayon::prelude::*;
use zeroize::Zeroize;

use crate::aes::{self, BLOCK_BYTES, Block};
use crate::simd::{self, Path};

/// Random taps of the convolution; one that is always there follows them.
const WINDOW: usize = 24;
/// Rows of the expander whose places are drawn at once: their words stay in the first-level cache.
const BATCH: usize = 2048;
/// Rows that one thread passes through all regions before the next ones: longer tiles reload the regions less often.
const TILE: usize = 1 << 19;
/// Every length is a multiple of this.
pub const GRAIN: usize = 8;

const WORDS_PER_BLOCK: usize = BLOCK_BYTES / 4;
/// Streams of the key: block numbers start here.
const CONVOLUTIONS: [u64; 2] = [1 << 60, 2 << 60];
const EXPANDER: u64 = 3 << 60;

/// How dense the expander is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Density {
    /// 21 elements a row.
    Conservative,
    /// 7 elements a row.
    Fast,
}

impl Density {
    const fn weight(self) -> usize {
        match self {
            Self::Conservative => 21,
            Self::Fast => 7,
        }
    }
}

/// What is encoded: elements whose sum is the exclusive or of their words.
pub trait Element: Copy + Default + Send + Sync + Zeroize {
    fn add(&mut self, other: Self);
    /// This element where `bit` is 1, zero where it is 0; in constant time.
    fn times(self, bit: u32) -> Self;
    /// Words of eight bytes that an element consists of.
    const WORDS: usize;
}

impl Element for u64 {
    #[inline(always)]
    fn add(&mut self, other: Self) {
        *self ^= other;
    }
    #[inline(always)]
    fn times(self, bit: u32) -> Self {
        self & u64::from(bit).wrapping_neg()
    }
    const WORDS: usize = 1;
}

impl Element for Block {
    #[inline(always)]
    fn add(&mut self, other: Self) {
        *self = aes::xor(*self, other);
    }
    #[inline(always)]
    fn times(self, bit: u32) -> Self {
        let mask = u64::from(bit).wrapping_neg();
        [self[0] & mask, self[1] & mask]
    }
    const WORDS: usize = 2;
}

/// One code: its length m, its density and its public key.
pub struct Code {
    rows: usize,
    weight: usize,
    key: aes::Key,
    path: Path,
}

impl Code {
    /// The code on this process's path.
    pub fn new(rows: usize, density: Density, key: &[u8; BLOCK_BYTES]) -> Self {
        Self::new_on(simd::path(), rows, density, key)
    }

    /// The code with m = `rows`, a multiple of [`GRAIN`] between 2^10 and 2^28.
    ///
    /// # Panics
    /// When `rows` is not such a number.
    pub fn new_on(path: Path, rows: usize, density: Density, key: &[u8; BLOCK_BYTES]) -> Self {
        assert!(
            rows.is_multiple_of(GRAIN) && (1 << 10..=1 << 28).contains(&rows),
            "a length that a code can have"
        );
        Self {
            rows,
            weight: density.weight(),
            key: aes::Key::new_on(path, key),
            path,
        }
    }

    /// x ← x + E·C·y; y is used up.
    ///
    /// # Panics
    /// When either has not m elements.
    pub fn encode<T: Element>(&self, x: &mut [T], y: &mut [T]) {
        assert!(
            x.len() == self.rows && y.len() == self.rows,
            "two vectors of the code's length"
        );
        for first in CONVOLUTIONS {
            self.convolve(first, y);
        }
        self.expand(x, y);
    }

    fn convolve<T: Element>(&self, first: u64, y: &mut [T]) {
        match self.path {
            Path::Portable => convolve(&self.key, first, y),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `new_on` made a key of this path, which the processor has
            Path::Avx2 => unsafe { x86::convolve_256(&self.key, first, y) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above
            Path::Avx512 => unsafe { x86::convolve_512(&self.key, first, y) },
            #[cfg(not(target_arch = "x86_64"))]
            _ => unreachable!("only x86-64 has this path"),
        }
    }

    fn expand<T: Element>(&self, x: &mut [T], y: &[T]) {
        let tile = TILE.min(
            self.rows
                .div_ceil(rayon::current_num_threads())
                .next_multiple_of(BATCH),
        );
        x.par_chunks_mut(tile).enumerate().for_each(|(index, x)| {
            for region in 0..self.weight {
                self.add_region(index * tile, x, region, self.region(region, y));
            }
        });
    }

    fn region<'a, T>(&self, index: usize, y: &'a [T]) -> &'a [T] {
        let edge = |index: usize| index * self.rows / self.weight;
        &y[edge(index)..edge(index + 1)]
    }

    /// Adds an element of `region` to each row of `x`, which starts at row `row`.
    fn add_region<T: Element>(&self, row: usize, x: &mut [T], index: usize, region: &[T]) {
        let mut words = [[0; 2]; BATCH / WORDS_PER_BLOCK];
        for (batch, x) in x.chunks_mut(BATCH).enumerate() {
            let words = &mut words[..x.len() / WORDS_PER_BLOCK];
            let place = index * self.rows + row + batch * BATCH;
            self.key
                .fill(EXPANDER + (place / WORDS_PER_BLOCK) as u64, words);
            match self.path {
                Path::Portable => gather(words, region, x),
                #[cfg(target_arch = "x86_64")]
                // SAFETY: `new_on` made a key of this path, which the processor has
                Path::Avx2 => unsafe { x86::gather_256(words, region, x) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above
                Path::Avx512 => unsafe { x86::gather_512(words, region, x) },
                #[cfg(not(target_arch = "x86_64"))]
                _ => unreachable!("only x86-64 has this path"),
            }
        }
    }
}

/// The words of a stream's blocks, four in each.
#[inline(always)]
fn words_of(blocks: &[Block]) -> impl Iterator<Item = u32> {
    let words = blocks.as_flattened().iter();
    words.flat_map(|word| [*word as u32, (*word >> 32) as u32])
}

/// The place below `size` that a random word stands for; uneven by less than `size`/2^32.
#[inline(always)]
const fn place(word: u32, size: usize) -> usize {
    ((word as u64 * size as u64) >> 32) as usize
}

#[inline(always)]
fn gather<T: Element>(words: &[Block], region: &[T], x: &mut [T]) {
    for (x, word) in x.iter_mut().zip(words_of(words)) {
        x.add(region[place(word, region.len())]);
    }
}

/// Positions whose taps are drawn at once.
const DRAWN: usize = 256;

/// The taps of a position: bit j−1 is whether it is added to the position j further on.
#[inline(always)]
const fn taps(word: u32) -> u32 {
    word & ((1 << WINDOW) - 1) | 1 << WINDOW
}

#[inline(always)]
fn convolve<T: Element>(key: &aes::Key, first: u64, y: &mut [T]) {
    let mut words = [[0; 2]; DRAWN / WORDS_PER_BLOCK];
    // what is still to be added to the positions ahead; the one at hand is the first
    let mut ahead = [T::default(); 32];
    for (index, y) in y.chunks_mut(DRAWN).enumerate() {
        let blocks = y.len() / WORDS_PER_BLOCK;
        let first = first + (index * DRAWN / WORDS_PER_BLOCK) as u64;
        key.fill(first, &mut words[..blocks]);
        for (y, word) in y.iter_mut().zip(words_of(&words)) {
            y.add(ahead[0]);
            ahead.copy_within(1.., 0);
            ahead[31] = T::default();
            let taps = taps(word);
            for (lane, ahead) in ahead[..WINDOW + 1].iter_mut().enumerate() {
                ahead.add(y.times(taps >> lane & 1));
            }
        }
    }
    for (y, ahead) in y.iter_mut().zip(&ahead[..WINDOW + 1]) {
        y.add(*ahead);
    }
    ahead.zeroize();
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::x86_64::*;

    use super::{
        Block, DRAWN, Element, GRAIN, WINDOW, WORDS_PER_BLOCK, aes, convolve, place, words_of,
    };

    #[target_feature(enable = "avx2,bmi2")]
    pub fn convolve_256<T: Element>(key: &aes::Key, first: u64, y: &mut [T]) {
        convolve(key, first, y);
    }

    #[target_feature(enable = "avx2,bmi2")]
    pub fn gather_256<T: Element>(words: &[Block], region: &[T], x: &mut [T]) {
        for (x, word) in x.iter_mut().zip(words_of(words)) {
            // SAFETY: a place is below the size
            x.add(unsafe { *region.get_unchecked(place(word, region.len())) });
        }
    }

    /// Eight rows at once: one gather of words, or eight loads of blocks.
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,bmi2")]
    pub fn gather_512<T: Element>(words: &[Block], region: &[T], x: &mut [T]) {
        const { assert!(size_of::<T>() == 8 * T::WORDS) };
        assert!(words.len() * WORDS_PER_BLOCK >= x.len() && x.len().is_multiple_of(GRAIN));
        let size = _mm512_set1_epi64(region.len() as i64);
        for (x, words) in x.chunks_exact_mut(8).zip(words.chunks_exact(2)) {
            // SAFETY: eight words and eight elements are there, and every place is below the region's size
            unsafe {
                let word = _mm512_cvtepu32_epi64(_mm256_loadu_si256(words.as_ptr().cast()));
                let places = _mm512_srli_epi64::<32>(_mm512_mul_epu32(word, size));
                if T::WORDS == 1 {
                    let taken = _mm512_i64gather_epi64::<8>(places, region.as_ptr().cast());
                    let at = x.as_mut_ptr().cast::<__m512i>();
                    _mm512_storeu_si512(at, _mm512_xor_si512(_mm512_loadu_si512(at), taken));
                } else {
                    let mut place = [0u64; 8];
                    _mm512_storeu_si512(place.as_mut_ptr().cast(), places);
                    for (x, place) in x.iter_mut().zip(place) {
                        x.add(*region.get_unchecked(place as usize));
                    }
                }
            }
        }
    }

    /// Keeps the positions ahead in registers, eight positions to a block, as bit matrices.
    ///
    /// Block n of the result is y_n = (1 + L_n)⁻¹·(x_n + what was added to it before), and then C_n,b·y_n is added to block
    /// n + b, for b = 1 … 4. L_n and C_n,b are 8×8 matrices of taps: one instruction multiplies all eight positions by one,
    /// for eight bytes of the elements.
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512vbmi,gfni,bmi2")]
    pub fn convolve_512<T: Element>(key: &aes::Key, first: u64, y: &mut [T]) {
        const { assert!(size_of::<T>() == 8 * T::WORDS && align_of::<T>() == 8) };
        // SAFETY: an element is its words, without padding
        let words = unsafe {
            std::slice::from_raw_parts_mut(y.as_mut_ptr().cast::<u64>(), y.len() * T::WORDS)
        };
        match T::WORDS {
            1 => convolve_words::<1>(key, first, words),
            _ => convolve_words::<2>(key, first, words),
        }
    }

    /// Byte j of the value is 1 << j; and, backwards, 1 << (7 − j).
    const ONES: i64 = 0x8040_2010_0804_0201_u64 as i64;
    const BACKWARDS: i64 = 0x0102_0408_1020_4080;

    /// Blocks of eight positions that a tap can reach, after the own one.
    const REACHED: usize = WINDOW.div_ceil(8) + 1;

    /// The matrices of one block: (1 + L)⁻¹, and C_1 … C_4 in the words from 1 on of the second.
    ///
    /// A matrix as a factor has row i in byte 7 − i; as what is multiplied, column j in byte j. The first form comes from
    /// the second by reversing the bytes and transposing.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512vbmi,gfni,bmi2")]
    fn matrices(words: &[Block; 2]) -> (__m512i, __m512i) {
        // SAFETY: eight words are there
        let words = unsafe { _mm256_loadu_si256(words.as_ptr().cast()) };
        let random = _mm512_and_si512(
            _mm512_cvtepu32_epi64(words),
            _mm512_set1_epi64((1 << WINDOW) - 1),
        );
        let taps = _mm512_or_si512(random, _mm512_set1_epi64(1 << WINDOW));
        // bit 8b + k of word s: whether position s is added to position k of the block b further on
        let taps = _mm512_sllv_epi64(taps, _mm512_set_epi64(8, 7, 6, 5, 4, 3, 2, 1));
        let columns = _mm512_permutexvar_epi8(table(&TOGETHER[0][0]), taps);
        let reversed = _mm512_permutexvar_epi8(table(&APART[0][0]), taps);
        let factors = _mm512_gf2p8affine_epi64_epi8::<0>(_mm512_set1_epi64(BACKWARDS), reversed);

        // L⁸ = 0, so that (1 + L)⁻¹ = (1 + L)·(1 + L²)·(1 + L⁴)
        let power = _mm512_castsi512_si128(columns);
        let power_factor = _mm512_castsi512_si128(factors);
        let second = _mm_gf2p8affine_epi64_epi8::<0>(power, power_factor);
        let second_factor = factor(second);
        let fourth = _mm_gf2p8affine_epi64_epi8::<0>(second, second_factor);
        let inverse = _mm_xor_si128(fourth, _mm_set1_epi64x(ONES));
        let inverse = _mm_xor_si128(
            inverse,
            _mm_gf2p8affine_epi64_epi8::<0>(inverse, second_factor),
        );
        let inverse = _mm_xor_si128(
            inverse,
            _mm_gf2p8affine_epi64_epi8::<0>(inverse, power_factor),
        );
        (_mm512_broadcastq_epi64(factor(inverse)), factors)
    }

    /// The second form of a matrix as the first.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512vbmi,gfni,bmi2")]
    fn factor(columns: __m128i) -> __m128i {
        let reversal = _mm_set_epi64x(0x0809_0a0b_0c0d_0e0f, 0x0001_0203_0405_0607);
        let reversed = _mm_shuffle_epi8(columns, reversal);
        _mm_gf2p8affine_epi64_epi8::<0>(_mm_set1_epi64x(BACKWARDS), reversed)
    }

    /// Bytes of eight elements of one or two words that go into each register: first byte 0 of all, the last one first.
    static APART: [[[u8; 64]; 2]; 2] = [[apart(1, 0); 2], [apart(2, 0), apart(2, 1)]];
    /// The inverse: the elements' bytes, from registers with byte 0 of all, the first one first.
    static TOGETHER: [[[u8; 64]; 2]; 2] = [[together(1, 0); 2], [together(2, 0), together(2, 1)]];

    const fn apart(words: usize, register: usize) -> [u8; 64] {
        let mut table = [0; 64];
        let mut to = 0;
        while to < 64 {
            let (byte, position) = (8 * register + to / 8, 7 - to % 8);
            table[to] = (8 * words * position + byte) as u8;
            to += 1;
        }
        table
    }

    const fn together(words: usize, register: usize) -> [u8; 64] {
        let mut table = [0; 64];
        let mut to = 0;
        while to < 64 {
            let place = 64 * register + to;
            let (position, byte) = (place / (8 * words), place % (8 * words));
            table[to] = (8 * byte + position) as u8;
            to += 1;
        }
        table
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn table(bytes: &[u8; 64]) -> __m512i {
        // SAFETY: 64 bytes are there
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }

    /// Eight positions, of one or two words each, as bit matrices: a word for each byte of the elements.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512vbmi,gfni,bmi2")]
    fn load<const WORDS: usize>(from: &[u64]) -> [__m512i; WORDS] {
        debug_assert_eq!(from.len(), 8 * WORDS);
        let from = from.as_ptr().cast::<__m512i>();
        // SAFETY: 8·WORDS words are there
        let (first, last) = unsafe {
            (
                _mm512_loadu_si512(from),
                _mm512_loadu_si512(from.add(WORDS - 1)),
            )
        };
        let mut matrices = [first; WORDS];
        for register in 0..WORDS {
            let apart = table(&APART[WORDS - 1][register]);
            let bytes = if WORDS == 1 {
                _mm512_permutexvar_epi8(apart, first)
            } else {
                _mm512_permutex2var_epi8(first, apart, last)
            };
            matrices[register] =
                _mm512_gf2p8affine_epi64_epi8::<0>(_mm512_set1_epi64(BACKWARDS), bytes);
        }
        matrices
    }

    /// What [`load`] was given.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512vbmi,gfni,bmi2")]
    fn store<const WORDS: usize>(mut matrices: [__m512i; WORDS], to: &mut [u64]) {
        debug_assert_eq!(to.len(), 8 * WORDS);
        for matrix in &mut matrices {
            *matrix = _mm512_gf2p8affine_epi64_epi8::<0>(_mm512_set1_epi64(ONES), *matrix);
        }
        let to = to.as_mut_ptr().cast::<__m512i>();
        for (register, together) in TOGETHER[WORDS - 1][..WORDS].iter().enumerate() {
            let together = table(together);
            let words = if WORDS == 1 {
                _mm512_permutexvar_epi8(together, matrices[0])
            } else {
                _mm512_permutex2var_epi8(matrices[0], together, matrices[WORDS - 1])
            };
            // SAFETY: 8·WORDS words are there
            unsafe { _mm512_storeu_si512(to.add(register), words) };
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512vbmi,gfni,bmi2")]
    fn convolve_words<const WORDS: usize>(key: &aes::Key, first: u64, y: &mut [u64]) {
        let mut words = [[0; 2]; DRAWN / WORDS_PER_BLOCK];
        let mut ahead = [[_mm512_setzero_si512(); WORDS]; REACHED];
        for (index, y) in y.chunks_mut(DRAWN * WORDS).enumerate() {
            let blocks = y.len() / WORDS / WORDS_PER_BLOCK;
            let first = first + (index * DRAWN / WORDS_PER_BLOCK) as u64;
            key.fill(first, &mut words[..blocks]);
            let (words, _) = words.as_chunks::<2>();
            for (y, words) in y.chunks_exact_mut(8 * WORDS).zip(words) {
                let (inverse, factors) = matrices(words);
                let mut block = load::<WORDS>(y);
                for (own, ahead) in block.iter_mut().zip(&ahead[0]) {
                    let sum = _mm512_xor_si512(*own, *ahead);
                    *own = _mm512_gf2p8affine_epi64_epi8::<0>(sum, inverse);
                }
                for further in 1..=REACHED {
                    let factor =
                        _mm512_permutexvar_epi64(_mm512_set1_epi64(further as i64), factors);
                    for register in 0..WORDS {
                        let added = _mm512_gf2p8affine_epi64_epi8::<0>(block[register], factor);
                        ahead[further - 1][register] = if further < REACHED {
                            _mm512_xor_si512(ahead[further][register], added)
                        } else {
                            added
                        };
                    }
                }
                store::<WORDS>(block, y);
            }
        }
        for (ahead, y) in ahead.iter().zip(y.chunks_exact_mut(8 * WORDS)) {
            let mut block = load::<WORDS>(y);
            for (own, ahead) in block.iter_mut().zip(ahead) {
                *own = _mm512_xor_si512(*own, *ahead);
            }
            store::<WORDS>(block, y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = [9; 16];
    const ROWS: usize = 1040;

    /// The word at `place` of the public stream that starts at block `first`, from the crate alone.
    fn word(first: u64, place: usize) -> u32 {
        use ::aes::cipher::{BlockCipherEncrypt, KeyInit};
        let mut block = ::aes::Block::default();
        block[..8].copy_from_slice(&(first + place as u64 / 4).to_le_bytes());
        ::aes::Aes128::new(&KEY.into()).encrypt_block(&mut block);
        let at = place % 4 * 4;
        u32::from_le_bytes(block[at..at + 4].try_into().unwrap())
    }

    /// The definition, with every bit and every place looked up alone.
    fn encode_slowly(density: Density, x: &[u64], y: &[u64]) -> Vec<u64> {
        let (rows, weight) = (x.len(), density.weight());
        let mut y = y.to_vec();
        for first in CONVOLUTIONS {
            for i in 0..rows {
                let bits = word(first, i);
                for j in 1..=24 {
                    if bits >> (j - 1) & 1 == 1 {
                        y[(i + j) % rows] ^= y[i];
                    }
                }
                y[(i + 25) % rows] ^= y[i];
            }
        }
        let mut out = x.to_vec();
        for (row, out) in out.iter_mut().enumerate() {
            for region in 0..weight {
                let (start, end) = (region * rows / weight, (region + 1) * rows / weight);
                let word = u64::from(word(EXPANDER, region * rows + row));
                *out ^= y[start + ((word * (end - start) as u64) >> 32) as usize];
            }
        }
        out
    }

    fn column(seed: u64, rows: usize) -> Vec<u64> {
        (1..=rows as u64)
            .map(|i| (i ^ seed << 32).wrapping_mul(0xd1b5_4a32_d192_ed03))
            .collect()
    }

    #[test]
    fn every_path_encodes_as_the_definition_says() {
        for density in [Density::Conservative, Density::Fast] {
            let (x, y) = (column(1, ROWS), column(2, ROWS));
            let (x2, y2) = (column(3, ROWS), column(4, ROWS));
            let expected = encode_slowly(density, &x, &y);
            let expected2 = encode_slowly(density, &x2, &y2);
            for path in simd::available() {
                let code = Code::new_on(path, ROWS, density, &KEY);
                let (mut words, mut used) = (x.clone(), y.clone());
                code.encode(&mut words, &mut used);
                assert_eq!(words, expected, "words, {density:?}, {}", path.name());
                let join = |a: &[u64], b: &[u64]| -> Vec<Block> {
                    a.iter().zip(b).map(|(a, b)| [*a, *b]).collect()
                };
                let (mut blocks, mut used) = (join(&x, &x2), join(&y, &y2));
                code.encode(&mut blocks, &mut used);
                assert_eq!(
                    blocks,
                    join(&expected, &expected2),
                    "blocks, {density:?}, {}",
                    path.name()
                );
            }
        }
    }

    #[test]
    fn tiles_and_threads_do_not_change_the_code() {
        let rows = 3 * BATCH + 40;
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let (mut x, mut y) = (column(5, rows), column(6, rows));
                Code::new(rows, Density::Fast, &KEY).encode(&mut x, &mut y);
                x
            })
        };
        let expected = encode_slowly(Density::Fast, &column(5, rows), &column(6, rows));
        assert_eq!(run(1), expected);
        assert_eq!(run(3), expected);
    }

    #[test]
    fn one_element_anywhere_reaches_about_half_of_the_rows() {
        let code = Code::new(4096, Density::Conservative, &KEY);
        for place in [0, 1, 2000, 4094, 4095] {
            let (mut x, mut y) = (vec![0u64; 4096], vec![0u64; 4096]);
            y[place] = 1;
            code.encode(&mut x, &mut y);
            let weight = x.iter().filter(|x| **x != 0).count();
            assert!((1800..2300).contains(&weight), "{weight} from {place}");
        }
    }
}
