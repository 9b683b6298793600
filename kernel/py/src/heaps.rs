//! Face of `hanse_kernel::heaps`.

use hanse_kernel::heaps::{self, Forest, Histogram, Rules, Sums};
use hanse_kernel::threads;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::columns;

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(heap_totals, module)?)?;
    module.add_function(wrap_pyfunction!(heap_histogram, module)?)?;
    module.add_function(wrap_pyfunction!(heap_best_split, module)?)?;
    module.add_function(wrap_pyfunction!(heap_margins, module)?)
}

fn must(holds: bool, rule: &str) -> PyResult<()> {
    if holds {
        Ok(())
    } else {
        Err(PyValueError::new_err(rule.to_owned()))
    }
}

fn all_below(rows: &[u32], samples: usize) -> PyResult<()> {
    must(
        rows.iter().all(|&row| (row as usize) < samples),
        "a row is outside the columns",
    )
}

#[pyfunction]
fn heap_totals(g: PyBuffer<f64>, h: PyBuffer<f64>, rows: PyBuffer<u32>) -> PyResult<(f64, f64)> {
    let (g, h, rows) = (
        columns::read(&g, "g")?,
        columns::read(&h, "h")?,
        columns::read(&rows, "rows")?,
    );
    must(g.len() == h.len(), "g and h have other lengths")?;
    all_below(rows, g.len())?;
    Ok(heaps::totals(g, h, rows))
}

/// Writes the sums of each bin of each column (codes: columns × samples).
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "columns in, columns out")]
fn heap_histogram(
    py: Python<'_>,
    codes: PyBuffer<u8>,
    bins: PyBuffer<u32>,
    g: PyBuffer<f64>,
    h: PyBuffer<f64>,
    rows: PyBuffer<u32>,
    mut g_sums: PyBuffer<f64>,
    mut h_sums: PyBuffer<f64>,
    mut row_sums: PyBuffer<u32>,
) -> PyResult<()> {
    let (codes, bins) = (
        columns::read(&codes, "codes")?,
        columns::read(&bins, "bins")?,
    );
    let (g, h, rows) = (
        columns::read(&g, "g")?,
        columns::read(&h, "h")?,
        columns::read(&rows, "rows")?,
    );
    must(
        g.len() == h.len() && codes.len() == g.len() * bins.len(),
        "columns have other lengths",
    )?;
    all_below(rows, g.len())?;
    let width = bins.iter().map(|&count| count as usize).sum();
    let sums = Sums {
        g: columns::write(&mut g_sums, width, "g_sums")?,
        h: columns::write(&mut h_sums, width, "h_sums")?,
        rows: columns::write(&mut row_sums, width, "row_sums")?,
    };
    py.detach(|| threads::run(|| heaps::histogram(codes, bins, g, h, rows, sums)));
    Ok(())
}

/// (column, bin, gain) of the best split, or None. `rules` are λ, least weight, least gain, fewest rows of a child.
#[pyfunction]
fn heap_best_split(
    g: PyBuffer<f64>,
    h: PyBuffer<f64>,
    rows: Option<PyBuffer<u32>>,
    bins: PyBuffer<u32>,
    total: (f64, f64),
    rules: (f64, f64, f64, u32),
) -> PyResult<Option<(usize, usize, f64)>> {
    let (g, h, bins) = (
        columns::read(&g, "g")?,
        columns::read(&h, "h")?,
        columns::read(&bins, "bins")?,
    );
    let rows = rows
        .as_ref()
        .map(|rows| columns::read(rows, "rows"))
        .transpose()?;
    let width: usize = bins.iter().map(|&count| count as usize).sum();
    must(
        g.len() == width && h.len() == width && rows.is_none_or(|rows| rows.len() == width),
        "sums of other lengths",
    )?;
    let (reg_lambda, min_child_weight, min_split_gain, min_child_rows) = rules;
    let rules = Rules {
        reg_lambda,
        min_child_weight,
        min_split_gain,
        min_child_rows,
    };
    let split = heaps::best_split(Histogram { g, h, rows, bins }, total, rules);
    Ok(split.map(|split| (split.column, split.bin, split.gain)))
}

/// Writes base + the leaves' weights for every row of `numbers` (columns × rows).
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "columns in, columns out")]
fn heap_margins(
    py: Python<'_>,
    source: PyBuffer<i8>,
    index: PyBuffer<u32>,
    threshold: PyBuffer<f64>,
    weight: PyBuffer<f64>,
    nodes_per_tree: usize,
    base: f64,
    numbers: PyBuffer<f64>,
    left: PyBuffer<u8>,
    rows: usize,
    mut margins: PyBuffer<f64>,
) -> PyResult<()> {
    let forest = Forest {
        source: columns::read(&source, "source")?,
        index: columns::read(&index, "index")?,
        threshold: columns::read(&threshold, "threshold")?,
        weight: columns::read(&weight, "weight")?,
        nodes_per_tree,
    };
    let (numbers, left) = (
        columns::read(&numbers, "numbers")?,
        columns::read(&left, "left")?,
    );
    let margins = columns::write(&mut margins, rows, "margins")?;
    let work = || heaps::margins(forest, base, numbers, left, margins);
    py.detach(|| threads::run(work))
        .map_err(PyValueError::new_err)
}
