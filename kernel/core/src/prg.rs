//! Streams of pseudorandom words from 32-byte seeds.
//!
//! Secret streams are ChaCha20 (RFC 8439) under a key derived from the seed; public ones, which a protocol treats as the
//! output of a random oracle, are BLAKE3 in its extendable-output mode.

#[cfg(target_arch = "x86_64")]
mod avx512;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
use zeroize::Zeroize;

use crate::simd::{self, Path};

/// A seed: uniform, secret unless its name says otherwise, used once.
pub type Seed = [u8; 32];

/// A key that is independent of every other (label, parts): BLAKE3 keyed with `seed`.
///
/// Every part is preceded by its length, so that no two lists of parts are read alike.
pub fn derive(seed: &Seed, label: &str, parts: &[&[u8]]) -> Seed {
    let mut hasher = blake3::Hasher::new_keyed(seed);
    for part in [label.as_bytes()].iter().chain(parts) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let key = *hasher.finalize().as_bytes();
    hasher.zeroize();
    key
}

/// A secret stream of words: ChaCha20 under a key of its own, at nonce `lane`. The same words on every path.
pub struct Stream {
    path: Path,
    cipher: ChaCha20,
    key: Seed,
    lane: u64,
    /// Words given so far, and whether the cipher is behind them.
    given: u64,
    behind: bool,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl Stream {
    pub fn new(key: &Seed, lane: u64) -> Self {
        Self::new_on(simd::path(), key, lane)
    }

    /// As [`Stream::new`], on a given path.
    pub fn new_on(path: Path, key: &Seed, lane: u64) -> Self {
        assert!(path.is_available(), "a path that this processor has");
        let mut nonce = [0u8; 12];
        nonce[..8].copy_from_slice(&lane.to_le_bytes());
        Self {
            path,
            cipher: ChaCha20::new(&(*key).into(), &nonce.into()),
            key: *key,
            lane,
            given: 0,
            behind: false,
        }
    }

    /// The next words of the stream, little-endian.
    pub fn fill(&mut self, words: &mut [u64]) {
        let done = self.fill_batches(words);
        let words = &mut words[done..];
        if words.is_empty() {
            return;
        }
        if std::mem::take(&mut self.behind) {
            self.cipher.seek(8 * self.given);
        }
        self.given += words.len() as u64;
        let mut bytes = [0u8; 512];
        for chunk in words.chunks_mut(64) {
            let bytes = &mut bytes[..chunk.len() * 8];
            bytes.fill(0);
            self.cipher.apply_keystream(bytes);
            for (word, octets) in chunk.iter_mut().zip(bytes.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*octets);
            }
        }
        bytes.zeroize();
    }

    /// As many whole batches of blocks as there are; returns how many words that is.
    #[cfg(target_arch = "x86_64")]
    fn fill_batches(&mut self, words: &mut [u64]) -> usize {
        if self.path != Path::Avx512 || !self.given.is_multiple_of(8) {
            return 0;
        }
        let mut key = [0; 8];
        for (word, octets) in key.iter_mut().zip(self.key.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*octets);
        }
        let nonce = [self.lane as u32, (self.lane >> 32) as u32, 0];
        let (batches, _) = words.as_chunks_mut::<{ avx512::BATCH }>();
        for batch in batches.iter_mut() {
            let block = self.given / 8;
            assert!(block + 16 <= 1 << 32, "a stream has 2^32 blocks");
            // SAFETY: `new_on` has checked that the processor has these instructions
            unsafe { avx512::fill(&key, block as u32, &nonce, batch) };
            self.given += avx512::BATCH as u64;
        }
        key.zeroize();
        self.behind |= !batches.is_empty();
        batches.len() * avx512::BATCH
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn fill_batches(&mut self, _: &mut [u64]) -> usize {
        0
    }
}

/// A public stream of words: BLAKE3-XOF of (seed, label, parts).
pub struct PublicStream {
    reader: blake3::OutputReader,
}

impl PublicStream {
    pub fn new(seed: &Seed, label: &str, parts: &[&[u8]]) -> Self {
        let key = derive(seed, label, parts);
        Self {
            reader: blake3::Hasher::new_keyed(&key).finalize_xof(),
        }
    }

    pub fn fill(&mut self, words: &mut [u64]) {
        let mut bytes = [0u8; 512];
        for chunk in words.chunks_mut(64) {
            let bytes = &mut bytes[..chunk.len() * 8];
            self.reader.fill(bytes);
            for (word, octets) in chunk.iter_mut().zip(bytes.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*octets);
            }
        }
    }
}
