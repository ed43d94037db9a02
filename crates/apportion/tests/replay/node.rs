//! One node for all, and what the configuration says of its workloads.

use super::{csv, ok, replay, rows, said};
use apportion_host::trace::read_decisions;
use std::{collections::BTreeMap, fs};

/// Two workloads that use the same, on a node with too little for both.
#[test]
fn a_node_serves_by_the_priorities_and_weights_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("usage.csv"), csv(&rows())).unwrap();
    let footprints = |rules: &str, policy: &str| {
        fs::write(folder.path().join("node.toml"), rules).unwrap();
        let node = ["--config", "node.toml", "--capacity", "cpu_cores=2.4", "--model", "recent", "--out", "made"];
        let told = ok(folder.path(), &[&["usage.csv", "--policy", policy], &node[..]].concat());
        let judged: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.path().join("made/judged.json")).unwrap()).unwrap();
        let of = |workload: &str| {
            let is_it = |one: &&serde_json::Value| one["workload"] == workload && one["metric"] == "cpu_cores";
            judged["best"].as_array().unwrap().iter().find(is_it).unwrap()["footprint"].as_f64().unwrap()
        };
        (of("checkout"), of("search"), told)
    };
    let rule = |of: &str| format!("[[workloads]]\nmatch = \"search*\"\n{of}\n");
    for policy in ["apportion", "vpa"] {
        let (checkout, search, told) = footprints("", policy);
        assert!((checkout / search - 1.0).abs() < 0.01 && !told.contains("one node"), "{policy}: {checkout} {search}");
        let (checkout, search, told) = footprints(&rule("priority = \"critical\""), policy);
        assert!(search > 1.3 * checkout && told.contains("search critical, weight 1"), "{policy}: {checkout} {search}");
        let (checkout, search, _) = footprints(&rule("weight = 0.5"), policy);
        assert!(checkout > 1.1 * search, "{policy}: {checkout} {search}");
    }
    fs::write(folder.path().join("node.toml"), rule("priority = \"urgent\"")).unwrap();
    let refused = replay(folder.path(), &["usage.csv", "--config", "node.toml", "--capacity", "cpu_cores=2.4"]);
    assert!(!refused.status.success() && said(&refused).contains("node.toml:3"), "{}", said(&refused));
}

#[test]
fn ours_is_played_as_it_is_configured() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("usage.csv"), csv(&rows())).unwrap();
    let most = |rules: &str| {
        fs::write(folder.path().join("rules.toml"), rules).unwrap();
        let how = [
            "--config",
            "rules.toml",
            "--as-configured",
            "--policy",
            "apportion",
            "--model",
            "recent",
            "--out",
            "made",
        ];
        let told = ok(folder.path(), &[&["usage.csv"], &how[..]].concat());
        let decided = read_decisions(&folder.path().join("made/apportion.parquet")).unwrap();
        let of = |name: &str| {
            let own = decided.iter().filter(|made| made.workload == name && made.metric == "cpu_cores");
            own.map(|made| made.allocation).fold(0.0, f64::max)
        };
        (of("checkout"), of("search"), told)
    };
    let (checkout, search, told) = most("");
    assert!(told.contains("no [[workloads]] rule"), "{told}");
    let rule = |of: &str| format!("[[workloads]]\nmatch = \"search*\"\n{of}\n");
    let bound = 0.5 * search;
    let (same, bounded, told) = most(&rule(&format!("bounds = {{ cpu_quota_cores = [0.01, {bound}] }}")));
    assert!(
        same == checkout && bounded <= bound * 1.000_001 && !told.contains("no [[workloads]]"),
        "{bounded} {search}"
    );
    let (same, wide, _) = most(&rule("violation = 0.0001"));
    assert!(same == checkout && wide > search, "{wide} {search}");
    let refused = replay(folder.path(), &["usage.csv", "--as-configured", "--violation", "0.05"]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
}

#[test]
fn a_node_gives_no_more_than_its_capacity() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("usage.csv"), csv(&rows())).unwrap();
    let args = ["usage.csv", "--policy", "apportion,vpa", "--model", "recent", "--out", "made"];
    ok(folder.path(), &[&args[..], &["--capacity", "cpu_cores=2", "--capacity", "memory_bytes=5000000000"]].concat());
    for policy in ["apportion", "vpa"] {
        let decided = read_decisions(&folder.path().join("made").join(format!("{policy}.parquet"))).unwrap();
        let most = |metric: &str| {
            let (mut given, mut most) = (BTreeMap::new(), 0.0_f64);
            let mut own: Vec<_> = decided.iter().filter(|row| row.metric.as_str() == metric).collect();
            own.sort_by_key(|row| row.time_s);
            for moment in own.chunk_by(|a, b| a.time_s == b.time_s) {
                given.extend(moment.iter().map(|row| (row.workload.clone(), row.allocation)));
                most = most.max(given.values().sum());
            }
            most
        };
        // Both are wanted more of than there is, and all that there is is given.
        assert!((most("cpu_cores") - 2.0).abs() < 1e-6, "{policy}: {}", most("cpu_cores"));
        assert!(most("requests_per_s") > 100.0, "{policy}: what has no capacity is not shared out");
    }
    let judged: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("made/judged.json")).unwrap()).unwrap();
    assert_eq!(
        judged["conditions"]["played"]["capacity"],
        serde_json::json!({ "cpu_cores": 2.0, "memory_bytes": 5e9 })
    );
    let page = fs::read_to_string(folder.path().join("made/report.html")).unwrap();
    assert!(page.contains("cpu_cores=2, memory_bytes=5000000000"));
}
