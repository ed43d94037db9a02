//! Fine-tuning on the own series: learn from nine tenths of their time, judge on the last, keep what wins metric by metric.

mod versions;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use versions::replace;
pub use versions::{Conditions, InUse, Version, VersionError, Versions, sha256_of};

use crate::{commands::NothingFound, learn, learn::Found};
use anyhow::Context as _;
use apportion_core::Metric;
use apportion_model::{
    telemetry::TelemetryModel,
    training::{self, Progress, TrainSet, TuneConfig},
};
use apportion_planner::forecasters::Transformer;
use std::{cmp::Reverse, collections::BTreeMap, ops::ControlFlow};

/// What to tune on, and how.
pub(crate) struct Job {
    /// The own series by metric, which is the group that is judged and served; those replayed by where they are from.
    pub(crate) set: TrainSet,
    /// SHA-256 of the series: own, then replayed.
    sha256_of_series: String,
    /// Names of where they are from, for people.
    sources: Vec<String>,
    config: TuneConfig,
}

impl Job {
    pub(crate) fn new(own: Vec<Found>, replay: Vec<Found>, sources: Vec<String>, config: TuneConfig) -> Self {
        let sha256_of_series = format!("{}+{}", learn::digest(&own), learn::digest(&replay));
        let by_metric = |found: Found| {
            let metric = found.metric.as_str().to_owned();
            found.into_train(metric)
        };
        let series = own.into_iter().map(by_metric).collect();
        let replay = replay.into_iter().map(Found::into_train_by_source).collect();
        Self { set: TrainSet { series, replay }, sha256_of_series, sources, config }
    }
}

/// Tunes, judges and keeps what won; `None` where `progress` broke it off.
///
/// # Errors
/// There is too little history ([`NothingFound`]), the version in force is damaged, another was put in force meanwhile, or a file
/// cannot be written.
pub(crate) fn tune(
    versions: &Versions,
    job: Job,
    progress: impl FnMut(&Progress) -> ControlFlow<()>,
) -> anyhow::Result<Option<Version>> {
    let Job { mut set, sha256_of_series, sources, config } = job;
    if !training::is_enough(&set.series) {
        return Err(NothingFound(too_little(&set)).into());
    }
    let began = versions.current()?;
    let InUse { number: from, transformer: in_force, .. } = versions.in_use(shipped()?)?;
    let start = if from == 0 { in_force.general().clone() } else { versions.weights(from)? };
    let Some(tuned) = training::tune(&start, &set, &config, progress) else { return Ok(None) };
    // What is judged is what will be read again.
    let bytes = tuned.to_bytes()?;
    let tuned = TelemetryModel::from_bytes(&bytes).context("the tuned weights")?;
    let (series, step_s) = (set.series.len(), commonest_step_s(&set));
    set.series.retain(|series| series.step_s == step_s);
    let scores = training::judge(&set, &|group| in_force.model(&Metric::new(group), step_s), &tuned, config.threads);
    let _lock = versions.lock_unless_overtaken(began)?;
    let number = versions.next()?;
    let mut serves = if from == 0 { BTreeMap::new() } else { versions.version(from)?.serves };
    serves.extend(scores.iter().filter(|score| score.is_won()).map(|score| (Metric::new(&score.group), number)));
    let TuneConfig { steps, peak, replay, seed, .. } = config;
    let mut version = Version {
        number,
        from,
        made: jiff::Timestamp::now(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        sha256_of_shipped: sha256_of(&in_force)?,
        conditions: Conditions { steps, peak, replay, seed, series, sources, sha256_of_series },
        step_s,
        scores,
        serves,
        sha256_of_weights: String::new(),
    };
    versions.take(&mut version, &bytes)?;
    Ok(Some(version))
}

/// The Transformer that this program ships with.
///
/// # Errors
/// None with the weights as committed.
pub(crate) fn shipped() -> anyhow::Result<Transformer> {
    Transformer::embedded().context("this program was built with other weights than were committed")
}

/// The step of most series, the shortest of several: all are learnt from, those of this step are judged on.
fn commonest_step_s(set: &TrainSet) -> u32 {
    let mut counts = BTreeMap::<u32, usize>::new();
    set.series.iter().for_each(|series| *counts.entry(series.step_s).or_default() += 1);
    let most = counts.into_iter().max_by_key(|(step_s, count)| (*count, Reverse(*step_s)));
    most.map_or(learn::STORE_STEP_S, |(step_s, _)| step_s)
}

#[allow(clippy::cast_precision_loss, reason = "lengths of series")]
fn too_little(set: &TrainSet) -> String {
    let longest = set.series.iter().map(|series| (series.values.len(), series.step_s)).max().unwrap_or((0, 300));
    let hours = |steps: usize, step_s: u32| format!("{:.1} h", steps as f64 * f64::from(step_s) / 3_600.0);
    format!(
        "too little history to tune on: {} series of use, the longest of {} steps ({}). Some metric needs four series of 160 \
         steps ({}), or one of 640 ({}); let `apportion run` watch for longer, or name trace files",
        set.series.len(),
        longest.0,
        hours(longest.0, longest.1),
        hours(160, longest.1),
        hours(640, longest.1),
    )
}
