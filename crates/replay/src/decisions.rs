//! The record of a replay: what a policy decided, and when.

use crate::{ReplayError, Trace, world::Decided};
use std::{collections::BTreeMap, sync::Arc};

/// The metric under which replicas that serve are written.
pub const REPLICAS: &str = "replicas_in_service";

/// Decisions for one workload and metric.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesDecisions {
    /// Whose.
    pub workload: Arc<str>,
    /// Of what.
    pub metric: Arc<str>,
    /// Ascending; each changes the allotment.
    pub decided: Vec<Decided>,
}

/// All decisions of one policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Decisions {
    /// Its name.
    pub policy: String,
    /// In the order of the trace, one per series; empty where the policy said nothing.
    pub series: Vec<SeriesDecisions>,
    /// Replicas that serve ([`REPLICAS`]), in the order of the workloads, where the policy decides how many.
    pub replicas: Vec<SeriesDecisions>,
}

impl Decisions {
    /// From rows as they were written (workload, metric, time in seconds, allocation), to judge them again.
    ///
    /// # Errors
    /// [`ReplayError::ForeignDecisions`] when a row belongs to no series of the trace.
    pub fn from_rows<'a>(
        policy: &str,
        trace: &Trace,
        rows: impl IntoIterator<Item = (&'a str, &'a str, i64, f64)>,
    ) -> Result<Self, ReplayError> {
        let mut decided: BTreeMap<usize, Vec<Decided>> = BTreeMap::new();
        let mut replicas: BTreeMap<&str, Vec<Decided>> = BTreeMap::new();
        let workloads = trace.workloads();
        let mut last: Option<(&str, &str, usize)> = None;
        for (workload, metric, time_s, allocation) in rows {
            let is_count = metric == REPLICAS && trace.find(workload, metric).is_none();
            if is_count && workloads.iter().any(|known| **known == *workload) {
                replicas.entry(workload).or_default().push(Decided { time_s, allocation });
                continue;
            }
            let known = last.filter(|(w, m, _)| (*w, *m) == (workload, metric)).map(|(_, _, at)| at);
            let at = known.or_else(|| trace.find(workload, metric)).ok_or_else(|| ReplayError::ForeignDecisions {
                policy: policy.to_owned(),
                workload: workload.to_owned(),
                metric: metric.to_owned(),
            })?;
            last = Some((workload, metric, at));
            decided.entry(at).or_default().push(Decided { time_s, allocation });
        }
        let series = trace.series().iter().enumerate().map(|(at, series)| {
            let mut decided = decided.remove(&at).unwrap_or_default();
            decided.sort_by_key(|decision| decision.time_s);
            SeriesDecisions { workload: series.workload.clone(), metric: series.metric.clone(), decided }
        });
        let replicas = replicas.into_iter().map(|(workload, mut decided)| {
            decided.sort_by_key(|decision| decision.time_s);
            SeriesDecisions { workload: workload.into(), metric: REPLICAS.into(), decided }
        });
        Ok(Self { policy: policy.to_owned(), series: series.collect(), replicas: replicas.collect() })
    }
    /// Number of decisions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.series.iter().chain(&self.replicas).map(|series| series.decided.len()).sum()
    }
    /// True when nothing was decided.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// All rows: workload, metric, time in seconds, allocation in the metric's own unit (of replicas, their number).
    pub fn rows(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, i64, f64)> {
        self.series.iter().chain(&self.replicas).flat_map(|series| {
            series.decided.iter().map(|made| (&series.workload, &series.metric, made.time_s, made.allocation))
        })
    }
}
