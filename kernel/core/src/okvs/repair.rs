//! A cluster that does not peel to the end: the rows taken out are fulfilled by some of the free slots, and what these cannot
//! do, by the dense elements.

use super::EncodingFailed;
use super::element::Element;
use super::linear::{BitMatrix, Equation};
use super::solve::{Cluster, MOST, Peeled, fill_in, pivot, unpack};
use crate::gf128::multiply64;

/// More rows than this taken out means keys that were made to collide.
const MOST_REMOVED: usize = 1 << 12;

/// As [`super::solve::Scratch::solve`] after peeling; `solution` has the free slots, and zero in the others.
///
/// Every row taken out is, with the peeled rows added that its slots were solved for, a sum of free slots. The sums that
/// are independent are met by changing one free slot each. Those that are not, sums without any slot, leave an equation for
/// the dense elements.
pub fn repair<E: Element>(
    cluster: &Cluster<E>,
    peeled: &Peeled<E>,
    slots: usize,
    dense: usize,
    solution: &mut [E; MOST],
) -> Result<Vec<Equation<E>>, EncodingFailed> {
    let removed = &peeled.removed;
    if removed.len() > MOST_REMOVED {
        return Err(EncodingFailed);
    }
    let shares = Shares::new(cluster, peeled, slots);
    let mut is_free = vec![true; slots];
    peeled
        .steps
        .iter()
        .for_each(|(step, _)| is_free[pivot(*step)] = false);
    let free: Vec<usize> = (0..slots).filter(|slot| is_free[*slot]).collect();

    // one row for each row taken out: its free slots, then a mark of its own
    let mut matrix = BitMatrix::new(removed.len(), free.len() + removed.len());
    for (column, slot) in free.iter().enumerate() {
        shares.of(*slot).for_each(|row| matrix.flip(row, column));
    }
    (0..removed.len()).for_each(|row| matrix.flip(row, free.len() + row));
    let leading = matrix.reduce(free.len());

    fill_in(&peeled.steps, solution);
    let residuals: Vec<E> = removed
        .iter()
        .map(|row| {
            let [a, b, c] = unpack(cluster.triples[*row as usize]).map(|slot| solution[slot]);
            cluster.values[*row as usize].plus(a).plus(b.plus(c))
        })
        .collect();

    let mut equations = Vec::new();
    for (row, leading) in leading.iter().enumerate() {
        let marks = (0..removed.len()).filter(|mark| matrix.get(row, free.len() + mark));
        let marks: Vec<usize> = marks.collect();
        let value = marks
            .iter()
            .fold(E::default(), |sum, mark| sum.plus(residuals[*mark]));
        match leading {
            Some(column) => solution[free[*column]] = solution[free[*column]].plus(value),
            None => equations.push(Equation {
                coefficients: shares.dense_sums(cluster, peeled, &marks, dense),
                value,
            }),
        }
    }
    for (step, _) in &peeled.steps {
        solution[pivot(*step)] = E::default();
    }
    fill_in(&peeled.steps, solution);
    Ok(equations)
}

/// For each slot, the rows taken out that it has a share in once peeled slots are replaced by what they were solved to.
struct Shares {
    words: Vec<u64>,
    slot_words: usize,
}

impl Shares {
    fn new<E: Element>(cluster: &Cluster<E>, peeled: &Peeled<E>, slots: usize) -> Self {
        let slot_words = peeled.removed.len().div_ceil(64);
        let mut words = vec![0u64; slots * slot_words];
        for (place, row) in peeled.removed.iter().enumerate() {
            for slot in unpack(cluster.triples[*row as usize]) {
                words[slot * slot_words + place / 64] ^= 1 << (place % 64);
            }
        }
        for (step, _) in &peeled.steps {
            let solved = pivot(*step);
            for slot in unpack(*step).into_iter().filter(|slot| *slot != solved) {
                for word in 0..slot_words {
                    words[slot * slot_words + word] ^= words[solved * slot_words + word];
                }
            }
        }
        Self { words, slot_words }
    }

    fn of(&self, slot: usize) -> impl Iterator<Item = usize> {
        let words = &self.words[slot * self.slot_words..][..self.slot_words];
        words.iter().enumerate().flat_map(|(place, word)| {
            let bits = std::iter::successors(Some(*word), |word| Some(word & word.wrapping_sub(1)));
            bits.take(word.count_ones() as usize)
                .map(move |word| 64 * place + word.trailing_zeros() as usize)
        })
    }

    /// The dense coefficients of the sum of the marked rows taken out, with the peeled rows that belong to them: Σ x, Σ x², …
    fn dense_sums<E: Element>(
        &self,
        cluster: &Cluster<E>,
        peeled: &Peeled<E>,
        marks: &[usize],
        dense: usize,
    ) -> Vec<u64> {
        let mut chosen = vec![0u64; self.slot_words];
        marks
            .iter()
            .for_each(|mark| chosen[mark / 64] ^= 1 << (mark % 64));
        let belongs = |step: &u64| {
            let words = &self.words[pivot(*step) * self.slot_words..][..self.slot_words];
            let shared = words.iter().zip(&chosen).map(|(a, b)| (a & b).count_ones());
            shared.sum::<u32>() % 2 == 1
        };
        let steps = peeled.steps.iter().zip(&peeled.rows);
        let peeled_rows = steps
            .filter(|((step, _), _)| belongs(step))
            .map(|(_, row)| *row);
        let rows = marks.iter().map(|mark| peeled.removed[*mark]);
        let mut sums = vec![0; dense];
        for row in rows.chain(peeled_rows) {
            let x = cluster.dense[row as usize];
            let mut power = 1;
            for sum in &mut sums {
                power = multiply64(power, x);
                *sum ^= power;
            }
        }
        sums
    }
}
