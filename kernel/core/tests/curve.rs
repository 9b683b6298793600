//! Curve25519: published vectors, a big-integer reference, refusals, and the algebra that matching rests on.

use hanse_kernel::curve::{self, Fault, InvalidPoint};
use hanse_kernel::field25519::Element;
use hanse_kernel::simd::{self, Path};
use num_bigint::BigUint;
use proptest::prelude::*;

fn lines(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(' ').collect())
}

fn bytes(hex: &str) -> [u8; 32] {
    std::array::from_fn(|index| {
        u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).expect("hexadecimal")
    })
}

fn reversed(mut bytes: [u8; 32]) -> [u8; 32] {
    bytes.reverse();
    bytes
}

fn product(path: Path, point: &[u8; 32], scalar: &[u8; 32]) -> [u8; 32] {
    let mut out = [0; 32];
    curve::multiply_on(path, point, scalar, &mut out).expect("a point of high order");
    out
}

/// X25519 of RFC 7748: clamps the scalar and ignores the top bit of u.
fn x25519(path: Path, mut scalar: [u8; 32], mut u: [u8; 32]) -> [u8; 32] {
    scalar[0] &= 248;
    scalar[31] = scalar[31] & 127 | 64;
    u[31] &= 127;
    product(path, &u, &scalar)
}

fn mapped(path: Path, field: &[u8; 32]) -> [u8; 32] {
    let mut out = [0; 32];
    curve::map_representatives_on(path, field, &mut out).expect("a canonical element");
    out
}

fn prime() -> BigUint {
    (BigUint::from(1u8) << 255) - 19u8
}

fn inverse(value: &BigUint) -> BigUint {
    value.modpow(&(prime() - 2u8), &prime())
}

/// Elligator 2 by its formula (RFC 9380 §6.7.1).
fn reference_map(r: &BigUint) -> BigUint {
    let (p, a) = (prime(), BigUint::from(486_662u32));
    let w = (&p - &a) * inverse(&((r * r * 2u8 + 1u8) % &p)) % &p;
    let right = (&w * &w * &w + &a * &w * &w + &w) % &p;
    let symbol = right.modpow(&((&p - 1u8) / 2u8), &p);
    if symbol == &p - 1u8 {
        (&p + &p - &w - &a) % &p
    } else {
        w
    }
}

/// scalar·u by the differential formulas of Montgomery, from the top bit down.
fn reference_multiply(u: &BigUint, scalar: &BigUint) -> BigUint {
    let p = prime();
    let difference = |a: &BigUint, b: &BigUint| (a + &p - b) % &p;
    let double = |x: &BigUint, z: &BigUint| {
        let (sum, gap) = ((x + z) * (x + z) % &p, difference(x, z));
        let gap = &gap * &gap % &p;
        let four = difference(&sum, &gap);
        (&sum * &gap % &p, &four * (&sum + &four * 121_665u32) % &p)
    };
    let add = |(x2, z2): &(BigUint, BigUint), (x3, z3): &(BigUint, BigUint)| {
        let (left, right) = (
            difference(x3, z3) * (x2 + z2) % &p,
            (x3 + z3) * difference(x2, z2) % &p,
        );
        let gap = difference(&left, &right);
        (
            (&left + &right) * (&left + &right) % &p,
            u * &gap % &p * &gap % &p,
        )
    };
    let (mut low, mut high) = (
        (BigUint::from(1u8), BigUint::from(0u8)),
        (u.clone(), BigUint::from(1u8)),
    );
    for bit in (0..256).rev() {
        let sum = add(&low, &high);
        (low, high) = if scalar.bit(bit) {
            (sum, double(&high.0, &high.1))
        } else {
            (double(&low.0, &low.1), sum)
        };
    }
    low.0 * inverse(&low.1) % p
}

fn little_endian(value: &BigUint) -> [u8; 32] {
    let mut bytes = value.to_bytes_le();
    bytes.resize(32, 0);
    bytes.try_into().expect("thirty-two bytes")
}

fn secret(tag: u8) -> [u8; 32] {
    curve::secret(&[tag; 32])
}

/// Ids "0", "1", … packed.
fn ids(count: usize) -> (Vec<u8>, Vec<i64>) {
    let (mut data, mut offsets) = (Vec::new(), vec![0]);
    for index in 0..count {
        data.extend(index.to_string().bytes());
        offsets.push(data.len() as i64);
    }
    (data, offsets)
}

fn hashed(count: usize, domain: &[u8]) -> Vec<u8> {
    let (data, offsets) = ids(count);
    let mut points = vec![0; 32 * count];
    curve::hash_to_points(&data, &offsets, domain, &mut points);
    points
}

#[test]
fn the_vectors_of_rfc_7748_hold_on_every_path() {
    for path in simd::available() {
        for line in lines(include_str!("vectors/rfc7748.txt")) {
            let found = x25519(path, bytes(line[0]), bytes(line[1]));
            assert_eq!(found, bytes(line[2]), "{path:?}");
        }
    }
}

#[test]
fn a_thousand_iterations_of_rfc_7748_hold_on_every_path() {
    for path in simd::available() {
        let mut scalar = bytes("0900000000000000000000000000000000000000000000000000000000000000");
        let mut u = scalar;
        for iteration in 1..=1000 {
            (scalar, u) = (x25519(path, scalar, u), scalar);
            if iteration == 1 {
                assert_eq!(
                    scalar,
                    bytes("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")
                );
            }
        }
        assert_eq!(
            scalar,
            bytes("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51")
        );
    }
}

#[test]
fn the_map_of_rfc_9380_holds_on_every_path_and_clearing_the_cofactor_too() {
    let mut eight = [0; 32];
    eight[0] = 8;
    for path in simd::available() {
        for line in lines(include_str!("vectors/rfc9380_elligator2.txt")) {
            let point = mapped(path, &reversed(bytes(line[0])));
            assert_eq!(reversed(point), bytes(line[1]), "{path:?}");
            assert_eq!(reversed(product(path, &point, &eight)), bytes(line[2]));
        }
    }
}

/// Elements at which limbs are full, empty or wrap, and some in between; all canonical.
fn edge_elements() -> Vec<[u8; 32]> {
    let (p, one) = (prime(), BigUint::from(1u8));
    let mut numbers: Vec<BigUint> = (0..20u8).map(BigUint::from).collect();
    numbers.extend((1..20u8).map(|less| &p - less));
    for limb in [25, 26, 51, 52, 77, 102, 128, 153, 179, 204, 230, 254] {
        numbers.extend([(&one << limb) - 1u8, &one << limb, &p - (&one << limb)]);
    }
    // every limb of 51 bits full but one
    for limb in 0..5 {
        let hole = ((&one << 51) - 1u8) << (51 * limb);
        numbers.push((&one << 255) - &one - hole);
    }
    numbers
        .iter()
        .map(|number| little_endian(&(number % &p)))
        .collect()
}

#[test]
fn edge_elements_map_and_multiply_as_big_integers_do_on_every_path() {
    let scalars = [secret(7), [0xf8; 32], little_endian(&BigUint::from(8u8))];
    for path in simd::available() {
        for element in edge_elements() {
            let number = BigUint::from_bytes_le(&element);
            assert_eq!(
                mapped(path, &element),
                little_endian(&reference_map(&number))
            );
            for scalar in &scalars {
                let expected = reference_multiply(&number, &BigUint::from_bytes_le(scalar));
                let mut found = [0; 32];
                let outcome = curve::multiply_on(path, &element, scalar, &mut found);
                assert_eq!(found, little_endian(&expected), "{path:?} {number}");
                assert_eq!(outcome.is_err(), found == [0; 32]);
            }
        }
    }
}

#[test]
fn every_path_gives_the_same_bits_whatever_the_count() {
    for count in [1, 7, 8, 9, 15, 16, 17, 33, 255, 256, 257, 600] {
        let (data, offsets) = ids(count);
        let scalars: Vec<u8> = (0..count)
            .flat_map(|row| curve::secret(&[row as u8; 32]))
            .collect();
        let all = |path: Path| {
            let size = 32 * count;
            let mut columns = [(); 6].map(|()| vec![0; size]);
            let [points, products, each, blinded, factors, representatives] = &mut columns;
            curve::hash_to_points_on(path, &data, &offsets, b"paths", points);
            curve::multiply_on(path, points, &secret(4), products).expect("fine");
            curve::multiply_each_on(path, points, &scalars, each).expect("fine");
            curve::blind_on(path, &data, &offsets, b"paths", &secret(4), blinded).expect("fine");
            curve::encode_uniform_on(path, &[9; 32], factors, representatives);
            columns
        };
        let expected = all(Path::Portable);
        assert_eq!(expected[1], expected[3]);
        for path in simd::available() {
            assert_eq!(all(path), expected, "{path:?} {count}");
        }
    }
}

#[test]
fn a_scalar_of_its_own_a_point_is_what_one_scalar_gives() {
    let points = hashed(40, b"own");
    let scalars: Vec<[u8; 32]> = (0..40).map(secret).collect();
    let mut each = vec![0; points.len()];
    curve::multiply_each(&points, scalars.as_flattened(), &mut each).expect("fine");
    for (row, scalar) in scalars.iter().enumerate() {
        let point = points[32 * row..][..32].try_into().expect("a row");
        assert_eq!(
            each[32 * row..][..32],
            product(Path::Portable, point, scalar)
        );
    }
}

#[test]
fn what_travels_as_a_field_element_gives_both_sides_one_key_on_every_path() {
    for path in simd::available() {
        let (mut factors, mut representatives) = (vec![0; 32 * 130], vec![0; 32 * 130]);
        curve::encode_uniform_on(path, &[5; 32], &mut factors, &mut representatives);
        let mut points = representatives.clone();
        curve::map_representatives_on(path, &representatives, &mut points).expect("canonical");
        let mut ours = points.clone();
        curve::multiply_on(path, &points, &secret(6), &mut ours).expect("fine");
        let theirs = product(path, &curve::GENERATOR, &secret(6)).repeat(130);
        let mut keys = ours.clone();
        curve::multiply_each_on(path, &theirs, &factors, &mut keys).expect("fine");
        assert_eq!(keys, ours);
    }
}

#[test]
fn points_of_the_twist_are_found_on_every_path() {
    let (p, a) = (prime(), BigUint::from(486_662u32));
    let good = hashed(600, b"twist");
    for path in simd::available() {
        assert_eq!(curve::find_off_curve_on(path, &good), None);
        assert_eq!(curve::find_off_curve_on(path, &[0; 32]), None);
        for element in edge_elements() {
            let u = BigUint::from_bytes_le(&element);
            let right = (&u * &u * &u + &a * &u * &u + &u) % &p;
            let off = right.modpow(&((&p - 1u8) / 2u8), &p) == &p - 1u8;
            assert_eq!(curve::find_off_curve_on(path, &element), off.then_some(0));
        }
        for row in [0, 15, 255, 256, 599] {
            let mut points = good.clone();
            points[32 * row..][..32].copy_from_slice(&little_endian(&BigUint::from(2u8)));
            points[32 * 599..][..32].fill(0xff);
            assert_eq!(curve::find_off_curve_on(path, &points), Some(row));
        }
    }
}

#[test]
fn bad_points_are_refused_with_their_row_and_reason_on_every_path() {
    let good = hashed(300, b"good");
    for path in simd::available() {
        for (index, line) in lines(include_str!("vectors/bad_points.txt")).enumerate() {
            let fault = if line[0] == "low-order" {
                Fault::LowOrder
            } else {
                Fault::NonCanonical
            };
            let row = 20 * index + 3;
            let mut points = good.clone();
            points[32 * row..][..32].copy_from_slice(&bytes(line[1]));
            // later bad rows of either kind must not hide the first one
            points[32 * (row + 1)..][..32].fill(0);
            points[32 * 299..][..32].fill(0xff);
            let refusal = curve::multiply_on(path, &points, &secret(1), &mut vec![0; points.len()]);
            assert_eq!(refusal, Err(InvalidPoint { row, fault }), "{}", line[1]);
        }
        assert_eq!(
            curve::multiply_on(path, &good, &secret(1), &mut vec![0; good.len()]),
            Ok(())
        );
    }
}

#[test]
fn no_column_is_a_column_too() {
    curve::hash_to_points(&[], &[0], b"", &mut []);
    assert_eq!(curve::multiply(&[], &secret(1), &mut []), Ok(()));
    assert_eq!(curve::blind(&[], &[0], b"", &secret(1), &mut []), Ok(()));
}

#[test]
fn blinding_is_hashing_then_multiplying_whatever_the_batch() {
    for count in [1, 255, 256, 257, 600] {
        let (data, offsets) = ids(count);
        let mut once = vec![0; 32 * count];
        curve::blind(&data, &offsets, b"domain", &secret(2), &mut once)
            .expect("hashed points are fine");
        let mut twice = vec![0; 32 * count];
        curve::multiply(&hashed(count, b"domain"), &secret(2), &mut twice)
            .expect("hashed points are fine");
        assert_eq!(once, twice);
    }
}

#[test]
fn domains_separate_and_equal_ids_hash_alike() {
    assert_eq!(hashed(200, b"one")[..3200], hashed(100, b"one")[..]);
    let (one, two) = (hashed(200, b"one"), hashed(200, b"two"));
    assert!(
        one.chunks(32)
            .zip(two.chunks(32))
            .all(|(left, right)| left != right)
    );
}

#[test]
fn hashed_points_are_on_the_curve_and_never_on_the_twist() {
    let (p, a) = (prime(), BigUint::from(486_662u32));
    for point in hashed(200, b"curve").chunks(32) {
        let u = BigUint::from_bytes_le(point);
        let right = (&u * &u * &u + &a * &u * &u + &u) % &p;
        assert_eq!(right.modpow(&((&p - 1u8) / 2u8), &p), BigUint::from(1u8));
    }
}

#[test]
fn hashing_is_pinned() {
    // two releases that hashed differently would silently find no common id
    let digest = blake3::hash(&hashed(1000, b"pinned"));
    assert_eq!(
        digest.to_hex().as_str(),
        "fea9e84004b541887fc2bea571eb0e89f097958971462ea2fd7680d4627ad09a"
    );
    assert_eq!(
        blake3::hash(&secret(9)).to_hex().as_str(),
        "54dbc39d06b63fa0d467b3a62772c39331d5678ed5c2f495b1d536b036cd45ac"
    );
}

#[test]
fn secrets_are_multiples_of_eight_below_eight_times_the_order_and_uniform() {
    let order = (BigUint::from(1u8) << 252)
        + BigUint::parse_bytes(b"27742317777372353535851937790883648493", 10).expect("digits");
    let mut counts = [[0u32; 13]; 2];
    const DRAWS: u32 = 4000;
    for index in 0..DRAWS {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&index.to_le_bytes());
        let scalar = BigUint::from_bytes_le(&curve::secret(&seed));
        assert!(!scalar.bit(0) && !scalar.bit(1) && !scalar.bit(2) && scalar < &order * 8u8);
        let residue = &scalar % &order;
        assert_ne!(residue, BigUint::from(0u8));
        // thirteenths of [0, ℓ), and residues modulo 13
        let part = u32::try_from(&residue * 13u8 / &order).expect("below 13");
        let rest = u32::try_from(&residue % 13u8).expect("below 13");
        counts[0][part as usize] += 1;
        counts[1][rest as usize] += 1;
    }
    for counts in counts {
        let expected = f64::from(DRAWS) / 13.0;
        let chi_square: f64 = counts
            .iter()
            .map(|count| (f64::from(*count) - expected).powi(2) / expected)
            .sum();
        // twelve degrees of freedom: beyond 40 once in 10^4
        assert!(chi_square < 40.0, "{counts:?}");
    }
}

#[test]
fn small_order_components_vanish_under_a_secret() {
    // u = 9 has prime order; adding the point of order 2 moves it to another u with the same multiples of eight
    let p = prime();
    let nine = BigUint::from(9u8);
    // (u, v) + (0, 0) has u-coordinate 1/u
    let shifted = inverse(&nine);
    assert_ne!(shifted, nine);
    let points = [little_endian(&nine), little_endian(&(shifted % p))].concat();
    let mut products = vec![0; 64];
    curve::multiply(&points, &secret(3), &mut products).expect("of high order");
    assert_eq!(products[..32], products[32..]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_map_agrees_with_big_integers_on_every_path(r in any::<[u8; 32]>()) {
        let field = BigUint::from_bytes_le(&r) % prime();
        let expected = little_endian(&reference_map(&field));
        for path in simd::available() {
            prop_assert_eq!(mapped(path, &little_endian(&field)), expected);
        }
    }

    #[test]
    fn the_ladder_agrees_with_big_integers_on_curve_and_twist(u in any::<[u8; 32]>(), scalar in any::<[u8; 32]>()) {
        let (mut u, mut scalar) = (u, scalar);
        u[31] &= 63;
        scalar[0] &= 248;
        let expected = reference_multiply(&BigUint::from_bytes_le(&u), &BigUint::from_bytes_le(&scalar));
        for path in simd::available() {
            prop_assert_eq!(product(path, &u, &scalar), little_endian(&expected));
        }
    }

    #[test]
    fn secrets_commute(left in any::<[u8; 32]>(), right in any::<[u8; 32]>(), domain in any::<[u8; 4]>()) {
        let (left, right) = (curve::secret(&left), curve::secret(&right));
        let points = hashed(3, &domain);
        let multiplied = |points: &[u8], scalar| {
            let mut products = vec![0; points.len()];
            curve::multiply(points, scalar, &mut products).expect("hashed points are fine");
            products
        };
        prop_assert_eq!(
            multiplied(&multiplied(&points, &left), &right),
            multiplied(&multiplied(&points, &right), &left)
        );
    }

    #[test]
    fn sixty_four_bytes_reduce_modulo_p(low in any::<[u8; 32]>(), high in any::<[u8; 32]>()) {
        let wide = [low, high].concat();
        let expected = BigUint::from_bytes_le(&wide) % prime();
        let found = Element::from_wide_bytes(wide.as_slice().try_into().expect("64 bytes"));
        prop_assert_eq!(found.to_bytes(), little_endian(&expected));
    }
}

#[test]
fn extreme_field_elements_reduce() {
    for wide in [[0; 64], [0xff; 64]] {
        let expected = BigUint::from_bytes_le(&wide) % prime();
        assert_eq!(
            Element::from_wide_bytes(&wide).to_bytes(),
            little_endian(&expected)
        );
    }
    let zero = Element::from_bytes(&little_endian(&prime()));
    assert_eq!(zero.to_bytes(), [0; 32]);
    assert_eq!(zero.inverse().to_bytes(), [0; 32]);
    assert_eq!(
        (Element::ZERO - Element::ONE).to_bytes(),
        little_endian(&(prime() - 1u8))
    );
}
