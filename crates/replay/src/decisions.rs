//! The record of a replay: what a policy decided, and when.

use crate::{ReplayError, Trace, world::Decided};
use std::{collections::BTreeMap, sync::Arc};

/// The metric under which replicas that serve are written.
pub const REPLICAS: &str = "replicas_in_service";

/// What both limits of a metric of memory are written under: its name and this; what is above the first is slowed, and killed above
/// the second.
pub const LIMITS: [&str; 2] = ["/high", "/max"];

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
    /// Both limits of memory ([`LIMITS`]), in the order of the trace, where the policy sets two. `series` holds one of its own, of a world
    /// in which all that is above it is killed, as peers know no other.
    pub limits: Vec<SeriesDecisions>,
}

/// What a row decides about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// A series of the trace.
    Series(usize),
    /// The replicas of a workload, by its place among all.
    Replicas(usize),
    /// A limit of a series, by its place in [`LIMITS`].
    Limit(usize, usize),
}

impl Place {
    fn of(trace: &Trace, workload: &str, metric: &str) -> Option<Self> {
        let count = || {
            let at = trace.workloads().iter().position(|known| **known == *workload);
            at.filter(|_| metric == REPLICAS).map(Self::Replicas)
        };
        let limit = || {
            let one = |(number, ending): (usize, &&str)| Some((number, metric.strip_suffix(*ending)?));
            let (number, metric) = LIMITS.iter().enumerate().find_map(one)?;
            trace.find(workload, metric).map(|at| Self::Limit(at, number))
        };
        trace.find(workload, metric).map(Self::Series).or_else(count).or_else(limit)
    }
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
        let mut decided: BTreeMap<Place, Vec<Decided>> = BTreeMap::new();
        let mut last: Option<(&str, &str, Place)> = None;
        for (workload, metric, time_s, allocation) in rows {
            let known = last.filter(|(w, m, _)| (*w, *m) == (workload, metric)).map(|(_, _, place)| place);
            let foreign = || ReplayError::ForeignDecisions {
                policy: policy.to_owned(),
                workload: workload.to_owned(),
                metric: metric.to_owned(),
            };
            let place = known.or_else(|| Place::of(trace, workload, metric)).ok_or_else(foreign)?;
            last = Some((workload, metric, place));
            decided.entry(place).or_default().push(Decided { time_s, allocation });
        }
        decided.values_mut().for_each(|decided| decided.sort_by_key(|decision| decision.time_s));
        let mut made = Self::none(policy, trace);
        let workloads = trace.workloads();
        for (place, decided) in decided {
            match place {
                Place::Series(at) => made.series[at].decided = decided,
                Place::Replicas(at) => {
                    made.replicas.push(SeriesDecisions { decided, ..SeriesDecisions::of_replicas(&workloads[at]) });
                }
                Place::Limit(at, limit) => {
                    made.limits.push(SeriesDecisions { decided, ..SeriesDecisions::of_limit(trace, at, limit) });
                }
            }
        }
        Ok(made)
    }
    /// Nothing decided yet.
    #[must_use]
    pub fn none(policy: &str, trace: &Trace) -> Self {
        let series = trace.series().iter().map(|series| SeriesDecisions {
            workload: series.workload.clone(),
            metric: series.metric.clone(),
            decided: Vec::new(),
        });
        Self { policy: policy.to_owned(), series: series.collect(), replicas: Vec::new(), limits: Vec::new() }
    }
    /// Each list of decisions.
    pub fn lists(&self) -> impl Iterator<Item = &SeriesDecisions> {
        self.series.iter().chain(&self.replicas).chain(&self.limits)
    }
    /// Number of decisions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lists().map(|series| series.decided.len()).sum()
    }
    /// True when nothing was decided.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// All rows: workload, metric, time in seconds, allocation in the metric's own unit (of replicas, their number).
    pub fn rows(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, i64, f64)> {
        self.lists().flat_map(|series| {
            series.decided.iter().map(|made| (&series.workload, &series.metric, made.time_s, made.allocation))
        })
    }
}

impl SeriesDecisions {
    pub(crate) fn of_replicas(workload: &Arc<str>) -> Self {
        Self { workload: workload.clone(), metric: REPLICAS.into(), decided: Vec::new() }
    }
    /// Of a series of memory, by its place in the trace, and one of its [`LIMITS`].
    pub(crate) fn of_limit(trace: &Trace, at: usize, limit: usize) -> Self {
        let series = &trace.series()[at];
        let metric = format!("{}{}", series.metric, LIMITS[limit]).into();
        Self { workload: series.workload.clone(), metric, decided: Vec::new() }
    }
}
