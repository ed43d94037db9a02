//! Where recorded usage comes from: a trace file, the store of a loop, a Prometheus server.

use super::{super::say_aside, Replay};
use crate::{args::Global, daemon};
use anyhow::{Context as _, bail};
use apportion_core::{History as _, Metric, Time, Window, WorkloadId, knob, metric::name};
use apportion_host::{
    store::{Options, Store},
    trace,
};
use apportion_planner::prepare::Demand;
use apportion_replay::{Decisions, Judged, Repairs, Trace, TraceBuilder};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The recorded usage that the arguments name.
///
/// # Errors
/// It cannot be read, or holds nothing that can be replayed.
pub(super) fn read(global: &Global, args: &Replay) -> anyhow::Result<Trace> {
    let end = args.until.map_or_else(daemon::now, Time::from_s);
    let trace = match (&args.trace, args.until) {
        (Some(path), None) => from_file(path)?,
        (Some(path), Some(until_s)) => from_file(path)?.until(until_s)?,
        (None, _) if args.from_store => from_store(&global.open_to_read()?, args, end)?,
        (None, _) => from_prometheus(global, args, end)?,
    };
    match args.last {
        Some(span_s) => Ok(trace.since(trace.last_s() - span_s)?),
        None => Ok(trace),
    }
}

fn from_file(path: &Path) -> anyhow::Result<Trace> {
    let file = trace::Trace::read(path)?;
    say_aside(&format!("{}: {} series, {}", path.display(), file.len(), file.report()));
    let repairs = Repairs {
        reordered_series: file.report().sorted_series,
        duplicate_rows: file.report().duplicates,
        missing_rows: file.report().gaps,
        is_cut_off: file.report().is_cut_off,
    };
    let mut builder = TraceBuilder::default();
    for (workload, metric, series) in file.iter() {
        for (time_s, value) in series.times_s().iter().zip(series.values()) {
            builder.push(workload.as_str(), metric.as_str(), *time_s, f64::from(*value))?;
        }
    }
    Ok(builder.finish()?.with_repairs(repairs))
}

/// What the store holds of every workload.
fn from_store(store: &Store, args: &Replay, end: Time) -> anyhow::Result<Trace> {
    let window = args.window(end);
    let place = store.path().display();
    let trace = of_store(store, window, |_| true).with_context(|| {
        let days = (window.to_s - window.from_s) / 86_400;
        format!("{place} holds nothing of the last {days} days that can be replayed at a step of {} s", window.step_s)
    })?;
    say_aside(&format!("{place}: {} series, {} samples", trace.series().len(), trace.samples()));
    Ok(trace)
}

/// What the store holds of the workloads that are meant, as demand: what a quota held back is estimated as the loop does.
///
/// # Errors
/// The store cannot be read, or holds nothing of them ([`apportion_replay::ReplayError::Empty`]).
pub(crate) fn of_store(store: &Store, window: Window, is_meant: impl Fn(&str) -> bool) -> anyhow::Result<Trace> {
    let demand = Demand::new(store);
    let mut builder = TraceBuilder::default();
    let known: Vec<WorkloadId> = store.workloads()?.into_iter().map(|seen| seen.workload.id).collect();
    for workload in known.iter().filter(|id| !id.is_machine() && is_meant(id.as_str())) {
        for metric in store.metrics(workload)?.iter().filter(|metric| is_replayed(metric)) {
            let Some(series) = demand.series(workload, metric, window) else { continue };
            for (index, value) in series.values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
                builder.push(workload.as_str(), metric.as_str(), series.time_s(index), f64::from(*value).max(0.0))?;
            }
        }
    }
    Ok(builder.finish()?)
}

/// What knobs are sized by, and requests, which replicas serve.
fn is_replayed(metric: &Metric) -> bool {
    knob::is_demand(metric) || metric.as_str() == name::REQUESTS
}

/// What a server knows, by way of a store that is gone afterwards.
fn from_prometheus(global: &Global, args: &Replay, end: Time) -> anyhow::Result<Trace> {
    let mut config = global.configuration()?;
    if let Some(url) = args.from_prometheus.as_ref().filter(|url| !url.is_empty()) {
        config.prometheus = Some(url.clone());
    }
    let Some(mut collector) = daemon::prometheus::collector(&config)? else {
        bail!("no Prometheus server is configured: give its address, --from-prometheus http://host:9090");
    };
    let store = Store::in_memory(Options::default())?;
    let (mut problems, mut failed): (BTreeSet<String>, Option<anyhow::Error>) = (BTreeSet::new(), None);
    collector.history(args.window(end), &mut |batch| {
        problems.extend(batch.problems.iter().map(|problem| format!("{}: {}", problem.place, problem.what)));
        if let Err(error) = store.backfill(&batch, end) {
            failed = Some(error.into());
        }
    });
    problems.iter().for_each(|problem| say_aside(problem));
    if let Some(error) = failed {
        return Err(error);
    }
    from_store(&store, args, end).context("the Prometheus server gave nothing that can be replayed")
}

/// The decisions that an earlier replay wrote.
///
/// # Errors
/// There are none, or they are of series that the trace does not hold.
pub(super) fn recorded(folder: &Path, before: Option<&Judged>, trace: &Trace) -> anyhow::Result<Vec<Decisions>> {
    let files = recorded_files(folder, before)?;
    if files.is_empty() {
        bail!("{}: holds no decisions (NAME.parquet): give the folder that a replay wrote", folder.display());
    }
    let read = |path: &PathBuf| -> anyhow::Result<Decisions> {
        let rows = trace::read_decisions(path)?;
        let rows = rows.iter().map(|row| (row.workload.as_str(), row.metric.as_str(), row.time_s, row.allocation));
        Ok(Decisions::from_rows(&policy(path), trace, rows)?)
    };
    files.iter().map(read).collect()
}

/// The decisions of the policies that the last replay into the folder played, in the order in which they were shown; without its
/// `judged.json` all that are there, by name.
fn recorded_files(folder: &Path, before: Option<&Judged>) -> anyhow::Result<Vec<PathBuf>> {
    if let Some(judged) = before {
        let mut shown: Vec<&str> = Vec::new();
        for row in &judged.rows {
            if !shown.contains(&row.policy.as_str()) {
                shown.push(&row.policy);
            }
        }
        return Ok(shown.into_iter().map(|name| super::decisions_path(folder, name)).collect());
    }
    let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "parquet")).collect();
    files.sort();
    Ok(files)
}

/// The name of a policy whose decisions are in a file.
fn policy(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// How an earlier replay into the folder was judged; `None` where that is not written there.
///
/// # Errors
/// It cannot be read, or is of other usage than this: its decisions would be judged against what they were not made for.
pub(super) fn judged_before(folder: &Path, trace: &Trace) -> anyhow::Result<Option<Judged>> {
    let path = folder.join(super::JUDGED);
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let judged: Judged = serde_json::from_str(&text)
        .with_context(|| format!("{}: was not written by a replay of this version", path.display()))?;
    if judged.conditions.data_digest != trace.digest() {
        bail!(
            "{}: its decisions were made on other usage than this: judge them with the trace that they were made on, and the same --last, --until and --step; or play this one",
            folder.display()
        );
    }
    Ok(Some(judged))
}

impl Replay {
    /// The part of a live source that is replayed.
    fn window(&self, end: Time) -> Window {
        let span_s = self.last.unwrap_or(super::LAST_S);
        let steps = usize::try_from(span_s / i64::from(self.step)).unwrap_or(1).max(1);
        Window::last(end, self.step, steps)
    }
}
