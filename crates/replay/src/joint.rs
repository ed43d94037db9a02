//! A policy of this house on a workload that runs as replicas: how many, and how large each, in one decision, by `planner::scale`.
//!
//! The count follows work: requests, or more where the CPU that was used is worth more. What one replica serves follows its size by
//! what work was seen to cost. Once a day the size is looked at, for the needs of the last week. Where CPU is not for the requests, these
//! count alone, and the size follows what one uses. Memory is that of one replica: what it used in the past, shared by as many as there
//! are, and no less than what a replica uses that serves all it can.
//!
//! What people want of it is in [`rules`].

mod rules;

use crate::{
    Options, Trace, TraceSeries,
    deployment::{Deployment, FirstHour, Moment, RECORDED, Replica},
    engine::{Engine, Made},
    horizontal::{Ahead, whole},
    replicas::in_service,
    world::Decided,
};
use apportion_core::{Knob, metric::name};
use apportion_planner::{
    scale::{Look, Scaling, Sizes, Terms, WorkCost, best_size},
    size::Track,
};
use rules::{Rules, Wanted};
use std::collections::VecDeque;

/// A replica may become so many times as large, or as small, as it was at first.
const REACH: f64 = 8.0;
/// What a byte is worth in cores: public clouds sell eight GiB at the price of one core, give or take a fifth.
const CORES_PER_BYTE: f64 = 1.0 / (8.0 * 1_073_741_824.0);
/// As the guard has it.
const MEMORY_HEADROOM: f32 = 0.1;
/// Memory that is less by this share is worth a change.
const LEAST_CUT: f64 = 0.1;
const DAY_S: i64 = 86_400;
const HOUR_S: i64 = 3_600;
/// Hours whose needs a size is chosen for.
const NEEDS: usize = 168;

/// Plays one workload, asked for each of some shares over: its replicas that serve, and the CPU and memory of all of them together.
pub(crate) fn play(
    trace: &Trace,
    deployment: &Deployment,
    engine: &Engine<'_>,
    asked: &[f64],
    options: &Options,
) -> Vec<Made> {
    let requests = &trace.series()[deployment.requests];
    let mut ahead = Ahead::new(requests, engine, &[name::REQUESTS, name::CPU]);
    let one = |asked: &f64| Joint::new(requests, Rules::new(&requests.workload, engine, options, *asked), options);
    let mut all: Vec<Joint<'_>> = asked.iter().map(one).collect();
    for seen in deployment.moments(trace) {
        ahead.push(seen.time_s, seen.requests);
        all.iter_mut().for_each(|joint| joint.look(&seen, &ahead));
    }
    all.into_iter().map(|joint| joint.made(trace, deployment)).collect()
}

/// One replica.
#[derive(Clone, Copy)]
struct Size {
    cores: f64,
    served: f64,
    /// CPU is for the requests.
    is_lawful: bool,
    looked_s: i64,
}

struct Joint<'a> {
    terms: Terms,
    start_s: i64,
    step_s: i64,
    rules: Rules<'a>,
    scaling: Scaling,
    cpu: WorkCost,
    memory: WorkCost,
    /// CPU of one replica as recorded, and memory of one.
    tracks: [Track; 2],
    first: FirstHour,
    size: Option<Size>,
    /// The greatest need of each hour with its number, newest last.
    needs: VecDeque<(i64, f64)>,
    /// Memory of one that would be enough, but for what people want.
    enough_bytes: f64,
    counts: Vec<Decided>,
    sizes: Vec<Decided>,
    memories: Vec<Decided>,
}

impl<'a> Joint<'a> {
    fn new(requests: &TraceSeries, rules: Rules<'a>, options: &Options) -> Self {
        let (step_s, start_s) = (whole(requests.step_s), whole(options.replica_start_s));
        let violation_share = rules.configured.violation_share;
        let terms = Terms { violation_share, step_s, start_s, ..Terms::default() };
        Self {
            terms,
            start_s: options.replica_start_s,
            step_s: requests.step_s,
            rules,
            scaling: Scaling::new(terms),
            cpu: WorkCost::default(),
            memory: WorkCost::default(),
            tracks: [Track::new(step_s), Track::new(step_s).with_headroom(MEMORY_HEADROOM)],
            first: FirstHour::new(requests),
            size: None,
            needs: VecDeque::new(),
            enough_bytes: 0.0,
            counts: Vec::new(),
            sizes: Vec::new(),
            memories: Vec::new(),
        }
    }

    /// Replicas that serve, and the CPU and memory of all of them together.
    fn made(&self, trace: &Trace, deployment: &Deployment) -> Made {
        let replicas = in_service(&self.counts, self.start_s);
        let of = |at: usize, sizes: &[Decided]| {
            let quantity = trace.series()[at].quantity();
            let in_unit = |made: Decided| Decided { allocation: quantity.from_base(made.allocation), ..made };
            (at, times(&replicas, sizes).into_iter().map(in_unit).collect())
        };
        let memory = deployment.memory.map(|at| of(at, &self.memories));
        let decided = [of(deployment.cpu, &self.sizes)].into_iter().chain(memory).collect();
        Made { replicas: [(deployment.requests, replicas)].into(), ..Made::of(decided) }
    }

    fn look(&mut self, seen: &Moment, ahead: &Ahead<'_>) {
        self.learn(seen);
        let Some(first) = self.first.observe(seen) else { return };
        let wanted = self.rules.at(seen.time_s);
        let held = self.size.filter(|_| wanted.is_held(Knob::CpuQuota));
        let Size { cores, served, .. } = held.unwrap_or_else(|| self.sized(&first, seen.time_s, wanted.most_cores()));
        let span_s = self.start_s + self.step_s;
        let forecast = ahead.most(seen.time_s, span_s);
        let announced = ahead.announced(seen.time_s, span_s);
        let demand = self.work(seen);
        let count = self.scaling.look(&Look { demand, served_by_one: served, forecast, announced });
        self.need(seen.time_s, count.need);
        if held.is_none() {
            let count = wanted.count(f64::from(count.replicas), (demand / served).ceil(), cores);
            put(&mut self.counts, seen.time_s, count);
        }
        if let Some(bytes) = seen.bytes {
            self.remember(seen.time_s, bytes, served, &wanted);
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "usage as f32")]
    fn learn(&mut self, seen: &Moment) {
        let (work, step_days) = (seen.requests / RECORDED, self.step_s as f64 / DAY_S as f64);
        self.tracks[0].push((seen.cores / RECORDED) as f32);
        self.cpu.push(work, seen.cores / RECORDED, f64::INFINITY, step_days);
        if let Some(bytes) = seen.bytes {
            self.memory.push(work, bytes / RECORDED, f64::INFINITY, step_days);
        }
    }

    /// Work that was asked: requests, or more where those were dearer than usual.
    fn work(&self, seen: &Moment) -> f64 {
        let line = self.cpu.line().filter(|_| self.size.is_some_and(|size| size.is_lawful));
        let worth = line.map_or(0.0, |line| RECORDED * line.worth(seen.cores / RECORDED));
        seen.requests.max(worth)
    }

    /// One replica, of at most so many cores; what its size goes by is looked at once a day.
    fn sized(&mut self, first: &Replica, now_s: i64, most_cores: f64) -> Size {
        let before = self.size;
        let is_due = before.is_none_or(|size| now_s - size.looked_s >= DAY_S);
        let usual = Size { cores: first.cores, served: first.served, is_lawful: false, looked_s: now_s };
        let mut size = before.unwrap_or(usual);
        if is_due {
            size = Size { looked_s: now_s, is_lawful: self.cpu.line().is_some(), ..size };
        }
        if size.is_lawful {
            size.cores = if is_due && !self.needs.is_empty() { self.best(first, size.cores) } else { size.cores };
            size.cores = size.cores.min(most_cores);
            let served = self.cpu.served(size.cores, 1.0).filter(|served| *served > 0.0);
            size.served = served.unwrap_or(size.served);
        } else {
            size.cores = f64::from(self.tracks[0].allotment(self.terms.violation_share)).min(most_cores);
            size.served = first.served;
        }
        self.size = Some(size);
        if let Some(before) = before.filter(|before| before.cores != size.cores) {
            self.scaling.resized(before.served, size.served);
        }
        // What is made smaller is so once those that take its place serve.
        let is_smaller = before.is_some_and(|before| size.cores < before.cores);
        put(&mut self.sizes, if is_smaller { now_s + self.start_s } else { now_s }, size.cores);
        size
    }

    /// The size at which the needs of the last week would have cost least.
    fn best(&self, first: &Replica, now_cores: f64) -> f64 {
        let idle_bytes = self.memory.line().map_or(first.bytes, |line| line.idle);
        let sizes = Sizes {
            least_cores: first.cores / REACH,
            most_cores: first.cores * REACH,
            busy_share: 1.0,
            beside_cores: idle_bytes * CORES_PER_BYTE,
        };
        let needs: Vec<f64> = self.needs.iter().map(|(_, need)| *need).collect();
        best_size(&needs, &self.cpu, &sizes, &self.terms, now_cores)
    }

    fn need(&mut self, now_s: i64, need: f64) {
        let hour = now_s.div_euclid(HOUR_S);
        match self.needs.back_mut().filter(|last| last.0 == hour) {
            Some(last) => last.1 = last.1.max(need),
            None => self.needs.push_back((hour, need)),
        }
        if self.needs.len() > NEEDS {
            self.needs.pop_front();
        }
    }

    /// Sizes the memory of one replica.
    #[allow(clippy::cast_possible_truncation, reason = "usage as f32")]
    fn remember(&mut self, now_s: i64, bytes: f64, served_by_one: f64, wanted: &Wanted) {
        let count = self.counts.last().map_or(RECORDED, |last| last.allocation);
        let line = self.memory.line();
        let idle = line.map_or(bytes / RECORDED, |line| line.idle);
        let one = idle + (bytes - idle * RECORDED).max(0.0) / count;
        self.tracks[1].push(one as f32);
        let full = line.map_or(0.0, |line| line.used(served_by_one));
        let enough = f64::from(self.tracks[1].allotment(self.terms.violation_share)).max(full);
        if !self.memories.is_empty() && wanted.is_held(Knob::MemoryHigh) {
            return;
        }
        if enough > self.enough_bytes || enough < self.enough_bytes * (1.0 - LEAST_CUT) {
            self.enough_bytes = enough;
        }
        let given = wanted.bytes(self.enough_bytes, one, count);
        put(&mut self.memories, now_s, given);
    }
}

/// Notes what is another than before, in place of what was to come.
fn put(decided: &mut Vec<Decided>, time_s: i64, allocation: f64) {
    if decided.last().is_some_and(|last| last.allocation == allocation) {
        return;
    }
    while decided.last().is_some_and(|last| last.time_s >= time_s) {
        decided.pop();
    }
    if decided.last().is_none_or(|last| last.allocation != allocation) {
        decided.push(Decided { time_s, allocation });
    }
}

/// Count times size, wherever one of them changes.
fn times(counts: &[Decided], sizes: &[Decided]) -> Vec<Decided> {
    let mut moments: Vec<i64> = counts.iter().chain(sizes).map(|made| made.time_s).collect();
    moments.sort_unstable();
    moments.dedup();
    let at = |decided: &[Decided], time_s: i64| {
        let after = decided.partition_point(|made| made.time_s <= time_s);
        decided.get(after.checked_sub(1)?).map(|made| made.allocation)
    };
    let mut made = Vec::new();
    for time_s in moments {
        if let Some((count, size)) = at(counts, time_s).zip(at(sizes, time_s)) {
            put(&mut made, time_s, count * size);
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Decisions, JudgeOptions, Player, REPLICAS, Told, Trace, deployment::testing::shop, judge, peers::Peer, run,
        score::together::Together, unwatched, world,
    };
    use apportion_core::{
        Instructed, Instruction, InstructionId, Standing, Time,
        instruction::{Effect, InstructionKind},
        knob::Bounds,
    };

    const DAYS: i64 = 8;

    fn engine() -> Engine<'static> {
        Engine::replicas("seasonal-naive", 6 * 3_600).unwrap()
    }

    fn options(violation: f64) -> Options {
        Options { violation, ..Options::default() }
    }

    fn played(trace: &Trace, engine: &Engine<'_>, options: &Options) -> Decisions {
        run(trace, Player::Engine(engine), options, &unwatched).unwrap()
    }

    fn judged(trace: &Trace, made: Decisions) -> Together {
        let fixed = run(trace, Player::Peer(Peer::named("hpa").unwrap()), &Options::default(), &unwatched).unwrap();
        let options = JudgeOptions { warmup_s: 2 * DAY_S, ..JudgeOptions::default() };
        let judged = judge(trace, &[made, fixed], &[], &options);
        assert_eq!(judged.together[1].policy, "hpa");
        judged.together[0].together
    }

    /// What is asked is what is measured, of the CPU that so many replicas use; more risk takes no more.
    #[test]
    fn asked_shares_are_met_by_replicas_and_size_together() {
        let trace = shop(DAYS);
        let mut before = f64::INFINITY;
        for asked in [0.005, 0.01, 0.02] {
            let made = judged(&trace, played(&trace, &engine(), &options(asked)));
            let share = made.short_minutes / made.minutes;
            assert!((0.5..1.6).contains(&(share / asked)), "{asked}: {made:?}");
            assert!(made.killed_minutes <= asked * made.minutes, "{made:?}");
            assert!(made.core_hours <= before, "{made:?}");
            assert!(made.size_changes < 12.0 && made.core_hours < 1.6 * made.used_core_hours, "{made:?}");
            before = made.core_hours;
        }
    }

    /// CPU that moves without the requests: replicas are as many as these need, and the size of each is what keeps to the asked share.
    #[test]
    fn cpu_that_requests_do_not_explain_is_sized_and_not_counted() {
        let shop = shop(DAYS);
        let is_cpu = |series: &crate::TraceSeries| &*series.metric == "cpu_cores";
        let odd = |place: usize| 2.0 + ((place * 7_919) % 1_009) as f64 / 400.0;
        let trace = shop.with_values(|series| match is_cpu(series) {
            true => (0..series.len()).map(odd).collect(),
            false => series.values.clone(),
        });
        let made = judged(&trace, played(&trace, &engine(), &options(0.01)));
        let usual = judged(&shop, played(&shop, &engine(), &options(0.01)));
        assert!(made.replica_hours < 2.0 * usual.replica_hours, "{made:?} {usual:?}");
        assert!(made.short_minutes < 0.02 * made.minutes && made.core_hours < 2.5 * made.used_core_hours, "{made:?}");
    }

    /// Nothing is known beforehand: on a part of the trace, decisions up to its end are the same.
    #[test]
    fn nothing_rests_on_what_comes_later() {
        let (trace, engine) = (shop(4), engine());
        let end_s = 3 * DAY_S - 1_800;
        let all = played(&trace, &engine, &options(0.01));
        let part = played(&trace.until(end_s).unwrap(), &engine, &options(0.01));
        let until = |made: &Decisions| -> Vec<(String, i64, f64)> {
            let rows = made.rows().filter(|row| row.2 <= end_s);
            rows.map(|(_, metric, time_s, value)| (metric.to_string(), time_s, value)).collect()
        };
        assert_eq!(until(&all), until(&part));
        assert!(
            until(&all).iter().any(|row| row.0 == REPLICAS) && until(&all).iter().any(|row| row.0 == "memory_bytes")
        );
    }

    /// Eight times as much CPU a request makes replicas eight times as large, and no more of them.
    #[test]
    fn a_replica_grows_with_what_work_costs() {
        let trace = shop(4);
        let scaled = trace.with_values(|series| {
            let factor = if &*series.metric == "cpu_cores" { 8.0 } else { 1.0 };
            series.values.iter().map(|value| value * factor).collect()
        });
        let cheap_memory = |trace: &Trace| {
            trace.with_values(|series| {
                let factor = if &*series.metric == "memory_bytes" { 1e-6 } else { 1.0 };
                series.values.iter().map(|value| value * factor).collect()
            })
        };
        let of = |trace: &Trace| played(&cheap_memory(trace), &engine(), &options(0.01));
        let (one, other) = (of(&trace), of(&scaled));
        assert_eq!(one.replicas, other.replicas);
        let last = |made: &Decisions| made.series[0].decided.last().unwrap().allocation;
        assert!((last(&other) / last(&one) - 8.0).abs() < 1e-6, "{} {}", last(&one), last(&other));
    }

    /// Told of three times the requests from five o'clock on, and of three times the CPU: replicas are there before it begins, and no more
    /// of them than usual before that.
    #[test]
    fn what_is_told_is_met_before_it_comes() {
        let trace = shop(6);
        let begin_s = 5 * DAY_S + 5 * HOUR_S;
        let count = |engine: &Engine<'_>, time_s: i64| {
            let made = played(&trace, engine, &options(0.01));
            let cores = made.series.iter().find(|series| &*series.metric == "cpu_cores").unwrap();
            (
                world::in_force(&made.replicas[0].decided, time_s).unwrap(),
                world::in_force(&cores.decided, time_s).unwrap(),
            )
        };
        for topic in [None, Some(apportion_core::instruction::Topic::Cpu)] {
            let event = Instruction {
                workloads: vec!["shop".to_owned()],
                effect: Some(Effect::Multiply),
                resource: topic,
                amount: Some(3.0),
                start: Some(Time::from_s(begin_s)),
                end: Some(Time::from_s(begin_s + 2 * HOUR_S)),
                ..Instruction::new(InstructionKind::Event, "sale")
            };
            let said =
                Instructed { id: InstructionId(0), time: Time::from_s(DAY_S), revoked: None, instruction: event };
            let told = Engine { told: Some(Told { said: vec![said], offset_s: |_, _| 0 }), ..engine() };
            let plain = engine();
            let (usual, with) = (count(&plain, begin_s + 60), count(&told, begin_s + 60));
            assert!(with.1 > 2.4 * usual.1 && with.0 > usual.0, "{topic:?}: {usual:?} {with:?}");
            let (usual, with) = (count(&plain, begin_s - HOUR_S), count(&told, begin_s - HOUR_S));
            assert!(with.1 < 1.2 * usual.1, "{topic:?}: {usual:?} {with:?}");
        }
    }

    /// The most in force of a metric from a time on, and the least.
    fn range(made: &Decisions, metric: &str, from_s: i64) -> (f64, f64) {
        let all = made.series.iter().chain(&made.replicas);
        let own = all.filter(|series| &*series.metric == metric).flat_map(|series| &series.decided);
        let late: Vec<f64> = own.filter(|made| made.time_s >= from_s).map(|made| made.allocation).collect();
        (late.iter().copied().fold(0.0, f64::max), late.iter().copied().fold(f64::INFINITY, f64::min))
    }

    /// Bounds of all replicas together, by the configuration.
    #[test]
    fn bounds_hold_for_all_replicas_together() {
        let trace = shop(4);
        let bounded = |knob: Knob, min: f64, max: Option<f64>| {
            let bounds = [(knob, Bounds { min, max })].into();
            let standing = Standing { bounds, violation_share: 0.01, ..Standing::default() };
            Options { standings: [("shop".to_owned(), standing)].into(), ..options(0.01) }
        };
        let free = played(&trace, &engine(), &options(0.01));
        let (most, least) = range(&free, "cpu_cores", DAY_S);
        let capped = played(&trace, &engine(), &bounded(Knob::CpuQuota, 0.0, Some(0.6 * most)));
        assert!(range(&capped, "cpu_cores", DAY_S).0 <= 0.6 * most + 1e-9, "{most}");
        let raised = played(&trace, &engine(), &bounded(Knob::CpuQuota, 2.0 * least, None));
        assert!(range(&raised, "cpu_cores", DAY_S).1 >= 2.0 * least - 1e-9, "{least}");
        let (most, _) = range(&free, "memory_bytes", DAY_S);
        let capped = played(&trace, &engine(), &bounded(Knob::MemoryHigh, 0.0, Some(0.5 * most)));
        assert!(range(&capped, "memory_bytes", DAY_S).0 <= 0.5 * most * (1.0 + 1e-9), "{most}");
        assert_eq!(capped.replicas, free.replicas);
    }

    /// What people said: at most so many replicas, and no change at all for a while.
    #[test]
    fn rules_and_holds_reach_replicas() {
        let trace = shop(4);
        let with = |instruction: Instruction| {
            let said = Instructed { id: InstructionId(0), time: Time::from_s(0), revoked: None, instruction };
            played(
                &trace,
                &Engine { told: Some(Told { said: vec![said], offset_s: |_, _| 0 }), ..engine() },
                &options(0.01),
            )
        };
        let free = played(&trace, &engine(), &options(0.01));
        assert!(range(&free, REPLICAS, DAY_S).0 > 3.0);
        let rule = Instruction {
            workloads: vec!["shop".to_owned()],
            effect: Some(Effect::AtMost),
            resource: Some(apportion_core::instruction::Topic::Replicas),
            amount: Some(3.0),
            ..Instruction::new(InstructionKind::Rule, "at most 3 replicas")
        };
        assert_eq!(range(&with(rule), REPLICAS, 0).0, 3.0);
        let hold = Instruction {
            workloads: vec!["shop".to_owned()],
            start: Some(Time::from_s(2 * DAY_S)),
            ..Instruction::new(InstructionKind::Hold, "leave it alone")
        };
        let held = with(hold);
        let late = |made: &Decisions| made.rows().filter(|row| row.2 > 2 * DAY_S + HOUR_S && row.2 < 4 * DAY_S).count();
        assert_eq!(
            held.rows().filter(|row| row.2 <= 2 * DAY_S).count(),
            free.rows().filter(|row| row.2 <= 2 * DAY_S).count()
        );
        assert!(late(&free) > 100 && late(&held) == 0, "{}", late(&held));
    }

    #[test]
    fn count_times_size_wherever_one_changes() {
        let made = |pairs: &[(i64, f64)]| -> Vec<Decided> {
            pairs.iter().map(|(time_s, allocation)| Decided { time_s: *time_s, allocation: *allocation }).collect()
        };
        let all = times(&made(&[(0, 4.0), (60, 2.0), (120, 8.0)]), &made(&[(30, 0.5), (60, 1.0), (180, 2.0)]));
        assert_eq!(all, made(&[(30, 2.0), (120, 8.0), (180, 16.0)]));
    }
}
