//! Tuned versions as a user meets them: served for what they won, listed, taken back; what is damaged or too little is said with
//! a remedy. What a tuning wins is tested with the training itself (`crates/model/tests/training.rs`).
#![allow(clippy::unwrap_used, reason = "a test")]

use apportion::tuning::{Conditions, Version, Versions, sha256_of};
use apportion_core::Metric;
use apportion_model::{
    telemetry::{ModelConfig, TelemetryModel},
    training::GroupOutcome,
};
use apportion_planner::forecasters::Transformer;
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

/// A version that won on CPU with weights of its own, and was no better on memory.
fn take(versions: &Versions, from: u32, seed: u64) -> u32 {
    let score = |group: &str, ratio: f64, ratio_high: f64| GroupOutcome {
        group: group.to_owned(),
        series: 6,
        forecasts: 24,
        before: 0.8,
        after: 0.8 * ratio,
        ratio,
        ratio_low: 2.0 * ratio - ratio_high,
        ratio_high,
    };
    let number = versions.next().unwrap();
    let conditions = Conditions {
        steps: 1,
        peak: 1e-4,
        replay: 0.5,
        seed,
        series: 12,
        sources: vec!["usage.csv".to_owned()],
        sha256_of_series: String::new(),
    };
    let mut version = Version {
        number,
        from,
        made: jiff::Timestamp::from_second(1_700_000_000).unwrap(),
        program: "0".to_owned(),
        sha256_of_shipped: sha256_of(&Transformer::embedded().unwrap()).unwrap(),
        conditions,
        step_s: 60,
        scores: vec![score("cpu_cores", 0.9, 0.95), score("memory_bytes", 0.99, 1.0)],
        serves: [(Metric::new("cpu_cores"), number)].into(),
        sha256_of_weights: String::new(),
    };
    let weights = TelemetryModel::untrained(ModelConfig::tiny(), seed).to_bytes().unwrap();
    versions.take(&mut version, &weights).unwrap();
    number
}

#[test]
fn versions_serve_what_they_won_and_can_be_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let versions = Versions::of(&folder.path().join("apportion.db"));
    let shipped = Transformer::embedded().unwrap();
    assert_eq!((take(&versions, 0, 1), take(&versions, 1, 2), versions.current().unwrap()), (1, 2, 2));
    let (tiny, general) =
        (TelemetryModel::untrained(ModelConfig::tiny(), 1).parameters(), shipped.general().parameters());
    let served = |metric: &str, step_s: u32| {
        let tuned = versions.transformer(2, shipped.clone()).unwrap();
        tuned.model(&Metric::new(metric), step_s).parameters()
    };
    assert_eq!(
        [served("cpu_cores", 60), served("cpu_cores", 300), served("memory_bytes", 60)],
        [tiny, general, general]
    );
    // Before versions said so, what was judged was at five minutes.
    let record = folder.path().join("apportion.models/2.json");
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replace("  \"step_s\": 60,\n", "")).unwrap();
    assert_eq!([served("cpu_cores", 60), served("cpu_cores", 300)], [general, tiny]);

    let list = said(&run(folder.path(), &["tune", "--list"]));
    assert!(
        list.contains("0: the shipped weights\n")
            && list.contains("2 (in force): ")
            && list.contains(
                "1: 2023-11-14T22:13:20Z, 1 steps from version 0 on usage.csv, judged at a step of 60 s; serves"
            )
            && list.contains("serves cpu_cores by 2"),
        "{list}"
    );
    assert!(
        list.contains("0.900 (0.850 to 0.950), kept") && list.contains("0.990 (0.980 to 1.000), not kept"),
        "{list}"
    );
    let check = |args: &[&str], status: i32, says: &str| {
        let output = run(folder.path(), args);
        assert!(output.status.code() == Some(status) && said(&output).contains(says), "{args:?}: {}", said(&output));
    };
    check(&["tune", "--rollback"], 0, "version 1 is in force");
    check(&["tune", "--rollback", "9"], 3, "no version 9");
    check(&["tune", "--rollback"], 0, "the shipped weights are in force");
    check(&["tune", "--rollback"], 3, "nothing to take back");
    check(&["tune", "--rollback", "2"], 0, "version 2 is in force");

    // Damaged weights are named, with a way out, and the loop goes on with the shipped ones.
    let weights = folder.path().join("apportion.models/2.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&weights, bytes).unwrap();
    fs::write(folder.path().join("usage.csv"), "workload,metric,time,value\nweb,cpu_cores,0,1\nweb,cpu_cores,300,2\n")
        .unwrap();
    let forecast = ["forecast", "usage.csv", "--horizon", "8", "--tuned", "--out", "out.csv"];
    check(&forecast, 1, "2.safetensors: these are not the weights that were kept");
    check(&[&forecast[..], &["--model", "recent"]].concat(), 1, "--tuned is for --model auto and transformer");
    check(&[&forecast[..4], &["--model", "recent", "--out", "out.csv"]].concat(), 0, "8 steps of 1 series by recent");
    check(&["run", "--once"], 0, "2.safetensors: these are not the weights that were kept");
    check(&["run", "--once"], 0, "`apportion tune --rollback` goes back to the version before");
    fs::write(folder.path().join("apportion.models/2.json"), "{").unwrap();
    check(&["tune", "--list"], 0, "damaged: ");
    check(&["tune", "--rollback"], 0, "version 1 is in force");
    check(&forecast, 0, "8 steps of 1 series");

    // A program with other weights of its own does not trust what won against these.
    let record = folder.path().join("apportion.models/1.json");
    let text = fs::read_to_string(&record).unwrap();
    let sha256 = sha256_of(&Transformer::embedded().unwrap()).unwrap();
    fs::write(&record, text.replace(&sha256, "of others")).unwrap();
    check(&forecast, 0, "version 1 was judged beside other weights than this program ships with");
    check(&["run", "--once"], 0, "version 1 was judged beside other weights than this program ships with");
    check(&["tune", "--list"], 0, "0: the shipped weights (in force)");
    check(&["tune", "--list"], 0, "1 (not used: judged beside other weights");
    check(&["tune", "--rollback", "1"], 1, "version 1 was judged beside other weights");
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
    fs::write(folder.path().join("brief.csv"), rows.lines().take(51).collect::<Vec<_>>().join("\n")).unwrap();
    check(&["tune", "brief.csv"], 3, "1 series of fewer than 96 readings are left out");
    fs::write(folder.path().join("short.csv"), rows).unwrap();
    check(&["tune", "short.csv"], 3, "the longest of 120 steps (10.0 h). Some metric needs four series of 160");
    assert!(!folder.path().join("apportion.models").exists());
}
