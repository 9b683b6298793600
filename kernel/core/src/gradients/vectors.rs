//! One source for all vector widths: the compiler makes a copy of a task for each set of instructions.
//!
//! Tasks are loops of IEEE operations in a written order, so that every copy gives the same bits.

use crate::simd::Path;

/// Loops over columns. Implementations mark `run`, and all that it calls, `#[inline(always)]`: what is not inlined
/// keeps the instructions that every processor has.
pub trait Task {
    type Output;
    fn run(self) -> Self::Output;
}

/// Runs the task with the instructions of `path`, which this processor must have.
pub fn run_on<T: Task>(path: Path, task: T) -> T::Output {
    assert!(path.is_available(), "a path that this processor has");
    match path {
        // SAFETY: the path is available, and has the instructions that the copy is compiled for
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => unsafe { run_avx2(task) },
        // SAFETY: as above
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => unsafe { run_avx512(task) },
        _ => task.run(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2<T: Task>(task: T) -> T::Output {
    task.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn run_avx512<T: Task>(task: T) -> T::Output {
    task.run()
}
