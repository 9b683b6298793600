//! Factors that blind points of Curve25519, one for each point, and the factors that undo them.
//!
//! As [`crate::curve::secret`], a factor is uniform and non-zero modulo ℓ, written as its representative in [0, 8ℓ) that is
//! divisible by 8. A point times a factor of its own is a uniform point of the subgroup, whatever the point was. Arithmetic
//! modulo ℓ is Montgomery's (1985), in constant time; inversions share one exponentiation (Montgomery 1987, §10.3.1).

use rayon::prelude::*;
use subtle::{Choice, ConditionallySelectable};
use zeroize::Zeroizing;

use crate::curve::Scalar;
use crate::prg::{Seed, Stream, derive};

/// ℓ = 2^252 + 27742317777372353535851937790883648493, least significant word first.
const ORDER: Residue = [
    0x5812_631a_5cf5_d3ed,
    0x14de_f9de_a2f7_9cd6,
    0,
    0x1000_0000_0000_0000,
];

/// −ℓ^-1 modulo 2^64.
const ORDER_INVERSE: u64 = 0xd2b5_1da3_1254_7e1b;

/// 2^256 modulo ℓ: 1 in Montgomery's form.
const ONE: Residue = [
    0xd6ec_3174_8d98_951d,
    0xc6ef_5bf4_737d_cf70,
    0xffff_ffff_ffff_fffe,
    0x0fff_ffff_ffff_ffff,
];

/// 2^512 modulo ℓ.
const SQUARE: Residue = [
    0xa406_11e3_449c_0f01,
    0xd00e_1ba7_6885_9347,
    0xceec_73d2_17f5_be65,
    0x0399_411b_7c30_9a3d,
];

/// Factors that one task of the pool makes or inverts.
const CHUNK: usize = 256;

/// A number below 2ℓ or, where it says so, below ℓ.
type Residue = [u64; 4];

/// Fills `out` with independent factors from a seed: 512 bits of a stream each, reduced.
pub fn factors(seed: &Seed, out: &mut [Scalar]) {
    let key = Zeroizing::new(derive(seed, "hanse blinding factors", &[]));
    out.par_chunks_mut(CHUNK)
        .enumerate()
        .for_each(|(lane, chunk)| {
            let mut stream = Stream::new(&key, lane as u64);
            let mut words = Zeroizing::new([0u64; 8]);
            for factor in chunk {
                stream.fill(&mut *words);
                let [low, high] = halves(&words);
                let residue = Zeroizing::new(add(&times(&low, &ONE), &times(&high, &SQUARE)));
                *factor = divisible_by_eight(&or_one(&residue));
            }
        });
}

/// For each factor the one that undoes it: their product is 1 modulo ℓ.
///
/// # Errors
/// The first row that is 0 modulo ℓ.
pub fn inverses(factors: &[Scalar], out: &mut [Scalar]) -> Result<(), usize> {
    assert_eq!(factors.len(), out.len(), "one inverse a factor");
    let faults = out
        .par_chunks_mut(CHUNK)
        .zip(factors.par_chunks(CHUNK))
        .enumerate()
        .filter_map(|(index, (out, factors))| {
            invert_chunk(factors, out).map(|row| index * CHUNK + row)
        });
    faults.min().map_or(Ok(()), Err)
}

fn invert_chunk(factors: &[Scalar], out: &mut [Scalar]) -> Option<usize> {
    // in Montgomery's form; products[i] is that of the residues before i
    let mut residues = Zeroizing::new([[0u64; 4]; CHUNK]);
    let mut products = Zeroizing::new([[0u64; 4]; CHUNK]);
    let mut product = ONE;
    for (index, factor) in factors.iter().enumerate() {
        let residue = times(&words_of(factor), &SQUARE);
        if residue == [0; 4] {
            return Some(index);
        }
        residues[index] = residue;
        products[index] = product;
        product = times(&product, &residue);
    }
    let mut inverse = Zeroizing::new(inverted(&product));
    for index in (0..factors.len()).rev() {
        let own = times(&inverse, &products[index]);
        *inverse = times(&inverse, &residues[index]);
        out[index] = divisible_by_eight(&times(&own, &[1, 0, 0, 0]));
    }
    None
}

/// x^(ℓ − 2); x in Montgomery's form.
fn inverted(x: &Residue) -> Residue {
    let mut exponent = ORDER;
    exponent[0] -= 2;
    let mut power = ONE;
    for bit in (0..253).rev() {
        power = times(&power, &power);
        if exponent[bit / 64] >> (bit % 64) & 1 == 1 {
            power = times(&power, x);
        }
    }
    power
}

/// a·b / 2^256 modulo ℓ, below ℓ, for any a < 2^256 and b < ℓ.
fn times(a: &Residue, b: &Residue) -> Residue {
    let mut rest = [0u64; 6];
    for word in a {
        let mut carry = 0u128;
        for index in 0..4 {
            carry += u128::from(rest[index]) + u128::from(*word) * u128::from(b[index]);
            rest[index] = carry as u64;
            carry >>= 64;
        }
        carry += u128::from(rest[4]);
        (rest[4], rest[5]) = (carry as u64, (carry >> 64) as u64);
        let quotient = rest[0].wrapping_mul(ORDER_INVERSE);
        let mut carry = (u128::from(rest[0]) + u128::from(quotient) * u128::from(ORDER[0])) >> 64;
        for index in 1..4 {
            carry += u128::from(rest[index]) + u128::from(quotient) * u128::from(ORDER[index]);
            rest[index - 1] = carry as u64;
            carry >>= 64;
        }
        carry += u128::from(rest[4]);
        rest[3] = carry as u64;
        rest[4] = rest[5] + (carry >> 64) as u64;
    }
    reduced(&[rest[0], rest[1], rest[2], rest[3]])
}

/// a + b modulo ℓ for a, b below ℓ.
fn add(a: &Residue, b: &Residue) -> Residue {
    let mut carry = 0u128;
    let sum = std::array::from_fn(|index| {
        carry += u128::from(a[index]) + u128::from(b[index]);
        let word = carry as u64;
        carry >>= 64;
        word
    });
    reduced(&sum)
}

/// x modulo ℓ for x below 2ℓ.
fn reduced(x: &Residue) -> Residue {
    let mut borrow = false;
    let less: Residue = std::array::from_fn(|index| {
        let (partial, first) = x[index].overflowing_sub(ORDER[index]);
        let (word, second) = partial.overflowing_sub(u64::from(borrow));
        borrow = first | second;
        word
    });
    select(&less, x, Choice::from(u8::from(borrow)))
}

/// 1 in the place of 0, which a uniform number is with probability 2^-252.
fn or_one(x: &Residue) -> Residue {
    let any = x[0] | x[1] | x[2] | x[3];
    let zero = Choice::from(((any | any.wrapping_neg()) >> 63) as u8 ^ 1);
    select(x, &[1, 0, 0, 0], zero)
}

fn select(a: &Residue, b: &Residue, second: Choice) -> Residue {
    std::array::from_fn(|index| u64::conditional_select(&a[index], &b[index], second))
}

/// k + ℓ·t with t = 3k mod 8: since ℓ ≡ 5 and 5·3 ≡ −1 modulo 8, the sum is divisible by 8.
fn divisible_by_eight(residue: &Residue) -> Scalar {
    let count = u128::from(residue[0].wrapping_mul(3) & 7);
    let mut carry = 0u128;
    let mut scalar = [0; 32];
    for (index, octets) in scalar.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        carry += u128::from(residue[index]) + count * u128::from(ORDER[index]);
        *octets = (carry as u64).to_le_bytes();
        carry >>= 64;
    }
    scalar
}

fn words_of(scalar: &Scalar) -> Residue {
    let words = scalar.as_chunks::<8>().0;
    std::array::from_fn(|index| u64::from_le_bytes(words[index]))
}

fn halves(words: &[u64; 8]) -> [Residue; 2] {
    [
        std::array::from_fn(|index| words[index]),
        std::array::from_fn(|index| words[index + 4]),
    ]
}
