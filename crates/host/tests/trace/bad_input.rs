//! Files with something wrong: the error says where and what.

use apportion_core::{Metric, WorkloadId};
use apportion_host::trace::{Trace, write_decisions, write_trace};
use std::path::Path;

fn check_csv(text: &[u8], expect: &[&str]) {
    let error = Trace::from_csv(Path::new("dir/trace.csv"), text).unwrap_err().to_string();
    for expect in expect.iter().chain(&["dir/trace.csv"]) {
        assert!(error.contains(expect), "{error} lacks {expect}");
    }
}

#[test]
fn csv_errors_name_row_and_column() {
    let head = "workload,metric,time,value\na,m,1,1\n";
    let check = |row: &str, expect: &[&str]| check_csv(format!("{head}{row}").as_bytes(), expect);
    check("a,m,now,1\n", &["row 3", "column time", "\"now\"", "whole seconds"]);
    check("a,m,1.5,1\n", &["row 3", "column time", "\"1.5\""]);
    check("a,m,,1\n", &["row 3", "column time"]);
    check("a,m,1700000000000,1\n", &["row 3", "column time", "milliseconds"]);
    check("a,m,2,many\n", &["row 3", "column value", "\"many\"", "a number"]);
    check("a,m,2,1e300\n", &["row 3", "column value", "32-bit"]);
    check("a,cpu_cores,2,-0.5\n", &["row 3", "column value", "-0.5", "never negative"]);
    check(",m,2,1\n", &["row 3", "column workload", "a name"]);
    check("a,,2,1\n", &["row 3", "column metric"]);
    check("a,m,2\n", &["row 3 has 3 columns", "4", "complete"]);
    check("a,m,2,1,9\n", &["row 3 has 5 columns"]);
    check_csv(b"workload,metric,time,value\na\xff,m,1,1\n", &["row 2", "column workload", "UTF-8"]);
}

#[test]
fn csv_without_a_column_or_rows() {
    check_csv(b"workload,metric,when,value\na,m,1,1\n", &["no column time", "workload, metric, when, value"]);
    check_csv(b"", &["no column workload"]);
    check_csv(b"workload,metric,time,value\n", &["has no rows"]);
}

#[test]
fn metrics_of_either_sign_are_left_alone() {
    let text = "workload,metric,time,value\na,temperature,1,-3\n";
    assert_eq!(Trace::from_csv(Path::new("x.csv"), text.as_bytes()).unwrap().len(), 1);
}

#[test]
fn files_that_are_not_there_or_have_another_ending() {
    let check = |path: &str, expect: &str| {
        let error = Trace::read(Path::new(path)).unwrap_err().to_string();
        assert!(error.contains(expect) && error.contains(path), "{error}");
    };
    check("/nonexistent/x.csv", "No such file");
    check("/etc/hostname", ".parquet or .csv");
}

/// Bytes of a Parquet file with one series of ten thousand readings.
fn parquet() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let text: String = (0..10_000).map(|index| format!("a,m,{index},{index}\n")).collect();
    let text = format!("workload,metric,time,value\n{text}");
    let path = dir.path().join("x.parquet");
    write_trace(&path, &Trace::from_csv(Path::new("x.csv"), text.as_bytes()).unwrap()).unwrap();
    std::fs::read(path).unwrap()
}

fn read_parquet(bytes: &[u8]) -> Result<Trace, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    std::fs::write(&path, bytes).unwrap();
    Trace::read(&path).map_err(|error| {
        let error = error.to_string();
        assert!(error.contains("x.parquet"), "{error}");
        error
    })
}

#[test]
fn cut_off_parquet_is_refused_wherever_it_is_cut() {
    let whole = parquet();
    assert_eq!(read_parquet(&whole).unwrap().report().rows, 10_000);
    for length in (0..whole.len()).step_by(97) {
        let error = read_parquet(&whole[..length]).unwrap_err();
        assert!(error.contains("is it complete"), "{length}: {error}");
    }
    assert!(read_parquet(b"workload,metric,time,value\n1,2,3,4\n").unwrap_err().contains("its name says"));
}

#[test]
fn parquet_with_other_columns_names_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("decisions.parquet");
    write_decisions(&path, [(&WorkloadId::new("a"), &Metric::new("m"), &[(1, 2.0)][..])]).unwrap();
    let error = Trace::read(&path).unwrap_err().to_string();
    assert!(error.contains("no column value") && error.contains("workload, metric, time, allocation"), "{error}");
}
