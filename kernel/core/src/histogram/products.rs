//! Inner products of bytes with small signed numbers: the heavy half of ct(ρ·b) and of ct(H·s).

use crate::simd::{self, Path};

/// [`products_on`] with the path of this process.
pub fn products(left: &[u8], right: &[i8], inner: usize, out: &mut [i32]) {
    products_on(simd::path(), left, right, inner, out);
}

/// All inner products of rows of `left` with rows of `right`, each of `inner` numbers:
/// `out[i·columns + j] = Σ_k left[i·inner + k]·right[j·inner + k]` where `right` has `columns` rows.
///
/// `right` holds −1, 0 and 1 only and is secret: time and memory access do not depend on it. `inner` is a multiple of 64,
/// at most 2^15.
///
/// # Panics
/// When the lengths do not fit together.
pub fn products_on(path: Path, left: &[u8], right: &[i8], inner: usize, out: &mut [i32]) {
    assert!(inner > 0 && inner.is_multiple_of(64) && inner <= 1 << 15);
    let (rows, columns) = (left.len() / inner, right.len() / inner);
    assert!(left.len() == rows * inner && right.len() == columns * inner);
    assert_eq!(out.len(), rows * columns);
    let _ = path;
    portable(left, right, inner, columns, out);
}

fn portable(left: &[u8], right: &[i8], inner: usize, columns: usize, out: &mut [i32]) {
    for (left, out) in left.chunks(inner).zip(out.chunks_mut(columns)) {
        for (right, out) in right.chunks(inner).zip(out) {
            let terms = left.iter().zip(right);
            *out = terms.map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
        }
    }
}
