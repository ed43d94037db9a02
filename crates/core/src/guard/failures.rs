//! What could not be set, why, and when it is tried again: each try costs a record on disk, and some start programs.

use super::Refusal;
use crate::{Binding, Change, Knob, Outcome, Time, WorkloadId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The pause after the first failure, seconds; each further one doubles it.
const FIRST_PAUSE_S: f64 = 20.0;
/// No pause is longer, seconds; of what gives more, which hurts as long as it is withheld, shorter.
const LONGEST_PAUSE_S: f64 = 300.0;
const LONGEST_RAISE_PAUSE_S: f64 = 60.0;

/// The last failures of one knob in a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Failure {
    error: String,
    times: i32,
    last: Time,
    /// What failed: where a cut could not be made, more is given without a pause.
    sort: Sort,
}

/// What kind of change it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sort {
    Cut,
    Raise,
    SetAgain,
}

impl Sort {
    fn of(change: &Change) -> Self {
        match change.is_cut() {
            _ if change.is_set_again() => Self::SetAgain,
            true => Self::Cut,
            false => Self::Raise,
        }
    }
}

/// Failures by knob; one that was set since has none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Failures(BTreeMap<WorkloadId, BTreeMap<Knob, Failure>>);

impl Failures {
    /// What came of a change.
    pub(super) fn note(&mut self, change: &Change, outcome: &Outcome, now: Time) {
        let (knobs, sort) = (self.0.entry(change.workload.clone()).or_default(), Sort::of(change));
        let before = knobs.remove(&change.knob).filter(|before| before.sort == sort);
        if let Outcome::Failed { error } = outcome {
            let times = before.map_or(0, |before| before.times).saturating_add(1);
            knobs.insert(change.knob, Failure { error: error.clone(), times, last: now, sort });
        }
        self.0.retain(|_, knobs| !knobs.is_empty());
    }

    /// That the pause after the last failure is over. What hurts is taken back at every turn, and a person does not wait.
    pub(super) fn check(&self, change: &Change, now: Time) -> Result<(), Refusal> {
        let failure = self.0.get(&change.workload).and_then(|knobs| knobs.get(&change.knob));
        let is_urgent = matches!(change.reason.binding, Binding::TakeBack { .. } | Binding::RolledBack { .. });
        let Some(failure) = failure.filter(|failure| !is_urgent && failure.sort == Sort::of(change)) else {
            return Ok(());
        };
        let longest_s = if failure.sort == Sort::Raise { LONGEST_RAISE_PAUSE_S } else { LONGEST_PAUSE_S };
        let pause_s = (FIRST_PAUSE_S * 2.0_f64.powi(failure.times - 1)).min(longest_s);
        // A clock that was set back puts nothing off.
        let left_s = pause_s - now.since_s(failure.last).abs();
        if left_s > 0.0 { Err(Refusal::Failing { error: failure.error.clone(), left_s }) } else { Ok(()) }
    }

    /// Nothing of these workloads has failed.
    pub(super) fn forget(&mut self, is_it: impl Fn(&WorkloadId) -> bool) {
        self.0.retain(|workload, _| !is_it(workload));
    }
}
