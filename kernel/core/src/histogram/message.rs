//! The message part of an encryption: product + error + Δ·(g·2^w + h), reduced.

use crate::ntt::Transform;
use crate::parameters::Parameters;
use crate::simd::{self, Path};

/// Constants of one prime for adding errors and messages.
pub struct Encoder {
    prime: u64,
    /// Δ·2^w mod p, and ⌊that·2^52 / p⌋.
    high: [u64; 2],
    /// Δ mod p, and ⌊that·2^52 / p⌋.
    low: [u64; 2],
    /// g is shifted by this to be positive …
    half: u64,
    /// … and this takes the shift off again.
    shift: u64,
}

/// What one ring element carries: an error for every coefficient, and numbers for the first of them.
pub struct Message<'a> {
    pub errors: &'a [i8],
    pub gradients: &'a [i32],
    pub hessians: &'a [i32],
}

impl Encoder {
    /// For the step Δ of a set.
    pub fn new(parameters: &Parameters, transform: &Transform, step: u64) -> Self {
        let unit = transform.factor(transform.reduce(step));
        let high = transform.multiply(1 << parameters.low_digit_bits(), unit);
        let half = 1 << (parameters.gradient_bits - 1);
        let shortened = |value: u64| [value, transform.factor(value).quotient >> 12];
        let offset = transform.multiply(half, transform.factor(high));
        Self {
            prime: transform.prime(),
            high: shortened(high),
            low: shortened(unit.value),
            half,
            shift: transform.prime() - offset,
        }
    }

    /// [`Encoder::add_on`] with the path of this process.
    pub fn add(&self, product: &mut [u64], message: Message<'_>) {
        self.add_on(simd::path(), product, message);
    }

    /// x ← x + e + Δ·(g·2^w + h) mod p, for x below 2p; |e| below 2^7, g and h in the set's range, and as many of each
    /// as there are coefficients. Constant time.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn add_on(&self, path: Path, product: &mut [u64], message: Message<'_>) {
        let count = product.len();
        assert!(
            message.errors.len() == count
                && message.gradients.len() == count
                && message.hessians.len() == count
        );
        let mut done = 0;
        #[cfg(target_arch = "x86_64")]
        if path == Path::Avx512 {
            // SAFETY: the path is available, and the columns are of one length
            done = unsafe { x86::add(self, product, &message) };
        }
        let _ = path;
        let numbers = message.gradients[done..]
            .iter()
            .zip(&message.hessians[done..]);
        let rest = product[done..].iter_mut().zip(&message.errors[done..]);
        for ((value, error), (g, h)) in rest.zip(numbers) {
            let g = self.multiply((i64::from(*g) + self.half as i64) as u64, self.high);
            let h = self.multiply(*h as u64, self.low);
            let error = (self.prime as i64 + i64::from(*error)) as u64;
            let mut sum = *value + error + g + h + self.shift;
            for times in [4, 2, 1] {
                let less = sum.wrapping_sub(times * self.prime);
                sum = less.wrapping_add((times * self.prime) & ((less as i64 >> 63) as u64));
            }
            *value = sum;
        }
    }

    /// x·factor mod p in [0, 2p), for x below 2^52.
    #[inline(always)]
    fn multiply(&self, x: u64, [value, quotient]: [u64; 2]) -> u64 {
        let estimate = ((u128::from(x) * u128::from(quotient)) >> 52) as u64;
        x.wrapping_mul(value)
            .wrapping_sub(estimate.wrapping_mul(self.prime))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Encoder, Message};

    /// Does eights of coefficients; returns how many are done.
    ///
    /// # Safety
    /// All columns must be as long as the product.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub unsafe fn add(encoder: &Encoder, product: &mut [u64], message: &Message<'_>) -> usize {
        let set = |value: u64| _mm512_set1_epi64(value as i64);
        let (zero, mask) = (_mm512_setzero_si512(), set((1 << 52) - 1));
        let [high, high_quotient] = encoder.high.map(set);
        let [low, low_quotient] = encoder.low.map(set);
        let (prime, half) = (set(encoder.prime), set(encoder.half));
        let added = set(encoder.prime + encoder.shift);
        let multiples = [4, 2, 1].map(|times| set(times * encoder.prime));
        let multiply = |x, value, quotient| {
            let estimate = _mm512_madd52hi_epu64(zero, x, quotient);
            let all = _mm512_madd52lo_epu64(zero, x, value);
            let multiple = _mm512_madd52lo_epu64(zero, estimate, prime);
            _mm512_and_si512(_mm512_sub_epi64(all, multiple), mask)
        };
        let eights = product.as_chunks_mut::<8>().0;
        let done = eights.len() * 8;
        for (index, eight) in eights.iter_mut().enumerate() {
            let at = index * 8;
            // SAFETY: eight numbers from `at` are in every column
            let (x, error, g, h) = unsafe {
                (
                    _mm512_loadu_si512(eight.as_ptr().cast()),
                    _mm_loadl_epi64(message.errors.as_ptr().add(at).cast()),
                    _mm256_loadu_si256(message.gradients.as_ptr().add(at).cast()),
                    _mm256_loadu_si256(message.hessians.as_ptr().add(at).cast()),
                )
            };
            let g = _mm512_add_epi64(_mm512_cvtepi32_epi64(g), half);
            let g = multiply(g, high, high_quotient);
            let h = multiply(_mm512_cvtepi32_epi64(h), low, low_quotient);
            let error = _mm512_add_epi64(_mm512_cvtepi8_epi64(error), added);
            let mut sum = _mm512_add_epi64(_mm512_add_epi64(x, error), _mm512_add_epi64(g, h));
            for multiple in multiples {
                // a difference below zero is a large number, and the sum itself is the smaller one
                sum = _mm512_min_epu64(sum, _mm512_sub_epi64(sum, multiple));
            }
            // SAFETY: eight words are written
            unsafe { _mm512_storeu_si512(eight.as_mut_ptr().cast(), sum) };
        }
        done
    }
}
