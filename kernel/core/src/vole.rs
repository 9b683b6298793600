//! Silent VOLE: long correlations c = b + Δ·a from a short conversation.
//!
//! The receiver gets a ∈ B^m (or F^m) and c ∈ F^m, the sender Δ ∈ F and b ∈ F^m, for the fields of [`crate::gf128`].
//! Boyle et al.: "Efficient Two-Round OT Extension and Silent Non-Interactive Secure Computation", CCS 2019; the code is
//! that of [`crate::codes`]. In short:
//!
//! 1. The receiver draws a sparse vector e of N = 2m elements: in each of t blocks one element at a random place, with a
//!    random value. t = 512 noise positions for GF(2^64), 768 for GF(2^128).
//! 2. For each block the sender grows a tree of N/t leaves, and the receiver the same tree without the leaf at its place
//!    ([`crate::ggm`]); a last message puts the sender's leaf plus Δ times the value there. So the leaves of both differ
//!    by Δ·e.
//! 3. The code makes m elements of 2m: of e, of the sender's leaves, of the receiver's. It is linear, so that the
//!    relation stays, and what it makes of e is pseudorandom.
//!
//! What the parties need for step 2 is one batch of correlated OTs, t_j = q_j + x_j·Δ, the receiver's choice bits x_j
//! being its own: for each block the complement of the place's bits, from the highest, and then, after those of all
//! blocks, the bits of each value.
//!
//! All work on secrets takes the same time and touches the same memory whatever they are.

pub mod check;

use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use crate::aes::{self, BLOCK_BYTES, Block};
use crate::codes::{Code, Density, Element};
use crate::gf128;
use crate::ggm;
use crate::memory;
use crate::prg::{self, Seed, Stream};
use crate::simd::{self, Path};

/// Shorter correlations are cut from one of this length.
pub const SHORTEST: usize = 1 << 16;
/// Longer ones are made in several runs.
pub const LONGEST: usize = 1 << 26;

/// The field of a.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// B = GF(2^64).
    Narrow,
    /// F = GF(2^128).
    Wide,
}

impl Field {
    /// Blocks of the sparse vector, each with one noise position.
    const fn noise(self) -> usize {
        match self {
            Self::Narrow => 512,
            Self::Wide => 768,
        }
    }

    /// Size of an element.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Narrow => 8,
            Self::Wide => 16,
        }
    }
}

/// An element of the field of a.
pub trait Noise: Element {
    const FIELD: Field;
    fn from_words(words: [u64; 2]) -> Self;
    fn to_words(self) -> [u64; 2];
}

impl Noise for u64 {
    const FIELD: Field = Field::Narrow;
    fn from_words(words: [u64; 2]) -> Self {
        words[0]
    }
    fn to_words(self) -> [u64; 2] {
        [self, 0]
    }
}

impl Noise for Block {
    const FIELD: Field = Field::Wide;
    fn from_words(words: [u64; 2]) -> Self {
        words
    }
    fn to_words(self) -> [u64; 2] {
        self
    }
}

/// Sizes of one run, the same at both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    field: Field,
    trees: usize,
    leaves: usize,
}

impl Plan {
    /// A run that gives at least `size` correlations.
    ///
    /// # Panics
    /// When `size` is above [`LONGEST`].
    pub fn new(size: usize, field: Field) -> Self {
        assert!(size <= LONGEST, "a size that one run can give");
        let trees = field.noise();
        let leaves = size.max(SHORTEST).div_ceil(trees / 2);
        Self {
            field,
            trees,
            leaves,
        }
    }

    /// As [`Plan::new`], against a receiver that may cheat: every path leads to a leaf.
    ///
    /// A tree whose last level is cut has paths that lead to none. Who walks one gets all leaves, and with the tree's sum Δ
    /// times a value that it chose. So trees are whole here, with 2^d leaves, and there are more of them instead.
    ///
    /// # Panics
    /// When `size` is above [`LONGEST`].
    pub fn whole(size: usize, field: Field) -> Self {
        let cut = Self::new(size, field);
        let leaves = 1 << cut.leaves.ilog2();
        let trees = 2 * size.max(SHORTEST).div_ceil(leaves);
        Self {
            field,
            trees: trees.max(field.noise()),
            leaves,
        }
    }

    /// Correlations that the run gives: m.
    pub const fn rows(&self) -> usize {
        self.leaves * (self.trees / 2)
    }

    /// Trees, and the sparse vector's blocks: t.
    pub const fn trees(&self) -> usize {
        self.trees
    }

    const fn depth(&self) -> usize {
        ggm::depth(self.leaves)
    }

    /// Correlated OTs that choose the sides of the trees.
    const fn side_choices(&self) -> usize {
        self.trees() * self.depth()
    }

    /// Correlated OTs that the run uses up.
    pub const fn choices(&self) -> usize {
        self.side_choices() + self.trees() * 8 * self.field.bytes()
    }

    /// Blocks of the sender's message: two for each level of each tree, and one for each tree.
    pub const fn message_blocks(&self) -> usize {
        2 * self.side_choices() + self.trees()
    }
}

fn halves(key: &Seed) -> [[u8; BLOCK_BYTES]; 2] {
    [
        std::array::from_fn(|index| key[index]),
        std::array::from_fn(|index| key[BLOCK_BYTES + index]),
    ]
}

/// The places and the values of the receiver's noise.
struct Secrets<T: Noise> {
    places: Zeroizing<Vec<usize>>,
    values: Zeroizing<Vec<T>>,
}

impl<T: Noise> Secrets<T> {
    /// Uniform in all places of a block (within 2^-37) and all values.
    fn draw(plan: &Plan, seed: &Seed) -> Self {
        let mut words = Zeroizing::new(vec![0u64; 3 * plan.trees()]);
        let mut key = prg::derive(seed, "hanse vole noise", &[]);
        Stream::new(&key, 0).fill(&mut words);
        key.zeroize();
        let (triples, _) = words.as_chunks::<3>();
        let place = |word: u64| ((u128::from(word) * plan.leaves as u128) >> 64) as usize;
        Self {
            places: Zeroizing::new(triples.iter().map(|triple| place(triple[0])).collect()),
            values: Zeroizing::new(
                triples
                    .iter()
                    .map(|triple| T::from_words([triple[1], triple[2]]))
                    .collect(),
            ),
        }
    }
}

/// The receiver's choice bits, bit j % 8 of byte j / 8 for the j-th OT.
pub fn choices(plan: &Plan, seed: &Seed) -> Vec<u8> {
    match plan.field {
        Field::Narrow => choices_of::<u64>(plan, seed),
        Field::Wide => choices_of::<Block>(plan, seed),
    }
}

fn choices_of<T: Noise>(plan: &Plan, seed: &Seed) -> Vec<u8> {
    let secrets = Secrets::<T>::draw(plan, seed);
    let depth = plan.depth();
    let mut bits = vec![0u8; plan.choices().div_ceil(8)];
    let mut put = |index: usize, bit: u8| bits[index / 8] |= bit << (index % 8);
    for (tree, (place, value)) in secrets.places.iter().zip(secrets.values.iter()).enumerate() {
        for level in 1..=depth {
            let complement = !(place >> (depth - level)) & 1;
            put(tree * depth + level - 1, complement as u8);
        }
        let words = value.to_words();
        let bits = 8 * plan.field.bytes();
        for bit in 0..bits {
            let chosen = words[bit / 64] >> (bit % 64) & 1;
            put(plan.side_choices() + tree * bits + bit, chosen as u8);
        }
    }
    bits
}

/// Σ t_j·(the j-th element of the basis of the value's field over GF(2)).
fn pack<T: Noise>(blocks: &[Block]) -> Block {
    let horner = |blocks: &[Block]| {
        let sum = |sum, block: &Block| aes::xor(gf128::times_x(sum), *block);
        blocks.iter().rev().fold([0; 2], sum)
    };
    match T::FIELD {
        Field::Narrow => horner(blocks),
        Field::Wide => {
            let (low, high) = blocks.split_at(64);
            aes::xor(horner(low), gf128::times_y(horner(high)))
        }
    }
}

/// One run: its sizes, and what both sides derive from its public salt.
pub struct Run {
    plan: Plan,
    shape: ggm::Shape,
    pads: aes::Key,
    code: Code,
}

impl Run {
    /// A run on this process's path. The salt must not be used for another run.
    pub fn new(plan: Plan, density: Density, salt: &Seed) -> Self {
        Self::new_on(simd::path(), plan, density, salt)
    }

    /// A run on `path`, which this processor must have.
    pub fn new_on(path: Path, plan: Plan, density: Density, salt: &Seed) -> Self {
        let [left, right] = halves(&prg::derive(salt, "hanse vole trees", &[]));
        let [pads, code] = halves(&prg::derive(salt, "hanse vole pads and code", &[]));
        Self {
            plan,
            shape: ggm::Shape::new_on(path, plan.leaves, &[left, right]),
            pads: aes::Key::new_on(path, &pads),
            code: Code::new_on(path, plan.rows(), density, &code),
        }
    }

    /// The sender's message to the receiver, and its leaves in two halves, from `delta` and its side of the OTs, q.
    ///
    /// # Panics
    /// When a slice has not the length that the plan demands.
    pub fn grow(
        &self,
        seed: &Seed,
        delta: Block,
        q: &[Block],
        message: &mut [Block],
        leaves: [&mut [Block]; 2],
    ) {
        let plan = &self.plan;
        assert_eq!(q.len(), plan.choices(), "one OT a choice");
        assert_eq!(message.len(), plan.message_blocks(), "the message's blocks");
        for half in &leaves {
            assert_eq!(half.len(), plan.rows(), "one leaf a row in each half");
        }
        let [x, y] = leaves;
        let (sides, values) = q.split_at(plan.side_choices());
        let (masked, last) = message.split_at_mut(2 * plan.side_choices());

        let mut roots = Zeroizing::new(vec![[0u64; 2]; plan.trees()]);
        let mut key = prg::derive(seed, "hanse vole roots", &[]);
        Stream::new(&key, 0).fill(roots.as_flattened_mut());
        key.zeroize();

        let mut pads = Zeroizing::new([sides.to_vec(), sides.to_vec()]);
        for one in &mut pads[1] {
            *one = aes::xor(*one, delta);
        }
        for pads in pads.iter_mut() {
            self.pads.hash_tweaked(0, pads);
        }

        let depth = plan.depth();
        let per_tree = masked
            .par_chunks_mut(2 * depth)
            .zip(last)
            .zip(roots.par_iter())
            .zip(values.par_chunks(8 * plan.field.bytes()))
            .zip(pads[0].par_chunks(depth).zip(pads[1].par_chunks(depth)));
        x.par_chunks_mut(plan.leaves)
            .chain(y.par_chunks_mut(plan.leaves))
            .zip(per_tree)
            .for_each_init(
                || {
                    (
                        self.shape.levels(),
                        Zeroizing::new(vec![[[0; 2]; 2]; depth]),
                    )
                },
                |(levels, sums), (leaves, ((((masked, last), root), values), pads))| {
                    self.shape.grow(*root, levels, sums, leaves);
                    let [even, odd] = sums[depth - 1];
                    let base = match plan.field {
                        Field::Narrow => pack::<u64>(values),
                        Field::Wide => pack::<Block>(values),
                    };
                    *last = aes::xor(aes::xor(even, odd), base);
                    for (level, masked) in masked.chunks_exact_mut(2).enumerate() {
                        masked[0] = aes::xor(sums[level][0], pads.0[level]);
                        masked[1] = aes::xor(sums[level][1], pads.1[level]);
                    }
                },
            );
    }

    /// The sender's b out of the leaves of [`Run::grow`]: the first half becomes b, the second is used up and wiped.
    ///
    /// # Panics
    /// When a half has not one leaf a row.
    pub fn send(&self, leaves: [&mut [Block]; 2]) {
        let [b, y] = leaves;
        self.code.encode(b, y);
        y.as_flattened_mut().zeroize();
    }

    /// The receiver's a, from the seed of its choices alone.
    ///
    /// # Panics
    /// When `a` has not one element a row, or T is not of the plan's field.
    pub fn noise<T: Noise>(&self, seed: &Seed, a: &mut [T]) {
        let plan = &self.plan;
        assert_eq!(plan.field, T::FIELD, "elements of the plan's field");
        assert_eq!(a.len(), plan.rows(), "one element a row");
        let secrets = Secrets::<T>::draw(plan, seed);
        let mut y = memory::zeros::<T>(plan.rows());
        a.par_chunks_mut(plan.leaves)
            .chain(y.par_chunks_mut(plan.leaves))
            .zip(secrets.places.par_iter().zip(secrets.values.par_iter()))
            .for_each(|(block, (place, value))| {
                for (index, noise) in block.iter_mut().enumerate() {
                    *noise = value.times((ggm::equal(index, *place) & 1) as u32);
                }
            });
        self.code.encode(a, &mut y);
    }

    /// The receiver's c, from the seed of its choices, its side of the OTs, t, and the sender's message.
    ///
    /// # Panics
    /// When a slice has not the length that the plan demands.
    pub fn receive(&self, seed: &Seed, t: &[Block], message: &[Block], c: &mut [Block]) {
        let plan = &self.plan;
        assert_eq!(t.len(), plan.choices(), "one OT a choice");
        assert_eq!(message.len(), plan.message_blocks(), "the message's blocks");
        assert_eq!(c.len(), plan.rows(), "one element a row");
        // the places are the same whatever the field
        let secrets = Secrets::<Block>::draw(plan, seed);
        let (sides, values) = t.split_at(plan.side_choices());
        let (masked, last) = message.split_at(2 * plan.side_choices());
        let mut pads = Zeroizing::new(sides.to_vec());
        self.pads.hash_tweaked(0, &mut pads);

        let depth = plan.depth();
        let mut y = memory::zeros::<Block>(plan.rows());
        let per_tree = secrets
            .places
            .par_iter()
            .zip(masked.par_chunks(2 * depth).zip(last))
            .zip(values.par_chunks(8 * plan.field.bytes()))
            .zip(pads.par_chunks(depth));
        c.par_chunks_mut(plan.leaves)
            .chain(y.par_chunks_mut(plan.leaves))
            .zip(per_tree)
            .for_each_init(
                || (self.shape.levels(), Zeroizing::new(vec![[0; 2]; depth])),
                |(levels, sums), (leaves, (((place, (masked, last)), values), pads))| {
                    for (level, sum) in sums.iter_mut().enumerate() {
                        // the side where the path does not go was chosen
                        let left = ggm::equal(place >> (depth - 1 - level) & 1, 1);
                        let [even, odd] = [masked[2 * level], masked[2 * level + 1]];
                        *sum = aes::xor(ggm::select(left, even, odd), pads[level]);
                    }
                    let base = match plan.field {
                        Field::Narrow => pack::<u64>(values),
                        Field::Wide => pack::<Block>(values),
                    };
                    let filling = aes::xor(*last, base);
                    self.shape
                        .grow_punctured(*place, filling, levels, sums, leaves);
                },
            );
        self.code.encode(c, &mut y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: Seed = [1; 32];
    const DELTA: Block = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3211];

    /// Both sides of correlated OTs, as a trusted dealer would hand them out.
    fn deal(plan: &Plan, choices: &[u8]) -> (Vec<Block>, Vec<Block>) {
        let mut q = vec![[0u64; 2]; plan.choices()];
        Stream::new(&[2; 32], 0).fill(q.as_flattened_mut());
        let t = q.iter().enumerate().map(|(index, q)| {
            let chosen = u64::from(choices[index / 8] >> (index % 8) & 1).wrapping_neg();
            aes::xor(*q, [DELTA[0] & chosen, DELTA[1] & chosen])
        });
        let t = t.collect();
        (q, t)
    }

    type Outcome<T> = (Vec<Block>, Vec<T>, Vec<Block>);

    fn outcome<T: Noise>(path: Path, size: usize, density: Density) -> Outcome<T> {
        outcome_of(path, Plan::new(size, T::FIELD), density)
    }

    fn outcome_of<T: Noise>(path: Path, plan: Plan, density: Density) -> Outcome<T> {
        let run = Run::new_on(path, plan, density, &SALT);
        let (q, t) = deal(&plan, &choices(&plan, &[4; 32]));
        let mut message = vec![[0; 2]; plan.message_blocks()];
        let (mut b, mut y) = (vec![[0; 2]; plan.rows()], vec![[0; 2]; plan.rows()]);
        run.grow(&[3; 32], DELTA, &q, &mut message, [&mut b, &mut y]);
        run.send([&mut b, &mut y]);
        assert!(y.iter().all(|leaf| *leaf == [0; 2]), "leaves stay behind");
        let (mut a, mut c) = (vec![T::default(); plan.rows()], vec![[0; 2]; plan.rows()]);
        run.noise(&[4; 32], &mut a);
        run.receive(&[4; 32], &t, &message, &mut c);
        (b, a, c)
    }

    /// The product by shifts and sums, apart from the kernel's.
    fn multiply(a: Block, b: Block) -> Block {
        let mut sum = [0; 2];
        for (half, word) in b.iter().enumerate() {
            let mut power = if half == 0 { a } else { gf128::times_y(a) };
            for bit in 0..64 {
                let mask = (word >> bit & 1).wrapping_neg();
                sum = aes::xor(sum, [power[0] & mask, power[1] & mask]);
                power = gf128::times_x(power);
            }
        }
        sum
    }

    fn check<T: Noise>(size: usize, density: Density) {
        let mut runs = simd::available().map(|path| (path, outcome::<T>(path, size, density)));
        let (_, portable) = runs.next().unwrap();
        let (b, a, c) = &portable;
        assert!(a.len() >= size);
        for row in 0..a.len() {
            let product = multiply(DELTA, a[row].to_words());
            assert_eq!(c[row], aes::xor(b[row], product), "row {row}");
        }
        for (path, run) in runs {
            let words = |a: &[T]| -> Vec<_> { a.iter().map(|a| a.to_words()).collect() };
            assert_eq!(words(&run.1), words(a), "{}", path.name());
            assert_eq!((&run.0, &run.2), (b, c), "{}", path.name());
        }
    }

    #[test]
    fn both_sides_hold_a_correlation_over_the_narrow_field() {
        check::<u64>(1, Density::Conservative);
        check::<u64>(100_000, Density::Fast);
    }

    #[test]
    fn both_sides_hold_a_correlation_over_the_wide_field() {
        check::<Block>(SHORTEST, Density::Conservative);
    }

    #[test]
    fn what_the_receiver_holds_looks_uniform() {
        let (b, a, c) = outcome::<u64>(simd::path(), 1, Density::Conservative);
        let ones = |words: &mut dyn Iterator<Item = u64>| {
            words.map(|word| word.count_ones() as i64).sum::<i64>()
        };
        // n fair bits: the count is n/2 give or take five standard deviations
        for (bits, found) in [
            (64 * a.len() as i64, ones(&mut a.iter().copied())),
            (128 * b.len() as i64, ones(&mut b.iter().flatten().copied())),
            (128 * c.len() as i64, ones(&mut c.iter().flatten().copied())),
        ] {
            let deviation = (found - bits / 2).abs() as f64;
            assert!(deviation < 2.5 * (bits as f64).sqrt(), "{found} of {bits}");
        }
        let mut sorted = a;
        sorted.sort_unstable();
        sorted.dedup();
        assert!(sorted.len() >= SHORTEST - 1, "values occur twice");
    }

    #[test]
    fn a_message_that_was_changed_breaks_the_correlation() {
        let plan = Plan::new(1, Field::Narrow);
        let run = Run::new(plan, Density::Fast, &SALT);
        let (q, t) = deal(&plan, &choices(&plan, &[4; 32]));
        let mut message = vec![[0; 2]; plan.message_blocks()];
        let (mut b, mut y) = (vec![[0; 2]; plan.rows()], vec![[0; 2]; plan.rows()]);
        run.grow(&[3; 32], DELTA, &q, &mut message, [&mut b, &mut y]);
        run.send([&mut b, &mut y]);
        assert!(y.iter().all(|leaf| *leaf == [0; 2]), "leaves stay behind");
        *message.last_mut().unwrap() = [0; 2];
        let (mut a, mut c) = (vec![0u64; plan.rows()], vec![[0; 2]; plan.rows()]);
        run.noise(&[4; 32], &mut a);
        run.receive(&[4; 32], &t, &message, &mut c);
        let holds = |row: &usize| c[*row] == aes::xor(b[*row], multiply(DELTA, [a[*row], 0]));
        assert!((0..plan.rows()).filter(holds).count() < plan.rows() * 3 / 4);
    }

    #[test]
    fn the_sizes_of_a_run_are_those_of_the_description() {
        let plan = Plan::new(1 << 20, Field::Narrow);
        assert_eq!(
            (plan.trees(), plan.rows(), plan.leaves),
            (512, 1 << 20, 4096)
        );
        assert_eq!(plan.choices(), 512 * (12 + 64));
        let plan = Plan::new((1 << 20) + 1, Field::Wide);
        assert_eq!((plan.trees(), plan.leaves), (768, 2731));
        assert!(plan.rows() > 1 << 20);
        assert_eq!(plan.choices(), 768 * (12 + 128));
        assert_eq!(Plan::new(5, Field::Narrow).rows(), SHORTEST);
    }

    #[test]
    fn whole_trees_have_a_leaf_at_the_end_of_every_path_and_no_less_noise() {
        for field in [Field::Narrow, Field::Wide] {
            for size in [0, SHORTEST, SHORTEST + 1, 1 << 20, 1_400_000, LONGEST - 5] {
                let plan = Plan::whole(size, field);
                assert_eq!(plan.leaves, 1 << plan.depth());
                assert!((field.noise()..=2 * field.noise() + 2).contains(&plan.trees()));
                assert!(plan.rows() >= size.max(SHORTEST));
                assert!(plan.rows() < size.max(SHORTEST) + plan.leaves + SHORTEST);
            }
        }
    }

    #[test]
    fn both_sides_hold_a_correlation_over_whole_trees() {
        let plan = Plan::whole(70_000, Field::Wide);
        assert!(plan.trees() > Field::Wide.noise());
        let (b, a, c) = outcome_of::<Block>(simd::path(), plan, Density::Fast);
        for row in 0..a.len() {
            assert_eq!(
                c[row],
                aes::xor(b[row], multiply(DELTA, a[row])),
                "row {row}"
            );
        }
    }
}
