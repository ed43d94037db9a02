//! Where answers about the invented machine come from.

use super::WorldBackend;
use apportion::{
    ask::Sources,
    web::{Backend as _, DecisionQuery},
};
use apportion_core::{Decision, DecisionId, Forecast, Harm, Instructed, Metric, Series, Time, Window, WorkloadId};
use apportion_host::store::Filter;

impl Sources for WorldBackend {
    fn used(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
        self.series(workload, metric, window)
    }
    fn wanted(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
        self.series(workload, metric, window)
    }
    fn forecast(&self, workload: &WorkloadId, metric: &Metric) -> Option<Forecast> {
        apportion::web::Backend::forecast(self, workload, metric)
    }
    fn decisions(&self, filter: &Filter) -> Vec<Decision> {
        let (workload, since, limit) = (filter.workload.clone(), filter.since, filter.limit);
        apportion::web::Backend::decisions(self, &DecisionQuery { workload, since, before: None, limit })
    }
    fn decision(&self, id: DecisionId) -> Option<Decision> {
        apportion::web::Backend::decision(self, id)
    }
    fn harms(&self, _: &Filter) -> Vec<(Time, Harm)> {
        Vec::new()
    }
    fn trouble(&self) -> Option<String> {
        None
    }
    fn instructions(&self) -> Vec<Instructed> {
        self.0.lock().unwrap().said.instructions(Time(i64::MIN)).unwrap()
    }
}
