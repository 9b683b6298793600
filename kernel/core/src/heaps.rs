//! Histograms, split search and routing of boosted regression trees (Friedman 2001; second-order gain of Chen and
//! Guestrin 2016).
//!
//! Columns are codes of `binning`, one byte each, column after column. A split `code <= bin` goes left. Sums of floats run
//! in row order inside one column, so results do not depend on the number of threads.

use rayon::prelude::*;

/// What a split must satisfy.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// λ of the gain G²/(H + λ).
    pub reg_lambda: f64,
    /// Least H of a child.
    pub min_child_weight: f64,
    /// A gain must be above this (and above 10⁻⁶, below which it is rounding).
    pub min_split_gain: f64,
    /// Fewest rows of a child, where rows are counted.
    pub min_child_rows: u32,
}

const LEAST_GAIN: f64 = 1e-6;

/// Sums of the rows of one node, over each bin of each column, column after column.
#[derive(Clone, Copy, Debug)]
pub struct Histogram<'a> {
    pub g: &'a [f64],
    pub h: &'a [f64],
    /// Rows of each bin; None when only their sums are known.
    pub rows: Option<&'a [u32]>,
    /// Number of bins of each column.
    pub bins: &'a [u32],
}

/// `code <= bin` of one column, and what it gains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    pub column: usize,
    pub bin: usize,
    pub gain: f64,
}

/// Sums of g and h over `rows`, in their order.
pub fn totals(g: &[f64], h: &[f64], rows: &[u32]) -> (f64, f64) {
    rows.iter().fold((0.0, 0.0), |(g_sum, h_sum), &row| {
        (g_sum + g[row as usize], h_sum + h[row as usize])
    })
}

/// Where `histogram` writes: sums and rows of each bin, column after column.
pub struct Sums<'a> {
    pub g: &'a mut [f64],
    pub h: &'a mut [f64],
    pub rows: &'a mut [u32],
}

/// Sums of g, h and rows over each bin of each column, for the named rows.
///
/// # Panics
/// When a size does not fit, a row is outside, or a code is not below its column's number of bins.
pub fn histogram(codes: &[u8], bins: &[u32], g: &[f64], h: &[f64], rows: &[u32], out: Sums) {
    let samples = g.len();
    let width: usize = bins.iter().map(|&count| count as usize).sum();
    assert!(
        h.len() == samples && codes.len() == samples * bins.len(),
        "columns of other lengths"
    );
    assert!(
        out.g.len() == width && out.h.len() == width && out.rows.len() == width,
        "sums of other lengths"
    );
    let gathered: Vec<(u32, f64, f64)> = rows
        .iter()
        .map(|&row| (row, g[row as usize], h[row as usize]))
        .collect();
    columns_of(bins, out)
        .into_par_iter()
        .enumerate()
        .for_each(|(column, sums)| {
            let codes = &codes[column * samples..][..samples];
            for &(row, g, h) in &gathered {
                let bin = usize::from(codes[row as usize]);
                sums.g[bin] += g;
                sums.h[bin] += h;
                sums.rows[bin] += 1;
            }
        });
}

/// The sums cut into columns, set to zero.
fn columns_of<'a>(bins: &[u32], sums: Sums<'a>) -> Vec<Sums<'a>> {
    sums.g.fill(0.0);
    sums.h.fill(0.0);
    sums.rows.fill(0);
    let (mut g, mut h, mut rows) = (sums.g, sums.h, sums.rows);
    let mut columns = Vec::with_capacity(bins.len());
    for &count in bins {
        let (g_here, g_rest) = g.split_at_mut(count as usize);
        let (h_here, h_rest) = h.split_at_mut(count as usize);
        let (rows_here, rows_rest) = rows.split_at_mut(count as usize);
        (g, h, rows) = (g_rest, h_rest, rows_rest);
        columns.push(Sums {
            g: g_here,
            h: h_here,
            rows: rows_here,
        });
    }
    columns
}

/// The split of the greatest gain; of equal ones the first in order of columns, then bins. None when no split is allowed.
///
/// `total` has the node's own sums of g and h.
pub fn best_split(histogram: Histogram, total: (f64, f64), rules: Rules) -> Option<Split> {
    let mut best: Option<Split> = None;
    let mut start = 0;
    for (column, &count) in histogram.bins.iter().enumerate() {
        let end = start + count as usize;
        let here = Histogram {
            g: &histogram.g[start..end],
            h: &histogram.h[start..end],
            rows: histogram.rows.map(|rows| &rows[start..end]),
            bins: &histogram.bins[column..=column],
        };
        if let Some((bin, gain)) = best_of_column(here, total, rules)
            && best.is_none_or(|best| gain > best.gain)
        {
            best = Some(Split { column, bin, gain });
        }
        start = end;
    }
    best
}

fn best_of_column(column: Histogram, total: (f64, f64), rules: Rules) -> Option<(usize, f64)> {
    let term = |g: f64, h: f64| {
        if h + rules.reg_lambda > 0.0 {
            g * g / (h + rules.reg_lambda)
        } else {
            0.0
        }
    };
    let whole = term(total.0, total.1);
    let rows_total: u64 = column
        .rows
        .map_or(0, |rows| rows.iter().map(|&rows| u64::from(rows)).sum());
    let least_rows = u64::from(rules.min_child_rows.max(1));
    let (mut g, mut h, mut rows) = (0.0, 0.0, 0u64);
    let mut best: Option<(usize, f64)> = None;
    for bin in 0..column.g.len().saturating_sub(1) {
        g += column.g[bin];
        h += column.h[bin];
        rows += column.rows.map_or(0, |rows| u64::from(rows[bin]));
        if column.rows.is_some() && (rows < least_rows || rows_total - rows < least_rows) {
            continue;
        }
        let (g_right, h_right) = (total.0 - g, total.1 - h);
        if h < rules.min_child_weight
            || h_right < rules.min_child_weight
            || h <= 0.0
            || h_right <= 0.0
        {
            continue;
        }
        let gain = term(g, h) + term(g_right, h_right) - whole;
        if gain > rules.min_split_gain.max(LEAST_GAIN) && best.is_none_or(|(_, best)| gain > best) {
            best = Some((bin, gain));
        }
    }
    best
}

/// Fitted trees, each a heap: the children of node k are 2k + 1 (left) and 2k + 2.
#[derive(Clone, Copy, Debug)]
pub struct Forest<'a> {
    /// Per node: the kind of test.
    pub source: &'a [i8],
    /// Per node: the column tested, or the row of left bits.
    pub index: &'a [u32],
    /// Per node: x <= threshold goes left (own columns only).
    pub threshold: &'a [f64],
    /// Per node: what a leaf adds to the margin.
    pub weight: &'a [f64],
    pub nodes_per_tree: usize,
}

/// Kinds of nodes in `Forest::source`.
pub const LEAF: i8 = -1;
pub const OWN: i8 = 0;
pub const BITS: i8 = 1;

/// Rows handled by one thread at a time.
const BLOCK: usize = 4096;

/// base + the leaf of every tree, in the order of trees, for every row.
///
/// `columns` are raw numbers, column after column; `left` has for each split of others one row of ⌈rows/8⌉ bytes, first
/// row in the lowest bit, 1 = goes left.
///
/// # Errors
/// In words, when a node points outside its tree, the columns, or the bits.
pub fn margins(
    forest: Forest,
    base: f64,
    columns: &[f64],
    left: &[u8],
    out: &mut [f64],
) -> Result<(), String> {
    let rows = out.len();
    let stride = rows.div_ceil(8);
    check(
        forest,
        columns.len().checked_div(rows),
        left.len().checked_div(stride),
    )?;
    out.par_chunks_mut(BLOCK)
        .enumerate()
        .for_each(|(block, out)| {
            out.fill(base);
            for tree in 0..forest.source.len() / forest.nodes_per_tree {
                let first = tree * forest.nodes_per_tree;
                for (offset, margin) in out.iter_mut().enumerate() {
                    let row = block * BLOCK + offset;
                    let mut node = 0;
                    while forest.source[first + node] != LEAF {
                        let index = forest.index[first + node] as usize;
                        let goes_left = if forest.source[first + node] == OWN {
                            columns[index * rows + row] <= forest.threshold[first + node]
                        } else {
                            left[index * stride + row / 8] >> (row % 8) & 1 == 1
                        };
                        node = 2 * node + if goes_left { 1 } else { 2 };
                    }
                    *margin += forest.weight[first + node];
                }
            }
        });
    Ok(())
}

/// Bounds of every test once, so that walking needs no thought. None: no rows, so nothing is read.
fn check(forest: Forest, columns: Option<usize>, bits: Option<usize>) -> Result<(), String> {
    let nodes = forest.source.len();
    let per_tree = forest.nodes_per_tree;
    if per_tree == 0 || !(per_tree + 1).is_power_of_two() || !nodes.is_multiple_of(per_tree) {
        return Err("the trees are no heaps".into());
    }
    if [
        forest.index.len(),
        forest.threshold.len(),
        forest.weight.len(),
    ] != [nodes; 3]
    {
        return Err("the trees have arrays of other lengths".into());
    }
    for node in 0..nodes {
        let index = forest.index[node] as usize;
        let limit = match forest.source[node] {
            LEAF => continue,
            OWN => columns,
            BITS => bits,
            other => return Err(format!("node {node} is of the unknown kind {other}")),
        };
        if limit.is_some_and(|limit| index >= limit) {
            return Err(format!("node {node} tests {index}, which is not there"));
        }
        if 2 * (node % per_tree) + 2 >= per_tree {
            return Err(format!("node {node} has no place for its children"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: Rules = Rules {
        reg_lambda: 1.0,
        min_child_weight: 0.0,
        min_split_gain: 0.0,
        min_child_rows: 1,
    };

    fn sums(
        codes: &[u8],
        bins: &[u32],
        g: &[f64],
        h: &[f64],
        rows: &[u32],
    ) -> (Vec<f64>, Vec<f64>, Vec<u32>) {
        let width = bins.iter().sum::<u32>() as usize;
        let (mut g_out, mut h_out, mut rows_out) =
            (vec![1.0; width], vec![1.0; width], vec![1; width]);
        let out = Sums {
            g: &mut g_out,
            h: &mut h_out,
            rows: &mut rows_out,
        };
        histogram(codes, bins, g, h, rows, out);
        (g_out, h_out, rows_out)
    }

    #[test]
    fn sums_are_those_of_the_named_rows() {
        let codes = [0, 1, 1, 0, /* second column */ 2, 0, 1, 2];
        let (g, h, rows) = sums(
            &codes,
            &[2, 3],
            &[1.0, 2.0, 4.0, 8.0],
            &[1.0; 4],
            &[0, 2, 3],
        );
        assert_eq!(g, [9.0, 4.0, 0.0, 4.0, 9.0]);
        assert_eq!(h, [2.0, 1.0, 0.0, 1.0, 2.0]);
        assert_eq!(rows, [2, 1, 0, 1, 2]);
    }

    #[test]
    fn of_equal_splits_the_first_wins() {
        let histogram = Histogram {
            g: &[1.0, 0.0, -1.0, 1.0, -1.0],
            h: &[1.0, 0.0, 1.0, 1.0, 1.0],
            rows: None,
            bins: &[3, 2],
        };
        let split = best_split(histogram, (0.0, 2.0), RULES).expect("a split");
        assert_eq!((split.column, split.bin, split.gain), (0, 0, 1.0));
    }

    #[test]
    fn a_child_below_its_weight_rows_or_gain_is_refused() {
        let rows = [1, 9];
        let histogram = Histogram {
            g: &[3.0, -3.0],
            h: &[0.5, 4.5],
            rows: Some(&rows),
            bins: &[2],
        };
        let find = |rules: Rules| best_split(histogram, (0.0, 5.0), rules);
        assert!(find(RULES).is_some());
        assert!(
            find(Rules {
                min_child_weight: 0.6,
                ..RULES
            })
            .is_none()
        );
        assert!(
            find(Rules {
                min_child_rows: 2,
                ..RULES
            })
            .is_none()
        );
        assert!(
            find(Rules {
                min_split_gain: 7.7,
                ..RULES
            })
            .is_none()
        );
    }

    #[test]
    fn trees_are_walked_by_numbers_and_by_bits() {
        let forest = Forest {
            source: &[OWN, LEAF, BITS, LEAF, LEAF, LEAF, LEAF],
            index: &[0, 0, 0, 0, 0, 0, 0],
            threshold: &[1.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            weight: &[0.0, 1.0, 0.0, 0.0, 0.0, 10.0, 100.0],
            nodes_per_tree: 7,
        };
        let mut out = [0.0; 3];
        margins(forest, 0.5, &[1.5, 2.0, 3.0], &[0b010], &mut out).expect("a sound forest");
        assert_eq!(out, [1.5, 10.5, 100.5]);
    }

    #[test]
    fn an_unsound_forest_is_refused_in_words() {
        let sound = Forest {
            source: &[OWN, LEAF, LEAF],
            index: &[0; 3],
            threshold: &[0.0; 3],
            weight: &[0.0; 3],
            nodes_per_tree: 3,
        };
        let walk = |forest: Forest| margins(forest, 0.0, &[0.0, 1.0], &[], &mut [0.0; 2]);
        assert!(walk(sound).is_ok());
        for unsound in [
            Forest {
                source: &[BITS, LEAF, LEAF],
                ..sound
            },
            Forest {
                index: &[1, 0, 0],
                ..sound
            },
            Forest {
                source: &[OWN, OWN, LEAF],
                ..sound
            },
            Forest {
                source: &[5, LEAF, LEAF],
                ..sound
            },
            Forest {
                nodes_per_tree: 2,
                ..sound
            },
            Forest {
                weight: &[0.0; 2],
                ..sound
            },
        ] {
            assert!(walk(unsound).is_err());
        }
    }

    proptest! {
        #[test]
        fn the_best_split_is_the_best_of_all(
            (bins, values) in prop::collection::vec(1u32..6, 1..4).prop_flat_map(|bins| {
                let width = bins.iter().sum::<u32>() as usize;
                (Just(bins), prop::collection::vec((-9.0..9.0f64, 0.1..3.0f64), width))
            })
        ) {
            let (g, h): (Vec<f64>, Vec<f64>) = values.into_iter().unzip();
            let first = bins[0] as usize;
            let total = (g[..first].iter().sum::<f64>(), h[..first].iter().sum::<f64>() + 20.0);
            let mut best = (0.0f64, None);
            let mut start = 0;
            for (column, &count) in bins.iter().enumerate() {
                for bin in 0..count as usize - 1 {
                    let left = (g[start..=start + bin].iter().sum::<f64>(), h[start..=start + bin].iter().sum::<f64>());
                    let right = (total.0 - left.0, total.1 - left.1);
                    let term = |(g, h): (f64, f64)| g * g / (h + 1.0);
                    let gain = term(left) + term(right) - term(total);
                    if gain > best.0.max(1e-6) {
                        best = (gain, Some((column, bin)));
                    }
                }
                start += count as usize;
            }
            let histogram = Histogram { g: &g, h: &h, rows: None, bins: &bins };
            let found = best_split(histogram, total, RULES);
            prop_assert_eq!(found.map(|split| (split.column, split.bin)), best.1);
        }
    }
}
