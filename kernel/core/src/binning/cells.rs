//! Runs of rows put together to cells of a wanted size.

/// Neighbouring runs, and the rows that they have together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// The last of its runs.
    pub last: usize,
    pub rows: usize,
}

/// One cell for each run, by the place behind the last row of each.
pub(super) fn of_ends(ends: &[u32]) -> Vec<Cell> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    ends.iter()
        .zip(starts)
        .enumerate()
        .map(|(last, (&end, start))| Cell {
            last,
            rows: (end - start) as usize,
        })
        .collect()
}

/// One cell for each run, by its number of rows.
pub(super) fn of_counts(counts: &[usize]) -> Vec<Cell> {
    counts
        .iter()
        .enumerate()
        .map(|(last, &rows)| Cell { last, rows })
        .collect()
}

/// Greedy filling: a cell is closed when it holds its share of what is left, or before a run that needs its own.
pub(super) fn fill(runs: &[Cell], max_cells: usize) -> Vec<Cell> {
    if runs.len() <= max_cells {
        return runs.to_vec();
    }
    let total: usize = runs.iter().map(|run| run.rows).sum();
    let is_large = |run: &Cell| run.rows * max_cells >= total;
    let large = || runs.iter().filter(|run| is_large(run));
    let mut shared_rows = total - large().map(|run| run.rows).sum::<usize>();
    let mut shared_cells = max_cells - large().count().min(max_cells);
    let mut cells: Vec<Cell> = Vec::with_capacity(max_cells);
    let mut open: Option<Cell> = None;
    for (index, run) in runs.iter().enumerate() {
        let cell = open.map_or(*run, |cell| Cell {
            last: run.last,
            rows: cell.rows + run.rows,
        });
        open = Some(cell);
        if cells.len() + 1 == max_cells {
            continue;
        }
        let next_is_large = runs.get(index + 1).is_some_and(is_large);
        let full = cell.rows * shared_cells >= shared_rows;
        let half_full = 2 * cell.rows * shared_cells >= shared_rows;
        if is_large(run) {
            shared_rows -= (cell.rows - run.rows).min(shared_rows);
        } else if full || (next_is_large && half_full) {
            shared_rows -= cell.rows.min(shared_rows);
            shared_cells = shared_cells.saturating_sub(1);
        } else {
            continue;
        }
        cells.push(cell);
        open = None;
    }
    cells.extend(open);
    cells
}

/// The smallest cell below `min_rows` joins its smaller neighbour (the left one when they are equal), again and again.
pub(super) fn merge(cells: &mut Vec<Cell>, min_rows: usize) {
    while cells.len() > 1 {
        let Some(smallest) = (0..cells.len()).min_by_key(|&index| cells[index].rows) else {
            return;
        };
        if cells[smallest].rows >= min_rows {
            return;
        }
        let rows = |index: usize| cells.get(index).map_or(usize::MAX, |cell| cell.rows);
        let left = if smallest > 0 && rows(smallest - 1) <= rows(smallest + 1) {
            smallest - 1
        } else {
            smallest
        };
        let right = cells.remove(left + 1);
        cells[left].last = right.last;
        cells[left].rows += right.rows;
    }
}
