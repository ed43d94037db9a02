//! Where sizing gets its series: the grid that a workload's history supports, and a memory of what was folded already, so that a
//! tick costs a few steps and not a season.
//!
//! The memory changes no result. Tracks begin at fixed times (multiples of `ANCHOR_STEPS`), are built anew from history at the next
//! of these, and are checked against history before they are carried on.

use super::track::Track;
use apportion_core::{GuardLimits, History, Knob, Metric, Series, Time, Window, WorkloadId};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Grids, coarsest first, with the span of history from which each is used, seconds. The coarsest is also used where the data are
/// no finer.
const GRIDS: [(u32, i64); 3] = [(300, 86_400), (60, 7_200), (10, 0)];
/// Tracks begin at multiples of this (30 days of five-minute steps), and reach back between two and three of them.
const ANCHOR_STEPS: i64 = 8_640;
/// Two readings of the same step that differ by more than this share are not of the same history.
const SAME_SHARE: f32 = 1e-3;
/// A grid is finer than the data where it holds no more than this many times the values of the next coarser one.
const FINER: usize = 2;
/// How far back that is looked at, seconds.
const LOOK_S: i64 = 7_200;

/// A track and where it stands.
#[derive(Clone, Debug)]
struct Known {
    track: Track,
    step_s: u32,
    anchor_s: i64,
    /// Time and value of the last step that was folded.
    last: (i64, f32),
}

/// All tracks, by series.
#[derive(Debug, Default)]
pub(crate) struct Tracks(Mutex<BTreeMap<(WorkloadId, Metric), Known>>);

impl Tracks {
    /// Brings a series' track up to `now` and shows it, with its grid; `None` where nothing is known of the series.
    pub(crate) fn with<R>(
        &self,
        history: &dyn History,
        (workload, metric): (&WorkloadId, &Metric),
        now: Time,
        show: impl FnOnce(&Track, u32) -> R,
    ) -> Option<R> {
        let key = (workload.clone(), metric.clone());
        let before = self.memory().remove(&key);
        let step_s = match &before {
            // A coarser grid is never given up again for a finer one.
            Some(known) if known.step_s == GRIDS[0].0 => known.step_s,
            _ => grid(history, &key, now),
        };
        let known = advance(before, history, &key, now, step_s)?;
        let shown = show(&known.track, step_s);
        self.memory().insert(key, known);
        Some(shown)
    }

    /// Forgets the workloads of which `keep` is false.
    pub(crate) fn retain(&self, keep: impl Fn(&WorkloadId) -> bool) {
        self.memory().retain(|(workload, _), _| keep(workload));
    }

    fn memory(&self) -> MutexGuard<'_, BTreeMap<(WorkloadId, Metric), Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Key = (WorkloadId, Metric);

/// The coarsest grid that the history is long enough for, or that the data are no finer than.
fn grid(history: &dyn History, (workload, metric): &Key, now: Time) -> u32 {
    let present = |step_s: u32, span_s: i64| {
        let steps = usize::try_from(span_s / i64::from(step_s)).unwrap_or(0);
        let series = history.series(workload, metric, Window::last(now, step_s, steps))?;
        let first = series.values.iter().position(|value| value.is_finite())?;
        Some((series.present().count(), now.s() - series.time_s(first)))
    };
    let long_enough = |(step_s, span_s): &(u32, i64)| {
        // A step or two may be missing at the front.
        present(*step_s, span_s + 1).is_some_and(|(_, reach_s)| reach_s + 2 * i64::from(*step_s) >= *span_s)
    };
    let chosen = GRIDS.iter().position(long_enough).unwrap_or(GRIDS.len() - 1);
    let counts: Vec<usize> =
        GRIDS.iter().map(|(step_s, _)| present(*step_s, LOOK_S).map_or(0, |found| found.0)).collect();
    let no_finer = (0..chosen).find(|grid| counts[*grid] > 0 && counts[GRIDS.len() - 1] <= FINER * counts[*grid]);
    GRIDS[no_finer.unwrap_or(chosen)].0
}

fn advance(before: Option<Known>, history: &dyn History, key: &Key, now: Time, step_s: u32) -> Option<Known> {
    let step = i64::from(step_s);
    let anchor_s = (now.s().div_euclid(ANCHOR_STEPS * step) - 2) * ANCHOR_STEPS * step;
    let to_s = now.s().div_euclid(step) * step + step;
    let usable = before.filter(|known| known.step_s == step_s && known.anchor_s == anchor_s && known.last.0 < to_s);
    let carried = usable.and_then(|known| {
        let ahead = history.series(&key.0, &key.1, Window { from_s: known.last.0, to_s, step_s })?;
        is_same(ahead.values.first().copied(), known.last.1).then(|| fold(known, &ahead, 1))
    });
    carried.or_else(|| {
        let past = history.series(&key.0, &key.1, Window { from_s: anchor_s, to_s, step_s })?;
        // Where history begins later, so does the track: the anchor must not matter before it is reached.
        let first = past.values.iter().position(|value| value.is_finite())?;
        let track = Track::new(step_s).with_headroom(headroom(&key.1));
        let fresh = Known { track, step_s, anchor_s, last: (0, f32::NAN) };
        Some(fold(fresh, &past, first))
    })
}

/// The guard sets memory so far above what is in use.
#[allow(clippy::cast_possible_truncation, reason = "a share")]
fn headroom(metric: &Metric) -> f32 {
    let is_memory = metric.as_str() == Knob::MemoryMax.demand_metric();
    if is_memory { GuardLimits::default().memory_headroom_share as f32 } else { 0.0 }
}

fn fold(mut known: Known, series: &Series, from: usize) -> Known {
    for (index, value) in series.values.iter().enumerate().skip(from) {
        known.track.push(*value);
        known.last = (series.time_s(index), *value);
    }
    known
}

fn is_same(read: Option<f32>, folded: f32) -> bool {
    read.is_some_and(|read| (read.is_nan() && folded.is_nan()) || (read - folded).abs() <= SAME_SHARE * folded.abs())
}
