//! How much of each knob a workload should have. `docs/sizing.md` says how and how well.
//!
//! [`Track`] sizes one series by simulating many rules on its past and following the one that would have cost least while keeping
//! the share of time over that people allow.

mod bases;
mod grid;
mod kin;
mod level;
mod prior;
mod reason;
mod source;
mod track;
mod want;

pub use reason::{NEXT_LOWER, counterfactual, expected, used};
pub use track::{RISKS, Track, served_risk};

pub(crate) use source::Tracks;
pub(crate) use want::{AHEAD_S, assess};

#[cfg(test)]
mod tests;
