//! Trains the telemetry Transformer on series files, with synthetic series made on the way.
//!
//! ```text
//! cargo run --release -p apportion-model --example train -- SERIES_FILE OUT_FOLDER [key=value ...]
//! ```
//! Keys: `steps`, `seed`, `threads`, `peak` (learning rate), `every` (steps between reports), `holdout` (one workload in
//! this many is kept out to judge by). OUT_FOLDER gets `checkpoint.safetensors` (a run goes on from it), `weights.safetensors`
//! and `log.csv`. See `docs/training.md` for the format of a series file.

#![allow(clippy::print_stdout, clippy::cast_sign_loss, clippy::cast_possible_wrap)]

#[path = "support/series_file.rs"]
mod series_file;
#[path = "support/validation.rs"]
mod validation;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use apportion_model::training::{Checkpoint, TrainConfig, TrainSet, Trainer};
use series_file::NamedSeries;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, out, rest @ ..] = arguments.as_slice() else {
        return Err("usage: train SERIES_FILE OUT_FOLDER [key=value ...]".into());
    };
    let keys: BTreeMap<&str, &str> = rest.iter().filter_map(|pair| pair.split_once('=')).collect();
    let all = series_file::read(Path::new(input))?;
    let holdout: u64 = get(&keys, "holdout", 10)?;
    let (kept, held): (Vec<_>, Vec<_>) = all.into_iter().partition(|series| !series.is_held_out(holdout));
    println!("{} series to learn from, {} held out", kept.len(), held.len());
    let set = TrainSet { series: kept.into_iter().map(|named| named.series).collect() };
    run(Path::new(out), &keys, &set, &held)
}

fn run(out: &Path, keys: &BTreeMap<&str, &str>, set: &TrainSet, held: &[NamedSeries]) -> Outcome<()> {
    std::fs::create_dir_all(out)?;
    let path = out.join("checkpoint.safetensors");
    let threads = get(keys, "threads", 2)?;
    let mut trainer = if path.exists() {
        Trainer::resume(Checkpoint::load(&path)?, set, threads)
    } else {
        let mut config = TrainConfig { seed: get(keys, "seed", 1)?, ..TrainConfig::default() };
        config.schedule.peak = get(keys, "peak", config.schedule.peak)?;
        Trainer::new(config, set, threads)
    };
    trainer.set_steps(get(keys, "steps", trainer.checkpoint().config().schedule.steps)?);
    let mut log = OpenOptions::new().create(true).append(true).open(out.join("log.csv"))?;
    let every: u64 = get(keys, "every", 100)?;
    let (mut since, mut loss, mut windows) = (Instant::now(), 0.0, 0);
    while let Some(progress) = trainer.step() {
        loss += progress.loss;
        windows += progress.windows;
        let last = progress.step == progress.steps;
        if progress.step % every == 0 || last {
            let seconds = since.elapsed().as_secs_f64();
            let left_min = (progress.steps - progress.step) as f64 * seconds / every as f64 / 60.0;
            println!(
                "step {}/{} loss {:.4} norm {:.2} rate {:.1e} {:.0} windows/s, {left_min:.0} min left",
                progress.step,
                progress.steps,
                loss / every as f64,
                progress.gradient_norm,
                progress.rate,
                windows as f64 / seconds
            );
            writeln!(log, "{},{:.5},{:.1e}", progress.step, loss / every as f64, progress.rate)?;
            (since, loss, windows) = (Instant::now(), 0.0, 0);
        }
        if progress.step % (every * 10) == 0 || last {
            trainer.checkpoint().save(&path)?;
            std::fs::write(out.join("weights.safetensors"), trainer.model().to_bytes()?)?;
            let report = validation::report(&trainer.model(), held, threads);
            println!("{report}");
            writeln!(log, "# step {}: {report}", progress.step)?;
            since = Instant::now();
        }
    }
    Ok(())
}

fn get<T: std::str::FromStr>(keys: &BTreeMap<&str, &str>, key: &str, default: T) -> Outcome<T> {
    let bad = |value: &str| format!("{key}={value} is not a number of the right kind");
    keys.get(key).map_or(Ok(default), |value| value.parse().map_err(|_| bad(value).into()))
}
