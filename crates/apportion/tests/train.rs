//! `apportion train` as a user runs it: it writes what it says, goes on after a kill to the same weights, and forecasts.
#![allow(clippy::unwrap_used, reason = "a test")]

use apportion_core::{Batch, Metric, Time, Workload, WorkloadId, WorkloadKind, metric::name};
use apportion_host::store::{Access, Options, Store};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Output},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apportion"));
    command.args(args).current_dir(folder).env("APPORTION_STORE", folder.join("apportion.db"));
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().unwrap()
}

/// Twelve workloads of 600 five-minute steps with a daily wave.
fn trace(folder: &Path) {
    let mut rows = "workload,metric,time,value\n".to_owned();
    for workload in 0..12 {
        for step in 0..600_u32 {
            let wave = 1.0 + f64::from(workload) * 0.1 + (f64::from(step) / 45.0).sin().abs();
            writeln!(rows, "w{workload},cpu_cores,{},{wave:.3}", 1_700_000_100 + step * 300).unwrap();
        }
    }
    fs::write(folder.join("usage.csv"), rows).unwrap();
}

#[test]
fn a_training_goes_on_after_a_kill_to_the_same_weights_and_forecasts() {
    let folder = tempfile::tempdir().unwrap();
    trace(folder.path());
    let args = |out: &'static str| {
        ["train", "usage.csv", "--steps", "10", "--checkpoint-every", "3", "--threads", "1", "--out", out]
    };
    let whole = run(folder.path(), &args("whole"));
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    let mut killed = command(folder.path(), &args("killed")).spawn().unwrap();
    let checkpoint = folder.path().join("killed/checkpoint.safetensors");
    while !checkpoint.exists() && killed.try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let resumed = run(folder.path(), &args("killed"));
    let said = String::from_utf8_lossy(&resumed.stderr).into_owned();
    assert!(
        resumed.status.success() && ["3", "6", "9"].iter().any(|step| said.contains(&format!("from step {step}\n"))),
        "{said}"
    );
    let weights = |out: &str| fs::read(folder.path().join(out).join("weights.safetensors")).unwrap();
    assert!(weights("whole") == weights("killed"), "weights differ after a kill");
    for file in ["log.csv", "loss.svg", "conditions.json", "checkpoint.safetensors"] {
        assert!(folder.path().join("whole").join(file).exists(), "{file}");
    }
    let model = "weights:whole/weights.safetensors";
    let made = run(folder.path(), &["forecast", "usage.csv", "--horizon", "8", "--model", model, "--out", "out.csv"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert_eq!(fs::read_to_string(folder.path().join("out.csv")).unwrap().lines().count(), 1 + 12 * 8);
}

#[test]
fn a_checkpoint_does_not_go_on_with_other_series() {
    let folder = tempfile::tempdir().unwrap();
    trace(folder.path());
    let rows = fs::read_to_string(folder.path().join("usage.csv")).unwrap();
    fs::write(folder.path().join("more.csv"), rows.replace("w3,", "other,")).unwrap();
    let train = |trace: &str, holdout: &str| {
        run(folder.path(), &["train", trace, "--steps", "10", "--threads", "1", "--holdout", holdout, "--out", "out"])
    };
    assert!(train("usage.csv", "10").status.success());
    let check = |output: Output, says: &str| {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(says) && said.contains("give another --out"), "{said}");
    };
    check(train("more.csv", "10"), "the training in this folder has sha256_of_series");
    check(train("usage.csv", "5"), "the training in this folder has holdout 10, these series have 5");
    assert!(train("usage.csv", "10").status.success());
}

/// Memory of twelve workloads, a reading every five minutes of the last two days.
fn record(folder: &Path) {
    let now_s = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let mut batch = Batch::default();
    for id in (0..12).map(|index| WorkloadId::new(&format!("w{index}"))) {
        for step in 0..576_i32 {
            let bytes = 1e9 + 1e8 * (f64::from(step) / 45.0).sin();
            let time = Time::from_s(now_s - i64::from(575 - step) * 300);
            batch.push(&id, &Metric::new(name::MEMORY_WORKING_SET), time, bytes);
        }
        let (kind, path) = (WorkloadKind::Cgroup, id.as_str().to_owned());
        batch.workloads.push(Workload { id, kind, path, labels: BTreeMap::new() });
    }
    let store = Store::open(&folder.join("apportion.db"), Access::ReadWrite, Options::default()).unwrap();
    store.backfill(&batch, Time::from_s(now_s)).unwrap();
}

#[test]
fn a_training_on_a_store_goes_on_with_what_it_began_with_although_the_store_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path());
    let train = |says: &str| {
        let args = ["train", "--from-store", "--steps", "10", "--threads", "1", "--out", "out"];
        let said = String::from_utf8_lossy(&run(folder.path(), &args).stderr).into_owned();
        assert!(said.contains(says) && !said.contains("0 series to learn from, 0 held out"), "{said}");
    };
    train("held out");
    let path = folder.path().join("out/conditions.json");
    let kept = fs::read_to_string(&path).unwrap();
    let until_s = serde_json::from_str::<serde_json::Value>(&kept).unwrap()["store_until_s"].as_i64().unwrap();
    // What counts is until when it was read before, not what time it is now.
    fs::write(&path, kept.replace(&until_s.to_string(), &(until_s - 7_200).to_string())).unwrap();
    train("the training in this folder has sha256_of_series");
    fs::write(&path, kept).unwrap();
    train("going on from step 10");
}

#[test]
fn a_training_becomes_longer_or_shorter_only_where_it_then_is_the_same_and_files_are_whole_at_any_time() {
    let folder = tempfile::tempdir().unwrap();
    trace(folder.path());
    let train = |steps: &str, every: &str| {
        let args =
            ["train", "usage.csv", "--threads", "1", "--out", "out", "--steps", steps, "--checkpoint-every", every];
        run(folder.path(), &args)
    };
    let out = |file: &str| folder.path().join("out").join(file);
    assert!(train("10", "5").status.success());
    let (weights, conditions) =
        (fs::read(out("weights.safetensors")).unwrap(), fs::read(out("conditions.json")).unwrap());
    fs::hard_link(out("conditions.json"), out("before.json")).unwrap();
    for steps in ["20", "5000"] {
        let refused = train(steps, "5");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains("give --steps 10, or another --out"), "{said}");
    }
    assert!(fs::read(out("conditions.json")).unwrap() == conditions, "conditions of a training that was refused");
    assert!(train("10", "4").status.success() && fs::read(out("weights.safetensors")).unwrap() == weights);
    fs::write(out("conditions.json"), "another file in its place").unwrap();
    assert_eq!(fs::read(out("before.json")).unwrap(), conditions, "written over, not beside and renamed");
}

#[test]
fn what_cannot_be_done_is_said_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    trace(folder.path());
    fs::write(folder.path().join("broken.safetensors"), b"no weights").unwrap();
    let check = |args: &[&str], says: &str| {
        let output = run(folder.path(), args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(says), "{args:?}: {said}");
    };
    let forecast =
        |model: &'static str| ["forecast", "usage.csv", "--horizon", "8", "--model", model, "--out", "out.csv"];
    check(&["train", "missing.csv", "--out", "out"], "missing.csv");
    check(&["train", "--from-store", "--out", "out"], "no store yet");
    check(&forecast("weights:broken.safetensors"), "broken.safetensors");
    check(&forecast("bolt:nowhere"), "nowhere/config.json");
    check(&forecast("oracle"), "no forecaster is called 'oracle'");
}
