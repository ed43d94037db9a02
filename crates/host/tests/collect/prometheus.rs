//! The Prometheus collector against a server in this process that answers what the test says.

use apportion_core::{Batch, Collector, Metric, Time, Window, WorkloadId, WorkloadKind, metric::name};
use apportion_host::{
    collect::{Auth, PrometheusCollector, PrometheusConfig, Query, QueryGroup, SecretFrom},
    store::{Options, Store},
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

/// What a request asked for: path with parameters, and the Authorization header.
#[derive(Clone, Debug, Default)]
struct Request {
    target: String,
    authorization: Option<String>,
}

impl Request {
    fn parameter(&self, name: &str) -> i64 {
        let (_, rest) = self.target.split_once(&format!("{name}=")).unwrap();
        rest.split('&').next().unwrap().parse().unwrap()
    }
}

/// A server; `answer` gives the whole response.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    fn start(answer: impl Fn(&Request) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = serve(stream.unwrap(), &seen, &answer);
            }
        });
        Self { url, requests }
    }

    fn json(body: &'static str) -> Self {
        Self::start(move |_| response(200, "application/json", body.as_bytes()))
    }
}

fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    answer: &dyn Fn(&Request) -> Vec<u8>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap()?;
    let mut request = Request { target: first.split(' ').nth(1).unwrap().to_owned(), authorization: None };
    for line in lines {
        let line = line?;
        if let Some(value) = line.to_lowercase().strip_prefix("authorization: ") {
            request.authorization = Some(line[line.len() - value.len()..].to_owned());
        }
        if line.is_empty() {
            break;
        }
    }
    seen.lock().unwrap().push(request.clone());
    stream.write_all(&answer(&request))?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let _ = stream.read(&mut [0; 64]);
    Ok(())
}

fn response(code: u16, kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {code} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn config(url: &str, metric: &str) -> PrometheusConfig {
    let queries = vec![Query { metric: metric.to_owned(), promql: "sum by (pod) (m{$selector}[$window])".to_owned() }];
    let (name, workload) = ("shop".to_owned(), "{pod}".to_owned());
    PrometheusConfig {
        timeout_s: 1,
        interval_s: 10,
        groups: vec![QueryGroup { name, workload, selector: "a=\"b\"".to_owned(), queries }],
        ..PrometheusConfig::new(url)
    }
}

fn ask(server: &Server, metric: &str) -> Batch {
    PrometheusCollector::new(&config(&server.url, metric)).unwrap().collect(Time::from_s(1_000))
}

const TWO: &str = r#"{"status":"success","data":{"resultType":"vector","result":[
    {"metric":{"pod":"a"},"value":[1000,"2"]},{"metric":{"pod":"b"},"value":[1000,"0"]}]}}"#;

#[test]
fn values_become_samples_and_zero_is_not_missing() {
    let server = Server::json(TWO);
    let batch = ask(&server, name::MEMORY);
    assert_eq!(batch.problems, []);
    assert_eq!(batch.workloads.len(), 2);
    assert_eq!(batch.workloads[0].kind, WorkloadKind::Trace);
    let values: Vec<_> = batch.samples.iter().map(|sample| (sample.workload.as_str(), sample.value)).collect();
    assert_eq!(values, [("a", 2.0), ("b", 0.0)]);
    let target = &server.requests.lock().unwrap()[0].target;
    assert!(target.contains("a%3D%22b%22") && target.contains("%5B120s%5D"), "{target}");
    assert!(target.contains("time=1000.000"), "{target}");
}

#[test]
fn nothing_found_is_said_once_and_again_when_it_stops() {
    const NONE: &str = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
    let answers = Mutex::new(vec![NONE, NONE, TWO, NONE]);
    let server =
        Server::start(move |_| response(200, "application/json", answers.lock().unwrap().pop().unwrap().as_bytes()));
    let mut collector = PrometheusCollector::new(&config(&server.url, name::MEMORY)).unwrap();
    let mut said = |second| {
        let batch = collector.collect(Time::from_s(second));
        assert!(batch.samples.iter().all(|sample| sample.value > 0.0 || second == 10));
        batch.problems.first().map(|problem| problem.what.clone()).unwrap_or_default()
    };
    assert!(said(0).contains("missing, not zero"));
    assert_eq!(said(10), "");
    assert!(said(20).contains("2 before (stale, not zero)"));
    assert_eq!(said(30), "");
}

#[test]
fn what_is_asked_about_may_change_and_the_rest_goes_on() {
    const NONE: &str = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
    let server = Server::json(NONE);
    let config = config(&server.url, name::MEMORY);
    let mut collector = PrometheusCollector::new(&config).unwrap();
    let places = |collector: &mut PrometheusCollector, second| {
        let problems = collector.collect(Time::from_s(second)).problems;
        problems.iter().filter_map(|problem| problem.place.rsplit(' ').next().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(places(&mut collector, 0), ["shop/memory_bytes"]);
    let web = QueryGroup {
        name: "web*".to_owned(),
        workload: "web-1".to_owned(),
        selector: String::new(),
        queries: vec![Query { metric: name::LATENCY.to_owned(), promql: "l{job=\"web-1\"}".to_owned() }],
    };
    let both = [config.groups.clone(), vec![web]].concat();
    collector.ask_about(&both).unwrap();
    assert_eq!(places(&mut collector, 10), ["web*/latency_s"], "only the new query has something to say");
    collector.ask_about(&both).unwrap();
    assert!(places(&mut collector, 20).is_empty());
    let broken = QueryGroup { workload: "{".to_owned(), ..both[0].clone() };
    assert!(collector.ask_about(&[broken]).is_err());
    assert!(places(&mut collector, 30).is_empty(), "nothing was changed");
    collector.ask_about(&[]).unwrap();
    let asked = server.requests.lock().unwrap().len();
    assert!(places(&mut collector, 40).is_empty() && server.requests.lock().unwrap().len() == asked);
}

#[test]
fn values_that_are_no_numbers_are_gaps() {
    let server = Server::json(
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"pod":"a"},"value":[1,"NaN"]},
        {"metric":{"pod":"b"},"value":[1,"+Inf"]},{"metric":{"pod":"c"},"value":[1,"-Inf"]}]}}"#,
    );
    let batch = ask(&server, name::MEMORY);
    assert_eq!((batch.samples.len(), batch.workloads.len()), (0, 3));
}

#[test]
fn rates_become_counters_that_follow_the_clock() {
    let server = Server::json(TWO);
    let mut collector = PrometheusCollector::new(&config(&server.url, name::CPU)).unwrap();
    let mut totals = Vec::new();
    for second in [0, 4, 10, 20, 500, 510] {
        let batch = collector.collect(Time::from_s(second));
        assert_eq!(batch.workloads.len(), 2, "known in between as well");
        totals.extend(batch.samples.iter().find(|sample| sample.workload.as_str() == "a").map(|sample| sample.value));
    }
    assert_eq!(totals, [0.0, 20.0, 40.0, 0.0, 20.0], "after eight minutes of silence it starts again");
}

#[test]
fn a_long_interval_is_no_gap() {
    let server = Server::json(TWO);
    let config = PrometheusConfig { interval_s: 300, ..config(&server.url, name::CPU) };
    let mut collector = PrometheusCollector::new(&config).unwrap();
    let mut total = |second| collector.collect(Time::from_s(second)).samples.first().map(|sample| sample.value);
    assert_eq!([total(0), total(150), total(300), total(600)], [Some(0.0), None, Some(600.0), Some(1_200.0)]);
    assert!(server.requests.lock().unwrap()[0].target.contains("%5B300s%5D"), "the window covers the interval");
}

/// Answers a range of one series that counts its own minutes, with a hole.
fn range(request: &Request) -> Vec<u8> {
    let (start, end, step) = (request.parameter("start"), request.parameter("end"), request.parameter("step"));
    let points = (end - start) / step + 1;
    assert!(points <= 11_000, "{points} points in one answer");
    let values: Vec<_> = (0..points).map(|at| start + at * step).filter(|time| time / 60 != 700).collect();
    let values: Vec<_> = values.iter().map(|time| format!("[{time},\"{}\"]", time / 60)).collect();
    let series = format!("{{\"metric\":{{\"pod\":\"a\"}},\"values\":[{}]}}", values.join(","));
    let body = format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{series}]}}}}");
    response(200, "application/json", body.as_bytes())
}

fn history(metric: &str, window: Window) -> (Vec<Batch>, Vec<Request>) {
    let server = Server::start(range);
    let mut batches = Vec::new();
    let mut collector = PrometheusCollector::new(&config(&server.url, metric)).unwrap();
    collector.history(window, &mut |batch| batches.push(batch));
    let requests = server.requests.lock().unwrap().clone();
    (batches, requests)
}

#[test]
fn history_comes_in_pages_without_a_seam() {
    let window = Window { from_s: 0, to_s: 60 * 40_000, step_s: 60 };
    let (batches, requests) = history(name::MEMORY, window);
    assert!(batches.iter().all(|batch| batch.problems.is_empty()), "{:?}", batches[0].problems);
    assert_eq!((batches.len(), requests.len()), (5, 5));
    let minutes: Vec<f64> = batches.iter().flat_map(|batch| &batch.samples).map(|sample| sample.value).collect();
    let expect: Vec<f64> = (0..40_000).filter(|minute| *minute != 700).map(f64::from).collect();
    assert_eq!(minutes, expect);
    assert!(requests[0].target.starts_with("/api/v1/query_range?"));
}

#[test]
fn history_of_a_counter_keeps_rates_and_gaps() {
    let (batches, _) = history(name::CPU, Window { from_s: 0, to_s: 60 * 1_000, step_s: 60 });
    let second: Vec<i64> = batches[1].samples.iter().map(|sample| sample.time.s() / 60).take(3).collect();
    assert_eq!(second, [498, 499, 500], "two readings of the page before");
    let mut samples: Vec<_> = batches.iter().flat_map(|batch| &batch.samples).collect();
    samples.dedup_by_key(|sample| sample.time);
    samples.sort_by_key(|sample| sample.time);
    samples.dedup();
    let rates: Vec<(i64, f64)> = samples
        .windows(2)
        .filter(|pair| pair[1].value >= pair[0].value)
        .map(|pair| (pair[1].time.s() / 60, (pair[1].value - pair[0].value) / pair[1].time.since_s(pair[0].time)))
        .collect();
    assert_eq!(rates.len(), 999, "every minute but the missing one");
    assert!(rates.iter().all(|(minute, rate)| (rate - *minute as f64).abs() < 1e-6));
}

#[test]
fn history_reaches_the_store_with_its_rates_and_gaps() {
    let store = Store::in_memory(Options::default()).unwrap();
    // The server counts minutes: at t the rate is t / 60. It has nothing at minute 700.
    let window = Window { from_s: 300, to_s: 300 * 1_000, step_s: 300 };
    let (batches, _) = history(name::CPU, window);
    for batch in &batches {
        store.backfill(batch, Time::from_s(window.to_s)).unwrap();
    }
    let (workload, metric) = (WorkloadId::new("a"), Metric::new(name::CPU));
    let series = store.series_mean(&workload, &metric, window).unwrap().unwrap();
    let gaps: Vec<i64> =
        (0..series.len()).filter(|at| series.values[*at].is_nan()).map(|at| series.time_s(at)).collect();
    // The first two readings show no pace yet; what came after the gap is read as soon as there are two.
    assert_eq!(gaps, [300, 42_000]);
    for at in (0..series.len()).filter(|at| !series.values[*at].is_nan()) {
        let expect = series.time_s(at) as f32 / 60.0;
        assert!((series.values[at] - expect).abs() < 1e-2, "{} at {}", series.values[at], series.time_s(at));
    }
}

/// The words in which a bad answer is told.
fn check(server: &Server, expect: &[&str]) {
    let batch = ask(server, name::MEMORY);
    let [problem] = &batch.problems[..] else { panic!("{:?}", batch.problems) };
    for expect in expect.iter().chain(&["shop/memory_bytes", "127.0.0.1"]) {
        assert!(format!("{} {}", problem.place, problem.what).contains(expect), "{problem:?} lacks {expect}");
    }
    assert!(problem.what.contains("asked: sum by (pod)"), "{problem:?}");
    assert_eq!(batch.samples, []);
}

#[test]
fn bad_answers_are_named_with_a_remedy() {
    check(&Server::start(|_| response(200, "text/html", b"<html><title>Log in</title>")), &["not JSON", "login page"]);
    check(&Server::start(|_| response(200, "application/json", &TWO.as_bytes()[..90])), &["breaks off after 90 bytes"]);
    check(&Server::start(|_| response(200, "application/json", b"")), &["not JSON"]);
    check(&Server::start(|_| response(401, "text/plain", b"who?")), &["HTTP 401", "check auth", "who?"]);
    check(&Server::start(|_| response(404, "text/plain", b"404 page not found")), &["HTTP 404", "/api/v1"]);
    check(&Server::start(|_| response(503, "text/plain", b"Service Unavailable")), &["HTTP 503", "not ready"]);
    check(&Server::start(|_| Vec::new()), &["check the address"]);
    check(&Server::start(|_| response(200, "application/json", br#"{"status":"success","data":[]}"#)), &["as the API"]);
    let scalar = br#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#;
    check(&Server::start(|_| response(200, "application/json", scalar)), &["vector()"]);
    let refused = br#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected {"}"#;
    check(
        &Server::start(|_| response(400, "application/json", refused)),
        &["refuses the query: bad_data: parse error"],
    );
    let slow = Server::start(|_| {
        std::thread::sleep(Duration::from_secs(3));
        Vec::new()
    });
    check(&slow, &["no answer within 1 s", "timeout_s"]);
    let cut = |_: &Request| {
        let mut all = response(200, "application/json", TWO.as_bytes());
        all.truncate(all.len() - 30);
        all
    };
    check(&Server::start(cut), &["check the address"]);
}

#[test]
fn series_that_share_a_workload_or_lack_its_labels_are_left_out() {
    let server = Server::json(
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"pod":"a","x":"1"},"value":[1,"1"]},
        {"metric":{"pod":"a","x":"2"},"value":[1,"2"]},{"metric":{},"value":[1,"3"]},{"metric":{"pod":"b"},"value":[1,"4"]}]}}"#,
    );
    let batch = ask(&server, name::MEMORY);
    let whats: Vec<_> = batch.problems.iter().map(|problem| problem.what.as_str()).collect();
    assert!(whats[0].contains("1 series lack labels") && whats[0].contains("{pod}"), "{whats:?}");
    assert!(whats[1].contains("such as a, have several series"), "{whats:?}");
    assert_eq!(batch.samples.len(), 1);
    assert_eq!(batch.samples[0].value.to_bits(), 4.0_f64.to_bits());
}

#[test]
fn a_server_that_is_lost_costs_one_timeout_and_forgets_no_workload() {
    let answers = Mutex::new(vec![TWO, TWO]);
    let server = Server::start(move |_| {
        answers.lock().unwrap().pop().map_or_else(Vec::new, |body| response(200, "application/json", body.as_bytes()))
    });
    let mut config = config(&server.url, name::MEMORY);
    let again = Query { metric: "other".to_owned(), promql: "other".to_owned() };
    config.groups[0].queries.push(again);
    let mut collector = PrometheusCollector::new(&config).unwrap();
    assert_eq!(collector.collect(Time::from_s(0)).samples.len(), 4);
    let batch = collector.collect(Time::from_s(10));
    assert_eq!((batch.samples.len(), batch.problems.len(), batch.workloads.len()), (0, 1, 2));
    assert_eq!(server.requests.lock().unwrap().len(), 3, "the second query was not asked");
}

#[test]
fn a_round_that_takes_too_long_is_left_off_and_gone_on_with() {
    let server = Server::start(|_| {
        std::thread::sleep(Duration::from_millis(300));
        response(200, "application/json", br#"{"status":"success","data":{"resultType":"vector","result":[]}}"#)
    });
    let group = |index: usize| QueryGroup {
        name: format!("g{index}"),
        workload: format!("w{index}"),
        selector: String::new(),
        queries: vec![Query { metric: "requests_per_s".to_owned(), promql: format!("figure_{index}") }],
    };
    let groups = (0..6).map(group).collect();
    let config = PrometheusConfig { groups, interval_s: 1, ..config(&server.url, name::CPU) };
    let mut collector = PrometheusCollector::new(&config).unwrap();
    let first = collector.collect(Time::from_s(1_000));
    let said = |problem: &apportion_core::Problem| problem.what.contains("of 6 queries were not asked in time");
    assert!(first.problems.iter().any(said), "{:?}", first.problems);
    collector.collect(Time::from_s(1_001));
    let asked = server.requests.lock().unwrap();
    assert!((0..6).all(|index| asked.iter().any(|one| one.target.contains(&format!("figure_{index}")))), "{asked:?}");
}

#[test]
fn credentials_are_sent_and_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "s3cret-token\n").unwrap();
    let server = Server::start(|request| {
        let sent = request.authorization.clone().unwrap_or_default();
        response(403, "text/plain", format!("no: {sent}").as_bytes())
    });
    let check = |auth: Auth, header: &str, secret: &str| {
        let config = PrometheusConfig { auth, ..config(&server.url, name::MEMORY) };
        let mut collector = PrometheusCollector::new(&config).unwrap();
        let batch = collector.collect(Time::from_s(0));
        let sent = server.requests.lock().unwrap().last().unwrap().authorization.clone();
        assert_eq!(sent.as_deref(), Some(header));
        let shown = format!("{config:?} {collector:?} {batch:?}");
        assert!(!shown.contains(secret), "{shown}");
        assert!(batch.problems[0].what.contains("HTTP 403"), "{:?}", batch.problems);
    };
    check(Auth::Bearer(SecretFrom::File(file.clone())), "Bearer s3cret-token", "s3cret-token");
    let basic = Auth::Basic { user: "ann".to_owned(), password: SecretFrom::File(file) };
    check(basic, "Basic YW5uOnMzY3JldC10b2tlbg==", "YW5uOnMzY3JldC10b2tlbg");
}

#[test]
fn credentials_that_are_not_there_are_a_problem() {
    let server = Server::json(TWO);
    let auth = Auth::Bearer(SecretFrom::Env("APPORTION_TEST_UNSET".to_owned()));
    let config = PrometheusConfig { auth, ..config(&server.url, name::MEMORY) };
    let batch = PrometheusCollector::new(&config).unwrap().collect(Time::from_s(0));
    assert!(batch.problems[0].what.contains("set the environment variable APPORTION_TEST_UNSET"));
    assert_eq!(server.requests.lock().unwrap().len(), 0);
}

#[test]
fn a_constant_name_adds_figures_to_a_workload_found_elsewhere() {
    let server = Server::json(
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"0.2"]}]}}"#,
    );
    let mut config = config(&server.url, name::LATENCY);
    config.groups[0].workload = "nginx.service".to_owned();
    let batch = PrometheusCollector::new(&config).unwrap().collect(Time::from_s(0));
    assert_eq!((batch.workloads.len(), batch.samples[0].workload.as_str()), (0, "nginx.service"));
}

#[test]
fn a_ca_file_that_is_none_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, "hello\n").unwrap();
    let config = PrometheusConfig { ca_file: Some(file), ..config("https://localhost", name::CPU) };
    let error = PrometheusCollector::new(&config).unwrap_err().to_string();
    assert!(error.contains("ca.pem") && error.contains("no certificate"), "{error}");
}
