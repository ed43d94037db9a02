//! `apportion replay`: recorded usage played to policies; what they would have allotted, how well, and a page about it.

use super::say_aside;
use anyhow::{Context as _, bail};
use apportion_core::{Metric, WorkloadId};
use apportion_host::trace;
use apportion_replay::{
    Decisions, Engine, JudgeOptions, Judged, Options, Player, Repairs, Sweep, Trace, TraceBuilder, judge, peers,
    player, report, run as play, share::Node, sweep,
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::{fs, path::PathBuf, thread};

/// A forecast is made anew after so many seconds.
const FORECAST_EVERY_S: i64 = 6 * 3_600;

/// Arguments of `replay`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "TRACE has the columns workload, metric, time (seconds since 1970) and value, as Parquet or CSV. DIR gets NAME.parquet per
policy (workload, metric, time, allocation: in force after that time), report.html to open, and judged.json.

Policies: apportion, vpa, vpa-recreate, hpa, krr, crane, crane-dsp, autopilot, autopilot-ml, n-sigma, rc-like, static,
seasonal-naive, and two that look ahead to show what could be had: best-static, oracle.

Examples:
  apportion replay usage.parquet --policy apportion,vpa,krr --violation 0.01 --out replayed
  apportion replay usage.csv --policy all --sweep --out replayed"
)]
pub struct Replay {
    /// Recorded usage.
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
    /// Who decides; several with commas, or `all`.
    #[arg(long, value_name = "NAME[,NAME]", value_delimiter = ',', default_value = "apportion,vpa,static")]
    pub policy: Vec<String>,
    /// Share of samples that may use more than is allotted, above 0 and below 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    pub violation: f64,
    /// Play each policy at all its margins too, for the lines of footprint against violation.
    #[arg(long)]
    pub sweep: bool,
    /// Forecaster of the policy `apportion`.
    #[arg(long, value_name = "NAME", default_value = "seasonal-naive")]
    pub model: String,
    /// What one node shared by all workloads has of a metric, in the metric's unit; may be given several times.
    #[arg(long, value_name = "METRIC=AMOUNT", value_parser = amount)]
    pub capacity: Vec<(String, f64)>,
    /// Usage counts from so many seconds after a workload's first sample.
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(i64).range(0..))]
    pub warmup: i64,
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Where to write; made where it does not exist.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

fn amount(text: &str) -> Result<(String, f64), String> {
    let wanted = || format!("'{text}' is no METRIC=AMOUNT, e.g. cpu_cores=32");
    let (metric, amount) = text.split_once('=').ok_or_else(wanted)?;
    let amount: f64 = amount.parse().map_err(|_| wanted())?;
    if metric.is_empty() || !amount.is_finite() || amount <= 0.0 {
        return Err(wanted());
    }
    Ok((metric.to_owned(), amount))
}

/// Plays, judges and writes.
///
/// # Errors
/// The trace cannot be read or replayed, a policy is not known, or a file cannot be written.
pub fn run(args: &Replay) -> anyhow::Result<()> {
    if !(args.violation > 0.0 && args.violation < 1.0) {
        bail!("--violation {}: a share above 0 and below 1, e.g. 0.01 for one sample in a hundred", args.violation);
    }
    let engines = [Engine::apportion(&args.model, FORECAST_EVERY_S)?];
    let trace = read(args)?;
    let players = players(args, &engines, &trace)?;
    let options = options(args, &trace)?;
    fs::create_dir_all(&args.out).with_context(|| format!("{}", args.out.display()))?;
    let (mut decisions, mut sweeps) = (Vec::new(), Vec::new());
    for player in players {
        decisions.push(record(args, &trace, player, &options)?);
        if args.sweep {
            sweeps.push(swept(args, &trace, player, &options)?);
        }
    }
    let judging =
        JudgeOptions { warmup_s: args.warmup, seed: args.seed, threads: options.threads, ..JudgeOptions::default() };
    let judged = judge(&trace, &decisions, &sweeps, &judging);
    print(args, &judged)
}

fn read(args: &Replay) -> anyhow::Result<Trace> {
    let file = trace::Trace::read(&args.trace)?;
    say_aside(&format!("{}: {} series, {}", args.trace.display(), file.len(), file.report()));
    let repairs = Repairs {
        reordered_series: file.report().sorted_series,
        duplicate_rows: file.report().duplicates,
        missing_rows: file.report().gaps,
    };
    let mut builder = TraceBuilder::default();
    for (workload, metric, series) in file.iter() {
        for (time_s, value) in series.times_s().iter().zip(series.values()) {
            builder.push(workload.as_str(), metric.as_str(), *time_s, f64::from(*value))?;
        }
    }
    Ok(builder.finish()?.with_repairs(repairs))
}

/// `all` is every policy that can size something of the trace.
fn players<'a>(args: &Replay, engines: &'a [Engine<'a>], trace: &Trace) -> anyhow::Result<Vec<Player<'a>>> {
    if args.policy == ["all"] {
        let all = engines.iter().map(Player::Engine).chain(peers::ALL.iter().map(Player::Peer));
        return Ok(all.filter(|player| player.check(trace).is_ok()).collect());
    }
    Ok(args.policy.iter().map(|name| player(name, engines)).collect::<Result<_, _>>()?)
}

fn options(args: &Replay, trace: &Trace) -> anyhow::Result<Options> {
    let metrics = trace.metrics();
    if let Some((metric, _)) = args.capacity.iter().find(|(metric, _)| !metrics.iter().any(|known| **known == **metric))
    {
        bail!("--capacity {metric}: the trace has no such metric; it has: {}", metrics.join(", "));
    }
    let amounts = args.capacity.iter().cloned().collect();
    let node = (!args.capacity.is_empty()).then(|| Node { amounts, ..Node::default() });
    let threads = thread::available_parallelism().map_or(1, usize::from);
    Ok(Options { violation: args.violation, seed: args.seed, threads, node, ..Options::default() })
}

/// Time, seconds, and allocation of each decision of a series.
type Rows = (WorkloadId, Metric, Vec<(i64, f64)>);

/// Plays a policy and writes what it decided.
fn record(args: &Replay, trace: &Trace, player: Player<'_>, options: &Options) -> anyhow::Result<Decisions> {
    let bar = progress(player.name())?;
    let made = play(trace, player, options, &|done, total| show(&bar, done, total))?;
    bar.finish_and_clear();
    let path = args.out.join(format!("{}.parquet", made.policy));
    let named = made.series.iter().map(|series| {
        let decided = series.decided.iter().map(|decided| (decided.time_s, decided.allocation)).collect();
        (WorkloadId::new(&series.workload), Metric::new(&series.metric), decided)
    });
    let rows: Vec<Rows> = named.collect();
    trace::write_decisions(&path, rows.iter().map(|(workload, metric, rows)| (workload, metric, rows.as_slice())))?;
    Ok(made)
}

fn swept(args: &Replay, trace: &Trace, player: Player<'_>, options: &Options) -> anyhow::Result<Sweep> {
    let bar = progress(&format!("{} at all margins", player.name()))?;
    let made = sweep(trace, player, options, args.warmup, &|done, total| show(&bar, done, total));
    bar.finish_and_clear();
    Ok(made?)
}

fn progress(what: &str) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{msg:24} {bar:40} {percent}%, {eta} left")?;
    Ok(ProgressBar::new(1).with_style(style).with_message(what.to_owned()))
}

fn show(bar: &ProgressBar, done: usize, total: usize) {
    bar.set_length(total as u64);
    bar.set_position(done as u64);
}

fn print(args: &Replay, judged: &Judged) -> anyhow::Result<()> {
    let write = |name: &str, text: String| {
        let path = args.out.join(name);
        fs::write(&path, text).with_context(|| format!("{}", path.display()))
    };
    write("judged.json", serde_json::to_string_pretty(judged)?)?;
    write("report.html", report::html(judged))?;
    super::say(report::text(judged).trim_end());
    say_aside(&format!("{}", args.out.join("report.html").display()));
    Ok(())
}
