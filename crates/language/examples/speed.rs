//! What reading costs on one core: `cargo run --release -p apportion-language --example speed [-- ENCODER-FILE]`. Prints, in
//! processor time, what comes before the first reading and a sentence takes (the quickest of five), and memory.

#![allow(clippy::print_stdout, reason = "a command")]

mod cost;

use anyhow::{Context, Result};
use apportion_language::reading::Reader;
use apportion_model::encoder::SentenceEncoder;
use cost::processor;
use jiff::Zoned;
use std::{sync::Arc, time::Duration};

/// Readings of each sentence; the quickest counts.
const PASSES: usize = 5;
const SENTENCES: [&str; 2] = [include_str!("../corpus/en-spoken.txt"), include_str!("../corpus/zh-spoken.txt")];

fn main() -> Result<()> {
    let now: Zoned = "2026-11-23T09:00:00+08:00[Asia/Shanghai]".parse()?;
    let begin = processor();
    let mut reader = Reader::embedded()?;
    std::hint::black_box(reader.interpret("limit web to 2 cores", &now, &[]));
    println!("embedded: first reading after {:.1} ms", ms(processor() - begin));
    report(&reader, &now);
    if let Some(path) = std::env::args().nth(1) {
        let begin = processor();
        let bytes = std::fs::read(&path).with_context(|| path.clone())?;
        reader = reader.with_encoder(Arc::new(SentenceEncoder::from_file(bytes)?))?;
        println!("encoder: loaded after {:.1} ms", ms(processor() - begin));
        report(&reader, &now);
    }
    Ok(())
}

/// Median and slowest sentence of both languages, and the most memory so far.
fn report(reader: &Reader, now: &Zoned) {
    for (language, text) in ["English", "Chinese"].into_iter().zip(SENTENCES) {
        let lines = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.replace(['{', '}'], ""));
        let mut times: Vec<Duration> = lines.map(|line| quickest(reader, &line, now)).collect();
        times.sort_unstable();
        let at = |share: usize| ms(times[(times.len() - 1) * share / 100]);
        let count = times.len();
        println!(
            "  {language}, {count} sentences: median {:.2} ms, 95 % {:.2} ms, most {:.2} ms",
            at(50),
            at(95),
            at(100)
        );
    }
    println!("  most memory so far {}", memory());
}

fn quickest(reader: &Reader, line: &str, now: &Zoned) -> Duration {
    let one = || {
        let begin = processor();
        std::hint::black_box(reader.interpret(line, now, &[]));
        processor() - begin
    };
    (0..PASSES).map(|_| one()).min().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// As the kernel says it (Linux).
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("unknown").trim().to_owned()
}
