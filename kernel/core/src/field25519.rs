//! The field of 2^255 − 19 elements in five limbs of 51 bits, in constant time.

use std::ops::{Add, Mul, Sub};

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroize;

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;

/// An element; limbs may exceed 51 bits by a little between operations, [`Element::to_bytes`] is canonical.
///
/// Products leave limbs below 2^51 + 2^15. A sum or difference of two products stays below 2^54, which is what a product
/// accepts; chains of sums are therefore one deep, and differences take a product on the right.
#[derive(Clone, Copy, Debug)]
pub struct Element([u64; 5]);

const MASK: u64 = (1 << 51) - 1;

impl Element {
    pub const ZERO: Self = Self([0; 5]);
    pub const ONE: Self = Self([1, 0, 0, 0, 0]);

    /// 2^((p−1)/4), whose square is −1.
    const SQUARE_ROOT_OF_MINUS_ONE: Self = Self([
        0x0006_1b27_4a0e_a0b0,
        0x0000_d5a5_fc8f_189d,
        0x0007_ef5e_9cbd_0c60,
        0x0007_8595_a680_4c9e,
        0x0002_b832_4804_fc1d,
    ]);

    pub const fn from_small(value: u32) -> Self {
        Self([value as u64, 0, 0, 0, 0])
    }

    /// Reads 255 bits, little-endian; the top bit is ignored.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let word = |index: usize| {
            u64::from_le_bytes(bytes[index..index + 8].try_into().expect("eight bytes"))
        };
        Self([
            word(0) & MASK,
            (word(6) >> 3) & MASK,
            (word(12) >> 6) & MASK,
            (word(19) >> 1) & MASK,
            (word(24) >> 12) & MASK,
        ])
    }

    /// Reads 64 bytes, little-endian, modulo p: within 2^-256 of uniform when the bytes are.
    pub fn from_wide_bytes(bytes: &[u8; 64]) -> Self {
        let (low, high) = bytes.split_at(32);
        let (low, high): (&[u8; 32], &[u8; 32]) = (
            low.try_into().expect("half"),
            high.try_into().expect("half"),
        );
        // 2^255 = 19 and 2^256 = 38 modulo p
        let tops = u32::from(low[31] >> 7) * 19 + u32::from(high[31] >> 7) * 19 * 38;
        let high = Self::from_bytes(high).times_small(38);
        Self::from_bytes(low) + high + Self::from_small(tops)
    }

    /// The canonical 32 bytes, little-endian.
    pub fn to_bytes(self) -> [u8; 32] {
        let mut limbs = self.carried().carried().0;
        // 1 when the value is at least p
        let mut over = (limbs[0] + 19) >> 51;
        for limb in &limbs[1..] {
            over = (limb + over) >> 51;
        }
        limbs[0] += 19 * over;
        for index in 0..4 {
            limbs[index + 1] += limbs[index] >> 51;
            limbs[index] &= MASK;
        }
        limbs[4] &= MASK;
        let words = [
            limbs[0] | limbs[1] << 51,
            limbs[1] >> 13 | limbs[2] << 38,
            limbs[2] >> 26 | limbs[3] << 25,
            limbs[3] >> 39 | limbs[4] << 12,
        ];
        let mut bytes = [0; 32];
        for (octets, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *octets = word.to_le_bytes();
        }
        bytes
    }

    /// The same element with limbs below 2^51 + 2^15, so that more sums may follow.
    pub fn carried(self) -> Self {
        let limbs = self.0;
        let carry = limbs.map(|limb| limb >> 51);
        Self([
            (limbs[0] & MASK) + 19 * carry[4],
            (limbs[1] & MASK) + carry[0],
            (limbs[2] & MASK) + carry[1],
            (limbs[3] & MASK) + carry[2],
            (limbs[4] & MASK) + carry[3],
        ])
    }

    /// Carries once around; limbs are below 2^51 + 2^13 afterwards.
    #[inline(always)]
    fn from_products(sums: [u128; 5]) -> Self {
        let [c0, mut c1, mut c2, mut c3, mut c4] = sums;
        c1 += u128::from((c0 >> 51) as u64);
        c2 += u128::from((c1 >> 51) as u64);
        c3 += u128::from((c2 >> 51) as u64);
        c4 += u128::from((c3 >> 51) as u64);
        let low = (c0 as u64 & MASK) + 19 * (c4 >> 51) as u64;
        Self([
            low & MASK,
            (c1 as u64 & MASK) + (low >> 51),
            c2 as u64 & MASK,
            c3 as u64 & MASK,
            c4 as u64 & MASK,
        ])
    }

    /// Swaps two elements when `bit` is 1; takes the same steps when it is 0.
    #[inline(always)]
    pub fn swap_if(left: &mut Self, right: &mut Self, bit: Choice) {
        let mask = u64::from(bit.unwrap_u8()).wrapping_neg();
        for (a, b) in left.0.iter_mut().zip(&mut right.0) {
            let difference = mask & (*a ^ *b);
            *a ^= difference;
            *b ^= difference;
        }
    }

    #[inline(always)]
    pub fn squared(self) -> Self {
        let a = self.0;
        let product = |x: u64, y: u64| u128::from(x) * u128::from(y);
        let (a0_2, a1_2, a2_2) = (2 * a[0], 2 * a[1], 2 * a[2]);
        let (a3_19, a4_19) = (19 * a[3], 19 * a[4]);
        Self::from_products([
            product(a[0], a[0]) + product(a1_2, a4_19) + product(a2_2, a3_19),
            product(a0_2, a[1]) + product(a2_2, a4_19) + product(a[3], a3_19),
            product(a0_2, a[2]) + product(a[1], a[1]) + product(2 * a[3], a4_19),
            product(a0_2, a[3]) + product(a1_2, a[2]) + product(a[4], a4_19),
            product(a0_2, a[4]) + product(a1_2, a[3]) + product(a[2], a[2]),
        ])
    }

    fn squared_times(self, count: usize) -> Self {
        (0..count).fold(self, |value, _| value.squared())
    }

    #[inline(always)]
    pub fn times_small(self, factor: u32) -> Self {
        Self::from_products(self.0.map(|limb| u128::from(limb) * u128::from(factor)))
    }

    /// x^(2^250 − 1) and x^11, shared by both exponentiations.
    fn power_ladder(self) -> (Self, Self) {
        let squared = self.squared();
        let nine = self * squared.squared_times(2);
        let eleven = squared * nine;
        let five_bits = nine * eleven.squared();
        let ten = five_bits.squared_times(5) * five_bits;
        let twenty = ten.squared_times(10) * ten;
        let forty = twenty.squared_times(20) * twenty;
        let fifty = forty.squared_times(10) * ten;
        let hundred = fifty.squared_times(50) * fifty;
        let two_hundred = hundred.squared_times(100) * hundred;
        (two_hundred.squared_times(50) * fifty, eleven)
    }

    /// 1/x; 0 for 0.
    pub fn inverse(self) -> Self {
        let (power, eleven) = self.power_ladder();
        power.squared_times(5) * eleven
    }

    /// x^((p−3)/2), which is the quadratic symbol of x over x; 0 for 0.
    pub fn symbol_over(self) -> Self {
        let (power, _) = self.power_ladder();
        power.squared_times(4) * (self.squared_times(2) * self)
    }

    /// Whether n/d is a square, and a root of it if so; false when d is 0.
    ///
    /// p ≡ 5 modulo 8: n·d³·(n·d⁷)^((p−5)/8) squares to n/d up to a fourth root of unity.
    pub fn square_root_of_ratio(numerator: Self, denominator: Self) -> (Choice, Self) {
        let cubed = denominator.squared() * denominator;
        let seventh = cubed.squared() * denominator;
        let base = numerator * seventh;
        let (power, _) = base.power_ladder();
        let root = numerator * cubed * (power.squared_times(2) * base);
        let other = root * Self::SQUARE_ROOT_OF_MINUS_ONE;
        let fits = |root: Self| (root.squared() * denominator - numerator).is_zero();
        let (first, second) = (fits(root), fits(other));
        let root = Self::conditional_select(&other, &root, first);
        ((first | second) & !denominator.is_zero(), root)
    }

    pub fn is_zero(self) -> Choice {
        self.to_bytes().ct_eq(&[0; 32])
    }
}

/// Multiplies each numerator by the inverse of its denominator, none of which is 0, with one inversion in all
/// (Montgomery 1987, §10.3.1).
pub fn divide(numerators: &mut [Element], denominators: &[Element]) {
    let mut product = Element::ONE;
    let mut before: Vec<Element> = denominators
        .iter()
        .map(|denominator| {
            let before = product;
            product = product * *denominator;
            before
        })
        .collect();
    let mut inverse = product.inverse();
    for ((numerator, denominator), before) in
        numerators.iter_mut().zip(denominators).zip(&before).rev()
    {
        *numerator = *numerator * (inverse * *before);
        inverse = inverse * *denominator;
    }
    before.zeroize();
}

impl Add for Element {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|index| self.0[index] + other.0[index]))
    }
}

impl Sub for Element {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // 4p in limbs, so that no limb of a sum of two products underflows
        const FOUR_P: [u64; 5] = [
            (1 << 53) - 76,
            (1 << 53) - 4,
            (1 << 53) - 4,
            (1 << 53) - 4,
            (1 << 53) - 4,
        ];
        Self(std::array::from_fn(|index| {
            self.0[index] + FOUR_P[index] - other.0[index]
        }))
    }
}

impl Mul for Element {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        let product = |x: u64, y: u64| u128::from(x) * u128::from(y);
        let (b1, b2, b3, b4) = (19 * b[1], 19 * b[2], 19 * b[3], 19 * b[4]);
        Self::from_products([
            product(a[0], b[0])
                + product(a[4], b1)
                + product(a[3], b2)
                + product(a[2], b3)
                + product(a[1], b4),
            product(a[1], b[0])
                + product(a[0], b[1])
                + product(a[4], b2)
                + product(a[3], b3)
                + product(a[2], b4),
            product(a[2], b[0])
                + product(a[1], b[1])
                + product(a[0], b[2])
                + product(a[4], b3)
                + product(a[3], b4),
            product(a[3], b[0])
                + product(a[2], b[1])
                + product(a[1], b[2])
                + product(a[0], b[3])
                + product(a[4], b4),
            product(a[4], b[0])
                + product(a[3], b[1])
                + product(a[2], b[2])
                + product(a[1], b[3])
                + product(a[0], b[4]),
        ])
    }
}

impl ConditionallySelectable for Element {
    #[inline(always)]
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        Self(std::array::from_fn(|index| {
            u64::conditional_select(&a.0[index], &b.0[index], choice)
        }))
    }
}

impl Zeroize for Element {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}
