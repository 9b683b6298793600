//! Filters against sorted lists and sets.

use std::collections::HashSet;

use hanse_kernel::filters::{
    Malformed, Repeated, Tag, check, encode, page_of, page_size, pages, probe,
};
use hanse_kernel::prg::PublicStream;
use proptest::prelude::*;

fn tags(count: usize, seed: u8) -> Vec<Tag> {
    let mut words = vec![0u64; count * 2];
    PublicStream::new(&[seed; 32], "filters test", &[]).fill(&mut words);
    let pairs = words.chunks_exact(2);
    pairs
        .map(|pair| (u128::from(pair[0]) << 64 | u128::from(pair[1])).to_be_bytes())
        .collect()
}

struct Filter {
    data: Vec<u8>,
    counts: Vec<u32>,
    starts: Vec<u64>,
    ranks: Vec<u64>,
    order: Vec<u32>,
}

/// A whole filter, encoded in shards of `shard` pages.
fn build(all: &[Tag], pages: u64, low_bits: u32, shard: u64) -> Filter {
    let (mut data, mut counts, mut order) = (vec![], vec![], vec![]);
    let mut first = 0;
    while first < pages {
        let count = shard.min(pages - first);
        let rows: Vec<u32> = (0..all.len() as u32)
            .filter(|row| (first..first + count).contains(&page_of(&all[*row as usize], pages)))
            .collect();
        let here: Vec<Tag> = rows.iter().map(|row| all[*row as usize]).collect();
        let encoded = encode(&here, first, count as usize, pages, low_bits).unwrap();
        data.extend(encoded.data);
        counts.extend(encoded.counts);
        order.extend(encoded.order.iter().map(|place| rows[*place as usize]));
        first += count;
    }
    let (mut starts, mut ranks) = (vec![0], vec![0]);
    for count in &counts {
        let size = page_size(u64::from(*count), low_bits).unwrap() as u64;
        starts.push(starts.last().unwrap() + size);
        ranks.push(ranks.last().unwrap() + u64::from(*count));
    }
    Filter {
        data,
        counts,
        starts,
        ranks,
        order,
    }
}

impl Filter {
    fn probe(&self, low_bits: u32, tags: &[Tag]) -> Result<(Vec<i64>, Vec<i64>), Malformed> {
        probe(&self.data, &self.starts, &self.ranks, low_bits, tags)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_tag_is_found_at_its_rank_and_ranks_are_the_sorted_order(
        count in 0usize..400, pages in 1u64..9, low_bits in 40u32..=64, shard in 1u64..4, seed in any::<u8>(),
    ) {
        let all = tags(count, seed);
        let filter = build(&all, pages, low_bits, shard);
        let mut sorted = all.clone();
        sorted.sort_unstable();
        let ordered: Vec<Tag> = filter.order.iter().map(|row| all[*row as usize]).collect();
        prop_assert_eq!(&ordered, &sorted);
        prop_assert_eq!(check(&filter.data, &filter.counts, low_bits), Ok(()));
        let everywhere: Vec<i64> = (0..count as i64).collect();
        prop_assert_eq!(filter.probe(low_bits, &sorted), Ok((everywhere.clone(), everywhere)));
        prop_assert_eq!(filter.probe(low_bits, &tags(300, seed ^ 1)), Ok((vec![], vec![])));
    }

    #[test]
    fn what_is_found_is_what_a_set_of_truncations_says(pages in 1u64..5, low_bits in 1u32..=8, seed in any::<u8>()) {
        // big-integer truncation: page, cell and low bits by plain division of the value in units of 2^-128
        let (all, asked) = (tags(150, seed), tags(600, seed ^ 1));
        let filter = build(&all, pages, low_bits, pages);
        let truncated = |tag: &Tag| {
            let value = num_bigint::BigUint::from_bytes_be(tag) * pages;
            let page: num_bigint::BigUint = &value >> 128u32;
            let number: u64 = page.clone().try_into().unwrap();
            let within = value - (page << 128u32);
            let cell: num_bigint::BigUint = (within * filter.counts[number as usize]) >> (128 - low_bits);
            (number, cell)
        };
        let mut all_sorted = all.clone();
        all_sorted.sort_unstable();
        let mut expected = vec![];
        for (query, tag) in asked.iter().chain(&all).enumerate() {
            for (rank, other) in all_sorted.iter().enumerate() {
                if truncated(tag) == truncated(other) {
                    expected.push((query as i64, rank as i64));
                }
            }
        }
        let both: Vec<Tag> = asked.iter().chain(&all).copied().collect();
        let (queries, ranks) = filter.probe(low_bits, &both).unwrap();
        let found: Vec<(i64, i64)> = queries.into_iter().zip(ranks).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_damaged_filter_is_refused_or_searched_but_never_a_panic(
        place in any::<prop::sample::Index>(), value in any::<u8>(), cut in 0usize..20,
    ) {
        let all = tags(300, 3);
        let mut filter = build(&all, 2, 13, 2);
        let index = place.index(filter.data.len());
        filter.data[index] = value;
        filter.data.truncate(filter.data.len() - cut);
        if cut > 0 {
            prop_assert!(check(&filter.data, &filter.counts, 13).is_err());
        }
        let _ = filter.probe(13, &all);
    }
}

#[test]
fn a_stranger_is_found_about_as_often_as_the_low_bits_say() {
    let filter = build(&tags(1 << 14, 5), 4, 6, 4);
    let (queries, _) = filter.probe(6, &tags(1 << 17, 6)).unwrap();
    let (found, expected) = (queries.len() as f64, f64::from(1 << 17) / 64.0);
    assert!((found - expected).abs() < 6.0 * expected.sqrt(), "{found}");
}

#[test]
fn a_filter_takes_two_bits_more_than_the_low_bits() {
    let filter = build(&tags(1 << 15, 7), 4, 40, 4);
    let bits = filter.data.len() as f64 * 8.0 / f64::from(1 << 15);
    assert!((42.0..42.05).contains(&bits), "{bits}");
}

#[test]
fn a_tag_given_twice_is_refused_with_its_rows() {
    let mut all = tags(1000, 8);
    all[700] = all[20];
    let twice = encode(&all, 0, 3, 3, 40);
    assert_eq!(
        twice,
        Err(Repeated {
            first: 20,
            second: 700
        })
    );
}

#[test]
fn equal_truncations_of_different_tags_are_both_kept() {
    let mut all = tags(100, 9);
    all[1] = all[0];
    all[1][15] ^= 1;
    let filter = build(&all, 1, 40, 1);
    let (queries, ranks) = filter.probe(40, &all[..1]).unwrap();
    assert_eq!(queries, [0, 0]);
    let rows: HashSet<u32> = ranks
        .iter()
        .map(|rank| filter.order[*rank as usize])
        .collect();
    assert_eq!(rows, HashSet::from([0, 1]));
}

#[test]
fn check_finds_the_page_that_is_not_as_it_says() {
    let good = build(&tags(500, 10), 4, 20, 4);
    assert_eq!(
        check(&good.data[1..], &good.counts, 20),
        Err(Malformed { page: 3 })
    );
    let mut longer = good.data.clone();
    longer.push(0);
    assert_eq!(check(&longer, &good.counts, 20), Err(Malformed { page: 4 }));
    let last = good.starts[3] as usize - 8;
    let mut more = good.data.clone();
    more[last] ^= 1;
    assert_eq!(check(&more, &good.counts, 20), Err(Malformed { page: 2 }));
    assert_eq!(
        check(&good.data, &[u32::MAX, 0, 0, 0], 64),
        Err(Malformed { page: 0 })
    );
    assert_eq!(check(&[], &[], 20), Ok(()));
}

#[test]
fn pages_rise_with_the_tag() {
    let mut all = tags(1000, 11);
    all.sort_unstable();
    let mut found = vec![0; all.len()];
    pages(&all, 7, &mut found);
    assert!(found.is_sorted());
    assert_eq!((found[0], found[999]), (0, 6));
    pages(&all, 1 << 32, &mut found);
    let expected: Vec<u32> = all
        .iter()
        .map(|tag| u32::from_be_bytes(tag[..4].try_into().unwrap()))
        .collect();
    assert_eq!(found, expected);
}
