//! The store from outside: what goes in comes out, whatever happens in between.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a test may panic, and its numbers are small"
)]

mod crash;
mod faults;
mod fixtures;
mod ledger;
mod series;
