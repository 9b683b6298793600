//! Face of `hanse_kernel::blinding`.

use hanse_kernel::{blinding, threads};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::columns;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(blinding_factors, module)?)?;
    module.add_function(wrap_pyfunction!(blinding_inverses, module)?)
}

/// Fills rows of 32 bytes with independent factors.
#[pyfunction]
fn blinding_factors(py: Python<'_>, seed: &[u8], mut out: PyBuffer<u8>) -> PyResult<()> {
    let seed = columns::seed(seed, "seed")?;
    let size = out.item_count();
    let out = columns::write(&mut out, size, "out")?;
    let (rows, rest) = out.as_chunks_mut::<32>();
    if !rest.is_empty() {
        return Err(PyValueError::new_err("out must be rows of 32 bytes"));
    }
    py.detach(|| threads::run(|| blinding::factors(&seed, rows)));
    Ok(())
}

/// Writes the factor that undoes each.
#[pyfunction]
fn blinding_inverses(py: Python<'_>, factors: PyBuffer<u8>, mut out: PyBuffer<u8>) -> PyResult<()> {
    let factors = columns::read(&factors, "factors")?;
    let out = columns::write(&mut out, factors.len(), "out")?;
    let (factors, rest) = factors.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(PyValueError::new_err("factors must be rows of 32 bytes"));
    }
    py.detach(|| threads::run(|| blinding::inverses(factors, out.as_chunks_mut::<32>().0)))
        .map_err(|row| PyValueError::new_err(format!("factor {row} is 0")))
}
