//! `apportion forecast --from-store` forecasts as the loop does: every workload, however short its past, with what was announced.
#![allow(clippy::unwrap_used, reason = "a test")]

use apportion_core::{
    Batch, Instruction, Metric, Time, Workload, WorkloadId, WorkloadKind,
    instruction::{Effect, InstructionKind, Topic, Unit},
    metric::name,
};
use apportion_host::store::{Access, Options, Store};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

/// More than a tuning learns from.
const WORKLOADS: usize = 300;
/// Fewer steps of five minutes than a tuning learns from.
const STEPS: i64 = 24;

/// One core of each workload for two hours; `web` has used three since an hour, as announced until in an hour.
fn store(path: &Path) {
    let now_s = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let (now, sale_s) = (Time::from_s(now_s), now_s / 300 * 300 - 3_600);
    let (mut batch, web) = (Batch::default(), WorkloadId::new("web"));
    for id in (0..WORKLOADS).map(|index| if index == 0 { web.clone() } else { format!("w{index}").as_str().into() }) {
        let mut sum = 0.0;
        for s in (0..=5 * STEPS).map(|back| now_s - (5 * STEPS - back) * 60) {
            sum += if id == web && s > sale_s { 180.0 } else { 60.0 };
            batch.push(&id, &Metric::new(name::CPU), Time::from_s(s), sum);
        }
        let (kind, path) = (WorkloadKind::Cgroup, id.as_str().to_owned());
        batch.workloads.push(Workload { id, kind, path, labels: BTreeMap::new() });
    }
    let store = Store::open(path, Access::ReadWrite, Options::default()).unwrap();
    store.backfill(&batch, now).unwrap();
    let sale = Instruction {
        workloads: vec!["web".to_owned()],
        resource: Some(Topic::Requests),
        effect: Some(Effect::Multiply),
        amount: Some(3.0),
        unit: Some(Unit::X),
        start: Some(Time::from_s(sale_s)),
        end: Some(Time::from_s(sale_s + 7_200)),
        ..Instruction::new(InstructionKind::Event, "3x traffic on web")
    };
    store.instruct(&sale, now).unwrap();
}

#[test]
fn every_workload_is_forecast_as_the_loop_does_with_what_was_announced() {
    let folder = tempfile::tempdir().unwrap();
    store(&folder.path().join("apportion.db"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_apportion"));
    command.args("forecast --from-store --model recent --horizon 24 --out out.csv".split(' '));
    let done = command.current_dir(folder.path()).env("APPORTION_STORE", folder.path().join("apportion.db")).output();
    let done = done.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = fs::read_to_string(folder.path().join("out.csv")).unwrap();
    assert_eq!(text.lines().count(), 1 + WORKLOADS * 24, "{}", String::from_utf8_lossy(&done.stderr));
    let median = |line: &str| line.split(',').nth(7).unwrap().parse::<f64>().unwrap();
    let web: Vec<f64> = text.lines().filter(|line| line.starts_with("web,")).map(median).collect();
    assert!((web[5] - 3.0).abs() < 0.1 && (web[20] - 1.0).abs() < 0.1, "in the sale and after it: {web:?}");
}

#[test]
fn what_is_announced_of_a_trace_is_taken_out_of_its_past_and_put_on_what_is_to_come() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = "workload,metric,time,value\n".to_owned();
    for (workload, step) in ["a", "b"].into_iter().flat_map(|workload| (0..100).map(move |step| (workload, step))) {
        // Thrice the usual over the last fifty steps.
        let value = if step >= 50 { 6 } else { 2 };
        writeln!(rows, "{workload},cpu_cores,{},{value}", step * 300).unwrap();
    }
    fs::write(folder.path().join("usage.csv"), rows).unwrap();
    let announce = |what: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_apportion"));
        command.args("forecast usage.csv --model recent --horizon 8 --out out.csv".split(' '));
        let done = command.args(["--announce", what]).current_dir(folder.path()).output().unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (is_done, said) = announce("14700..30900=3x:c");
    assert!(!is_done && said.contains("no workload of usage.csv is called c"), "{said}");
    assert!(!folder.path().join("out.csv").exists(), "nothing is half done");
    // Until the fourth step ahead: 99 is the last one known.
    let (is_done, said) = announce("14700..30900=3x:A");
    assert!(is_done, "{said}");
    let made = fs::read_to_string(folder.path().join("out.csv")).unwrap();
    let medians = |workload: &str| {
        let rows = made.lines().filter(|row| row.starts_with(&format!("{workload},")));
        rows.map(|row| row.split(',').nth(7).unwrap().parse::<f32>().unwrap()).collect::<Vec<f32>>()
    };
    assert_eq!(medians("a"), [6.0, 6.0, 6.0, 6.0, 2.0, 2.0, 2.0, 2.0]);
    assert_eq!(medians("b"), [6.0; 8]);
}
