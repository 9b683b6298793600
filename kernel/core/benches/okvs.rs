//! Times of encoding and decoding on one thread and each path: `cargo bench -p hanse-kernel --bench okvs`.

use std::time::Instant;

use hanse_kernel::okvs::{self, Layout};
use hanse_kernel::{prg, simd, threads};

const TRIES: usize = 9;

/// Time that this thread has had on a processor, in nanoseconds, where the system tells; else the time of day.
fn clock(start: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let spent = told.and_then(|told| told.split(' ').next()?.parse().ok());
    spent.unwrap_or_else(|| start.elapsed().as_nanos() as f64)
}

/// Least time of some tries, in nanoseconds.
fn nanoseconds(mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    let times = (0..TRIES).map(|_| {
        let before = clock(start);
        work();
        clock(start) - before
    });
    times.fold(f64::INFINITY, f64::min)
}

fn random(size: usize, label: &str) -> Vec<u8> {
    let mut words = vec![0; size.div_ceil(8)];
    prg::PublicStream::new(&[1; 32], label, &[]).fill(&mut words);
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.truncate(size);
    bytes
}

fn main() {
    threads::set(1).expect("a pool of one thread");
    let bits = std::env::var("OKVS_BITS").map_or(20, |bits| bits.parse().expect("a number"));
    let only = std::env::var("OKVS_PATH").ok();
    let items = 1usize << bits;
    let digests = random(items * 16, "digests");
    let (key, seed) = ([2; 32], [3; 32]);
    threads::run(|| {
        for width in [8, 16] {
            let layout = Layout::new(items, width).expect("a layout");
            let size = layout.size() * width;
            println!(
                "2^{bits} keys, {width} bytes: {} clusters, {} dense, {:.3} bytes a key",
                layout.clusters(),
                layout.dense(),
                size as f64 / items as f64
            );
            let c = random(layout.size() * 16, "c");
            let a = random(size, "a");
            let mut elements = vec![0; size];
            let mut values = vec![0; items * width];
            let mut tags = vec![0; items * 16];
            for path in simd::available() {
                if only.as_ref().is_some_and(|only| only != path.name()) {
                    continue;
                }
                let report = |name: &str, time: f64| {
                    println!(
                        "  {:8} {name:14} {:6.1} ns a key",
                        path.name(),
                        time / items as f64
                    );
                };
                report(
                    "encode",
                    nanoseconds(|| {
                        okvs::encode_on(path, &digests, &key, &layout, &seed, &mut elements)
                            .expect("a solution");
                    }),
                );
                report(
                    "decode",
                    nanoseconds(|| {
                        okvs::decode_on(path, &elements, &digests, &key, &layout, &mut values);
                    }),
                );
                report(
                    "receiver tags",
                    nanoseconds(|| {
                        okvs::receiver_tags_on(path, &c, &digests, &key, &layout, &seed, &mut tags);
                    }),
                );
                report(
                    "sender tags",
                    nanoseconds(|| {
                        okvs::sender_tags_on(
                            path,
                            &c,
                            &[7; 16],
                            Some(&a),
                            &digests,
                            &key,
                            &layout,
                            &seed,
                            &mut tags,
                        );
                    }),
                );
            }
        }
    });
}
