//! Times of the silent VOLE on one thread: `cargo bench -p hanse-kernel --bench vole`.
//!
//! `HANSE_KERNEL_PATH` chooses the instructions; the first argument, a number, the length instead of 1.35·2^20.

use std::time::Instant;

use hanse_kernel::aes::{self, Block};
use hanse_kernel::codes::{Code, Density};
use hanse_kernel::vole::{self, Field, Noise, Plan, Run};
use hanse_kernel::{ggm, memory, simd, threads};

const SALT: [u8; 32] = [1; 32];
const DELTA: Block = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3211];
const REPEATS: usize = 7;

/// The least of several times, in milliseconds.
fn least(mut work: impl FnMut()) -> f64 {
    let times = (0..REPEATS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e3
    });
    times.fold(f64::INFINITY, f64::min)
}

fn sides<T: Noise>(size: usize, density: Density) {
    let plan = Plan::new(size, T::FIELD);
    let run = Run::new(plan, density, &SALT);
    let choices = vole::choices(&plan, &[4; 32]);
    let q: Vec<Block> = (0..plan.choices() as u64).map(|i| [i, !i]).collect();
    let chosen = |index: usize| u64::from(choices[index / 8] >> (index % 8) & 1).wrapping_neg();
    let t: Vec<Block> = q
        .iter()
        .enumerate()
        .map(|(index, q)| aes::xor(*q, DELTA.map(|word| word & chosen(index))))
        .collect();
    let mut message = vec![[0; 2]; plan.message_blocks()];
    let mut b = memory::zeros::<Block>(plan.rows());
    let mut y = memory::zeros::<Block>(plan.rows());
    let send = least(|| {
        run.grow(&[3; 32], DELTA, &q, &mut message, [&mut b, &mut y]);
        run.send([&mut b, &mut y]);
    });
    let (mut a, mut c) = (
        memory::zeros::<T>(plan.rows()),
        memory::zeros::<Block>(plan.rows()),
    );
    let receive = least(|| {
        run.noise(&[4; 32], &mut a);
        run.receive(&[4; 32], &t, &message, &mut c);
    });
    println!(
        "{:?} {density:?}, {} rows: sender {send:.1} ms, receiver {receive:.1} ms; {} OTs, {} bytes sent",
        T::FIELD,
        plan.rows(),
        plan.choices(),
        16 * plan.message_blocks(),
    );
}

fn steps(size: usize) {
    let plan = Plan::new(size, Field::Narrow);
    let rows = plan.rows();
    let leaves = 2 * rows / plan.trees();
    let shape = ggm::Shape::new(leaves, &[[1; 16], [2; 16]]);
    let mut out = vec![[0; 2]; leaves];
    let (mut levels, mut sums) = (shape.levels(), vec![[[0; 2]; 2]; shape.depth()]);
    let known = vec![[0; 2]; shape.depth()];
    let whole = least(|| {
        for tree in 0..plan.trees() as u64 {
            shape.grow([tree, 0], &mut levels, &mut sums, &mut out);
        }
    });
    let punctured = least(|| {
        for tree in 0..plan.trees() {
            shape.grow_punctured(tree, [0; 2], &mut levels, &known, &mut out);
        }
    });
    let per_leaf = 1e6 / (2 * rows) as f64;
    println!(
        "trees: whole {whole:.1} ms ({:.2} ns a leaf), punctured {punctured:.1} ms ({:.2} ns)",
        whole * per_leaf,
        punctured * per_leaf
    );
    for density in [Density::Conservative, Density::Fast] {
        let code = Code::new(rows, density, &[7; 16]);
        let (mut x, mut y) = (memory::zeros::<Block>(rows), memory::zeros::<Block>(rows));
        let blocks = least(|| code.encode(&mut x, &mut y));
        let (mut x, mut y) = (memory::zeros::<u64>(rows), memory::zeros::<u64>(rows));
        let words = least(|| code.encode(&mut x, &mut y));
        println!(
            "code {density:?}: 16-byte elements {blocks:.1} ms, 8-byte elements {words:.1} ms"
        );
    }
}

fn main() {
    let size = std::env::args().find_map(|argument| argument.parse().ok());
    let size = size.unwrap_or((1.35 * f64::from(1 << 20)) as usize);
    threads::set(1).expect("a pool of one thread");
    println!("path {}", simd::path().name());
    threads::run(|| {
        steps(size);
        sides::<u64>(size, Density::Conservative);
        sides::<u64>(size, Density::Fast);
        sides::<Block>(size, Density::Conservative);
    });
}
