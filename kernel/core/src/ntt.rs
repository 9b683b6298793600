//! Number-theoretic transforms modulo primes below 2^52, negacyclic: products modulo X^N + 1.
//!
//! Lazy butterflies with precomputed quotients (Harvey 2014, *Faster arithmetic for number-theoretic transforms*), the
//! powers of the 2N-th root merged into the twiddles (Longa and Naehrig 2016). The transformed domain is in bit-reversed
//! order; nothing outside depends on that order.

/// A factor with ⌊factor·2^64 / p⌋ beside it, so that a product modulo p needs no division.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Factor {
    pub value: u64,
    pub quotient: u64,
}

/// A prime p < 2^52 with p ≡ 1 mod 2N and the tables of its transform.
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

impl Transform {
    /// # Panics
    /// When `degree` is not a power of two, or `prime` is not a prime below 2^52 with p ≡ 1 mod 2·degree.
    pub fn new(prime: u64, degree: usize) -> Self {
        assert!(
            degree.is_power_of_two() && degree >= 8,
            "degree must be a power of two, at least 8"
        );
        let order = 2 * degree as u64;
        assert!(
            prime < 1 << 52 && prime % order == 1,
            "prime must be 1 mod 2N and below 2^52"
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
        };
        transform.one = transform.factor(1);
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

    /// Coefficients (below 4p) to values (below 4p), in place.
    pub fn forward(&self, data: &mut [u64]) {
        assert_eq!(data.len(), self.degree());
        let (prime, twice) = (self.prime, 2 * self.prime);
        let butterfly = |x: &mut u64, y: &mut u64, factor: Factor| {
            let upper = subtract_once(*x, twice);
            let lower = multiply_lazy(*y, factor, prime);
            *x = upper + lower;
            *y = upper + twice - lower;
        };
        let mut half = data.len() / 2;
        let mut groups = 1;
        while half >= 4 {
            for (block, factor) in data.chunks_exact_mut(2 * half).zip(&self.forward[groups..]) {
                let (left, right) = block.split_at_mut(half);
                for (x, y) in left.iter_mut().zip(right) {
                    butterfly(x, y, *factor);
                }
            }
            half /= 2;
            groups *= 2;
        }
        // the last two layers in one pass
        let (outer, inner) = (
            &self.forward[groups..2 * groups],
            self.forward[2 * groups..].as_chunks::<2>().0,
        );
        for (([a, b, c, d], first), second) in
            data.as_chunks_mut::<4>().0.iter_mut().zip(outer).zip(inner)
        {
            butterfly(a, c, *first);
            butterfly(b, d, *first);
            butterfly(a, b, second[0]);
            butterfly(c, d, second[1]);
        }
    }

    /// Values (below 2p) to coefficients (below 2p), in place, **times N**: see [`Transform::degree_inverse`].
    pub fn inverse_unscaled(&self, data: &mut [u64]) {
        assert_eq!(data.len(), self.degree());
        let (prime, twice) = (self.prime, 2 * self.prime);
        let butterfly = |x: &mut u64, y: &mut u64, factor: Factor| {
            let (upper, lower) = (*x, *y);
            *x = subtract_once(upper + lower, twice);
            *y = multiply_lazy(upper + twice - lower, factor, prime);
        };
        let mut groups = data.len() / 2;
        let (inner, outer) = (
            self.inverse[groups..].as_chunks::<2>().0,
            &self.inverse[groups / 2..groups],
        );
        for (([a, b, c, d], first), second) in
            data.as_chunks_mut::<4>().0.iter_mut().zip(inner).zip(outer)
        {
            butterfly(a, b, first[0]);
            butterfly(c, d, first[1]);
            butterfly(a, c, *second);
            butterfly(b, d, *second);
        }
        let mut half = 4;
        groups /= 4;
        while groups >= 1 {
            for (block, factor) in data.chunks_exact_mut(2 * half).zip(&self.inverse[groups..]) {
                let (left, right) = block.split_at_mut(half);
                for (x, y) in left.iter_mut().zip(right) {
                    butterfly(x, y, *factor);
                }
            }
            half *= 2;
            groups /= 2;
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
