//! Factors of points: residues modulo ℓ and their representatives in [0, 8ℓ), in constant time.

use subtle::{Choice, ConditionallySelectable};
use zeroize::Zeroizing;

use crate::prg::{Seed, derive};

/// A factor of points: 256 bits, little-endian, constant length.
pub type Scalar = [u8; 32];

/// ℓ, the prime order of the subgroup, least significant word first.
const ORDER: [u64; 4] = [
    0x5812_631a_5cf5_d3ed,
    0x14de_f9de_a2f7_9cd6,
    0,
    0x1000_0000_0000_0000,
];

/// A number modulo ℓ, least significant word first, wiped when it goes.
pub(super) type Residue = Zeroizing<[u64; 4]>;

/// A blinding factor: uniform non-zero modulo ℓ, and the representative in [0, 8ℓ) that is divisible by 8.
///
/// Such a factor sends every small-order component to the identity, and factors commute exactly.
pub fn secret(seed: &Seed) -> Scalar {
    let mut attempt = 0u64;
    loop {
        let parts: [&[u8]; 2] = [&attempt.to_le_bytes(), b"low"];
        let low = Zeroizing::new(derive(seed, "hanse curve secret", &parts));
        let parts: [&[u8]; 2] = [&attempt.to_le_bytes(), b"high"];
        let high = Zeroizing::new(derive(seed, "hanse curve secret", &parts));
        let residue = residue(&low, &high);
        if *residue != [0; 4] {
            return divisible_by_eight(&residue);
        }
        attempt += 1;
    }
}

/// low + 2^256·high modulo ℓ, bit by bit and in constant time.
pub(super) fn residue(low: &[u8; 32], high: &[u8; 32]) -> Residue {
    let mut rest = Zeroizing::new([0u64; 4]);
    for byte in low.iter().chain(high).rev() {
        for bit in (0..8).rev() {
            let mut carry = u64::from(byte >> bit & 1);
            for word in rest.iter_mut() {
                (*word, carry) = (*word << 1 | carry, *word >> 63);
            }
            let mut reduced = [0u64; 4];
            let mut borrow = false;
            for index in 0..4 {
                let (partial, first) = rest[index].overflowing_sub(ORDER[index]);
                let (word, second) = partial.overflowing_sub(u64::from(borrow));
                reduced[index] = word;
                borrow = first | second;
            }
            let keep = Choice::from(u8::from(borrow));
            for (word, reduced) in rest.iter_mut().zip(&reduced) {
                *word = u64::conditional_select(reduced, word, keep);
            }
        }
    }
    rest
}

/// k + ℓ·t with t = 3k mod 8: since ℓ ≡ 5 and 5·3 ≡ −1 modulo 8, the sum is divisible by 8.
pub(super) fn divisible_by_eight(residue: &[u64; 4]) -> Scalar {
    plus_orders(residue, (residue[0].wrapping_mul(3) & 7) as u8)
}

/// k + ℓ·times, for times below 8.
pub(super) fn plus_orders(residue: &[u64; 4], times: u8) -> Scalar {
    let mut carry = 0u128;
    let mut scalar = [0; 32];
    for (octets, (word, order)) in scalar
        .as_chunks_mut::<8>()
        .0
        .iter_mut()
        .zip(residue.iter().zip(ORDER))
    {
        let sum = u128::from(*word) + u128::from(times) * u128::from(order) + carry;
        *octets = (sum as u64).to_le_bytes();
        carry = sum >> 64;
    }
    scalar
}
