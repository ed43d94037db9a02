//! Small pieces that join the store to the traits.

use apportion_core::{
    Admitted, Batch, Collector, DecisionId, History, Metric, Outcome, Series, Setting, Time, Window, WorkloadId,
};
use apportion_host::{act::Journal, store::Store};
use apportion_planner::prepare::Demand;
use std::sync::Arc;

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
