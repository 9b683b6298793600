//! Opening answers with the hint.

use rayon::prelude::*;

use super::{Refusal, check_length, products};
use crate::ntt::Factor;
use crate::packing::Unpacker;
use crate::parameters::{LEAST_MARGIN, Parameters};
use crate::ring::{Ring, Wide, divide_small, exceeds, shift_right, subtract_wide};

/// How many σ of noise a decryption accepts; the sets leave at least 9.5 to half a step of Δ.
const ACCEPTED_SIGMAS: f64 = 9.0;

/// Rows that one task opens.
const ROWS_A_TASK: usize = 32;

/// A host's hint as it came over the wire: row by row, a plane of N bytes for each byte of a coefficient, lowest first.
pub struct Hint<B> {
    parameters: &'static Parameters,
    /// Rows of feature f are `starts[f]..starts[f + 1]`.
    starts: Vec<usize>,
    bytes: B,
}

/// Exact sums, query by query and row by row.
#[derive(Debug, PartialEq, Eq)]
pub struct Sums {
    pub gradients: Vec<i64>,
    pub hessians: Vec<i64>,
}

impl<B: AsRef<[u8]> + Sync> Hint<B> {
    /// Checks a hint; `rows` are the rows of each feature. The bytes are kept as they are.
    pub fn parse(
        parameters: &'static Parameters,
        bytes: B,
        rows: &[usize],
    ) -> Result<Self, Refusal> {
        let mut starts = vec![0usize];
        for count in rows {
            let end = starts[starts.len() - 1].checked_add(*count);
            starts.push(end.filter(|end| *end <= 1 << 32).ok_or_else(|| {
                Refusal::Malformed("a hint must have fewer than 2^32 rows".into())
            })?);
        }
        let total = starts[rows.len()];
        if total == 0 {
            return Err(Refusal::Malformed(
                "a hint must have at least one row".into(),
            ));
        }
        check_length("a hint", bytes.as_ref(), parameters.hint_size(total))?;
        let top = shift_right(
            subtract_wide(Ring::new(parameters).modulus(), [1, 0, 0]),
            parameters.hint_dropped_bits,
        );
        let most = (u128::from(top[1]) << 64 | u128::from(top[0])).to_le_bytes();
        let in_range = bytes
            .as_ref()
            .par_chunks(parameters.hint_size(1))
            .map(|row| is_at_most(row, parameters.ring_degree, &most))
            .reduce(|| true, |left, right| left & right);
        if !in_range {
            return Err(Refusal::Malformed(
                "a hint holds a number that is out of range".into(),
            ));
        }
        Ok(Self {
            parameters,
            starts,
            bytes,
        })
    }

    pub fn rows(&self) -> usize {
        self.starts[self.starts.len() - 1]
    }

    pub fn features(&self) -> usize {
        self.starts.len() - 1
    }

    /// The rows of the features that the mask does not leave out, as ranges.
    fn chosen(&self, mask: Option<&[u8]>) -> Result<Vec<std::ops::Range<usize>>, Refusal> {
        if mask.is_some_and(|mask| mask.len() != self.features()) {
            return Err(Refusal::Invalid(format!(
                "the mask has {} numbers where there are {} features",
                mask.map_or(0, <[u8]>::len),
                self.features()
            )));
        }
        let chosen: Vec<_> = (0..self.features())
            .filter(|feature| mask.is_none_or(|mask| mask[*feature] != 0))
            .map(|feature| self.starts[feature]..self.starts[feature + 1])
            .filter(|rows| !rows.is_empty())
            .collect();
        if chosen.is_empty() {
            return Err(Refusal::Invalid("the mask leaves no row to open".into()));
        }
        Ok(chosen)
    }

    /// How many rows are answered for under a mask.
    pub fn chosen_rows(&self, mask: Option<&[u8]>) -> Result<usize, Refusal> {
        Ok(self.chosen(mask)?.iter().map(ExactSizeIterator::len).sum())
    }
}

/// Whether every number of a row is at most `most`: planes are gone through from the lowest byte up.
fn is_at_most(row: &[u8], degree: usize, most: &[u8; 16]) -> bool {
    const STRIP: usize = 256;
    (0..degree).step_by(STRIP).all(|start| {
        let count = STRIP.min(degree - start);
        let mut exceeds = [0u8; STRIP];
        for (plane, most) in row.chunks_exact(degree).zip(most) {
            for (flag, byte) in exceeds.iter_mut().zip(&plane[start..start + count]) {
                *flag = u8::from(byte > most) | (*flag & u8::from(byte == most));
            }
        }
        exceeds.iter().fold(0, |any, flag| any | flag) == 0
    })
}

/// Turns z − ct(H·s) into sums of g and h.
pub(super) struct Decoder {
    parameters: &'static Parameters,
    modulus: Wide,
    /// Δ = ⌊q / 2^P⌋.
    step: u64,
    largest_residual: u64,
    /// 2^(8k + dropped − 1) modulo every prime.
    half_unit: Vec<Factor>,
}

impl Decoder {
    pub fn new(parameters: &'static Parameters, ring: &Ring) -> Self {
        let step = shift_right(ring.modulus(), parameters.payload_bits())[0];
        let noise = parameters.noise_sigma(parameters.max_row_samples());
        let largest_residual = (ACCEPTED_SIGMAS * noise) as u64;
        assert!(
            largest_residual < step / 2
                && parameters.margin(parameters.max_row_samples()) > LEAST_MARGIN,
            "the parameter set leaves no room for its noise"
        );
        let half_unit = ring.transforms().iter().map(|transform| {
            transform.factor(transform.reduce(1 << (parameters.hint_dropped_bits - 1)))
        });
        Self {
            parameters,
            modulus: ring.modulus(),
            step,
            largest_residual,
            half_unit: half_unit.collect(),
        }
    }

    pub fn step(&self) -> u64 {
        self.step
    }

    /// Opens the answers to all queries of a level; `secrets` holds s of each, folded.
    pub fn open<B: AsRef<[u8]> + Sync>(
        &self,
        ring: &Ring,
        secrets: &[i8],
        hint: &Hint<B>,
        answers: &[u8],
        mask: Option<&[u8]>,
    ) -> Result<Sums, Refusal> {
        if !std::ptr::eq(hint.parameters, self.parameters) {
            return Err(Refusal::Invalid(
                "hint and keys belong to different parameter sets".into(),
            ));
        }
        let degree = self.parameters.ring_degree;
        let queries = secrets.len() / degree;
        let rows = hint.chosen_rows(mask)?;
        let size = self.parameters.answer_size(rows);
        check_length("an answer", answers, queries * size)?;
        let residues = self.unpack(answers, queries, rows)?;
        let ones: Vec<i64> = secrets
            .chunks(degree)
            .map(|secret| secret.iter().map(|value| i64::from(*value)).sum())
            .collect();
        let tasks: Vec<std::ops::Range<usize>> = hint
            .chosen(mask)?
            .into_iter()
            .flat_map(|rows| {
                let end = rows.end;
                rows.step_by(ROWS_A_TASK)
                    .map(move |start| start..end.min(start + ROWS_A_TASK))
            })
            .collect();
        let mut firsts = Vec::with_capacity(tasks.len());
        let mut done = 0;
        for task in &tasks {
            firsts.push(done);
            done += task.len();
        }
        let row_size = self.parameters.hint_size(1);
        let opened: Vec<Vec<Option<(i64, i64)>>> = tasks
            .par_iter()
            .zip(&firsts)
            .map(|(task, first)| {
                let planes = &hint.bytes.as_ref()[task.start * row_size..task.end * row_size];
                let count = row_size / degree;
                let mut sums = vec![0i32; task.len() * count * queries];
                products(planes, secrets, degree, &mut sums);
                let open = |row: usize, query: usize| {
                    let total: i128 = (0..count)
                        .map(|byte| {
                            i128::from(sums[(row * count + byte) * queries + query]) << (8 * byte)
                        })
                        .sum();
                    // every coefficient stands for the middle of what its dropped bits could be
                    let doubled = 2 * total + i128::from(ones[query]);
                    self.open_row(ring, residues[query * rows + first + row], doubled)
                };
                (0..task.len())
                    .flat_map(|row| (0..queries).map(move |query| (row, query)))
                    .map(|(row, query)| open(row, query))
                    .collect()
            })
            .collect();
        // every row has been opened before any failure is told
        if opened.iter().flatten().any(Option::is_none) {
            return Err(Refusal::NoiseBudget);
        }
        let mut sums = Sums {
            gradients: vec![0; queries * rows],
            hessians: vec![0; queries * rows],
        };
        for (opened, first) in opened.iter().zip(&firsts) {
            for (place, found) in opened.iter().enumerate() {
                let (row, query) = (place / queries, place % queries);
                let at = query * rows + first + row;
                (sums.gradients[at], sums.hessians[at]) = found.unwrap_or_default();
            }
        }
        Ok(sums)
    }

    fn unpack(
        &self,
        answers: &[u8],
        queries: usize,
        rows: usize,
    ) -> Result<Vec<[u64; 3]>, Refusal> {
        let mut fits = true;
        let mut residues = Vec::with_capacity(queries * rows);
        for answer in answers.chunks(self.parameters.answer_size(rows)) {
            let mut reader = Unpacker::new(answer);
            for _ in 0..rows {
                let mut found = [0; 3];
                for (residue, prime) in found.iter_mut().zip(self.parameters.primes) {
                    *residue = reader.pull(self.parameters.prime_bits);
                    fits &= *residue < *prime;
                }
                residues.push(found);
            }
            fits &= reader.padding_is_zero();
        }
        if !fits {
            return Err(Refusal::Malformed(
                "an answer holds a number that is out of range".into(),
            ));
        }
        Ok(residues)
    }

    /// One sum, from z and twice ct(H·s) in units of the hint's last bit.
    fn open_row(&self, ring: &Ring, answer: [u64; 3], doubled: i128) -> Option<(i64, i64)> {
        let mut rest = [0; 3];
        for (place, transform) in ring.transforms().iter().enumerate() {
            let reduced = doubled.rem_euclid(i128::from(transform.prime())) as u64;
            let product = transform.multiply(reduced, self.half_unit[place]);
            rest[place] = transform.subtract(answer[place], product);
        }
        self.decode(ring.compose(rest))
    }

    /// The nearest multiple of Δ, split into signed g and unsigned h; none when it is too far or out of range.
    fn decode(&self, value: Wide) -> Option<(i64, i64)> {
        let negated = subtract_wide(self.modulus, value);
        let negative = exceeds(value, negated);
        let (quotient, rest) = divide_small(if negative { negated } else { value }, self.step);
        let above = rest > self.step / 2;
        let residual = if above { self.step - rest } else { rest };
        let magnitude = quotient as i128 + i128::from(above);
        let sum = if negative { -magnitude } else { magnitude };
        let width = self.parameters.low_digit_bits();
        let hessian = (sum & ((1 << width) - 1)) as i64;
        let gradient = sum >> width;
        let most = self.parameters.max_row_samples() as i128;
        let half = 1i128 << (self.parameters.gradient_bits - 1);
        let fits = residual <= self.largest_residual
            && (-half * most..=(half - 1) * most).contains(&gradient)
            && i128::from(hessian) <= ((1 << self.parameters.hessian_bits) - 1) * most;
        fits.then_some((gradient as i64, hessian))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_and_largest_sums_of_a_row_decode_and_their_neighbours_do_not() {
        for parameters in crate::parameters::SETS {
            let ring = Ring::new(parameters);
            let decoder = Decoder::new(parameters, &ring);
            let most = parameters.max_row_samples() as i64;
            let (half, top) = (
                1i64 << (parameters.gradient_bits - 1),
                (1i64 << parameters.hessian_bits) - 1,
            );
            let encoded = |g: i64, h: i64| {
                let sum = (i128::from(g) << parameters.low_digit_bits()) + i128::from(h);
                let mut residues = [0; 3];
                for (residue, transform) in residues.iter_mut().zip(ring.transforms()) {
                    let prime = i128::from(transform.prime());
                    let step = i128::from(decoder.step) % prime;
                    *residue = (sum.rem_euclid(prime) * step % prime) as u64;
                }
                ring.compose(residues)
            };
            for (g, h) in [
                (-half * most, 0),
                (-half * most, top * most),
                ((half - 1) * most, top * most),
                (0, 0),
                (-1, 0),
            ] {
                let found = decoder.decode(encoded(g, h));
                assert_eq!(found, Some((g, h)), "{}", parameters.name);
            }
            for (g, h) in [
                (-half * most - 1, 0),
                ((half - 1) * most + 1, 0),
                (0, top * most + 1),
            ] {
                let found = decoder.decode(encoded(g, h));
                assert_eq!(found, None, "{} {g} {h}", parameters.name);
            }
        }
    }

    #[test]
    fn a_number_above_the_most_is_found_in_any_plane() {
        let degree = 512;
        let mut most = [0u8; 16];
        most[..3].copy_from_slice(&[7, 255, 9]);
        let mut row = vec![0u8; 3 * degree];
        row[100] = 7;
        row[degree + 100] = 255;
        row[2 * degree + 100] = 9;
        assert!(is_at_most(&row, degree, &most));
        row[100] = 8;
        assert!(!is_at_most(&row, degree, &most));
        (row[100], row[2 * degree + 100]) = (8, 8);
        assert!(is_at_most(&row, degree, &most));
        row[2 * degree + 511] = 10;
        assert!(!is_at_most(&row, degree, &most));
    }
}
