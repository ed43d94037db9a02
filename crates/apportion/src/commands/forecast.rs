//! `apportion forecast`.

use super::{announce, audit, models, say, say_aside};
use crate::{
    args::{self, Global},
    daemon,
    spread::{Spread, threads},
    tuning::{Versions, shipped},
};
use anyhow::Context as _;
use apportion_core::{
    Announced, Forecaster, Metric, Series, Window, WorkloadId, by_hours, knob,
    tick::{Cadence, Resolution},
    traits::ForecastInput,
    without_announced,
};
use apportion_host::{
    store::{ReadError, Store},
    trace::{self, Trace},
};
use apportion_language::wording::explain_forecast;
use apportion_planner::{
    audit::{Corrected, Corrections},
    explain,
};
use indicatif::{ProgressBar, ProgressStyle};
use std::{collections::BTreeSet, path::Path, sync::Arc};

/// Steps of a trace's history that are looked at: a week of minutes, a month of five minutes.
const CONTEXT: usize = 10_080;
/// Series that are worked on between two writes: memory does not grow with the number of series.
const BLOCK: usize = 256;
/// Series that a thread takes at a time.
const BATCH: usize = 16;

type Named<'a> = (&'a WorkloadId, &'a Metric);

/// The input of a series, made when its turn comes, with what is announced; `None` where nothing of it is known.
type Make<'a> = dyn Fn(Named<'_>) -> Option<(ForecastInput, Announced)> + 'a;

/// What is forecast how.
struct Job<'a> {
    global: &'a Global,
    args: &'a args::Forecast,
    horizon: usize,
    /// The loop's grid of five minutes, with the horizon that was asked for.
    grid: Resolution,
    corrections: Option<Corrections>,
}

/// Forecasts every series of a trace, or of the store, from its own end.
///
/// # Errors
/// The trace or the store cannot be read, no forecaster has that name, or the result cannot be written.
pub fn run(global: &Global, args: &args::Forecast) -> anyhow::Result<()> {
    trace::Format::of(&args.out)?;
    let horizon = usize::try_from(args.horizon)?;
    let grid = Cadence::default().resolutions.first().copied().context("the loop has a grid")?;
    let grid = Resolution { horizon, enough: 0, ..grid };
    let corrections = args.corrections.as_deref().map(audit::corrections).transpose()?;
    let job = Job { global, args, horizon, grid, corrections };
    let forecaster = Spread::new(job.forecaster()?, BATCH, threads(None));
    match &args.input {
        Some(input) => job.of_trace(&forecaster, input),
        None => job.of_store(&forecaster),
    }
}

impl Job<'_> {
    /// Steps of history that are looked at: as many as corrections were fitted on.
    fn context(&self) -> usize {
        let fitted = self.corrections.as_ref().map(|corrections| corrections.fitted.context_steps);
        if self.args.from_store { self.grid.context } else { fitted.unwrap_or(CONTEXT) }
    }

    /// The forecaster that was asked for, with its corrections where there are some.
    fn forecaster(&self) -> anyhow::Result<Box<dyn Forecaster + Send + Sync>> {
        let model = &self.args.model;
        let takes_tuned = models::takes_tuned(model);
        anyhow::ensure!(takes_tuned || !self.args.tuned, "--tuned is for --model auto and transformer, not {model}");
        let versions =
            (takes_tuned && (self.args.tuned || self.args.from_store)).then(|| Versions::of(&self.global.store_path()));
        let forecaster = models::forecaster(model, versions.as_ref())?;
        let (Some(corrections), Some(path)) = (self.corrections.clone(), &self.args.corrections) else {
            return Ok(forecaster);
        };
        let weights = versions.map_or(Ok(0), |versions| Ok::<_, anyhow::Error>(versions.in_use(shipped()?)?.number))?;
        let asked = audit::asked(model, weights, self.context(), self.horizon);
        if let Some(why) = corrections.fitted.refuses(&asked) {
            anyhow::bail!("{}: {why}; run `apportion audit --model {model}` again", path.display());
        }
        Ok(Box::new(Corrected { forecaster, corrections }))
    }

    fn of_trace(&self, forecaster: &dyn Forecaster, path: &Path) -> anyhow::Result<()> {
        let trace = Trace::read(path)?;
        say_aside(&format!("{}: {} series, {}", path.display(), trace.len(), trace.report()));
        let make = |(workload, metric): Named<'_>| {
            let past = trace.get(workload, metric)?.series().tail(self.context());
            Some(self.with_announced(workload, metric, past))
        };
        let named: Vec<Named<'_>> = trace.iter().map(|(workload, metric, _)| (workload, metric)).collect();
        let workloads: Vec<&WorkloadId> = named.iter().map(|(workload, _)| *workload).collect();
        if let Some(name) = announce::unknown(&self.args.announce, &workloads) {
            anyhow::bail!("--announce ...:{name}: no workload of {} is called {name}", path.display());
        }
        self.write(forecaster, &named, &make)
    }

    /// As the loop does: what was announced is taken out of the past, and what is announced is told of the future.
    fn with_announced(&self, workload: &WorkloadId, metric: &Metric, past: Series) -> (ForecastInput, Announced) {
        let (from_s, to_s) = (past.time_s(past.len()), past.time_s(past.len() + self.horizon));
        let announced = |window| announce::announced(&self.args.announce, workload, window);
        let ahead = announced(Window { from_s, to_s, step_s: past.step_s });
        let hours = by_hours(&past);
        let past = without_announced(past, &announced, &|_| hours.clone());
        let (workload, metric, factors) = (workload.clone(), metric.clone(), ahead.factors.clone());
        (ForecastInput { workload, metric, past, announced: factors }, ahead)
    }

    /// As the loop forecasts: the same past, without what was announced for it, and with what is announced.
    fn of_store(&self, forecaster: &dyn Forecaster) -> anyhow::Result<()> {
        let (store, now) = (Arc::new(self.global.open_to_read()?), daemon::now());
        let all = demand(&store)?;
        let named: Vec<Named<'_>> = all.iter().map(|(workload, metric)| (workload, metric)).collect();
        let cadence = Cadence { resolutions: vec![self.grid], ..Cadence::default() };
        daemon::with_seen(&store, &cadence, now, |seen| {
            let make = |(workload, metric): Named<'_>| {
                let (input, announced, _) = seen.forecast_input(workload, metric, now)?;
                let is_known = input.past.present().next().is_some();
                is_known.then_some((input, announced))
            };
            self.write(forecaster, &named, &make)
        })??;
        anyhow::ensure!(
            store.status().read_errors == 0,
            "{}: history cannot be read; the log says what of it",
            store.path().display()
        );
        Ok(())
    }

    fn write(&self, forecaster: &dyn Forecaster, named: &[Named<'_>], make: &Make<'_>) -> anyhow::Result<()> {
        let (args, bar) = (self.args, progress(named.len())?);
        let (mut done, mut steps_s) = (0, BTreeSet::new());
        let made = named.chunks(BLOCK).flat_map(|block| {
            let known = block.iter().filter_map(|named| Some((*named, make(*named)?)));
            let (known, (inputs, announced)): (Vec<Named<'_>>, (Vec<ForecastInput>, Vec<Announced>)) = known.unzip();
            let made = forecaster.forecast(&inputs, self.horizon);
            bar.inc(block.len() as u64);
            done += made.len();
            steps_s.extend(inputs.iter().map(|input| input.past.step_s));
            let all = known.into_iter().zip(announced).zip(made);
            all.map(|(((workload, metric), announced), made)| (workload, metric, announced.add_to(made)))
                .collect::<Vec<_>>()
        });
        trace::write_forecasts(&args.out, made).with_context(|| format!("{}", args.out.display()))?;
        bar.finish_and_clear();
        if args.explain {
            self.explain_all(forecaster, named, make);
        }
        self.say_what_is_not(named.len() - done, &steps_s);
        say_aside(&format!("{}: {} steps of {done} series by {}", args.out.display(), self.horizon, args.model));
        Ok(())
    }

    /// A line a series; times are told in UTC, as the trace counts them.
    fn explain_all(&self, forecaster: &dyn Forecaster, named: &[Named<'_>], make: &Make<'_>) {
        for (input, announced) in named.iter().filter_map(|named| make(*named)) {
            let rationale = explain(forecaster, &input, &announced, self.horizon);
            say(&explain_forecast(&rationale, self.global.words(), &jiff::tz::TimeZone::UTC));
        }
    }

    /// Series that were left out, and those at a step for which corrections are none.
    fn say_what_is_not(&self, left_out: usize, steps_s: &BTreeSet<u32>) {
        if left_out > 0 {
            say_aside(&format!("{left_out} series are left out: there is no reading of them in the last week"));
        }
        let fitted = self.corrections.as_ref().map(|corrections| &corrections.fitted.steps_s);
        for step_s in fitted.into_iter().flat_map(|fitted| steps_s.difference(fitted)) {
            say_aside(&format!("series with a reading every {step_s} s are not corrected: none of them was audited"));
        }
    }
}

/// The metrics that decide a knob, of every workload in the store.
fn demand(store: &Store) -> Result<Vec<(WorkloadId, Metric)>, ReadError> {
    let mut all = Vec::new();
    for id in store.workloads()?.into_iter().map(|seen| seen.workload.id).filter(|id| !id.is_machine()) {
        let metrics = store.metrics(&id)?.into_iter().filter(knob::is_demand);
        all.extend(metrics.map(|metric| (id.clone(), metric)));
    }
    Ok(all)
}

fn progress(series: usize) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} series, {eta} left")?;
    Ok(ProgressBar::new(series as u64).with_style(style))
}
