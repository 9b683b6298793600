//! Curve25519 on u-coordinates alone: hashing to the curve and blinding, whole columns at a time.
//!
//! Montgomery 1987 and RFC 7748 (ladder), Elligator 2 of Bernstein, Hamburg, Krasnova and Lange 2013 as in RFC 9380
//! §6.7.1. `docs/protocols/curve.md` says why u alone, and one map, are enough.

use rayon::prelude::*;
use subtle::ConstantTimeEq;

use crate::field25519::Element;
use crate::hashing;
use crate::simd::{self, Path};

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod batch;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod portable;
mod scalar;
mod uniform;

pub use scalar::{Scalar, secret};
pub use uniform::{
    GENERATOR, add_field, encode_uniform, encode_uniform_on, map_representatives,
    map_representatives_on, reduce_field, subtract_field,
};

use batch::{Ladder, map_to_curve, multiply_points};

/// Bytes of a point: u, little-endian, canonical.
pub const POINT_SIZE: usize = 32;

/// (A − 2)/4 of the curve v² = u³ + 486662·u² + u.
const A24: u32 = 121_665;
const A: Element = Element::from_small(486_662);

/// Points that share one inversion; small enough to stay in the nearest caches, a multiple of every path's stride.
const BATCH: usize = 256;

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
    hash_to_points_on(simd::path(), data, offsets, domain, out);
}

/// As [`hash_to_points`], on the given path.
pub fn hash_to_points_on(path: Path, data: &[u8], offsets: &[i64], domain: &[u8], out: &mut [u8]) {
    let key = domain_key(domain);
    let rows = out.as_chunks_mut::<POINT_SIZE>().0;
    rows.par_chunks_mut(BATCH)
        .enumerate()
        .for_each(|(index, batch)| {
            let points = hash_batch(path, &key, data, &offsets[index * BATCH..], batch.len());
            write_points(&points, batch);
        });
}

/// Multiplies points by one scalar, a multiple of 8 as [`secret`] makes it. Refuses encodings that are not canonical, and
/// points of low order.
///
/// # Errors
/// The first bad row. `out` is then to be thrown away.
///
/// # Panics
/// When the scalar is no multiple of 8, or `out` is not as long as `points`.
pub fn multiply(points: &[u8], scalar: &Scalar, out: &mut [u8]) -> Result<(), InvalidPoint> {
    multiply_on(simd::path(), points, scalar, out)
}

/// As [`multiply`], on the given path.
///
/// # Errors
/// As [`multiply`].
pub fn multiply_on(
    path: Path,
    points: &[u8],
    scalar: &Scalar,
    out: &mut [u8],
) -> Result<(), InvalidPoint> {
    let ladder = Ladder::by_multiple_of_eight(scalar);
    multiply_by(path, points, |_| ladder.clone(), out)
}

/// Multiplies each point by its own scalar, a row of 32 bytes each; refuses what [`multiply`] refuses.
///
/// # Errors
/// The first bad row. `out` is then to be thrown away.
///
/// # Panics
/// When a scalar is no multiple of 8, or a column is not as long as the others.
pub fn multiply_each(points: &[u8], scalars: &[u8], out: &mut [u8]) -> Result<(), InvalidPoint> {
    multiply_each_on(simd::path(), points, scalars, out)
}

/// As [`multiply_each`], on the given path.
///
/// # Errors
/// As [`multiply_each`].
pub fn multiply_each_on(
    path: Path,
    points: &[u8],
    scalars: &[u8],
    out: &mut [u8],
) -> Result<(), InvalidPoint> {
    assert_eq!(points.len(), scalars.len(), "one scalar a point");
    let scalars = scalars.as_chunks::<32>().0;
    multiply_by(
        path,
        points,
        |row| Ladder::by_multiple_of_eight(&scalars[row]),
        out,
    )
}

fn multiply_by(
    path: Path,
    points: &[u8],
    ladder: impl Fn(usize) -> Ladder + Sync,
    out: &mut [u8],
) -> Result<(), InvalidPoint> {
    assert_eq!(points.len(), out.len(), "one result a point");
    let points = points.as_chunks::<POINT_SIZE>().0;
    first_fault(out, |start, batch| {
        let mut coordinates = [Element::ONE; BATCH];
        let mut non_canonical = None;
        for (index, bytes) in points[start..start + batch.len()].iter().enumerate() {
            match read_element(bytes) {
                Some(point) => coordinates[index] = point,
                None => non_canonical = non_canonical.or(Some(index)),
            }
        }
        let count = non_canonical.unwrap_or(batch.len());
        let low_order = multiply_batch(
            path,
            &mut coordinates,
            |row| ladder(start + row),
            &mut batch[..count],
        );
        let fault = low_order.or(non_canonical.map(|index| (index, Fault::NonCanonical)));
        fault.map(|(index, fault)| InvalidPoint {
            row: start + index,
            fault,
        })
    })
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
    blind_on(simd::path(), data, offsets, domain, scalar, out)
}

/// As [`blind`], on the given path.
///
/// # Errors
/// As [`blind`].
pub fn blind_on(
    path: Path,
    data: &[u8],
    offsets: &[i64],
    domain: &[u8],
    scalar: &Scalar,
    out: &mut [u8],
) -> Result<(), InvalidPoint> {
    let key = domain_key(domain);
    let ladder = Ladder::by_multiple_of_eight(scalar);
    first_fault(out, |start, batch| {
        let mut points = hash_batch(path, &key, data, &offsets[start..], batch.len());
        let fault = multiply_batch(path, &mut points, |_| ladder.clone(), batch);
        fault.map(|(index, fault)| InvalidPoint {
            row: start + index,
            fault,
        })
    })
}

/// The first row that is not a canonical u of the curve itself: one beyond p, or on the twist.
pub fn find_off_curve(points: &[u8]) -> Option<usize> {
    find_off_curve_on(simd::path(), points)
}

/// As [`find_off_curve`], on the given path.
pub fn find_off_curve_on(path: Path, points: &[u8]) -> Option<usize> {
    let rows = points.as_chunks::<POINT_SIZE>().0;
    let batches = rows.par_chunks(BATCH).enumerate();
    batches.find_map_first(|(index, rows)| {
        let mut points = [Element::ONE; BATCH];
        let mut canonical = [true; BATCH];
        for (place, bytes) in rows.iter().enumerate() {
            match read_element(bytes) {
                Some(point) => points[place] = point,
                None => canonical[place] = false,
            }
        }
        batch::curve_symbols(path, &mut points, rows.len());
        let minus_one = (Element::ZERO - Element::ONE).to_bytes();
        let off = (0..rows.len())
            .find(|place| !canonical[*place] || points[*place].to_bytes() == minus_one)?;
        Some(index * BATCH + off)
    })
}

fn domain_key(domain: &[u8]) -> [u8; 32] {
    blake3::derive_key("hanse 2026 curve25519 elligator2 hash to field", domain)
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

fn hash_batch(
    path: Path,
    key: &[u8; 32],
    data: &[u8],
    offsets: &[i64],
    count: usize,
) -> [Element; BATCH] {
    let mut wide = [0; 64 * BATCH];
    let wide = &mut wide[..64 * count];
    hashing::hash_texts_serial(path, key, data, &offsets[..=count], 64, wide);
    let mut fields = [Element::ONE; BATCH];
    for (field, bytes) in fields.iter_mut().zip(wide.as_chunks().0) {
        *field = Element::from_wide_bytes(bytes);
    }
    map_to_curve(path, &mut fields, count);
    fields
}

/// Multiplies the first points of a batch, as many as `out` has rows, and names the first product that is 0.
fn multiply_batch(
    path: Path,
    points: &mut [Element; BATCH],
    ladder: impl Fn(usize) -> Ladder,
    out: &mut [[u8; POINT_SIZE]],
) -> Option<(usize, Fault)> {
    multiply_points(path, points, ladder, out.len());
    write_points(points, out);
    let zero = out
        .iter()
        .position(|bytes| bytes.ct_eq(&[0; POINT_SIZE]).into());
    zero.map(|index| (index, Fault::LowOrder))
}

fn write_points(points: &[Element; BATCH], out: &mut [[u8; POINT_SIZE]]) {
    for (bytes, point) in out.iter_mut().zip(points) {
        *bytes = point.to_bytes();
    }
}

/// The element that canonical bytes hold.
fn read_element(bytes: &[u8; POINT_SIZE]) -> Option<Element> {
    let element = Element::from_bytes(bytes);
    (element.to_bytes() == *bytes).then_some(element)
}
