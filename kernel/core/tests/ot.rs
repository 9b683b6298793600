//! The extension against what it promises, with base transfers dealt by hand.

use hanse_kernel::ot::{COLUMNS, ROW_BYTES, Shape, columns, reply};
use hanse_kernel::prg::Stream;
use hanse_kernel::{aes, simd};

fn random(seed: u8, count: usize) -> Vec<u8> {
    let mut words = vec![0; count.div_ceil(8)];
    Stream::new(&[seed; 32], 0).fill(&mut words);
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.truncate(count);
    bytes
}

fn bit(bytes: &[u8], index: usize) -> u8 {
    bytes[index / 8] >> (index % 8) & 1
}

/// What ideal base transfers hand out: both keys to the receiver, the key against each bit of Δ to the sender.
struct Dealt {
    delta: [u8; ROW_BYTES],
    pairs: Vec<u8>,
    keys: Vec<u8>,
}

fn deal(seed: u8) -> Dealt {
    let delta: [u8; ROW_BYTES] = random(seed, ROW_BYTES).try_into().unwrap();
    let pairs = random(seed + 1, 2 * COLUMNS * ROW_BYTES);
    let keys = (0..COLUMNS)
        .flat_map(|index| {
            let side = 1 - usize::from(bit(&delta, index));
            pairs[(2 * index + side) * ROW_BYTES..][..ROW_BYTES].to_vec()
        })
        .collect();
    Dealt { delta, pairs, keys }
}

const SESSION: [u8; 32] = [9; 32];
const SEED: [u8; 32] = [8; 32];
const COUNTS: [usize; 10] = [
    0,
    1,
    7,
    8,
    127,
    128,
    129,
    1000,
    128 * 128 + 3,
    (1 << 18) + 5,
];

#[test]
fn rows_differ_by_delta_exactly_where_the_choice_is_one() {
    for (count, checked) in COUNTS
        .into_iter()
        .flat_map(|count| [(count, false), (count, true)])
    {
        let shape = Shape { count, checked };
        let (dealt, choices) = (deal(1), random(3, count.div_ceil(8)));
        let (mut t, mut q) = (vec![0; count * ROW_BYTES], vec![0; count * ROW_BYTES]);
        let reply = reply::answer(shape, &SESSION, &SEED, &dealt.pairs, &choices, &mut t);
        assert_eq!(reply.levels.len(), shape.levels_size());
        assert_eq!(reply.folded.len(), shape.folded_size());
        assert_eq!(reply.seal.len(), shape.seal_size());
        assert_eq!(reply.proof.len(), shape.proof_size());
        reply::accept(shape, &SESSION, &dealt.keys, &dealt.delta, &reply, &mut q).unwrap();
        for (index, (t, q)) in t.chunks(ROW_BYTES).zip(q.chunks(ROW_BYTES)).enumerate() {
            let factor = bit(&choices, index).wrapping_neg();
            for ((t, q), delta) in t.iter().zip(q).zip(dealt.delta) {
                assert_eq!(*q, t ^ (delta & factor), "transfer {index} of {count}");
            }
        }
        if count > 100 {
            let distinct: std::collections::HashSet<_> = t.chunks(ROW_BYTES).collect();
            assert_eq!(distinct.len(), count, "every row is its own");
        }
    }
}

#[test]
fn bits_after_the_last_choice_change_nothing() {
    let shape = Shape {
        count: 3,
        checked: true,
    };
    let dealt = deal(1);
    let answer = |choices: u8| {
        reply::answer(
            shape,
            &SESSION,
            &SEED,
            &dealt.pairs,
            &[choices],
            &mut [0; 48],
        )
    };
    assert_eq!(answer(0b101), answer(0b1111_1101));
    assert_ne!(answer(0b101), answer(0b001));
}

#[test]
fn another_session_gives_other_rows_from_the_same_keys() {
    let shape = Shape {
        count: 200,
        checked: false,
    };
    let dealt = deal(1);
    let rows = |session: u8| {
        let mut rows = vec![0; 200 * ROW_BYTES];
        reply::answer(
            shape,
            &[session; 32],
            &SEED,
            &dealt.pairs,
            &[0; 25],
            &mut rows,
        );
        rows
    };
    assert!(
        rows(1)
            .chunks(16)
            .zip(rows(2).chunks(16))
            .all(|(one, two)| one != two)
    );
}

#[test]
fn every_path_folds_streams_as_the_definition_says() {
    for (depth, blocks) in [(4, 1), (4, 130), (8, 3), (8, 129), (4, 0)] {
        let groups = 2;
        let keys = random(5, (groups << depth) * 16);
        let keys = keys.as_chunks::<16>().0;
        let mut sums = vec![[0; 2]; groups * blocks];
        let mut weighted = vec![[0; 2]; groups * depth * blocks];
        for (index, key) in keys.iter().enumerate() {
            let (group, place) = (index >> depth, index % (1 << depth));
            let mut stream = vec![[0; 2]; blocks];
            aes::Key::new_on(simd::Path::Portable, key).fill(0, &mut stream);
            for (at, block) in stream.iter().enumerate() {
                let sum = &mut sums[group * blocks + at];
                *sum = aes::xor(*sum, *block);
                for column in (0..depth).filter(|column| place >> column & 1 == 1) {
                    let sum = &mut weighted[(group * depth + column) * blocks + at];
                    *sum = aes::xor(*sum, *block);
                }
            }
        }
        for path in simd::available() {
            let mut found = (vec![[7; 2]; sums.len()], vec![[7; 2]; weighted.len()]);
            columns::fold_on(path, keys, depth, blocks, &mut found.0, &mut found.1);
            assert!(found.0 == sums, "sums, {path:?}, {blocks} blocks");
            assert!(found.1 == weighted, "columns, {path:?}, {blocks} blocks");
        }
    }
}

#[test]
fn every_path_transposes_bit_by_bit() {
    let blocks = 3;
    let bytes = random(6, COLUMNS * blocks * 16);
    let square: Vec<_> = bytes.chunks(16).map(aes::from_bytes).collect();
    for count in [0, 1, 128, 3 * 128 - 1, 3 * 128] {
        for path in simd::available() {
            let mut rows = vec![0; count * ROW_BYTES];
            columns::transpose_on(path, &square, &mut rows);
            for row in 0..count {
                for column in 0..COLUMNS {
                    let expected = bit(&bytes[column * blocks * 16..], row);
                    assert_eq!(
                        bit(&rows[row * 16..], column),
                        expected,
                        "{row}, {column}, {path:?}"
                    );
                }
            }
        }
    }
}

/// Plays a receiver that works with other base keys, or changes its reply, against a sender with each of 20 Δ's; returns
/// whose Δ accepts.
fn accepting(keys: impl Fn(&mut [u8]), reply: impl Fn(&mut reply::Reply)) -> Vec<[u8; ROW_BYTES]> {
    const COUNT: usize = 300;
    let shape = Shape {
        count: COUNT,
        checked: true,
    };
    let accepts = |dealt: &mut Dealt| {
        let (mut rows, choices) = (vec![0; COUNT * ROW_BYTES], random(3, COUNT.div_ceil(8)));
        keys(&mut dealt.pairs);
        let mut said = reply::answer(shape, &SESSION, &SEED, &dealt.pairs, &choices, &mut rows);
        reply(&mut said);
        let (keys, delta) = (&dealt.keys, &dealt.delta);
        reply::accept(shape, &SESSION, keys, delta, &said, &mut rows).is_ok()
    };
    let dealt = (0..20).map(|seed| deal(10 + seed));
    dealt
        .filter_map(|mut dealt| accepts(&mut dealt).then_some(dealt.delta))
        .collect()
}

fn flip_at(part: &mut [u8], place: f64) {
    let at = (place * part.len() as f64) as usize;
    part[at] ^= 16;
}

const PLACES: [f64; 4] = [0.0, 0.31, 0.77, 0.9999];

#[test]
fn an_honest_receiver_passes_the_check_whatever_delta_is() {
    assert_eq!(accepting(|_| (), |_| ()).len(), 20);
}

#[test]
fn a_receiver_that_gives_groups_different_choices_is_found() {
    for place in PLACES {
        assert_eq!(
            accepting(|_| (), |reply| flip_at(&mut reply.folded, place)),
            [[0; 16]; 0]
        );
    }
}

#[test]
fn a_reply_that_was_touched_anywhere_is_refused() {
    for place in PLACES {
        assert_eq!(
            accepting(|_| (), |reply| flip_at(&mut reply.levels, place)),
            [[0; 16]; 0]
        );
        assert_eq!(
            accepting(|_| (), |reply| flip_at(&mut reply.seal, place)),
            [[0; 16]; 0]
        );
        assert_eq!(
            accepting(|_| (), |reply| flip_at(&mut reply.proof, place)),
            [[0; 16]; 0]
        );
    }
}

#[test]
fn trees_that_do_not_open_are_found_by_whom_they_do_not_open_for() {
    // the key for the second highest bit of the first group, of those whose bit is 1: a guess of that bit, paid for at once
    let wrong = 2 * 6 * ROW_BYTES;
    let lucky: Vec<_> = (0..20)
        .map(|seed| deal(10 + seed).delta)
        .filter(|delta| bit(delta, 6) == 0)
        .collect();
    assert!(!lucky.is_empty() && lucky.len() < 20);
    assert_eq!(accepting(|pairs| pairs[wrong] ^= 1, |_| ()), lucky);
}
