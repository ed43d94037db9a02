//! Trains the embedded sentence classifier from `corpus/` and writes `weights/reader.bin`:
//! `cargo run --release -p apportion-language --example train`. With `--held-out` it first trains on four fifths of the
//! corpus and prints how the other fifth is read. Same corpus, same bytes.

#![allow(clippy::print_stdout, reason = "a command")]

mod corpus;
mod vary;

use anyhow::{Context, Result};
use apportion_language::reading::{
    Kind, Model, Reader, Reading,
    learn::{Config, Random, Sample, fit},
};
use corpus::Line;
use jiff::Zoned;
use std::path::Path;

/// How often each line is varied.
const COPIES: usize = 6;
/// Neighbouring lines are alike, so blocks of them stay together on one side of a split.
const BLOCK: usize = 8;

fn main() -> Result<()> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lines = corpus::read(&home.join("corpus"))?;
    let names = std::fs::read_to_string(home.join("corpus/names.txt")).context("corpus/names.txt")?;
    let names: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
    let now: Zoned = "2026-11-23T09:00:00+08:00[Asia/Shanghai]".parse()?;
    let chinese = lines.iter().filter(|line| line.chinese).count();
    println!("{} English and {chinese} Chinese lines, {} names", lines.len() - chinese, names.len());
    if std::env::args().any(|argument| argument == "--held-out") {
        held_out(&lines, &names, &now);
    }
    let model = train(&lines, &names, &now);
    let file = home.join("weights/reader.bin");
    std::fs::write(&file, model.to_file()).with_context(|| file.display().to_string())?;
    println!("wrote {} ({} bytes)", file.display(), model.to_file().len());
    Ok(())
}

fn train(lines: &[Line], names: &[String], now: &Zoned) -> Model {
    let mut random = Random(7);
    let mut samples: Vec<Sample> = Vec::new();
    for line in lines {
        samples.push(line.plain());
        samples.extend((0..COPIES).map(|_| vary::vary(line, names, &mut random)));
    }
    fit(&samples, names, now, &Config::default())
}

fn held_out(lines: &[Line], names: &[String], now: &Zoned) {
    let mut tallies = [Tally::default(), Tally::default()];
    for fold in 0..5 {
        let (test, train_on): (Vec<_>, Vec<_>) =
            lines.iter().cloned().enumerate().partition(|(at, _)| at / BLOCK % 5 == fold);
        let strip = |lines: Vec<(usize, Line)>| lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>();
        let reader = Reader::with(train(&strip(train_on), names, now));
        for line in strip(test) {
            let sample = line.plain();
            let reading = reader.interpret(&sample.text, now, &[]);
            tallies[usize::from(line.chinese)].add(&sample, &reading);
        }
        if std::env::args().any(|argument| argument == "--one-fold") {
            break;
        }
    }
    for (language, tally) in ["English", "Chinese"].into_iter().zip(tallies) {
        tally.print(language);
    }
}

/// How held-out sentences were read.
#[derive(Default)]
struct Tally {
    count: usize,
    right: [usize; 7],
    sure: usize,
    sure_right: usize,
    acting: usize,
    unsafe_ones: usize,
}

const FIELDS: [&str; 7] = ["all", "kind", "resource", "effect", "direction", "level", "names"];

impl Tally {
    fn add(&mut self, sample: &Sample, reading: &Reading) {
        let labels = &sample.labels;
        let same = [
            labels.kind == reading.kind,
            labels.topic == reading.resource,
            labels.effect == reading.effect,
            labels.direction == reading.direction,
            labels.level == reading.level,
            sample.labels.kind == Kind::None || sample.names == reading.workloads,
        ];
        let all = same.iter().all(|same| *same);
        self.count += 1;
        self.right[0] += usize::from(all);
        for (right, same) in self.right[1..].iter_mut().zip(same) {
            *right += usize::from(same);
        }
        self.sure += usize::from(reading.sure);
        self.sure_right += usize::from(reading.sure && all);
        self.acting += usize::from(!labels.kind.acts());
        self.unsafe_ones += usize::from(!labels.kind.acts() && reading.kind.acts());
        if !all && std::env::args().any(|argument| argument == "--show") {
            println!(
                "{}\n    want {:?} {:?}\n    got  {:?} {:?} {:?} {:?} {:?} {:?} sure {:.2}",
                sample.text,
                labels,
                sample.names,
                reading.kind,
                reading.resource,
                reading.effect,
                reading.direction,
                reading.level,
                reading.workloads,
                reading.confidence
            );
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "small counts")]
    fn print(&self, language: &str) {
        let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        let fields: Vec<String> = FIELDS
            .iter()
            .zip(self.right)
            .map(|(field, right)| format!("{field} {:.3}", share(right, self.count)))
            .collect();
        println!(
            "{language}: {} held out; {}; sure {:.3}, of those right {:.3}; inert read as acting {}/{}",
            self.count,
            fields.join(" "),
            share(self.sure, self.count),
            share(self.sure_right, self.sure),
            self.unsafe_ones,
            self.acting
        );
    }
}
