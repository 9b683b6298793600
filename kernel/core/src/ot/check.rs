//! The proof that all columns carry the same choices (Roy 2022, §4, over GF(2) with the hash of a whole column).
//!
//! A column is hashed to one element of GF(2^128): the sum of its blocks times random coefficients, the last block times 1.
//! The receiver's choices are hashed alike; their last block is random, so that the hash says nothing of the others. Of
//! honest columns the two sides' hashes differ by (bit of Δ)·(hash of the choices), and the receiver sends the latter and
//! a hash of its columns' hashes. The coefficients come from a hash of all that the receiver sent before (Fiat–Shamir).

use zeroize::Zeroizing;

use super::{COLUMNS, ROW_BYTES, mask_of};
use crate::gf128::{self, Wide};
use crate::prg::{PublicStream, derive};
use crate::simd::Path;

/// Coefficients for columns of `blocks` blocks, bound to all parts that were said.
pub fn coefficients(session: &[u8; 32], said: &[&[u8]], blocks: usize) -> Vec<Wide> {
    let digests: Vec<_> = said.iter().map(|part| blake3::hash(part)).collect();
    let parts: Vec<&[u8]> = digests
        .iter()
        .map(|digest| &digest.as_bytes()[..])
        .collect();
    let mut words = vec![0; 2 * blocks];
    PublicStream::new(session, "ot/coefficients", &parts).fill(&mut words);
    let mut found = words.as_chunks::<2>().0.to_vec();
    if let Some(last) = found.last_mut() {
        *last = [1, 0];
    }
    found
}

/// The hash of each column.
pub fn hash_columns(path: Path, coefficients: &[Wide], columns: &[Wide]) -> Zeroizing<Vec<Wide>> {
    let hashes = columns.chunks_exact(coefficients.len());
    Zeroizing::new(
        hashes
            .map(|column| gf128::inner_product_on(path, coefficients, column))
            .collect(),
    )
}

/// One hash for all columns.
pub fn digest(session: &[u8; 32], hashes: &[Wide]) -> [u8; 32] {
    let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(
        hashes
            .iter()
            .flat_map(|hash| gf128::to_bytes(*hash))
            .collect(),
    );
    *blake3::keyed_hash(&derive(session, "ot/columns", &[]), &bytes).as_bytes()
}

/// From the sender's hashes to the receiver's: minus (bit of Δ)·(hash of the choices).
pub fn correct(hashes: &mut [Wide], delta: &[u8; ROW_BYTES], choices: Wide) {
    assert_eq!(hashes.len(), COLUMNS, "a hash for each bit of Δ");
    for (index, hash) in hashes.iter_mut().enumerate() {
        let mask = mask_of(delta, index);
        *hash = gf128::add(*hash, choices.map(|word| word & mask));
    }
}
