//! What the tests of the store share.

use apportion_core::{
    Admitted, Batch, Binding, Change, DecisionId, Guard, GuardLimits, Knob, Latest, Metric, Mode, Reason, Setting,
    Snapshot, Standing, Time, Workload, WorkloadId, WorkloadKind, WorkloadState, metric::name,
};
use apportion_host::store::{Access, Options, Store};
use std::{collections::BTreeMap, path::Path};

/// 2026-11-20 00:00:00 UTC.
pub(crate) const START_S: i64 = 1_795_132_800;

pub(crate) fn open(path: &Path) -> Store {
    Store::open(path, Access::ReadWrite, Options::default()).unwrap()
}

pub(crate) fn in_memory() -> Store {
    Store::in_memory(Options::default()).unwrap()
}

pub(crate) fn cpu() -> Metric {
    Metric::new(name::CPU)
}

pub(crate) fn memory() -> Metric {
    Metric::new(name::MEMORY)
}

pub(crate) fn workload(name: &str) -> Workload {
    let labels = BTreeMap::from([("image".to_owned(), "nginx:1.27".to_owned())]);
    Workload { id: name.into(), kind: WorkloadKind::Cgroup, path: format!("/{name}.slice"), labels }
}

/// Readings of one metric of one workload; times in seconds.
pub(crate) fn batch(workload_name: &str, metric: &Metric, points: &[(f64, f64)]) -> Batch {
    let mut batch = Batch { workloads: vec![workload(workload_name)], ..Batch::default() };
    for (s, value) in points {
        batch.push(&WorkloadId::new(workload_name), metric, time(*s), *value);
    }
    batch
}

#[allow(clippy::cast_possible_truncation, reason = "milliseconds of our era")]
pub(crate) fn time(s: f64) -> Time {
    Time((s * 1_000.0).round() as i64)
}

/// A change of the CPU quota that the guard has let through.
pub(crate) fn admitted(
    guard: &mut Guard,
    id: u64,
    workload_name: &str,
    from: Setting,
    to: Setting,
    now: Time,
) -> Admitted {
    let change = change(workload_name, from, to);
    guard.limits = GuardLimits { cool_down_s: 0.0, cut_share: 1.0, blast_share: 1.0, ..GuardLimits::default() };
    guard.admit(DecisionId(id), &change, &snapshot(workload_name, from, now)).unwrap()
}

pub(crate) fn change(workload_name: &str, from: Setting, to: Setting) -> Change {
    let reason = Reason::only(Binding::Share { wanted: 0.1 + 0.2, capacity: 2.0 / 3.0 });
    Change { workload: workload_name.into(), knob: Knob::CpuQuota, from, to, reason }
}

pub(crate) fn snapshot(workload_name: &str, quota: Setting, now: Time) -> Snapshot {
    let state = WorkloadState {
        workload: workload(workload_name),
        standing: Standing { mode: Mode::Apply, ..Standing::default() },
        latest: BTreeMap::from([(cpu(), Latest { time: now, value: 0.5 })]),
        settings: BTreeMap::from([(Knob::CpuQuota, quota)]),
        life: None,
        lost: Default::default(),
        own: false,
    };
    Snapshot {
        now,
        capacity: apportion_core::Capacity::default(),
        workloads: BTreeMap::from([(workload_name.into(), state)]),
    }
}
