//! Series to learn from: trace files and the own store.

use crate::args::Global;
use apportion_core::{Metric, Series, Time, Window, WorkloadId};
use apportion_host::trace::Trace;
use apportion_model::training::{TrainSeries, TrainSet};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// Shorter series teach nothing.
const LEAST_STEPS: usize = 96;
/// Step of what is read from the store, seconds, and how far back.
const STORE_STEP_S: u32 = 300;
const STORE_STEPS: usize = 90 * 288;
/// Times before this are counted from a trace's own start, not from 1970.
const CALENDAR_FROM_S: i64 = 315_532_800;

/// What was found to learn from.
pub(crate) struct Learnt {
    /// To learn from.
    pub(crate) set: TrainSet,
    /// To judge by.
    pub(crate) held: Vec<TrainSeries>,
    /// Where from, for people.
    pub(crate) sources: Vec<String>,
    /// SHA-256 over all series, in order.
    pub(crate) digest: String,
}

/// Reads all series; one workload in `holdout`, by a hash of its name, is kept out.
///
/// # Errors
/// A file or the store cannot be read.
pub(crate) fn series(global: &Global, traces: &[PathBuf], from_store: bool, holdout: u64) -> anyhow::Result<Learnt> {
    let (mut set, mut held, mut sources, mut digest) = (TrainSet::default(), Vec::new(), Vec::new(), Sha256::new());
    let mut take = |group: &str, workload: &WorkloadId, metric: &Metric, series: Series| {
        if series.present().count() < LEAST_STEPS {
            return;
        }
        digest.update(format!("{group}|{workload}|{metric}|{}|{}", series.start_s, series.step_s));
        series.values.iter().for_each(|value| digest.update(value.to_le_bytes()));
        let start_time_s = (series.start_s >= CALENDAR_FROM_S).then_some(series.start_s);
        let series =
            TrainSeries { group: group.to_owned(), values: series.values, step_s: series.step_s, start_time_s };
        if is_held_out(group, workload, holdout) { held.push(series) } else { set.series.push(series) }
    };
    for path in traces {
        let trace = Trace::read(path)?;
        let group = group_of(path);
        trace.iter().for_each(|(workload, metric, series)| take(&group, workload, metric, series.series()));
        sources.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
    }
    if from_store {
        let store = global.open_to_read()?;
        let now = Time::from_s(jiff::Timestamp::now().as_second());
        for seen in store.workloads()? {
            for metric in store.metrics(&seen.workload.id)? {
                let window = Window::last(now, STORE_STEP_S, STORE_STEPS);
                if let Some(series) = store.series_mean(&seen.workload.id, &metric, window)? {
                    take("store", &seen.workload.id, &metric, begun(&series));
                }
            }
        }
        sources.push("the store".to_owned());
    }
    let digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Learnt { set, held, sources, digest })
}

/// Without the gap before the first value.
fn begun(series: &Series) -> Series {
    let steps = series.values.iter().position(|value| value.is_finite()).map_or(0, |first| series.len() - first);
    series.tail(steps)
}

/// The folder and name of a file without its ending: `bitbrains/train`.
fn group_of(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    format!("{folder}/{}", path.file_stem().unwrap_or_default().to_string_lossy())
}

/// By FNV-1a of group and workload, so that all metrics of a workload go the same way.
fn is_held_out(group: &str, workload: &WorkloadId, every: u64) -> bool {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    let name = format!("{group}|{workload}");
    name.bytes().fold(0xCBF2_9CE4_8422_2325, step).is_multiple_of(every)
}
