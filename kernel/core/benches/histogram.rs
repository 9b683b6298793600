//! Times of the static-hint histogram on one thread: `cargo bench -p hanse-kernel --bench histogram`.

use std::time::Instant;

use hanse_kernel::histogram::{Columns, Guest, Hint, Host, Level, Plane};
use hanse_kernel::ntt::Transform;
use hanse_kernel::parameters::{Parameters, S100, S138};
use hanse_kernel::threads;

const FEATURES: usize = 20;

/// Median milliseconds of nine runs.
fn median_ms<R>(mut work: impl FnMut() -> R) -> f64 {
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(work());
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[4]
}

fn transforms(parameters: &Parameters) {
    let transform = Transform::new(parameters.primes[0], parameters.ring_degree);
    let mut data: Vec<u64> = (0..parameters.ring_degree as u64).collect();
    let forward = median_ms(|| (0..100).for_each(|_| transform.forward(&mut data)));
    data.iter_mut()
        .for_each(|value| *value = transform.reduce(*value));
    let inverse = median_ms(|| (0..100).for_each(|_| transform.inverse_unscaled(&mut data)));
    let name = parameters.name;
    println!(
        "{name} transform, one prime: forward {:.1} us, inverse {:.1} us",
        forward * 10.0,
        inverse * 10.0
    );
}

/// Dummy part and blocks of a level.
fn encrypted(guest: &Guest, level: &Level) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut dummies = vec![0; guest.dummies_size(level)];
    guest.dummies(level, &mut dummies).expect("its own level");
    let of_block = |block| {
        let mut bytes = vec![0; guest.block_size(level, block)];
        guest
            .encrypt(level, block, &mut bytes)
            .expect("its own level");
        bytes
    };
    (dummies, (0..guest.blocks()).map(of_block).collect())
}

fn histogram(parameters: &'static Parameters, samples: usize, bins: i32, queries: usize) {
    let codes: Vec<u8> = (0..FEATURES * samples)
        .map(|index| ((index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8 % bins as u8)
        .collect();
    let columns = Columns {
        codes: &codes,
        bins: &[bins; FEATURES],
        missing: &[0; FEATURES],
        omitted: &[0; FEATURES],
    };
    let start = Instant::now();
    let (host, hint) = Host::set_up(parameters, &[1; 32], &[2; 32], columns).expect("rows fit");
    let set_up = start.elapsed().as_secs_f64() * 1e3;
    let start = Instant::now();
    let guest = Guest::new(parameters, &[1; 32], samples).expect("samples fit");
    let keys = start.elapsed().as_secs_f64() * 1e3;
    let parse =
        median_ms(|| Hint::parse(parameters, &hint[..], &host.rows_of_features()).map(|_| ()));
    let parsed = Hint::parse(parameters, &hint[..], &host.rows_of_features()).expect("well formed");
    let (g, h) = (vec![-3; samples], vec![2; samples]);
    let slots: Vec<u16> = (0..samples)
        .map(|sample| (sample % queries) as u16)
        .collect();
    let plane = Plane {
        gradients: &g,
        hessians: &h,
        slots: &slots,
        queries,
    };
    let begin = median_ms(|| guest.begin(&[plane], &[3; 32]).map(|_| ()));
    let level = guest.begin(&[plane], &[3; 32]).expect("the numbers fit");
    let (dummies, sent) = encrypted(&guest, &level);
    let rows = host.rows();
    let encrypt = median_ms(|| encrypted(&guest, &level));
    let first = median_ms(|| host.begin(queries, &dummies, None).map(|_| ()));
    let add = median_ms(|| {
        let mut summing = host.begin(queries, &dummies, None).expect("below the cap");
        sent.iter()
            .for_each(|block| host.add(&mut summing, block).expect("well formed"));
    }) - first;
    let mut summing = host.begin(queries, &dummies, None).expect("below the cap");
    sent.iter()
        .for_each(|block| host.add(&mut summing, block).expect("well formed"));
    let start = Instant::now();
    let answers = host.finish(summing, &[4; 32]).expect("all blocks came");
    let finish = start.elapsed().as_secs_f64() * 1e3;
    let decrypt = median_ms(|| guest.decrypt(&level, &parsed, &answers, None));
    let name = parameters.name;
    println!(
        "{name} {samples} samples x {FEATURES} features x {bins} bins, {queries} queries, one thread"
    );
    let line = |what: &str, ms: f64, unit: &str, count: f64| {
        println!("  {what:8} {ms:8.2} ms  {:8.3} {unit}", ms * 1e6 / count);
    };
    let (samples, queries) = (samples as f64, queries as f64);
    line(
        "set-up",
        set_up,
        "ns a sample and feature",
        samples * FEATURES as f64,
    );
    line("keys", keys, "ns a sample", samples);
    line("parse", parse, "ns a byte of the hint", hint.len() as f64);
    line("begin", begin, "ns a sample", samples);
    line(
        "encrypt",
        encrypt,
        "ns a sample and query",
        samples * queries,
    );
    line(
        "dummies",
        first,
        "ns a row and query",
        rows as f64 * queries,
    );
    line(
        "add",
        add,
        "ns a sample, feature and query",
        samples * FEATURES as f64 * queries,
    );
    line(
        "finish",
        finish,
        "ns a row and query",
        rows as f64 * queries,
    );
    line(
        "decrypt",
        decrypt,
        "ns a row and query",
        rows as f64 * queries,
    );
}

fn main() {
    threads::set(1).expect("a pool of one thread");
    threads::run(|| {
        transforms(&S100);
        transforms(&S138);
        for queries in [1, 4, 16] {
            histogram(&S138, 1 << 16, 10, queries);
            histogram(&S100, 1 << 17, 32, queries);
        }
    });
}
