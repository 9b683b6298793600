//! From residues to the top bytes of the integers that they stand for: what a hint is made of.

use crate::ntt::{Factor, Transform, power};
use crate::parameters::Parameters;
use crate::ring::{Ring, shift_right};
use crate::simd::{self, Path};

/// Writes the top bytes of integers modulo q.
pub struct TopBytes<'a> {
    parameters: &'static Parameters,
    ring: &'a Ring,
    mixed: Mixed,
}

/// Constants of the mixed radix (Garner) of two or three primes p₀, p₁, p₂ of one width.
struct Mixed {
    /// 1/p₀ mod p₁, 1/(p₀·p₁) mod p₂ and p₀ mod p₂; the last two are zero for two primes.
    second: Factor,
    third: Factor,
    crossed: Factor,
}

impl Mixed {
    fn new(transforms: &[Transform]) -> Self {
        let inverse = |transform: &Transform, value: u64| {
            let prime = transform.prime();
            transform.factor(power(value % prime, prime - 2, prime))
        };
        let first = transforms[0].prime();
        let mut mixed = Self {
            second: inverse(&transforms[1], first),
            third: Factor::default(),
            crossed: Factor::default(),
        };
        if let Some(last) = transforms.get(2) {
            mixed.crossed = last.factor(first % last.prime());
            let product = last.multiply(transforms[1].prime(), mixed.crossed);
            mixed.third = inverse(last, product);
        }
        mixed
    }
}

impl<'a> TopBytes<'a> {
    pub fn new(parameters: &'static Parameters, ring: &'a Ring) -> Self {
        let mixed = Mixed::new(ring.transforms());
        Self {
            parameters,
            ring,
            mixed,
        }
    }

    /// [`TopBytes::write_on`] with the path of this process.
    pub fn write(&self, residues: &[u64], out: &mut [u8]) {
        self.write_on(simd::path(), residues, out);
    }

    /// A plane of N bytes for each byte of a coefficient that the hint keeps, lowest first.
    ///
    /// `residues` has N words, each below its prime, for every prime.
    ///
    /// # Panics
    /// When the lengths differ from that.
    pub fn write_on(&self, path: Path, residues: &[u64], out: &mut [u8]) {
        let degree = self.parameters.ring_degree;
        assert_eq!(residues.len(), degree * self.parameters.primes.len());
        assert_eq!(out.len(), self.parameters.hint_size(1));
        #[cfg(target_arch = "x86_64")]
        if path == Path::Avx512 {
            // SAFETY: the path is available
            return unsafe { x86::write(self, residues, out) };
        }
        let _ = path;
        for slot in 0..degree {
            let mut found = [0; 3];
            for (found, residues) in found.iter_mut().zip(residues.chunks(degree)) {
                *found = residues[slot];
            }
            let top = shift_right(self.ring.compose(found), self.parameters.hint_dropped_bits);
            let bytes = (u128::from(top[1]) << 64 | u128::from(top[0])).to_le_bytes();
            for (plane, byte) in out.chunks_exact_mut(degree).zip(bytes) {
                plane[slot] = byte;
            }
        }
    }
}

/// x ← x + e mod p, for x below p and |e| below 2^7. Constant time.
pub fn add_errors(prime: u64, values: &mut [u64], errors: &[i8]) {
    #[cfg(target_arch = "x86_64")]
    if simd::path() == Path::Avx512 {
        // SAFETY: the path is available
        return unsafe { x86::add_errors(prime, values, errors) };
    }
    each_error(prime, values, errors);
}

#[inline(always)]
fn each_error(prime: u64, values: &mut [u64], errors: &[i8]) {
    for (value, error) in values.iter_mut().zip(errors) {
        let sum = value.wrapping_add_signed(i64::from(*error));
        // below 0 when the top bit is set, else at most p + 2^7
        let sum = sum.wrapping_add(prime & ((sum as i64 >> 63) as u64));
        let less = sum.wrapping_sub(prime);
        *value = less.wrapping_add(prime & ((less as i64 >> 63) as u64));
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::TopBytes;
    use crate::ntt::Factor;

    /// As the portable one, eight values a register.
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
    pub fn add_errors(prime: u64, values: &mut [u64], errors: &[i8]) {
        super::each_error(prime, values, errors);
    }

    const LOW: u64 = (1 << 52) - 1;

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn set(value: u64) -> __m512i {
        _mm512_set1_epi64(value as i64)
    }

    /// A prime, twice and three times it, and a factor with its quotient of 52 bits.
    struct Modulus {
        prime: __m512i,
        thrice: __m512i,
        value: __m512i,
        quotient: __m512i,
    }

    impl Modulus {
        #[inline]
        #[target_feature(enable = "avx512f")]
        fn new(prime: u64, factor: Factor) -> Self {
            Self {
                prime: set(prime),
                thrice: set(3 * prime),
                value: set(factor.value),
                quotient: set(factor.quotient >> 12),
            }
        }

        /// x·factor in [0, 2p), for x below 2^52.
        #[inline]
        #[target_feature(enable = "avx512f,avx512ifma")]
        fn multiply(&self, x: __m512i) -> __m512i {
            let zero = _mm512_setzero_si512();
            let estimate = _mm512_madd52hi_epu64(zero, x, self.quotient);
            let all = _mm512_madd52lo_epu64(zero, x, self.value);
            let multiple = _mm512_madd52lo_epu64(zero, estimate, self.prime);
            _mm512_and_si512(_mm512_sub_epi64(all, multiple), set(LOW))
        }

        /// x − p when x ≥ p.
        #[inline]
        #[target_feature(enable = "avx512f")]
        fn reduce(&self, x: __m512i) -> __m512i {
            _mm512_min_epu64(x, _mm512_sub_epi64(x, self.prime))
        }
    }

    /// Eight integers at a time, in three limbs of 52 bits.
    #[target_feature(enable = "avx512f,avx512ifma,avx512vbmi")]
    pub fn write(top: &TopBytes<'_>, residues: &[u64], out: &mut [u8]) {
        let (parameters, mixed) = (top.parameters, &top.mixed);
        let degree = parameters.ring_degree;
        let primes = parameters.primes;
        let product = u128::from(primes[0]) * u128::from(primes[1]);
        let products = [product as u64 & LOW, (product >> 52) as u64].map(|limb| set(limb));
        let second = Modulus::new(primes[1], mixed.second);
        let last = primes.get(2).map(|prime| {
            (
                Modulus::new(*prime, mixed.third),
                Modulus::new(*prime, mixed.crossed),
            )
        });
        let (zero, mask, first) = (_mm512_setzero_si512(), set(LOW), set(primes[0]));
        let dropped = u64::from(parameters.hint_dropped_bits);
        assert!((41..52).contains(&dropped));
        let shifts = [dropped, 52 - dropped, 104 - dropped, dropped - 40].map(|bits| set(bits));
        // byte b of number i goes to place 8b + i
        let exchange: [u8; 64] = std::array::from_fn(|at| (at % 8 * 8 + at / 8) as u8);
        // SAFETY: 64 bytes are read
        let exchange = unsafe { _mm512_loadu_si512(exchange.as_ptr().cast()) };
        for slot in (0..degree).step_by(8) {
            let load = |prime: usize| {
                let words = &residues[prime * degree + slot..][..8];
                // SAFETY: eight words are read
                unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
            };
            let lowest = load(0);
            // primes are of one width, so that a residue is below twice any of them
            let difference = _mm512_sub_epi64(
                _mm512_add_epi64(load(1), second.prime),
                second.reduce(lowest),
            );
            let digit = second.reduce(second.multiply(difference));
            let mut limbs = [
                _mm512_madd52lo_epu64(lowest, digit, first),
                _mm512_madd52hi_epu64(zero, digit, first),
                zero,
            ];
            if let Some((last, crossed)) = &last {
                let known = _mm512_add_epi64(crossed.multiply(digit), last.reduce(lowest));
                let difference = _mm512_sub_epi64(_mm512_add_epi64(load(2), last.thrice), known);
                let digit = last.reduce(last.multiply(difference));
                limbs[0] = _mm512_madd52lo_epu64(limbs[0], digit, products[0]);
                limbs[1] = _mm512_madd52hi_epu64(limbs[1], digit, products[0]);
                limbs[1] = _mm512_madd52lo_epu64(limbs[1], digit, products[1]);
                limbs[2] = _mm512_madd52hi_epu64(limbs[2], digit, products[1]);
            }
            limbs[1] = _mm512_add_epi64(limbs[1], _mm512_srli_epi64::<52>(limbs[0]));
            limbs[2] = _mm512_add_epi64(limbs[2], _mm512_srli_epi64::<52>(limbs[1]));
            let [low, middle, high] = limbs;
            let [low, middle] = [low, middle].map(|limb| _mm512_and_si512(limb, mask));
            let words = [
                _mm512_or_si512(
                    _mm512_srlv_epi64(low, shifts[0]),
                    _mm512_or_si512(
                        _mm512_sllv_epi64(middle, shifts[1]),
                        _mm512_sllv_epi64(high, shifts[2]),
                    ),
                ),
                // the middle limb ends below the lower word
                _mm512_srlv_epi64(high, shifts[3]),
            ];
            let mut bytes = [0u8; 128];
            for (word, bytes) in words.into_iter().zip(bytes.as_chunks_mut::<64>().0) {
                let planes = _mm512_permutexvar_epi8(exchange, word);
                // SAFETY: 64 bytes are written
                unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), planes) };
            }
            for (plane, bytes) in out.chunks_exact_mut(degree).zip(bytes.as_chunks::<8>().0) {
                plane[slot..slot + 8].copy_from_slice(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::SETS;
    use crate::prg::PublicStream;

    #[test]
    fn the_top_bytes_are_the_same_on_every_path() {
        for parameters in SETS {
            let (ring, degree) = (Ring::new(parameters), parameters.ring_degree);
            let mut words = vec![0; degree * parameters.primes.len()];
            PublicStream::new(&[1; 32], "test", &[]).fill(&mut words);
            for (prime, words) in parameters.primes.iter().zip(words.chunks_mut(degree)) {
                words.iter_mut().for_each(|word| *word %= prime);
                words[..2].copy_from_slice(&[0, prime - 1]);
            }
            // the least and the largest residues, mixed
            for (at, slot) in (2..10).enumerate() {
                for (place, prime) in parameters.primes.iter().enumerate() {
                    words[place * degree + slot] = (at as u64 >> place & 1) * (prime - 1);
                }
            }
            let top = TopBytes::new(parameters, &ring);
            let written = |path| {
                let mut out = vec![0xa5; parameters.hint_size(1)];
                top.write_on(path, &words, &mut out);
                out
            };
            let expected = written(Path::Portable);
            for path in simd::available() {
                assert!(
                    written(path) == expected,
                    "{} {}",
                    parameters.name,
                    path.name()
                );
            }
        }
    }

    #[test]
    fn errors_are_added_modulo_the_prime() {
        let prime = SETS[0].primes[0];
        let mut values = [0, 5, prime - 1, prime - 3, 40, 0, 1, prime - 1, 7];
        let errors = [-1, -28, 1, 28, -40, 0, -1, 0, 3];
        let expected = values
            .map(i128::from)
            .into_iter()
            .zip(errors)
            .map(|(value, error)| (value + i128::from(error)).rem_euclid(i128::from(prime)) as u64);
        let expected: Vec<u64> = expected.collect();
        add_errors(prime, &mut values, &errors);
        assert_eq!(values[..], expected[..]);
    }
}
