//! Face of `hanse_kernel::tags`.

use hanse_kernel::tags::{self, TAG_SIZE};
use hanse_kernel::threads;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::columns;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(sort_tags, module)?)?;
    module.add_function(wrap_pyfunction!(tags_sizes, module)?)?;
    module.add_function(wrap_pyfunction!(encode_tags, module)?)?;
    module.add_function(wrap_pyfunction!(decode_tags, module)?)?;
    module.add_function(wrap_pyfunction!(match_tags, module)?)
}

type Tag = [u8; TAG_SIZE];

fn read<'a>(buffer: &'a PyBuffer<u8>, name: &str) -> PyResult<&'a [Tag]> {
    whole(columns::read(buffer, name)?.as_chunks())
}

fn whole<'a>((tags, rest): (&'a [Tag], &[u8])) -> PyResult<&'a [Tag]> {
    if !rest.is_empty() || u32::try_from(tags.len()).is_err() {
        return Err(PyValueError::new_err(
            "tags must be fewer than 2^32 rows of 16 bytes",
        ));
    }
    Ok(tags)
}

/// The tags of a writable buffer of whole tags.
fn write(buffer: &mut PyBuffer<u8>) -> PyResult<&mut [Tag]> {
    let size = buffer.item_count();
    let (tags, rest) = columns::write(buffer, size, "sorted_tags")?.as_chunks_mut();
    whole((&[], rest))?;
    Ok(tags)
}

fn check_bits(bits: u32) -> PyResult<()> {
    if (1..=128).contains(&bits) {
        return Ok(());
    }
    Err(PyValueError::new_err(format!(
        "a tag has 1 to 128 bits, not {bits}"
    )))
}

/// Writes the sorted tags and their rows; returns the first two rows that are equal, if any are.
#[pyfunction]
fn sort_tags(
    py: Python<'_>,
    tags: PyBuffer<u8>,
    bits: u32,
    mut sorted_tags: PyBuffer<u8>,
    mut order: PyBuffer<u32>,
) -> PyResult<Option<(u32, u32)>> {
    check_bits(bits)?;
    let tags = read(&tags, "tags")?;
    let sorted = columns::write(&mut sorted_tags, tags.len() * TAG_SIZE, "sorted_tags")?;
    let order = columns::write(&mut order, tags.len(), "order")?;
    let sorted = sorted.as_chunks_mut().0;
    let result = py.detach(|| threads::run(|| tags::sort(tags, bits, sorted, order)));
    Ok(result.err().map(|duplicate| duplicate.rows))
}

/// The most bytes of a code, and the room that `encode_tags` wants.
#[pyfunction]
fn tags_sizes(count: u32, bits: u32) -> PyResult<(usize, usize)> {
    check_bits(bits)?;
    let count = count as usize;
    Ok((tags::largest_size(count, bits), tags::room(count, bits)))
}

/// Writes the code to the start of `code`, and returns its size.
#[pyfunction]
fn encode_tags(
    py: Python<'_>,
    sorted_tags: PyBuffer<u8>,
    bits: u32,
    mut code: PyBuffer<u8>,
) -> PyResult<usize> {
    check_bits(bits)?;
    let sorted = read(&sorted_tags, "sorted_tags")?;
    let code = columns::write(&mut code, tags::room(sorted.len(), bits), "code")?;
    py.detach(|| tags::encode(sorted, bits, code))
        .map_err(|invalid| PyValueError::new_err(invalid.to_string()))
}

/// Fills `sorted_tags` from a code of so many.
#[pyfunction]
fn decode_tags(
    py: Python<'_>,
    code: PyBuffer<u8>,
    bits: u32,
    mut sorted_tags: PyBuffer<u8>,
) -> PyResult<()> {
    check_bits(bits)?;
    let code = columns::read(&code, "code")?;
    let sorted = write(&mut sorted_tags)?;
    py.detach(|| tags::decode(code, bits, sorted))
        .map_err(|invalid| PyValueError::new_err(invalid.to_string()))
}

/// Writes the shared rows and places into both outputs, which have room for the shorter side, and returns how many.
#[pyfunction]
fn match_tags(
    py: Python<'_>,
    mine: PyBuffer<u8>,
    order: PyBuffer<u32>,
    theirs: PyBuffer<u8>,
    mut rows: PyBuffer<i64>,
    mut places: PyBuffer<i64>,
) -> PyResult<usize> {
    let (mine, theirs) = (read(&mine, "mine")?, read(&theirs, "theirs")?);
    let order = columns::read(&order, "order")?;
    if order.len() != mine.len() {
        return Err(PyValueError::new_err("order must have a row for each tag"));
    }
    let room = mine.len().min(theirs.len());
    let rows = columns::write(&mut rows, room, "rows")?;
    let places = columns::write(&mut places, room, "places")?;
    let (found_rows, found_places) =
        py.detach(|| threads::run(|| tags::matches(mine, order, theirs)));
    if found_rows.len() > room {
        return Err(PyValueError::new_err("both sides must be sorted"));
    }
    rows[..found_rows.len()].copy_from_slice(&found_rows);
    places[..found_places.len()].copy_from_slice(&found_places);
    Ok(found_rows.len())
}
