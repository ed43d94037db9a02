//! Replicas and their size together: what all replicas of a workload were allotted, and how long that was too little.
//!
//! Who decides how many there are and not how large leaves them as they were in the first hour, memory with half as much on top, as
//! somebody would who sets it by hand. Who decides how large and not how many leaves as many as were recorded.

use super::total::ratio;
use crate::{
    Decided, Decisions, SeriesDecisions, Trace,
    deployment::{Deployment, Law, Moment, RECORDED, deployments},
    world::is_over,
};
use serde::{Deserialize, Serialize};

const HOUR_S: f64 = 3_600.0;
const DAY_S: f64 = 86_400.0;
const GIB: f64 = 1_073_741_824.0;
/// Memory on top of the most of the first hour, where nobody sizes it.
const BY_HAND: f64 = 1.5;

/// Sums over the judged moments of all workloads that can run as replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Together {
    /// Workloads.
    pub workloads: usize,
    /// Core-hours allotted.
    pub core_hours: f64,
    /// Core-hours that so many replicas use.
    pub used_core_hours: f64,
    /// Memory allotted, GiB-hours.
    pub gib_hours: f64,
    /// Memory that so many replicas use, GiB-hours.
    pub used_gib_hours: f64,
    /// Replica-hours.
    pub replica_hours: f64,
    /// Minutes in which replicas use more CPU than they are allotted.
    pub short_minutes: f64,
    /// Minutes in which they use more memory than they are allotted.
    pub killed_minutes: f64,
    /// Minutes judged.
    pub minutes: f64,
    /// Changes of the number of replicas, a workload and day.
    pub count_changes: f64,
    /// Changes of the CPU or the memory of a replica, a workload and day.
    pub size_changes: f64,
}

/// Judges what was decided of workloads that can run as replicas; `None` where nothing was.
#[must_use]
pub fn together(trace: &Trace, made: &Decisions, warmup_s: i64) -> Option<Together> {
    let of = |own: Deployment| Some(Given::new(trace, made, &own)?.judged(trace, &own, warmup_s));
    deployments(trace).into_iter().filter_map(of).reduce(Together::and)
}

impl Together {
    /// Share of minutes in which replicas use more CPU than they are allotted.
    #[must_use]
    pub fn short_share(&self) -> f64 {
        ratio(self.short_minutes, self.minutes)
    }

    fn and(self, other: Self) -> Self {
        let days = |of: &Self| of.minutes * 60.0 / DAY_S;
        let mean = |a: f64, b: f64| ratio(a * days(&self) + b * days(&other), days(&self) + days(&other));
        Self {
            workloads: self.workloads + other.workloads,
            core_hours: self.core_hours + other.core_hours,
            used_core_hours: self.used_core_hours + other.used_core_hours,
            gib_hours: self.gib_hours + other.gib_hours,
            used_gib_hours: self.used_gib_hours + other.used_gib_hours,
            replica_hours: self.replica_hours + other.replica_hours,
            short_minutes: self.short_minutes + other.short_minutes,
            killed_minutes: self.killed_minutes + other.killed_minutes,
            minutes: self.minutes + other.minutes,
            count_changes: mean(self.count_changes, other.count_changes),
            size_changes: mean(self.size_changes, other.size_changes),
        }
    }
}

/// What one workload is given.
struct Given<'a> {
    replicas: Following<'a>,
    cores: Following<'a>,
    bytes: Following<'a>,
}

/// Decisions in force as time goes on: of all replicas together, or of each where nobody decided.
struct Following<'a> {
    decided: &'a [Decided],
    next: usize,
    /// Base units in one of the metric's.
    unit: f64,
    /// What each has where nothing is decided.
    each: f64,
}

impl<'a> Given<'a> {
    fn new(trace: &Trace, made: &'a Decisions, own: &Deployment) -> Option<Self> {
        let workload = &trace.series()[own.requests].workload;
        let of = |at: usize| made.series[at].decided.as_slice();
        let is_own = |series: &&SeriesDecisions| series.workload == *workload;
        let replicas = made.replicas.iter().find(is_own).map_or(&[][..], |series| &series.decided);
        let (cores, bytes) = (of(own.cpu), own.memory.map_or(&[][..], of));
        if replicas.is_empty() && cores.is_empty() {
            return None;
        }
        let first = own.first_replica(trace)?;
        let unit = |at: usize| trace.series()[at].quantity().unit;
        let following = |decided, unit, each| Following { decided, next: 0, unit, each };
        Some(Self {
            replicas: following(replicas, 1.0, RECORDED),
            cores: following(cores, unit(own.cpu), first.cores),
            bytes: following(bytes, own.memory.map_or(1.0, unit), first.bytes * BY_HAND),
        })
    }

    fn judged(mut self, trace: &Trace, own: &Deployment, warmup_s: i64) -> Together {
        let series = &trace.series()[own.requests];
        let cpu = Law::of(own.moments(trace).map(|seen| (seen.requests, seen.cores)));
        let memory = Law::of(own.moments(trace).filter_map(|seen| Some((seen.requests, seen.bytes?))));
        let (mut made, mut before) = (Together { workloads: 1, ..Together::default() }, None);
        let mut before_s = None;
        for seen in own.moments(trace).filter(|seen| seen.time_s >= series.first_s() + warmup_s) {
            let step_s = before_s.map_or(series.step_s, |before: i64| seen.time_s - before).min(series.step_s);
            before_s = Some(seen.time_s);
            let now = self.at(seen.time_s);
            made.add(&seen, now, (&cpu, &memory), step_s as f64);
            made.count(before.replace(now), now);
        }
        let days = made.minutes * 60.0 / DAY_S;
        (made.count_changes, made.size_changes) = (ratio(made.count_changes, days), ratio(made.size_changes, days));
        made
    }

    /// Replicas, and cores and bytes of each, in force for what is stamped so.
    fn at(&mut self, time_s: i64) -> [f64; 3] {
        let is_counted = !self.replicas.decided.is_empty();
        let count = self.replicas.in_force(time_s).unwrap_or(if is_counted { 0.0 } else { RECORDED });
        let of = |given: &mut Following<'_>| match given.in_force(time_s) {
            Some(all) => ratio(all * given.unit, count),
            None if given.decided.is_empty() => given.each,
            None => 0.0,
        };
        [count, of(&mut self.cores), of(&mut self.bytes)]
    }
}

impl Following<'_> {
    fn in_force(&mut self, time_s: i64) -> Option<f64> {
        while self.decided.get(self.next).is_some_and(|made| made.time_s < time_s) {
            self.next += 1;
        }
        self.decided.get(self.next.checked_sub(1)?).map(|made| made.allocation)
    }
}

impl Together {
    fn add(&mut self, seen: &Moment, [count, cores, bytes]: [f64; 3], (cpu, memory): (&Law, &Law), step_s: f64) {
        let hours = step_s / HOUR_S;
        let minutes = |is_so: bool| if is_so { step_s / 60.0 } else { 0.0 };
        let used = cpu.used(seen.cores, count);
        self.replica_hours += count * hours;
        self.core_hours += count * cores * hours;
        self.used_core_hours += used * hours;
        self.short_minutes += minutes(is_over(used, count * cores) || count == 0.0);
        self.minutes += minutes(true);
        if let Some(recorded) = seen.bytes {
            let used = memory.used(recorded, count);
            self.gib_hours += count * bytes * hours / GIB;
            self.used_gib_hours += used * hours / GIB;
            self.killed_minutes += minutes(is_over(used, count * bytes));
        }
    }

    /// Counts what is another than before by more than rounding.
    fn count(&mut self, before: Option<[f64; 3]>, now: [f64; 3]) {
        let Some(before) = before else { return };
        let is_other = |at: usize| (now[at] - before[at]).abs() > 1e-9 * now[at].abs();
        self.count_changes += f64::from(u8::from(is_other(0)));
        self.size_changes += f64::from(u8::from(is_other(1))) + f64::from(u8::from(is_other(2)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TraceBuilder, TraceSeries};

    /// Four recorded replicas of a quarter core and 1 GiB each, all of it for nothing; one serves 25. From 3,660 s on six for two minutes,
    /// then eight. Judged from the 62nd minute on.
    #[test]
    fn sums_are_those_worked_by_hand() {
        let mut builder = TraceBuilder::default();
        for minute in 1..=65 {
            for (metric, value) in [("requests_per_min", 100.0), ("cpu_cores", 1.0), ("memory_bytes", 4.0 * GIB)] {
                let dearer = if metric == "cpu_cores" && minute == 65 { 1.5 } else { 1.0 };
                builder.push("shop", metric, minute * 60, value * dearer).unwrap();
            }
        }
        let trace = builder.finish().unwrap();
        let own = deployments(&trace)[0];
        let made = |replicas: &[(i64, f64)], cores: &[(i64, f64)]| {
            let decided = |of: &[(i64, f64)]| -> Vec<Decided> {
                of.iter().map(|(time_s, allocation)| Decided { time_s: *time_s, allocation: *allocation }).collect()
            };
            let series = |at: usize, decided: Vec<Decided>| {
                let TraceSeries { workload, metric, .. } = trace.series()[at].clone();
                SeriesDecisions { workload, metric, decided }
            };
            let all = (0..3).map(|at| series(at, if at == own.cpu { decided(cores) } else { Vec::new() })).collect();
            let replicas = (!replicas.is_empty()).then(|| series(own.requests, decided(replicas)));
            Decisions { series: all, replicas: replicas.into_iter().collect(), ..Decisions::none("a", &trace) }
        };
        let judge = |made: &Decisions| together(&trace, made, 61 * 60).unwrap();
        let close = |a: f64, b: f64, of: &Together| assert!((a - b).abs() < 1e-6, "{a} for {b}: {of:?}");
        // By count: each as in the first hour, memory with half on top.
        let scaled = judge(&made(&[(3_660, 6.0), (3_780, 8.0)], &[]));
        close(scaled.replica_hours * 60.0, 6.0 * 2.0 + 8.0 * 2.0, &scaled);
        close(scaled.core_hours * 60.0, 7.0, &scaled);
        close(scaled.gib_hours * 60.0, 42.0, &scaled);
        close(scaled.minutes, 4.0, &scaled);
        // Requests do not vary, so that all use is for them, and none for nothing: 1 core for six and for eight, then 1.5.
        close(scaled.used_core_hours * 60.0, 4.5, &scaled);
        assert_eq!((scaled.short_minutes, scaled.killed_minutes), (0.0, 0.0));
        close(scaled.count_changes * 4.0 / 1_440.0, 1.0, &scaled);
        // By size: as many as were recorded, short once 1.5 is used of 1.2.
        let sized = judge(&made(&[], &[(3_660, 1.2)]));
        close(sized.replica_hours * 60.0, 16.0, &sized);
        close(sized.core_hours * 60.0, 4.8, &sized);
        assert_eq!((sized.short_minutes, sized.count_changes, sized.size_changes), (1.0, 0.0, 0.0));
        let nothing = made(&[], &[]);
        assert_eq!(together(&trace, &nothing, 0), None);
    }
}
