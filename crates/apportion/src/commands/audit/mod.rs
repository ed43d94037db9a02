//! `apportion audit`: whether forecasts are right for every kind of series, and a correction for the kinds for which they are not.

mod page;
mod source;
mod table;

use super::{say, say_aside};
use crate::args::Global;
use anyhow::Context as _;
use apportion_core::{Forecaster, traits::ForecastInput};
use apportion_planner::audit::{Case, Corrections, Fitted, LEAST_CASES, Tally, cases, tally};
use clap::{ArgGroup, Args};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

/// Arguments of `audit`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("source").required(true).multiple(true),
    after_help = "Each series is forecast from several earlier ends of its own past. On the earlier half of these forecasts a \
correction is fitted for each group that misses; on the later half, groups are judged without and with it. DIR gets audit.html, \
audit.csv, audit.json and corrections.json.

Examples:
  apportion audit usage.parquet --out audit
  apportion audit --from-store --out audit
  apportion forecast usage.parquet --horizon 288 --corrections audit/corrections.json --out forecast.parquet"
)]
pub struct Audit {
    /// Trace files: workload, metric, time, value.
    #[arg(value_name = "TRACE", group = "source")]
    pub traces: Vec<PathBuf>,
    /// Audit what the own store holds, too.
    #[arg(long, group = "source")]
    pub from_store: bool,
    /// Where to write.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Forecaster, as for `apportion forecast`.
    #[arg(long, default_value = "auto", value_name = "NAME")]
    pub model: String,
    /// Steps ahead.
    #[arg(long, default_value_t = 288, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub horizon: u32,
    /// Steps of history that a forecast is made from, at most.
    #[arg(long, default_value_t = 2_016, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=100_000))]
    pub context: u32,
    /// Earlier ends of a series; the first half of them is for fitting.
    #[arg(long, default_value_t = 6, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100))]
    pub ends: u32,
    /// A group misses where a quantile's coverage is further from its level than this.
    #[arg(long, default_value_t = 0.05, value_name = "SHARE")]
    pub tolerance: f32,
    /// At most so many series, evenly picked.
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub series: u32,
}

/// What was found.
#[derive(Serialize)]
struct Found {
    model: String,
    sources: Vec<String>,
    series: usize,
    horizon_steps: usize,
    context_steps: usize,
    tolerance: f32,
    fitted_on: usize,
    judged_on: usize,
    corrections: Corrections,
    groups: Vec<Judged>,
}

/// A group without and with the correction, on forecasts that it was not fitted on.
#[derive(Serialize)]
struct Judged {
    before: Tally,
    after: Tally,
}

impl Judged {
    /// Worth reading into.
    const fn is_large(&self) -> bool {
        self.before.cases >= LEAST_CASES
    }
}

/// Audits.
///
/// # Errors
/// A trace or the store cannot be read, nothing in them is long enough, or the results cannot be written.
pub fn run(global: &Global, args: &Audit) -> anyhow::Result<()> {
    anyhow::ensure!(args.tolerance > 0.0, "--tolerance {}: more than 0 is needed, e.g. 0.05", args.tolerance);
    fs::create_dir_all(&args.out).with_context(|| format!("{}", args.out.display()))?;
    let (inputs, sources) = source::series(global, args)?;
    say_aside(&format!("{} series, {} forecasts of each at most", inputs.len(), args.ends));
    let found = judge(args, &inputs, sources)?;
    say(&table::text(&found));
    let write = |name: &str, text: String| {
        let path = args.out.join(name);
        fs::write(&path, text).with_context(|| format!("{}", path.display()))
    };
    write("audit.csv", table::csv(&found))?;
    write("audit.json", serde_json::to_string_pretty(&found)? + "\n")?;
    write("corrections.json", serde_json::to_string_pretty(&found.corrections)? + "\n")?;
    write("audit.html", page::html(&found))?;
    say_aside(&format!("{}: audit.html, audit.csv, audit.json, corrections.json", args.out.display()));
    Ok(())
}

/// Corrections that an audit wrote.
///
/// # Errors
/// The file cannot be read, or is not one.
pub(super) fn corrections(path: &Path) -> anyhow::Result<Corrections> {
    let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let what = || format!("{}: not the corrections.json of `apportion audit` of this version", path.display());
    let read: Corrections = serde_json::from_str(&text).with_context(what)?;
    let finite = read.patches.iter().flat_map(|patch| patch.shifts).all(f32::is_finite);
    anyhow::ensure!(finite, "{}: a shift is not a number", path.display());
    Ok(read)
}

/// The forecasts of this program by a forecaster with tuned weights, or 0, from so many steps for so many.
pub(super) fn asked(model: &str, weights: u32, context_steps: usize, horizon_steps: usize) -> Fitted {
    let (model, program) = (model.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    Fitted { model, program, weights, context_steps, horizon_steps, ..Fitted::default() }
}

fn judge(args: &Audit, inputs: &[ForecastInput], sources: Vec<String>) -> anyhow::Result<Found> {
    let (horizon, context) = (usize::try_from(args.horizon)?, usize::try_from(args.context)?);
    let (ends, later) = (usize::try_from(args.ends)?, usize::try_from(args.ends / 2)?);
    let all = forecast_all(args, inputs, |input, forecaster| {
        // Oldest first, as they would have been made.
        let (early, late) = ((later + 1..=ends).rev(), (1..=later).rev());
        let of = |backs: &mut dyn Iterator<Item = usize>| cases(forecaster, input, (context, horizon), backs);
        (of(&mut { early }), of(&mut { late }))
    })?;
    let (fit, held): (Vec<Vec<Case>>, Vec<Vec<Case>>) = all.into_iter().unzip();
    let (fit, mut held) = (fit.concat(), held.concat());
    anyhow::ensure!(
        !held.is_empty(),
        "no series has {horizon} steps of history and {horizon} after them; a smaller --horizon needs less"
    );
    let before = tally(&held);
    let fitted = Fitted {
        steps_s: inputs.iter().map(|input| input.past.step_s).collect(),
        ..asked(&args.model, 0, context, horizon)
    };
    let corrections = Corrections::fit(fitted, &fit, args.tolerance);
    held.iter_mut().for_each(|case| corrections.apply(&case.groups, &mut case.rows));
    let groups = before.into_iter().zip(tally(&held)).map(|(before, after)| Judged { before, after }).collect();
    let (series, fitted_on, judged_on) = (inputs.len(), fit.len(), held.len());
    let (model, tolerance) = (args.model.clone(), args.tolerance);
    let (horizon_steps, context_steps) = (horizon, context);
    Ok(Found {
        model,
        sources,
        series,
        horizon_steps,
        context_steps,
        tolerance,
        fitted_on,
        judged_on,
        corrections,
        groups,
    })
}

/// What `of` says of each series, in their order, on all threads; what the forecaster remembers is per series, so that the result does
/// not depend on the threads.
fn forecast_all<T: Send>(
    args: &Audit,
    inputs: &[ForecastInput],
    of: impl Fn(&ForecastInput, &dyn Forecaster) -> T + Sync,
) -> anyhow::Result<Vec<T>> {
    let threads = crate::spread::threads(None);
    let forecaster = super::models::forecaster(&args.model, None)?;
    let share = |place: usize| {
        let own = inputs.iter().enumerate().skip(place).step_by(threads);
        own.map(|(index, input)| (index, of(input, forecaster.as_ref()))).collect::<Vec<_>>()
    };
    let share = &share;
    let mut made: Vec<(usize, T)> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|place| scope.spawn(move || share(place))).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    });
    anyhow::ensure!(made.len() == inputs.len(), "a thread that forecast ended before its time; the log says more");
    made.sort_by_key(|(index, _)| *index);
    Ok(made.into_iter().map(|(_, made)| made).collect())
}
