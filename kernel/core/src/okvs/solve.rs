//! One cluster: peel its rows, choose the free slots at random, fill in the others in reverse.

use super::EncodingFailed;
use super::element::Element;
use super::linear::Equation;
use super::repair::repair;
use crate::prg::Stream;
use crate::simd::Path;

/// Slots and rows of a cluster have 16-bit numbers, so that tables of this size need no bounds.
pub const MOST: usize = 1 << 16;

/// The word of a slot that a row has been solved for.
const PIVOT: u32 = u32::MAX;

const ONE_ROW: u32 = 1 << 16;

/// The rows of a cluster: three slots of 16 bits, the dense coefficient, the value.
pub struct Cluster<E> {
    pub triples: Vec<u64>,
    pub dense: Vec<u64>,
    pub values: Vec<E>,
}

/// What peeling left.
pub struct Peeled<E> {
    /// Three slots and, in the top 16 bits, the one that the row is solved for; value of the row. In the order of peeling.
    pub steps: Vec<(u64, E)>,
    /// The row of each step.
    pub rows: Vec<u16>,
    /// Rows taken out because every slot had two rows or more.
    pub removed: Vec<u16>,
}

/// Tables of one thread, used for cluster after cluster.
pub struct Scratch<E> {
    /// How many rows a slot has left, in the upper half, and the exclusive or of their numbers.
    slots: Box<[u32; MOST]>,
    queue: Box<[u16; MOST]>,
    pub solution: Box<[E; MOST]>,
    peeled: Peeled<E>,
}

/// The three slots of a packed triple.
#[inline(always)]
pub fn unpack(triple: u64) -> [usize; 3] {
    [0, 16, 32].map(|shift| (triple >> shift) as u16 as usize)
}

/// The slot that a step solves for.
#[inline(always)]
pub fn pivot(step: u64) -> usize {
    (step >> 48) as usize
}

fn table<T: Copy + Default>() -> Box<[T; MOST]> {
    let table = vec![T::default(); MOST].into_boxed_slice();
    table.try_into().ok().expect("a table of this size")
}

impl<E: Element> Scratch<E> {
    pub fn new() -> Self {
        Self {
            slots: table(),
            queue: table(),
            solution: table(),
            peeled: Peeled {
                steps: Vec::new(),
                rows: Vec::new(),
                removed: Vec::new(),
            },
        }
    }

    /// Leaves a solution for the given dense elements in `self.solution`, and returns the equations that tie the dense
    /// elements: usually none. The solution only holds when the value of each is zero; else the dense elements have to be
    /// changed by a solution of the equations, and the cluster solved again with the same stream.
    ///
    /// Uniform over all solutions when the dense elements are uniform over theirs.
    pub fn solve(
        &mut self,
        path: Path,
        cluster: &mut Cluster<E>,
        slots: usize,
        dense: &[E],
        free: &mut Stream,
    ) -> Result<Vec<Equation<E>>, EncodingFailed> {
        if cluster.triples.len() >= MOST {
            return Err(EncodingFailed);
        }
        E::add_polynomial_on(path, &mut cluster.values, dense, &cluster.dense);
        self.count(&cluster.triples, slots);
        self.peel(cluster, slots);
        self.draw(slots, free);
        if self.peeled.removed.is_empty() {
            fill_in(&self.peeled.steps, &mut self.solution);
            return Ok(Vec::new());
        }
        repair(
            cluster,
            &self.peeled,
            slots,
            dense.len(),
            &mut self.solution,
        )
    }

    fn count(&mut self, triples: &[u64], slots: usize) {
        self.slots[..slots].fill(0);
        for (row, triple) in triples.iter().enumerate() {
            for slot in unpack(*triple) {
                self.slots[slot] = (self.slots[slot] + ONE_ROW) ^ row as u32;
            }
        }
    }

    fn peel(&mut self, cluster: &Cluster<E>, slots: usize) {
        let Peeled {
            steps,
            rows,
            removed,
        } = &mut self.peeled;
        steps.clear();
        rows.clear();
        removed.clear();
        let count = cluster.triples.len();
        let mut tail = 0;
        for (slot, word) in self.slots[..slots].iter().enumerate() {
            self.queue[tail & (MOST - 1)] = slot as u16;
            tail += usize::from(word >> 16 == 1);
        }
        let mut head = 0;
        let mut gone = Vec::new();
        let (mut known, mut next) = (0, 0);
        loop {
            while head < tail {
                let slot = self.queue[head] as usize;
                head += 1;
                let word = self.slots[slot];
                if word >> 16 != 1 {
                    continue;
                }
                let row = word as u16;
                let triple = cluster.triples[row as usize];
                steps.push((triple | (slot as u64) << 48, cluster.values[row as usize]));
                rows.push(row);
                for other in unpack(triple) {
                    let word = (self.slots[other] - ONE_ROW) ^ u32::from(row);
                    self.slots[other] = word;
                    self.queue[tail & (MOST - 1)] = other as u16;
                    tail += usize::from(word >> 16 == 1);
                }
                self.slots[slot] = PIVOT;
            }
            if steps.len() + removed.len() == count {
                return;
            }
            // every slot that is left has two rows or more: take the next row out
            if gone.is_empty() {
                gone = vec![false; count];
            }
            rows[known..]
                .iter()
                .for_each(|row| gone[*row as usize] = true);
            known = rows.len();
            next += gone[next..]
                .iter()
                .position(|gone| !gone)
                .expect("a row is left");
            let row = next;
            next += 1;
            removed.push(row as u16);
            for slot in unpack(cluster.triples[row]) {
                let word = (self.slots[slot] - ONE_ROW) ^ row as u32;
                self.slots[slot] = word;
                self.queue[tail & (MOST - 1)] = slot as u16;
                tail += usize::from(word >> 16 == 1);
            }
        }
    }

    /// Random elements in the free slots, zero in the others.
    fn draw(&mut self, slots: usize, free: &mut Stream) {
        let words = if size_of::<E>() == 8 { 1 } else { 2 };
        let count = slots - self.peeled.steps.len();
        let mut drawn = zeroize::Zeroizing::new(vec![0u64; (count + 1) * words]);
        free.fill(&mut drawn);
        let mut next = 0;
        for (element, word) in self.solution[..slots].iter_mut().zip(&self.slots[..slots]) {
            let is_free = *word != PIVOT;
            let random = E::from_words([drawn[next], drawn[next + words - 1]]);
            *element = if is_free { random } else { E::default() };
            next += if is_free { words } else { 0 };
        }
    }
}

/// The slots that rows are solved for, from zero, in the reverse order of peeling.
pub fn fill_in<E: Element>(steps: &[(u64, E)], solution: &mut [E; MOST]) {
    for (step, value) in steps.iter().rev() {
        let [a, b, c] = unpack(*step).map(|slot| solution[slot]);
        solution[pivot(*step)] = value.plus(a).plus(b.plus(c));
    }
}
