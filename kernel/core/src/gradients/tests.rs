use super::elementary::exp;
use super::measures::{Metric, measure};
use super::*;
use crate::simd;

const EVERY: [Loss; 8] = [
    Loss::Binary,
    Loss::Multiclass { classes: 4 },
    Loss::Squared,
    Loss::Poisson,
    Loss::Gamma,
    Loss::Tweedie { power: 1.3 },
    Loss::Quantile { alpha: 0.8 },
    Loss::Ranking,
];

/// Labels that suit the loss, margins of every sign, weights and groups.
struct Case {
    labels: Vec<f64>,
    margins: Vec<f64>,
    weights: Vec<f64>,
    groups: Vec<i64>,
}

fn case(loss: Loss, rows: usize) -> Case {
    let turn = |row: usize, step: usize| (row * step % 1009) as f64 / 1009.0;
    let labels = (0..rows)
        .map(|row| match loss {
            Loss::Binary => (row * 7 % 5 / 3) as f64,
            Loss::Multiclass { classes } => (row * 7 % 11 % classes) as f64,
            Loss::Ranking => (row * 7 % 5) as f64,
            Loss::Gamma => turn(row, 17) * 3.0 + 0.1,
            _ => (row * 7 % 4) as f64,
        })
        .collect();
    let margins = (0..rows * loss.outputs())
        .map(|place| turn(place, 101) * 4.0 - 2.0)
        .collect();
    let weights = (0..rows).map(|row| turn(row, 31) + 0.5).collect();
    let mut groups: Vec<i64> = (0..rows as i64).step_by(13).collect();
    groups.push(rows as i64);
    Case {
        labels,
        margins,
        weights,
        groups,
    }
}

impl Case {
    fn rows(&self, weighted: bool) -> Rows<'_> {
        Rows {
            labels: &self.labels,
            weights: weighted.then_some(&self.weights),
            groups: Some(&self.groups),
        }
    }
}

fn gradients(path: simd::Path, loss: Loss, rows: &Rows, margins: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (mut g, mut h) = (vec![0.0; margins.len()], vec![0.0; margins.len()]);
    loss.gradients_on(path, rows, margins, &mut g, &mut h);
    (g, h)
}

#[test]
fn every_path_gives_the_same_bits_at_every_length() {
    for loss in EVERY {
        for rows in [1, 2, 7, 8, 9, 63, 2047, 2048, 2049, 5000] {
            let case = case(loss, rows);
            for weighted in [false, true] {
                let known = case.rows(weighted);
                let of = |path| {
                    let (g, h) = gradients(path, loss, &known, &case.margins);
                    let mut scores = vec![0.0; case.margins.len()];
                    loss.scores_on(path, &case.margins, &mut scores);
                    let mean = if loss == Loss::Ranking {
                        0.0
                    } else {
                        loss.mean_on(path, &known, &case.margins)
                    };
                    let all = [g, h, scores, vec![mean]].concat();
                    all.iter().map(|value| value.to_bits()).collect::<Vec<_>>()
                };
                let expected = of(simd::Path::Portable);
                for path in simd::available() {
                    assert_eq!(of(path), expected, "{loss:?}, {rows} rows, {}", path.name());
                }
            }
        }
    }
}

/// What one row's loss is up to a constant, with the library's functions.
fn loss_by_hand(loss: Loss, label: f64, margins: &[f64]) -> f64 {
    let m = margins[0];
    match loss {
        Loss::Binary => (1.0 + m.exp()).ln() - label * m,
        Loss::Multiclass { .. } => {
            margins.iter().map(|m| m.exp()).sum::<f64>().ln() - margins[label as usize]
        }
        Loss::Squared => (m - label) * (m - label) / 2.0,
        Loss::Poisson => m.exp() - label * m,
        Loss::Gamma => m + label * (-m).exp(),
        Loss::Tweedie { power: p } => {
            ((2.0 - p) * m).exp() / (2.0 - p) - label * ((1.0 - p) * m).exp() / (1.0 - p)
        }
        Loss::Quantile { alpha } => (alpha * (label - m)).max((alpha - 1.0) * (label - m)),
        Loss::Ranking => unreachable!("a ranking is no sum over rows"),
    }
}

#[test]
fn g_is_the_slope_of_the_loss_and_h_its_bend_where_it_is_meant_to_be() {
    const STEP: f64 = 1e-4;
    for loss in EVERY.into_iter().filter(|loss| *loss != Loss::Ranking) {
        let rows = 40;
        let case = case(loss, rows);
        let (g, h) = gradients(simd::path(), loss, &case.rows(false), &case.margins);
        for row in 0..rows {
            for output in 0..loss.outputs() {
                let at = |step: f64| {
                    let mut margins: Vec<f64> = (0..loss.outputs())
                        .map(|output| case.margins[output * rows + row])
                        .collect();
                    margins[output] += step;
                    loss_by_hand(loss, case.labels[row], &margins)
                };
                let place = output * rows + row;
                let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
                assert!(
                    (g[place] - slope).abs() < 1e-6,
                    "{loss:?} {} {slope}",
                    g[place]
                );
                let bend = (at(STEP) - 2.0 * at(0.0) + at(-STEP)) / (STEP * STEP);
                let meant = match loss {
                    Loss::Multiclass { .. } => 2.0 * bend,
                    Loss::Poisson => bend * 0.7f64.exp(),
                    Loss::Quantile { .. } => 1.0,
                    _ => bend,
                };
                assert!(
                    (h[place] - meant).abs() < 1e-5,
                    "{loss:?} {} {meant}",
                    h[place]
                );
            }
        }
    }
}

#[test]
fn weights_multiply_gradients_and_a_weight_of_two_counts_as_two_rows() {
    for loss in EVERY {
        let case = case(loss, 100);
        let (g, h) = gradients(simd::path(), loss, &case.rows(false), &case.margins);
        let (weighted_g, weighted_h) =
            gradients(simd::path(), loss, &case.rows(true), &case.margins);
        for place in 0..g.len() {
            assert_eq!(weighted_g[place], g[place] * case.weights[place % 100]);
            assert_eq!(weighted_h[place], h[place] * case.weights[place % 100]);
        }
    }
    let labels = [0.0, 1.0, 1.0];
    let known =
        |labels: &[f64], weights: Option<&[f64]>| Loss::Binary.base_margins(labels, weights);
    assert_eq!(known(&labels, None), known(&labels[..2], Some(&[1.0, 2.0])));
}

#[test]
fn no_constant_has_less_loss_than_the_base() {
    for loss in EVERY.into_iter().filter(|loss| *loss != Loss::Ranking) {
        let case = case(loss, 500);
        for weighted in [false, true] {
            let known = case.rows(weighted);
            let base = loss.base_margins(known.labels, known.weights);
            assert_eq!(base.len(), loss.outputs());
            let of = |output: usize, step: f64| {
                let each = base.iter().enumerate();
                let each = each.map(|(at, m)| if at == output { m + step } else { *m });
                let margins: Vec<f64> = each.flat_map(|m| std::iter::repeat_n(m, 500)).collect();
                loss.mean(&known, &margins)
            };
            for output in 0..loss.outputs() {
                let least = of(output, 0.0);
                assert!(least <= of(output, 1e-3) + 1e-12, "{loss:?}");
                assert!(least <= of(output, -1e-3) + 1e-12, "{loss:?}");
            }
        }
    }
}

#[test]
fn certain_rows_keep_a_positive_hessian() {
    for loss in EVERY {
        let case = case(loss, 26);
        for margin in [-800.0, 800.0] {
            let margins = vec![margin; case.margins.len()];
            let (g, h) = gradients(simd::path(), loss, &case.rows(false), &margins);
            assert!(h.iter().all(|h| *h > 0.0 && h.is_finite()), "{loss:?}");
            assert!(g.iter().all(|g| g.is_finite()), "{loss:?}");
        }
    }
}

#[test]
fn scores_are_probabilities_means_or_the_margins() {
    let margins = [-1.0, 0.5, 2.0, 0.25];
    let of = |loss: Loss| {
        let mut scores = [0.0; 4];
        loss.scores(&margins, &mut scores);
        scores
    };
    assert_eq!(of(Loss::Squared), margins);
    assert_eq!(of(Loss::Gamma), margins.map(exp));
    assert!((of(Loss::Binary)[1] - 1.0 / (1.0 + (-0.5f64).exp())).abs() < 1e-15);
    let two = of(Loss::Multiclass { classes: 2 });
    assert!((two[0] + two[2] - 1.0).abs() < 1e-15 && (two[1] + two[3] - 1.0).abs() < 1e-15);
    // two classes are the logistic of the difference
    assert!((two[2] - 1.0 / (1.0 + (-3.0f64).exp())).abs() < 1e-15);
}

#[test]
fn a_pair_of_rows_has_the_gradients_of_burges() {
    let (labels, margins) = ([2.0, 0.0], [0.3, 0.9]);
    let rows = Rows {
        labels: &labels,
        weights: None,
        groups: Some(&[0, 2]),
    };
    let (g, h) = gradients(simd::path(), Loss::Ranking, &rows, &margins);
    let wrong = 1.0 / (1.0 + (0.3f64 - 0.9).exp());
    // NDCG is 1 with row 0 in front, and 1/log2(3) as it is
    let change = 1.0 - 1.0 / 3.0f64.log2();
    assert!((g[0] + wrong * change).abs() < 1e-14 && (g[0] + g[1]).abs() < 1e-16);
    assert!((h[0] - 2.0 * wrong * (1.0 - wrong) * change).abs() < 1e-14 && h[0] == h[1]);
}

#[test]
fn gradients_of_a_long_group_are_the_sums_over_its_pairs() {
    let rows = 90;
    let case = case(Loss::Ranking, rows);
    let groups = [0, rows as i64];
    let known = Rows {
        labels: &case.labels,
        weights: None,
        groups: Some(&groups),
    };
    let (g, h) = gradients(simd::path(), Loss::Ranking, &known, &case.margins);
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by(|a, b| case.margins[*b].partial_cmp(&case.margins[*a]).unwrap());
    let gain = |row: usize| case.labels[row].exp2() - 1.0;
    let discount = |place: usize| 1.0 / ((place + 2) as f64).log2();
    let mut gains: Vec<f64> = (0..rows).map(gain).collect();
    gains.sort_by(|a, b| b.partial_cmp(a).unwrap());
    let best: f64 = (0..rows).map(|place| gains[place] * discount(place)).sum();
    let (mut expected_g, mut expected_h) = (vec![0.0; rows], vec![0.0; rows]);
    for high in 0..rows {
        for low in 0..rows {
            let (above, below) = (order[high], order[low]);
            if case.labels[above] <= case.labels[below] || high.min(low) >= ranking::PAIRED {
                continue;
            }
            let change =
                (gain(above) - gain(below)) * (discount(high) - discount(low)).abs() / best;
            let wrong = 1.0 / (1.0 + (case.margins[above] - case.margins[below]).exp());
            expected_g[above] -= wrong * change;
            expected_g[below] += wrong * change;
            expected_h[above] += 2.0 * wrong * (1.0 - wrong) * change;
            expected_h[below] += 2.0 * wrong * (1.0 - wrong) * change;
        }
    }
    for row in 0..rows {
        assert!((g[row] - expected_g[row]).abs() < 1e-12, "row {row}");
        assert!((h[row] - expected_h[row]).abs() < 1e-12, "row {row}");
    }
}

fn figure(loss: Loss, metric: Metric, rows: &Rows, margins: &[f64]) -> f64 {
    measure(loss, &[metric], rows, margins)[0]
}

#[test]
fn areas_are_their_definitions_over_pairs_and_thresholds() {
    let case = case(Loss::Binary, 300);
    // few distinct margins: many ties
    let margins: Vec<f64> = case
        .margins
        .iter()
        .map(|m| (m * 4.0).round() / 4.0)
        .collect();
    for weighted in [false, true] {
        let known = case.rows(weighted);
        let weight = |row: usize| if weighted { case.weights[row] } else { 1.0 };
        let (mut won, mut pairs, mut precision, mut positive) = (0.0, 0.0, 0.0, 0.0);
        for above in (0..300).filter(|row| case.labels[*row] == 1.0) {
            for below in (0..300).filter(|row| case.labels[*row] == 0.0) {
                let both = weight(above) * weight(below);
                pairs += both;
                won += both
                    * match margins[above].partial_cmp(&margins[below]).unwrap() {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
            }
            let taken = (0..300).filter(|row| margins[*row] >= margins[above]);
            let (mut hits, mut all) = (0.0, 0.0);
            for row in taken {
                all += weight(row);
                hits += weight(row) * case.labels[row];
            }
            precision += weight(above) * hits / all;
            positive += weight(above);
        }
        let found = |metric| figure(Loss::Binary, metric, &known, &margins);
        assert!((found(Metric::Auc) - won / pairs).abs() < 1e-12);
        assert!((found(Metric::Aucpr) - precision / positive).abs() < 1e-12);
    }
}

#[test]
fn both_zeros_are_one_margin() {
    let rows = Rows {
        labels: &[0.0, 1.0],
        weights: None,
        groups: None,
    };
    assert_eq!(figure(Loss::Binary, Metric::Auc, &rows, &[0.0, -0.0]), 0.5);
    assert_eq!(figure(Loss::Binary, Metric::Auc, &rows, &[-1.0, -0.5]), 1.0);
}

#[test]
fn pairs_in_the_wrong_order_are_counted_within_groups() {
    let case = case(Loss::Ranking, 120);
    let margins: Vec<f64> = case.margins.iter().map(|m| m.round()).collect();
    let (mut wrong, mut pairs) = (0.0, 0.0);
    for group in case.groups.windows(2) {
        for above in group[0] as usize..group[1] as usize {
            for below in group[0] as usize..group[1] as usize {
                if case.labels[above] > case.labels[below] {
                    pairs += 1.0;
                    let away = margins[above] - margins[below];
                    wrong += if away < 0.0 {
                        1.0
                    } else if away == 0.0 {
                        0.5
                    } else {
                        0.0
                    };
                }
            }
        }
    }
    let found = figure(
        Loss::Ranking,
        Metric::PairwiseError,
        &case.rows(false),
        &margins,
    );
    assert!((found - wrong / pairs).abs() < 1e-14);
}

#[test]
fn a_perfect_order_has_an_ndcg_of_one_and_equal_margins_the_mean_over_all_orders() {
    let labels = [3.0, 1.0, 0.0, 1.0, 1.0];
    let rows = Rows {
        labels: &labels,
        weights: None,
        // the second group says nothing
        groups: Some(&[0, 3, 5]),
    };
    let of = |margins: &[f64]| figure(Loss::Ranking, Metric::Ndcg, &rows, margins);
    assert!((of(&[3.0, 2.0, 1.0, 0.0, 1.0]) - 1.0).abs() < 1e-15);
    let discounts = [1.0, 1.0 / 3.0f64.log2(), 0.5];
    let best = 7.0 + discounts[1];
    let mean = (7.0 + 1.0) / 3.0 * discounts.iter().sum::<f64>() / best;
    assert!((of(&[0.0; 5]) - mean).abs() < 1e-15);
}
