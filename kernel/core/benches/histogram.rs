//! Times of the static-hint histogram on one thread: `cargo bench -p hanse-kernel --bench histogram`.
//!
//! Processor time of this process, so that others on the machine disturb little; the least of several runs.

use hanse_kernel::histogram::{Columns, Guest, Hint, Host, Level, Plane};
use hanse_kernel::ntt::Transform;
use hanse_kernel::parameters::{Parameters, S100, S105, S138};
use hanse_kernel::threads;

const FEATURES: usize = 20;

/// Seconds of processor time that this process has used.
#[cfg(target_os = "linux")]
fn seconds() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock exists, and `time` is written
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

#[cfg(not(target_os = "linux"))]
fn seconds() -> f64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// Milliseconds of one run.
fn once_ms<R>(work: impl FnOnce() -> R) -> (f64, R) {
    let start = seconds();
    let result = std::hint::black_box(work());
    ((seconds() - start) * 1e3, result)
}

/// Least milliseconds of nine runs.
fn least_ms<R>(mut work: impl FnMut() -> R) -> f64 {
    (0..9)
        .map(|_| once_ms(&mut work).0)
        .fold(f64::INFINITY, f64::min)
}

fn transforms(parameters: &Parameters) {
    let transform = Transform::new(parameters.primes[0], parameters.ring_degree);
    let mut data: Vec<u64> = (0..parameters.ring_degree as u64).collect();
    let forward = least_ms(|| (0..100).for_each(|_| transform.forward(&mut data)));
    data.iter_mut()
        .for_each(|value| *value = transform.reduce(*value));
    let inverse = least_ms(|| (0..100).for_each(|_| transform.inverse_unscaled(&mut data)));
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
    let (set_up, made) = once_ms(|| Host::set_up(parameters, &[1; 32], &[2; 32], columns));
    let (host, hint) = made.expect("rows fit");
    let (keys, guest) = once_ms(|| Guest::new(parameters, &[1; 32], samples));
    let guest = guest.expect("samples fit");
    let parse =
        least_ms(|| Hint::parse(parameters, &hint[..], &host.rows_of_features()).map(|_| ()));
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
    let begin = least_ms(|| guest.begin(&[plane], &[3; 32]).map(|_| ()));
    let level = guest.begin(&[plane], &[3; 32]).expect("the numbers fit");
    let (dummies, sent) = encrypted(&guest, &level);
    let rows = host.rows();
    let encrypt = least_ms(|| encrypted(&guest, &level));
    let first = least_ms(|| host.begin(queries, &dummies, None).map(|_| ()));
    let add = least_ms(|| {
        let mut summing = host.begin(queries, &dummies, None).expect("below the cap");
        sent.iter()
            .for_each(|block| host.add(&mut summing, block).expect("well formed"));
    }) - first;
    let (finish, answers) = (0..5)
        .map(|_| {
            let mut summing = host.begin(queries, &dummies, None).expect("below the cap");
            sent.iter()
                .for_each(|block| host.add(&mut summing, block).expect("well formed"));
            once_ms(|| host.finish(summing, &[4; 32]).expect("all blocks came"))
        })
        .min_by(|one, other| one.0.total_cmp(&other.0))
        .expect("five runs");
    let decrypt = least_ms(|| guest.decrypt(&level, &parsed, &answers, None));
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
            histogram(&S105, 1 << 16, 32, queries);
            histogram(&S100, 1 << 16, 32, queries);
        }
    });
}
