//! Sorting of 128-bit elements whose leading bits are uniform, as those of hashes are.
//!
//! Two counting passes, both within the nearest caches: chunks of the input are parted by their leading bits into buckets of
//! about a thousand elements; each bucket is gathered from all chunks and parted by as many further bits as put about one
//! element in each place; what is left is out of order by a step or two. Elements that are not uniform, say because a peer
//! chose them, are sorted by comparison where they crowd: never worse than n log n.

use std::ops::Range;

use rayon::prelude::*;

/// Elements of a chunk, which fills half of a second-level cache.
const CHUNK: usize = 1 << 15;
/// Chunks of a long input are longer, so that there are no more than this.
const MOST_CHUNKS: usize = 256;
/// log2 of the elements of a bucket, wished for.
const BUCKET_BITS: u32 = 10;
/// Most leading bits that part the chunks.
const MOST_BITS: u32 = 12;
/// Buckets that a thread takes at a time.
const GROUP: usize = 16;
/// Elements that may meet in one place of a bucket before all of the bucket is sorted by comparison.
const MOST_CROWDED: u32 = 24;

/// Sorts `element(0)` … `element(count − 1)`, and hands each run of the sorted elements to `emit` together with the same
/// places of `first` and `second`. Elements whose leading `MOST_BITS` bits are equal are in one run. Uses all threads.
///
/// # Errors
/// The error of the first run, in sorted order, for which `emit` returns one.
///
/// # Panics
/// When `first` or `second` has not `count` places, or `count` is 2^32 or more.
pub fn sort_into<A: Send, B: Send, E: Send>(
    count: usize,
    element: impl Fn(usize) -> u128 + Sync,
    first: &mut [A],
    second: &mut [B],
    emit: impl Fn(&mut [u128], &mut [A], &mut [B]) -> Result<(), E> + Sync,
) -> Result<(), E> {
    assert!(
        first.len() == count && second.len() == count,
        "a place for each element"
    );
    assert!(u32::try_from(count).is_ok(), "fewer than 2^32 elements");
    let bits = count
        .checked_ilog2()
        .unwrap_or(0)
        .saturating_sub(BUCKET_BITS)
        .min(MOST_BITS);
    let parts = Parts::new(count, bits, &element);
    let mut tasks = Vec::with_capacity((1usize << bits).div_ceil(GROUP));
    let (mut first, mut second) = (first, second);
    for start in (0..1usize << bits).step_by(GROUP) {
        let buckets = start..(start + GROUP).min(1 << bits);
        let size = buckets.clone().map(|bucket| parts.size(bucket)).sum();
        let (head, tail) = first.split_at_mut(size);
        let (second_head, second_tail) = second.split_at_mut(size);
        tasks.push((buckets, head, second_head));
        (first, second) = (tail, second_tail);
    }
    let results: Vec<Result<(), E>> = tasks
        .into_par_iter()
        .map_init(Room::default, |room, (buckets, first, second)| {
            let mut place = 0;
            for bucket in buckets {
                let sorted = parts.sorted(bucket, room);
                let places = place..place + sorted.len();
                place = places.end;
                emit(sorted, &mut first[places.clone()], &mut second[places])?;
            }
            Ok(())
        })
        .collect();
    results.into_iter().collect()
}

/// The elements, chunk by chunk, each chunk parted by the leading `bits` bits.
struct Parts {
    bits: u32,
    elements: Vec<u128>,
    chunk: usize,
    /// Of each chunk, where its parts start, and its end.
    starts: Vec<u32>,
}

impl Parts {
    fn new(count: usize, bits: u32, element: &(impl Fn(usize) -> u128 + Sync)) -> Self {
        let chunk = CHUNK.max(count.div_ceil(MOST_CHUNKS));
        let width = (1 << bits) + 1;
        let mut elements = vec![0u128; count];
        let mut starts = vec![0u32; width * count.div_ceil(chunk)];
        elements
            .par_chunks_mut(chunk)
            .zip(starts.par_chunks_mut(width))
            .enumerate()
            .for_each(|(index, (elements, starts))| {
                let range = index * chunk..index * chunk + elements.len();
                part(range, bits, element, elements, starts);
            });
        Self {
            bits,
            elements,
            chunk,
            starts,
        }
    }

    /// The parts of a bucket, one of each chunk.
    fn segments(&self, bucket: usize) -> impl Iterator<Item = &[u128]> {
        self.starts
            .chunks_exact((1 << self.bits) + 1)
            .zip(self.elements.chunks(self.chunk))
            .map(move |(starts, elements)| {
                &elements[starts[bucket] as usize..starts[bucket + 1] as usize]
            })
    }

    fn size(&self, bucket: usize) -> usize {
        self.segments(bucket).map(<[u128]>::len).sum()
    }

    fn sorted<'a>(&self, bucket: usize, room: &'a mut Room) -> &'a mut [u128] {
        room.gathered.clear();
        for segment in self.segments(bucket) {
            room.gathered.extend_from_slice(segment);
        }
        room.sort(self.bits)
    }
}

/// The number in the `bits` bits after the first `skipped`.
#[inline(always)]
fn digit(element: u128, skipped: u32, bits: u32) -> usize {
    let leading = (element >> 64) as u64;
    // two shifts, as one by 64 would be none
    (leading << skipped >> 1 >> (63 - bits)) as usize
}

/// Parts the elements of a range by their leading bits; `starts` has one place more than there are parts.
fn part(
    range: Range<usize>,
    bits: u32,
    element: &impl Fn(usize) -> u128,
    out: &mut [u128],
    starts: &mut [u32],
) {
    let mut next = vec![0u32; 1 << bits];
    for index in range.clone() {
        next[digit(element(index), 0, bits)] += 1;
    }
    let mut total = 0;
    for (start, next) in starts.iter_mut().zip(&mut next) {
        *start = total;
        total += std::mem::replace(next, total);
    }
    starts[1 << bits] = total;
    for index in range {
        let element = element(index);
        let next = &mut next[digit(element, 0, bits)];
        out[*next as usize] = element;
        *next += 1;
    }
}

/// Room for one bucket, kept from one to the next.
#[derive(Default)]
struct Room {
    gathered: Vec<u128>,
    sorted: Vec<u128>,
    places: Vec<u32>,
}

impl Room {
    /// Sorts what was gathered, whose first `skipped` bits are equal.
    fn sort(&mut self, skipped: u32) -> &mut [u128] {
        let bits = self.gathered.len().checked_ilog2().unwrap_or(0) + 1;
        if bits > MOST_BITS + 4 {
            self.gathered.sort_unstable();
            return &mut self.gathered;
        }
        self.places.clear();
        self.places.resize(1 << bits, 0);
        for element in &self.gathered {
            self.places[digit(*element, skipped, bits)] += 1;
        }
        let (mut total, mut most) = (0, 0);
        for place in &mut self.places {
            most = most.max(*place);
            total += std::mem::replace(place, total);
        }
        if most > MOST_CROWDED {
            self.gathered.sort_unstable();
            return &mut self.gathered;
        }
        self.sorted.resize(self.gathered.len(), 0);
        for element in &self.gathered {
            let place = &mut self.places[digit(*element, skipped, bits)];
            self.sorted[*place as usize] = *element;
            *place += 1;
        }
        insert_each(&mut self.sorted);
        &mut self.sorted
    }
}

/// Insertion sort, for elements that are a few steps from their places.
fn insert_each(elements: &mut [u128]) {
    for end in 1..elements.len() {
        let element = elements[end];
        let mut place = end;
        while place > 0 && elements[place - 1] > element {
            elements[place] = elements[place - 1];
            place -= 1;
        }
        elements[place] = element;
    }
}
