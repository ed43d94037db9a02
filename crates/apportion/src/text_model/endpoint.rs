//! An OpenAI-compatible endpoint (llama.cpp, vLLM, Ollama or a hosted one): one question, one short answer, within one time.

use super::{Prompt, TextModel};
use crate::web::is_loopback_name;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    io::Read as _,
    time::{Duration, Instant},
};
use ureq::{Agent, Proxy};

/// No answer with all that is around it is longer.
const MOST_BYTES: u64 = 256 * 1_024;
/// That much of what a server says is shown.
const SHOWN_CHARS: usize = 80;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address is no address, or would carry the key in the clear.
    #[error("{0}")]
    Address(String),
    /// It took too long.
    #[error("no whole answer within {timeout_s} s: see how loaded the server is, or raise --llm-timeout")]
    Timeout {
        /// The limit, seconds.
        timeout_s: u32,
    },
    /// There was no connection, or it broke.
    #[error("{what}: check --llm, and that the server runs")]
    Connection {
        /// What the system said.
        what: String,
    },
    /// The server refuses.
    #[error("HTTP {code}: {what}")]
    Status {
        /// The code.
        code: u16,
        /// What to do, and its words.
        what: String,
    },
    /// The answer is not what the API documents.
    #[error("{0}")]
    Answer(String),
}

/// Where to ask, and as whom.
pub struct Endpoint {
    url: String,
    model: String,
    key: Option<String>,
    timeout_s: u32,
    /// False where a proxy would see what is sent: without TLS.
    by_proxy: bool,
}

/// What is read of an answer.
#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

impl Endpoint {
    /// An endpoint at an address such as `http://127.0.0.1:8080/v1`.
    ///
    /// # Errors
    /// It is no address, or the key would leave this machine unencrypted.
    pub fn new(url: &str, model: &str, key: Option<String>, timeout_s: u32) -> Result<Self, EndpointError> {
        let wrong = |what: &str| EndpointError::Address(format!("--llm {url}: {what}"));
        let uri: ureq::http::Uri =
            url.parse().map_err(|_| wrong("give http://HOST:PORT/v1, https://HOST/v1 or a GGUF file"))?;
        let loopback = is_loopback_name(uri.host().unwrap_or_default().trim_matches(['[', ']']));
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if key.is_none() || loopback => {}
            Some("http") => return Err(wrong("the key would travel unencrypted; give an https address, or no key")),
            _ => return Err(wrong("give http://HOST:PORT/v1, https://HOST/v1 or a GGUF file")),
        }
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            model: model.to_owned(),
            key,
            timeout_s: timeout_s.max(1),
            by_proxy: uri.scheme_str() == Some("https") && !loopback,
        })
    }

    fn send(&self, body: &Value, deadline: Instant) -> Result<String, EndpointError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(EndpointError::Timeout { timeout_s: self.timeout_s });
        }
        // A redirect would carry the sentence to another place than the one that was named.
        let agent: Agent = Agent::config_builder()
            .proxy(if self.by_proxy { Proxy::try_from_env() } else { None })
            .timeout_global(Some(left))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("apportion/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let mut request =
            agent.post(format!("{}/chat/completions", self.url)).header("Content-Type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let mut answer = request.send(body.to_string()).map_err(|error| self.failed(error))?;
        let mut text = Vec::new();
        let read = answer.body_mut().as_reader().take(MOST_BYTES).read_to_end(&mut text);
        read.map_err(|error| self.failed(error.into()))?;
        let code = answer.status().as_u16();
        if !(200..300).contains(&code) {
            return Err(EndpointError::Status { code, what: self.meaning(code, &text) });
        }
        self.content(&text, &body["max_tokens"])
    }

    fn content(&self, body: &[u8], most_tokens: &Value) -> Result<String, EndpointError> {
        if body.len() as u64 == MOST_BYTES {
            let most = MOST_BYTES / 1_024;
            return Err(EndpointError::Answer(format!(
                "the answer does not end within {most} KiB: is this a chat endpoint?"
            )));
        }
        let completion: Completion = serde_json::from_slice(body).map_err(|error| {
            let begins = self.beginning(body);
            let what = if error.is_eof() { "breaks off" } else { "is not that of a chat completion" };
            EndpointError::Answer(format!(
                "the answer {what} ({error}); it begins {begins:?}: is --llm the API's address, up to /v1?"
            ))
        })?;
        let choice = completion.choices.into_iter().next();
        let choice = choice.ok_or_else(|| EndpointError::Answer("the answer holds no choice".to_owned()))?;
        if choice.finish_reason.as_deref() == Some("length") {
            let what = format!(
                "the model did not end within {most_tokens} tokens: take one that answers without thinking aloud"
            );
            return Err(EndpointError::Answer(what));
        }
        choice.message.content.ok_or_else(|| EndpointError::Answer("the model said nothing".to_owned()))
    }

    fn failed(&self, error: ureq::Error) -> EndpointError {
        let timeout = EndpointError::Timeout { timeout_s: self.timeout_s };
        match error {
            ureq::Error::Timeout(_) => timeout,
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => timeout,
            other => EndpointError::Connection { what: self.scrubbed(&other.to_string()) },
        }
    }

    fn meaning(&self, code: u16, body: &[u8]) -> String {
        let remedy = match code {
            300..=399 => "it points elsewhere, which is not followed: give the address that it points to",
            401 | 403 => "the key is not accepted: check APPORTION_LLM_KEY",
            404 => "there is no such API or model: give the address up to /v1, and --llm-model",
            429 => "too many requests or no credit left: ask again later",
            500..=599 => "the server failed: look into its log",
            _ => "the request is not accepted",
        };
        format!("{remedy} (it says {:?})", self.beginning(body))
    }

    fn beginning(&self, body: &[u8]) -> String {
        self.scrubbed(&String::from_utf8_lossy(body)).trim().chars().take(SHOWN_CHARS).collect()
    }

    /// Without the key, should a server send it back.
    fn scrubbed(&self, text: &str) -> String {
        self.key.as_ref().map_or_else(|| text.to_owned(), |key| text.replace(key.as_str(), "[key]"))
    }
}

impl TextModel for Endpoint {
    fn answer(&self, Prompt { task, text, schema, most_tokens }: Prompt<'_>) -> anyhow::Result<String> {
        let deadline = Instant::now() + Duration::from_secs(self.timeout_s.into());
        let body = |format: Value| {
            let messages = [json!({ "role": "system", "content": task }), json!({ "role": "user", "content": text })];
            json!({
                "model": self.model, "messages": messages, "temperature": 0, "seed": 0, "stream": false,
                "max_tokens": most_tokens, "response_format": format,
            })
        };
        let strict = json!({ "name": "reading", "strict": true, "schema": schema });
        let first = self.send(&body(json!({ "type": "json_schema", "json_schema": strict })), deadline);
        // llama-cpp-python's server knows the schema by its older name only, and answers 500 to the newer.
        match first {
            Err(EndpointError::Status { code: 400 | 422 | 500, .. }) => {
                Ok(self.send(&body(json!({ "type": "json_object", "schema": schema })), deadline)?)
            }
            other => Ok(other?),
        }
    }
}
