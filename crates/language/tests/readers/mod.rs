//! The readers that hostile sentences are put through.

#![allow(unreachable_pub, clippy::print_stdout, reason = "shared by tests of two crates")]

use apportion_language::reading::Reader;
use apportion_model::encoder::SentenceEncoder;
use std::sync::Arc;

/// The embedded reader, and the one with the encoder where `APPORTION_E5` names its file.
pub fn readers() -> Vec<Reader> {
    let embedded = Reader::embedded().unwrap();
    let Some(path) = std::env::var_os("APPORTION_E5") else {
        println!("LEFT OUT: with the encoder (APPORTION_E5 names its file)");
        return vec![embedded];
    };
    let encoder = Arc::new(SentenceEncoder::from_file(std::fs::read(path).unwrap()).unwrap());
    let encoded = embedded.clone().with_encoder(encoder).unwrap();
    vec![embedded, encoded]
}
