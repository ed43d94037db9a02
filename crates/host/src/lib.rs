//! Every contact with the machine and the cluster. The only crate that reads or writes anything outside the process.

pub mod act;
pub mod cgroupfs;
pub mod collect;
pub mod fuzzed;
pub mod store;
pub mod trace;
