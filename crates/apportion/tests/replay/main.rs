//! `apportion replay` as a user meets it: where usage comes from, what is wrong with it, judging again, the same bytes each time.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "a test")]

mod node;
mod scaled;

use apportion_core::{Batch, Metric, Time, Workload, WorkloadId, WorkloadKind, metric::name};
use apportion_host::{
    store::{Access, Options, Store},
    trace::read_decisions,
};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::Path,
    process::{Command, Output},
    time::{SystemTime, UNIX_EPOCH},
};

fn replay(folder: &Path, args: &[&str]) -> Output {
    apportion(folder, &[&["replay"], args].concat())
}

fn apportion(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_apportion"))
        .args(args)
        .stdin(std::process::Stdio::null())
        .current_dir(folder)
        .env("APPORTION_STORE", folder.join("apportion.db"))
        .env_remove("APPORTION_CONFIG")
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

fn ok(folder: &Path, args: &[&str]) -> String {
    let output = replay(folder, args);
    assert!(output.status.success(), "{args:?}: {}", said(&output));
    said(&output)
}

/// Workload and metric, time, value.
type Row = (String, i64, f64);

/// Two workloads, three metrics, three days at ten minutes.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for workload in ["checkout", "search"] {
        for (metric, scale) in [("cpu_cores", 1.0), ("memory_bytes", 1e9), ("requests_per_s", 50.0)] {
            for step in 1..=3 * 144_i64 {
                let wave = 1.0 + 0.5 * (step as f64 / 144.0 * std::f64::consts::TAU).sin();
                let value = scale * wave * (1.0 + (step * 7_919 % 13) as f64 / 40.0);
                rows.push((format!("{workload},{metric}"), step * 600, value));
            }
        }
    }
    rows
}

fn csv(rows: &[Row]) -> String {
    rows.iter().fold("workload,metric,time,value\n".to_owned(), |mut text, (series, time, value)| {
        let _ = writeln!(text, "{series},{time},{value}");
        text
    })
}

#[test]
fn a_trace_is_played_judged_and_judged_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("usage.csv"), csv(&rows())).unwrap();
    let policies = "apportion,vpa,hpa,static,oracle";
    let as_asked = ["--warmup", "10800", "--seed", "5", "--replica-start", "120", "--violation", "0.02"];
    let played = ["usage.csv", "--policy", policies, "--sweep", "--out", "made", "--model", "recent"];
    let first = ok(folder.path(), &[&played[..], &as_asked].concat());
    for words in ["cpu_cores (2 workloads)", "as often over as vpa", "replica-hours", "made/report.html"] {
        assert!(first.contains(words), "{words}: {first}");
    }
    let read = |name: &str| fs::read(folder.path().join("made").join(name)).unwrap();
    let (judged, page) = (read("judged.json"), read("report.html"));
    let conditions = |name: &str| -> serde_json::Value {
        let all: serde_json::Value = serde_json::from_slice(&fs::read(folder.path().join(name)).unwrap()).unwrap();
        serde_json::json!([
            all["conditions"]["warmup_s"],
            all["conditions"]["played"],
            all["sweeps"].as_array().map(Vec::len)
        ])
    };
    let how = serde_json::json!({ "violation": 0.02, "model": "recent", "capacity": {}, "claims": {}, "oracle_changes": 4.0, "as_configured": false });
    assert_eq!(conditions("made/judged.json"), serde_json::json!([10_800, how, 5]));
    // Judged again as it was judged before, without saying how.
    let again = ok(folder.path(), &["usage.csv", "--judge", "made"]);
    assert!(again.contains("cpu_cores (2 workloads)"), "{again}");
    assert_eq!((read("judged.json") == judged, read("report.html") == page), (true, true));
    let told = ok(folder.path(), &["usage.csv", "--judge", "made", "--saving", "5%"]);
    assert!(told.contains("cpu_cores: 5.00 % less than every workload's own peak: violation = 0."), "{told}");
    let told = ok(folder.path(), &["usage.csv", "--judge", "made", "--saving", "0.95"]);
    assert!(told.contains("memory_bytes: 95.0 % less than every workload's own peak: not to be had"), "{told}");
    // Judged otherwise, the lines of the sweep no longer apply: they are not lost for that.
    for other in [["--warmup", "3600"], ["--seed", "6"], ["--replica-start", "60"]] {
        let refused = replay(folder.path(), &[&["usage.csv", "--judge", "made"], &other[..]].concat());
        assert!(!refused.status.success() && said(&refused).contains("would be lost"), "{other:?}: {}", said(&refused));
        assert!(read("judged.json") == judged, "{other:?}");
    }
    ok(folder.path(), &["usage.csv", "--judge", "made", "--warmup", "3600", "--out", "other"]);
    assert_eq!(conditions("other/judged.json"), serde_json::json!([3_600, how, 0]));
    assert!(read("judged.json") == judged);
}

#[test]
fn a_replay_keeps_its_trace_and_mixes_nothing_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let cpu =
        |rows: Vec<Row>| -> Vec<Row> { rows.into_iter().filter(|(name, ..)| name.ends_with("cpu_cores")).collect() };
    let usage = csv(&cpu(rows()));
    fs::write(folder.path().join("usage.csv"), &usage).unwrap();
    fs::create_dir(folder.path().join("kept")).unwrap();
    std::os::unix::fs::symlink("../usage.csv", folder.path().join("kept/static.parquet")).unwrap();
    let refused = replay(folder.path(), &["usage.csv", "--policy", "static", "--out", "kept"]);
    assert!(!refused.status.success() && said(&refused).contains("would be overwritten"), "{}", said(&refused));
    assert_eq!(fs::read_to_string(folder.path().join("usage.csv")).unwrap(), usage);
    // A policy that cannot play is said before another has played.
    let refused = replay(folder.path(), &["usage.csv", "--policy", "static,hpa", "--out", "new"]);
    assert!(!refused.status.success() && !folder.path().join("new").exists(), "{}", said(&refused));
    // Decisions that an earlier replay of something else left there are not judged.
    fs::write(folder.path().join("other.csv"), usage.replace("checkout", "basket")).unwrap();
    ok(folder.path(), &["other.csv", "--policy", "krr,static", "--sweep", "--out", "made"]);
    ok(folder.path(), &["usage.csv", "--policy", "static,static", "--out", "made"]);
    let again = ok(folder.path(), &["usage.csv", "--judge", "made"]);
    assert!(again.contains("static") && !again.contains("krr"), "{again}");
    // Nor are decisions judged by usage that they were not made on, though the names are the same.
    fs::write(
        folder.path().join("more.csv"),
        csv(&cpu(rows()).into_iter().map(|(name, time, value)| (name, time, 2.0 * value)).collect::<Vec<_>>()),
    )
    .unwrap();
    for other in [&["more.csv"][..], &["usage.csv", "--last", "2d"], &["usage.csv", "--until", "200000"]] {
        let refused = replay(folder.path(), &[other, &["--judge", "made"]].concat());
        assert!(!refused.status.success() && said(&refused).contains("made on other usage"), "{}", said(&refused));
    }
    let unsure = ok(folder.path(), &["usage.csv", "--policy", "apportion", "--violation", "0.03", "--model", "recent"]);
    assert!(unsure.contains("sized for 2 % over, the next safer share to 3 %"), "{unsure}");
    fs::write(folder.path().join("odd.csv"), usage.replace("cpu_cores", "cpu_use")).unwrap();
    let unsure = ok(folder.path(), &["odd.csv", "--policy", "static"]);
    assert!(unsure.contains("cpu_use: its name tells no unit"), "{unsure}");
}

#[test]
fn the_same_bytes_on_one_thread_and_on_four() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("usage.csv"), csv(&rows())).unwrap();
    for threads in ["1", "4"] {
        let args = ["usage.csv", "--policy", "all", "--threads", threads, "--out", threads, "--model", "transformer"];
        ok(folder.path(), &args);
    }
    let mut names: Vec<_> =
        fs::read_dir(folder.path().join("1")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        let read = |threads: &str| fs::read(folder.path().join(threads).join(&name)).unwrap();
        assert!(read("1") == read("4"), "{name:?} differs");
    }
}

#[test]
fn bad_traces_are_refused_or_mended_aloud() {
    let folder = tempfile::tempdir().unwrap();
    let good = rows();
    let check = |what: &str, text: &str, refused: bool, says: &str| {
        fs::write(folder.path().join("usage.csv"), text).unwrap();
        let output = replay(folder.path(), &["usage.csv", "--policy", "static", "--out", "made"]);
        let said = said(&output);
        assert_eq!(output.status.success(), !refused, "{what}: {said}");
        assert!(said.contains(says), "{what}: {said}");
        assert!(!refused || !folder.path().join("made").exists(), "{what}: something was written");
        let _ = fs::remove_dir_all(folder.path().join("made"));
    };
    let with = |change: &dyn Fn(usize, &mut Row)| {
        let mut rows = good.clone();
        rows.iter_mut().enumerate().for_each(|(place, row)| change(place, row));
        csv(&rows)
    };
    check("whole", &csv(&good), false, "cpu_cores");
    let two_steps = with(&|_, row| row.1 = row.1.min(129_600) + (row.1 - 129_600).max(0) / 10);
    check("two steps", &two_steps, true, "comes every 600 s at first and every 60 s from time");
    check("truncated", csv(&good)[..5_000].rsplit_once(',').unwrap().0, true, "columns");
    let cut = csv(&good).trim_end().strip_suffix(|_| true).unwrap().to_owned();
    check("cut off inside the last value", &cut, false, "the last row has no line end");
    check("empty", "workload,metric,time,value\n", true, "has no rows");
    check("another heading", &csv(&good).replacen("value", "used", 1), true, "there is no column value");
    check(
        "negative",
        &with(&|place, row| {
            if place == 7 {
                row.2 = -1.0;
            }
        }),
        true,
        "row 9",
    );
    check(
        "no number",
        &with(&|place, row| {
            if place < 5 {
                row.2 = f64::NAN;
            }
        }),
        false,
        "5 without a number, taken as gaps",
    );
    check("all gaps", &with(&|_, row| row.2 = f64::NAN), true, "no usage samples");
    let mut shuffled = good.clone();
    shuffled.reverse();
    check("shuffled", &csv(&shuffled), false, "6 series put in the order of time");
    let twice = [good.as_slice(), &good[..10]].concat();
    check("duplicated", &csv(&twice), false, "10 replaced by a later row of the same time");
    let level = |row: &mut Row| row.2 = 3e8 * (1.0 + row.2 * 1e-12);
    let mixed = with(&|_, row| {
        if row.0.ends_with("memory_bytes") {
            level(row);
            row.2 *= if row.1 > 90_000 { 1.0 } else { 1.0 / 1_048_576.0 };
        }
    });
    check("mixed units", &mixed, true, "looks like a change of unit (bytes against MiB)");
    fs::write(folder.path().join("usage.parquet"), b"PAR1 cut off").unwrap();
    let output = replay(folder.path(), &["usage.parquet", "--out", "made"]);
    assert!(!output.status.success() && said(&output).contains("usage.parquet"), "{}", said(&output));
}

#[test]
fn a_sentence_is_played_before_it_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("usage.csv"), csv(&rows())).unwrap();
    let ask = |sentence: &str, more: &[&str]| {
        let args = [&["usage.csv", "--model", "recent", "--what-if", sentence, "--out", "made"], more].concat();
        replay(folder.path(), &args)
    };
    let event = said(&ask("expect 3x the usual traffic on checkout tomorrow from 8:00 to 12:00", &[]));
    for words in
        ["checkout", "moved back by", "in its window, demand as announced", "requests_per_s", "cpu_cores over all"]
    {
        assert!(event.contains(words), "{words}: {event}");
    }
    assert!(!event.contains("2 workload(s)"), "{event}");
    let made: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("made/what_if.json")).unwrap()).unwrap();
    assert_eq!(made["workloads"], serde_json::json!(["checkout"]));
    let rule = said(&ask("search 的 CPU 不要超过 1 核", &["--language", "zh"]));
    assert!(rule.contains("全程，按记录的需求") && rule.contains("超限"), "{rule}");
    let question = ask("how much CPU does checkout use?", &[]);
    assert!(!question.status.success() && said(&question).contains("This is a question"), "{}", said(&question));
    let nobody = ask("limit the CPU of billing to 2 cores", &[]);
    assert!(!nobody.status.success() && said(&nobody).contains("checkout, search"), "{}", said(&nobody));
}

#[test]
fn arguments_that_do_not_fit_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("usage.csv"), csv(&rows())).unwrap();
    let check = |args: &[&str], says: &str| {
        let output = replay(folder.path(), args);
        assert!(!output.status.success() && said(&output).contains(says), "{args:?}: {}", said(&output));
    };
    check(&["--out", "made"], "required");
    check(&["usage.csv", "--from-store"], "cannot be used with");
    check(&["--from-store"], "no store yet");
    check(&["--from-prometheus"], "--from-prometheus http://host:9090");
    check(&["--from-prometheus", "ftp://x"], "begin with http");
    check(&["usage.csv", "--judge", "nowhere"], "nowhere");
    check(&["usage.csv", "--judge", "."], "holds no decisions");
    for made_with in
        [["--violation", "0.02"], ["--model", "recent"], ["--capacity", "cpu_cores=2"], ["--oracle-changes", "2"]]
    {
        check(&[&["usage.csv", "--judge", "."][..], &made_with].concat(), "cannot be used with");
    }
    check(&["usage.csv", "--violation", "1.5"], "a share from 0.0001 to below 1");
    check(&["usage.csv", "--violation", "0.00005"], "a share from 0.0001 to below 1");
    check(&["usage.csv", "--warmup", "864000"], "nothing is left after a warm-up of 864000 s");
    check(&["usage.csv", "--policy", "vpx"], "no policy is called 'vpx'");
    check(&["usage.csv", "--last", "soon"], "e.g. 90m");
    check(&["usage.csv", "--model", "oracle"], "no forecaster is called");
    check(&["usage.csv", "--capacity", "gpu=2"], "the trace has no such metric");
    check(&["usage.csv", "--oracle-changes", "0"], "no number of changes a day, 0.1 to 1440");
    check(&["usage.csv", "--saving", "3"], "is no share");
    check(&["usage.csv", "--policy", "static", "--saving", "30%"], "--saving needs what --sweep measures");
    check(&["usage.csv", "--until", "noon"], "is no time");
    check(&["usage.csv", "--until", "5"], "no usage samples");
}

/// A trace cut at a time is what was known then: decisions up to it are the same.
#[test]
fn a_trace_cut_at_a_time_is_decided_alike_until_then() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("usage.csv"), csv(&rows())).unwrap();
    let cut_s = 200_100;
    let args = ["usage.csv", "--policy", "apportion,vpa,crane-dsp", "--model", "recent", "--out"];
    ok(folder.path(), &[&args[..], &["whole"]].concat());
    ok(folder.path(), &[&args[..], &["cut", "--until", "1970-01-03T07:35:00Z"]].concat());
    for policy in ["apportion", "vpa", "crane-dsp"] {
        let read = |out: &str| read_decisions(&folder.path().join(out).join(format!("{policy}.parquet"))).unwrap();
        let before = |out| read(out).into_iter().filter(|row| row.time_s <= cut_s).collect::<Vec<_>>();
        assert!(!before("whole").is_empty() && before("whole") == before("cut"), "{policy}");
    }
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time(i64::try_from(since.as_millis()).unwrap())
}

/// A store with three days of one service, a wave.
fn three_days(folder: &Path) -> Store {
    recorded(folder, |at| 1e9 * (1.5 + (at.s() as f64 / 86_400.0 * std::f64::consts::TAU).sin()))
}

/// A store with three days of one service.
fn recorded(folder: &Path, value: impl Fn(Time) -> f64) -> Store {
    let store = Store::open(&folder.join("apportion.db"), Access::ReadWrite, Options::default()).unwrap();
    let (id, now) = (WorkloadId::new("web.service"), now());
    let described =
        Workload { id: id.clone(), kind: WorkloadKind::Trace, path: String::new(), labels: BTreeMap::new() };
    let mut batch = Batch { workloads: vec![described], ..Batch::default() };
    for minute in (0..3 * 1_440_i64).rev() {
        for metric in [name::MEMORY_WORKING_SET, name::TASKS] {
            let at = Time::from_s((now.s() / 60 - minute) * 60);
            batch.push(&id, &Metric::new(metric), at, value(at));
        }
    }
    store.backfill(&batch, now).unwrap();
    store
}

#[test]
fn tell_shows_what_a_sentence_would_have_done_before_it_asks() {
    let folder = tempfile::tempdir().unwrap();
    drop(three_days(folder.path()));
    let check = |sentence: &str, says: &[&str], asks: &str| {
        let output = apportion(folder.path(), &["tell", sentence]);
        let told = said(&output);
        assert!(says.iter().all(|words| told.contains(words)) && told.contains(asks), "{sentence}: {told}");
        assert!(!output.status.success(), "nobody confirmed: {told}");
    };
    check("limit the memory of web to 1.5 GB", &["memory_working_set_bytes over all", "over", "→"], "Take it?");
    check("web 的内存不要超过 1.5 GB", &["memory_working_set_bytes 全程", "分配"], "确认执行？");
    let other = tempfile::tempdir().unwrap();
    // Between two steps: a step with both units in it would hide the change.
    let changed_s = (now().s() - 120_000) / 300 * 300;
    drop(recorded(other.path(), |at| if at.s() <= changed_s { 1e3 } else { 1e3 * 1_048_576.0 }));
    let output = said(&apportion(other.path(), &["tell", "limit the memory of web to 1.5 GB"]));
    for words in ["Its effect on the last days is not computed", "change of unit", "Take it?"] {
        assert!(output.contains(words), "{words}: what cannot be played keeps nobody from deciding: {output}");
    }
    let json = said(&apportion(folder.path(), &["tell", "limit the memory of web to 1.5 GB", "--json"]));
    assert!(json.contains(r#""effect":"Played on 1 workload(s)"#), "{json}");
    let unasked = apportion(folder.path(), &["tell", "limit the memory of web to 1.5 GB", "--yes"]);
    assert!(unasked.status.success() && !said(&unasked).contains("over all"), "{}", said(&unasked));
}

/// A loop holds the store open and writes on; a replay reads beside it.
#[test]
fn the_store_is_replayed_beside_a_running_loop() {
    let folder = tempfile::tempdir().unwrap();
    let store = three_days(folder.path());
    let told = ok(folder.path(), &["--from-store", "--last", "2d", "--policy", "vpa,static", "--out", "made"]);
    assert!(told.contains("memory_working_set_bytes (1 workloads)") && !told.contains("tasks_count"), "{told}");
    let judged: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("made/judged.json")).unwrap()).unwrap();
    let samples = judged["conditions"]["samples"].as_i64().unwrap();
    assert!((570..=577).contains(&samples), "{samples}");
    drop(store);
}

/// A server that answers each query with one container, a quarter of a core.
#[test]
fn a_prometheus_range_is_replayed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let target = lines.next().unwrap().unwrap();
            for line in lines {
                if line.unwrap().is_empty() {
                    break;
                }
            }
            let _ = stream.write_all(&answer(&target));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let args = ["--from-prometheus", url.as_str(), "--last", "2d", "--policy", "static", "--out", "made"];
    let told = ok(folder.path(), &args);
    assert!(told.contains("cpu_cores (1 workloads)"), "{told}");
    let decisions = fs::read(folder.path().join("made/judged.json")).unwrap();
    let judged: serde_json::Value = serde_json::from_slice(&decisions).unwrap();
    let row = judged["rows"].as_array().unwrap().iter().find(|row| row["metric"] == "cpu_cores").unwrap();
    let footprint = row["scores"]["footprint"].as_f64().unwrap();
    assert!((footprint - 1.5).abs() < 0.01, "static is 50 % above a constant: {footprint}");
    ok(folder.path(), &[&args[..], &["--until", "2026-11-20T00:00:00Z"]].concat());
    let judged: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("made/judged.json")).unwrap()).unwrap();
    let ends_s = "2026-11-20T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second();
    let last_s = judged["conditions"]["last_s"].as_i64().unwrap();
    assert!((ends_s - 600..=ends_s).contains(&last_s), "{last_s} for {ends_s}");
}

fn answer(target: &str) -> Vec<u8> {
    let parameter = |name: &str| -> i64 {
        let rest = target.split_once(&format!("{name}=")).unwrap().1;
        rest.split(['&', ' ']).next().unwrap().parse().unwrap()
    };
    let is_cpu = target.contains("cpu_usage_seconds_total") && target.contains("namespace");
    let points: Vec<String> = (parameter("start")..=parameter("end"))
        .step_by(usize::try_from(parameter("step")).unwrap())
        .map(|time| format!("[{time},\"0.25\"]"))
        .collect();
    let labels = r#"{"namespace":"shop","pod":"web-1","container":"web"}"#;
    let series =
        if is_cpu { format!("{{\"metric\":{labels},\"values\":[{}]}}", points.join(",")) } else { String::new() };
    let body = format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{series}]}}}}");
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ";
    format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes()
}
