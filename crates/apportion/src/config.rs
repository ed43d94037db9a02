//! The configuration: one TOML file, twelve keys. Every fault says where it is and what to do.

mod amount;
mod lenient;
mod queries;

use apportion_core::{GuardLimits, Knob, Mode, Standing, WorkloadId, knob::Bounds, matches};
use apportion_host::collect::prometheus_address;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};
use toml::Spanned;

/// Where the configuration is looked for when none is named.
pub const DEFAULT_PATH: &str = "/etc/apportion/apportion.toml";

/// The keys, their defaults, units and ranges, as `apportion check --keys` prints them. Tested against what is parsed.
pub const REFERENCE: &str = include_str!("config/reference.toml");

/// A configuration without faults.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address of the page.
    pub listen: String,
    /// Bound on the size of the store, bytes.
    pub store_bytes: u64,
    /// Folder with `token`, `tls.crt`, `tls.key`, `prometheus.token`, `prometheus.ca`; those that are needed.
    pub secrets: Option<PathBuf>,
    /// Prometheus server to read history and application figures from.
    pub prometheus: Option<String>,
    /// How far the guard lets changes go.
    pub limits: GuardLimits,
    /// Rules for workloads, first match wins.
    pub rules: Vec<Rule>,
}

/// What people say about the workloads that a pattern matches.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Pattern with `*` and `?`.
    pub pattern: String,
    /// PromQL per application metric, `$workload` standing for the name of each workload that the pattern matches.
    pub queries: BTreeMap<String, String>,
    /// The rest, merged.
    pub standing: Standing,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7070".to_owned(),
            store_bytes: 1 << 30,
            secrets: None,
            prometheus: None,
            limits: GuardLimits::default(),
            rules: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the named file, or the one at [`DEFAULT_PATH`] where there is one, or gives the defaults.
    ///
    /// # Errors
    /// The file cannot be read, or all its faults.
    pub fn load(path: Option<&Path>) -> Result<Self, Faults> {
        let default = Path::new(DEFAULT_PATH);
        let path = match path {
            Some(path) => path,
            None if default.exists() => default,
            None => return Ok(Self::default()),
        };
        let text = std::fs::read_to_string(path).map_err(|error| Faults::unreadable(path, &error))?;
        Self::parse(&text, path)
    }

    /// Parses the text of a file; `path` is only for the errors.
    ///
    /// # Errors
    /// All faults, each with line, key and remedy.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Faults> {
        let (file, faults) = lenient::read(text);
        let mut check = Check { text, faults, seen: Vec::new() };
        let config = check.config(file);
        let mut faults = check.faults;
        faults.sort_by_key(|fault| fault.line);
        if faults.is_empty() { Ok(config) } else { Err(Faults { path: path.to_owned(), faults }) }
    }

    /// The rule for a workload: the first that matches.
    #[must_use]
    pub fn rule(&self, workload: &WorkloadId) -> Option<&Rule> {
        self.rules.iter().find(|rule| matches(&rule.pattern, workload.as_str()))
    }

    /// What holds for a workload by its rule. Knobs are written only where the rule says `apply` and
    /// `apply` is given too.
    #[must_use]
    pub fn standing(&self, workload: &WorkloadId, apply: bool) -> Standing {
        let mut standing = self.rule(workload).map(|rule| rule.standing.clone()).unwrap_or_default();
        if !apply {
            standing.mode = Mode::Recommend;
        }
        standing
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<Spanned<String>>,
    store_mib: Option<Spanned<u64>>,
    secrets: Option<Spanned<PathBuf>>,
    prometheus: Option<Spanned<String>>,
    guard: Option<Spanned<String>>,
    #[serde(default)]
    workloads: Vec<Spanned<RuleFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    #[serde(rename = "match")]
    pattern: Option<Spanned<String>>,
    #[serde(default)]
    apply: bool,
    violation: Option<Spanned<f64>>,
    priority: Option<Spanned<String>>,
    weight: Option<Spanned<f64>>,
    #[serde(default)]
    bounds: BTreeMap<String, Spanned<Vec<amount::Amount>>>,
    #[serde(default)]
    queries: BTreeMap<String, Spanned<String>>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line, from 1; 0 where it is of the whole file.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// All that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub struct Faults {
    path: PathBuf,
    /// In the order of the file.
    pub faults: Vec<Fault>,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let end = if index + 1 < self.faults.len() { "\n" } else { "" };
            let line = if fault.line == 0 { String::new() } else { format!("{}:", fault.line) };
            write!(f, "{}:{line} {}; {}{end}", self.path.display(), fault.what, fault.remedy)?;
        }
        Ok(())
    }
}

impl Faults {
    /// What `run` would refuse of a file whose text has no fault, at the line of the key that says it.
    #[must_use]
    pub fn of_key(path: &Path, key: &str, what: String) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let remedy = "`apportion run` does not start with it".to_owned();
        Self { path: path.to_owned(), faults: vec![Fault { line: lenient::line_of_key(&text, key), what, remedy }] }
    }

    fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        let remedy = "name a file that can be read with --config, or leave it out for the defaults".to_owned();
        Self { path: path.to_owned(), faults: vec![Fault { line: 0, what: error.to_string(), remedy }] }
    }
}

fn line_of(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|byte| *byte == b'\n').count() + 1
}

/// Turns what was read into what is meant, and collects what is wrong.
struct Check<'a> {
    text: &'a str,
    faults: Vec<Fault>,
    /// Patterns so far, with their lines.
    seen: Vec<(String, usize)>,
}

impl Check<'_> {
    fn fault<T>(&mut self, at: &Spanned<T>, what: String, remedy: &str) {
        self.faults.push(Fault { line: line_of(self.text, at.span().start), what, remedy: remedy.to_owned() });
    }

    fn config(&mut self, file: File) -> Config {
        let default = Config::default();
        Config {
            listen: file.listen.map_or(default.listen, |listen| self.listen(&listen)),
            store_bytes: file.store_mib.map_or(default.store_bytes, |mib| self.store_bytes(&mib)),
            secrets: file.secrets.map(|folder| self.secrets(&folder)),
            prometheus: file.prometheus.map(|url| self.prometheus(&url)),
            limits: file.guard.map_or(default.limits, |pace| self.pace(&pace)),
            rules: file.workloads.into_iter().map(|rule| self.rule(rule)).collect(),
        }
    }

    fn listen(&mut self, listen: &Spanned<String>) -> String {
        let address = listen.get_ref();
        if address != "off" && address.parse::<std::net::SocketAddr>().is_err() {
            self.fault(
                listen,
                format!("listen = {address:?} is no address"),
                "give ADDRESS:PORT, e.g. \"127.0.0.1:7070\", or \"off\"",
            );
        }
        address.clone()
    }

    fn store_bytes(&mut self, mib: &Spanned<u64>) -> u64 {
        let range = 16..=1_048_576;
        if !range.contains(mib.get_ref()) {
            self.fault(mib, format!("store_mib = {} is out of range", mib.get_ref()), "give 16 to 1048576 (MiB)");
        }
        mib.get_ref().saturating_mul(1 << 20)
    }

    fn secrets(&mut self, folder: &Spanned<PathBuf>) -> PathBuf {
        if !folder.get_ref().is_dir() {
            let what = format!("secrets = {:?} is no folder", folder.get_ref());
            self.fault(folder, what, "make it, readable by Apportion's user alone, or leave the key out");
        }
        folder.get_ref().clone()
    }

    fn prometheus(&mut self, url: &Spanned<String>) -> String {
        prometheus_address(url.get_ref()).unwrap_or_else(|error| {
            self.fault(url, error.to_string(), "give http://HOST:PORT or https://HOST:PORT");
            String::new()
        })
    }

    fn pace(&mut self, pace: &Spanned<String>) -> GuardLimits {
        limits(pace.get_ref()).unwrap_or_else(|| {
            let what = format!("guard = {:?} is not known", pace.get_ref());
            self.fault(pace, what, "give \"careful\", \"normal\" or \"brisk\"");
            GuardLimits::default()
        })
    }

    fn rule(&mut self, file: Spanned<RuleFile>) -> Rule {
        let remedy = "give a name or a pattern, e.g. match = \"nginx*\"";
        match &file.get_ref().pattern {
            None => self.fault(&file, "missing field `match`".to_owned(), remedy),
            Some(pattern) if pattern.get_ref().is_empty() => self.fault(pattern, "match is empty".to_owned(), remedy),
            Some(pattern) => self.reach(pattern),
        }
        let file = file.into_inner();
        let pattern = file.pattern.map(Spanned::into_inner).unwrap_or_default();
        let default = Standing::default();
        let standing = Standing {
            mode: if file.apply { Mode::Apply } else { Mode::Recommend },
            violation_share: file.violation.map_or(default.violation_share, |share| self.violation(&share)),
            priority: file.priority.map_or(default.priority, |level| self.priority(&level)),
            weight: file.weight.map_or(default.weight, |weight| self.weight(&weight)),
            bounds: file.bounds.iter().filter_map(|(knob, range)| self.bounds(knob, range)).collect(),
            ..default
        };
        file.queries.iter().for_each(|(metric, query)| self.query(&pattern, metric, query));
        let queries = file.queries.into_iter().map(|(metric, query)| (metric, query.into_inner())).collect();
        Rule { pattern, queries, standing }
    }

    /// A rule after one that holds for all that it matches is never used.
    fn reach(&mut self, pattern: &Spanned<String>) {
        let (later, line) = (pattern.get_ref(), line_of(self.text, pattern.span().start));
        let before = self.seen.iter().find(|(earlier, _)| covers(earlier, later)).cloned();
        if let Some((earlier, at)) = before {
            let what = format!("match = {later:?} is never used: match = {earlier:?} in line {at} holds for all of it");
            self.fault(pattern, what, "put it before that rule, or make one rule of the two");
        }
        self.seen.push((later.clone(), line));
    }

    fn query(&mut self, pattern: &str, metric: &str, query: &Spanned<String>) {
        if query.get_ref().trim().is_empty() {
            self.fault(query, format!("queries.{metric} is empty"), "give PromQL, or leave it out");
        }
        if let Some(meant) = queries::meant(metric) {
            let what = format!("queries.{metric} is no figure that is acted on; {meant} is, in the unit of its name");
            self.fault(query, what, &format!("write {meant}, or give a figure of your own another name"));
        }
        if is_pattern(pattern) && !query.get_ref().contains("$workload") {
            let what = format!("queries.{metric} is the same for all that match = {pattern:?} matches");
            self.fault(query, what, "put $workload into it, or give one workload's whole name as match");
        }
    }

    fn violation(&mut self, share: &Spanned<f64>) -> f64 {
        if !(0.0001..=0.5).contains(share.get_ref()) {
            let what = format!("violation = {} is out of range", share.get_ref());
            self.fault(
                share,
                what,
                "give the share of time in which more may be wanted than is allotted, 0.0001 to 0.5",
            );
        }
        *share.get_ref()
    }

    fn priority(&mut self, level: &Spanned<String>) -> u8 {
        let known = PRIORITIES.iter().zip(0..).find(|(name, _)| *name == level.get_ref());
        known.map_or_else(
            || {
                let what = format!("priority = {:?} is not known", level.get_ref());
                self.fault(level, what, "give \"low\", \"normal\", \"high\" or \"critical\"");
                Standing::default().priority
            },
            |(_, priority)| priority,
        )
    }

    fn weight(&mut self, weight: &Spanned<f64>) -> f64 {
        if !(0.01..=100.0).contains(weight.get_ref()) {
            self.fault(weight, format!("weight = {} is out of range", weight.get_ref()), "give 0.01 to 100");
        }
        *weight.get_ref()
    }

    fn bounds(&mut self, name: &str, range: &Spanned<Vec<amount::Amount>>) -> Option<(Knob, Bounds)> {
        let Some(knob) = Knob::from_name(name) else {
            let known: Vec<&str> = apportion_core::knob::ALL.iter().map(|knob| knob.name()).collect();
            self.fault(range, format!("bounds.{name} is no knob"), &format!("give one of {}", known.join(", ")));
            return None;
        };
        let bounds = amount::bounds(range.get_ref());
        if bounds.is_none() {
            let what = format!("bounds.{name} is no range");
            self.fault(
                range,
                what,
                "give [least, most] with 0 <= least <= most, e.g. [0.25, 4] or [\"256Mi\", \"2Gi\"]",
            );
        }
        bounds.map(|bounds| (knob, bounds))
    }
}

/// What priorities are called, from 0 on.
const PRIORITIES: [&str; 4] = ["low", "normal", "high", "critical"];

/// What a priority is called; those above all that have names are called as the highest.
pub(crate) fn priority_name(priority: u8) -> &'static str {
    PRIORITIES[usize::from(priority).min(PRIORITIES.len() - 1)]
}

/// True for a name with wildcards.
pub(crate) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// True where one pattern matches all that another does. A `?` does not cover a `*`, which may stand for more.
fn covers(earlier: &str, later: &str) -> bool {
    earlier == later || matches(earlier, later) && !(earlier.contains('?') && later.contains('*'))
}

/// The named paces of the guard.
fn limits(pace: &str) -> Option<GuardLimits> {
    let normal = GuardLimits::default();
    match pace {
        "careful" => {
            Some(GuardLimits { cut_share: 0.1, learn_s: 86_400.0, cool_down_s: 3_600.0, blast_share: 0.05, ..normal })
        }
        "normal" => Some(normal),
        "brisk" => Some(GuardLimits { cut_share: 0.5, learn_s: 30.0, cool_down_s: 60.0, blast_share: 1.0, ..normal }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
