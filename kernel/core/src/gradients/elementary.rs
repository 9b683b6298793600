//! Exponential and logarithm in IEEE additions, multiplications and divisions only, without a branch: the same bits on
//! every machine and at every vector width, which no C library promises.

const LN2: f64 = std::f64::consts::LN_2;
/// ln 2 in two parts, the first with 21 zero bits at its end, so that k·LN2_HIGH is exact (Cody and Waite 1980).
const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// 1.5·2^52: added to a number below 2^51 it leaves the nearest integer in the low bits.
pub(super) const ROUND: f64 = 6_755_399_441_055_744.0;
/// 2^52: the bits of 2^52 + k end in k.
const TWO_52: f64 = 4_503_599_627_370_496.0;

/// 1/k! for k = 13 down to 2.
const EXP_TERMS: [f64; 12] = [
    1.0 / 6_227_020_800.0,
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
];

/// 1/(2k + 1) for k = 11 down to 0.
const ARTANH_TERMS: [f64; 12] = [
    1.0 / 23.0,
    1.0 / 21.0,
    1.0 / 19.0,
    1.0 / 17.0,
    1.0 / 15.0,
    1.0 / 13.0,
    1.0 / 11.0,
    1.0 / 9.0,
    1.0 / 7.0,
    1.0 / 5.0,
    1.0 / 3.0,
    1.0,
];

/// e^x within 2 units of the last place; x is first clamped to [−708, 709].
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    let x = x.clamp(-708.0, 709.0);
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let power = shifted - ROUND;
    let rest = (x - power * LN2_HIGH) - power * LN2_LOW;
    let mut series = 0.0;
    for term in EXP_TERMS {
        series = series * rest + term;
    }
    let mantissa = 1.0 + (rest + series * rest * rest);
    // the low bits of `shifted` are the power, in two's complement; shifts drop all others
    mantissa * f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52)
}

/// ln x of a positive number, from 2·artanh((m − 1)/(m + 1)) with m in [√½, √2); what is below the normal numbers is
/// taken for the least of them.
#[inline(always)]
pub fn ln(x: f64) -> f64 {
    let bits = x.max(f64::MIN_POSITIVE).to_bits();
    let mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    let exponent = f64::from_bits(TWO_52.to_bits() | bits >> 52) - (TWO_52 + 1023.0);
    let is_large = mantissa > std::f64::consts::SQRT_2;
    let mantissa = if is_large { mantissa / 2.0 } else { mantissa };
    let exponent = if is_large { exponent + 1.0 } else { exponent };
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let mut series = 0.0;
    for term in ARTANH_TERMS {
        series = series * square + term;
    }
    exponent * LN2 + 2.0 * ratio * series
}

/// 1 / (1 + e^−x).
#[inline(always)]
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// ln(1 + e^x).
#[inline(always)]
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + ln(1.0 + exp(-x.abs()))
}

/// The sum of the values in eight lanes, which are then added up: a fixed order at every vector width.
#[inline(always)]
pub fn sum(values: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (eights, rest) = values.as_chunks::<8>();
    for eight in eights {
        for (lane, value) in lanes.iter_mut().zip(eight) {
            *lane += value;
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += value;
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KNOWN_BITS: [(f64, u64); 4] = [
        (0.0, 0x3ff0_0000_0000_0000),
        (1.0, 0x4005_bf0a_8b14_576a),
        (-1.0, 0x3fd7_8b56_362c_ef38),
        (1e9, 0x7fdd_422d_2be5_dc9b),
    ];

    #[test]
    fn the_exponential_has_the_same_bits_everywhere() {
        for (x, bits) in KNOWN_BITS {
            assert_eq!(exp(x).to_bits(), bits, "exp({x}) = {:#x}", exp(x).to_bits());
        }
    }

    #[test]
    fn the_ends_of_the_range_are_finite() {
        assert!(exp(-1e300) > 0.0 && exp(1e300).is_finite());
        assert!(ln(0.0) < -708.0 && ln(f64::MAX) < 710.0);
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn a_sum_has_every_value_once() {
        for count in 0..40usize {
            let values: Vec<f64> = (0..count).map(|index| (1u64 << index) as f64).collect();
            assert_eq!(sum(&values), ((1u64 << count) - 1) as f64);
        }
    }

    proptest! {
        #[test]
        fn exponential_and_logarithm_agree_with_the_library(x in -700.0..700.0f64) {
            prop_assert!((exp(x) / x.exp() - 1.0).abs() < 1e-15);
            let y = x.exp();
            prop_assert!((ln(y) - x).abs() <= 1e-15 * x.abs().max(1.0));
        }
    }
}
