//! `apportion train` as a user runs it: it writes what it says, goes on after a kill to the same weights, and forecasts.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Output},
    thread,
    time::Duration,
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
    // The first checkpoint of a run of 10 steps is at its end, so a kill before it means beginning afresh: the same too.
    let args = |out: &'static str| ["train", "usage.csv", "--steps", "10", "--threads", "1", "--out", out];
    let whole = run(folder.path(), &args("whole"));
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    let mut killed = command(folder.path(), &args("killed")).spawn().unwrap();
    thread::sleep(Duration::from_millis(300));
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(run(folder.path(), &args("killed")).status.success());
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
    check(&forecast("gru"), "apportion train TRACE --model gru");
    check(&forecast("weights:broken.safetensors"), "broken.safetensors");
    check(&forecast("bolt:nowhere"), "nowhere/config.json");
    check(&forecast("oracle"), "no forecaster is called 'oracle'");
}
