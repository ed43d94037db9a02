//! A store with an eventful night; see `ask.rs`.

#![allow(unreachable_pub, dead_code, reason = "shared by tests")]

use apportion::{
    ask::{StoreSources, ask},
    web::{Footing, View, WorkloadNow},
};
use apportion_core::{
    Batch, Binding, Capacity, Change, Counterfactual, Decision, DecisionId, Harm, Instruction, Knob, LoopState, Metric,
    Outcome, Reason, Refusal, Resource, Setting, Standing, TickReport, Time, Verdict, Workload, WorkloadKind,
    WorkloadState,
    instruction::{Effect, InstructionKind, Topic, Unit},
    metric::name,
    plan::Expected,
};
use apportion_host::store::{Access, Options, Store};
use apportion_language::{reading::Reader, wording::answer::Answer};
use jiff::Zoned;
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

const GIB: f64 = 1_073_741_824.0;

/// Thursday morning.
pub fn now() -> Zoned {
    "2026-11-26T09:00:00+08:00[Asia/Shanghai]".parse().unwrap()
}

pub fn at() -> Time {
    Time(now().timestamp().as_millisecond())
}

fn time(text: &str) -> Time {
    Time(format!("{text}+08:00[Asia/Shanghai]").parse::<Zoned>().unwrap().timestamp().as_millisecond())
}

pub struct Night {
    pub store: Arc<Store>,
    folder: tempfile::TempDir,
}

impl Night {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("apportion.db"), Access::ReadWrite, Options::default()).unwrap();
        store.backfill(&readings(), at()).unwrap();
        let decisions = [cut(), taken_back(), recommended()];
        let harms = vec![Harm {
            of: DecisionId(40),
            workload: "nginx.service".into(),
            knob: Knob::CpuQuota,
            signal: name::CPU_THROTTLED_PERIODS.to_owned(),
            before: 0.0,
            now: 0.5,
            after_s: 14_700.0,
        }];
        let report = TickReport { decisions: decisions.to_vec(), harms, ..TickReport::default() };
        store.record_tick(&report, &LoopState::default(), time("2026-11-26T02:05:00")).unwrap();
        store.hold(&["vault".to_owned()], "audit", None, time("2026-11-24T10:00:00")).unwrap();
        store.instruct(&sale(), time("2026-11-25T17:00:00")).unwrap();
        Self { store: Arc::new(store), folder }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("apportion.db")
    }

    pub fn ask(&self, question: &str) -> Answer {
        self.ask_of(question, &view())
    }

    pub fn ask_of(&self, question: &str, view: &View) -> Answer {
        let sources = StoreSources::new(Arc::clone(&self.store), |_: &_, _: &_| None);
        ask(&Reader::embedded().unwrap(), question, &now(), view, &sources)
    }
}

pub fn view() -> View {
    let mut view = View { now: at(), capacity: capacity(), ..View::default() };
    for (name, knob, setting) in [
        ("nginx.service", Knob::CpuQuota, Setting::Value(2.0)),
        ("redis.service", Knob::MemoryMax, Setting::Value(GIB)),
        ("web", Knob::CpuQuota, Setting::Value(4.0)),
        ("vault", Knob::CpuQuota, Setting::Unlimited),
    ] {
        let state = WorkloadState {
            workload: workload(name),
            standing: Standing::default(),
            latest: BTreeMap::new(),
            settings: [(knob, setting)].into(),
            life: None,
            lost: Default::default(),
            own: false,
        };
        let now = WorkloadNow {
            state,
            footing: Footing::Managed,
            wants: Vec::new(),
            allotted: BTreeMap::new(),
            cpu_spark_cores: Vec::new(),
            memory_spark_bytes: Vec::new(),
        };
        view.workloads.insert(name.into(), now);
    }
    view
}

fn capacity() -> Capacity {
    Capacity { amounts: [(Resource::Cpu, 16.0), (Resource::Memory, 64.0 * GIB)].into_iter().collect() }
}

fn workload(name: &str) -> Workload {
    Workload { id: name.into(), kind: WorkloadKind::Cgroup, path: name.to_owned(), labels: BTreeMap::new() }
}

/// Two days of a reading a minute. nginx wants more than it has from 02:00 to 03:00, and half of its periods are throttled.
fn readings() -> Batch {
    let names = ["nginx.service", "redis.service", "web", "vault"];
    let mut batch = Batch { workloads: names.map(workload).to_vec(), ..Batch::default() };
    let (from, to) = (time("2026-11-24T09:00:00").s(), at().s());
    let night = time("2026-11-26T02:00:00").s()..time("2026-11-26T03:00:00").s();
    let kill = time("2026-11-26T03:12:00").s();
    let mut sums = [0.0_f64; 4];
    for s in (from..=to).step_by(60) {
        let busy = night.contains(&(s - 1));
        let nginx = if busy { 1.4 } else { 0.4 };
        sums[0] += nginx * 60.0;
        sums[1] += 600.0;
        sums[2] += if busy { 300.0 } else { 0.0 };
        sums[3] += 30.0;
        let mut push = |workload: &str, metric: &str, value| {
            batch.push(&workload.into(), &Metric::new(metric), Time::from_s(s), value);
        };
        push("nginx.service", name::CPU, sums[0]);
        push("nginx.service", name::CPU_PERIODS, sums[1]);
        push("nginx.service", name::CPU_THROTTLED_PERIODS, sums[2]);
        push("nginx.service", name::CPU_THROTTLED, sums[2] / 10.0);
        push("nginx.service", name::MEMORY_WORKING_SET, 0.25 * GIB);
        push("nginx.service", name::OOM_KILLS, 0.0);
        push("redis.service", name::CPU, sums[3] / 10.0);
        push("redis.service", name::MEMORY_WORKING_SET, GIB);
        push("redis.service", name::OOM_KILLS, if s >= kill { 1.0 } else { 0.0 });
        push("web", name::CPU, sums[3]);
        push("web", name::CPU_PERIODS, sums[1]);
        push("web", name::CPU_THROTTLED_PERIODS, 0.0);
        push("web", name::MEMORY_WORKING_SET, 0.5 * GIB);
    }
    batch
}

/// Two cores of a workload for an hour, a reading a minute.
pub fn hour_of(of: &str, from: &str) -> Batch {
    let mut batch = Batch { workloads: vec![workload(of)], ..Batch::default() };
    for minute in 0..=60 {
        let sum = 120.0 * f64::from(minute);
        batch.push(&of.into(), &Metric::new(name::CPU), time(from).plus_s(60 * i64::from(minute)), sum);
    }
    batch
}

fn cut() -> Decision {
    let counterfactual = Counterfactual {
        value: 1.0,
        window_s: 604_800.0,
        over_s: 2_280.0,
        worst_day: Some(Time::from_s(1_795_392_000)),
        worst_day_over_s: 1_800.0,
    };
    let reason = Reason { quantile: 0.99, counterfactual: Some(counterfactual), ..Reason::only(Binding::Forecast) };
    decision(40, "2026-11-25T22:00:00", ("nginx.service", 2.0, 1.4), reason)
}

fn taken_back() -> Decision {
    let reason = Reason::only(Binding::TakeBack { of: DecisionId(40) });
    decision(41, "2026-11-26T02:05:00", ("nginx.service", 1.4, 2.0), reason)
}

fn recommended() -> Decision {
    let expected = Expected {
        by: "mstl".to_owned(),
        score: Some(0.81),
        horizon_s: 86_400.0,
        peak_at: time("2026-11-26T20:30:00"),
        peak: [0.4, 0.5, 0.75],
    };
    let reason = Reason { expected: Some(expected), quantile: 0.99, ..Reason::only(Binding::Forecast) };
    let made = decision(42, "2026-11-26T08:00:00", ("web", 4.0, 1.0), reason);
    Decision { verdict: Verdict::Refused { why: Refusal::RecommendOnly }, ..made }
}

fn decision(id: u64, when: &str, (workload, from, to): (&str, f64, f64), reason: Reason) -> Decision {
    let (from, to) = (Setting::Value(from), Setting::Value(to));
    Decision {
        id: DecisionId(id),
        time: time(when),
        change: Change { workload: workload.into(), knob: Knob::CpuQuota, from, to, reason },
        verdict: Verdict::Admitted { to, outcome: Outcome::Applied { read_back: to } },
    }
}

fn sale() -> Instruction {
    Instruction {
        workloads: vec!["web".to_owned()],
        resource: Some(Topic::Requests),
        effect: Some(Effect::Multiply),
        amount: Some(3.0),
        unit: Some(Unit::X),
        start: Some(time("2026-11-26T20:00:00")),
        end: Some(time("2026-11-26T22:00:00")),
        ..Instruction::new(InstructionKind::Event, "tonight 8-10pm 3x traffic on web")
    }
}
