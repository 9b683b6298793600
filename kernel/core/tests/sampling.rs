//! The samplers against their distributions, with fixed seeds.

use hanse_kernel::parameters::SETS;
use hanse_kernel::prg::Stream;
use hanse_kernel::sampling::{
    ERROR_SIGMA, ERROR_TABLE, Flood, fill_gaussian, fill_gaussian_on, fill_ternary, fill_ternary_on,
};
use hanse_kernel::simd::{self, Path};

const DRAWS: usize = 1 << 20;

fn stream(lane: u64) -> Stream {
    Stream::new(&[6; 32], lane)
}

/// Whether counts fit probabilities: cells that expect less than ten are thrown together; five σ are allowed.
fn fits(counts: &[u64], probabilities: &[f64]) -> bool {
    let draws = counts.iter().sum::<u64>() as f64;
    let (mut statistic, mut cells) = (0.0, -1.0);
    let (mut rest_count, mut rest_expected) = (0.0, 0.0);
    for (count, probability) in counts.iter().zip(probabilities) {
        rest_count += *count as f64;
        rest_expected += probability * draws;
        if rest_expected >= 10.0 {
            statistic += (rest_count - rest_expected).powi(2) / rest_expected;
            cells += 1.0;
            (rest_count, rest_expected) = (0.0, 0.0);
        }
    }
    let rest_is_rare = rest_count < 60.0;
    rest_is_rare && statistic < cells + 5.0 * f64::sqrt(2.0 * cells)
}

fn count(values: impl Iterator<Item = i64>, lowest: i64, cells: usize) -> Vec<u64> {
    let mut counts = vec![0; cells];
    values.for_each(|value| counts[(value - lowest) as usize] += 1);
    counts
}

/// P(X = x) for x from −(n−1) to n−1, from those at 0 to n−1.
fn mirrored(half: &[f64]) -> Vec<f64> {
    half[1..].iter().rev().chain(half).copied().collect()
}

/// P(2^k·G + low) from the lowest value up, for an independent low part.
fn with_low_part(flood: &Flood, low: &[f64], cell: usize) -> Vec<f64> {
    let coarse = mirrored(&flood.coarse_probabilities());
    let mut probabilities = vec![0.0; (coarse.len() - 1) * cell + low.len()];
    for (index, mass) in coarse.iter().enumerate() {
        for (value, fraction) in low.iter().enumerate() {
            probabilities[index * cell + value] += mass * fraction;
        }
    }
    probabilities
}

/// P(U₁ + U₂ = x) for uniforms on [0, cell).
fn triangle(cell: usize) -> Vec<f64> {
    let cells = cell as f64;
    (0..2 * cell - 1)
        .map(|sum| (cells - (sum as f64 - cells + 1.0).abs()) / (cells * cells))
        .collect()
}

/// Divergence of the noise shifted by `delta` from itself, over that of a Gaussian of the same variance, δ²/2σ².
fn divergence_ratio(probabilities: &[f64], delta: usize) -> f64 {
    let mean: f64 = probabilities
        .iter()
        .enumerate()
        .map(|(value, mass)| value as f64 * mass)
        .sum();
    let variance: f64 = probabilities
        .iter()
        .enumerate()
        .map(|(value, mass)| (value as f64 - mean).powi(2) * mass)
        .sum();
    let shifted = probabilities
        .iter()
        .zip(&probabilities[delta..])
        .filter(|(mass, other)| mass.min(**other) > 1e-30);
    let divergence: f64 = shifted
        .map(|(mass, other)| mass * (mass / other).ln() - mass + other)
        .sum();
    divergence / ((delta * delta) as f64 / (2.0 * variance))
}

#[test]
fn paths_draw_the_same_values_and_leave_the_stream_at_the_same_word() {
    for len in [0, 1, 31, 64, 100, 511, 512, 1300, 4096] {
        let run = |path: Path| {
            let mut stream = Stream::new_on(path, &[7; 32], 1 << 40 | 3);
            let (mut errors, mut secret, mut next) = (vec![0; len], vec![0; len], [0; 5]);
            fill_gaussian_on(path, &mut stream, &mut errors);
            fill_ternary_on(path, &mut stream, &mut secret);
            stream.fill(&mut next);
            (errors, secret, next)
        };
        let expected = run(Path::Portable);
        for path in simd::available() {
            assert_eq!(run(path), expected, "{} {len}", path.name());
        }
    }
}

#[test]
fn floods_are_the_same_on_every_path_and_one_by_one() {
    let flood = Flood::new(47, 107);
    for len in [0, 1, 5, 64, 65, 200] {
        let mut one_by_one = stream(9);
        let expected: Vec<i64> = (0..len).map(|_| flood.sample(&mut one_by_one)).collect();
        for path in simd::available() {
            let (mut stream, mut drawn) = (Stream::new_on(path, &[6; 32], 9), vec![0; len]);
            flood.fill_on(path, &mut stream, &mut drawn);
            assert_eq!(drawn, expected, "{} {len}", path.name());
        }
    }
}

#[test]
fn streams_are_the_same_on_every_path_however_they_are_read() {
    let run = |path: Path| {
        let mut stream = Stream::new_on(path, &[8; 32], 5);
        [3, 128, 5, 128, 8, 1000, 0, 24, 256, 7].map(|count| {
            let mut words = vec![0; count];
            stream.fill(&mut words);
            words
        })
    };
    let expected = run(Path::Portable);
    for path in simd::available() {
        assert_eq!(run(path), expected, "{}", path.name());
        let mut whole = vec![0; 1559];
        Stream::new_on(path, &[8; 32], 5).fill(&mut whole);
        assert_eq!(whole, expected.concat(), "{}", path.name());
    }
}

#[test]
fn ternary_values_are_uniform() {
    let mut values = vec![0; DRAWS];
    fill_ternary(&mut stream(0), &mut values);
    let counts = count(values.iter().map(|value| i64::from(*value)), -1, 3);
    assert!(fits(&counts, &[1.0 / 3.0; 3]), "{counts:?}");
    let pairs = count(
        values
            .chunks_exact(2)
            .map(|pair| i64::from(pair[0]) * 3 + i64::from(pair[1])),
        -4,
        9,
    );
    assert!(fits(&pairs, &[1.0 / 9.0; 9]), "{pairs:?}");
}

#[test]
fn errors_follow_the_rounded_gaussian() {
    let mut values = vec![0; DRAWS];
    fill_gaussian(&mut stream(1), &mut values);
    let mut below = 0;
    let half: Vec<f64> = ERROR_TABLE
        .iter()
        .map(|bound| {
            let mass = (bound - below) as f64 / 2f64.powi(63);
            mass / if std::mem::replace(&mut below, *bound) == 0 {
                1.0
            } else {
                2.0
            }
        })
        .collect();
    let largest = half.len() as i64 - 1;
    let counts = count(
        values.iter().map(|value| i64::from(*value)),
        -largest,
        2 * half.len() - 1,
    );
    assert!(fits(&counts, &mirrored(&half)), "{counts:?}");
    let variance = values
        .iter()
        .map(|value| f64::from(*value).powi(2))
        .sum::<f64>()
        / DRAWS as f64;
    // rounding adds 1/12 to the variance
    assert!(
        (variance / (ERROR_SIGMA.powi(2) + 1.0 / 12.0) - 1.0).abs() < 0.01,
        "{variance}"
    );
}

#[test]
fn the_coarse_part_of_the_flood_is_a_discrete_gaussian() {
    for sigma in [64, 103, 107] {
        let probabilities = mirrored(&Flood::new(10, sigma).coarse_probabilities());
        let middle = probabilities.len() / 2;
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let sigma = sigma as f64;
        let weight = |x: f64| {
            (-x * x / (2.0 * sigma * sigma)).exp() / (sigma * (2.0 * std::f64::consts::PI).sqrt())
        };
        for x in (0..(9.0 * sigma) as usize).step_by(7) {
            for place in [middle - x, middle + x] {
                assert!(
                    (probabilities[place] / weight(x as f64) - 1.0).abs() < 1e-9,
                    "{x}"
                );
            }
        }
    }
}

#[test]
fn the_flood_hides_a_shift_as_well_as_a_gaussian() {
    for (shift, sigma) in [(4, 64), (6, 64), (6, 107)] {
        let flood = Flood::new(shift, sigma);
        let cell = 1usize << shift;
        let noise = with_low_part(&flood, &triangle(cell), cell);
        for delta in [1, 4, 16, cell - 1, cell, 3 * cell + 1] {
            let ratio = divergence_ratio(&noise, delta);
            assert!(
                (0.99..=1.01).contains(&ratio),
                "cell {cell}, shift {delta}: {ratio}"
            );
        }
        // one uniform would not do: the test can tell
        let staircase = with_low_part(&flood, &vec![1.0 / cell as f64; cell], cell);
        assert!(divergence_ratio(&staircase, 1) > 0.9 * cell as f64);
    }
}

#[test]
fn flood_samples_follow_coarse_part_and_triangle() {
    // small enough to count every value: this fails when one uniform is drawn, or one twice
    let flood = Flood::new(2, 4);
    let probabilities = with_low_part(&flood, &triangle(4), 4);
    let lowest = -((flood.coarse_probabilities().len() as i64 - 1) * 4) - 4;
    let mut stream = stream(2);
    let samples: Vec<i64> = (0..DRAWS / 2).map(|_| flood.sample(&mut stream)).collect();
    let counts = count(samples.into_iter(), lowest, probabilities.len());
    assert!(fits(&counts, &probabilities));
}

#[test]
fn the_shipped_floods_have_their_width() {
    for (lane, set) in SETS.into_iter().enumerate() {
        let flood = Flood::new(set.flood_shift, set.flood_coarse_sigma);
        let mut stream = stream(3 + lane as u64);
        const SAMPLES: usize = 20_000;
        let values: Vec<f64> = (0..SAMPLES)
            .map(|_| flood.sample(&mut stream) as f64)
            .collect();
        let mean = values.iter().sum::<f64>() / SAMPLES as f64;
        let sigma = (values.iter().map(|value| value * value).sum::<f64>() / SAMPLES as f64).sqrt();
        assert!(
            (sigma / set.flood_sigma() - 1.0).abs() < 0.02,
            "{} {sigma}",
            set.name
        );
        // two uniforms on [0, 2^k) are 1 too low on average, which is nothing here
        assert!(
            mean.abs() < 5.0 * set.flood_sigma() / (SAMPLES as f64).sqrt(),
            "{} {mean}",
            set.name
        );
        assert!(
            set.flood_sigma()
                >= set.leftover_sigma(set.max_row_samples()) * f64::from(set.flood_bits).exp2()
        );
    }
}
