//! Quantile bins of a column of numbers.
//!
//! A bin is an interval (edge[b−1], edge[b]]: the code of x is the number of edges below it, so `code <= b` says the same
//! as `x <= edge[b]`, on rows that were never seen as well.

use rayon::prelude::*;

/// Codes are one byte.
pub const MAX_BINS: usize = 256;

/// Upper edges, ascending, of all bins but the last: at most `max_bins` bins of about equal size.
///
/// A value that fills a bin by itself gets one, the others share what is left. Neighbours are merged until no bin has
/// fewer than `min_rows` rows. An edge lies half-way between the two values that it parts.
///
/// # Panics
/// When a number is not finite, or `max_bins` is not in 1..=256.
pub fn edges(column: &[f64], max_bins: usize, min_rows: usize) -> Vec<f64> {
    assert!(
        (1..=MAX_BINS).contains(&max_bins),
        "max_bins must be in 1..=256"
    );
    assert!(
        column.iter().all(|value| value.is_finite()),
        "a number is not finite"
    );
    let mut sorted = column.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut bins = fill(&sorted, max_bins);
    merge(&mut bins, min_rows);
    bins.windows(2)
        .map(|pair| between(pair[0].highest, pair[1].lowest))
        .collect()
}

/// The code of each number: how many edges lie below it.
pub fn encode(column: &[f64], edges: &[f64], codes: &mut [u8]) {
    assert_eq!(column.len(), codes.len());
    assert!(edges.len() < MAX_BINS, "more than 256 bins");
    for (code, value) in codes.iter_mut().zip(column) {
        *code = edges.partition_point(|edge| edge < value) as u8;
    }
}

/// [`edges`] of every column of `numbers`, column after column of `rows` numbers each.
pub fn edges_of_columns(
    numbers: &[f64],
    rows: usize,
    max_bins: usize,
    min_rows: usize,
) -> Vec<Vec<f64>> {
    numbers
        .par_chunks(rows.max(1))
        .map(|column| edges(column, max_bins, min_rows))
        .collect()
}

/// [`encode`] for every column.
pub fn encode_columns(numbers: &[f64], rows: usize, edges: &[Vec<f64>], codes: &mut [u8]) {
    let columns = numbers
        .par_chunks(rows.max(1))
        .zip(codes.par_chunks_mut(rows.max(1)));
    columns
        .zip(edges)
        .for_each(|((numbers, codes), edges)| encode(numbers, edges, codes));
}

#[derive(Clone, Copy)]
struct Bin {
    lowest: f64,
    highest: f64,
    rows: usize,
}

/// Greedy filling: a bin is closed when it holds its share of what is left, or before a value that needs its own.
fn fill(sorted: &[f64], max_bins: usize) -> Vec<Bin> {
    let runs: Vec<Bin> = sorted
        .chunk_by(|left, right| left == right)
        .map(|run| Bin {
            lowest: run[0],
            highest: run[run.len() - 1],
            rows: run.len(),
        })
        .collect();
    if runs.len() <= max_bins {
        return runs;
    }
    let is_large = |run: &Bin| run.rows * max_bins >= sorted.len();
    let mut shared_rows: usize = runs
        .iter()
        .filter(|run| !is_large(run))
        .map(|run| run.rows)
        .sum();
    let mut shared_bins = max_bins - runs.iter().filter(|run| is_large(run)).count();
    let mut bins: Vec<Bin> = Vec::with_capacity(max_bins);
    let mut open: Option<Bin> = None;
    for (index, run) in runs.iter().enumerate() {
        let bin = open.map_or(*run, |bin| Bin {
            lowest: bin.lowest,
            highest: run.highest,
            rows: bin.rows + run.rows,
        });
        open = Some(bin);
        let next_is_large = runs.get(index + 1).is_some_and(is_large);
        let full = bin.rows * shared_bins >= shared_rows;
        let half_full = 2 * bin.rows * shared_bins >= shared_rows;
        if bins.len() + 1 < max_bins && (is_large(run) || full || (next_is_large && half_full)) {
            bins.push(bin);
            open = None;
            if !is_large(run) {
                shared_rows -= bin.rows.min(shared_rows);
                shared_bins = shared_bins.saturating_sub(1);
            } else {
                shared_rows -= (bin.rows - run.rows).min(shared_rows);
            }
        }
    }
    bins.extend(open);
    bins
}

/// The smallest bin below `min_rows` joins its smaller neighbour (the left one when they are equal), again and again.
fn merge(bins: &mut Vec<Bin>, min_rows: usize) {
    while bins.len() > 1 {
        let Some(smallest) = (0..bins.len()).min_by_key(|&index| bins[index].rows) else {
            return;
        };
        if bins[smallest].rows >= min_rows {
            return;
        }
        let rows = |index: usize| bins.get(index).map_or(usize::MAX, |bin| bin.rows);
        let left = if smallest > 0 && rows(smallest - 1) <= rows(smallest + 1) {
            smallest - 1
        } else {
            smallest
        };
        let right = bins.remove(left + 1);
        bins[left].highest = right.highest;
        bins[left].rows += right.rows;
    }
}

/// A number x with low ≤ x < high, half-way where that can be told from high.
fn between(low: f64, high: f64) -> f64 {
    let middle = low / 2.0 + high / 2.0;
    if low <= middle && middle < high {
        middle
    } else {
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(column: &[f64], edges: &[f64]) -> Vec<usize> {
        let mut codes = vec![0u8; column.len()];
        encode(column, edges, &mut codes);
        let mut counts = vec![0; edges.len() + 1];
        codes
            .iter()
            .for_each(|&code| counts[usize::from(code)] += 1);
        counts
    }

    #[test]
    fn distinct_values_share_bins_of_equal_size() {
        let column: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(counts(&column, &edges(&column, 10, 1)), [10; 10]);
    }

    #[test]
    fn a_heavy_value_has_a_bin_of_its_own_and_the_rest_share_the_others() {
        let column: Vec<f64> = (0..60)
            .map(|_| 0.0)
            .chain((1..=40).map(f64::from))
            .collect();
        let counts = counts(&column, &edges(&column, 5, 1));
        assert_eq!(counts, [60, 10, 10, 10, 10]);
    }

    #[test]
    fn few_values_are_parted_half_way() {
        assert_eq!(edges(&[1.0, 3.0, 1.0, 7.0], 16, 1), [2.0, 5.0]);
    }

    #[test]
    fn a_constant_column_and_an_empty_one_have_no_edge() {
        assert!(edges(&[4.0; 9], 16, 1).is_empty());
        assert!(edges(&[], 16, 1).is_empty());
    }

    #[test]
    fn a_rare_value_is_merged_away() {
        let column: Vec<f64> = (0..100)
            .map(|row| if row < 3 { 1.0 } else { 0.0 })
            .collect();
        assert!(edges(&column, 16, 4).is_empty());
        assert_eq!(edges(&column, 16, 3), [0.5]);
    }

    #[test]
    fn neighbouring_floats_and_extremes_are_parted() {
        let next = f64::from_bits(1.0f64.to_bits() + 1);
        assert_eq!(edges(&[1.0, next], 2, 1), [1.0]);
        assert_eq!(edges(&[f64::MIN, f64::MAX], 2, 1), [0.0]);
        assert!(edges(&[0.0, -0.0], 2, 1).is_empty());
    }

    #[test]
    #[should_panic(expected = "not finite")]
    fn a_missing_number_is_refused() {
        edges(&[1.0, f64::NAN], 2, 1);
    }

    proptest! {
        #[test]
        fn bins_are_few_full_and_agree_with_their_edges(
            column in prop::collection::vec(prop_oneof![(-20i32..20).prop_map(f64::from), -1e3..1e3f64], 1..300),
            max_bins in 1usize..20,
            min_rows in 1usize..60,
        ) {
            let edges = edges(&column, max_bins, min_rows);
            prop_assert!(edges.len() < max_bins);
            prop_assert!(edges.is_sorted_by(|left, right| left < right));
            let counts = counts(&column, &edges);
            prop_assert!(counts.len() == 1 || counts.iter().all(|&rows| rows >= min_rows));
            let mut codes = vec![0u8; column.len()];
            encode(&column, &edges, &mut codes);
            for (code, value) in codes.iter().zip(&column) {
                for (bin, edge) in edges.iter().enumerate() {
                    prop_assert_eq!(usize::from(*code) <= bin, value <= edge);
                }
            }
        }
    }
}
