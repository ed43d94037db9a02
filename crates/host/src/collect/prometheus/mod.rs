//! Workloads and figures that a Prometheus server knows: weeks of history at the start, then the present.
//!
//! A query gives a metric in the metric's own unit (cores, not core-seconds). What the samples hold as a counter is summed
//! up from it, and starts again from zero after a gap, so that a gap stays one. A series that is not in the answer has no
//! sample: missing is not zero. NaN and infinities are left out as well.

mod answer;
mod client;
mod config;
mod counter;
mod secret;
mod templates;

pub use answer::{Answer, AnswerError, AnswerSeries, parse_answer};
pub use client::ClientError;
pub use config::{ConfigError, PrometheusConfig, Query, QueryGroup, address as prometheus_address};
pub use secret::{Auth, SecretError, SecretFrom};

use apportion_core::{Batch, Collector, Kind, Metric, Problem, Time, Window, Workload, WorkloadId, WorkloadKind};
use client::Client;
use config::NameTemplate;
use counter::Counters;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// Points of one series that Prometheus gives in one answer are at most 11,000; stay below.
const MOST_POINTS: usize = 10_000;
/// Points of all series that one page of history aims at: some 20 MB of JSON.
const PAGE_POINTS: usize = 400_000;
/// The first page is small: it shows how many series there are.
const FIRST_PAGE_POINTS: usize = 500;
/// Queries of one round are begun within so long, or within the interval where that is shorter: its samples have one time.
const ROUND_S: u32 = 30;

/// Asks a Prometheus server.
#[derive(Debug)]
pub struct PrometheusCollector {
    client: Client,
    interval_s: u32,
    window_s: u32,
    asked: Vec<Asked>,
    /// When it was last asked with success.
    last: Option<Time>,
    known: Vec<Workload>,
}

/// One query and what it gave before.
#[derive(Debug)]
struct Asked {
    group: String,
    metric: Metric,
    promql: String,
    name: NameTemplate,
    interval_s: u32,
    window_s: u32,
    counters: Counters,
    series: SeriesSeen,
}

/// How many series a query gave last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SeriesSeen {
    NotAsked,
    None,
    Some(usize),
}

impl PrometheusCollector {
    /// A collector for a server; nothing is asked yet.
    ///
    /// # Errors
    /// The configuration cannot be used: the address, a name template, the CA file.
    pub fn new(config: &PrometheusConfig) -> Result<Self, ConfigError> {
        let (client, interval_s, window_s) = (Client::new(config)?, config.interval_s.max(1), config.window_s);
        let mut made = Self { client, interval_s, window_s, asked: Vec::new(), last: None, known: Vec::new() };
        made.ask_about(&config.groups)?;
        Ok(made)
    }

    /// Asks about these groups from now on. What was asked before goes on where it was.
    ///
    /// # Errors
    /// A name template cannot be read; nothing is changed then.
    pub fn ask_about(&mut self, groups: &[QueryGroup]) -> Result<(), ConfigError> {
        let mut asked = Vec::new();
        for group in groups {
            let name = NameTemplate::parse(&group.workload)?;
            asked.extend(group.queries.iter().map(|query| Asked {
                group: group.name.clone(),
                metric: Metric::new(&query.metric),
                promql: query.promql.replace("$selector", &group.selector),
                name: name.clone(),
                interval_s: self.interval_s,
                window_s: self.window_s,
                counters: Counters::default(),
                series: SeriesSeen::NotAsked,
            }));
        }
        for new in &mut asked {
            if let Some(same) = self.asked.iter().position(|before| before.is_same(new)) {
                *new = self.asked.swap_remove(same);
            }
        }
        self.asked = asked;
        Ok(())
    }

    /// Reads the past in pages, oldest first, query by query. Each batch goes to `sink` as it comes; a page of a counter
    /// begins with the last two readings of the page before it. What fails is a problem of its batch, and the next query goes on.
    pub fn history(&mut self, window: Window, sink: &mut dyn FnMut(Batch)) {
        for asked in &mut self.asked {
            asked.history(&self.client, window, sink);
        }
    }

    fn ask_all(&mut self, now: Time) -> Batch {
        let mut batch = Batch::default();
        let until = Instant::now() + Duration::from_secs(self.interval_s.min(ROUND_S).into());
        for index in 0..self.asked.len() {
            if Instant::now() >= until {
                self.leave_off(index, &mut batch);
                return batch;
            }
            let asked = &mut self.asked[index];
            let Err(error) = asked.now(&self.client, now, &mut batch) else { continue };
            batch.problems.push(asked.problem(&self.client, &error.to_string()));
            // A server that does not answer would cost its timeout for every query. What it said before still exists.
            if error.is_server_lost() {
                return batch;
            }
        }
        self.known = unique(std::mem::take(&mut batch.workloads));
        batch
    }

    /// Ends a round before the query at `index`; the next one begins there. What a query that was not asked said before still exists.
    fn leave_off(&mut self, index: usize, batch: &mut Batch) {
        let what = format!(
            "{} of {} queries were not asked in time, the next round begins with them: let Prometheus record the figures first, \
             or match fewer workloads",
            self.asked.len() - index,
            self.asked.len()
        );
        batch.problems.push(Problem { place: format!("prometheus {}", self.client.address()), what });
        self.asked.rotate_left(index);
        batch.workloads.append(&mut self.known);
        self.known = unique(std::mem::take(&mut batch.workloads));
    }
}

impl Collector for PrometheusCollector {
    fn name(&self) -> &str {
        "prometheus"
    }

    /// Asks when the interval is over; in between, and while the server is away, the workloads known so far have no samples.
    fn collect(&mut self, now: Time) -> Batch {
        // Half a second is what a tick may come early.
        let is_due = self.last.is_none_or(|last| {
            let age_s = now.since_s(last);
            age_s < 0.0 || age_s + 0.5 >= f64::from(self.interval_s)
        });
        let mut batch = if is_due { self.ask_all(now) } else { Batch::default() };
        if is_due {
            self.last = Some(now);
        }
        batch.workloads.clone_from(&self.known);
        batch
    }
}

impl Asked {
    fn is_same(&self, other: &Self) -> bool {
        (&self.group, &self.metric, &self.promql, &self.name)
            == (&other.group, &other.metric, &other.promql, &other.name)
    }

    fn promql(&self, step_s: u32) -> String {
        let window_s = self.window_s.max(step_s);
        self.promql.replace("$window", &format!("{window_s}s"))
    }

    fn problem(&self, client: &Client, what: &str) -> Problem {
        let place = format!("prometheus {}: query {}/{}", client.address(), self.group, self.metric);
        Problem { place, what: format!("{what} (asked: {})", self.promql) }
    }

    fn now(&mut self, client: &Client, now: Time, batch: &mut Batch) -> Result<(), client::ClientError> {
        let answer = client.instant(&self.promql(self.interval_s), now)?;
        self.note_presence(answer.series.len(), client, batch);
        self.take(&answer, Pace::Live { now, interval_s: f64::from(self.interval_s) }, client, batch);
        Ok(())
    }

    fn history(&mut self, client: &Client, window: Window, sink: &mut dyn FnMut(Batch)) {
        let step_s = i64::from(window.step_s);
        self.counters = Counters::default();
        let (mut from_s, mut points) = (window.from_s, FIRST_PAGE_POINTS);
        while from_s < window.to_s {
            let most = i64::try_from(points).unwrap_or(i64::MAX).saturating_mul(step_s);
            let page = Window { from_s, to_s: from_s.saturating_add(most).min(window.to_s), step_s: window.step_s };
            let mut batch = Batch::default();
            self.counters.recent(|workload, time, total| batch.push(workload, &self.metric, time, total));
            match client.range(&self.promql(window.step_s), page) {
                Ok(answer) => {
                    self.take(&answer, Pace::Steps(f64::from(window.step_s)), client, &mut batch);
                    points = (PAGE_POINTS / answer.series.len().max(1)).clamp(100, MOST_POINTS);
                }
                Err(error) => {
                    batch.problems.push(self.problem(client, &error.to_string()));
                    return sink(batch);
                }
            }
            batch.workloads = unique(batch.workloads);
            sink(batch);
            from_s = page.to_s;
        }
        self.counters = Counters::default();
    }

    /// Says when a query finds nothing: at first, and when it did find something before.
    fn note_presence(&mut self, series: usize, client: &Client, batch: &mut Batch) {
        let what = match (self.series, series) {
            (SeriesSeen::NotAsked, 0) => Some(
                "gives no series (missing, not zero): check the metric's name and the selector, or leave the query out"
                    .to_owned(),
            ),
            (SeriesSeen::Some(before), 0) => Some(format!(
                "gives no series any more, {before} before (stale, not zero): is the target still scraped?"
            )),
            _ => None,
        };
        batch.problems.extend(what.map(|what| self.problem(client, &what)));
        self.series = if series == 0 { SeriesSeen::None } else { SeriesSeen::Some(series) };
    }

    /// Turns an answer into samples.
    fn take(&mut self, answer: &Answer, pace: Pace, client: &Client, batch: &mut Batch) {
        let mut by_workload: BTreeMap<WorkloadId, Vec<&AnswerSeries>> = BTreeMap::new();
        let mut nameless = 0_usize;
        for series in &answer.series {
            match self.name.of(&series.labels) {
                Some(name) => by_workload.entry(WorkloadId::new(&name)).or_default().push(series),
                None => nameless += 1,
            }
        }
        let twice: BTreeSet<&WorkloadId> =
            by_workload.iter().filter(|(_, series)| series.len() > 1).map(|(workload, _)| workload).collect();
        let complaints = complaints(answer, nameless, &twice, &self.name);
        batch.problems.extend(complaints.iter().map(|what| self.problem(client, what)));
        for (workload, series) in &by_workload {
            let [series] = series[..] else { continue };
            if self.name.declares() {
                batch.workloads.push(declared(workload, series, &self.group));
            }
            self.push(workload, series, pace, batch);
        }
    }

    fn push(&mut self, workload: &WorkloadId, series: &AnswerSeries, pace: Pace, batch: &mut Batch) {
        let is_counter = self.metric.kind() == Kind::Counter;
        for (time, value) in series.points.iter().filter(|(_, value)| value.is_finite()) {
            let time = match pace {
                Pace::Live { now, .. } => now,
                Pace::Steps(_) => *time,
            };
            if is_counter {
                self.counters.add(workload, time, *value, pace.most_apart_s(), pace.step_s(), |time, total| {
                    batch.push(workload, &self.metric, time, total);
                });
            } else {
                batch.push(workload, &self.metric, time, *value);
            }
        }
    }
}

/// How points follow each other.
#[derive(Clone, Copy)]
enum Pace {
    /// One by one, as the loop asks: stamped with the time of asking.
    Live { now: Time, interval_s: f64 },
    /// On a grid, seconds.
    Steps(f64),
}

impl Pace {
    /// Points further apart than this have a gap between them.
    fn most_apart_s(self) -> f64 {
        match self {
            Self::Live { interval_s, .. } => (interval_s * 2.5).max(60.0),
            Self::Steps(step_s) => step_s * 1.5,
        }
    }
    /// The time that a point after a gap speaks for; 0 where that is not known.
    const fn step_s(self) -> f64 {
        match self {
            Self::Live { .. } => 0.0,
            Self::Steps(step_s) => step_s,
        }
    }
}

fn complaints(answer: &Answer, nameless: usize, twice: &BTreeSet<&WorkloadId>, name: &NameTemplate) -> Vec<String> {
    let mut complaints: Vec<String> =
        answer.warnings.iter().map(|warning| format!("the server warns: {warning}")).collect();
    if nameless > 0 {
        complaints
            .push(format!("{nameless} series lack labels of the workload's name {name}: add `by (...)` with them"));
    }
    if let Some(first) = twice.first() {
        complaints.push(format!(
            "{} workloads, such as {first}, have several series, which are left out: sum them `by` the labels of {name}",
            twice.len()
        ));
    }
    if answer.histograms > 0 {
        complaints.push(format!(
            "{} series are native histograms, which are left out: use histogram_quantile or histogram_sum",
            answer.histograms
        ));
    }
    complaints
}

fn declared(id: &WorkloadId, series: &AnswerSeries, group: &str) -> Workload {
    let mut labels = series.labels.clone();
    labels.remove("__name__");
    labels.insert("source".to_owned(), format!("prometheus/{group}"));
    Workload { id: id.clone(), kind: WorkloadKind::Trace, path: String::new(), labels }
}

/// One workload an id, the first wins.
fn unique(mut workloads: Vec<Workload>) -> Vec<Workload> {
    workloads.sort_by(|a, b| a.id.cmp(&b.id));
    workloads.dedup_by(|later, first| later.id == first.id);
    workloads
}
