//! Face of `hanse_kernel::trees`.

use hanse_kernel::threads;
use hanse_kernel::trees::{self, Columns, Forest, Left, Node, Rules, Shape, Sums};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::columns::{read, write};

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(tree_histogram, module)?)?;
    module.add_function(wrap_pyfunction!(tree_best_split, module)?)?;
    module.add_function(wrap_pyfunction!(tree_part_by_codes, module)?)?;
    module.add_function(wrap_pyfunction!(tree_part_by_bits, module)?)?;
    module.add_function(wrap_pyfunction!(tree_totals, module)?)?;
    module.add_function(wrap_pyfunction!(tree_left_bits, module)?)?;
    module.add_function(wrap_pyfunction!(tree_set_bits, module)?)?;
    module.add_function(wrap_pyfunction!(tree_mark, module)?)?;
    module.add_function(wrap_pyfunction!(tree_add_leaves, module)?)?;
    module.add_function(wrap_pyfunction!(tree_margins, module)?)
}

fn must(holds: bool, rule: &str) -> PyResult<()> {
    if holds {
        Ok(())
    } else {
        Err(PyValueError::new_err(rule.to_owned()))
    }
}

fn all_below(rows: &[u32], samples: usize) -> PyResult<()> {
    let greatest = rows.iter().copied().max();
    must(
        greatest.is_none_or(|row| (row as usize) < samples),
        "a row is outside the columns",
    )
}

fn width(bins: &[u32], missing: &[u8]) -> usize {
    let flags = missing.iter().filter(|&&flag| flag != 0).count();
    bins.iter().map(|&count| count as usize).sum::<usize>() + flags
}

fn read_option<T: pyo3::buffer::Element>(buffer: Option<&PyBuffer<T>>) -> PyResult<Option<&[T]>> {
    buffer.map(|buffer| read(buffer, "a column")).transpose()
}

/// Writes the sums of each cell of each column (codes: columns × samples), of the named rows or of all.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "columns in, columns out")]
fn tree_histogram(
    py: Python<'_>,
    codes: PyBuffer<u8>,
    bins: PyBuffer<u32>,
    missing: PyBuffer<u8>,
    chosen: Option<PyBuffer<u8>>,
    g: PyBuffer<f64>,
    h: PyBuffer<f64>,
    rows: Option<PyBuffer<u32>>,
    mut g_sums: PyBuffer<f64>,
    mut h_sums: PyBuffer<f64>,
    mut row_sums: PyBuffer<u32>,
) -> PyResult<()> {
    let (g, h) = (read(&g, "g")?, read(&h, "h")?);
    let (chosen, rows) = (read_option(chosen.as_ref())?, read_option(rows.as_ref())?);
    let columns = Columns {
        codes: read(&codes, "codes")?,
        rows: g.len(),
        bins: read(&bins, "bins")?,
        missing: read(&missing, "missing")?,
        chosen,
    };
    let count = columns.bins.len();
    must(
        g.len() == h.len() && columns.codes.len() == g.len() * count,
        "columns have other lengths",
    )?;
    must(
        columns.bins.iter().all(|bins| (1..=254).contains(bins)),
        "a column has 1 to 254 bins",
    )?;
    let marks = chosen.map_or(count, <[u8]>::len);
    must(
        columns.missing.len() == count && marks == count,
        "missing and chosen have a mark for each column",
    )?;
    all_below(rows.unwrap_or(&[]), g.len())?;
    let width = columns.width();
    let sums = Sums {
        g: write(&mut g_sums, width, "g_sums")?,
        h: write(&mut h_sums, width, "h_sums")?,
        rows: write(&mut row_sums, width, "row_sums")?,
    };
    py.detach(|| threads::run(|| trees::histogram(columns, g, h, rows, sums)));
    Ok(())
}

/// λ, α, least weight, least gain, largest step, categories parted one by one, fewest rows of a child.
type RuleTuple = (f64, f64, f64, f64, f64, u32, u32);

/// Column, left codes, gain, last code of a numeric split or −1, weights and bounds of the children.
type SplitTuple<'py> = (
    usize,
    Bound<'py, PyBytes>,
    f64,
    i32,
    (f64, f64),
    [(f64, f64); 2],
);

/// The best split, or None.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "columns in")]
fn tree_best_split<'py>(
    py: Python<'py>,
    g: PyBuffer<f64>,
    h: PyBuffer<f64>,
    rows: Option<PyBuffer<u32>>,
    bins: PyBuffer<u32>,
    missing: PyBuffer<u8>,
    categorical: PyBuffer<u8>,
    monotone: PyBuffer<i8>,
    chosen: Option<PyBuffer<u8>>,
    total: (f64, f64),
    bounds: (f64, f64),
    rules: RuleTuple,
) -> PyResult<Option<SplitTuple<'py>>> {
    let shape = Shape {
        bins: read(&bins, "bins")?,
        missing: read(&missing, "missing")?,
        categorical: read(&categorical, "categorical")?,
        monotone: read(&monotone, "monotone")?,
        chosen: read_option(chosen.as_ref())?,
    };
    let count = shape.bins.len();
    let others = [
        shape.missing.len(),
        shape.categorical.len(),
        shape.monotone.len(),
        shape.chosen.map_or(count, <[u8]>::len),
    ];
    must(
        others == [count; 4],
        "the shape has columns of other lengths",
    )?;
    must(
        shape.bins.iter().all(|bins| (1..=254).contains(bins)),
        "a column has 1 to 254 bins",
    )?;
    let node = Node {
        g: read(&g, "g")?,
        h: read(&h, "h")?,
        rows: read_option(rows.as_ref())?,
        total,
        bounds,
    };
    let width = width(shape.bins, shape.missing);
    must(
        node.g.len() == width
            && node.h.len() == width
            && node.rows.is_none_or(|rows| rows.len() == width),
        "sums of other lengths",
    )?;
    let rules = Rules {
        reg_lambda: rules.0,
        reg_alpha: rules.1,
        min_child_weight: rules.2,
        min_split_gain: rules.3,
        max_delta_step: rules.4,
        max_onehot: rules.5,
        min_child_rows: rules.6,
    };
    let found = py.detach(|| trees::best_split(shape, node, rules));
    Ok(found.map(|found| {
        (
            found.column,
            PyBytes::new(py, &found.left),
            found.gain,
            found.bin.map_or(-1, i32::from),
            found.weights,
            found.bounds,
        )
    }))
}

fn set_of(left: &[u8]) -> PyResult<Left> {
    left.try_into()
        .map_err(|_| PyValueError::new_err("left must have 32 bytes"))
}

/// Moves the rows whose code goes left to the front, and returns how many they are.
#[pyfunction]
fn tree_part_by_codes(
    py: Python<'_>,
    mut rows: PyBuffer<u32>,
    codes: PyBuffer<u8>,
    left: &[u8],
) -> PyResult<usize> {
    let (codes, left) = (read(&codes, "codes")?, set_of(left)?);
    let count = rows.item_count();
    let rows = write(&mut rows, count, "rows")?;
    all_below(rows, codes.len())?;
    Ok(py.detach(|| threads::run(|| trees::part_by_codes(rows, codes, &left))))
}

/// Moves the rows whose bit is set to the front, and returns how many they are.
#[pyfunction]
fn tree_part_by_bits(
    py: Python<'_>,
    mut rows: PyBuffer<u32>,
    bits: PyBuffer<u8>,
) -> PyResult<usize> {
    let bits = read(&bits, "bits")?;
    let count = rows.item_count();
    let rows = write(&mut rows, count, "rows")?;
    all_below(rows, 8 * bits.len())?;
    Ok(py.detach(|| threads::run(|| trees::part_by_bits(rows, bits))))
}

#[pyfunction]
fn tree_totals(
    py: Python<'_>,
    g: PyBuffer<f64>,
    h: PyBuffer<f64>,
    rows: PyBuffer<u32>,
) -> PyResult<(f64, f64)> {
    let (g, h, rows) = (read(&g, "g")?, read(&h, "h")?, read(&rows, "rows")?);
    must(g.len() == h.len(), "g and h have other lengths")?;
    all_below(rows, g.len())?;
    Ok(py.detach(|| trees::totals(g, h, rows)))
}

/// Writes one bit for each code: whether it is in the set.
#[pyfunction]
fn tree_left_bits(
    py: Python<'_>,
    codes: PyBuffer<u8>,
    left: &[u8],
    mut bits: PyBuffer<u8>,
) -> PyResult<()> {
    let (codes, left) = (read(&codes, "codes")?, set_of(left)?);
    let bits = write(&mut bits, codes.len().div_ceil(8), "bits")?;
    py.detach(|| threads::run(|| trees::left_bits(codes, &left, bits)));
    Ok(())
}

/// Sets the bit of each row.
#[pyfunction]
fn tree_set_bits(mut bits: PyBuffer<u8>, rows: PyBuffer<u32>) -> PyResult<()> {
    let count = bits.item_count();
    let (bits, rows) = (write(&mut bits, count, "bits")?, read(&rows, "rows")?);
    all_below(rows, 8 * count)?;
    trees::set_bits(bits, rows);
    Ok(())
}

/// Writes `value` at the place of each row.
#[pyfunction]
fn tree_mark(mut places: PyBuffer<u16>, rows: PyBuffer<u32>, value: u16) -> PyResult<()> {
    let count = places.item_count();
    let (places, rows) = (write(&mut places, count, "places")?, read(&rows, "rows")?);
    all_below(rows, count)?;
    trees::mark(places, rows, value);
    Ok(())
}

/// Adds the weight of each leaf to the margins of its rows.
#[pyfunction]
fn tree_add_leaves(
    py: Python<'_>,
    mut margins: PyBuffer<f64>,
    rows: PyBuffer<u32>,
    ranges: Vec<(usize, usize)>,
    weights: Vec<f64>,
) -> PyResult<()> {
    let count = margins.item_count();
    let (margins, rows) = (write(&mut margins, count, "margins")?, read(&rows, "rows")?);
    all_below(rows, count)?;
    let is_inside = |&(start, end): &(usize, usize)| start <= end && end <= rows.len();
    must(
        ranges.iter().all(is_inside) && ranges.len() == weights.len(),
        "leaves have ranges of the rows, and weights",
    )?;
    py.detach(|| trees::add_leaves(margins, rows, &ranges, &weights));
    Ok(())
}

/// Writes base + the leaves' weights for every output and row of `numbers` (columns × rows).
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "columns in, columns out")]
fn tree_margins(
    py: Python<'_>,
    starts: PyBuffer<i64>,
    source: PyBuffer<i8>,
    index: PyBuffer<u32>,
    left: PyBuffer<i32>,
    right: PyBuffer<i32>,
    threshold: PyBuffer<f64>,
    missing_left: PyBuffer<u8>,
    set_index: PyBuffer<i32>,
    sets: PyBuffer<u8>,
    weight: PyBuffer<f64>,
    base: PyBuffer<f64>,
    numbers: PyBuffer<f64>,
    bits: PyBuffer<u8>,
    rows: usize,
    mut margins: PyBuffer<f64>,
) -> PyResult<()> {
    let (sets, []) = read(&sets, "sets")?.as_chunks() else {
        return Err(PyValueError::new_err("a set has 32 bytes"));
    };
    let forest = Forest {
        starts: read(&starts, "starts")?,
        source: read(&source, "source")?,
        index: read(&index, "index")?,
        left: read(&left, "left")?,
        right: read(&right, "right")?,
        threshold: read(&threshold, "threshold")?,
        missing_left: read(&missing_left, "missing_left")?,
        set_index: read(&set_index, "set_index")?,
        sets,
        weight: read(&weight, "weight")?,
    };
    let (base, numbers, bits) = (
        read(&base, "base")?,
        read(&numbers, "numbers")?,
        read(&bits, "bits")?,
    );
    let margins = write(&mut margins, rows * base.len(), "margins")?;
    let work = || trees::margins(forest, base, numbers, bits, margins);
    py.detach(|| threads::run(work))
        .map_err(PyValueError::new_err)
}
