//! Where answers come from.

use crate::daemon::StoreHistory;
use apportion_core::{
    Decision, DecisionId, Forecast, Harm, History as _, Instructed, Metric, Series, Time, Window, WorkloadId,
};
use apportion_host::store::{Filter, ReadError, Store};
use std::{cell::RefCell, sync::Arc};

/// What is measured, decided and said, and what is forecast. Reads only.
pub trait Sources {
    /// A metric as it was measured.
    fn used(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series>;
    /// The same as it was wanted: CPU use corrected for throttling.
    fn wanted(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series>;
    /// The newest forecast; `None` where no loop has made one.
    fn forecast(&self, workload: &WorkloadId, metric: &Metric) -> Option<Forecast>;
    /// Decisions, newest first.
    fn decisions(&self, filter: &Filter) -> Vec<Decision>;
    /// One decision.
    fn decision(&self, id: DecisionId) -> Option<Decision>;
    /// What hurt, newest first.
    fn harms(&self, filter: &Filter) -> Vec<(Time, Harm)>;
    /// Every instruction that is kept, in the order in which they were given.
    fn instructions(&self) -> Vec<Instructed>;
    /// Why something could not be read so far, so that it is not taken for absent.
    fn trouble(&self) -> Option<String>;
}

/// The store and ledger, and the forecasts of a running loop.
pub struct StoreSources<F> {
    store: Arc<Store>,
    forecast: F,
    trouble: RefCell<Option<String>>,
}

impl<F> StoreSources<F> {
    /// With the newest forecast of a workload's metric by `forecast`.
    pub const fn new(store: Arc<Store>, forecast: F) -> Self {
        Self { store, forecast, trouble: RefCell::new(None) }
    }

    /// What cannot be read is not there, and the trouble is told.
    fn read<T: Default>(&self, found: Result<T, ReadError>) -> T {
        found.unwrap_or_else(|error| {
            tracing::warn!("{error}");
            self.trouble.replace(Some(error.to_string()));
            T::default()
        })
    }
}

impl<F: Fn(&WorkloadId, &Metric) -> Option<Forecast>> Sources for StoreSources<F> {
    fn used(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
        self.store.series(workload, metric, window)
    }
    fn wanted(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
        StoreHistory(Arc::clone(&self.store)).series(workload, metric, window)
    }
    fn forecast(&self, workload: &WorkloadId, metric: &Metric) -> Option<Forecast> {
        (self.forecast)(workload, metric)
    }
    fn decisions(&self, filter: &Filter) -> Vec<Decision> {
        self.read(self.store.decisions(filter))
    }
    fn decision(&self, id: DecisionId) -> Option<Decision> {
        self.read(self.store.decision(id))
    }
    fn harms(&self, filter: &Filter) -> Vec<(Time, Harm)> {
        self.read(self.store.harms(filter))
    }
    fn instructions(&self) -> Vec<Instructed> {
        self.read(self.store.instructions(Time(i64::MIN)))
    }
    fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }
}
