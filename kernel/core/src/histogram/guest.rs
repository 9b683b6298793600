//! The guest's side: queries and decryption.

use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use super::{Refusal, check_length, check_samples, fold_constant};
use crate::ntt::{Factor, Transform};
use crate::packing::{Packer, Unpacker};
use crate::parameters::Parameters;
use crate::prg::{Seed, Stream, derive};
use crate::ring::{
    PublicElement, Ring, divide_small, exceeds, expand_public, shift_right, subtract_wide,
};
use crate::sampling::{fill_gaussian, fill_ternary};

/// How many σ of noise a decryption accepts; the sets leave at least 9.5 to half a step of Δ.
const ACCEPTED_SIGMAS: f64 = 9.0;

/// What a guest keeps for one alignment: the public part. Holds no secret.
pub struct Guest {
    parameters: &'static Parameters,
    ring: Ring,
    samples: usize,
    /// a_D, then a_1 … a_J.
    public: Vec<PublicElement>,
    /// Δ = ⌊q / 2^P⌋.
    step: u64,
    /// Per prime: Δ·2^(low digit), Δ.
    steps: Vec<[Factor; 2]>,
    largest_residual: u64,
}

/// One encrypted vector: what goes to the hosts, and the secret that opens their answers.
pub struct Query {
    ciphertext: Vec<u8>,
    /// s, folded so that ct(H·s) is an inner product.
    secret: Zeroizing<Vec<i8>>,
}

impl Query {
    /// Dummy element and blocks, in wire form; the same bytes for every host.
    pub fn ciphertext(&self) -> &[u8] {
        &self.ciphertext
    }

    /// The ternary secret in folded order; only tests look at it.
    pub fn secret(&self) -> &[i8] {
        &self.secret
    }
}

/// A host's hint, taken apart into 32-bit planes.
pub struct Hint {
    parameters: &'static Parameters,
    rows: usize,
    /// Row by row, plane by plane, N words each.
    planes: Vec<u32>,
}

/// Exact sums per row.
#[derive(Debug, PartialEq, Eq)]
pub struct Sums {
    pub gradients: Vec<i64>,
    pub hessians: Vec<i64>,
}

impl Hint {
    /// Reads a hint of `rows` rows from the wire.
    pub fn parse(
        parameters: &'static Parameters,
        bytes: &[u8],
        rows: usize,
    ) -> Result<Self, Refusal> {
        if rows == 0 {
            return Err(Refusal::Malformed(
                "a hint must have at least one row".into(),
            ));
        }
        check_length("a hint", bytes, parameters.hint_size(rows))?;
        let largest = shift_right(
            subtract_wide(Ring::new(parameters).modulus(), [1, 0, 0]),
            parameters.hint_dropped_bits,
        );
        let width = parameters.hint_coefficient_bits();
        let degree = parameters.ring_degree;
        let mut planes = vec![0u32; rows * plane_count(parameters) * degree];
        let in_range = bytes
            .par_chunks(parameters.hint_size(1))
            .zip(planes.par_chunks_mut(plane_count(parameters) * degree))
            .map(|(bytes, planes)| {
                let mut reader = Unpacker::new(bytes);
                let mut fits = true;
                for slot in 0..degree {
                    let low = reader.pull(width.min(64));
                    let high = if width > 64 {
                        reader.pull(width - 64)
                    } else {
                        0
                    };
                    fits &= !exceeds([low, high, 0], largest);
                    for (plane, word) in [low as u32, (low >> 32) as u32, high as u32]
                        .into_iter()
                        .enumerate()
                    {
                        if let Some(place) = planes.get_mut(plane * degree + slot) {
                            *place = word;
                        }
                    }
                }
                fits
            })
            .reduce(|| true, |left, right| left & right);
        if !in_range {
            return Err(Refusal::Malformed(
                "a hint holds a number that is out of range".into(),
            ));
        }
        Ok(Self {
            parameters,
            rows,
            planes,
        })
    }

    pub fn rows(&self) -> usize {
        self.rows
    }
}

fn plane_count(parameters: &Parameters) -> usize {
    parameters.hint_coefficient_bits().div_ceil(32) as usize
}

impl Guest {
    pub fn new(
        parameters: &'static Parameters,
        public_seed: &Seed,
        samples: usize,
    ) -> Result<Self, Refusal> {
        check_samples(parameters, samples)?;
        let ring = Ring::new(parameters);
        let public = expand_public(&ring, parameters, public_seed, parameters.blocks(samples));
        let step = shift_right(ring.modulus(), parameters.payload_bits())[0];
        let steps = ring.transforms().iter().map(|transform| {
            let unit = transform.factor(transform.reduce(step));
            let high = transform.multiply(1 << parameters.low_digit_bits(), unit);
            [transform.factor(high), unit]
        });
        let steps = steps.collect();
        let largest_residual = (ACCEPTED_SIGMAS * parameters.noise_sigma()) as u64;
        assert!(
            largest_residual < step / 2,
            "the parameter set leaves no room for its noise"
        );
        Ok(Self {
            parameters,
            ring,
            samples,
            public,
            step,
            steps,
            largest_residual,
        })
    }

    /// Encrypts one vector: g in [−2^(bits−1), 2^(bits−1)), h in [0, 2^bits); zero where a sample does not count.
    ///
    /// `seed` is fresh for every query. The key is bound to the vector as well, so that a seed used again by mistake for
    /// another vector still gives an unrelated secret.
    pub fn encrypt(
        &self,
        gradients: &[i32],
        hessians: &[i32],
        seed: &Seed,
    ) -> Result<Query, Refusal> {
        self.check_vector(gradients, hessians)?;
        let key = Zeroizing::new(derive(
            seed,
            "hanse histogram query",
            &[&digest(gradients), &digest(hessians)],
        ));
        let degree = self.parameters.ring_degree;
        let mut secret = Zeroizing::new(vec![0i8; degree]);
        fill_ternary(&mut Stream::new(&key, 0), &mut secret);
        let transformed = self.transform_secret(&secret);
        let mut ciphertext = vec![0u8; self.parameters.encrypted_size(self.samples)];
        let block_size = degree * self.parameters.modulus_bits() as usize / 8;
        ciphertext
            .par_chunks_mut(block_size)
            .zip(&self.public)
            .enumerate()
            .for_each(|(index, (out, element))| {
                // index 0 is the dummy element, which carries no message
                let first = index.saturating_sub(1) * degree;
                let count = if index == 0 {
                    0
                } else {
                    degree.min(self.samples - first)
                };
                let message = (
                    &gradients[first..first + count],
                    &hessians[first..first + count],
                );
                self.encrypt_block(
                    element,
                    &transformed,
                    message,
                    &mut Stream::new(&key, 1 + index as u64),
                    out,
                );
            });
        Ok(Query {
            ciphertext,
            secret: Zeroizing::new(fold_constant(&secret, |value| -value)),
        })
    }

    fn check_vector(&self, gradients: &[i32], hessians: &[i32]) -> Result<(), Refusal> {
        let invalid = |text: String| Err(Refusal::Invalid(text));
        if gradients.len() != self.samples || hessians.len() != self.samples {
            let (g, h) = (gradients.len(), hessians.len());
            return invalid(format!(
                "g has {g} and h has {h} values where {} samples are expected",
                self.samples
            ));
        }
        let half = 1 << (self.parameters.gradient_bits - 1);
        if gradients.iter().any(|g| !(-half..half).contains(g)) {
            return invalid(format!("every g must lie in [{}, {})", -half, half));
        }
        let most = 1 << self.parameters.hessian_bits;
        if hessians.iter().any(|h| !(0..most).contains(h)) {
            return invalid(format!("every h must lie in [0, {most})"));
        }
        Ok(())
    }

    /// s in the transform domain modulo every prime, divided by N so that no block needs the scaling.
    fn transform_secret(&self, secret: &[i8]) -> Zeroizing<Vec<Vec<u64>>> {
        let transformed = self.ring.transforms().iter().map(|transform| {
            let mut values: Vec<u64> = secret
                .iter()
                .map(|value| (transform.prime() as i64 + i64::from(*value)) as u64)
                .collect();
            transform.forward(&mut values);
            values
                .iter_mut()
                .for_each(|value| *value = transform.multiply(*value, transform.degree_inverse()));
            values
        });
        Zeroizing::new(transformed.collect())
    }

    fn encrypt_block(
        &self,
        element: &PublicElement,
        secret: &[Vec<u64>],
        message: (&[i32], &[i32]),
        stream: &mut Stream,
        out: &mut [u8],
    ) {
        let degree = self.parameters.ring_degree;
        let mut errors = Zeroizing::new(vec![0i8; degree]);
        fill_gaussian(stream, &mut errors);
        let products: Vec<Vec<u64>> = self
            .ring
            .transforms()
            .iter()
            .enumerate()
            .map(|(place, transform)| {
                let secret = secret[place].iter().zip(element.factors(place));
                let mut product: Vec<u64> = secret
                    .map(|(value, factor)| transform.multiply_lazy(*value, *factor))
                    .collect();
                transform.inverse_unscaled(&mut product);
                self.add_error_and_message(place, transform, &mut product, &errors, message);
                product
            })
            .collect();
        let bits = self.parameters.modulus_bits() as usize;
        let count = out.len() * 8 / bits;
        let mut packer = Packer::new(out);
        for slot in 0..count {
            for product in &products {
                packer.push(product[slot], self.parameters.prime_bits);
            }
        }
        packer.finish();
    }

    /// a·s + e + Δ·(g·2^w + h), reduced.
    fn add_error_and_message(
        &self,
        place: usize,
        transform: &Transform,
        product: &mut [u64],
        errors: &[i8],
        (g, h): (&[i32], &[i32]),
    ) {
        let prime = transform.prime();
        for (value, error) in product.iter_mut().zip(errors) {
            *value = transform.reduce((*value + prime).wrapping_add_signed(i64::from(*error)));
        }
        let [high, low] = self.steps[place];
        // g is shifted to be positive, and the shift taken off again
        let half = 1i64 << (self.parameters.gradient_bits - 1);
        let shift = prime - transform.multiply(half as u64, high);
        for ((value, g), h) in product.iter_mut().zip(g).zip(h) {
            let g = transform.multiply_lazy((i64::from(*g) + half) as u64, high);
            let h = transform.multiply_lazy(*h as u64, low);
            *value = transform.reduce(*value + g + h + shift);
        }
    }

    /// Opens one host's answer to `query`: the exact sums of g and of h over each of its rows.
    pub fn decrypt(&self, query: &Query, hint: &Hint, answer: &[u8]) -> Result<Sums, Refusal> {
        if !std::ptr::eq(hint.parameters, self.parameters) {
            return Err(Refusal::Invalid(
                "hint and keys belong to different parameter sets".into(),
            ));
        }
        check_length("an answer", answer, self.parameters.answer_size(hint.rows))?;
        let answers = self.unpack_answer(answer, hint.rows)?;
        let secret: Zeroizing<Vec<i64>> =
            Zeroizing::new(query.secret.iter().map(|value| i64::from(*value)).collect());
        let row_words = plane_count(self.parameters) * self.parameters.ring_degree;
        let opened: Vec<Option<(i64, i64)>> = answers
            .par_iter()
            .zip(hint.planes.par_chunks(row_words))
            .map(|(answer, planes)| self.open_row(*answer, planes, &secret))
            .collect();
        // every row has been opened before any failure is told
        if opened.iter().any(Option::is_none) {
            return Err(Refusal::NoiseBudget);
        }
        let (gradients, hessians) = opened.into_iter().flatten().unzip();
        Ok(Sums {
            gradients,
            hessians,
        })
    }

    fn unpack_answer(&self, answer: &[u8], rows: usize) -> Result<Vec<[u64; 3]>, Refusal> {
        let mut reader = Unpacker::new(answer);
        let mut fits = true;
        let answers = (0..rows).map(|_| {
            let mut residues = [0; 3];
            for (residue, prime) in residues.iter_mut().zip(self.parameters.primes) {
                *residue = reader.pull(self.parameters.prime_bits);
                fits &= *residue < *prime;
            }
            residues
        });
        let answers = answers.collect();
        if !fits || !reader.padding_is_zero() {
            return Err(Refusal::Malformed(
                "an answer holds a number that is out of range".into(),
            ));
        }
        Ok(answers)
    }

    fn open_row(&self, answer: [u64; 3], planes: &[u32], secret: &[i64]) -> Option<(i64, i64)> {
        let mut total = 0i128;
        for (index, plane) in planes.chunks(secret.len()).enumerate() {
            let sum: i64 = plane
                .iter()
                .zip(secret)
                .map(|(word, value)| i64::from(*word) * value)
                .sum();
            total += i128::from(sum) << (32 * index);
        }
        // every coefficient stands for the middle of what its dropped bits could be
        let total = 2 * total + i128::from(secret.iter().sum::<i64>());
        let mut rest = [0; 3];
        for (place, transform) in self.ring.transforms().iter().enumerate() {
            let reduced = total.rem_euclid(i128::from(transform.prime())) as u64;
            let scale =
                transform.factor(transform.reduce(1 << (self.parameters.hint_dropped_bits - 1)));
            rest[place] = transform.subtract(answer[place], transform.multiply(reduced, scale));
        }
        self.decode(self.ring.compose(rest))
    }

    /// The nearest multiple of Δ, split into signed g and unsigned h; none when it is too far or out of range.
    fn decode(&self, value: [u64; 3]) -> Option<(i64, i64)> {
        let negated = subtract_wide(self.ring.modulus(), value);
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

/// A digest of a column, so that a key can be bound to it.
fn digest(column: &[i32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = [0u8; 4096];
    for chunk in column.chunks(1024) {
        for (octets, value) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(chunk) {
            *octets = value.to_le_bytes();
        }
        hasher.update(&bytes[..chunk.len() * 4]);
    }
    let digest = *hasher.finalize().as_bytes();
    hasher.zeroize();
    bytes.zeroize();
    digest
}

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    use super::*;
    use crate::parameters::S100;

    #[test]
    fn the_secret_of_a_query_is_wiped_when_it_goes() {
        fn wiped<T: ZeroizeOnDrop>(_: &T) {}
        let guest = Guest::new(&S100, &[1; 32], 4).expect("samples fit");
        let mut query = guest.encrypt(&[0; 4], &[0; 4], &[3; 32]).expect("in range");
        wiped(&query.secret);
        assert!(query.secret.iter().any(|value| *value != 0));
        query.secret.as_mut_slice().zeroize();
        assert!(query.secret.iter().all(|value| *value == 0));
    }

    #[test]
    fn the_smallest_and_largest_sums_of_a_row_decode_and_their_neighbours_do_not() {
        for parameters in crate::parameters::SETS {
            let guest = Guest::new(parameters, &[1; 32], 4).expect("samples fit");
            let most = parameters.max_row_samples() as i64;
            let (half, top) = (
                1i64 << (parameters.gradient_bits - 1),
                (1i64 << parameters.hessian_bits) - 1,
            );
            let encoded = |g: i64, h: i64| {
                let sum = (i128::from(g) << parameters.low_digit_bits()) + i128::from(h);
                let mut residues = [0; 3];
                for (residue, transform) in residues.iter_mut().zip(guest.ring.transforms()) {
                    let prime = i128::from(transform.prime());
                    *residue = (sum.rem_euclid(prime) * i128::from(guest.step) % prime) as u64;
                }
                guest.ring.compose(residues)
            };
            for (g, h) in [
                (-half * most, 0),
                (-half * most, top * most),
                ((half - 1) * most, top * most),
                (0, 0),
                (-1, 0),
            ] {
                assert_eq!(
                    guest.decode(encoded(g, h)),
                    Some((g, h)),
                    "{}",
                    parameters.name
                );
            }
            for (g, h) in [
                (-half * most - 1, 0),
                ((half - 1) * most + 1, 0),
                (0, top * most + 1),
            ] {
                assert_eq!(
                    guest.decode(encoded(g, h)),
                    None,
                    "{} {g} {h}",
                    parameters.name
                );
            }
        }
    }
}
