//! One tree of seeds a group of bits of Δ: its maker knows all leaves, its opener all but the one at its own bits.
//!
//! Every node is expanded by keyed BLAKE3 of the node and its place, under the session's key. The level below the root
//! *is* the keys of the first base transfer; for every other level the maker sends, for both sides, the sum of that side's
//! nodes under the key of a base transfer, of which the opener has the key of the side that it does not walk.
//!
//! The opener orders nodes by their place relative to its walk (place ⊕ walk), so that what it lacks is always the first:
//! which memory it touches says nothing of Δ.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use super::{COLUMNS, ROW_BYTES, Shape};
use crate::hashing;
use crate::simd::Path;

type Node = [u8; ROW_BYTES];
type Nodes = Zeroizing<Vec<Node>>;

/// Bytes of what proves a leaf.
pub const PROOF_BYTES: usize = 32;

/// A node and its place, as it is hashed.
const INPUT_BYTES: usize = ROW_BYTES + 8;

/// The leaves of all groups, in the order of their places: what their streams are keyed with.
pub struct Leaves {
    /// 2^depth AES keys a group.
    pub keys: Nodes,
    /// What proves each, when the extension is checked.
    proofs: Zeroizing<Vec<[u8; PROOF_BYTES]>>,
}

/// Grows the trees whose first levels and level keys are `pairs`: two keys of 16 bytes for each bit of Δ.
///
/// Returns the leaves, and the corrections for the opener: two sums for each level below the first, group by group.
///
/// # Panics
/// When there are not 128 pairs.
pub fn grow(path: Path, shape: Shape, session: &[u8; 32], pairs: &[u8]) -> (Leaves, Vec<u8>) {
    let pairs = pairs.as_chunks::<ROW_BYTES>().0;
    assert_eq!(pairs.len(), 2 * COLUMNS, "two keys for each bit of Δ");
    let (groups, depth) = (shape.groups(), shape.depth());
    let pair = |group: usize, level: usize| &pairs[2 * bit_of(depth, group, level)..][..2];
    let mut nodes: Nodes = Zeroizing::new((0..groups).flat_map(|g| pair(g, 0)).copied().collect());
    let mut corrections = vec![0; shape.levels_size()];
    for level in 1..depth {
        nodes = expand(path, session, level, &nodes, |_, place| place, groups);
        for (group, nodes) in nodes.chunks_exact(2 << level).enumerate() {
            let at = (group * (depth - 1) + level - 1) * 2 * ROW_BYTES;
            let sums = corrections[at..].as_chunks_mut::<ROW_BYTES>().0;
            sums[..2].copy_from_slice(pair(group, level));
            for node in nodes.as_chunks::<2>().0 {
                add(&mut sums[0], &node[0]);
                add(&mut sums[1], &node[1]);
            }
        }
    }
    (
        finish(path, session, &nodes, |_, place| place, groups),
        corrections,
    )
}

/// Opens the trees of [`grow`] with one key of each pair: the one of the side that is *not* the bit of `delta`.
///
/// Returns the leaves in the order of place ⊕ (bits of Δ); the first of each group is not known and holds nothing.
///
/// # Panics
/// When there are not 128 keys, or the corrections are not of this shape.
pub fn open(
    path: Path,
    shape: Shape,
    session: &[u8; 32],
    keys: &[u8],
    delta: &[u8; ROW_BYTES],
    corrections: &[u8],
) -> Leaves {
    let keys = keys.as_chunks::<ROW_BYTES>().0;
    assert_eq!(keys.len(), COLUMNS, "one key for each bit of Δ");
    assert_eq!(
        corrections.len(),
        shape.levels_size(),
        "corrections of this shape"
    );
    let (groups, depth) = (shape.groups(), shape.depth());
    let walk = Zeroizing::new(
        (0..groups)
            .map(|group| bits_of(delta, depth, group))
            .collect::<Vec<_>>(),
    );
    let mut nodes: Nodes = Zeroizing::new(
        (0..groups)
            .flat_map(|group| [[0; ROW_BYTES], keys[bit_of(depth, group, 0)]])
            .collect(),
    );
    for level in 1..depth {
        let walked = |group: usize| walk[group] >> (depth - level);
        nodes = expand(
            path,
            session,
            level,
            &nodes,
            |group, place| place ^ walked(group),
            groups,
        );
        for (group, nodes) in nodes.chunks_exact_mut(2 << level).enumerate() {
            let turn = Choice::from((walk[group] >> (depth - 1 - level) & 1) as u8);
            let at = (group * (depth - 1) + level - 1) * 2 * ROW_BYTES;
            let sums = corrections[at..].as_chunks::<ROW_BYTES>().0;
            let [mut other, mut sibling] = [sums[0], sums[1]];
            swap_if(turn, &mut other, &mut sibling);
            add(&mut sibling, &keys[bit_of(depth, group, level)]);
            for (index, pair) in nodes.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                let (left, right) = pair.split_at_mut(1);
                swap_if(turn, &mut left[0], &mut right[0]);
                if index > 0 {
                    add(&mut sibling, &right[0]);
                }
            }
            nodes[0] = [0; ROW_BYTES];
            nodes[1] = sibling;
        }
    }
    finish(
        path,
        session,
        &nodes,
        |group, place| place ^ walk[group],
        groups,
    )
}

/// The bit of Δ, and the base transfer, that a level of a group belongs to: places are read from the highest bit down.
const fn bit_of(depth: usize, group: usize, level: usize) -> usize {
    group * depth + depth - 1 - level
}

/// The bits of Δ that belong to a group, as a place.
fn bits_of(delta: &[u8; ROW_BYTES], depth: usize, group: usize) -> u64 {
    let first = group * depth;
    u64::from(delta[first / 8]) >> (first % 8) & ((1 << depth) - 1)
}

/// Swaps or does not, in the same time and over the same memory.
fn swap_if<const SIZE: usize>(turn: Choice, one: &mut [u8; SIZE], other: &mut [u8; SIZE]) {
    for (one, other) in one.iter_mut().zip(other) {
        u8::conditional_swap(one, other, turn);
    }
}

fn add(sum: &mut Node, node: &Node) {
    for (sum, octet) in sum.iter_mut().zip(node) {
        *sum ^= octet;
    }
}

/// The two children of every node, left then right. `place` tells a node's place from its group and index.
fn expand(
    path: Path,
    session: &[u8; 32],
    level: usize,
    nodes: &[Node],
    place: impl Fn(usize, u64) -> u64,
    groups: usize,
) -> Nodes {
    let mut children = Zeroizing::new(vec![[0; ROW_BYTES]; 2 * nodes.len()]);
    let rows = inputs(nodes, level, place, groups);
    let out = children.as_flattened_mut();
    hashing::hash_rows_serial(path, session, &rows, INPUT_BYTES, 2 * ROW_BYTES, out);
    children
}

fn finish(
    path: Path,
    session: &[u8; 32],
    nodes: &[Node],
    place: impl Fn(usize, u64) -> u64,
    groups: usize,
) -> Leaves {
    const WIDTH: usize = ROW_BYTES + PROOF_BYTES;
    let rows = inputs(nodes, usize::from(u8::MAX), place, groups);
    let mut out = Zeroizing::new(vec![0; nodes.len() * WIDTH]);
    hashing::hash_rows_serial(path, session, &rows, INPUT_BYTES, WIDTH, &mut out);
    let (halves, _) = out.as_chunks::<WIDTH>();
    let keys = halves.iter().map(|row| std::array::from_fn(|at| row[at]));
    let proofs = halves
        .iter()
        .map(|row| std::array::from_fn(|at| row[ROW_BYTES + at]));
    Leaves {
        keys: Zeroizing::new(keys.collect()),
        proofs: Zeroizing::new(proofs.collect()),
    }
}

/// Node ‖ level, group and place, for every node.
fn inputs(
    nodes: &[Node],
    level: usize,
    place: impl Fn(usize, u64) -> u64,
    groups: usize,
) -> Zeroizing<Vec<u8>> {
    let mut rows = Zeroizing::new(Vec::with_capacity(nodes.len() * INPUT_BYTES));
    for (group, nodes) in nodes.chunks_exact(nodes.len() / groups).enumerate() {
        for (index, node) in nodes.iter().enumerate() {
            rows.extend_from_slice(node);
            let above = (level as u64) << 48 | (group as u64) << 32;
            rows.extend_from_slice(&(above | place(group, index as u64)).to_le_bytes());
        }
    }
    rows
}

impl Leaves {
    /// What an opener can test its leaves against: the sum of the proofs of each tree, then a hash of all proofs.
    pub fn seal(&self, shape: Shape, session: &[u8; 32]) -> Vec<u8> {
        let trees = self.proofs.chunks_exact(1 << shape.depth());
        let mut seal: Vec<_> = trees.map(sum).collect();
        seal.push(digest(session, &self.proofs));
        seal.into_flattened()
    }

    /// Whether an opener's leaves, of which the first of each group is not known, are those that the maker sealed.
    ///
    /// # Panics
    /// When the seal is not of this shape.
    pub fn hold(
        &self,
        shape: Shape,
        session: &[u8; 32],
        delta: &[u8; ROW_BYTES],
        seal: &[u8],
    ) -> bool {
        assert_eq!(seal.len(), shape.seal_size(), "a seal of this shape");
        let (sums, claimed) = seal.split_at(seal.len() - PROOF_BYTES);
        let sums = sums.as_chunks::<PROOF_BYTES>().0;
        let mut proofs = self.proofs.clone();
        for (group, proofs) in proofs.chunks_exact_mut(1 << shape.depth()).enumerate() {
            proofs[0] = sums[group];
            let (first, others) = proofs.split_at_mut(1);
            for (first, octet) in first[0].iter_mut().zip(sum(others).iter()) {
                *first ^= octet;
            }
            // from the order of the walk to that of the places: one bit of Δ after the other
            let bits = bits_of(delta, shape.depth(), group);
            for bit in 0..shape.depth() {
                let turn = Choice::from((bits >> bit & 1) as u8);
                for pair in proofs.chunks_exact_mut(2 << bit) {
                    let (low, high) = pair.split_at_mut(1 << bit);
                    for (low, high) in low.iter_mut().zip(high) {
                        swap_if(turn, low, high);
                    }
                }
            }
        }
        digest(session, &proofs).ct_eq(claimed).into()
    }
}

fn sum(proofs: &[[u8; PROOF_BYTES]]) -> [u8; PROOF_BYTES] {
    let mut sum = [0; PROOF_BYTES];
    for proof in proofs {
        for (sum, octet) in sum.iter_mut().zip(proof) {
            *sum ^= octet;
        }
    }
    sum
}

fn digest(session: &[u8; 32], proofs: &[[u8; PROOF_BYTES]]) -> [u8; PROOF_BYTES] {
    let key = crate::prg::derive(session, "ot/proofs", &[]);
    *blake3::keyed_hash(&key, proofs.as_flattened()).as_bytes()
}
