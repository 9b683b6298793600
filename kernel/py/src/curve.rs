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
    module.add_function(wrap_pyfunction!(curve_multiply_each, module)?)?;
    module.add_function(wrap_pyfunction!(curve_find_off_curve, module)?)?;
    module.add_function(wrap_pyfunction!(curve_encode_uniform, module)?)?;
    module.add_function(wrap_pyfunction!(curve_map_representatives, module)?)?;
    module.add_function(wrap_pyfunction!(curve_add_field, module)?)?;
    module.add_function(wrap_pyfunction!(curve_subtract_field, module)?)?;
    module.add_function(wrap_pyfunction!(curve_reduce_field, module)?)?;
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

/// A column of rows of 32 bytes.
fn read_rows<'a>(buffer: &'a PyBuffer<u8>, name: &str) -> PyResult<&'a [u8]> {
    let rows = columns::read(buffer, name)?;
    if !rows.len().is_multiple_of(POINT_SIZE) {
        return Err(PyValueError::new_err(format!(
            "{name} must be rows of 32 bytes"
        )));
    }
    Ok(rows)
}

/// As many rows as `rows` has, of the same width.
fn read_beside<'a>(buffer: &'a PyBuffer<u8>, rows: &[u8], name: &str) -> PyResult<&'a [u8]> {
    let others = columns::read(buffer, name)?;
    if others.len() != rows.len() {
        return Err(PyValueError::new_err(format!(
            "{name} must have a row of 32 bytes for every row"
        )));
    }
    Ok(others)
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
    let points = read_rows(&points, "points")?;
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

#[pyfunction]
fn curve_multiply_each(
    py: Python<'_>,
    points: PyBuffer<u8>,
    scalars: PyBuffer<u8>,
    mut out: PyBuffer<u8>,
) -> PyResult<Outcome> {
    let points = read_rows(&points, "points")?;
    let scalars = read_beside(&scalars, points, "scalars")?;
    for scalar in scalars.as_chunks::<POINT_SIZE>().0 {
        check_cofactor(scalar)?;
    }
    let out = columns::write(&mut out, points.len(), "out")?;
    Ok(outcome(py.detach(|| {
        threads::run(|| curve::multiply_each(points, scalars, out))
    })))
}

#[pyfunction]
fn curve_find_off_curve(py: Python<'_>, points: PyBuffer<u8>) -> PyResult<Option<usize>> {
    let points = read_rows(&points, "points")?;
    Ok(py.detach(|| threads::run(|| curve::find_off_curve(points))))
}

#[pyfunction]
fn curve_encode_uniform(
    py: Python<'_>,
    seed: &[u8],
    mut factors: PyBuffer<u8>,
    mut representatives: PyBuffer<u8>,
) -> PyResult<()> {
    let seed = columns::seed(seed, "seed")?;
    let size = factors.item_count();
    if !size.is_multiple_of(POINT_SIZE) {
        return Err(PyValueError::new_err("factors must be rows of 32 bytes"));
    }
    let factors = columns::write(&mut factors, size, "factors")?;
    let representatives = columns::write(&mut representatives, size, "representatives")?;
    py.detach(|| threads::run(|| curve::encode_uniform(&seed, factors, representatives)));
    Ok(())
}

#[pyfunction]
fn curve_map_representatives(
    py: Python<'_>,
    representatives: PyBuffer<u8>,
    mut out: PyBuffer<u8>,
) -> PyResult<Outcome> {
    let representatives = read_rows(&representatives, "representatives")?;
    let out = columns::write(&mut out, representatives.len(), "out")?;
    Ok(outcome(py.detach(|| {
        threads::run(|| curve::map_representatives(representatives, out))
    })))
}

#[pyfunction]
fn curve_add_field(
    left: PyBuffer<u8>,
    right: PyBuffer<u8>,
    mut out: PyBuffer<u8>,
) -> PyResult<Outcome> {
    let left = read_rows(&left, "left")?;
    let right = read_beside(&right, left, "right")?;
    let out = columns::write(&mut out, left.len(), "out")?;
    Ok(outcome(curve::add_field(left, right, out)))
}

#[pyfunction]
fn curve_subtract_field(
    left: PyBuffer<u8>,
    right: PyBuffer<u8>,
    mut out: PyBuffer<u8>,
) -> PyResult<Outcome> {
    let left = read_rows(&left, "left")?;
    let right = read_beside(&right, left, "right")?;
    let out = columns::write(&mut out, left.len(), "out")?;
    Ok(outcome(curve::subtract_field(left, right, out)))
}

#[pyfunction]
fn curve_reduce_field(wide: PyBuffer<u8>, mut out: PyBuffer<u8>) -> PyResult<()> {
    let wide = columns::read(&wide, "wide")?;
    if !wide.len().is_multiple_of(64) {
        return Err(PyValueError::new_err("wide must be rows of 64 bytes"));
    }
    let out = columns::write(&mut out, wide.len() / 2, "out")?;
    curve::reduce_field(wide, out);
    Ok(())
}
