//! The samplers' scans in registers.

use std::arch::x86_64::*;

use super::{ERROR_TABLE, scan_gaussian, scan_ternary};

/// As the portable one, four words a register.
#[target_feature(enable = "avx2")]
pub(super) fn gaussian_avx2(words: &[u64], out: &mut [i8]) {
    scan_gaussian(words, out);
}

/// As the portable one, four words a register.
#[target_feature(enable = "avx2")]
pub(super) fn ternary_avx2(words: &[u64], out: &mut [i8]) {
    scan_ternary(words, out);
}

/// Registers that are scanned side by side.
const FLIGHT: usize = 4;

/// Fills whole flights of `out`; returns how many values they have.
#[target_feature(enable = "avx512f")]
pub(super) fn gaussian_avx512(words: &[u64], out: &mut [i8]) -> usize {
    let one = _mm512_set1_epi64(1);
    let (flights, _) = words.as_chunks::<{ 8 * FLIGHT }>();
    let (parts, _) = out.as_chunks_mut::<{ 8 * FLIGHT }>();
    let mut done = 0;
    for (words, out) in flights.iter().zip(parts) {
        let mut drawn = [_mm512_setzero_si512(); FLIGHT];
        for (line, drawn) in drawn.iter_mut().enumerate() {
            // SAFETY: a flight has FLIGHT lines of eight words
            *drawn = unsafe { _mm512_loadu_si512(words.as_ptr().add(8 * line).cast()) };
        }
        let halves = drawn.map(|word| _mm512_srli_epi64::<1>(word));
        let mut magnitudes = [_mm512_setzero_si512(); FLIGHT];
        for bound in ERROR_TABLE {
            let bound = _mm512_set1_epi64(bound as i64);
            for (magnitude, half) in magnitudes.iter_mut().zip(halves) {
                let reached = _mm512_cmpge_epu64_mask(half, bound);
                *magnitude = _mm512_mask_add_epi64(*magnitude, reached, *magnitude, one);
            }
        }
        for (line, (magnitude, word)) in magnitudes.into_iter().zip(drawn).enumerate() {
            let sign = _mm512_sub_epi64(_mm512_setzero_si512(), _mm512_and_si512(word, one));
            let value = _mm512_sub_epi64(_mm512_xor_si512(magnitude, sign), sign);
            let bytes = _mm512_cvtepi64_epi8(value);
            // SAFETY: a part has eight bytes for each line
            unsafe { _mm_storel_epi64(out.as_mut_ptr().add(8 * line).cast(), bytes) };
        }
        done += out.len();
    }
    done
}

/// Fills whole registers of `out`; returns how many values they have.
#[target_feature(enable = "avx512f")]
pub(super) fn ternary_avx512(words: &[u64], out: &mut [i8]) -> usize {
    // ⌊3w / 2^64⌋ counts the thirds that are reached
    let thirds = [0x5555_5555_5555_5556u64, 0xaaaa_aaaa_aaaa_aaab];
    let [first, second] = thirds.map(|bound| _mm512_set1_epi64(bound as i64));
    let one = _mm512_set1_epi64(1);
    let mut done = 0;
    for (words, out) in words
        .as_chunks::<8>()
        .0
        .iter()
        .zip(out.as_chunks_mut::<8>().0)
    {
        // SAFETY: eight words are read, eight bytes are written
        unsafe {
            let word = _mm512_loadu_si512(words.as_ptr().cast());
            let value = _mm512_set1_epi64(-1);
            let value =
                _mm512_mask_add_epi64(value, _mm512_cmpge_epu64_mask(word, first), value, one);
            let value =
                _mm512_mask_add_epi64(value, _mm512_cmpge_epu64_mask(word, second), value, one);
            _mm_storel_epi64(out.as_mut_ptr().cast(), _mm512_cvtepi64_epi8(value));
        }
        done += 8;
    }
    done
}
