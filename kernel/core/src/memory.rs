//! Large columns that are read at random places.

use zeroize::{Zeroize, Zeroizing};

/// A column of `len` zeros (of T's default, which must be all zero bits for speed), wiped when dropped.
///
/// The system is asked to back it by large pages: a random read then finds its page in the processor's table, and first
/// use takes one fault for 2 MB instead of one for 4 kB. It may refuse; the column is the same.
pub fn zeros<T: Copy + Default + Zeroize>(len: usize) -> Zeroizing<Vec<T>>
where
    Vec<T>: Zeroize,
{
    let column = vec![T::default(); len];
    advise(&column);
    Zeroizing::new(column)
}

#[cfg(target_os = "linux")]
fn advise<T>(column: &[T]) {
    const PAGE_BYTES: usize = 4096;
    const LARGE_PAGE_BYTES: usize = 2 << 20;
    let bytes = column.as_ptr_range();
    let start = (bytes.start as usize).next_multiple_of(PAGE_BYTES);
    let end = bytes.end as usize / PAGE_BYTES * PAGE_BYTES;
    if end.saturating_sub(start) >= LARGE_PAGE_BYTES {
        // SAFETY: the range lies within the column, and the advice changes no byte of it. A refusal costs time only
        unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn advise<T>(_: &[T]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_any_length_is_zero_and_can_be_written() {
        for len in [0, 1, 5000, 1 << 20] {
            let mut column = zeros::<[u64; 2]>(len);
            assert!(column.iter().all(|element| *element == [0; 2]));
            column.fill([1; 2]);
            assert_eq!(column.len(), len);
        }
    }
}
