//! From digests to rows: cluster, three slots, dense coefficient and target value, all of one hash block.

use super::{DIGEST_SIZE, Layout};
use crate::gf128::Wide;
use crate::hashing;
use crate::simd::Path;

/// Rows that are looked at together: hash blocks and rows stay in the first-level cache.
pub const BATCH: usize = 256;

/// 64-bit words of a hash block.
const MOST_WORDS: usize = 6;

/// The rows of up to [`BATCH`] keys, column by column.
pub struct Rows {
    blocks: [u8; BATCH * MOST_WORDS * 8],
    pub count: usize,
    pub clusters: [u32; BATCH],
    /// Three distinct slots of the cluster.
    pub slots: [[u32; BATCH]; 3],
    /// x, of which the dense coefficients are the powers x, x², …
    pub dense: [u64; BATCH],
    /// The hash of the key as a value.
    pub targets: [Wide; BATCH],
}

impl Rows {
    pub fn new() -> Box<Self> {
        Box::new(Self {
            blocks: [0; BATCH * MOST_WORDS * 8],
            count: 0,
            clusters: [0; BATCH],
            slots: [[0; BATCH]; 3],
            dense: [0; BATCH],
            targets: [[0; 2]; BATCH],
        })
    }

    /// Fills in the rows of `digests`, at most [`BATCH`] of them.
    ///
    /// A block is, in little-endian words: 32 bits for the cluster, three times 32 for the slots, 64 for x, then the value of 64
    /// bits; or, for a value of 128 bits, 64 bits that are not used and the value. A number below k is ⌊k·word/2^32⌋; the
    /// second and third slot are numbers below slots − 1 and slots − 2, counted without the slots taken before, so that three
    /// slots are always distinct.
    pub fn fill(&mut self, path: Path, key: &[u8; 32], layout: &Layout, digests: &[u8]) {
        match layout.width() {
            8 => self.fill_from::<32>(path, key, layout, digests, |words| [words[3], 0]),
            _ => self.fill_from::<48>(path, key, layout, digests, |words| [words[4], words[5]]),
        }
    }

    fn fill_from<const SIZE: usize>(
        &mut self,
        path: Path,
        key: &[u8; 32],
        layout: &Layout,
        digests: &[u8],
        target: impl Fn(&[u64]) -> Wide,
    ) {
        self.count = digests.len() / DIGEST_SIZE;
        let blocks = &mut self.blocks[..self.count * SIZE];
        hashing::hash_rows_serial(path, key, digests, DIGEST_SIZE, SIZE, blocks);
        let (clusters, slots) = (layout.clusters() as u64, layout.slots() as u64);
        for (row, block) in blocks.as_chunks::<SIZE>().0.iter().enumerate() {
            let mut words = [0; MOST_WORDS];
            for (word, bytes) in words.iter_mut().zip(block.as_chunks().0) {
                *word = u64::from_le_bytes(*bytes);
            }
            let [first, second, x, ..] = words;
            let below = |word: u64, count: u64| ((word & 0xffff_ffff) * count) >> 32;
            self.clusters[row] = below(first, clusters) as u32;
            let chosen = distinct([
                below(first >> 32, slots),
                below(second, slots - 1),
                below(second >> 32, slots - 2),
            ]);
            for (column, slot) in self.slots.iter_mut().zip(chosen) {
                column[row] = slot as u32;
            }
            self.dense[row] = x;
            self.targets[row] = target(&words);
        }
    }
}

/// From one number below n, one below n − 1 and one below n − 2 to three distinct ones below n.
#[inline(always)]
fn distinct([first, second, third]: [u64; 3]) -> [u64; 3] {
    let second = second + u64::from(second >= first);
    let (low, high) = (first.min(second), first.max(second));
    let third = third + u64::from(third >= low);
    let third = third + u64::from(third >= high);
    [first, second, third]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ordered_triple_of_distinct_slots_comes_from_exactly_one_choice() {
        const SLOTS: u64 = 7;
        let mut seen = std::collections::HashSet::new();
        for first in 0..SLOTS {
            for second in 0..SLOTS - 1 {
                for third in 0..SLOTS - 2 {
                    let [a, b, c] = distinct([first, second, third]);
                    assert!(a != b && b != c && a != c && a.max(b).max(c) < SLOTS);
                    assert!(seen.insert([a, b, c]));
                }
            }
        }
        assert_eq!(seen.len() as u64, SLOTS * (SLOTS - 1) * (SLOTS - 2));
    }

    #[test]
    fn rows_spread_evenly() {
        let layout = Layout::new(200_000, 8).expect("a layout");
        let mut rows = Rows::new();
        let (mut loads, mut sum, mut count) = (vec![0u32; layout.clusters()], 0.0, 0.0);
        for batch in 0..200u64 {
            let digests: Vec<u8> = (0..BATCH as u64)
                .flat_map(|row| u128::from(batch << 32 | row).to_le_bytes())
                .collect();
            rows.fill(Path::Portable, &[3; 32], &layout, &digests);
            for cluster in rows.clusters {
                loads[cluster as usize] += 1;
            }
            for slot in rows.slots.iter().flatten() {
                sum += f64::from(*slot);
                count += 1.0;
            }
        }
        let expected = count / 3.0 / loads.len() as f64;
        assert!(
            loads
                .iter()
                .all(|load| (f64::from(*load) - expected).abs() < 6.0 * expected.sqrt())
        );
        // the mean of uniform slots, within 6 σ
        let slots = layout.slots() as f64;
        assert!((sum / count - slots / 2.0).abs() < 6.0 * slots / (12.0 * count).sqrt());
    }
}
