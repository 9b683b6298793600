//! Face of `hanse_kernel::intervals`.

use hanse_kernel::{intervals, threads};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::columns;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(interval_edges, module)?)?;
    module.add_function(wrap_pyfunction!(interval_codes, module)?)
}

/// Edges of each column of `numbers` (columns × rows).
#[pyfunction]
fn interval_edges(
    py: Python<'_>,
    numbers: PyBuffer<f64>,
    rows: usize,
    max_bins: usize,
    min_rows: usize,
) -> PyResult<Vec<Vec<f64>>> {
    let numbers = columns::read(&numbers, "numbers")?;
    if rows == 0
        || !numbers.len().is_multiple_of(rows)
        || !(1..=intervals::MAX_BINS).contains(&max_bins)
    {
        return Err(PyValueError::new_err(
            "no rows, columns of other lengths, or max_bins outside 1..=256",
        ));
    }
    if numbers.iter().any(|number| !number.is_finite()) {
        return Err(PyValueError::new_err("a number is missing or not finite"));
    }
    Ok(py
        .detach(|| threads::run(|| intervals::edges_of_columns(numbers, rows, max_bins, min_rows))))
}

/// Writes the code of every number of `numbers` (columns × rows).
#[pyfunction]
fn interval_codes(
    py: Python<'_>,
    numbers: PyBuffer<f64>,
    rows: usize,
    edges: Vec<Vec<f64>>,
    mut codes: PyBuffer<u8>,
) -> PyResult<()> {
    let numbers = columns::read(&numbers, "numbers")?;
    if numbers.len() != rows * edges.len()
        || edges.iter().any(|edges| edges.len() >= intervals::MAX_BINS)
    {
        return Err(PyValueError::new_err(
            "expected one list of at most 255 edges for each column",
        ));
    }
    let codes = columns::write(&mut codes, numbers.len(), "codes")?;
    py.detach(|| threads::run(|| intervals::encode_columns(numbers, rows, &edges, codes)));
    Ok(())
}
