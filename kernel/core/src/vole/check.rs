//! The sender's proof that a correlation holds in every row, for one row of it.
//!
//! The check of Weng, Yang, Katz and Wang ("Wolverine", IEEE S&P 2021, figure 7), on the code's output: under random
//! coefficients χ, the last one 1, the receiver has X = Σ χ_j·a_j and Σ χ_j·c_j, the sender Σ χ_j·b_j, and
//! Σ χ_j·c_j = Σ χ_j·b_j + Δ·X if every row holds. The receiver sends X, which the last a hides; the sender answers with a
//! hash of its side. The last row is used for nothing else. The coefficients are AES-128 in counter mode under a seed
//! that the receiver draws when the sender has said all that fixes the rows.

use rayon::prelude::*;
use zeroize::Zeroize;

use crate::aes::{self, Block, Key};
use crate::gf128;
use crate::prg::{self, Seed};
use crate::simd::{self, Path};

/// Rows that one thread takes at a time.
const BATCH: usize = 2048;

/// Σ χ_j·column_j.
pub fn sum_on(path: Path, seed: &Seed, column: &[Block]) -> Block {
    let bytes = prg::derive(seed, "hanse vole check", &[]);
    let key = Key::new_on(path, &std::array::from_fn(|index| bytes[index]));
    let Some((last, column)) = column.split_last() else {
        return [0; 2];
    };
    let sums = column.par_chunks(BATCH).enumerate().map_init(
        || vec![[0; 2]; BATCH],
        |factors, (index, column)| {
            let factors = &mut factors[..column.len()];
            key.fill((index * BATCH) as u64, factors);
            gf128::inner_product_on(path, factors, column)
        },
    );
    aes::xor(sums.reduce(|| [0; 2], aes::xor), *last)
}

/// The receiver's masked X, and the hash that an honest sender answers with.
///
/// # Panics
/// When the columns differ in length.
pub fn claim(seed: &Seed, a: &[Block], c: &[Block]) -> (Block, [u8; 32]) {
    assert_eq!(a.len(), c.len(), "two elements a row");
    let path = simd::path();
    (sum_on(path, seed, a), digest(seed, sum_on(path, seed, c)))
}

/// The sender's answer to the masked X.
pub fn prove(seed: &Seed, delta: Block, b: &[Block], masked: Block) -> [u8; 32] {
    let sum = sum_on(simd::path(), seed, b);
    digest(seed, aes::xor(sum, gf128::multiply(delta, masked)))
}

fn digest(seed: &Seed, mut sum: Block) -> [u8; 32] {
    let digest = prg::derive(seed, "hanse vole proof", &[&aes::to_bytes(sum)]);
    sum.zeroize();
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prg::Stream;

    const SEED: Seed = [7; 32];
    const DELTA: Block = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3211];

    fn random(number: u8, rows: usize) -> Vec<Block> {
        let mut column = vec![[0; 2]; rows];
        Stream::new(&[number; 32], 0).fill(column.as_flattened_mut());
        column
    }

    /// b, a and c of a correlation that holds.
    fn correlated(rows: usize) -> [Vec<Block>; 3] {
        let (a, b) = (random(1, rows), random(2, rows));
        let c = a.iter().zip(&b);
        let c = c
            .map(|(a, b)| aes::xor(*b, gf128::multiply(DELTA, *a)))
            .collect();
        [b, a, c]
    }

    fn holds(rows: usize, change: impl Fn(&mut [Vec<Block>; 3])) -> bool {
        let mut columns = correlated(rows);
        change(&mut columns);
        let [b, a, c] = columns;
        let (masked, expected) = claim(&SEED, &a, &c);
        prove(&SEED, DELTA, &b, masked) == expected
    }

    #[test]
    fn a_correlation_that_holds_is_proven_at_every_length() {
        for rows in [0, 1, 2, BATCH, BATCH + 1, BATCH + 2, 3 * BATCH] {
            assert!(holds(rows, |_| ()), "{rows} rows");
        }
    }

    #[test]
    fn one_wrong_row_anywhere_is_found() {
        for row in [0, 1, BATCH - 1, BATCH, 2 * BATCH, 2 * BATCH + 6] {
            for column in 0..3 {
                assert!(!holds(2 * BATCH + 7, |columns| columns[column][row][1] ^= 1 << 40));
            }
        }
    }

    #[test]
    fn every_path_sums_as_the_definition_says() {
        let column = random(3, BATCH + 100);
        let bytes = prg::derive(&SEED, "hanse vole check", &[]);
        let mut factors = vec![[0; 2]; column.len()];
        let key: [u8; 16] = std::array::from_fn(|index| bytes[index]);
        Key::new_on(Path::Portable, &key).fill(0, &mut factors);
        *factors.last_mut().unwrap() = [1, 0];
        let terms = factors
            .iter()
            .zip(&column)
            .map(|(factor, one)| gf128::multiply(*factor, *one));
        let expected = terms.fold([0; 2], aes::xor);
        for path in simd::available() {
            assert_eq!(sum_on(path, &SEED, &column), expected, "{}", path.name());
        }
    }

    #[test]
    fn what_the_sender_sees_of_a_is_hidden_by_the_last_row() {
        let [_, mut a, c] = correlated(50);
        let (before, _) = claim(&SEED, &a, &c);
        a[49] = aes::xor(a[49], [5, 6]);
        assert_eq!(claim(&SEED, &a, &c).0, aes::xor(before, [5, 6]));
    }
}
