//! Sizes every series of a trace at every risk by tracks alone, in a second or two a machine-season, and holds the result against
//! peers: what was asked and measured, and each peer at its own share over, by kind of workload. For choosing rules and constants.
//! With `--loop MODEL` the whole loop plays instead, with that forecaster; at `--asked` shares only, where these are given (each once
//! forecast, however many shares). With `--late DAYS` every third workload, drawn by `--seed`, begins so many days after the trace does,
//! and how all did on those is printed too. With `--prior` nothing is judged: how often rules were over
//! on the first day of all series is printed, for `crates/planner/src/size/prior.rs`.
//!
//!     cargo run --release -p apportion-replay --example sizes -- TRACE.csv [--warmup SECONDS] [--loop MODEL] [--asked SHARE,SHARE] [--late DAYS] [--seed N] [--prior] [PEER ...]
//!
//! `TRACE.csv` has a heading and the columns workload, metric, time, value.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a program that reads a file and prints")]

use apportion_core::stats::fnv1a;
use apportion_planner::size::{RISKS, Track};
use apportion_replay::{
    Decided, Decisions, Engine, JudgeOptions, Judged, Options, Player, Point, SeriesDecisions, Sweep, Trace,
    TraceBuilder, TraceSeries, judge,
    peers::Peer,
    quantity::Kind,
    report, run, run_asked,
    score::{class::Class, total::Scores},
    unwatched,
};
use std::{error::Error, fs, thread};

const FORECAST_EVERY_S: i64 = 6 * 3_600;
/// As the guard has it.
const MEMORY_HEADROOM: f32 = 0.1;
/// A first day, give or take what is missing.
const FIRST_STEPS: u64 = 250;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut trace = read(&args.next().ok_or("which trace?")?)?;
    let (mut warmup_s, mut model, mut peers, mut asked) = (86_400, None, Vec::new(), RISKS.to_vec());
    let (mut late_days, mut seed, mut is_prior) = (None, 0, false);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--warmup" => warmup_s = args.next().ok_or("how long?")?.parse()?,
            "--loop" => model = Some(args.next().ok_or("which model?")?),
            "--asked" => asked = shares(&args.next().ok_or("which shares?")?)?,
            "--late" => late_days = Some(args.next().ok_or("how many days?")?.parse()?),
            "--seed" => seed = args.next().ok_or("which seed?")?.parse()?,
            "--prior" => is_prior = true,
            name => peers.push(Peer::named(name).ok_or("no such peer")?),
        }
    }
    if let Some(days) = late_days {
        trace = with_late(&trace, days, seed)?;
    }
    if is_prior {
        print_prior(&trace);
        return Ok(());
    }
    let threads = thread::available_parallelism()?.get();
    let options = Options { threads, ..Options::default() };
    let made = match &model {
        None => by_tracks(&trace, &asked, threads),
        Some(model) => by_loop(&trace, model, &asked, &options)?,
    };
    let point = |(margin, made): (&f64, &Decisions)| Point::of(&trace, made, *margin, true, warmup_s, threads);
    let sweep = Sweep {
        policy: "apportion".to_owned(),
        margin_means: "asked share of samples over".to_owned(),
        points: asked.iter().zip(&made).map(point).collect(),
    };
    let played = peers.into_iter().map(|peer| run(&trace, Player::Peer(peer), &options, &unwatched));
    let played: Vec<Decisions> = played.collect::<Result<_, _>>()?;
    let judged = judge(&trace, &played, &[sweep], &JudgeOptions { warmup_s, threads, ..JudgeOptions::default() });
    print!("{}", report::text(&judged));
    if late_days.is_some() {
        print_new(&judged);
    }
    Ok(())
}

fn read(path: &str) -> Result<Trace, Box<dyn Error>> {
    let mut builder = TraceBuilder::default();
    for line in fs::read_to_string(path)?.lines().skip(1) {
        let [workload, metric, time, value] = line.split(',').collect::<Vec<_>>()[..] else { return Err(line.into()) };
        builder.push(workload, metric, time.parse()?, value.parse()?)?;
    }
    Ok(builder.finish()?)
}

/// Every third workload begins so many days after the trace: what was recorded of it before is left out.
fn with_late(trace: &Trace, days: i64, seed: u64) -> Result<Trace, Box<dyn Error>> {
    let mut drawn = trace.workloads();
    drawn.sort_by_key(|name| fnv1a(format!("{seed} {name}").into_bytes()));
    drawn.truncate(drawn.len().div_ceil(3));
    let begin_s = trace.first_s() + days * 86_400;
    let mut builder = TraceBuilder::default();
    for series in trace.series() {
        let is_late = drawn.contains(&series.workload);
        for (time_s, value) in series.samples().filter(|(time_s, _)| !is_late || *time_s > begin_s) {
            builder.push(&series.workload, &series.metric, time_s, value)?;
        }
    }
    Ok(builder.finish()?)
}

/// How all did on workloads that begin later than the trace.
fn print_new(judged: &Judged) {
    let print = |metric: &str, who: &str, scores: &Scores| {
        let (over, size, changes) = (scores.over * 100.0, scores.footprint, scores.changes);
        println!(
            "new, {metric} ({} workloads): {who}: {over:.3} % over, footprint {size:.3}, {changes:.2} changes",
            scores.workloads
        );
    };
    for point in judged.sweeps.iter().flat_map(|sweep| &sweep.points) {
        let new = point.kinds.iter().filter_map(|(metric, kinds)| Some((metric, kinds.get(&Class::New)?)));
        new.for_each(|(metric, scores)| print(metric, &format!("apportion asked {} %", point.margin * 100.0), scores));
    }
    let peers = judged.classes.iter().filter(|row| row.class == Class::New);
    peers.for_each(|row| print(&row.metric, &row.policy, &row.scores));
}

fn shares(text: &str) -> Result<Vec<f64>, Box<dyn Error>> {
    Ok(text.split(',').map(str::parse).collect::<Result<_, _>>()?)
}

fn by_loop(trace: &Trace, model: &str, asked: &[f64], options: &Options) -> Result<Vec<Decisions>, Box<dyn Error>> {
    Ok(run_asked(trace, &Engine::apportion(model, FORECAST_EVERY_S)?, asked, options, &unwatched)?)
}

/// The decisions at each risk, every series folded once.
fn by_tracks(trace: &Trace, asked: &[f64], threads: usize) -> Vec<Decisions> {
    let part = trace.series().len().div_ceil(threads).max(1);
    let folded: Vec<Vec<Vec<Decided>>> = thread::scope(|scope| {
        let parts = trace.series().chunks(part);
        let parts =
            parts.map(|part| scope.spawn(|| part.iter().map(|series| folded(series, asked)).collect::<Vec<_>>()));
        let parts: Vec<_> = parts.collect();
        parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
    });
    let at = |risk: usize| {
        let series = trace.series().iter().zip(&folded).map(|(series, folded)| SeriesDecisions {
            workload: series.workload.clone(),
            metric: series.metric.clone(),
            decided: folded[risk].clone(),
        });
        Decisions { series: series.collect(), ..Decisions::none("apportion", trace) }
    };
    (0..asked.len()).map(at).collect()
}

/// Allotments of one series at each risk.
fn folded(series: &TraceSeries, asked: &[f64]) -> Vec<Vec<Decided>> {
    let mut made: Vec<Vec<Decided>> = vec![Vec::new(); asked.len()];
    fold(series, |track, time_s| {
        for (made, risk) in made.iter_mut().zip(asked) {
            let allocation = f64::from(track.allotment(*risk));
            if made.last().is_none_or(|last| last.allocation != allocation) {
                made.push(Decided { time_s, allocation });
            }
        }
        true
    });
    made
}

/// Shows the track of a series after each sample, until `show` is false.
#[allow(clippy::cast_possible_truncation, reason = "usage as f32")]
fn fold(series: &TraceSeries, mut show: impl FnMut(&Track, i64) -> bool) {
    let headroom = if series.quantity().kind == Kind::Memory { MEMORY_HEADROOM } else { 0.0 };
    let mut track = Track::new(u32::try_from(series.step_s).unwrap_or(u32::MAX)).with_headroom(headroom);
    let mut before_s = series.first_s() - series.step_s;
    for (time_s, value) in series.samples() {
        (1..(time_s - before_s) / series.step_s).for_each(|_| track.push(f32::NAN));
        track.push(value as f32);
        before_s = time_s;
        if !show(&track, time_s) {
            return;
        }
    }
}

/// How often each statistic with each margin was over on the first steps of a series, the mean of all series.
fn print_prior(trace: &Trace) {
    let mut sums: Vec<Vec<f32>> = Vec::new();
    for series in trace.series() {
        fold(series, |track, _| {
            let is_due = track.seen() == FIRST_STEPS;
            if is_due {
                let own = track.own_over();
                sums.resize_with(own.len(), || vec![0.0; own[0].len()]);
                sums.iter_mut().flatten().zip(own.iter().flatten()).for_each(|(sum, own)| *sum += own);
            }
            !is_due
        });
    }
    for row in sums {
        let means: Vec<String> = row.iter().map(|sum| format!("{:.6}", sum / trace.series().len() as f32)).collect();
        println!("{}", means.join(" "));
    }
}
