//! Face of `hanse_kernel::matching` and `hanse_kernel::permutation`.

use hanse_kernel::matching::{self, Side};
use hanse_kernel::{permutation, threads};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::columns;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(join_rows, module)?)?;
    module.add_function(wrap_pyfunction!(fill_permutation, module)?)
}

/// Writes the matching rows into both outputs, which have room for the shorter side, and returns how many there are.
#[pyfunction]
fn join_rows(
    py: Python<'_>,
    left: PyBuffer<u8>,
    right: PyBuffer<u8>,
    width: usize,
    mut left_rows: PyBuffer<i64>,
    mut right_rows: PyBuffer<i64>,
) -> PyResult<usize> {
    let (left, right) = (
        columns::read(&left, "left")?,
        columns::read(&right, "right")?,
    );
    if !(8..=32).contains(&width)
        || !left.len().is_multiple_of(width)
        || !right.len().is_multiple_of(width)
    {
        return Err(PyValueError::new_err(
            "both sides must be rows of one width, 8 to 32 bytes",
        ));
    }
    if left.len().max(right.len()) / width >= u32::MAX as usize {
        return Err(PyValueError::new_err("a side has more than 2^32 rows"));
    }
    let room = left.len().min(right.len()) / width;
    let left_out = columns::write(&mut left_rows, room, "left_rows")?;
    let right_out = columns::write(&mut right_rows, room, "right_rows")?;
    let joined = py.detach(|| threads::run(|| matching::join(left, right, width)));
    let (left_found, right_found) = joined.map_err(|duplicate| {
        let side = match duplicate.side {
            Side::Left => "left",
            Side::Right => "right",
        };
        PyValueError::new_err(format!("a row occurs twice on the {side} side"))
    })?;
    left_out[..left_found.len()].copy_from_slice(&left_found);
    right_out[..right_found.len()].copy_from_slice(&right_found);
    Ok(left_found.len())
}

#[pyfunction]
fn fill_permutation(py: Python<'_>, seed: &[u8], mut out: PyBuffer<i64>) -> PyResult<()> {
    let seed = columns::seed(seed, "seed")?;
    let count = out.item_count();
    let out = columns::write(&mut out, count, "out")?;
    py.detach(|| permutation::fill_permutation(out, &seed));
    Ok(())
}
