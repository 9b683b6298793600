//! Columns of texts, end to end: text `i` is `data[offsets[i]..offsets[i + 1]]`.

use rayon::prelude::*;

use crate::cells;

/// Rows that one task copies at a time.
const PIECE: usize = 1 << 14;

/// Writes where each taken text begins into `out`, which has one place more than `rows`: its last is the size of all.
///
/// # Errors
/// The place in `rows` of the first row that is not there.
///
/// # Panics
/// When `out` has not one place more than `rows`.
pub fn take_offsets(offsets: &[i64], rows: &[i64], out: &mut [i64]) -> Result<(), usize> {
    assert_eq!(out.len(), rows.len() + 1, "one offset more than rows");
    let lengths = |(piece, (out, rows)): (usize, (&mut [i64], &[i64]))| {
        for (place, (out, row)) in out.iter_mut().zip(rows).enumerate() {
            match text(offsets, *row) {
                Some((start, end)) => *out = end - start,
                None => return Some(piece * PIECE + place),
            }
        }
        None
    };
    let pieces = out[1..]
        .par_chunks_mut(PIECE)
        .zip(rows.par_chunks(PIECE))
        .enumerate();
    if let Some(place) = pieces.filter_map(lengths).min() {
        return Err(place);
    }
    out[0] = 0;
    let mut end = 0;
    for out in &mut out[1..] {
        end += *out;
        *out = end;
    }
    Ok(())
}

/// Copies the texts of `rows` into `out`, in that order; `out_offsets` are what `take_offsets` wrote for these rows.
///
/// # Panics
/// When the offsets do not fit the rows, `data` or `out`.
pub fn take(data: &[u8], offsets: &[i64], rows: &[i64], out_offsets: &[i64], out: &mut [u8]) {
    assert_eq!(
        out_offsets.len(),
        rows.len() + 1,
        "one offset more than rows"
    );
    let mut rest = out;
    let mut pieces = Vec::with_capacity(rows.len() / PIECE + 1);
    for (piece, rows) in rows.chunks(PIECE).enumerate() {
        let first = piece * PIECE;
        let size = out_offsets[first + rows.len()] - out_offsets[first];
        let (out, after) = rest.split_at_mut(size as usize);
        pieces.push((rows, out));
        rest = after;
    }
    assert!(rest.is_empty(), "room for the taken texts and no more");
    pieces.into_par_iter().for_each(|(rows, mut out)| {
        for row in rows {
            let (start, end) = text(offsets, *row).expect("a row that take_offsets found");
            let (place, after) = out.split_at_mut((end - start) as usize);
            place.copy_from_slice(&data[start as usize..end as usize]);
            out = after;
        }
    });
}

/// Whether each text is printable ASCII without capitals and without a space at an end: `normalise` would leave it.
pub fn are_plain(data: &[u8], offsets: &[i64]) -> bool {
    // without a branch on a byte: 16 to 64 bytes a step
    let odd = |bytes: &[u8]| {
        bytes.iter().fold(false, |odd, byte| {
            odd | !(b' '..=b'~').contains(byte) | byte.is_ascii_uppercase()
        })
    };
    let is_padded = |ends: &[i64]| {
        let text = &data[ends[0] as usize..ends[1] as usize];
        text.first() == Some(&b' ') || text.last() == Some(&b' ')
    };
    !data.chunks(4096).any(odd) && !offsets.windows(2).any(is_padded)
}

/// Writes the texts into `out` and `out_offsets`, lower case and without spaces at the ends, as far as they are ASCII.
///
/// Returns the size of what was written, and the rows that were only copied: those with a byte beyond ASCII, or with one
/// of the separators 0x1c to 0x1f, which need the whole rule.
///
/// # Panics
/// When `out` is shorter than `data`, or the two have not the same number of offsets.
pub fn normalise(
    data: &[u8],
    offsets: &[i64],
    out: &mut [u8],
    out_offsets: &mut [i64],
) -> (usize, Vec<i64>) {
    assert_eq!(offsets.len(), out_offsets.len(), "as many offsets");
    let mut size = 0;
    let mut foreign = Vec::new();
    out_offsets[0] = 0;
    for (row, ends) in offsets.windows(2).enumerate() {
        let mut text = &data[ends[0] as usize..ends[1] as usize];
        let is_foreign = text
            .iter()
            .any(|byte| !byte.is_ascii() || (0x1c..=0x1f).contains(byte));
        if is_foreign {
            foreign.push(row as i64);
        } else {
            text = cells::trim(text);
        }
        let place = &mut out[size..size + text.len()];
        place.copy_from_slice(text);
        if !is_foreign {
            place.make_ascii_lowercase();
        }
        size += text.len();
        out_offsets[row + 1] = size as i64;
    }
    (size, foreign)
}

/// Writes a hash of each text: equal texts have equal hashes, others hardly ever (64 bits, multiply and fold; no key).
///
/// # Panics
/// When `out` has not one place for each text.
pub fn hash(data: &[u8], offsets: &[i64], out: &mut [u64]) {
    assert_eq!(offsets.len(), out.len() + 1, "one offset more than texts");
    out.par_chunks_mut(PIECE)
        .enumerate()
        .for_each(|(piece, out)| {
            let ends = offsets[piece * PIECE..].windows(2);
            for (out, ends) in out.iter_mut().zip(ends) {
                *out = hash_text(&data[ends[0] as usize..ends[1] as usize]);
            }
        });
}

/// Whether a number occurs twice. Puts them into another order.
///
/// Numbers are parted in place by the first 8 bits in which they differ, so that the table of a part stays in the cache.
pub fn repeat(hashes: &mut [u64]) -> bool {
    let Some(first) = hashes.first().copied() else {
        return false;
    };
    let differing = hashes.iter().fold(0, |bits, hash| bits | (hash ^ first));
    let skipped = differing.leading_zeros().min(56);
    let ends = part(hashes, |hash| (hash << skipped >> 56) as usize);
    let mut rest = hashes;
    let mut parts = Vec::with_capacity(256);
    for size in ends {
        let (part, after) = rest.split_at_mut(size);
        parts.push(&*part);
        rest = after;
    }
    parts
        .into_par_iter()
        .map_init(Vec::new, |table, part| occurs_twice(part, table))
        .any(|found| found)
}

/// Puts the numbers of each digit together, digits ascending, and returns how many each has (American flag sort:
/// McIlroy, Bostic, McIlroy 1993).
fn part(numbers: &mut [u64], digit: impl Fn(u64) -> usize) -> [usize; 256] {
    let mut sizes = [0; 256];
    for number in &*numbers {
        sizes[digit(*number)] += 1;
    }
    let mut next = [0; 256];
    for one in 1..256 {
        next[one] = next[one - 1] + sizes[one - 1];
    }
    let mut end = 0;
    for one in 0..256 {
        end += sizes[one];
        while next[one] < end {
            let mut number = numbers[next[one]];
            let mut other = digit(number);
            while other != one {
                std::mem::swap(&mut number, &mut numbers[next[other]]);
                next[other] += 1;
                other = digit(number);
            }
            numbers[next[one]] = number;
            next[one] += 1;
        }
    }
    sizes
}

/// Looks each number up in an open table of the last ones; its low bits are its place, since it is a hash.
fn occurs_twice(numbers: &[u64], table: &mut Vec<u64>) -> bool {
    const FREE: u64 = 0;
    let mask = (numbers.len() * 2).next_power_of_two() - 1;
    table.clear();
    table.resize(mask + 1, FREE);
    let mut zeros = 0;
    for number in numbers {
        zeros += usize::from(*number == FREE);
        let mut place = *number as usize & mask;
        while table[place] != FREE && table[place] != *number {
            place = (place + 1) & mask;
        }
        if table[place] == *number && *number != FREE {
            return true;
        }
        table[place] = *number;
    }
    zeros > 1
}

/// Odd constants without structure: the fractions of the square roots of 2, 3 and 5.
const MIX: [u64; 3] = [
    0x6a09_e667_f3bc_c909,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
];

#[inline(always)]
fn hash_text(text: &[u8]) -> u64 {
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        product as u64 ^ (product >> 64) as u64
    };
    let mut state = MIX[0] ^ text.len() as u64;
    let (words, rest) = text.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word), MIX[1]).wrapping_add(MIX[2]);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    state = fold(state ^ u64::from_le_bytes(last), MIX[1]);
    fold(state ^ MIX[0], MIX[2] | 1)
}

#[inline(always)]
fn text(offsets: &[i64], row: i64) -> Option<(i64, i64)> {
    let row = usize::try_from(row).ok()?;
    Some((*offsets.get(row)?, *offsets.get(row.checked_add(1)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(texts: &[String]) -> (Vec<u8>, Vec<i64>) {
        let mut offsets = vec![0];
        for text in texts {
            offsets.push(offsets[offsets.len() - 1] + text.len() as i64);
        }
        (texts.concat().into_bytes(), offsets)
    }

    #[test]
    fn texts_are_taken_in_any_order_across_pieces_and_may_repeat() {
        let texts: Vec<_> = (0..50_000)
            .map(|row| "x".repeat(row % 7) + &row.to_string())
            .collect();
        let (data, offsets) = pack(&texts);
        let rows: Vec<_> = (0..70_000_i64)
            .map(|place| (place * 7_919) % 50_000)
            .collect();
        let mut found = vec![0; rows.len() + 1];
        take_offsets(&offsets, &rows, &mut found).unwrap();
        let mut out = vec![0; found[rows.len()] as usize];
        take(&data, &offsets, &rows, &found, &mut out);
        let wanted: Vec<_> = rows
            .iter()
            .map(|row| texts[*row as usize].clone())
            .collect();
        assert_eq!(pack(&wanted), (out, found));
    }

    #[test]
    fn the_first_row_that_is_not_there_is_named() {
        let (_, offsets) = pack(&vec!["ab".into(); 40_000]);
        let mut rows = vec![39_999; 40_000];
        let mut found = vec![0; rows.len() + 1];
        assert_eq!(take_offsets(&offsets, &rows, &mut found), Ok(()));
        for bad in [40_000, -1, i64::MAX, i64::MIN] {
            (rows[20_000], rows[39_000]) = (bad, bad);
            assert_eq!(take_offsets(&offsets, &rows, &mut found), Err(20_000));
        }
    }

    fn normal(texts: &[&str]) -> (Vec<String>, Vec<i64>, bool) {
        let texts: Vec<_> = texts.iter().map(ToString::to_string).collect();
        let (data, offsets) = pack(&texts);
        let (mut out, mut ends) = (vec![0; data.len()], vec![0; offsets.len()]);
        let (size, foreign) = normalise(&data, &offsets, &mut out, &mut ends);
        assert_eq!(size as i64, ends[texts.len()]);
        let of = |ends: &[i64]| {
            String::from_utf8(out[ends[0] as usize..ends[1] as usize].to_vec()).unwrap()
        };
        let found = ends.windows(2).map(of).collect();
        (found, foreign, are_plain(&data, &offsets))
    }

    #[test]
    fn ascii_texts_become_lower_case_without_spaces_at_the_ends() {
        let (found, foreign, plain) = normal(&[" Ab\t", "", "a b", "\u{b}\u{c}\r\n", "[Z]{~}"]);
        assert_eq!(found, ["ab", "", "a b", "", "[z]{~}"]);
        assert_eq!((foreign, plain), (vec![], false));
    }

    #[test]
    fn other_texts_are_copied_and_named() {
        let (found, foreign, plain) = normal(&["A", " \u{e9}X", "\u{1c}B ", "c"]);
        assert_eq!(found, ["a", " \u{e9}X", "\u{1c}B ", "c"]);
        assert_eq!((foreign, plain), (vec![1, 2], false));
    }

    #[test]
    fn texts_are_plain_exactly_when_the_rule_leaves_them() {
        assert!(normal(&["", "a b", "0123456789", "~!`@[{"]).2);
        for byte in 0..=127_u8 {
            for text in [
                format!("{}x", byte as char),
                format!("x{}", byte as char),
                format!("x{}x", byte as char),
            ] {
                let (found, foreign, plain) = normal(&["ab", &text]);
                let stays = foreign.is_empty() && found[1] == text;
                // a control character inside may stay, and is left to `normalise` to find so
                assert!(stays || !plain, "{text:?}");
                assert!(plain || !stays || byte < b' ' || byte == 127, "{text:?}");
            }
        }
    }

    #[test]
    fn equal_texts_have_equal_hashes_and_others_other_ones() {
        let mut texts: Vec<_> = (0..100_000_u32)
            .map(|row| format!("{:0width$}", row / 9, width = 6 + row as usize % 9))
            .collect();
        texts.extend((0..40).map(|count| "\0".repeat(count)));
        let (data, offsets) = pack(&texts);
        let mut hashes = vec![0; texts.len()];
        hash(&data, &offsets, &mut hashes);
        for (row, text) in texts.iter().enumerate() {
            assert_eq!(hashes[row], hash_text(text.as_bytes()));
        }
        let distinct = texts.iter().collect::<std::collections::HashSet<_>>().len();
        assert_eq!(distinct, texts.len());
        assert!(!repeat(&mut hashes.clone()));
        hashes[77] = hashes[99_999];
        assert!(repeat(&mut hashes));
        assert!(!repeat(&mut []));
    }

    #[test]
    fn a_number_that_occurs_twice_is_found_wherever_it_is() {
        let number = |place: u64| hash_text(&place.to_le_bytes());
        for (count, shift) in [
            (1, 0),
            (2, 0),
            (300, 0),
            (70_000, 0),
            (70_000, 9),
            (5_000, 30),
        ] {
            let mut numbers: Vec<_> = (0..count).map(|place| number(place) >> shift).collect();
            numbers[0] = 0;
            let mut sorted = numbers.clone();
            sorted.sort_unstable();
            let truth = sorted.windows(2).any(|pair| pair[0] == pair[1]);
            assert_eq!(repeat(&mut numbers.clone()), truth, "{count} >> {shift}");
            let mut parted = numbers.clone();
            let sizes = part(&mut parted, |number| (number << shift >> 56) as usize);
            assert_eq!(sizes.iter().sum::<usize>(), numbers.len());
            assert!(parted.is_sorted_by_key(|number| number << shift >> 56));
            parted.sort_unstable();
            assert_eq!(parted, sorted);
            for place in [0, count as usize / 2] {
                let mut again = numbers.clone();
                again.push(numbers[place]);
                assert!(repeat(&mut again), "{count} >> {shift}");
            }
        }
        assert!(repeat(&mut [0, 0]));
        assert!(!repeat(&mut [0, 1]));
        assert!(!repeat(&mut [5, 1 << 63 | 5]));
    }

    #[test]
    fn no_row_of_no_text_is_taken() {
        let mut found = [7];
        assert_eq!(take_offsets(&[0], &[], &mut found), Ok(()));
        take(&[], &[0], &[], &found, &mut []);
        assert_eq!(found, [0]);
    }
}
