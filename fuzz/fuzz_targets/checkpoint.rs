//! See `model_bodies::checkpoint`.
#![no_main]

#[allow(dead_code)]
#[path = "../model_bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::checkpoint(bytes));
