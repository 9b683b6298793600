//! Which instructions the kernel uses: chosen once for the process, the same results on every path.
//!
//! A function with several paths is written `name_on(path, …)`, for tests and benchmarks, and `name(…)` which calls it
//! with [`path`]. The environment variable `HANSE_KERNEL_PATH` forces a path.

use std::sync::OnceLock;

/// The environment variable that forces a path: `portable`, `avx2` or `avx512`.
pub const VARIABLE: &str = "HANSE_KERNEL_PATH";

/// A set of instructions, each with all of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// What every processor has.
    Portable,
    /// AVX2, FMA, AES-NI, PCLMULQDQ, BMI2: x86-64 since 2013, Hygon as well.
    Avx2,
    /// AVX-512 F, BW, DQ, VL, VBMI, IFMA, VNNI, and VAES, VPCLMULQDQ, GFNI: Ice Lake, Zen 4 and later.
    Avx512,
}

/// All paths, the widest last.
pub const PATHS: [Path; 3] = [Path::Portable, Path::Avx2, Path::Avx512];

impl Path {
    /// The name that the variable takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Whether this processor has the instructions.
    #[cfg(target_arch = "x86_64")]
    pub fn is_available(self) -> bool {
        let avx2 = || {
            is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("aes")
                && is_x86_feature_detected!("pclmulqdq")
                && is_x86_feature_detected!("bmi2")
        };
        let avx512 = || {
            is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vbmi")
                && is_x86_feature_detected!("avx512ifma")
                && is_x86_feature_detected!("avx512vnni")
                && is_x86_feature_detected!("vaes")
                && is_x86_feature_detected!("vpclmulqdq")
                && is_x86_feature_detected!("gfni")
        };
        match self {
            Self::Portable => true,
            Self::Avx2 => avx2(),
            Self::Avx512 => avx2() && avx512(),
        }
    }

    /// Whether this processor has the instructions.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn is_available(self) -> bool {
        self == Self::Portable
    }
}

/// The paths that this processor can take, the widest last: what tests go through.
pub fn available() -> impl Iterator<Item = Path> {
    PATHS.into_iter().filter(|path| path.is_available())
}

/// The path of this process: the forced one, else the widest.
///
/// # Errors
/// When the variable names no path, or one that this processor cannot take.
pub fn choose() -> Result<Path, String> {
    static CHOSEN: OnceLock<Result<Path, String>> = OnceLock::new();
    CHOSEN
        .get_or_init(|| match std::env::var(VARIABLE) {
            Ok(name) => forced(&name),
            Err(_) => Ok(available().last().unwrap_or(Path::Portable)),
        })
        .clone()
}

/// As [`choose`]; a wrong variable, which the Python face refuses at import, means portable here.
pub fn path() -> Path {
    choose().unwrap_or(Path::Portable)
}

fn forced(name: &str) -> Result<Path, String> {
    let known = PATHS.map(Path::name).join(", ");
    let path = PATHS
        .into_iter()
        .find(|path| path.name() == name)
        .ok_or_else(|| format!("{VARIABLE}={name} is no path: choose one of {known}"))?;
    if path.is_available() {
        Ok(path)
    } else {
        Err(format!(
            "{VARIABLE}={name} asks for instructions that this processor lacks"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_path_is_refused_in_words() {
        assert!(
            forced("sse")
                .unwrap_err()
                .contains("portable, avx2, avx512")
        );
        assert_eq!(forced("portable"), Ok(Path::Portable));
    }

    #[test]
    fn a_path_has_all_of_the_one_before() {
        let taken: Vec<_> = available().collect();
        assert_eq!(taken[..], PATHS[..taken.len()]);
    }
}
