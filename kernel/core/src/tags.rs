//! Sets of truncated tags: sorted, coded for the wire at the price of a set, decoded, matched.
//!
//! A tag is 16 bytes; its value is the little-endian number in them modulo 2^`bits`, so that truncation keeps the first
//! bytes. Truncated tags are stored in 16 bytes again, zeros above their bits.
//!
//! **Code.** n sorted values v_0 < v_1 < … below 2^bits are written as gaps d_i = v_i − v_(i−1) − 1 (v_(−1) = −1), each by
//! Rice's code (Golomb 1966; Rice 1979) with one parameter r. Uniform values have gaps that are nearly geometric with mean
//! μ = 2^bits / n. r + 1 beats r as long as 2^r < μ·ln φ, φ the golden ratio (Kiely 2004, §3): the code takes
//! bits − log2 n + 1.47 to 1.57 bits a value, where log2 of the number of such sets is bits − log2 n + 1.44. The low r bits
//! of all gaps come first, bit after bit, least significant first, then zeros to a whole byte; after them, for every gap,
//! d_i >> r zeros and a one, then zeros to a whole byte. n and bits travel beside. Every set has exactly one code.

use rayon::prelude::*;

use crate::radix;

/// Bytes of a tag.
pub const TAG_SIZE: usize = 16;

/// The most low bits of a gap that are written as they are: with the seven bits before them they fit a word.
const MOST_LOW_BITS: u32 = 120;

/// Two rows have the same tag after truncation: the first such pair in sorted order, `rows.0 < rows.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate {
    pub rows: (u32, u32),
}

/// What is wrong with sorted tags, or with the code of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// The value at this place is not above the one before it, or above the last, or has more than `bits` bits.
    Value(usize),
    /// The code ends before its last value.
    Short,
    /// The code goes on after its last value.
    Long,
    /// A bit that fills up a byte is not zero.
    Padding,
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(place) => write!(text, "tag {place} does not rise within its bits"),
            Self::Short => write!(text, "the code ends before its last tag"),
            Self::Long => write!(text, "the code goes on after its last tag"),
            Self::Padding => write!(text, "the code has a bit where it fills up a byte"),
        }
    }
}

/// The greatest value of `bits` bits.
fn greatest(bits: u32) -> u128 {
    assert!((1..=128).contains(&bits), "1 to 128 bits");
    u128::MAX >> (128 - bits)
}

/// Sorts `tags`, truncated to `bits` bits, into `sorted`; `order[i]` is the row that the tag at place i came from.
///
/// # Errors
/// When two rows are equal after truncation.
///
/// # Panics
/// When the outputs have not room for each tag, `bits` is not 1 to 128, or there are 2^32 tags.
pub fn sort(
    tags: &[[u8; TAG_SIZE]],
    bits: u32,
    sorted: &mut [[u8; TAG_SIZE]],
    order: &mut [u32],
) -> Result<(), Duplicate> {
    let greatest = greatest(bits);
    let value = |row: usize| u128::from_le_bytes(tags[row]) & greatest;
    const ROW: u128 = u32::MAX as u128;
    // the leading 96 bits of the value, then its row
    let element = |row: usize| value(row) << (128 - bits) & !ROW | row as u128;
    radix::sort_into(tags.len(), element, sorted, order, |run, sorted, order| {
        if bits > 96 {
            order_equal_starts(run, value);
        }
        let mut before = None;
        for ((element, sorted), order) in run.iter().zip(sorted).zip(order) {
            let row = *element as u32;
            let tag = match bits {
                ..=96 => (element & !ROW) >> (128 - bits),
                _ => value(row as usize),
            };
            if let Some((earlier, same)) = before
                && same == tag
            {
                return Err(Duplicate {
                    rows: (row.min(earlier), row.max(earlier)),
                });
            }
            before = Some((row, tag));
            *sorted = tag.to_le_bytes();
            *order = row;
        }
        Ok(())
    })
}

/// Sorts elements that have the same leading 96 bits by their whole values.
fn order_equal_starts(run: &mut [u128], value: impl Fn(usize) -> u128) {
    for equal in run.chunk_by_mut(|a, b| a >> 32 == b >> 32) {
        if equal.len() > 1 {
            equal.sort_unstable_by_key(|element| (value(*element as u32 as usize), *element));
        }
    }
}

/// Rice's parameter of `count` values of `bits` bits: the least r with 2^r ≥ ln φ · 2^bits / count. Whole numbers only, so
/// that all machines agree.
fn low_bits(count: usize, bits: u32) -> u32 {
    /// ln φ · 2^32, rounded.
    const LN_PHI: u128 = 2_066_789_051;
    let spread = ((count.max(1) as u128) << 32) / LN_PHI;
    bits.saturating_sub(spread.ilog2()).min(MOST_LOW_BITS)
}

/// The most bytes that the code of `count` values of `bits` bits may have.
pub fn largest_size(count: usize, bits: u32) -> usize {
    let low = low_bits(count, bits);
    // the zeros of all gaps together number at most the greatest value >> low
    let zeros = usize::try_from(greatest(bits) >> low).unwrap_or(usize::MAX);
    match count {
        0 => 0,
        _ => low_size(count, low) + zeros.saturating_add(count).div_ceil(8),
    }
}

/// Bytes of the low bits of all gaps.
fn low_size(count: usize, low: u32) -> usize {
    (count * low as usize).div_ceil(8)
}

/// Bytes that [`encode`] wants room for: the largest size, and a word.
pub fn room(count: usize, bits: u32) -> usize {
    largest_size(count, bits) + TAG_SIZE
}

/// Writes the code of sorted values to the start of `code`, which has [`room`] for it, and returns its size.
///
/// # Errors
/// When the values do not rise strictly, or have more than `bits` bits.
///
/// # Panics
/// When `bits` is not 1 to 128, or there is not the room.
pub fn encode(sorted: &[[u8; TAG_SIZE]], bits: u32, code: &mut [u8]) -> Result<usize, Invalid> {
    assert_eq!(code.len(), room(sorted.len(), bits), "room for the code");
    let Some(last) = sorted.last().map(|tag| u128::from_le_bytes(*tag)) else {
        return Ok(0);
    };
    if last > greatest(bits) {
        return Err(Invalid::Value(sorted.len() - 1));
    }
    let low = low_bits(sorted.len(), bits);
    // room for all zeros and ones, as no value is above the last
    let mut unary = vec![0u64; ((last >> low) as usize + sorted.len()).div_ceil(64)];
    let mask = (1u128 << low) - 1;
    let (mut pending, mut filled, mut at) = (0u128, 0, 0);
    let mut least = Some(0u128);
    let mut one = 0;
    for (place, tag) in sorted.iter().enumerate() {
        let value = u128::from_le_bytes(*tag);
        let gap = least.and_then(|least| value.checked_sub(least));
        let Some(gap) = gap.filter(|_| value <= last) else {
            return Err(Invalid::Value(place));
        };
        least = value.checked_add(1);
        pending |= (gap & mask) << filled;
        filled += low;
        code[at..at + TAG_SIZE].copy_from_slice(&pending.to_le_bytes());
        at += filled as usize / 8;
        pending >>= filled & !7;
        filled &= 7;
        one += (gap >> low) as usize;
        unary[one / 64] |= 1 << (one % 64);
        one += 1;
    }
    let lows = low_size(sorted.len(), low);
    let size = lows + one.div_ceil(8);
    for (bytes, word) in code[lows..size].chunks_mut(8).zip(&unary) {
        bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
    }
    Ok(size)
}

/// Reads the code of as many values as `sorted` has places.
///
/// # Errors
/// When the code is not the one of so many strictly rising values of `bits` bits.
///
/// # Panics
/// When `bits` is not 1 to 128.
pub fn decode(code: &[u8], bits: u32, sorted: &mut [[u8; TAG_SIZE]]) -> Result<(), Invalid> {
    let greatest = greatest(bits);
    let count = sorted.len();
    if count == 0 {
        return if code.is_empty() {
            Ok(())
        } else {
            Err(Invalid::Long)
        };
    }
    let low = low_bits(count, bits);
    let (lows, unary) = code
        .split_at_checked(low_size(count, low))
        .ok_or(Invalid::Short)?;
    let rest = (count * low as usize) % 8;
    if rest != 0 && lows[lows.len() - 1] >> rest != 0 {
        return Err(Invalid::Padding);
    }
    let mask = (1u128 << low) - 1;
    let most = greatest >> low;
    let mut places = sorted.iter_mut().enumerate();
    let mut sum = 0u128;
    let mut end = 0;
    for (index, mut word) in words(unary).enumerate() {
        while word != 0 {
            let (place, out) = places.next().ok_or(Invalid::Long)?;
            let one = index * 64 + word.trailing_zeros() as usize;
            word &= word - 1;
            let bit = place * low as usize;
            // no more than count · 2^low in all, which is below 2^bits
            sum += word_at(code, bit / 8) >> (bit % 8) & mask;
            // zeros so far, in all gaps
            let zeros = (one - place) as u128;
            let value = match (zeros << low).checked_add(sum + place as u128) {
                Some(value) if zeros <= most && value <= greatest => value,
                _ => return Err(Invalid::Value(place)),
            };
            *out = value.to_le_bytes();
            end = one + 1;
        }
    }
    if places.next().is_some() {
        return Err(Invalid::Short);
    }
    if unary.len() > end.div_ceil(8) {
        return Err(Invalid::Long);
    }
    Ok(())
}

/// The bytes as little-endian words, zeros after the last.
fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    let (whole, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    whole.iter().copied().chain([last]).map(u64::from_le_bytes)
}

/// The 16 bytes from `at` as a number, zeros after the last.
#[inline(always)]
fn word_at(bytes: &[u8], at: usize) -> u128 {
    match bytes[at..].first_chunk() {
        Some(word) => u128::from_le_bytes(*word),
        None => {
            let mut word = [0; TAG_SIZE];
            word[..bytes.len() - at].copy_from_slice(&bytes[at..]);
            u128::from_le_bytes(word)
        }
    }
}

/// The tags that two sorted sets share: for each, the row `order[place]` of mine and its place in theirs, by rising place.
/// Of sides that are not sorted it finds some.
///
/// # Panics
/// When `order` is not as long as `mine`.
pub fn matches(
    mine: &[[u8; TAG_SIZE]],
    order: &[u32],
    theirs: &[[u8; TAG_SIZE]],
) -> (Vec<i64>, Vec<i64>) {
    assert_eq!(mine.len(), order.len(), "a row for each tag");
    /// Of their tags, in each piece that a thread takes.
    const PIECE: usize = 1 << 14;
    let pieces: Vec<(Vec<i64>, Vec<i64>)> = theirs
        .par_chunks(PIECE)
        .enumerate()
        .map_init(
            || (vec![0; PIECE + 1], vec![0; PIECE + 1]),
            |(rows, places), (index, theirs)| {
                let bounds = [theirs[0], theirs[theirs.len() - 1]].map(u128::from_le_bytes);
                let from = mine.partition_point(|tag| u128::from_le_bytes(*tag) < bounds[0]);
                let to = mine.partition_point(|tag| u128::from_le_bytes(*tag) <= bounds[1]);
                let (mine, order) = (&mine[from.min(to)..to], &order[from.min(to)..to]);
                let found = merge(mine, order, theirs, index * PIECE, rows, places);
                (rows[..found].to_vec(), places[..found].to_vec())
            },
        )
        .collect();
    let count = pieces.iter().map(|piece| piece.0.len()).sum();
    let (mut rows, mut places) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for (piece_rows, piece_places) in pieces {
        rows.extend_from_slice(&piece_rows);
        places.extend_from_slice(&piece_places);
    }
    (rows, places)
}

/// Walks both sets once, without a branch that depends on the tags, and returns how many they share. `rows` and `places`
/// have room for one more than theirs.
fn merge(
    mine: &[[u8; TAG_SIZE]],
    order: &[u32],
    theirs: &[[u8; TAG_SIZE]],
    first_place: usize,
    rows: &mut [i64],
    places: &mut [i64],
) -> usize {
    let (mut at_mine, mut at_theirs, mut found) = (0, 0, 0);
    while at_mine < mine.len() && at_theirs < theirs.len() {
        let (a, b) = (
            u128::from_le_bytes(mine[at_mine]),
            u128::from_le_bytes(theirs[at_theirs]),
        );
        rows[found] = i64::from(order[at_mine]);
        places[found] = (first_place + at_theirs) as i64;
        found += usize::from(a == b);
        at_mine += usize::from(a <= b);
        at_theirs += usize::from(b <= a);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uniform(count: usize, seed: u8) -> Vec<[u8; TAG_SIZE]> {
        let mut tags = vec![[0; TAG_SIZE]; count];
        blake3::Hasher::new_keyed(&[seed; 32])
            .finalize_xof()
            .fill(tags.as_flattened_mut());
        tags
    }

    fn tags_of(values: impl IntoIterator<Item = u128>) -> Vec<[u8; TAG_SIZE]> {
        values.into_iter().map(u128::to_le_bytes).collect()
    }

    fn encoded(sorted: &[[u8; TAG_SIZE]], bits: u32) -> Result<Vec<u8>, Invalid> {
        let mut code = vec![0xff; room(sorted.len(), bits)];
        let size = encode(sorted, bits, &mut code)?;
        code.truncate(size);
        Ok(code)
    }

    fn values_of(tags: &[[u8; TAG_SIZE]]) -> Vec<u128> {
        tags.iter().map(|tag| u128::from_le_bytes(*tag)).collect()
    }

    fn sorted(tags: &[[u8; TAG_SIZE]], bits: u32) -> Result<(Vec<u128>, Vec<u32>), Duplicate> {
        let mut out = vec![[0; TAG_SIZE]; tags.len()];
        let mut order = vec![0; tags.len()];
        sort(tags, bits, &mut out, &mut order).map(|()| (values_of(&out), order))
    }

    /// The obvious way: pairs of value and row, sorted.
    fn obvious(tags: &[[u8; TAG_SIZE]], bits: u32) -> (Vec<u128>, Vec<u32>) {
        let mut pairs: Vec<(u128, u32)> = values_of(tags)
            .into_iter()
            .map(|value| value & greatest(bits))
            .zip(0..)
            .collect();
        pairs.sort_unstable();
        pairs.into_iter().unzip()
    }

    /// The code bit by bit, as the page above words it.
    fn obvious_code(values: &[u128], low: u32) -> Vec<u8> {
        let mut gaps = Vec::new();
        let mut least = 0u128;
        for value in values {
            gaps.push(value - least);
            least = value.wrapping_add(1);
        }
        let lows = gaps
            .iter()
            .flat_map(|gap| (0..low).map(move |bit| gap >> bit & 1 == 1));
        let unary = gaps.iter().flat_map(|gap| {
            let zeros = (gap >> low) as usize;
            std::iter::repeat_n(false, zeros).chain([true])
        });
        let pack = |bits: Vec<bool>| -> Vec<u8> {
            let byte = |bits: &[bool]| {
                bits.iter()
                    .rev()
                    .fold(0, |byte, bit| byte << 1 | u8::from(*bit))
            };
            bits.chunks(8).map(byte).collect()
        };
        [pack(lows.collect()), pack(unary.collect())].concat()
    }

    #[test]
    fn tags_are_sorted_by_their_low_bits() {
        for (count, bits) in [
            (0, 80),
            (1, 80),
            (2, 1),
            (1000, 33),
            (5000, 64),
            (70_000, 80),
            (40_000, 96),
            (3000, 97),
            (20_000, 128),
        ] {
            let mut tags = uniform(count, 1);
            if count == 2 {
                tags = tags_of([3, 2]);
            }
            assert_eq!(
                sorted(&tags, bits),
                Ok(obvious(&tags, bits)),
                "{count} tags of {bits} bits"
            );
        }
    }

    #[test]
    fn tags_that_crowd_are_sorted_as_well() {
        let crowded: Vec<u128> = (0..30_000u128).map(|value| value * 7 % 30_000).collect();
        let half = crowded
            .iter()
            .map(|value| value << 40)
            .chain(values_of(&uniform(30_000, 2)));
        for values in [
            crowded.clone(),
            crowded.iter().map(|value| value << 96 | 5).collect(),
            half.collect(),
        ] {
            let tags = tags_of(values);
            assert_eq!(sorted(&tags, 128), Ok(obvious(&tags, 128)));
        }
    }

    #[test]
    fn tags_that_differ_only_in_their_lowest_bits_are_told_apart() {
        let tags = tags_of((0..500u128).rev().map(|value| 1 << 127 | value));
        assert_eq!(sorted(&tags, 128), Ok(obvious(&tags, 128)));
    }

    #[test]
    fn a_tag_given_twice_is_refused_with_both_rows() {
        for bits in [70, 96, 100, 128] {
            let mut tags = uniform(9000, 3);
            tags[8000] = tags[17];
            assert_eq!(
                sorted(&tags, bits),
                Err(Duplicate { rows: (17, 8000) }),
                "{bits} bits"
            );
        }
        // equal only after truncation
        let tags = tags_of([1 << 100, 5, 6, 5 | 1 << 90]);
        assert_eq!(sorted(&tags, 90), Err(Duplicate { rows: (1, 3) }));
        assert!(sorted(&tags, 91).is_ok());
    }

    #[test]
    fn codes_are_those_of_the_page_and_are_read_back() {
        for (count, bits) in [
            (1, 1),
            (1, 128),
            (2, 3),
            (7, 3),
            (8, 3),
            (100, 7),
            (1000, 60),
            (5000, 80),
            (777, 96),
            (3000, 128),
            (20_000, 33),
        ] {
            let mut values: Vec<u128> = values_of(&uniform(count, 4))
                .into_iter()
                .map(|value| value & greatest(bits))
                .collect();
            values.sort_unstable();
            values.dedup();
            let tags = tags_of(values.iter().copied());
            let code = encoded(&tags, bits).expect("sorted");
            assert!(
                code == obvious_code(&values, low_bits(values.len(), bits)),
                "{count} tags of {bits} bits"
            );
            assert!(code.len() <= largest_size(values.len(), bits));
            let mut back = vec![[1; TAG_SIZE]; tags.len()];
            assert_eq!(decode(&code, bits, &mut back), Ok(()));
            assert!(back == tags, "{count} tags of {bits} bits");
        }
    }

    #[test]
    fn values_at_the_ends_of_the_range_are_coded() {
        for bits in [1, 8, 64, 80, 121, 127, 128] {
            for values in [
                vec![0],
                vec![greatest(bits)],
                vec![0, greatest(bits)],
                vec![greatest(bits) - 1, greatest(bits)],
            ] {
                let tags = tags_of(values);
                let code = encoded(&tags, bits).expect("sorted");
                assert!(code.len() <= largest_size(tags.len(), bits), "{bits} bits");
                let mut back = vec![[0; TAG_SIZE]; tags.len()];
                assert_eq!(decode(&code, bits, &mut back), Ok(()));
                assert_eq!(back, tags);
            }
        }
    }

    #[test]
    fn a_uniform_set_takes_little_more_than_its_entropy() {
        for (count, bits) in [(1usize << 15, 80), (46_341, 80), (50_000, 64)] {
            let (values, _) = sorted(&uniform(count, 5), bits).expect("no tag twice");
            let code = encoded(&tags_of(values), bits).expect("sorted");
            let each = 8.0 * code.len() as f64 / count as f64;
            let entropy = f64::from(bits) - (count as f64).log2() + std::f64::consts::LOG2_E;
            assert!(
                (0.02..0.14).contains(&(each - entropy)),
                "{each} bits, entropy {entropy}"
            );
        }
    }

    #[test]
    fn tags_out_of_order_or_too_long_have_no_code() {
        for (values, place) in [
            (vec![4, 4], 1),
            (vec![5, 4], 0),
            (vec![1, 9, 3, 10], 2),
            (vec![1, 256], 1),
        ] {
            assert_eq!(encoded(&tags_of(values), 8), Err(Invalid::Value(place)));
        }
        assert_eq!(
            encoded(&tags_of([u128::MAX, u128::MAX]), 128),
            Err(Invalid::Value(1))
        );
    }

    #[test]
    fn what_is_no_code_is_refused() {
        let values: Vec<u128> = (0..100u128).map(|value| value * 5).collect();
        let code = encoded(&tags_of(values), 9).expect("sorted");
        let mut out = vec![[0; TAG_SIZE]; 100];
        let mut read = |code: &[u8]| decode(code, 9, &mut out);
        assert_eq!(read(&code), Ok(()));
        assert_eq!(read(&[]), Err(Invalid::Short));
        assert_eq!(read(&code[..code.len() - 1]), Err(Invalid::Short));
        assert_eq!(read(&[code.clone(), vec![0]].concat()), Err(Invalid::Long));
        assert_eq!(read(&[code.clone(), vec![1]].concat()), Err(Invalid::Long));
        assert_eq!(decode(&[0], 9, &mut []), Err(Invalid::Long));
        assert_eq!(decode(&[], 9, &mut []), Ok(()));
        // 3 values of 8 bits: r = 6, so that 18 bits are followed by 6 zeros
        let mut three = [[0; TAG_SIZE]; 3];
        assert_eq!(low_bits(3, 8), 6);
        assert_eq!(decode(&[0, 0, 0, 0b111], 8, &mut three), Ok(()));
        assert_eq!(values_of(&three), [0, 1, 2]);
        assert_eq!(
            decode(&[0, 0, 0b100, 0b111], 8, &mut three),
            Err(Invalid::Padding)
        );
        // 4·64 is beyond 8 bits, and so is 3·64 + 63 + 1
        assert_eq!(
            decode(&[0, 0, 0, 0b1110000], 8, &mut three),
            Err(Invalid::Value(0))
        );
        assert_eq!(
            decode(&[63, 0, 0, 0b111000], 8, &mut three),
            Err(Invalid::Value(1))
        );
    }

    #[test]
    fn every_junk_code_is_refused_or_is_the_code_of_what_was_read() {
        let mut junk = vec![0; 4000];
        blake3::Hasher::new_keyed(&[6; 32])
            .finalize_xof()
            .fill(&mut junk);
        let mut read = 0;
        for (index, window) in junk.windows(5).enumerate() {
            for (count, bits) in [(2, 9), (5, 4), (9, 4), (1, 30)] {
                let mut out = vec![[0; TAG_SIZE]; count];
                let code = &window[..1 + index % 5];
                if decode(code, bits, &mut out).is_ok() {
                    read += 1;
                    assert!(values_of(&out).is_sorted_by(|a, b| a < b));
                    assert_eq!(encoded(&out, bits).as_deref(), Ok(code));
                }
            }
        }
        assert!(read > 20, "{read} codes of 16,000 were any good");
    }

    #[test]
    fn shared_tags_are_found_by_rising_place_of_theirs() {
        for (mine, theirs, shared) in [
            (0, 5, 0),
            (5, 0, 0),
            (1, 1, 1),
            (30_000, 20_000, 7000),
            (100, 50_000, 40),
            (50_000, 100, 40),
        ] {
            let both = uniform(shared, 7);
            let mine_tags = [uniform(mine - shared, 8), both.clone()].concat();
            let theirs_tags = [both, uniform(theirs - shared, 9)].concat();
            let (mine, order) = sorted(&mine_tags, 80).expect("no tag twice");
            let (theirs, _) = sorted(&theirs_tags, 80).expect("no tag twice");
            let (rows, places) = matches(&tags_of(mine), &order, &tags_of(theirs.iter().copied()));
            assert_eq!(rows.len(), shared);
            assert!(places.is_sorted_by(|a, b| a < b));
            for (row, place) in rows.iter().zip(&places) {
                let value = u128::from_le_bytes(mine_tags[*row as usize]) & greatest(80);
                assert_eq!(theirs[*place as usize], value);
            }
        }
    }
}
