//! Eight points at once, in two groups of four.

super::lanes::define!(avx2, "avx2");
