//! Times of the extension of oblivious transfers on one thread: `cargo bench -p hanse-kernel --bench ot`.
//!
//! For each path and size: both sides, and of these the streams with their sums and the transposition. What bounds the
//! streams is AES: 2^depth/depth blocks of 16 bytes for every 128 transfers and bit of Δ.

use std::time::Instant;

use hanse_kernel::ot::{COLUMNS, ROW_BYTES, Shape, columns, reply};
use hanse_kernel::{aes, simd, threads};

const REPEATS: usize = 15;

/// The least of several times, in nanoseconds for each of `count`.
fn least(count: usize, mut work: impl FnMut()) -> f64 {
    let times = (0..REPEATS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e9 / count as f64
    });
    times.fold(f64::INFINITY, f64::min)
}

/// Streams alone, without sums: what they could not be faster than.
fn streams(path: simd::Path, shape: Shape) -> f64 {
    let mut room = vec![[0; 2]; 256];
    let blocks = shape.blocks() * (shape.groups() << shape.depth());
    least(shape.count, || {
        let key = aes::Key::new_on(path, &[1; 16]);
        for first in (0..blocks).step_by(room.len()) {
            let count = room.len().min(blocks - first);
            key.fill(first as u64, &mut room[..count]);
        }
        std::hint::black_box(&room);
    })
}

fn steps(path: simd::Path, shape: Shape) {
    let (blocks, depth) = (shape.blocks(), shape.depth());
    let keys = vec![[7; ROW_BYTES]; shape.groups() << depth];
    let mut sums = vec![[0; 2]; shape.groups() * blocks];
    let mut square = vec![[0; 2]; COLUMNS * blocks];
    let fold = least(shape.count, || {
        columns::fold_on(path, &keys, depth, blocks, &mut sums, &mut square);
    });
    let mut rows = vec![0; shape.count * ROW_BYTES];
    let transpose = least(shape.count, || {
        columns::transpose_on(path, &square, &mut rows)
    });
    println!(
        "{:8} {:8} transfers, depth {depth}: streams and sums {fold:5.1} ns (streams {:5.1}), transposed {transpose:4.1} ns",
        path.name(),
        shape.count,
        streams(path, shape),
    );
}

fn sides(shape: Shape) {
    let pairs = vec![3; 2 * COLUMNS * ROW_BYTES];
    let choices = vec![0x5a; shape.count.div_ceil(8)];
    let mut rows = vec![0; shape.count * ROW_BYTES];
    let (session, seed, delta) = ([1; 32], [2; 32], [0x33; ROW_BYTES]);
    let answer = least(shape.count, || {
        reply::answer(shape, &session, &seed, &pairs, &choices, &mut rows);
    });
    let said = reply::answer(shape, &session, &seed, &pairs, &choices, &mut rows);
    let accept = least(shape.count, || {
        let keys = &pairs[..COLUMNS * ROW_BYTES];
        reply::accept(shape, &session, keys, &delta, &said, &mut rows).expect("equal pairs");
    });
    let size = said.levels.len() + said.folded.len() + said.seal.len() + said.proof.len();
    println!(
        "{:8} transfers, checked {:5}: receiver {answer:5.1} ns, sender {accept:5.1} ns, {:.2} bytes each",
        shape.count,
        shape.checked,
        size as f64 / shape.count as f64,
    );
}

fn main() {
    threads::set(1).expect("a pool of one thread");
    threads::run(|| {
        for count in [40_000, 1 << 18, 1 << 20] {
            let shape = |checked| Shape { count, checked };
            simd::available().for_each(|path| steps(path, shape(false)));
            sides(shape(false));
            sides(shape(true));
        }
    });
}
