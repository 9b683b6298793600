//! Face of `hanse_kernel::binning`.

use hanse_kernel::binning::{self, Bins, Limits};
use hanse_kernel::threads;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::columns;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(bin_numbers, module)?)?;
    module.add_function(wrap_pyfunction!(bin_codes, module)?)
}

/// Edges of a column, and the code of its missing values.
type Pair = (Vec<f64>, u8);

fn parse(pairs: Vec<Pair>) -> PyResult<Vec<Bins>> {
    let bins: Vec<Bins> = pairs
        .into_iter()
        .map(|(edges, missing)| Bins { edges, missing })
        .collect();
    let is_sound = |bins: &Bins| {
        let codes = bins.edges.len() + 1;
        let finite = bins.edges.iter().all(|edge| edge.is_finite());
        let rise = bins.edges.is_sorted_by(|left, right| left < right);
        let missing = bins.missing == binning::MISSING || usize::from(bins.missing) < codes;
        codes <= binning::MAX_BINS && finite && rise && missing
    };
    if bins.iter().all(is_sound) {
        Ok(bins)
    } else {
        Err(PyValueError::new_err(
            "expected at most 253 finite rising edges for each column, and a code for missing values",
        ))
    }
}

/// Edges and the code of missing values of each column of `numbers` (columns × rows).
#[pyfunction]
fn bin_numbers(
    py: Python<'_>,
    numbers: PyBuffer<f64>,
    rows: usize,
    max_bins: usize,
    min_rows: usize,
    within: Option<Vec<Pair>>,
) -> PyResult<Vec<Pair>> {
    let numbers = columns::read(&numbers, "numbers")?;
    let within = within.map(parse).transpose()?;
    if rows == 0
        || rows > u32::MAX as usize
        || !numbers.len().is_multiple_of(rows)
        || !(1..=binning::MAX_BINS).contains(&max_bins)
    {
        return Err(PyValueError::new_err(
            "no rows, columns of other lengths, or max_bins outside 1..=254",
        ));
    }
    if within
        .as_ref()
        .is_some_and(|within| within.len() != numbers.len() / rows)
    {
        return Err(PyValueError::new_err(
            "expected an earlier binning of each column",
        ));
    }
    let limits = Limits { max_bins, min_rows };
    let work = || binning::choose_columns(numbers, rows, limits, within.as_deref());
    let found = py.detach(|| threads::run(work));
    Ok(found
        .into_iter()
        .map(|bins| (bins.edges, bins.missing))
        .collect())
}

/// Writes the code of every number of `numbers` (columns × rows).
#[pyfunction]
fn bin_codes(
    py: Python<'_>,
    numbers: PyBuffer<f64>,
    rows: usize,
    bins: Vec<Pair>,
    mut codes: PyBuffer<u8>,
) -> PyResult<()> {
    let numbers = columns::read(&numbers, "numbers")?;
    let bins = parse(bins)?;
    if numbers.len() != rows * bins.len() {
        return Err(PyValueError::new_err("expected bins for each column"));
    }
    let codes = columns::write(&mut codes, numbers.len(), "codes")?;
    py.detach(|| threads::run(|| binning::encode_columns(numbers, rows, &bins, codes)));
    Ok(())
}
