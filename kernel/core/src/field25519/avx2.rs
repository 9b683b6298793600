//! Four elements side by side in AVX2: ten limbs of 26 and 25 bits in turn (Bernstein 2006, Curve25519, §4), multiplied by
//! the 32-bit products of `vpmuludq`.
//!
//! [`Carried`] limbs stay below 2^26 + 2^16 and 2^25 + 2^16. [`Loose`] limbs are those of products and of their sums, below 2^62.

use std::arch::x86_64::*;

use zeroize::Zeroize;

use super::Element;

/// Elements side by side.
pub(crate) const LANES: usize = 4;

/// All bits or none a lane, to choose by.
pub(crate) type Mask = __m256i;

/// One word a lane.
pub(crate) type Words = __m256i;

/// What a product takes.
#[derive(Clone, Copy)]
pub(crate) struct Carried([__m256i; 10]);

/// What a product gives, before the carry.
#[derive(Clone, Copy)]
pub(crate) struct Loose([__m256i; 10]);

/// Bits of an even limb; an odd one has one less.
const BITS: i32 = 26;
const LIMB: i64 = (1 << BITS) - 1;

/// What the columns of a product take: the limbs once, twice, and 19-fold.
struct Multiples {
    once: [__m256i; 10],
    twice: [__m256i; 10],
    nineteen: [__m256i; 10],
}

macro_rules! instructions {
    ($($item:item)*) => {
        $(#[inline] #[target_feature(enable = "avx2")] $item)*
    };
}

instructions! {
fn every(value: i64) -> __m256i {
    _mm256_set1_epi64x(value)
}

fn add(a: __m256i, b: __m256i) -> __m256i {
    _mm256_add_epi64(a, b)
}

/// The product of the low halves of the words.
fn product(a: __m256i, b: __m256i) -> __m256i {
    _mm256_mul_epu32(a, b)
}

fn times_nineteen(a: __m256i) -> __m256i {
    add(a, add(_mm256_slli_epi64::<1>(a), _mm256_slli_epi64::<4>(a)))
}

/// Word by word, lane by lane.
pub(crate) fn load_words(words: &[u64; LANES]) -> Words {
    // SAFETY: the array has the 32 bytes that are read, and the load asks for no alignment
    unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
}

fn store_words(words: Words) -> [u64; LANES] {
    let mut out = [0; LANES];
    // SAFETY: the array has the 32 bytes that are written, and the store asks for no alignment
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), words) };
    out
}

/// The lanes whose word has this bit.
pub(crate) fn lanes_with_bit(words: Words, bit: u32) -> Mask {
    let bit = every((1u64 << bit) as i64);
    _mm256_cmpeq_epi64(_mm256_and_si256(words, bit), bit)
}

/// The elements of a row, one a lane.
pub(crate) fn load(elements: &[Element; LANES]) -> Carried {
    let mut limbs = [every(0); 10];
    for index in 0..5 {
        let words = elements.map(|element| element.carried().0[index]);
        limbs[2 * index] = load_words(&words.map(|word| word & LIMB as u64));
        limbs[2 * index + 1] = load_words(&words.map(|word| word >> BITS));
    }
    Carried(limbs)
}

pub(crate) fn store(value: &Carried) -> [Element; LANES] {
    let mut elements = [Element::ZERO; LANES];
    for index in 0..5 {
        let (even, odd) = (store_words(value.0[2 * index]), store_words(value.0[2 * index + 1]));
        for lane in 0..LANES {
            elements[lane].0[index] = even[lane] + (odd[lane] << BITS);
        }
    }
    elements.map(Element::carried)
}

/// As it is, to add to products.
pub(crate) fn loosen(value: &Carried) -> Loose {
    Loose(value.0)
}

/// 2^35·p in limbs: it keeps every limb of a difference positive.
fn start<const BIASED: bool>() -> [__m256i; 10] {
    if !BIASED {
        return [every(0); 10];
    }
    let (even, odd) = (LIMB << 35, (LIMB >> 1) << 35);
    let mut limbs = [every(even); 10];
    limbs[0] = every((LIMB - 18) << 35);
    for index in 0..5 {
        limbs[2 * index + 1] = every(odd);
    }
    limbs
}

/// A multiple of p to subtract from.
pub(crate) fn bias() -> Loose {
    Loose(start::<true>())
}

fn multiples(value: &Carried) -> Multiples {
    let once = value.0;
    let (mut twice, mut nineteen) = (once, once);
    for index in 0..10 {
        twice[index] = add(once[index], once[index]);
        nineteen[index] = times_nineteen(once[index]);
    }
    Multiples {
        once,
        twice,
        nineteen,
    }
}

/// The limb of b that meets limb i of a in a column: 19-fold when the product lies past the end.
fn partner(b: &Multiples, column: usize, i: usize) -> __m256i {
    let j = (column + 10 - i) % 10;
    if i > column { b.nineteen[j] } else { b.once[j] }
}

/// Adds to `sum` what a·b has in a column; the product of two odd limbs counts double.
fn product_column<const COLUMN: usize>(sum: __m256i, a: &Multiples, b: &Multiples) -> __m256i {
    let mut sum = sum;
    for i in 0..10 {
        let both_odd = i % 2 == 1 && COLUMN.is_multiple_of(2);
        let left = if both_odd { a.twice[i] } else { a.once[i] };
        sum = add(sum, product(left, partner(b, COLUMN, i)));
    }
    sum
}

/// Adds to `sum` what a² has in a column: each pair of limbs once, and double.
fn square_column<const COLUMN: usize>(sum: __m256i, a: &Multiples) -> __m256i {
    let mut sum = sum;
    for i in 0..10 {
        let j = (COLUMN + 10 - i) % 10;
        let twice = u32::from(i != j) + u32::from(i % 2 == 1 && j % 2 == 1);
        if i <= j {
            let left = match twice {
                0 => a.once[i],
                1 => a.twice[i],
                _ => add(a.twice[i], a.twice[i]),
            };
            sum = add(sum, product(left, partner(a, COLUMN, i)));
        }
    }
    sum
}

/// a·b; with `BIASED`, fit to subtract an unbiased product from, or two.
pub(crate) fn multiply<const BIASED: bool>(a: &Carried, b: &Carried) -> Loose {
    let (a, b) = (&multiples(a), &multiples(b));
    let start = start::<BIASED>();
    Loose([
        product_column::<0>(start[0], a, b),
        product_column::<1>(start[1], a, b),
        product_column::<2>(start[2], a, b),
        product_column::<3>(start[3], a, b),
        product_column::<4>(start[4], a, b),
        product_column::<5>(start[5], a, b),
        product_column::<6>(start[6], a, b),
        product_column::<7>(start[7], a, b),
        product_column::<8>(start[8], a, b),
        product_column::<9>(start[9], a, b),
    ])
}

/// a²; with `BIASED`, fit to subtract an unbiased product from, or two.
pub(crate) fn square<const BIASED: bool>(a: &Carried) -> Loose {
    let a = &multiples(a);
    let start = start::<BIASED>();
    Loose([
        square_column::<0>(start[0], a),
        square_column::<1>(start[1], a),
        square_column::<2>(start[2], a),
        square_column::<3>(start[3], a),
        square_column::<4>(start[4], a),
        square_column::<5>(start[5], a),
        square_column::<6>(start[6], a),
        square_column::<7>(start[7], a),
        square_column::<8>(start[8], a),
        square_column::<9>(start[9], a),
    ])
}

/// base + factor·e, for a factor below 2^18.
pub(crate) fn add_scaled(base: &Loose, e: &Carried, factor: u32) -> Loose {
    let mut sums = base.0;
    for (sum, limb) in sums.iter_mut().zip(&e.0) {
        *sum = add(*sum, product(*limb, every(i64::from(factor))));
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
        *limb = _mm256_sub_epi64(*limb, *other);
    }
    Loose(limbs)
}

/// Moves what an even limb has too much to the next limb.
fn carry_even(limbs: &mut [__m256i; 10], index: usize) {
    limbs[index + 1] = add(limbs[index + 1], _mm256_srli_epi64::<BITS>(limbs[index]));
    limbs[index] = _mm256_and_si256(limbs[index], every(LIMB));
}

/// Moves what an odd limb has too much to the next limb, the last one's 19-fold to the first.
fn carry_odd(limbs: &mut [__m256i; 10], index: usize) {
    let above = _mm256_srli_epi64::<{ BITS - 1 }>(limbs[index]);
    let (next, above) = if index == 9 { (0, times_nineteen(above)) } else { (index + 1, above) };
    limbs[next] = add(limbs[next], above);
    limbs[index] = _mm256_and_si256(limbs[index], every(LIMB >> 1));
}

/// The same element, fit for a product: two chains, each of which starts where the other ends.
pub(crate) fn carry(value: &Loose) -> Carried {
    let mut limbs = value.0;
    carry_even(&mut limbs, 0);
    carry_odd(&mut limbs, 5);
    carry_odd(&mut limbs, 1);
    carry_even(&mut limbs, 6);
    carry_even(&mut limbs, 2);
    carry_odd(&mut limbs, 7);
    carry_odd(&mut limbs, 3);
    carry_even(&mut limbs, 8);
    carry_even(&mut limbs, 4);
    carry_odd(&mut limbs, 9);
    carry_odd(&mut limbs, 5);
    carry_even(&mut limbs, 0);
    Carried(limbs)
}

/// `second` in the lanes of the mask, `first` elsewhere.
pub(crate) fn choose(mask: Mask, first: &Carried, second: &Carried) -> Carried {
    let mut limbs = first.0;
    for (limb, other) in limbs.iter_mut().zip(&second.0) {
        *limb = _mm256_blendv_epi8(*limb, *other, mask);
    }
    Carried(limbs)
}
}

impl Zeroize for Carried {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}
