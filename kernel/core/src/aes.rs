//! AES-128 (FIPS 197) over columns of blocks: key streams, and hashes under a fixed public key.
//!
//! The hashes model AES under a key that everybody knows as a random permutation π (Guo, Katz, Wang, Yu: "Efficient and
//! secure multiparty computation from fixed-key block ciphers", IEEE S&P 2020):
//!
//! - [`Key::hash_blocks`]: H(x) = π(x) ⊕ x, correlation robust (§7.2 there);
//! - [`Key::hash_tweaked`]: H(i, x) = π(π(x) ⊕ i) ⊕ π(x), tweakable circular correlation robust (§7.4 there).
//!
//! Choose the fixed key anew for each run, from public coins of both parties: work done against one run then helps
//! against no other. Every path takes the same time whatever keys and blocks are: the processor's instructions where it
//! has them, the bit-sliced crate `aes` elsewhere (which takes the instructions of other processors by itself).

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use zeroize::Zeroize;

use crate::simd::{self, Path};

/// Sixteen bytes, little-endian: the first eight are the first word.
pub type Block = [u64; 2];

/// Size of a key and of a block.
pub const BLOCK_BYTES: usize = 16;

/// An AES-128 key, expanded for one path. Wiped when dropped.
#[derive(Clone)]
pub struct Key(Schedule);

#[derive(Clone)]
enum Schedule {
    // boxed: the bit-sliced schedule is larger than the round keys
    Portable(Box<Aes128>),
    #[cfg(target_arch = "x86_64")]
    Native {
        wide: bool,
        rounds: [Block; 11],
    },
}

impl Drop for Key {
    fn drop(&mut self) {
        // the crate wipes its own schedule
        #[cfg(target_arch = "x86_64")]
        if let Schedule::Native { rounds, .. } = &mut self.0 {
            rounds.zeroize();
        }
    }
}

/// What is computed from a block x at place i: the number is a const parameter of the kernels.
const ENCRYPT: u8 = 0;
const HASH: u8 = 1;
const HASH_TWEAKED: u8 = 2;
const STREAM: u8 = 3;

impl Key {
    /// The key on this process's path.
    pub fn new(bytes: &[u8; BLOCK_BYTES]) -> Self {
        Self::new_on(simd::path(), bytes)
    }

    /// The key on `path`, which this processor must have.
    pub fn new_on(path: Path, bytes: &[u8; BLOCK_BYTES]) -> Self {
        assert!(path.is_available(), "a path that this processor has");
        match path {
            Path::Portable => Self(Schedule::Portable(Box::new(Aes128::new(&(*bytes).into())))),
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 | Path::Avx512 => Self(Schedule::Native {
                wide: path == Path::Avx512,
                // SAFETY: the path is available, and every path but the portable one has AES-NI
                rounds: unsafe { x86::expand(bytes) },
            }),
            #[cfg(not(target_arch = "x86_64"))]
            Path::Avx2 | Path::Avx512 => unreachable!("only x86-64 has this path"),
        }
    }

    /// x ← π(x).
    pub fn encrypt(&self, blocks: &mut [Block]) {
        self.run::<ENCRYPT>(0, blocks);
    }

    /// x ← π(x) ⊕ x.
    pub fn hash_blocks(&self, blocks: &mut [Block]) {
        self.run::<HASH>(0, blocks);
    }

    /// The i-th x ← π(π(x) ⊕ (`first` + i)) ⊕ π(x).
    pub fn hash_tweaked(&self, first: u64, blocks: &mut [Block]) {
        self.run::<HASH_TWEAKED>(first, blocks);
    }

    /// Counter mode: the i-th block of `out` is π(`first` + i). A secret key makes it a secret stream.
    pub fn fill(&self, first: u64, out: &mut [Block]) {
        self.run::<STREAM>(first, out);
    }

    fn run<const WHAT: u8>(&self, first: u64, blocks: &mut [Block]) {
        match &self.0 {
            Schedule::Portable(cipher) => portable::<WHAT>(cipher, first, blocks),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `new_on` has checked that the processor has these instructions
            Schedule::Native { wide: true, rounds } => unsafe {
                x86::run_512::<WHAT>(rounds, first, blocks);
            },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above
            Schedule::Native {
                wide: false,
                rounds,
            } => unsafe {
                x86::run_128::<WHAT>(rounds, first, blocks);
            },
        }
    }
}

/// Two children of each parent: children 2i and 2i+1 are H(parent i) under the left and under the right key.
///
/// The last parent may have the left child only.
///
/// # Panics
/// When `children` is neither twice as long as `parents` nor one shorter, or the keys are of different paths.
pub fn double(left: &Key, right: &Key, parents: &[Block], children: &mut [Block]) {
    assert_eq!(
        children.len().div_ceil(2),
        parents.len(),
        "two children of each parent"
    );
    match (&left.0, &right.0) {
        (Schedule::Portable(_), Schedule::Portable(_)) => {
            for (parent, pair) in parents.iter().zip(children.chunks_mut(2)) {
                pair.fill(*parent);
                let (even, odd) = pair.split_at_mut(1);
                left.hash_blocks(even);
                right.hash_blocks(odd);
            }
        }
        #[cfg(target_arch = "x86_64")]
        (
            Schedule::Native { wide, rounds },
            Schedule::Native {
                wide: same,
                rounds: odd,
            },
        ) => {
            assert_eq!(wide, same, "keys of one path");
            // SAFETY: `new_on` has checked that the processor has these instructions; the lengths fit, as asserted
            unsafe {
                if *wide {
                    x86::double_512(rounds, odd, parents, children);
                } else {
                    x86::double_128(rounds, odd, parents, children);
                }
            }
        }
        #[cfg(target_arch = "x86_64")]
        _ => panic!("keys of one path"),
    }
}

fn portable<const WHAT: u8>(cipher: &Aes128, first: u64, blocks: &mut [Block]) {
    const LANES: usize = 16;
    let mut batch = [aes::Block::default(); LANES];
    for (chunk_index, chunk) in blocks.chunks_mut(LANES).enumerate() {
        let first = first.wrapping_add((chunk_index * LANES) as u64);
        let batch = &mut batch[..chunk.len()];
        let place = |index: usize| [first.wrapping_add(index as u64), 0];
        for (index, (octets, block)) in batch.iter_mut().zip(chunk.iter()).enumerate() {
            octets.copy_from_slice(&to_bytes(if WHAT == STREAM {
                place(index)
            } else {
                *block
            }));
        }
        cipher.encrypt_blocks(batch);
        if WHAT == HASH_TWEAKED {
            for (index, (octets, block)) in batch.iter_mut().zip(chunk.iter_mut()).enumerate() {
                *block = from_bytes(octets.as_slice());
                octets.copy_from_slice(&to_bytes(xor(*block, place(index))));
            }
            cipher.encrypt_blocks(batch);
        }
        for (octets, block) in batch.iter().zip(chunk.iter_mut()) {
            let image = from_bytes(octets.as_slice());
            *block = match WHAT {
                HASH | HASH_TWEAKED => xor(image, *block),
                _ => image,
            };
        }
    }
    for octets in &mut batch {
        octets.as_mut_slice().zeroize();
    }
}

/// Sum in GF(2)^128.
#[inline(always)]
pub const fn xor(left: Block, right: Block) -> Block {
    [left[0] ^ right[0], left[1] ^ right[1]]
}

/// The block of sixteen bytes.
///
/// # Panics
/// When there are not sixteen.
#[inline(always)]
pub fn from_bytes(bytes: &[u8]) -> Block {
    let (words, rest) = bytes.as_chunks::<8>();
    assert!(words.len() == 2 && rest.is_empty(), "sixteen bytes");
    [u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])]
}

/// The sixteen bytes of a block.
#[inline(always)]
pub fn to_bytes(block: Block) -> [u8; BLOCK_BYTES] {
    let mut bytes = [0; BLOCK_BYTES];
    bytes[..8].copy_from_slice(&block[0].to_le_bytes());
    bytes[8..].copy_from_slice(&block[1].to_le_bytes());
    bytes
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::x86_64::*;

    use super::{Block, ENCRYPT, HASH, HASH_TWEAKED, STREAM};

    /// Blocks that the 128-bit kernel has in flight: one round takes four cycles, two start in each.
    const FLIGHT_128: usize = 8;
    /// Registers of four blocks that the 512-bit kernel has in flight.
    const FLIGHT_512: usize = 8;

    /// FIPS 197 §5.2.
    #[target_feature(enable = "aes,sse4.1")]
    pub fn expand(bytes: &[u8; 16]) -> [Block; 11] {
        #[target_feature(enable = "aes,sse4.1")]
        fn next<const CONSTANT: i32>(key: __m128i) -> __m128i {
            let word = _mm_shuffle_epi32::<0xff>(_mm_aeskeygenassist_si128::<CONSTANT>(key));
            let key = _mm_xor_si128(key, _mm_slli_si128::<4>(key));
            let key = _mm_xor_si128(key, _mm_slli_si128::<8>(key));
            _mm_xor_si128(key, word)
        }
        let first = super::from_bytes(bytes);
        let mut key = _mm_set_epi64x(first[1] as i64, first[0] as i64);
        let mut rounds = [first; 11];
        macro_rules! round {
            ($($index:literal $constant:literal),*) => {$(
                key = next::<$constant>(key);
                rounds[$index] = [_mm_cvtsi128_si64(key) as u64, _mm_extract_epi64::<1>(key) as u64];
            )*};
        }
        round!(1 0x01, 2 0x02, 3 0x04, 4 0x08, 5 0x10, 6 0x20, 7 0x40, 8 0x80, 9 0x1b, 10 0x36);
        rounds
    }

    #[inline]
    #[target_feature(enable = "aes,sse4.1")]
    fn load_rounds(rounds: &[Block; 11]) -> [__m128i; 11] {
        let mut keys = [_mm_setzero_si128(); 11];
        for (key, round) in keys.iter_mut().zip(rounds) {
            *key = _mm_set_epi64x(round[1] as i64, round[0] as i64);
        }
        keys
    }

    #[inline]
    #[target_feature(enable = "aes,sse4.1")]
    fn permute_128<const LANES: usize>(keys: &[__m128i; 11], x: &mut [__m128i; LANES]) {
        for x in x.iter_mut() {
            *x = _mm_xor_si128(*x, keys[0]);
        }
        for key in &keys[1..10] {
            for x in x.iter_mut() {
                *x = _mm_aesenc_si128(*x, *key);
            }
        }
        for x in x.iter_mut() {
            *x = _mm_aesenclast_si128(*x, keys[10]);
        }
    }

    #[inline]
    #[target_feature(enable = "aes,sse4.1")]
    fn map_128<const WHAT: u8, const LANES: usize>(
        keys: &[__m128i; 11],
        first: u64,
        blocks: &mut [Block],
    ) {
        debug_assert_eq!(blocks.len(), LANES);
        let at = blocks.as_mut_ptr().cast::<__m128i>();
        let mut x = [_mm_setzero_si128(); LANES];
        for (lane, x) in x.iter_mut().enumerate() {
            *x = if WHAT == STREAM {
                _mm_set_epi64x(0, first.wrapping_add(lane as u64) as i64)
            } else {
                // SAFETY: lane < blocks.len()
                unsafe { _mm_loadu_si128(at.add(lane)) }
            };
        }
        let mut keep = x;
        permute_128(keys, &mut x);
        if WHAT == HASH_TWEAKED {
            keep = x;
            for (lane, x) in x.iter_mut().enumerate() {
                let place = _mm_set_epi64x(0, first.wrapping_add(lane as u64) as i64);
                *x = _mm_xor_si128(*x, place);
            }
            permute_128(keys, &mut x);
        }
        for (lane, (x, keep)) in x.iter().zip(&keep).enumerate() {
            let image = match WHAT {
                ENCRYPT | STREAM => *x,
                _ => _mm_xor_si128(*x, *keep),
            };
            // SAFETY: lane < blocks.len()
            unsafe { _mm_storeu_si128(at.add(lane), image) };
        }
    }

    #[target_feature(enable = "aes,sse4.1")]
    pub fn run_128<const WHAT: u8>(rounds: &[Block; 11], first: u64, blocks: &mut [Block]) {
        let keys = load_rounds(rounds);
        let mut first = first;
        let (batches, rest) = blocks.as_chunks_mut::<FLIGHT_128>();
        for batch in batches {
            map_128::<WHAT, FLIGHT_128>(&keys, first, batch);
            first = first.wrapping_add(FLIGHT_128 as u64);
        }
        for block in rest {
            map_128::<WHAT, 1>(&keys, first, std::slice::from_mut(block));
            first = first.wrapping_add(1);
        }
    }

    /// # Safety
    /// `children` holds two blocks for each of `parents`, or one fewer.
    #[target_feature(enable = "aes,sse4.1")]
    pub unsafe fn double_128(
        left: &[Block; 11],
        right: &[Block; 11],
        parents: &[Block],
        children: &mut [Block],
    ) {
        const PARENTS: usize = FLIGHT_128 / 2;
        let (left, right) = (load_rounds(left), load_rounds(right));
        let (batches, rest) = parents.as_chunks::<PARENTS>();
        let whole = if children.len() == 2 * parents.len() || !rest.is_empty() {
            batches.len()
        } else {
            batches.len() - 1
        };
        for (index, batch) in batches[..whole].iter().enumerate() {
            let from = batch.as_ptr().cast::<__m128i>();
            let mut keep = [_mm_setzero_si128(); PARENTS];
            for (lane, keep) in keep.iter_mut().enumerate() {
                // SAFETY: lane < PARENTS
                *keep = unsafe { _mm_loadu_si128(from.add(lane)) };
            }
            let (mut even, mut odd) = (keep, keep);
            permute_128(&left, &mut even);
            permute_128(&right, &mut odd);
            // SAFETY: 2·PARENTS·(index + 1) blocks are at most all children: only whole pairs are counted in `whole`
            unsafe {
                let to = children
                    .as_mut_ptr()
                    .add(2 * PARENTS * index)
                    .cast::<__m128i>();
                for lane in 0..PARENTS {
                    _mm_storeu_si128(to.add(2 * lane), _mm_xor_si128(even[lane], keep[lane]));
                    _mm_storeu_si128(to.add(2 * lane + 1), _mm_xor_si128(odd[lane], keep[lane]));
                }
            }
        }
        let done = whole * PARENTS;
        for (parent, pair) in parents[done..]
            .iter()
            .zip(children[2 * done..].chunks_mut(2))
        {
            pair.fill(*parent);
            let (first, second) = pair.split_at_mut(1);
            map_128::<HASH, 1>(&left, 0, first);
            if !second.is_empty() {
                map_128::<HASH, 1>(&right, 0, second);
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,vaes")]
    fn widen(keys: &[__m128i; 11]) -> [__m512i; 11] {
        let mut wide = [_mm512_setzero_si512(); 11];
        for (wide, key) in wide.iter_mut().zip(keys) {
            *wide = _mm512_broadcast_i32x4(*key);
        }
        wide
    }

    #[inline]
    #[target_feature(enable = "avx512f,vaes")]
    fn permute_512<const LANES: usize>(keys: &[__m512i; 11], x: &mut [__m512i; LANES]) {
        for x in x.iter_mut() {
            *x = _mm512_xor_si512(*x, keys[0]);
        }
        for key in &keys[1..10] {
            for x in x.iter_mut() {
                *x = _mm512_aesenc_epi128(*x, *key);
            }
        }
        for x in x.iter_mut() {
            *x = _mm512_aesenclast_epi128(*x, keys[10]);
        }
    }

    /// The places `first`, `first` + 1, … of four blocks.
    #[inline]
    #[target_feature(enable = "avx512f,vaes")]
    fn places(first: u64) -> __m512i {
        let step = _mm512_set_epi64(0, 3, 0, 2, 0, 1, 0, 0);
        // only the lower word of each block is a counter
        _mm512_maskz_add_epi64(0x55, _mm512_set1_epi64(first as i64), step)
    }

    /// `keep` says which words of the last register there are.
    #[inline]
    #[target_feature(enable = "avx512f,vaes")]
    fn map_512<const WHAT: u8, const LANES: usize>(
        keys: &[__m512i; 11],
        first: u64,
        at: *mut i64,
        words: __mmask8,
    ) {
        let mut x = [_mm512_setzero_si512(); LANES];
        for (lane, x) in x.iter_mut().enumerate() {
            *x = if WHAT == STREAM {
                places(first.wrapping_add(4 * lane as u64))
            } else {
                // SAFETY: the caller has room for LANES registers, the last one up to `words`, which masks the access
                unsafe { _mm512_maskz_loadu_epi64(mask::<LANES>(lane, words), at.add(8 * lane)) }
            };
        }
        let mut keep = x;
        permute_512(keys, &mut x);
        if WHAT == HASH_TWEAKED {
            keep = x;
            for (lane, x) in x.iter_mut().enumerate() {
                *x = _mm512_xor_si512(*x, places(first.wrapping_add(4 * lane as u64)));
            }
            permute_512(keys, &mut x);
        }
        for lane in 0..LANES {
            let image = match WHAT {
                ENCRYPT | STREAM => x[lane],
                _ => _mm512_xor_si512(x[lane], keep[lane]),
            };
            // SAFETY: as for the loads
            unsafe {
                _mm512_mask_storeu_epi64(at.add(8 * lane), mask::<LANES>(lane, words), image);
            }
        }
    }

    #[inline(always)]
    const fn mask<const LANES: usize>(lane: usize, words: __mmask8) -> __mmask8 {
        if lane + 1 == LANES { words } else { 0xff }
    }

    #[target_feature(enable = "avx512f,vaes")]
    pub fn run_512<const WHAT: u8>(rounds: &[Block; 11], first: u64, blocks: &mut [Block]) {
        const BATCH: usize = 4 * FLIGHT_512;
        let keys = widen(&load_rounds(rounds));
        let mut first = first;
        let (batches, rest) = blocks.as_chunks_mut::<BATCH>();
        for batch in batches {
            map_512::<WHAT, FLIGHT_512>(&keys, first, batch.as_mut_ptr().cast(), 0xff);
            first = first.wrapping_add(BATCH as u64);
        }
        for batch in rest.chunks_mut(4) {
            let words = 0xff >> (8 - 2 * batch.len());
            map_512::<WHAT, 1>(&keys, first, batch.as_mut_ptr().cast(), words);
            first = first.wrapping_add(4);
        }
    }

    /// # Safety
    /// `children` holds two blocks for each of `parents`, or one fewer.
    #[target_feature(enable = "avx512f,vaes")]
    pub unsafe fn double_512(
        left: &[Block; 11],
        right: &[Block; 11],
        parents: &[Block],
        children: &mut [Block],
    ) {
        const LANES: usize = FLIGHT_512 / 2;
        const PARENTS: usize = 4 * LANES;
        let (narrow_left, narrow_right) = (load_rounds(left), load_rounds(right));
        let (left, right) = (widen(&narrow_left), widen(&narrow_right));
        let (low, high) = (
            _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0),
            _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4),
        );
        for (parents, children) in parents
            .chunks(PARENTS)
            .zip(children.chunks_mut(2 * PARENTS))
        {
            if children.len() < 2 * PARENTS {
                for (parent, pair) in parents.chunks(4).zip(children.chunks_mut(8)) {
                    let mut room = [[0u64; 2]; 4];
                    room[..parent.len()].copy_from_slice(parent);
                    // SAFETY: four blocks are read from the array of four, and eight written to the array of eight
                    unsafe {
                        let keep = _mm512_loadu_si512(room.as_ptr().cast());
                        let (mut even, mut odd) = ([keep], [keep]);
                        permute_512(&left, &mut even);
                        permute_512(&right, &mut odd);
                        let even = _mm512_xor_si512(even[0], keep);
                        let odd = _mm512_xor_si512(odd[0], keep);
                        let mut out = [[0u64; 2]; 8];
                        let to = out.as_mut_ptr().cast::<__m512i>();
                        _mm512_storeu_si512(to, _mm512_permutex2var_epi64(even, low, odd));
                        _mm512_storeu_si512(to.add(1), _mm512_permutex2var_epi64(even, high, odd));
                        pair.copy_from_slice(&out[..pair.len()]);
                    }
                }
                return;
            }
            let from = parents.as_ptr().cast::<__m512i>();
            let to = children.as_mut_ptr().cast::<__m512i>();
            // SAFETY: both chunks are whole here: PARENTS blocks are read and 2·PARENTS written
            unsafe {
                let mut keep = [_mm512_setzero_si512(); LANES];
                for (lane, keep) in keep.iter_mut().enumerate() {
                    *keep = _mm512_loadu_si512(from.add(lane));
                }
                let (mut even, mut odd) = (keep, keep);
                permute_512(&left, &mut even);
                permute_512(&right, &mut odd);
                for lane in 0..LANES {
                    let even = _mm512_xor_si512(even[lane], keep[lane]);
                    let odd = _mm512_xor_si512(odd[lane], keep[lane]);
                    _mm512_storeu_si512(
                        to.add(2 * lane),
                        _mm512_permutex2var_epi64(even, low, odd),
                    );
                    _mm512_storeu_si512(
                        to.add(2 * lane + 1),
                        _mm512_permutex2var_epi64(even, high, odd),
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(count: usize) -> Vec<Block> {
        (0..count as u64)
            .map(|i| {
                [
                    i.wrapping_mul(0x9e37_79b9_7f4a_7c15),
                    i.rotate_left(40) ^ 77,
                ]
            })
            .collect()
    }

    fn one(cipher: &Aes128, block: Block) -> Block {
        let mut octets: aes::Block = to_bytes(block).into();
        cipher.encrypt_block(&mut octets);
        from_bytes(octets.as_slice())
    }

    #[test]
    fn every_path_encrypts_as_the_standard_says() {
        // FIPS 197, appendix C.1
        let key: [u8; 16] = std::array::from_fn(|index| index as u8);
        let plain: [u8; 16] = std::array::from_fn(|index| 0x11 * index as u8);
        let expected = 0x69c4_e0d8_6a7b_0430_d8cd_b780_70b4_c55a_u128.to_be_bytes();
        for path in simd::available() {
            let mut found = [from_bytes(&plain)];
            Key::new_on(path, &key).encrypt(&mut found);
            assert_eq!(to_bytes(found[0]), expected, "{}", path.name());
        }
    }

    #[test]
    fn every_path_computes_the_formulas_at_every_length() {
        let key = [0x5a; 16];
        let cipher = Aes128::new(&key.into());
        let first = u64::MAX - 3;
        let place = |index: usize| [first.wrapping_add(index as u64), 0];
        for path in simd::available() {
            let fixed = Key::new_on(path, &key);
            for count in (0..70).chain([128, 131]) {
                let input = blocks(count);
                let check =
                    |name: &str, run: &dyn Fn(&mut [Block]), of: &dyn Fn(usize) -> Block| {
                        let mut found = input.clone();
                        run(&mut found);
                        let expected: Vec<_> = (0..count).map(of).collect();
                        assert_eq!(found, expected, "{name}, {count} blocks, {}", path.name());
                    };
                check("encrypt", &|b| fixed.encrypt(b), &|i| {
                    one(&cipher, input[i])
                });
                check("hash", &|b| fixed.hash_blocks(b), &|i| {
                    xor(one(&cipher, input[i]), input[i])
                });
                check("stream", &|b| fixed.fill(first, b), &|i| {
                    one(&cipher, place(i))
                });
                check("tweaked", &|b| fixed.hash_tweaked(first, b), &|i| {
                    let image = one(&cipher, input[i]);
                    xor(one(&cipher, xor(image, place(i))), image)
                });
            }
        }
    }

    #[test]
    fn every_path_gives_each_parent_its_two_children_in_order() {
        let (left, right) = ([1; 16], [2; 16]);
        let ciphers = [Aes128::new(&left.into()), Aes128::new(&right.into())];
        for path in simd::available() {
            let (left, right) = (Key::new_on(path, &left), Key::new_on(path, &right));
            for children in 0..140usize {
                let parents = blocks(children.div_ceil(2));
                let mut found = vec![[0; 2]; children];
                double(&left, &right, &parents, &mut found);
                for (index, child) in found.iter().enumerate() {
                    let parent = parents[index / 2];
                    let expected = xor(one(&ciphers[index % 2], parent), parent);
                    assert_eq!(
                        *child,
                        expected,
                        "child {index} of {children}, {}",
                        path.name()
                    );
                }
            }
        }
    }
}
