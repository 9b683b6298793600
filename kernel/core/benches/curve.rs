//! Times of hashing to the curve, multiplying and joining on one thread, the best of several runs of each path:
//! `cargo bench -p hanse-kernel --bench curve`. `docs/protocols/curve.md` has the bounds.

use std::time::Instant;

use hanse_kernel::{curve, matching, permutation, simd, threads};

const IDS: usize = 256;
const ROWS: usize = 1_000_000;
const RUNS: usize = 200;

/// The seconds of the fastest of `runs` runs: the others waited for somebody else.
fn best(runs: usize, mut work: impl FnMut()) -> f64 {
    (0..runs)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

fn time_curve(path: simd::Path) {
    let texts: Vec<String> = (0..IDS).map(|index| format!("{index:016}")).collect();
    let offsets: Vec<i64> = (0..=IDS).map(|index| 16 * index as i64).collect();
    let data = texts.concat().into_bytes();
    let (mut points, mut products) = (vec![0; 32 * IDS], vec![0; 32 * IDS]);
    let scalar = curve::secret(&[1; 32]);
    let scalars = scalar.repeat(IDS);
    let report = |what: &str, seconds: f64| {
        let each = seconds * 1e6 / IDS as f64;
        println!("{:8} {what:20} {each:7.3} us", path.name());
    };
    let hash = best(RUNS, || {
        curve::hash_to_points_on(path, &data, &offsets, b"bench", &mut points);
    });
    report("hash an id", hash);
    let multiply = best(RUNS, || {
        curve::multiply_on(path, &points, &scalar, &mut products).expect("hashed points are fine");
    });
    report("multiply a point", multiply);
    let each = best(RUNS, || {
        curve::multiply_each_on(path, &points, &scalars, &mut products).expect("as above");
    });
    report("by its own factor", each);
    let blind = best(RUNS, || {
        curve::blind_on(path, &data, &offsets, b"bench", &scalar, &mut products).expect("as above");
    });
    report("hash and multiply", blind);
    let check = best(RUNS, || {
        assert_eq!(curve::find_off_curve_on(path, &points), None);
    });
    report("test for the twist", check);
}

fn time_rows() {
    let mut order = vec![0; ROWS];
    let permute = best(3, || {
        permutation::fill_permutation(&mut order, &[2; 32]);
    });
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
    let join = best(3, || {
        let joined = matching::join(&left, &right, 16);
        assert_eq!(joined.expect("no row twice").0.len(), ROWS);
    });
    println!("permute  {:6.1} ns a row", permute * 1e9 / ROWS as f64);
    println!(
        "join     {:6.1} ns a row of both sides",
        join * 1e9 / ROWS as f64
    );
}

fn main() {
    threads::set(1).expect("a pool of one thread");
    threads::run(|| {
        simd::available().for_each(time_curve);
        time_rows();
    });
}
