//! The policy "apportion": sizes each workload, shares out what there is, proposes few changes, raises before cuts.

use crate::{
    share::{Claim, share},
    size::{Tracks, assess},
};
use apportion_core::{
    Assessment, Binding, Change, Knob, Plan, Policy, Resource, Setting, Snapshot, Standing, Want, WorkloadId,
    WorkloadState, traits::AssessInput,
};
use std::collections::BTreeMap;

/// Sizes by cost: the policy of this house. Remembers what it has folded of each series; that changes no result.
#[derive(Debug, Default)]
pub struct Sizing {
    tracks: Tracks,
}

/// A cut of less than this share is not proposed: an allotment a little too large costs less than a change.
const LEAST_CUT_SHARE: f64 = 0.05;

/// A raise goes at least this share up: the guard refuses smaller ones, and a refused raise would leave demand unmet.
const LEAST_RAISE_SHARE: f64 = 0.105;

type Allotted = BTreeMap<WorkloadId, BTreeMap<Knob, f64>>;

impl Policy for Sizing {
    fn name(&self) -> &'static str {
        "apportion"
    }

    fn assess(&self, input: &AssessInput<'_>) -> Assessment {
        assess(&self.tracks, input)
    }

    fn plan(&self, snapshot: &Snapshot, wanted: &BTreeMap<WorkloadId, Assessment>) -> Plan {
        self.tracks.retain(|workload| snapshot.workloads.contains_key(workload));
        let mut allotted = Allotted::new();
        let mut short: BTreeMap<Knob, (f64, f64)> = BTreeMap::new();
        for knob in apportion_core::knob::ALL {
            short.extend(share_out(knob, snapshot, wanted, &mut allotted).map(|of| (knob, of)));
        }
        let mut changes = propose(snapshot, wanted, &allotted, &short);
        // What gives comes before what takes; else in the order of names.
        changes.sort_by_key(Change::is_cut);
        Plan { changes, allotted, capacity: snapshot.capacity.clone() }
    }
}

/// Puts into `allotted` what each workload gets of a knob; gives what is wanted in total and what there is, where that is less.
fn share_out(
    knob: Knob,
    snapshot: &Snapshot,
    wanted: &BTreeMap<WorkloadId, Assessment>,
    allotted: &mut Allotted,
) -> Option<(f64, f64)> {
    let of = |assessment: &'_ Assessment| assessment.wants.iter().find(|want| want.knob == knob).cloned();
    let all =
        wanted.iter().filter_map(|(workload, made)| Some((workload, snapshot.workloads.get(workload)?, of(made)?)));
    // What people allow at the most is no demand: it takes nothing from others, and nothing is taken from it.
    let (bounded, wants): (Vec<_>, Vec<_>) = all.partition(|(_, _, want)| want.reason.is_bound_alone());
    for (workload, _, want) in bounded {
        allotted.entry(workload.clone()).or_default().insert(knob, want.value);
    }
    let claims = wants.iter().map(|(_, state, want)| claim(&state.standing, want));
    let claims: Vec<Claim> = claims.chain(in_use(knob, snapshot, wanted)).collect();
    let total: f64 = claims.iter().map(|claim| claim.wanted).sum();
    let capacity = shared_capacity(knob, snapshot).filter(|capacity| total > *capacity);
    let given = match capacity {
        Some(capacity) => share(capacity, &claims),
        None => wants.iter().map(|(_, _, want)| want.value).collect(),
    };
    for ((workload, _, _), value) in wants.into_iter().zip(given) {
        allotted.entry(workload.clone()).or_default().insert(knob, value);
    }
    capacity.map(|capacity| (total, capacity))
}

/// What those use that were not looked at yet: nobody else can have it.
fn in_use(knob: Knob, snapshot: &Snapshot, wanted: &BTreeMap<WorkloadId, Assessment>) -> impl Iterator<Item = Claim> {
    let unknown = |state: &&WorkloadState| !state.workload.id.is_machine() && !wanted.contains_key(&state.workload.id);
    snapshot.workloads.values().filter(unknown).filter_map(move |state| {
        let used = state.value(knob.demand_metric())?;
        let (priority, weight) = (state.standing.priority, state.standing.weight);
        Some(Claim { floor: 0.0, least: used, wanted: used, priority, weight })
    })
}

/// What there is of a knob's resource to share out. The killing memory limit is not: memory is shared by the slowing one, and
/// what is seldom needed by each is not needed by all at once. Reads and writes each may use the whole of the device.
fn shared_capacity(knob: Knob, snapshot: &Snapshot) -> Option<f64> {
    let has_high = || snapshot.workloads.values().any(|state| state.settings.contains_key(&Knob::MemoryHigh));
    if knob == Knob::MemoryMax && knob.resource() == Resource::Memory && has_high() {
        return None;
    }
    snapshot.capacity.of(knob.resource())
}

fn claim(standing: &Standing, want: &Want) -> Claim {
    let floor = standing.bounds.get(&want.knob).map_or(0.0, |bounds| bounds.min).min(want.value);
    Claim { floor, least: want.least, wanted: want.value, priority: standing.priority, weight: standing.weight }
}

fn propose(
    snapshot: &Snapshot,
    wanted: &BTreeMap<WorkloadId, Assessment>,
    allotted: &Allotted,
    short: &BTreeMap<Knob, (f64, f64)>,
) -> Vec<Change> {
    let one = |workload: &WorkloadId, want: &Want| {
        let state = snapshot.workloads.get(workload)?;
        let from = *state.settings.get(&want.knob)?;
        let value = allotted.get(workload)?.get(&want.knob)?.max(want.knob.smallest());
        let mut reason = want.reason.clone();
        let to = match short.get(&want.knob) {
            None => far_enough(from, value, want),
            Some((wanted, capacity)) => {
                if value < want.value {
                    reason.binding = Binding::Share { wanted: *wanted, capacity: *capacity };
                }
                value
            }
        };
        let change = Change { workload: workload.clone(), knob: want.knob, from, to: Setting::Value(to), reason };
        let bounds = state.standing.bounds.get(&want.knob);
        let outside = bounds.is_some_and(|bounds| !bounds.allow(from));
        (outside || is_worth(from, value, want.knob)).then_some(change)
    };
    wanted.iter().flat_map(|(workload, made)| made.wants.iter().filter_map(move |want| one(workload, want))).collect()
}

/// A raise that is not too small for the guard, where people set no lower bound to it.
fn far_enough(from: Setting, to: f64, want: &Want) -> f64 {
    let raised = from.value().map_or(to, |from| from * (1.0 + LEAST_RAISE_SHARE));
    let is_raise = from.value().is_some_and(|from| to > from);
    if is_raise && want.reason.binding != Binding::Ceiling { to.max(raised) } else { to }
}

/// A raise always is; a cut where it takes away enough.
fn is_worth(from: Setting, to: f64, knob: Knob) -> bool {
    match from {
        Setting::Unlimited => true,
        Setting::Value(from) => {
            !Setting::Value(from).same(Setting::Value(to), knob) && to > from || to < from * (1.0 - LEAST_CUT_SHARE)
        }
    }
}

#[cfg(test)]
mod tests;
