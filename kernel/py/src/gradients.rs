//! Face of `hanse_kernel::gradients`.

use hanse_kernel::gradients::{self, Objective, Scales};
use hanse_kernel::threads;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::columns;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(boosting_base_margin, module)?)?;
    module.add_function(wrap_pyfunction!(boosting_gradients, module)?)?;
    module.add_function(wrap_pyfunction!(boosting_loss, module)?)?;
    module.add_function(wrap_pyfunction!(boosting_scores, module)?)?;
    module.add_function(wrap_pyfunction!(quantise_gradients, module)?)
}

fn named(objective: &str) -> PyResult<Objective> {
    Objective::named(objective)
        .ok_or_else(|| PyValueError::new_err(format!("there is no objective {objective:?}")))
}

fn same_length(left: usize, right: usize) -> PyResult<()> {
    if left != right || left == 0 {
        return Err(PyValueError::new_err(
            "columns are empty or of other lengths",
        ));
    }
    Ok(())
}

#[pyfunction]
fn boosting_base_margin(objective: &str, labels: PyBuffer<f64>) -> PyResult<f64> {
    let labels = columns::read(&labels, "labels")?;
    same_length(labels.len(), labels.len())?;
    Ok(named(objective)?.base_margin(labels))
}

#[pyfunction]
fn boosting_gradients(
    py: Python<'_>,
    objective: &str,
    labels: PyBuffer<f64>,
    margins: PyBuffer<f64>,
    mut g: PyBuffer<f64>,
    mut h: PyBuffer<f64>,
) -> PyResult<()> {
    let objective = named(objective)?;
    let (labels, margins) = (
        columns::read(&labels, "labels")?,
        columns::read(&margins, "margins")?,
    );
    same_length(labels.len(), margins.len())?;
    let g = columns::write(&mut g, labels.len(), "g")?;
    let h = columns::write(&mut h, labels.len(), "h")?;
    py.detach(|| threads::run(|| objective.gradients(labels, margins, g, h)));
    Ok(())
}

#[pyfunction]
fn boosting_loss(objective: &str, labels: PyBuffer<f64>, margins: PyBuffer<f64>) -> PyResult<f64> {
    let (labels, margins) = (
        columns::read(&labels, "labels")?,
        columns::read(&margins, "margins")?,
    );
    same_length(labels.len(), margins.len())?;
    Ok(named(objective)?.loss(labels, margins))
}

#[pyfunction]
fn boosting_scores(
    objective: &str,
    margins: PyBuffer<f64>,
    mut scores: PyBuffer<f64>,
) -> PyResult<()> {
    let margins = columns::read(&margins, "margins")?;
    let scores = columns::write(&mut scores, margins.len(), "scores")?;
    named(objective)?.scores(margins, scores);
    Ok(())
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
    same_length(g.len(), h.len())?;
    if !(2..=31).contains(&bits.0) || !(1..=30).contains(&bits.1) {
        return Err(PyValueError::new_err("bits out of range"));
    }
    let seed = columns::seed(seed, "seed")?;
    let g_out = columns::write(&mut g_out, g.len(), "g_out")?;
    let h_out = columns::write(&mut h_out, g.len(), "h_out")?;
    let scales = Scales::of(g, h, bits.0, bits.1);
    py.detach(|| threads::run(|| gradients::quantise(g, h, scales, bits, &seed, (g_out, h_out))));
    Ok((scales.g, scales.h))
}
