//! Judges the reader on `corpus/held-out/*.txt`, sentences that it never learnt from, field by field:
//! `[APPORTION_E5=ENCODER-FILE] cargo run --release -p apportion-language --example judge [-- --show] [FILE...]`.

#![allow(clippy::print_stdout, reason = "a command")]

mod score;

use anyhow::{Context, Result};
use apportion_language::reading::{Heads, Model, Reader};
use apportion_model::encoder::SentenceEncoder;
use score::Tally;
use std::{path::PathBuf, sync::Arc};

fn main() -> Result<()> {
    let (flags, files): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|word| word.starts_with("--"));
    let show = flags.iter().any(|flag| flag == "--show");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/held-out/");
    let files = if files.is_empty() { ["en", "zh"].map(|name| format!("{folder}{name}.txt")).to_vec() } else { files };
    let reader = reader()?;
    for file in files.into_iter().map(PathBuf::from) {
        Tally::of(&reader, &file, show)?.print(&file.display().to_string());
    }
    Ok(())
}

/// The reader with the weights as they lie in `weights/`, and with the encoder whose file APPORTION_E5 names.
fn reader() -> Result<Reader> {
    let weights = |name: &str| {
        let file = format!("{}/weights/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(&file).with_context(|| file.clone())
    };
    let embedded = Reader::with(Model::from_file(&weights("reader.bin")?)?);
    let Some(path) = std::env::var_os("APPORTION_E5") else { return Ok(embedded) };
    let encoder = SentenceEncoder::from_file(std::fs::read(path)?)?;
    Ok(embedded.with_heads(Heads::from_file(&weights("heads.bin")?)?, Arc::new(encoder))?)
}
