//! The receiver's one reply, and what both sides make of it.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::trees::{self, Leaves};
use super::{COLUMNS, ROW_BYTES, Shape, check, columns};
use crate::aes::{self, Block};
use crate::gf128;
use crate::prg::{Seed, Stream};
use crate::simd;

/// What the receiver of the correlation sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Opens the trees: [`Shape::levels_size`] bytes.
    pub levels: Vec<u8>,
    /// Moves every group to the receiver's choices: [`Shape::folded_size`] bytes.
    pub folded: Vec<u8>,
    /// Shows that the trees open to the same leaves whatever Δ is: [`Shape::seal_size`] bytes.
    pub seal: Vec<u8>,
    /// Shows that all groups have the same choices: [`Shape::proof_size`] bytes.
    pub proof: Vec<u8>,
}

/// The receiver was not consistent. Which of its claims failed is not told: it would say more of Δ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inconsistent;

/// The receiver's side: the reply, and t_i in `rows`.
///
/// `pairs` are both keys of each base transfer, `choices` the bits c_i from the lowest of each byte up; the bits after
/// the last transfer are left out. `session` is public and used once, `seed` secret. Uses all threads.
///
/// # Panics
/// When pairs, choices or rows are not of this shape.
pub fn answer(
    shape: Shape,
    session: &[u8; 32],
    seed: &Seed,
    pairs: &[u8],
    choices: &[u8],
    rows: &mut [u8],
) -> Reply {
    let (path, blocks) = (simd::path(), shape.blocks());
    let choices = choice_blocks(shape, seed, choices);
    let (leaves, levels) = trees::grow(path, shape, session, pairs);
    let (mut sums, columns) = fold(shape, &leaves);
    for sum in sums.chunks_exact_mut(blocks.max(1)) {
        for (sum, choice) in sum.iter_mut().zip(choices.iter()) {
            *sum = aes::xor(*sum, *choice);
        }
    }
    let mut reply = Reply {
        levels,
        folded: to_bytes(&sums),
        seal: Vec::new(),
        proof: Vec::new(),
    };
    if shape.checked {
        reply.seal = leaves.seal(shape, session);
        let factors = coefficients(shape, session, &reply);
        let hash = gf128::inner_product_on(path, &factors, &choices);
        let hashes = check::hash_columns(path, &factors, &columns);
        reply.proof = [&gf128::to_bytes(hash)[..], &check::digest(session, &hashes)].concat();
    }
    assert_eq!(
        rows.len(),
        shape.count * ROW_BYTES,
        "a row for each transfer"
    );
    columns::transpose(&columns, rows);
    reply
}

/// The sender's side: q_i in `rows`.
///
/// `keys` holds, for each bit of `delta`, the key of the base transfer for the other bit. Uses all threads.
///
/// # Errors
/// When the extension is checked and the proof does not hold. `rows` and `delta` are then to be thrown away.
///
/// # Panics
/// When keys, reply or rows are not of this shape.
pub fn accept(
    shape: Shape,
    session: &[u8; 32],
    keys: &[u8],
    delta: &[u8; ROW_BYTES],
    reply: &Reply,
    rows: &mut [u8],
) -> Result<(), Inconsistent> {
    assert_eq!(
        reply.folded.len(),
        shape.folded_size(),
        "choices of this shape"
    );
    assert_eq!(reply.seal.len(), shape.seal_size(), "a seal of this shape");
    assert_eq!(
        reply.proof.len(),
        shape.proof_size(),
        "a proof of this shape"
    );
    let leaves = trees::open(simd::path(), shape, session, keys, delta, &reply.levels);
    let (_, mut columns) = fold(shape, &leaves);
    columns::correct(
        &mut columns,
        shape.blocks(),
        delta,
        &from_bytes(&reply.folded),
    );
    assert_eq!(
        rows.len(),
        shape.count * ROW_BYTES,
        "a row for each transfer"
    );
    columns::transpose(&columns, rows);
    if !shape.checked || proven(shape, session, delta, reply, &leaves, &columns) {
        Ok(())
    } else {
        Err(Inconsistent)
    }
}

/// Both claims are always tested, so that the time does not tell which one failed.
fn proven(
    shape: Shape,
    session: &[u8; 32],
    delta: &[u8; ROW_BYTES],
    reply: &Reply,
    leaves: &Leaves,
    columns: &[Block],
) -> bool {
    let (choices, digest) = reply.proof.split_at(ROW_BYTES);
    let factors = coefficients(shape, session, reply);
    let mut hashes = check::hash_columns(simd::path(), &factors, columns);
    check::correct(&mut hashes, delta, aes::from_bytes(choices));
    let same = check::digest(session, &hashes).ct_eq(digest);
    leaves.hold(shape, session, delta, &reply.seal) & bool::from(same)
}

/// Bound to all of the reply that comes before the proof.
fn coefficients(shape: Shape, session: &[u8; 32], reply: &Reply) -> Vec<gf128::Wide> {
    let said = [&reply.levels[..], &reply.folded, &reply.seal];
    check::coefficients(session, &said, shape.blocks())
}

type Blocks = Zeroizing<Vec<Block>>;

/// The sums of all streams, group by group, and the columns.
fn fold(shape: Shape, leaves: &Leaves) -> (Blocks, Blocks) {
    let blocks = shape.blocks();
    let mut sums = Zeroizing::new(vec![[0; 2]; shape.groups() * blocks]);
    let mut columns = Zeroizing::new(vec![[0; 2]; COLUMNS * blocks]);
    columns::fold(&leaves.keys, shape.depth(), blocks, &mut sums, &mut columns);
    (sums, columns)
}

/// The choices as a column: 0 beyond the last transfer, then, when they are checked, a block of random ones.
fn choice_blocks(shape: Shape, seed: &Seed, choices: &[u8]) -> Blocks {
    assert_eq!(
        choices.len(),
        shape.count.div_ceil(8),
        "a bit for each transfer"
    );
    let mut bytes = Zeroizing::new(choices.to_vec());
    if let Some(last) = bytes.last_mut().filter(|_| !shape.count.is_multiple_of(8)) {
        *last &= (1 << (shape.count % 8)) - 1;
    }
    bytes.resize(shape.count.div_ceil(COLUMNS) * ROW_BYTES, 0);
    let mut blocks = Zeroizing::new(from_bytes(&bytes));
    if shape.checked {
        let mut random = [0; 2];
        Stream::new(seed, 0).fill(&mut random);
        blocks.push(random);
    }
    blocks
}

fn from_bytes(bytes: &[u8]) -> Vec<Block> {
    let rows = bytes.as_chunks::<ROW_BYTES>().0.iter();
    rows.map(|bytes| aes::from_bytes(bytes)).collect()
}

fn to_bytes(blocks: &[Block]) -> Vec<u8> {
    blocks
        .iter()
        .flat_map(|block| aes::to_bytes(*block))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        count: 500,
        checked: true,
    };
    const SESSION: [u8; 32] = [1; 32];
    const SEED: Seed = [2; 32];

    fn random(number: u8, size: usize) -> Vec<u8> {
        let mut words = vec![0; size.div_ceil(8)];
        Stream::new(&[number; 32], 0).fill(&mut words);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes[..size].to_vec()
    }

    /// The reply of a receiver that gives the first group other choices, makes its proof after that, and bets that the
    /// sender's bits there are `bet`.
    fn cheat(pairs: &[u8], choices: &[u8], bet: u8) -> Reply {
        let mut rows = vec![0; SHAPE.count * ROW_BYTES];
        let mut reply = answer(SHAPE, &SESSION, &SEED, pairs, choices, &mut rows);
        let mut others = choice_blocks(SHAPE, &SEED, choices);
        for (at, octet) in random(3, 20).into_iter().enumerate() {
            reply.folded[at] ^= octet;
            others[at / ROW_BYTES][at % ROW_BYTES / 8] ^= u64::from(octet) << (at % 8 * 8);
        }
        let factors = coefficients(SHAPE, &SESSION, &reply);
        let hash = |column: &[Block]| gf128::inner_product_on(simd::path(), &factors, column);
        let choices = hash(&choice_blocks(SHAPE, &SEED, choices));
        let (leaves, _) = trees::grow(simd::path(), SHAPE, &SESSION, pairs);
        let (_, columns) = fold(SHAPE, &leaves);
        let mut hashes = check::hash_columns(simd::path(), &factors, &columns);
        let betted = std::array::from_fn(|at| if at == 0 { bet } else { 0 });
        check::correct(&mut hashes, &betted, gf128::add(choices, hash(&others)));
        let digest = check::digest(&SESSION, &hashes);
        reply.proof = [&gf128::to_bytes(choices)[..], &digest].concat();
        reply
    }

    #[test]
    fn a_receiver_with_two_sets_of_choices_passes_only_where_it_guessed_all_bits_of_the_group() {
        let (pairs, choices) = (random(4, 2 * COLUMNS * ROW_BYTES), random(5, 63));
        let bet = 0b0110_0101;
        let reply = cheat(&pairs, &choices, bet);
        for first in 0..=u8::MAX {
            let mut delta: [u8; ROW_BYTES] = std::array::from_fn(|at| (at * 37) as u8);
            delta[0] = first;
            let keys: Vec<u8> = pairs
                .chunks_exact(2 * ROW_BYTES)
                .enumerate()
                .flat_map(|(bit, pair)| {
                    let side = 1 - usize::from(delta[bit / 8] >> (bit % 8) & 1);
                    pair[side * ROW_BYTES..][..ROW_BYTES].to_vec()
                })
                .collect();
            let mut rows = vec![0; SHAPE.count * ROW_BYTES];
            let outcome = accept(SHAPE, &SESSION, &keys, &delta, &reply, &mut rows);
            assert_eq!(outcome.is_ok(), first == bet, "bits {first:08b}");
        }
    }
}
