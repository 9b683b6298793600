//! The Python face of the kernel: buffers in, buffers out, the GIL released while a kernel runs.

mod binning;
mod blinding;
mod buckets;
mod columns;
mod curve;
mod filters;
mod gradients;
mod hashing;
mod histogram;
mod ids;
mod matching;
mod okvs;
mod ot;
mod tags;
mod trees;
mod vole;

use pyo3::exceptions::{PyImportError, PyValueError};
use pyo3::prelude::*;

/// Threads for every later kernel call; 0 means one per core.
#[pyfunction]
fn set_threads(count: usize) -> PyResult<()> {
    hanse_kernel::threads::set(count).map_err(PyValueError::new_err)
}

/// The instructions in use: `portable`, `avx2` or `avx512`.
#[pyfunction]
fn simd_path() -> &'static str {
    hanse_kernel::simd::path().name()
}

/// `hanse.kernel._kernel`, the extension module.
#[pymodule]
fn _kernel(module: &Bound<'_, PyModule>) -> PyResult<()> {
    hanse_kernel::simd::choose().map_err(PyImportError::new_err)?;
    module.add_function(wrap_pyfunction!(set_threads, module)?)?;
    module.add_function(wrap_pyfunction!(simd_path, module)?)?;
    curve::register(module)?;
    blinding::register(module)?;
    buckets::register(module)?;
    filters::register(module)?;
    hashing::register(module)?;
    matching::register(module)?;
    ot::register(module)?;
    tags::register(module)?;
    histogram::register(module)?;
    ids::register(module)?;
    binning::register(module)?;
    gradients::register(module)?;
    trees::register(module)?;
    okvs::register(module)?;
    vole::register(module)?;
    // the stub lists the names, and nobody imports * from here
    module.delattr("__all__")
}
