//! Sums of g, h and rows over the cells of columns.
//!
//! A cell is four floats, g, h, the number of rows, and nothing: one load, one addition and one store of 32 bytes for each
//! row and column. Four columns go abreast, so that the additions to one cell by rows that follow one another overlap.

use rayon::prelude::*;

use crate::simd::{self, Path};

/// Rows taken at a time: their g and h stay in the first cache while all columns pass.
const BLOCK: usize = 512;

/// Columns taken at a time.
const ABREAST: usize = 4;

/// Rows × columns below which another thread would cost more than it does.
const LEAST_WORK: usize = 1 << 15;

type Cell = [f64; 4];

/// Columns of codes, and how many cells each has.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// Column after column.
    pub codes: &'a [u8],
    /// Rows of each column.
    pub rows: usize,
    /// Cells of each column, 1 to 255; the last is also that of all codes which are too great, as missing values are.
    pub cells: &'a [u32],
    /// Which columns are wanted: 1; the sums of others stay zero.
    pub chosen: Option<&'a [u8]>,
}

/// Where `histogram` writes: the sums of each cell.
pub struct Sums<'a> {
    pub g: &'a mut [f64],
    pub h: &'a mut [f64],
    pub rows: &'a mut [u32],
}

/// Sums of g, h and rows over each cell of each column, for the named rows, or for all.
///
/// # Panics
/// When a size does not fit, or a row is outside.
pub fn histogram(columns: Columns, g: &[f64], h: &[f64], rows: Option<&[u32]>, out: Sums) {
    histogram_on(simd::path(), columns, g, h, rows, out);
}

/// [`histogram`] on a path.
pub fn histogram_on(
    path: Path,
    columns: Columns,
    g: &[f64],
    h: &[f64],
    rows: Option<&[u32]>,
    out: Sums,
) {
    check(columns, g, h, &out);
    let mut wanted = wanted(columns, out);
    let count = rows.map_or(g.len(), <[u32]>::len);
    let threads = if count * wanted.len() < LEAST_WORK {
        1
    } else {
        rayon::current_num_threads()
    };
    let share = wanted.len().div_ceil(threads).next_multiple_of(ABREAST);
    let task = Task {
        columns,
        g,
        h,
        rows,
    };
    wanted
        .par_chunks_mut(share.max(ABREAST))
        .for_each(|wanted| task.run(path, wanted));
}

fn check(columns: Columns, g: &[f64], h: &[f64], out: &Sums) {
    let width: usize = columns.cells.iter().map(|&cells| cells as usize).sum();
    let count = columns.cells.len();
    assert!(
        g.len() == columns.rows && h.len() == g.len() && columns.codes.len() == g.len() * count,
        "columns of other lengths"
    );
    assert!(
        out.g.len() == width && out.h.len() == width && out.rows.len() == width,
        "sums of other lengths"
    );
    assert!(
        columns.cells.iter().all(|cells| (1..=255).contains(cells)),
        "a column has 1 to 255 cells"
    );
    assert!(
        columns.chosen.is_none_or(|chosen| chosen.len() == count),
        "a mark for each column"
    );
}

/// A column that is wanted, and where its sums go.
struct Wanted<'a> {
    codes: &'a [u8],
    sums: Sums<'a>,
}

/// The sums cut into columns and set to zero; those of the columns that are wanted.
fn wanted<'a>(columns: Columns<'a>, out: Sums<'a>) -> Vec<Wanted<'a>> {
    let (mut g, mut h, mut rows) = (out.g, out.h, out.rows);
    g.fill(0.0);
    h.fill(0.0);
    rows.fill(0);
    let mut found = Vec::with_capacity(columns.cells.len());
    for (column, &cells) in columns.cells.iter().enumerate() {
        let (g_here, g_rest) = g.split_at_mut(cells as usize);
        let (h_here, h_rest) = h.split_at_mut(cells as usize);
        let (rows_here, rows_rest) = rows.split_at_mut(cells as usize);
        (g, h, rows) = (g_rest, h_rest, rows_rest);
        if columns.chosen.is_none_or(|chosen| chosen[column] != 0) {
            let sums = Sums {
                g: g_here,
                h: h_here,
                rows: rows_here,
            };
            let codes = &columns.codes[column * columns.rows..][..columns.rows];
            found.push(Wanted { codes, sums });
        }
    }
    found
}

/// What one thread does with its columns.
#[derive(Clone, Copy)]
struct Task<'a> {
    columns: Columns<'a>,
    g: &'a [f64],
    h: &'a [f64],
    rows: Option<&'a [u32]>,
}

impl Task<'_> {
    fn run(self, path: Path, wanted: &mut [Wanted]) {
        let count = self.rows.map_or(self.columns.rows, <[u32]>::len);
        let width: usize = wanted.iter().map(|column| column.sums.g.len()).sum();
        let mut cells = vec![[0.0; 4]; width];
        let mut values = [[0.0; 4]; BLOCK];
        for start in (0..count).step_by(BLOCK) {
            let size = BLOCK.min(count - start);
            let rows = self.rows.map(|rows| &rows[start..start + size]);
            let values = &mut values[..size];
            self.gather(start, rows, values);
            let mut cells = &mut cells[..];
            for group in wanted.chunks(ABREAST) {
                let here = group.iter().map(|column| column.sums.g.len()).sum();
                let (group_cells, rest) = cells.split_at_mut(here);
                cells = rest;
                add(path, start, rows, values, group, group_cells);
            }
        }
        write(&cells, wanted);
    }

    fn gather(self, start: usize, rows: Option<&[u32]>, values: &mut [Cell]) {
        for (offset, value) in values.iter_mut().enumerate() {
            let row = rows.map_or(start + offset, |rows| rows[offset] as usize);
            *value = [self.g[row], self.h[row], 1.0, 0.0];
        }
    }
}

fn write(cells: &[Cell], wanted: &mut [Wanted]) {
    let mut cells = cells.iter();
    for Wanted { sums, .. } in wanted {
        let places = sums.g.iter_mut().zip(&mut *sums.h).zip(&mut *sums.rows);
        for (((g, h), rows), cell) in places.zip(&mut cells) {
            (*g, *h, *rows) = (cell[0], cell[1], cell[2] as u32);
        }
    }
}

/// Adds a block of rows to the cells of up to four columns.
fn add(
    path: Path,
    start: usize,
    rows: Option<&[u32]>,
    values: &[Cell],
    group: &[Wanted],
    cells: &mut [Cell],
) {
    match (path, rows) {
        #[cfg(target_arch = "x86_64")]
        (Path::Avx2 | Path::Avx512, Some(rows)) => {
            // SAFETY: the path is available
            unsafe { x86::add_named(rows, values, group, cells) }
        }
        #[cfg(target_arch = "x86_64")]
        (Path::Avx2 | Path::Avx512, None) => {
            // SAFETY: the path is available
            unsafe { x86::add_all(start, values, group, cells) }
        }
        (_, Some(rows)) => add_group(Named(rows), values, group, cells),
        (_, None) => add_group(From(start), values, group, cells),
    }
}

/// Which rows the values belong to.
trait Rows: Copy {
    /// The codes of a column for `size` rows.
    fn code(self, codes: &[u8], offset: usize) -> u8;

    /// The part of a column in which `code` looks.
    fn part(self, codes: &[u8], size: usize) -> &[u8];
}

#[derive(Clone, Copy)]
struct Named<'a>(&'a [u32]);

impl Rows for Named<'_> {
    #[inline(always)]
    fn code(self, codes: &[u8], offset: usize) -> u8 {
        codes[self.0[offset] as usize]
    }

    #[inline(always)]
    fn part(self, codes: &[u8], _size: usize) -> &[u8] {
        codes
    }
}

#[derive(Clone, Copy)]
struct From(usize);

impl Rows for From {
    #[inline(always)]
    fn code(self, codes: &[u8], offset: usize) -> u8 {
        codes[offset]
    }

    #[inline(always)]
    fn part(self, codes: &[u8], size: usize) -> &[u8] {
        &codes[self.0..self.0 + size]
    }
}

#[inline(always)]
fn add_group(rows: impl Rows, values: &[Cell], group: &[Wanted], cells: &mut [Cell]) {
    if let [a, b, c, d] = group {
        let (first, rest) = cells.split_at_mut(a.sums.g.len());
        let (second, rest) = rest.split_at_mut(b.sums.g.len());
        let (third, fourth) = rest.split_at_mut(c.sums.g.len());
        let codes = [a, b, c, d].map(|column| rows.part(column.codes, values.len()));
        for (offset, value) in values.iter().enumerate() {
            add_one(first, rows.code(codes[0], offset), value);
            add_one(second, rows.code(codes[1], offset), value);
            add_one(third, rows.code(codes[2], offset), value);
            add_one(fourth, rows.code(codes[3], offset), value);
        }
        return;
    }
    let mut cells = cells;
    for column in group {
        let (here, rest) = cells.split_at_mut(column.sums.g.len());
        cells = rest;
        let codes = rows.part(column.codes, values.len());
        for (offset, value) in values.iter().enumerate() {
            add_one(here, rows.code(codes, offset), value);
        }
    }
}

/// A code that is too great is that of a missing value, whose cell is the last.
#[inline(always)]
fn add_one(cells: &mut [Cell], code: u8, value: &Cell) {
    let last = cells.len() - 1;
    let cell = &mut cells[usize::from(code).min(last)];
    for (sum, value) in cell.iter_mut().zip(value) {
        *sum += value;
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Cell, From, Named, Wanted, add_group};

    #[target_feature(enable = "avx2,bmi2")]
    pub fn add_named(rows: &[u32], values: &[Cell], group: &[Wanted], cells: &mut [Cell]) {
        add_group(Named(rows), values, group, cells);
    }

    #[target_feature(enable = "avx2,bmi2")]
    pub fn add_all(start: usize, values: &[Cell], group: &[Wanted], cells: &mut [Cell]) {
        add_group(From(start), values, group, cells);
    }
}
