//! Numbers of any width packed without gaps, least significant bit first.

use crate::histogram::{Line, words_mut};

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

/// Writes `values`, each below 2^`width` (≤ 51), without gaps.
///
/// # Panics
/// When `out` is not exactly as long as the values need.
pub fn pack_plane(values: &[u64], width: u32, out: &mut [u8]) {
    assert_eq!(out.len(), (values.len() * width as usize).div_ceil(8));
    let mut packer = Packer::new(out);
    values.iter().for_each(|value| packer.push(*value, width));
    packer.finish();
}

/// Reads what [`pack_plane`] wrote; false when a value is not below `bound` or the padding is not zero.
///
/// # Panics
/// When `bytes` is not exactly as long as the values need.
pub fn unpack_plane(bytes: &[u8], width: u32, bound: u64, values: &mut [u64]) -> bool {
    assert_eq!(bytes.len(), (values.len() * width as usize).div_ceil(8));
    let mut reader = Unpacker::new(bytes);
    let mut fits = true;
    for value in values {
        *value = reader.pull(width);
        fits &= *value < bound;
    }
    fits & reader.padding_is_zero()
}

/// Reads up to eight planes of `count` values side by side: value i of plane k becomes word `i·stride + k` of `out`.
///
/// Each plane comes with the bound of its values; false when one is not below it or padding is not zero. Words of no plane
/// stay as they are.
///
/// # Panics
/// When a plane is not exactly as long as its values need, there are more planes than `stride`, or `out` is too short.
pub fn unpack_lanes(
    planes: &[(&[u8], u64)],
    width: u32,
    count: usize,
    stride: usize,
    out: &mut [Line],
) -> bool {
    assert!(planes.len() <= stride && stride <= 8);
    assert!(out.len() * 8 >= count * stride);
    let words = words_mut(out);
    let mut fits = true;
    for (lane, (bytes, bound)) in planes.iter().enumerate() {
        assert_eq!(bytes.len(), (count * width as usize).div_ceil(8));
        let mut reader = Unpacker::new(bytes);
        for place in words[lane..].iter_mut().step_by(stride).take(count) {
            *place = reader.pull(width);
            fits &= *place < *bound;
        }
        fits &= reader.padding_is_zero();
    }
    fits
}
