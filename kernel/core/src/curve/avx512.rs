//! Sixteen points at once, in two groups of eight.

super::lanes::define!(avx512, "avx512f,avx512dq,avx512ifma");
