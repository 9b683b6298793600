//! Face of `hanse_kernel::buckets`.

use hanse_kernel::{buckets, threads};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::columns;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(split_digests, module)?)?;
    module.add_function(wrap_pyfunction!(bucket_bound, module)?)
}

/// More would take more memory than what they part.
const MOST_BUCKETS: u64 = 1 << 16;

fn check_count(count: u64, most: u64) -> PyResult<()> {
    if (1..=most).contains(&count) {
        return Ok(());
    }
    Err(PyValueError::new_err(format!(
        "there must be 1 to {most} buckets, not {count}"
    )))
}

/// Writes digests and rows bucket by bucket, and where each bucket starts.
#[pyfunction]
fn split_digests(
    py: Python<'_>,
    digests: PyBuffer<u8>,
    count: u64,
    first_row: u64,
    mut grouped: PyBuffer<u8>,
    mut rows: PyBuffer<u32>,
    mut starts: PyBuffer<i64>,
) -> PyResult<()> {
    check_count(count, MOST_BUCKETS)?;
    let count = count as usize;
    let (digests, rest) = columns::read(&digests, "digests")?.as_chunks();
    if !rest.is_empty() {
        return Err(PyValueError::new_err("digests must be rows of 16 bytes"));
    }
    let end = first_row.saturating_add(digests.len() as u64);
    if end > 1 << 32 {
        return Err(PyValueError::new_err("rows must be below 2^32"));
    }
    let grouped = columns::write(&mut grouped, 16 * digests.len(), "grouped")?;
    let grouped = grouped.as_chunks_mut().0;
    let rows = columns::write(&mut rows, digests.len(), "rows")?;
    let starts = columns::write(&mut starts, count + 1, "starts")?;
    // a first row of 2^32 has no digest after it
    let first_row = first_row as u32;
    starts.copy_from_slice(
        &py.detach(|| threads::run(|| buckets::split(digests, count, first_row, grouped, rows))),
    );
    Ok(())
}

#[pyfunction]
fn bucket_bound(items: u64, count: u64) -> PyResult<u64> {
    check_count(count, 1 << 32)?;
    Ok(buckets::bound(items, count))
}
