//! `apportion replay`: recorded usage played to policies; what they would have allotted, how well, and a page about it.

mod configured;
pub(crate) mod source;
pub(crate) mod what_if;

use super::say_aside;
use crate::args::Global;
use anyhow::{Context as _, bail};
use apportion_core::{Metric, WorkloadId};
use apportion_host::trace;
use apportion_planner::size::served_risk;
use apportion_replay::{
    Conditions, Decisions, Engine, JudgeOptions, Judged, Options, Played, Player, SCALING, Sweep, Trace, deployments,
    judge, peers, player, report, run as play, share::Node, sweep,
};
use clap::{ArgGroup, Args};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Zoned;
use std::{
    collections::BTreeMap,
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    thread,
};

/// A forecast is made anew after so many seconds, and sooner where it was wrong.
pub(crate) const FORECAST_EVERY_S: i64 = 6 * 3_600;
/// How much of a live source is replayed unless said otherwise, seconds: thirty days.
const LAST_S: i64 = 30 * 86_400;
/// The least share that ours is sized for.
const LEAST_VIOLATION: f64 = 1e-4;
/// A saving is read off measured points.
const NO_SWEEP: &str =
    "--saving needs what --sweep measures of apportion: --sweep --policy apportion, or --judge such a replay";
/// The judged result, as data.
const JUDGED: &str = "judged.json";

/// Arguments of `replay`.
#[derive(Clone, Debug, Args)]
#[command(
    group = ArgGroup::new("source").required(true),
    after_help = "TRACE has the columns workload, metric, time (seconds since 1970) and value, as Parquet or CSV. DIR gets NAME.parquet per
policy (workload, metric, time, allocation: in force after that time), report.html to open, and judged.json.

Policies: apportion, apportion-replicas (workloads with requests and CPU of the same times run as replicas), vpa, vpa-recreate, hpa, krr, crane, crane-dsp, autopilot, autopilot-ml, n-sigma, rc-like, static,
seasonal-naive, and two that look ahead to show what could be had: best-static, oracle.

Examples:
  apportion replay usage.parquet --policy apportion,vpa,krr --violation 0.01 --out replayed
  apportion replay usage.csv --policy all --sweep --out replayed
  apportion replay --from-store --last 14d --out replayed
  apportion replay --from-prometheus http://localhost:9090 --last 30d --out replayed
  apportion replay usage.parquet --config apportion.toml --capacity cpu_cores=8 --capacity memory_bytes=17179869184
  apportion replay --from-prometheus http://localhost:9090 --last 7d --until 2026-11-20T00:00:00Z --out replayed
  apportion replay usage.parquet --judge replayed
  apportion replay --from-store --last 14d --what-if 'every day 20:00-22:00 expect 3x the usual requests on checkout'"
)]
pub struct Replay {
    /// Recorded usage.
    #[arg(value_name = "TRACE", group = "source")]
    pub trace: Option<PathBuf>,
    /// Replay what the store holds (--store names another); a loop may run beside it.
    #[arg(long, group = "source")]
    pub from_store: bool,
    /// Replay what a Prometheus server knows: the configured one, or the one at this address.
    #[arg(long, group = "source", value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    pub from_prometheus: Option<String>,
    /// Only the last part, e.g. 14d or 12h; 30d of a store or a server unless said otherwise.
    #[arg(long, value_name = "SPAN", value_parser = super::hold::duration_s)]
    pub last: Option<i64>,
    /// Only what was before: a date and time (RFC 3339), or seconds as in the trace. A live source ends now unless said otherwise.
    #[arg(long, value_name = "TIME", value_parser = super::time_s)]
    pub until: Option<i64>,
    /// Seconds from sample to sample, of a store or a server.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub step: u32,
    /// Judge the decisions of an earlier replay in DIR again instead of playing anything, as they were judged before where nothing else is
    /// said; report.html and judged.json are written anew, there or to --out.
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["policy", "sweep", "violation", "model", "capacity", "oracle_changes"]
    )]
    pub judge: Option<PathBuf>,
    /// An instruction in plain words (English or Chinese): what it would have done, with and without it, before it is accepted.
    /// Its result is what_if.json. Played by `apportion`, or by `--policy apportion-replicas`.
    #[arg(long, value_name = "SENTENCE", conflicts_with_all = ["sweep", "judge"])]
    pub what_if: Option<String>,
    /// Who decides; several with commas, or `all`.
    #[arg(long, value_name = "NAME[,NAME]", value_delimiter = ',', default_value = "apportion,vpa,static")]
    pub policy: Vec<String>,
    /// Share of samples that may use more than is allotted, 0.0001 to below 1. Ours is sized for the next safer of 20, 10, 5, 2, 1
    /// %, 0.5 % and so on.
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    pub violation: f64,
    /// Play ours as the loop would run by the configuration (--config): bounds, violation, priority and weight of its [[workloads]] rules
    /// and its guard; with --from-store by what people have told it too. Peers know nothing of these.
    #[arg(long, conflicts_with_all = ["violation", "sweep", "saving", "judge"])]
    pub as_configured: bool,
    /// Play each policy at all its margins too, for the lines of footprint against violation.
    #[arg(long)]
    pub sweep: bool,
    /// A saving that is wanted, e.g. 30%: says what `violation` to configure for it, metric by metric, from the sweep of `apportion`. It
    /// is against holding each workload at its own peak: a trace does not tell the limits of today.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub saving: Option<f64>,
    /// Forecaster of the policy `apportion`.
    #[arg(long, value_name = "NAME", default_value = "transformer")]
    pub model: String,
    /// What one node shared by all workloads has of a metric, in the metric's unit; may be given several times. Who is served first,
    /// and equals' shares, are the priority and weight of the configuration's [[workloads]] rules (--config).
    #[arg(long, value_name = "METRIC=AMOUNT", value_parser = amount)]
    pub capacity: Vec<(String, f64)>,
    /// Changes a day that `oracle` may make: give it another policy's own (changes in the report) to see what a perfect forecast would
    /// do with as many.
    #[arg(long, value_name = "N", default_value_t = Options::default().changes_per_day, value_parser = changes)]
    pub oracle_changes: f64,
    /// From asking for a replica until it serves, seconds (request rates); 60 unless said otherwise.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(0..=86_400))]
    pub replica_start: Option<i64>,
    /// Usage counts from so many seconds after a workload's first sample; a day unless said otherwise.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(0..))]
    pub warmup: Option<i64>,
    /// Threads to use, all processors unless said otherwise; changes nothing in the results.
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZeroUsize>,
    /// Seed of everything random; 0 unless said otherwise.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Where to write, `replayed` unless said otherwise; made where it does not exist.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// A share between nothing and all, `30%` or `0.3`.
fn share(text: &str) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let share = text.strip_suffix('%').map_or_else(|| number(text), |part| number(part).map(|part| part / 100.0));
    share.filter(|share| *share > 0.0 && *share < 1.0).ok_or_else(|| format!("'{text}' is no share, e.g. 30% or 0.3"))
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

fn changes(text: &str) -> Result<f64, String> {
    let changes = text.parse().ok().filter(|changes| (0.1..=1_440.0).contains(changes));
    changes.ok_or_else(|| format!("'{text}' is no number of changes a day, 0.1 to 1440"))
}

/// Plays, judges and writes; or judges again what was written before.
///
/// # Errors
/// The usage cannot be read or replayed, a policy is not known, or a file cannot be read or written.
pub fn run(global: &Global, args: &Replay) -> anyhow::Result<()> {
    if !(LEAST_VIOLATION..1.0).contains(&args.violation) {
        bail!("--violation {}: a share from 0.0001 to below 1, e.g. 0.01 for one sample in a hundred", args.violation);
    }
    let mut engines =
        [Engine::apportion(&args.model, FORECAST_EVERY_S)?, Engine::replicas(&args.model, FORECAST_EVERY_S)?];
    let trace = source::read(global, args)?;
    for metric in trace.without_unit() {
        say_aside(&format!(
            "{metric}: its name tells no unit and its values are no shares, so the peers' constants are guessed; end it with _cores, _millicores, _pct, _bytes, _mib or the like"
        ));
    }
    if let Some(folder) = &args.judge {
        return judge_again(args, folder, &trace);
    }
    if args.as_configured {
        for engine in &mut engines {
            configured::guard_and_told(global, args, engine)?;
        }
    }
    let mut judging = judging(args, None);
    trace.check_warmup(judging.warmup_s)?;
    let options = options(global, args, &judging, &trace)?;
    judging.played = Some(played(args, &options));
    if let Some(sentence) = &args.what_if {
        let engine = asked_engine(args, &mut engines, &trace)?;
        return ask(global, args, sentence, &trace, engine, (&options, judging.warmup_s));
    }
    let players = players(args, &engines, &trace)?;
    say_replicas(args, &players, &trace);
    keep_trace(args, &players)?;
    if args.saving.is_some() && !(args.sweep && players.iter().any(is_ours)) {
        bail!(NO_SWEEP);
    }
    say_served(args, &players);
    let out = out(args);
    fs::create_dir_all(out).with_context(|| format!("{}", out.display()))?;
    forget_judged(out)?;
    let (mut decisions, mut sweeps) = (Vec::new(), Vec::new());
    for player in players {
        let made = if args.sweep {
            let (made, line) = swept(&trace, player, &options, judging.warmup_s)?;
            sweeps.push(line);
            made
        } else {
            played_once(&trace, player, &options)?
        };
        write_decisions(out, &made)?;
        decisions.push(made);
    }
    print(args, out, &judge(&trace, &decisions, &sweeps, &judging))
}

/// The first of ours among the policies that were named.
fn asked_engine<'e>(
    args: &Replay,
    engines: &'e mut [Engine<'static>],
    trace: &Trace,
) -> anyhow::Result<&'e mut Engine<'static>> {
    let is_asked = |name: &&String| engines.iter().any(|engine| engine.name == **name);
    let asked = args.policy.iter().find(is_asked).cloned();
    let engine = engines.iter_mut().find(|engine| Some(&engine.name) == asked.as_ref());
    let engine =
        engine.context("--what-if: give --policy apportion or apportion-replicas; others know of no instructions")?;
    Player::Engine(engine).check(trace)?;
    Ok(engine)
}

/// What an earlier replay into the same folder was judged by is of no decision that is now written over it.
fn forget_judged(out: &Path) -> anyhow::Result<()> {
    let path = out.join(JUDGED);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Judges what an earlier replay decided. What its sweep measured is never lost: judged otherwise, it is written elsewhere.
fn judge_again(args: &Replay, folder: &Path, trace: &Trace) -> anyhow::Result<()> {
    let before = source::judged_before(folder, trace)?;
    let decisions = source::recorded(folder, before.as_ref(), trace)?;
    let judging = judging(args, before.as_ref().map(|judged| &judged.conditions));
    trace.check_warmup(judging.warmup_s)?;
    let out = args.out.as_deref().unwrap_or(folder);
    let mut sweeps = Vec::new();
    if let Some(before) = before {
        let is_alike = is_judged_alike(&before.conditions, &judging);
        let is_there = || fs::canonicalize(out).ok() == fs::canonicalize(folder).ok();
        if !is_alike && !before.sweeps.is_empty() && is_there() {
            let made = &before.conditions;
            bail!(
                "{}: its sweep was judged with --warmup {} --seed {} --replica-start {} and would be lost: leave these out, or give another folder for what is judged otherwise, --out DIR",
                folder.display(),
                made.warmup_s,
                made.seed,
                made.replica_start_s
            );
        }
        sweeps = if is_alike { before.sweeps } else { sweeps };
    }
    fs::create_dir_all(out).with_context(|| format!("{}", out.display()))?;
    print(args, out, &judge(trace, &decisions, &sweeps, &judging))
}

/// What a sweep measured holds under these conditions too.
fn is_judged_alike(made: &Conditions, judging: &JudgeOptions) -> bool {
    (made.warmup_s, made.replica_start_s, made.seed) == (judging.warmup_s, judging.replica_start_s, judging.seed)
}

/// What a sentence would have done.
fn ask(
    global: &Global,
    args: &Replay,
    sentence: &str,
    trace: &Trace,
    engine: &mut Engine<'_>,
    (options, warmup_s): (&Options, i64),
) -> anyhow::Result<()> {
    let (read, instruction) = what_if::read(sentence, &Zoned::now(), trace)?;
    let bar = progress("with and without it")?;
    let made = what_if::play(trace, engine, &instruction, options, warmup_s, &|done, total| show(&bar, done, total))?;
    bar.finish_and_clear();
    let out = out(args);
    fs::create_dir_all(out).with_context(|| format!("{}", out.display()))?;
    let path = out.join("what_if.json");
    fs::write(&path, serde_json::to_string_pretty(&made)?).with_context(|| format!("{}", path.display()))?;
    super::say(format!("{read}\n{}", what_if::words(&made, global.words())).trim_end());
    Ok(())
}

/// Where a replay is written.
fn out(args: &Replay) -> &Path {
    args.out.as_deref().unwrap_or(Path::new("replayed"))
}

/// How decisions are judged: as was said, else as they were before, else as usual.
fn judging(args: &Replay, before: Option<&Conditions>) -> JudgeOptions {
    let usual = JudgeOptions::default();
    let (warmup_s, seed, replica_start_s) = before
        .map_or((usual.warmup_s, usual.seed, usual.replica_start_s), |made| {
            (made.warmup_s, made.seed, made.replica_start_s)
        });
    let threads = args.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, usize::from);
    JudgeOptions {
        warmup_s: args.warmup.unwrap_or(warmup_s),
        seed: args.seed.unwrap_or(seed),
        replica_start_s: args.replica_start.unwrap_or(replica_start_s),
        threads,
        // Folders of earlier versions, and decisions made elsewhere, do not say.
        played: before.and_then(|made| made.played.clone()),
        ..usual
    }
}

/// What decisions rest on beside the trace.
fn played(args: &Replay, options: &Options) -> Played {
    let Node { amounts, claims } = options.node.clone().unwrap_or_default();
    let (violation, model, oracle_changes) = (options.violation, args.model.clone(), options.changes_per_day);
    let as_configured = args.as_configured;
    Played { violation, model, capacity: amounts, claims, oracle_changes, as_configured }
}

/// `all` is every policy that can size something of the trace.
fn players<'a>(args: &Replay, engines: &'a [Engine<'a>], trace: &Trace) -> anyhow::Result<Vec<Player<'a>>> {
    if args.policy == ["all"] {
        let engines = engines.iter().filter(|engine| args.capacity.is_empty() || !engine.scales);
        let all = engines.map(Player::Engine).chain(peers::ALL.iter().map(Player::Peer));
        return Ok(all.filter(|player| player.check(trace).is_ok()).collect());
    }
    let mut players: Vec<Player<'a>> = Vec::new();
    for (at, name) in args.policy.iter().enumerate() {
        let player = player(name, engines)?;
        player.check(trace)?;
        if !args.policy[..at].contains(name) {
            players.push(player);
        }
    }
    Ok(players)
}

/// Decisions never take the place of the usage they are made from.
fn keep_trace(args: &Replay, players: &[Player<'_>]) -> anyhow::Result<()> {
    let Some(Ok(trace)) = args.trace.as_ref().map(fs::canonicalize) else { return Ok(()) };
    let is_trace = |path: &PathBuf| fs::canonicalize(path).is_ok_and(|path| path == trace);
    match players.iter().map(|player| decisions_path(out(args), player.name())).find(is_trace) {
        Some(path) => {
            bail!("{} is the trace, and would be overwritten: give another folder, --out DIR", path.display())
        }
        None => Ok(()),
    }
}

fn decisions_path(folder: &Path, policy: &str) -> PathBuf {
    folder.join(format!("{policy}.parquet"))
}

fn is_ours(player: &Player<'_>) -> bool {
    matches!(player, Player::Engine(_))
}

/// What is asked is rounded down to what is sized for; people are told.
fn say_served(args: &Replay, players: &[Player<'_>]) {
    let served = served_risk(args.violation);
    if players.iter().any(is_ours) && !args.as_configured && args.violation - served > 1e-9 {
        say_aside(&format!(
            "apportion: sized for {} % over, the next safer share to {} %",
            served * 100.0,
            args.violation * 100.0
        ));
    }
}

/// What could be asked of a trace that tells of replicas and their size.
fn say_replicas(args: &Replay, players: &[Player<'_>], trace: &Trace) {
    let is_scaling = |player: &Player<'_>| matches!(player, Player::Engine(engine) if engine.scales);
    let (count, is_asked) = (deployments(trace).len(), players.iter().any(is_scaling) || !players.iter().any(is_ours));
    if count > 0 && !is_asked && args.capacity.is_empty() {
        say_aside(&format!(
            "requests and CPU of the same times for {count} workload(s): --policy apportion-replicas,hpa,vpa decides how many replicas and how large"
        ));
    }
}

fn options(global: &Global, args: &Replay, judging: &JudgeOptions, trace: &Trace) -> anyhow::Result<Options> {
    let metrics = trace.metrics();
    if !args.capacity.is_empty() && args.policy.iter().any(|name| name == SCALING) {
        bail!(
            "--capacity with {SCALING}: on one node further replicas only repeat what each takes for nothing, so there is only the size to decide: play apportion instead"
        );
    }
    if let Some((metric, _)) = args.capacity.iter().find(|(metric, _)| !metrics.iter().any(|known| **known == **metric))
    {
        bail!("--capacity {metric}: the trace has no such metric; it has: {}", metrics.join(", "));
    }
    let is_node = !args.capacity.is_empty();
    let standings = if is_node || args.as_configured { configured::standings(global, trace)? } else { BTreeMap::new() };
    let amounts = || args.capacity.iter().cloned().collect();
    let node = is_node.then(|| Node { amounts: amounts(), claims: configured::claims(&standings) });
    let JudgeOptions { seed, threads, replica_start_s, .. } = *judging;
    let (violation, changes_per_day) = (args.violation, args.oracle_changes);
    let standings = if args.as_configured { configured::said_where_no_rule(standings) } else { BTreeMap::new() };
    Ok(Options { violation, changes_per_day, seed, threads, node, standings, replica_start_s, both_limits: true })
}

/// Time, seconds, and allocation of each decision of a series.
type Rows = (WorkloadId, Metric, Vec<(i64, f64)>);

fn write_decisions(out: &Path, made: &Decisions) -> anyhow::Result<()> {
    let named = made.lists().map(|series| {
        let decided = series.decided.iter().map(|decided| (decided.time_s, decided.allocation)).collect();
        (WorkloadId::new(&series.workload), Metric::new(&series.metric), decided)
    });
    let (path, rows) = (decisions_path(out, &made.policy), named.collect::<Vec<Rows>>());
    Ok(trace::write_decisions(&path, rows.iter().map(|(workload, metric, rows)| (workload, metric, rows.as_slice())))?)
}

fn played_once(trace: &Trace, player: Player<'_>, options: &Options) -> anyhow::Result<Decisions> {
    let bar = progress(player.name())?;
    let made = play(trace, player, options, &|done, total| show(&bar, done, total));
    bar.finish_and_clear();
    Ok(made?)
}

/// What a policy decides at its own margin, and its line over all.
fn swept(trace: &Trace, player: Player<'_>, options: &Options, warmup_s: i64) -> anyhow::Result<(Decisions, Sweep)> {
    let bar = progress(&format!("{} at all margins", player.name()))?;
    let made = sweep(trace, player, options, warmup_s, &|done, total| show(&bar, done, total));
    bar.finish_and_clear();
    Ok(made?)
}

fn progress(what: &str) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{msg:24} {bar:40} {percent}%, {eta} left")?;
    Ok(ProgressBar::new(1).with_style(style).with_message(what.to_owned()))
}

fn show(bar: &ProgressBar, done: usize, total: usize) -> ControlFlow<()> {
    bar.set_length(total as u64);
    bar.set_position(done as u64);
    ControlFlow::Continue(())
}

fn print(args: &Replay, folder: &Path, judged: &Judged) -> anyhow::Result<()> {
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("{}", path.display()))
    };
    write(JUDGED, serde_json::to_string_pretty(judged)?)?;
    write("report.html", report::html(judged))?;
    super::say(report::text(judged).trim_end());
    if let Some(wanted) = args.saving {
        let told = report::saving(judged, wanted);
        if told.is_empty() {
            bail!(NO_SWEEP);
        }
        super::say(told.trim_end());
    }
    say_aside(&format!("{}", folder.join("report.html").display()));
    Ok(())
}
