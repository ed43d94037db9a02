//! `apportion audit` and what is done with what it finds, as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Output},
};

fn apportion(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apportion"));
    command.current_dir(folder).args(arguments.split(' ')).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Thirty workloads of two metrics: noise about a level, which the last values foretell, and growth, which they do not.
fn trace(folder: &Path) {
    let mut csv = "workload,metric,time,value\n".to_owned();
    for workload in 0..30_u32 {
        for step in 0..300_u32 {
            let noise = f64::from((step * 7_919 + workload * 104_729) % 1_009) / 1_009.0;
            let time = 1_795_478_400 + step * 300;
            let grown = 10.0 + 0.02 * f64::from(step) + noise;
            let _ = writeln!(csv, "w{workload},cpu_cores,{time},{noise}\nw{workload},disk_bytes,{time},{grown}");
        }
    }
    fs::write(folder.join("usage.csv"), csv).unwrap();
}

#[test]
fn groups_that_miss_are_found_corrected_and_the_correction_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    trace(at);
    let done = apportion(at, "audit usage.csv --model recent --horizon 24 --context 128 --out out");
    assert!(done.status.success(), "{}", said(&done));
    let row = |name: &str| said(&done).lines().find(|line| line.contains(name)).unwrap().to_owned();
    assert!(row("disk_bytes").ends_with("corrected"), "{}", said(&done));
    assert!(!row("cpu_cores").contains("corrected") && !row("cpu_cores").contains("MISSES"), "{}", said(&done));
    let audit: serde_json::Value = serde_json::from_slice(&fs::read(at.join("out/audit.json")).unwrap()).unwrap();
    assert_eq!((&audit["fitted_on"], &audit["judged_on"]), (&180.into(), &180.into()));
    let csv = fs::read_to_string(at.join("out/audit.csv")).unwrap();
    assert!(
        csv.contains("\nwithout,metric,\"disk_bytes\",90,") && csv.contains("\nwith,metric,\"disk_bytes\",90,"),
        "{csv}"
    );
    let page = fs::read_to_string(at.join("out/audit.html")).unwrap();
    assert!(page.contains("</svg>") && !page.contains("src=") && !page.contains("href="), "one file, nothing outside");

    let forecast = "forecast usage.csv --model recent --horizon 24 --out";
    assert!(apportion(at, &format!("{forecast} plain.csv")).status.success());
    let corrected = apportion(at, &format!("{forecast} corrected.csv --explain --corrections out/corrections.json"));
    assert!(said(&corrected).contains("of w0, forecast by recent"), "{}", said(&corrected));
    let high = |file: &str, metric: &str| -> f64 {
        let text = fs::read_to_string(at.join(file)).unwrap();
        let row = text.lines().find(|line| line.starts_with(&format!("w0,{metric}"))).unwrap();
        row.rsplit(',').next().unwrap().parse().unwrap()
    };
    assert!(high("corrected.csv", "disk_bytes") > high("plain.csv", "disk_bytes"));
}

#[test]
fn short_series_are_audited_too_and_what_is_left_out_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    trace(at);
    let text = fs::read_to_string(at.join("usage.csv")).unwrap();
    let short = text.lines().filter(|line| {
        let time = line.split(',').nth(2).unwrap();
        time.parse::<u32>().map_or(true, |time| time < 1_795_478_400 + 60 * 300)
    });
    fs::write(at.join("short.csv"), short.collect::<Vec<_>>().join("\n")).unwrap();
    let done = apportion(at, "audit short.csv --model recent --horizon 12 --series 10 --out out");
    assert!(done.status.success() && said(&done).contains("one of every 6 series of 60 is audited"), "{}", said(&done));
    let none = apportion(at, "audit short.csv --model recent --horizon 61 --out out");
    assert!(said(&none).contains("60 series of fewer than 61 readings are left out"), "{}", said(&none));
}

#[test]
fn what_cannot_be_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    trace(at);
    let check = |arguments: &str, words: &str| {
        let done = apportion(at, arguments);
        assert!(!done.status.success() && said(&done).contains(words), "{}", said(&done));
    };
    fs::write(at.join("no.json"), "{}").unwrap();
    let other = r#"{"fitted":{"model":"auto","program":"0.1.0","weights":0,"context_steps":2016,"horizon_steps":288,"steps_s":[300]},"patches":[]}"#;
    fs::write(at.join("other.json"), other).unwrap();
    let forecast = "forecast usage.csv --model recent --horizon 24 --out made.csv --corrections";
    check(&format!("{forecast} no.json"), "not the corrections.json of `apportion audit`");
    check(&format!("{forecast} other.json"), "fitted for --model auto, not recent");
    fs::write(at.join("far.json"), other.replace("auto", "recent")).unwrap();
    check(&format!("{forecast} far.json"), "fitted for a horizon of 288, not 24");
    check("audit usage.csv --model recent --horizon 400 --out out", "a smaller --horizon needs less");
    check("audit --out out", "--from-store");
    assert!(!at.join("made.csv").exists());
}
