//! Face of `hanse_kernel::hashing`.

use hanse_kernel::hashing::{self, BLOCK_SIZE};
use hanse_kernel::threads;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::columns;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(hash_texts, module)?)?;
    module.add_function(wrap_pyfunction!(hash_rows, module)?)
}

fn check_width(width: usize, name: &str) -> PyResult<()> {
    if (1..=BLOCK_SIZE).contains(&width) {
        return Ok(());
    }
    Err(PyValueError::new_err(format!(
        "{name} must have 1 to {BLOCK_SIZE} bytes, not {width}"
    )))
}

/// Writes `width` bytes a text.
#[pyfunction]
fn hash_texts(
    py: Python<'_>,
    data: PyBuffer<u8>,
    offsets: PyBuffer<i64>,
    key: &[u8],
    width: usize,
    mut out: PyBuffer<u8>,
) -> PyResult<()> {
    let (data, offsets) = (
        columns::read(&data, "data")?,
        columns::read(&offsets, "offsets")?,
    );
    let count = columns::check_offsets(offsets, data)?;
    let key = columns::seed(key, "key")?;
    check_width(width, "a hash")?;
    let out = columns::write(&mut out, count * width, "out")?;
    py.detach(|| threads::run(|| hashing::hash_texts(&key, data, offsets, width, out)));
    Ok(())
}

/// Writes `width` bytes for each row of `width_in` bytes.
#[pyfunction]
fn hash_rows(
    py: Python<'_>,
    rows: PyBuffer<u8>,
    width_in: usize,
    key: &[u8],
    width: usize,
    mut out: PyBuffer<u8>,
) -> PyResult<()> {
    let rows = columns::read(&rows, "rows")?;
    check_width(width_in, "a row")?;
    check_width(width, "a hash")?;
    if !rows.len().is_multiple_of(width_in) {
        return Err(PyValueError::new_err(format!(
            "rows must be whole rows of {width_in} bytes"
        )));
    }
    let key = columns::seed(key, "key")?;
    let out = columns::write(&mut out, rows.len() / width_in * width, "out")?;
    py.detach(|| threads::run(|| hashing::hash_rows(&key, rows, width_in, width, out)));
    Ok(())
}
