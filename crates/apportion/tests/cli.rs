//! The command as a user meets it: help, exit statuses, errors that say what to do.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    path::Path,
    process::{Command, Output},
};

/// Runs the command with a store of its own in `folder`.
fn apportion(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_apportion"))
        .args(args)
        .env("APPORTION_STORE", folder.join("store/apportion.db"))
        .env_remove("APPORTION_CONFIG")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn exit_statuses_and_remedies() {
    let folder = tempfile::tempdir().unwrap();
    let check = |args: &[&str], status: i32, says: &str| {
        let output = apportion(folder.path(), args);
        let said = text(&output.stderr) + &text(&output.stdout);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said}");
    };
    check(&[], 2, "Usage");
    check(&["--help"], 0, "Examples");
    check(&["--version"], 0, env!("CARGO_PKG_VERSION"));
    check(&["frobnicate"], 2, "unrecognized subcommand");
    check(&["history"], 3, "no store yet; `apportion run` makes one");
    check(&["explain", "web"], 3, "no store yet");
    check(&["status"], 3, "no loop runs");
    check(&["hold", "web", "--for", "soon"], 1, "e.g. 90m");
    check(&["forecast", "missing.parquet", "--horizon", "8", "--out", "out.csv"], 1, "missing.parquet");
    check(&["forecast", "in.csv", "--horizon", "0", "--out", "out.csv"], 2, "0 is not in 1..=100000");
    check(&["completions", "bash"], 0, "_apportion");
    check(&["man"], 0, ".TH apportion 1");
}

#[test]
fn a_faulty_configuration_names_line_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faulty.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:7070\"\nguard = \"wild\"\n").unwrap();
    let output = apportion(folder.path(), &["check", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("faulty.toml:2: guard = \"wild\" is not known; give \"careful\""), "{said}");
}

#[test]
fn one_turn_sees_this_machine_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = apportion(folder.path(), &["run", "--once", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let picture: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let workloads = picture["workloads"].as_array().unwrap();
    assert!(!workloads.is_empty());
    assert!(workloads.iter().any(|workload| workload["cpu"]["used"].is_number()));
    assert!(workloads.iter().any(|workload| workload["memory"]["knob"]["allotted"].is_number()));
    assert!(workloads.iter().all(|workload| workload["footing"]["name"] != "managed"));
    let again = apportion(folder.path(), &["history", "--applied"]);
    assert_eq!(again.status.code(), Some(3), "nothing was applied: {}", text(&again.stdout));
}

#[test]
fn sentences_are_taken_when_confirmed_and_listed_without_a_loop() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("store")).unwrap();
    let check = |args: &[&str], status: i32, says: &str| {
        let output = apportion(folder.path(), args);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said}");
    };
    let sale = "Tonight 20:00-22:00 flash sale, expect 3x traffic on checkout";
    check(&["tell", sale], 4, "No workload is called checkout");
    check(&["tell", sale, "--workload", "checkout"], 4, "Take it? [y/N]");
    check(&["instructions"], 0, "nothing stands");
    check(&["tell", sale, "--workload", "checkout", "--yes"], 0, "taken as instruction 1");
    check(&["tell", sale, "--workload", "checkout", "--json"], 4, "\"taken\":false");
    check(&["instructions"], 0, "expect 3x the usual requests on checkout");
    check(&["instructions", "--json"], 0, "\"id\":1");
    check(&["instructions", "show", "1"], 0, "flash sale");
    check(&["instructions", "show", "7"], 3, "there is no instruction 7");
    check(&["tell", "what", "a", "day", "--yes"], 4, "nothing was taken");
    check(&["tell", "undo the last change", "--yes"], 0, "instruction 1 is revoked");
    check(&["instructions", "revoke", "1"], 3, "no instruction 1 stands");
    check(&["instructions", "--all"], 0, "revoked");
}

#[test]
fn holds_are_kept_and_released_without_a_loop() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("store")).unwrap();
    let done = |args: &[&str]| {
        let output = apportion(folder.path(), args);
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    assert_eq!(done(&["hold", "web", "--for", "2h", "--why", "audit"]).0, Some(0));
    assert_eq!(done(&["release", "web"]).0, Some(0));
    assert_eq!(done(&["release", "web"]).0, Some(3), "it is not held any more");
    assert_eq!(done(&["rollback", "--all"]).0, Some(3), "nothing was changed");
}
