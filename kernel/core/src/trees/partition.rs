//! The rows of nodes: every node has a range of one buffer of row numbers, ascending; splitting it moves its left rows to
//! the front and keeps the order of both sides.

use rayon::prelude::*;

use super::{Left, has};

/// Rows that one thread takes at a time.
const CHUNK: usize = 1 << 15;

/// Moves the rows whose code goes left to the front, and returns how many they are.
///
/// # Panics
/// When a row is outside the column.
pub fn part_by_codes(rows: &mut [u32], codes: &[u8], left: &Left) -> usize {
    let sides: [bool; 256] = std::array::from_fn(|code| has(left, code as u8));
    part(rows, |row| sides[usize::from(codes[row as usize])])
}

/// Moves the rows whose bit is set to the front, and returns how many they are. Row r has bit r of `bits`, lowest first.
///
/// # Panics
/// When a row has no bit.
pub fn part_by_bits(rows: &mut [u32], bits: &[u8]) -> usize {
    part(rows, |row| bits[(row / 8) as usize] >> (row % 8) & 1 == 1)
}

fn part(rows: &mut [u32], goes_left: impl Fn(u32) -> bool + Sync) -> usize {
    let mut parted = vec![0; rows.len()];
    let counts: Vec<usize> = rows
        .par_chunks(CHUNK)
        .zip(parted.par_chunks_mut(CHUNK))
        .map(|(rows, parted)| part_chunk(rows, parted, &goes_left))
        .collect();
    let total = counts.iter().sum();
    let (mut lefts, mut rights) = rows.split_at_mut(total);
    let mut moves = Vec::with_capacity(2 * counts.len());
    for (chunk, count) in parted.chunks_mut(CHUNK).zip(counts) {
        let (from_left, from_right) = chunk.split_at_mut(count);
        from_right.reverse();
        let (to_left, left_rest) = lefts.split_at_mut(count);
        let (to_right, right_rest) = rights.split_at_mut(from_right.len());
        (lefts, rights) = (left_rest, right_rest);
        moves.extend([(to_left, from_left), (to_right, from_right)]);
    }
    moves
        .into_par_iter()
        .for_each(|(to, from)| to.copy_from_slice(from));
    total
}

/// Left rows from the front in order, right ones from the back in reverse; no branch on the side.
fn part_chunk(rows: &[u32], parted: &mut [u32], goes_left: impl Fn(u32) -> bool) -> usize {
    let mut left = 0;
    for (index, &row) in rows.iter().enumerate() {
        let right = rows.len() - 1 - (index - left);
        let side = goes_left(row);
        parted[if side { left } else { right }] = row;
        left += usize::from(side);
    }
    left
}

/// Sums of g and h over `rows`: four sums of every fourth row, in their order, and then of these.
///
/// # Panics
/// When a row is outside.
pub fn totals(g: &[f64], h: &[f64], rows: &[u32]) -> (f64, f64) {
    let mut sums = [(0.0, 0.0); 4];
    let (fours, last) = rows.as_chunks::<4>();
    let mut add = |rows: &[u32]| {
        for ((g_sum, h_sum), &row) in sums.iter_mut().zip(rows) {
            *g_sum += g[row as usize];
            *h_sum += h[row as usize];
        }
    };
    fours.iter().for_each(|rows| add(rows));
    add(last);
    let [a, b, c, d] = sums;
    ((a.0 + b.0) + (c.0 + d.0), (a.1 + b.1) + (c.1 + d.1))
}

/// Writes one bit for each code, lowest first: whether it goes left.
///
/// # Panics
/// When there are not ⌈codes/8⌉ bytes.
pub fn left_bits(codes: &[u8], left: &Left, bits: &mut [u8]) {
    assert_eq!(bits.len(), codes.len().div_ceil(8), "a bit for each code");
    let sides: [u8; 256] = std::array::from_fn(|code| u8::from(has(left, code as u8)));
    let pack = |codes: &[u8]| {
        let sides = codes.iter().map(|&code| sides[usize::from(code)]);
        sides.rev().fold(0, |byte, side| byte << 1 | side)
    };
    bits.par_chunks_mut(CHUNK)
        .zip(codes.par_chunks(8 * CHUNK))
        .for_each(|(bits, codes)| {
            let (whole, last) = codes.as_chunks::<8>();
            for (bits, codes) in bits.iter_mut().zip(whole) {
                *bits = pack(codes);
            }
            if let Some(bits) = bits.last_mut().filter(|_| !last.is_empty()) {
                *bits = pack(last);
            }
        });
}

/// Sets the bit of each row.
///
/// # Panics
/// When a row has no bit.
pub fn set_bits(bits: &mut [u8], rows: &[u32]) {
    for &row in rows {
        bits[(row / 8) as usize] |= 1 << (row % 8);
    }
}

/// Writes `value` at the place of each row.
///
/// # Panics
/// When a row is outside.
pub fn mark(places: &mut [u16], rows: &[u32], value: u16) {
    for &row in rows {
        places[row as usize] = value;
    }
}

/// Adds the weight of each leaf to the margins of its rows; leaf i has `rows[starts[i]..starts[i + 1]]`.
///
/// # Panics
/// When a row or a range is outside.
pub fn add_leaves(margins: &mut [f64], rows: &[u32], ranges: &[(usize, usize)], weights: &[f64]) {
    for (&(start, end), weight) in ranges.iter().zip(weights) {
        for &row in &rows[start..end] {
            margins[row as usize] += weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_sides_keep_their_order(codes in prop::collection::vec(any::<u8>(), 1..200), left: Left, times in 1usize..900) {
            let codes: Vec<u8> = codes.iter().copied().cycle().take(codes.len() * times).collect();
            let every: Vec<u32> = (0..codes.len() as u32).filter(|row| row % 3 != 1).collect();
            let (lefts, rights): (Vec<u32>, Vec<u32>) =
                every.iter().partition(|&&row| has(&left, codes[row as usize]));
            let mut rows = every.clone();
            prop_assert_eq!(part_by_codes(&mut rows, &codes, &left), lefts.len());
            prop_assert_eq!(&rows[..lefts.len()], &lefts);
            prop_assert_eq!(&rows[lefts.len()..], &rights);
            let mut bits = vec![0; codes.len().div_ceil(8)];
            left_bits(&codes, &left, &mut bits);
            let mut again = every;
            prop_assert_eq!(part_by_bits(&mut again, &bits), lefts.len());
            prop_assert_eq!(again, rows);
            let mut set = vec![0; bits.len()];
            let members: Vec<u32> =
                (0..codes.len() as u32).filter(|&row| has(&left, codes[row as usize])).collect();
            set_bits(&mut set, &members);
            prop_assert_eq!(set, bits);
        }
    }
}
