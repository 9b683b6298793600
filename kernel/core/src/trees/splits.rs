//! The best split of a node by the sums over the cells of its columns.
//!
//! A leaf of weight w adds G·w + (H + λ)·w²/2 + α·|w| to the loss; the gain of a split is twice what its two best weights
//! save beside the best weight of the node (Chen and Guestrin 2016, with the L1 term of their program). Missing values are
//! tried on both sides. Categories are ordered by g/(h + λ), the best weight of each alone: the best of all their
//! bipartitions is among the prefixes (Fisher 1958, Breiman et al. 1984 §9.4).

use super::{Left, put};
use crate::binning::MISSING;

/// What a split must satisfy, and how leaves are shrunk.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// λ: the L2 penalty of a weight.
    pub reg_lambda: f64,
    /// α: the L1 penalty of a weight.
    pub reg_alpha: f64,
    /// Least H of a child.
    pub min_child_weight: f64,
    /// A gain must be above this (and above 10⁻⁶, below which it is rounding).
    pub min_split_gain: f64,
    /// Greatest size of a weight; 0: none.
    pub max_delta_step: f64,
    /// Up to so many categories, one is parted from the rest.
    pub max_onehot: u32,
    /// Fewest rows of a child, where rows are counted.
    pub min_child_rows: u32,
}

const LEAST_GAIN: f64 = 1e-6;

/// What split search knows of each column.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    /// Value codes.
    pub bins: &'a [u32],
    /// 1: a cell of missing values follows.
    pub missing: &'a [u8],
    /// 1: codes have no order.
    pub categorical: &'a [u8],
    /// Weights must rise (1) or fall (−1) with the code.
    pub monotone: &'a [i8],
    /// 1: the column may be split.
    pub chosen: Option<&'a [u8]>,
}

/// A node: its sums over each cell, column after column, its totals, and between what its weight must lie.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    pub g: &'a [f64],
    pub h: &'a [f64],
    /// None when only the sums are known.
    pub rows: Option<&'a [u32]>,
    pub total: (f64, f64),
    pub bounds: (f64, f64),
}

/// The best split of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    pub column: usize,
    pub left: Left,
    pub gain: f64,
    /// Numeric: the last value code that goes left.
    pub bin: Option<u8>,
    /// Of the children, left and right.
    pub weights: (f64, f64),
    /// Between what the weights of the children must lie.
    pub bounds: [(f64, f64); 2],
}

impl Rules {
    /// The best weight within bounds.
    fn weight(&self, g: f64, h: f64, bounds: (f64, f64)) -> f64 {
        if h + self.reg_lambda <= 0.0 {
            return 0.0f64.max(bounds.0).min(bounds.1);
        }
        let mut weight = -self.shrunk(g) / (h + self.reg_lambda);
        if self.max_delta_step > 0.0 {
            weight = weight.clamp(-self.max_delta_step, self.max_delta_step);
        }
        weight.max(bounds.0).min(bounds.1)
    }

    /// g moved towards 0 by α.
    fn shrunk(&self, g: f64) -> f64 {
        (g.abs() - self.reg_alpha).max(0.0).copysign(g)
    }

    /// Twice what the best weight saves; in one step where nothing bounds it.
    fn saving(&self, g: f64, h: f64, bounds: (f64, f64)) -> f64 {
        if h + self.reg_lambda <= 0.0 {
            return 0.0;
        }
        if self.max_delta_step > 0.0 || bounds != FREE {
            let weight = self.weight(g, h, bounds);
            let square = (h + self.reg_lambda) * weight * weight;
            return -(2.0 * g * weight + square + 2.0 * self.reg_alpha * weight.abs());
        }
        let shrunk = if self.reg_alpha > 0.0 {
            self.shrunk(g)
        } else {
            g
        };
        shrunk * shrunk / (h + self.reg_lambda)
    }
}

const FREE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

/// The split of the greatest gain; of equal ones the first in order of columns, then cells, then missing values to the
/// right. None when no split is allowed.
///
/// # Panics
/// When the sums are not those of the shape.
pub fn best_split(shape: Shape, node: Node, rules: Rules) -> Option<Found> {
    let whole = rules.saving(node.total.0, node.total.1, node.bounds);
    let mut best: Option<(Choice, Column)> = None;
    let mut start = 0;
    for index in 0..shape.bins.len() {
        let bins = shape.bins[index] as usize;
        let has_missing = shape.missing[index] != 0;
        let end = start + bins + usize::from(has_missing);
        let column = Column {
            index,
            bins,
            g: &node.g[start..end],
            h: &node.h[start..end],
            rows: node.rows.map(|rows| &rows[start..end]),
            monotone: shape.monotone[index],
            is_categorical: shape.categorical[index] != 0,
        };
        start = end;
        if shape.chosen.is_some_and(|chosen| chosen[index] == 0) {
            continue;
        }
        let floor = best
            .as_ref()
            .map_or(f64::NEG_INFINITY, |(best, _)| best.gain);
        let search = Search::new(column, node, rules, whole, floor);
        if let Some(choice) = search.run() {
            best = Some((choice, column));
        }
    }
    assert_eq!(start, node.g.len(), "sums of another shape");
    best.map(|(choice, column)| choice.found(column, node, rules))
}

#[derive(Clone, Copy)]
struct Column<'a> {
    index: usize,
    bins: usize,
    g: &'a [f64],
    h: &'a [f64],
    rows: Option<&'a [u32]>,
    monotone: i8,
    is_categorical: bool,
}

/// Sums of g, h and rows of some cells.
#[derive(Clone, Copy, Default)]
struct Part {
    g: f64,
    h: f64,
    rows: u64,
}

impl Part {
    fn and(self, other: Self) -> Self {
        Self {
            g: self.g + other.g,
            h: self.h + other.h,
            rows: self.rows + other.rows,
        }
    }
}

impl Column<'_> {
    fn cell(&self, place: usize) -> Part {
        Part {
            g: self.g[place],
            h: self.h[place],
            rows: self.rows.map_or(0, |rows| u64::from(rows[place])),
        }
    }

    /// Whether rows of the node are in a cell: counted, or by their sums.
    fn has_rows(&self, place: usize) -> bool {
        match self.rows {
            Some(rows) => rows[place] > 0,
            None => self.h[place] > 0.0,
        }
    }

    /// Whether weights must rise (1) or fall (−1) from left to right. What is missing is neither below nor above.
    fn order(&self, taken: Taken) -> i8 {
        match taken {
            Taken::First(count) if count == self.bins => 0,
            _ => self.monotone,
        }
    }

    /// What is missing in the node, if anything is.
    fn missing(&self) -> Option<Part> {
        (self.g.len() > self.bins && self.has_rows(self.bins)).then(|| self.cell(self.bins))
    }
}

/// A split of one column.
struct Choice {
    gain: f64,
    taken: Taken,
    /// Codes that go left.
    codes: Vec<u8>,
    /// Codes of no row in the node, which go to the child of the larger h.
    idle: Vec<u8>,
    missing_left: Option<bool>,
    left: Part,
}

impl Choice {
    fn found(&self, column: Column, node: Node, rules: Rules) -> Found {
        let right = (node.total.0 - self.left.g, node.total.1 - self.left.h);
        let larger_is_left = self.left.h > right.1;
        let mut left = [0; 32];
        self.codes.iter().for_each(|&code| put(&mut left, code));
        if larger_is_left {
            self.idle.iter().for_each(|&code| put(&mut left, code));
        }
        if self.missing_left.unwrap_or(larger_is_left) {
            put(&mut left, MISSING);
        }
        let weights = (
            rules.weight(self.left.g, self.left.h, node.bounds),
            rules.weight(right.0, right.1, node.bounds),
        );
        Found {
            column: column.index,
            left,
            gain: self.gain,
            bin: (!column.is_categorical).then(|| self.codes.len() as u8 - 1),
            weights,
            bounds: child_bounds(column.order(self.taken), node.bounds, weights),
        }
    }
}

/// Children of a monotone split keep to their sides of the middle, and so do all below them.
fn child_bounds(monotone: i8, bounds: (f64, f64), weights: (f64, f64)) -> [(f64, f64); 2] {
    let middle = weights.0 / 2.0 + weights.1 / 2.0;
    match monotone {
        0 => [bounds, bounds],
        1.. => [(bounds.0, middle), (middle, bounds.1)],
        _ => [(middle, bounds.1), (bounds.0, middle)],
    }
}

/// Places of an order of the column's cells, and where the best split lies in it.
#[derive(Clone, Copy)]
enum Taken {
    /// So many of the first go left.
    First(usize),
    /// One goes left.
    One(usize),
}

struct Search<'a> {
    column: Column<'a>,
    node: Node<'a>,
    rules: Rules,
    whole: f64,
    missing: Option<Part>,
    rows: u64,
    least_rows: u64,
    best_gain: f64,
    best: Option<(Taken, Option<bool>, Part)>,
}

impl<'a> Search<'a> {
    fn new(column: Column<'a>, node: Node<'a>, rules: Rules, whole: f64, floor: f64) -> Self {
        let rows = column
            .rows
            .map_or(0, |rows| rows.iter().map(|&rows| u64::from(rows)).sum());
        Self {
            column,
            node,
            rules,
            whole,
            missing: column.missing(),
            rows,
            least_rows: u64::from(rules.min_child_rows.max(1)),
            best_gain: floor.max(rules.min_split_gain).max(LEAST_GAIN),
            best: None,
        }
    }

    fn run(mut self) -> Option<Choice> {
        if !self.column.is_categorical {
            let codes: Vec<u8> = (0..self.column.bins).map(|code| code as u8).collect();
            self.try_prefixes(&codes);
            return self.choice(&codes, Vec::new());
        }
        let every = 0..self.column.bins;
        let (mut codes, idle): (Vec<u8>, Vec<u8>) = every
            .map(|code| code as u8)
            .partition(|&code| self.column.has_rows(usize::from(code)));
        if self.column.bins <= self.rules.max_onehot as usize {
            self.try_each(&codes);
        } else {
            let ratio = |code: u8| {
                let cell = self.column.cell(usize::from(code));
                cell.g / (cell.h + self.rules.reg_lambda).max(f64::MIN_POSITIVE)
            };
            codes.sort_by(|&left, &right| ratio(left).total_cmp(&ratio(right)));
            self.try_prefixes(&codes);
        }
        self.choice(&codes, idle)
    }

    fn choice(self, order: &[u8], idle: Vec<u8>) -> Option<Choice> {
        let gain = self.best_gain;
        self.best.map(|(taken, missing_left, left)| Choice {
            gain,
            taken,
            codes: match taken {
                Taken::First(count) => order[..count].to_vec(),
                Taken::One(place) => vec![order[place]],
            },
            idle,
            missing_left,
            left,
        })
    }

    fn try_prefixes(&mut self, order: &[u8]) {
        let mut left = Part::default();
        for (place, &code) in order.iter().enumerate() {
            left = left.and(self.column.cell(usize::from(code)));
            self.try_both(Taken::First(place + 1), left, place + 1 < order.len());
        }
    }

    fn try_each(&mut self, order: &[u8]) {
        for (place, &code) in order.iter().enumerate() {
            let left = self.column.cell(usize::from(code));
            self.try_both(Taken::One(place), left, order.len() > 1);
        }
        if self.missing.is_some() && order.len() > 1 {
            let cells = order
                .iter()
                .map(|&code| self.column.cell(usize::from(code)));
            let left = cells.fold(Part::default(), Part::and);
            self.try_one(Taken::First(order.len()), Some(false), left);
        }
    }

    /// Missing values right, then left. `others` says whether values go right as well.
    #[inline(always)]
    fn try_both(&mut self, taken: Taken, left: Part, others: bool) {
        match self.missing {
            None if others => self.try_one(taken, None, left),
            None => {}
            Some(missing) => {
                self.try_one(taken, Some(false), left);
                if others {
                    self.try_one(taken, Some(true), left.and(missing));
                }
            }
        }
    }

    #[inline(always)]
    fn try_one(&mut self, taken: Taken, missing_left: Option<bool>, left: Part) {
        let counted = self.column.rows.is_some();
        if counted && (left.rows < self.least_rows || self.rows - left.rows < self.least_rows) {
            return;
        }
        let (g, h) = (self.node.total.0 - left.g, self.node.total.1 - left.h);
        let least = self.rules.min_child_weight;
        if left.h < least || h < least || left.h <= 0.0 || h <= 0.0 {
            return;
        }
        let bounds = self.node.bounds;
        let saved = self.rules.saving(left.g, left.h, bounds) + self.rules.saving(g, h, bounds);
        let gain = saved - self.whole;
        if gain > self.best_gain && self.is_ordered(taken, left, (g, h)) {
            self.best_gain = gain;
            self.best = Some((taken, missing_left, left));
        }
    }

    /// Whether the weights rise or fall as they must.
    fn is_ordered(&self, taken: Taken, left: Part, right: (f64, f64)) -> bool {
        let weight = |g: f64, h: f64| self.rules.weight(g, h, self.node.bounds);
        let rise = || weight(right.0, right.1) - weight(left.g, left.h);
        match self.column.order(taken) {
            0 => true,
            1.. => rise() >= 0.0,
            _ => rise() <= 0.0,
        }
    }
}
