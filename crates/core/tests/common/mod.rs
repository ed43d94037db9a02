//! Snapshots and changes to test with.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part; a test")]

pub(crate) mod parts;

use apportion_core::{
    Binding, Capacity, Change, Knob, Latest, Metric, Mode, Reason, Setting, Snapshot, Standing, Time, Workload,
    WorkloadId, WorkloadKind, WorkloadState, metric::name,
};

pub(crate) const NOW: Time = Time::from_s(1_000_000);

/// A managed workload whose CPU and memory were read at `NOW`.
pub(crate) fn state(id: &str, quota_cores: f64) -> WorkloadState {
    let workload =
        Workload { id: id.into(), kind: WorkloadKind::Cgroup, path: format!("/{id}"), labels: Default::default() };
    let standing = Standing { mode: Mode::Apply, ..Standing::default() };
    let mut state = WorkloadState {
        workload,
        standing,
        latest: Default::default(),
        settings: [(Knob::CpuQuota, Setting::Value(quota_cores)), (Knob::MemoryMax, Setting::Value(2e9))].into(),
        life: None,
        lost: Default::default(),
        own: false,
    };
    read(&mut state, name::CPU, NOW, 0.5);
    read(&mut state, name::MEMORY_WORKING_SET, NOW, 1e9);
    state
}

/// Sets the newest value of a metric.
pub(crate) fn read(state: &mut WorkloadState, metric: &str, time: Time, value: f64) {
    state.latest.insert(Metric::new(metric), Latest { time, value });
}

pub(crate) fn snapshot(states: Vec<WorkloadState>) -> Snapshot {
    let workloads = states.into_iter().map(|state| (state.workload.id.clone(), state)).collect();
    Snapshot { now: NOW, capacity: Capacity::default(), workloads }
}

pub(crate) fn change(id: &str, knob: Knob, from: f64, to: f64) -> Change {
    let reason = Reason::only(Binding::Forecast);
    Change { workload: WorkloadId::new(id), knob, from: Setting::Value(from), to: Setting::Value(to), reason }
}

pub(crate) fn cpu(id: &str, from: f64, to: f64) -> Change {
    change(id, Knob::CpuQuota, from, to)
}
