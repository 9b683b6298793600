//! The static-hint histogram: sums of encrypted (g, h) over a host's private rows, for ring-LWE keys of the guest.
//!
//! `docs/protocols/histogram.md` has the protocol and its security argument. In the ring R_q of a [`Parameters`] set, sample
//! i is coefficient c of block j; a host's row r is a set of samples, and M_(r,j) = Σ X^(−c) over its samples in block j.
//!
//! * set-up (host): H_r = Σ_j M_(r,j)·a_j + ρ_r·a_D + E_r, of which the top bits are the *hint*;
//! * query (guest): b_j = a_j·s + e_j + Δ·m_j and b_D = a_D·s + e_D for a fresh s;
//! * answer (host): z_r = Σ_(j,c)∈r b_j\[c\] + ct(ρ_r·b_D) + y_r with the flooding noise y_r;
//! * decryption (guest): z_r − ct(H_r·s) = Δ·Σ m + small, where ct is the constant coefficient.

mod composition;
mod decoding;
mod guest;
mod host;
mod message;
mod products;
mod rows;
mod setup;
mod sums;

pub use decoding::{Hint, Sums};
pub use guest::{Guest, Level, Plane};
pub use host::{Host, Summing};
pub use message::{Encoder, Message};
pub use products::{products, products_on};
pub use rows::Columns;
pub use sums::{Column, LAZY_SAMPLES, Line, accumulate, accumulate_on, words, words_mut};

use crate::parameters::Parameters;

/// Samples of one message: a level's queries travel, and are added up, block by block.
pub const BLOCK: usize = 1 << 16;

/// More queries than this in one level are refused.
pub const MAX_QUERIES: usize = 1 << 15;

/// Why a histogram call was refused. The text is for the caller's own side; it never holds a secret.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An argument breaks a rule that the caller can read.
    Invalid(String),
    /// Bytes from the other party are not a well-formed hint, query or answer.
    Malformed(String),
    /// An answer lies outside the noise budget. Deliberately says no more: which row failed can depend on secrets.
    NoiseBudget,
    /// The hint has served as many answers as its noise can hide; set up anew.
    HintExhausted,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invalid(text) | Self::Malformed(text) => out.write_str(text),
            Self::NoiseBudget => out.write_str("the answer is outside the noise budget"),
            Self::HintExhausted => {
                out.write_str("the hint has served its most answers; a new set-up is needed")
            }
        }
    }
}

impl std::error::Error for Refusal {}

fn check_samples(parameters: &Parameters, samples: usize) -> Result<(), Refusal> {
    let most = parameters.max_samples();
    if samples == 0 || samples > most {
        return Err(Refusal::Invalid(format!(
            "{} takes 1 to {most} samples, not {samples}",
            parameters.name
        )));
    }
    Ok(())
}

fn check_length(what: &str, bytes: &[u8], expected: usize) -> Result<(), Refusal> {
    if bytes.len() != expected {
        return Err(Refusal::Malformed(format!(
            "{what} has {} bytes where {expected} are expected",
            bytes.len()
        )));
    }
    Ok(())
}

fn check_queries(queries: usize) -> Result<(), Refusal> {
    if queries == 0 || queries > MAX_QUERIES {
        return Err(Refusal::Invalid(format!(
            "a level has 1 to {MAX_QUERIES} queries, not {queries}"
        )));
    }
    Ok(())
}

/// How many blocks these samples make.
pub fn blocks(samples: usize) -> usize {
    samples.div_ceil(BLOCK)
}

/// Samples of block number `block`; zero beyond the last.
pub fn block_samples(samples: usize, block: usize) -> usize {
    samples
        .saturating_sub(block.saturating_mul(BLOCK))
        .min(BLOCK)
}

/// Secret coefficients in the order of a constant coefficient: ct(a·b) = Σ_k a_k·b'_k with b'_0 = b_0, b'_k = −b_(N−k).
fn fold_constant<T: Copy>(values: &[T], negate: impl Fn(T) -> T) -> Vec<T> {
    let mut folded = Vec::with_capacity(values.len());
    folded.push(values[0]);
    folded.extend(values[1..].iter().rev().map(|value| negate(*value)));
    folded
}
