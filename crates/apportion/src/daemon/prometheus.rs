//! A Prometheus server beside the machine's own files: weeks of history at the start, application figures with it.

use crate::config::{Config, Rule, is_pattern};
use anyhow::Context as _;
use apportion_core::{Batch, Collector, Problem, Time, Window, Workload, WorkloadId};
use apportion_host::{
    collect::{Auth, PrometheusCollector, PrometheusConfig, Query, QueryGroup, SecretFrom},
    store::Store,
};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

/// How much history a new installation starts with: thirty days of five minutes.
const HISTORY_STEP_S: u32 = 300;
const HISTORY_STEPS: usize = 30 * 288;
/// History of a pattern's workloads waits so long for the loop to find them.
const FOUND_WITHIN_S: usize = 60;
/// What was asked longer ago has no place among newer readings any more: it would look like a clock that was set back.
const LATE_S: f64 = 45.0;

/// The workloads that the loop finds: what rules with patterns ask about.
#[derive(Clone, Debug, Default)]
pub(super) struct Found(Arc<Mutex<BTreeSet<WorkloadId>>>);

impl Found {
    /// Takes the names of the workloads that exist now.
    pub(super) fn know(&self, names: impl Iterator<Item = WorkloadId>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = names.collect();
    }

    fn names(&self) -> BTreeSet<WorkloadId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The loop's side: takes what was answered meanwhile, and has the next round asked. A slow server holds up no turn.
struct Server {
    ask: mpsc::Sender<Time>,
    answers: mpsc::Receiver<Batch>,
    /// When the round began that is not over yet.
    waiting: Option<Time>,
    known: Vec<Workload>,
}

impl Collector for Server {
    fn name(&self) -> &'static str {
        "prometheus"
    }

    fn collect(&mut self, now: Time) -> Batch {
        let mut batch = Batch::default();
        if let Ok(answered) = self.answers.try_recv() {
            self.known.clone_from(&answered.workloads);
            (batch, self.waiting) = (answered, None);
        }
        batch.samples.retain(|sample| now.since_s(sample.time) <= LATE_S);
        batch.workloads.clone_from(&self.known);
        match self.waiting {
            None => self.waiting = self.ask.send(now).is_ok().then_some(now),
            Some(since) if now.since_s(since) > LATE_S => {
                let what = format!(
                    "a round of queries is not over after {:.0} s: see how loaded the server is",
                    now.since_s(since)
                );
                batch.problems.push(Problem { place: "prometheus".to_owned(), what });
            }
            Some(_) => {}
        }
        batch
    }
}

/// Asks the server for what everyone scrapes, and by the rules' queries about the workloads that are found.
struct Asker {
    collector: PrometheusCollector,
    config: Config,
    found: Found,
    asked: BTreeSet<WorkloadId>,
}

impl Asker {
    fn round(&mut self, now: Time) -> Batch {
        let found = self.found.names();
        let mut problem = None;
        if found != self.asked {
            let groups = [whole(&self.config), templates(&self.config, &found)].concat();
            let place = "prometheus".to_owned();
            problem = self.collector.ask_about(&groups).err().map(|error| Problem { place, what: error.to_string() });
            self.asked = found;
        }
        let mut batch = self.collector.collect(now);
        batch.problems.extend(problem);
        batch
    }
}

/// The loop's collector for the configured server; `None` where none is configured.
pub(super) fn server(config: &Config, found: &Found) -> anyhow::Result<Option<Box<dyn Collector + Send>>> {
    let Some(collector) = collector(config)? else { return Ok(None) };
    let (config, found) = (config.clone(), found.clone());
    let mut asker = Asker { collector, config, found, asked: BTreeSet::new() };
    let (ask, rounds) = mpsc::channel();
    let (answer, answers) = mpsc::channel();
    let rounds = move || rounds.iter().map(|now| asker.round(now)).try_for_each(|batch| answer.send(batch));
    std::thread::Builder::new().name("prometheus".to_owned()).spawn(rounds)?;
    Ok(Some(Box::new(Server { ask, answers, waiting: None, known: Vec::new() })))
}

/// A collector for the configured server that asks about what needs no workload to be found; `None` where none is configured.
pub(crate) fn collector(config: &Config) -> anyhow::Result<Option<PrometheusCollector>> {
    let Some(url) = &config.prometheus else { return Ok(None) };
    let secrets = config.secrets.as_deref();
    let file = |name: &str| secrets.map(|folder| folder.join(name)).filter(|path| path.exists());
    let (auth, ca_file, groups) = (auth(secrets)?, file("prometheus.ca"), whole(config));
    let server = PrometheusConfig { auth, ca_file, groups, ..PrometheusConfig::new(url) };
    Ok(Some(PrometheusCollector::new(&server)?))
}

/// A token, or a user's name and password, from the folder of secrets.
fn auth(secrets: Option<&Path>) -> anyhow::Result<Auth> {
    let file = |name: &str| secrets.map(|folder| folder.join(name)).filter(|path| path.exists());
    if let Some(token) = file("prometheus.token") {
        return Ok(Auth::Bearer(SecretFrom::File(token)));
    }
    let Some((user, password)) = file("prometheus.user").zip(file("prometheus.password")) else {
        return Ok(Auth::None);
    };
    let name = std::fs::read_to_string(&user).with_context(|| format!("{} cannot be read", user.display()))?;
    Ok(Auth::Basic { user: name.trim().to_owned(), password: SecretFrom::File(password) })
}

/// What everyone scrapes, and the figures of workloads that rules name whole.
fn whole(config: &Config) -> Vec<QueryGroup> {
    let mut groups = vec![QueryGroup::cadvisor(""), QueryGroup::node("")];
    let named = config.rules.iter().filter(|rule| !rule.queries.is_empty() && !is_pattern(&rule.pattern));
    groups.extend(named.map(|rule| group(rule, &rule.pattern)));
    groups
}

/// The figures of workloads that were found and whose first rule is a pattern with queries.
fn templates(config: &Config, found: &BTreeSet<WorkloadId>) -> Vec<QueryGroup> {
    let asked = |id: &WorkloadId| config.rule(id).filter(|rule| is_pattern(&rule.pattern) && !rule.queries.is_empty());
    // A brace in a name would be read as a label.
    let plain = found.iter().filter(|id| !id.as_str().contains(['{', '}']));
    plain.filter_map(|id| Some(group(asked(id)?, id.as_str()))).collect()
}

/// The application figures of one workload.
fn group(rule: &Rule, workload: &str) -> QueryGroup {
    let query = |(metric, promql): (&String, &String)| Query {
        metric: metric.clone(),
        promql: promql.replace("$workload", &inside_string(workload)),
    };
    QueryGroup {
        name: rule.pattern.clone(),
        workload: workload.to_owned(),
        selector: String::new(),
        queries: rule.queries.iter().map(query).collect(),
    }
}

/// A name as it stands between quotes in PromQL, whichever quotes they are.
fn inside_string(name: &str) -> String {
    let special = |one: char| matches!(one, '"' | '\'' | '\\' | '`');
    name.chars().map(|one| if special(one) { format!("\\x{:02x}", u32::from(one)) } else { one.to_string() }).collect()
}

/// Brings the server's history into the store, beside the loop. What was measured or brought in before stays.
pub(super) fn backfill(config: &Config, store: &Arc<Store>, found: &Found, now: Time) -> anyhow::Result<()> {
    let Some(mut collector) = collector(config)? else { return Ok(()) };
    let (config, store, found) = (config.clone(), Arc::clone(store), found.clone());
    std::thread::Builder::new().name("history".to_owned()).spawn(move || {
        let mut steps = fill(&mut collector, &store, now);
        let groups = templates(&config, &wait_for(&config, &found));
        if let Err(error) = collector.ask_about(&groups) {
            tracing::warn!("{error}");
        }
        steps += fill(&mut collector, &store, now);
        tracing::info!(steps, "history from Prometheus is in the store");
    })?;
    Ok(())
}

/// The workloads of the loop's first turn, where a rule needs them.
fn wait_for(config: &Config, found: &Found) -> BTreeSet<WorkloadId> {
    let needs = config.rules.iter().any(|rule| is_pattern(&rule.pattern) && !rule.queries.is_empty());
    for _ in 0..FOUND_WITHIN_S {
        if !needs || !found.names().is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    found.names()
}

fn fill(collector: &mut PrometheusCollector, store: &Store, now: Time) -> usize {
    let mut steps = 0;
    collector.history(Window::last(now, HISTORY_STEP_S, HISTORY_STEPS), &mut |batch| {
        for problem in &batch.problems {
            tracing::warn!("{}: {}", problem.place, problem.what);
        }
        match store.backfill(&batch, now) {
            Ok(filled) => steps += filled.steps,
            Err(error) => tracing::warn!("{error}"),
        }
    });
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers each query with `answer`, or never.
    fn serve(answer: Option<&'static str>) -> Config {
        use std::io::{Read as _, Write as _};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let text = format!("prometheus = \"http://{}\"", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4_096]);
                if let Some(answer) = answer {
                    let head =
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
                    let _ = write!(stream, "{head}{answer}");
                } else {
                    kept.push(stream);
                }
            }
        });
        Config::parse(&text, Path::new("a.toml")).unwrap()
    }

    #[test]
    fn a_server_that_does_not_answer_holds_up_no_turn() {
        let mut server = server(&serve(None), &Found::default()).unwrap().unwrap();
        let begin = std::time::Instant::now();
        let batches = [0, 10, 60].map(|s| server.collect(Time::from_s(1_790_000_000 + s)));
        assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
        assert!(batches[1].problems.is_empty());
        assert!(batches[2].problems[0].what.contains("not over after 60 s"), "{:?}", batches[2]);
    }

    #[test]
    fn what_was_answered_meanwhile_is_taken_at_the_next_turn() {
        let config = serve(Some(r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#));
        let mut server = server(&config, &Found::default()).unwrap().unwrap();
        let mut turn = || {
            std::thread::sleep(Duration::from_millis(100));
            server.collect(Time::from_s(1_790_000_000)).problems
        };
        let problems = (0..100).map(|_| turn()).find(|problems| !problems.is_empty()).unwrap();
        assert!(problems[0].what.contains("gives no series"), "{problems:?}");
    }

    #[test]
    fn a_template_asks_about_each_workload_whose_first_rule_it_is() {
        let text = "[[workloads]]\nmatch = 'shop-db'\n[[workloads]]\nmatch = 'shop-*'\n\
            queries = { latency_s = 'a{job=\"$workload\"}' }\n[[workloads]]\nmatch = '*'\npriority = 'low'";
        let config = Config::parse(text, Path::new("a.toml")).unwrap();
        let found = ["shop-db", "shop-web", "shop-\"odd\\", "shop-{x}", "cron"].map(WorkloadId::from).into();
        let groups = templates(&config, &found);
        let asked: Vec<_> =
            groups.iter().map(|group| (group.workload.as_str(), group.queries[0].promql.as_str())).collect();
        let expect = [("shop-\"odd\\", "a{job=\"shop-\\x22odd\\x5c\"}"), ("shop-web", "a{job=\"shop-web\"}")];
        assert_eq!(asked, expect);
        assert_eq!(whole(&config).len(), 2, "the pattern itself is asked about by nobody");
    }
}
