//! Face of `hanse_kernel::vole`.

use hanse_kernel::aes::{self, Block};
use hanse_kernel::codes::Density;
use hanse_kernel::threads;
use hanse_kernel::vole::{self, Field, LONGEST, Plan, Run};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use zeroize::Zeroizing;

use crate::columns;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(vole_sizes, module)?)?;
    module.add_function(wrap_pyfunction!(vole_choices, module)?)?;
    module.add_function(wrap_pyfunction!(vole_send, module)?)?;
    module.add_function(wrap_pyfunction!(vole_receive, module)?)
}

fn plan(size: usize, width: usize) -> PyResult<Plan> {
    let field = match width {
        8 => Field::Narrow,
        16 => Field::Wide,
        _ => return Err(PyValueError::new_err("elements have 8 or 16 bytes")),
    };
    if size > LONGEST {
        return Err(PyValueError::new_err(format!(
            "at most {LONGEST} correlations in one run, not {size}"
        )));
    }
    Ok(Plan::new(size, field))
}

fn density(code: &str) -> PyResult<Density> {
    match code {
        "conservative" => Ok(Density::Conservative),
        "fast" => Ok(Density::Fast),
        _ => Err(PyValueError::new_err(
            "the code is `conservative` or `fast`",
        )),
    }
}

/// The blocks of rows of sixteen bytes, wherever they lie; wiped when they go.
fn blocks(bytes: &[u8], count: usize, name: &str) -> PyResult<Zeroizing<Vec<Block>>> {
    let (rows, rest) = bytes.as_chunks::<16>();
    if rows.len() != count || !rest.is_empty() {
        return Err(PyValueError::new_err(format!(
            "{name} must be {count} rows of 16 bytes"
        )));
    }
    Ok(Zeroizing::new(
        rows.iter().map(|row| aes::from_bytes(row)).collect(),
    ))
}

/// Correlations that a run gives, transfers that it uses up, and blocks of its message.
#[pyfunction]
fn vole_sizes(size: usize, width: usize) -> PyResult<(usize, usize, usize)> {
    let plan = plan(size, width)?;
    Ok((plan.rows(), plan.choices(), plan.message_blocks()))
}

#[pyfunction]
fn vole_choices(size: usize, width: usize, seed: &[u8], mut out: PyBuffer<u8>) -> PyResult<()> {
    let plan = plan(size, width)?;
    let seed = columns::seed(seed, "seed")?;
    let out = columns::write(&mut out, plan.choices().div_ceil(8), "out")?;
    out.copy_from_slice(&Zeroizing::new(vole::choices(&plan, &seed)));
    Ok(())
}

/// Writes the message and b, both as words.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "columns in, columns out")]
fn vole_send(
    py: Python<'_>,
    size: usize,
    width: usize,
    code: &str,
    salt: &[u8],
    seed: &[u8],
    delta: &[u8],
    q: PyBuffer<u8>,
    mut message: PyBuffer<u64>,
    mut b: PyBuffer<u64>,
) -> PyResult<()> {
    let (plan, density) = (plan(size, width)?, density(code)?);
    let (salt, seed) = (columns::seed(salt, "salt")?, columns::seed(seed, "seed")?);
    let delta = blocks(delta, 1, "delta")?;
    let q = blocks(columns::read(&q, "q")?, plan.choices(), "q")?;
    let message = columns::write(&mut message, 2 * plan.message_blocks(), "message")?;
    let b = columns::write(&mut b, 2 * plan.rows(), "b")?;
    let (message, b) = (message.as_chunks_mut().0, b.as_chunks_mut().0);
    py.detach(|| {
        threads::run(|| Run::new(plan, density, &salt).send(&seed, delta[0], &q, message, b));
    });
    Ok(())
}

/// Writes a and c, both as words.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "columns in, columns out")]
fn vole_receive(
    py: Python<'_>,
    size: usize,
    width: usize,
    code: &str,
    salt: &[u8],
    seed: &[u8],
    t: PyBuffer<u8>,
    message: PyBuffer<u8>,
    mut a: PyBuffer<u64>,
    mut c: PyBuffer<u64>,
) -> PyResult<()> {
    let (plan, density) = (plan(size, width)?, density(code)?);
    let (salt, seed) = (columns::seed(salt, "salt")?, columns::seed(seed, "seed")?);
    let t = blocks(columns::read(&t, "t")?, plan.choices(), "t")?;
    let message = columns::read(&message, "message")?;
    let message = blocks(message, plan.message_blocks(), "message")?;
    let a = columns::write(&mut a, plan.rows() * width / 8, "a")?;
    let c = columns::write(&mut c, 2 * plan.rows(), "c")?
        .as_chunks_mut()
        .0;
    py.detach(|| {
        threads::run(|| {
            let run = Run::new(plan, density, &salt);
            match width {
                8 => run.receive::<u64>(&seed, &t, &message, a, c),
                _ => run.receive::<Block>(&seed, &t, &message, a.as_chunks_mut().0, c),
            }
        });
    });
    Ok(())
}
