//! Numbers of any width packed without gaps, least significant bit first.

use crate::histogram::{Line, words_mut};
use crate::simd::{self, Path};

/// Appends numbers to a byte slice that is exactly long enough.
pub struct Packer<'a> {
    out: &'a mut [u8],
    at: usize,
    pending: u128,
    pending_bits: u32,
}

impl<'a> Packer<'a> {
    pub fn new(out: &'a mut [u8]) -> Self {
        Self {
            out,
            at: 0,
            pending: 0,
            pending_bits: 0,
        }
    }

    /// Appends the low `width` (≤ 64) bits; the rest of `value` must be zero.
    #[inline(always)]
    pub fn push(&mut self, value: u64, width: u32) {
        self.pending |= u128::from(value) << self.pending_bits;
        self.pending_bits += width;
        if self.pending_bits >= 64 {
            self.out[self.at..self.at + 8].copy_from_slice(&(self.pending as u64).to_le_bytes());
            self.at += 8;
            self.pending >>= 64;
            self.pending_bits -= 64;
        }
    }

    /// Writes what is pending, padded with zero bits to a whole byte.
    pub fn finish(self) {
        let rest = self.pending_bits.div_ceil(8) as usize;
        self.out[self.at..].copy_from_slice(&(self.pending as u64).to_le_bytes()[..rest]);
    }
}

/// Reads numbers that [`Packer`] wrote. Reading past the end gives zero bits; callers check lengths first.
pub struct Unpacker<'a> {
    bytes: &'a [u8],
    at_bit: usize,
}

impl<'a> Unpacker<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at_bit: 0 }
    }

    /// The next `width` (≤ 64) bits.
    #[inline(always)]
    pub fn pull(&mut self, width: u32) -> u64 {
        let at = self.at_bit / 8;
        let window = match self.bytes.get(at..at + 16) {
            Some(octets) => u128::from_le_bytes(octets.try_into().expect("sixteen bytes")),
            None => self.tail(at),
        };
        let value = (window >> (self.at_bit % 8)) as u64 & (u64::MAX >> (64 - width));
        self.at_bit += width as usize;
        value
    }

    #[cold]
    fn tail(&self, at: usize) -> u128 {
        let mut octets = [0u8; 16];
        let rest = self.bytes.get(at..).unwrap_or_default();
        octets[..rest.len()].copy_from_slice(rest);
        u128::from_le_bytes(octets)
    }

    /// Whether the bits that pad the last byte are all zero.
    pub fn padding_is_zero(mut self) -> bool {
        let left = self.bytes.len() * 8 - self.at_bit;
        left == 0 || (left < 8 && self.pull(left as u32) == 0)
    }
}

/// [`pack_plane_on`] with the path of this process.
pub fn pack_plane(values: &[u64], width: u32, out: &mut [u8]) {
    pack_plane_on(simd::path(), values, width, out);
}

/// Writes `values`, each below 2^`width`, without gaps.
///
/// # Panics
/// When `width` is not 8 to 56, or `out` is not exactly as long as the values need.
pub fn pack_plane_on(path: Path, values: &[u64], width: u32, out: &mut [u8]) {
    assert!((8..=56).contains(&width));
    assert_eq!(out.len(), (values.len() * width as usize).div_ceil(8));
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    if path == Path::Avx512 {
        // SAFETY: the path is available
        done = unsafe { x86::pack(values, width, out) };
    }
    let _ = path;
    let mut packer = Packer::new(&mut out[done / 8 * width as usize..]);
    values[done..]
        .iter()
        .for_each(|value| packer.push(*value, width));
    packer.finish();
}

/// [`unpack_lanes_on`] of one plane, with the path of this process.
pub fn unpack_plane(bytes: &[u8], width: u32, bound: u64, values: &mut [u64]) -> bool {
    assert_eq!(bytes.len(), (values.len() * width as usize).div_ceil(8));
    let mut fits = true;
    for (index, value) in values.iter_mut().enumerate() {
        *value = window(bytes, index * width as usize, width);
        fits &= *value < bound;
    }
    fits & padding_is_zero(bytes, values.len() * width as usize)
}

/// [`unpack_lanes_on`] with the path of this process.
pub fn unpack_lanes(
    planes: &[(&[u8], u64)],
    width: u32,
    count: usize,
    stride: usize,
    out: &mut [Line],
) -> bool {
    unpack_lanes_on(simd::path(), planes, width, count, stride, out)
}

/// Reads up to eight planes of `count` values side by side: value i of plane k becomes word `i·stride + k` of `out`.
///
/// Each plane comes with the bound of its values; false when one is not below it or padding is not zero. Words of no plane
/// become zero or stay as they are.
///
/// # Panics
/// When `width` is not 8 to 56, a plane is not exactly as long as its values need, `stride` is not 2, 4 or 8 or less than
/// the planes, or `out` is too short.
pub fn unpack_lanes_on(
    path: Path,
    planes: &[(&[u8], u64)],
    width: u32,
    count: usize,
    stride: usize,
    out: &mut [Line],
) -> bool {
    assert!((8..=56).contains(&width));
    assert!(planes.len() <= stride && [2, 4, 8].contains(&stride));
    assert!(out.len() * 8 >= count * stride);
    let bits = count * width as usize;
    for (bytes, _) in planes {
        assert_eq!(bytes.len(), bits.div_ceil(8));
    }
    let mut fits = true;
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    if path == Path::Avx512 {
        // SAFETY: the path is available; planes and `out` are long enough, as checked above
        (done, fits) = unsafe { x86::unpack(planes, width, count, stride, out) };
    }
    let _ = path;
    let words = words_mut(out);
    for (lane, (bytes, bound)) in planes.iter().enumerate() {
        for index in done..count {
            let value = window(bytes, index * width as usize, width);
            words[index * stride + lane] = value;
            fits &= value < *bound;
        }
        fits &= padding_is_zero(bytes, bits);
    }
    fits
}

/// The `width` (≤ 56) bits from bit `at`.
#[inline(always)]
fn window(bytes: &[u8], at: usize, width: u32) -> u64 {
    let mut octets = [0u8; 8];
    match bytes.get(at / 8..at / 8 + 8) {
        Some(eight) => octets.copy_from_slice(eight),
        None => {
            let rest = &bytes[at / 8..];
            octets[..rest.len()].copy_from_slice(rest);
        }
    }
    (u64::from_le_bytes(octets) >> (at % 8)) & (u64::MAX >> (64 - width))
}

/// Whether the bits from `bits` to the end of the last byte are zero.
fn padding_is_zero(bytes: &[u8], bits: usize) -> bool {
    bits.is_multiple_of(8) || bytes.last().is_none_or(|last| last >> (bits % 8) == 0)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Line;

    /// For each of eight values of this width, where its first byte lies among 64.
    fn places(width: u32) -> ([u8; 64], [u64; 8]) {
        let mut bytes = [0; 64];
        let mut shifts = [0; 8];
        for (lane, shift) in shifts.iter_mut().enumerate() {
            let bit = lane * width as usize;
            *shift = (bit % 8) as u64;
            for octet in 0..8 {
                bytes[lane * 8 + octet] = (bit / 8 + octet) as u8;
            }
        }
        (bytes, shifts)
    }

    /// Packs eights of values; returns how many values are done.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub fn pack(values: &[u64], width: u32, out: &mut [u8]) -> usize {
        let size = width as usize;
        let (_, shifts) = places(width);
        // byte j begins within value 8j / width, and may end in the next one
        let (mut from, mut other, mut both) = ([0u8; 64], [0u8; 64], 0u64);
        for octet in 0..size {
            let lane = octet * 8 / size;
            from[octet] = (lane * 8 + octet - lane * size / 8) as u8;
            if (lane + 1) * size < octet * 8 + 8 {
                other[octet] = (lane as u8 + 1) * 8;
                both |= 1 << octet;
            }
        }
        // SAFETY: the arrays are 64 bytes each
        let (from, other, shifts) = unsafe {
            (
                _mm512_loadu_si512(from.as_ptr().cast()),
                _mm512_loadu_si512(other.as_ptr().cast()),
                _mm512_loadu_si512(shifts.as_ptr().cast()),
            )
        };
        let used = u64::MAX >> (64 - size);
        let eights = values.as_chunks::<8>().0;
        for (index, eight) in eights.iter().enumerate() {
            // SAFETY: eight words are read; all that is stored lies within `out`, which holds every value
            unsafe {
                let value = _mm512_sllv_epi64(_mm512_loadu_si512(eight.as_ptr().cast()), shifts);
                let low = _mm512_maskz_permutexvar_epi8(used, from, value);
                let high = _mm512_maskz_permutexvar_epi8(both, other, value);
                let packed = _mm512_or_si512(low, high);
                let place = out.as_mut_ptr().add(index * size);
                if index * size + 64 <= out.len() {
                    _mm512_storeu_si512(place.cast(), packed);
                } else {
                    _mm512_mask_storeu_epi8(place.cast(), used, packed);
                }
            }
        }
        eights.len() * 8
    }

    /// Unpacks eights of values; returns how many values of each plane are done, and whether all are in range.
    ///
    /// # Safety
    /// There must be `count` values in every plane, at most `stride` planes, and `count·stride` words in `out`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub unsafe fn unpack(
        planes: &[(&[u8], u64)],
        width: u32,
        count: usize,
        stride: usize,
        out: &mut [Line],
    ) -> (usize, bool) {
        let size = width as usize;
        let (bytes, shifts) = places(width);
        // SAFETY: the arrays are 64 bytes each
        let (from, shifts) = unsafe {
            (
                _mm512_loadu_si512(bytes.as_ptr().cast()),
                _mm512_loadu_si512(shifts.as_ptr().cast()),
            )
        };
        let mask = _mm512_set1_epi64((u64::MAX >> (64 - width)) as i64);
        let mut bounds = [_mm512_setzero_si512(); 8];
        for (bound, (_, most)) in bounds.iter_mut().zip(planes) {
            *bound = _mm512_set1_epi64(*most as i64);
        }
        let mut beyond = 0u8;
        for eight in 0..count / 8 {
            let mut values = [_mm512_setzero_si512(); 8];
            for ((value, bound), (bytes, _)) in values.iter_mut().zip(&bounds).zip(planes) {
                let rest = bytes.len() - eight * size;
                // SAFETY: no byte beyond the plane is read
                let raw = unsafe {
                    let place = bytes.as_ptr().add(eight * size).cast();
                    if rest >= 64 {
                        _mm512_loadu_si512(place)
                    } else {
                        _mm512_maskz_loadu_epi8(u64::MAX >> (64 - rest), place.cast())
                    }
                };
                let moved = _mm512_srlv_epi64(_mm512_permutexvar_epi8(from, raw), shifts);
                *value = _mm512_and_si512(moved, mask);
                beyond |= _mm512_cmpge_epu64_mask(*value, *bound);
            }
            let lines = &mut out[eight * stride..][..stride];
            match stride {
                2 => interleave_two(&values, lines),
                4 => interleave_four(&values, lines),
                _ => transpose(&values, lines),
            }
        }
        (count / 8 * 8, beyond == 0)
    }

    #[target_feature(enable = "avx512f")]
    fn store(line: &mut Line, value: __m512i) {
        // SAFETY: a line is 64 bytes at a multiple of 64
        unsafe { _mm512_store_si512(std::ptr::from_mut(line).cast(), value) };
    }

    /// (a₀ b₀ a₁ b₁ …) in two vectors.
    #[target_feature(enable = "avx512f")]
    fn pairs(a: __m512i, b: __m512i) -> [__m512i; 2] {
        let low = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0);
        let high = _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4);
        [
            _mm512_permutex2var_epi64(a, low, b),
            _mm512_permutex2var_epi64(a, high, b),
        ]
    }

    /// (a₀ b₀ c₀ d₀ a₁ …) in four vectors of two samples each.
    #[target_feature(enable = "avx512f")]
    fn fours(a: __m512i, b: __m512i, c: __m512i, d: __m512i) -> [__m512i; 4] {
        let low = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
        let high = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
        let [ab, ab_later] = pairs(a, b);
        let [cd, cd_later] = pairs(c, d);
        [
            _mm512_permutex2var_epi64(ab, low, cd),
            _mm512_permutex2var_epi64(ab, high, cd),
            _mm512_permutex2var_epi64(ab_later, low, cd_later),
            _mm512_permutex2var_epi64(ab_later, high, cd_later),
        ]
    }

    #[target_feature(enable = "avx512f")]
    fn interleave_two(values: &[__m512i; 8], lines: &mut [Line]) {
        for (line, pair) in lines.iter_mut().zip(pairs(values[0], values[1])) {
            store(line, pair);
        }
    }

    #[target_feature(enable = "avx512f")]
    fn interleave_four(values: &[__m512i; 8], lines: &mut [Line]) {
        let [a, b, c, d, ..] = *values;
        for (line, four) in lines.iter_mut().zip(fours(a, b, c, d)) {
            store(line, four);
        }
    }

    #[target_feature(enable = "avx512f")]
    fn transpose(values: &[__m512i; 8], lines: &mut [Line]) {
        let [a, b, c, d, e, f, g, h] = *values;
        let (left, right) = (fours(a, b, c, d), fours(e, f, g, h));
        for (pair, (left, right)) in lines.chunks_exact_mut(2).zip(left.into_iter().zip(right)) {
            store(&mut pair[0], _mm512_shuffle_i64x2::<0x44>(left, right));
            store(&mut pair[1], _mm512_shuffle_i64x2::<0xee>(left, right));
        }
    }
}
