//! Set-up of a host's rows: ρ, E and the hint.

use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use super::rows::Rows;
use crate::parameters::{MAX_BLOCKS, Parameters};
use crate::prg::{Seed, Stream};
use crate::ring::{PublicElement, Ring, shift_right};
use crate::sampling::{fill_gaussian, fill_ternary};

/// ρ of every row, N coefficients each: the first draw of a row's stream.
pub(super) fn draw_dummies(degree: usize, rows: usize, key: &Seed) -> Zeroizing<Vec<i8>> {
    let mut dummies = Zeroizing::new(vec![0i8; rows * degree]);
    dummies
        .par_chunks_mut(degree)
        .enumerate()
        .for_each(|(row, dummy)| fill_ternary(&mut Stream::new(key, row as u64), dummy));
    dummies
}

/// Draws ρ and E of every row, and returns ρ and the hint.
pub(super) fn make_hint(
    parameters: &'static Parameters,
    ring: &Ring,
    public: &[PublicElement],
    rows: &Rows,
    key: &Seed,
) -> (Zeroizing<Vec<i8>>, Vec<u8>) {
    debug_assert!(public.len() <= MAX_BLOCKS + 1);
    let degree = parameters.ring_degree;
    let mut dummies = Zeroizing::new(vec![0i8; rows.count() * degree]);
    let mut hint = vec![0u8; parameters.hint_size(rows.count())];
    let places: Vec<(usize, u8)> = (0..rows.features())
        .flat_map(|feature| (0..rows.of(feature)).map(move |slot| (feature, slot as u8)))
        .collect();
    hint.par_chunks_mut(parameters.hint_size(1))
        .zip(dummies.par_chunks_mut(degree))
        .zip(&places)
        .enumerate()
        .for_each_init(
            || RowSetup::new(parameters, ring),
            |setup, (index, ((hint, dummy), (feature, slot)))| {
                let mut stream = Stream::new(key, index as u64);
                setup.run(
                    public,
                    rows.column(*feature),
                    *slot,
                    &mut stream,
                    dummy,
                    hint,
                );
            },
        );
    (dummies, hint)
}

/// Scratch space of one thread for setting up rows.
struct RowSetup<'a> {
    parameters: &'static Parameters,
    ring: &'a Ring,
    /// One polynomial in the making.
    polynomial: Vec<u64>,
    /// H_r, prime by prime.
    sums: Vec<Vec<u64>>,
    errors: Vec<i8>,
}

impl<'a> RowSetup<'a> {
    fn new(parameters: &'static Parameters, ring: &'a Ring) -> Self {
        let degree = parameters.ring_degree;
        Self {
            parameters,
            ring,
            polynomial: vec![0; degree],
            sums: vec![vec![0; degree]; parameters.primes.len()],
            errors: vec![0; degree],
        }
    }

    /// Draws ρ and E of one row, and writes the top bits of its H.
    fn run(
        &mut self,
        public: &[PublicElement],
        column: &[u8],
        slot: u8,
        stream: &mut Stream,
        dummy: &mut [i8],
        hint: &mut [u8],
    ) {
        fill_ternary(stream, dummy);
        fill_gaussian(stream, &mut self.errors);
        let degree = self.parameters.ring_degree;
        for (place, transform) in self.ring.transforms().iter().enumerate() {
            let prime = transform.prime();
            let sums = &mut self.sums[place];
            for (value, rho) in self.polynomial.iter_mut().zip(dummy.iter()) {
                *value = (prime as i64 + i64::from(*rho)) as u64;
            }
            transform.forward(&mut self.polynomial);
            for ((sum, value), factor) in sums
                .iter_mut()
                .zip(&self.polynomial)
                .zip(public[0].factors(place))
            {
                *sum = transform.multiply_lazy(*value, *factor);
            }
            for (slots, element) in column.chunks(degree).zip(&public[1..]) {
                write_indicator(slots, slot, prime, &mut self.polynomial);
                transform.forward(&mut self.polynomial);
                for ((sum, value), factor) in sums
                    .iter_mut()
                    .zip(&self.polynomial)
                    .zip(element.factors(place))
                {
                    // each term is below 2p < 2^51, and there are at most 2^12 + 1 of them
                    *sum += transform.multiply_lazy(*value, *factor);
                }
            }
            for sum in sums.iter_mut() {
                *sum = transform.reduce(*sum);
            }
            transform.inverse_unscaled(sums);
            for (sum, error) in sums.iter_mut().zip(&self.errors) {
                let scaled = transform.multiply(*sum, transform.degree_inverse());
                *sum = transform.add(scaled, transform.reduce_signed(i64::from(*error)));
            }
        }
        self.write_top_bytes(hint);
    }

    /// A plane of N bytes for each byte of a coefficient, lowest first.
    fn write_top_bytes(&self, hint: &mut [u8]) {
        let degree = self.parameters.ring_degree;
        for slot in 0..degree {
            let mut residues = [0; 3];
            for (residue, sums) in residues.iter_mut().zip(&self.sums) {
                *residue = sums[slot];
            }
            let composed = self.ring.compose(residues);
            let top = shift_right(composed, self.parameters.hint_dropped_bits);
            let bytes = (u128::from(top[1]) << 64 | u128::from(top[0])).to_le_bytes();
            for (plane, byte) in hint.chunks_exact_mut(degree).zip(bytes) {
                plane[slot] = byte;
            }
        }
    }

    /// Clears what was drawn and what it could be computed from.
    fn wipe(&mut self) {
        self.polynomial.as_mut_slice().zeroize();
        self.sums
            .iter_mut()
            .for_each(|sums| sums.as_mut_slice().zeroize());
        self.errors.as_mut_slice().zeroize();
    }
}

impl Drop for RowSetup<'_> {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// Σ X^(−c) over the samples c of the block that are in the row; X^(−c) = −X^(N−c) for c > 0.
fn write_indicator(slots: &[u8], slot: u8, prime: u64, polynomial: &mut [u64]) {
    let degree = polynomial.len();
    polynomial.fill(0);
    polynomial[0] = u64::from(slots[0] == slot);
    for (value, other) in polynomial[degree + 1 - slots.len()..]
        .iter_mut()
        .rev()
        .zip(&slots[1..])
    {
        *value = (prime - 1) & u64::from(*other == slot).wrapping_neg();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::S100;
    use crate::ring::expand_public;

    #[test]
    fn a_row_leaves_nothing_in_its_scratch_space() {
        let ring = Ring::new(&S100);
        let public = expand_public(&ring, &S100, &[1; 32], 1);
        let mut setup = RowSetup::new(&S100, &ring);
        let (mut dummy, mut hint) = (vec![0; 4096], vec![0; S100.hint_size(1)]);
        let mut stream = Stream::new(&[2; 32], 0);
        setup.run(&public, &[0, 1, 1], 1, &mut stream, &mut dummy, &mut hint);
        assert!(setup.errors.iter().any(|error| *error != 0));
        setup.wipe();
        assert!(setup.errors.iter().all(|error| *error == 0));
        assert!(
            setup
                .polynomial
                .iter()
                .chain(setup.sums.iter().flatten())
                .all(|word| *word == 0)
        );
    }
}
