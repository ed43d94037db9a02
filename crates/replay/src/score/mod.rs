//! How decisions are judged.
//!
//! First per series, from decisions and usage alone ([`tally`]), then together per policy and metric ([`total`]), with intervals
//! over workloads ([`bootstrap`]) and by kind of workload ([`class`]).

pub mod bootstrap;
pub mod class;
pub mod tally;
pub mod total;
