//! The host's side: set-up over its binned columns, and answers.

use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use super::{Refusal, check_length, check_samples, fold_constant};
use crate::packing::{Packer, Unpacker};
use crate::parameters::{MAX_BLOCKS, Parameters};
use crate::prg::{Seed, Stream, derive};
use crate::ring::{PublicElement, Residues, Ring, expand_public, shift_right};
use crate::sampling::{Flood, fill_gaussian, fill_ternary};

/// A row: the samples of one feature that fall in one bin.
#[derive(Clone, Copy)]
struct Row {
    feature: usize,
    bin: u8,
}

/// What a host keeps for the life of a hint: its binned columns and the secrets ρ.
pub struct Host {
    parameters: &'static Parameters,
    ring: Ring,
    flood: Flood,
    samples: usize,
    /// Feature by feature, `samples` codes each.
    codes: Vec<u8>,
    bins: Vec<usize>,
    rows: Vec<Row>,
    /// ρ_r, N coefficients a row.
    dummies: Zeroizing<Vec<i8>>,
    hint: Vec<u8>,
    answered: AtomicU64,
}

/// Samples whose residues (below 2^50) may be added without a reduction.
const LAZY_SAMPLES: usize = 1 << 13;

impl Host {
    /// Sets up rows for the bins of each feature, in order, but for the omitted bin of each.
    ///
    /// `codes` holds, feature by feature, one bin number a sample. `secret_seed` is fresh for every set-up: two hints
    /// made from one seed over two tables would give away their difference.
    pub fn set_up(
        parameters: &'static Parameters,
        public_seed: &Seed,
        secret_seed: &Seed,
        codes: Vec<u8>,
        bins: &[i32],
        omitted: &[i32],
    ) -> Result<Self, Refusal> {
        if bins.is_empty() || bins.len() != omitted.len() || !codes.len().is_multiple_of(bins.len())
        {
            return Err(Refusal::Invalid(
                "codes, bins and omitted must describe the same features".into(),
            ));
        }
        let samples = codes.len() / bins.len();
        check_samples(parameters, samples)?;
        let rows = list_rows(parameters, &codes, samples, bins, omitted)?;
        let ring = Ring::new(parameters);
        let public = expand_public(&ring, parameters, public_seed, parameters.blocks(samples));
        let key = Zeroizing::new(derive(secret_seed, "hanse histogram set-up", &[]));
        let degree = parameters.ring_degree;
        let mut dummies = Zeroizing::new(vec![0i8; rows.len() * degree]);
        let mut hint = vec![0u8; parameters.hint_size(rows.len())];
        hint.par_chunks_mut(parameters.hint_size(1))
            .zip(dummies.par_chunks_mut(degree))
            .zip(&rows)
            .enumerate()
            .for_each_init(
                || RowSetup::new(parameters, &ring),
                |setup, (index, ((hint, dummy), row))| {
                    let column = &codes[row.feature * samples..][..samples];
                    let mut stream = Stream::new(&key, index as u64);
                    setup.run(&public, column, row.bin, &mut stream, dummy, hint);
                },
            );
        let bins = bins.iter().map(|count| *count as usize).collect();
        let flood = Flood::new(parameters.flood_shift, parameters.flood_coarse_sigma);
        Ok(Self {
            parameters,
            ring,
            flood,
            samples,
            codes,
            bins,
            rows,
            dummies,
            hint,
            answered: AtomicU64::new(0),
        })
    }

    /// The top bits of every H_r, as they go to the guest.
    pub fn hint(&self) -> &[u8] {
        &self.hint
    }

    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Rows × queries answered so far with this hint.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Answers a query: one flooded sum a row, in wire form. `flood_seed` is fresh for every answer.
    pub fn answer(&self, query: &[u8], flood_seed: &Seed) -> Result<Vec<u8>, Refusal> {
        check_length(
            "a query",
            query,
            self.parameters.encrypted_size(self.samples),
        )?;
        let answers = self.rows.len() as u64;
        let cap = self.parameters.answer_cap();
        // counted before the work, so that callers on several threads cannot pass the cap together
        self.answered
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |sum| {
                sum.checked_add(answers).filter(|sum| *sum <= cap)
            })
            .map_err(|_| Refusal::HintExhausted)?;
        match self.parameters.primes.len() {
            2 => self.answer_lanes::<2, 2>(query, flood_seed),
            _ => self.answer_lanes::<3, 4>(query, flood_seed),
        }
    }

    /// `PRIMES` residues a sample in `LANES` words, a power of two so that a sum is one or two vector additions.
    fn answer_lanes<const PRIMES: usize, const LANES: usize>(
        &self,
        query: &[u8],
        seed: &Seed,
    ) -> Result<Vec<u8>, Refusal> {
        let parameters = self.parameters;
        let degree = parameters.ring_degree;
        let dummy_size = degree * parameters.modulus_bits() as usize / 8;
        let (dummy, blocks) = query.split_at(dummy_size);
        let dummy = self.unpack::<PRIMES, LANES>(dummy, degree)?;
        let samples = blocks
            .par_chunks(dummy_size)
            .enumerate()
            .map(|(block, bytes)| {
                self.unpack::<PRIMES, LANES>(bytes, degree.min(self.samples - block * degree))
            })
            .collect::<Result<Vec<_>, _>>()?
            .concat();
        let sums: Vec<Vec<[u64; LANES]>> = (0..self.bins.len())
            .into_par_iter()
            .map(|feature| self.sum_feature::<PRIMES, LANES>(feature, &samples))
            .collect();
        let masks = self.dummy_terms::<PRIMES, LANES>(&dummy);

        // the flood must not come from anything that entered the hint: its seed is its own, bound to this query
        let key = Zeroizing::new(derive(
            seed,
            "hanse histogram flood",
            &[blake3::hash(query).as_bytes()],
        ));
        let mut stream = Stream::new(&key, 0);
        let mut answer = vec![0u8; parameters.answer_size(self.rows.len())];
        let mut packer = Packer::new(&mut answer);
        for (row, mask) in self.rows.iter().zip(&masks) {
            let noise = Zeroizing::new(self.flood.sample(&mut stream));
            for (place, transform) in self.ring.transforms().iter().enumerate() {
                let sum = transform.add(sums[row.feature][row.bin as usize][place], mask[place]);
                packer.push(
                    transform.add(sum, transform.reduce_signed(*noise)),
                    parameters.prime_bits,
                );
            }
        }
        packer.finish();
        Ok(answer)
    }

    fn unpack<const PRIMES: usize, const LANES: usize>(
        &self,
        bytes: &[u8],
        count: usize,
    ) -> Result<Vec<[u64; LANES]>, Refusal> {
        let mut reader = Unpacker::new(bytes);
        let mut beyond = false;
        let mut values = vec![[0u64; LANES]; count];
        for value in &mut values {
            for (place, prime) in self.parameters.primes.iter().enumerate().take(PRIMES) {
                value[place] = reader.pull(self.parameters.prime_bits);
                beyond |= value[place] >= *prime;
            }
        }
        if beyond || !reader.padding_is_zero() {
            return Err(Refusal::Malformed(
                "a query holds a number that is out of range".into(),
            ));
        }
        Ok(values)
    }

    /// Sums of the residues of every bin of a feature, reduced.
    fn sum_feature<const PRIMES: usize, const LANES: usize>(
        &self,
        feature: usize,
        samples: &[[u64; LANES]],
    ) -> Vec<[u64; LANES]> {
        let codes = &self.codes[feature * self.samples..][..self.samples];
        let mut totals = vec![[0u64; LANES]; self.bins[feature]];
        let mut sums = [[0u64; LANES]; 256];
        for (codes, samples) in codes.chunks(LAZY_SAMPLES).zip(samples.chunks(LAZY_SAMPLES)) {
            for (code, sample) in codes.iter().zip(samples) {
                let sum = &mut sums[*code as usize];
                for lane in 0..LANES {
                    sum[lane] += sample[lane];
                }
            }
            for (total, sum) in totals.iter_mut().zip(&mut sums) {
                for (place, transform) in self.ring.transforms().iter().enumerate().take(PRIMES) {
                    total[place] = transform.add(total[place], transform.reduce(sum[place]));
                }
                *sum = [0; LANES];
            }
        }
        totals
    }

    /// ct(ρ_r·b_D) for every row.
    fn dummy_terms<const PRIMES: usize, const LANES: usize>(
        &self,
        dummy: &[[u64; LANES]],
    ) -> Vec<Residues> {
        let degree = self.parameters.ring_degree;
        let folded: Vec<Vec<i64>> = (0..PRIMES)
            .map(|place| {
                fold_constant(
                    &dummy
                        .iter()
                        .map(|value| value[place] as i64)
                        .collect::<Vec<_>>(),
                    |value| -value,
                )
            })
            .collect();
        self.dummies
            .par_chunks(degree)
            .map(|secret| {
                let mut terms = [0; 3];
                for (place, transform) in self.ring.transforms().iter().enumerate().take(PRIMES) {
                    // at most N·p < 2^62 in absolute value
                    let sum: i64 = secret
                        .iter()
                        .zip(&folded[place])
                        .map(|(rho, value)| i64::from(*rho) * value)
                        .sum();
                    terms[place] = transform.reduce_signed(sum);
                }
                terms
            })
            .collect()
    }
}

/// Checks the description of the rows and lists them in wire order.
fn list_rows(
    parameters: &Parameters,
    codes: &[u8],
    samples: usize,
    bins: &[i32],
    omitted: &[i32],
) -> Result<Vec<Row>, Refusal> {
    let invalid = |text: String| Err(Refusal::Invalid(text));
    let mut rows = Vec::new();
    for (feature, (bins, omitted)) in bins.iter().zip(omitted).enumerate() {
        if !(1..=256).contains(bins) {
            return invalid(format!(
                "feature {feature} has {bins} bins; 1 to 256 are possible"
            ));
        }
        if !(0..*bins).contains(omitted) {
            return invalid(format!(
                "feature {feature} omits bin {omitted}, which is not one of its {bins}"
            ));
        }
        let mut counts = [0usize; 256];
        for code in &codes[feature * samples..][..samples] {
            counts[*code as usize] += 1;
        }
        if let Some(code) = (*bins as usize..256).find(|code| counts[*code] > 0) {
            return invalid(format!(
                "feature {feature} has code {code} but only {bins} bins"
            ));
        }
        for bin in (0..*bins).filter(|bin| bin != omitted) {
            let (count, most) = (counts[bin as usize], parameters.max_row_samples());
            if count > most {
                return invalid(format!(
                    "row of feature {feature}, bin {bin} has {count} samples; {} takes at most {most} a row",
                    parameters.name
                ));
            }
            rows.push(Row {
                feature,
                bin: bin as u8,
            });
        }
    }
    if rows.is_empty() {
        return invalid("no feature has a second bin, so there is no row to set up".into());
    }
    Ok(rows)
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
        bin: u8,
        stream: &mut Stream,
        dummy: &mut [i8],
        hint: &mut [u8],
    ) {
        debug_assert!(public.len() <= MAX_BLOCKS + 1);
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
            for (codes, element) in column.chunks(degree).zip(&public[1..]) {
                write_indicator(codes, bin, prime, &mut self.polynomial);
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
        self.write_top_bits(hint);
    }

    fn write_top_bits(&self, hint: &mut [u8]) {
        let width = self.parameters.hint_coefficient_bits();
        let mut packer = Packer::new(hint);
        for slot in 0..self.parameters.ring_degree {
            let mut residues = [0; 3];
            for (place, sums) in self.sums.iter().enumerate() {
                residues[place] = sums[slot];
            }
            let top = shift_right(
                self.ring.compose(residues),
                self.parameters.hint_dropped_bits,
            );
            packer.push(
                top[0] & (u64::MAX >> 64u32.saturating_sub(width)),
                width.min(64),
            );
            if width > 64 {
                packer.push(top[1], width - 64);
            }
        }
        packer.finish();
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

/// Σ X^(−c) over the samples c of the block that are in the bin; X^(−c) = −X^(N−c) for c > 0.
fn write_indicator(codes: &[u8], bin: u8, prime: u64, polynomial: &mut [u64]) {
    let degree = polynomial.len();
    polynomial.fill(0);
    polynomial[0] = u64::from(codes[0] == bin);
    for (value, code) in polynomial[degree + 1 - codes.len()..]
        .iter_mut()
        .rev()
        .zip(&codes[1..])
    {
        *value = (prime - 1) & u64::from(*code == bin).wrapping_neg();
    }
}

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    use super::*;
    use crate::histogram::Guest;
    use crate::parameters::S100;

    fn host() -> Host {
        Host::set_up(&S100, &[1; 32], &[2; 32], vec![0, 1, 2, 1], &[3], &[1]).expect("rows fit")
    }

    #[test]
    fn a_hint_stops_at_its_most_answers() {
        let host = host();
        let guest = Guest::new(&S100, &[1; 32], 4).expect("samples fit");
        let query = guest.encrypt(&[0; 4], &[0; 4], &[3; 32]).expect("in range");
        host.answered
            .store(S100.answer_cap() - 3, Ordering::Relaxed);
        assert!(host.answer(query.ciphertext(), &[4; 32]).is_ok());
        assert_eq!(host.answered(), S100.answer_cap() - 1);
        assert_eq!(
            host.answer(query.ciphertext(), &[5; 32]),
            Err(Refusal::HintExhausted)
        );
        assert_eq!(
            host.answered(),
            S100.answer_cap() - 1,
            "a refused query is not counted"
        );
    }

    #[test]
    fn secrets_of_a_host_are_wiped_when_it_goes() {
        fn wiped<T: ZeroizeOnDrop>(_: &T) {}
        wiped(&host().dummies);
    }

    #[test]
    fn a_row_leaves_nothing_in_its_scratch_space() {
        let ring = Ring::new(&S100);
        let public = expand_public(&ring, &S100, &[1; 32], 1);
        let mut setup = RowSetup::new(&S100, &ring);
        let (mut dummy, mut hint) = (vec![0; 4096], vec![0; S100.hint_size(1)]);
        setup.run(
            &public,
            &[0, 1, 1],
            1,
            &mut Stream::new(&[2; 32], 0),
            &mut dummy,
            &mut hint,
        );
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
