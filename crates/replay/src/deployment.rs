//! Workloads of a trace that can run as replicas: a request rate and CPU (and memory) of the same times.
//!
//! A trace says nothing of replicas, so what was recorded is taken to be the use of [`FIRST_REPLICAS`], and a replica to be of the
//! size at which so many met the first hour. With `n` replicas instead, what each uses for nothing is used so many times:
//!
//! ```text
//! use(n) = recorded + idle * (n - FIRST_REPLICAS)
//! ```
//!
//! where `idle` is what a straight line of use over requests, of the whole trace, says of no requests. Policies do not see it. Where
//! requests do not explain use, each replica uses as much as each that was recorded.

use crate::{
    Trace, TraceSeries,
    quantity::Kind,
    replicas::{FIRST_REPLICAS, SETTLE_S, Served},
};
use apportion_planner::scale::Fit;

/// Replicas that were recorded.
pub(crate) const RECORDED: f64 = FIRST_REPLICAS as f64;

/// A workload that can run as replicas: the places of its series in the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its request rate.
    pub requests: usize,
    /// Its CPU, an amount.
    pub cpu: usize,
    /// Its memory, an amount, where that was recorded.
    pub memory: Option<usize>,
}

/// What all recorded replicas did over one interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    /// Its end, seconds.
    pub(crate) time_s: i64,
    /// Requests, in the metric's unit.
    pub(crate) requests: f64,
    pub(crate) cores: f64,
    pub(crate) bytes: Option<f64>,
}

/// The deployments of a trace, in its order.
#[must_use]
pub fn deployments(trace: &Trace) -> Vec<Deployment> {
    let mut first = 0;
    let mut found = Vec::new();
    for own in trace.series().chunk_by(|a, b| a.workload == b.workload) {
        found.extend(deployment(own).map(|own| Deployment {
            requests: first + own.requests,
            cpu: first + own.cpu,
            memory: own.memory.map(|memory| first + memory),
        }));
        first += own.len();
    }
    found
}

/// Of the series of one workload. Shares of an unknown whole cannot be shared out over replicas.
fn deployment(own: &[TraceSeries]) -> Option<Deployment> {
    let requests = own.iter().position(|series| series.quantity().kind == Kind::Requests)?;
    let with = |kind: Kind| {
        let is_it = |series: &TraceSeries| series.quantity().kind == kind && series.quantity().absolute;
        own.iter().position(|series| is_it(series) && is_alongside(series, &own[requests]))
    };
    Some(Deployment { requests, cpu: with(Kind::Cpu)?, memory: with(Kind::Memory) })
}

/// Most of the first hour's samples are of the same times.
fn is_alongside(series: &TraceSeries, requests: &TraceSeries) -> bool {
    let hour = || requests.times_s.iter().take_while(|time| **time <= requests.first_s() + SETTLE_S);
    let shared = hour().filter(|time| series.times_s.binary_search(time).is_ok()).count();
    series.step_s == requests.step_s && 2 * shared > hour().count()
}

impl Deployment {
    /// Its recorded replicas together, at the times at which requests and CPU are known.
    pub(crate) fn moments<'a>(&self, trace: &'a Trace) -> impl Iterator<Item = Moment> + use<'a> {
        let all = trace.series();
        let (requests, mut cores, mut bytes) =
            (&all[self.requests], InStep::new(&all[self.cpu]), self.memory.map(|at| InStep::new(&all[at])));
        requests.samples().filter_map(move |(time_s, requests)| {
            let bytes = bytes.as_mut().and_then(|bytes| bytes.at(time_s));
            Some(Moment { time_s, requests, cores: cores.at(time_s)?, bytes })
        })
    }

    /// One replica of the first size; `None` where no hour of it is there.
    pub(crate) fn first_replica(&self, trace: &Trace) -> Option<Replica> {
        let mut hour = FirstHour::new(&trace.series()[self.requests]);
        self.moments(trace).find_map(|seen| hour.observe(&seen))
    }
}

/// Learns what a replica of the first size is.
#[derive(Clone, Debug)]
pub(crate) struct FirstHour {
    served: Served,
    cores: f64,
    bytes: f64,
    known: Option<Replica>,
}

impl FirstHour {
    pub(crate) fn new(requests: &TraceSeries) -> Self {
        Self { served: Served::new(requests.first_s()), cores: 0.0, bytes: 0.0, known: None }
    }

    /// Takes a moment; gives a replica of the first size, once that is known.
    pub(crate) fn observe(&mut self, seen: &Moment) -> Option<Replica> {
        if self.known.is_none() {
            self.cores = self.cores.max(seen.cores / RECORDED);
            self.bytes = self.bytes.max(seen.bytes.unwrap_or(0.0) / RECORDED);
            let served = self.served.observe(seen.time_s, seen.requests);
            self.known = served.filter(|_| self.cores > 0.0).map(|served| Replica {
                served,
                cores: self.cores,
                bytes: self.bytes,
            });
        }
        self.known
    }
}

/// One replica.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Replica {
    /// Requests that it serves.
    pub(crate) served: f64,
    pub(crate) cores: f64,
    pub(crate) bytes: f64,
}

/// A series in base units that is asked for ascending times.
struct InStep<'a> {
    series: &'a TraceSeries,
    next: usize,
}

impl<'a> InStep<'a> {
    const fn new(series: &'a TraceSeries) -> Self {
        Self { series, next: 0 }
    }

    fn at(&mut self, time_s: i64) -> Option<f64> {
        let TraceSeries { times_s, values, .. } = self.series;
        while times_s.get(self.next).is_some_and(|time| *time < time_s) {
            self.next += 1;
        }
        let is_there = times_s.get(self.next) == Some(&time_s);
        is_there.then(|| self.series.quantity().to_base(values[self.next]))
    }
}

/// What replicas use where there are more or fewer than were recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Law {
    /// What one uses for nothing, where use is for requests.
    idle: Option<f64>,
}

impl Law {
    /// From work and use of the recorded replicas together.
    pub(crate) fn of(seen: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut fit = Fit::default();
        seen.for_each(|(work, used)| fit.push(work / RECORDED, used / RECORDED, 1.0));
        Self { idle: fit.line().map(|line| line.idle) }
    }

    /// What `count` replicas use together where the recorded ones used `recorded`.
    pub(crate) fn used(&self, recorded: f64, count: f64) -> f64 {
        let part = recorded * count / RECORDED;
        self.idle.map_or(part, |idle| (recorded + idle * (count - RECORDED)).max(part.min(recorded)))
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use crate::{Trace, TraceBuilder};

    /// A shop of four recorded replicas at a minute's steps: a daily wave of requests with noise, 0.05 core and 100 MB each for nothing,
    /// 0.01 core and 0.1 MB for a request a minute.
    pub(crate) fn shop(days: i64) -> Trace {
        let mut builder = TraceBuilder::default();
        let mut state = 7_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / 16_777_216.0
        };
        for minute in 1..=days * 1_440 {
            let wave = 1.0 - 0.7 * (minute as f64 / 1_440.0 * std::f64::consts::TAU).cos();
            let requests = 300.0 * wave * (0.9 + 0.2 * noise());
            let cores = (0.2 + 0.01 * requests) * (0.95 + 0.1 * noise());
            let bytes = 4e8 + 1e5 * requests;
            for (metric, value) in [("requests_per_min", requests), ("cpu_cores", cores), ("memory_bytes", bytes)] {
                builder.push("shop", metric, minute * 60, value).unwrap();
            }
        }
        builder.finish().unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TraceBuilder;

    #[test]
    fn a_deployment_has_requests_and_amounts_of_the_same_times() {
        let check = |metrics: &[(&str, i64)], expect: Option<Deployment>| {
            let mut builder = TraceBuilder::default();
            for (metric, step_s) in metrics {
                (1..200).for_each(|k| builder.push("b", metric, k * step_s, 1.0).unwrap());
                (1..200).for_each(|k| builder.push("a", "cpu_cores", k * 60, 1.0).unwrap());
            }
            let found = deployments(&builder.finish().unwrap());
            assert_eq!(found, expect.into_iter().collect::<Vec<_>>(), "{metrics:?}");
        };
        let all = [("cpu_cores", 60), ("memory_bytes", 60), ("requests_per_min", 60)];
        check(&all, Some(Deployment { requests: 3, cpu: 1, memory: Some(2) }));
        check(&[all[0], ("mem_mib", 300), all[2]], Some(Deployment { requests: 3, cpu: 1, memory: None }));
        check(&[("cpu_limit_util_pct", 60), all[2]], None);
        check(&[("cpu_cores", 300), all[2]], None);
        check(&all[..2], None);
    }

    #[test]
    fn moments_and_the_first_replica_are_those_recorded() {
        let trace = testing::shop(1);
        let shop = deployments(&trace)[0];
        let first = shop.first_replica(&trace).unwrap();
        let (_, seen): (Vec<_>, Vec<_>) = shop.moments(&trace).map(|seen| (seen.time_s, seen)).unzip();
        let hour = &seen[..61];
        let greatest = |of: fn(&Moment) -> f64| hour.iter().map(of).fold(0.0, f64::max) / 4.0;
        assert_eq!(seen.len(), 1_440);
        assert_eq!((first.served, first.cores), (greatest(|seen| seen.requests), greatest(|seen| seen.cores)));
        assert_eq!(first.bytes, greatest(|seen| seen.bytes.unwrap()));
    }

    /// 0.05 core each for nothing: six use a tenth of a core more than the four that were recorded, and one no less than its part.
    #[test]
    fn more_replicas_use_what_each_uses_for_nothing() {
        let trace = testing::shop(3);
        let shop = deployments(&trace)[0];
        let law = Law::of(shop.moments(&trace).map(|seen| (seen.requests, seen.cores)));
        assert!((law.used(3.0, 6.0) - 3.1).abs() < 0.02 && (law.used(3.0, 4.0) - 3.0).abs() < 1e-9, "{law:?}");
        assert!((law.used(3.0, 1.0) - 2.85).abs() < 0.02 && law.used(0.0, 1.0) == 0.0, "{law:?}");
        let flat = Law::of((0..100).map(|at| (f64::from(at), 8.0 - f64::from(at) / 100.0)));
        assert_eq!((flat.used(8.0, 8.0), flat.used(8.0, 1.0)), (16.0, 2.0));
    }
}
