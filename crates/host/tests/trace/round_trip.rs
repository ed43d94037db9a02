//! What is written reads back.

use apportion_core::{Forecast, History, Metric, Window, WorkloadId};
use apportion_host::trace::{Trace, TraceError, write_decisions, write_forecasts, write_trace};
use proptest::prelude::*;
use std::{collections::BTreeMap, fmt::Write as _, path::Path};

fn csv(text: &str) -> Trace {
    Trace::from_csv(Path::new("trace.csv"), text.as_bytes()).unwrap()
}

type Points = Vec<(String, String, i64, f32)>;

fn points(trace: &Trace) -> Points {
    let of = |(workload, metric, series): (&WorkloadId, &Metric, &apportion_host::trace::TraceSeries)| {
        let (workload, metric) = (workload.to_string(), metric.to_string());
        let readings = series.times_s().iter().copied().zip(series.values().iter().copied());
        readings.map(|(time, value)| (workload.clone(), metric.clone(), time, value)).collect::<Vec<_>>()
    };
    trace.iter().flat_map(of).collect()
}

fn rewritten(trace: &Trace, name: &str) -> Trace {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    write_trace(&path, trace).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no partial file stays");
    Trace::read(&path).unwrap()
}

#[test]
fn rows_become_series() {
    let trace = csv("workload,metric,time,value\nb,cpu_cores,60,2\na,cpu_cores,0,1.5\na,cpu_cores,60,0.25\n");
    assert_eq!(
        points(&trace),
        [
            ("a".to_owned(), "cpu_cores".to_owned(), 0, 1.5),
            ("a".to_owned(), "cpu_cores".to_owned(), 60, 0.25),
            ("b".to_owned(), "cpu_cores".to_owned(), 60, 2.0)
        ]
    );
    assert_eq!((trace.report().rows, trace.len()), (3, 2));
    assert_eq!(trace.report().to_string(), "3 rows");
}

#[test]
fn columns_in_any_order_with_others_between() {
    let trace = csv("value,note,time,metric,workload\n1,\"a, b\",5,m,\"w \"\"x\"\"\"\n");
    assert_eq!(points(&trace), [("w \"x\"".to_owned(), "m".to_owned(), 5, 1.0)]);
}

#[test]
fn repairs_are_made_and_told() {
    let trace = csv("workload,metric,time,value\n\
        a,m,20,2\na,m,10,1\na,m,20,3\na,m,30,NaN\na,m,40,\na,m,50,inf\na,m,60.0,6\nb,m,1,\n");
    let of_a: Vec<_> = points(&trace).into_iter().map(|(_, _, time, value)| (time, value)).collect();
    assert_eq!(of_a, [(10, 1.0), (20, 3.0), (60, 6.0)]);
    let report = trace.report();
    assert_eq!((report.rows, report.gaps, report.duplicates, report.sorted_series), (8, 4, 1, 1));
    assert_eq!(
        report.to_string(),
        "8 rows; 4 without a number, taken as gaps; 1 replaced by a later row of the same time; \
         1 series put in the order of time"
    );
}

#[test]
fn a_later_gap_replaces_an_earlier_value() {
    let trace = csv("workload,metric,time,value\na,m,10,1\na,m,20,2\na,m,20,\n");
    assert_eq!(points(&trace).len(), 1);
    assert_eq!((trace.report().duplicates, trace.report().sorted_series), (1, 0));
}

#[test]
fn the_digest_is_of_the_data_not_of_the_file() {
    let trace = csv("workload,metric,time,value\na,m,20,2\na,m,10,1\n");
    let same = csv("time,workload,value,metric\n10,a,1.0,m\n20,a,2.0,m\n");
    let other = csv("workload,metric,time,value\na,m,20,2\na,m,10,1.5\n");
    assert_eq!(trace.report().digest, same.report().digest);
    assert_eq!(trace.report().digest.len(), 64);
    assert_ne!(trace.report().digest, other.report().digest);
    assert_eq!(rewritten(&trace, "x.parquet").report().digest, trace.report().digest);
}

#[test]
fn a_trace_is_a_history() {
    let trace = csv("workload,metric,time,value\na,m,10,1\na,m,20,2\na,m,40,4\n");
    let window = Window { from_s: 10, to_s: 50, step_s: 10 };
    let series = trace.series(&WorkloadId::new("a"), &Metric::new("m"), window).unwrap();
    assert_eq!(series.values[..2], [1.0, 2.0]);
    assert!(series.values[2].is_nan());
    assert_eq!(trace.series(&WorkloadId::new("b"), &Metric::new("m"), window), None);
}

#[test]
fn many_rows_cross_batches_and_row_groups() {
    let mut text = String::from("workload,metric,time,value\n");
    for index in 0..150_000 {
        writeln!(text, "w{},m,{},{}", index % 7, index / 7, index as f32 / 3.0).unwrap();
    }
    let trace = csv(&text);
    let again = rewritten(&trace, "x.parquet");
    assert_eq!(points(&again), points(&trace));
    assert_eq!(again.report().rows, 150_000);
}

#[test]
fn decisions_and_forecasts_are_written_in_full() {
    let (workload, metric) = (WorkloadId::new("a"), Metric::new("cpu_cores"));
    let forecast = Forecast::new(60, 30, "test", vec![[0.1; 9], [0.2; 9]], 0.0);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.csv");
    write_forecasts(&path, [(&workload, &metric, &forecast)]).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let quantiles = ",0.2".repeat(9);
    assert!(text.starts_with("workload,metric,time,q0.1,q0.2,q0.3,q0.4,q0.5,q0.6,q0.7,q0.8,q0.9\n"), "{text}");
    assert!(text.ends_with(&format!("a,cpu_cores,90{quantiles}\n")), "{text}");
    let path = dir.path().join("d.csv");
    write_decisions(&path, [(&workload, &metric, &[(60, 1.25), (120, f64::INFINITY)][..])]).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, "workload,metric,time,allocation\na,cpu_cores,60,1.25\na,cpu_cores,120,inf\n");
}

#[test]
fn what_cannot_be_written_leaves_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let trace = csv("workload,metric,time,value\na,m,20,2\n");
    let error = write_trace(&dir.path().join("no/such/x.csv"), &trace).unwrap_err();
    assert!(matches!(error, TraceError::Io { .. }) && error.to_string().contains("x.csv"), "{error}");
    let error = write_trace(&dir.path().join("x.txt"), &trace).unwrap_err().to_string();
    assert!(error.contains(".parquet or .csv"), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_is_no_ordinary_file_is_written_through() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("out.csv");
    let target = dir.path().join("target");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    write_trace(&link, &csv("workload,metric,time,value\na,m,20,2\n")).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink(), "the link is still one");
    assert_eq!(std::fs::read_to_string(target).unwrap(), "workload,metric,time,value\na,m,20,2\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn both_formats_give_back_what_they_got(
        rows in proptest::collection::vec(("[a-c é,\"\n]{1,3}", "[xy]", -1_000_i64..1_000, -1e6_f32..1e6), 1..60)
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["workload", "metric", "time", "value"]).unwrap();
        let mut expect = BTreeMap::new();
        for (workload, metric, time, value) in &rows {
            writer.write_record([workload, metric, &time.to_string(), &value.to_string()]).unwrap();
            expect.insert((workload.clone(), metric.clone(), *time), *value);
        }
        let trace = Trace::from_csv(Path::new("x.csv"), &writer.into_inner().unwrap()[..]).unwrap();
        let expect: Points = expect.into_iter().map(|((workload, metric, time), value)| (workload, metric, time, value)).collect();
        prop_assert_eq!(&points(&trace), &expect);
        prop_assert_eq!(trace.report().duplicates, rows.len() - expect.len());
        for name in ["x.csv", "x.parquet"] {
            let again = rewritten(&trace, name);
            prop_assert_eq!(&points(&again), &expect);
            prop_assert_eq!(&again.report().digest, &trace.report().digest);
        }
    }
}
