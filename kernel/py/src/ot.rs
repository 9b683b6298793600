//! Face of `hanse_kernel::ot`.

use hanse_kernel::ot::reply::{self, Reply};
use hanse_kernel::ot::{COLUMNS, MOST, ROW_BYTES, Shape};
use hanse_kernel::threads;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::columns;

/// Parts of a reply, in their order.
const PARTS: usize = 4;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(ot_sizes, module)?)?;
    module.add_function(wrap_pyfunction!(ot_answer, module)?)?;
    module.add_function(wrap_pyfunction!(ot_accept, module)?)
}

fn shape(count: usize, checked: bool) -> PyResult<Shape> {
    if count > MOST {
        return Err(PyValueError::new_err(format!(
            "{count} transfers at once, more than {MOST}"
        )));
    }
    Ok(Shape { count, checked })
}

fn sizes(shape: Shape) -> [usize; PARTS] {
    [
        shape.levels_size(),
        shape.folded_size(),
        shape.seal_size(),
        shape.proof_size(),
    ]
}

fn check_size(found: usize, expected: usize, name: &str) -> PyResult<()> {
    if found == expected {
        return Ok(());
    }
    Err(PyValueError::new_err(format!(
        "{name} must have {expected} bytes, not {found}"
    )))
}

/// Bytes of the four parts of a reply: levels, folded choices, seal and proof.
#[pyfunction]
fn ot_sizes(count: usize, checked: bool) -> PyResult<(usize, usize, usize, usize)> {
    Ok(sizes(shape(count, checked)?).into())
}

#[pyfunction]
#[expect(
    clippy::too_many_arguments,
    reason = "what the receiver has and what it makes"
)]
fn ot_answer(
    py: Python<'_>,
    count: usize,
    checked: bool,
    session: &[u8],
    seed: &[u8],
    pairs: PyBuffer<u8>,
    choices: PyBuffer<u8>,
    mut reply: [PyBuffer<u8>; PARTS],
    mut rows: PyBuffer<u8>,
) -> PyResult<()> {
    let shape = shape(count, checked)?;
    let session = columns::seed(session, "session")?;
    let seed = columns::seed(seed, "seed")?;
    let pairs = columns::read(&pairs, "pairs")?;
    let choices = columns::read(&choices, "choices")?;
    check_size(pairs.len(), 2 * COLUMNS * ROW_BYTES, "pairs")?;
    check_size(choices.len(), count.div_ceil(8), "choices")?;
    let rows = columns::write(&mut rows, count * ROW_BYTES, "rows")?;
    let made =
        py.detach(|| threads::run(|| reply::answer(shape, &session, &seed, pairs, choices, rows)));
    let parts = [&made.levels, &made.folded, &made.seal, &made.proof];
    for (buffer, part) in reply.iter_mut().zip(parts) {
        columns::write(buffer, part.len(), "a part of the reply")?.copy_from_slice(part);
    }
    Ok(())
}

/// Whether the reply's proof holds; a reply that is not checked holds always.
#[pyfunction]
#[expect(
    clippy::too_many_arguments,
    reason = "what the sender has and what it makes"
)]
fn ot_accept(
    py: Python<'_>,
    count: usize,
    checked: bool,
    session: &[u8],
    keys: PyBuffer<u8>,
    delta: &[u8],
    reply: [PyBuffer<u8>; PARTS],
    mut rows: PyBuffer<u8>,
) -> PyResult<bool> {
    let shape = shape(count, checked)?;
    let session = columns::seed(session, "session")?;
    let keys = columns::read(&keys, "keys")?;
    check_size(keys.len(), COLUMNS * ROW_BYTES, "keys")?;
    let delta: &[u8; ROW_BYTES] = delta
        .try_into()
        .map_err(|_| PyValueError::new_err("delta must have 16 bytes"))?;
    let mut parts = Vec::with_capacity(PARTS);
    for (buffer, expected) in reply.iter().zip(sizes(shape)) {
        let part = columns::read(buffer, "a part of the reply")?;
        check_size(part.len(), expected, "a part of the reply")?;
        parts.push(part.to_vec());
    }
    let [levels, folded, seal, proof] = parts.try_into().expect("four parts");
    let reply = Reply {
        levels,
        folded,
        seal,
        proof,
    };
    let rows = columns::write(&mut rows, count * ROW_BYTES, "rows")?;
    Ok(py.detach(|| {
        threads::run(|| reply::accept(shape, &session, keys, delta, &reply, rows)).is_ok()
    }))
}
