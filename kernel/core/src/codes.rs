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
    #[cfg(target_arch = "x86_64")]
    #[doc(hidden)]
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
    #[cfg(target_arch = "x86_64")]
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
    #[cfg(target_arch = "x86_64")]
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
        let mut words = [[0u32; WORDS_PER_BLOCK]; BATCH / WORDS_PER_BLOCK];
        for (batch, x) in x.chunks_mut(BATCH).enumerate() {
            let words = &mut words[..x.len() / WORDS_PER_BLOCK];
            let place = index * self.rows + row + batch * BATCH;
            fill_words(
                &self.key,
                EXPANDER + (place / WORDS_PER_BLOCK) as u64,
                words,
            );
            let words = words.as_flattened();
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

/// Four words from each block of the key's stream.
fn fill_words(key: &aes::Key, first: u64, words: &mut [[u32; WORDS_PER_BLOCK]]) {
    let mut blocks = [[0u64; 2]; 64];
    for (index, words) in words.chunks_mut(blocks.len()).enumerate() {
        let blocks = &mut blocks[..words.len()];
        key.fill(first + 64 * index as u64, blocks);
        for (words, [low, high]) in words.iter_mut().zip(blocks.iter()) {
            *words = [
                *low as u32,
                (*low >> 32) as u32,
                *high as u32,
                (*high >> 32) as u32,
            ];
        }
    }
}

/// The place below `size` that a random word stands for; uneven by less than `size`/2^32.
#[inline(always)]
const fn place(word: u32, size: usize) -> usize {
    ((word as u64 * size as u64) >> 32) as usize
}

#[inline(always)]
fn gather<T: Element>(words: &[u32], region: &[T], x: &mut [T]) {
    for (x, word) in x.iter_mut().zip(words) {
        x.add(region[place(*word, region.len())]);
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
    let mut words = [[0u32; WORDS_PER_BLOCK]; DRAWN / WORDS_PER_BLOCK];
    // what is still to be added to the positions ahead; the one at hand is the first
    let mut ahead = [T::default(); 32];
    for (index, y) in y.chunks_mut(DRAWN).enumerate() {
        let blocks = y.len() / WORDS_PER_BLOCK;
        let first = first + (index * DRAWN / WORDS_PER_BLOCK) as u64;
        fill_words(key, first, &mut words[..blocks]);
        for (y, word) in y.iter_mut().zip(words.as_flattened()) {
            y.add(ahead[0]);
            ahead.copy_within(1.., 0);
            ahead[31] = T::default();
            let taps = taps(*word);
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
        Block, DRAWN, Element, GRAIN, WINDOW, WORDS_PER_BLOCK, aes, convolve, fill_words, place,
        taps,
    };

    #[target_feature(enable = "avx2,bmi2")]
    pub fn convolve_256<T: Element>(key: &aes::Key, first: u64, y: &mut [T]) {
        convolve(key, first, y);
    }

    #[target_feature(enable = "avx2,bmi2")]
    pub fn gather_256<T: Element>(words: &[u32], region: &[T], x: &mut [T]) {
        for (x, word) in x.iter_mut().zip(words) {
            // SAFETY: a place is below the size
            x.add(unsafe { *region.get_unchecked(place(*word, region.len())) });
        }
    }

    /// Eight rows at once: one gather of words, or eight loads of blocks.
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,bmi2")]
    pub fn gather_512<T: Element>(words: &[u32], region: &[T], x: &mut [T]) {
        const { assert!(size_of::<T>() == 8 * T::WORDS) };
        assert!(words.len() >= x.len() && x.len().is_multiple_of(GRAIN));
        let size = _mm512_set1_epi64(region.len() as i64);
        for (x, words) in x.chunks_exact_mut(8).zip(words.chunks_exact(8)) {
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

    /// Registers ahead of the one at hand: 32 positions of blocks fill eight, those of words four.
    const REGISTERS: usize = 8;

    /// Keeps the positions ahead in registers. The one at hand is spread over a register and added where its taps say.
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,bmi2")]
    pub fn convolve_512<T: Element>(key: &aes::Key, first: u64, y: &mut [T]) {
        if T::WORDS == 2 {
            // SAFETY: an element is two words without padding
            let y = unsafe { std::slice::from_raw_parts_mut(y.as_mut_ptr().cast(), y.len()) };
            convolve_blocks(key, first, y);
        } else {
            // SAFETY: an element is one word
            let y = unsafe { std::slice::from_raw_parts_mut(y.as_mut_ptr().cast(), y.len()) };
            convolve_words(key, first, y);
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,bmi2")]
    fn convolve_blocks(key: &aes::Key, first: u64, y: &mut [Block]) {
        const LANES: usize = 4;
        let mut words = [[0u32; WORDS_PER_BLOCK]; DRAWN / WORDS_PER_BLOCK];
        let mut ahead = [_mm512_setzero_si512(); REGISTERS];
        for (index, y) in y.chunks_mut(DRAWN).enumerate() {
            let blocks = y.len() / WORDS_PER_BLOCK;
            let first = first + (index * DRAWN / WORDS_PER_BLOCK) as u64;
            fill_words(key, first, &mut words[..blocks]);
            for (y, words) in y.chunks_exact_mut(LANES).zip(&words) {
                let at = y.as_mut_ptr().cast::<__m512i>();
                // SAFETY: the chunk is four blocks
                let own = unsafe { _mm512_loadu_si512(at) };
                ahead[0] = _mm512_xor_si512(ahead[0], own);
                macro_rules! push {
                    ($lane:literal) => {{
                        let spread = _mm512_shuffle_i64x2::<{ 0x55 * $lane }>(ahead[0], ahead[0]);
                        // two bits of the mask for each position from the one at `$lane` of this register on
                        let bits = _pdep_u64(
                            u64::from(taps(words[$lane])) << ($lane + 1),
                            0x5555_5555_5555_5555,
                        ) * 3;
                        for (register, ahead) in ahead.iter_mut().enumerate() {
                            let mask = (bits >> (8 * register)) as __mmask8;
                            *ahead = _mm512_mask_xor_epi64(*ahead, mask, *ahead, spread);
                        }
                    }};
                }
                push!(0);
                push!(1);
                push!(2);
                push!(3);
                // SAFETY: as for the load
                unsafe { _mm512_storeu_si512(at, ahead[0]) };
                for register in 1..REGISTERS {
                    ahead[register - 1] = ahead[register];
                }
                ahead[REGISTERS - 1] = _mm512_setzero_si512();
            }
        }
        for (register, y) in y[..WINDOW + 4].chunks_exact_mut(LANES).enumerate() {
            let at = y.as_mut_ptr().cast::<__m512i>();
            // SAFETY: the chunk is four blocks
            unsafe {
                _mm512_storeu_si512(
                    at,
                    _mm512_xor_si512(_mm512_loadu_si512(at), ahead[register]),
                );
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,bmi2")]
    fn convolve_words(key: &aes::Key, first: u64, y: &mut [u64]) {
        const LANES: usize = 8;
        // 25 positions from any of the eight lanes on: five registers
        const REGISTERS: usize = 5;
        let mut words = [[0u32; WORDS_PER_BLOCK]; DRAWN / WORDS_PER_BLOCK];
        let mut ahead = [_mm512_setzero_si512(); REGISTERS];
        for (index, y) in y.chunks_mut(DRAWN).enumerate() {
            let blocks = y.len() / WORDS_PER_BLOCK;
            let first = first + (index * DRAWN / WORDS_PER_BLOCK) as u64;
            fill_words(key, first, &mut words[..blocks]);
            let words = words.as_flattened();
            for (y, words) in y.chunks_exact_mut(LANES).zip(words.chunks_exact(LANES)) {
                let at = y.as_mut_ptr().cast::<__m512i>();
                // SAFETY: the chunk is eight words
                let own = unsafe { _mm512_loadu_si512(at) };
                ahead[0] = _mm512_xor_si512(ahead[0], own);
                macro_rules! push {
                    ($lane:literal) => {{
                        let spread = _mm512_permutexvar_epi64(_mm512_set1_epi64($lane), ahead[0]);
                        let bits = u64::from(taps(words[$lane])) << ($lane + 1);
                        for (register, ahead) in ahead.iter_mut().enumerate() {
                            let mask = (bits >> (8 * register)) as __mmask8;
                            *ahead = _mm512_mask_xor_epi64(*ahead, mask, *ahead, spread);
                        }
                    }};
                }
                push!(0);
                push!(1);
                push!(2);
                push!(3);
                push!(4);
                push!(5);
                push!(6);
                push!(7);
                // SAFETY: as for the load
                unsafe { _mm512_storeu_si512(at, ahead[0]) };
                for register in 1..REGISTERS {
                    ahead[register - 1] = ahead[register];
                }
                ahead[REGISTERS - 1] = _mm512_setzero_si512();
            }
        }
        for (register, y) in y[..32].chunks_exact_mut(LANES).enumerate() {
            let at = y.as_mut_ptr().cast::<__m512i>();
            // SAFETY: the chunk is eight words
            unsafe {
                _mm512_storeu_si512(
                    at,
                    _mm512_xor_si512(_mm512_loadu_si512(at), ahead[register]),
                );
            }
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
