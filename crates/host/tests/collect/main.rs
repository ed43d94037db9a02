//! Collectors on fake machines.

#![allow(unreachable_pub, reason = "a test binary has no outside")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_lossless,
    clippy::cast_possible_truncation,
    reason = "small numbers"
)]

mod cgroupfs;
mod groups;
mod machine;
mod process;
mod prometheus;
mod real;
mod real_prometheus;
mod support;
