//! See `bodies::parquet`.
#![no_main]

#[allow(dead_code)]
#[path = "../bodies.rs"]
mod bodies;

// Panics of the library below are caught by the reader; the fuzzer's own hook would end the process before that.
libfuzzer_sys::fuzz_target!(init: drop(std::panic::take_hook()), |bytes: &[u8]| bodies::parquet(bytes));
