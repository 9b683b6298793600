//! Eight residues a register, products by the 52-bit multiply-add (IFMA).
//!
//! A product by a fixed factor is three multiply-adds: the quotient ⌊y·w'/2^52⌋, and the low halves of y·w − quotient·p, which
//! is all of it, for it lies in [0, 2p). Two forms of butterfly:
//!
//! * *roomy*, where 4 + 4·log2 N times p stays below 2^52. What is added up is never reduced: it starts 2·log2 N times p above
//!   zero, and each layer takes it 2p up or down at most. The multiply-add reads the low 52 bits of a register alone, so
//!   numbers may carry rubbish above them, and only what leaves the transform is masked: five instructions, three of them
//!   products.
//! * *tight*, for primes up to 2^50: Harvey's, in [0, 4p).
//!
//! The first three layers turn eight rows of N/8 coefficients into registers with one coefficient of each row, so that all
//! later layers have a factor of its own in each lane and no shuffles. See [`super::slot`] for the order that this gives.

use std::arch::x86_64::*;

use crate::memory::Words;

use super::{Factor, LOW, Transform, bit_sums};

/// All that this path keeps of a transform.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    forward: Table,
    inverse: Table,
    bits: Bits,
}

impl Tables {
    pub(super) fn new(transform: &Transform) -> Self {
        Self {
            forward: Table::new(&transform.forward),
            inverse: Table::new(&transform.inverse),
            bits: Bits::new(transform, &transform.inverse),
        }
    }
}

/// The factors of all passes in the order of their use: a line of values, a line of quotients, and so on.
#[derive(Clone, Debug)]
pub(super) struct Table {
    lines: Words,
    steps: Vec<Step>,
}

/// What the table of the first three layers of 0/1-polynomials holds: a line for each eight bits.
#[derive(Clone, Debug)]
pub(super) struct Bits {
    lines: Words,
}

impl Table {
    /// From root^bitreverse(i), i < N.
    pub(super) fn new(powers: &[Factor]) -> Self {
        let mut lines = Vec::with_capacity(powers.len() / 4 + 14);
        let mut push = |factors: [Factor; 8]| {
            lines.push(factors.map(|factor| factor.value));
            lines.push(factors.map(|factor| factor.quotient >> 12));
        };
        for power in &powers[1..8] {
            push([*power; 8]);
        }
        let mut groups = 1;
        for layers in passes(powers.len()) {
            for group in 0..groups {
                for layer in 0..layers {
                    let (count, first) = (groups << layer, group << layer);
                    for index in first..first + (1 << layer) {
                        push(std::array::from_fn(|lane| {
                            powers[8 * count + lane * count + index]
                        }));
                    }
                }
            }
            groups <<= layers;
        }
        Self {
            lines: aligned(&lines),
            steps: plan(powers.len()),
        }
    }
}

impl Bits {
    /// Of the transform whose powers these are: the sums of eight coefficients, one of each row, after three layers.
    pub(super) fn new(transform: &Transform, powers: &[Factor]) -> Self {
        let offset = 2 * u64::from(powers.len().ilog2() - 3) * transform.prime;
        let lines = bit_sums(transform, powers).into_iter().map(|sum| {
            if is_roomy(transform) {
                sum.map(|value| value + offset)
            } else {
                sum
            }
        });
        Self {
            lines: aligned(&lines.collect::<Vec<_>>()),
        }
    }
}

fn aligned(lines: &[[u64; 8]]) -> Words {
    let mut words = Words::zeros(8 * lines.len());
    words.copy_from_slice(lines.as_flattened());
    words
}

/// Whether sums through all layers need no reduction.
fn is_roomy(transform: &Transform) -> bool {
    // the way back takes less than 52p
    let layers = u64::from(transform.degree().ilog2()).max(12);
    (4 + 4 * layers) * transform.prime < 1 << 52
}

/// Constants of a prime, a copy in each lane.
struct Constants {
    prime: __m512i,
    twice: __m512i,
    /// 2^52 − p: what a product is taken with to subtract.
    negated: __m512i,
    mask: __m512i,
    /// ⌊2^52 / p⌋.
    reciprocal: __m512i,
}

impl Constants {
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn new(prime: u64) -> Self {
        let spread = |value: u64| _mm512_set1_epi64(value as i64);
        Self {
            prime: spread(prime),
            twice: spread(2 * prime),
            negated: spread((1 << 52) - prime),
            mask: spread(LOW),
            reciprocal: spread((1 << 52) / prime),
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load(at: *const u64, line: usize) -> __m512i {
    // SAFETY: the caller has eight words there
    unsafe { _mm512_loadu_si512(at.add(8 * line).cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store(at: *mut u64, line: usize, value: __m512i) {
    // SAFETY: the caller has eight words there
    unsafe { _mm512_storeu_si512(at.add(8 * line).cast(), value) }
}

/// y·w mod p in [0, 2p), with rubbish above the low 52 bits.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn product(k: &Constants, y: __m512i, value: __m512i, quotient: __m512i) -> __m512i {
    let zero = _mm512_setzero_si512();
    let estimate = _mm512_madd52hi_epu64(zero, y, quotient);
    let low = _mm512_madd52lo_epu64(zero, y, value);
    _mm512_madd52lo_epu64(low, estimate, k.negated)
}

/// x − bound when x ≥ bound.
#[inline]
#[target_feature(enable = "avx512f")]
fn subtract_once(x: __m512i, bound: __m512i) -> __m512i {
    _mm512_min_epu64(x, _mm512_sub_epi64(x, bound))
}

/// The butterfly that multiplies first: x ± y·w.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn forward_pair<const ROOMY: bool, const LINES: usize>(
    k: &Constants,
    v: &mut [__m512i; LINES],
    x: usize,
    y: usize,
    table: *const u64,
    factor: usize,
    (): (),
) {
    // SAFETY: the caller's table has this factor
    let (value, quotient) = unsafe { (load(table, 2 * factor), load(table, 2 * factor + 1)) };
    let t = product(k, v[y], value, quotient);
    if ROOMY {
        let s = v[x];
        v[x] = _mm512_add_epi64(s, t);
        v[y] = _mm512_sub_epi64(s, t);
    } else {
        let t = _mm512_and_si512(t, k.mask);
        let s = subtract_once(v[x], k.twice);
        v[x] = _mm512_add_epi64(s, t);
        v[y] = _mm512_sub_epi64(_mm512_add_epi64(s, k.twice), t);
    }
}

/// The butterfly that adds first: x + y and (x − y)·w; `bound` is a multiple of p that is no less than y.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn inverse_pair<const ROOMY: bool, const LINES: usize>(
    k: &Constants,
    v: &mut [__m512i; LINES],
    x: usize,
    y: usize,
    table: *const u64,
    factor: usize,
    bound: __m512i,
) {
    // SAFETY: the caller's table has this factor
    let (value, quotient) = unsafe { (load(table, 2 * factor), load(table, 2 * factor + 1)) };
    let (s, t) = (v[x], v[y]);
    let sum = _mm512_add_epi64(s, t);
    let t = product(
        k,
        _mm512_sub_epi64(_mm512_add_epi64(s, bound), t),
        value,
        quotient,
    );
    if ROOMY {
        v[x] = sum;
        v[y] = t;
    } else {
        v[x] = subtract_once(sum, k.twice);
        v[y] = _mm512_and_si512(t, k.mask);
    }
}

/// The pairs of one layer after the other, each with the number of its factor.
macro_rules! network {
    ($pair:ident, $k:ident, $v:ident, $table:ident, $bound:expr; $($x:literal $y:literal $w:literal),* $(,)?) => {
        $( $pair::<ROOMY, _>($k, $v, $x, $y, $table, $w, $bound); )*
    };
}

/// `LINES` = 2^layers registers through so many layers.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn forward_lines<const ROOMY: bool, const LINES: usize>(
    k: &Constants,
    v: &mut [__m512i; LINES],
    table: *const u64,
) {
    // SAFETY: the caller's table has LINES − 1 factors
    unsafe {
        match LINES {
            2 => {
                network!(forward_pair, k, v, table, (); 0 1 0);
            }
            4 => {
                network!(forward_pair, k, v, table, (); 0 2 0, 1 3 0, 0 1 1, 2 3 2);
            }
            8 => {
                network!(forward_pair, k, v, table, ();
                    0 4 0, 1 5 0, 2 6 0, 3 7 0, 0 2 1, 1 3 1, 4 6 2, 5 7 2, 0 1 3, 2 3 4, 4 5 5, 6 7 6);
            }
            _ => {
                network!(forward_pair, k, v, table, ();
                    0 8 0, 1 9 0, 2 10 0, 3 11 0, 4 12 0, 5 13 0, 6 14 0, 7 15 0,
                    0 4 1, 1 5 1, 2 6 1, 3 7 1, 8 12 2, 9 13 2, 10 14 2, 11 15 2,
                    0 2 3, 1 3 3, 4 6 4, 5 7 4, 8 10 5, 9 11 5, 12 14 6, 13 15 6,
                    0 1 7, 2 3 8, 4 5 9, 6 7 10, 8 9 11, 10 11 12, 12 13 13, 14 15 14);
            }
        }
    }
}

/// As [`forward_lines`] the other way: from lines below 4p (tight: 2p) to such.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn inverse_lines<const ROOMY: bool, const LINES: usize>(
    k: &Constants,
    v: &mut [__m512i; LINES],
    table: *const u64,
) {
    // what is subtracted is below 4p, 8p, 16p, 32p in one layer after the other, and 2p where sums are reduced
    let bounds: [__m512i; 4] = if ROOMY {
        [
            _mm512_slli_epi64::<1>(k.twice),
            _mm512_slli_epi64::<2>(k.twice),
            _mm512_slli_epi64::<3>(k.twice),
            _mm512_slli_epi64::<4>(k.twice),
        ]
    } else {
        [k.twice; 4]
    };
    // SAFETY: the caller's table has LINES − 1 factors
    unsafe {
        match LINES {
            2 => {
                network!(inverse_pair, k, v, table, bounds[0]; 0 1 0);
            }
            4 => {
                network!(inverse_pair, k, v, table, bounds[0]; 0 1 1, 2 3 2);
                network!(inverse_pair, k, v, table, bounds[1]; 0 2 0, 1 3 0);
            }
            8 => {
                network!(inverse_pair, k, v, table, bounds[0]; 0 1 3, 2 3 4, 4 5 5, 6 7 6);
                network!(inverse_pair, k, v, table, bounds[1]; 0 2 1, 1 3 1, 4 6 2, 5 7 2);
                network!(inverse_pair, k, v, table, bounds[2]; 0 4 0, 1 5 0, 2 6 0, 3 7 0);
            }
            _ => {
                network!(inverse_pair, k, v, table, bounds[0];
                    0 1 7, 2 3 8, 4 5 9, 6 7 10, 8 9 11, 10 11 12, 12 13 13, 14 15 14);
                network!(inverse_pair, k, v, table, bounds[1];
                    0 2 3, 1 3 3, 4 6 4, 5 7 4, 8 10 5, 9 11 5, 12 14 6, 13 15 6);
                if ROOMY {
                    // 16p is as much as the roomy range takes twice: what has been added up twice is reduced
                    for index in [0, 4, 8, 12] {
                        v[index] = barrett(k, v[index]);
                    }
                }
                network!(inverse_pair, k, v, table, bounds[2];
                    0 4 1, 1 5 1, 2 6 1, 3 7 1, 8 12 2, 9 13 2, 10 14 2, 11 15 2);
                network!(inverse_pair, k, v, table, bounds[3];
                    0 8 0, 1 9 0, 2 10 0, 3 11 0, 4 12 0, 5 13 0, 6 14 0, 7 15 0);
            }
        }
    }
    if ROOMY {
        // the others are below 4p: they have been multiplied in one of the last two layers
        for v in &mut v[..LINES.div_ceil(4)] {
            *v = barrett(k, *v);
        }
    }
}

/// Below 2p, with rubbish above the low 52 bits; of the low 52 bits.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn barrett(k: &Constants, x: __m512i) -> __m512i {
    let estimate = _mm512_madd52hi_epu64(_mm512_setzero_si512(), x, k.reciprocal);
    _mm512_madd52lo_epu64(x, estimate, k.negated)
}

/// x mod p, for any x: 2^52·high + low. `wrap` is 2^52 mod p with its quotient.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn reduce(k: &Constants, wrap: (__m512i, __m512i), x: __m512i) -> __m512i {
    let low = _mm512_and_si512(barrett(k, x), k.mask);
    let high = product(k, _mm512_srli_epi64::<52>(x), wrap.0, wrap.1);
    let sum = _mm512_add_epi64(low, _mm512_and_si512(high, k.mask));
    subtract_once(subtract_once(sum, k.twice), k.prime)
}

/// Rows and columns of eight registers exchanged.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(v: &mut [__m512i; 8]) {
    let mut pairs = *v;
    for index in [0, 2, 4, 6] {
        pairs[index] = _mm512_unpacklo_epi64(v[index], v[index + 1]);
        pairs[index + 1] = _mm512_unpackhi_epi64(v[index], v[index + 1]);
    }
    // quarters of 128 bits: a 4×4 transposition of the even lines, and one of the odd
    for odd in 0..2 {
        let (a, b, c, d) = (pairs[odd], pairs[2 + odd], pairs[4 + odd], pairs[6 + odd]);
        let (ab_even, ab_odd) = (
            _mm512_shuffle_i64x2::<0x88>(a, b),
            _mm512_shuffle_i64x2::<0xdd>(a, b),
        );
        let (cd_even, cd_odd) = (
            _mm512_shuffle_i64x2::<0x88>(c, d),
            _mm512_shuffle_i64x2::<0xdd>(c, d),
        );
        v[odd] = _mm512_shuffle_i64x2::<0x88>(ab_even, cd_even);
        v[2 + odd] = _mm512_shuffle_i64x2::<0x88>(ab_odd, cd_odd);
        v[4 + odd] = _mm512_shuffle_i64x2::<0xdd>(ab_even, cd_even);
        v[6 + odd] = _mm512_shuffle_i64x2::<0xdd>(ab_odd, cd_odd);
    }
}

/// `LINES` registers, `stride` lines apart.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn gather<const LINES: usize>(
    at: *const u64,
    first: usize,
    stride: usize,
) -> [__m512i; LINES] {
    let mut v = [_mm512_setzero_si512(); LINES];
    for (index, v) in v.iter_mut().enumerate() {
        // SAFETY: the caller has these lines
        *v = unsafe { load(at, first + index * stride) };
    }
    v
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn scatter<const LINES: usize>(
    at: *mut u64,
    first: usize,
    stride: usize,
    v: &[__m512i; LINES],
) {
    for (index, v) in v.iter().enumerate() {
        // SAFETY: the caller has these lines
        unsafe { store(at, first + index * stride, *v) };
    }
}

/// Where the lines of a pass lie: lines `stride` apart go together, at `inner` places of each of `groups` groups that are
/// `group` lines apart, of each of `rows` rows that are `row` lines apart.
#[derive(Clone, Copy, Debug)]
struct Shape {
    rows: usize,
    row: usize,
    groups: usize,
    group: usize,
    inner: usize,
    stride: usize,
}

/// One pass of [`passes`] over lines of eight lanes.
///
/// # Safety
/// `data` has all lines of the shape, and `table` LINES − 1 factors for each group.
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn pass<const ROOMY: bool, const FORWARD: bool, const LAST: bool, const LINES: usize>(
    k: &Constants,
    data: *mut u64,
    shape: Shape,
    mut table: *const u64,
) {
    for group in 0..shape.groups {
        for row in 0..shape.rows {
            for inner in 0..shape.inner {
                let first = row * shape.row + group * shape.group + inner;
                // SAFETY: as the caller says
                unsafe {
                    let mut v = gather::<LINES>(data, first, shape.stride);
                    if FORWARD {
                        forward_lines::<ROOMY, LINES>(k, &mut v, table);
                    } else {
                        inverse_lines::<ROOMY, LINES>(k, &mut v, table);
                    }
                    if LAST && ROOMY {
                        for v in &mut v {
                            *v = _mm512_and_si512(*v, k.mask);
                        }
                    }
                    scatter(data, first, shape.stride, &v);
                }
            }
        }
        // SAFETY: as the caller says
        table = unsafe { table.add(16 * (LINES - 1)) };
    }
}

/// As [`pass`], for any number of layers.
///
/// # Safety
/// As there.
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn pass_of<const ROOMY: bool, const FORWARD: bool, const LAST: bool>(
    layers: u32,
    k: &Constants,
    data: *mut u64,
    shape: Shape,
    table: *const u64,
) {
    // SAFETY: as the caller says
    unsafe {
        match layers {
            1 => pass::<ROOMY, FORWARD, LAST, 2>(k, data, shape, table),
            2 => pass::<ROOMY, FORWARD, LAST, 4>(k, data, shape, table),
            3 => pass::<ROOMY, FORWARD, LAST, 8>(k, data, shape, table),
            _ => pass::<ROOMY, FORWARD, LAST, 16>(k, data, shape, table),
        }
    }
}

/// Layers of each pass after the first three: those within a row of N/8, then the three over rows.
fn passes(degree: usize) -> impl Iterator<Item = u32> {
    let mut left = degree.ilog2() - 6;
    std::iter::from_fn(move || {
        let layers = match left {
            0 => return None,
            1..=4 => left,
            5 | 6 => 3,
            _ => 4,
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
    shape: Shape,
    /// Where its factors begin.
    line: usize,
}

/// The passes within rows, and the last one over rows.
fn plan(degree: usize) -> Vec<Step> {
    let row = degree / 64;
    let (mut groups, mut line) = (1, 14);
    let step = |layers: u32| {
        let group = row / groups;
        // only the last one comes when each line of a row is a group
        let shape = if group == 1 {
            Shape {
                rows: 1,
                row,
                groups,
                group,
                inner: 1,
                stride: row,
            }
        } else {
            let stride = group >> layers;
            Shape {
                rows: 8,
                row,
                groups,
                group,
                inner: stride,
                stride,
            }
        };
        let step = Step {
            layers,
            shape,
            line,
        };
        line += groups * 2 * ((1 << layers) - 1);
        groups <<= layers;
        step
    };
    passes(degree).map(step).collect()
}

pub(super) fn forward(transform: &Transform, data: &mut [u64]) {
    let (powers, degree) = (&transform.avx512().forward, transform.degree());
    assert!(data.len() == degree && degree >= 64 && powers.lines.len() >= 2 * degree - 16);
    // SAFETY: only the dispatcher calls this, where the path is available; the lengths are checked
    unsafe {
        if is_roomy(transform) {
            forward_all::<true>(transform.prime, degree, data.as_mut_ptr(), powers);
        } else {
            forward_all::<false>(transform.prime, degree, data.as_mut_ptr(), powers);
        }
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn forward_all<const ROOMY: bool>(prime: u64, degree: usize, data: *mut u64, table: &Table) {
    let k = &Constants::new(prime);
    let lines = table.lines.as_ptr();
    let row = degree / 64;
    let offset = _mm512_set1_epi64((2 * u64::from(degree.ilog2()) * prime) as i64);
    // SAFETY: `data` has 8·row lines, and the table all factors of the plan
    unsafe {
        for column in 0..row {
            let mut v = gather::<8>(data, column, row);
            if ROOMY {
                for v in &mut v[..4] {
                    *v = _mm512_add_epi64(*v, offset);
                }
            }
            forward_lines::<ROOMY, 8>(k, &mut v, lines);
            transpose(&mut v);
            scatter(data, column, row, &v);
        }
        finish_forward::<ROOMY>(k, data, table, 0);
    }
}

/// The passes of the plan but the first `done`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn finish_forward<const ROOMY: bool>(
    k: &Constants,
    data: *mut u64,
    table: &Table,
    done: usize,
) {
    for step in &table.steps[done..] {
        // SAFETY: as the caller says
        unsafe {
            let factors = table.lines.as_ptr().add(8 * step.line);
            if step.shape.rows == 1 {
                pass_of::<ROOMY, true, true>(step.layers, k, data, step.shape, factors);
            } else {
                pass_of::<ROOMY, true, false>(step.layers, k, data, step.shape, factors);
            }
        }
    }
}

pub(super) fn forward_mirrored(transform: &Transform, codes: &[u8], code: u8, out: &mut [u64]) {
    let tables = transform.avx512();
    let degree = transform.degree();
    assert!(out.len() == degree && codes.len() <= degree && degree >= 64);
    let padded: Vec<u8>;
    let codes = if codes.len() == degree {
        codes
    } else {
        padded = [codes, &vec![!code; degree - codes.len()]].concat();
        &padded
    };
    // SAFETY: only the dispatcher calls this, where the path is available; the lengths are checked
    unsafe {
        if is_roomy(transform) {
            forward_bits::<true>(transform.prime, codes, code, out, tables);
        } else {
            forward_bits::<false>(transform.prime, codes, code, out, tables);
        }
    }
}

/// For each column of eight rows the bits of the codes that are `code`, the first row's lowest.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn find_bits(codes: &[u8], code: u8, bits: &mut [u8]) {
    let columns = codes.len() / 8;
    let wanted = _mm512_set1_epi8(code as i8);
    let (lines, rest) = bits[..columns].as_chunks_mut::<64>();
    for (line, bits) in lines.iter_mut().enumerate() {
        let mut found = _mm512_setzero_si512();
        for row in 0..8 {
            // SAFETY: 64·line + 64 ≤ columns, and there are eight rows of so many codes
            let codes = unsafe { load(codes.as_ptr().add(row * columns).cast(), line) };
            let equal = _mm512_cmpeq_epi8_mask(codes, wanted);
            found = _mm512_mask_add_epi8(found, equal, found, _mm512_set1_epi8(1 << row));
        }
        // SAFETY: a chunk has 64 bytes
        unsafe { store(bits.as_mut_ptr().cast(), 0, found) };
    }
    let done = columns - rest.len();
    for (column, bits) in (done..).zip(rest) {
        *bits = (0..8).fold(0, |bits, row| {
            bits | u8::from(codes[row * columns + column] == code) << row
        });
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512ifma")]
unsafe fn forward_bits<const ROOMY: bool>(
    prime: u64,
    codes: &[u8],
    code: u8,
    out: &mut [u64],
    tables: &Tables,
) {
    let k = &Constants::new(prime);
    let mut small = [0u8; 1024];
    let mut large = Vec::new();
    let columns = codes.len() / 8;
    let bits = if columns <= small.len() {
        &mut small[..columns]
    } else {
        large.resize(columns, 0);
        &mut large[..]
    };
    find_bits(codes, code, bits);
    let step = tables.inverse.steps[0];
    let sums = &tables.bits.lines;
    // SAFETY: `out` has 8 lines for each 64 columns, and the table all factors of the plan
    unsafe {
        let out = out.as_mut_ptr();
        let factors = tables.inverse.lines.as_ptr().add(8 * step.line);
        match step.layers {
            1 if step.shape.rows == 8 => {
                pass_bits::<ROOMY, 2>(k, sums, bits, out, step.shape, factors)
            }
            2 if step.shape.rows == 8 => {
                pass_bits::<ROOMY, 4>(k, sums, bits, out, step.shape, factors)
            }
            3 if step.shape.rows == 8 => {
                pass_bits::<ROOMY, 8>(k, sums, bits, out, step.shape, factors)
            }
            4 if step.shape.rows == 8 => {
                pass_bits::<ROOMY, 16>(k, sums, bits, out, step.shape, factors)
            }
            _ => {
                for (column, bits) in bits.iter().enumerate() {
                    let line = load(sums.as_ptr(), usize::from(*bits));
                    store(out, column % 8 * step.shape.row + column / 8, line);
                }
                return finish_forward::<ROOMY>(k, out, &tables.inverse, 0);
            }
        }
        finish_forward::<ROOMY>(k, out, &tables.inverse, 1);
    }
    small[..columns.min(1024)].fill(0);
}

/// The first pass within rows, of lines looked up by bits.
#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn pass_bits<const ROOMY: bool, const LINES: usize>(
    k: &Constants,
    sums: &[u64],
    bits: &[u8],
    out: *mut u64,
    shape: Shape,
    factors: *const u64,
) {
    for row in 0..8 {
        for inner in 0..shape.stride {
            // SAFETY: as the caller says; there are 256 sums
            unsafe {
                let mut v = [_mm512_setzero_si512(); LINES];
                for (index, v) in v.iter_mut().enumerate() {
                    let found = *bits.get_unchecked(8 * (index * shape.stride + inner) + row);
                    *v = load(sums.as_ptr(), usize::from(found));
                }
                forward_lines::<ROOMY, LINES>(k, &mut v, factors);
                scatter(out, row * shape.row + inner, shape.stride, &v);
            }
        }
    }
}

pub(super) fn inverse_unscaled(transform: &Transform, data: &mut [u64]) {
    let (powers, degree) = (&transform.avx512().inverse, transform.degree());
    assert!(data.len() == degree && degree >= 64 && powers.lines.len() >= 2 * degree - 16);
    // SAFETY: only the dispatcher calls this, where the path is available; the lengths are checked
    unsafe {
        if is_roomy(transform) {
            inverse_all::<true>(transform.prime, degree, data.as_mut_ptr(), powers);
        } else {
            inverse_all::<false>(transform.prime, degree, data.as_mut_ptr(), powers);
        }
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
unsafe fn inverse_all<const ROOMY: bool>(prime: u64, degree: usize, data: *mut u64, table: &Table) {
    let k = &Constants::new(prime);
    let lines = table.lines.as_ptr();
    let row = degree / 64;
    // SAFETY: `data` has 8·row lines, and the table all factors of the plan
    unsafe {
        for step in table.steps.iter().rev() {
            let factors = lines.add(8 * step.line);
            pass_of::<ROOMY, false, false>(step.layers, k, data, step.shape, factors);
        }
        for column in 0..row {
            let mut v = gather::<8>(data, column, row);
            transpose(&mut v);
            inverse_lines::<ROOMY, 8>(k, &mut v, lines);
            if ROOMY {
                for v in &mut v {
                    *v = subtract_once(_mm512_and_si512(*v, k.mask), k.twice);
                }
            }
            scatter(data, column, row, &v);
        }
    }
}

/// Applies `$body` to each line of eight words, with `$at` its number; a rest shorter than that is left to the caller.
macro_rules! each_line {
    ($count:expr, $at:ident, $body:block) => {
        for $at in 0..$count / 8 $body
    };
}

/// x ← x mod p of the whole lines; returns how many words they have.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn reduce_all(transform: &Transform, data: &mut [u64]) -> usize {
    let k = &Constants::new(transform.prime);
    let wrap = spread(transform.wrap);
    let at = data.as_mut_ptr();
    each_line!(data.len(), line, {
        // SAFETY: line < len / 8
        unsafe { store(at, line, reduce(k, wrap, load(at, line))) };
    });
    data.len() / 8 * 8
}

#[inline]
#[target_feature(enable = "avx512f")]
fn spread(factor: Factor) -> (__m512i, __m512i) {
    (
        _mm512_set1_epi64(factor.value as i64),
        _mm512_set1_epi64((factor.quotient >> 12) as i64),
    )
}

/// x ← x + y mod p of the whole lines; columns of one length.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn add_all(transform: &Transform, data: &mut [u64], other: &[u64]) -> usize {
    assert!(data.len() == other.len());
    let k = &Constants::new(transform.prime);
    let at = data.as_mut_ptr();
    each_line!(data.len(), line, {
        // SAFETY: line < len / 8, and both have one length
        unsafe {
            let sum = _mm512_add_epi64(load(at, line), load(other.as_ptr(), line));
            store(at, line, subtract_once(sum, k.prime));
        }
    });
    data.len() / 8 * 8
}

/// x ← x·factor mod p of the whole lines.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn scale(transform: &Transform, data: &mut [u64], factor: Factor) -> usize {
    let k = &Constants::new(transform.prime);
    let factor = spread(factor);
    let at = data.as_mut_ptr();
    each_line!(data.len(), line, {
        // SAFETY: line < len / 8
        unsafe {
            let t = product(k, load(at, line), factor.0, factor.1);
            store(
                at,
                line,
                subtract_once(_mm512_and_si512(t, k.mask), k.prime),
            );
        }
    });
    data.len() / 8 * 8
}

/// out ← x·factor in [0, 2p) of the whole lines; columns of one length.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn multiply(
    transform: &Transform,
    out: &mut [u64],
    x: &[u64],
    factors: &super::Factors,
) -> usize {
    let k = &Constants::new(transform.prime);
    let (values, quotients) = (factors.values.as_ptr(), factors.quotients.as_ptr());
    assert!(
        x.len() == out.len()
            && factors.values.len() == out.len()
            && factors.quotients.len() == out.len()
    );
    each_line!(out.len(), line, {
        // SAFETY: line < len / 8, and all have one length
        unsafe {
            let t = product(
                k,
                load(x.as_ptr(), line),
                load(values, line),
                load(quotients, line),
            );
            store(out.as_mut_ptr(), line, _mm512_and_si512(t, k.mask));
        }
    });
    out.len() / 8 * 8
}

/// low + 2^52·high ← low + 2^52·high + x·y of the whole lines; columns of one length.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn multiply_accumulate(
    low: &mut [u64],
    high: &mut [u64],
    x: &[u64],
    y: &[u64],
) -> usize {
    assert!(x.len() == low.len() && high.len() == low.len() && y.len() == low.len());
    let (low_at, high_at) = (low.as_mut_ptr(), high.as_mut_ptr());
    each_line!(x.len(), line, {
        // SAFETY: line < len / 8, and all have one length
        unsafe {
            let (x, y) = (load(x.as_ptr(), line), load(y.as_ptr(), line));
            store(
                low_at,
                line,
                _mm512_madd52lo_epu64(load(low_at, line), x, y),
            );
            store(
                high_at,
                line,
                _mm512_madd52hi_epu64(load(high_at, line), x, y),
            );
        }
    });
    x.len() / 8 * 8
}

/// Makes `low` a number below 2^52 again, of the whole lines.
#[target_feature(enable = "avx512f")]
pub(super) fn carry(low: &mut [u64], high: &mut [u64]) -> usize {
    let done = low.len() / 8 * 8;
    for (low, high) in low[..done].iter_mut().zip(high) {
        *high += *low >> 52;
        *low &= LOW;
    }
    done
}

/// out ← low + 2^52·high mod p of the whole lines; columns of one length.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn reduce_sums(
    transform: &Transform,
    low: &[u64],
    high: &[u64],
    out: &mut [u64],
) -> usize {
    assert!(low.len() == out.len() && high.len() == out.len());
    let k = &Constants::new(transform.prime);
    let wrap = spread(transform.wrap);
    each_line!(out.len(), line, {
        // SAFETY: line < len / 8, and all have one length
        unsafe {
            let high = reduce(k, wrap, load(high.as_ptr(), line));
            let high = _mm512_and_si512(product(k, high, wrap.0, wrap.1), k.mask);
            let sum = _mm512_add_epi64(
                subtract_once(high, k.prime),
                reduce(k, wrap, load(low.as_ptr(), line)),
            );
            store(out.as_mut_ptr(), line, subtract_once(sum, k.prime));
        }
    });
    out.len() / 8 * 8
}
