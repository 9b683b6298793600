//! How many threads the kernel may use. One pool for the process, chosen by the caller, never by the kernel.

use std::sync::{Arc, RwLock};

use rayon::{ThreadPool, ThreadPoolBuilder};

static POOL: RwLock<Option<Arc<ThreadPool>>> = RwLock::new(None);

/// Lets every later kernel call use `count` threads; 0 means one per core.
pub fn set(count: usize) -> Result<(), String> {
    let pool = ThreadPoolBuilder::new()
        .num_threads(count)
        .thread_name(|index| format!("kernel-{index}"))
        .build()
        .map_err(|error| format!("cannot start {count} kernel threads: {error}"))?;
    *POOL
        .write()
        .unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(Arc::new(pool));
    Ok(())
}

/// Runs `work` inside the chosen pool, or inside rayon's own (one thread a core) when none was chosen.
pub fn run<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let pool = POOL
        .read()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
        .clone();
    match pool {
        Some(pool) => pool.install(work),
        None => work(),
    }
}
