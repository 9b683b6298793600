//! What trees say of rows: 256 rows at a time, one bit for each row that reaches a node.
//!
//! A node's test is a mask of 64-bit words (one comparison a row, in vectors), the rows that reach its children are that
//! mask with the rows that reach itself: no row walks, no branch depends on a row. A node that no row reaches costs
//! nothing.

use rayon::prelude::*;

use super::{Left, has};
use crate::binning::MISSING;
use crate::simd::{self, Path};

/// Fitted trees, one after the other; the root of each is its first node, and children come after their parents.
#[derive(Clone, Copy, Debug)]
pub struct Forest<'a> {
    /// First node of each tree, and the end.
    pub starts: &'a [i64],
    /// Per node: the kind of test.
    pub source: &'a [i8],
    /// Per node: the column tested, or the row of left bits.
    pub index: &'a [u32],
    /// Per node: its children, counted within the tree.
    pub left: &'a [i32],
    pub right: &'a [i32],
    /// Per node: x <= threshold goes left (own columns of numbers only).
    pub threshold: &'a [f64],
    /// Per node: 1: a missing value goes left (own columns only).
    pub missing_left: &'a [u8],
    /// Per node: its set of codes (own columns of categories only), else −1.
    pub set_index: &'a [i32],
    /// 32 bytes each.
    pub sets: &'a [Left],
    /// Per node: what a leaf adds to the margin.
    pub weight: &'a [f64],
}

/// Kinds of nodes in `Forest::source`.
pub const LEAF: i8 = -1;
pub const OWN: i8 = 0;
pub const BITS: i8 = 1;

const WORDS: usize = 4;
const ROWS: usize = 64 * WORDS;

/// Up to so many rows are compared one by one: one costs about what a vector of eight does.
const FEW: u32 = 24;

/// Rows of a block, a bit each.
type Mask = [u64; WORDS];

/// The rows of one block of one column.
type Numbers = [f64; ROWS];

/// base + the leaf of every tree, in the order of trees, for every output and row; tree t adds to output t mod K.
///
/// `columns` are numbers, column after column, not-a-number for missing values; a categorical column has codes. `left` has
/// for each split of others one row of ⌈rows/8⌉ bytes, first row in the lowest bit, 1 = goes left. `out` has the rows of
/// each output.
///
/// # Errors
/// In words, when a node points outside its tree, the columns, the sets, or the bits.
pub fn margins(
    forest: Forest,
    base: &[f64],
    columns: &[f64],
    left: &[u8],
    out: &mut [f64],
) -> Result<(), String> {
    margins_on(simd::path(), forest, base, columns, left, out)
}

/// [`margins`] on a path.
///
/// # Errors
/// As [`margins`].
pub fn margins_on(
    path: Path,
    forest: Forest,
    base: &[f64],
    columns: &[f64],
    left: &[u8],
    out: &mut [f64],
) -> Result<(), String> {
    let rows = out.len().checked_div(base.len()).unwrap_or(0);
    if rows == 0 {
        return check(forest, None, None);
    }
    let stride = rows.div_ceil(8);
    check(
        forest,
        Some(columns.len() / rows),
        Some(left.len() / stride),
    )?;
    let blocks = blocks_of(out, rows);
    let input = Input {
        forest,
        base,
        columns,
        left,
        rows,
    };
    blocks.into_par_iter().with_min_len(8).for_each_init(
        || vec![[0; WORDS]; largest(forest)],
        |reach, (start, mut out)| input.run(path, start, reach, &mut out),
    );
    Ok(())
}

/// The places of every block of rows: one slice for each output.
fn blocks_of(out: &mut [f64], rows: usize) -> Vec<(usize, Vec<&mut [f64]>)> {
    let mut blocks: Vec<(usize, Vec<&mut [f64]>)> = (0..rows)
        .step_by(ROWS)
        .map(|start| (start, Vec::new()))
        .collect();
    for output in out.chunks_mut(rows) {
        for (block, part) in blocks.iter_mut().zip(output.chunks_mut(ROWS)) {
            block.1.push(part);
        }
    }
    blocks
}

/// Nodes of the largest tree.
fn largest(forest: Forest) -> usize {
    let sizes = forest.starts.windows(2).map(|pair| pair[1] - pair[0]);
    sizes.max().unwrap_or(0) as usize
}

#[derive(Clone, Copy)]
struct Input<'a> {
    forest: Forest<'a>,
    base: &'a [f64],
    columns: &'a [f64],
    left: &'a [u8],
    rows: usize,
}

impl Input<'_> {
    fn run(self, path: Path, start: usize, reach: &mut [Mask], out: &mut [&mut [f64]]) {
        match path {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the path is available
            Path::Avx512 => unsafe { x86::run_512(self, start, reach, out) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the path is available
            Path::Avx2 => unsafe { x86::run_256(self, start, reach, out) },
            _ => self.block(start, reach, out, below),
        }
    }

    /// All trees for one block of rows.
    #[inline(always)]
    fn block(
        self,
        start: usize,
        reach: &mut [Mask],
        out: &mut [&mut [f64]],
        below: impl Fn(&Numbers, f64, bool) -> Mask,
    ) {
        for (out, base) in out.iter_mut().zip(self.base) {
            out.fill(*base);
        }
        let (size, outputs) = (out[0].len(), out.len());
        for (tree, pair) in self.forest.starts.windows(2).enumerate() {
            let nodes = pair[0] as usize..pair[1] as usize;
            reach[0] = first(size);
            for node in nodes.clone() {
                let here = reach[node - nodes.start];
                if here == [0; WORDS] {
                    self.pass_on(node, nodes.start, reach, here, here);
                } else if self.forest.source[node] == LEAF {
                    add(out[tree % outputs], here, self.forest.weight[node]);
                } else {
                    let left = self.left_rows(node, start, size, here, &below);
                    let (mut lefts, mut rights) = (here, here);
                    for word in 0..WORDS {
                        lefts[word] &= left[word];
                        rights[word] &= !left[word];
                    }
                    self.pass_on(node, nodes.start, reach, lefts, rights);
                }
            }
        }
    }

    #[inline(always)]
    fn pass_on(self, node: usize, root: usize, reach: &mut [Mask], left: Mask, right: Mask) {
        debug_assert!(root <= node);
        if self.forest.source[node] != LEAF {
            reach[self.forest.left[node] as usize] = left;
            reach[self.forest.right[node] as usize] = right;
        }
    }

    /// Which rows of the block a node sends left.
    #[inline(always)]
    fn left_rows(
        self,
        node: usize,
        start: usize,
        size: usize,
        here: Mask,
        below: &impl Fn(&Numbers, f64, bool) -> Mask,
    ) -> Mask {
        let index = self.forest.index[node] as usize;
        if self.forest.source[node] == BITS {
            let stride = self.rows.div_ceil(8);
            let bits = &self.left[index * stride..][start / 8..(start + size).div_ceil(8)];
            return words(bits);
        }
        let numbers = &self.columns[index * self.rows + start..][..size];
        let missing_left = self.forest.missing_left[node] != 0;
        if let Ok(set) = usize::try_from(self.forest.set_index[node]) {
            return members(numbers, &self.forest.sets[set], here, missing_left);
        }
        let threshold = self.forest.threshold[node];
        let reached: u32 = here.iter().map(|word| word.count_ones()).sum();
        if reached <= FEW {
            return below_each(numbers, threshold, missing_left, here);
        }
        if let Ok(numbers) = numbers.try_into() {
            return below(numbers, threshold, missing_left);
        }
        let mut padded = [0.0; ROWS];
        padded[..size].copy_from_slice(numbers);
        below(&padded, threshold, missing_left)
    }
}

/// Rows whose number is not above the threshold; a missing one is as `missing_left` says.
fn below(numbers: &Numbers, threshold: f64, missing_left: bool) -> Mask {
    let mut found = [0; WORDS];
    for (found, numbers) in found.iter_mut().zip(numbers.as_chunks::<64>().0) {
        for (bit, number) in numbers.iter().enumerate() {
            let goes_left = *number <= threshold || (missing_left && number.is_nan());
            *found |= u64::from(goes_left) << bit;
        }
    }
    found
}

/// [`below`] for the rows `here`, one by one.
#[inline(always)]
fn below_each(numbers: &[f64], threshold: f64, missing_left: bool, here: Mask) -> Mask {
    let mut found = [0; WORDS];
    for (word, mut rows) in here.into_iter().enumerate() {
        while rows != 0 {
            let bit = rows.trailing_zeros();
            let number = numbers[64 * word + bit as usize];
            let goes_left = number <= threshold || (missing_left && number.is_nan());
            found[word] |= u64::from(goes_left) << bit;
            rows &= rows - 1;
        }
    }
    found
}

/// Of the rows `here`, those whose code is in the set.
fn members(numbers: &[f64], set: &Left, here: Mask, missing_left: bool) -> Mask {
    let mut found = here;
    for (word, rows) in here.into_iter().enumerate() {
        let mut rows = rows;
        while rows != 0 {
            let bit = rows.trailing_zeros();
            let number = numbers[64 * word + bit as usize];
            // also a number that is no code is missing
            let is_code = (0.0..f64::from(MISSING)).contains(&number);
            let goes_left = if is_code {
                has(set, number as u8)
            } else {
                missing_left
            };
            found[word] &= !(u64::from(!goes_left) << bit);
            rows &= rows - 1;
        }
    }
    found
}

/// The first rows of a block.
fn first(size: usize) -> Mask {
    std::array::from_fn(|word| match size.saturating_sub(64 * word) {
        0 => 0,
        rows @ 1..64 => (1 << rows) - 1,
        _ => u64::MAX,
    })
}

fn words(bits: &[u8]) -> Mask {
    let mut bytes = [0; ROWS / 8];
    bytes[..bits.len()].copy_from_slice(bits);
    let words = bytes.as_chunks::<8>().0;
    std::array::from_fn(|word| u64::from_le_bytes(words[word]))
}

#[inline(always)]
fn add(out: &mut [f64], here: Mask, weight: f64) {
    for (word, mut rows) in here.into_iter().enumerate() {
        while rows != 0 {
            out[64 * word + rows.trailing_zeros() as usize] += weight;
            rows &= rows - 1;
        }
    }
}

/// Bounds of every test once, so that scoring needs no thought. None: no rows, so nothing is read.
fn check(forest: Forest, columns: Option<usize>, bits: Option<usize>) -> Result<(), String> {
    let nodes = forest.source.len();
    let lengths = [
        forest.index.len(),
        forest.left.len(),
        forest.right.len(),
        forest.threshold.len(),
        forest.missing_left.len(),
        forest.set_index.len(),
        forest.weight.len(),
    ];
    if lengths != [nodes; 7] {
        return Err("the trees have arrays of other lengths".into());
    }
    let rises = forest.starts.windows(2).all(|pair| pair[0] < pair[1]);
    if !rises || forest.starts.first() != Some(&0) || forest.starts.last() != Some(&(nodes as i64))
    {
        return Err("the trees do not follow one another".into());
    }
    for pair in forest.starts.windows(2) {
        for node in pair[0]..pair[1] {
            check_node(forest, node as usize, pair[0]..pair[1], columns, bits)?;
        }
    }
    Ok(())
}

fn check_node(
    forest: Forest,
    node: usize,
    tree: std::ops::Range<i64>,
    columns: Option<usize>,
    bits: Option<usize>,
) -> Result<(), String> {
    let index = forest.index[node] as usize;
    let limit = match forest.source[node] {
        LEAF => return Ok(()),
        OWN => columns,
        BITS => bits,
        other => return Err(format!("node {node} is of the unknown kind {other}")),
    };
    if limit.is_some_and(|limit| index >= limit) {
        return Err(format!("node {node} tests {index}, which is not there"));
    }
    let place = node as i64 - tree.start;
    let (left, right) = (i64::from(forest.left[node]), i64::from(forest.right[node]));
    let is_child = |child: i64| place < child && child < tree.end - tree.start;
    if !is_child(left) || !is_child(right) || left == right {
        return Err(format!("node {node} has children where none can be"));
    }
    if usize::try_from(forest.set_index[node]).is_ok_and(|set| set >= forest.sets.len()) {
        return Err(format!("node {node} tests a set which is not there"));
    }
    Ok(())
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Input, Mask, Numbers, WORDS};

    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,bmi2")]
    pub fn run_512(input: Input, start: usize, reach: &mut [Mask], out: &mut [&mut [f64]]) {
        input.block(start, reach, out, |numbers, threshold, missing_left| {
            below_512(numbers, threshold, missing_left)
        });
    }

    #[target_feature(enable = "avx2,bmi2")]
    pub fn run_256(input: Input, start: usize, reach: &mut [Mask], out: &mut [&mut [f64]]) {
        input.block(start, reach, out, |numbers, threshold, missing_left| {
            below_256(numbers, threshold, missing_left)
        });
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,bmi2")]
    fn below_512(numbers: &Numbers, threshold: f64, missing_left: bool) -> Mask {
        let threshold = _mm512_set1_pd(threshold);
        let mut found = [0; WORDS];
        for (place, numbers) in numbers.as_chunks::<8>().0.iter().enumerate() {
            // SAFETY: eight numbers are there
            let numbers = unsafe { _mm512_loadu_pd(numbers.as_ptr()) };
            let goes_left = if missing_left {
                _mm512_cmp_pd_mask::<_CMP_NGT_UQ>(numbers, threshold)
            } else {
                _mm512_cmp_pd_mask::<_CMP_LE_OQ>(numbers, threshold)
            };
            found[place / 8] |= u64::from(goes_left) << (8 * (place % 8));
        }
        found
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi2")]
    fn below_256(numbers: &Numbers, threshold: f64, missing_left: bool) -> Mask {
        let threshold = _mm256_set1_pd(threshold);
        let mut found = [0; WORDS];
        for (place, numbers) in numbers.as_chunks::<4>().0.iter().enumerate() {
            // SAFETY: four numbers are there
            let numbers = unsafe { _mm256_loadu_pd(numbers.as_ptr()) };
            let goes_left = if missing_left {
                _mm256_cmp_pd::<_CMP_NGT_UQ>(numbers, threshold)
            } else {
                _mm256_cmp_pd::<_CMP_LE_OQ>(numbers, threshold)
            };
            found[place / 16] |= (_mm256_movemask_pd(goes_left) as u64) << (4 * (place % 16));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::simd;

    /// A node by words of chance: its columns are 2 of numbers, 1 of categories, or 3 rows of bits.
    #[derive(Clone, Debug, Default)]
    struct Nodes {
        starts: Vec<i64>,
        source: Vec<i8>,
        index: Vec<u32>,
        left: Vec<i32>,
        right: Vec<i32>,
        threshold: Vec<f64>,
        missing_left: Vec<u8>,
        set_index: Vec<i32>,
        sets: Vec<Left>,
        weight: Vec<f64>,
    }

    impl Nodes {
        fn forest(&self) -> Forest<'_> {
            Forest {
                starts: &self.starts,
                source: &self.source,
                index: &self.index,
                left: &self.left,
                right: &self.right,
                threshold: &self.threshold,
                missing_left: &self.missing_left,
                set_index: &self.set_index,
                sets: &self.sets,
                weight: &self.weight,
            }
        }

        /// A tree whose leaves were split one after the other, as chance says.
        fn grow(&mut self, splits: &[(u8, u8, Left)]) {
            let start = self.source.len();
            let mut leaves = vec![self.leaf(0)];
            for (which, what, set) in splits {
                let node = leaves.swap_remove(usize::from(*which) % leaves.len());
                let count = self.source.len() - start;
                let children = [self.leaf(count), self.leaf(count + 1)];
                leaves.extend(children);
                let place = start + node;
                (self.left[place], self.right[place]) = (count as i32, count as i32 + 1);
                self.missing_left[place] = what >> 7;
                self.threshold[place] = f64::from(*what % 11) - 5.0;
                match what % 3 {
                    0 => (self.source[place], self.index[place]) = (BITS, u32::from(what % 4) % 3),
                    1 => (self.source[place], self.index[place]) = (OWN, u32::from(what / 4 % 2)),
                    _ => {
                        (self.source[place], self.index[place]) = (OWN, 2);
                        self.set_index[place] = self.sets.len() as i32;
                        self.sets.push(*set);
                    }
                }
            }
            self.starts.push(self.source.len() as i64);
        }

        fn leaf(&mut self, number: usize) -> usize {
            self.source.push(LEAF);
            self.index.push(0);
            self.left.push(0);
            self.right.push(0);
            self.threshold.push(0.0);
            self.missing_left.push(0);
            self.set_index.push(-1);
            self.weight.push(1.0 / (self.source.len() as f64 + 0.3));
            number
        }

        /// The leaf of a row, by walking.
        fn walk(&self, tree: usize, row: usize, rows: usize, columns: &[f64], bits: &[u8]) -> f64 {
            let start = self.starts[tree] as usize;
            let mut node = start;
            while self.source[node] != LEAF {
                let index = self.index[node] as usize;
                let goes_left = if self.source[node] == BITS {
                    bits[index * rows.div_ceil(8) + row / 8] >> (row % 8) & 1 == 1
                } else {
                    let number = columns[index * rows + row];
                    match self.set_index[node] {
                        _ if number.is_nan() => self.missing_left[node] == 1,
                        -1 => number <= self.threshold[node],
                        set => has(&self.sets[set as usize], number as u8),
                    }
                };
                node = start
                    + if goes_left {
                        self.left[node]
                    } else {
                        self.right[node]
                    } as usize;
            }
            self.weight[node]
        }
    }

    proptest! {
        #[test]
        fn every_row_comes_to_the_leaf_to_which_it_walks_on_all_paths(
            trees in prop::collection::vec(prop::collection::vec(any::<(u8, u8, Left)>(), 0..60), 0..5),
            rows in 1usize..600,
            drawn in prop::collection::vec(any::<u8>(), 1800),
            outputs in 1usize..3,
        ) {
            let mut nodes = Nodes { starts: vec![0], ..Nodes::default() };
            trees.iter().for_each(|splits| nodes.grow(splits));
            let columns: Vec<f64> = (0..3 * rows)
                .map(|place| match drawn[place] {
                    0..20 => f64::NAN,
                    code if place >= 2 * rows => f64::from(code - 20),
                    number => f64::from(number % 13) - 6.0,
                })
                .collect();
            let bits = &drawn[..3 * rows.div_ceil(8)];
            let base: Vec<f64> = (0..outputs).map(|output| output as f64 / 3.0).collect();
            let mut expected: Vec<f64> = base.iter().flat_map(|&base| vec![base; rows]).collect();
            for tree in 0..trees.len() {
                for row in 0..rows {
                    expected[tree % outputs * rows + row] += nodes.walk(tree, row, rows, &columns, bits);
                }
            }
            for path in simd::available() {
                let mut found = vec![9.0; outputs * rows];
                margins_on(path, nodes.forest(), &base, &columns, bits, &mut found).expect("sound trees");
                prop_assert_eq!(&found, &expected);
            }
        }
    }

    #[test]
    fn trees_that_lead_nowhere_are_refused_in_words() {
        let mut sound = Nodes {
            starts: vec![0],
            ..Nodes::default()
        };
        sound.grow(&[(0, 4, [0; 32]), (0, 2, [0; 32])]);
        let score =
            |nodes: &Nodes| margins(nodes.forest(), &[0.0], &[0.0; 12], &[0; 3], &mut [0.0; 4]);
        assert!(score(&sound).is_ok());
        let spoilt: [fn(&mut Nodes); 7] = [
            |nodes| nodes.left[0] = 0,
            |nodes| nodes.right[0] = 5,
            |nodes| nodes.right[0] = nodes.left[0],
            |nodes| nodes.index[0] = 3,
            |nodes| nodes.source[1] = 5,
            |nodes| nodes.sets.clear(),
            |nodes| nodes.starts.push(5),
        ];
        for spoil in spoilt {
            let mut nodes = sound.clone();
            spoil(&mut nodes);
            assert!(score(&nodes).is_err());
        }
    }
}
