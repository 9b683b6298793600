//! Joins and permutations against the obvious way of doing them.

use std::collections::{HashMap, HashSet};

use hanse_kernel::matching::{Duplicate, Side, join};
use hanse_kernel::permutation::fill_permutation;
use proptest::prelude::*;

fn obvious_join(left: &[Vec<u8>], right: &[Vec<u8>]) -> (Vec<i64>, Vec<i64>) {
    let places: HashMap<_, _> = right.iter().zip(0i64..).collect();
    left.iter()
        .zip(0i64..)
        .filter_map(|(row, index)| places.get(row).map(|place| (index, *place)))
        .unzip()
}

/// Different rows of one width that often share their first bytes.
fn rows(width: usize, most: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let row = (0u16..300, 0u8..2).prop_map(move |(number, prefix)| {
        let mut row = vec![prefix; width];
        row[width - 2..].copy_from_slice(&number.to_le_bytes());
        row
    });
    proptest::collection::hash_set(row, 0..most).prop_map(|set| set.into_iter().collect())
}

fn permuted(count: usize, seed: &[u8; 32]) -> Vec<i64> {
    let mut order = vec![0; count];
    fill_permutation(&mut order, seed);
    order
}

fn seed(number: u32) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number.to_le_bytes());
    seed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn joins_agree_with_a_hash_map((width, left, right) in (8usize..=32).prop_flat_map(|width| (Just(width), rows(width, 200), rows(width, 200)))) {
        prop_assert_eq!(join(&left.concat(), &right.concat(), width), Ok(obvious_join(&left, &right)));
    }

    #[test]
    fn a_row_given_twice_is_refused_with_its_side(rows in rows(12, 50), twice in any::<prop::sample::Index>()) {
        prop_assume!(!rows.is_empty());
        let mut doubled = rows.clone();
        doubled.push(rows[twice.index(rows.len())].clone());
        let (plain, doubled) = (rows.concat(), doubled.concat());
        prop_assert_eq!(join(&doubled, &plain, 12), Err(Duplicate { side: Side::Left }));
        prop_assert_eq!(join(&plain, &doubled, 12), Err(Duplicate { side: Side::Right }));
    }
}

#[test]
fn rows_that_differ_only_at_their_ends_are_told_apart() {
    for width in [12, 13, 16, 20, 32] {
        // up to three rows of a side have the same leading bytes
        let row = |number: u32, end: u32| {
            let mut row = vec![7; width];
            row[..4].copy_from_slice(&(number / 3).to_le_bytes());
            row[width - 1] = end as u8;
            row
        };
        let left: Vec<_> = (0..900).map(|number| row(number, number % 3)).collect();
        let right: Vec<_> = (0..900)
            .filter(|number| number % 7 < 3)
            .map(|number| row(number, number % 3 + 2 * (number % 2)))
            .collect::<HashSet<_>>()
            .into_iter()
            .collect();
        let joined = join(&left.concat(), &right.concat(), width);
        assert_eq!(joined, Ok(obvious_join(&left, &right)), "{width} bytes");
    }
}

#[test]
fn empty_sides_join_to_nothing() {
    assert_eq!(join(&[], &[], 8), Ok((vec![], vec![])));
    assert_eq!(join(&[1; 16], &[], 16), Ok((vec![], vec![])));
    assert_eq!(join(&[], &[1; 16], 16), Ok((vec![], vec![])));
}

#[test]
fn a_permutation_holds_every_index_once() {
    for count in [0, 1, 2, 1000, 70_000] {
        let mut order = permuted(count, &seed(1));
        order.sort_unstable();
        assert!(
            order
                .iter()
                .enumerate()
                .all(|(place, index)| place as i64 == *index)
        );
    }
}

#[test]
fn permutations_are_uniform() {
    const DRAWS: u32 = 24_000;
    let mut counts: HashMap<Vec<i64>, u32> = HashMap::new();
    for draw in 0..DRAWS {
        *counts.entry(permuted(5, &seed(draw))).or_default() += 1;
    }
    assert_eq!(counts.len(), 120);
    let expected = f64::from(DRAWS) / 120.0;
    let chi_square: f64 = counts
        .values()
        .map(|count| (f64::from(*count) - expected).powi(2) / expected)
        .sum();
    // 119 degrees of freedom: beyond 190 less than once in 10^4
    assert!(chi_square < 190.0, "{chi_square}");
}

#[test]
fn permutations_are_pinned() {
    assert_eq!(permuted(10, &seed(7)), [4, 7, 5, 3, 0, 2, 6, 1, 9, 8]);
}
