//! Face of `hanse_kernel::ids`.

use hanse_kernel::{ids, threads};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;

use crate::columns;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(ids_take_offsets, module)?)?;
    module.add_function(wrap_pyfunction!(ids_take, module)?)
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
