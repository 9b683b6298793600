//! How many elements an encoding has, and where: the same integers on every machine.

/// Keys of a cluster, on average, when there are several.
const CLUSTER_ITEMS: usize = 1 << 15;

/// Slots for each 1000 keys of an average cluster; peeling ends early below 1223 (see `docs/protocols/okvs.md`).
const SLOTS_PER_MILLE: usize = 1235;

/// Slots for each 1000 keys of the fullest cluster; rows become dependent below 1090.
const FULLEST_SLOTS_PER_MILLE: usize = 1170;

/// Most keys of an encoding.
const MOST_ITEMS: usize = 1 << 26;

/// More slots, which only count for few keys.
const EXTRA_SLOTS: usize = 64;

/// log2 of the inverse of how often an encoding may fail.
const FAILURE_BITS: u32 = 40;

/// ⌊log2 (q!)⌋ by q.
const FACTORIAL_BITS: [u32; 17] = [0, 0, 1, 2, 4, 6, 9, 12, 15, 18, 21, 25, 28, 32, 36, 40, 44];

/// A pure function of the number of keys and the width of a value. Cluster c has the elements from c·slots; the dense
/// elements come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    items: usize,
    width: usize,
    clusters: usize,
    slots: usize,
    dense: usize,
}

impl Layout {
    /// The layout for `items` keys with values of `width` bytes: 8 for GF(2^64), 16 for GF(2^128).
    ///
    /// # Errors
    /// When there are no keys or more than 2^26, or the width is another.
    pub fn new(items: usize, width: usize) -> Result<Self, String> {
        if !matches!(width, 8 | 16) {
            return Err(format!("values have 8 or 16 bytes, not {width}"));
        }
        if items == 0 || items > MOST_ITEMS {
            return Err(format!("an encoding holds 1 to 2^26 keys, not {items}"));
        }
        let clusters = ((items + CLUSTER_ITEMS / 2) / CLUSTER_ITEMS).max(1);
        let mean = items.div_ceil(clusters);
        let slots = (mean * SLOTS_PER_MILLE)
            .max(fullest(items, clusters) * FULLEST_SLOTS_PER_MILLE)
            .div_ceil(1000)
            + EXTRA_SLOTS;
        Ok(Self {
            items,
            width,
            clusters,
            slots,
            dense: dense(items, clusters, slots),
        })
    }

    /// Most keys that are encoded.
    pub fn items(&self) -> usize {
        self.items
    }

    /// Bytes of a value.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of clusters.
    pub fn clusters(&self) -> usize {
        self.clusters
    }

    /// Elements of each cluster; at most 2^16.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Elements that every row sees.
    pub fn dense(&self) -> usize {
        self.dense
    }

    /// Number of elements of an encoding.
    pub fn size(&self) -> usize {
        self.clusters * self.slots + self.dense
    }
}

/// A load that no cluster exceeds but with probability 2^−(FAILURE_BITS + 2): Bernstein's bound, for the number of keys in a
/// cluster, P(more than μ + t) ≤ exp(−t²/(2·(μ + t/3))), and the union over the clusters.
fn fullest(items: usize, clusters: usize) -> usize {
    if clusters == 1 {
        return items;
    }
    let mean = items.div_ceil(clusters) as u128;
    let bits = u128::from(FAILURE_BITS + 2 + clusters.next_power_of_two().ilog2());
    // t² ≥ 2·(ln 2·bits)·(μ + t/3), all times 3·10⁴
    let enough = |t: u128| 30_000 * t * t >= 2 * 6932 * bits * (3 * mean + t);
    let mut step = 1u128 << 40;
    let mut excess = 0;
    while step > 0 {
        if !enough(excess + step - 1) {
            excess += step;
        }
        step /= 2;
    }
    (mean + excess) as usize
}

/// Dense columns: one more dependency among the sparse rows than this has a probability below 2^−FAILURE_BITS.
///
/// Dependencies are, but for rarer ones, pairs of keys with the same three slots, 3·items²/(clusters·slots³) on average and as good
/// as independent, so that q of them have a probability of at most (that average)^q/q!.
fn dense(items: usize, clusters: usize, slots: usize) -> usize {
    let (items, clusters, slots) = (items as u128, clusters as u128, slots as u128);
    let inverse = clusters * slots * slots * slots / (3 * items * items);
    // quarter bits, rounded down
    let quarters = inverse.saturating_mul(inverse).saturating_pow(2).ilog2();
    let enough = |q: usize| q as u32 * quarters / 4 + FACTORIAL_BITS[q] >= FAILURE_BITS;
    let columns = (2..FACTORIAL_BITS.len()).find(|q| enough(*q));
    columns.expect("sixteen dependencies are rare in every layout") - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_at_some_numbers_are_these() {
        // both parties compute them alone: a change breaks every peer of the version before
        let size = |items| Layout::new(items, 8).expect("a layout").size();
        let sizes = [1, 2, 100, 1000, 1 << 14, 1 << 16, 1 << 20, 1 << 24].map(size);
        assert_eq!(sizes, [68, 69, 192, 1302, 20301, 81068, 1297059, 20752901]);
    }

    #[test]
    fn slots_fit_sixteen_bits_and_hold_the_keys() {
        let mut items = 1;
        while items <= MOST_ITEMS {
            let layout = Layout::new(items, 16).expect("a layout");
            assert!(layout.slots() <= 1 << 16, "{items}");
            assert!(layout.clusters() * layout.slots() > items, "{items}");
            items += 1 + items / 37;
        }
    }

    #[test]
    fn a_million_keys_take_at_most_ten_and_a_half_bytes_each() {
        let layout = Layout::new(1 << 20, 8).expect("a layout");
        assert!((layout.size() * 8) as f64 / (1 << 20) as f64 <= 10.45);
    }

    #[test]
    fn wrong_arguments_are_refused_in_words() {
        assert!(Layout::new(0, 8).unwrap_err().contains("not 0"));
        assert!(Layout::new(5, 12).unwrap_err().contains("not 12"));
    }
}
