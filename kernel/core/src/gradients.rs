//! Boosting: losses, their gradients and figures, and the rounding of gradients to a few bits.
//!
//! The same bits on every machine, at every vector width and with any number of threads: exponential and logarithm are our
//! own, sums run in a fixed order.

pub mod elementary;
pub mod losses;
pub mod measures;
pub mod quantiles;
pub mod ranking;
pub mod rounding;
mod vectors;

pub use losses::{Loss, Rows};
pub use rounding::{Scales, quantise};

#[cfg(test)]
mod tests;
