//! Decoding, and the tags of the oblivious PRF that is built from it.

use rayon::prelude::*;
use zeroize::Zeroizing;

use super::element::Element;
use super::rows::{BATCH, Rows};
use super::{DIGEST_SIZE, Layout};
use crate::gf128::{self, Wide};
use crate::hashing;
use crate::simd::{self, Path};

/// Bytes of a tag.
pub const TAG_SIZE: usize = 16;

/// Keys that one thread takes at a time.
const PIECE: usize = 1 << 14;

/// The values of `digests` in `elements`: `layout.width()` bytes each.
///
/// # Panics
/// When `elements` is not an encoding of the layout, or `out` has no room for each value.
pub fn decode(elements: &[u8], digests: &[u8], key: &[u8; 32], layout: &Layout, out: &mut [u8]) {
    decode_on(simd::path(), elements, digests, key, layout, out);
}

/// As [`decode`], on the given path.
pub fn decode_on(
    path: Path,
    elements: &[u8],
    digests: &[u8],
    key: &[u8; 32],
    layout: &Layout,
    out: &mut [u8],
) {
    assert_eq!(
        elements.len(),
        layout.size() * layout.width(),
        "an encoding of this layout"
    );
    match layout.width() {
        8 => decode_column::<u64>(path, elements, digests, key, layout, out),
        _ => decode_column::<Wide>(path, elements, digests, key, layout, out),
    }
}

fn decode_column<E: Element>(
    path: Path,
    elements: &[u8],
    digests: &[u8],
    key: &[u8; 32],
    layout: &Layout,
    out: &mut [u8],
) {
    let store = Store::new(path, layout, E::split(elements), E::from_bytes);
    for_each_batch(
        path,
        key,
        layout,
        digests,
        E::split_mut(out),
        |scratch: &mut Scratch<E>, _, out| {
            let values = &mut scratch.values[..out.len()];
            store.decode(&scratch.rows, values);
            for (out, value) in out.iter_mut().zip(values) {
                *out = value.to_bytes();
            }
        },
    );
}

/// The guest's values of the PRF: tag_i = hash of (value of digest i in `c`, digest i) under `tag_key`, 16 bytes each.
/// `c` has `layout.size()` elements of GF(2^128).
///
/// # Panics
/// When a length does not fit.
pub fn receiver_tags(
    c: &[u8],
    digests: &[u8],
    key: &[u8; 32],
    layout: &Layout,
    tag_key: &[u8; 32],
    out: &mut [u8],
) {
    receiver_tags_on(simd::path(), c, digests, key, layout, tag_key, out);
}

/// As [`receiver_tags`], on the given path.
pub fn receiver_tags_on(
    path: Path,
    c: &[u8],
    digests: &[u8],
    key: &[u8; 32],
    layout: &Layout,
    tag_key: &[u8; 32],
    out: &mut [u8],
) {
    assert_eq!(c.len(), layout.size() * 16, "one element for each place");
    let store = Store::new(path, layout, Wide::split(c), <Wide as Element>::from_bytes);
    for_each_batch(
        path,
        key,
        layout,
        digests,
        Wide::split_mut(out),
        |scratch, digests, out| {
            store.decode(&scratch.rows, &mut scratch.values[..out.len()]);
            scratch.hash_tags(path, tag_key, digests, out);
        },
    );
}

/// The host's values of the PRF: tag_i = hash of (value of digest i in B', plus Δ times the digest's own hash; digest i) under
/// `tag_key`, 16 bytes each, where B' = `b` + Δ·`a`, or `b` when there is no `a`. `b` has elements of GF(2^128), `a` of
/// `layout.width()` bytes.
///
/// # Panics
/// When a length does not fit.
#[allow(clippy::too_many_arguments)] // the protocol's own words
pub fn sender_tags(
    b: &[u8],
    delta: &[u8; 16],
    a: Option<&[u8]>,
    digests: &[u8],
    key: &[u8; 32],
    layout: &Layout,
    tag_key: &[u8; 32],
    out: &mut [u8],
) {
    sender_tags_on(
        simd::path(),
        b,
        delta,
        a,
        digests,
        key,
        layout,
        tag_key,
        out,
    );
}

/// As [`sender_tags`], on the given path.
#[allow(clippy::too_many_arguments)] // the protocol's own words
pub fn sender_tags_on(
    path: Path,
    b: &[u8],
    delta: &[u8; 16],
    a: Option<&[u8]>,
    digests: &[u8],
    key: &[u8; 32],
    layout: &Layout,
    tag_key: &[u8; 32],
    out: &mut [u8],
) {
    assert_eq!(b.len(), layout.size() * 16, "one element for each place");
    let delta = Zeroizing::new(gf128::from_bytes(delta));
    let shifted = shift(path, b, &delta, a, layout);
    let store = Store::new(path, layout, &shifted, |element: &Wide| *element);
    let narrow = layout.width() == 8;
    for_each_batch(
        path,
        key,
        layout,
        digests,
        Wide::split_mut(out),
        |scratch: &mut Scratch<Wide>, digests, out| {
            let (rows, values) = (&scratch.rows, &mut scratch.values[..out.len()]);
            store.decode(rows, values);
            if narrow {
                let targets: [u64; BATCH] = std::array::from_fn(|row| rows.targets[row][0]);
                gf128::axpy64_on(path, values, &targets[..rows.count], *delta);
            } else {
                gf128::axpy_on(path, values, &rows.targets[..rows.count], *delta);
            }
            scratch.hash_tags(path, tag_key, digests, out);
        },
    );
}

/// b + Δ·a.
fn shift(
    path: Path,
    b: &[u8],
    delta: &Wide,
    a: Option<&[u8]>,
    layout: &Layout,
) -> Zeroizing<Vec<Wide>> {
    const PART: usize = 1 << 10;
    let mut shifted = Zeroizing::new(vec![[0u64; 2]; layout.size()]);
    let width = layout.width();
    if let Some(a) = a {
        assert_eq!(a.len(), layout.size() * width, "one element for each place");
    }
    shifted
        .par_chunks_mut(PART)
        .zip(b.par_chunks(PART * 16))
        .enumerate()
        .for_each(|(part, (out, b))| {
            for (out, b) in out.iter_mut().zip(Wide::split(b)) {
                *out = gf128::from_bytes(b);
            }
            let Some(a) = a else { return };
            let a = &a[part * PART * width..][..out.len() * width];
            if width == 8 {
                let mut factors = [0u64; PART];
                for (factor, bytes) in factors.iter_mut().zip(u64::split(a)) {
                    *factor = u64::from_le_bytes(*bytes);
                }
                gf128::axpy64_on(path, out, &factors[..out.len()], *delta);
            } else {
                let mut factors = [[0u64; 2]; PART];
                for (factor, bytes) in factors.iter_mut().zip(Wide::split(a)) {
                    *factor = gf128::from_bytes(bytes);
                }
                gf128::axpy_on(path, out, &factors[..out.len()], *delta);
            }
        });
    shifted
}

/// An encoding to decode from, whose elements may be stored as bytes.
struct Store<'a, S, R, E: Element> {
    path: Path,
    stored: &'a [S],
    read: R,
    slots: usize,
    dense: Zeroizing<Vec<E>>,
}

impl<'a, S: Sync, R: Fn(&S) -> E + Sync, E: Element> Store<'a, S, R, E> {
    fn new(path: Path, layout: &Layout, stored: &'a [S], read: R) -> Self {
        let dense = &stored[layout.clusters() * layout.slots()..];
        let dense = Zeroizing::new(dense.iter().map(&read).collect());
        let slots = layout.slots();
        Self {
            path,
            stored,
            read,
            slots,
            dense,
        }
    }

    /// The values of the rows: three slots each, and the dense elements.
    fn decode(&self, rows: &Rows, values: &mut [E]) {
        let mut places = [[0u32; 3]; BATCH];
        for (row, places) in places[..rows.count].iter_mut().enumerate() {
            let first = rows.clusters[row] * self.slots as u32;
            *places = rows.slots.each_ref().map(|slots| first + slots[row]);
            for place in *places {
                prefetch(self.stored, place as usize);
            }
        }
        for (value, places) in values.iter_mut().zip(&places) {
            let [a, b, c] = places.map(|place| (self.read)(&self.stored[place as usize]));
            *value = a.plus(b).plus(c);
        }
        E::add_polynomial_on(self.path, values, &self.dense, &rows.dense[..rows.count]);
    }
}

/// Asks for an element before it is needed.
#[inline(always)]
fn prefetch<S>(stored: &[S], place: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch of any address reads nothing that the program sees
        unsafe { _mm_prefetch::<_MM_HINT_T0>(stored.as_ptr().wrapping_add(place).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (stored, place);
}

/// Tables of one thread.
struct Scratch<E: Element> {
    rows: Box<Rows>,
    values: Zeroizing<Vec<E>>,
    inputs: Zeroizing<Vec<[u8; 32]>>,
}

impl<E: Element> Scratch<E> {
    fn new() -> Self {
        Self {
            rows: Rows::new(),
            values: Zeroizing::new(vec![E::default(); BATCH]),
            inputs: Zeroizing::new(vec![[0; 32]; BATCH]),
        }
    }
}

impl Scratch<Wide> {
    fn hash_tags(&mut self, path: Path, tag_key: &[u8; 32], digests: &[u8], out: &mut [[u8; 16]]) {
        let pairs = self.values.iter().zip(Wide::split(digests));
        for (input, (value, digest)) in self.inputs.iter_mut().zip(pairs) {
            input[..16].copy_from_slice(&gf128::to_bytes(*value));
            input[16..].copy_from_slice(digest);
        }
        let inputs = self.inputs[..out.len()].as_flattened();
        hashing::hash_rows_serial(path, tag_key, inputs, 32, TAG_SIZE, out.as_flattened_mut());
    }
}

/// Runs `each` on batches of keys: their rows are in the scratch; their digests, and their places in `out`, are handed over.
fn for_each_batch<E: Element, O: Send>(
    path: Path,
    key: &[u8; 32],
    layout: &Layout,
    digests: &[u8],
    out: &mut [O],
    each: impl Fn(&mut Scratch<E>, &[u8], &mut [O]) + Sync,
) {
    assert!(
        digests.len() == out.len() * DIGEST_SIZE,
        "whole digests, and a place for the result of each"
    );
    out.par_chunks_mut(PIECE)
        .zip(digests.par_chunks(PIECE * DIGEST_SIZE))
        .for_each_init(Scratch::new, |scratch, (out, digests)| {
            let digests = digests.chunks(BATCH * DIGEST_SIZE);
            for (out, digests) in out.chunks_mut(BATCH).zip(digests) {
                scratch.rows.fill(path, key, layout, digests);
                each(scratch, digests, out);
            }
        });
}
