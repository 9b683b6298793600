//! Trees of pseudorandom leaves, whole and punctured.
//!
//! Goldreich, Goldwasser, Micali: "How to construct random functions", J. ACM 1986: each node has two children, here its
//! hashes under two public AES keys (see [`crate::aes`]). Who knows, at each level, the sum of all nodes on the side where
//! a secret path does not go, can compute every leaf but the one at the end of the path (Boyle et al.: "Efficient
//! Two-Round OT Extension and Silent Non-Interactive Secure Computation", CCS 2019, §5).
//!
//! A tree may have any number of leaves from 2 on: at each level only the nodes are kept that a leaf hangs from. The
//! punctured side reads and writes the same memory whatever the path is.
//!
//! Cost: two AES blocks a leaf, all in all; every level stays in the second-level cache.

use zeroize::Zeroizing;

use crate::aes::{self, BLOCK_BYTES, Block};
use crate::simd::{self, Path};

/// The shape of a tree and its public keys.
pub struct Shape {
    leaves: usize,
    depth: usize,
    left: aes::Key,
    right: aes::Key,
    /// The children of the zero block, which stands for every node on the secret path.
    of_zero: [Block; 2],
}

/// Room for the levels of one tree; wiped when dropped.
pub struct Levels([Zeroizing<Vec<Block>>; 2]);

/// Levels below the root of a tree with that many leaves.
pub const fn depth(leaves: usize) -> usize {
    (usize::BITS - (leaves - 1).leading_zeros()) as usize
}

impl Shape {
    /// Trees of that many leaves, on this process's path.
    pub fn new(leaves: usize, keys: &[[u8; BLOCK_BYTES]; 2]) -> Self {
        Self::new_on(simd::path(), leaves, keys)
    }

    /// Trees of that many leaves, on `path`.
    ///
    /// # Panics
    /// When there are fewer than two leaves, or the processor has not this path.
    pub fn new_on(path: Path, leaves: usize, keys: &[[u8; BLOCK_BYTES]; 2]) -> Self {
        assert!(leaves >= 2, "a tree of two leaves or more");
        let [left, right] = keys.map(|key| aes::Key::new_on(path, &key));
        let mut of_zero = [[0; 2]; 2];
        aes::double(&left, &right, &[[0; 2]], &mut of_zero);
        Self {
            leaves,
            depth: depth(leaves),
            left,
            right,
            of_zero,
        }
    }

    /// Levels below the root.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Nodes at `level`, from 0, the root, to the depth, the leaves.
    fn nodes(&self, level: usize) -> usize {
        self.leaves.div_ceil(1 << (self.depth - level))
    }

    /// Room for growing one tree after another.
    pub fn levels(&self) -> Levels {
        let room = || Zeroizing::new(vec![[0; 2]; self.nodes(self.depth - 1)]);
        Levels([room(), room()])
    }

    /// All leaves of the tree over `root`; to `sums`, for each level from 1 on, the sums of its even and its odd nodes.
    ///
    /// # Panics
    /// When a slice has not the length that the shape demands.
    pub fn grow(
        &self,
        root: Block,
        levels: &mut Levels,
        sums: &mut [[Block; 2]],
        leaves: &mut [Block],
    ) {
        assert_eq!(sums.len(), self.depth, "two sums a level");
        levels.0[0][0] = root;
        self.descend(levels, leaves, |level, nodes| {
            sums[level - 1] = sums_of(nodes);
        });
    }

    /// All leaves but the one at `position`, which becomes the sum of all others and of `filling`.
    ///
    /// `sums` has, for each level from 1 on, the sum of the nodes of that side where the path does not go.
    ///
    /// # Panics
    /// When a slice has not the length that the shape demands.
    pub fn grow_punctured(
        &self,
        position: usize,
        filling: Block,
        levels: &mut Levels,
        sums: &[Block],
        leaves: &mut [Block],
    ) {
        assert!(position < self.leaves, "a leaf of the tree");
        assert_eq!(sums.len(), self.depth, "one sum a level");
        // the path's nodes are zero, so that the children of its parent are known whatever it is
        levels.0[0][0] = [0; 2];
        self.descend(levels, leaves, |level, nodes| {
            let node = position >> (self.depth - level);
            let right = mask_of(node & 1);
            let [even, odd] = sums_of(nodes);
            let (here, there) = (select(right, even, odd), select(right, odd, even));
            // what stands in the place of the path's node now
            let zero = select(right, self.of_zero[1], self.of_zero[0]);
            // the side where the path does not go lacks its sibling only; what stands in the sibling's place, the other
            // child of zero, is in both sums and falls out
            let known = sums[level - 1];
            let sibling = aes::xor(known, here);
            let on_path = if level == self.depth {
                aes::xor(filling, aes::xor(known, there))
            } else {
                zero
            };
            add_to_pair(
                nodes,
                node >> 1,
                [
                    select(right, sibling, on_path),
                    select(right, on_path, sibling),
                ],
            );
        });
    }

    /// Doubles level after level, the last one into `leaves`, and shows each to `look`.
    fn descend(
        &self,
        levels: &mut Levels,
        leaves: &mut [Block],
        mut look: impl FnMut(usize, &mut [Block]),
    ) {
        assert_eq!(leaves.len(), self.leaves, "room for the leaves");
        for level in 1..=self.depth {
            let [first, second] = &mut levels.0;
            let (parents, children) = if level % 2 == 1 {
                (first, second)
            } else {
                (second, first)
            };
            let parents = &parents[..self.nodes(level - 1)];
            let children = if level == self.depth {
                &mut *leaves
            } else {
                &mut children[..self.nodes(level)]
            };
            aes::double(&self.left, &self.right, parents, children);
            look(level, children);
        }
    }
}

/// The sums of the even and of the odd nodes.
fn sums_of(nodes: &[Block]) -> [Block; 2] {
    let (pairs, rest) = nodes.as_chunks::<2>();
    let mut sums = [[0; 2]; 2];
    for [even, odd] in pairs {
        sums = [aes::xor(sums[0], *even), aes::xor(sums[1], *odd)];
    }
    if let [even] = rest {
        sums[0] = aes::xor(sums[0], *even);
    }
    sums
}

/// Adds to one pair of nodes, and zero to all others.
fn add_to_pair(nodes: &mut [Block], pair: usize, added: [Block; 2]) {
    let (pairs, rest) = nodes.as_chunks_mut::<2>();
    let last = pairs.len();
    for (index, nodes) in pairs.iter_mut().enumerate() {
        let mask = equal(index, pair);
        for (node, added) in nodes.iter_mut().zip(&added) {
            *node = aes::xor(*node, [added[0] & mask, added[1] & mask]);
        }
    }
    if let [even] = rest {
        let mask = equal(last, pair);
        *even = aes::xor(*even, [added[0][0] & mask, added[0][1] & mask]);
    }
}

/// All ones when the numbers are equal, else zero. Both are below 2^63.
#[inline(always)]
pub const fn equal(left: usize, right: usize) -> u64 {
    let difference = (left ^ right) as u64;
    mask_of((difference.wrapping_sub(1) >> 63) as usize)
}

#[inline(always)]
const fn mask_of(bit: usize) -> u64 {
    (bit as u64).wrapping_neg()
}

/// `one` where the mask is set, else `zero`.
#[inline(always)]
pub const fn select(mask: u64, one: Block, zero: Block) -> Block {
    [
        zero[0] ^ mask & (zero[0] ^ one[0]),
        zero[1] ^ mask & (zero[1] ^ one[1]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [[u8; 16]; 2] = [[3; 16], [4; 16]];

    fn whole(shape: &Shape) -> (Vec<[Block; 2]>, Vec<Block>) {
        let (mut sums, mut leaves) = (vec![[[0; 2]; 2]; shape.depth()], vec![[0; 2]; shape.leaves]);
        shape.grow([17, 4], &mut shape.levels(), &mut sums, &mut leaves);
        (sums, leaves)
    }

    #[test]
    fn a_leaf_is_the_hash_along_its_path() {
        for path in simd::available() {
            for leaves in [2, 3, 5, 8, 13, 1000] {
                let shape = Shape::new_on(path, leaves, &KEYS);
                let (_, found) = whole(&shape);
                for (position, leaf) in found.iter().enumerate() {
                    let mut node = [[17, 4]];
                    for level in (0..shape.depth()).rev() {
                        let key = KEYS[position >> level & 1];
                        aes::Key::new_on(Path::Portable, &key).hash_blocks(&mut node);
                    }
                    assert_eq!(*leaf, node[0], "leaf {position} of {leaves}");
                }
            }
        }
    }

    #[test]
    fn a_punctured_tree_has_every_leaf_but_one() {
        for path in simd::available() {
            for leaves in [2usize, 3, 4, 5, 7, 8, 9, 21, 64, 100] {
                let shape = Shape::new_on(path, leaves, &KEYS);
                let (sums, expected) = whole(&shape);
                let total = expected
                    .iter()
                    .fold([0; 2], |sum, leaf| aes::xor(sum, *leaf));
                for position in 0..leaves {
                    let known: Vec<_> = (1..=shape.depth())
                        .map(|level| {
                            let bit = position >> (shape.depth() - level) & 1;
                            sums[level - 1][1 - bit]
                        })
                        .collect();
                    let mut found = vec![[0; 2]; leaves];
                    let filling = aes::xor(total, [5, 6]);
                    let levels = &mut shape.levels();
                    shape.grow_punctured(position, filling, levels, &known, &mut found);
                    let mut expected = expected.clone();
                    expected[position] = aes::xor(expected[position], [5, 6]);
                    assert_eq!(found, expected, "leaf {position} of {leaves}");
                }
            }
        }
    }
}
