//! Uniform permutations from a seed.

use zeroize::Zeroize;

use crate::prg::{Seed, Stream, derive};

const CHUNK: usize = 256;

/// Fills `order` with a uniform permutation of 0 … len − 1 (Fisher and Yates), without bias: draws that would favour an
/// index are rejected.
pub fn fill_permutation(order: &mut [i64], seed: &Seed) {
    let mut draws = Draws::new(seed);
    for (index, place) in order.iter_mut().enumerate() {
        *place = index as i64;
    }
    for last in (1..order.len()).rev() {
        order.swap(last, draws.below(last as u64 + 1) as usize);
    }
}

struct Draws {
    stream: Stream,
    words: [u64; CHUNK],
    next: usize,
}

impl Draws {
    fn new(seed: &Seed) -> Self {
        let mut key = derive(seed, "hanse permutation", &[]);
        let stream = Stream::new(&key, 0);
        key.zeroize();
        Self {
            stream,
            words: [0; CHUNK],
            next: CHUNK,
        }
    }

    fn word(&mut self) -> u64 {
        if self.next == CHUNK {
            self.stream.fill(&mut self.words);
            self.next = 0;
        }
        self.next += 1;
        self.words[self.next - 1]
    }

    /// Uniform below `bound` (Lemire 2019).
    fn below(&mut self, bound: u64) -> u64 {
        loop {
            let product = u128::from(self.word()) * u128::from(bound);
            // the low half must lie at or above 2^64 mod bound; the cheap test first
            let low = product as u64;
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return (product >> 64) as u64;
            }
        }
    }
}

impl Drop for Draws {
    fn drop(&mut self) {
        self.words.zeroize();
    }
}
