//! Curve25519 on u-coordinates alone: hashing to the curve and blinding, whole columns at a time.
//!
//! Montgomery 1987 and RFC 7748 (ladder), Elligator 2 of Bernstein, Hamburg, Krasnova and Lange 2013 as in RFC 9380
//! §6.7.1. `docs/protocols/curve.md` says why u alone, and one map, are enough.

use rayon::prelude::*;
use subtle::{Choice, ConditionallySelectable};
use zeroize::Zeroize;

use crate::field25519::{Element, invert_all};

mod scalar;
mod uniform;

pub use scalar::{Scalar, secret};
pub use uniform::{
    GENERATOR, add_field, encode_uniform, map_representatives, reduce_field, subtract_field,
};

/// Bytes of a point: u, little-endian, canonical.
pub const POINT_SIZE: usize = 32;

/// (A − 2)/4 of the curve v² = u³ + 486662·u² + u.
const A24: u32 = 121_665;
const A: Element = Element::from_small(486_662);

/// Points that share one inversion; small enough to stay in the nearest cache.
const BATCH: usize = 128;

/// What is wrong with a point that came from a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// u ≥ p: a second encoding of another point.
    NonCanonical,
    /// A point of order dividing 8, which every blinding sends to 0.
    LowOrder,
}

/// The first row that cannot be multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPoint {
    pub row: usize,
    pub fault: Fault,
}

/// Hashes ids to the curve: BLAKE3-XOF keyed by the domain, 64 bytes modulo p, Elligator 2.
///
/// `offsets` has one entry more than there are ids; id i is `data[offsets[i]..offsets[i + 1]]`. `out` holds 32 bytes an id.
///
/// # Panics
/// When the offsets do not rise within `data`, or `out` has another length: the faces check both.
pub fn hash_to_points(data: &[u8], offsets: &[i64], domain: &[u8], out: &mut [u8]) {
    for_each_batch(out, |start, batch| {
        let points = hash_batch(data, &offsets[start..], domain_key(domain), batch.len());
        write_points(&points, batch);
    });
}

/// Multiplies points by one scalar. Refuses encodings that are not canonical, and points of low order.
///
/// # Errors
/// The first bad row. `out` is then to be thrown away.
pub fn multiply(points: &[u8], scalar: &Scalar, out: &mut [u8]) -> Result<(), InvalidPoint> {
    multiply_by(points, |_| scalar, out)
}

/// Multiplies each point by its own scalar, a row of 32 bytes each; refuses what [`multiply`] refuses.
///
/// # Errors
/// The first bad row. `out` is then to be thrown away.
pub fn multiply_each(points: &[u8], scalars: &[u8], out: &mut [u8]) -> Result<(), InvalidPoint> {
    assert_eq!(points.len(), scalars.len(), "one scalar a point");
    let scalars = scalars.as_chunks::<32>().0;
    multiply_by(points, |row| &scalars[row], out)
}

fn multiply_by<'a>(
    points: &[u8],
    scalar: impl Fn(usize) -> &'a Scalar + Sync,
    out: &mut [u8],
) -> Result<(), InvalidPoint> {
    assert_eq!(points.len(), out.len(), "one result a point");
    let points = points.as_chunks::<POINT_SIZE>().0;
    first_fault(out, |start, batch| {
        let mut coordinates = [Element::ONE; BATCH];
        for index in 0..batch.len() {
            match read_point(&points[start + index]) {
                Some(point) => coordinates[index] = point,
                None => {
                    return Some(InvalidPoint {
                        row: start + index,
                        fault: Fault::NonCanonical,
                    });
                }
            }
        }
        multiply_batch(&coordinates, &scalar, start, batch)
    })
}

/// The first row that is not a canonical u of the curve itself: one beyond p, or on the twist.
pub fn find_off_curve(points: &[u8]) -> Option<usize> {
    let rows = points.as_chunks::<POINT_SIZE>().0;
    rows.par_chunks(BATCH)
        .enumerate()
        .find_map_first(|(index, batch)| {
            let off = batch.iter().position(|bytes| !is_on_curve(bytes))?;
            Some(index * BATCH + off)
        })
}

/// Whether u is canonical and u³ + A·u² + u is a square.
fn is_on_curve(bytes: &[u8; POINT_SIZE]) -> bool {
    read_point(bytes).is_some_and(|u| {
        let inner = (u + A).carried() * u + Element::ONE;
        (inner * u).is_square().into()
    })
}

/// The element that canonical bytes hold.
fn read_point(bytes: &[u8; POINT_SIZE]) -> Option<Element> {
    let element = Element::from_bytes(bytes);
    (element.to_bytes() == *bytes).then_some(element)
}

/// [`hash_to_points`], then [`multiply`], in one pass.
///
/// # Errors
/// When an id hashes to a point of low order, which happens with probability 2^-250.
pub fn blind(
    data: &[u8],
    offsets: &[i64],
    domain: &[u8],
    scalar: &Scalar,
    out: &mut [u8],
) -> Result<(), InvalidPoint> {
    first_fault(out, |start, batch| {
        let points = hash_batch(data, &offsets[start..], domain_key(domain), batch.len());
        multiply_batch(&points, &|_| scalar, start, batch)
    })
}

fn domain_key(domain: &[u8]) -> [u8; 32] {
    blake3::derive_key("hanse 2026 curve25519 elligator2 hash to field", domain)
}

fn for_each_batch(out: &mut [u8], work: impl Fn(usize, &mut [[u8; POINT_SIZE]]) + Sync) {
    let rows = out.as_chunks_mut::<POINT_SIZE>().0;
    rows.par_chunks_mut(BATCH)
        .enumerate()
        .for_each(|(index, batch)| work(index * BATCH, batch));
}

fn first_fault(
    out: &mut [u8],
    work: impl Fn(usize, &mut [[u8; POINT_SIZE]]) -> Option<InvalidPoint> + Sync,
) -> Result<(), InvalidPoint> {
    let rows = out.as_chunks_mut::<POINT_SIZE>().0;
    let faults = rows
        .par_chunks_mut(BATCH)
        .enumerate()
        .filter_map(|(index, batch)| work(index * BATCH, batch));
    faults.min_by_key(|fault| fault.row).map_or(Ok(()), Err)
}

fn hash_batch(data: &[u8], offsets: &[i64], key: [u8; 32], count: usize) -> [Element; BATCH] {
    let mut fields = [Element::ONE; BATCH];
    for (field, pair) in fields.iter_mut().zip(offsets.windows(2)).take(count) {
        let mut hasher = blake3::Hasher::new_keyed(&key);
        hasher.update(&data[pair[0] as usize..pair[1] as usize]);
        let mut bytes = [0; 64];
        hasher.finalize_xof().fill(&mut bytes);
        *field = Element::from_wide_bytes(&bytes);
    }
    map_batch(&fields)
}

/// Elligator 2: with d = 1 + 2r² and w = −A/d, u is w when w³ + A·w² + w is a square, else −w − A.
///
/// The square test needs no inversion: times d⁴ the value is −A·(A² − A²·d + d²)·d. And d is never 0, since −1/2 is
/// not a square.
pub fn map_batch(fields: &[Element; BATCH]) -> [Element; BATCH] {
    let mut inverses = fields.map(|field| field.squared().times_small(2) + Element::ONE);
    let squares = inverses.map(|d| {
        let a_squared = A.squared();
        let inner = a_squared + d.squared() - a_squared * d;
        let value = A * inner * d;
        (Element::ZERO - value).is_square()
    });
    invert_all(&mut inverses);
    std::array::from_fn(|index| {
        let product = A * inverses[index];
        let first = (Element::ZERO - product).carried();
        let second = (product - A).carried();
        Element::conditional_select(&second, &first, squares[index])
    })
}

/// Batches are always full inside: places past the end of the column hold 1, whose results are dropped.
fn multiply_batch<'a>(
    points: &[Element; BATCH],
    scalar: &impl Fn(usize) -> &'a Scalar,
    start: usize,
    out: &mut [[u8; POINT_SIZE]],
) -> Option<InvalidPoint> {
    let mut numerators = [Element::ONE; BATCH];
    let mut denominators = [Element::ONE; BATCH];
    for index in 0..out.len() {
        (numerators[index], denominators[index]) = ladder(points[index], scalar(start + index));
    }
    invert_all(&mut denominators);
    for index in 0..out.len() {
        numerators[index] = numerators[index] * denominators[index];
    }
    write_points(&numerators, out);
    let fault = out.iter().position(|bytes| *bytes == [0; POINT_SIZE]);
    fault.map(|index| InvalidPoint {
        row: start + index,
        fault: Fault::LowOrder,
    })
}

fn write_points(points: &[Element; BATCH], out: &mut [[u8; POINT_SIZE]]) {
    for (bytes, point) in out.iter_mut().zip(points) {
        *bytes = point.to_bytes();
    }
}

/// scalar·P as a fraction (RFC 7748 §5), over all 256 bits of the scalar whatever they are.
pub fn ladder(u: Element, scalar: &Scalar) -> (Element, Element) {
    let (mut x2, mut z2, mut x3, mut z3) = (Element::ONE, Element::ZERO, u, Element::ONE);
    let mut swapped = 0u8;
    for bit in (0..256).rev() {
        let current = scalar[bit / 8] >> (bit % 8) & 1;
        let swap = Choice::from(swapped ^ current);
        swapped = current;
        Element::swap_if(&mut x2, &mut x3, swap);
        Element::swap_if(&mut z2, &mut z3, swap);
        let (sum, difference) = (x2 + z2, x2 - z2);
        let (sum_squared, difference_squared) = (sum.squared(), difference.squared());
        let gap = sum_squared - difference_squared;
        let left = (x3 - z3) * sum;
        let right = (x3 + z3) * difference;
        x3 = (left + right).squared();
        z3 = u * (left - right).squared();
        x2 = sum_squared * difference_squared;
        z2 = gap * (sum_squared + gap.times_small(A24));
    }
    let swap = Choice::from(swapped);
    Element::swap_if(&mut x2, &mut x3, swap);
    Element::swap_if(&mut z2, &mut z3, swap);
    swapped.zeroize();
    x3.zeroize();
    z3.zeroize();
    (x2, z2)
}
