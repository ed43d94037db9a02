//! Small pieces that join the store to the traits.

use apportion_core::{
    Admitted, Batch, Collector, DecisionId, History, Metric, Outcome, Series, Setting, Time, Window, WorkloadId,
};
use apportion_host::{act::Journal, store::Store};
use apportion_planner::prepare::Demand;
use std::{collections::BTreeMap, sync::Arc};

/// The past as the planner wants it: what was wanted, where what was used was held back by a quota.
#[derive(Clone)]
pub struct StoreHistory(pub Arc<Store>);

impl History for StoreHistory {
    fn series(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
        Demand::new(self.0.as_ref()).series(workload, metric, window)
    }
}

/// The ledger as the executor's journal.
pub struct Ledger(pub Arc<Store>);

impl Journal for Ledger {
    fn intend(&mut self, change: &Admitted, former: Setting) -> Result<(), String> {
        self.0.intend(change, former, super::now()).map_err(|error| error.to_string())
    }
    fn settle(&mut self, id: DecisionId, outcome: &Outcome) -> Result<(), String> {
        self.0.settle(id, outcome).map_err(|error| error.to_string())
    }
}

/// Another collector's findings below one path, and the machine's: for the demonstration, which looks at its own groups.
pub(super) struct Only<C> {
    pub(super) inner: C,
    pub(super) below: String,
}

impl<C: Collector> Collector for Only<C> {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn collect(&mut self, now: Time) -> Batch {
        let mut batch = self.inner.collect(now);
        let prefix = format!("{}/", self.below);
        batch.workloads.retain(|workload| workload.path.starts_with(&prefix));
        let kept: std::collections::BTreeSet<&WorkloadId> =
            batch.workloads.iter().map(|workload| &workload.id).collect();
        batch.samples.retain(|sample| kept.contains(&sample.workload));
        batch
    }
}

/// Another collector's findings, in which the workloads of some sessions have names of their own: the loads of the demonstration are one
/// program, by which they could not be told apart where no group names them.
pub(super) struct Named<C> {
    pub(super) inner: C,
    pub(super) by_session: BTreeMap<String, WorkloadId>,
}

impl<C: Collector> Collector for Named<C> {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn collect(&mut self, now: Time) -> Batch {
        let mut batch = self.inner.collect(now);
        let mut renamed: BTreeMap<WorkloadId, WorkloadId> = BTreeMap::new();
        for workload in &mut batch.workloads {
            if let Some(name) = workload.labels.get("session").and_then(|session| self.by_session.get(session)) {
                renamed.insert(std::mem::replace(&mut workload.id, name.clone()), name.clone());
            }
        }
        for sample in &mut batch.samples {
            if let Some(name) = renamed.get(&sample.workload) {
                sample.workload = name.clone();
            }
        }
        batch
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use apportion_core::{Workload, WorkloadKind, metric::name};

    /// Two sessions of one program.
    struct Two;
    impl Collector for Two {
        fn name(&self) -> &'static str {
            "two"
        }
        fn collect(&mut self, now: Time) -> Batch {
            let mut batch = Batch::default();
            for (id, session) in [("demo", "41"), ("demo#2", "42")] {
                let labels = [("session".to_owned(), session.to_owned())].into();
                let (id, kind) = (WorkloadId::new(id), WorkloadKind::ProcessGroup);
                batch.push(&id, &Metric::new(name::CPU), now, session.parse().unwrap());
                batch.workloads.push(Workload { id, kind, path: String::new(), labels });
            }
            batch
        }
    }

    #[test]
    fn a_session_with_a_name_of_its_own_shows_by_it() {
        let mut named = Named { inner: Two, by_session: [("42".to_owned(), "wave".into())].into() };
        let batch = named.collect(Time::from_s(0));
        let workloads: Vec<&str> = batch.workloads.iter().map(|workload| workload.id.as_str()).collect();
        let samples = batch.samples.iter().map(|sample| (sample.workload.as_str(), sample.value));
        assert_eq!(workloads, ["demo", "wave"]);
        assert_eq!(samples.collect::<Vec<_>>(), [("demo", 41.0), ("wave", 42.0)]);
    }
}
