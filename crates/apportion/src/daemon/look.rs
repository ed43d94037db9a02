//! Puts what was collected, stored, said and observed together into one snapshot.

use crate::config::Config;
use apportion_core::{
    Capacity, Executor, Knob, Setting, Snapshot, Standing, Time, Workload, WorkloadId, WorkloadState, knob,
};
use apportion_host::{cgroupfs::Hierarchy, store::Store};
use apportion_planner::{AtWork, signals::Board};
use std::collections::{BTreeMap, BTreeSet};

/// Where a snapshot comes from.
pub(super) struct View<'a> {
    /// What alerts and log lines reported, and when it is.
    pub(super) signals: Board,
    pub(super) now: Time,
    pub(super) config: &'a Config,
    pub(super) apply: bool,
    pub(super) own_groups: &'a BTreeSet<String>,
    pub(super) hierarchy: &'a Hierarchy,
    pub(super) store: &'a Store,
    pub(super) executor: &'a dyn Executor,
    /// What people have said, or why that cannot be read: then everything is held.
    pub(super) said: Result<AtWork<'a>, String>,
}

impl View<'_> {
    pub(super) fn snapshot(&self, now: Time, machine: &Capacity, found: Vec<Workload>) -> Snapshot {
        let state = |workload: Workload| WorkloadState {
            standing: self.standing(&workload.id, machine),
            latest: self.store.latest(&workload.id),
            settings: settings(&workload, self.executor),
            lost: knob::ALL.into_iter().filter(|knob| self.executor.is_lost(&workload, *knob)).collect(),
            life: Some(&workload.path).filter(|path| !path.is_empty()).and_then(|path| self.hierarchy.life(path)),
            own: self.is_own(&workload.path),
            workload,
        };
        let workloads = found.into_iter().map(state).map(|state| (state.workload.id.clone(), state)).collect();
        let capacity = self.said.as_ref().map_or_else(|_| machine.clone(), |said| said.capacity(machine));
        Snapshot { now, capacity, workloads }
    }

    fn standing(&self, workload: &WorkloadId, machine: &Capacity) -> Standing {
        let configured = self.config.standing(workload, self.apply);
        match &self.said {
            Ok(said) => self.signals.hint(workload, said.standing(workload, configured, machine), self.now),
            Err(why) => configured.held(&format!("what people have said cannot be read: {why}")),
        }
    }

    /// The group of this process or of init, or one around it: limiting that would limit us.
    fn is_own(&self, path: &str) -> bool {
        let inside = |own: &String| own == path || own.starts_with(&format!("{}/", path.trim_end_matches('/')));
        !path.is_empty() && self.own_groups.iter().any(inside)
    }
}

pub(super) fn settings(workload: &Workload, executor: &dyn Executor) -> BTreeMap<Knob, Setting> {
    let observed = knob::ALL.into_iter().map(|knob| (knob, executor.observe(workload, knob)));
    observed.filter_map(|(knob, setting)| Some((knob, setting?))).collect()
}
