//! Sums of g, h and rows over the cells of columns.
//!
//! A cell is four floats, g, h, the number of rows, and nothing: one load, one addition and one store of 32 bytes for each
//! row and column. Four columns go abreast, so that the additions to one cell by rows that follow one another overlap.

use std::ops::Range;

use rayon::prelude::*;

use crate::simd::{self, Path};

/// Rows taken at a time: their g and h stay in the first cache while all columns pass.
const BLOCK: usize = 512;

/// Columns taken at a time.
const ABREAST: usize = 4;

/// Rows × columns below which another thread would cost more than it does.
const LEAST_WORK: usize = 1 << 15;

/// Aligned, so that no cell lies across two lines of the cache.
#[derive(Clone, Copy, Default)]
#[repr(align(32))]
struct Cell([f64; 4]);

/// Columns of codes, and which cells each has.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// Column after column; a code is below the column's bins, or that of a missing value.
    pub codes: &'a [u8],
    /// Rows of each column.
    pub rows: usize,
    /// Value codes of each column, 1 to 254.
    pub bins: &'a [u32],
    /// 1: a cell of missing values follows.
    pub missing: &'a [u8],
    /// Which columns are wanted: 1; the sums of others stay zero.
    pub chosen: Option<&'a [u8]>,
}

impl Columns<'_> {
    fn cells(&self) -> impl Iterator<Item = usize> {
        let missing = self.missing.iter().map(|&flag| usize::from(flag != 0));
        self.bins
            .iter()
            .zip(missing)
            .map(|(&bins, missing)| bins as usize + missing)
    }

    /// Cells of all columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.cells().sum()
    }
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
    let (width, count) = (columns.width(), columns.bins.len());
    assert!(
        g.len() == columns.rows && h.len() == g.len() && columns.codes.len() == g.len() * count,
        "columns of other lengths"
    );
    assert!(
        out.g.len() == width && out.h.len() == width && out.rows.len() == width,
        "sums of other lengths"
    );
    let marks = columns.chosen.map_or(count, <[u8]>::len);
    assert!(
        columns.missing.len() == count && marks == count,
        "a mark for each column"
    );
    assert!(
        columns.bins.iter().all(|bins| (1..=254).contains(bins)),
        "a column has 1 to 254 bins"
    );
}

/// A column that is wanted, and where its sums go.
struct Wanted<'a> {
    codes: &'a [u8],
    bins: usize,
    sums: Sums<'a>,
}

/// The sums cut into columns and set to zero; those of the columns that are wanted.
fn wanted<'a>(columns: Columns<'a>, out: Sums<'a>) -> Vec<Wanted<'a>> {
    let (mut g, mut h, mut rows) = (out.g, out.h, out.rows);
    g.fill(0.0);
    h.fill(0.0);
    rows.fill(0);
    let mut found = Vec::with_capacity(columns.bins.len());
    for (column, cells) in columns.cells().enumerate() {
        let (g_here, g_rest) = g.split_at_mut(cells);
        let (h_here, h_rest) = h.split_at_mut(cells);
        let (rows_here, rows_rest) = rows.split_at_mut(cells);
        (g, h, rows) = (g_rest, h_rest, rows_rest);
        if columns.chosen.is_none_or(|chosen| chosen[column] != 0) {
            let sums = Sums {
                g: g_here,
                h: h_here,
                rows: rows_here,
            };
            let codes = &columns.codes[column * columns.rows..][..columns.rows];
            let bins = columns.bins[column] as usize;
            found.push(Wanted { codes, bins, sums });
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
        // the code of a missing value is then the last place
        let cells = wanted
            .iter()
            .map(|column| column.sums.g.len())
            .max()
            .unwrap_or(0);
        match cells.next_power_of_two() {
            0..=4 => self.run_with::<4>(path, wanted),
            8 => self.run_with::<8>(path, wanted),
            16 => self.run_with::<16>(path, wanted),
            32 => self.run_with::<32>(path, wanted),
            64 => self.run_with::<64>(path, wanted),
            128 => self.run_with::<128>(path, wanted),
            _ => self.run_with::<256>(path, wanted),
        }
    }

    fn run_with<const PLACES: usize>(self, path: Path, wanted: &mut [Wanted]) {
        match path {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the path is available
            Path::Avx2 | Path::Avx512 => unsafe { x86::count::<PLACES>(self, wanted) },
            _ => self.count::<PLACES>(wanted),
        }
    }

    #[inline(always)]
    fn count<const PLACES: usize>(self, wanted: &mut [Wanted]) {
        let count = self.rows.map_or(self.columns.rows, <[u32]>::len);
        let mut cells = vec![Cell::default(); wanted.len() * PLACES];
        let places = cells.as_chunks_mut::<PLACES>().0;
        let mut values = [Cell::default(); BLOCK];
        for start in (0..count).step_by(BLOCK) {
            let values = &mut values[..BLOCK.min(count - start)];
            let end = start + values.len();
            match self.rows.map(|rows| &rows[start..end]) {
                Some(rows) => {
                    let rows = rows.iter().map(|&row| row as usize);
                    self.gather(rows.clone(), values);
                    add(wanted, places, values, 0..self.columns.rows, rows);
                }
                None => {
                    self.gather(start..end, values);
                    add(wanted, places, values, start..end, 0..end - start);
                }
            }
        }
        for (column, places) in wanted.iter_mut().zip(places) {
            write(column, places);
        }
    }

    #[inline(always)]
    fn gather(self, rows: impl Iterator<Item = usize>, values: &mut [Cell]) {
        for (row, value) in rows.zip(values) {
            *value = Cell([self.g[row], self.h[row], 1.0, 0.0]);
        }
    }
}

fn write<const PLACES: usize>(column: &mut Wanted, places: &[Cell; PLACES]) {
    let sums = &mut column.sums;
    for cell in 0..sums.g.len() {
        let place = if cell < column.bins { cell } else { PLACES - 1 };
        let [g, h, rows, _] = places[place].0;
        (sums.g[cell], sums.h[cell], sums.rows[cell]) = (g, h, rows as u32);
    }
}

/// Adds a block of values to the cells of all columns, four at a time. `rows` are counted within the `part` of a column.
#[inline(always)]
fn add<const PLACES: usize>(
    wanted: &[Wanted],
    places: &mut [[Cell; PLACES]],
    values: &[Cell],
    part: Range<usize>,
    rows: impl Iterator<Item = usize> + Clone,
) {
    let (groups, last) = wanted.as_chunks::<ABREAST>();
    let (group_places, last_places) = places.as_chunks_mut::<ABREAST>();
    for (group, [a, b, c, d]) in groups.iter().zip(group_places) {
        let codes = group.each_ref().map(|column| &column.codes[part.clone()]);
        for (row, value) in rows.clone().zip(values) {
            add_one(a, codes[0][row], value);
            add_one(b, codes[1][row], value);
            add_one(c, codes[2][row], value);
            add_one(d, codes[3][row], value);
        }
    }
    for (column, places) in last.iter().zip(last_places) {
        let codes = &column.codes[part.clone()];
        for (row, value) in rows.clone().zip(values) {
            add_one(places, codes[row], value);
        }
    }
}

#[inline(always)]
fn add_one<const PLACES: usize>(places: &mut [Cell; PLACES], code: u8, value: &Cell) {
    let cell = &mut places[usize::from(code) & (PLACES - 1)];
    for (sum, value) in cell.0.iter_mut().zip(value.0) {
        *sum += value;
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Task, Wanted};

    #[target_feature(enable = "avx2,bmi2")]
    pub fn count<const PLACES: usize>(task: Task, wanted: &mut [Wanted]) {
        task.count::<PLACES>(wanted);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::binning::MISSING;
    use crate::simd;

    /// Codes of columns with these bins, whatever numbers are drawn.
    fn codes(bins: &[u32], missing: &[u8], drawn: &[u8]) -> Vec<u8> {
        let columns = drawn.chunks(drawn.len() / bins.len());
        let coded = columns
            .zip(bins)
            .zip(missing)
            .flat_map(|((drawn, &bins), &missing)| {
                drawn
                    .iter()
                    .map(move |&number| match u32::from(number) % (bins + 1) {
                        code if code < bins => code as u8,
                        _ if missing == 1 => MISSING,
                        _ => 0,
                    })
            });
        coded.collect()
    }

    proptest! {
        #[test]
        fn sums_are_those_of_the_named_rows_on_all_paths(
            (bins, missing) in prop::collection::vec((1u32..255, 0u8..2), 1..10).prop_map(|pairs| {
                pairs.into_iter().unzip::<u32, u8, Vec<_>, Vec<_>>()
            }),
            drawn in prop::collection::vec(any::<u8>(), 700 * 10),
            some: Option<[bool; 7]>,
            chosen: Option<[bool; 10]>,
        ) {
            let rows = 700;
            let codes = codes(&bins, &missing, &drawn[..rows * bins.len()]);
            let named: Option<Vec<u32>> =
                some.map(|some| (0..rows as u32).filter(|row| some[*row as usize % 7]).collect());
            let marks: Option<Vec<u8>> = chosen.map(|chosen| chosen.map(u8::from)[..bins.len()].to_vec());
            let columns = Columns { codes: &codes, rows, bins: &bins, missing: &missing, chosen: marks.as_deref() };
            let (g, h): (Vec<f64>, Vec<f64>) =
                (0..rows).map(|row| (f64::from(drawn[row]) / 7.0 - 9.0, f64::from(drawn[row + 1]) / 3.0)).unzip();
            let width = columns.width();
            let mut expected = (vec![0.0; width], vec![0.0; width], vec![0; width]);
            let mut start = 0;
            for (column, cells) in columns.cells().enumerate() {
                for row in 0..rows {
                    let is_named = some.is_none_or(|some| some[row % 7]);
                    if is_named && chosen.is_none_or(|chosen| chosen[column]) {
                        let place = start + usize::from(codes[column * rows + row]).min(cells - 1);
                        expected.0[place] += g[row];
                        expected.1[place] += h[row];
                        expected.2[place] += 1;
                    }
                }
                start += cells;
            }
            for path in simd::available() {
                let mut found = (vec![7.0; width], vec![7.0; width], vec![7; width]);
                let out = Sums { g: &mut found.0, h: &mut found.1, rows: &mut found.2 };
                histogram_on(path, columns, &g, &h, named.as_deref(), out);
                prop_assert_eq!(&found, &expected);
            }
        }
    }
}
