//! Arithmetic of Hanse: pure functions over columns. No network, no files, no clock, no OS entropy.

pub mod aes;
pub mod binning;
pub mod blinding;
pub mod curve;
pub mod field25519;
pub mod filters;
pub mod gf128;
pub mod gradients;
pub mod hashing;
pub mod histogram;
pub mod ids;
pub mod matching;
pub mod ntt;
pub mod okvs;
pub mod ot;
pub mod packing;
pub mod parameters;
pub mod permutation;
pub mod prg;
pub mod radix;
pub mod ring;
pub mod sampling;
pub mod simd;
pub mod tags;
pub mod threads;
pub mod trees;
