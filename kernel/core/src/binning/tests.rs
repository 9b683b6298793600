use proptest::prelude::*;

use super::*;

fn limits(max_bins: usize, min_rows: usize) -> Limits {
    Limits { max_bins, min_rows }
}

fn edges(column: &[f64], max_bins: usize, min_rows: usize) -> Vec<f64> {
    choose(column, limits(max_bins, min_rows), None).edges
}

fn coded(column: &[f64], bins: &Bins) -> Vec<u8> {
    let mut codes = vec![7; column.len()];
    encode(column, bins, &mut codes);
    codes
}

fn counts(column: &[f64], bins: &Bins) -> Vec<usize> {
    let mut counts = vec![0; bins.edges.len() + 1];
    let codes = coded(column, bins);
    let present = codes.iter().filter(|&&code| code != MISSING);
    present.for_each(|&code| counts[usize::from(code)] += 1);
    counts
}

#[test]
fn distinct_values_share_bins_of_equal_size() {
    for rows in [100, 10_000] {
        let column: Vec<f64> = (0..rows).map(|row| f64::from(row * 37 % rows)).collect();
        let bins = choose(&column, limits(10, 1), None);
        assert_eq!(counts(&column, &bins), [rows as usize / 10; 10]);
    }
}

#[test]
fn a_heavy_value_has_a_bin_of_its_own_and_the_rest_share_the_others() {
    let zeros = std::iter::repeat_n(0.0, 60);
    let column: Vec<f64> = zeros.chain((1..=40).map(f64::from)).collect();
    let bins = choose(&column, limits(5, 1), None);
    assert_eq!(counts(&column, &bins), [60, 10, 10, 10, 10]);
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
fn neighbouring_floats_and_extremes_are_parted_by_finite_edges() {
    let next = f64::from_bits(1.0f64.to_bits() + 1);
    assert_eq!(edges(&[1.0, next], 2, 1), [1.0]);
    assert_eq!(edges(&[f64::MIN, f64::MAX], 2, 1), [0.0]);
    assert!(edges(&[0.0, -0.0], 2, 1).is_empty());
    let column = [f64::NEG_INFINITY, 0.0, f64::INFINITY];
    let bins = choose(&column, limits(9, 1), None);
    assert!(bins.edges.iter().all(|edge| edge.is_finite()));
    assert_eq!(coded(&column, &bins), [0, 1, 2]);
}

#[test]
fn enough_missing_values_have_a_cell_and_too_few_join_the_largest_bin() {
    let column = [1.0, 2.0, 2.0, f64::NAN, f64::NAN, 3.0];
    let bins = choose(&column, limits(9, 1), None);
    assert_eq!((bins.edges.len(), bins.missing), (2, MISSING));
    assert_eq!(coded(&column, &bins), [0, 1, 1, 255, 255, 2]);
    let mut column = column.to_vec();
    column.extend([1.0, 2.0, 3.0, 2.0, 1.0, 3.0]);
    let bins = choose(&column, limits(9, 3), None);
    assert_eq!((bins.edges.len(), bins.missing), (2, 1));
    assert_eq!(coded(&[f64::NAN, -1.0], &bins), [1, 0]);
}

#[test]
fn too_few_values_beside_missing_ones_are_one_cell_with_them() {
    let bins = choose(&[1.0, f64::NAN, f64::NAN, f64::NAN], limits(9, 2), None);
    assert_eq!((bins.edges.len(), bins.missing), (0, 0));
    let bins = choose(&[f64::NAN; 4], limits(9, 1), None);
    assert_eq!((bins.edges.len(), bins.missing), (0, 0));
}

fn numbers() -> impl Strategy<Value = Vec<f64>> {
    let number = prop_oneof![
        4 => (-20i32..20).prop_map(f64::from),
        4 => -1e3..1e3f64,
        1 => Just(f64::NAN),
    ];
    prop::collection::vec(number, 1..300)
}

/// Rows of each cell that has some, the one for missing values included.
fn cells(codes: &[u8]) -> Vec<usize> {
    let mut rows = vec![0; 256];
    codes.iter().for_each(|&code| rows[usize::from(code)] += 1);
    rows.retain(|&count| count > 0);
    rows
}

proptest! {
    #[test]
    fn bins_are_few_full_and_agree_with_their_edges(column in numbers(), max_bins in 1usize..20, min_rows in 1usize..60) {
        let bins = choose(&column, limits(max_bins, min_rows), None);
        prop_assert!(bins.edges.len() < max_bins);
        prop_assert!(bins.edges.is_sorted_by(|left, right| left < right));
        let codes = coded(&column, &bins);
        let cells = cells(&codes);
        prop_assert!(cells.len() == 1 || cells.iter().all(|&rows| rows >= min_rows));
        for (code, value) in codes.iter().zip(&column) {
            if value.is_nan() {
                prop_assert_eq!(*code, bins.missing);
            }
            for (bin, edge) in bins.edges.iter().enumerate().filter(|_| !value.is_nan()) {
                prop_assert_eq!(usize::from(*code) <= bin, value <= edge);
            }
        }
    }

    #[test]
    fn a_later_binning_is_made_of_the_cells_of_the_earlier(
        column in numbers(),
        (first, second) in (1usize..20, 1usize..20),
        (few, more) in (1usize..20, 1usize..40),
    ) {
        let earlier = choose(&column, limits(first, few), None);
        let later = choose(&column, limits(second, more), Some(&earlier));
        prop_assert!(later.edges.len() < second);
        let (fine, coarse) = (coded(&column, &earlier), coded(&column, &later));
        let mut home = [None; 256];
        for (&fine, &coarse) in fine.iter().zip(&coarse) {
            prop_assert_eq!(*home[usize::from(fine)].get_or_insert(coarse), coarse);
        }
        let cells = cells(&coarse);
        prop_assert!(cells.len() == 1 || cells.iter().all(|&rows| rows >= more));
    }

    #[test]
    fn radix_sorting_is_sorting(seed in any::<u64>()) {
        let mut state = seed;
        let column: Vec<f64> = (0..5000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                f64::from_bits(state ^ state >> 29)
            })
            .collect();
        let mut expected: Vec<f64> = column.iter().copied().filter(|number| !number.is_nan()).collect();
        expected.sort_unstable_by(f64::total_cmp);
        prop_assert_eq!(sort::present(&column), expected);
    }
}
