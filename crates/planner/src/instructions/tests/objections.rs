use super::*;
use apportion_core::{History, InstructionId, Metric, Mode, Objection, Series, Window, knob::Bounds};
use std::collections::BTreeMap;

struct Unmeasured;

impl History for Unmeasured {
    fn series(&self, _: &WorkloadId, _: &Metric, _: Window) -> Option<Series> {
        None
    }
}

/// web, db (at least 2, at most 6 cores by configuration) and batch on 16 cores; web and db are managed.
fn configured() -> BTreeMap<WorkloadId, Standing> {
    let managed = Standing { mode: Mode::Apply, ..Standing::default() };
    let cores = Bounds { min: 2.0, max: Some(6.0) };
    let db = Standing { bounds: [(Knob::CpuQuota, cores)].into_iter().collect(), ..managed.clone() };
    [("web.service", managed), ("db", db), ("batch", Standing::default())].map(|(id, set)| (id.into(), set)).into()
}

fn objections(stands: &[Instruction], new: &Instruction) -> Vec<Objection> {
    let said: Vec<Instructed> = stands.iter().zip(1..).map(|(one, id)| said(id, hour(0.0), one.clone())).collect();
    let (configured, machine) = (configured(), machine());
    let at_work = AtWork::new(&said, hour(1.0), &utc);
    World { at_work, configured: &configured, machine: &machine, history: &Unmeasured }.objections(new)
}

fn cores(names: &[&str], effect: Effect, amount: f64) -> Instruction {
    rule(names, Topic::Cpu, effect, amount, Unit::Cores)
}

#[test]
fn what_cannot_be_done_is_said_with_the_nearest_that_can() {
    let check = |stands: &[Instruction], new: Instruction, expect: Objection| {
        let found = objections(stands, &new);
        assert_eq!(found.first(), Some(&expect), "{new:?}: {found:?}");
        assert!(expect.blocks());
    };
    let none = &[][..];
    let unknown = |name: &str, nearest: &[&str]| Objection::NoSuchWorkload {
        name: name.into(),
        nearest: nearest.iter().map(|name| (*name).to_owned()).collect(),
    };
    check(none, cores(&["bacth"], Effect::AtMost, 1.0), unknown("bacth", &["batch"]));
    check(none, cores(&["wbe"], Effect::AtMost, 1.0), unknown("wbe", &["web.service", "db"]));
    check(none, cores(&["kafka-broker"], Effect::AtMost, 1.0), unknown("kafka-broker", &[]));
    check(none, within(-3.0, 0.5, of(InstructionKind::Hold, &["db"])), Objection::Past { end: hour(0.5) });
    check(none, rule(&["web"], Topic::Replicas, Effect::AtLeast, 3.0, Unit::Replicas), Objection::NothingToSet);
    check(none, rule(&["web"], Topic::Storage, Effect::AtMost, 1e12, Unit::Bytes), Objection::NothingToSet);
    let share = |names: &[&str], topic, effect| rule(names, topic, effect, 30.0, Unit::Percent);
    let (disk, network) = (Some(Resource::Storage), Some(Resource::Network));
    check(none, share(&["web"], Topic::Storage, Effect::AtMost), Objection::ShareOfUnknown { resource: disk });
    check(none, share(&[], Topic::Storage, Effect::AtMost), Objection::ShareOfUnknown { resource: disk });
    check(none, share(&["web"], Topic::Network, Effect::AtMost), Objection::ShareOfUnknown { resource: network });
    check(none, share(&["web"], Topic::Requests, Effect::AtMost), Objection::NothingToSet);
    check(none, share(&[], Topic::Cpu, Effect::AtLeast), Objection::FloorOnTotal);
    let qps = Instruction {
        effect: Some(Effect::Add),
        unit: None,
        ..within(2.0, 3.0, times(&["web"], Topic::Requests, 500.0))
    };
    check(none, qps, Objection::NotMeasured { workload: "web.service".into() });
    let resource = Resource::Cpu;
    check(
        none,
        cores(&["web"], Effect::AtLeast, 20.0),
        Objection::MoreThanMachine { resource, asked: 20.0, has: 16.0 },
    );
    let (workload, knob) = ("db".to_owned(), Knob::CpuQuota);
    let above = Objection::FloorAboveCeiling { workload: workload.clone(), knob, floor: 8.0, ceiling: 6.0, by: None };
    check(none, cores(&["db"], Effect::AtLeast, 8.0), above);
    let below = Objection::FloorAboveCeiling { workload, knob, floor: 2.0, ceiling: 1.0, by: None };
    check(none, cores(&["db"], Effect::AtMost, 1.0), below);
    let cap = cores(&["web"], Effect::AtMost, 4.0);
    let by = Some(InstructionId(1));
    let crossing = Objection::FloorAboveCeiling { workload: "web.service".into(), knob, floor: 5.0, ceiling: 4.0, by };
    check(std::slice::from_ref(&cap), cores(&["web"], Effect::AtLeast, 5.0), crossing);
    // 10 for web and 2 for db leave 4 of 16 for batch.
    let floor = cores(&["web"], Effect::AtLeast, 10.0);
    let together = Objection::FloorsTogether { resource, sum: 17.0, has: 16.0, left: 4.0 };
    check(std::slice::from_ref(&floor), cores(&["batch"], Effect::AtLeast, 5.0), together);
    // What takes the place of another is held against the machine as well.
    let all_of_it = Objection::MoreThanMachine { resource, asked: 20.0, has: 16.0 };
    check(std::slice::from_ref(&floor), cores(&["web"], Effect::AtLeast, 20.0), all_of_it);
    check(std::slice::from_ref(&cap), cap.clone(), Objection::SaidAlready { by: InstructionId(1) });
    check(none, of(InstructionKind::Undo, &[]), Objection::NothingToUndo);
}

#[test]
fn a_ceiling_that_nothing_can_run_under_is_refused() {
    let check = |new: Instruction, knob: Knob, asked: f64| {
        let found = objections(&[], &new);
        let expect = Objection::CeilingTooSmall { knob, asked, least: knob.smallest() };
        assert!(found.contains(&expect) && expect.blocks(), "{new:?}: {found:?}");
    };
    check(cores(&[], Effect::AtMost, 0.0), Knob::CpuQuota, 0.0);
    check(cores(&["web"], Effect::AtMost, 0.0001), Knob::CpuQuota, 0.0001);
    check(rule(&[], Topic::Cpu, Effect::AtMost, 0.0, Unit::Percent), Knob::CpuQuota, 0.0);
    check(rule(&[], Topic::Memory, Effect::AtMost, 1e3, Unit::Bytes), Knob::MemoryHigh, 1e3);
    assert!(objections(&[], &cores(&["web"], Effect::AtMost, 0.5)).iter().all(|found| !found.blocks()));
}

/// Everything uses so many cores.
struct Uses(f32);

impl History for Uses {
    fn series(&self, _: &WorkloadId, _: &Metric, window: Window) -> Option<Series> {
        Some(Series { values: vec![self.0; window.len()], ..Series::gap(window) })
    }
}

#[test]
fn a_ceiling_below_what_is_used_now_is_told() {
    let (configured, machine) = (configured(), machine());
    let told = |new: &Instruction| {
        let at_work = AtWork::new(&[], hour(1.0), &utc);
        World { at_work, configured: &configured, machine: &machine, history: &Uses(3.5) }.objections(new)
    };
    let (knob, workload) = (Knob::CpuQuota, "db".to_owned());
    let below = Objection::BelowUse { workload, knob, asked: 3.0, used: 3.5, others: 1 };
    assert!(told(&cores(&["web", "db"], Effect::AtMost, 3.0)).contains(&below) && !below.blocks());
    assert_eq!(told(&cores(&["web", "db"], Effect::AtMost, 4.0)), []);
}

#[test]
fn a_tighter_bound_that_still_counts_is_told() {
    let check = |stands: &[Instruction], new: Instruction, workload: Option<&str>, bound: f64, by: Option<i64>| {
        let by = by.map(InstructionId);
        let tighter = Objection::Tighter { workload: workload.map(str::to_owned), knob: Knob::CpuQuota, bound, by };
        let found = objections(stands, &new);
        assert!(found.contains(&tighter) && !tighter.blocks(), "{new:?}: {found:?}");
    };
    let two = cores(&["web"], Effect::AtMost, 2.0);
    let friday = within(1.0, 90.0, cores(&["web"], Effect::AtMost, 4.0));
    check(&[two.clone()], friday, Some("web.service"), 2.0, Some(1));
    check(&[two.clone()], cores(&["web.service"], Effect::AtMost, 4.0), Some("web.service"), 2.0, Some(1));
    check(&[], cores(&["db"], Effect::AtMost, 8.0), Some("db"), 6.0, None);
    check(&[], cores(&["db"], Effect::AtLeast, 1.0), Some("db"), 2.0, None);
    let all = rule(&["*"], Topic::All, Effect::AtMost, 25.0, Unit::Percent);
    check(&[all], cores(&["web"], Effect::AtMost, 5.0), Some("web.service"), 4.0, Some(1));
    let share = |amount| rule(&[], Topic::Cpu, Effect::AtMost, amount, Unit::Percent);
    check(&[within(0.0, 50.0, share(25.0))], share(50.0), None, 4.0, Some(1));
    let silent = |stands: &[Instruction], new: Instruction| {
        let found = objections(stands, &new);
        assert!(!found.iter().any(|found| matches!(found, Objection::Tighter { .. })), "{new:?}: {found:?}");
    };
    // The new one is the tighter, takes the other's place, or is in force at another time.
    silent(&[two.clone()], within(1.0, 90.0, cores(&["web"], Effect::AtMost, 1.0)));
    silent(&[two.clone()], cores(&["web"], Effect::AtMost, 4.0));
    silent(&[within(1.0, 5.0, two.clone())], within(6.0, 90.0, cores(&["web"], Effect::AtMost, 4.0)));
    silent(&[two], cores(&["batch"], Effect::AtMost, 4.0));
}

#[test]
fn more_than_the_machine_has_is_told_of_multiples_and_of_sums() {
    let (configured, machine) = (configured(), machine());
    let told = |used: f32, new: &Instruction| {
        let at_work = AtWork::new(&[], hour(1.0), &utc);
        let all = World { at_work, configured: &configured, machine: &machine, history: &Uses(used) }.objections(new);
        all.into_iter().find(|found| matches!(found, Objection::BeyondMachine { .. }))
    };
    let beyond =
        |workloads, asked: f64| Some(Objection::BeyondMachine { resource: Resource::Cpu, workloads, asked, has: 16.0 });
    let event = |names: &[&str], factor| within(20.0, 22.0, times(names, Topic::Requests, factor));
    assert_eq!(told(0.5, &event(&["web"], 100.0)), beyond(1, 50.0));
    assert_eq!(told(0.5, &event(&["web"], 32.0)), None);
    assert_eq!(told(2.0, &event(&["web", "db"], 5.0)), beyond(2, 20.0));
    let added = |kind, names: &[&str]| Instruction {
        kind,
        effect: Some(Effect::Add),
        unit: Some(Unit::Cores),
        ..within(1.0, 3.0, times(names, Topic::Cpu, 7.0))
    };
    assert_eq!(told(1.0, &added(InstructionKind::Event, &["web", "db", "batch"])), beyond(3, 24.0));
    assert_eq!(told(1.0, &added(InstructionKind::Report, &["web", "db", "batch"])), beyond(3, 24.0));
    assert_eq!(told(1.0, &added(InstructionKind::Event, &["web", "db"])), None);
    let report = Instruction { kind: InstructionKind::Report, ..times(&["web"], Topic::Cpu, 10.0) };
    assert_eq!(told(2.0, &report), beyond(1, 20.0));
}

#[test]
fn what_can_be_done_is_let_through_with_what_should_be_known() {
    let check = |stands: &[Instruction], new: Instruction, expect: &[Objection]| {
        assert_eq!(objections(stands, &new), expect, "{new:?}");
        assert!(expect.iter().all(|objection| !objection.blocks()));
    };
    check(&[], cores(&["web", "db"], Effect::AtMost, 4.0), &[]);
    check(
        &[],
        rule(&[], Topic::Cpu, Effect::AtMost, 60.0, Unit::Percent),
        &[Objection::RecommendOnly { workloads: 1 }],
    );
    let cap = cores(&["web"], Effect::AtMost, 4.0);
    check(&[cap.clone()], cores(&["web"], Effect::AtMost, 3.0), &[Objection::Replaces { what: InstructionId(1) }]);
    // A ceiling at night and a floor by day never meet.
    let night = every(Repeat::Daily, within(25.0, 29.0, cap));
    check(&[night], every(Repeat::Daily, within(33.0, 42.0, cores(&["web"], Effect::AtLeast, 5.0))), &[]);
    let hold = within(0.0, 30.0, of(InstructionKind::Hold, &["db"]));
    let held = Objection::Held { workload: "db".into(), by: InstructionId(1), until: Some(hour(30.0)) };
    check(&[hold.clone()], within(20.0, 22.0, times(&["db"], Topic::Requests, 3.0)), &[held]);
    check(&[hold], within(40.0, 42.0, times(&["db"], Topic::Requests, 3.0)), &[]);
    let open = Instruction { effect: None, amount: None, unit: None, ..times(&["web"], Topic::Requests, 1.0) };
    check(&[], open, &[Objection::NoEnd, Objection::NoSize { factor: UNSIZED }]);
    check(&[of(InstructionKind::Hold, &["db"])], of(InstructionKind::Undo, &[]), &[]);
}
