//! Times of transforms, products and samplers on every path, one thread: `cargo bench -p hanse-kernel --bench ring`.
//!
//! Nanoseconds a coefficient (and microseconds a transform) of the fastest of many runs.

use std::hint::black_box;
use std::time::Instant;

use hanse_kernel::memory::Words;
use hanse_kernel::ntt::Transform;
use hanse_kernel::parameters::SETS;
use hanse_kernel::prg::{PublicStream, Stream};
use hanse_kernel::ring::{PublicElement, Ring};
use hanse_kernel::sampling::{fill_gaussian_on, fill_ternary_on, fill_uniform_on};
use hanse_kernel::simd::{self, Path};

/// Nanoseconds of the fastest run.
fn least_ns(mut work: impl FnMut()) -> f64 {
    let mut least = f64::INFINITY;
    let begin = Instant::now();
    while begin.elapsed().as_millis() < 150 {
        let start = Instant::now();
        for _ in 0..16 {
            work();
        }
        least = least.min(start.elapsed().as_nanos() as f64 / 16.0);
    }
    least
}

fn report(path: Path, what: &str, count: usize, ns: f64) {
    let (each, all) = (ns / count as f64, ns / 1e3);
    println!("{:9} {what:32} {each:7.3} ns {all:9.2} us", path.name());
}

fn transforms(path: Path, prime: u64, degree: usize) {
    let transform = Transform::new(prime, degree);
    let bits = 64 - prime.leading_zeros();
    let name = |what: &str| format!("{what} N={degree} p<2^{bits}");
    let mut data = Words::zeros(degree);
    let mut out = Words::zeros(degree);
    let mut sums = Words::zeros(2 * degree);
    let fresh: Vec<u64> = (0..degree as u64)
        .map(|word| word.wrapping_mul(0x9e37_79b9_7f4a_7c15) % prime)
        .collect();
    data.copy_from_slice(&fresh);
    let copy = least_ns(|| black_box(&mut *data).copy_from_slice(black_box(&fresh)));
    // a transform's result is below 2^52, not below 4p: each run begins anew, and the copying is taken off
    let mut timed = |what: &str, work: &dyn Fn(&mut [u64])| {
        let ns = least_ns(|| {
            data.copy_from_slice(&fresh);
            work(black_box(&mut data));
        });
        report(path, &name(what), degree, ns - copy);
    };
    timed("forward", &|data| transform.forward_on(path, data));
    timed("inverse", &|data| transform.inverse_unscaled_on(path, data));
    timed("reduce", &|data| transform.reduce_all_on(path, data));
    let codes: Vec<u8> = fresh.iter().map(|word| (word % 32) as u8).collect();
    let ns = least_ns(|| transform.forward_mirrored_on(path, black_box(&codes), 3, &mut out));
    report(path, &name("mirrored 0/1"), degree, ns);
    let small: Vec<i8> = fresh.iter().map(|word| (word % 3) as i8 - 1).collect();
    let ns = least_ns(|| transform.forward_small_on(path, black_box(&small), &mut out));
    report(path, &name("forward of i8"), degree, ns);
    let factors = transform.factors(fresh.clone());
    let ns = least_ns(|| transform.multiply_on(path, &mut out, black_box(&fresh), &factors));
    report(path, &name("multiply"), degree, ns);
    let ns = least_ns(|| {
        transform.multiply_accumulate_on(path, &mut sums, black_box(&fresh), &data);
        transform.carry_on(path, &mut sums);
    });
    report(path, &name("multiply, add, carry"), degree, ns);
}

fn samplers(path: Path) {
    const COUNT: usize = 8192;
    let mut small = vec![0i8; COUNT];
    let mut words = vec![0u64; COUNT];
    let mut stream = Stream::new_on(path, &[1; 32], 0);
    report(path, "stream", COUNT, least_ns(|| stream.fill(&mut words)));
    report(
        path,
        "gaussian",
        COUNT,
        least_ns(|| fill_gaussian_on(path, &mut stream, &mut small)),
    );
    report(
        path,
        "ternary",
        COUNT,
        least_ns(|| fill_ternary_on(path, &mut stream, &mut small)),
    );
    let prime = SETS[0].primes[0];
    let ns = least_ns(|| {
        let mut stream = PublicStream::new(&[1; 32], "bench", &[]);
        fill_uniform_on(path, &mut stream, prime, &mut words);
    });
    report(path, "uniform", COUNT, ns);
}

fn main() {
    for path in simd::available() {
        for set in SETS {
            transforms(path, set.primes[0], set.ring_degree);
        }
        transforms(path, SETS[0].primes[0], 1024);
        samplers(path);
    }
    let ring = Ring::new(SETS[0]);
    let ns = least_ns(|| {
        black_box(PublicElement::expand(&ring, SETS[0], &[1; 32], 1));
    });
    report(simd::path(), "public element S100", 2 * 4096, ns);
}
