//! Sizes every series of a trace at every risk by tracks alone, in a second or two a machine-season, and holds the result against
//! peers: what was asked and measured, and each peer at its own share over, by kind of workload. For choosing rules and constants.
//! With `--loop MODEL` the whole loop plays instead, with that forecaster; at `--asked` shares only, where these are given (each once
//! forecast, however many shares). With `--prior` nothing is judged: how often rules were over
//! on the first day of all series is printed, for `crates/planner/src/size/prior.rs`.
//!
//!     cargo run --release -p apportion-replay --example sizes -- TRACE.csv [--warmup SECONDS] [--loop MODEL] [--asked SHARE,SHARE] [--prior] [PEER ...]
//!
//! `TRACE.csv` has a heading and the columns workload, metric, time, value.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a program that reads a file and prints")]

use apportion_core::{Forecast, Forecaster, Metric, WorkloadId, traits::ForecastInput};
use apportion_planner::size::{RISKS, Track};
use apportion_replay::{
    Decided, Decisions, Engine, JudgeOptions, Options, Player, Point, SeriesDecisions, Sweep, Trace, TraceBuilder,
    TraceSeries, judge, peers::Peer, quantity::Kind, report, run, run_at, unwatched,
};
use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    sync::{Arc, Mutex},
    thread,
};

const FORECAST_EVERY_S: i64 = 6 * 3_600;
/// As the guard has it.
const MEMORY_HEADROOM: f32 = 0.1;
/// A first day, give or take what is missing.
const FIRST_STEPS: u64 = 250;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let trace = read(&args.next().ok_or("which trace?")?)?;
    let (mut warmup_s, mut model, mut peers, mut asked) = (86_400, None, Vec::new(), RISKS.to_vec());
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--warmup" => warmup_s = args.next().ok_or("how long?")?.parse()?,
            "--loop" => model = Some(args.next().ok_or("which model?")?),
            "--asked" => asked = shares(&args.next().ok_or("which shares?")?)?,
            "--prior" => {
                print_prior(&trace);
                return Ok(());
            }
            name => peers.push(Peer::named(name).ok_or("no such peer")?),
        }
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

fn shares(text: &str) -> Result<Vec<f64>, Box<dyn Error>> {
    Ok(text.split(',').map(str::parse).collect::<Result<_, _>>()?)
}

fn by_loop(trace: &Trace, model: &str, asked: &[f64], options: &Options) -> Result<Vec<Decisions>, Box<dyn Error>> {
    let forecaster = Once { inner: apportion_planner::forecaster(model)?, made: Mutex::default() };
    let engine = Engine::with(Arc::new(forecaster), FORECAST_EVERY_S);
    let played = asked.iter().map(|share| run_at(trace, Player::Engine(&engine), *share, options, &unwatched));
    Ok(played.collect::<Result<_, _>>()?)
}

/// A workload, a metric, and where its past ends, seconds.
type Asked = (WorkloadId, Metric, i64);

/// A forecaster that says again what it said of the same past: what is forecast does not depend on the share that is asked.
struct Once {
    inner: Box<dyn Forecaster + Send + Sync>,
    made: Mutex<BTreeMap<Asked, Forecast>>,
}

impl Once {
    fn known(&self, asked: &Asked) -> Option<Forecast> {
        self.made.lock().ok()?.get(asked).cloned()
    }
}

impl Forecaster for Once {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
        let one = |input: &ForecastInput| {
            let asked = (input.workload.clone(), input.metric.clone(), input.past.end().s());
            let made =
                self.known(&asked).or_else(|| self.inner.forecast(std::slice::from_ref(input), horizon).pop())?;
            if let Ok(mut all) = self.made.lock() {
                all.insert(asked, made.clone());
            }
            Some(made)
        };
        inputs.iter().filter_map(one).collect()
    }
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
        Decisions { policy: "apportion".to_owned(), series: series.collect(), replicas: Vec::new() }
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
