//! Four residues a register, as doubles, products by fused multiply-add (van der Hoeven, Lecerf and Quintin 2016,
//! *Modular SIMD arithmetic in Mathemagix*).
//!
//! A residue is an integer of either sign. y·w mod p is h − c·p + l, with h + l = y·w exactly (h its rounding) and c the
//! integer next to y·(w/p); w lies in (−p/2, p/2). For |y| ≤ 2^52 that is six instructions, and the result is at most
//! p/2 + |y|·p/2^54 on either side of zero: c is off by a half, and by the error of w/p. h − c·p is then an integer below 2^53,
//! so nothing is ever rounded but h and c.
//!
//! What is added up grows by little more than p/2 a layer on the way there, and doubles on the way back: [`plan`] follows the
//! bound and says before which passes all numbers are reduced to p/2. For primes of 50 bits these are half of the passes on the
//! way there and all on the way back, for those of 35 bits none.
//!
//! Lines of eight lanes are in the order of the wider path, see [`super::slot`]; a register is half of a line. Both halves go
//! through the layers side by side: a product's steps wait for one another, about 17 cycles a layer.

use std::arch::x86_64::*;

use crate::memory::Words;

use super::{Factor, LOW, Transform, bit_sums};

/// All that this path keeps of a transform.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    forward: Table,
    inverse: Table,
    /// Mirrored 0/1-polynomials go forward by the inverse powers.
    mirrored: Plan,
    /// A line for each eight bits: what the first three layers make of them.
    bits: Words,
}

impl Tables {
    pub(super) fn new(transform: &Transform) -> Self {
        let prime = transform.prime;
        let (mut bits, sums) = (
            Words::zeros(256 * 8),
            bit_sums(transform, &transform.inverse),
        );
        for (word, sum) in bits.iter_mut().zip(sums.as_flattened()) {
            *word = centred(*sum, prime).to_bits();
        }
        Self {
            forward: Table::new(&transform.forward, prime, Direction::Forward),
            inverse: Table::new(&transform.inverse, prime, Direction::Inverse),
            mirrored: plan(transform.degree(), prime, Direction::Forward),
            bits,
        }
    }
}

/// The factors of all passes in the order of their use: a line of values, a line of them divided by p, and so on.
#[derive(Clone, Debug)]
struct Table {
    lines: Words,
    plan: Plan,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Direction {
    Forward,
    Inverse,
}

/// The residue of least magnitude.
fn centred(value: u64, prime: u64) -> f64 {
    if value > prime / 2 {
        -((prime - value) as f64)
    } else {
        value as f64
    }
}

impl Table {
    /// From root^bitreverse(i), i < N.
    fn new(powers: &[Factor], prime: u64, direction: Direction) -> Self {
        let mut lines = Vec::with_capacity(powers.len() / 4 + 14);
        let mut push = |values: [u64; 8]| {
            let values = values.map(|value| centred(value, prime));
            lines.push(values.map(f64::to_bits));
            lines.push(values.map(|value| (value / prime as f64).to_bits()));
        };
        for power in &powers[1..8] {
            push([power.value; 8]);
        }
        let mut groups = 1;
        for layers in passes(powers.len()) {
            for group in 0..groups {
                for layer in 0..layers {
                    let (count, first) = (groups << layer, group << layer);
                    for index in first..first + (1 << layer) {
                        push(std::array::from_fn(|lane| {
                            powers[8 * count + lane * count + index].value
                        }));
                    }
                }
            }
            groups <<= layers;
        }
        let mut words = Words::zeros(8 * lines.len());
        words.copy_from_slice(lines.as_flattened());
        Self {
            lines: words,
            plan: plan(powers.len(), prime, direction),
        }
    }
}

/// Layers of each pass after the first three: those within a row of N/8, then the three over rows.
fn passes(degree: usize) -> impl Iterator<Item = u32> {
    let mut left = degree.ilog2() - 6;
    std::iter::from_fn(move || {
        let layers = match left {
            0 => return None,
            1..=3 => left,
            4 => 2,
            _ => 3,
        };
        left -= layers;
        Some(layers)
    })
    .chain(std::iter::once(3))
}

/// One of the passes after the first three layers.
#[derive(Clone, Copy, Debug)]
struct Step {
    layers: u32,
    /// Lines `stride` apart go together, at `stride` places of each of `groups` groups, `group` lines apart, of each of
    /// `rows` rows, `row` lines apart.
    rows: usize,
    row: usize,
    groups: usize,
    group: usize,
    inner: usize,
    stride: usize,
    /// Where its factors begin.
    line: usize,
    /// Whether numbers are reduced before it.
    reduce: bool,
}

/// The passes within rows, and the last one over rows.
#[derive(Clone, Debug)]
struct Plan {
    /// Whether numbers are reduced before the three layers that make lines, or unmake them.
    first: bool,
    steps: Vec<Step>,
}

fn plan(degree: usize, prime: u64, direction: Direction) -> Plan {
    let row = degree / 64;
    let (mut groups, mut line) = (1, 14);
    let step = |layers: u32| {
        let group = row / groups;
        let (rows, inner, stride) = match group {
            // only the last one comes when each line of a row is a group
            1 => (1, 1, row),
            _ => (8, group >> layers, group >> layers),
        };
        let step = Step {
            layers,
            rows,
            row,
            groups,
            group,
            inner,
            stride,
            line,
            reduce: false,
        };
        line += groups * 2 * ((1 << layers) - 1);
        groups <<= layers;
        step
    };
    let mut steps: Vec<Step> = passes(degree).map(step).collect();
    let mut bound = reduced(prime);
    // what comes in is reduced on its way; returns whether what is there must be before so many layers
    let mut take = |layers: u32| {
        let after = match direction {
            Direction::Forward => after_forward,
            Direction::Inverse => after_inverse,
        };
        let reduce = after(bound, layers, prime).is_none();
        let start = if reduce { reduced(prime) } else { bound };
        bound = after(start, layers, prime).expect("room for three layers");
        reduce
    };
    let first = match direction {
        Direction::Forward => {
            let first = take(3);
            steps
                .iter_mut()
                .for_each(|step| step.reduce = take(step.layers));
            first
        }
        Direction::Inverse => {
            let steps = steps.iter_mut().rev();
            steps.for_each(|step| step.reduce = take(step.layers));
            take(3)
        }
    };
    Plan { first, steps }
}

/// The largest magnitude, over p, of what has been reduced.
fn reduced(prime: u64) -> f64 {
    0.5 + 1.0 / prime as f64
}

/// The largest magnitude, over p, after so many layers, if nothing exceeds what is exact before.
fn after_forward(mut bound: f64, layers: u32, prime: u64) -> Option<f64> {
    let limit = 2f64.powi(52) / prime as f64;
    for _ in 0..layers {
        if bound > limit {
            return None;
        }
        bound += 0.5 + bound / limit / 4.0;
    }
    (bound <= 2.0 * limit).then_some(bound)
}

/// As [`after_forward`], on the way back.
fn after_inverse(bound: f64, layers: u32, prime: u64) -> Option<f64> {
    let bound = bound * f64::from(1 << layers);
    (bound <= 2f64.powi(52) / prime as f64).then_some(bound)
}

/// 2^52 + 2^51: adding it rounds to an integer, for magnitudes up to 2^51.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// 2^52: a double from here to 2^53 has the integer above it in its low bits.
const SHIFT: f64 = 4_503_599_627_370_496.0;

/// Constants of a prime, a copy in each lane.
struct Constants {
    prime: __m256d,
    /// 1/p.
    reciprocal: __m256d,
    round: __m256d,
    shift: __m256d,
    low: __m256i,
}

impl Constants {
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn new(prime: u64) -> Self {
        Self {
            prime: _mm256_set1_pd(prime as f64),
            reciprocal: _mm256_set1_pd(1.0 / prime as f64),
            round: _mm256_set1_pd(ROUND),
            shift: _mm256_set1_pd(SHIFT),
            low: _mm256_set1_epi64x(LOW as i64),
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn load(at: *const u64) -> __m256d {
    // SAFETY: the caller has four words there
    unsafe { _mm256_loadu_pd(at.cast()) }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn load_words(at: *const u64) -> __m256i {
    // SAFETY: the caller has four words there
    unsafe { _mm256_loadu_si256(at.cast()) }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn store(at: *mut u64, value: __m256d) {
    // SAFETY: the caller has four words there
    unsafe { _mm256_storeu_pd(at.cast(), value) }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn store_words(at: *mut u64, value: __m256i) {
    // SAFETY: the caller has four words there
    unsafe { _mm256_storeu_si256(at.cast(), value) }
}

/// Integers below 2^52 as doubles.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn to_doubles(k: &Constants, words: __m256i) -> __m256d {
    let placed = _mm256_or_si256(words, _mm256_castpd_si256(k.shift));
    _mm256_sub_pd(_mm256_castsi256_pd(placed), k.shift)
}

/// x + `shift` as integers, where that is from 2^52 to 2^53 and `shift` − 2^52 is to be added.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn to_words(k: &Constants, x: __m256d, shift: __m256d) -> __m256i {
    let placed = _mm256_castpd_si256(_mm256_add_pd(x, shift));
    _mm256_and_si256(placed, k.low)
}

/// y·w mod p, of magnitude p/2 + |y|·p/2^54 at most, for |y| ≤ 2^52; `quotient` is w/p.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn product(k: &Constants, y: __m256d, value: __m256d, quotient: __m256d) -> __m256d {
    let high = _mm256_mul_pd(y, value);
    let low = _mm256_fmsub_pd(y, value, high);
    let times = _mm256_sub_pd(_mm256_fmadd_pd(y, quotient, k.round), k.round);
    _mm256_add_pd(_mm256_fnmadd_pd(times, k.prime, high), low)
}

/// x mod p of magnitude p/2 + 1 at most, for |x| ≤ 2^53.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn reduce(k: &Constants, x: __m256d) -> __m256d {
    let times = _mm256_sub_pd(_mm256_fmadd_pd(x, k.reciprocal, k.round), k.round);
    _mm256_fnmadd_pd(times, k.prime, x)
}

/// x + p where x is negative.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn lift(k: &Constants, x: __m256d) -> __m256d {
    let negative = _mm256_cmp_pd::<_CMP_LT_OQ>(x, _mm256_setzero_pd());
    _mm256_add_pd(x, _mm256_and_pd(negative, k.prime))
}

/// The butterfly that multiplies first: x ± y·w.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn forward_pair<const LINES: usize>(
    k: &Constants,
    v: &mut [__m256d; LINES],
    x: usize,
    y: usize,
    table: *const u64,
    factor: usize,
) {
    // SAFETY: the caller's table has this factor
    let (value, quotient) = unsafe {
        (
            load(table.add(16 * factor)),
            load(table.add(16 * factor + 8)),
        )
    };
    let (s, t) = (v[x], product(k, v[y], value, quotient));
    v[x] = _mm256_add_pd(s, t);
    v[y] = _mm256_sub_pd(s, t);
}

/// The butterfly that adds first: x + y and (x − y)·w.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn inverse_pair<const LINES: usize>(
    k: &Constants,
    v: &mut [__m256d; LINES],
    x: usize,
    y: usize,
    table: *const u64,
    factor: usize,
) {
    // SAFETY: the caller's table has this factor
    let (value, quotient) = unsafe {
        (
            load(table.add(16 * factor)),
            load(table.add(16 * factor + 8)),
        )
    };
    let (s, t) = (v[x], v[y]);
    v[x] = _mm256_add_pd(s, t);
    v[y] = product(k, _mm256_sub_pd(s, t), value, quotient);
}

/// The pairs of layers one after the other, each with the number of its factor.
macro_rules! network {
    ($pair:ident, $k:ident, $v:ident, $table:ident; $($x:literal $y:literal $w:literal),* $(,)?) => {
        $( $pair($k, &mut $v[0], $x, $y, $table, $w); $pair($k, &mut $v[1], $x, $y, $table.add(4), $w); )*
    };
}

/// `LINES` = 2^layers lines, half by half, through so many layers.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn forward_lines<const LINES: usize>(
    k: &Constants,
    v: &mut [[__m256d; LINES]; 2],
    table: *const u64,
) {
    // SAFETY: the caller's table has LINES − 1 factors
    unsafe {
        match LINES {
            2 => {
                network!(forward_pair, k, v, table; 0 1 0);
            }
            4 => {
                network!(forward_pair, k, v, table; 0 2 0, 1 3 0, 0 1 1, 2 3 2);
            }
            _ => {
                network!(forward_pair, k, v, table;
                    0 4 0, 1 5 0, 2 6 0, 3 7 0, 0 2 1, 1 3 1, 4 6 2, 5 7 2, 0 1 3, 2 3 4, 4 5 5, 6 7 6);
            }
        }
    }
}

/// As [`forward_lines`], the other way.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn inverse_lines<const LINES: usize>(
    k: &Constants,
    v: &mut [[__m256d; LINES]; 2],
    table: *const u64,
) {
    // SAFETY: the caller's table has LINES − 1 factors
    unsafe {
        match LINES {
            2 => {
                network!(inverse_pair, k, v, table; 0 1 0);
            }
            4 => {
                network!(inverse_pair, k, v, table; 0 1 1, 2 3 2, 0 2 0, 1 3 0);
            }
            _ => {
                network!(inverse_pair, k, v, table;
                    0 1 3, 2 3 4, 4 5 5, 6 7 6, 0 2 1, 1 3 1, 4 6 2, 5 7 2, 0 4 0, 1 5 0, 2 6 0, 3 7 0);
            }
        }
    }
}

/// Rows and columns of four registers exchanged.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(v: [__m256d; 4]) -> [__m256d; 4] {
    let [a, b, c, d] = v;
    let (ab_even, ab_odd) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
    let (cd_even, cd_odd) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
    [
        _mm256_permute2f128_pd::<0x20>(ab_even, cd_even),
        _mm256_permute2f128_pd::<0x20>(ab_odd, cd_odd),
        _mm256_permute2f128_pd::<0x31>(ab_even, cd_even),
        _mm256_permute2f128_pd::<0x31>(ab_odd, cd_odd),
    ]
}

/// One step over lines.
///
/// # Safety
/// `data` has all lines of the step, and `table` LINES − 1 factors for each group.
#[target_feature(enable = "avx2,fma")]
unsafe fn pass<const FORWARD: bool, const OUTER: bool, const REDUCE: bool, const LINES: usize>(
    k: &Constants,
    data: *mut u64,
    step: &Step,
    mut table: *const u64,
) {
    let out = _mm256_add_pd(k.shift, k.prime);
    for group in 0..step.groups {
        for row in 0..step.rows {
            for inner in 0..step.inner {
                let first = 8 * (row * step.row + group * step.group + inner);
                // SAFETY: as the caller says
                unsafe {
                    let at = data.add(first);
                    let mut v = [[k.prime; LINES]; 2];
                    for index in 0..LINES {
                        for half in 0..2 {
                            let from = at.add(8 * index * step.stride + 4 * half);
                            let v = &mut v[half][index];
                            *v = if !FORWARD && OUTER {
                                to_doubles(k, load_words(from))
                            } else {
                                load(from)
                            };
                            if REDUCE {
                                *v = reduce(k, *v);
                            }
                        }
                    }
                    if FORWARD {
                        forward_lines(k, &mut v, table);
                    } else {
                        inverse_lines(k, &mut v, table);
                    }
                    for index in 0..LINES {
                        for half in 0..2 {
                            let (to, v) =
                                (at.add(8 * index * step.stride + 4 * half), v[half][index]);
                            if FORWARD && OUTER {
                                store_words(to, to_words(k, reduce(k, v), out));
                            } else {
                                store(to, v);
                            }
                        }
                    }
                }
            }
        }
        // SAFETY: as the caller says
        table = unsafe { table.add(16 * (LINES - 1)) };
    }
}

/// As [`pass`], for any number of layers; `OUTER` is the pass over rows, whose other side are integers.
///
/// # Safety
/// As there.
#[target_feature(enable = "avx2,fma")]
unsafe fn pass_of<const FORWARD: bool>(
    k: &Constants,
    data: *mut u64,
    step: &Step,
    table: *const u64,
) {
    // SAFETY: as the caller says
    unsafe {
        match (step.rows, step.reduce, step.layers) {
            (1, _, _) if !FORWARD => pass::<FORWARD, true, true, 8>(k, data, step, table),
            (1, true, _) => pass::<FORWARD, true, true, 8>(k, data, step, table),
            (1, false, _) => pass::<FORWARD, true, false, 8>(k, data, step, table),
            (_, true, 1) => pass::<FORWARD, false, true, 2>(k, data, step, table),
            (_, true, 2) => pass::<FORWARD, false, true, 4>(k, data, step, table),
            (_, true, _) => pass::<FORWARD, false, true, 8>(k, data, step, table),
            (_, false, 1) => pass::<FORWARD, false, false, 2>(k, data, step, table),
            (_, false, 2) => pass::<FORWARD, false, false, 4>(k, data, step, table),
            (_, false, _) => pass::<FORWARD, false, false, 8>(k, data, step, table),
        }
    }
}

pub(super) fn forward(transform: &Transform, data: &mut [u64]) {
    forward_from(transform, data, None);
}

/// As [`forward`], of small coefficients.
pub(super) fn forward_small(transform: &Transform, coefficients: &[i8], out: &mut [u64]) {
    assert!(coefficients.len() == out.len());
    forward_from(transform, out, Some(coefficients));
}

fn forward_from(transform: &Transform, data: &mut [u64], small: Option<&[i8]>) {
    let (table, degree) = (&transform.avx2().forward, transform.degree());
    assert!(data.len() == degree && degree >= 64 && table.lines.len() >= 2 * degree - 16);
    let at = data.as_mut_ptr();
    // SAFETY: only the dispatcher calls this, where the path is available; the lengths are checked
    unsafe {
        let k = &Constants::new(transform.prime);
        match small {
            None => enter::<false>(k, at, std::ptr::null(), degree / 64, &table.lines),
            Some(small) => enter::<true>(k, at, small.as_ptr(), degree / 64, &table.lines),
        }
        finish_forward(k, at, &table.plan.steps, &table.lines);
    }
}

/// The first three layers: from integers (below 4p), or from `small` ones, to lines.
#[target_feature(enable = "avx2,fma")]
unsafe fn enter<const SMALL: bool>(
    k: &Constants,
    data: *mut u64,
    small: *const i8,
    row: usize,
    table: &[u64],
) {
    for column in 0..row {
        // SAFETY: `data`, or `small` as well, has 8·row lines, and the table more than seven factors
        unsafe {
            let mut halves = [[k.prime; 8]; 2];
            for (half, v) in halves.iter_mut().enumerate() {
                for (index, v) in v.iter_mut().enumerate() {
                    let place = 8 * (column + index * row) + 4 * half;
                    *v = if SMALL {
                        let four =
                            _mm_cvtsi32_si128(small.add(place).cast::<i32>().read_unaligned());
                        _mm256_cvtepi32_pd(_mm_cvtepi8_epi32(four))
                    } else {
                        reduce(k, to_doubles(k, load_words(data.add(place))))
                    };
                }
            }
            forward_lines(k, &mut halves, table.as_ptr());
            for (half, [a, b, c, d, e, f, g, h]) in halves.into_iter().enumerate() {
                let (left, right) = (transpose([a, b, c, d]), transpose([e, f, g, h]));
                for (index, (left, right)) in left.into_iter().zip(right).enumerate() {
                    let to = data.add(8 * (column + (4 * half + index) * row));
                    store(to, left);
                    store(to.add(4), right);
                }
            }
        }
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn finish_forward(k: &Constants, data: *mut u64, steps: &[Step], table: &[u64]) {
    for step in steps {
        // SAFETY: the caller's data and table are those of the plan
        unsafe { pass_of::<true>(k, data, step, table.as_ptr().add(8 * step.line)) };
    }
}

pub(super) fn inverse_unscaled(transform: &Transform, data: &mut [u64]) {
    let (table, degree) = (&transform.avx2().inverse, transform.degree());
    assert!(data.len() == degree && degree >= 64 && table.lines.len() >= 2 * degree - 16);
    let at = data.as_mut_ptr();
    // SAFETY: only the dispatcher calls this, where the path is available; the lengths are checked
    unsafe {
        let k = &Constants::new(transform.prime);
        for step in table.plan.steps.iter().rev() {
            pass_of::<false>(k, at, step, table.lines.as_ptr().add(8 * step.line));
        }
        if table.plan.first {
            leave::<true>(k, at, degree / 64, &table.lines);
        } else {
            leave::<false>(k, at, degree / 64, &table.lines);
        }
    }
}

/// The last three layers of the way back: from lines to integers below 2p.
#[target_feature(enable = "avx2,fma")]
unsafe fn leave<const REDUCE: bool>(k: &Constants, data: *mut u64, row: usize, table: &[u64]) {
    let out = _mm256_add_pd(k.shift, k.prime);
    for column in 0..row {
        // SAFETY: `data` has 8·row lines, and the table more than seven factors
        unsafe {
            let mut halves = [[k.prime; 8]; 2];
            for (half, v) in halves.iter_mut().enumerate() {
                let from = |index: usize| {
                    data.add(8 * (column + (4 * half + index) * row))
                        .cast_const()
                };
                let left = transpose([load(from(0)), load(from(1)), load(from(2)), load(from(3))]);
                let right = [0, 1, 2, 3].map(|index| from(index).add(4));
                let right = transpose([
                    load(right[0]),
                    load(right[1]),
                    load(right[2]),
                    load(right[3]),
                ]);
                v[..4].copy_from_slice(&left);
                v[4..].copy_from_slice(&right);
                if REDUCE {
                    for v in v.iter_mut() {
                        *v = reduce(k, *v);
                    }
                }
            }
            inverse_lines(k, &mut halves, table.as_ptr());
            for (half, v) in halves.iter().enumerate() {
                for (index, v) in v.iter().enumerate() {
                    let to = data.add(8 * (column + index * row) + 4 * half);
                    store_words(to, to_words(k, reduce(k, *v), out));
                }
            }
        }
    }
}

pub(super) fn forward_mirrored(transform: &Transform, codes: &[u8], code: u8, out: &mut [u64]) {
    let (tables, degree) = (transform.avx2(), transform.degree());
    let table = &tables.inverse.lines;
    assert!(out.len() == degree && codes.len() <= degree && degree >= 64);
    assert!(table.len() >= 2 * degree - 16 && tables.bits.len() == 256 * 8);
    let padded: Vec<u8>;
    let codes = if codes.len() == degree {
        codes
    } else {
        padded = [codes, &vec![!code; degree - codes.len()]].concat();
        &padded
    };
    let mut bits = vec![0; degree / 8];
    let (first, rest) = tables
        .mirrored
        .steps
        .split_first()
        .expect("a pass over rows");
    // SAFETY: only the dispatcher calls this, where the path is available; the lengths are checked
    unsafe {
        find_bits(codes, code, &mut bits);
        let k = &Constants::new(transform.prime);
        let (at, factors) = (out.as_mut_ptr(), table.as_ptr().add(8 * first.line));
        match (first.rows, first.layers) {
            (8, 1) => pass_bits::<2>(k, &tables.bits, &bits, at, first, factors),
            (8, 2) => pass_bits::<4>(k, &tables.bits, &bits, at, first, factors),
            (8, 3) => pass_bits::<8>(k, &tables.bits, &bits, at, first, factors),
            _ => {
                for (column, bits) in bits.iter().enumerate() {
                    let to = 8 * (column % 8 * first.row + column / 8);
                    out[to..to + 8].copy_from_slice(&tables.bits[8 * usize::from(*bits)..][..8]);
                }
                return finish_forward(k, out.as_mut_ptr(), &tables.mirrored.steps, table);
            }
        }
        finish_forward(k, at, rest, table);
    }
}

/// For each column of eight rows the bits of the codes that are `code`, the first row's lowest.
#[target_feature(enable = "avx2")]
fn find_bits(codes: &[u8], code: u8, bits: &mut [u8]) {
    for (row, codes) in codes.chunks_exact(bits.len()).enumerate() {
        for (bits, found) in bits.iter_mut().zip(codes) {
            *bits |= u8::from(*found == code) << row;
        }
    }
}

/// The first pass within rows, of lines looked up by bits: these are reduced.
#[target_feature(enable = "avx2,fma")]
unsafe fn pass_bits<const LINES: usize>(
    k: &Constants,
    sums: &[u64],
    bits: &[u8],
    out: *mut u64,
    step: &Step,
    factors: *const u64,
) {
    for row in 0..8 {
        for inner in 0..step.stride {
            // SAFETY: as the caller says; there are 256 lines of sums
            unsafe {
                let mut v = [[k.prime; LINES]; 2];
                let [low, high] = &mut v;
                for (index, (low, high)) in low.iter_mut().zip(high).enumerate() {
                    let found = *bits.get_unchecked(8 * (index * step.stride + inner) + row);
                    let line = sums.as_ptr().add(8 * usize::from(found));
                    (*low, *high) = (load(line), load(line.add(4)));
                }
                forward_lines(k, &mut v, factors);
                let [low, high] = v;
                for (index, (low, high)) in low.into_iter().zip(high).enumerate() {
                    let line = out.add(8 * (row * step.row + inner + index * step.stride));
                    store(line, low);
                    store(line.add(4), high);
                }
            }
        }
    }
}

/// Any words mod p, of magnitude p/2 + 1 at most; `wrap` is 2^32 mod p and that over p.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn reduce_words(k: &Constants, wrap: (__m256d, __m256d), words: __m256i) -> __m256d {
    let low = _mm256_and_si256(words, _mm256_set1_epi64x(u32::MAX.into()));
    let high = to_doubles(k, _mm256_srli_epi64::<32>(words));
    let sum = _mm256_add_pd(product(k, high, wrap.0, wrap.1), to_doubles(k, low));
    reduce(k, sum)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn spread(value: u64, prime: u64) -> (__m256d, __m256d) {
    let value = centred(value, prime);
    (_mm256_set1_pd(value), _mm256_set1_pd(value / prime as f64))
}

/// x ← x mod p of the whole registers; returns how many words they have.
#[target_feature(enable = "avx2,fma")]
pub(super) fn reduce_all(transform: &Transform, data: &mut [u64]) -> usize {
    let k = &Constants::new(transform.prime);
    let wrap = spread(transform.reduce(1 << 32), transform.prime);
    let lines = data.as_chunks_mut::<4>().0;
    for line in &mut *lines {
        let at = line.as_mut_ptr();
        // SAFETY: a line has four words
        unsafe {
            let x = lift(k, reduce_words(k, wrap, load_words(at)));
            store_words(at, to_words(k, x, k.shift));
        }
    }
    4 * lines.len()
}

/// x ← x + y mod p.
#[target_feature(enable = "avx2")]
pub(super) fn add_all(transform: &Transform, data: &mut [u64], other: &[u64]) -> usize {
    for (value, other) in data.iter_mut().zip(other) {
        *value = super::subtract_once(*value + *other, transform.prime);
    }
    data.len()
}

/// x ← x·factor mod p of the whole registers.
#[target_feature(enable = "avx2,fma")]
pub(super) fn scale(transform: &Transform, data: &mut [u64], factor: Factor) -> usize {
    let k = &Constants::new(transform.prime);
    let factor = spread(factor.value, transform.prime);
    let lines = data.as_chunks_mut::<4>().0;
    for line in &mut *lines {
        let at = line.as_mut_ptr();
        // SAFETY: a line has four words
        unsafe {
            let x = product(k, to_doubles(k, load_words(at)), factor.0, factor.1);
            store_words(at, to_words(k, lift(k, x), k.shift));
        }
    }
    4 * lines.len()
}

/// out ← x·factor in [0, 2p) of the whole registers; columns of one length.
#[target_feature(enable = "avx2,fma")]
pub(super) fn multiply(
    transform: &Transform,
    out: &mut [u64],
    x: &[u64],
    factors: &super::Factors,
) -> usize {
    let k = &Constants::new(transform.prime);
    let one = _mm256_set1_pd(1.0);
    let columns = x.as_chunks::<4>().0.iter().zip(
        factors
            .values
            .as_chunks::<4>()
            .0
            .iter()
            .zip(factors.quotients.as_chunks::<4>().0),
    );
    let lines = out.as_chunks_mut::<4>().0;
    for (out, (x, (value, quotient))) in lines.iter_mut().zip(columns) {
        // SAFETY: all lines have four words
        unsafe {
            let x = to_doubles(k, load_words(x.as_ptr()));
            let value = to_doubles(k, load_words(value.as_ptr()));
            // ⌊value·2^52 / p⌋ / 2^52
            let placed = _mm256_or_si256(load_words(quotient.as_ptr()), _mm256_castpd_si256(one));
            let quotient = _mm256_sub_pd(_mm256_castsi256_pd(placed), one);
            // as `product`, but the estimate is positive, up to 2^52, and too small by a half and one at most
            let high = _mm256_mul_pd(x, value);
            let low = _mm256_fmsub_pd(x, value, high);
            let times = _mm256_sub_pd(_mm256_fmadd_pd(x, quotient, k.shift), k.shift);
            let rest = _mm256_add_pd(_mm256_fnmadd_pd(times, k.prime, high), low);
            store_words(out.as_mut_ptr(), to_words(k, lift(k, rest), k.shift));
        }
    }
    4 * lines.len()
}

/// 2^104, to which the product is added: the sum has the product's multiple of 2^52 in its low bits.
const SHIFT_HIGH: f64 = SHIFT * SHIFT;

/// low + 2^52·high ← low + 2^52·high + x·y of the whole registers; columns of one length.
///
/// The high part of a product is rounded to the nearest, so that `low` is signed here.
#[target_feature(enable = "avx2,fma")]
pub(super) fn multiply_accumulate(
    low: &mut [u64],
    high: &mut [u64],
    x: &[u64],
    y: &[u64],
) -> usize {
    // no prime is needed, but its place in the constants
    let k = &Constants::new(3);
    let shift_high = _mm256_set1_pd(SHIFT_HIGH);
    let (lows, highs) = (low.as_chunks_mut::<4>().0, high.as_chunks_mut::<4>().0);
    let columns = x.as_chunks::<4>().0.iter().zip(y.as_chunks::<4>().0);
    for ((low, high), (x, y)) in lows.iter_mut().zip(highs).zip(columns) {
        // SAFETY: all lines have four words
        unsafe {
            let x = to_doubles(k, load_words(x.as_ptr()));
            let y = to_doubles(k, load_words(y.as_ptr()));
            let top = _mm256_fmadd_pd(x, y, shift_high);
            let rest = _mm256_fmadd_pd(x, y, _mm256_sub_pd(shift_high, top));
            let rest = _mm256_add_pd(rest, k.round);
            let top = _mm256_sub_epi64(_mm256_castpd_si256(top), _mm256_castpd_si256(shift_high));
            let rest = _mm256_sub_epi64(_mm256_castpd_si256(rest), _mm256_castpd_si256(k.round));
            store_words(
                low.as_mut_ptr(),
                _mm256_add_epi64(load_words(low.as_ptr()), rest),
            );
            store_words(
                high.as_mut_ptr(),
                _mm256_add_epi64(load_words(high.as_ptr()), top),
            );
        }
    }
    x.len() / 4 * 4
}

/// Makes `low` a number from 0 to 2^52 again, of the whole registers.
#[target_feature(enable = "avx2")]
pub(super) fn carry(low: &mut [u64], high: &mut [u64]) -> usize {
    let done = low.len() / 4 * 4;
    for (low, high) in low[..done].iter_mut().zip(&mut *high) {
        // there is no arithmetic shift of 64-bit lanes
        *high = high
            .wrapping_add((*low ^ 1 << 63) >> 52)
            .wrapping_sub(1 << 11);
        *low &= LOW;
    }
    done
}

/// out ← low + 2^52·high mod p of the whole registers; columns of one length.
#[target_feature(enable = "avx2,fma")]
pub(super) fn reduce_sums(
    transform: &Transform,
    low: &[u64],
    high: &[u64],
    out: &mut [u64],
) -> usize {
    let (k, prime) = (&Constants::new(transform.prime), transform.prime);
    let half = spread(transform.reduce(1 << 32), prime);
    let wrap = spread(transform.wrap.value, prime);
    let (sign, excess) = (_mm256_set1_epi64x(i64::MIN), _mm256_set1_epi64x(1 << 11));
    let columns = low.as_chunks::<4>().0.iter().zip(high.as_chunks::<4>().0);
    let lines = out.as_chunks_mut::<4>().0;
    for (out, (low, high)) in lines.iter_mut().zip(columns) {
        // SAFETY: all lines have four words
        unsafe {
            let low = load_words(low.as_ptr());
            let carried = _mm256_srli_epi64::<52>(_mm256_xor_si256(low, sign));
            let high = _mm256_add_epi64(load_words(high.as_ptr()), carried);
            let high = reduce_words(k, half, _mm256_sub_epi64(high, excess));
            let low = to_doubles(k, _mm256_and_si256(low, k.low));
            let sum = reduce(k, _mm256_add_pd(product(k, high, wrap.0, wrap.1), low));
            store_words(out.as_mut_ptr(), to_words(k, lift(k, sum), k.shift));
        }
    }
    4 * lines.len()
}
