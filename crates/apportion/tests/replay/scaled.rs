//! Workloads that run as replicas.

use super::{csv, ok, replay, rows, said};
use apportion_host::trace::read_decisions;
use std::{collections::BTreeSet, fs};

const PLAYED: [&str; 8] = ["usage.csv", "--model", "recent", "--warmup", "10800", "--out", "made", "--policy"];

#[test]
fn replicas_and_their_size_are_decided_and_judged_together() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("usage.csv"), csv(&rows())).unwrap();
    let told = ok(folder.path(), &[&PLAYED[..], &["apportion-replicas,hpa,vpa"]].concat());
    for words in ["replicas and their size together (2 workloads)", "apportion-replicas", "minutes short of CPU"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let metrics = |policy: &str| -> BTreeSet<String> {
        let rows = read_decisions(&folder.path().join("made").join(format!("{policy}.parquet"))).unwrap();
        rows.iter().map(|row| row.metric.to_string()).collect()
    };
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    assert_eq!(metrics("apportion-replicas"), names(&["cpu_cores", "memory_bytes", "replicas_in_service"]));
    assert_eq!(metrics("hpa"), names(&["replicas_in_service", "requests_per_s"]));
    // Judged again, also without what was judged before.
    let read = |name: &str| fs::read(folder.path().join("made").join(name)).unwrap();
    let before = read("judged.json");
    ok(folder.path(), &["usage.csv", "--judge", "made"]);
    assert!(read("judged.json") == before);
    fs::remove_file(folder.path().join("made/judged.json")).unwrap();
    let again = ok(folder.path(), &["usage.csv", "--judge", "made", "--warmup", "10800"]);
    let line = |text: &str| text.lines().find(|line| line.starts_with("  apportion-replicas ")).map(str::to_owned);
    assert!(line(&again).is_some() && told.contains("core-hours"), "{again}");
}

#[test]
fn what_tells_of_replicas_is_said_and_what_does_not_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("usage.csv"), csv(&rows())).unwrap();
    let hint = ok(folder.path(), &[&PLAYED[..], &["apportion"]].concat());
    assert!(hint.contains("for 2 workload(s): --policy apportion-replicas,hpa,vpa"), "{hint}");
    let refused = |args: &[&str], says: &str| {
        let output = replay(folder.path(), args);
        assert!(!output.status.success() && said(&output).contains(says), "{args:?}: {}", said(&output));
    };
    refused(
        &[&PLAYED[..], &["apportion-replicas", "--capacity", "cpu_cores=2"]].concat(),
        "only the size to decide: play apportion instead",
    );
    let cpu: Vec<_> = rows().into_iter().filter(|row| row.0.ends_with("cpu_cores")).collect();
    fs::write(folder.path().join("cpu.csv"), csv(&cpu)).unwrap();
    refused(&["cpu.csv", "--policy", "apportion-replicas"], "is for workloads with a request rate and CPU");
    let sale = "expect 3x the usual traffic on checkout tomorrow from 8:00 to 12:00";
    let event = ok(folder.path(), &[&PLAYED[..], &["apportion-replicas", "--what-if", sale]].concat());
    assert!(event.contains("cpu_cores in its window, demand as announced"), "{event}");
    refused(&[&PLAYED[..], &["vpa", "--what-if", sale]].concat(), "others know of no instructions");
}
