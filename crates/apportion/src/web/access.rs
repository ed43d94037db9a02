//! Who may ask for what: the token, sessions, and where a request must come from.
//!
//! Away from loopback everything but the page itself needs the token. A write needs it everywhere, and never comes from
//! another site. On loopback the Host must be a loopback name, so that a page elsewhere cannot rebind its name to us.
//! On the socket of the store's owner everybody is the owner: the system lets nobody else connect.

use super::problem::Problem;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use subtle::ConstantTimeEq;

const COOKIE: &str = "apportion_session";
const SESSION_LIFE: Duration = Duration::from_secs(12 * 3_600);
/// More sessions than people: the one that ends first makes room.
const SESSIONS_MOST: usize = 64;

/// The rule of one listener, and who is logged in.
#[derive(Debug)]
pub(super) struct Gate {
    token: Option<String>,
    loopback: bool,
    tls: bool,
    owner: bool,
    sessions: Mutex<BTreeMap<String, Instant>>,
}

/// How a request proved itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    Anonymous,
    Bearer,
    Cookie,
}

impl Gate {
    pub(super) fn new(token: Option<String>, loopback: bool, tls: bool) -> Self {
        Self { token, loopback, tls, owner: false, sessions: Mutex::default() }
    }

    /// The rule of the socket that only the store's owner can reach.
    pub(super) fn owner() -> Self {
        Self { owner: true, ..Self::new(None, true, false) }
    }

    /// True when a token is configured, without which nobody but the owner may write.
    pub(super) const fn is_writable(&self) -> bool {
        self.token.is_some() || self.owner
    }

    /// True when this listener speaks TLS.
    pub(super) const fn is_tls(&self) -> bool {
        self.tls
    }

    /// How a request proved itself.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Caller {
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        if self.owner || bearer.is_some_and(|given| self.is_token(given.trim())) {
            Caller::Bearer
        } else if cookie(headers).is_some_and(|session| self.is_session(session)) {
            Caller::Cookie
        } else {
            Caller::Anonymous
        }
    }

    /// Compares without telling by its duration how much was right.
    fn is_token(&self, given: &str) -> bool {
        self.token.as_ref().is_some_and(|token| token.as_bytes().ct_eq(given.as_bytes()).into())
    }

    fn is_session(&self, session: &str) -> bool {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(session).is_some_and(|end| Instant::now() < *end)
    }

    /// Begins a session for whoever gives the token; the cookie to set.
    pub(super) fn log_in(&self, given: &str) -> Result<HeaderValue, Problem> {
        if !self.is_writable() {
            return Err(no_token());
        }
        if !self.is_token(given) {
            return Err(unauthorized("the token is not right"));
        }
        let session = random_name()?;
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        sessions.retain(|_, end| now < *end);
        if sessions.len() >= SESSIONS_MOST {
            let first = sessions.iter().min_by_key(|(_, end)| **end).map(|(name, _)| name.clone());
            first.map(|first| sessions.remove(&first));
        }
        sessions.insert(session.clone(), now + SESSION_LIFE);
        Ok(self.set_cookie(&session, SESSION_LIFE))
    }

    /// Ends the session of this request; the cookie that takes the old one away.
    pub(super) fn log_out(&self, headers: &HeaderMap) -> HeaderValue {
        if let Some(session) = cookie(headers) {
            self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(session);
        }
        self.set_cookie("", Duration::ZERO)
    }

    fn set_cookie(&self, session: &str, life: Duration) -> HeaderValue {
        let secure = if self.tls { "; Secure" } else { "" };
        let life_s = life.as_secs();
        let text = format!("{COOKIE}={session}; Path=/; HttpOnly; SameSite=Strict; Max-Age={life_s}{secure}");
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let host = host(uri, headers)?;
        if self.loopback && !is_loopback_name(host_name(host)) {
            return Err(foreign_host(host));
        }
        let write = !matches!(*method, Method::GET | Method::HEAD);
        let caller = self.caller(headers);
        if write {
            self.check_site(headers, host, caller)?;
        }
        let open = is_open(uri.path());
        match (write, caller) {
            (_, Caller::Bearer | Caller::Cookie) => Ok(()),
            (_, Caller::Anonymous) if open => Ok(()),
            (false, Caller::Anonymous) if self.loopback => Ok(()),
            (_, Caller::Anonymous) if !self.is_writable() => Err(no_token()),
            (_, Caller::Anonymous) => Err(unauthorized("the token is missing or not right")),
        }
    }

    /// A write must come from our own page or from no page at all.
    fn check_site(&self, headers: &HeaderMap, host: &str, caller: Caller) -> Result<(), Problem> {
        let scheme = if self.tls { "https" } else { "http" };
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let same_site = matches!(site, None | Some(b"same-origin" | b"none"));
        let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
        let same_origin = match origin {
            Some(origin) => origin.eq_ignore_ascii_case(format!("{scheme}://{host}").as_bytes()),
            None => caller != Caller::Cookie,
        };
        if same_site && same_origin {
            return Ok(());
        }
        let origin = String::from_utf8_lossy(origin.unwrap_or(b"none"));
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "a write that comes from another site is refused",
            format!("Origin {origin}, Host {host}"),
            "use the page itself, or send the token as `Authorization: Bearer` from a program",
        ))
    }
}

/// Answers with the problem, or passes the request on.
pub(super) async fn guard(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    match gate.check(request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// What anybody may have: the page's own files, its login, and the two health answers.
fn is_open(path: &str) -> bool {
    matches!(path, "/" | "/api" | "/api/openapi.json" | "/api/v1/session" | "/healthz" | "/readyz")
        || path.starts_with("/assets/")
}

fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<&'a str, Problem> {
    let given = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    uri.authority().map(axum::http::uri::Authority::as_str).or(given).ok_or_else(|| {
        Problem::bad_request("the request names no host", "header Host", "send the Host header, as HTTP/1.1 asks")
    })
}

/// The name without the port.
fn host_name(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

/// Whether a name or an address means this machine.
pub(crate) fn is_loopback_name(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, value)| *name == COOKIE && !value.is_empty()).map(|(_, value)| value)
}

/// 256 random bits in hexadecimal.
fn random_name() -> Result<String, Problem> {
    let mut bytes = [0_u8; 32];
    let source = rustls::crypto::ring::default_provider().secure_random;
    source.fill(&mut bytes).map_err(|_| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Problem::new(status, "the system gave no random numbers", "login", "send the token as `Authorization: Bearer`")
    })?;
    Ok(crate::learn::hex(bytes))
}

fn unauthorized(what: &str) -> Problem {
    let remedy = "log in on the page, or send `Authorization: Bearer TOKEN` with the token of the configuration";
    Problem::new(StatusCode::UNAUTHORIZED, what, "header Authorization", remedy)
}

fn no_token() -> Problem {
    let remedy = "set a token in the configuration and start again; until then nothing can be changed from here";
    Problem::new(StatusCode::FORBIDDEN, "no token is configured", "configuration", remedy)
}

fn foreign_host(host: &str) -> Problem {
    let remedy = "open it as http://127.0.0.1 or http://localhost with the port (a proxy must send such a Host)";
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "this listener answers to loopback names only", host, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        let check = |host: &str, ours| assert_eq!(is_loopback_name(host_name(host)), ours, "{host}");
        check("127.0.0.1:7070", true);
        check("127.8.9.1", true);
        check("localhost:7070", true);
        check("LOCALHOST", true);
        check("[::1]:7070", true);
        check("[::1]", true);
        check("evil.example:7070", false);
        check("127.0.0.1.evil.example", false);
        check("localhost.evil.example:80", false);
        check("10.0.0.1:7070", false);
        check("", false);
        check("[", false);
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_session_opens_and_closes() {
        let gate = Gate::new(Some("0123456789abcdef".into()), true, true);
        assert!(gate.log_in("0123456789abcdee").is_err());
        let cookie = gate.log_in("0123456789abcdef").unwrap();
        let text = cookie.to_str().unwrap();
        assert!(text.contains("HttpOnly") && text.contains("SameSite=Strict") && text.contains("Secure"), "{text}");
        let sent = headers(&[("cookie", &format!("other=1; {}", text.split(';').next().unwrap()))]);
        assert_eq!(gate.caller(&sent), Caller::Cookie);
        gate.log_out(&sent);
        assert_eq!(gate.caller(&sent), Caller::Anonymous);
    }

    #[test]
    fn sessions_are_bounded() {
        let gate = Gate::new(Some("0123456789abcdef".into()), true, false);
        for _ in 0..SESSIONS_MOST + 5 {
            gate.log_in("0123456789abcdef").unwrap();
        }
        assert_eq!(gate.sessions.lock().unwrap().len(), SESSIONS_MOST);
    }

    #[test]
    fn a_cookie_write_needs_an_origin() {
        let gate = Gate::new(Some("0123456789abcdef".into()), true, false);
        let check = |pairs: &[(&'static str, &str)], caller, passes| {
            let result = gate.check_site(&headers(pairs), "localhost:7070", caller);
            assert_eq!(result.is_ok(), passes, "{pairs:?} {caller:?}");
        };
        check(&[], Caller::Bearer, true);
        check(&[], Caller::Cookie, false);
        check(&[("origin", "http://localhost:7070")], Caller::Cookie, true);
        check(&[("origin", "https://localhost:7070")], Caller::Cookie, false);
        check(&[("origin", "http://localhost:7071")], Caller::Bearer, false);
        check(&[("origin", "null")], Caller::Cookie, false);
        check(&[("origin", "http://localhost:7070"), ("sec-fetch-site", "cross-site")], Caller::Cookie, false);
    }
}
