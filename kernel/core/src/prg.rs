//! Streams of pseudorandom words from 32-byte seeds.
//!
//! Secret streams are ChaCha20 (RFC 8439) under a key derived from the seed; public ones, which a protocol treats as the
//! output of a random oracle, are BLAKE3 in its extendable-output mode.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use zeroize::Zeroize;

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

/// A secret stream of words: ChaCha20 under a key of its own, at nonce `lane`.
pub struct Stream {
    cipher: ChaCha20,
}

impl Stream {
    pub fn new(key: &Seed, lane: u64) -> Self {
        let mut nonce = [0u8; 12];
        nonce[..8].copy_from_slice(&lane.to_le_bytes());
        Self {
            cipher: ChaCha20::new(&(*key).into(), &nonce.into()),
        }
    }

    /// The next words of the stream, little-endian.
    pub fn fill(&mut self, words: &mut [u64]) {
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
