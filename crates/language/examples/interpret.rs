//! Reads sentences from standard input and prints one JSON object a line; now is 2026-11-23T09:00:00+08:00.

#![allow(clippy::print_stdout, reason = "a command")]

use apportion_language::reading::Reader;
use std::io::BufRead;

fn main() -> anyhow::Result<()> {
    let now: jiff::Zoned = "2026-11-23T09:00:00+08:00[Asia/Shanghai]".parse()?;
    let reader = Reader::embedded()?;
    for line in std::io::stdin().lock().lines() {
        println!("{}", reader.interpret_line(&line?, &now, &[]));
    }
    Ok(())
}
