//! A running server over an invented world, and a client that sends exactly what it is told.

use super::{Stage, WorldBackend};
use apportion::web::{Effects, Listen, Server};
use apportion_core::Time;
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::oneshot;

pub const TOKEN: &str = "a-token-for-tests-0123456789";
pub const NOW: Time = Time::from_s(1_790_000_000);

/// A server that ends with this value.
pub struct Running {
    pub address: SocketAddr,
    pub stage: Stage,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Serves on a free port of loopback.
pub fn serve(token: Option<&str>) -> Running {
    let listen = Listen { address: "127.0.0.1:0".parse().unwrap(), token: token.map(str::to_owned), tls: None };
    serve_on(listen, Stage::new(NOW))
}

pub fn serve_on(listen: Listen, stage: Stage) -> Running {
    let server = Server::bind(listen).unwrap();
    let port = server.address().unwrap().port();
    let backend = Arc::new(WorldBackend(Arc::clone(&stage.world)));
    let views = stage.views.clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let stopped = async {
            let _ = stopped.await;
        };
        runtime.block_on(server.run(views, backend, Effects::default(), stopped)).unwrap();
    });
    Running { address: ([127, 0, 0, 1], port).into(), stage, stop: Some(stop), thread: Some(thread) }
}

impl Running {
    /// Ends the server and waits for it.
    pub fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    /// Sends one request; Host and Connection are added unless given.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            text += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        self.send(text.as_bytes())
    }

    /// The same with the token and, where there is a body, its type.
    pub fn with_token(&self, method: &str, path: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {TOKEN}");
        self.ask(method, path, &[("Authorization", &bearer), ("Content-Type", "application/json")], body)
    }

    /// Sends bytes as they are and reads to the end.
    pub fn send(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        // A server that has heard enough may close before it has read everything.
        let _ = stream.read_to_end(&mut answer);
        Answer::parse(&answer)
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Opens the event stream and reads past its head.
    pub fn events(&self) -> Events {
        let mut stream = self.connect();
        write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        Events { head, reader }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// An open event stream.
pub struct Events {
    pub head: String,
    reader: BufReader<TcpStream>,
}

impl Events {
    /// The fields of the next event; `None` at the end of the stream.
    pub fn next(&mut self) -> Option<BTreeMap<String, String>> {
        let mut fields = BTreeMap::new();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some((name, value)) => drop(fields.insert(name.to_owned(), value.to_owned())),
                None if fields.contains_key("data") => return Some(fields),
                None => {}
            }
        }
    }
}

/// Status, headers in small letters, body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Self { status, headers, body: body.to_owned() }
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts that this is an error for people: its type, and all three texts.
    pub fn is_problem(&self, status: u16) -> serde_json::Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let problem = self.json();
        for text in ["what", "where", "remedy", "title"] {
            assert!(problem[text].as_str().is_some_and(|text| !text.is_empty()), "{text}: {problem}");
        }
        problem
    }
}
