//! Times of hashing, tags, buckets and joins on one thread, on every path: `cargo bench -p hanse-kernel --bench tags`.

use std::time::Instant;

use hanse_kernel::{hashing, simd, threads};

const ROWS: usize = 1 << 18;
const TRIES: usize = 15;

/// The least time of some tries, in nanoseconds a row.
fn least(name: &str, rows: usize, mut work: impl FnMut()) {
    let mut best = f64::INFINITY;
    for _ in 0..TRIES {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{name:<44} {:7.2} ns a row", best * 1e9 / rows as f64);
}

fn bytes(count: usize) -> Vec<u8> {
    let mut out = vec![0; count];
    blake3::Hasher::new().finalize_xof().fill(&mut out);
    out
}

fn hash() {
    let data = bytes(64 * ROWS);
    let mut out = vec![0; 64 * ROWS];
    for path in simd::available() {
        for (width_in, width_out) in [(16, 16), (32, 16), (16, 64), (64, 64)] {
            let name = format!("{} hash_rows {width_in} to {width_out}", path.name());
            least(&name, ROWS, || {
                let (rows, out) = (&data[..width_in * ROWS], &mut out[..width_out * ROWS]);
                hashing::hash_rows_on(path, &[7; 32], rows, width_in, width_out, out);
            });
        }
        for size in [16usize, 24, 60] {
            let offsets: Vec<i64> = (0..=ROWS).map(|row| (row * size) as i64).collect();
            least(
                &format!("{} hash_texts {size} to 16", path.name()),
                ROWS,
                || {
                    hashing::hash_texts_on(
                        path,
                        &[7; 32],
                        &data,
                        &offsets,
                        16,
                        &mut out[..16 * ROWS],
                    );
                },
            );
        }
    }
}

fn main() {
    threads::set(1).expect("a pool of one thread");
    threads::run(hash);
}
