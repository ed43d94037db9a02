//! `apportion forecast`.

use super::{say, say_aside};
use crate::{
    args::{self, Global},
    learn,
    spread::{Spread, threads},
    tuning::Versions,
};
use anyhow::Context as _;
use apportion_core::{Announced, Forecaster, Metric, Series, WorkloadId, traits::ForecastInput};
use apportion_host::trace::{self, Trace, TraceSeries};
use apportion_language::wording::explain_forecast;
use apportion_planner::{audit::Corrected, explain};
use indicatif::{ProgressBar, ProgressStyle};

/// Steps of history that are looked at: a week of minutes, a month of five minutes.
const CONTEXT: usize = 10_080;
/// Series that are worked on between two writes: memory does not grow with the number of series.
const BLOCK: usize = 256;
/// Series that a thread takes at a time.
const BATCH: usize = 16;

type Named<'a> = (&'a WorkloadId, &'a Metric, Past<'a>);

/// The past of one series.
#[derive(Clone, Copy)]
enum Past<'a> {
    /// Readings of a trace, put on a grid when they are needed.
    Readings(&'a TraceSeries),
    /// From the store.
    Grid(&'a Series),
}

/// Forecasts every series of a trace, or of the store, from its own end.
///
/// # Errors
/// The trace or the store cannot be read, no forecaster has that name, or the result cannot be written.
pub fn run(global: &Global, args: &args::Forecast) -> anyhow::Result<()> {
    trace::Format::of(&args.out)?;
    let versions = (args.tuned || args.from_store).then(|| Versions::of(&global.store_path()));
    let forecaster = Spread::new(forecaster(args, versions.as_ref())?, BATCH, threads(None));
    let Some(input) = &args.input else {
        let (found, _) = learn::read(global, &[], true)?;
        let series: Vec<Named<'_>> =
            found.iter().map(|found| (&found.workload, &found.metric, Past::Grid(&found.series))).collect();
        return write(global, args, &forecaster, &series);
    };
    let trace = Trace::read(input)?;
    say_aside(&format!("{}: {} series, {}", input.display(), trace.len(), trace.report()));
    let series: Vec<Named<'_>> =
        trace.iter().map(|(workload, metric, series)| (workload, metric, Past::Readings(series))).collect();
    write(global, args, &forecaster, &series)
}

fn write(
    global: &Global,
    args: &args::Forecast,
    forecaster: &dyn Forecaster,
    series: &[Named<'_>],
) -> anyhow::Result<()> {
    let horizon = usize::try_from(args.horizon)?;
    let bar = progress(series.len())?;
    let made = series.chunks(BLOCK).flat_map(|block| {
        let inputs: Vec<ForecastInput> = block.iter().map(|named| input(*named)).collect();
        let made = forecaster.forecast(&inputs, horizon);
        bar.inc(block.len() as u64);
        block
            .iter()
            .zip(made)
            .map(|((workload, metric, _), forecast)| (*workload, *metric, forecast))
            .collect::<Vec<_>>()
    });
    trace::write_forecasts(&args.out, made).with_context(|| format!("{}", args.out.display()))?;
    bar.finish_and_clear();
    if args.explain {
        explain_all(forecaster, series, horizon, global.words());
    }
    say_aside(&format!("{}: {} steps of {} series by {}", args.out.display(), horizon, series.len(), args.model));
    Ok(())
}

/// The forecaster that was asked for, with its corrections where there are some.
fn forecaster(args: &args::Forecast, versions: Option<&Versions>) -> anyhow::Result<Box<dyn Forecaster + Send + Sync>> {
    let forecaster = super::models::forecaster(&args.model, versions)?;
    let Some(path) = &args.corrections else { return Ok(forecaster) };
    let corrections = super::audit::corrections(path)?;
    anyhow::ensure!(
        corrections.model == args.model,
        "{}: fitted for --model {}, not {}; run `apportion audit --model {}`",
        path.display(),
        corrections.model,
        args.model,
        args.model
    );
    Ok(Box::new(Corrected { forecaster, corrections }))
}

/// A line a series; times are told in UTC, as the trace counts them.
fn explain_all(
    forecaster: &dyn Forecaster,
    series: &[Named<'_>],
    horizon: usize,
    language: apportion_language::Language,
) {
    for named in series {
        let rationale = explain(forecaster, &input(*named), &Announced::default(), horizon);
        say(&explain_forecast(&rationale, language, &jiff::tz::TimeZone::UTC));
    }
}

fn progress(series: usize) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} series, {eta} left")?;
    Ok(ProgressBar::new(series as u64).with_style(style))
}

fn input((workload, metric, series): Named<'_>) -> ForecastInput {
    let past = match series {
        Past::Readings(readings) => readings.series().tail(CONTEXT),
        Past::Grid(series) => series.tail(CONTEXT),
    };
    ForecastInput { workload: workload.clone(), metric: metric.clone(), past, announced: Vec::new() }
}
