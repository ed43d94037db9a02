//! Who may ask for what, and what a hostile client gets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod web_world;

use apportion::web::{Effects, Listen, ListenError, OwnerSocket, Server, TlsFiles};
use std::{
    io::{Read as _, Write as _},
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    sync::Arc,
};
use web_world::{
    Stage, WorldBackend,
    client::{NOW, Running, TOKEN, serve, serve_on},
};

const HOLD: &str = "/api/v1/workloads/nginx.service/hold";
const WHY: &str = r#"{"why":"a test"}"#;
const JSON: (&str, &str) = ("Content-Type", "application/json");

#[test]
fn looking_is_free_on_loopback_and_writing_is_not() {
    let server = serve(Some(TOKEN));
    assert_eq!(server.get("/api/v1/workloads").status, 200);
    let check = |headers: &[(&str, &str)], status| {
        let headers = [headers, &[JSON]].concat();
        let answer = server.ask("POST", HOLD, &headers, WHY);
        assert_eq!(answer.status, status, "{headers:?} {answer:?}");
    };
    let bearer = format!("Bearer {TOKEN}");
    check(&[], 401);
    check(&[("Authorization", "Bearer wrong-token-0123456789")], 401);
    check(&[("Authorization", &bearer[..bearer.len() - 1])], 401);
    check(&[("Authorization", &format!("{bearer}x"))], 401);
    check(&[("Authorization", &format!("Basic {TOKEN}"))], 401);
    check(&[("Authorization", "Bearer ")], 401);
    check(&[("Cookie", &format!("apportion_session={TOKEN}"))], 401);
    check(&[("Authorization", &bearer)], 200);
}

#[test]
fn without_a_token_nobody_writes() {
    let server = serve(None);
    assert_eq!(server.get("/api/v1/status").json()["writable"], false);
    let problem = server.ask("POST", HOLD, &[JSON, ("Authorization", "Bearer ")], WHY).is_problem(403);
    assert!(problem["what"].as_str().unwrap().contains("no token"), "{problem}");
    server.ask("POST", "/api/v1/session", &[JSON], r#"{"token":""}"#).is_problem(403);
}

#[test]
fn only_loopback_names_are_answered() {
    let server = serve(Some(TOKEN));
    let port = server.address.port();
    let check = |host: &str, status| {
        assert_eq!(server.ask("GET", "/api/v1/status", &[("Host", host)], "").status, status, "{host}");
    };
    check(&format!("localhost:{port}"), 200);
    check("localhost", 200);
    check("[::1]:8080", 200);
    check("rebound.example", 421);
    check(&format!("rebound.example:{port}"), 421);
    check("127.0.0.1.rebound.example", 421);
    check("", 421);
    let absolute = format!(
        "GET http://rebound.example/api/v1/status HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(server.send(absolute.as_bytes()).status, 421);
    server.send(b"GET /api/v1/status HTTP/1.1\r\nConnection: close\r\n\r\n").is_problem(400);
}

#[test]
fn another_site_cannot_write_even_with_the_token() {
    let server = serve(Some(TOKEN));
    let bearer = format!("Bearer {TOKEN}");
    let own = format!("http://{}", server.address);
    let check = |headers: &[(&str, &str)], status| {
        let headers = [headers, &[JSON, ("Authorization", &bearer)]].concat();
        assert_eq!(server.ask("POST", HOLD, &headers, WHY).status, status, "{headers:?}");
    };
    check(&[("Origin", &own)], 200);
    check(&[("Origin", "http://evil.example")], 403);
    check(&[("Origin", "null")], 403);
    check(&[("Origin", &own), ("Sec-Fetch-Site", "cross-site")], 403);
    check(&[("Origin", &own), ("Sec-Fetch-Site", "same-origin")], 200);
    let login = format!(r#"{{"token":"{TOKEN}"}}"#);
    server.ask("POST", "/api/v1/session", &[JSON, ("Origin", "http://evil.example")], &login).is_problem(403);
}

#[test]
fn a_session_stands_for_the_token_until_it_ends() {
    let server = serve(Some(TOKEN));
    let own = format!("http://{}", server.address);
    server.ask("POST", "/api/v1/session", &[JSON], r#"{"token":"not the right one"}"#).is_problem(401);
    let answer = server.ask("POST", "/api/v1/session", &[JSON, ("Origin", &own)], &format!(r#"{{"token":"{TOKEN}"}}"#));
    assert_eq!(answer.status, 204);
    let set = &answer.headers["set-cookie"];
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict") && !set.contains(TOKEN), "{set}");
    let cookie = set.split(';').next().unwrap().to_owned();
    let write = |headers: &[(&str, &str)]| {
        server.ask("POST", HOLD, &[headers, &[JSON, ("Cookie", &cookie)]].concat(), WHY).status
    };
    assert_eq!(write(&[("Origin", &own)]), 200);
    assert_eq!(write(&[]), 403, "a browser always says where a write comes from");
    let status = server.ask("GET", "/api/v1/status", &[("Cookie", &cookie)], "").json();
    assert_eq!(status["logged_in"], true);
    let ended = server.ask("DELETE", "/api/v1/session", &[("Cookie", &cookie), ("Origin", &own)], "");
    assert!(ended.status == 204 && ended.headers["set-cookie"].contains("Max-Age=0"), "{ended:?}");
    assert_eq!(write(&[("Origin", &own)]), 401);
}

#[test]
fn every_answer_carries_the_headers() {
    let server = serve(Some(TOKEN));
    for path in
        ["/", "/api", "/api/v1/status", "/metrics", "/assets/js/main.js", "/nothing", "/api/v1/decisions?limit=0"]
    {
        let headers = server.get(path).headers;
        let policy = &headers["content-security-policy"];
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"), "{path} {policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        let cached = path == "/" || path == "/api" || path.starts_with("/assets");
        assert_eq!(headers["cache-control"], if cached { "no-cache" } else { "no-store" }, "{path}");
        assert!(!headers.contains_key("strict-transport-security"), "no TLS here");
    }
    let refused = server.ask("POST", HOLD, &[JSON], WHY);
    assert_eq!(refused.headers["x-content-type-options"], "nosniff");
}

#[test]
fn the_page_has_no_inline_script_or_style() {
    let server = serve(None);
    for path in ["/", "/api"] {
        let page = server.get(path).body;
        assert!(!page.contains("style=") && !page.contains("<style") && !page.contains(" on"), "{path}");
        assert!(page.split("<script").skip(1).all(|script| script.trim_start().starts_with("src=")), "{path}");
        assert!(!page.contains("http://") && !page.contains("https://"), "{path} fetches from elsewhere");
    }
}

#[test]
fn bodies_are_bounded_and_typed() {
    let server = serve(Some(TOKEN));
    let large = format!(r#"{{"why":"{}"}}"#, "x".repeat(20_000));
    server.with_token("POST", HOLD, &large).is_problem(413);
    let bearer = format!("Bearer {TOKEN}");
    server.ask("POST", HOLD, &[("Authorization", &bearer)], WHY).is_problem(415);
    server.ask("POST", HOLD, &[("Authorization", &bearer), ("Content-Type", "text/plain")], WHY).is_problem(415);
    server.with_token("POST", HOLD, &"[".repeat(10_000)).is_problem(422);
}

#[test]
fn hostile_requests_get_an_error_and_harm_nothing() {
    let server = serve(Some(TOKEN));
    let series = |query: &str| format!("/api/v1/workloads/nginx.service/series?metric=cpu_cores&{query}");
    let bad = [
        series("from_s=0&to_s=10&step_s=0"),
        series("from_s=10&to_s=10&step_s=1"),
        series("from_s=10&to_s=5&step_s=1"),
        series("from_s=0&to_s=1000000&step_s=1"),
        series("from_s=-9223372036854775808&to_s=9223372036854775807&step_s=1"),
        series("from_s=-9223372036854775808&to_s=9223372036854775807&step_s=4294967295"),
        series("from_s=0&to_s=1e9&step_s=60"),
        series("from_s=0&to_s=10&step_s=-1"),
        series("from_s=99999999999999999999&to_s=10&step_s=1"),
        series("from_s=0"),
        "/api/v1/decisions?limit=0".to_owned(),
        "/api/v1/decisions?limit=501".to_owned(),
        "/api/v1/decisions?limit=-1".to_owned(),
        "/api/v1/decisions?before=x".to_owned(),
        "/api/v1/decisions?limit=1&limit=2".to_owned(),
        "/api/v1/decisions/-1".to_owned(),
        "/api/v1/decisions/18446744073709551616".to_owned(),
        "/api/v1/workloads/%FF%FE".to_owned(),
        "/api/v1/workloads/%00".to_owned(),
        "/api/v1/workloads/%2e%2e%2fetc%2fpasswd".to_owned(),
        "/assets/%2e%2e%2f%2e%2e%2fCargo.toml".to_owned(),
        "/assets/%FF".to_owned(),
        format!("/api/v1/workloads/{}", "a".repeat(30_000)),
    ];
    for path in bad {
        let answer = server.get(&path);
        let short = &path[..path.len().min(120)];
        assert!((400..500).contains(&answer.status), "{short}: {} {}", answer.status, answer.body);
        answer.is_problem(answer.status);
    }
    let raw: [&[u8]; 6] = [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
    ];
    for bytes in raw {
        let mut stream = server.connect();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }
    let extreme = series(&format!("from_s={}&to_s={}&step_s=60", i64::MIN, i64::MIN + 600));
    server.get(&extreme);
    assert_eq!(server.get("/api/v1/status").status, 200, "still there");
}

#[test]
fn the_owner_needs_no_token_on_the_socket_and_nobody_else_may_connect() {
    let (folder, stage) = (tempfile::tempdir().unwrap(), Stage::new(NOW));
    let path = folder.path().join("apportion.sock");
    drop(UnixListener::bind(&path).unwrap());
    let socket = OwnerSocket::bind(&path).unwrap();
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600,
        "also in the place of a stale one"
    );
    let (views, backend) = (stage.views.clone(), Arc::new(WorldBackend(Arc::clone(&stage.world))));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let stopped = async { drop(stopped.await) };
        runtime.block_on(socket.run(views, backend, Effects::default(), stopped)).unwrap();
    });
    let ask = |host: &str| {
        let mut stream = UnixStream::connect(&path).unwrap();
        let length = WHY.len();
        let head = format!("POST {HOLD} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\n");
        write!(stream, "{head}Content-Length: {length}\r\n\r\n{WHY}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(ask("localhost"), "200");
    // As where the disk that it lay on is exchanged for another with the store.
    std::fs::remove_file(&path).unwrap();
    let is_back = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        UnixStream::connect(&path).is_ok()
    });
    assert!(is_back && ask("localhost") == "200", "nobody is reached there");
    assert_eq!(ask("rebound.example"), "421");
    drop(stop);
    thread.join().unwrap();
    assert!(!path.exists(), "its file goes with it");
}

#[test]
fn making_the_socket_changes_no_file_that_another_thread_makes() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("apportion.sock"), folder.path().join("other"));
    let is_done = std::sync::atomic::AtomicBool::new(false);
    let modes = std::thread::scope(|scope| {
        let make = || {
            let mut modes = std::collections::BTreeSet::new();
            while !is_done.load(std::sync::atomic::Ordering::Relaxed) {
                let file = std::fs::File::create(&other).unwrap();
                modes.insert(file.metadata().unwrap().permissions().mode() & 0o777);
                std::fs::remove_file(&other).unwrap();
            }
            modes
        };
        let maker = scope.spawn(make);
        let begin = std::time::Instant::now();
        while begin.elapsed() < std::time::Duration::from_secs(1) {
            drop(OwnerSocket::bind(&path).unwrap());
        }
        is_done.store(true, std::sync::atomic::Ordering::Relaxed);
        maker.join().unwrap()
    });
    assert_eq!(modes.len(), 1, "{modes:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    assert!(OwnerSocket::bind(&folder.path().join("x".repeat(100))).is_err(), "nobody could connect to so long a path");
}

fn listen(address: &str, token: Option<&str>, tls: Option<TlsFiles>) -> Listen {
    Listen { address: address.parse().unwrap(), token: token.map(str::to_owned), tls }
}

/// A certificate for 127.0.0.1 in files.
fn certificate(folder: &Path) -> (TlsFiles, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let files = TlsFiles { certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    (files, made.cert.der().to_vec())
}

#[test]
fn refuses_to_be_open_to_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let (files, _) = certificate(folder.path());
    let check = |address: &str, token, tls, says: &str| {
        let error = Server::bind(listen(address, token, tls)).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    };
    check(
        "0.0.0.0:0",
        None,
        None,
        "without a token and TLS: set a token, a certificate and a key, or listen on 127.0.0.1",
    );
    check("[::]:0", Some(TOKEN), None, "without TLS: set a certificate and a key");
    check("0.0.0.0:0", None, Some(files.clone()), "without a token: set a token");
    check("127.0.0.1:0", Some("short"), None, "the token has 5 bytes: give at least 16");
    let missing = TlsFiles { certificate: folder.path().join("none.crt"), ..files.clone() };
    check("127.0.0.1:0", None, Some(missing), "none.crt");
    let empty = folder.path().join("empty.crt");
    std::fs::write(&empty, "no certificate here\n").unwrap();
    check("127.0.0.1:0", None, Some(TlsFiles { certificate: empty, ..files.clone() }), "no certificate in it");
    let other = rcgen::generate_simple_self_signed(["other".to_owned()]).unwrap();
    let key = folder.path().join("other.key");
    std::fs::write(&key, other.signing_key.serialize_pem()).unwrap();
    check("127.0.0.1:0", None, Some(TlsFiles { key, ..files }), "the key must be the one of");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let error = Server::bind(listen(&taken.local_addr().unwrap().to_string(), None, None)).unwrap_err();
    assert!(matches!(error, ListenError::Bind { .. }), "{error}");
}

#[test]
fn away_from_loopback_looking_needs_the_token_too() {
    let folder = tempfile::tempdir().unwrap();
    let (files, der) = certificate(folder.path());
    let server = serve_on(listen("0.0.0.0:0", Some(TOKEN), Some(files)), Stage::new(NOW));
    let agent = agent(&der);
    let get = |path: &str, token: Option<&str>| {
        let request = agent.get(format!("https://{}{path}", server.address));
        let request = token
            .into_iter()
            .fold(request, |request, token| request.header("Authorization", format!("Bearer {token}")));
        request.call().unwrap()
    };
    for path in ["/", "/api", "/assets/js/main.js", "/healthz", "/readyz", "/api/openapi.json"] {
        assert_eq!(get(path, None).status(), 200, "{path}");
    }
    for path in ["/api/v1/status", "/api/v1/workloads", "/api/v1/decisions", "/metrics", "/api/v1/events"] {
        assert_eq!(get(path, None).status(), 401, "{path}");
        assert_eq!(get(path, Some("wrong-token-0123456789")).status(), 401, "{path}");
    }
    let status = get("/api/v1/status", Some(TOKEN));
    assert_eq!(status.status(), 200);
    assert!(status.headers().contains_key("strict-transport-security"));
    let login =
        agent.post(format!("https://{}/api/v1/session", server.address)).header("Content-Type", "application/json");
    let answer = login.send(format!(r#"{{"token":"{TOKEN}"}}"#)).unwrap();
    assert!(answer.headers()["set-cookie"].to_str().unwrap().ends_with("; Secure"));
    plain_gets_nothing(&server);
}

fn agent(der: &[u8]) -> ureq::Agent {
    use ureq::tls::{Certificate, RootCerts, TlsConfig};
    let roots = RootCerts::new_with_certs(&[Certificate::from_der(der).to_owned()]);
    let tls = TlsConfig::builder().root_certs(roots).build();
    ureq::Agent::config_builder().tls_config(tls).http_status_as_error(false).build().into()
}

/// Without TLS there is no answer.
fn plain_gets_nothing(server: &Running) {
    assert_eq!(server.get("/").status, 0);
}
