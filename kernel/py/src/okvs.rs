//! Face of `hanse_kernel::okvs`.

use hanse_kernel::okvs::{self, DIGEST_SIZE, Layout};
use hanse_kernel::threads;
use pyo3::buffer::PyBuffer;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use zeroize::Zeroizing;

use crate::columns;

create_exception!(_kernel, EncodingFailed, PyException);

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("EncodingFailed", module.py().get_type::<EncodingFailed>())?;
    module.add_function(wrap_pyfunction!(okvs_layout, module)?)?;
    module.add_function(wrap_pyfunction!(okvs_encode, module)?)?;
    module.add_function(wrap_pyfunction!(okvs_decode, module)?)?;
    module.add_function(wrap_pyfunction!(okvs_receiver_tags, module)?)?;
    module.add_function(wrap_pyfunction!(okvs_sender_tags, module)?)
}

/// Clusters, slots of each, dense elements.
#[pyfunction]
fn okvs_layout(items: usize, width: usize) -> PyResult<(usize, usize, usize)> {
    let layout = layout(items, width)?;
    Ok((layout.clusters(), layout.slots(), layout.dense()))
}

fn layout(items: usize, width: usize) -> PyResult<Layout> {
    Layout::new(items, width).map_err(PyValueError::new_err)
}

fn check(name: &str, column: &[u8], size: usize) -> PyResult<()> {
    if column.len() == size {
        return Ok(());
    }
    Err(PyValueError::new_err(format!(
        "{name} must have {size} bytes, not {}",
        column.len()
    )))
}

fn whole_digests(digests: &[u8]) -> PyResult<usize> {
    if digests.len().is_multiple_of(DIGEST_SIZE) {
        return Ok(digests.len() / DIGEST_SIZE);
    }
    Err(PyValueError::new_err("digests must be rows of 16 bytes"))
}

#[pyfunction]
#[pyo3(signature = (digests, values, key, items, width, seed, out))]
#[allow(clippy::too_many_arguments)]
fn okvs_encode(
    py: Python<'_>,
    digests: PyBuffer<u8>,
    values: Option<PyBuffer<u8>>,
    key: &[u8],
    items: usize,
    width: usize,
    seed: &[u8],
    mut out: PyBuffer<u8>,
) -> PyResult<()> {
    let layout = layout(items, width)?;
    let (key, seed) = (columns::seed(key, "key")?, columns::seed(seed, "seed")?);
    let digests = columns::read(&digests, "digests")?;
    let count = whole_digests(digests)?;
    if count > items {
        return Err(PyValueError::new_err(format!(
            "a layout for {items} keys cannot hold {count}"
        )));
    }
    let values = values
        .as_ref()
        .map(|values| columns::read(values, "values"))
        .transpose()?;
    if let Some(values) = values {
        check("values", values, count * width)?;
    }
    let out = columns::write(&mut out, layout.size() * width, "out")?;
    let outcome = py.detach(|| {
        threads::run(|| match values {
            Some(values) => okvs::encode_values(digests, values, &key, &layout, &seed, out),
            None => okvs::encode(digests, &key, &layout, &seed, out),
        })
    });
    outcome.map_err(|failed| EncodingFailed::new_err(failed.to_string()))
}

#[pyfunction]
fn okvs_decode(
    py: Python<'_>,
    elements: PyBuffer<u8>,
    digests: PyBuffer<u8>,
    key: &[u8],
    items: usize,
    width: usize,
    mut out: PyBuffer<u8>,
) -> PyResult<()> {
    let layout = layout(items, width)?;
    let key = columns::seed(key, "key")?;
    let elements = columns::read(&elements, "elements")?;
    let digests = columns::read(&digests, "digests")?;
    check("elements", elements, layout.size() * width)?;
    let count = whole_digests(digests)?;
    let out = columns::write(&mut out, count * width, "out")?;
    py.detach(|| threads::run(|| okvs::decode(elements, digests, &key, &layout, out)));
    Ok(())
}

#[pyfunction]
#[allow(clippy::too_many_arguments)]
fn okvs_receiver_tags(
    py: Python<'_>,
    c: PyBuffer<u8>,
    digests: PyBuffer<u8>,
    key: &[u8],
    items: usize,
    width: usize,
    tag_key: &[u8],
    mut out: PyBuffer<u8>,
) -> PyResult<()> {
    let layout = layout(items, width)?;
    let (key, tag_key) = (
        columns::seed(key, "key")?,
        columns::seed(tag_key, "tag_key")?,
    );
    let (c, digests) = (columns::read(&c, "c")?, columns::read(&digests, "digests")?);
    check("c", c, layout.size() * 16)?;
    let count = whole_digests(digests)?;
    let out = columns::write(&mut out, count * 16, "out")?;
    py.detach(|| {
        threads::run(|| okvs::receiver_tags(c, digests, &key, &layout, &tag_key, out));
    });
    Ok(())
}

#[pyfunction]
#[allow(clippy::too_many_arguments)]
fn okvs_sender_tags(
    py: Python<'_>,
    b: PyBuffer<u8>,
    delta: &[u8],
    a: Option<PyBuffer<u8>>,
    digests: PyBuffer<u8>,
    key: &[u8],
    items: usize,
    width: usize,
    tag_key: &[u8],
    mut out: PyBuffer<u8>,
) -> PyResult<()> {
    let layout = layout(items, width)?;
    let (key, tag_key) = (
        columns::seed(key, "key")?,
        columns::seed(tag_key, "tag_key")?,
    );
    let delta: Zeroizing<[u8; 16]> = match delta.try_into() {
        Ok(delta) => Zeroizing::new(delta),
        Err(_) => return Err(PyValueError::new_err("delta must have 16 bytes")),
    };
    let (b, digests) = (columns::read(&b, "b")?, columns::read(&digests, "digests")?);
    let a = a.as_ref().map(|a| columns::read(a, "a")).transpose()?;
    check("b", b, layout.size() * 16)?;
    if let Some(a) = a {
        check("a", a, layout.size() * width)?;
    }
    let count = whole_digests(digests)?;
    let out = columns::write(&mut out, count * 16, "out")?;
    py.detach(|| {
        threads::run(|| {
            okvs::sender_tags(b, &delta, a, digests, &key, &layout, &tag_key, out);
        });
    });
    Ok(())
}
