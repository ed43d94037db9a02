//! `apportion train`: a telemetry network from recorded series and synthetic ones.

use super::{say, say_aside};
use crate::{args::Global, daemon, learn, tuning::replace};
use anyhow::Context as _;
use apportion_core::Time;
use apportion_model::{
    telemetry::ModelConfig,
    training::{Checkpoint, Progress, TrainConfig, TrainSeries, TrainSet, Trainer, validate},
};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

/// Steps between two lines of the log.
const LOG_EVERY: u64 = 25;

/// What passes information along a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Network {
    /// Causal attention: what is shipped.
    Transformer,
    /// A recurrent network of the same size.
    Gru,
}

/// Arguments of `train`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Learns from the first nine tenths of each series; one workload in --holdout is kept out to judge by. Series that are made up on
the way are mixed in. DIR gets weights.safetensors, checkpoint.safetensors (a run that was stopped goes on from it), log.csv,
loss.svg and conditions.json. The same series, seed and settings give the same weights at any number of threads.

Examples:
  apportion train usage.parquet more.csv --out trained
  apportion train --from-store --steps 2000 --out trained
  apportion forecast usage.parquet --horizon 288 --model weights:trained/weights.safetensors --out forecast.parquet"
)]
pub struct Train {
    /// Recorded usage: columns workload, metric, time, value; Parquet or CSV. Each file is a group of its own.
    #[arg(value_name = "TRACE")]
    pub traces: Vec<PathBuf>,
    /// Learn from the own store too: 90 days of five minutes.
    #[arg(long)]
    pub from_store: bool,
    /// Which network.
    #[arg(long, value_enum, default_value = "transformer")]
    pub model: Network,
    /// Steps of 4,000 predictions each.
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(10..=10_000_000))]
    pub steps: u64,
    /// Steps from one checkpoint to the next, each with a score on what was held out.
    #[arg(long, value_name = "N", default_value_t = 250, value_parser = clap::value_parser!(u64).range(1..))]
    pub checkpoint_every: u64,
    /// Seed of the first weights and of every draw.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Threads; all by default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub threads: Option<u16>,
    /// One workload in so many is kept out to judge by.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..))]
    pub holdout: u64,
    /// Where to write; made where it does not exist.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Trains, or goes on with a training that was stopped.
///
/// # Errors
/// A trace or the store cannot be read, DIR holds a checkpoint of another training, or a file cannot be written.
pub fn run(global: &Global, args: &Train) -> anyhow::Result<()> {
    let learnt = Learnt::read(global, args)?;
    say_aside(&format!("{} series to learn from, {} held out", learnt.set.series.len(), learnt.held.len()));
    fs::create_dir_all(&args.out).with_context(|| format!("{}", args.out.display()))?;
    let threads = crate::spread::threads(args.threads);
    let mut trainer = begin(args, &learnt, threads)?;
    replace(&args.out.join("conditions.json"), format!("{:#}\n", conditions(args, &learnt)).as_bytes())?;
    let mut log = Log::open(&args.out.join("log.csv"), trainer.checkpoint().step())?;
    let bar = progress(args.steps, trainer.checkpoint().step())?;
    while let Some(step) = trainer.step() {
        log.note(&step, &bar)?;
        anyhow::ensure!(
            !trainer.has_diverged(),
            "step {}: the gradient is not finite, step after step, so nothing is learnt any more; {} and its weights are those of the \
             last checkpoint before; try another --seed and --out, or look at the series",
            step.step,
            args.out.display()
        );
        if step.step == step.steps || step.step.is_multiple_of(args.checkpoint_every) {
            keep(&args.out, &trainer, &learnt, threads, &bar)?;
        }
    }
    bar.finish_and_clear();
    fs::write(args.out.join("loss.svg"), super::loss_plot::svg(&log.losses))?;
    say(&format!("{}", args.out.join("weights.safetensors").display()));
    Ok(())
}

/// The store is read up to a quarter of an hour ago: by then all that speaks of a step has come in, and is the same ever after.
const SETTLED_S: i64 = 900;

/// What was found to learn from.
struct Learnt {
    set: TrainSet,
    /// To judge by.
    held: Vec<TrainSeries>,
    sources: Vec<String>,
    /// The end of what was read of the store.
    store_until_s: Option<i64>,
    digest: String,
}

impl Learnt {
    fn read(global: &Global, args: &Train) -> anyhow::Result<Self> {
        let store_until_s = args.from_store.then(|| store_until_s(args));
        let until = store_until_s.map(Time::from_s);
        let (found, sources) = learn::read(global, &args.traces, until, learn::TO_LEARN)?;
        let digest = learn::digest(&found);
        let (held, own): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| found.is_held_out(args.holdout));
        let [held, series] = [held, own].map(|part| part.into_iter().map(learn::Found::into_train_by_source).collect());
        let set = TrainSet { series, replay: Vec::new() };
        Ok(Self { set, held, sources, store_until_s, digest })
    }
}

/// Where a training that goes on stopped reading the store, since the store itself goes on; of a new one, the last whole step.
fn store_until_s(args: &Train) -> i64 {
    let before = args.out.join("checkpoint.safetensors").exists().then(|| kept_conditions(args).ok()).flatten();
    let step_s = i64::from(learn::STORE_STEP_S);
    let settled_s = || (daemon::now().s() - SETTLED_S).div_euclid(step_s) * step_s;
    before.and_then(|before| before["store_until_s"].as_i64()).unwrap_or_else(settled_s)
}

/// What the folder says of the training in it.
fn kept_conditions(args: &Train) -> anyhow::Result<serde_json::Value> {
    let path = args.out.join("conditions.json");
    let text =
        fs::read_to_string(&path).with_context(|| format!("{}: what the checkpoint learnt from", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{}", path.display()))
}

/// A training goes on from its checkpoint, if that is of the same network, seed and series.
fn begin<'a>(args: &Train, learnt: &'a Learnt, threads: usize) -> anyhow::Result<Trainer<'a>> {
    let model = if args.model == Network::Gru { ModelConfig::recurrent() } else { ModelConfig::default() };
    let mut config = TrainConfig { model, seed: args.seed, ..TrainConfig::default() };
    config.schedule.steps = args.steps;
    config.schedule.warm_up_steps = config.schedule.warm_up_steps.min(args.steps / 10);
    let path = args.out.join("checkpoint.safetensors");
    if !path.exists() {
        return Ok(Trainer::new(config, &learnt.set, threads));
    }
    let checkpoint = Checkpoint::load(&path)?;
    let (before, now) = (checkpoint.config(), &config);
    if (before.model, before.seed) != (now.model, now.seed) {
        anyhow::bail!(
            "{}: a training of another network or seed; give another --out, or delete it to start afresh",
            path.display()
        );
    }
    same_series(args, learnt)?;
    say_aside(&format!("{}: going on from step {}", path.display(), checkpoint.step()));
    let mut trainer = Trainer::resume(checkpoint, &learnt.set, threads);
    let (done, before) = (trainer.checkpoint().step(), trainer.checkpoint().config().schedule.steps);
    anyhow::ensure!(
        trainer.set_schedule(config.schedule),
        "{}: the {done} steps done are not those that a training of {} steps begins with (fewer steps, or other learning rates), so \
         that nobody could repeat it; give --steps {before}, or another --out",
        path.display(),
        args.steps
    );
    Ok(trainer)
}

/// A checkpoint goes on only with what it began with: other series would give weights that nobody could repeat.
fn same_series(args: &Train, learnt: &Learnt) -> anyhow::Result<()> {
    let path = args.out.join("conditions.json");
    let (before, now) = (kept_conditions(args)?, conditions(args, learnt));
    if let Some(key) = ["sha256_of_series", "holdout"].into_iter().find(|key| before[*key] != now[*key]) {
        anyhow::bail!(
            "{}: the training in this folder has {key} {}, these series have {}; name the traces it began with ({}), or \
             give another --out (of a store, the oldest days go with time)",
            path.display(),
            before[key],
            now[key],
            before["sources"],
        );
    }
    Ok(())
}

fn conditions(args: &Train, learnt: &Learnt) -> serde_json::Value {
    serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "network": format!("{:?}", args.model).to_lowercase(),
        "steps": args.steps,
        "seed": args.seed,
        "series": learnt.set.series.len(),
        "holdout": args.holdout,
        "held_out": learnt.held.len(),
        "sources": learnt.sources,
        "store_until_s": learnt.store_until_s,
        "sha256_of_series": learnt.digest,
    })
}

/// Weights and checkpoint on disk, and how well the weights do on what was held out.
fn keep(out: &Path, trainer: &Trainer<'_>, learnt: &Learnt, threads: usize, bar: &ProgressBar) -> anyhow::Result<()> {
    let model = trainer.model();
    trainer.checkpoint().save(&out.join("checkpoint.safetensors"))?;
    replace(&out.join("weights.safetensors"), &model.to_bytes()?)?;
    if let Some(score) = validate(&model, &learnt.held, threads) {
        bar.suspend(|| say_aside(&format!("held out, quantile loss relative to seasonal naive: {score}")));
    }
    Ok(())
}

fn progress(steps: u64, done: u64) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:30} step {pos}/{len}, {msg}, {eta} left")?;
    let bar = ProgressBar::new(steps).with_style(style);
    bar.reset_eta();
    bar.set_position(done);
    Ok(bar)
}

/// Mean loss of every [`LOG_EVERY`] steps, to the file and the bar.
struct Log {
    file: fs::File,
    since: Instant,
    loss: f64,
    steps: u64,
    windows: usize,
    /// Step and mean loss so far.
    losses: Vec<(u64, f64)>,
}

impl Log {
    /// Goes on with the lines up to `step`; what a run wrote after its last checkpoint is done again.
    fn open(path: &Path, step: u64) -> anyhow::Result<Self> {
        let before = fs::read_to_string(path).unwrap_or_default();
        let parse = |line: &str| {
            let mut parts = line.split(',');
            Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
        };
        let losses: Vec<(u64, f64)> = before.lines().filter_map(parse).filter(|(at, _)| *at <= step).collect();
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(path)?;
        writeln!(file, "step,loss,rate,windows_per_s")?;
        for line in before.lines().filter(|line| parse(line).is_some_and(|(at, _)| at <= step)) {
            writeln!(file, "{line}")?;
        }
        Ok(Self { file, since: Instant::now(), loss: 0.0, steps: 0, windows: 0, losses })
    }

    fn note(&mut self, step: &Progress, bar: &ProgressBar) -> anyhow::Result<()> {
        self.loss += step.loss;
        self.steps += 1;
        self.windows += step.windows;
        bar.set_position(step.step);
        if !step.step.is_multiple_of(LOG_EVERY) && step.step != step.steps {
            return Ok(());
        }
        #[allow(clippy::cast_precision_loss, reason = "counts of a few thousand")]
        let (loss, speed) =
            (self.loss / self.steps as f64, self.windows as f64 / self.since.elapsed().as_secs_f64().max(1e-9));
        writeln!(self.file, "{},{loss:.5},{:.1e},{speed:.0}", step.step, step.rate)?;
        bar.set_message(format!("loss {loss:.4}, {speed:.0} windows/s"));
        self.losses.push((step.step, loss));
        (self.since, self.loss, self.steps, self.windows) = (Instant::now(), 0.0, 0, 0);
        Ok(())
    }
}
