//! `apportion tune`: the telemetry network on the user's own series.

use super::{NothingFound, say, say_aside};
use crate::{
    args::Global,
    daemon, learn,
    tuning::{self, Job, Version, VersionError, Versions, shipped},
};
use apportion_model::training::{GroupOutcome, Progress, TuneConfig};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::{fmt::Write as _, ops::ControlFlow, path::PathBuf};

/// Arguments of `tune`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Learns from the first nine tenths of each series, starting from the weights in force; half of what it sees is general (made up, and
from --replay), so that what is general is not forgotten. The last tenth judges: per metric, new weights are kept only where
their loss is lower by more than a standard error. Two to five minutes on two cores. `run`, and `forecast --from-store`, then
use them for the metrics they won; versions are in a folder beside the store and can be taken back.

Examples:
  apportion tune                                what the own store holds, 90 days of it
  apportion tune usage.parquet --steps 1000     trace files instead
  apportion tune --list                         versions, and what each won
  apportion tune --rollback                     the version before; --rollback 0 for the shipped weights

Exit status: 0 done, whether or not anything was kept; 1 failed; 3 too little history, or no such version."
)]
pub struct Tune {
    /// Recorded usage to tune on instead of the own store: columns workload, metric, time, value; Parquet or CSV.
    #[arg(value_name = "TRACE")]
    pub traces: Vec<PathBuf>,
    /// General recorded usage to mix in; may be given several times.
    #[arg(long, value_name = "TRACE")]
    pub replay: Vec<PathBuf>,
    /// Steps of 4,000 predictions each.
    #[arg(long, value_name = "N", default_value_t = TuneConfig::default().steps, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub steps: u64,
    /// Highest learning rate.
    #[arg(long, value_name = "RATE", default_value_t = TuneConfig::default().peak, value_parser = rate)]
    pub rate: f32,
    /// Seed of every draw.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Threads; all by default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub threads: Option<u16>,
    /// List the versions and what each won; tune nothing.
    #[arg(long, conflicts_with_all = ["traces", "rollback"])]
    pub list: bool,
    /// Put a version in force again: number N, 0 for the shipped weights, or without N the one before; tune nothing.
    #[arg(long, value_name = "N", num_args = 0..=1, conflicts_with_all = ["traces", "replay"])]
    #[allow(clippy::option_option, reason = "not asked for, asked for, asked for with a number")]
    pub rollback: Option<Option<u32>>,
}

fn rate(text: &str) -> Result<f32, String> {
    let rate: f32 = text.parse().map_err(|error| format!("{error}"))?;
    if rate > 0.0 && rate <= 1e-2 {
        Ok(rate)
    } else {
        Err("give more than 0 and at most 0.01; 0.0001 is usual".to_owned())
    }
}

/// Tunes, lists versions or takes one back.
///
/// # Errors
/// There is too little history, a file is damaged, or one cannot be read or written.
pub fn run(global: &Global, args: &Tune) -> anyhow::Result<()> {
    let versions = Versions::of(&global.store_path());
    if args.list {
        return list(&versions);
    }
    if let Some(to) = args.rollback {
        return roll_back(&versions, to);
    }
    let job = job(global, args)?;
    let bar = progress(args.steps)?;
    let made = tuning::tune(&versions, job, |step| note(&bar, step));
    bar.finish_and_clear();
    if let Some(version) = made? {
        say(&outcome(&version));
    }
    Ok(())
}

fn job(global: &Global, args: &Tune) -> anyhow::Result<Job> {
    let (own, sources) = learn::read(global, &args.traces, args.traces.is_empty().then(daemon::now), learn::TO_LEARN)?;
    say_aside(&format!("{} series from {}", own.len(), sources.join(", ")));
    let threads = crate::spread::threads(args.threads);
    let config = TuneConfig { steps: args.steps, peak: args.rate, seed: args.seed, threads, ..TuneConfig::default() };
    Ok(Job::new(own, learn::from_traces(&args.replay)?, sources, config))
}

fn progress(steps: u64) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:30} step {pos}/{len}, {msg}, {eta} left")?;
    Ok(ProgressBar::new(steps).with_style(style))
}

#[allow(clippy::cast_precision_loss, reason = "windows of one batch")]
fn note(bar: &ProgressBar, step: &Progress) -> ControlFlow<()> {
    bar.set_position(step.step);
    bar.set_message(format!("loss {:.4}, {:.0} windows/s", step.loss, bar.per_sec() * step.windows as f64));
    ControlFlow::Continue(())
}

fn outcome(version: &Version) -> String {
    let mut text = table(&version.scores);
    let won = version.scores.iter().filter(|score| score.is_won()).count();
    let _ = if version.is_kept() {
        write!(text, "version {} is in force for {won} of {} metrics", version.number, version.scores.len())
    } else {
        write!(text, "nothing is kept: the new weights win nowhere by more than a standard error")
    };
    text
}

/// Per metric: loss relative to the quantiles of the last 64 values before and after, and their ratio with its error.
fn table(scores: &[GroupOutcome]) -> String {
    let width = scores.iter().map(|score| score.group.chars().count()).max().unwrap_or(0).max(6);
    let mut text =
        format!("{:<width$}  series  forecasts  before   after  after/before (± one standard error)\n", "metric");
    for score in scores {
        let GroupOutcome { group, series, forecasts, before, after, ratio, ratio_low, ratio_high } = score;
        let verdict = if score.is_won() { "kept" } else { "not kept" };
        let _ = writeln!(
            text,
            "{group:<width$}  {series:>6}  {forecasts:>9}  {before:>6.3}  {after:>6.3}  {ratio:.3} ({ratio_low:.3} to \
             {ratio_high:.3}), {verdict}",
        );
    }
    text
}

fn list(versions: &Versions) -> anyhow::Result<()> {
    let shipped = shipped()?;
    let is_outdated = |number: u32| matches!(versions.fits(number, &shipped), Err(VersionError::Outdated(_)));
    let used = Some(versions.current()?).filter(|number| !is_outdated(*number)).unwrap_or(0);
    let mark = |number: u32| match number {
        number if number == used => " (in force)",
        number if is_outdated(number) => " (not used: judged beside other weights than this program ships with)",
        _ => "",
    };
    say(&format!("0: the shipped weights{}", mark(0)));
    for version in versions.list()? {
        match version {
            Ok(version) => say(&describe(&version, mark(version.number))),
            Err(error) => say(&format!("damaged: {error}")),
        }
    }
    if let Some(tried) = versions.last_tried().filter(|tried| !tried.is_kept()) {
        say(&format!("last tried {}, nothing kept:\n{}", tried.made, table(&tried.scores).trim_end()));
    }
    Ok(())
}

fn describe(version: &Version, mark: &str) -> String {
    let serves: Vec<String> = version.serves.iter().map(|(metric, number)| format!("{metric} by {number}")).collect();
    let Version { number, from, made, conditions, step_s, .. } = version;
    let (steps, sources) = (conditions.steps, conditions.sources.join(", "));
    format!(
        "{number}{mark}: {made}, {steps} steps from version {from} on {sources}, judged at a step of {step_s} s; serves {}\n{}",
        serves.join(", "),
        table(&version.scores).trim_end()
    )
}

fn roll_back(versions: &Versions, to: Option<u32>) -> anyhow::Result<()> {
    if to.is_none() && versions.current().is_ok_and(|current| current == 0) {
        return Err(NothingFound("the shipped weights are in force; there is nothing to take back".to_owned()).into());
    }
    let to = versions.roll_back(to, &shipped()?).map_err(|error| match error {
        VersionError::Unknown(_) => anyhow::Error::new(NothingFound(error.to_string())),
        other => other.into(),
    })?;
    say(&if to == 0 { "the shipped weights are in force".to_owned() } else { format!("version {to} is in force") });
    Ok(())
}
