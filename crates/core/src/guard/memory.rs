//! What the guard remembers of one knob from turn to turn.

use super::Admitted;
use crate::{DecisionId, Knob, Setting, Time, WorkloadState};
use serde::{Deserialize, Serialize};

/// What was raised no longer ago than this may be taken back in one step, seconds: the value before was in force that lately.
const TAKE_BACK_S: f64 = 86_400.0;

/// What got lost is set again within this time of when it was last seen in force, and not twice within it, seconds: later the load may be
/// another, and what goes again and again is taken away by somebody.
const SET_AGAIN_WITHIN_S: f64 = 3_600.0;
/// When it was last seen in force is kept this coarsely, seconds, for what is remembered is written where it differs.
const SEEN_EVERY_S: f64 = 600.0;

fn is_lately(time: Option<Time>, now: Time) -> bool {
    time.is_some_and(|time| now.since_s(time) <= SET_AGAIN_WITHIN_S)
}

/// What the guard remembers of one knob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct KnobMemory {
    /// What we last set it to.
    pub(super) expected: Option<Setting>,
    /// When.
    pub(super) changed: Option<Time>,
    /// What somebody else set it to, since when we keep off.
    pub(super) ceded: Option<Setting>,
    /// The least it was at before the raises of the last day, and when the last of them was.
    #[serde(default)]
    pub(super) before_raise: Option<(Time, f64)>,
    /// What it was at before we first set it.
    #[serde(default)]
    pub(super) original: Option<Setting>,
    /// The group that was last seen with what we had set.
    #[serde(default)]
    pub(super) life: Option<u64>,
    /// The decision that set it, where that rested on the most that people allow alone.
    #[serde(default)]
    pub(super) bounded_by: Option<DecisionId>,
    /// What we had set is gone with what held it, and is not set again yet.
    #[serde(default)]
    pub(super) lost: bool,
    /// When it was last seen as we had set it.
    #[serde(default)]
    pub(super) in_force: Option<Time>,
    /// When it was last set again.
    #[serde(default)]
    pub(super) again: Option<Time>,
}

impl KnobMemory {
    /// A group made anew, or a machine started again, has its own first value and not ours: nobody has turned the knob.
    pub(super) fn is_anew(&self, knob: Knob, found: Setting, life: Option<u64>) -> bool {
        let another = self.life.zip(life).is_some_and(|(before, now)| before != now);
        another && self.original.is_some_and(|original| original.same(found, knob))
    }

    /// What we had set is still there, perhaps in another group (systemd keeps what is set of a unit); or it got lost.
    pub(super) fn see(&mut self, knob: Knob, state: &WorkloadState, now: Time) {
        let Some((expected, found)) = self.expected.zip(state.settings.get(&knob).copied()) else { return };
        if expected.same(found, knob) {
            (self.life, self.lost) = (state.life, false);
            if self.in_force.is_none_or(|seen| now.since_s(seen) >= SEEN_EVERY_S) {
                self.in_force = Some(now);
            }
        } else {
            self.lost |= self.life == state.life && state.lost.contains(&knob);
        }
    }

    /// What we had set got lost, and nobody has set anything since.
    pub(super) fn is_lost(&self, found: Setting) -> bool {
        self.lost && self.ceded.is_none() && found == Setting::Unlimited
    }

    /// It got lost a moment ago and for the first time.
    pub(super) fn is_to_set_again(&self, found: Setting, now: Time) -> bool {
        self.is_lost(found) && is_lately(self.in_force, now) && !is_lately(self.again, now)
    }

    /// It was set again, or found not to be lost.
    pub(super) const fn tried_again(&mut self, now: Time) {
        self.again = Some(now);
    }

    /// Set, and read back.
    pub(super) fn set(&mut self, admitted: &Admitted, read_back: Setting, now: Time) {
        if self.expected.is_none() {
            self.original = Some(admitted.from());
        }
        (self.expected, self.life, self.lost, self.changed) = (Some(read_back), admitted.life, false, Some(now));
        self.in_force = Some(now);
        if !admitted.change.is_set_again() {
            self.bounded_by = admitted.change.reason.is_bound_alone().then_some(admitted.id());
        }
        if let (Setting::Value(from), Setting::Value(to)) = (admitted.from(), admitted.to)
            && to > from
        {
            self.before_raise = Some((now, self.least_before(now).map_or(from, |least| least.min(from))));
        }
    }

    /// What got lost shall not be set any more.
    pub(super) fn give_up(&mut self, found: Setting) {
        (self.expected, self.lost, self.bounded_by) = (Some(found), false, None);
    }

    /// The decision that set it where that rested on the most that people allowed alone, and they do so no longer.
    pub(super) fn bound_over(&self, knob: Knob, state: &WorkloadState) -> Option<DecisionId> {
        let is_bounded = state.standing.bounds.get(&knob).is_some_and(|bounds| bounds.max.is_some());
        self.bounded_by.filter(|_| !is_bounded)
    }

    /// The clock may have been set back: what lies ahead is now.
    pub(super) fn not_after(&mut self, now: Time) {
        for time in [&mut self.changed, &mut self.in_force, &mut self.again] {
            *time = time.map(|time| time.min(now));
        }
        self.before_raise = self.before_raise.map(|(time, least)| (time.min(now), least));
    }

    /// The least before the raises of the last day; `None` without one.
    pub(super) fn least_before(&self, now: Time) -> Option<f64> {
        self.before_raise.filter(|(raised, _)| now.since_s(*raised) <= TAKE_BACK_S).map(|(_, least)| least)
    }
}
