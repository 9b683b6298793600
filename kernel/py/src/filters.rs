//! Face of `hanse_kernel::filters`.

use hanse_kernel::filters::{self, MOST_LOW_BITS, MOST_PAGES, Malformed, TAG_SIZE, Tag};
use hanse_kernel::threads;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::columns;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(filter_pages, module)?)?;
    module.add_function(wrap_pyfunction!(filter_encode, module)?)?;
    module.add_function(wrap_pyfunction!(filter_check, module)?)?;
    module.add_function(wrap_pyfunction!(filter_probe, module)?)
}

fn tags_of(bytes: &[u8]) -> PyResult<&[Tag]> {
    let (tags, rest) = bytes.as_chunks::<TAG_SIZE>();
    if !rest.is_empty() || tags.len() >= u32::MAX as usize {
        return Err(PyValueError::new_err(
            "tags must be rows of 16 bytes, fewer than 2^32 of them",
        ));
    }
    Ok(tags)
}

fn check_shape(pages: u64, low_bits: u32) -> PyResult<()> {
    if !(1..=MOST_PAGES).contains(&pages) || !(1..=MOST_LOW_BITS).contains(&low_bits) {
        return Err(PyValueError::new_err(
            "a filter has 1 to 2^32 pages and 1 to 64 low bits a tag",
        ));
    }
    Ok(())
}

fn malformed(malformed: Malformed) -> PyErr {
    PyValueError::new_err(format!("page {} is not as it says", malformed.page))
}

/// Writes the page of each tag.
#[pyfunction]
fn filter_pages(
    py: Python<'_>,
    tags: PyBuffer<u8>,
    pages: u64,
    mut out: PyBuffer<u32>,
) -> PyResult<()> {
    let tags = tags_of(columns::read(&tags, "tags")?)?;
    check_shape(pages, 1)?;
    let out = columns::write(&mut out, tags.len(), "out")?;
    py.detach(|| threads::run(|| filters::pages(tags, pages, out)));
    Ok(())
}

/// The pages' bytes and no repetition, or no bytes and the rows of a tag that occurs twice.
type Written<'py> = (Bound<'py, PyBytes>, Option<(usize, usize)>);

/// Encodes the pages from `first` on, as many as `counts` has room for.
#[pyfunction]
#[pyo3(signature = (tags, first, pages, low_bits, counts, order))]
fn filter_encode<'py>(
    py: Python<'py>,
    tags: PyBuffer<u8>,
    first: u64,
    pages: u64,
    low_bits: u32,
    mut counts: PyBuffer<u32>,
    mut order: PyBuffer<u32>,
) -> PyResult<Written<'py>> {
    let tags = tags_of(columns::read(&tags, "tags")?)?;
    check_shape(pages, low_bits)?;
    let count = counts.item_count();
    let end = first.saturating_add(count as u64);
    let fits = |tag: &Tag| (first..end).contains(&filters::page_of(tag, pages));
    if end > pages || !tags.iter().all(fits) {
        return Err(PyValueError::new_err(
            "the tags must belong to the pages that are encoded",
        ));
    }
    let counts = columns::write(&mut counts, count, "counts")?;
    let order = columns::write(&mut order, tags.len(), "order")?;
    let encoded =
        py.detach(|| threads::run(|| filters::encode(tags, first, count, pages, low_bits)));
    match encoded {
        Ok(encoded) => {
            counts.copy_from_slice(&encoded.counts);
            order.copy_from_slice(&encoded.order);
            Ok((PyBytes::new(py, &encoded.data), None))
        }
        Err(repeated) => Ok((
            PyBytes::new(py, b""),
            Some((repeated.first, repeated.second)),
        )),
    }
}

/// Raises ValueError for the first page that is not as it says.
#[pyfunction]
fn filter_check(
    py: Python<'_>,
    data: PyBuffer<u8>,
    counts: PyBuffer<u32>,
    low_bits: u32,
) -> PyResult<()> {
    let (data, counts) = (
        columns::read(&data, "data")?,
        columns::read(&counts, "counts")?,
    );
    check_shape(1, low_bits)?;
    py.detach(|| threads::run(|| filters::check(data, counts, low_bits)))
        .map_err(malformed)
}

/// A find for each query and rank, by rising query.
type Finds = (Vec<i64>, Vec<i64>);

#[pyfunction]
fn filter_probe<'py>(
    py: Python<'py>,
    data: PyBuffer<u8>,
    starts: PyBuffer<u64>,
    ranks: PyBuffer<u64>,
    low_bits: u32,
    tags: PyBuffer<u8>,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let data = columns::read(&data, "data")?;
    let (starts, ranks) = (
        columns::read(&starts, "starts")?,
        columns::read(&ranks, "ranks")?,
    );
    let tags = tags_of(columns::read(&tags, "tags")?)?;
    check_shape(starts.len().saturating_sub(1) as u64, low_bits)?;
    if ranks.len() != starts.len() {
        return Err(PyValueError::new_err(
            "one start and one rank for each page",
        ));
    }
    let found: Result<Finds, Malformed> =
        py.detach(|| threads::run(|| filters::probe(data, starts, ranks, low_bits, tags)));
    let (queries, places) = found.map_err(malformed)?;
    Ok((bytes_of(py, &queries), bytes_of(py, &places)))
}

fn bytes_of<'py>(py: Python<'py>, numbers: &[i64]) -> Bound<'py, PyBytes> {
    let bytes: Vec<u8> = numbers
        .iter()
        .flat_map(|number| number.to_ne_bytes())
        .collect();
    PyBytes::new(py, &bytes)
}
