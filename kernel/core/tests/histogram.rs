//! The static-hint histogram: exact sums, a big-integer reference bit for bit, its noise, and what it refuses.

use hanse_kernel::histogram::{
    Column, Columns, Encoder, Guest, Hint, Host, Level, Line, Message, Plane, Refusal, Sums,
    accumulate_on, block_samples, blocks, products_on,
};
use hanse_kernel::packing::{
    Packer, Unpacker, pack_plane, pack_plane_on, unpack_lanes_on, unpack_plane,
};
use hanse_kernel::parameters::{Parameters, Precision, S100, S105, S138, SETS};
use hanse_kernel::prg::{Stream, derive};
use hanse_kernel::ring::{PublicElement, Ring};
use hanse_kernel::sampling::{Flood, fill_gaussian, fill_ternary};
use hanse_kernel::simd;
use num_bigint::{BigInt, BigUint, Sign};

const PUBLIC: [u8; 32] = [7; 32];
const SET_UP: [u8; 32] = [8; 32];
const QUERY: [u8; 32] = [9; 32];
const FLOOD: [u8; 32] = [10; 32];

/// A cheap deterministic stream; the statistics of the samplers are tested elsewhere.
fn words(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

/// A host with its hint.
struct HintedHost {
    host: Host,
    hint: Vec<u8>,
}

impl std::ops::Deref for HintedHost {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

impl HintedHost {
    fn hint(&self) -> &[u8] {
        &self.hint
    }

    /// Answers a whole level in wire form.
    fn answer_level(
        &self,
        queries: usize,
        bytes: &[u8],
        seed: &[u8; 32],
        mask: Option<&[u8]>,
        parameters: &Parameters,
    ) -> Result<Vec<u8>, Refusal> {
        let dummies = queries * parameters.element_size(parameters.ring_degree);
        let (dummies, mut rest) = bytes.split_at(dummies.min(bytes.len()));
        let mut summing = self.begin(queries, dummies, mask)?;
        for block in 0..blocks(self.samples()) {
            let count = block_samples(self.samples(), block);
            let last = block + 1 == blocks(self.samples());
            let size = queries * parameters.encrypted_size(count);
            let (own, later) = rest.split_at(if last {
                rest.len()
            } else {
                size.min(rest.len())
            });
            self.add(&mut summing, own)?;
            rest = later;
        }
        self.finish(summing, seed)
    }
}

/// A level of queries and all that it sends.
struct Query {
    parameters: &'static Parameters,
    level: Level,
    ciphertext: Vec<u8>,
}

impl Query {
    fn of(guest: &Guest, parameters: &'static Parameters, level: Level) -> Self {
        let mut ciphertext = vec![0; guest.dummies_size(&level)];
        guest
            .dummies(&level, &mut ciphertext)
            .expect("its own level");
        for block in 0..guest.blocks() {
            let mut bytes = vec![0; guest.block_size(&level, block)];
            guest
                .encrypt(&level, block, &mut bytes)
                .expect("its own level");
            ciphertext.extend(bytes);
        }
        Self {
            parameters,
            level,
            ciphertext,
        }
    }

    fn ciphertext(&self) -> &[u8] {
        &self.ciphertext
    }

    fn secret(&self) -> &[i8] {
        self.level.secrets()
    }

    fn asked(&self, host: &HintedHost, seed: &[u8; 32]) -> Result<Vec<u8>, Refusal> {
        host.answer_level(
            self.level.queries(),
            &self.ciphertext,
            seed,
            None,
            self.parameters,
        )
    }
}

/// One query over all samples.
fn encrypt(guest: &Guest, g: &[i32], h: &[i32], seed: &[u8; 32]) -> Result<Level, Refusal> {
    let plane = Plane {
        gradients: g,
        hessians: h,
        slots: &vec![0; h.len()],
        queries: 1,
    };
    guest.begin(&[plane], seed)
}

struct Case {
    parameters: &'static Parameters,
    samples: usize,
    codes: Vec<u8>,
    bins: Vec<i32>,
    missing: Vec<u8>,
    omitted: Vec<i32>,
    gradients: Vec<i32>,
    hessians: Vec<i32>,
}

/// The extreme values of g and of h.
fn extremes(parameters: &Parameters) -> [(i32, i32); 3] {
    let half = 1 << (parameters.gradient_bits - 1);
    let most = (1 << parameters.hessian_bits) - 1;
    [(half - 1, most), (-half, 0), (-half, most)]
}

impl Case {
    fn random(
        parameters: &'static Parameters,
        samples: usize,
        bins: &[i32],
        omitted: &[i32],
        seed: u64,
    ) -> Self {
        let mut words = words(seed);
        let mut below = |bound: u64| words.next().expect("endless") % bound;
        let mut codes = Vec::with_capacity(bins.len() * samples);
        for bins in bins {
            codes.extend((0..samples).map(|_| below(*bins as u64) as u8));
        }
        let half = 1i64 << (parameters.gradient_bits - 1);
        let gradients = (0..samples)
            .map(|_| (below(2 * half as u64) as i64 - half) as i32)
            .collect();
        let hessians = (0..samples)
            .map(|_| below(1 << parameters.hessian_bits) as i32)
            .collect();
        Self {
            parameters,
            samples,
            codes,
            bins: bins.to_vec(),
            missing: vec![0; bins.len()],
            omitted: omitted.to_vec(),
            gradients,
            hessians,
        }
    }

    fn host(&self) -> HintedHost {
        self.try_host().expect("rows fit")
    }

    fn columns(&self) -> Columns<'_> {
        Columns {
            codes: &self.codes,
            bins: &self.bins,
            missing: &self.missing,
            omitted: &self.omitted,
        }
    }

    fn try_host(&self) -> Result<HintedHost, Refusal> {
        self.host_of(&SET_UP)
    }

    fn host_of(&self, seed: &[u8; 32]) -> Result<HintedHost, Refusal> {
        let (host, hint) = Host::set_up(self.parameters, &PUBLIC, seed, self.columns())?;
        Ok(HintedHost { host, hint })
    }

    /// What the key of a set-up is bound to, for fewer than 2^20 codes.
    fn digest(&self) -> [u8; 32] {
        let mut digest = blake3::Hasher::new();
        digest.update(&(self.codes.len() as u64).to_le_bytes());
        digest.update(blake3::hash(&self.codes).as_bytes());
        for numbers in [&self.bins, &self.omitted] {
            digest.update(&(numbers.len() as u64).to_le_bytes());
            numbers.iter().for_each(|number| {
                digest.update(&number.to_le_bytes());
            });
        }
        *digest.update(&self.missing).finalize().as_bytes()
    }

    fn guest(&self) -> Guest {
        Guest::new(self.parameters, &PUBLIC, self.samples).expect("samples fit")
    }

    fn hint<'a>(&self, host: &'a HintedHost) -> Hint<&'a [u8]> {
        Hint::parse(self.parameters, host.hint(), &host.rows_of_features())
            .expect("the hint is well formed")
    }

    fn encrypt(&self, guest: &Guest, seed: &[u8; 32]) -> Query {
        let level = encrypt(guest, &self.gradients, &self.hessians, seed);
        Query::of(guest, self.parameters, level.expect("the vector fits"))
    }

    /// The codes of each sent row's feature, and its bin.
    fn rows(&self) -> Vec<(&[u8], u8)> {
        let mut rows = Vec::new();
        for (feature, (bins, omitted)) in self.bins.iter().zip(&self.omitted).enumerate() {
            let column = &self.codes[feature * self.samples..][..self.samples];
            let missing = (self.missing[feature] != 0).then_some(*bins);
            rows.extend(
                (0..*bins)
                    .chain(missing)
                    .filter(|cell| cell != omitted)
                    .map(|cell| (column, if cell == *bins { 255 } else { cell as u8 })),
            );
        }
        rows
    }

    fn plain(&self) -> Sums {
        let sum = |values: &[i32]| {
            let of_row = |(column, bin): (&[u8], u8)| {
                column
                    .iter()
                    .zip(values)
                    .filter(|(code, _)| **code == bin)
                    .map(|(_, value)| i64::from(*value))
                    .sum()
            };
            self.rows().into_iter().map(of_row).collect()
        };
        Sums {
            gradients: sum(&self.gradients),
            hessians: sum(&self.hessians),
        }
    }

    fn federated(&self) -> Sums {
        let (host, guest) = (self.host(), self.guest());
        let query = self.encrypt(&guest, &QUERY);
        let answer = query
            .asked(&host, &FLOOD)
            .expect("the query is well formed");
        guest
            .decrypt(&query.level, &self.hint(&host), &answer, None)
            .expect("the answer is within the budget")
    }
}

// --- exactness ----------------------------------------------------------------------------------------------------

#[test]
fn sums_are_exact_in_both_sets_at_awkward_sizes() {
    for (parameters, samples) in [(&S100, 1), (&S100, 4097), (&S138, 8191), (&S138, 20_003)] {
        let case = Case::random(
            parameters,
            samples,
            &[3, 7, 255, 1],
            &[0, 6, 17, 0],
            samples as u64,
        );
        assert_eq!(
            case.federated(),
            case.plain(),
            "{} {samples}",
            parameters.name
        );
    }
}

#[test]
fn a_row_of_the_most_samples_is_exact_at_both_extremes_and_one_more_is_refused() {
    for parameters in SETS {
        let most = parameters.max_row_samples();
        let samples = most + 1000;
        let mut case = Case::random(parameters, samples, &[2], &[1], 1);
        case.codes = (0..samples)
            .map(|sample| {
                u8::from(sample % (samples / 999) == 0 && sample / (samples / 999) < 1000)
            })
            .collect();
        let ones = case.codes.iter().filter(|code| **code == 1).count();
        assert_eq!(samples - ones, most, "the row is full");
        let (host, guest) = (case.host(), case.guest());
        let hint = case.hint(&host);
        for (index, (g, h)) in extremes(parameters).into_iter().enumerate() {
            (case.gradients, case.hessians) = (vec![g; samples], vec![h; samples]);
            let query = case.encrypt(&guest, &[index as u8; 32]);
            let answer = query
                .asked(&host, &[index as u8; 32])
                .expect("the query is well formed");
            let sums = guest
                .decrypt(&query.level, &hint, &answer, None)
                .expect("within the budget");
            assert_eq!(
                sums.gradients,
                [i64::from(g) * most as i64],
                "{} {g} {h}",
                parameters.name
            );
            assert_eq!(
                sums.hessians,
                [i64::from(h) * most as i64],
                "{} {g} {h}",
                parameters.name
            );
        }
        let spare = case
            .codes
            .iter()
            .position(|code| *code == 1)
            .expect("there are some");
        case.codes[spare] = 0;
        let refusal = case.try_host().err().expect("one too many").to_string();
        assert!(
            refusal.contains("feature 0, bin 0") && refusal.contains(&(most + 1).to_string()),
            "{refusal}"
        );
    }
}

#[test]
fn one_ciphertext_serves_several_hosts_and_one_hint_many_queries() {
    let first = Case::random(&S100, 5000, &[4, 5], &[0, 1], 2);
    let mut second = Case::random(&S100, 5000, &[9], &[8], 3);
    (second.gradients, second.hessians) = (first.gradients.clone(), first.hessians.clone());
    let guest = first.guest();
    let hosts = [first.host(), second.host()];
    for round in 0..3 {
        let query = first.encrypt(&guest, &[round; 32]);
        for (case, host) in [&first, &second].into_iter().zip(&hosts) {
            let answer = query.asked(host, &[round; 32]).expect("well formed");
            assert_eq!(
                guest.decrypt(&query.level, &case.hint(host), &answer, None),
                Ok(case.plain())
            );
        }
    }
    assert_eq!(hosts.map(|host| host.answered()), [3 * 7, 3 * 8]);
}

// --- the reference ------------------------------------------------------------------------------------------------

/// A polynomial over the integers; everything is reduced modulo q only at the end.
struct Reference<'a> {
    case: &'a Case,
    modulus: BigInt,
    /// a_D, a_1, … as integers in [0, q).
    public: Vec<Vec<BigInt>>,
    dummies: Vec<Vec<i8>>,
    row_errors: Vec<Vec<i8>>,
    secret: Vec<i8>,
    /// e_D, e_1, …
    errors: Vec<Vec<i8>>,
}

impl<'a> Reference<'a> {
    fn new(case: &'a Case) -> Self {
        let parameters = case.parameters;
        let degree = parameters.ring_degree;
        let ring = Ring::new(parameters);
        let public = (0..=parameters.blocks(case.samples) as u64).map(|index| {
            let element = PublicElement::expand(&ring, parameters, &PUBLIC, index);
            let coefficients: Vec<Vec<u64>> = ring
                .transforms()
                .iter()
                .enumerate()
                .map(|(place, transform)| {
                    let mut values = element.values(place).to_vec();
                    transform.inverse_unscaled(&mut values);
                    values
                        .into_iter()
                        .map(|value| transform.multiply(value, transform.degree_inverse()))
                        .collect()
                })
                .collect();
            (0..degree)
                .map(|slot| {
                    let mut residues = [0; 3];
                    for (residue, values) in residues.iter_mut().zip(&coefficients) {
                        *residue = values[slot];
                    }
                    remainder_theorem(parameters, residues)
                })
                .collect()
        });
        Self {
            public: public.collect(),
            ..Self::drawn(case)
        }
    }

    /// All that is drawn, without the public part.
    fn drawn(case: &'a Case) -> Self {
        let parameters = case.parameters;
        let degree = parameters.ring_degree;
        let blocks = parameters.blocks(case.samples);
        let parts: [&[u8]; 3] = [parameters.name.as_bytes(), &PUBLIC, &case.digest()];
        let key = derive(&SET_UP, "hanse histogram set-up", &parts);
        let draw = |fill: fn(&mut Stream, &mut [i8]), stream: &mut Stream| {
            let mut values = vec![0; degree];
            fill(stream, &mut values);
            values
        };
        let mut dummies = Vec::new();
        let mut row_errors = Vec::new();
        for row in 0..case.rows().len() {
            let mut stream = Stream::new(&key, row as u64);
            dummies.push(draw(fill_ternary, &mut stream));
            row_errors.push(draw(fill_gaussian, &mut stream));
        }
        // one plane of one query: digests of chunks of 2^16 samples, then of the plane
        let slots = vec![0u16; case.samples];
        let mut digest = blake3::Hasher::new();
        digest.update(&1u64.to_le_bytes());
        digest.update(&(case.samples as u64).to_le_bytes());
        for start in (0..case.samples).step_by(1 << 16) {
            let range = start..case.samples.min(start + (1 << 16));
            let mut bytes: Vec<u8> = case.gradients[range.clone()]
                .iter()
                .chain(&case.hessians[range.clone()])
                .flat_map(|value| value.to_le_bytes())
                .collect();
            bytes.extend(slots[range].iter().flat_map(|slot| slot.to_le_bytes()));
            digest.update(blake3::hash(&bytes).as_bytes());
        }
        let level = derive(
            &QUERY,
            "hanse histogram level",
            &[digest.finalize().as_bytes()],
        );
        let key = derive(&level, "hanse histogram query", &[&0u64.to_le_bytes()]);
        let secret = draw(fill_ternary, &mut Stream::new(&key, 0));
        let errors = (0..=blocks as u64)
            .map(|block| draw(fill_gaussian, &mut Stream::new(&key, 1 + block)))
            .collect();
        let modulus = parameters
            .primes
            .iter()
            .map(|prime| BigInt::from(*prime))
            .product();
        Self {
            case,
            modulus,
            public: Vec::new(),
            dummies,
            row_errors,
            secret,
            errors,
        }
    }

    fn reduce(&self, value: BigInt) -> BigInt {
        ((value % &self.modulus) + &self.modulus) % &self.modulus
    }

    /// Coefficient `slot` of element·small modulo X^N + 1.
    fn product_at(element: &[BigInt], small: &[i8], slot: usize) -> BigInt {
        let mut sum = BigInt::ZERO;
        for (index, factor) in small.iter().enumerate().filter(|(_, factor)| **factor != 0) {
            let term = if index <= slot {
                element[slot - index].clone()
            } else {
                -&element[slot + element.len() - index]
            };
            sum += term * *factor;
        }
        sum
    }

    /// Coefficient `slot` of H_r.
    fn row_at(&self, row: usize, slot: usize) -> BigInt {
        let degree = self.case.parameters.ring_degree;
        let (column, bin) = self.case.rows()[row];
        let mut sum = Self::product_at(&self.public[0], &self.dummies[row], slot)
            + self.row_errors[row][slot];
        for (sample, _) in column.iter().enumerate().filter(|(_, code)| **code == bin) {
            let (block, shift) = (sample / degree, sample % degree);
            // X^(−shift)·a: coefficient slot is a's at slot + shift, negated where that wraps
            let element = &self.public[1 + block];
            let term = if slot + shift < degree {
                element[slot + shift].clone()
            } else {
                -&element[slot + shift - degree]
            };
            sum += term;
        }
        self.reduce(sum)
    }

    /// Coefficient `slot` of b number `index` (0 is the dummy).
    fn query_at(&self, index: usize, slot: usize) -> BigInt {
        let parameters = self.case.parameters;
        let product =
            Self::product_at(&self.public[index], &self.secret, slot) + self.errors[index][slot];
        let sample = (index.max(1) - 1) * parameters.ring_degree + slot;
        let message = if index == 0 || sample >= self.case.samples {
            BigInt::ZERO
        } else {
            (BigInt::from(self.case.gradients[sample]) << parameters.low_digit_bits())
                + self.case.hessians[sample]
        };
        self.reduce(product + message * (&self.modulus >> parameters.payload_bits()))
    }

    /// δ_r: what an answer holds beyond the sum and the flood, when no bit of the hint is dropped.
    fn leftover(&self, row: usize) -> i64 {
        let degree = self.case.parameters.ring_degree;
        let (column, bin) = self.case.rows()[row];
        let members = column.iter().enumerate().filter(|(_, code)| **code == bin);
        let message: i64 = members
            .map(|(sample, _)| i64::from(self.errors[1 + sample / degree][sample % degree]))
            .sum();
        let constant = |left: &[i8], right: &[i8]| {
            let wrapped: i64 = (1..degree)
                .map(|index| i64::from(left[index]) * i64::from(right[degree - index]))
                .sum();
            i64::from(left[0]) * i64::from(right[0]) - wrapped
        };
        message + constant(&self.dummies[row], &self.errors[0])
            - constant(&self.row_errors[row], &self.secret)
    }
}

/// The integer with these residues, by its definition.
fn remainder_theorem(parameters: &Parameters, residues: [u64; 3]) -> BigInt {
    let modulus: BigUint = parameters
        .primes
        .iter()
        .map(|prime| BigUint::from(*prime))
        .product();
    let terms = parameters
        .primes
        .iter()
        .zip(residues)
        .map(|(prime, residue)| {
            let others = &modulus / prime;
            let inverse =
                (&others % prime).modpow(&BigUint::from(prime - 2), &BigUint::from(*prime));
            others * inverse * residue
        });
    BigInt::from_biguint(Sign::Plus, terms.sum::<BigUint>() % modulus)
}

/// Sum `index` of an answer.
fn residues_at(parameters: &Parameters, bytes: &[u8], index: usize) -> BigInt {
    let mut reader = reader_at(bytes, index * parameters.modulus_bits() as usize);
    let mut residues = [0; 3];
    for residue in residues.iter_mut().take(parameters.primes.len()) {
        *residue = reader.pull(parameters.prime_bits);
    }
    remainder_theorem(parameters, residues)
}

/// Coefficient `slot` of ring element `element` of a query over fewer than 2^16 samples, the dummy element being the first.
fn coefficient_at(
    parameters: &Parameters,
    samples: usize,
    bytes: &[u8],
    element: usize,
    slot: usize,
) -> BigInt {
    let degree = parameters.ring_degree;
    let count = if element == 0 {
        degree
    } else {
        degree.min(samples - (element - 1) * degree)
    };
    let start = element * parameters.element_size(degree);
    let mut residues = [0; 3];
    for (place, residue) in residues
        .iter_mut()
        .enumerate()
        .take(parameters.primes.len())
    {
        let plane = start + place * parameters.plane_size(count);
        let mut reader = reader_at(&bytes[plane..], slot * parameters.prime_bits as usize);
        *residue = reader.pull(parameters.prime_bits);
    }
    remainder_theorem(parameters, residues)
}

fn reader_at(bytes: &[u8], bit: usize) -> Unpacker<'_> {
    let mut reader = Unpacker::new(&bytes[bit / 8..]);
    if !bit.is_multiple_of(8) {
        reader.pull((bit % 8) as u32);
    }
    reader
}

fn hint_at(parameters: &Parameters, hint: &[u8], row: usize, slot: usize) -> BigInt {
    let row = &hint[row * parameters.hint_size(1)..][..parameters.hint_size(1)];
    let bytes: Vec<u8> = row
        .chunks(parameters.ring_degree)
        .map(|plane| plane[slot])
        .collect();
    BigInt::from_bytes_le(Sign::Plus, &bytes)
}

#[test]
fn hint_query_and_answer_equal_the_big_integer_reference_bit_for_bit() {
    for parameters in SETS {
        let degree = parameters.ring_degree;
        let case = Case::random(parameters, degree + 700, &[3, 40], &[1, 30], 4);
        let reference = Reference::new(&case);
        let (host, guest) = (case.host(), case.guest());
        let query = case.encrypt(&guest, &QUERY);
        let mut slots: Vec<usize> = words(5)
            .take(40)
            .map(|word| word as usize % degree)
            .collect();
        slots.extend([0, 1, degree - 1]);
        for row in [0, 1, 2, 20, host.rows() - 1] {
            for slot in &slots {
                let expected = reference.row_at(row, *slot) >> parameters.hint_dropped_bits;
                assert_eq!(
                    hint_at(parameters, host.hint(), row, *slot),
                    expected,
                    "row {row}, coefficient {slot}"
                );
            }
        }
        for place in slots
            .iter()
            .flat_map(|slot| [*slot, degree + slot, 2 * degree + slot])
        {
            if place < degree + case.samples {
                let expected = reference.query_at(place / degree, place % degree);
                assert_eq!(
                    coefficient_at(
                        parameters,
                        case.samples,
                        query.ciphertext(),
                        place / degree,
                        place % degree
                    ),
                    expected,
                    "place {place}"
                );
            }
        }

        let answer = query.asked(&host, &FLOOD).expect("well formed");
        let mut binding = blake3::Hasher::new();
        binding.update(&0u64.to_le_bytes());
        binding.update(&query.ciphertext()[..parameters.element_size(degree)]);
        let key = derive(
            &FLOOD,
            "hanse histogram flood",
            &[binding.finalize().as_bytes()],
        );
        let flood = Flood::new(parameters.flood_shift, parameters.flood_coarse_sigma);
        let mut stream = Stream::new(&key, 0);
        let coefficient = |element: usize, slot: usize| {
            coefficient_at(parameters, case.samples, query.ciphertext(), element, slot)
        };
        let dummy: Vec<BigInt> = (0..degree).map(|slot| coefficient(0, slot)).collect();
        let samples: Vec<BigInt> = (0..case.samples)
            .map(|sample| coefficient(1 + sample / degree, sample % degree))
            .collect();
        for (row, (column, bin)) in case.rows().into_iter().enumerate() {
            let noise = flood.sample(&mut stream);
            let mut sum = Reference::product_at(&dummy, &reference.dummies[row], 0) + noise;
            for (sample, _) in column.iter().enumerate().filter(|(_, code)| **code == bin) {
                sum += &samples[sample];
            }
            assert_eq!(
                residues_at(parameters, &answer, row),
                reference.reduce(sum),
                "row {row}"
            );
        }
    }
}

// --- paths --------------------------------------------------------------------------------------------------------

#[test]
fn packed_planes_are_the_same_on_all_paths_and_read_back() {
    for (width, bound) in [
        (35, S105.primes[0]),
        (46, S138.primes[2]),
        (50, S100.primes[1]),
    ] {
        for count in [0, 1, 7, 8, 9, 16, 23, 64, 4095, 4096] {
            let values: Vec<u64> = words(count as u64)
                .map(|word| word % bound)
                .take(count)
                .collect();
            let mut expected = vec![0; (count * width as usize).div_ceil(8)];
            let mut packer = Packer::new(&mut expected);
            values.iter().for_each(|value| packer.push(*value, width));
            packer.finish();
            for path in simd::available() {
                let mut packed = vec![0xa5; expected.len()];
                pack_plane_on(path, &values, width, &mut packed);
                assert_eq!(packed, expected, "{path:?} {width} {count}");
                let planes = [(&expected[..], bound); 8];
                for (used, stride) in [(1, 2), (2, 2), (3, 4), (4, 4), (6, 8), (8, 8)] {
                    let mut lines = vec![Line::default(); (count * stride).div_ceil(8)];
                    let planes = &planes[..used];
                    assert!(unpack_lanes_on(
                        path, planes, width, count, stride, &mut lines
                    ));
                    let found = words_of(&lines);
                    for (index, value) in values.iter().enumerate() {
                        let sample = &found[index * stride..][..stride];
                        assert!(
                            sample[..used].iter().all(|word| word == value),
                            "{path:?} {stride}"
                        );
                        assert!(sample[used..].iter().all(|word| *word == 0));
                    }
                }
            }
            let mut read = vec![0; count];
            assert!(unpack_plane(&expected, width, bound, &mut read));
            assert_eq!(read, values);
        }
    }
}

#[test]
fn a_packed_number_at_its_bound_or_set_padding_is_found_wherever_it_is() {
    let bound = S100.primes[1];
    for path in simd::available() {
        for place in [0, 3, 8, 62, 63, 64] {
            let mut values = vec![bound - 1; 65];
            values[place] = bound;
            let mut bytes = vec![0; (65 * 50usize).div_ceil(8)];
            pack_plane_on(path, &values, 50, &mut bytes);
            let mut lines = vec![Line::default(); 65];
            let mut sound = |bytes: &[u8], bound| {
                let planes = [(bytes, bound), (bytes, 1 << 50)];
                unpack_lanes_on(path, &planes, 50, 65, 2, &mut lines)
            };
            assert!(!sound(&bytes, bound), "{path:?} {place}");
            assert!(sound(&bytes, bound + 1), "{path:?} {place}");
            *bytes.last_mut().expect("not empty") |= 0x80;
            assert!(!sound(&bytes, bound + 1));
        }
    }
}

fn words_of(lines: &[Line]) -> Vec<u64> {
    lines.iter().flat_map(|line| line.0).collect()
}

#[test]
fn sums_are_the_same_on_all_paths_and_those_of_a_plain_loop() {
    for (width, columns, count) in [
        (2usize, 1usize, 100usize),
        (2, 7, 99),
        (4, 5, 33),
        (8, 3, 2048),
        (8, 9, 5),
    ] {
        let mut random = words(width as u64);
        let mut samples = vec![Line::default(); (count * width).div_ceil(8)];
        for line in &mut samples {
            line.0 = std::array::from_fn(|_| random.next().expect("endless"));
        }
        let slots: Vec<Vec<u8>> = (0..columns)
            .map(|column| {
                let rows = [1, 2, 33, 256][column % 4];
                (0..count)
                    .map(|_| (random.next().expect("endless") % rows) as u8)
                    .collect()
            })
            .collect();
        let plain: Vec<Vec<u64>> = slots
            .iter()
            .map(|slots| {
                let mut table = vec![1u64; 256 * width];
                for (slot, sample) in slots.iter().zip(words_of(&samples).chunks(width)) {
                    for (lane, word) in sample.iter().enumerate() {
                        let sum = &mut table[usize::from(*slot) * width + lane];
                        *sum = sum.wrapping_add(*word);
                    }
                }
                table
            })
            .collect();
        for path in simd::available() {
            let mut tables = vec![vec![Line([1; 8]); 256 * width / 8]; columns];
            let mut all: Vec<Column<'_>> = tables
                .iter_mut()
                .zip(&slots)
                .map(|(table, slots)| Column { slots, table })
                .collect();
            accumulate_on(path, width, &mut all, &samples);
            let found: Vec<_> = tables.iter().map(|table| words_of(table)).collect();
            assert_eq!(found, plain, "{path:?} {width}");
        }
    }
}

#[test]
#[should_panic(expected = "beyond its table")]
fn a_slot_beyond_its_table_is_never_written() {
    let mut table = vec![Line::default(); 3];
    let mut columns = [Column {
        slots: &[0, 1, 3, 2],
        table: &mut table,
    }];
    accumulate_on(simd::path(), 8, &mut columns, &[Line::default(); 4]);
}

#[test]
fn inner_products_are_the_same_on_all_paths_and_those_of_a_plain_loop() {
    for (inner, rows, columns) in [
        (64, 1, 1),
        (128, 5, 3),
        (4096, 7, 9),
        (8192, 4, 4),
        (8192, 2, 1),
    ] {
        let mut random = words(inner as u64);
        // the largest numbers and signs among them
        let left: Vec<u8> = (0..rows * inner)
            .map(|at| {
                if at < inner {
                    255
                } else {
                    random.next().expect("endless") as u8
                }
            })
            .collect();
        let right: Vec<i8> = (0..columns * inner)
            .map(|at| {
                if at < inner {
                    -1
                } else {
                    (random.next().expect("endless") % 3) as i8 - 1
                }
            })
            .collect();
        let mut plain = Vec::new();
        for left in left.chunks(inner) {
            for right in right.chunks(inner) {
                let terms = left.iter().zip(right);
                plain.push(
                    terms
                        .map(|(a, b)| i32::from(*a) * i32::from(*b))
                        .sum::<i32>(),
                );
            }
        }
        for path in simd::available() {
            let mut found = vec![7; rows * columns];
            products_on(path, &left, &right, inner, &mut found);
            assert_eq!(found, plain, "{path:?} {inner} {rows} {columns}");
        }
    }
}

#[test]
fn messages_are_added_the_same_on_all_paths_and_as_big_integers_say() {
    for parameters in SETS {
        let ring = Ring::new(parameters);
        let modulus: BigInt = parameters
            .primes
            .iter()
            .map(|prime| BigInt::from(*prime))
            .product();
        let step = u64::try_from(&modulus >> parameters.payload_bits()).expect("one word");
        for transform in ring.transforms() {
            let prime = transform.prime();
            let encoder = Encoder::new(parameters, transform, step);
            let mut random = words(prime);
            let mut next = || random.next().expect("endless");
            let half = 1i64 << (parameters.gradient_bits - 1);
            let count = 77;
            let mut product: Vec<u64> = (0..count).map(|_| next() % (2 * prime)).collect();
            let mut errors: Vec<i8> = (0..count).map(|_| (next() % 59) as i8 - 29).collect();
            let mut g: Vec<i32> = (0..count)
                .map(|_| ((next() % (2 * half as u64)) as i64 - half) as i32)
                .collect();
            let mut h: Vec<i32> = (0..count)
                .map(|_| (next() % (1 << parameters.hessian_bits)) as i32)
                .collect();
            let (least, most) = extremes_of(parameters);
            for at in 0..8 {
                product[at] = if at & 1 == 0 { 0 } else { 2 * prime - 1 };
                (g[at], h[at]) = if at & 2 == 0 { least } else { most };
                errors[at] = if at & 4 == 0 { -128 } else { 127 };
            }
            let expected: Vec<u64> = (0..count)
                .map(|at| {
                    let sum = (BigInt::from(g[at]) << parameters.low_digit_bits()) + h[at];
                    let value = sum * step + product[at] + errors[at] + (&modulus << 8);
                    u64::try_from(value % prime).expect("one word")
                })
                .collect();
            for path in simd::available() {
                let mut found = product.clone();
                let message = Message {
                    errors: &errors,
                    gradients: &g,
                    hessians: &h,
                };
                encoder.add_on(path, &mut found, message);
                assert_eq!(found, expected, "{path:?} {}", parameters.name);
            }
        }
    }
}

fn extremes_of(parameters: &Parameters) -> ((i32, i32), (i32, i32)) {
    let [(g, h), (least, none), _] = extremes(parameters);
    ((least, none), (g, h))
}

// --- noise --------------------------------------------------------------------------------------------------------

fn deviation(values: &[f64]) -> f64 {
    (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt()
}

#[test]
fn the_leftover_is_as_wide_as_its_formula() {
    for parameters in SETS {
        let degree = parameters.ring_degree;
        let case = Case::random(parameters, degree + 900, &[255; 12], &[0; 12], 6);
        let reference = Reference::drawn(&case);
        let leftovers: Vec<f64> = (0..case.rows().len())
            .map(|row| {
                let (column, bin) = case.rows()[row];
                let members = column.iter().filter(|code| **code == bin).count() as f64;
                let variance =
                    (3.2f64.powi(2) + 1.0 / 12.0) * (members + 4.0 * degree as f64 / 3.0);
                reference.leftover(row) as f64 / variance.sqrt()
            })
            .collect();
        // one s and one e_D serve all rows: their own lengths vary by a percent or so
        let ratio = deviation(&leftovers);
        assert!((ratio - 1.0).abs() < 0.05, "{} {ratio}", parameters.name);
    }
}

#[test]
fn the_whole_noise_of_an_answer_is_as_wide_as_its_formula() {
    for parameters in SETS {
        let case = Case::random(parameters, 3000, &[255; 4], &[0; 4], 7);
        let (host, guest) = (case.host(), case.guest());
        let query = case.encrypt(&guest, &QUERY);
        let modulus: BigInt = parameters
            .primes
            .iter()
            .map(|prime| BigInt::from(*prime))
            .product();
        let step = &modulus >> parameters.payload_bits();
        let plain = case.plain();
        let middle = BigInt::from(1) << (parameters.hint_dropped_bits - 1);
        // z − ct(H·s) − Δ·sum, with the hint as sent
        let known: Vec<BigInt> = (0..host.rows())
            .map(|row| {
                let terms = (0..parameters.ring_degree)
                    .filter(|slot| query.secret()[*slot] != 0)
                    .map(|slot| {
                        let coefficient: BigInt = hint_at(parameters, host.hint(), row, slot)
                            << parameters.hint_dropped_bits;
                        (coefficient + &middle) * query.secret()[slot]
                    });
                let sum = (BigInt::from(plain.gradients[row]) << parameters.low_digit_bits())
                    + plain.hessians[row];
                terms.sum::<BigInt>() + sum * &step
            })
            .collect();
        let mut noises = Vec::new();
        for round in 0..4 {
            let answer = query.asked(&host, &[round; 32]).expect("well formed");
            noises.extend(known.iter().enumerate().map(|(row, known)| {
                let noise = residues_at(parameters, &answer, row) - known;
                let noise = ((noise % &modulus) + &modulus) % &modulus;
                let centred = if &noise * 2 > modulus {
                    noise - &modulus
                } else {
                    noise
                };
                i64::try_from(centred).expect("far below a word") as f64
            }));
        }
        let ratio = deviation(&noises) / parameters.noise_sigma(parameters.max_row_samples());
        assert!((ratio - 1.0).abs() < 0.05, "{} {ratio}", parameters.name);
        let worst = noises
            .iter()
            .fold(0f64, |worst, noise| worst.max(noise.abs()));
        assert!(
            worst < 6.0 * parameters.noise_sigma(parameters.max_row_samples()),
            "{} {worst}",
            parameters.name
        );
    }
}

// --- wire forms and refusals --------------------------------------------------------------------------------------

/// A small case with everything that goes over the wire.
struct Wire {
    case: Case,
    host: HintedHost,
    guest: Guest,
    query: Query,
    answer: Vec<u8>,
}

impl Wire {
    fn new(parameters: &'static Parameters) -> Self {
        let case = Case::random(parameters, 1001, &[3, 4], &[0, 2], 8);
        let (host, guest) = (case.host(), case.guest());
        let query = case.encrypt(&guest, &QUERY);
        let answer = query.asked(&host, &FLOOD).expect("well formed");
        Self {
            case,
            host,
            guest,
            query,
            answer,
        }
    }

    fn answer_to(&self, query: &[u8]) -> Result<Vec<u8>, Refusal> {
        self.host
            .answer_level(1, query, &FLOOD, None, self.case.parameters)
    }

    fn decrypt(&self, answer: &[u8]) -> Result<Sums, Refusal> {
        self.guest
            .decrypt(&self.query.level, &self.case.hint(&self.host), answer, None)
    }
}

/// The bytes one shorter, one longer, empty, all ones, and with the last bit set.
fn spoilt(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut last = bytes.to_vec();
    *last.last_mut().expect("not empty") |= 0x80;
    let longer = [bytes, &[0]].concat();
    vec![
        bytes[..bytes.len() - 1].to_vec(),
        longer,
        vec![],
        vec![0xff; bytes.len()],
        last,
    ]
}

fn is_malformed<T>(result: Result<T, Refusal>) -> bool {
    matches!(result, Err(Refusal::Malformed(_)))
}

#[test]
fn sizes_are_what_the_parameters_say() {
    for parameters in SETS {
        let wire = Wire::new(parameters);
        assert_eq!(
            wire.query.ciphertext().len(),
            parameters.element_size(parameters.ring_degree) + parameters.encrypted_size(1001)
        );
        assert_eq!(wire.host.hint().len(), parameters.hint_size(5));
        assert_eq!(wire.answer.len(), parameters.answer_size(5));
    }
    assert_eq!(S100.encrypted_size(1 << 20), (1 << 20) * 100 / 8);
    assert_eq!((S100.hint_size(1), S138.hint_size(1)), (28_672, 98_304));
}

#[test]
fn malformed_queries_hints_and_answers_are_refused() {
    for parameters in SETS {
        let wire = Wire::new(parameters);
        for query in spoilt(wire.query.ciphertext()) {
            assert!(
                is_malformed(wire.answer_to(&query)),
                "query of {} bytes",
                query.len()
            );
        }
        for answer in spoilt(&wire.answer) {
            assert!(
                is_malformed(wire.decrypt(&answer)),
                "answer of {} bytes",
                answer.len()
            );
        }
        let hint = wire.host.hint();
        for bytes in [
            &hint[1..],
            &[hint, &[0]].concat()[..],
            &[],
            &vec![0xff; hint.len()],
        ] {
            assert!(is_malformed(Hint::parse(parameters, bytes, &[2, 3])));
        }
        assert!(is_malformed(Hint::parse(parameters, hint, &[2, 2])));
        assert!(is_malformed(Hint::parse(parameters, hint, &[6])));
        assert!(is_malformed(Hint::parse(parameters, &[][..], &[])));
    }
}

#[test]
fn a_residue_equal_to_its_prime_is_refused_and_one_below_is_read() {
    for parameters in SETS {
        let wire = Wire::new(parameters);
        for (place, prime) in parameters.primes.iter().enumerate() {
            for (residue, refused) in [(*prime, true), (prime - 1, false)] {
                let residues: Vec<u64> = (0..5 * parameters.primes.len())
                    .map(|index| if index == place { residue } else { 0 })
                    .collect();
                let mut answer = vec![0; parameters.answer_size(5)];
                let mut packer = Packer::new(&mut answer);
                residues
                    .iter()
                    .for_each(|residue| packer.push(*residue, parameters.prime_bits));
                packer.finish();
                assert_eq!(is_malformed(wire.decrypt(&answer)), refused);
                let mut query = wire.query.ciphertext().to_vec();
                let plane = &mut query[place * parameters.plane_size(parameters.ring_degree)..];
                let eight = [residue, 0, 0, 0, 0, 0, 0, 0];
                let bytes = parameters.prime_bits as usize;
                pack_plane(&eight, parameters.prime_bits, &mut plane[..bytes]);
                assert_eq!(is_malformed(wire.answer_to(&query)), refused);
            }
        }
    }
}

#[test]
fn answers_that_belong_to_something_else_are_outside_the_noise_budget() {
    for parameters in SETS {
        let wire = Wire::new(parameters);
        let case = &wire.case;
        let hint = case.hint(&wire.host);
        assert_eq!(
            wire.guest
                .decrypt(&wire.query.level, &hint, &wire.answer, None),
            Ok(case.plain())
        );
        let other_query = case.encrypt(&wire.guest, &[77; 32]);
        assert_eq!(
            wire.guest
                .decrypt(&other_query.level, &hint, &wire.answer, None),
            Err(Refusal::NoiseBudget)
        );
        let other_host = case.host_of(&[78; 32]).expect("rows fit");
        let other_hint = case.hint(&other_host);
        assert_eq!(
            wire.guest
                .decrypt(&wire.query.level, &other_hint, &wire.answer, None),
            Err(Refusal::NoiseBudget)
        );
        assert_eq!(
            wire.decrypt(&vec![0; wire.answer.len()]),
            Err(Refusal::NoiseBudget)
        );
        let stranger = Guest::new(parameters, &[79; 32], case.samples).expect("samples fit");
        let query = case.encrypt(&stranger, &QUERY);
        let answer = query.asked(&wire.host, &FLOOD).expect("well formed");
        assert_eq!(
            stranger.decrypt(&query.level, &hint, &answer, None),
            Err(Refusal::NoiseBudget),
            "another public seed"
        );
    }
}

/// The answer with `offset` added to every row, modulo q.
fn shifted(parameters: &Parameters, answer: &[u8], rows: usize, offset: &BigInt) -> Vec<u8> {
    let mut bytes = vec![0; answer.len()];
    let mut packer = Packer::new(&mut bytes);
    for row in 0..rows {
        let value = residues_at(parameters, answer, row) + offset;
        for prime in parameters.primes {
            let prime = BigInt::from(*prime);
            packer.push(
                u64::try_from(((&value % &prime) + &prime) % &prime).expect("one word"),
                parameters.prime_bits,
            );
        }
    }
    packer.finish();
    bytes
}

#[test]
fn noise_within_the_margin_decodes_and_noise_near_half_a_step_is_an_error_of_the_whole_answer() {
    for parameters in SETS {
        let wire = Wire::new(parameters);
        let sigma = parameters.noise_sigma(parameters.max_row_samples());
        for (offset, within) in [(5.0, true), (-5.0, true), (9.4, false), (-9.4, false)] {
            let offset = BigInt::from((offset * sigma) as i64);
            let decrypted = wire.decrypt(&shifted(parameters, &wire.answer, 5, &offset));
            assert_eq!(
                decrypted,
                if within {
                    Ok(wire.case.plain())
                } else {
                    Err(Refusal::NoiseBudget)
                }
            );
        }
        // sums that no row of the most samples can have
        let modulus: BigInt = parameters
            .primes
            .iter()
            .map(|prime| BigInt::from(*prime))
            .product();
        let step = modulus >> parameters.payload_bits();
        let largest = BigInt::from(1) << (parameters.payload_bits() - 1);
        let beyond = shifted(parameters, &wire.answer, 5, &(step * (largest - 1)));
        assert_eq!(wire.decrypt(&beyond), Err(Refusal::NoiseBudget));
    }
}

#[test]
fn tables_that_do_not_fit_together_are_refused_in_words() {
    let case = Case::random(&S138, 100, &[3, 4], &[0, 2], 9);
    let refuse = |codes: &[u8], bins: &[i32], omitted: &[i32]| {
        let missing = vec![0; bins.len()];
        let columns = Columns {
            codes,
            bins,
            missing: &missing,
            omitted,
        };
        match Host::set_up(&S138, &PUBLIC, &SET_UP, columns) {
            Err(Refusal::Invalid(text)) => text,
            other => panic!("not refused: {:?}", other.err()),
        }
    };
    let codes = &case.codes;
    assert!(refuse(codes, &[3], &[0, 0]).contains("same features"));
    assert!(refuse(&codes[1..], &[3, 4], &[0, 0]).contains("same features"));
    assert!(refuse(&[], &[3, 4], &[0, 0]).contains("samples"));
    assert!(refuse(codes, &[], &[]).contains("same features"));
    assert!(refuse(codes, &[2, 4], &[0, 0]).contains("feature 0 has code 2"));
    assert!(refuse(codes, &[0, 4], &[0, 0]).contains("feature 0 has 0 bins"));
    assert!(refuse(codes, &[3, 256], &[0, 0]).contains("feature 1 has 256 bins"));
    assert!(refuse(codes, &[3, 4], &[0, 4]).contains("feature 1 omits bin 4"));
    assert!(refuse(codes, &[3, 4], &[-1, 0]).contains("feature 0 omits bin -1"));
    assert!(refuse(&[0; 100], &[1], &[0]).contains("no row"));
}

#[test]
fn vectors_out_of_range_are_refused() {
    for parameters in SETS {
        let guest = Guest::new(parameters, &PUBLIC, 10).expect("samples fit");
        let in_range = |g: i32, h: i32| encrypt(&guest, &[g; 10], &[h; 10], &QUERY).map(|_| ());
        for (g, h) in extremes(parameters) {
            assert_eq!(in_range(g, h), Ok(()));
        }
        let half = 1 << (parameters.gradient_bits - 1);
        for (g, h) in [
            (half, 0),
            (-half - 1, 0),
            (0, -1),
            (0, 1 << parameters.hessian_bits),
            (i32::MIN, 0),
            (0, i32::MAX),
        ] {
            assert!(
                matches!(in_range(g, h), Err(Refusal::Invalid(_))),
                "{g} {h}"
            );
        }
        assert!(encrypt(&guest, &[0; 9], &[0; 10], &QUERY).is_err());
        assert!(encrypt(&guest, &[0; 10], &[0; 11], &QUERY).is_err());
        assert!(Guest::new(parameters, &PUBLIC, 0).is_err());
        assert!(Guest::new(parameters, &PUBLIC, parameters.max_samples() + 1).is_err());
    }
}

#[test]
fn a_seed_used_twice_for_another_vector_gives_an_unrelated_secret() {
    let mut case = Case::random(&S100, 50, &[2], &[0], 10);
    let guest = case.guest();
    let first = case.encrypt(&guest, &QUERY);
    assert_eq!(first.secret(), case.encrypt(&guest, &QUERY).secret());
    case.gradients[49] ^= 1;
    let second = case.encrypt(&guest, &QUERY);
    let equal = first
        .secret()
        .iter()
        .zip(second.secret())
        .filter(|(a, b)| a == b)
        .count();
    // a third of 4096 by chance, σ = 30
    assert!((1200..1530).contains(&equal), "{equal}");
}

#[test]
fn queries_and_hints_of_unlike_data_look_alike() {
    // means of the residues of two queries and of two hints whose contents are as far apart as they can be
    let mean =
        |bytes: &[u8]| bytes.iter().map(|byte| f64::from(*byte)).sum::<f64>() / bytes.len() as f64;
    let guest = Guest::new(&S100, &PUBLIC, 4096).expect("samples fit");
    for (tag, (g, h)) in extremes(&S100).into_iter().enumerate() {
        let level = encrypt(&guest, &[g; 4096], &[h; 4096], &[tag as u8; 32]).expect("in range");
        let query = Query::of(&guest, &S100, level);
        // 102 400 bytes of standard deviation 73.9: σ of the mean is 0.23
        assert!((mean(query.ciphertext()) - 127.5).abs() < 1.2);
    }
    for share in [1, 4095] {
        let codes: Vec<u8> = (0..4096).map(|sample| u8::from(sample < share)).collect();
        let mut case = Case::random(&S100, 4096, &[2], &[0], 11);
        case.codes = codes;
        let host = case.host();
        assert!((mean(host.hint()) - 127.5).abs() < 2.2);
    }
}

#[test]
fn the_set_follows_samples_largest_row_answers_and_precision() {
    let choose = |samples, largest_row, answers, precision| {
        Parameters::choose(samples, largest_row, answers, precision).map(|set| set.name)
    };
    let coarse =
        |samples, largest_row, answers| choose(samples, largest_row, answers, Precision::Coarse);
    assert_eq!(coarse(100, 10, 1), Some("S100"));
    assert_eq!(coarse(1 << 17, 1 << 16, 0), Some("S100"));
    assert_eq!(coarse(1 << 17, (1 << 16) + 1, 0), Some("S105"));
    assert_eq!(coarse(1 << 17, (1 << 16) + 1, (1 << 22) + 1), Some("S138"));
    assert_eq!(coarse(1 << 18, (1 << 17) + 1, 0), Some("S138"));
    assert_eq!(coarse(1 << 22, (1 << 20) + 1, 0), None);
    assert_eq!(coarse(1 << 17, 1, (1 << 28) + 1), None);
    assert_eq!(coarse((1 << 24) + 1, 1, 1), Some("S138"));
    assert_eq!(coarse((1 << 25) + 1, 1, 1), None);
    assert_eq!(choose(50_000, 0, 0, Precision::Medium), Some("S105"));
    assert_eq!(
        choose(50_000, 0, (1 << 22) + 1, Precision::Medium),
        Some("S138")
    );
    assert_eq!(choose(1 << 20, 10, 1, Precision::Fine), Some("S138"));
    assert_eq!(Parameters::named("S138"), Some(&S138));
    assert_eq!(Parameters::named("S99"), None);
}

#[test]
fn the_margin_is_half_a_step_over_the_noise_of_the_largest_row() {
    for parameters in SETS {
        let most = parameters.max_row_samples();
        assert!(parameters.margin(most) > 9.3);
        let modulus: f64 = parameters
            .primes
            .iter()
            .map(|prime| *prime as f64)
            .product();
        for row in [1, most, 1 << 40] {
            let step = modulus / f64::from(parameters.payload_bits()).exp2();
            let expected = step / 2.0 / parameters.noise_sigma(row);
            assert!((parameters.margin(row) / expected - 1.0).abs() < 1e-6);
        }
    }
    assert_eq!(S105.max_row_samples(), 1 << 17);
}

#[test]
fn the_wire_form_is_pinned() {
    // parties of two releases must understand one another: a change of these bytes is a change of the protocol
    let digests = SETS.map(|parameters| {
        let wire = Wire::new(parameters);
        [wire.host.hint(), wire.query.ciphertext(), &wire.answer]
            .map(|bytes| blake3::hash(bytes).to_hex()[..16].to_string())
    });
    assert_eq!(
        digests,
        [
            ["f3c0f87a3e8b60c4", "9c5560f6dc9c3886", "f0bfcea855636dfa"],
            ["e1f773c19b4d2d53", "a6991f704777f6bd", "4a1e221d8c36cc68"],
            ["89fcc60f649826ed", "99a0f46b3be2e4e4", "8c01f3b92329de7e"]
        ]
    );
}
