//! The two kinds of elements that an encoding is made of.

use zeroize::Zeroize;

use crate::gf128::{self, Wide};
use crate::simd::Path;

/// An element of GF(2^64) or of GF(2^128).
pub trait Element: Copy + Default + PartialEq + Send + Sync + Zeroize {
    /// The element on the wire.
    type Bytes: Copy + Send + Sync;

    /// The bytes of a column as those of its elements.
    fn split(bytes: &[u8]) -> &[Self::Bytes];
    /// As [`Element::split`], to write to.
    fn split_mut(bytes: &mut [u8]) -> &mut [Self::Bytes];
    fn from_bytes(bytes: &Self::Bytes) -> Self;
    fn to_bytes(self) -> Self::Bytes;
    /// From 64-bit words, of which it takes as many as it has.
    fn from_words(words: Wide) -> Self;
    fn plus(self, other: Self) -> Self;
    fn scale(self, factor: u64) -> Self;
    /// See [`gf128::add_polynomial_on`].
    fn add_polynomial_on(path: Path, out: &mut [Self], coefficients: &[Self], x: &[u64]);
}

impl Element for u64 {
    type Bytes = [u8; 8];

    fn split(bytes: &[u8]) -> &[Self::Bytes] {
        bytes.as_chunks().0
    }

    fn split_mut(bytes: &mut [u8]) -> &mut [Self::Bytes] {
        bytes.as_chunks_mut().0
    }

    #[inline(always)]
    fn from_bytes(bytes: &Self::Bytes) -> Self {
        Self::from_le_bytes(*bytes)
    }

    #[inline(always)]
    fn to_bytes(self) -> Self::Bytes {
        self.to_le_bytes()
    }

    #[inline(always)]
    fn from_words(words: Wide) -> Self {
        words[0]
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self ^ other
    }

    fn scale(self, factor: u64) -> Self {
        gf128::multiply64(self, factor)
    }

    fn add_polynomial_on(path: Path, out: &mut [Self], coefficients: &[Self], x: &[u64]) {
        gf128::add_polynomial64_on(path, out, coefficients, x);
    }
}

impl Element for Wide {
    type Bytes = [u8; 16];

    fn split(bytes: &[u8]) -> &[Self::Bytes] {
        bytes.as_chunks().0
    }

    fn split_mut(bytes: &mut [u8]) -> &mut [Self::Bytes] {
        bytes.as_chunks_mut().0
    }

    #[inline(always)]
    fn from_bytes(bytes: &Self::Bytes) -> Self {
        gf128::from_bytes(bytes)
    }

    #[inline(always)]
    fn to_bytes(self) -> Self::Bytes {
        gf128::to_bytes(self)
    }

    #[inline(always)]
    fn from_words(words: Wide) -> Self {
        words
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        gf128::add(self, other)
    }

    fn scale(self, factor: u64) -> Self {
        gf128::scale(self, factor)
    }

    fn add_polynomial_on(path: Path, out: &mut [Self], coefficients: &[Self], x: &[u64]) {
        gf128::add_polynomial_on(path, out, coefficients, x);
    }
}
