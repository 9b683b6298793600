//! Set-up of a host's rows: ρ, E and the hint.

use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use super::composition::{TopBytes, add_errors};
use super::rows::Rows;
use crate::ntt::LAZY_PRODUCTS;
use crate::parameters::{MAX_BLOCKS, Parameters};
use crate::prg::{Seed, Stream};
use crate::ring::{PublicElement, Ring};
use crate::sampling::{fill_gaussian, fill_ternary};
use crate::simd;

/// ρ of every row, N coefficients each: the first draw of a row's stream.
pub(super) fn draw_dummies(degree: usize, rows: usize, key: &Seed) -> Zeroizing<Vec<i8>> {
    let mut dummies = Zeroizing::new(vec![0i8; rows * degree]);
    dummies
        .par_chunks_mut(degree)
        .enumerate()
        .for_each(|(row, dummy)| fill_ternary(&mut Stream::new(key, row as u64), dummy));
    dummies
}

/// Sums of this many coefficients are in the making at once: rows of one feature share the public part that is read.
const COEFFICIENTS: usize = 1 << 15;

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
    let at_once = (COEFFICIENTS / degree).max(1);
    let mut tasks = Vec::new();
    let (mut hints, mut rest) = (&mut hint[..], &mut dummies[..]);
    for feature in 0..rows.features() {
        for slot in (0..rows.of(feature)).step_by(at_once) {
            let count = at_once.min(rows.of(feature) - slot);
            let (own, later) = hints.split_at_mut(parameters.hint_size(count));
            let (secrets, others) = rest.split_at_mut(count * degree);
            tasks.push((feature, slot, own, secrets));
            (hints, rest) = (later, others);
        }
    }
    tasks.into_par_iter().for_each_init(
        || RowSetup::new(parameters, ring, at_once),
        |setup, (feature, slot, hint, secrets)| {
            let first = (rows.starts[feature] + slot) as u64;
            setup.run(
                public,
                rows.column(feature),
                slot as u8,
                first,
                key,
                secrets,
                hint,
            );
        },
    );
    (dummies, hint)
}

/// Scratch space of one thread for setting up rows of one feature together.
struct RowSetup<'a> {
    parameters: &'static Parameters,
    ring: &'a Ring,
    top_bytes: TopBytes<'a>,
    /// One polynomial in the making.
    polynomial: Vec<u64>,
    /// Lazy sums of one prime, 2N words a row.
    sums: Vec<u64>,
    /// H_r, row by row, N residues for each prime.
    residues: Vec<u64>,
    errors: Vec<i8>,
}

impl<'a> RowSetup<'a> {
    fn new(parameters: &'static Parameters, ring: &'a Ring, rows: usize) -> Self {
        let degree = parameters.ring_degree;
        Self {
            parameters,
            ring,
            top_bytes: TopBytes::new(parameters, ring),
            polynomial: vec![0; degree],
            sums: vec![0; 2 * degree * rows],
            residues: vec![0; degree * parameters.primes.len() * rows],
            errors: vec![0; degree * rows],
        }
    }

    /// Draws ρ and E of consecutive rows of a feature, and writes the top bits of their H.
    ///
    /// `secrets` takes ρ of each, as [`draw_dummies`] draws it; `first` is the number of the first row.
    #[expect(clippy::too_many_arguments, reason = "one row's inputs")]
    fn run(
        &mut self,
        public: &[PublicElement],
        column: &[u8],
        slot: u8,
        first: u64,
        key: &Seed,
        secrets: &mut [i8],
        hint: &mut [u8],
    ) {
        let degree = self.parameters.ring_degree;
        let (path, count) = (simd::path(), secrets.len() / degree);
        let drawn = self
            .errors
            .chunks_mut(degree)
            .zip(secrets.chunks_mut(degree));
        for (row, (errors, secret)) in drawn.enumerate() {
            let mut stream = Stream::new(key, first + row as u64);
            // E follows ρ in the stream
            fill_ternary(&mut stream, secret);
            fill_gaussian(&mut stream, errors);
        }
        for (place, transform) in self.ring.transforms().iter().enumerate() {
            self.sums.fill(0);
            let sums = self.sums.chunks_mut(2 * degree);
            for (secret, sums) in secrets.chunks(degree).zip(sums) {
                transform.forward_small(secret, &mut self.polynomial);
                transform.multiply_accumulate_on(
                    path,
                    sums,
                    &self.polynomial,
                    public[0].values(place),
                );
            }
            for (block, (slots, element)) in column.chunks(degree).zip(&public[1..]).enumerate() {
                let carries = (block + 2) % LAZY_PRODUCTS == 0;
                for (row, sums) in self.sums.chunks_mut(2 * degree).take(count).enumerate() {
                    transform.forward_mirrored(slots, slot + row as u8, &mut self.polynomial);
                    transform.multiply_accumulate_on(
                        path,
                        sums,
                        &self.polynomial,
                        element.values(place),
                    );
                    if carries {
                        transform.carry_on(path, sums);
                    }
                }
            }
            let primes = self.parameters.primes.len();
            for row in 0..count {
                let residues = &mut self.residues[(row * primes + place) * degree..][..degree];
                transform.reduce_sums_on(
                    path,
                    &self.sums[2 * row * degree..][..2 * degree],
                    residues,
                );
                transform.inverse_unscaled(residues);
                transform.scale_on(path, residues, transform.degree_inverse());
                let errors = &self.errors[row * degree..][..degree];
                add_errors(transform.prime(), residues, errors);
            }
        }
        let each = degree * self.parameters.primes.len();
        let rows = hint.chunks_mut(self.parameters.hint_size(1));
        for (hint, residues) in rows.zip(self.residues.chunks(each)) {
            self.top_bytes.write(residues, hint);
        }
    }

    /// Clears what was drawn and what it could be computed from.
    fn wipe(&mut self) {
        self.polynomial.as_mut_slice().zeroize();
        self.sums.as_mut_slice().zeroize();
        self.residues.as_mut_slice().zeroize();
        self.errors.as_mut_slice().zeroize();
    }
}

impl Drop for RowSetup<'_> {
    fn drop(&mut self) {
        self.wipe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::S100;
    use crate::ring::expand_public;

    #[test]
    fn rows_leave_nothing_in_their_scratch_space() {
        let ring = Ring::new(&S100);
        let public = expand_public(&ring, &S100, &[1; 32], 1);
        let mut setup = RowSetup::new(&S100, &ring, 2);
        let mut secrets = vec![0; 2 * 4096];
        let mut hint = vec![0; S100.hint_size(2)];
        setup.run(&public, &[0, 1, 1], 0, 0, &[2; 32], &mut secrets, &mut hint);
        assert_eq!(secrets, *draw_dummies(4096, 2, &[2; 32]));
        assert!(setup.errors.iter().any(|error| *error != 0));
        setup.wipe();
        assert!(setup.errors.iter().all(|error| *error == 0));
        let words = [&setup.polynomial, &setup.sums, &setup.residues];
        assert!(words.into_iter().flatten().all(|word| *word == 0));
    }
}
