//! Times of blinding and joining on one thread: `cargo bench -p hanse-kernel --bench curve`.

use std::time::Instant;

use hanse_kernel::{curve, matching, permutation, threads};

const IDS: usize = 20_000;
const ROWS: usize = 1_000_000;

fn seconds<R>(work: impl FnOnce() -> R) -> (R, f64) {
    let start = Instant::now();
    let result = std::hint::black_box(work());
    (result, start.elapsed().as_secs_f64())
}

fn main() {
    threads::set(1).expect("a pool of one thread");
    threads::run(|| {
        let texts: Vec<String> = (0..IDS).map(|index| format!("id-{index}")).collect();
        let mut offsets = vec![0];
        offsets.extend(texts.iter().scan(0, |end, text| {
            *end += text.len() as i64;
            Some(*end)
        }));
        let data = texts.concat().into_bytes();
        let mut points = vec![0; 32 * IDS];
        let scalar = curve::secret(&[1; 32]);
        let (_, hash) = seconds(|| curve::hash_to_points(&data, &offsets, b"bench", &mut points));
        let mut products = vec![0; 32 * IDS];
        let (outcome, multiply) = seconds(|| curve::multiply(&points, &scalar, &mut products));
        outcome.expect("hashed points are fine");
        println!("hash     {:6.2} us an id", hash * 1e6 / IDS as f64);
        println!("multiply {:6.2} us a point", multiply * 1e6 / IDS as f64);

        let mut order = vec![0; ROWS];
        let (_, permute) = seconds(|| permutation::fill_permutation(&mut order, &[2; 32]));
        let left: Vec<u8> = (0..ROWS as u64)
            .flat_map(|row| {
                row.wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    .to_le_bytes()
                    .repeat(2)
            })
            .collect();
        let right: Vec<u8> = order
            .iter()
            .flat_map(|row| left[16 * *row as usize..][..16].to_vec())
            .collect();
        let (joined, join) = seconds(|| matching::join(&left, &right, 16));
        assert_eq!(joined.expect("no row twice").0.len(), ROWS);
        println!("permute  {:6.1} ns a row", permute * 1e9 / ROWS as f64);
        println!(
            "join     {:6.1} ns a row of both sides",
            join * 1e9 / ROWS as f64
        );
    });
}
