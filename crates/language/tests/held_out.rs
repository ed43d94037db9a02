//! The held-out sentences, for totals only: reading may not fall below what is measured (`docs/language.md`), and no more inert
//! sentences than were measured may be read as acting. With the encoder too, where `APPORTION_E5` names its file.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and uses a part of what `judge` does")]

#[path = "../examples/judge/score.rs"]
mod score;

use apportion_language::reading::Reader;
use apportion_model::encoder::SentenceEncoder;
use score::Tally;
use std::{path::Path, sync::Arc};

/// At least so many of 250 exactly right and accepted right, and at most so many inert ones read as acting.
fn check(reader: &Reader, language: &str, (right, sure_right, unsafe_most): (usize, usize, usize)) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("corpus/held-out/{language}.txt"));
    let tally = Tally::of(reader, &file, false).unwrap();
    tally.print(language);
    assert_eq!(tally.count, 250);
    assert!(tally.right >= right, "{} right", tally.right);
    assert!(tally.sure_right >= sure_right, "{} accepted and right", tally.sure_right);
    assert!(tally.unsafe_ones <= unsafe_most, "{} inert ones read as acting", tally.unsafe_ones);
    assert!(tally.sure - tally.sure_right <= 9, "{} accepted and wrong", tally.sure - tally.sure_right);
}

#[test]
fn embedded() {
    let reader = Reader::embedded().unwrap();
    check(&reader, "en", (218, 148, 1));
    check(&reader, "zh", (225, 184, 1));
}

#[test]
fn with_the_encoder() {
    let Some(path) = std::env::var_os("APPORTION_E5") else {
        println!("LEFT OUT: no encoder (APPORTION_E5 names its file)");
        return;
    };
    let encoder = Arc::new(SentenceEncoder::from_file(std::fs::read(path).unwrap()).unwrap());
    let reader = Reader::embedded().unwrap().with_encoder(encoder).unwrap();
    check(&reader, "en", (225, 159, 1));
    check(&reader, "zh", (225, 194, 1));
}
