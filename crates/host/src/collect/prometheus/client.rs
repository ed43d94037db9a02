//! One HTTP request, and what can go wrong with it, in words that say what to do.

use super::{
    answer::{Answer, AnswerError, parse_answer},
    config::{self, ConfigError, PrometheusConfig},
    secret::{Auth, Secret, SecretError},
};
use apportion_core::{Time, Window};
use std::{path::Path, time::Duration};
use ureq::{
    Agent,
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};

/// An answer may be this large.
const MOST_BYTES: u64 = 256 << 20;
/// That much of an answer is shown when it is not what was asked for.
const SHOWN_BYTES: usize = 80;

/// Why a query has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It took too long.
    #[error("no answer within {timeout_s} s: raise timeout_s, narrow the selector, or see how loaded the server is")]
    Timeout {
        /// The limit, seconds.
        timeout_s: u32,
    },
    /// There was no connection, or it broke.
    #[error("{what}: check the address, and that the server runs")]
    Connection {
        /// What the system said.
        what: String,
    },
    /// The certificate was not accepted.
    #[error("TLS: {what}: name the server's CA with ca_file, and check the host's name")]
    Tls {
        /// What was wrong.
        what: String,
    },
    /// The server answered with an error of HTTP.
    #[error("HTTP {code}: {what}")]
    Status {
        /// The code.
        code: u16,
        /// What it means here, and what to do.
        what: String,
    },
    /// The answer is not what the API documents.
    #[error("{what}")]
    Answer {
        /// What it was, and what to do.
        what: String,
    },
    /// The server does not accept the query.
    #[error("the server refuses the query: {what}")]
    Query {
        /// Its words.
        what: String,
    },
    /// The credential cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl ClientError {
    /// True when the next query would fare no better.
    #[must_use]
    pub const fn is_server_lost(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Connection { .. } | Self::Tls { .. } | Self::Secret(_))
            || matches!(self, Self::Status { code: 401 | 403 | 404 | 502 | 503, .. })
    }
}

/// A server to ask.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    address: String,
    auth: Auth,
    timeout_s: u32,
}

impl Client {
    pub(super) fn new(config: &PrometheusConfig) -> Result<Self, ConfigError> {
        let address = config::address(&config.url)?;
        let timeout_s = config.timeout_s.max(1);
        let mut agent = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(timeout_s.into())))
            .http_status_as_error(false)
            .max_redirects(3)
            .user_agent(concat!("apportion/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &config.ca_file {
            agent = agent.tls_config(TlsConfig::builder().root_certs(trusted(path)?).build());
        }
        let agent = Agent::new_with_config(agent.build());
        Ok(Self { agent, address, auth: config.auth.clone(), timeout_s })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The value of each series at `time`.
    pub(super) fn instant(&self, promql: &str, time: Time) -> Result<Answer, ClientError> {
        self.ask("query", &[("query", promql), ("time", &seconds(time))])
    }

    /// The values of each series on a grid.
    pub(super) fn range(&self, promql: &str, window: Window) -> Result<Answer, ClientError> {
        let last_s = window.to_s - i64::from(window.step_s);
        let (start, end) = (window.from_s.to_string(), last_s.max(window.from_s).to_string());
        self.ask(
            "query_range",
            &[("query", promql), ("start", &start), ("end", &end), ("step", &window.step_s.to_string())],
        )
    }

    fn ask(&self, call: &str, parameters: &[(&str, &str)]) -> Result<Answer, ClientError> {
        let secret = self.auth.header()?;
        self.send(call, parameters, secret.as_ref()).map_err(|error| match (&secret, error) {
            (Some(secret), ClientError::Status { code, what }) => {
                ClientError::Status { code, what: secret.scrub(&what) }
            }
            (Some(secret), ClientError::Answer { what }) => ClientError::Answer { what: secret.scrub(&what) },
            (_, error) => error,
        })
    }

    fn send(&self, call: &str, parameters: &[(&str, &str)], secret: Option<&Secret>) -> Result<Answer, ClientError> {
        let mut request = self.agent.get(format!("{}/api/v1/{call}", self.address));
        if let Some(secret) = secret {
            request = request.header("Authorization", secret.reveal());
        }
        let mut response =
            request.query_pairs(parameters.iter().copied()).call().map_err(|error| self.failed(error))?;
        let code = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
        let body = body.map_err(|error| self.failed(error))?;
        match parse_answer(&body) {
            Ok(answer) => Ok(answer),
            Err(AnswerError::Refused { kind, message }) if kind != "unavailable" => {
                Err(ClientError::Query { what: format!("{kind}: {message}") })
            }
            Err(_) if !(200..300).contains(&code) => Err(ClientError::Status { code, what: meaning(code, &body) }),
            Err(error) => Err(ClientError::Answer { what: unusable(&error, &body) }),
        }
    }

    fn failed(&self, error: ureq::Error) -> ClientError {
        match error {
            ureq::Error::Timeout(_) => ClientError::Timeout { timeout_s: self.timeout_s },
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                ClientError::Timeout { timeout_s: self.timeout_s }
            }
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                ClientError::Tls { what: error.to_string() }
            }
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => {
                ClientError::Tls { what: error.to_string() }
            }
            ureq::Error::BodyExceedsLimit(_) => ClientError::Answer {
                what: format!("the answer is larger than {} MiB: narrow the selector", MOST_BYTES >> 20),
            },
            other => ClientError::Connection { what: other.to_string() },
        }
    }
}

/// Certificates of a PEM file.
fn trusted(path: &Path) -> Result<RootCerts, ConfigError> {
    let wrong = |what: String| ConfigError::CaFile { path: path.to_owned(), what };
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| wrong(error.to_string()))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(wrong("has no certificate in it (PEM is wanted: -----BEGIN CERTIFICATE-----)".to_owned()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

fn seconds(time: Time) -> String {
    format!("{}.{:03}", time.0.div_euclid(1_000), time.0.rem_euclid(1_000))
}

fn meaning(code: u16, body: &[u8]) -> String {
    let remedy = match code {
        401 | 403 => "the credentials are not accepted: check auth",
        404 => "there is no Prometheus API here: give the address up to, and without, /api/v1",
        429 => "the server has had enough: raise interval_s",
        502..=504 => "the server, or what is before it, is not ready",
        _ => "no answer that can be used",
    };
    format!("{remedy} (it says {:?})", beginning(body))
}

fn unusable(error: &AnswerError, body: &[u8]) -> String {
    match error {
        AnswerError::Malformed { is_truncated: true, .. } if !body.is_empty() => {
            format!("the answer breaks off after {} bytes: is a proxy cutting it?", body.len())
        }
        AnswerError::Malformed { line: 1, column: 0 | 1, .. } => {
            let seen = beginning(body);
            format!(
                "the answer is not JSON, it begins {seen:?}: is the address that of Prometheus, or is a login page before it?"
            )
        }
        other => format!("the answer is not as the API documents it: {other}"),
    }
}

fn beginning(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(SHOWN_BYTES)]).trim().to_owned()
}
