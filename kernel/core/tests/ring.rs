//! Transforms, residues and packing against schoolbook arithmetic.

use hanse_kernel::ntt::{LAZY_PRODUCTS, Transform, power, slot};
use hanse_kernel::packing::{Packer, Unpacker};
use hanse_kernel::parameters::{Parameters, S100, S138, SETS};
use hanse_kernel::prg::{PublicStream, Stream, derive};
use hanse_kernel::ring::{PublicElement, Ring, divide_small, exceeds, shift_right, subtract_wide};
use hanse_kernel::simd::{self, Path};
use num_bigint::BigUint;
use proptest::prelude::*;

/// The product modulo X^N + 1 and p, term by term.
fn schoolbook(left: &[u64], right: &[u64], prime: u64) -> Vec<u64> {
    let degree = left.len();
    let mut product = vec![0u128; degree];
    for (i, a) in left.iter().enumerate() {
        for (j, b) in right.iter().enumerate() {
            let term = u128::from(*a) * u128::from(*b) % u128::from(prime);
            let term = if i + j < degree {
                term
            } else {
                u128::from(prime) - term
            };
            product[(i + j) % degree] += term;
        }
    }
    product
        .into_iter()
        .map(|sum| (sum % u128::from(prime)) as u64)
        .collect()
}

fn multiply(path: Path, transform: &Transform, left: &[u64], right: &[u64]) -> Vec<u64> {
    let (mut left, mut right) = (left.to_vec(), right.to_vec());
    transform.forward_on(path, &mut left);
    transform.forward_on(path, &mut right);
    transform.reduce_all_on(path, &mut right);
    let mut product = vec![0; left.len()];
    transform.multiply_on(path, &mut product, &left, &transform.factors(right));
    transform.inverse_unscaled_on(path, &mut product);
    transform.scale_on(path, &mut product, transform.degree_inverse());
    product
}

/// Primes of every shape that transforms take: those in use, small ones, and the largest.
fn primes() -> Vec<u64> {
    let largest_below = |bound: u64| {
        (1..)
            .map(|step| bound + 1 - step * (1 << 14))
            .find(|candidate| is_prime(*candidate))
            .expect("primes are dense")
    };
    let mut primes: Vec<u64> = SETS
        .into_iter()
        .flat_map(|set| set.primes)
        .copied()
        .collect();
    for bits in [20, 35, 46, 47, 48, 50] {
        primes.push(largest_below(1 << bits));
    }
    primes.push(largest_below(3 << 48));
    primes
}

/// Those of [`primes`] that have a transform of this degree.
fn primes_of(degree: usize) -> impl Iterator<Item = u64> {
    let order = 2 * degree as u64;
    primes().into_iter().filter(move |prime| prime % order == 1)
}

/// Fermat's test with several bases: enough for a choice of test primes.
fn is_prime(candidate: u64) -> bool {
    [2, 3, 5, 7, 11, 13]
        .iter()
        .all(|base| power(*base, candidate - 1, candidate) == 1)
}

fn reduced(values: &[u64], prime: u64) -> Vec<u64> {
    values.iter().map(|value| value % prime).collect()
}

/// Words that look random, at their widest now and then.
fn words(seed: u8, count: usize, bound: u64) -> Vec<u64> {
    let mut words = vec![0; count];
    Stream::new(&[seed; 32], 0).fill(&mut words);
    for word in &mut words {
        *word = match *word >> 61 {
            0 => bound - 1,
            1 => 0,
            _ => *word % bound,
        };
    }
    words
}

fn wide(value: &BigUint) -> [u64; 3] {
    let mut words = value.to_u64_digits();
    words.resize(3, 0);
    words.try_into().expect("three words")
}

fn big(words: [u64; 3]) -> BigUint {
    words
        .into_iter()
        .rev()
        .fold(BigUint::from(0u8), |value, word| (value << 64) + word)
}

/// Two polynomials of one degree, 8 to 128, below the largest prime in use.
fn polynomials() -> impl Strategy<Value = (Vec<u64>, Vec<u64>)> {
    (3u32..=9).prop_flat_map(|log| {
        let polynomial = || proptest::collection::vec(any::<u64>(), 1 << log);
        (polynomial(), polynomial())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn transforms_multiply_like_the_schoolbook((left, right) in polynomials()) {
        for prime in primes() {
            let (left, right) = (reduced(&left, prime), reduced(&right, prime));
            let transform = Transform::new(prime, left.len());
            let expected = schoolbook(&left, &right, prime);
            for path in simd::available() {
                prop_assert_eq!(&multiply(path, &transform, &left, &right), &expected, "{} {}", path.name(), prime);
            }
        }
    }

    #[test]
    fn residues_reduce_any_word(word in any::<u64>(), factor in any::<u64>()) {
        for prime in SETS.into_iter().flat_map(|set| set.primes) {
            let transform = Transform::new(*prime, 8);
            let factor = factor % prime;
            prop_assert_eq!(transform.reduce(word), word % prime);
            let product = (u128::from(word) * u128::from(factor) % u128::from(*prime)) as u64;
            prop_assert_eq!(transform.multiply(word, transform.factor(factor)), product);
            let signed = word as i64;
            prop_assert_eq!(transform.reduce_signed(signed), i128::from(signed).rem_euclid(i128::from(*prime)) as u64);
        }
    }

    #[test]
    fn residues_compose_to_the_integer(words in any::<[u64; 3]>(), divisor in 1u64.., bits in 0u32..192) {
        for set in SETS {
            let ring = Ring::new(set);
            let modulus: BigUint = set.primes.iter().product();
            prop_assert_eq!(big(ring.modulus()), modulus.clone());
            let value = big(words) % &modulus;
            let mut residues = [0; 3];
            for (residue, prime) in residues.iter_mut().zip(set.primes) {
                *residue = u64::try_from(&value % prime).expect("one word");
            }
            prop_assert_eq!(ring.compose(residues), wide(&value));
            prop_assert_eq!(shift_right(wide(&value), bits), wide(&(&value >> bits)));
            prop_assert_eq!(subtract_wide(ring.modulus(), wide(&value)), wide(&(&modulus - &value)));
            prop_assert_eq!(exceeds(wide(&value), words), value > big(words));
            // a quotient has two words at most
            let divisor = divisor | 1 << 63;
            let (quotient, rest) = divide_small(wide(&value), divisor);
            prop_assert_eq!(BigUint::from(quotient), &value / divisor);
            prop_assert_eq!(BigUint::from(rest), &value % divisor);
        }
    }

    #[test]
    fn packed_numbers_come_back(numbers in proptest::collection::vec((any::<u64>(), 1u32..=64), 0..60)) {
        let bits: u32 = numbers.iter().map(|(_, width)| width).sum();
        let mut bytes = vec![0; bits.div_ceil(8) as usize];
        let mut packer = Packer::new(&mut bytes);
        let cut = |value: u64, width: u32| value & (u64::MAX >> (64 - width));
        for (value, width) in &numbers {
            packer.push(cut(*value, *width), *width);
        }
        packer.finish();
        let mut reader = Unpacker::new(&bytes);
        for (value, width) in &numbers {
            prop_assert_eq!(reader.pull(*width), cut(*value, *width));
        }
        prop_assert!(reader.padding_is_zero());
    }
}

#[test]
fn transforms_of_the_shipped_degrees_multiply_sparse_polynomials() {
    for set in SETS {
        let degree = set.ring_degree;
        for prime in set.primes {
            let transform = Transform::new(*prime, degree);
            let dense: Vec<u64> = (0..degree as u64)
                .map(|index| index.wrapping_mul(0x9e37_79b9_7f4a_7c15) % prime)
                .collect();
            for shift in [0, 1, degree / 2, degree - 1] {
                let mut monomial = vec![0; degree];
                monomial[shift] = prime - 1;
                // −X^shift turns the coefficients around, and the ones that wrap change sign once more
                let expected: Vec<u64> = (0..degree)
                    .map(|index| {
                        let value = dense[(index + degree - shift) % degree];
                        if index < shift {
                            value
                        } else {
                            (prime - value) % prime
                        }
                    })
                    .collect();
                for path in simd::available() {
                    assert_eq!(multiply(path, &transform, &dense, &monomial), expected);
                }
            }
        }
    }
}

#[test]
fn a_transform_evaluates_at_the_odd_powers_of_a_root() {
    for degree in [8, 64, 128, 1024] {
        for prime in primes() {
            let transform = Transform::new(prime, degree);
            let coefficients = words(1, degree, prime);
            // X itself says which root stands at each slot
            let mut roots = vec![0; degree];
            roots[1] = 1;
            transform.forward_on(Path::Portable, &mut roots);
            transform.reduce_all_on(Path::Portable, &mut roots);
            let order = 2 * degree as u64;
            let first = roots[slot(0, degree)];
            assert_eq!(power(first, order / 2, prime), prime - 1, "a root of −1");
            for (index, root) in (0..degree).map(|index| (index, roots[slot(index, degree)])) {
                let reversed = index.reverse_bits() >> (usize::BITS - degree.ilog2());
                assert_eq!(root, power(first, 2 * reversed as u64 + 1, prime));
            }
            let horner = |root: u64| {
                coefficients.iter().rev().fold(0, |value, coefficient| {
                    let next = u128::from(value) * u128::from(root) + u128::from(*coefficient);
                    (next % u128::from(prime)) as u64
                })
            };
            let expected: Vec<u64> = roots.into_iter().map(horner).collect();
            for path in simd::available() {
                let mut values = coefficients.clone();
                transform.forward_on(path, &mut values);
                assert!(values.iter().all(|value| *value < 1 << 52));
                assert_eq!(
                    reduced(&values, prime),
                    expected,
                    "{} {prime} {degree}",
                    path.name()
                );
            }
        }
    }
}

#[test]
fn paths_agree_on_lazy_columns_of_every_size() {
    for log in 3..=13 {
        let degree = 1 << log;
        for prime in primes_of(degree) {
            let transform = Transform::new(prime, degree);
            let run = |path: Path| {
                let mut values = words(2, degree, 4 * prime);
                transform.forward_on(path, &mut values);
                assert!(
                    values.iter().all(|value| *value < 1 << 52),
                    "{}",
                    path.name()
                );
                let mut coefficients = words(3, degree, 2 * prime);
                transform.inverse_unscaled_on(path, &mut coefficients);
                assert!(
                    coefficients.iter().all(|value| *value < 2 * prime),
                    "{}",
                    path.name()
                );
                let mut small = vec![0; degree];
                let signed: Vec<i8> = words(4, degree, 256)
                    .iter()
                    .map(|word| *word as u8 as i8)
                    .collect();
                transform.forward_small_on(path, &signed, &mut small);
                [values, coefficients, small].map(|column| reduced(&column, prime))
            };
            let expected = run(Path::Portable);
            for path in simd::available() {
                assert_eq!(run(path), expected, "{} {prime} {degree}", path.name());
            }
        }
    }
}

#[test]
fn paths_agree_on_columns_that_grow_the_most() {
    // what is added up doubles in each layer when all is one number, and half of p is the most that a number can be
    for log in 6..=13 {
        let degree = 1 << log;
        for prime in primes_of(degree) {
            let transform = Transform::new(prime, degree);
            for value in [prime / 2, prime / 2 + 1, 2 * prime - 1] {
                for period in [0, 1, 2, degree / 8, degree / 2] {
                    let column: Vec<u64> = (0..degree)
                        .map(|place| {
                            if place & period == 0 {
                                value
                            } else {
                                prime - value % prime
                            }
                        })
                        .collect();
                    let run = |path: Path| {
                        let (mut values, mut coefficients) = (column.clone(), column.clone());
                        transform.forward_on(path, &mut values);
                        transform.inverse_unscaled_on(path, &mut coefficients);
                        [values, coefficients].map(|column| reduced(&column, prime))
                    };
                    let expected = run(Path::Portable);
                    for path in simd::available() {
                        assert_eq!(run(path), expected, "{} {prime} {degree}", path.name());
                    }
                }
            }
        }
    }
}

#[test]
fn mirrored_indicators_are_sums_of_negative_powers() {
    for (degree, counts) in [
        (8, [1, 8]),
        (64, [1, 64]),
        (256, [200, 256]),
        (1024, [513, 1024]),
        (4096, [77, 4096]),
        (8192, [8191, 8192]),
    ] {
        let codes: Vec<u8> = words(5, degree, 5)
            .iter()
            .map(|word| *word as u8 * 63)
            .collect();
        for prime in primes_of(degree) {
            let transform = Transform::new(prime, degree);
            for (count, code) in counts.into_iter().zip([252, 0]) {
                let mut expected = vec![0; degree];
                for place in (0..count).filter(|place| codes[*place] == code) {
                    match place {
                        0 => expected[0] = 1,
                        _ => expected[degree - place] = prime - 1,
                    }
                }
                transform.forward_on(Path::Portable, &mut expected);
                let expected = reduced(&expected, prime);
                for path in simd::available() {
                    let mut values = vec![7; degree];
                    transform.forward_mirrored_on(path, &codes[..count], code, &mut values);
                    assert!(values.iter().all(|value| *value < 1 << 52));
                    assert_eq!(
                        reduced(&values, prime),
                        expected,
                        "{} {prime} {degree}",
                        path.name()
                    );
                }
            }
        }
    }
}

#[test]
fn columns_are_reduced_added_and_multiplied_like_integers() {
    // a rest that fills no register, as well
    const LEN: usize = 133;
    for prime in primes() {
        let transform = Transform::new(prime, 8);
        let modulus = u128::from(prime);
        let (any, lazy) = (words(6, LEN, u64::MAX), words(7, LEN, 1 << 52));
        let (left, right) = (words(8, LEN, prime), words(9, LEN, prime));
        let factors = transform.factors(right.clone());
        for path in simd::available() {
            let mut column = any.clone();
            transform.reduce_all_on(path, &mut column);
            assert_eq!(column, reduced(&any, prime));

            let mut column = left.clone();
            transform.add_all_on(path, &mut column, &right);
            let sums: Vec<u64> = left
                .iter()
                .zip(&right)
                .map(|(a, b)| (a + b) % prime)
                .collect();
            assert_eq!(column, sums);

            let mut column = lazy.clone();
            transform.scale_on(path, &mut column, transform.factor(right[0]));
            let times = |a: &u64, b: &u64| (u128::from(*a) * u128::from(*b) % modulus) as u64;
            let scaled: Vec<u64> = lazy.iter().map(|value| times(value, &right[0])).collect();
            assert_eq!(column, scaled);

            let products: Vec<u64> = lazy.iter().zip(&right).map(|(a, b)| times(a, b)).collect();
            transform.multiply_on(path, &mut column, &lazy, &factors);
            assert!(column.iter().all(|value| *value < 2 * prime));
            assert_eq!(reduced(&column, prime), products);
        }
    }
}

#[test]
fn sums_of_products_stay_exact_through_as_many_as_are_allowed() {
    const LEN: usize = 19;
    for prime in primes() {
        let transform = Transform::new(prime, 8);
        let widest = vec![(1 << 52) - 1; LEN];
        let largest = vec![prime - 1; LEN];
        let products = 2 * LAZY_PRODUCTS as u128;
        let expected =
            ((1u128 << 52) - 1) % u128::from(prime) * u128::from(prime - 1) % u128::from(prime);
        let expected = (expected * products % u128::from(prime)) as u64;
        for path in simd::available() {
            let mut sums = vec![0; 2 * LEN];
            for _ in 0..2 {
                for _ in 0..LAZY_PRODUCTS {
                    transform.multiply_accumulate_on(path, &mut sums, &widest, &largest);
                }
                transform.carry_on(path, &mut sums);
            }
            let mut out = vec![0; LEN];
            transform.reduce_sums_on(path, &sums, &mut out);
            assert_eq!(out, vec![expected; LEN], "{} {prime}", path.name());
        }
    }
}

#[test]
fn sums_of_any_products_are_those_of_wide_integers() {
    const LEN: usize = 133;
    for prime in primes() {
        let transform = Transform::new(prime, 8);
        for path in simd::available() {
            let (mut sums, mut out) = (vec![0; 2 * LEN], vec![0; LEN]);
            let mut expected = vec![0u128; LEN];
            for round in 0..24 {
                let (x, y) = (
                    words(10 + round, LEN, 1 << 52),
                    words(40 + round, LEN, prime),
                );
                transform.multiply_accumulate_on(path, &mut sums, &x, &y);
                if round % 10 == 9 {
                    transform.carry_on(path, &mut sums);
                }
                for (sum, (x, y)) in expected.iter_mut().zip(x.iter().zip(&y)) {
                    *sum = (*sum + u128::from(*x) * u128::from(*y)) % u128::from(prime);
                }
                transform.reduce_sums_on(path, &sums, &mut out);
                let found = out.iter().map(|value| u128::from(*value));
                assert!(
                    found.eq(expected.iter().copied()),
                    "{} {prime} {round}",
                    path.name()
                );
            }
        }
    }
}

#[test]
fn bits_beyond_the_numbers_must_be_zero() {
    let mut bytes = [0xff, 0x0f];
    let read = |bytes: &[u8]| {
        let mut reader = Unpacker::new(bytes);
        reader.pull(12);
        reader.padding_is_zero()
    };
    assert!(read(&bytes));
    bytes[1] |= 0x80;
    assert!(!read(&bytes));
    assert!(!read(&[0xff, 0x0f, 0x00]), "a whole byte too many");
}

fn public_words(set: &Parameters, index: u64) -> Vec<u64> {
    let ring = Ring::new(set);
    let element = PublicElement::expand(&ring, set, &[5; 32], index);
    (0..set.primes.len())
        .flat_map(|place| element.values(place).to_vec())
        .collect()
}

#[test]
fn public_elements_are_in_range_distinct_and_pinned() {
    for (set, digest) in [
        (
            &S100,
            "d0e94461f5e283dc41ecc6bb0b6343725a2293bae7f64ec56d218264ac9b9bcc",
        ),
        (
            &S138,
            "ecf1acacee7d9cc91b74801dc37eb113613ca3d047e859c1d39ced06099e06a4",
        ),
    ] {
        let words = public_words(set, 1);
        for (values, prime) in words.chunks(set.ring_degree).zip(set.primes) {
            assert!(values.iter().all(|value| value < prime));
            let mean = values
                .iter()
                .map(|value| *value as f64 / *prime as f64)
                .sum::<f64>()
                / values.len() as f64;
            assert!(
                (mean - 0.5).abs() < 5.0 / (12.0 * values.len() as f64).sqrt(),
                "{mean}"
            );
        }
        assert!(
            words
                .iter()
                .zip(public_words(set, 2))
                .filter(|(a, b)| *a == b)
                .count()
                < 3
        );
        // both sides expand the same seed: a change would make every decryption fail
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(blake3::hash(&bytes).to_hex().as_str(), digest);
    }
}

#[test]
fn derived_keys_depend_on_every_part_and_its_bounds() {
    let seed = [1; 32];
    let keys = [
        derive(&seed, "label", &[]),
        derive(&seed, "labe", &[b"l"]),
        derive(&seed, "label", &[b""]),
        derive(&seed, "label", &[b"ab", b"c"]),
        derive(&seed, "label", &[b"a", b"bc"]),
        derive(&[2; 32], "label", &[]),
    ];
    for (index, key) in keys.iter().enumerate() {
        assert!(!keys[..index].contains(key));
    }
}

#[test]
fn streams_are_continuous_and_lanes_are_apart() {
    let mut whole = [0; 150];
    Stream::new(&[3; 32], 0).fill(&mut whole);
    // ChaCha20 gives whole blocks of eight words
    let mut parts = [0; 150];
    let mut stream = Stream::new(&[3; 32], 0);
    for chunk in parts.chunks_mut(8) {
        stream.fill(chunk);
    }
    assert_eq!(whole, parts);
    let mut other = [0; 150];
    Stream::new(&[3; 32], 1).fill(&mut other);
    assert!(whole.iter().zip(&other).all(|(a, b)| a != b));
    let mut public = [0; 150];
    PublicStream::new(&[3; 32], "label", &[]).fill(&mut public);
    assert!(whole.iter().zip(&public).all(|(a, b)| a != b));
}

#[test]
fn the_stream_is_chacha20_of_rfc_8439() {
    // appendix A.1, test vector 1: key and nonce zero, counter 0
    let mut words = [0; 4];
    Stream::new(&[0; 32], 0).fill(&mut words);
    assert_eq!(
        words.map(u64::to_be),
        [
            0x76b8e0ada0f13d90,
            0x405d6ae55386bd28,
            0xbdd219b8a08ded1a,
            0xa836efcc8b770dc7
        ]
    );
}
