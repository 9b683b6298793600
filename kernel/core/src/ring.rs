//! The ring R_q = Z_q[X]/(X^N + 1) in residues modulo the primes of q, and the public elements that a seed stands for.

use rayon::prelude::*;

use crate::ntt::{Factor, Transform};
use crate::parameters::Parameters;
use crate::prg::{PublicStream, Seed};
use crate::sampling::fill_uniform;

/// An integer in [0, q), q < 2^192, least significant word first.
pub type Wide = [u64; 3];

/// Residues of an integer modulo each prime; unused places are zero.
pub type Residues = [u64; 3];

/// Transforms and constants of one parameter set.
pub struct Ring {
    transforms: Vec<Transform>,
    modulus: Wide,
    /// 1/(p₀…p_(i−1)) mod p_i.
    garner: Vec<Factor>,
    /// p_j mod p_i for j < i.
    crossed: Vec<Vec<Factor>>,
    /// p₀…p_(i−1) as an integer.
    partial: Vec<Wide>,
}

impl Ring {
    pub fn new(parameters: &Parameters) -> Self {
        let transforms: Vec<_> = parameters
            .primes
            .iter()
            .map(|prime| Transform::new(*prime, parameters.ring_degree))
            .collect();
        let mut partial = vec![[1, 0, 0]];
        let mut garner = Vec::new();
        for (index, transform) in transforms.iter().enumerate() {
            let prime = transform.prime();
            let below = parameters.primes[..index].iter().fold(1u128, |product, p| {
                product * u128::from(*p) % u128::from(prime)
            });
            garner.push(transform.factor(crate::ntt::power(below as u64, prime - 2, prime)));
            partial.push(multiply_small(partial[index], prime));
        }
        let modulus = partial[transforms.len()];
        let crossed = transforms.iter().enumerate().map(|(index, transform)| {
            let earlier = parameters.primes[..index].iter();
            earlier
                .map(|prime| transform.factor(transform.reduce(*prime)))
                .collect()
        });
        let crossed = crossed.collect();
        Self {
            transforms,
            modulus,
            garner,
            crossed,
            partial,
        }
    }

    pub fn degree(&self) -> usize {
        self.transforms[0].degree()
    }

    /// One transform per prime of q.
    pub fn transforms(&self) -> &[Transform] {
        &self.transforms
    }

    pub fn modulus(&self) -> Wide {
        self.modulus
    }

    /// The integer in [0, q) with these residues (Garner's mixed radix).
    #[inline]
    pub fn compose(&self, residues: Residues) -> Wide {
        let mut value = [residues[0], 0, 0];
        let mut digits = [residues[0], 0, 0];
        for index in 1..self.transforms.len() {
            let transform = &self.transforms[index];
            // the value so far, modulo this prime, by Horner over the digits
            let mut known = 0;
            for earlier in (0..index).rev() {
                let shifted = transform.multiply(known, self.crossed[index][earlier]);
                known = transform.add(shifted, transform.reduce(digits[earlier]));
            }
            let digit = transform.multiply(
                transform.subtract(residues[index], known),
                self.garner[index],
            );
            digits[index] = digit;
            value = add_wide(value, multiply_small(self.partial[index], digit));
        }
        value
    }
}

/// A uniform element in the transform domain: a factor of many products.
pub struct PublicElement {
    /// `values[prime][slot]`.
    values: Vec<Vec<u64>>,
}

impl PublicElement {
    /// Element `index` of the public part that `seed` stands for, sampled directly in the transform domain.
    pub fn expand(ring: &Ring, parameters: &Parameters, seed: &Seed, index: u64) -> Self {
        let values = ring
            .transforms
            .iter()
            .enumerate()
            .map(|(place, transform)| {
                let parts: [&[u8]; 3] = [
                    parameters.name.as_bytes(),
                    &index.to_le_bytes(),
                    &(place as u64).to_le_bytes(),
                ];
                let mut values = vec![0u64; ring.degree()];
                fill_uniform(
                    &mut PublicStream::new(seed, "hanse ring public element", &parts),
                    transform.prime(),
                    &mut values,
                );
                values
            });
        Self {
            values: values.collect(),
        }
    }

    /// Values below prime number `place`.
    #[inline]
    pub fn values(&self, place: usize) -> &[u64] {
        &self.values[place]
    }
}

/// The dummy element a_D, then a_1 … a_J.
pub fn expand_public(
    ring: &Ring,
    parameters: &Parameters,
    seed: &Seed,
    blocks: usize,
) -> Vec<PublicElement> {
    (0..=blocks as u64)
        .into_par_iter()
        .map(|index| PublicElement::expand(ring, parameters, seed, index))
        .collect()
}

fn multiply_small(value: Wide, factor: u64) -> Wide {
    let mut carry = 0u128;
    value.map(|word| {
        let product = u128::from(word) * u128::from(factor) + carry;
        carry = product >> 64;
        product as u64
    })
}

fn add_wide(left: Wide, right: Wide) -> Wide {
    let mut carry = 0u128;
    std::array::from_fn(|index| {
        let sum = u128::from(left[index]) + u128::from(right[index]) + carry;
        carry = sum >> 64;
        sum as u64
    })
}

/// left − right, for left ≥ right.
pub fn subtract_wide(left: Wide, right: Wide) -> Wide {
    let mut borrow = false;
    std::array::from_fn(|index| {
        let (partial, first) = left[index].overflowing_sub(right[index]);
        let (difference, second) = partial.overflowing_sub(u64::from(borrow));
        borrow = first | second;
        difference
    })
}

/// value >> bits, for 0 ≤ bits < 192.
#[inline]
pub fn shift_right(value: Wide, bits: u32) -> Wide {
    let (words, bits) = ((bits / 64) as usize, bits % 64);
    std::array::from_fn(|index| {
        let low = value.get(index + words).copied().unwrap_or(0);
        let high = value.get(index + words + 1).copied().unwrap_or(0);
        ((u128::from(high) << 64 | u128::from(low)) >> bits) as u64
    })
}

/// Quotient (below 2^128) and remainder by a word.
pub fn divide_small(value: Wide, divisor: u64) -> (u128, u64) {
    let mut rest = 0u128;
    let mut quotient = 0u128;
    for word in value.into_iter().rev() {
        let step = rest << 64 | u128::from(word);
        quotient = (quotient << 64) | (step / u128::from(divisor));
        rest = step % u128::from(divisor);
    }
    (quotient, rest as u64)
}

/// Whether left > right.
pub fn exceeds(left: Wide, right: Wide) -> bool {
    left.iter().rev().gt(right.iter().rev())
}
