//! The Prometheus collector against the real server (Debian's package `prometheus`), with TLS, a password and two weeks
//! of history.

use apportion_core::{Collector, Time, Window, metric::name};
use apportion_host::collect::{Auth, PrometheusCollector, PrometheusConfig, Query, QueryGroup, SecretFrom};
use std::{
    fmt::Write as _,
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// bcrypt of "s3cret", four rounds.
const HASH: &str = "$2b$04$abcdefghijklmnopqrstuuLZYjhNQAOdpbzt4WxWlUHjv1wsyH5DG";
const DAYS: i64 = 14;

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Two weeks of a counter that grows by 0.5 a second, and of a gauge that has nothing on its third day.
fn make_history(dir: &Path, end_s: i64) {
    let mut text = String::from("# TYPE jobs_seconds counter\n");
    let times = || (end_s - DAYS * 86_400..end_s).step_by(60);
    for time in times() {
        writeln!(text, "jobs_seconds_total{{app=\"shop\"}} {} {time}", (time - end_s + DAYS * 86_400) / 2).unwrap();
    }
    text.push_str("# TYPE queue gauge\n");
    for time in times().filter(|time| (time - end_s + DAYS * 86_400) / 86_400 != 2) {
        writeln!(text, "queue{{app=\"shop\"}} 7 {time}").unwrap();
    }
    text.push_str("# EOF\n");
    fs::write(dir.join("history.txt"), text).unwrap();
    let made = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=720h"])
        .args([dir.join("history.txt"), dir.join("data")])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
}

fn start(dir: &Path, port: u16) -> Running {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(dir.join("cert.pem"), certified.cert.pem()).unwrap();
    fs::write(dir.join("key.pem"), certified.signing_key.serialize_pem()).unwrap();
    fs::write(dir.join("password"), "s3cret\n").unwrap();
    let web =
        format!("tls_server_config: {{cert_file: cert.pem, key_file: key.pem}}\nbasic_auth_users: {{ann: {HASH}}}\n");
    fs::write(dir.join("web.yml"), web).unwrap();
    let scrape = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: self\n  scheme: https\n  \
         tls_config: {{ca_file: cert.pem, server_name: localhost}}\n  basic_auth: {{username: ann, password: s3cret}}\n  \
         static_configs: [{{targets: ['localhost:{port}']}}]\n"
    );
    fs::write(dir.join("prometheus.yml"), scrape).unwrap();
    let flag = |name: &str, file: &str| format!("--{name}={}", dir.join(file).display());
    let mut command = Command::new("prometheus");
    command
        .args([
            flag("config.file", "prometheus.yml"),
            flag("web.config.file", "web.yml"),
            flag("storage.tsdb.path", "data"),
        ])
        .args([format!("--web.listen-address=127.0.0.1:{port}"), "--storage.tsdb.retention.time=90d".to_owned()]);
    Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

fn config(dir: &Path, port: u16, queries: &[(&str, &str)]) -> PrometheusConfig {
    let queries =
        queries.iter().map(|(metric, promql)| Query { metric: (*metric).to_owned(), promql: (*promql).to_owned() });
    let (name, workload) = ("app".to_owned(), "{app}".to_owned());
    PrometheusConfig {
        auth: Auth::Basic { user: "ann".to_owned(), password: SecretFrom::File(dir.join("password")) },
        ca_file: Some(dir.join("cert.pem")),
        interval_s: 1,
        groups: vec![QueryGroup { name, workload, selector: String::new(), queries: queries.collect() }],
        ..PrometheusConfig::new(&format!("https://localhost:{port}"))
    }
}

fn now() -> Time {
    Time::from_s(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap())
}

#[test]
fn the_real_server_answers() {
    if !is_installed("prometheus") || !is_installed("promtool") {
        println!("LEFT OUT: prometheus and promtool are not installed (apt-get install prometheus)");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let end_s = now().s() / 60 * 60 - 3_600;
    make_history(dir, end_s);
    let _running = start(dir, port);
    check_present(dir, port);
    check_history(dir, port, end_s);
    check_refusals(dir, port);
}

/// Waits until the server has scraped itself, then reads one figure of it.
fn check_present(dir: &Path, port: u16) {
    let promql = r#"label_replace(process_resident_memory_bytes{job="self"}, "app", "prom", "", "")"#;
    let mut collector = PrometheusCollector::new(&config(dir, port, &[(name::MEMORY, promql)])).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let batch = loop {
        let batch = collector.collect(now());
        if !batch.samples.is_empty() {
            break batch;
        }
        assert!(Instant::now() < deadline, "{:?}", batch.problems);
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(batch.samples[0].workload.as_str(), "prom");
    assert!(batch.samples[0].value > 1e6, "{:?}", batch.samples[0]);
}

fn check_history(dir: &Path, port: u16, end_s: i64) {
    let queries =
        [(name::CPU, "sum by (app) (rate(jobs_seconds_total[$window]))"), ("queue_count", "sum by (app) (queue)")];
    let mut collector = PrometheusCollector::new(&config(dir, port, &queries)).unwrap();
    let mut batches = Vec::new();
    let window = Window { from_s: end_s - (DAYS + 1) * 86_400, to_s: end_s, step_s: 60 };
    collector.history(window, &mut |batch| batches.push(batch));
    let problems: Vec<_> = batches.iter().flat_map(|batch| &batch.problems).collect();
    assert!(problems.is_empty(), "{problems:?}");
    let of = |metric: &str| {
        let samples = batches.iter().flat_map(|batch| &batch.samples);
        samples.filter(|sample| sample.metric.as_str() == metric).collect::<Vec<_>>()
    };
    let cpu = of(name::CPU);
    let minutes = usize::try_from(DAYS * 1_440).unwrap();
    assert!(cpu.len() + 5 > minutes, "{} of {minutes}", cpu.len());
    // The server's first rate has half a window behind it.
    let rates = cpu.windows(2).skip(2);
    let rates = rates.map(|pair| (pair[1].value - pair[0].value) / pair[1].time.since_s(pair[0].time));
    let wrong: Vec<f64> = rates.filter(|rate| (rate - 0.5).abs() > 1e-3).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let queue = of("queue_count");
    let gap_s = queue.windows(2).map(|pair| pair[1].time.since_s(pair[0].time)).fold(0.0, f64::max);
    // The server itself goes on with the last value for five minutes.
    assert!((86_400.0 - 360.0..=86_460.0).contains(&gap_s), "the missing day is missing: {gap_s} s");
}

fn check_refusals(dir: &Path, port: u16) {
    let check = |config: &PrometheusConfig, expect: &str| {
        let batch = PrometheusCollector::new(config).unwrap().collect(now());
        assert!(batch.problems[0].what.contains(expect), "{:?}", batch.problems);
    };
    let good = config(dir, port, &[(name::CPU, "sum by (app (x)")]);
    check(&good, "refuses the query: bad_data");
    fs::write(dir.join("wrong"), "guess").unwrap();
    let auth = Auth::Basic { user: "ann".to_owned(), password: SecretFrom::File(dir.join("wrong")) };
    check(&PrometheusConfig { auth, ..good.clone() }, "HTTP 401");
    check(&PrometheusConfig { ca_file: None, ..good.clone() }, "TLS");
    check(&PrometheusConfig { url: format!("http://localhost:{port}"), ..good.clone() }, "HTTP 400");
    check(&PrometheusConfig { url: "http://localhost:1".to_owned(), ..good }, "check the address");
}
