//! A Prometheus server beside the machine's own files: weeks of history at the start, application figures with it.

use crate::config::{Config, Rule, is_pattern};
use anyhow::Context as _;
use apportion_core::{Batch, Collector, Problem, Time, Window, WorkloadId, matches};
use apportion_host::{
    collect::{Auth, PrometheusCollector, PrometheusConfig, Query, QueryGroup, SecretFrom},
    store::Store,
};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How much history a new installation starts with: thirty days of five minutes.
const HISTORY_STEP_S: u32 = 300;
const HISTORY_STEPS: usize = 30 * 288;
/// History of a pattern's workloads waits so long for the loop to find them.
const FOUND_WITHIN_S: usize = 60;

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

/// Asks the server for what everyone scrapes, and by the rules' queries about the workloads that are found.
struct Server {
    collector: PrometheusCollector,
    config: Config,
    found: Found,
    asked: BTreeSet<WorkloadId>,
}

impl Collector for Server {
    fn name(&self) -> &str {
        self.collector.name()
    }

    fn collect(&mut self, now: Time) -> Batch {
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
    Ok(Some(Box::new(Server { collector, config, found, asked: BTreeSet::new() })))
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
    let rule = |id: &WorkloadId| config.rules.iter().find(|rule| matches(&rule.pattern, id.as_str()));
    let asked = |id: &WorkloadId| rule(id).filter(|rule| is_pattern(&rule.pattern) && !rule.queries.is_empty());
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
