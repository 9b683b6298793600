//! Times of hashing, tags, buckets and joins on one thread, on every path: `cargo bench -p hanse-kernel --bench tags`.

use std::time::Instant;

use hanse_kernel::{buckets, hashing, matching, permutation, simd, tags, threads};

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

/// n tags, of 40 + 2·log2 n bits as two sides of that size need them.
fn code(log_rows: u32) {
    let rows = 1 << log_rows;
    let bits = 40 + 2 * log_rows;
    let mut mine = vec![[0; tags::TAG_SIZE]; rows];
    mine.as_flattened_mut().copy_from_slice(&bytes(16 * rows));
    let mut theirs = mine.clone();
    for tag in &mut theirs[rows / 2..] {
        tag[0] ^= 1;
    }
    let name = |work: &str| format!("{work} 2^{log_rows} tags of {bits} bits");
    let mut sorted = vec![[0; tags::TAG_SIZE]; rows];
    let mut order = vec![0; rows];
    least(&name("sort"), rows, || {
        tags::sort(&mine, bits, &mut sorted, &mut order).expect("no tag twice");
    });
    let mut sorted_theirs = sorted.clone();
    tags::sort(&theirs, bits, &mut sorted_theirs, &mut vec![0; rows]).expect("no tag twice");
    let mut code = vec![0; tags::room(rows, bits)];
    let mut size = 0;
    least(&name("encode"), rows, || {
        size = tags::encode(&sorted_theirs, bits, &mut code).expect("sorted")
    });
    println!(
        "{:<44} {:7.3} bytes a row",
        "code",
        size as f64 / rows as f64
    );
    let mut decoded = sorted.clone();
    least(&name("decode"), rows, || {
        tags::decode(&code[..size], bits, &mut decoded).expect("a code")
    });
    assert!(decoded == sorted_theirs);
    let mut found = 0;
    least(&name("match"), rows, || {
        found = tags::matches(&sorted, &order, &decoded).0.len()
    });
    assert_eq!(found, rows / 2);
}

fn split() {
    let mut digests = vec![[0; 16]; ROWS];
    digests
        .as_flattened_mut()
        .copy_from_slice(&bytes(16 * ROWS));
    let (mut grouped, mut rows) = (digests.clone(), vec![0; ROWS]);
    for count in [4, 64, 1024] {
        least(&format!("split into {count} buckets"), ROWS, || {
            buckets::split(&digests, count, 0, &mut grouped, &mut rows);
        });
    }
}

/// Both sides of 2^20 rows of 16 bytes, half of them shared, in other orders.
fn join() {
    let rows = 1 << 20;
    let left = bytes(16 * rows);
    let mut order = vec![0; rows];
    least("permutation of 2^20", rows, || {
        permutation::fill_permutation(&mut order, &[2; 32])
    });
    let mut right: Vec<u8> = order
        .iter()
        .flat_map(|row| left[16 * *row as usize..][..16].to_vec())
        .collect();
    for row in right.chunks_exact_mut(32) {
        row[0] ^= 1;
    }
    least(
        "join of 2^20 and 2^20 rows, of both sides",
        2 * rows,
        || {
            let (shared, _) = matching::join(&left, &right, 16).expect("no row twice");
            assert_eq!(shared.len(), rows / 2);
        },
    );
}

fn main() {
    threads::set(1).expect("a pool of one thread");
    threads::run(hash);
    threads::run(split);
    threads::run(join);
    threads::run(|| [16, 20, 22].map(code));
}
