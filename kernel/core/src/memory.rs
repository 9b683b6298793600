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

/// Words that begin at a cache line, as vectors like them; wiped when dropped.
#[derive(Clone, Default)]
pub struct Words {
    lines: Vec<Line>,
    len: usize,
}

#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
struct Line([u64; 8]);

impl Words {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let lines = vec![Line::default(); len.div_ceil(8)];
        advise(&lines);
        Self { lines, len }
    }
}

impl std::ops::Deref for Words {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        // SAFETY: the lines are words without gaps, at least `len` of them
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl std::ops::DerefMut for Words {
    fn deref_mut(&mut self) -> &mut [u64] {
        // SAFETY: as above
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl std::fmt::Debug for Words {
    /// Says how many there are, not what they are: they may be secret.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} words", self.len)
    }
}

impl Zeroize for Words {
    fn zeroize(&mut self) {
        self.iter_mut().zeroize();
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl zeroize::ZeroizeOnDrop for Words {}

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
    fn words_begin_at_a_line_and_are_as_many_as_asked_for() {
        for len in [0, 1, 8, 4097] {
            let mut words = Words::zeros(len);
            assert_eq!(words.as_ptr() as usize % 64, 0);
            assert!(words.len() == len && words.iter().all(|word| *word == 0));
            words.fill(3);
            assert_eq!(words.clone().iter().sum::<u64>(), 3 * len as u64);
            words.zeroize();
            assert!(words.iter().all(|word| *word == 0));
        }
    }

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
