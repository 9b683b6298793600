//! Digests in buckets: which bucket a digest belongs to is a function of the digest, so that two parties part their sets
//! alike; how full a bucket may get has a bound that hides how full it is.

use rayon::prelude::*;

/// A uniform digest.
pub type Digest = [u8; 16];

/// Digests that one thread takes at a time.
const CHUNK: usize = 1 << 15;

/// Some bucket exceeds [`bound`] with probability at most 2^−`FAILURE_BITS`.
pub const FAILURE_BITS: u32 = 40;

/// The bucket of a digest: ⌊count · f⌋, where its first eight bytes are the little-endian number f · 2^64.
#[inline(always)]
pub fn bucket(digest: &Digest, count: usize) -> usize {
    let leading = digest
        .first_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes));
    ((u128::from(leading) * count as u128) >> 64) as usize
}

/// Groups digests by bucket, in their order within each, and returns where each bucket starts, and the end. Beside each
/// digest stands its row, where the first is row `first_row`. Uses all threads.
///
/// # Panics
/// When the outputs have not a place for each digest, or there is no bucket. Rows are counted modulo 2^32.
pub fn split(
    digests: &[Digest],
    count: usize,
    first_row: u32,
    grouped: &mut [Digest],
    rows: &mut [u32],
) -> Vec<i64> {
    assert!(count > 0, "a bucket at least");
    assert!(
        grouped.len() == digests.len() && rows.len() == digests.len(),
        "a place for each digest"
    );
    let sizes: Vec<Vec<u32>> = digests
        .par_chunks(CHUNK)
        .map(|digests| {
            let mut sizes = vec![0; count];
            for digest in digests {
                sizes[bucket(digest, count)] += 1;
            }
            sizes
        })
        .collect();
    let mut starts = Vec::with_capacity(count + 1);
    let mut rooms: Vec<Vec<Room>> = sizes.iter().map(|_| Vec::with_capacity(count)).collect();
    let (mut grouped, mut rows, mut total) = (grouped, rows, 0);
    for bucket in 0..count {
        starts.push(total);
        for (sizes, rooms) in sizes.iter().zip(&mut rooms) {
            let size = sizes[bucket] as usize;
            let (digests, later_digests) = grouped.split_at_mut(size);
            let (head, later_rows) = rows.split_at_mut(size);
            rooms.push(Room {
                digests,
                rows: head,
                filled: 0,
            });
            (grouped, rows) = (later_digests, later_rows);
            total += size as i64;
        }
    }
    starts.push(total);
    digests
        .par_chunks(CHUNK)
        .zip(rooms)
        .enumerate()
        .for_each(|(chunk, (digests, mut rooms))| {
            let mut row = first_row.wrapping_add((chunk * CHUNK) as u32);
            for digest in digests {
                rooms[bucket(digest, count)].put(digest, row);
                row = row.wrapping_add(1);
            }
        });
    starts
}

/// The places of one chunk's digests in one bucket.
struct Room<'a> {
    digests: &'a mut [Digest],
    rows: &'a mut [u32],
    filled: usize,
}

impl Room<'_> {
    #[inline(always)]
    fn put(&mut self, digest: &Digest, row: u32) {
        self.digests[self.filled] = *digest;
        self.rows[self.filled] = row;
        self.filled += 1;
    }
}

/// A size that none of `count` buckets exceeds when each of `items` lands in one of them at random, but for a probability
/// of 2^−40: the least L for which the bound below on count · P(Bin(items, 1/count) > L) is that small.
///
/// P(X > L) ≤ P(X = L + 1) / (1 − ρ), ρ = P(X = L + 2) / P(X = L + 1), as later ratios are smaller still; and
/// P(X = k) ≤ √(n / 2πk(n − k)) · exp(−n·KL(k/n ‖ p)) (Stirling's formula with Robbins's bounds), which is off by less
/// than the factor 1 + 1/(11k) + 1/(11(n − k)). Nothing but +, −, ·, / and √ of IEEE 754 goes into it, so that all
/// machines agree.
///
/// # Panics
/// When there is no bucket.
pub fn bound(items: u64, count: u64) -> u64 {
    assert!(count > 0, "a bucket at least");
    let mean = items.div_ceil(count);
    if count == 1 || items == 0 {
        return items;
    }
    let goal = -f64::from(FAILURE_BITS) * std::f64::consts::LN_2 - ln(count as f64);
    let (mut below, mut enough) = (mean, items);
    while below < enough {
        let middle = below + (enough - below) / 2;
        if ln_exceeding(items as f64, count as f64, middle as f64) <= goal {
            enough = middle;
        } else {
            below = middle + 1;
        }
    }
    enough
}

/// ln of the bound on P(Bin(n, 1/count) > size), for size at the mean or above, below n.
fn ln_exceeding(n: f64, count: f64, size: f64) -> f64 {
    let (k, rest) = (size + 1.0, n - size - 1.0);
    let common = k * ln(k * count / n);
    if rest <= 0.0 {
        return -common;
    }
    let divergence = common + rest * ln(rest / n * (count / (count - 1.0)));
    let ratio = rest / (k + 1.0) / (count - 1.0);
    let root = (n / (std::f64::consts::TAU * k * rest)).sqrt();
    ln(root / (1.0 - ratio)) - divergence
}

/// The natural logarithm of a normal number above 0, the same on all machines: x = m · 2^e with m in [√½, √2), and
/// ln m = 2·artanh((m − 1) / (m + 1)) by its series.
fn ln(x: f64) -> f64 {
    let shift = (x * std::f64::consts::FRAC_1_SQRT_2).to_bits() >> 52;
    let exponent = shift as i64 - 1022;
    let power = f64::from_bits(((1023 - exponent) as u64) << 52);
    let m = x * power;
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    let series = (0..14).rev().fold(0.0, |sum, term| {
        sum * square + 1.0 / f64::from(2 * term + 1)
    });
    2.0 * s * series + exponent as f64 * std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(count: usize) -> Vec<Digest> {
        let mut digests = vec![[0; 16]; count];
        blake3::Hasher::new()
            .finalize_xof()
            .fill(digests.as_flattened_mut());
        digests
    }

    #[test]
    fn digests_are_grouped_in_their_order() {
        for (size, count) in [
            (0, 3),
            (1, 1),
            (10, 1),
            (1000, 7),
            (100_000, 300),
            (50, 1000),
        ] {
            let digests = digests(size);
            let (mut grouped, mut rows) = (vec![[0; 16]; size], vec![0; size]);
            let starts = split(&digests, count, 5, &mut grouped, &mut rows);
            let mut expected: Vec<(usize, u32)> = digests
                .iter()
                .zip(5..)
                .map(|(digest, row)| {
                    (
                        (u64::from_le_bytes(digest[..8].try_into().expect("eight")) as f64
                            / 2f64.powi(64)
                            * count as f64) as usize,
                        row,
                    )
                })
                .collect();
            expected.sort();
            assert!(
                rows == expected.iter().map(|(_, row)| *row).collect::<Vec<_>>(),
                "{size} in {count}"
            );
            assert!(
                grouped
                    .iter()
                    .zip(&rows)
                    .all(|(digest, row)| *digest == digests[*row as usize - 5])
            );
            assert_eq!(starts.len(), count + 1);
            for (bucket, ends) in starts.windows(2).enumerate() {
                let expected = expected.iter().filter(|(each, _)| *each == bucket).count();
                assert_eq!((ends[1] - ends[0]) as usize, expected);
            }
        }
    }

    #[test]
    fn the_last_bucket_ends_with_the_greatest_digest() {
        for count in [1, 3, 1 << 20, usize::MAX] {
            assert_eq!(bucket(&[255; 16], count), count - 1);
            assert_eq!(bucket(&[0; 16], count), 0);
        }
    }

    #[test]
    fn logarithms_are_right() {
        let root = std::f64::consts::SQRT_2;
        let ends = [root / 2.0, root, 2.0 * root].map(|end| [end - 1e-9, end, end + 1e-9]);
        let others = [
            1e-300,
            1e-9,
            0.3,
            1.0 - 1e-9,
            1.0,
            1.0 + 1e-9,
            2.0,
            10.0,
            1e18,
        ];
        for x in ends.into_iter().flatten().chain(others) {
            let error = (ln(x) - x.ln()).abs();
            assert!(error <= 4e-16 * x.ln().abs(), "ln {x} is off by {error}");
        }
    }

    /// ln P(Bin(n, 1/count) > size), by adding up exact ratios from P(X = size + 1), itself a product of n + 1 factors.
    fn exact(n: u64, count: u64, size: u64) -> f64 {
        let (k, odds) = (size + 1, 1.0 / (count - 1) as f64);
        let choices: f64 = (1..=k)
            .map(|each| ((n - k + each) as f64 / each as f64).ln())
            .sum();
        let first = choices - k as f64 * (count as f64).ln()
            + (n - k) as f64 * (-1.0 / count as f64).ln_1p();
        let (mut sum, mut term) = (1.0, 1.0);
        for each in k..n {
            term *= (n - each) as f64 / (each + 1) as f64 * odds;
            sum += term;
        }
        first + f64::ln(sum)
    }

    #[test]
    fn bounds_hold_and_are_hardly_above_the_least() {
        for (n, count) in [
            (50, 2),
            (100, 2),
            (100, 100),
            (1000, 2),
            (1000, 37),
            (5000, 4),
            (100_000, 3),
            (1 << 20, 32),
            (100, 100_000),
        ] {
            let goal = -40.0 * std::f64::consts::LN_2 - (count as f64).ln();
            let holds = |size: u64| size == n || exact(n, count, size) <= goal;
            let bound = bound(n, count);
            assert!(holds(bound), "{n} in {count}: {bound}");
            // the least that holds, or one more
            assert!(!holds(bound - 2), "{n} in {count}: {bound}");
        }
    }

    #[test]
    fn bounds_are_pinned_as_both_parties_must_agree_on_them() {
        let cases = [
            (0, 5, 0),
            (7, 1, 7),
            (1, 2, 1),
            (41, 2, 40),
            (42, 2, 41),
            (1 << 21, 2, 1_053_750),
            (1 << 24, 16, 1_055_947),
            (100_000_000, 96, 1_049_453),
            (4_000_000_000, 4000, 1_008_135),
        ];
        for (items, count, expected) in cases {
            assert_eq!(bound(items, count), expected, "{items} in {count}");
        }
    }
}
