//! Columns in bins of one byte: which cells a column is cut into, and the code of each value.
//!
//! A bin of numbers is an interval (edge[b−1], edge[b]]: the code of x is the number of edges below it, so `code <= b` says
//! the same as `x <= edge[b]`, on rows that were never seen as well. Not-a-number stands for a missing value; the infinities
//! are the least and the greatest of numbers.

mod cells;
mod encode;
mod sort;

use rayon::prelude::*;

pub use encode::encode;

use cells::{Cell, fill, merge};

/// Code of a missing value.
pub const MISSING: u8 = 255;

/// Most value codes of a column.
pub const MAX_BINS: usize = 254;

/// The cells of a column of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Bins {
    /// Upper edges of all bins but the last, ascending and finite.
    pub edges: Vec<f64>,
    /// Code of a missing value: [`MISSING`], or the value code that it was merged into.
    pub missing: u8,
}

/// How a column is cut.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most value codes, 1 to [`MAX_BINS`].
    pub max_bins: usize,
    /// Fewest rows of a cell, the one for missing values included.
    pub min_rows: usize,
}

/// Cuts a column into at most `max_bins` bins of about equal size, and a cell for what is missing.
///
/// A value that fills a bin by itself gets one, the others share what is left. Neighbours are merged until no bin has
/// fewer than `min_rows` rows; too few missing values join the largest bin. An edge lies half-way between the two values
/// that it parts. With `within` every cell is a union of its cells.
///
/// # Panics
/// When `max_bins` is not in 1..=254.
pub fn choose(column: &[f64], limits: Limits, within: Option<&Bins>) -> Bins {
    assert!(
        (1..=MAX_BINS).contains(&limits.max_bins),
        "max_bins must be in 1..=254"
    );
    within.map_or_else(
        || choose_freely(column, limits),
        |within| choose_within(column, limits, within),
    )
}

/// [`choose`] for every column of `numbers`, column after column of `rows` numbers each.
pub fn choose_columns(
    numbers: &[f64],
    rows: usize,
    limits: Limits,
    within: Option<&[Bins]>,
) -> Vec<Bins> {
    numbers
        .par_chunks(rows.max(1))
        .enumerate()
        .map(|(column, numbers)| choose(numbers, limits, within.map(|within| &within[column])))
        .collect()
}

/// [`encode`] for every column.
pub fn encode_columns(numbers: &[f64], rows: usize, bins: &[Bins], codes: &mut [u8]) {
    numbers
        .par_chunks(rows.max(1))
        .zip(codes.par_chunks_mut(rows.max(1)))
        .zip(bins)
        .for_each(|((numbers, codes), bins)| encode(numbers, bins, codes));
}

fn choose_freely(column: &[f64], limits: Limits) -> Bins {
    let sorted = sort::present(column);
    let ends = sort::ends_of_runs(&sorted);
    let runs = cells::of_ends(&ends);
    let mut bins = fill(&runs, limits.max_bins);
    merge(&mut bins, limits.min_rows);
    let edges = bins
        .windows(2)
        .map(|pair| {
            let end = ends[pair[0].last] as usize;
            between(sorted[end - 1], sorted[end])
        })
        .collect();
    place_missing(edges, &bins, column.len() - sorted.len(), limits.min_rows)
}

fn choose_within(column: &[f64], limits: Limits, within: &Bins) -> Bins {
    let mut codes = vec![0; column.len()];
    encode(column, within, &mut codes);
    let mut counts = [0; 256];
    for &code in &codes {
        counts[usize::from(code)] += 1;
    }
    let runs = cells::of_counts(&counts[..=within.edges.len()]);
    let mut bins = fill(&runs, limits.max_bins);
    merge(&mut bins, limits.min_rows);
    let inner = &bins[..bins.len() - 1];
    let edges = inner.iter().map(|bin| within.edges[bin.last]).collect();
    if within.missing == MISSING {
        return place_missing(edges, &bins, counts[usize::from(MISSING)], limits.min_rows);
    }
    let holds = |bin: &Cell| bin.last >= usize::from(within.missing);
    let missing = bins.iter().position(holds).unwrap_or(0) as u8;
    Bins { edges, missing }
}

/// A cell of its own for `missing` rows if there are enough, or none of them; else they join the largest bin. Where too
/// few values are present beside them, one cell holds all rows.
fn place_missing(edges: Vec<f64>, bins: &[Cell], missing: usize, min_rows: usize) -> Bins {
    let present: usize = bins.iter().map(|bin| bin.rows).sum();
    if missing > 0 && present < min_rows.max(1) {
        let edges = Vec::new();
        return Bins { edges, missing: 0 };
    }
    if missing == 0 || missing >= min_rows {
        let missing = MISSING;
        return Bins { edges, missing };
    }
    let mut largest = 0;
    for (code, bin) in bins.iter().enumerate() {
        if bin.rows > bins[largest].rows {
            largest = code;
        }
    }
    let missing = largest as u8;
    Bins { edges, missing }
}

/// A finite number x with low ≤ x < high, half-way where that can be told from high.
fn between(low: f64, high: f64) -> f64 {
    let low = low.max(f64::MIN);
    let middle = low / 2.0 + high.min(f64::MAX) / 2.0;
    if low <= middle && middle < high {
        middle
    } else {
        low
    }
}

#[cfg(test)]
mod tests;
