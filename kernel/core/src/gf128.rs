//! The fields of the oblivious transfers: B = GF(2^64) and, above it, F = GF(2^128).
//!
//! B = GF(2)\[X\] / (X^64 + X^4 + X^3 + X + 1); an element is a `u64`, bit i the coefficient of X^i.
//! F = B\[Y\] / (Y² + X·Y + 1); an element is a [`Wide`] `[a, b]` = a + b·Y, on the wire 16 bytes, little-endian, a first. So B lies
//! in F as the elements with a zero second half, and an element of B times one of F is two products in B.
//!
//! Y² + X·Y + 1 is irreducible: with Y = X·Z it is X²·(Z² + Z + X^−2), and Z² + Z + c has a root in B exactly when the trace of c
//! is 0 (Lidl and Niederreiter, *Finite Fields*, corollary 3.79). Trace(X^−2) = trace(X^−1), the sum of the roots of the
//! reversed polynomial X^64 + X^63 + X^61 + X^60 + 1, which is its second coefficient, 1. This form, unlike Z² + Z + c, needs no second
//! reduction: X times a product of two elements of B still fits 128 bits.
//!
//! All functions take a time that does not depend on the values.

use crate::simd::{self, Path};

/// An element of F: a + b·Y.
pub type Wide = [u64; 2];

/// X^64 modulo the polynomial of B.
const FOLD: u64 = 0b1_1011;

/// A product in B. Portable and constant-time; batches of products are faster by the functions over columns.
pub fn multiply64(a: u64, b: u64) -> u64 {
    reduce(carryless(a, b))
}

/// a·b for a in F and b in B.
pub fn scale(a: Wide, b: u64) -> Wide {
    [multiply64(a[0], b), multiply64(a[1], b)]
}

/// A product in F.
pub fn multiply(a: Wide, b: Wide) -> Wide {
    combine([
        carryless(a[0], b[0]),
        carryless(a[1], b[1]),
        carryless(a[0], b[1]) ^ carryless(a[1], b[0]),
    ])
}

/// a + b, which is also a − b.
pub fn add(a: Wide, b: Wide) -> Wide {
    [a[0] ^ b[0], a[1] ^ b[1]]
}

/// X·a: with it, Horner's rule packs the bits or the elements of a GF(2)-basis 1, X, …, X^63.
pub fn times_x(a: Wide) -> Wide {
    a.map(|half| (half << 1) ^ (FOLD & (half >> 63).wrapping_neg()))
}

/// Y·a: the other half of the GF(2)-basis of F.
pub fn times_y([a, b]: Wide) -> Wide {
    [b, a ^ times_x([b, 0])[0]]
}

/// The inverse in B; 0 for 0.
pub fn invert64(a: u64) -> u64 {
    // a^(2^64 − 2) = the product of a^(2^i) for i = 1 … 63
    let mut square = a;
    let mut product = 1;
    for _ in 1..64 {
        square = multiply64(square, square);
        product = multiply64(product, square);
    }
    product
}

/// The inverse in F; 0 for 0.
pub fn invert(a: Wide) -> Wide {
    // the conjugate of a + b·Y is a + b·(Y + X); their product a² + X·a·b + b² lies in B
    let conjugate = [a[0] ^ times_x([a[1], 0])[0], a[1]];
    scale(conjugate, invert64(multiply(a, conjugate)[0]))
}

/// An element from its 16 bytes.
pub fn from_bytes(bytes: &[u8; 16]) -> Wide {
    let halves = bytes.as_chunks::<8>().0;
    [u64::from_le_bytes(halves[0]), u64::from_le_bytes(halves[1])]
}

/// The 16 bytes of an element.
pub fn to_bytes(a: Wide) -> [u8; 16] {
    (u128::from(a[0]) | u128::from(a[1]) << 64).to_le_bytes()
}

/// The product of two polynomials over GF(2), 127 bits.
///
/// Integer products of operands with holes: of every four bits one is kept, so that no carry reaches the next kept bit
/// (Pornin, "BearSSL: constant-time multiplication").
fn carryless(a: u64, b: u64) -> u128 {
    let low = carryless_low(a, b);
    let high = carryless_low(a.reverse_bits(), b.reverse_bits()).reverse_bits() >> 1;
    u128::from(low) | u128::from(high) << 64
}

fn carryless_low(a: u64, b: u64) -> u64 {
    const KEPT: u64 = 0x1111_1111_1111_1111;
    let split = |word: u64| [0, 1, 2, 3].map(|shift| word & (KEPT << shift));
    let (a, b) = (split(a), split(b));
    (0..4).fold(0, |sum, shift: usize| {
        let products = (0..4).map(|place| a[place].wrapping_mul(b[(4 + shift - place) % 4]));
        sum | products.fold(0, |sum, product| sum ^ product) & (KEPT << shift)
    })
}

fn reduce(product: u128) -> u64 {
    let fold = |word: u64| {
        let word = u128::from(word);
        word ^ word << 1 ^ word << 3 ^ word << 4
    };
    let once = product as u64 as u128 ^ fold((product >> 64) as u64);
    once as u64 ^ fold((once >> 64) as u64) as u64
}

/// From the raw products a0·b0, a1·b1 and a0·b1 + a1·b0 to an element of F.
fn combine([low, high, cross]: [u128; 3]) -> Wide {
    [reduce(low ^ high), reduce(cross ^ high << 1)]
}

/// out_i += a_i·delta for a in B and delta in F.
///
/// # Panics
/// When the columns differ in length.
pub fn axpy64(out: &mut [Wide], a: &[u64], delta: Wide) {
    axpy64_on(simd::path(), out, a, delta);
}

/// As [`axpy64`], on a given path.
pub fn axpy64_on(path: Path, out: &mut [Wide], a: &[u64], delta: Wide) {
    assert_eq!(out.len(), a.len(), "one factor for each element");
    match path {
        // SAFETY: a path is only taken where the processor has its instructions
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => unsafe { x86::axpy64_avx512(out, a, delta) },
        // SAFETY: as above
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => unsafe { x86::axpy64_avx2(out, a, delta) },
        _ => {
            for (out, a) in out.iter_mut().zip(a) {
                *out = add(*out, scale(delta, *a));
            }
        }
    }
}

/// out_i += a_i·delta in F.
///
/// # Panics
/// When the columns differ in length.
pub fn axpy(out: &mut [Wide], a: &[Wide], delta: Wide) {
    axpy_on(simd::path(), out, a, delta);
}

/// As [`axpy`], on a given path.
pub fn axpy_on(path: Path, out: &mut [Wide], a: &[Wide], delta: Wide) {
    assert_eq!(out.len(), a.len(), "one factor for each element");
    match path {
        // SAFETY: a path is only taken where the processor has its instructions
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => unsafe { x86::axpy_avx512(out, a, delta) },
        // SAFETY: as above
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => unsafe { x86::axpy_avx2(out, a, delta) },
        _ => {
            for (out, a) in out.iter_mut().zip(a) {
                *out = add(*out, multiply(*a, delta));
            }
        }
    }
}

/// Σ a_i·b_i in F.
///
/// # Panics
/// When the columns differ in length.
pub fn inner_product(a: &[Wide], b: &[Wide]) -> Wide {
    inner_product_on(simd::path(), a, b)
}

/// As [`inner_product`], on a given path.
pub fn inner_product_on(path: Path, a: &[Wide], b: &[Wide]) -> Wide {
    assert_eq!(a.len(), b.len(), "one factor for each element");
    match path {
        // SAFETY: a path is only taken where the processor has its instructions
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 | Path::Avx2 => unsafe { x86::inner_product(a, b) },
        _ => a
            .iter()
            .zip(b)
            .fold([0; 2], |sum, (a, b)| add(sum, multiply(*a, *b))),
    }
}

/// out_i += Σ_k coefficients_k·x_i^(k+1), all in B.
///
/// # Panics
/// When the columns differ in length.
pub fn add_polynomial64_on(path: Path, out: &mut [u64], coefficients: &[u64], x: &[u64]) {
    assert_eq!(out.len(), x.len(), "one place for each element");
    match path {
        // SAFETY: a path is only taken where the processor has its instructions
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => unsafe { x86::add_polynomial64_avx512(out, coefficients, x) },
        // SAFETY: as above
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => unsafe { x86::add_polynomial64_avx2(out, coefficients, x) },
        _ => {
            for (out, x) in out.iter_mut().zip(x) {
                let horner = |sum, coefficient: &u64| multiply64(sum ^ coefficient, *x);
                *out ^= coefficients.iter().rev().fold(0, horner);
            }
        }
    }
}

/// out_i += Σ_k coefficients_k·x_i^(k+1) for coefficients in F and x in B.
///
/// # Panics
/// When the columns differ in length.
pub fn add_polynomial_on(path: Path, out: &mut [Wide], coefficients: &[Wide], x: &[u64]) {
    assert_eq!(out.len(), x.len(), "one place for each element");
    match path {
        // SAFETY: a path is only taken where the processor has its instructions
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => unsafe { x86::add_polynomial_avx512(out, coefficients, x) },
        // SAFETY: as above
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => unsafe { x86::add_polynomial_avx2(out, coefficients, x) },
        _ => {
            for (out, x) in out.iter_mut().zip(x) {
                let horner = |sum, coefficient: &Wide| scale(add(sum, *coefficient), *x);
                *out = add(*out, coefficients.iter().rev().fold([0; 2], horner));
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{FOLD, Wide, combine};

    // ---- two products at a time: PCLMULQDQ -------------------------------------------------------------------------

    #[target_feature(enable = "sse2")]
    #[inline]
    fn load(a: Wide) -> __m128i {
        _mm_set_epi64x(a[1] as i64, a[0] as i64)
    }

    #[target_feature(enable = "sse2,sse4.1")]
    #[inline]
    fn store(a: __m128i) -> Wide {
        [
            _mm_cvtsi128_si64(a) as u64,
            _mm_extract_epi64::<1>(a) as u64,
        ]
    }

    /// Two raw products to two elements of B.
    #[target_feature(enable = "sse2,pclmulqdq")]
    #[inline]
    fn reduce_pair(first: __m128i, second: __m128i) -> __m128i {
        let fold = _mm_set_epi64x(0, FOLD as i64);
        let once = [
            _mm_clmulepi64_si128::<0x01>(first, fold),
            _mm_clmulepi64_si128::<0x01>(second, fold),
        ];
        let twice = [
            _mm_clmulepi64_si128::<0x01>(once[0], fold),
            _mm_clmulepi64_si128::<0x01>(once[1], fold),
        ];
        let low = _mm_unpacklo_epi64(first, second);
        let low = _mm_xor_si128(low, _mm_unpacklo_epi64(once[0], once[1]));
        _mm_xor_si128(low, _mm_unpacklo_epi64(twice[0], twice[1]))
    }

    /// (a0·b0, a1·b0): an element of F by one of B.
    #[target_feature(enable = "sse2,pclmulqdq")]
    #[inline]
    fn scale(a: __m128i, b: __m128i) -> __m128i {
        reduce_pair(
            _mm_clmulepi64_si128::<0x00>(a, b),
            _mm_clmulepi64_si128::<0x01>(a, b),
        )
    }

    #[target_feature(enable = "sse2,pclmulqdq")]
    #[inline]
    fn multiply(a: __m128i, b: __m128i) -> __m128i {
        let low = _mm_clmulepi64_si128::<0x00>(a, b);
        let high = _mm_clmulepi64_si128::<0x11>(a, b);
        let cross = _mm_xor_si128(
            _mm_clmulepi64_si128::<0x01>(a, b),
            _mm_clmulepi64_si128::<0x10>(a, b),
        );
        let carried = _mm_bslli_si128::<8>(_mm_srli_epi64::<63>(high));
        let doubled = _mm_xor_si128(_mm_slli_epi64::<1>(high), carried);
        reduce_pair(_mm_xor_si128(low, high), _mm_xor_si128(cross, doubled))
    }

    #[target_feature(enable = "sse2,sse4.1,pclmulqdq")]
    pub fn axpy64_avx2(out: &mut [Wide], a: &[u64], delta: Wide) {
        let delta = load(delta);
        for (out, a) in out.iter_mut().zip(a) {
            let product = scale(delta, _mm_set_epi64x(0, *a as i64));
            *out = store(_mm_xor_si128(load(*out), product));
        }
    }

    #[target_feature(enable = "sse2,sse4.1,pclmulqdq")]
    pub fn axpy_avx2(out: &mut [Wide], a: &[Wide], delta: Wide) {
        let delta = load(delta);
        for (out, a) in out.iter_mut().zip(a) {
            *out = store(_mm_xor_si128(load(*out), multiply(load(*a), delta)));
        }
    }

    /// Adds up the raw products and reduces once.
    #[target_feature(enable = "sse2,sse4.1,pclmulqdq")]
    pub fn inner_product(a: &[Wide], b: &[Wide]) -> Wide {
        let mut sums = [_mm_setzero_si128(); 3];
        for (a, b) in a.iter().zip(b) {
            let (a, b) = (load(*a), load(*b));
            let cross = _mm_xor_si128(
                _mm_clmulepi64_si128::<0x01>(a, b),
                _mm_clmulepi64_si128::<0x10>(a, b),
            );
            sums[0] = _mm_xor_si128(sums[0], _mm_clmulepi64_si128::<0x00>(a, b));
            sums[1] = _mm_xor_si128(sums[1], _mm_clmulepi64_si128::<0x11>(a, b));
            sums[2] = _mm_xor_si128(sums[2], cross);
        }
        combine(sums.map(|sum| {
            let [low, high] = store(sum);
            u128::from(low) | u128::from(high) << 64
        }))
    }

    #[target_feature(enable = "sse2,sse4.1,pclmulqdq")]
    pub fn add_polynomial64_avx2(out: &mut [u64], coefficients: &[u64], x: &[u64]) {
        let pairs = out.as_chunks_mut::<2>().0.iter_mut();
        for (out, x) in pairs.zip(x.as_chunks::<2>().0) {
            let x = load(*x);
            let mut sum = _mm_setzero_si128();
            for coefficient in coefficients.iter().rev() {
                sum = _mm_xor_si128(sum, _mm_set1_epi64x(*coefficient as i64));
                sum = reduce_pair(
                    _mm_clmulepi64_si128::<0x00>(sum, x),
                    _mm_clmulepi64_si128::<0x11>(sum, x),
                );
            }
            *out = store(_mm_xor_si128(load(*out), sum));
        }
        if let ([out], [x]) = (out.as_chunks_mut::<2>().1, x.as_chunks::<2>().1) {
            let mut pair = [*out, 0];
            add_polynomial64_avx2(&mut pair, coefficients, &[*x, 0]);
            *out = pair[0];
        }
    }

    #[target_feature(enable = "sse2,sse4.1,pclmulqdq")]
    pub fn add_polynomial_avx2(out: &mut [Wide], coefficients: &[Wide], x: &[u64]) {
        for (out, x) in out.iter_mut().zip(x) {
            let x = _mm_set_epi64x(0, *x as i64);
            let mut sum = _mm_setzero_si128();
            for coefficient in coefficients.iter().rev() {
                sum = scale(_mm_xor_si128(sum, load(*coefficient)), x);
            }
            *out = store(_mm_xor_si128(load(*out), sum));
        }
    }

    // ---- eight products at a time: VPCLMULQDQ ----------------------------------------------------------------------

    /// Two times four raw products to eight elements of B, in turns of `first` and `second`.
    #[target_feature(enable = "avx512f,vpclmulqdq")]
    #[inline]
    pub(super) fn reduce_eight(first: __m512i, second: __m512i) -> __m512i {
        let low = _mm512_unpacklo_epi64(first, second);
        let high = _mm512_unpackhi_epi64(first, second);
        // X^64 = X^4 + X^3 + X + 1; what that pushes over the edge is at most four bits, and folds once more
        let over = _mm512_ternarylogic_epi64::<0x96>(
            _mm512_srli_epi64::<60>(high),
            _mm512_srli_epi64::<61>(high),
            _mm512_srli_epi64::<63>(high),
        );
        let once = _mm512_xor_si512(high, over);
        let sum = _mm512_ternarylogic_epi64::<0x96>(low, once, _mm512_slli_epi64::<1>(once));
        let rest = _mm512_xor_si512(_mm512_slli_epi64::<3>(once), _mm512_slli_epi64::<4>(once));
        _mm512_xor_si512(sum, rest)
    }

    /// Four elements of F by four of B, each in the low half of its 128 bits.
    #[target_feature(enable = "avx512f,vpclmulqdq")]
    #[inline]
    pub(super) fn scale_four(a: __m512i, b: __m512i) -> __m512i {
        reduce_eight(
            _mm512_clmulepi64_epi128::<0x00>(a, b),
            _mm512_clmulepi64_epi128::<0x01>(a, b),
        )
    }

    #[target_feature(enable = "avx512f,avx512bw,vpclmulqdq")]
    #[inline]
    fn multiply_four(a: __m512i, b: __m512i) -> __m512i {
        let low = _mm512_clmulepi64_epi128::<0x00>(a, b);
        let high = _mm512_clmulepi64_epi128::<0x11>(a, b);
        let cross = _mm512_xor_si512(
            _mm512_clmulepi64_epi128::<0x01>(a, b),
            _mm512_clmulepi64_epi128::<0x10>(a, b),
        );
        let carried = _mm512_bslli_epi128::<8>(_mm512_srli_epi64::<63>(high));
        let doubled = _mm512_xor_si512(_mm512_slli_epi64::<1>(high), carried);
        reduce_eight(
            _mm512_xor_si512(low, high),
            _mm512_xor_si512(cross, doubled),
        )
    }

    /// A mask of the first `count` of eight.
    fn first(count: usize) -> u8 {
        ((1u16 << count) - 1) as u8
    }

    #[target_feature(enable = "avx512f,vpclmulqdq")]
    #[inline]
    fn broadcast(a: Wide) -> __m512i {
        _mm512_broadcast_i32x4(load(a))
    }

    #[target_feature(enable = "avx512f,avx512bw,vpclmulqdq")]
    pub fn axpy64_avx512(out: &mut [Wide], a: &[u64], delta: Wide) {
        let delta = broadcast(delta);
        let low_half = 0b0101_0101;
        let spread = _mm512_set_epi64(0, 3, 0, 2, 0, 1, 0, 0);
        for (out, a) in out.chunks_mut(4).zip(a.chunks(4)) {
            let (mask, wide) = (first(a.len()), first(2 * a.len()));
            // SAFETY: the masks keep the loads and the store inside the chunks
            let (old, a) = unsafe {
                (
                    _mm512_maskz_loadu_epi64(wide, out.as_ptr().cast()),
                    _mm512_maskz_loadu_epi64(mask, a.as_ptr().cast()),
                )
            };
            let a = _mm512_maskz_permutexvar_epi64(low_half, spread, a);
            let new = _mm512_xor_si512(old, scale_four(delta, a));
            // SAFETY: as above
            unsafe { _mm512_mask_storeu_epi64(out.as_mut_ptr().cast(), wide, new) };
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,vpclmulqdq")]
    pub fn axpy_avx512(out: &mut [Wide], a: &[Wide], delta: Wide) {
        let delta = broadcast(delta);
        for (out, a) in out.chunks_mut(4).zip(a.chunks(4)) {
            let mask = first(2 * a.len());
            // SAFETY: the mask keeps the loads and the store inside the chunks
            let (old, a) = unsafe {
                (
                    _mm512_maskz_loadu_epi64(mask, out.as_ptr().cast()),
                    _mm512_maskz_loadu_epi64(mask, a.as_ptr().cast()),
                )
            };
            let new = _mm512_xor_si512(old, multiply_four(a, delta));
            // SAFETY: as above
            unsafe { _mm512_mask_storeu_epi64(out.as_mut_ptr().cast(), mask, new) };
        }
    }

    #[target_feature(enable = "avx512f,vpclmulqdq")]
    pub fn add_polynomial64_avx512(out: &mut [u64], coefficients: &[u64], x: &[u64]) {
        for (out, x) in out.chunks_mut(8).zip(x.chunks(8)) {
            let mask = first(x.len());
            // SAFETY: the mask keeps the loads and the store inside the chunks
            let (old, x) = unsafe {
                (
                    _mm512_maskz_loadu_epi64(mask, out.as_ptr().cast()),
                    _mm512_maskz_loadu_epi64(mask, x.as_ptr().cast()),
                )
            };
            let mut sum = _mm512_setzero_si512();
            for coefficient in coefficients.iter().rev() {
                sum = _mm512_xor_si512(sum, _mm512_set1_epi64(*coefficient as i64));
                sum = reduce_eight(
                    _mm512_clmulepi64_epi128::<0x00>(sum, x),
                    _mm512_clmulepi64_epi128::<0x11>(sum, x),
                );
            }
            let new = _mm512_xor_si512(old, sum);
            // SAFETY: as above
            unsafe { _mm512_mask_storeu_epi64(out.as_mut_ptr().cast(), mask, new) };
        }
    }

    #[target_feature(enable = "avx512f,vpclmulqdq")]
    pub fn add_polynomial_avx512(out: &mut [Wide], coefficients: &[Wide], x: &[u64]) {
        let low_half = 0b0101_0101;
        let spread = _mm512_set_epi64(0, 3, 0, 2, 0, 1, 0, 0);
        for (out, x) in out.chunks_mut(4).zip(x.chunks(4)) {
            let (mask, wide) = (first(x.len()), first(2 * x.len()));
            // SAFETY: the masks keep the loads and the store inside the chunks
            let (old, x) = unsafe {
                (
                    _mm512_maskz_loadu_epi64(wide, out.as_ptr().cast()),
                    _mm512_maskz_loadu_epi64(mask, x.as_ptr().cast()),
                )
            };
            let x = _mm512_maskz_permutexvar_epi64(low_half, spread, x);
            let mut sum = _mm512_setzero_si512();
            for coefficient in coefficients.iter().rev() {
                sum = scale_four(_mm512_xor_si512(sum, broadcast(*coefficient)), x);
            }
            let new = _mm512_xor_si512(old, sum);
            // SAFETY: as above
            unsafe { _mm512_mask_storeu_epi64(out.as_mut_ptr().cast(), wide, new) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prg::PublicStream;

    const POLYNOMIAL: u128 = 1 << 64 | FOLD as u128;

    fn words(count: usize, label: &str) -> Vec<u64> {
        let mut words = vec![0; count];
        PublicStream::new(&[7; 32], label, &[]).fill(&mut words);
        for (place, word) in [(0, 0), (1, 1), (2, u64::MAX), (3, 1 << 63)] {
            if let Some(place) = words.get_mut(place) {
                *place = word;
            }
        }
        words
    }

    fn wides(count: usize, label: &str) -> Vec<Wide> {
        words(2 * count, label).as_chunks::<2>().0.to_vec()
    }

    /// Schoolbook: bit by bit, then long division.
    fn by_hand(a: u64, b: u64) -> u64 {
        let product = (0..64).fold(0u128, |sum, bit| {
            sum ^ ((u128::from(a) << bit) * u128::from(b >> bit & 1))
        });
        let divide = |rest: u128, bit: u32| rest ^ ((POLYNOMIAL << (bit - 64)) * (rest >> bit & 1));
        // bit 127 is never set in a product of two words
        (64..127).rev().fold(product, divide) as u64
    }

    fn power_of_x(exponent: u32) -> u64 {
        (0..exponent).fold(1, |power, _| times_x([power, 0])[0])
    }

    #[test]
    fn products_are_those_of_long_division() {
        for (a, b) in words(400, "a")
            .into_iter()
            .zip(words(399, "b").into_iter().rev())
        {
            assert_eq!(multiply64(a, b), by_hand(a, b));
        }
    }

    #[test]
    fn the_polynomial_of_b_is_irreducible() {
        // Rabin: X^(2^64) = X, and X^(2^32) − X has no factor in common with the polynomial (it is a unit)
        let frobenius = |times: u32| (0..times).fold(2, |power, _| multiply64(power, power));
        assert_eq!(frobenius(64), 2);
        let difference = frobenius(32) ^ 2;
        assert_eq!(multiply64(difference, invert64(difference)), 1);
    }

    #[test]
    fn the_polynomial_of_f_has_no_root_in_b() {
        let trace = |a: u64| {
            let conjugates = std::iter::successors(Some(a), |a| Some(multiply64(*a, *a)));
            conjugates
                .take(64)
                .fold(0, |sum, conjugate| sum ^ conjugate)
        };
        let inverse = invert64(2);
        assert_eq!(trace(multiply64(inverse, inverse)), 1);
        // and the trace is not constant
        assert_eq!(trace(1), 0);
    }

    #[test]
    fn y_squared_is_x_y_plus_one() {
        let y = [0, 1];
        assert_eq!(multiply(y, y), [1, 2]);
        for a in wides(50, "y") {
            assert_eq!(times_y(a), multiply(a, y));
            assert_eq!(times_x(a), multiply(a, [2, 0]));
            assert_eq!(scale(a, power_of_x(70)), multiply(a, [power_of_x(70), 0]));
        }
    }

    #[test]
    fn f_is_a_field() {
        let elements = wides(60, "field");
        for ((a, b), c) in elements.iter().zip(&elements[7..]).zip(&elements[19..]) {
            assert_eq!(multiply(*a, *b), multiply(*b, *a));
            assert_eq!(
                multiply(multiply(*a, *b), *c),
                multiply(*a, multiply(*b, *c))
            );
            assert_eq!(
                multiply(*a, add(*b, *c)),
                add(multiply(*a, *b), multiply(*a, *c))
            );
            if *a != [0; 2] {
                assert_eq!(multiply(*a, invert(*a)), [1, 0]);
            }
        }
        assert_eq!(invert([0; 2]), [0; 2]);
        assert_eq!(invert64(0), 0);
    }

    #[test]
    fn bytes_are_little_endian_with_the_part_in_b_first() {
        let bytes: [u8; 16] = std::array::from_fn(|place| place as u8);
        let element = from_bytes(&bytes);
        assert_eq!(element, [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);
        assert_eq!(to_bytes(element), bytes);
    }

    #[test]
    fn every_path_gives_the_same_columns() {
        for count in (0..20).chain([257]) {
            let (a, b) = (wides(count, "column a"), wides(count, "column b"));
            let x = words(count, "column x");
            let delta = wides(3, "delta")[2];
            let coefficients = wides(3, "coefficients");
            let narrow: Vec<u64> = coefficients.iter().map(|pair| pair[1]).collect();
            for path in simd::available() {
                let expect = |got: Vec<Wide>, each: &dyn Fn(usize) -> Wide| {
                    let due: Vec<_> = (0..count).map(|row| add(b[row], each(row))).collect();
                    assert_eq!(got, due, "{path:?} {count}");
                };
                let mut out = b.clone();
                axpy64_on(path, &mut out, &x, delta);
                expect(out, &|row| scale(delta, x[row]));

                let mut out = b.clone();
                axpy_on(path, &mut out, &a, delta);
                expect(out, &|row| multiply(a[row], delta));

                for degree in 0..4 {
                    let mut out = b.clone();
                    add_polynomial_on(path, &mut out, &coefficients[..degree], &x);
                    let term = |row: usize, k: u32| {
                        let power = (0..=k).fold(1, |power, _| multiply64(power, x[row]));
                        scale(coefficients[k as usize], power)
                    };
                    let sum = |row: usize| {
                        (0..degree as u32).fold([0; 2], |sum, k| add(sum, term(row, k)))
                    };
                    expect(out, &sum);

                    let mut out = x.clone();
                    add_polynomial64_on(path, &mut out, &narrow[..degree], &x);
                    let due: Vec<_> = (0..count).map(|row| x[row] ^ sum(row)[1]).collect();
                    assert_eq!(out, due, "{path:?} {count}");
                }

                let due = (0..count).fold([0; 2], |sum, row| add(sum, multiply(a[row], b[row])));
                assert_eq!(inner_product_on(path, &a, &b), due, "{path:?} {count}");
            }
        }
    }
}
