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

#[cfg(test)]
mod tests {
    use super::super::linear;
    use super::*;
    use crate::gf128::multiply64;
    use crate::prg::PublicStream;

    /// Random rows over `slots` slots.
    fn cluster(count: usize, slots: usize, label: u64) -> Cluster<u64> {
        let mut words = vec![0; 3 * count];
        PublicStream::new(&[1; 32], "rows", &[&label.to_le_bytes()]).fill(&mut words);
        let triple = |word: u64| {
            let mut chosen = [0; 3];
            for place in 0..3 {
                let draws =
                    (0..).map(|step| (word.rotate_left(20 * place as u32 + step) >> 3) as usize);
                let mut draws = draws.map(|draw| draw % slots);
                chosen[place] = draws
                    .find(|slot| !chosen[..place].contains(slot))
                    .expect("a slot not yet chosen");
            }
            (chosen[0] | chosen[1] << 16 | chosen[2] << 32) as u64
        };
        let rows = words.as_chunks::<3>().0;
        Cluster {
            triples: rows.iter().map(|row| triple(row[0])).collect(),
            dense: rows.iter().map(|row| row[1]).collect(),
            values: rows.iter().map(|row| row[2]).collect(),
        }
    }

    /// Solves, twice where the dense elements are tied, and checks every row by hand; the number of equations.
    fn solve(
        rows: &Cluster<u64>,
        slots: usize,
        dense_count: usize,
    ) -> Result<usize, EncodingFailed> {
        let mut dense: Vec<u64> = (1..=dense_count as u64).map(|k| k << 40 | 77).collect();
        let mut scratch = Scratch::new();
        let mut run = |dense: &[u64]| {
            let mut rows = Cluster {
                triples: rows.triples.clone(),
                dense: rows.dense.clone(),
                values: rows.values.clone(),
            };
            let mut free = Stream::new(&[2; 32], 0);
            let equations = scratch.solve(Path::Portable, &mut rows, slots, dense, &mut free);
            equations.map(|equations| (equations, scratch.solution[..slots].to_vec()))
        };
        let (equations, mut solution) = run(&dense)?;
        let count = equations.len();
        if count > 0 {
            let change = linear::solve(equations, dense.len())?;
            dense.iter_mut().zip(change).for_each(|(a, b)| *a ^= b);
            let (equations, second) = run(&dense)?;
            assert!(equations.iter().all(|equation| equation.value == 0));
            solution = second;
        }
        for (row, triple) in rows.triples.iter().enumerate() {
            let [a, b, c] = unpack(*triple).map(|slot| solution[slot]);
            let horner = |sum, element: &u64| multiply64(sum ^ element, rows.dense[row]);
            let tail = dense.iter().rev().fold(0, horner);
            assert_eq!(a ^ b ^ c ^ tail, rows.values[row]);
        }
        Ok(count)
    }

    #[test]
    fn clusters_far_too_full_to_peel_are_solved_as_well() {
        for (count, slots) in [(300, 340), (2000, 2300), (5000, 5900), (9, 64), (1, 3)] {
            for label in 0..3 {
                let rows = cluster(count, slots, label);
                assert!(solve(&rows, slots, 6).expect("a solution") < 6);
            }
        }
    }

    #[test]
    fn more_rows_than_elements_fail() {
        assert_eq!(solve(&cluster(80, 60, 0), 60, 3), Err(EncodingFailed));
    }

    #[test]
    fn three_keys_with_the_same_slots_are_told_apart_by_the_dense_elements() {
        let mut rows = cluster(50, 100, 5);
        for twin in [1, 2] {
            rows.triples[twin] = rows.triples[0];
        }
        assert_eq!(solve(&rows, 100, 3), Ok(2));
        assert_eq!(solve(&rows, 100, 1), Err(EncodingFailed));
        // the same key twice is no contradiction, unless it has two values
        rows.dense[1] = rows.dense[0];
        assert_eq!(solve(&rows, 100, 3), Err(EncodingFailed));
        rows.values[1] = rows.values[0];
        assert_eq!(solve(&rows, 100, 3), Ok(2));
    }

    /// What the number of dense elements in a layout rests on.
    #[test]
    fn dependencies_among_rows_are_as_rare_as_pairs_with_the_same_slots() {
        const ROWS: usize = 24;
        const SLOTS: usize = 44;
        const TRIES: usize = 20_000;
        let mut found = [0usize; 4];
        for label in 0..TRIES as u64 {
            let equations = solve(&cluster(ROWS, SLOTS, label), SLOTS, 8).expect("a solution");
            found[equations.min(3)] += 1;
        }
        // pairs of rows over triples of slots, and a tenth for the rarer coincidences of four rows and more
        let pairs = (ROWS * (ROWS - 1) / 2) as f64;
        let mean = 1.1 * pairs / (SLOTS * (SLOTS - 1) * (SLOTS - 2) / 6) as f64;
        let expected = [mean, mean * mean / 2.0, mean.powi(3) / 6.0].map(|p| p * TRIES as f64);
        for (count, expected) in found[1..].iter().zip(expected) {
            assert!(
                (*count as f64) < expected + 6.0 * expected.sqrt() + 1.0,
                "{found:?}"
            );
        }
        assert!(
            found[1] as f64 > 0.7 * expected[0],
            "{found:?} {expected:?}"
        );
    }
}
