use super::*;
use apportion_core::{Announced, History, Metric, Series, Window, metric::name};

/// CPU 1 or 2 cores by turns, memory half steady and half with CPU, and 100 requests a second.
struct Past;

impl History for Past {
    fn series(&self, _: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
        let mut series = Series::gap(window);
        for (index, value) in series.values.iter_mut().enumerate() {
            let cpu = 1.0 + (index % 2) as f32;
            *value = match metric.as_str() {
                name::CPU => cpu,
                name::MEMORY_WORKING_SET => 1.5e9 + cpu * 1e9,
                name::REQUESTS => 100.0,
                _ => return None,
            };
        }
        Some(series)
    }
}

fn standing(workload: &str, all: &[Instruction], at: f64) -> Standing {
    let all: Vec<Instructed> = all.iter().zip(1..).map(|(one, id)| said(id, hour(0.0), one.clone())).collect();
    AtWork::new(&all, hour(at), &utc).standing(&workload.into(), Standing::default(), &machine())
}

#[test]
fn rules_bound() {
    let check = |rule: Instruction, expect: &[(Knob, f64, Option<f64>)]| {
        let bounds = standing("/system.slice/web.service", std::slice::from_ref(&rule), 1.0).bounds;
        let bounds: Vec<(Knob, f64, Option<f64>)> =
            bounds.iter().map(|(knob, bounds)| (*knob, bounds.min, bounds.max)).collect();
        assert_eq!(bounds, expect, "{rule:?}");
    };
    let web = &["web"][..];
    check(rule(web, Topic::Cpu, Effect::AtLeast, 4.0, Unit::Cores), &[(Knob::CpuQuota, 4.0, None)]);
    check(rule(web, Topic::Cpu, Effect::AtMost, 25.0, Unit::Percent), &[(Knob::CpuQuota, 0.0, Some(4.0))]);
    let memory = [(Knob::MemoryHigh, 0.0, Some(2e9)), (Knob::MemoryMax, 0.0, Some(2e9))];
    check(rule(&["w*"], Topic::Memory, Effect::AtMost, 2e9, Unit::Bytes), &memory);
    let disk = [(Knob::IoReadMax, 0.0, Some(1e8)), (Knob::IoWriteMax, 0.0, Some(1e8))];
    check(rule(&[], Topic::Storage, Effect::AtMost, 1e8, Unit::BytesPerSecond), &disk);
    check(
        rule(web, Topic::Network, Effect::AtMost, 1e8, Unit::BytesPerSecond),
        &[(Knob::NetworkSendMax, 0.0, Some(1e8))],
    );
    // Space on a disk, copies, and shares of what is not known bound nothing here.
    check(rule(web, Topic::Storage, Effect::AtMost, 1e12, Unit::Bytes), &[]);
    check(rule(web, Topic::Replicas, Effect::AtLeast, 3.0, Unit::Replicas), &[]);
    check(rule(web, Topic::Network, Effect::AtMost, 20.0, Unit::Percent), &[]);
    check(rule(&["db"], Topic::Cpu, Effect::AtMost, 2.0, Unit::Cores), &[]);
    check(rule(web, Topic::Cpu, Effect::AtMost, f64::NAN, Unit::Cores), &[]);
}

#[test]
fn the_tightest_rule_counts_in_its_window() {
    let night = every(Repeat::Daily, within(1.0, 5.0, rule(&["web"], Topic::Cpu, Effect::AtMost, 2.0, Unit::Cores)));
    let rules = [
        rule(&["web"], Topic::Cpu, Effect::AtMost, 6.0, Unit::Cores),
        night,
        rule(&["*"], Topic::Cpu, Effect::AtLeast, 1.0, Unit::Cores),
    ];
    for (at, max) in [(0.5, 6.0), (1.0, 2.0), (4.9, 2.0), (5.0, 6.0), (27.0, 2.0)] {
        let bounds = standing("web", &rules, at).bounds[&Knob::CpuQuota];
        assert_eq!((bounds.min, bounds.max), (1.0, Some(max)), "{at}");
    }
}

#[test]
fn a_share_of_everything_together_limits_what_is_shared_out() {
    let half = [said(1, hour(0.0), rule(&[], Topic::Cpu, Effect::AtMost, 50.0, Unit::Percent))];
    let at_work = AtWork::new(&half, hour(1.0), &utc);
    assert_eq!(
        at_work.capacity(&machine()).amounts,
        [(Resource::Cpu, 8.0), (Resource::Memory, 64e9)].into_iter().collect()
    );
    assert!(at_work.standing(&"web".into(), Standing::default(), &machine()).bounds.is_empty());
}

#[test]
fn holds_freeze_what_they_name_while_they_last() {
    let audit = within(2.0, 4.0, Instruction { text: "audit".into(), ..of(InstructionKind::Hold, &["web-*"]) });
    let memory = Instruction { resource: Some(Topic::Memory), ..of(InstructionKind::Hold, &[]) };
    let all = [Instruction { resource: Some(Topic::All), ..audit }, memory];
    let held = |name: &str, at: f64| standing(name, &all, at).holds.into_keys().collect::<Vec<Knob>>();
    assert_eq!(held("web-1", 3.0), knob::ALL);
    assert_eq!(held("web-1", 4.0), [Knob::MemoryHigh, Knob::MemoryMax]);
    assert_eq!(held("db", 3.0), [Knob::MemoryHigh, Knob::MemoryMax]);
    assert_eq!(standing("web-1", &all[..1], 3.0).hold(), Some("audit"));
}

#[test]
fn the_newest_priority_counts() {
    let level = |level| Instruction { level: Some(level), ..of(InstructionKind::Priority, &["web"]) };
    let all = [level(Level::Low), level(Level::Critical), within(3.0, 4.0, level(Level::High))];
    assert_eq!([1.0, 3.5, 4.5].map(|at| standing("web", &all, at).priority), [3, 2, 3]);
    assert_eq!(standing("db", &all, 1.0).priority, 1);
}

#[test]
fn reports_ask_for_more_or_less() {
    let report = |direction, level, amount: Option<(Effect, f64, Option<Unit>)>| Instruction {
        resource: Some(Topic::Cpu),
        direction: Some(direction),
        level,
        effect: amount.map(|(effect, ..)| effect),
        amount: amount.map(|(_, amount, _)| amount),
        unit: amount.and_then(|(.., unit)| unit),
        ..of(InstructionKind::Report, &["web"])
    };
    let check = |reports: &[Instruction], at: f64, factor: f64, added: f64| {
        let asked = standing("web", reports, at).asked.get(&Knob::CpuQuota).copied().unwrap_or_default();
        assert_eq!(asked, Asked { factor, added, by_signal: false }, "{reports:?}");
        assert!(!standing("web", reports, at).asked.contains_key(&Knob::MemoryHigh));
    };
    let (up, down) = (Direction::Up, Direction::Down);
    check(&[report(up, None, None)], 1.0, 1.3, 0.0);
    check(&[report(up, Some(Level::High), None)], 1.0, 1.5, 0.0);
    check(&[report(up, Some(Level::High), None)], 2.0, 1.0, 0.0);
    check(&[report(down, None, None)], 1.0, 0.9, 0.0);
    check(&[report(up, None, Some((Effect::Add, 2.0, Some(Unit::Cores))))], 1.0, 1.0, 2.0);
    check(&[report(down, None, Some((Effect::Add, 2.0, Some(Unit::Cores))))], 1.0, 1.0, -2.0);
    check(&[report(down, None, Some((Effect::Multiply, 0.5, Some(Unit::X))))], 1.0, 0.5, 0.0);
    check(&[report(up, None, Some((Effect::Multiply, 1e9, Some(Unit::X))))], 1.0, 10.0, 0.0);
    // A storm of reports asks for no more than the strongest of them.
    check(&[report(down, None, None), report(up, None, None), report(up, Some(Level::Critical), None)], 1.0, 2.0, 0.0);
}

#[test]
fn events_announce_demand() {
    let check = |events: &[Instruction], metric: &str, factors: [f32; 4], added: [f32; 4]| {
        let all: Vec<Instructed> = events.iter().zip(1..).map(|(one, id)| said(id, hour(0.0), one.clone())).collect();
        let window = Window { from_s: hour(1.0).s(), to_s: hour(5.0).s(), step_s: 3_600 };
        let made = AtWork::new(&all, hour(0.5), &utc).announced(&Past, &"web".into(), &metric.into(), window);
        assert_eq!(made, Announced { factors: factors.to_vec(), added: added.to_vec() }, "{events:?} {metric}");
    };
    let sale = within(1.0, 2.5, times(&["web"], Topic::Requests, 3.0));
    // The value at a time is the mean over the hour that ends then.
    check(&[sale.clone()], name::CPU, [1.0, 3.0, 2.0, 1.0], [0.0; 4]);
    check(&[sale.clone()], name::NETWORK_SEND, [1.0, 3.0, 2.0, 1.0], [0.0; 4]);
    // Memory rises by half of what CPU does: 1e9 of 3e9 bytes for 1 of 1.5 cores.
    check(&[sale.clone()], name::MEMORY_WORKING_SET, [1.0, 2.0, 1.5, 1.0], [0.0; 4]);
    let cores = Instruction {
        effect: Some(Effect::Add),
        unit: Some(Unit::Cores),
        ..within(1.0, 3.0, times(&["web"], Topic::Cpu, 4.0))
    };
    check(&[cores.clone()], name::CPU, [1.0; 4], [0.0, 4.0, 4.0, 0.0]);
    check(&[cores.clone(), cores.clone(), sale.clone()], name::CPU, [1.0, 3.0, 2.0, 1.0], [0.0, 8.0, 8.0, 0.0]);
    // Two say "times usual" of the same usual; a holiday does not lower what a sale needs.
    check(&[sale.clone(), within(1.0, 4.0, times(&[], Topic::All, 2.0))], name::CPU, [1.0, 3.0, 2.0, 2.0], [0.0; 4]);
    check(&[sale, within(1.0, 4.0, times(&[], Topic::All, 0.5))], name::CPU, [1.0, 3.0, 2.0, 0.5], [0.0; 4]);
    let qps = Instruction {
        effect: Some(Effect::Add),
        unit: None,
        ..within(1.0, 3.0, times(&["web"], Topic::Requests, 150.0))
    };
    check(std::slice::from_ref(&qps), name::CPU, [1.0, 2.5, 2.5, 1.0], [0.0; 4]);
    check(std::slice::from_ref(&qps), name::REQUESTS, [1.0; 4], [0.0, 150.0, 150.0, 0.0]);
    let unsized_one = Instruction {
        effect: None,
        amount: None,
        unit: None,
        ..within(1.0, 3.0, times(&["web"], Topic::Requests, 1.0))
    };
    check(&[unsized_one], name::CPU, [1.0, 1.5, 1.5, 1.0], [0.0; 4]);
    let nothing = |event: Instruction, metric: &str| {
        let all = [said(1, hour(0.0), event)];
        let window = Window { from_s: hour(1.0).s(), to_s: hour(5.0).s(), step_s: 3_600 };
        assert!(AtWork::new(&all, hour(0.5), &utc).announced(&Past, &"web".into(), &metric.into(), window).is_empty());
    };
    nothing(cores.clone(), name::MEMORY_WORKING_SET);
    nothing(Instruction { workloads: vec!["db".into()], ..cores.clone() }, name::CPU);
    nothing(Instruction { resource: Some(Topic::Replicas), unit: Some(Unit::Replicas), ..cores.clone() }, name::CPU);
    nothing(Instruction { start: Some(hour(6.0)), end: Some(hour(7.0)), ..cores }, name::CPU);
}

#[test]
fn an_undo_means_the_newest_for_its_workloads() {
    let mut all = [
        said(1, hour(0.0), of(InstructionKind::Hold, &["db"])),
        said(2, hour(0.0), within(0.0, 2.0, of(InstructionKind::Event, &["web"]))),
        said(3, hour(0.0), of(InstructionKind::Rule, &["web"])),
        said(4, hour(0.0), within(0.0, 0.5, of(InstructionKind::Rule, &["web"]))),
    ];
    let meant = |all: &[Instructed], names: &[&str]| {
        AtWork::new(all, hour(1.0), &utc).undone(&of(InstructionKind::Undo, names)).map(|said| said.id.0)
    };
    assert_eq!(meant(&all, &[]), Some(3));
    assert_eq!(meant(&all, &["db"]), Some(1));
    assert_eq!(meant(&all, &["cache"]), None);
    let named = Instruction { undoes: Some(InstructionKind::Event), ..of(InstructionKind::Undo, &[]) };
    assert_eq!(AtWork::new(&all, hour(1.0), &utc).undone(&named).map(|said| said.id.0), Some(2));
    all[2].revoked = Some(hour(0.5));
    assert_eq!(meant(&all, &[]), Some(2));
    let unit = [
        said(1, hour(0.0), of(InstructionKind::Hold, &["nginx.service"])),
        said(2, hour(0.0), of(InstructionKind::Hold, &["*-db"])),
    ];
    assert_eq!(meant(&unit, &["nginx"]), Some(1), "a name is any that a workload answers to");
    assert_eq!(meant(&unit, &["/system.slice/nginx.service"]), Some(1));
    assert_eq!(meant(&unit, &["web-db"]), Some(2));
    assert_eq!(meant(&unit, &["proxy"]), None);
    let wide = [
        said(1, hour(0.0), of(InstructionKind::Hold, &["nginx.service"])),
        said(2, hour(0.0), of(InstructionKind::Rule, &["*"])),
    ];
    assert_eq!(meant(&wide, &["nginx"]), Some(1), "what is for others too stands");
    assert_eq!(meant(&wide, &["*"]), Some(2));
    assert_eq!(meant(&wide, &["web"]), Some(2), "where there is none for it alone");
}

#[test]
fn an_undo_does_not_mean_a_report_that_ended_by_itself() {
    let all = [
        said(1, hour(0.0), of(InstructionKind::Rule, &["web"])),
        said(2, hour(0.1), of(InstructionKind::Report, &["web"])),
    ];
    let undo = of(InstructionKind::Undo, &[]);
    let meant = |at: f64| AtWork::new(&all, hour(at), &utc).undone(&undo).map(|said| said.id.0);
    assert_eq!((meant(2.0), meant(2.2)), (Some(2), Some(1)));
}

#[test]
fn what_bears_on_a_knob_is_told_from_an_hour_before() {
    let cpu = within(3.0, 4.0, times(&["web"], Topic::Cpu, 2.0));
    let said_of = |at: f64| standing("web", std::slice::from_ref(&cpu), at).said;
    assert!(said_of(1.9).is_empty());
    assert_eq!(said_of(2.1), [(Knob::CpuQuota, vec![InstructionId(1)])].into_iter().collect());
    assert!(said_of(4.0).is_empty());
}
