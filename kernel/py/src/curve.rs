//! Face of `hanse_kernel::curve`.

use hanse_kernel::curve::{self, Fault, InvalidPoint, POINT_SIZE};
use hanse_kernel::threads;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::columns;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(curve_secret, module)?)?;
    module.add_function(wrap_pyfunction!(curve_hash_to_points, module)?)?;
    module.add_function(wrap_pyfunction!(curve_multiply, module)?)?;
    module.add_function(wrap_pyfunction!(curve_blind, module)?)
}

/// Row and fault of the first point that cannot be multiplied.
type Outcome = Option<(usize, &'static str)>;

fn outcome(result: Result<(), InvalidPoint>) -> Outcome {
    result.err().map(|invalid| match invalid.fault {
        Fault::NonCanonical => (invalid.row, "its encoding is not canonical"),
        Fault::LowOrder => (invalid.row, "it has low order"),
    })
}

fn check_cofactor(scalar: &[u8; 32]) -> PyResult<()> {
    if scalar[0] & 7 != 0 || scalar == &[0; 32] {
        return Err(PyValueError::new_err(
            "the scalar must be a non-zero multiple of 8, as curve.secret makes it",
        ));
    }
    Ok(())
}

#[pyfunction]
fn curve_secret<'py>(py: Python<'py>, seed: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let seed = columns::seed(seed, "seed")?;
    Ok(PyBytes::new(py, &curve::secret(&seed)))
}

#[pyfunction]
fn curve_hash_to_points(
    py: Python<'_>,
    data: PyBuffer<u8>,
    offsets: PyBuffer<i64>,
    domain: &[u8],
    mut out: PyBuffer<u8>,
) -> PyResult<()> {
    let (data, offsets) = (
        columns::read(&data, "data")?,
        columns::read(&offsets, "offsets")?,
    );
    let count = columns::check_offsets(offsets, data)?;
    let out = columns::write(&mut out, count * POINT_SIZE, "out")?;
    py.detach(|| threads::run(|| curve::hash_to_points(data, offsets, domain, out)));
    Ok(())
}

#[pyfunction]
fn curve_multiply(
    py: Python<'_>,
    points: PyBuffer<u8>,
    scalar: &[u8],
    mut out: PyBuffer<u8>,
) -> PyResult<Outcome> {
    let points = columns::read(&points, "points")?;
    if !points.len().is_multiple_of(POINT_SIZE) {
        return Err(PyValueError::new_err("points must be rows of 32 bytes"));
    }
    let scalar = columns::seed(scalar, "scalar")?;
    check_cofactor(&scalar)?;
    let out = columns::write(&mut out, points.len(), "out")?;
    Ok(outcome(py.detach(|| {
        threads::run(|| curve::multiply(points, &scalar, out))
    })))
}

#[pyfunction]
fn curve_blind(
    py: Python<'_>,
    data: PyBuffer<u8>,
    offsets: PyBuffer<i64>,
    domain: &[u8],
    scalar: &[u8],
    mut out: PyBuffer<u8>,
) -> PyResult<Outcome> {
    let (data, offsets) = (
        columns::read(&data, "data")?,
        columns::read(&offsets, "offsets")?,
    );
    let count = columns::check_offsets(offsets, data)?;
    let scalar = columns::seed(scalar, "scalar")?;
    check_cofactor(&scalar)?;
    let out = columns::write(&mut out, count * POINT_SIZE, "out")?;
    Ok(outcome(py.detach(|| {
        threads::run(|| curve::blind(data, offsets, domain, &scalar, out))
    })))
}
