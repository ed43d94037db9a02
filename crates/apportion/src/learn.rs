//! Series to learn from: trace files and the own store.

use crate::{args::Global, commands::say_aside, daemon};
use anyhow::bail;
use apportion_core::{
    Metric, Series, Time, WorkloadId, knob,
    stats::fnv1a,
    tick::{Cadence, Resolution, Seen},
    time::CALENDAR_FROM_S,
};
use apportion_host::{
    store::{ReadError, Store},
    trace::Trace,
};
use apportion_model::training::TrainSeries;
use sha2::{Digest as _, Sha256};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Step of what is read from the store, seconds, and how far back.
pub(crate) const STORE_STEP_S: u32 = 300;
const STORE_STEPS: usize = 90 * 288;
/// What is read, at least and at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Readings of a series; shorter ones are left out.
    pub(crate) readings: usize,
    /// Workloads of the store; beyond so many they are thinned out, to bound memory.
    pub(crate) workloads: usize,
}

/// To learn from: shorter series teach nothing, and 90 days of five metrics of each workload are 125 MiB in all.
pub(crate) const TO_LEARN: Bounds = Bounds { readings: 96, workloads: 256 };

/// A series that was found, and whose it is.
pub(crate) struct Found {
    /// The file, or the store.
    pub(crate) source: String,
    /// Whose.
    pub(crate) workload: WorkloadId,
    /// Of what.
    pub(crate) metric: Metric,
    /// The series, beginning with its first value.
    pub(crate) series: Series,
}

impl Found {
    /// As the trainer takes it.
    pub(crate) fn into_train(self, group: String) -> TrainSeries {
        let Series { start_s, step_s, values } = self.series;
        TrainSeries { group, values, step_s, start_time_s: (start_s >= CALENDAR_FROM_S).then_some(start_s) }
    }

    /// The same, its source being the group.
    pub(crate) fn into_train_by_source(self) -> TrainSeries {
        let source = self.source.clone();
        self.into_train(source)
    }

    /// One workload in `every` is held out, by a hash of its name, so that all its metrics go the same way.
    pub(crate) fn is_held_out(&self, every: u64) -> bool {
        fnv1a(format!("{}|{}", self.source, self.workload).bytes()).is_multiple_of(every)
    }

    fn is_enough(&self, bounds: Bounds) -> bool {
        self.series.present().count() >= bounds.readings
    }
}

/// Every series of trace files and, where asked for, of the own store until a time; with the names of the sources for people, who are
/// told what is left out.
///
/// # Errors
/// One of them cannot be read.
pub(crate) fn read(
    global: &Global,
    traces: &[PathBuf],
    store_until: Option<Time>,
    bounds: Bounds,
) -> anyhow::Result<(Vec<Found>, Vec<String>)> {
    let mut all = every_from_traces(traces)?;
    if let Some(until) = store_until {
        let (found, thinned) = every_from_store(&Arc::new(global.open_to_read()?), until, bounds)?;
        all.extend(found);
        if thinned > 0 {
            say_aside(&format!("{thinned} workloads of the store are left out, so that what is read fits in memory"));
        }
    }
    let before = all.len();
    all.retain(|found| found.is_enough(bounds));
    if all.len() < before {
        say_aside(&format!("{} series of fewer than {} readings are left out", before - all.len(), bounds.readings));
    }
    Ok((all, names(traces, store_until.is_some())))
}

/// Every series of trace files that is long enough to learn from.
///
/// # Errors
/// A file cannot be read.
pub(crate) fn from_traces(traces: &[PathBuf]) -> anyhow::Result<Vec<Found>> {
    let mut all = every_from_traces(traces)?;
    all.retain(|found| found.is_enough(TO_LEARN));
    Ok(all)
}

fn every_from_traces(traces: &[PathBuf]) -> anyhow::Result<Vec<Found>> {
    let mut all = Vec::new();
    for path in traces {
        let trace = Trace::read(path)?;
        let found = trace.iter().map(|(workload, metric, series)| Found {
            source: source_of(path),
            workload: workload.clone(),
            metric: metric.clone(),
            series: series.series(),
        });
        all.extend(found);
    }
    Ok(all)
}

/// What the loop forecasts, as it sees it: 90 days of five minutes until a time of the metrics that decide a knob, without what was
/// announced for them, where there is enough to learn from; of so many workloads at most.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn from_store(store: &Arc<Store>, until: Time, workloads: usize) -> anyhow::Result<Vec<Found>> {
    let (mut all, _) = every_from_store(store, until, Bounds { workloads, ..TO_LEARN })?;
    all.retain(|found| found.is_enough(TO_LEARN));
    Ok(all)
}

/// However short, with the number of workloads that are left out. What comes after `until` changes nothing of it.
fn every_from_store(store: &Arc<Store>, until: Time, bounds: Bounds) -> anyhow::Result<(Vec<Found>, usize)> {
    let workloads = store.workloads()?.into_iter().filter(|seen| seen.first <= until && !seen.workload.id.is_machine());
    let mut kept: Vec<WorkloadId> = workloads.map(|seen| seen.workload.id).collect();
    let thinned = kept.len().saturating_sub(bounds.workloads);
    if thinned > 0 {
        kept.sort_by_cached_key(|id| fnv1a(id.as_str().bytes()));
        kept.truncate(bounds.workloads);
        kept.sort();
    }
    let grid = Resolution { step_s: STORE_STEP_S, context: STORE_STEPS, horizon: 1, enough: 0 };
    let cadence = Cadence { resolutions: vec![grid], ..Cadence::default() };
    let all = daemon::with_seen(store, &cadence, until, |seen| {
        kept.iter().map(|id| every_of(store, seen, id, until)).collect::<Result<Vec<_>, _>>()
    })??;
    if store.status().read_errors > 0 {
        bail!("{}: history cannot be read; the log says what of it", store.path().display());
    }
    Ok((all.into_iter().flatten().collect(), thinned))
}

/// The metrics of a workload that decide a knob.
fn every_of(store: &Store, seen: &Seen<'_>, workload: &WorkloadId, until: Time) -> Result<Vec<Found>, ReadError> {
    let metrics = store.metrics(workload)?.into_iter().filter(knob::is_demand);
    let found = metrics.filter_map(|metric| {
        let (input, ..) = seen.forecast_input(workload, &metric, until)?;
        let (workload, series) = (workload.clone(), begun(&input.past));
        Some(Found { source: "store".to_owned(), workload, metric, series })
    });
    Ok(found.collect())
}

/// SHA-256 over series, in their order.
pub(crate) fn digest(all: &[Found]) -> String {
    let mut digest = Sha256::new();
    for Found { source, workload, metric, series } in all {
        digest.update(format!("{source}|{workload}|{metric}|{}|{}", series.start_s, series.step_s));
        series.values.iter().for_each(|value| digest.update(value.to_le_bytes()));
    }
    hex(digest.finalize())
}

/// In hexadecimal.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Names of sources for people.
fn names(traces: &[PathBuf], from_store: bool) -> Vec<String> {
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    traces.iter().map(name).chain(from_store.then(|| "the store".to_owned())).collect()
}

/// Without the gap before the first value.
fn begun(series: &Series) -> Series {
    let steps = series.values.iter().position(|value| value.is_finite()).map_or(0, |first| series.len() - first);
    series.tail(steps)
}

/// The folder and name of a file without its ending: `bitbrains/train`.
fn source_of(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    format!("{folder}/{}", path.file_stem().unwrap_or_default().to_string_lossy())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use apportion_core::{
        Batch, Instruction, Workload, WorkloadKind,
        instruction::{Effect, InstructionKind},
        metric::name,
    };
    use apportion_host::store::Options;
    use std::collections::{BTreeMap, BTreeSet};

    const UNTIL: Time = Time::from_s(1_790_000_000);

    /// So many workloads with ten hours of memory each, three times as much from four to two hours before the end.
    fn store(workloads: usize) -> Arc<Store> {
        let mut batch = Batch::default();
        for id in (0..workloads).map(|k| WorkloadId::new(&format!("w{k}"))) {
            for step in 0..120 {
                let bytes = if (24..48).contains(&step) { 3e8 } else { 1e8 };
                batch.push(&id, &Metric::new(name::MEMORY_WORKING_SET), UNTIL.plus_s(-300 * step), bytes);
            }
            let (kind, path, labels) = (WorkloadKind::Trace, String::new(), BTreeMap::new());
            batch.workloads.push(Workload { id, kind, path, labels });
        }
        let store = Store::in_memory(Options::default()).unwrap();
        store.backfill(&batch, UNTIL).unwrap();
        Arc::new(store)
    }

    #[test]
    fn no_more_workloads_are_read_than_is_said() {
        let bounds = Bounds { workloads: 16, ..TO_LEARN };
        let (found, left_out) = every_from_store(&store(30), UNTIL, bounds).unwrap();
        let names: BTreeSet<&WorkloadId> = found.iter().map(|found| &found.workload).collect();
        assert_eq!((names.len(), left_out), (16, 14));
        assert_eq!(every_from_store(&store(3), UNTIL, bounds).unwrap().1, 0);
    }

    #[test]
    fn what_is_said_later_of_an_earlier_time_changes_nothing_that_was_read() {
        let store = store(1);
        let read = || digest(&from_store(&store, UNTIL, 1).unwrap());
        let (before, hours) = (read(), |hours: i64| UNTIL.plus_s(3_600 * hours));
        let event = Instruction {
            effect: Some(Effect::Multiply),
            amount: Some(3.0),
            start: Some(hours(-4)),
            end: Some(hours(-2)),
            ..Instruction::new(InstructionKind::Event, "3x")
        };
        store.instruct(&event, hours(1)).unwrap();
        assert_eq!(read(), before);
        store.instruct(&event, hours(-5)).unwrap();
        assert_ne!(read(), before, "what was known then counts");
    }
}
