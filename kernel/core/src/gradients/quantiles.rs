//! Weighted quantiles.

/// The least of the values that has a share of at least `share` of all weight at or below it: it has the least pinball
/// loss of all constants. `share` is between 0 and 1; values are finite, and some weight is positive.
pub fn quantile(values: &[f64], weights: Option<&[f64]>, share: f64) -> f64 {
    assert!(!values.is_empty() && share > 0.0 && share < 1.0);
    match weights {
        None => {
            let place = (share * values.len() as f64).ceil() as usize;
            let mut values = values.to_vec();
            let place = place.clamp(1, values.len()) - 1;
            *values.select_nth_unstable_by(place, f64::total_cmp).1
        }
        Some(weights) => weighted(values, weights, share),
    }
}

fn weighted(values: &[f64], weights: &[f64], share: f64) -> f64 {
    let rows = values.iter().zip(weights).filter(|row| *row.1 > 0.0);
    let mut rows: Vec<(f64, f64)> = rows.map(|(value, weight)| (*value, *weight)).collect();
    rows.sort_by(|left, right| left.0.total_cmp(&right.0));
    let wanted = share * rows.iter().map(|row| row.1).sum::<f64>();
    let mut below = 0.0;
    let found = rows.iter().find(|(_, weight)| {
        below += weight;
        below >= wanted
    });
    found.or(rows.last()).expect("some weight is positive").0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pinball(values: &[f64], weights: &[f64], share: f64, at: f64) -> f64 {
        let each = |value: &f64| (share * (value - at)).max((share - 1.0) * (value - at));
        values.iter().zip(weights).map(|(v, w)| each(v) * w).sum()
    }

    proptest! {
        #[test]
        fn no_value_has_less_loss_than_the_quantile(
            rows in prop::collection::vec((-5i32..5, 1u32..4), 1..30), share in 0.01..0.99f64
        ) {
            let values: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
            let weights: Vec<f64> = rows.iter().map(|row| f64::from(row.1)).collect();
            let ones = vec![1.0; rows.len()];
            for (given, weights) in [(None, &ones), (Some(&weights[..]), &weights)] {
                let least = pinball(&values, weights, share, quantile(&values, given, share));
                for value in &values {
                    prop_assert!(least <= pinball(&values, weights, share, *value) + 1e-9);
                }
            }
        }

        #[test]
        fn a_weight_counts_as_so_many_rows(
            rows in prop::collection::vec((-5i32..5, 0usize..4), 1..30), eighths in 1u32..8
        ) {
            let repeated: Vec<f64> = rows
                .iter()
                .flat_map(|row| std::iter::repeat_n(f64::from(row.0), row.1))
                .collect();
            prop_assume!(!repeated.is_empty());
            let values: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
            let weights: Vec<f64> = rows.iter().map(|row| row.1 as f64).collect();
            let share = f64::from(eighths) / 8.0;
            prop_assert_eq!(quantile(&values, Some(&weights), share), quantile(&repeated, None, share));
        }
    }
}
