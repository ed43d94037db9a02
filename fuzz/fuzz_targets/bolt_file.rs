//! See `model_bodies::bolt_file`.
#![no_main]

#[allow(dead_code)]
#[path = "../model_bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::bolt_file(bytes));
