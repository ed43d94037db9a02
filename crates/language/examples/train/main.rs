//! Trains the embedded sentence classifier from `corpus/` and writes `weights/reader.bin`:
//! `cargo run --release -p apportion-language --example train`. With `--held-out` it first trains on four fifths of the
//! corpus and prints how the other fifth is read. Same corpus, same bytes.

#![allow(clippy::print_stdout, reason = "a command")]

mod corpus;
mod vary;

use anyhow::{Context, Result};
use apportion_language::reading::{
    Kind, Reader, Reading,
    learn::{Config, Prepared, Random, Sample, fit, fit_heads, prepare},
};
use apportion_model::encoder::SentenceEncoder;
use corpus::Line;
use jiff::Zoned;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// How often each line is varied.
const COPIES: usize = 6;
/// How often where each variation is encoded, which takes most of the time.
const ENCODED_COPIES: usize = 2;
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
    let encoder = encoder()?;
    let plain = prepared(&lines, &names, &now, None);
    let encoded = encoder.as_ref().map(|encoder| prepared(&lines, &names, &now, Some(encoder)));
    let embedded = |kept: &dyn Fn(usize) -> bool| fit(&pick(&plain, kept), &names, &Config::default());
    let heads = |kept: &dyn Fn(usize) -> bool| {
        encoded.as_ref().map(|encoded| fit_heads(&pick(encoded, kept), &names, &Config::default()))
    };
    write(&home.join("weights/reader.bin"), &embedded(&|_| true).to_file())?;
    if let Some(heads) = heads(&|_| true) {
        write(&home.join("weights/heads.bin"), &heads.to_file())?;
    }
    if std::env::args().any(|argument| argument == "--held-out") {
        held_out(&lines, &now, |kept| Ok(Reader::with(embedded(kept))))?;
        if let Some(encoder) = &encoder {
            println!("with the encoder:");
            held_out(&lines, &now, |kept| {
                let heads = heads(kept).context("there is an encoder")?;
                Ok(Reader::with(embedded(kept)).with_heads(heads, Arc::clone(encoder))?)
            })?;
        }
    }
    Ok(())
}

/// The samples of the lines that are kept.
fn pick<'a>(from: &'a [Vec<Prepared>], kept: &dyn Fn(usize) -> bool) -> Vec<&'a Prepared> {
    from.iter().enumerate().filter(|(at, _)| kept(*at)).flat_map(|(_, samples)| samples).collect()
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(file, bytes).with_context(|| file.display().to_string())?;
    println!("wrote {} ({} bytes)", file.display(), bytes.len());
    Ok(())
}

/// The encoder whose file follows `--encoder`.
fn encoder() -> Result<Option<Arc<SentenceEncoder>>> {
    let Some(path) = std::env::args().skip_while(|argument| argument != "--encoder").nth(1) else { return Ok(None) };
    let bytes = std::fs::read(&path).with_context(|| path.clone())?;
    Ok(Some(Arc::new(SentenceEncoder::from_file(bytes).context(path)?)))
}

/// Every line with its variations, ready to be learnt from.
fn prepared(lines: &[Line], names: &[String], now: &Zoned, encoder: Option<&SentenceEncoder>) -> Vec<Vec<Prepared>> {
    let copies = if encoder.is_some() { ENCODED_COPIES } else { COPIES };
    let done = AtomicUsize::new(0);
    let one = |(at, line): (usize, &Line)| {
        let mut random = Random(7 + 1000 * at as u64);
        let samples = std::iter::once(line.plain()).chain((0..copies).map(|_| vary::vary(line, names, &mut random)));
        let prepared = samples.map(|sample| prepare(&sample, now, encoder)).collect();
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if encoder.is_some() && done.is_multiple_of(500) {
            println!("encoded {done} of {} lines", lines.len());
        }
        prepared
    };
    let half = lines.len() / 2;
    let (first, second) = lines.split_at(half);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| first.iter().enumerate().map(one).collect::<Vec<_>>());
        let second: Vec<_> = second.iter().enumerate().map(|(at, line)| one((half + at, line))).collect();
        let mut all = other.join().unwrap_or_default();
        all.extend(second);
        all
    })
}

/// Five folds: each is read by what learnt from the others.
fn held_out(
    lines: &[Line],
    now: &Zoned,
    mut train: impl FnMut(&dyn Fn(usize) -> bool) -> Result<Reader>,
) -> Result<()> {
    let mut tallies = [Tally::default(), Tally::default()];
    for fold in 0..5 {
        let reader = train(&|at| at / BLOCK % 5 != fold)?;
        for (_, line) in lines.iter().enumerate().filter(|(at, _)| at / BLOCK % 5 == fold) {
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
    Ok(())
}

/// How held-out sentences were read.
#[derive(Default)]
struct Tally {
    count: usize,
    right: [usize; 7],
    sure: usize,
    sure_right: usize,
    /// Confidence of those that were sure, and whether they were right.
    confidences: Vec<(f32, bool)>,
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
        if reading.sure {
            self.confidences.push((reading.confidence, all));
        }
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
        for least in [0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.99] {
            let kept = self.confidences.iter().filter(|(confidence, _)| *confidence >= least);
            let right = kept.clone().filter(|(_, right)| *right).count();
            let (kept, count) = (kept.count(), self.count);
            println!(
                "    at confidence {least}: accepted {:.3}, of those right {:.3}",
                share(kept, count),
                share(right, kept)
            );
        }
    }
}
