//! Face of `hanse_kernel::gradients`.

use hanse_kernel::gradients::measures::{Metric, measure};
use hanse_kernel::gradients::ranking::GRADES;
use hanse_kernel::gradients::{self, Loss, Rows, Scales, quantiles};
use hanse_kernel::threads;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::columns;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(boosting_base_margins, module)?)?;
    module.add_function(wrap_pyfunction!(boosting_gradients, module)?)?;
    module.add_function(wrap_pyfunction!(boosting_measure, module)?)?;
    module.add_function(wrap_pyfunction!(boosting_scores, module)?)?;
    module.add_function(wrap_pyfunction!(boosting_quantile, module)?)?;
    module.add_function(wrap_pyfunction!(quantise_gradients, module)?)
}

/// Name, number of classes, power of the variance, share of the quantile.
type Named = (String, usize, f64, f64);

fn read_loss(loss: &Named) -> PyResult<Loss> {
    let (name, classes, power, alpha) = loss;
    let found = match name.as_str() {
        "binary" => Loss::Binary,
        "multiclass" => Loss::Multiclass { classes: *classes },
        "regression" => Loss::Squared,
        "poisson" => Loss::Poisson,
        "gamma" => Loss::Gamma,
        "tweedie" => Loss::Tweedie { power: *power },
        "quantile" => Loss::Quantile { alpha: *alpha },
        "ranking" => Loss::Ranking,
        _ => {
            let cause = format!("there is no objective {name:?}");
            return Err(PyValueError::new_err(cause));
        }
    };
    let is_sound = match found {
        Loss::Multiclass { classes } => (2..=256).contains(&classes),
        Loss::Tweedie { power } => power > 1.0 && power < 2.0,
        Loss::Quantile { alpha } => alpha > 0.0 && alpha < 1.0,
        _ => true,
    };
    if is_sound {
        Ok(found)
    } else {
        Err(PyValueError::new_err(
            "a number of the loss is out of range",
        ))
    }
}

fn must(holds: bool, otherwise: &'static str) -> PyResult<()> {
    if holds {
        Ok(())
    } else {
        Err(PyValueError::new_err(otherwise))
    }
}

/// The columns of the rows, checked for what the kernel indexes by.
struct Known {
    labels: PyBuffer<f64>,
    weights: Option<PyBuffer<f64>>,
    groups: Option<PyBuffer<i64>>,
}

impl Known {
    fn rows(&self, loss: Loss) -> PyResult<Rows<'_>> {
        let labels = columns::read(&self.labels, "labels")?;
        must(!labels.is_empty(), "there are no rows")?;
        let weights = self.weights.as_ref();
        let weights = weights
            .map(|all| columns::read(all, "weights"))
            .transpose()?;
        let fits = weights.is_none_or(|weights| weights.len() == labels.len());
        must(fits, "weights have another length than labels")?;
        let below = match loss {
            Loss::Multiclass { classes } => Some(classes),
            Loss::Ranking => Some(GRADES),
            _ => None,
        };
        if let Some(below) = below {
            let in_range = |label: &f64| *label >= 0.0 && *label < below as f64;
            let whole = |label: &f64| in_range(label) && label.fract() == 0.0;
            must(labels.iter().all(whole), "a label is out of range")?;
        }
        let groups = match (loss, &self.groups) {
            (Loss::Ranking, None) => return Err(PyValueError::new_err("a ranking needs groups")),
            (Loss::Ranking, Some(groups)) => Some(columns::read(groups, "groups")?),
            _ => None,
        };
        if let Some(groups) = groups {
            let rises = groups.windows(2).all(|pair| pair[0] < pair[1]);
            let ends = groups.first() == Some(&0) && groups.last() == Some(&(labels.len() as i64));
            must(
                rises && ends,
                "groups must rise from 0 to the number of rows",
            )?;
        }
        Ok(Rows {
            labels,
            weights,
            groups,
        })
    }
}

/// Writes a margin for each output.
#[pyfunction]
#[pyo3(signature = (loss, labels, weights, out))]
fn boosting_base_margins(
    py: Python<'_>,
    loss: Named,
    labels: PyBuffer<f64>,
    weights: Option<PyBuffer<f64>>,
    mut out: PyBuffer<f64>,
) -> PyResult<()> {
    let loss = read_loss(&loss)?;
    let out = columns::write(&mut out, loss.outputs(), "out")?;
    if loss == Loss::Ranking {
        out.fill(0.0);
        return Ok(());
    }
    let known = Known {
        labels,
        weights,
        groups: None,
    };
    let rows = known.rows(loss)?;
    let found = py.detach(|| threads::run(|| loss.base_margins(rows.labels, rows.weights)));
    out.copy_from_slice(&found);
    Ok(())
}

#[pyfunction]
#[pyo3(signature = (loss, labels, weights, groups, margins, g, h))]
#[allow(clippy::too_many_arguments)]
fn boosting_gradients(
    py: Python<'_>,
    loss: Named,
    labels: PyBuffer<f64>,
    weights: Option<PyBuffer<f64>>,
    groups: Option<PyBuffer<i64>>,
    margins: PyBuffer<f64>,
    mut g: PyBuffer<f64>,
    mut h: PyBuffer<f64>,
) -> PyResult<()> {
    let loss = read_loss(&loss)?;
    let known = Known {
        labels,
        weights,
        groups,
    };
    let rows = known.rows(loss)?;
    let margins = columns::read(&margins, "margins")?;
    let fits = margins.len() == rows.labels.len() * loss.outputs();
    must(fits, "margins have another shape than outputs and rows")?;
    let g = columns::write(&mut g, margins.len(), "g")?;
    let h = columns::write(&mut h, margins.len(), "h")?;
    py.detach(|| threads::run(|| loss.gradients(&rows, margins, g, h)));
    Ok(())
}

/// The figures of these names, in their order.
#[pyfunction]
#[pyo3(signature = (loss, metrics, labels, weights, groups, margins))]
fn boosting_measure(
    py: Python<'_>,
    loss: Named,
    metrics: Vec<String>,
    labels: PyBuffer<f64>,
    weights: Option<PyBuffer<f64>>,
    groups: Option<PyBuffer<i64>>,
    margins: PyBuffer<f64>,
) -> PyResult<Vec<f64>> {
    let loss = read_loss(&loss)?;
    let named = |name: &String| {
        let found = Metric::named(name).filter(|metric| metric.suits(loss));
        found.ok_or_else(|| PyValueError::new_err(format!("{name:?} does not suit the objective")))
    };
    let metrics = metrics.iter().map(named).collect::<PyResult<Vec<_>>>()?;
    let known = Known {
        labels,
        weights,
        groups,
    };
    let rows = known.rows(loss)?;
    let margins = columns::read(&margins, "margins")?;
    let fits = margins.len() == rows.labels.len() * loss.outputs();
    must(fits, "margins have another shape than outputs and rows")?;
    Ok(py.detach(|| threads::run(|| measure(loss, &metrics, &rows, margins))))
}

#[pyfunction]
fn boosting_scores(
    py: Python<'_>,
    loss: Named,
    margins: PyBuffer<f64>,
    mut scores: PyBuffer<f64>,
) -> PyResult<()> {
    let loss = read_loss(&loss)?;
    let margins = columns::read(&margins, "margins")?;
    let is_whole = margins.len().is_multiple_of(loss.outputs());
    must(is_whole, "margins have another shape than outputs and rows")?;
    let scores = columns::write(&mut scores, margins.len(), "scores")?;
    py.detach(|| threads::run(|| loss.scores(margins, scores)));
    Ok(())
}

#[pyfunction]
#[pyo3(signature = (values, weights, share))]
fn boosting_quantile(
    values: PyBuffer<f64>,
    weights: Option<PyBuffer<f64>>,
    share: f64,
) -> PyResult<f64> {
    let values = columns::read(&values, "values")?;
    let weights = weights.as_ref();
    let weights = weights
        .map(|all| columns::read(all, "weights"))
        .transpose()?;
    let fits = weights.is_none_or(|weights| weights.len() == values.len());
    must(
        !values.is_empty() && fits,
        "columns are empty or of other lengths",
    )?;
    must(share > 0.0 && share < 1.0, "the share is out of range")?;
    let counts = weights.is_none_or(|weights| weights.iter().any(|weight| *weight > 0.0));
    must(counts, "no weight is positive")?;
    Ok(quantiles::quantile(values, weights, share))
}

/// Writes the rounded columns and returns their scales.
#[pyfunction]
fn quantise_gradients(
    py: Python<'_>,
    g: PyBuffer<f64>,
    h: PyBuffer<f64>,
    bits: (u32, u32),
    seed: &[u8],
    mut g_out: PyBuffer<i32>,
    mut h_out: PyBuffer<i32>,
) -> PyResult<(f64, f64)> {
    let (g, h) = (columns::read(&g, "g")?, columns::read(&h, "h")?);
    let fits = g.len() == h.len() && !g.is_empty();
    must(fits, "columns are empty or of other lengths")?;
    let in_range = (2..=31).contains(&bits.0) && (1..=30).contains(&bits.1);
    must(in_range, "bits out of range")?;
    let seed = columns::seed(seed, "seed")?;
    let g_out = columns::write(&mut g_out, g.len(), "g_out")?;
    let h_out = columns::write(&mut h_out, g.len(), "h_out")?;
    let scales = py.detach(|| {
        threads::run(|| {
            let scales = Scales::of(g, h, bits.0, bits.1);
            gradients::quantise(g, h, scales, bits, &seed, (g_out, h_out));
            scales
        })
    });
    Ok((scales.g, scales.h))
}
