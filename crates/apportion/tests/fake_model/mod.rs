//! A text model's server that answers as a test wants, on this machine.

#![allow(unreachable_pub, dead_code, reason = "shared by tests")]

use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

pub const KEY: &str = "sk-very-secret-42";

/// How a server answers, given the connection after the request was read, and the request's body.
type Behaviour = Box<dyn Fn(&mut TcpStream, &str) -> std::io::Result<()> + Send>;

pub struct Server {
    pub url: String,
    /// Heads and bodies of the requests.
    pub asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Server {
    pub fn start(behaviour: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + 'static) -> Self {
        Self::serve(Box::new(move |stream, _| behaviour(stream)))
    }

    /// One that makes of the text that it is sent what it says.
    pub fn replies(reply: impl Fn(&str) -> String + Send + 'static) -> Self {
        Self::serve(Box::new(move |stream, body| {
            let body: Value = serde_json::from_str(body).unwrap();
            let content = reply(body["messages"][1]["content"].as_str().unwrap());
            respond(stream, "200 OK", &completion(&content).to_string())
        }))
    }

    fn serve(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (head, body) = request(&stream);
                heard.lock().unwrap().push((head, body.clone()));
                let _ = behaviour(&mut stream, &body);
            }
        });
        Self { url, asked }
    }

    pub fn says(content: &str) -> Self {
        Self::completes(&completion(content))
    }

    pub fn completes(completion: &Value) -> Self {
        let body = completion.to_string();
        Self::start(move |stream| respond(stream, "200 OK", &body))
    }

    pub fn fails(status: &'static str, body: &'static str) -> Self {
        Self::start(move |stream| respond(stream, status, body))
    }
}

fn completion(content: &str) -> Value {
    json!({ "choices": [{ "message": { "content": content }, "finish_reason": "stop" }] })
}

fn request(stream: &TcpStream) -> (String, String) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line).unwrap() > 2 {
        head += &std::mem::take(&mut line).to_lowercase();
    }
    let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

pub fn respond(stream: &mut TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

pub fn hang(_: &mut TcpStream) -> std::io::Result<()> {
    thread::sleep(Duration::from_secs(30));
    Ok(())
}

/// A head, then `chunk` again and again.
pub fn forever(stream: &mut TcpStream, chunk: &[u8], pause: Duration) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n")?;
    loop {
        stream.write_all(chunk)?;
        thread::sleep(pause);
    }
}
