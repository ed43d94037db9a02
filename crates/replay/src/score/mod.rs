//! How decisions are judged.
//!
//! First per series, from decisions and usage alone ([`tally`]), then together per policy and metric ([`total`]), with intervals
//! over workloads ([`bootstrap`]) and by kind of workload ([`class`]); replicas also by what they cost and how late they came
//! ([`scaling`]), and with their size ([`together`]).

pub mod bootstrap;
pub mod class;
pub mod scaling;
pub mod tally;
pub mod together;
pub mod total;
