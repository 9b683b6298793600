//! The guest's side: levels of queries.

use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use super::decoding::{Decoder, Hint, Sums};
use super::message::{Encoder, Message};
use super::{
    Refusal, block_samples, blocks, check_length, check_queries, check_samples, fold_constant,
};
use crate::ntt::Factors;
use crate::packing::pack_plane;
use crate::parameters::Parameters;
use crate::prg::{Seed, Stream, derive};
use crate::ring::{PublicElement, Ring, expand_public};
use crate::sampling::{fill_gaussian, fill_ternary};
use crate::simd;

/// Samples that are hashed at once.
const DIGEST_CHUNK: usize = 1 << 16;

/// What a guest keeps for one alignment: the public part. Holds no secret.
pub struct Guest {
    parameters: &'static Parameters,
    ring: Ring,
    samples: usize,
    /// a_D, then a_1 … a_J.
    public: Vec<PublicElement>,
    encoders: Vec<Encoder>,
    decoder: Decoder,
}

/// Numbers of all samples, and which query of a level each belongs to.
///
/// Query q encrypts (g, h) of the samples whose slot is q, and zeros elsewhere; a slot that is no query's (65 535 by
/// convention) leaves its sample out of all.
#[derive(Clone, Copy)]
pub struct Plane<'a> {
    pub gradients: &'a [i32],
    pub hessians: &'a [i32],
    pub slots: &'a [u16],
    pub queries: usize,
}

struct OwnPlane {
    gradients: Zeroizing<Vec<i32>>,
    hessians: Zeroizing<Vec<i32>>,
    slots: Zeroizing<Vec<u16>>,
}

/// One query: its numbers, and the key of everything that is drawn for it.
struct Query {
    plane: usize,
    slot: u16,
    key: Zeroizing<Seed>,
}

/// The queries of one level, and the secrets that open their answers.
pub struct Level {
    parameters: &'static Parameters,
    planes: Vec<OwnPlane>,
    queries: Vec<Query>,
    /// s of every query, folded so that ct(H·s) is an inner product.
    secrets: Zeroizing<Vec<i8>>,
    /// s in the transform domain, query by query and prime by prime, divided by N so that no block needs the scaling.
    transformed: Zeroizing<Vec<Factors>>,
}

impl Level {
    pub fn queries(&self) -> usize {
        self.queries.len()
    }

    /// The ternary secrets in folded order; only tests look at them.
    pub fn secrets(&self) -> &[i8] {
        &self.secrets
    }
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
        let decoder = Decoder::new(parameters, &ring);
        let encoders = ring.transforms().iter();
        let encoders =
            encoders.map(|transform| Encoder::new(parameters, transform, decoder.step()));
        Ok(Self {
            parameters,
            encoders: encoders.collect(),
            ring,
            samples,
            public,
            decoder,
        })
    }

    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Begins a level: g in [−2^(bits−1), 2^(bits−1)), h in [0, 2^bits). Queries of all planes follow one another.
    ///
    /// `seed` is fresh for every level. The keys are bound to all numbers as well, so that a seed used again by mistake for
    /// others still gives unrelated secrets.
    pub fn begin(&self, planes: &[Plane<'_>], seed: &Seed) -> Result<Level, Refusal> {
        let total = planes
            .iter()
            .try_fold(0usize, |sum, plane| sum.checked_add(plane.queries))
            .unwrap_or(usize::MAX);
        check_queries(total)?;
        planes
            .iter()
            .try_for_each(|plane| self.check_plane(plane))?;
        let bound = derive(seed, "hanse histogram level", &[&digest(planes)]);
        let bound = Zeroizing::new(bound);
        let of_planes = planes.iter().enumerate();
        let queries: Vec<Query> = of_planes
            .flat_map(|(plane, numbers)| (0..numbers.queries).map(move |slot| (plane, slot as u16)))
            .enumerate()
            .map(|(number, (plane, slot))| {
                let number = (number as u64).to_le_bytes();
                let key = derive(&bound, "hanse histogram query", &[&number]);
                let key = Zeroizing::new(key);
                Query { plane, slot, key }
            })
            .collect();
        let degree = self.parameters.ring_degree;
        let primes = self.parameters.primes.len();
        let mut secrets = Zeroizing::new(vec![0i8; total * degree]);
        let mut transformed = Zeroizing::new(vec![Factors::default(); total * primes]);
        secrets
            .par_chunks_mut(degree)
            .zip(transformed.par_chunks_mut(primes))
            .zip(&queries)
            .for_each(|((secret, transformed), query)| {
                fill_ternary(&mut Stream::new(&query.key, 0), secret);
                self.transform_secret(secret, transformed);
                let folded = Zeroizing::new(fold_constant(secret, |value| -value));
                secret.copy_from_slice(&folded);
            });
        Ok(Level {
            parameters: self.parameters,
            planes: planes.iter().map(own).collect(),
            queries,
            secrets,
            transformed,
        })
    }

    fn check_plane(&self, plane: &Plane<'_>) -> Result<(), Refusal> {
        let invalid = |text: String| Err(Refusal::Invalid(text));
        let lengths = [
            plane.gradients.len(),
            plane.hessians.len(),
            plane.slots.len(),
        ];
        if lengths != [self.samples; 3] {
            let [g, h, slots] = lengths;
            return invalid(format!(
                "g has {g}, h has {h} and slots has {slots} values where {} samples are expected",
                self.samples
            ));
        }
        if plane.queries == 0 {
            return invalid("a plane has at least one query".into());
        }
        let half = 1 << (self.parameters.gradient_bits - 1);
        let most = 1 << self.parameters.hessian_bits;
        // no early end: which number is out of range is the caller's secret
        let outside = |values: &[i32], low: i32, high: i32| {
            values
                .par_chunks(DIGEST_CHUNK)
                .map(|chunk| {
                    chunk
                        .iter()
                        .fold(false, |any, value| any | (*value < low) | (*value >= high))
                })
                .reduce(|| false, |left, right| left | right)
        };
        if outside(plane.gradients, -half, half) {
            return invalid(format!("every g must lie in [{}, {})", -half, half));
        }
        if outside(plane.hessians, 0, most) {
            return invalid(format!("every h must lie in [0, {most})"));
        }
        Ok(())
    }

    /// s in the transform domain modulo every prime, divided by N.
    fn transform_secret(&self, secret: &[i8], transformed: &mut [Factors]) {
        for (transform, factors) in self.ring.transforms().iter().zip(transformed) {
            let mut values = vec![0u64; secret.len()];
            transform.forward_small(secret, &mut values);
            transform.scale_on(simd::path(), &mut values, transform.degree_inverse());
            *factors = transform.factors(values);
        }
    }

    /// Bytes of [`Guest::dummies`].
    pub fn dummies_size(&self, level: &Level) -> usize {
        level.queries() * self.parameters.element_size(self.parameters.ring_degree)
    }

    /// Writes the dummy element b_D of every query.
    pub fn dummies(&self, level: &Level, out: &mut [u8]) -> Result<(), Refusal> {
        self.check_level(level)?;
        let size = self.parameters.element_size(self.parameters.ring_degree);
        check_length("the dummy part", out, level.queries() * size)?;
        out.par_chunks_mut(size).enumerate().for_each_init(
            || Scratch::new(self.parameters.ring_degree),
            |scratch, (query, out)| self.encrypt_element(level, query, 0, scratch, out),
        );
        Ok(())
    }

    /// How many blocks a level has.
    pub fn blocks(&self) -> usize {
        blocks(self.samples)
    }

    /// Bytes of [`Guest::encrypt`]; zero for a block that is not there.
    pub fn block_size(&self, level: &Level, block: usize) -> usize {
        level.queries()
            * self
                .parameters
                .encrypted_size(block_samples(self.samples, block))
    }

    /// Writes one block of every query, in wire form; the same bytes for every host, and whenever it is asked for.
    pub fn encrypt(&self, level: &Level, block: usize, out: &mut [u8]) -> Result<(), Refusal> {
        self.check_level(level)?;
        let count = block_samples(self.samples, block);
        if count == 0 {
            return Err(Refusal::Invalid(format!(
                "there is no block {block}: {} samples make {} blocks",
                self.samples,
                self.blocks()
            )));
        }
        check_length("a block", out, self.block_size(level, block))?;
        let degree = self.parameters.ring_degree;
        let first = block * (super::BLOCK / degree);
        let of_query = self.parameters.encrypted_size(count);
        let whole = self.parameters.element_size(degree);
        let jobs: Vec<(usize, usize, &mut [u8])> = out
            .chunks_mut(of_query)
            .enumerate()
            .flat_map(|(query, out)| {
                let elements = out.chunks_mut(whole).enumerate();
                elements.map(move |(index, out)| (query, first + index, out))
            })
            .collect();
        jobs.into_par_iter().for_each_init(
            || Scratch::new(degree),
            |scratch, (query, element, out)| {
                self.encrypt_element(level, query, 1 + element, scratch, out);
            },
        );
        Ok(())
    }

    fn check_level(&self, level: &Level) -> Result<(), Refusal> {
        let samples = level
            .planes
            .iter()
            .all(|plane| plane.slots.len() == self.samples);
        if samples && std::ptr::eq(level.parameters, self.parameters) {
            Ok(())
        } else {
            Err(Refusal::Invalid("the level belongs to other keys".into()))
        }
    }

    /// Element `index` of a query: 0 is the dummy, which carries no message.
    fn encrypt_element(
        &self,
        level: &Level,
        query: usize,
        index: usize,
        scratch: &mut Scratch,
        out: &mut [u8],
    ) {
        let degree = self.parameters.ring_degree;
        let primes = self.parameters.primes.len();
        let Query { plane, slot, key } = &level.queries[query];
        let first = index.saturating_sub(1) * degree;
        let count = degree.min(if index == 0 {
            degree
        } else {
            self.samples - first
        });
        let messages = if index == 0 { 0 } else { count };
        scratch.draw(&level.planes[*plane], *slot, first, messages);
        fill_gaussian(&mut Stream::new(key, 1 + index as u64), &mut scratch.errors);
        let size = self.parameters.plane_size(count);
        for (place, transform) in self.ring.transforms().iter().enumerate() {
            let secret = &level.transformed[query * primes + place];
            let product = &mut scratch.product;
            let values = self.public[index].values(place);
            transform.multiply_on(simd::path(), product, values, secret);
            transform.inverse_unscaled(product);
            let message = Message {
                errors: &scratch.errors,
                gradients: &scratch.gradients,
                hessians: &scratch.hessians,
            };
            self.encoders[place].add(product, message);
            let plane = &mut out[place * size..][..size];
            pack_plane(&product[..count], self.parameters.prime_bits, plane);
        }
    }

    /// Opens one host's answers: the exact sums of g and of h over each answered row, query by query.
    ///
    /// `mask` has a byte for each feature of the hint: those with 0 were not answered for.
    pub fn decrypt<B: AsRef<[u8]> + Sync>(
        &self,
        level: &Level,
        hint: &Hint<B>,
        answers: &[u8],
        mask: Option<&[u8]>,
    ) -> Result<Sums, Refusal> {
        self.check_level(level)?;
        self.decoder
            .open(&self.ring, &level.secrets, hint, answers, mask)
    }
}

fn own(plane: &Plane<'_>) -> OwnPlane {
    OwnPlane {
        gradients: Zeroizing::new(plane.gradients.to_vec()),
        hessians: Zeroizing::new(plane.hessians.to_vec()),
        slots: Zeroizing::new(plane.slots.to_vec()),
    }
}

/// What one thread encrypts with.
struct Scratch {
    product: Vec<u64>,
    errors: Vec<i8>,
    gradients: Vec<i32>,
    hessians: Vec<i32>,
}

impl Scratch {
    fn new(degree: usize) -> Self {
        Self {
            product: vec![0; degree],
            errors: vec![0; degree],
            gradients: vec![0; degree],
            hessians: vec![0; degree],
        }
    }

    /// Takes the numbers of the samples whose slot this is, zeros for the others, without a branch on a slot.
    fn draw(&mut self, plane: &OwnPlane, slot: u16, first: usize, count: usize) {
        let range = first..first + count;
        let numbers = plane.gradients[range.clone()]
            .iter()
            .zip(&plane.hessians[range.clone()])
            .zip(&plane.slots[range]);
        let out = self.gradients.iter_mut().zip(&mut self.hessians);
        for ((own_g, own_h), ((g, h), other)) in out.zip(numbers) {
            let mask = i32::from(*other == slot).wrapping_neg();
            (*own_g, *own_h) = (g & mask, h & mask);
        }
        self.gradients[count..].fill(0);
        self.hessians[count..].fill(0);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.product.as_mut_slice().zeroize();
        self.errors.as_mut_slice().zeroize();
        self.gradients.as_mut_slice().zeroize();
        self.hessians.as_mut_slice().zeroize();
    }
}

/// A digest of all planes, so that keys can be bound to them.
fn digest(planes: &[Plane<'_>]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for plane in planes {
        hasher.update(&(plane.queries as u64).to_le_bytes());
        let numbers = plane
            .gradients
            .par_chunks(DIGEST_CHUNK)
            .zip(plane.hessians.par_chunks(DIGEST_CHUNK))
            .zip(plane.slots.par_chunks(DIGEST_CHUNK));
        let chunks: Vec<[u8; 32]> = numbers
            .map(|((g, h), slots)| digest_chunk(g, h, slots))
            .collect();
        hasher.update(&(plane.slots.len() as u64).to_le_bytes());
        chunks.iter().for_each(|chunk| {
            hasher.update(chunk);
        });
    }
    let digest = *hasher.finalize().as_bytes();
    hasher.zeroize();
    digest
}

fn digest_chunk(g: &[i32], h: &[i32], slots: &[u16]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = [0u8; 8192];
    for column in [g, h] {
        for chunk in column.chunks(2048) {
            for (octets, value) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(chunk) {
                *octets = value.to_le_bytes();
            }
            hasher.update(&bytes[..chunk.len() * 4]);
        }
    }
    for chunk in slots.chunks(4096) {
        for (octets, value) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(chunk) {
            *octets = value.to_le_bytes();
        }
        hasher.update(&bytes[..chunk.len() * 2]);
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
    fn the_secrets_of_a_level_are_wiped_when_it_goes() {
        fn wiped<T: ZeroizeOnDrop>(_: &T) {}
        let guest = Guest::new(&S100, &[1; 32], 4).expect("samples fit");
        let plane = Plane {
            gradients: &[0; 4],
            hessians: &[0; 4],
            slots: &[0; 4],
            queries: 1,
        };
        let mut level = guest.begin(&[plane], &[3; 32]).expect("in range");
        wiped(&level.secrets);
        wiped(&level.transformed);
        wiped(&level.queries[0].key);
        wiped(&level.planes[0].gradients);
        assert!(level.secrets.iter().any(|value| *value != 0));
        level.secrets.as_mut_slice().zeroize();
        assert!(level.secrets.iter().all(|value| *value == 0));
    }
}
