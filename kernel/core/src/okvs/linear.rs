//! Small linear systems: bit matrices, and equations over GF(2^64).

use super::EncodingFailed;
use super::element::Element;
use crate::gf128;

/// A matrix of bits, row by row, on which row operations are done.
pub struct BitMatrix {
    words: Vec<u64>,
    row_words: usize,
}

impl BitMatrix {
    pub fn new(rows: usize, columns: usize) -> Self {
        let row_words = columns.div_ceil(64);
        Self {
            words: vec![0; rows * row_words],
            row_words,
        }
    }

    pub fn flip(&mut self, row: usize, column: usize) {
        self.words[row * self.row_words + column / 64] ^= 1 << (column % 64);
    }

    pub fn get(&self, row: usize, column: usize) -> bool {
        self.words[row * self.row_words + column / 64] >> (column % 64) & 1 == 1
    }

    /// Brings the first `columns` columns to reduced row echelon form. Gives, row by row, the column of the leading one, or
    /// nothing for a row that has no one left in these columns.
    pub fn reduce(&mut self, columns: usize) -> Vec<Option<usize>> {
        let rows = self.words.len() / self.row_words;
        let mut leading = Vec::with_capacity(rows);
        for row in 0..rows {
            let found = (0..columns).find(|column| self.get(row, *column));
            leading.push(found);
            let Some(column) = found else { continue };
            let pivot = self.words[row * self.row_words..][..self.row_words].to_vec();
            for other in (0..rows).filter(|other| *other != row) {
                if self.get(other, column) {
                    let words = &mut self.words[other * self.row_words..][..self.row_words];
                    words.iter_mut().zip(&pivot).for_each(|(a, b)| *a ^= b);
                }
            }
        }
        leading
    }
}

/// Σ_k coefficients_k·unknown_k = value.
pub struct Equation<E> {
    pub coefficients: Vec<u64>,
    pub value: E,
}

/// A solution of the equations in which every unknown that may be anything is zero.
pub fn solve<E: Element>(
    mut equations: Vec<Equation<E>>,
    unknowns: usize,
) -> Result<Vec<E>, EncodingFailed> {
    let mut leading = Vec::new();
    for row in 0..equations.len() {
        let found = equations[row]
            .coefficients
            .iter()
            .position(|coefficient| *coefficient != 0);
        let Some(column) = found else {
            // 0 = value
            if equations[row].value != E::default() {
                return Err(EncodingFailed);
            }
            continue;
        };
        let inverse = gf128::invert64(equations[row].coefficients[column]);
        let pivot = Equation {
            coefficients: times(&equations[row].coefficients, inverse),
            value: equations[row].value.scale(inverse),
        };
        for (other, equation) in equations.iter_mut().enumerate() {
            let factor = equation.coefficients[column];
            if other != row {
                let shift = times(&pivot.coefficients, factor);
                let pairs = equation.coefficients.iter_mut().zip(shift);
                pairs.for_each(|(a, b)| *a ^= b);
                equation.value = equation.value.plus(pivot.value.scale(factor));
            }
        }
        equations[row] = pivot;
        leading.push((column, row));
    }
    let mut solution = vec![E::default(); unknowns];
    for (column, row) in leading {
        solution[column] = equations[row].value;
    }
    Ok(solution)
}

fn times(coefficients: &[u64], factor: u64) -> Vec<u64> {
    let product = |coefficient: &u64| gf128::multiply64(*coefficient, factor);
    coefficients.iter().map(product).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependent_bit_rows_lose_their_ones_and_the_rest_lead() {
        // rows 0b0110, 0b0011 and their sum, each with its own mark
        let mut matrix = BitMatrix::new(3, 4 + 3);
        for (row, columns) in [[1, 2], [0, 1], [0, 2]].into_iter().enumerate() {
            columns
                .into_iter()
                .for_each(|column| matrix.flip(row, column));
            matrix.flip(row, 4 + row);
        }
        let leading = matrix.reduce(4);
        assert_eq!(leading, [Some(1), Some(0), None]);
        assert!((4..7).all(|column| matrix.get(2, column)));
        assert!(!matrix.get(0, 0) && !matrix.get(1, 1));
    }

    #[test]
    fn equations_are_solved_or_refused() {
        let equation = |coefficients: [u64; 3], value: u64| Equation {
            coefficients: coefficients.to_vec(),
            value,
        };
        let given = [([3, 5, 0], 7), ([3, 5, 9], 11), ([0, 0, 0], 0)];
        let equations = given.map(|(coefficients, value)| equation(coefficients, value));
        let solution = solve(Vec::from(equations), 3).expect("a solution");
        for (coefficients, value) in given {
            let terms = coefficients.iter().zip(&solution);
            let sum = terms.fold(0, |sum, (a, b)| sum ^ gf128::multiply64(*a, *b));
            assert_eq!(sum, value);
        }
        let twice = vec![equation([1, 2, 3], 4), equation([1, 2, 3], 5)];
        assert_eq!(solve(twice, 3), Err(EncodingFailed));
    }
}
