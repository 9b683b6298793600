//! Number-theoretic transforms modulo primes below 2^50, negacyclic: products modulo X^N + 1.
//!
//! Lazy butterflies with precomputed quotients (Harvey 2014, *Faster arithmetic for number-theoretic transforms*), the
//! powers of the 2N-th root merged into the twiddles (Longa and Naehrig 2016). The transformed domain is in bit-reversed
//! order; nothing outside depends on that order.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use std::sync::OnceLock;

use crate::simd::{self, Path};

/// A factor with ⌊factor·2^64 / p⌋ beside it, so that a product modulo p needs no division.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Factor {
    pub value: u64,
    pub quotient: u64,
}

/// A column of factors, each with ⌊value·2^52 / p⌋ in the second plane: for products with many columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Factors {
    pub values: Vec<u64>,
    pub quotients: Vec<u64>,
}

impl zeroize::Zeroize for Factors {
    fn zeroize(&mut self) {
        self.values.zeroize();
        self.quotients.zeroize();
    }
}

/// Sums of at most this many products fit [`Transform::multiply_accumulate`] between two [`Transform::carry`].
pub const LAZY_PRODUCTS: usize = 4095;

/// A prime p < 2^50 with p ≡ 1 mod 2N and the tables of its transform.
#[derive(Clone, Debug)]
pub struct Transform {
    prime: u64,
    /// ⌊2^(63+bits) / p⌋, for quotients without a division.
    reciprocal: u64,
    bits: u32,
    one: Factor,
    forward: Vec<Factor>,
    inverse: Vec<Factor>,
    degree_inverse: Factor,
    /// 2^52 mod p.
    wrap: Factor,
    #[cfg(target_arch = "x86_64")]
    avx2: OnceLock<avx2::Tables>,
    #[cfg(target_arch = "x86_64")]
    avx512: OnceLock<avx512::Tables>,
}

/// x·factor mod p, in [0, 2p), for any x.
#[inline(always)]
fn multiply_lazy(x: u64, factor: Factor, prime: u64) -> u64 {
    let estimate = ((u128::from(x) * u128::from(factor.quotient)) >> 64) as u64;
    x.wrapping_mul(factor.value)
        .wrapping_sub(estimate.wrapping_mul(prime))
}

/// x − bound when x ≥ bound, without a branch (both below 2^63).
#[inline(always)]
fn subtract_once(x: u64, bound: u64) -> u64 {
    let difference = x.wrapping_sub(bound);
    difference.wrapping_add(bound & ((difference as i64 >> 63) as u64))
}

/// How many words the path's registers take of a column; the rest is for the portable code.
macro_rules! vectors {
    ($path:ident, $name:ident($($argument:expr),*)) => {{
        assert!($path.is_available(), "a path that this processor has");
        match $path {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the path is available
            Path::Avx2 => unsafe { avx2::$name($($argument),*) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the path is available
            Path::Avx512 => unsafe { avx512::$name($($argument),*) },
            _ => 0,
        }
    }};
}

/// The low 52 bits.
const LOW: u64 = (1 << 52) - 1;

impl Transform {
    /// # Panics
    /// When `degree` is not a power of two, or `prime` is not a prime below 2^50 with p ≡ 1 mod 2·degree.
    pub fn new(prime: u64, degree: usize) -> Self {
        assert!(
            degree.is_power_of_two() && degree >= 8,
            "degree must be a power of two, at least 8"
        );
        let order = 2 * degree as u64;
        assert!(
            prime < 1 << 50 && prime % order == 1,
            "prime must be 1 mod 2N and below 2^50"
        );
        let bits = 64 - prime.leading_zeros();
        let root = root_of_unity(prime, order);
        let mut transform = Self {
            prime,
            reciprocal: ((1u128 << (63 + bits)) / u128::from(prime)) as u64,
            bits,
            one: Factor::default(),
            forward: Vec::new(),
            inverse: Vec::new(),
            degree_inverse: Factor::default(),
            wrap: Factor::default(),
            #[cfg(target_arch = "x86_64")]
            avx2: OnceLock::new(),
            #[cfg(target_arch = "x86_64")]
            avx512: OnceLock::new(),
        };
        transform.one = transform.factor(1);
        transform.wrap = transform.factor(transform.reduce(1 << 52));
        transform.degree_inverse = transform.factor(power(degree as u64, prime - 2, prime));
        transform.forward = transform.powers(root, degree);
        transform.inverse = transform.powers(power(root, prime - 2, prime), degree);
        transform
    }

    pub fn prime(&self) -> u64 {
        self.prime
    }

    pub fn degree(&self) -> usize {
        self.forward.len()
    }

    /// `value` (below p) with its quotient.
    #[inline]
    pub fn factor(&self, value: u64) -> Factor {
        let mut quotient =
            ((u128::from(value) * u128::from(self.reciprocal)) >> (self.bits - 1)) as u64;
        // value·2^64 − quotient·p; the estimate is at most two too small
        let mut rest = 0u64.wrapping_sub(quotient.wrapping_mul(self.prime));
        while rest >= self.prime {
            quotient += 1;
            rest -= self.prime;
        }
        Factor { value, quotient }
    }

    /// x·factor mod p in [0, 2p), for any x.
    #[inline(always)]
    pub fn multiply_lazy(&self, x: u64, factor: Factor) -> u64 {
        multiply_lazy(x, factor, self.prime)
    }

    /// x·factor mod p, for any x.
    #[inline(always)]
    pub fn multiply(&self, x: u64, factor: Factor) -> u64 {
        subtract_once(multiply_lazy(x, factor, self.prime), self.prime)
    }

    /// x mod p, for any x.
    #[inline(always)]
    pub fn reduce(&self, x: u64) -> u64 {
        self.multiply(x, self.one)
    }

    /// x mod p for a signed x.
    #[inline(always)]
    pub fn reduce_signed(&self, x: i64) -> u64 {
        // the sign is folded in without a branch: |x| mod p, then p − that when negative
        let magnitude = self.reduce(x.unsigned_abs());
        let negative = (x >> 63) as u64;
        let flipped = self.prime - magnitude;
        subtract_once((magnitude & !negative) | (flipped & negative), self.prime)
    }

    /// a − b mod p, both below p.
    #[inline(always)]
    pub fn subtract(&self, a: u64, b: u64) -> u64 {
        subtract_once(a + self.prime - b, self.prime)
    }

    /// a + b mod p, both below p.
    #[inline(always)]
    pub fn add(&self, a: u64, b: u64) -> u64 {
        subtract_once(a + b, self.prime)
    }

    /// Coefficients (below 4p) to values (below 2^52), in place.
    pub fn forward(&self, data: &mut [u64]) {
        self.forward_on(simd::path(), data);
    }

    /// As [`Transform::forward`], on a given path.
    pub fn forward_on(&self, path: Path, data: &mut [u64]) {
        assert_eq!(data.len(), self.degree());
        match self.taken(path) {
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => avx2::forward(self, data),
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => avx512::forward(self, data),
            _ => portable::forward(self, data),
        }
    }

    /// What of a path such a small transform takes.
    fn taken(&self, path: Path) -> Path {
        assert!(path.is_available(), "a path that this processor has");
        if self.degree() < LEAST_VECTOR_DEGREE {
            Path::Portable
        } else {
            path
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn avx2(&self) -> &avx2::Tables {
        self.avx2.get_or_init(|| avx2::Tables::new(self))
    }

    #[cfg(target_arch = "x86_64")]
    fn avx512(&self) -> &avx512::Tables {
        self.avx512.get_or_init(|| avx512::Tables::new(self))
    }

    /// Small coefficients of either sign to values (below 2^52).
    pub fn forward_small(&self, coefficients: &[i8], out: &mut [u64]) {
        self.forward_small_on(simd::path(), coefficients, out);
    }

    /// As [`Transform::forward_small`], on a given path.
    pub fn forward_small_on(&self, path: Path, coefficients: &[i8], out: &mut [u64]) {
        assert_eq!(coefficients.len(), self.degree());
        #[cfg(target_arch = "x86_64")]
        if self.taken(path) == Path::Avx2 {
            return avx2::forward_small(self, coefficients, out);
        }
        for (value, coefficient) in out.iter_mut().zip(coefficients) {
            *value = self.prime.wrapping_add_signed(i64::from(*coefficient));
        }
        self.forward_on(path, out);
    }

    /// The values (below 2^52) of Σ X^(−c) over the places c with `codes[c] == code`; places beyond `codes` count for nothing.
    ///
    /// The time does not depend on the codes, but the places that a table is read at do.
    ///
    /// # Panics
    /// When there are more codes than coefficients, or none.
    pub fn forward_mirrored(&self, codes: &[u8], code: u8, out: &mut [u64]) {
        self.forward_mirrored_on(simd::path(), codes, code, out);
    }

    /// As [`Transform::forward_mirrored`], on a given path.
    pub fn forward_mirrored_on(&self, path: Path, codes: &[u8], code: u8, out: &mut [u64]) {
        let degree = self.degree();
        assert_eq!(out.len(), degree);
        assert!(
            (1..=degree).contains(&codes.len()),
            "a code for each coefficient at most"
        );
        match self.taken(path) {
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => return avx2::forward_mirrored(self, codes, code, out),
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => return avx512::forward_mirrored(self, codes, code, out),
            _ => {}
        }
        out.fill(0);
        // X^(−c) = −X^(N−c) for c > 0
        out[0] = u64::from(codes[0] == code);
        for (value, found) in out[degree + 1 - codes.len()..]
            .iter_mut()
            .rev()
            .zip(&codes[1..])
        {
            *value = (self.prime - 1) & u64::from(*found == code).wrapping_neg();
        }
        self.forward_on(path, out);
    }

    /// Values (below 2p) to coefficients (below 2p), in place, **times N**: see [`Transform::degree_inverse`].
    pub fn inverse_unscaled(&self, data: &mut [u64]) {
        self.inverse_unscaled_on(simd::path(), data);
    }

    /// As [`Transform::inverse_unscaled`], on a given path.
    pub fn inverse_unscaled_on(&self, path: Path, data: &mut [u64]) {
        assert_eq!(data.len(), self.degree());
        match self.taken(path) {
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => avx2::inverse_unscaled(self, data),
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => avx512::inverse_unscaled(self, data),
            _ => portable::inverse_unscaled(self, data),
        }
    }

    /// x ← x mod p, for any x.
    pub fn reduce_all_on(&self, path: Path, data: &mut [u64]) {
        let done = vectors!(path, reduce_all(self, data));
        for value in &mut data[done..] {
            *value = self.reduce(*value);
        }
    }

    /// x ← x + y mod p, all below p.
    pub fn add_all_on(&self, path: Path, data: &mut [u64], other: &[u64]) {
        assert_eq!(data.len(), other.len(), "columns of one length");
        let done = vectors!(path, add_all(self, data, other));
        for (value, other) in data[done..].iter_mut().zip(&other[done..]) {
            *value = self.add(*value, *other);
        }
    }

    /// x ← x·factor mod p, for x below 2^52.
    pub fn scale_on(&self, path: Path, data: &mut [u64], factor: Factor) {
        let done = vectors!(path, scale(self, data, factor));
        for value in &mut data[done..] {
            *value = self.multiply(*value, factor);
        }
    }

    /// `values` (below p) with their quotients.
    pub fn factors(&self, values: Vec<u64>) -> Factors {
        let quotients = values
            .iter()
            .map(|value| self.factor(*value).quotient >> 12);
        Factors {
            quotients: quotients.collect(),
            values,
        }
    }

    /// out ← x·factor mod p in [0, 2p), for x below 2^52.
    pub fn multiply_on(&self, path: Path, out: &mut [u64], x: &[u64], factors: &Factors) {
        let lengths = [x.len(), factors.values.len(), factors.quotients.len()];
        assert_eq!(lengths, [out.len(); 3], "columns of one length");
        let done = vectors!(path, multiply(self, out, x, factors));
        let pairs = factors.values.iter().zip(&factors.quotients);
        for ((out, x), (value, quotient)) in out.iter_mut().zip(x).zip(pairs).skip(done) {
            let estimate = ((u128::from(*x) * u128::from(*quotient)) >> 52) as u64;
            *out = x
                .wrapping_mul(*value)
                .wrapping_sub(estimate.wrapping_mul(self.prime));
        }
    }

    /// sums ← sums + x·y, for x below 2^52 and y below p.
    ///
    /// `sums` has 2N words and stands for low + 2^52·high: the low plane, then the high one; zeros to begin with. At most
    /// [`LAZY_PRODUCTS`] products may be added before a [`Transform::carry_on`]. How a sum is spread over the two
    /// planes differs between paths; what [`Transform::reduce_sums_on`] gives does not.
    pub fn multiply_accumulate_on(&self, path: Path, sums: &mut [u64], x: &[u64], y: &[u64]) {
        let lengths = [2 * x.len(), 2 * y.len()];
        assert_eq!(lengths, [sums.len(); 2], "columns of one length");
        let (low, high) = sums.split_at_mut(x.len());
        let done = vectors!(path, multiply_accumulate(low, high, x, y));
        let pairs = x.iter().zip(y);
        for ((low, high), (x, y)) in low.iter_mut().zip(high).zip(pairs).skip(done) {
            let product = u128::from(*x) * u128::from(*y);
            *low += product as u64 & LOW;
            *high += (product >> 52) as u64;
        }
    }

    /// Makes room for [`LAZY_PRODUCTS`] more products; at most three times.
    pub fn carry_on(&self, path: Path, sums: &mut [u64]) {
        let (low, high) = sums.split_at_mut(sums.len() / 2);
        let done = vectors!(path, carry(low, high));
        for (low, high) in low.iter_mut().zip(high).skip(done) {
            *high += *low >> 52;
            *low &= LOW;
        }
    }

    /// out ← sums mod p, of sums as [`Transform::multiply_accumulate_on`] leaves them.
    pub fn reduce_sums_on(&self, path: Path, sums: &[u64], out: &mut [u64]) {
        assert_eq!(sums.len(), 2 * out.len(), "columns of one length");
        let (low, high) = sums.split_at(out.len());
        let done = vectors!(path, reduce_sums(self, low, high, out));
        for (out, (low, high)) in out.iter_mut().zip(low.iter().zip(high)).skip(done) {
            *out = self.add(self.reduce(*low), self.multiply(*high, self.wrap));
        }
    }

    /// 1/N mod p: what [`Transform::inverse_unscaled`] leaves to be multiplied by.
    pub fn degree_inverse(&self) -> Factor {
        self.degree_inverse
    }

    /// root^bitreverse(i) for i < degree, with quotients.
    fn powers(&self, root: u64, degree: usize) -> Vec<Factor> {
        let shift = usize::BITS - degree.trailing_zeros();
        let mut powers = vec![Factor::default(); degree];
        let step = self.factor(root);
        let mut value = 1;
        for index in 0..degree {
            powers[index.reverse_bits() >> shift] = self.factor(value);
            value = self.multiply(value, step);
        }
        powers
    }
}

/// Where slot `index` of the bit-reversed order lies: from 64 slots on, the lowest three bits of the number of a slot are
/// exchanged for the highest three.
///
/// Eight neighbours then belong to the eight parts that the first three layers make, so that vectors need no shuffles.
pub fn slot(index: usize, degree: usize) -> usize {
    if degree < LEAST_VECTOR_DEGREE {
        return index;
    }
    let shift = degree.ilog2() - 3;
    let (high, low) = (index >> shift, index & 7);
    index & !(7 << shift | 7) | low << shift | high
}

/// Smaller transforms are portable on every path.
const LEAST_VECTOR_DEGREE: usize = 64;

/// The sums of eight coefficients, one of each row of N/8, after three layers, for each choice of zeros and ones.
///
/// `powers` are root^bitreverse(i); the lowest bit is the first row's coefficient.
#[cfg(target_arch = "x86_64")]
fn bit_sums(transform: &Transform, powers: &[Factor]) -> Vec<[u64; 8]> {
    let rows: [[u64; 8]; 8] = std::array::from_fn(|row| {
        let mut values = [0; 8];
        values[row] = 1;
        for (groups, half) in [(1, 4), (2, 2), (4, 1)] {
            for group in 0..groups {
                for place in 2 * half * group..2 * half * group + half {
                    let product = transform.multiply(values[place + half], powers[groups + group]);
                    let kept = values[place];
                    values[place] = transform.add(kept, product);
                    values[place + half] = transform.subtract(kept, product);
                }
            }
        }
        values
    });
    let choices = (0..256usize).map(|bits| {
        let mut sum = [0; 8];
        for (row, values) in rows.iter().enumerate() {
            if bits >> row & 1 == 1 {
                for (sum, value) in sum.iter_mut().zip(values) {
                    *sum = transform.add(*sum, *value);
                }
            }
        }
        sum
    });
    choices.collect()
}

/// base^exponent mod prime.
pub fn power(base: u64, mut exponent: u64, prime: u64) -> u64 {
    let prime = u128::from(prime);
    let (mut result, mut square) = (1u128, u128::from(base) % prime);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result * square % prime;
        }
        square = square * square % prime;
        exponent >>= 1;
    }
    result as u64
}

/// An element of exact order `order` (a power of two dividing p − 1).
fn root_of_unity(prime: u64, order: u64) -> u64 {
    (2..prime)
        .map(|candidate| power(candidate, (prime - 1) / order, prime))
        .find(|root| power(*root, order / 2, prime) == prime - 1)
        .expect("a prime that is 1 mod the order has such a root")
}
