//! Face of `hanse_kernel::ids` and `hanse_kernel::cells`.

use hanse_kernel::{cells, ids, threads};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;

use crate::columns;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(ids_take_offsets, module)?)?;
    module.add_function(wrap_pyfunction!(ids_take, module)?)?;
    module.add_function(wrap_pyfunction!(ids_are_plain, module)?)?;
    module.add_function(wrap_pyfunction!(ids_normalise, module)?)?;
    module.add_function(wrap_pyfunction!(ids_hash, module)?)?;
    module.add_function(wrap_pyfunction!(ids_repeat, module)?)?;
    module.add_function(wrap_pyfunction!(cells_survey, module)?)
}

/// Writes the offsets of the taken texts and returns their size in bytes.
#[pyfunction]
fn ids_take_offsets(
    py: Python<'_>,
    offsets: PyBuffer<i64>,
    rows: PyBuffer<i64>,
    mut out: PyBuffer<i64>,
) -> PyResult<i64> {
    let (offsets, rows) = (
        columns::read(&offsets, "offsets")?,
        columns::read(&rows, "rows")?,
    );
    let out = columns::write(&mut out, rows.len() + 1, "out")?;
    py.detach(|| threads::run(|| ids::take_offsets(offsets, rows, out)))
        .map_err(|place| PyIndexError::new_err(format!("there is no row {}", rows[place])))?;
    Ok(out[rows.len()])
}

#[pyfunction]
fn ids_take(
    py: Python<'_>,
    data: PyBuffer<u8>,
    offsets: PyBuffer<i64>,
    rows: PyBuffer<i64>,
    out_offsets: PyBuffer<i64>,
    mut out: PyBuffer<u8>,
) -> PyResult<()> {
    let data = columns::read(&data, "data")?;
    let (offsets, rows) = (
        columns::read(&offsets, "offsets")?,
        columns::read(&rows, "rows")?,
    );
    let out_offsets = columns::read(&out_offsets, "out_offsets")?;
    if out_offsets.len() != rows.len() + 1 {
        return Err(PyValueError::new_err("one offset more than rows"));
    }
    let size = usize::try_from(out_offsets[rows.len()])
        .map_err(|_| PyValueError::new_err("offsets must rise"))?;
    let out = columns::write(&mut out, size, "out")?;
    py.detach(|| threads::run(|| ids::take(data, offsets, rows, out_offsets, out)));
    Ok(())
}

#[pyfunction]
fn ids_are_plain(py: Python<'_>, data: PyBuffer<u8>, offsets: PyBuffer<i64>) -> PyResult<bool> {
    let (data, offsets) = (
        columns::read(&data, "data")?,
        columns::read(&offsets, "offsets")?,
    );
    Ok(py.detach(|| ids::are_plain(data, offsets)))
}

/// Writes into outputs as large as the inputs; returns the size in bytes and the rows that need the whole rule.
#[pyfunction]
fn ids_normalise(
    py: Python<'_>,
    data: PyBuffer<u8>,
    offsets: PyBuffer<i64>,
    mut out: PyBuffer<u8>,
    mut out_offsets: PyBuffer<i64>,
) -> PyResult<(usize, Vec<i64>)> {
    let (data, offsets) = (
        columns::read(&data, "data")?,
        columns::read(&offsets, "offsets")?,
    );
    let out = columns::write(&mut out, data.len(), "out")?;
    let out_offsets = columns::write(&mut out_offsets, offsets.len(), "out_offsets")?;
    if offsets.is_empty() {
        return Err(PyValueError::new_err("one offset more than rows"));
    }
    Ok(py.detach(|| ids::normalise(data, offsets, out, out_offsets)))
}

#[pyfunction]
fn ids_hash(
    py: Python<'_>,
    data: PyBuffer<u8>,
    offsets: PyBuffer<i64>,
    mut out: PyBuffer<u64>,
) -> PyResult<()> {
    let (data, offsets) = (
        columns::read(&data, "data")?,
        columns::read(&offsets, "offsets")?,
    );
    let rows = offsets
        .len()
        .checked_sub(1)
        .ok_or_else(|| PyValueError::new_err("one offset more than rows"))?;
    let out = columns::write(&mut out, rows, "out")?;
    py.detach(|| threads::run(|| ids::hash(data, offsets, out)));
    Ok(())
}

/// Sorts the numbers, and says whether one occurs twice.
#[pyfunction]
fn ids_repeat(py: Python<'_>, mut hashes: PyBuffer<u64>) -> PyResult<bool> {
    let count = hashes.item_count();
    let hashes = columns::write(&mut hashes, count, "hashes")?;
    Ok(py.detach(|| threads::run(|| ids::repeat(hashes))))
}

/// The six figures of `cells::Survey`, in its order.
#[pyfunction]
fn cells_survey(
    py: Python<'_>,
    data: PyBuffer<u8>,
    offsets: PyBuffer<i64>,
) -> PyResult<(u64, u64, u64, u64, u64, u64)> {
    let (data, offsets) = (
        columns::read(&data, "data")?,
        columns::read(&offsets, "offsets")?,
    );
    if offsets.is_empty() {
        return Err(PyValueError::new_err("one offset more than cells"));
    }
    let found = py.detach(|| threads::run(|| cells::survey(data, offsets)));
    Ok((
        found.filled,
        found.numbers,
        found.wholes,
        found.texts,
        found.doubtful,
        found.padded,
    ))
}
