//! Encoding: rows are made and spread over their clusters, then each cluster is solved by itself.

use rayon::prelude::*;
use zeroize::Zeroizing;

use super::element::Element;
use super::linear::{self, Equation};
use super::rows::{BATCH, Rows};
use super::solve::{Cluster, Scratch};
use super::{DIGEST_SIZE, EncodingFailed, Layout};
use crate::gf128::Wide;
use crate::prg::{Seed, Stream, derive};
use crate::simd::{self, Path};

/// Keys whose rows are grouped by cluster together.
const PIECE: usize = 1 << 14;

/// Encodes `digests` so that each decodes to the hash of itself under `key`, as [`super::Rows`] has it: `layout.size()` elements of
/// `layout.width()` bytes. What the rows leave open is random from `seed`, which is secret and fresh.
///
/// # Errors
/// When the rows have no common solution: once in 2^40 keys, see [`EncodingFailed`].
///
/// # Panics
/// When the digests are more than the layout has keys, or `out` has another size.
pub fn encode(
    digests: &[u8],
    key: &[u8; 32],
    layout: &Layout,
    seed: &Seed,
    out: &mut [u8],
) -> Result<(), EncodingFailed> {
    encode_on(simd::path(), digests, key, layout, seed, out)
}

/// As [`encode`], on the given path.
pub fn encode_on(
    path: Path,
    digests: &[u8],
    key: &[u8; 32],
    layout: &Layout,
    seed: &Seed,
    out: &mut [u8],
) -> Result<(), EncodingFailed> {
    encode_with(path, digests, None, key, layout, seed, out)
}

/// As [`encode`], with a value of `layout.width()` bytes for each digest.
///
/// # Errors
/// As [`encode`].
///
/// # Panics
/// As [`encode`], and when there is not one value for each digest.
pub fn encode_values(
    digests: &[u8],
    values: &[u8],
    key: &[u8; 32],
    layout: &Layout,
    seed: &Seed,
    out: &mut [u8],
) -> Result<(), EncodingFailed> {
    encode_values_on(simd::path(), digests, values, key, layout, seed, out)
}

/// As [`encode_values`], on the given path.
pub fn encode_values_on(
    path: Path,
    digests: &[u8],
    values: &[u8],
    key: &[u8; 32],
    layout: &Layout,
    seed: &Seed,
    out: &mut [u8],
) -> Result<(), EncodingFailed> {
    assert_eq!(
        values.len(),
        digests.len() / DIGEST_SIZE * layout.width(),
        "one value for each digest"
    );
    encode_with(path, digests, Some(values), key, layout, seed, out)
}

fn encode_with(
    path: Path,
    digests: &[u8],
    values: Option<&[u8]>,
    key: &[u8; 32],
    layout: &Layout,
    seed: &Seed,
    out: &mut [u8],
) -> Result<(), EncodingFailed> {
    assert!(
        digests.len().is_multiple_of(DIGEST_SIZE) && digests.len() / DIGEST_SIZE <= layout.items(),
        "at most as many digests as the layout has keys"
    );
    assert_eq!(
        out.len(),
        layout.size() * layout.width(),
        "room for the encoding"
    );
    let encoder = Encoder {
        path,
        key,
        layout,
        free: Zeroizing::new(derive(seed, "hanse okvs free elements", &[])),
    };
    match layout.width() {
        8 => encoder.run::<u64>(digests, values.map(u64::split), u64::split_mut(out)),
        _ => encoder.run::<Wide>(digests, values.map(Wide::split), Wide::split_mut(out)),
    }
}

struct Encoder<'a> {
    path: Path,
    key: &'a [u8; 32],
    layout: &'a Layout,
    free: Zeroizing<Seed>,
}

/// The rows of some keys, grouped by cluster.
struct Piece<E> {
    /// Where each cluster begins, and the number of rows.
    starts: Vec<u32>,
    triples: Vec<u64>,
    dense: Vec<u64>,
    values: Vec<E>,
}

impl Encoder<'_> {
    fn run<E: Element>(
        &self,
        digests: &[u8],
        values: Option<&[E::Bytes]>,
        out: &mut [E::Bytes],
    ) -> Result<(), EncodingFailed> {
        let pieces: Vec<Piece<E>> = digests
            .par_chunks(PIECE * DIGEST_SIZE)
            .enumerate()
            .map(|(piece, digests)| {
                self.piece(digests, values.map(|values| &values[piece * PIECE..]))
            })
            .collect();
        let mut dense = self.draw_dense::<E>();
        let mut equations = self.solve_clusters(&pieces, &dense, out)?;
        let is_open = |equation: &Equation<E>| equation.value != E::default();
        if equations.iter().any(is_open) {
            let change = linear::solve(equations, dense.len())?;
            for (element, change) in dense.iter_mut().zip(change) {
                *element = element.plus(change);
            }
            equations = self.solve_clusters(&pieces, &dense, out)?;
            assert!(
                !equations.iter().any(is_open),
                "the dense elements solve the equations"
            );
        }
        let tail = &mut out[self.layout.clusters() * self.layout.slots()..];
        for (out, element) in tail.iter_mut().zip(dense.iter()) {
            *out = element.to_bytes();
        }
        Ok(())
    }

    /// Makes the rows of at most [`PIECE`] keys: once in their own order, then by cluster.
    fn piece<E: Element>(&self, digests: &[u8], values: Option<&[E::Bytes]>) -> Piece<E> {
        let count = digests.len() / DIGEST_SIZE;
        let mut rows = Rows::new();
        let mut clusters = Vec::with_capacity(count);
        let mut made: Vec<(u64, u64, E)> = Vec::with_capacity(count);
        let mut starts = vec![0u32; self.layout.clusters() + 1];
        for digests in digests.chunks(BATCH * DIGEST_SIZE) {
            rows.fill(self.path, self.key, self.layout, digests);
            for row in 0..rows.count {
                let cluster = rows.clusters[row];
                starts[cluster as usize + 1] += 1;
                clusters.push(cluster as u16);
                let [a, b, c] = rows.slots.each_ref().map(|slots| u64::from(slots[row]));
                let value = match values {
                    Some(values) => E::from_bytes(&values[made.len()]),
                    None => E::from_words(rows.targets[row]),
                };
                made.push((a | b << 16 | c << 32, rows.dense[row], value));
            }
        }
        for cluster in 1..starts.len() {
            starts[cluster] += starts[cluster - 1];
        }
        let mut places = starts.clone();
        let mut piece = Piece {
            starts,
            triples: vec![0; count],
            dense: vec![0; count],
            values: vec![E::default(); count],
        };
        for (cluster, (triple, dense, value)) in clusters.iter().zip(made) {
            let place = places[*cluster as usize] as usize;
            places[*cluster as usize] += 1;
            piece.triples[place] = triple;
            piece.dense[place] = dense;
            piece.values[place] = value;
        }
        piece
    }

    fn draw_dense<E: Element>(&self) -> Vec<E> {
        let mut words = Zeroizing::new(vec![0u64; 2 * self.layout.dense()]);
        Stream::new(&self.free, u64::MAX).fill(&mut words);
        let pairs = words.as_chunks::<2>().0.iter();
        pairs.map(|pair| E::from_words(*pair)).collect()
    }

    fn solve_clusters<E: Element>(
        &self,
        pieces: &[Piece<E>],
        dense: &[E],
        out: &mut [E::Bytes],
    ) -> Result<Vec<Equation<E>>, EncodingFailed> {
        let slots = self.layout.slots();
        let outs = out[..self.layout.clusters() * slots].par_chunks_mut(slots);
        let equations: Vec<_> = outs
            .enumerate()
            .map_init(Scratch::<E>::new, |scratch, (cluster, out)| {
                let mut rows = gather(pieces, cluster);
                let mut free = Stream::new(&self.free, cluster as u64);
                let equations = scratch.solve(self.path, &mut rows, slots, dense, &mut free)?;
                for (out, element) in out.iter_mut().zip(&scratch.solution[..]) {
                    *out = element.to_bytes();
                }
                Ok(equations)
            })
            .collect::<Result<_, EncodingFailed>>()?;
        Ok(equations.into_iter().flatten().collect())
    }
}

/// The rows of one cluster, in the order of their keys.
fn gather<E: Element>(pieces: &[Piece<E>], cluster: usize) -> Cluster<E> {
    let parts = || {
        pieces.iter().map(|piece| {
            let range = piece.starts[cluster] as usize..piece.starts[cluster + 1] as usize;
            (piece, range)
        })
    };
    let count = parts().map(|(_, range)| range.len()).sum();
    let mut rows = Cluster {
        triples: Vec::with_capacity(count),
        dense: Vec::with_capacity(count),
        values: Vec::with_capacity(count),
    };
    for (piece, range) in parts() {
        rows.triples
            .extend_from_slice(&piece.triples[range.clone()]);
        rows.dense.extend_from_slice(&piece.dense[range.clone()]);
        rows.values.extend_from_slice(&piece.values[range]);
    }
    rows
}
