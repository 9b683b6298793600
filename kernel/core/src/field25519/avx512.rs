//! Eight elements side by side in AVX-512: five limbs of 51 bits, multiplied by the 52-bit products of IFMA.
//!
//! [`Carried`] limbs stay below 2^51 + 2^15, which a product accepts. [`Loose`] limbs are those of products and of their
//! sums, below 2^62: sums and differences are taken before the carry, so that each element is carried once. A product needs
//! 50 IFMA instructions and 5 multiplications by 19 or 38, a square 30 and 5.

use std::arch::x86_64::*;

use zeroize::Zeroize;

use super::Element;

/// Elements side by side.
pub(crate) const LANES: usize = 8;

/// One bit a lane, to choose by.
pub(crate) type Mask = __mmask8;

/// One word a lane.
pub(crate) type Words = __m512i;

/// What a product takes.
#[derive(Clone, Copy)]
pub(crate) struct Carried([__m512i; 5]);

/// What a product gives, before the carry.
#[derive(Clone, Copy)]
pub(crate) struct Loose([__m512i; 5]);

const BITS: u32 = 51;
const LIMB: i64 = (1 << BITS) - 1;

/// 512·p in limbs: added to what is subtracted from, it keeps every limb of a difference positive.
const BIAS: [i64; 5] = [
    512 * (LIMB - 18),
    512 * LIMB,
    512 * LIMB,
    512 * LIMB,
    512 * LIMB,
];

macro_rules! instructions {
    ($($item:item)*) => {
        $(#[inline] #[target_feature(enable = "avx512f,avx512dq,avx512ifma")] $item)*
    };
}

instructions! {
fn every(value: i64) -> __m512i {
    _mm512_set1_epi64(value)
}

/// Adds the low 52 bits of a·b.
fn low(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
    _mm512_madd52lo_epu64(sum, a, b)
}

/// Adds a·b / 2^52.
fn high(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
    _mm512_madd52hi_epu64(sum, a, b)
}

fn add(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi64(a, b)
}

fn double(a: __m512i) -> __m512i {
    _mm512_add_epi64(a, a)
}

fn times(a: __m512i, factor: i64) -> __m512i {
    _mm512_mullo_epi64(a, every(factor))
}

/// Word by word, lane by lane.
pub(crate) fn load_words(words: &[u64; LANES]) -> Words {
    // SAFETY: the array has the 64 bytes that are read, and the load asks for no alignment
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

fn store_words(words: Words) -> [u64; LANES] {
    let mut out = [0; LANES];
    // SAFETY: the array has the 64 bytes that are written, and the store asks for no alignment
    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), words) };
    out
}

/// The lanes whose word has this bit.
pub(crate) fn lanes_with_bit(words: Words, bit: u32) -> Mask {
    _mm512_test_epi64_mask(words, every((1u64 << bit) as i64))
}

/// The elements of a row, one a lane.
pub(crate) fn load(elements: &[Element; LANES]) -> Carried {
    let elements = elements.map(Element::carried);
    let mut limbs = [every(0); 5];
    for (index, limb) in limbs.iter_mut().enumerate() {
        *limb = load_words(&elements.map(|element| element.0[index]));
    }
    Carried(limbs)
}

pub(crate) fn store(value: &Carried) -> [Element; LANES] {
    let mut elements = [Element::ZERO; LANES];
    for (index, limb) in value.0.iter().enumerate() {
        for (element, word) in elements.iter_mut().zip(store_words(*limb)) {
            element.0[index] = word;
        }
    }
    elements.map(Element::carried)
}

/// As it is, to add to products.
pub(crate) fn loosen(value: &Carried) -> Loose {
    Loose(value.0)
}

/// A multiple of p to subtract from.
pub(crate) fn bias() -> Loose {
    Loose(BIAS.map(|limb| every(limb)))
}

/// a·b; with `BIASED`, fit to subtract an unbiased product from, or two.
pub(crate) fn multiply<const BIASED: bool>(a: &Carried, b: &Carried) -> Loose {
    let (a, b) = (&a.0, &b.0);
    // the high halves count double, since 2^52 is twice 2^51: summed, doubled once, and the low halves on top
    let mut highs = [every(0); 9];
    let mut sums = [every(0); 9];
    if BIASED {
        for index in 0..4 {
            highs[index] = every(BIAS[index + 1] / 2);
        }
        sums[0] = every(BIAS[0]);
    }
    for i in 0..5 {
        for j in 0..5 {
            highs[i + j] = high(highs[i + j], a[i], b[j]);
        }
    }
    for index in 1..9 {
        sums[index] = double(highs[index - 1]);
    }
    for i in 0..5 {
        for j in 0..5 {
            sums[i + j] = low(sums[i + j], a[i], b[j]);
        }
    }
    Loose([
        add(sums[0], times(sums[5], 19)),
        add(sums[1], times(sums[6], 19)),
        add(sums[2], times(sums[7], 19)),
        add(sums[3], times(sums[8], 19)),
        add(sums[4], times(highs[8], 38)),
    ])
}

/// a²; with `BIASED`, fit to subtract an unbiased product from, or two.
pub(crate) fn square<const BIASED: bool>(a: &Carried) -> Loose {
    let a = &a.0;
    let zero = every(0);
    // column k holds half of what goes there, but for the low half of a square of a limb
    let mut highs = [zero; 8];
    let mut halves = [zero; 8];
    if BIASED {
        for index in 1..4 {
            highs[index] = every(BIAS[index + 1] / 4);
        }
        halves[1] = every(BIAS[1] / 2);
    }
    for i in 0..5 {
        for j in i + 1..5 {
            highs[i + j] = high(highs[i + j], a[i], a[j]);
        }
    }
    for index in 2..8 {
        halves[index] = double(highs[index - 1]);
    }
    for i in 0..5 {
        for j in i + 1..5 {
            halves[i + j] = low(halves[i + j], a[i], a[j]);
        }
    }
    for i in 0..4 {
        halves[2 * i + 1] = high(halves[2 * i + 1], a[i], a[i]);
    }
    let last = high(zero, a[4], a[4]);
    let first = if BIASED { every(BIAS[0]) } else { zero };
    let sixth = low(double(halves[6]), a[3], a[3]);
    let eighth = low(double(double(highs[7])), a[4], a[4]);
    Loose([
        add(low(first, a[0], a[0]), times(halves[5], 38)),
        add(double(halves[1]), times(sixth, 19)),
        add(low(double(halves[2]), a[1], a[1]), times(halves[7], 38)),
        add(double(halves[3]), times(eighth, 19)),
        add(low(double(halves[4]), a[2], a[2]), times(last, 38)),
    ])
}

/// base + factor·e, for a factor below 2^18.
pub(crate) fn add_scaled(base: &Loose, e: &Carried, factor: u32) -> Loose {
    let (base, e) = (&base.0, &e.0);
    let factor = every(i64::from(factor));
    let mut sums = *base;
    for index in 0..5 {
        let above = high(every(0), e[index], factor);
        if index < 4 {
            sums[index + 1] = add(sums[index + 1], double(above));
        } else {
            sums[0] = low(sums[0], above, every(38));
        }
    }
    for index in 0..5 {
        sums[index] = low(sums[index], e[index], factor);
    }
    Loose(sums)
}

pub(crate) fn sum(a: &Loose, b: &Loose) -> Loose {
    let mut limbs = a.0;
    for (limb, other) in limbs.iter_mut().zip(&b.0) {
        *limb = add(*limb, *other);
    }
    Loose(limbs)
}

/// a − b, for a biased and b not.
pub(crate) fn difference(a: &Loose, b: &Loose) -> Loose {
    let mut limbs = a.0;
    for (limb, other) in limbs.iter_mut().zip(&b.0) {
        *limb = _mm512_sub_epi64(*limb, *other);
    }
    Loose(limbs)
}

/// The same element, fit for a product: limbs of at most 2^62 leave carries of at most 2^11.
pub(crate) fn carry(value: &Loose) -> Carried {
    let limbs = &value.0;
    let mut kept = [every(0); 5];
    for (kept, limb) in kept.iter_mut().zip(limbs) {
        *kept = _mm512_and_si512(*limb, every(LIMB));
    }
    for index in 0..4 {
        kept[index + 1] = add(kept[index + 1], _mm512_srli_epi64::<BITS>(limbs[index]));
    }
    kept[0] = low(kept[0], _mm512_srli_epi64::<BITS>(limbs[4]), every(19));
    Carried(kept)
}

/// `second` in the lanes of the mask, `first` elsewhere.
pub(crate) fn choose(mask: Mask, first: &Carried, second: &Carried) -> Carried {
    let mut limbs = first.0;
    for (limb, other) in limbs.iter_mut().zip(&second.0) {
        *limb = _mm512_mask_blend_epi64(mask, *limb, *other);
    }
    Carried(limbs)
}
}

impl Zeroize for Carried {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}
