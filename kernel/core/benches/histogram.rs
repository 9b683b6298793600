//! Times of the static-hint histogram on one thread: `cargo bench -p hanse-kernel --bench histogram`.

use std::time::Instant;

use hanse_kernel::histogram::{Guest, Hint, Host};
use hanse_kernel::ntt::Transform;
use hanse_kernel::parameters::{Parameters, S100, S138};
use hanse_kernel::threads;

const FEATURES: usize = 20;
const BINS: usize = 10;

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

fn histogram(parameters: &'static Parameters, samples: usize) {
    let codes: Vec<u8> = (0..FEATURES * samples)
        .map(|index| ((index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8 % BINS as u8)
        .collect();
    let (bins, omitted) = ([BINS as i32; FEATURES], [0; FEATURES]);
    let start = Instant::now();
    let host =
        Host::set_up(parameters, &[1; 32], &[2; 32], codes, &bins, &omitted).expect("rows fit");
    let set_up = start.elapsed().as_secs_f64() * 1e3;
    let start = Instant::now();
    let guest = Guest::new(parameters, &[1; 32], samples).expect("samples fit");
    let keys = start.elapsed().as_secs_f64() * 1e3;
    let hint = Hint::parse(parameters, host.hint(), host.rows()).expect("the hint is well formed");
    let (g, h) = (vec![-3; samples], vec![2; samples]);
    let query = guest.encrypt(&g, &h, &[3; 32]).expect("the vector fits");
    let answer = host
        .answer(query.ciphertext(), &[4; 32])
        .expect("the query is well formed");
    let rows = host.rows();
    let encrypt = median_ms(|| guest.encrypt(&g, &h, &[3; 32]));
    let reply = median_ms(|| host.answer(query.ciphertext(), &[4; 32]));
    let decrypt = median_ms(|| guest.decrypt(&query, &hint, &answer));
    println!(
        "{} {samples} samples x {FEATURES} features x {BINS} bins, one thread",
        parameters.name
    );
    println!(
        "  set-up  {set_up:8.1} ms  {:6.2} ns a sample and row",
        set_up * 1e6 / (samples * rows) as f64
    );
    println!(
        "  keys    {keys:8.1} ms  {:6.2} ns a sample",
        keys * 1e6 / samples as f64
    );
    println!(
        "  encrypt {encrypt:8.2} ms  {:6.2} ns a sample",
        encrypt * 1e6 / samples as f64
    );
    println!(
        "  answer  {reply:8.2} ms  {:6.2} ns a sample and feature",
        reply * 1e6 / (samples * FEATURES) as f64
    );
    println!(
        "  decrypt {decrypt:8.2} ms  {:6.1} us a row",
        decrypt * 1e3 / rows as f64
    );
    println!(
        "  bytes: query {}, hint {}, answer {}",
        query.ciphertext().len(),
        host.hint().len(),
        answer.len()
    );
}

fn main() {
    threads::set(1).expect("a pool of one thread");
    threads::run(|| {
        transforms(&S100);
        transforms(&S138);
        histogram(&S138, 50_000);
        histogram(&S100, 200_000);
    });
}
