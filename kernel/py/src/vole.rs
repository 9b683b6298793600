//! Face of `hanse_kernel::vole`.

use hanse_kernel::aes::{self, Block};
use hanse_kernel::codes::Density;
use hanse_kernel::threads;
use hanse_kernel::vole::{self, Field, LONGEST, Plan, Run, check};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroize::Zeroizing;

use crate::columns;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(vole_sizes, module)?)?;
    module.add_function(wrap_pyfunction!(vole_choices, module)?)?;
    module.add_function(wrap_pyfunction!(vole_grow, module)?)?;
    module.add_function(wrap_pyfunction!(vole_send, module)?)?;
    module.add_function(wrap_pyfunction!(vole_noise, module)?)?;
    module.add_function(wrap_pyfunction!(vole_receive, module)?)?;
    module.add_function(wrap_pyfunction!(vole_claim, module)?)?;
    module.add_function(wrap_pyfunction!(vole_prove, module)?)
}

fn plan(size: usize, width: usize, checked: bool) -> PyResult<Plan> {
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
    Ok(if checked {
        Plan::whole(size, field)
    } else {
        Plan::new(size, field)
    })
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
fn vole_sizes(size: usize, width: usize, checked: bool) -> PyResult<(usize, usize, usize)> {
    let plan = plan(size, width, checked)?;
    Ok((plan.rows(), plan.choices(), plan.message_blocks()))
}

#[pyfunction]
fn vole_choices(
    size: usize,
    width: usize,
    checked: bool,
    seed: &[u8],
    mut out: PyBuffer<u8>,
) -> PyResult<()> {
    let plan = plan(size, width, checked)?;
    let seed = columns::seed(seed, "seed")?;
    let out = columns::write(&mut out, plan.choices().div_ceil(8), "out")?;
    out.copy_from_slice(&Zeroizing::new(vole::choices(&plan, &seed)));
    Ok(())
}

/// Writes the message and the two halves of the leaves, as words.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "columns in, columns out")]
fn vole_grow(
    py: Python<'_>,
    size: usize,
    width: usize,
    checked: bool,
    code: &str,
    salt: &[u8],
    seed: &[u8],
    delta: &[u8],
    q: PyBuffer<u8>,
    mut message: PyBuffer<u64>,
    mut x: PyBuffer<u64>,
    mut y: PyBuffer<u64>,
) -> PyResult<()> {
    let (plan, density) = (plan(size, width, checked)?, density(code)?);
    let (salt, seed) = (columns::seed(salt, "salt")?, columns::seed(seed, "seed")?);
    let delta = blocks(delta, 1, "delta")?;
    let q = blocks(columns::read(&q, "q")?, plan.choices(), "q")?;
    let message = columns::write(&mut message, 2 * plan.message_blocks(), "message")?;
    let message = message.as_chunks_mut().0;
    let leaves = halves(&plan, &mut x, &mut y)?;
    py.detach(|| {
        threads::run(|| Run::new(plan, density, &salt).grow(&seed, delta[0], &q, message, leaves));
    });
    Ok(())
}

/// The two halves of the leaves, as blocks.
fn halves<'a>(
    plan: &Plan,
    x: &'a mut PyBuffer<u64>,
    y: &'a mut PyBuffer<u64>,
) -> PyResult<[&'a mut [Block]; 2]> {
    let x = columns::write(x, 2 * plan.rows(), "x")?;
    let y = columns::write(y, 2 * plan.rows(), "y")?;
    Ok([x.as_chunks_mut().0, y.as_chunks_mut().0])
}

/// Makes the first half of the leaves b; the second is used up.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "columns in, columns out")]
fn vole_send(
    py: Python<'_>,
    size: usize,
    width: usize,
    checked: bool,
    code: &str,
    salt: &[u8],
    mut x: PyBuffer<u64>,
    mut y: PyBuffer<u64>,
) -> PyResult<()> {
    let (plan, density) = (plan(size, width, checked)?, density(code)?);
    let salt = columns::seed(salt, "salt")?;
    let leaves = halves(&plan, &mut x, &mut y)?;
    py.detach(|| threads::run(|| Run::new(plan, density, &salt).send(leaves)));
    Ok(())
}

/// Writes a, as words.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "columns in, columns out")]
fn vole_noise(
    py: Python<'_>,
    size: usize,
    width: usize,
    checked: bool,
    code: &str,
    salt: &[u8],
    seed: &[u8],
    mut a: PyBuffer<u64>,
) -> PyResult<()> {
    let (plan, density) = (plan(size, width, checked)?, density(code)?);
    let (salt, seed) = (columns::seed(salt, "salt")?, columns::seed(seed, "seed")?);
    let a = columns::write(&mut a, plan.rows() * width / 8, "a")?;
    py.detach(|| {
        threads::run(|| {
            let run = Run::new(plan, density, &salt);
            match width {
                8 => run.noise::<u64>(&seed, a),
                _ => run.noise::<Block>(&seed, a.as_chunks_mut().0),
            }
        });
    });
    Ok(())
}

/// Writes c, as words.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "columns in, columns out")]
fn vole_receive(
    py: Python<'_>,
    size: usize,
    width: usize,
    checked: bool,
    code: &str,
    salt: &[u8],
    seed: &[u8],
    t: PyBuffer<u8>,
    message: PyBuffer<u8>,
    mut c: PyBuffer<u64>,
) -> PyResult<()> {
    let (plan, density) = (plan(size, width, checked)?, density(code)?);
    let (salt, seed) = (columns::seed(salt, "salt")?, columns::seed(seed, "seed")?);
    let t = blocks(columns::read(&t, "t")?, plan.choices(), "t")?;
    let message = columns::read(&message, "message")?;
    let message = blocks(message, plan.message_blocks(), "message")?;
    let c = columns::write(&mut c, 2 * plan.rows(), "c")?
        .as_chunks_mut()
        .0;
    py.detach(|| {
        threads::run(|| Run::new(plan, density, &salt).receive(&seed, &t, &message, c));
    });
    Ok(())
}

/// The receiver's masked sum and the hash of an honest answer, from a and c in rows of sixteen bytes.
#[pyfunction]
fn vole_claim<'py>(
    py: Python<'py>,
    seed: &[u8],
    a: PyBuffer<u8>,
    c: PyBuffer<u8>,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let seed = columns::seed(seed, "seed")?;
    let (a, c) = (columns::read(&a, "a")?, columns::read(&c, "c")?);
    let rows = a.len() / 16;
    let (a, c) = (blocks(a, rows, "a")?, blocks(c, rows, "c")?);
    let (masked, digest) = py.detach(|| threads::run(|| check::claim(&seed, &a, &c)));
    let masked = PyBytes::new(py, &aes::to_bytes(masked));
    Ok((masked, PyBytes::new(py, &digest)))
}

/// The sender's answer to a masked sum, from b in rows of sixteen bytes.
#[pyfunction]
fn vole_prove<'py>(
    py: Python<'py>,
    seed: &[u8],
    delta: &[u8],
    b: PyBuffer<u8>,
    masked: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let seed = columns::seed(seed, "seed")?;
    let (delta, masked) = (blocks(delta, 1, "delta")?, blocks(masked, 1, "masked")?);
    let b = columns::read(&b, "b")?;
    let b = blocks(b, b.len() / 16, "b")?;
    let digest = py.detach(|| threads::run(|| check::prove(&seed, delta[0], &b, masked[0])));
    Ok(PyBytes::new(py, &digest))
}
