//! Collectors on fake machines.

#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod cgroupfs;
mod support;
