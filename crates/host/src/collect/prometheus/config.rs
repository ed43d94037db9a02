//! Which server to ask, and what.

use super::secret::Auth;
use serde::Deserialize;
use std::{collections::BTreeMap, fmt, path::PathBuf};

/// A Prometheus server and what to ask it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrometheusConfig {
    /// Its address up to, and without, `/api/v1`; without credentials.
    pub url: String,
    /// How to authenticate.
    #[serde(default)]
    pub auth: Auth,
    /// Certificates (PEM) to trust instead of the usual ones.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// How long one query may take, seconds.
    #[serde(default = "default_timeout_s")]
    pub timeout_s: u32,
    /// How often to ask for the present, seconds: the scrape interval.
    #[serde(default = "default_interval_s")]
    pub interval_s: u32,
    /// What `$window` stands for at least, seconds: four scrape intervals, so that a rate survives a lost scrape.
    #[serde(default = "default_window_s")]
    pub window_s: u32,
    /// What to ask.
    #[serde(default)]
    pub groups: Vec<QueryGroup>,
}

const fn default_timeout_s() -> u32 {
    10
}
const fn default_interval_s() -> u32 {
    30
}
const fn default_window_s() -> u32 {
    120
}

impl PrometheusConfig {
    /// A server without authentication, asked nothing yet.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            auth: Auth::None,
            ca_file: None,
            timeout_s: default_timeout_s(),
            interval_s: default_interval_s(),
            window_s: default_window_s(),
            groups: Vec::new(),
        }
    }
}

/// Queries about one group of workloads.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryGroup {
    /// Name for people.
    pub name: String,
    /// The workload's name, with labels in braces: `{namespace}/{pod}`. Without braces, the name of a workload that is
    /// found elsewhere and gets these figures too.
    pub workload: String,
    /// What `$selector` stands for, such as `namespace="shop"`; may be empty.
    #[serde(default)]
    pub selector: String,
    /// One per metric.
    pub queries: Vec<Query>,
}

/// One query.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The metric that it gives, in that metric's unit (see [`apportion_core::metric::name`]); any other name is a gauge.
    pub metric: String,
    /// PromQL. `$selector` and `$window` are filled in.
    pub promql: String,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The address is none.
    #[error("prometheus.url {url:?}: {what}")]
    Url {
        /// As given, without credentials.
        url: String,
        /// What is wrong, and what to do.
        what: &'static str,
    },
    /// A workload's name.
    #[error("prometheus workload {name:?}: {what}")]
    Name {
        /// As given.
        name: String,
        /// What is wrong, and what to do.
        what: &'static str,
    },
    /// The CA file.
    #[error("prometheus.ca_file {}: {what}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// Checks a server's address and gives it without a slash at its end.
///
/// # Errors
/// [`ConfigError::Url`], which shows no credentials.
pub fn address(url: &str) -> Result<String, ConfigError> {
    let wrong = |url: &str, what| Err(ConfigError::Url { url: url.to_owned(), what });
    let Some((scheme, rest)) = url.split_once("://") else {
        return wrong(url, "begin with http:// or https://");
    };
    let authority = rest.split('/').next().unwrap_or_default();
    if let Some((_, host)) = authority.rsplit_once('@') {
        let shown = format!("{scheme}://***@{host}");
        return wrong(&shown, "has credentials in it: name a file or variable for them with auth instead");
    }
    match () {
        () if scheme != "http" && scheme != "https" => wrong(url, "begin with http:// or https://"),
        () if authority.is_empty() => wrong(url, "has no host"),
        () if rest.contains(['?', '#', ' ']) => wrong(url, "must not have ?, # or spaces"),
        () if rest.contains("/api/v1") => wrong(url, "leave /api/v1 and what follows out"),
        () => Ok(url.trim_end_matches('/').to_owned()),
    }
}

/// A workload's name with labels to fill in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NameTemplate {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Label(String),
}

impl NameTemplate {
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        let wrong = |what| ConfigError::Name { name: text.to_owned(), what };
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((literal, tail)) = rest.split_once('{') {
            let (label, tail) = tail.split_once('}').ok_or_else(|| wrong("a brace is not closed"))?;
            let is_label = !label.is_empty() && label.chars().all(|one| one.is_ascii_alphanumeric() || one == '_');
            if !is_label {
                return Err(wrong("between braces goes the name of a label"));
            }
            parts.extend([Part::Literal(literal.to_owned()), Part::Label(label.to_owned())]);
            rest = tail;
        }
        parts.push(Part::Literal(rest.to_owned()));
        if text.is_empty() || rest.contains('}') {
            return Err(wrong("give a name, with labels in braces: {namespace}/{pod}"));
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// The name for these labels; `None` when one that is needed is missing.
    pub(super) fn of(&self, labels: &BTreeMap<String, String>) -> Option<String> {
        let mut name = String::new();
        for part in &self.parts {
            name.push_str(match part {
                Part::Literal(literal) => literal,
                Part::Label(label) => labels.get(label).filter(|value| !value.is_empty())?,
            });
        }
        Some(name)
    }

    /// True when the names come from labels: the workloads are then known by this source.
    pub(super) fn declares(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Label(_)))
    }
}

impl fmt::Display for NameTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (url, expect) in [("http://a:9090", "http://a:9090"), ("https://a/prom/", "https://a/prom")] {
            assert_eq!(address(url).unwrap(), expect);
        }
        for (url, expect) in [
            ("a:9090", "begin with http"),
            ("ftp://a", "begin with http"),
            ("http://", "no host"),
            ("http://a/api/v1/query", "leave /api/v1"),
            ("http://a?x=1", "must not have"),
        ] {
            let error = address(url).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        }
        let error = address("http://bob:s3cret@host/x").unwrap_err().to_string();
        assert!(!error.contains("s3cret") && error.contains("host"), "{error}");
    }

    #[test]
    fn names_are_filled_in() {
        let labels = BTreeMap::from([("pod".to_owned(), "p".to_owned()), ("empty".to_owned(), String::new())]);
        let name = |text: &str| NameTemplate::parse(text).unwrap().of(&labels);
        assert_eq!(name("x/{pod}"), Some("x/p".to_owned()));
        assert_eq!(name("nginx.service"), Some("nginx.service".to_owned()));
        assert_eq!(name("{pod}/{empty}"), None);
        assert_eq!(name("{other}"), None);
        assert!(!NameTemplate::parse("nginx.service").unwrap().declares());
        for text in ["", "{pod", "{}", "{a b}", "x}"] {
            assert!(NameTemplate::parse(text).is_err(), "{text}");
        }
    }
}
