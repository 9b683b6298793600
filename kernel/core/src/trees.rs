//! Histograms, split search, partition of rows and scoring of boosted regression trees (Friedman 2001; second-order gain
//! of Chen and Guestrin 2016).
//!
//! Columns are codes of `binning`, one byte each, column after column. The cells of a column are its value codes and then,
//! where it has one, the cell of missing values; cells of all columns follow one another. A split is a set of codes that
//! go left: a bitmap of 256 bits, bit c in byte c/8, lowest first. Sums of floats run in row order inside one column, so
//! results do not depend on the number of threads.

mod histogram;
mod partition;
mod scoring;
mod splits;

pub use histogram::{Columns, Sums, histogram, histogram_on};
pub use partition::{add_leaves, left_bits, mark, part_by_bits, part_by_codes, set_bits, totals};
pub use scoring::{Forest, margins, margins_on};
pub use splits::{Found, Node, Rules, Shape, best_split};

/// A set of codes.
pub type Left = [u8; 32];

/// Whether a code is in the set.
#[inline(always)]
pub fn has(left: &Left, code: u8) -> bool {
    left[usize::from(code >> 3)] >> (code & 7) & 1 == 1
}

/// Puts a code into the set.
fn put(left: &mut Left, code: u8) {
    left[usize::from(code >> 3)] |= 1 << (code & 7);
}
