//! Exact equality joins of byte rows.

use rayon::prelude::*;

/// Which argument a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// A row occurs twice on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate {
    pub side: Side,
}

/// A row with its first eight bytes: most comparisons look no further.
#[derive(Clone, Copy)]
struct Keyed {
    prefix: u64,
    row: u32,
}

/// Row pairs (left, right) that are equal, by ascending left row. Rows are `width` bytes.
///
/// Sorts both sides: n log n whatever the rows are, so a peer that chooses them cannot slow it down.
///
/// # Errors
/// When a row occurs twice on a side.
///
/// # Panics
/// When a side is not made of whole rows of 8 bytes or more, or has 2^32 rows.
pub fn join(left: &[u8], right: &[u8], width: usize) -> Result<(Vec<i64>, Vec<i64>), Duplicate> {
    let (left_sorted, right_sorted) = rayon::join(|| sort(left, width), || sort(right, width));
    let left_sorted = left_sorted.ok_or(Duplicate { side: Side::Left })?;
    let right_sorted = right_sorted.ok_or(Duplicate { side: Side::Right })?;
    const NONE: u32 = u32::MAX;
    let mut partner = vec![NONE; left_sorted.len()];
    let (mut at_left, mut at_right) = (
        left_sorted.iter().peekable(),
        right_sorted.iter().peekable(),
    );
    let mut matches = 0;
    while let (Some(a), Some(b)) = (at_left.peek(), at_right.peek()) {
        match compare(a, left, b, right, width) {
            std::cmp::Ordering::Less => _ = at_left.next(),
            std::cmp::Ordering::Greater => _ = at_right.next(),
            std::cmp::Ordering::Equal => {
                partner[a.row as usize] = b.row;
                matches += 1;
                at_left.next();
                at_right.next();
            }
        }
    }
    let mut left_rows = Vec::with_capacity(matches);
    let mut right_rows = Vec::with_capacity(matches);
    for (row, partner) in partner
        .iter()
        .enumerate()
        .filter(|(_, partner)| **partner != NONE)
    {
        left_rows.push(row as i64);
        right_rows.push(i64::from(*partner));
    }
    Ok((left_rows, right_rows))
}

fn sort(rows: &[u8], width: usize) -> Option<Vec<Keyed>> {
    assert!(
        width >= 8 && rows.len().is_multiple_of(width),
        "rows of at least eight bytes"
    );
    assert!(
        rows.len() / width < u32::MAX as usize,
        "fewer than 2^32 rows"
    );
    let keyed = rows
        .chunks_exact(width)
        .enumerate()
        .map(|(row, bytes)| Keyed {
            prefix: u64::from_be_bytes(bytes[..8].try_into().expect("eight bytes")),
            row: row as u32,
        });
    let mut keyed: Vec<_> = keyed.collect();
    keyed.par_sort_unstable_by(|a, b| compare(a, rows, b, rows, width));
    let unique = keyed
        .par_windows(2)
        .all(|pair| compare(&pair[0], rows, &pair[1], rows, width).is_ne());
    unique.then_some(keyed)
}

#[inline(always)]
fn compare(a: &Keyed, a_rows: &[u8], b: &Keyed, b_rows: &[u8], width: usize) -> std::cmp::Ordering {
    let rest = |row: u32| row as usize * width + 8..(row as usize + 1) * width;
    a.prefix
        .cmp(&b.prefix)
        .then_with(|| a_rows[rest(a.row)].cmp(&b_rows[rest(b.row)]))
}
