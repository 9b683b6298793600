//! Compressed sets of uniform 128-bit tags that say of any tag whether it is (very likely) among them, and where.
//!
//! The tags of a filter are spread over *pages* by their leading bits; a page is read, checked and searched alone. Within
//! a page of n tags the tag's remaining fraction, times n, falls into one of n *cells*, and `low_bits` more bits of it are
//! kept: Elias (1974) and Fano (1971) coding of a sorted list. A page is
//!
//! ```text
//! low bits of its tags, rising, `low_bits` each      ⌈n·low_bits/64⌉ words, little-endian
//! for each cell a 1 for each of its tags, then a 0   ⌈2n/64⌉ words, lowest bit first
//! ```
//!
//! that is `low_bits` + 2 bits a tag, and a tag that is not in the set is found with probability 2^-low_bits. The same as
//! Golomb–Rice coding of the gaps within half a bit, but one tag is found without decoding those before it.

use rayon::prelude::*;

/// Bytes of a tag. Its value is big-endian: rows compare as numbers do.
pub const TAG_SIZE: usize = 16;

/// A tag, uniform.
pub type Tag = [u8; TAG_SIZE];

/// The most pages of a filter.
pub const MOST_PAGES: u64 = 1 << 32;

/// The most bits kept of a tag beside its cell.
pub const MOST_LOW_BITS: u32 = 64;

/// Queries that one task of the pool takes.
const CHUNK: usize = 1 << 10;

/// The same tag at two rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated {
    pub first: usize,
    pub second: usize,
}

/// Some pages of a filter, encoded, and where each tag went.
#[derive(Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The pages end to end.
    pub data: Vec<u8>,
    /// Tags of each page.
    pub counts: Vec<u32>,
    /// The row of each tag, in the order of the filter.
    pub order: Vec<u32>,
}

/// What has another size, or another number of tags, than its page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub page: usize,
}

/// value·times / 2^128 as its whole part and the rest, both exact. `times` ≤ 2^64 - 1.
#[inline(always)]
fn split(value: u128, times: u64) -> (u64, u128) {
    let low = u128::from(value as u64) * u128::from(times);
    let high = (value >> 64) * u128::from(times) + (low >> 64);
    ((high >> 64) as u64, high << 64 | u128::from(low as u64))
}

/// The page of a tag among `pages`.
#[inline(always)]
pub fn page_of(tag: &Tag, pages: u64) -> u64 {
    split(u128::from_be_bytes(*tag), pages).0
}

/// The cell of a tag among the `count` of its page, and its low bits.
#[inline(always)]
fn place(tag: &Tag, pages: u64, count: u64, low_bits: u32) -> (u64, u64) {
    let (_, within) = split(u128::from_be_bytes(*tag), pages);
    let (cell, rest) = split(within, count);
    (cell, (rest >> (128 - low_bits)) as u64)
}

/// Bytes of a page of `count` tags; None when there is no such size.
pub fn page_size(count: u64, low_bits: u32) -> Option<usize> {
    let low = count.checked_mul(u64::from(low_bits))?.div_ceil(64);
    let cells = count.checked_mul(2)?.div_ceil(64);
    usize::try_from(low.checked_add(cells)?.checked_mul(8)?).ok()
}

/// The page of each tag among `pages`.
pub fn pages(tags: &[Tag], pages: u64, out: &mut [u32]) {
    assert!(
        (1..=MOST_PAGES).contains(&pages),
        "at least one page, at most 2^32"
    );
    assert_eq!(tags.len(), out.len(), "one page a tag");
    out.par_chunks_mut(CHUNK)
        .zip(tags.par_chunks(CHUNK))
        .for_each(|(out, tags)| {
            for (page, tag) in out.iter_mut().zip(tags) {
                *page = page_of(tag, pages) as u32;
            }
        });
}

/// Encodes the pages from `first` on, `count` of them: all tags that a filter of `pages` pages has there, in any order.
///
/// # Errors
/// When a tag occurs twice.
///
/// # Panics
/// When a tag belongs to another page, or the shape is out of range: the face checks both.
pub fn encode(
    tags: &[Tag],
    first: u64,
    count: usize,
    pages: u64,
    low_bits: u32,
) -> Result<Encoded, Repeated> {
    assert!(
        (1..=MOST_LOW_BITS).contains(&low_bits),
        "1 to 64 bits a tag"
    );
    assert!(
        (1..=MOST_PAGES).contains(&pages) && first + count as u64 <= pages,
        "pages of the filter"
    );
    assert!(tags.len() < u32::MAX as usize, "fewer than 2^32 tags");
    let (starts, mut order) = group(tags, first, count, pages);
    let sizes = starts
        .windows(2)
        .map(|pair| page_size((pair[1] - pair[0]) as u64, low_bits).expect("fits in memory"));
    let sizes: Vec<usize> = sizes.collect();
    let mut data = vec![0; sizes.iter().sum()];
    let mut work = Vec::with_capacity(count);
    let (mut rows_left, mut data_left) = (order.as_mut_slice(), data.as_mut_slice());
    for (pair, size) in starts.windows(2).zip(&sizes) {
        let (rows, more_rows) = rows_left.split_at_mut(pair[1] - pair[0]);
        let (page, more_data) = data_left.split_at_mut(*size);
        (rows_left, data_left) = (more_rows, more_data);
        work.push((rows, page));
    }
    let repeated = work
        .into_par_iter()
        .filter_map(|(rows, page)| encode_page(tags, rows, pages, low_bits, page));
    if let Some(repeated) = repeated.min_by_key(|found| (found.second, found.first)) {
        return Err(repeated);
    }
    let counts = starts.windows(2).map(|pair| (pair[1] - pair[0]) as u32);
    Ok(Encoded {
        data,
        counts: counts.collect(),
        order,
    })
}

/// The rows grouped by page, and where each group starts: a counting sort.
fn group(tags: &[Tag], first: u64, count: usize, pages: u64) -> (Vec<usize>, Vec<u32>) {
    let mut places = vec![0u32; tags.len()];
    self::pages(tags, pages, &mut places);
    let mut starts = vec![0usize; count + 1];
    for page in &places {
        let local = u64::from(*page)
            .checked_sub(first)
            .expect("a tag of these pages");
        starts[local as usize + 1] += 1;
    }
    for index in 0..count {
        starts[index + 1] += starts[index];
    }
    let mut next = starts.clone();
    let mut order = vec![0u32; tags.len()];
    for (row, page) in places.iter().enumerate() {
        let slot = &mut next[(u64::from(*page) - first) as usize];
        order[*slot] = row as u32;
        *slot += 1;
    }
    (starts, order)
}

/// Sorts the rows of one page and writes it; returns a tag that occurs twice.
fn encode_page(
    tags: &[Tag],
    rows: &mut [u32],
    pages: u64,
    low_bits: u32,
    page: &mut [u8],
) -> Option<Repeated> {
    let count = rows.len() as u64;
    let mut placed: Vec<(u64, u64, u32)> = rows
        .iter()
        .map(|&row| {
            let (cell, low) = place(&tags[row as usize], pages, count, low_bits);
            (cell, low, row)
        })
        .collect();
    // equal truncations come in the order of the whole tags, so that no trace of the rows' order is left
    placed.sort_unstable_by(|a, b| {
        (a.0, a.1)
            .cmp(&(b.0, b.1))
            .then_with(|| tags[a.2 as usize].cmp(&tags[b.2 as usize]))
    });
    for pair in placed.windows(2) {
        if tags[pair[0].2 as usize] == tags[pair[1].2 as usize] {
            let (one, other) = (pair[0].2 as usize, pair[1].2 as usize);
            return Some(Repeated {
                first: one.min(other),
                second: one.max(other),
            });
        }
    }
    let (low_part, cells) = page.split_at_mut(low_words(count, low_bits) * 8);
    for (index, (cell, low, row)) in placed.into_iter().enumerate() {
        rows[index] = row;
        put_low(low_part, index, low_bits, low);
        let bit = cell as usize + index;
        cells[bit / 8] |= 1 << (bit % 8);
    }
    None
}

fn low_words(count: u64, low_bits: u32) -> usize {
    (count * u64::from(low_bits)).div_ceil(64) as usize
}

fn put_low(words: &mut [u8], index: usize, low_bits: u32, low: u64) {
    let start = index * low_bits as usize;
    let shifted = u128::from(low) << (start % 64);
    let words = words.as_chunks_mut::<8>().0;
    for (offset, part) in [shifted as u64, (shifted >> 64) as u64]
        .into_iter()
        .enumerate()
    {
        if part != 0 {
            let word = &mut words[start / 64 + offset];
            *word = (u64::from_le_bytes(*word) | part).to_le_bytes();
        }
    }
}

#[inline(always)]
fn low_at(words: &[[u8; 8]], index: usize, low_bits: u32) -> u64 {
    let start = index * low_bits as usize;
    let first = u128::from(u64::from_le_bytes(words[start / 64]));
    let second = words
        .get(start / 64 + 1)
        .map_or(0, |word| u128::from(u64::from_le_bytes(*word)));
    let both = (first | second << 64) >> (start % 64);
    both as u64 & (u64::MAX >> (64 - low_bits))
}

/// Checks that `data` is pages of `counts` tags, end to end, each with one 1 for each tag and nothing beside.
///
/// What passes can be searched, and holds as many tags as it says; which ones is for the protocol.
///
/// # Errors
/// The first page that is not as it says.
pub fn check(data: &[u8], counts: &[u32], low_bits: u32) -> Result<(), Malformed> {
    let mut rest = data;
    let mut whole = Vec::with_capacity(counts.len());
    for (page, &count) in counts.iter().enumerate() {
        let size = page_size(u64::from(count), low_bits).filter(|size| *size <= rest.len());
        let (head, tail) = rest.split_at(size.ok_or(Malformed { page })?);
        whole.push((head, u64::from(count)));
        rest = tail;
    }
    if !rest.is_empty() {
        return Err(Malformed { page: counts.len() });
    }
    let wrong = whole.par_iter().enumerate();
    wrong
        .find_first(|(_, (page, count))| !is_page(page, *count, low_bits))
        .map_or(Ok(()), |(page, _)| Err(Malformed { page }))
}

fn is_page(page: &[u8], count: u64, low_bits: u32) -> bool {
    let words = page.as_chunks::<8>().0;
    let (low, cells) = words.split_at(low_words(count, low_bits));
    let ones: u64 = cells
        .iter()
        .map(|word| u64::from(u64::from_le_bytes(*word).count_ones()))
        .sum();
    ones == count
        && ends_at(low, count * u64::from(low_bits))
        // the last cell ends with a 0
        && ends_at(cells, (2 * count).saturating_sub(1))
}

/// Whether no bit from `bits` on is set.
fn ends_at(words: &[[u8; 8]], bits: u64) -> bool {
    words.last().is_none_or(|word| {
        let used = bits - (words.len() as u64 - 1) * 64;
        used == 64 || u64::from_le_bytes(*word) >> used == 0
    })
}

/// Looks tags up: for each find (query, rank), by rising query; a rank counts the tags of all pages before.
///
/// `starts` says where each page begins in `data`, `ranks` how many tags come before it; both have one entry more than
/// there are pages. A tag may be found at several ranks, with equal truncations.
///
/// # Errors
/// A page whose place, size and number of tags do not fit together. Pages that no query falls into are not looked at.
pub fn probe(
    data: &[u8],
    starts: &[u64],
    ranks: &[u64],
    low_bits: u32,
    tags: &[Tag],
) -> Result<(Vec<i64>, Vec<i64>), Malformed> {
    assert!(
        starts.len() == ranks.len() && starts.len() > 1,
        "one start and one rank a page, and an end"
    );
    let chunks: Result<Vec<Vec<(i64, i64)>>, Malformed> = tags
        .par_chunks(CHUNK)
        .enumerate()
        .map(|(index, chunk)| {
            let mut found = Vec::new();
            for (offset, tag) in chunk.iter().enumerate() {
                let query = (index * CHUNK + offset) as i64;
                find(data, starts, ranks, low_bits, tag, |rank| {
                    found.push((query, rank as i64));
                })?;
            }
            Ok(found)
        })
        .collect();
    Ok(chunks?.into_iter().flatten().unzip())
}

fn find(
    data: &[u8],
    starts: &[u64],
    ranks: &[u64],
    low_bits: u32,
    tag: &Tag,
    mut found: impl FnMut(u64),
) -> Result<(), Malformed> {
    let pages = starts.len() as u64 - 1;
    let page = page_of(tag, pages) as usize;
    let malformed = Malformed { page };
    let count = ranks[page + 1].checked_sub(ranks[page]).ok_or(malformed)?;
    let bytes = usize::try_from(starts[page])
        .ok()
        .zip(usize::try_from(starts[page + 1]).ok())
        .and_then(|(start, end)| data.get(start..end))
        .ok_or(malformed)?;
    if page_size(count, low_bits) != Some(bytes.len()) {
        return Err(malformed);
    }
    if count == 0 {
        return Ok(());
    }
    let (low, cells) = bytes
        .as_chunks::<8>()
        .0
        .split_at(low_words(count, low_bits));
    let (cell, wanted) = place(tag, pages, count, low_bits);
    let mut bit = after_zeros(cells, cell).ok_or(malformed)?;
    // a cell begins after as many zeros as there are cells before it: what is left are the tags before it
    let mut rank = (bit as u64).checked_sub(cell).ok_or(malformed)?;
    while cells
        .get(bit / 64)
        .is_some_and(|word| u64::from_le_bytes(*word) >> (bit % 64) & 1 == 1)
    {
        if rank >= count {
            return Err(malformed);
        }
        if low_at(low, rank as usize, low_bits) == wanted {
            found(ranks[page] + rank);
        }
        (bit, rank) = (bit + 1, rank + 1);
    }
    Ok(())
}

/// The bit after the `zeros`-th 0.
fn after_zeros(words: &[[u8; 8]], zeros: u64) -> Option<usize> {
    let mut left = zeros;
    if left == 0 {
        return Some(0);
    }
    for (index, word) in words.iter().enumerate() {
        let mut open = !u64::from_le_bytes(*word);
        let here = u64::from(open.count_ones());
        if here < left {
            left -= here;
            continue;
        }
        for _ in 1..left {
            open &= open - 1;
        }
        return Some(index * 64 + open.trailing_zeros() as usize + 1);
    }
    None
}
