//! `apportion tune` as a user runs it: kept per metric where it wins, taken back, listed, and forecast with; what is damaged or
//! too little is said with a remedy.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Output},
};

fn run(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apportion"));
    command.args(args).current_dir(folder).env("APPORTION_STORE", folder.join("apportion.db"));
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A number in 0..1 that follows from two others (the finaliser of `SplitMix64`).
fn noise(a: u64, b: u64) -> f64 {
    let z = a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xd1b5_4a32_d192_ed03);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap()) / f64::from(u32::MAX)
}

/// Six workloads of 900 steps. CPU is a pattern that the shipped weights have not met (after five equal values one of three
/// heights, by turns); memory is a walk, of which nothing can be learnt and whose last tenth jumps ten times as far.
fn trace(folder: &Path) {
    let mut rows = "workload,metric,time,value\n".to_owned();
    for workload in 0..6_u64 {
        let mut level = 1e6;
        for step in 0..900_u64 {
            let time = 1_700_000_100 + step * 300;
            let place = step + workload * 5;
            let cpu = if place % 6 == 5 { [3.0, 9.0, 6.0][usize::try_from(place / 6 % 3).unwrap()] } else { 1.0 };
            level += (noise(workload, step) - 0.5) * if step < 810 { 1e3 } else { 1e4 };
            writeln!(rows, "w{workload},cpu_cores,{time},{cpu}\nw{workload},memory_bytes,{time},{level:.0}").unwrap();
        }
    }
    fs::write(folder.join("usage.csv"), rows).unwrap();
}

fn quantiles(folder: &Path, metric: &str, args: &[&str]) -> Vec<String> {
    let base = ["forecast", "usage.csv", "--horizon", "8", "--model", "transformer", "--out", "out.csv"];
    let output = run(folder, &[&base, args].concat());
    assert!(output.status.success(), "{}", said(&output));
    let text = fs::read_to_string(folder.join("out.csv")).unwrap();
    text.lines().filter(|line| line.contains(metric)).map(str::to_owned).collect()
}

#[test]
fn what_wins_is_kept_for_its_metric_and_can_be_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    trace(folder.path());
    let tune = ["tune", "usage.csv", "--steps", "6", "--rate", "0.001"];
    let first = run(folder.path(), &tune);
    let text = said(&first);
    assert!(first.status.success() && text.contains("version 1 is in force for 1 of 2 metrics"), "{text}");
    let line = |metric: &str| text.lines().find(|line| line.starts_with(metric)).unwrap().to_owned();
    assert!(line("cpu_cores").ends_with(", kept") && line("memory_bytes").ends_with(", not kept"), "{text}");

    // Tuned weights serve the metric they won, where they are asked for.
    assert_ne!(quantiles(folder.path(), "cpu_cores", &["--tuned"]), quantiles(folder.path(), "cpu_cores", &[]));
    assert_eq!(quantiles(folder.path(), "memory_bytes", &["--tuned"]), quantiles(folder.path(), "memory_bytes", &[]));

    // The same series, seed and settings give the same weights.
    let models = folder.path().join("apportion.models");
    let weights = |number: u32| fs::read(models.join(format!("{number}.safetensors"))).unwrap();
    assert!(said(&run(folder.path(), &["tune", "--rollback"])).contains("the shipped weights are in force"));
    assert_eq!(quantiles(folder.path(), "cpu_cores", &["--tuned"]), quantiles(folder.path(), "cpu_cores", &[]));
    assert!(run(folder.path(), &tune).status.success());
    assert!(weights(1) == weights(2), "the same tuning gave other weights");

    let list = said(&run(folder.path(), &["tune", "--list"]));
    assert!(list.contains("0: the shipped weights\n") && list.contains("2 (in force): "), "{list}");
    assert!(said(&run(folder.path(), &["tune", "--rollback", "1"])).contains("version 1 is in force"));
    let unknown = run(folder.path(), &["tune", "--rollback", "9"]);
    assert!(unknown.status.code() == Some(3) && said(&unknown).contains("no version 9"), "{}", said(&unknown));

    // Damaged weights are named, with a way out, and the loop goes on with the shipped ones.
    let mut bytes = weights(1);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(models.join("1.safetensors"), bytes).unwrap();
    let damaged = run(folder.path(), &["forecast", "usage.csv", "--horizon", "8", "--tuned", "--out", "out.csv"]);
    let text = said(&damaged);
    assert!(damaged.status.code() == Some(1), "{text}");
    assert!(text.contains("1.safetensors") && text.contains("apportion tune --rollback"), "{text}");
    let once = run(folder.path(), &["run", "--once"]);
    let text = said(&once);
    assert!(
        once.status.success() && text.contains("1.safetensors") && text.contains("shipped weights are used"),
        "{text}"
    );
    fs::write(models.join("1.json"), "{").unwrap();
    assert!(said(&run(folder.path(), &["tune", "--list"])).contains("damaged: "));
    assert!(said(&run(folder.path(), &["tune", "--rollback"])).contains("the shipped weights are in force"));
}

#[test]
fn too_little_history_is_said_with_what_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let check = |args: &[&str], status: i32, says: &str| {
        let output = run(folder.path(), args);
        assert!(output.status.code() == Some(status) && said(&output).contains(says), "{args:?}: {}", said(&output));
    };
    check(&["tune"], 3, "no store yet");
    check(&["tune", "--rollback"], 3, "nothing to take back");
    check(&["tune", "--list"], 0, "0: the shipped weights (in force)");
    check(&["tune", "--list", "--rollback"], 2, "cannot be used with");
    check(&["tune", "--rate", "1"], 2, "at most 0.01");
    let mut rows = "workload,metric,time,value\n".to_owned();
    for step in 0..120 {
        writeln!(rows, "web,cpu_cores,{},{}", 1_700_000_100 + step * 300, step % 7).unwrap();
    }
    fs::write(folder.path().join("short.csv"), rows).unwrap();
    check(&["tune", "short.csv"], 3, "the longest of 120 steps (10.0 h). Some metric needs four series of 160");
    assert!(!folder.path().join("apportion.models").exists());
}
