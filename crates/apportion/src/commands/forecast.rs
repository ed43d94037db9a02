//! `apportion forecast`.

use super::say_aside;
use crate::args;
use anyhow::Context as _;
use apportion_core::{Forecast, Forecaster, Metric, WorkloadId, traits::ForecastInput};
use apportion_host::trace::{self, Trace, TraceSeries};
use indicatif::{ProgressBar, ProgressStyle};
use std::{sync::Mutex, thread};

/// Steps of history that are looked at: a week of minutes, a month of five minutes.
const CONTEXT: usize = 10_080;
/// Series that are worked on between two writes: memory does not grow with the number of series.
const BLOCK: usize = 256;
/// Series that a thread takes at a time.
const BATCH: usize = 16;

type Named<'a> = (&'a WorkloadId, &'a Metric, &'a TraceSeries);

/// Forecasts every series of a trace from its own end.
///
/// # Errors
/// The trace cannot be read, no forecaster has that name, or the result cannot be written.
pub fn run(args: &args::Forecast) -> anyhow::Result<()> {
    trace::Format::of(&args.out)?;
    let horizon = usize::try_from(args.horizon)?;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let forecasters: Vec<_> = (0..threads).map(|_| super::models::forecaster(&args.model)).collect::<Result<_, _>>()?;
    let trace = Trace::read(&args.input)?;
    say_aside(&format!("{}: {} series, {}", args.input.display(), trace.len(), trace.report()));
    let series: Vec<Named<'_>> = trace.iter().collect();
    let bar = progress(series.len())?;
    let made = series.chunks(BLOCK).flat_map(|block| {
        let made = forecast_all(&forecasters, block, horizon);
        bar.inc(block.len() as u64);
        block
            .iter()
            .zip(made)
            .map(|((workload, metric, _), forecast)| (*workload, *metric, forecast))
            .collect::<Vec<_>>()
    });
    trace::write_forecasts(&args.out, made).with_context(|| format!("{}", args.out.display()))?;
    bar.finish_and_clear();
    say_aside(&format!("{}: {} steps of {} series by {}", args.out.display(), horizon, series.len(), args.model));
    Ok(())
}

fn progress(series: usize) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} series, {eta} left")?;
    Ok(ProgressBar::new(series as u64).with_style(style))
}

/// Forecasts a block, each thread with a forecaster of its own; the order and the bytes do not depend on the threads.
fn forecast_all(
    forecasters: &[Box<dyn Forecaster + Send + Sync>],
    block: &[Named<'_>],
    horizon: usize,
) -> Vec<Forecast> {
    let work = Mutex::new(block.chunks(BATCH).enumerate());
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for forecaster in forecasters {
            scope.spawn(|| {
                while let Some((index, batch)) = take(&work) {
                    let inputs: Vec<ForecastInput> = batch.iter().map(|named| input(*named)).collect();
                    let made = forecaster.forecast(&inputs, horizon);
                    if let Ok(mut done) = done.lock() {
                        done.push((index, made));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().flat_map(|(_, made)| made).collect()
}

fn take<I: Iterator>(work: &Mutex<I>) -> Option<I::Item> {
    work.lock().ok()?.next()
}

fn input((workload, metric, series): Named<'_>) -> ForecastInput {
    let past = series.series().tail(CONTEXT);
    ForecastInput { workload: workload.clone(), metric: metric.clone(), past, announced: Vec::new() }
}
