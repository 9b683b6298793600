//! Points that travel as uniform field elements, for base oblivious transfers.
//!
//! A point is drawn again until it is in the image of the u-only Elligator 2 map; what travels is one of its four
//! preimages, chosen uniformly (Bernstein, Hamburg, Krasnova and Lange 2013, §5, for u alone). `docs/protocols/curve.md`
//! counts the preimages and gives the distribution.

use rayon::prelude::*;
use subtle::{Choice, ConditionallySelectable};
use zeroize::Zeroizing;

use super::batch::{Ladder, map_to_curve, multiply_points};
use super::scalar::{Scalar, divisible_by_eight, plus_orders, residue};
use super::{A, BATCH, Fault, InvalidPoint, POINT_SIZE, first_fault, read_element, write_points};
use crate::field25519::Element;
use crate::prg::{Seed, derive};
use crate::simd::{self, Path};

/// u of a generator of the whole group, of order 8ℓ: 6 is the least such u.
pub const GENERATOR: [u8; POINT_SIZE] = {
    let mut bytes = [0; POINT_SIZE];
    bytes[0] = 6;
    bytes
};

const LABEL: &str = "hanse curve uniform";

/// For every row a secret factor and a field element that hides nothing but is uniform.
///
/// A row draws a uniform in [0, 8ℓ) until u(a·G) is in the image of the map, G the [`GENERATOR`]. The representative
/// is uniform among the preimages, and so uniform among all non-zero field elements. The factor is the multiple of 8 in
/// [0, 8ℓ) that is a modulo ℓ: it does to a multiple b·G, b from [`super::secret`], what a does.
///
/// # Panics
/// When the columns do not hold equally many rows of 32 bytes: the face allocates them.
pub fn encode_uniform(seed: &Seed, factors: &mut [u8], representatives: &mut [u8]) {
    encode_uniform_on(simd::path(), seed, factors, representatives);
}

/// As [`encode_uniform`], on the given path.
pub fn encode_uniform_on(path: Path, seed: &Seed, factors: &mut [u8], representatives: &mut [u8]) {
    assert_eq!(factors.len(), representatives.len(), "one factor a row");
    let factors = factors.as_chunks_mut::<POINT_SIZE>().0;
    let representatives = representatives.as_chunks_mut::<POINT_SIZE>().0;
    factors
        .par_chunks_mut(BATCH)
        .zip(representatives.par_chunks_mut(BATCH))
        .enumerate()
        .for_each(|(index, (factors, representatives))| {
            encode_batch(path, seed, index * BATCH, factors, representatives);
        });
}

/// One try of one row: the point to make, what multiplies like it, and which preimage would travel.
struct Draw {
    point: Zeroizing<Scalar>,
    factor: Zeroizing<Scalar>,
    preimage: u8,
}

fn draw(seed: &Seed, row: usize, attempt: u64) -> Draw {
    let part = |name: &[u8]| {
        let parts = [
            &(row as u64).to_le_bytes()[..],
            &attempt.to_le_bytes(),
            name,
        ];
        Zeroizing::new(derive(seed, LABEL, &parts))
    };
    let residue = residue(&part(b"low"), &part(b"high"));
    let choice = part(b"choice");
    Draw {
        point: Zeroizing::new(plus_orders(&residue, choice[0] & 7)),
        factor: Zeroizing::new(divisible_by_eight(&residue)),
        preimage: choice[1] & 3,
    }
}

/// How many tries a row needs is public and says nothing of the try that stays.
fn encode_batch(
    path: Path,
    seed: &Seed,
    start: usize,
    factors: &mut [[u8; POINT_SIZE]],
    representatives: &mut [[u8; POINT_SIZE]],
) {
    let mut pending: Vec<usize> = (0..factors.len()).collect();
    for attempt in 0.. {
        if pending.is_empty() {
            return;
        }
        let draws: Vec<Draw> = pending
            .iter()
            .map(|index| draw(seed, start + index, attempt))
            .collect();
        let points = multiples_of_generator(path, &draws);
        let mut rest = Vec::new();
        for ((index, draw), point) in pending.iter().zip(&draws).zip(points) {
            let (found, preimage) = preimage(point, draw.preimage);
            if bool::from(found) {
                factors[*index] = *draw.factor;
                representatives[*index] = preimage.to_bytes();
            } else {
                rest.push(*index);
            }
        }
        pending = rest;
    }
}

fn multiples_of_generator(path: Path, draws: &[Draw]) -> [Element; BATCH] {
    let mut points = [Element::from_bytes(&GENERATOR); BATCH];
    let ladder = |index: usize| Ladder::by_any(&draws[index].point);
    multiply_points(path, &mut points, ladder, draws.len());
    points
}

/// One of the preimages of u, by two bits of `which`, if u is in the image of the map and not 0.
///
/// A preimage r has r² = −(A + u)/(2u) where the map takes w, and −u/(2(A + u)) where it takes −w − A. Their product
/// is 1/4, so that both are squares or neither is, and on the curve the map does take those branches.
fn preimage(u: Element, which: u8) -> (Choice, Element) {
    let (mut above, mut below) = ((A + u).carried(), u);
    Element::swap_if(&mut above, &mut below, Choice::from(which & 1));
    let (found, root) =
        Element::square_root_of_ratio((Element::ZERO - above).carried(), below + below);
    let negated = (Element::ZERO - root).carried();
    let root = Element::conditional_select(&root, &negated, Choice::from(which >> 1 & 1));
    (found & !u.is_zero(), root)
}

/// Maps field elements to the curve: Elligator 2, u alone.
///
/// # Errors
/// The first row that is not canonical. `out` is then to be thrown away.
pub fn map_representatives(representatives: &[u8], out: &mut [u8]) -> Result<(), InvalidPoint> {
    map_representatives_on(simd::path(), representatives, out)
}

/// As [`map_representatives`], on the given path.
///
/// # Errors
/// As [`map_representatives`].
pub fn map_representatives_on(
    path: Path,
    representatives: &[u8],
    out: &mut [u8],
) -> Result<(), InvalidPoint> {
    assert_eq!(representatives.len(), out.len(), "one point a row");
    let rows = representatives.as_chunks::<POINT_SIZE>().0;
    first_fault(out, |start, batch| {
        let mut fields = [Element::ONE; BATCH];
        for (index, bytes) in rows[start..start + batch.len()].iter().enumerate() {
            match read_element(bytes) {
                Some(field) => fields[index] = field,
                None => return Some(non_canonical(start + index)),
            }
        }
        map_to_curve(path, &mut fields, batch.len());
        write_points(&fields, batch);
        None
    })
}

/// left + right modulo p, row by row.
///
/// # Errors
/// The first row with a side that is not canonical.
pub fn add_field(left: &[u8], right: &[u8], out: &mut [u8]) -> Result<(), InvalidPoint> {
    for_each_pair(left, right, out, |left, right| left + right)
}

/// left − right modulo p, row by row.
///
/// # Errors
/// The first row with a side that is not canonical.
pub fn subtract_field(left: &[u8], right: &[u8], out: &mut [u8]) -> Result<(), InvalidPoint> {
    for_each_pair(left, right, out, |left, right| left - right)
}

/// Reduces rows of 64 bytes, little-endian, modulo p: within 2^-256 of uniform when the bytes are.
pub fn reduce_field(wide: &[u8], out: &mut [u8]) {
    let (wide, _) = wide.as_chunks::<64>();
    let (out, _) = out.as_chunks_mut::<POINT_SIZE>();
    assert_eq!(wide.len(), out.len(), "one element a row");
    for (bytes, wide) in out.iter_mut().zip(wide) {
        *bytes = Element::from_wide_bytes(wide).to_bytes();
    }
}

fn for_each_pair(
    left: &[u8],
    right: &[u8],
    out: &mut [u8],
    combine: impl Fn(Element, Element) -> Element,
) -> Result<(), InvalidPoint> {
    assert!(
        left.len() == right.len() && left.len() == out.len(),
        "one sum a row"
    );
    let pairs = left.as_chunks().0.iter().zip(right.as_chunks().0);
    let out = out.as_chunks_mut::<POINT_SIZE>().0.iter_mut();
    for (row, (bytes, (left, right))) in out.zip(pairs).enumerate() {
        match (read_element(left), read_element(right)) {
            (Some(left), Some(right)) => *bytes = combine(left, right).to_bytes(),
            _ => return Err(non_canonical(row)),
        }
    }
    Ok(())
}

fn non_canonical(row: usize) -> InvalidPoint {
    InvalidPoint {
        row,
        fault: Fault::NonCanonical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All r whose image is u, by brute force, over p = 5 mod 8 with a cyclic 2-part as Curve25519 has.
    fn preimages_by_search(p: u64, a: u64) -> Vec<Vec<u64>> {
        let power =
            |base: u64, exponent: u64| (0..exponent).fold(1, |product, _| product * base % p);
        let square = |value: u64| (0..p).any(|root| root * root % p == value);
        let mut found = vec![Vec::new(); p as usize];
        for r in 0..p {
            let w = (p - a) * power((1 + 2 * r * r) % p, p - 2) % p;
            let right = (w * w % p * w + a * w % p * w + w) % p;
            let u = if square(right) {
                w
            } else {
                (2 * p - w - a) % p
            };
            found[u as usize].push(r);
        }
        found
    }

    #[test]
    fn the_map_without_v_is_four_to_one_on_every_toy_curve_like_this_one() {
        // A² − 4 and −A no squares, as for Curve25519
        for (p, a) in [(13, 5), (37, 6), (53, 3), (61, 6), (101, 8), (1013, 3)] {
            for (u, found) in preimages_by_search(p, a).iter().enumerate() {
                match u {
                    0 => assert_eq!(found[..], [0]),
                    _ => assert!(found.is_empty() || found.len() == 4, "p {p} A {a} u {u}"),
                }
            }
        }
    }

    #[test]
    fn all_four_preimages_are_found_and_map_back() {
        let mut images = 0;
        for multiple in 1..40u8 {
            let mut scalar = [0; 32];
            scalar[0] = multiple;
            let mut points = [Element::from_bytes(&GENERATOR); BATCH];
            multiply_points(Path::Portable, &mut points, |_| Ladder::by_any(&scalar), 1);
            let u = points[0];
            let found: Vec<[u8; 32]> = (0..4)
                .map(|which| preimage(u, which))
                .filter(|(found, _)| bool::from(*found))
                .map(|(_, root)| root.to_bytes())
                .collect();
            let distinct: std::collections::HashSet<_> = found.iter().collect();
            assert_eq!(distinct.len(), found.len());
            assert!(found.is_empty() || found.len() == 4);
            images += found.len() / 4;
            let mut fields = [Element::ONE; BATCH];
            for (field, bytes) in fields.iter_mut().zip(&found) {
                *field = Element::from_bytes(bytes);
            }
            map_to_curve(Path::Portable, &mut fields, found.len());
            for mapped in &fields[..found.len()] {
                assert_eq!(mapped.to_bytes(), u.to_bytes());
            }
        }
        assert!((10..30).contains(&images), "about half, not {images}");
    }

    #[test]
    fn zero_is_no_point_to_send() {
        for which in 0..4 {
            assert!(!bool::from(preimage(Element::ZERO, which).0));
        }
    }

    #[test]
    fn draws_cover_every_coset_of_the_subgroup() {
        let draws: Vec<Draw> = (0..64).map(|row| draw(&[3; 32], row, 0)).collect();
        let mut cosets = [0; 8];
        for draw in &draws {
            assert_eq!(draw.factor[0] & 7, 0);
            cosets[usize::from(draw.point[0] & 7)] += 1;
        }
        assert!(cosets.iter().all(|count| *count > 0), "{cosets:?}");
    }
}
