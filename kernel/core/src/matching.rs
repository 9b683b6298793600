//! Exact equality joins of byte rows.

use crate::radix;

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

/// Row pairs (left, right) that are equal, by ascending left row. Rows are `width` bytes.
///
/// Sorts both sides, by counting where their leading bytes are uniform, by comparison where they are not: n log n whatever
/// the rows are, so a peer that chooses them cannot slow it down.
///
/// # Errors
/// When a row occurs twice on a side.
///
/// # Panics
/// When a side is not made of whole rows of 8 bytes or more, or has 2^32 rows.
pub fn join(left: &[u8], right: &[u8], width: usize) -> Result<(Vec<i64>, Vec<i64>), Duplicate> {
    let (left, right) = (Rows::new(left, width), Rows::new(right, width));
    let left_sorted = left.sorted().ok_or(Duplicate { side: Side::Left })?;
    let right_sorted = right.sorted().ok_or(Duplicate { side: Side::Right })?;
    const NONE: u32 = u32::MAX;
    let mut partner = vec![NONE; left.count()];
    let (mut at_left, mut at_right, mut found) = (0, 0, 0);
    while let (Some(a), Some(b)) = (left_sorted.get(at_left), right_sorted.get(at_right)) {
        let mut order = (a >> 32).cmp(&(b >> 32));
        if order.is_eq() {
            let crowded = |sorted: &[u128], at: usize| {
                sorted.get(at + 1).is_some_and(|next| next >> 32 == a >> 32)
            };
            if crowded(&left_sorted, at_left) || crowded(&right_sorted, at_right) {
                order = left.rest(row_of(*a)).cmp(right.rest(row_of(*b)));
            }
            if order.is_eq() {
                partner[row_of(*a)] = *b as u32;
                found += 1;
            }
        }
        at_left += usize::from(order.is_le());
        at_right += usize::from(order.is_ge());
    }
    let mut left_rows = Vec::with_capacity(found);
    let mut right_rows = Vec::with_capacity(found);
    for (row, partner) in partner.iter().enumerate() {
        // most are equal as far as their elements tell; the rest is looked up here, in the order of the left rows
        if *partner != NONE && left.has_rest_of(row, right, *partner as usize) {
            left_rows.push(row as i64);
            right_rows.push(i64::from(*partner));
        }
    }
    Ok((left_rows, right_rows))
}

/// Bytes of a row that its element holds, before its number.
const LEADING: usize = 12;

/// Rows of one width.
#[derive(Clone, Copy)]
struct Rows<'a> {
    bytes: &'a [u8],
    width: usize,
}

impl<'a> Rows<'a> {
    fn new(bytes: &'a [u8], width: usize) -> Self {
        assert!(
            width >= 8 && bytes.len().is_multiple_of(width),
            "rows of at least eight bytes"
        );
        assert!(
            bytes.len() / width < u32::MAX as usize,
            "fewer than 2^32 rows"
        );
        Self { bytes, width }
    }

    fn count(self) -> usize {
        self.bytes.len() / self.width
    }

    /// The leading bytes of a row as a number, then which row it is.
    #[inline(always)]
    fn element(self, row: usize) -> u128 {
        let start = row * self.width;
        let leading = match self.bytes[start..].first_chunk() {
            Some(bytes) if self.width >= 16 => u128::from_be_bytes(*bytes),
            _ => {
                let size = self.width.min(LEADING);
                let mut leading = [0; 16];
                leading[..size].copy_from_slice(&self.bytes[start..start + size]);
                u128::from_be_bytes(leading)
            }
        };
        leading >> 32 << 32 | row as u128
    }

    /// What an element does not hold of its row.
    #[inline(always)]
    fn rest(self, row: usize) -> &'a [u8] {
        &self.bytes[row * self.width + self.width.min(LEADING)..(row + 1) * self.width]
    }

    /// Whether two rows of one width agree in what their elements do not hold.
    #[inline(always)]
    fn has_rest_of(self, row: usize, others: Self, other: usize) -> bool {
        match (
            self.rest(row).first_chunk::<4>(),
            others.rest(other).first_chunk(),
        ) {
            (Some(rest), Some(other)) if self.width == LEADING + 4 => rest == other,
            _ => self.rest(row) == others.rest(other),
        }
    }

    /// The elements by the bytes of their rows; none when a row occurs twice.
    fn sorted(self) -> Option<Vec<u128>> {
        let mut sorted = vec![0; self.count()];
        let mut nothing = vec![(); self.count()];
        let element = |row| self.element(row);
        radix::sort_into(
            self.count(),
            element,
            &mut sorted,
            &mut nothing,
            |run, sorted, _| {
                for equal in run.chunk_by_mut(|a, b| a >> 32 == b >> 32) {
                    if equal.len() > 1 {
                        equal.sort_unstable_by_key(|element| self.rest(row_of(*element)));
                        if equal
                            .windows(2)
                            .any(|pair| self.rest(row_of(pair[0])) == self.rest(row_of(pair[1])))
                        {
                            return Err(());
                        }
                    }
                }
                sorted.copy_from_slice(run);
                Ok(())
            },
        )
        .ok()
        .map(|()| sorted)
    }
}

#[inline(always)]
fn row_of(element: u128) -> usize {
    element as u32 as usize
}
