//! A Prometheus server beside the machine's own files: weeks of history at the start, application figures with it.

use crate::config::{Config, Rule};
use anyhow::Context as _;
use apportion_core::{Time, Window};
use apportion_host::{
    collect::{Auth, PrometheusCollector, PrometheusConfig, Query, QueryGroup, SecretFrom},
    store::Store,
};
use std::{path::Path, sync::Arc};

/// How much history a new installation starts with: thirty days of five minutes.
const HISTORY_STEP_S: u32 = 300;
const HISTORY_STEPS: usize = 30 * 288;

/// A collector for the configured server; `None` where none is configured.
pub(crate) fn collector(config: &Config) -> anyhow::Result<Option<PrometheusCollector>> {
    let Some(url) = &config.prometheus else { return Ok(None) };
    let secrets = config.secrets.as_deref();
    let file = |name: &str| secrets.map(|folder| folder.join(name)).filter(|path| path.exists());
    let mut groups = vec![QueryGroup::cadvisor(""), QueryGroup::node("")];
    groups.extend(config.rules.iter().filter(|rule| !rule.queries.is_empty()).map(group));
    let server =
        PrometheusConfig { auth: auth(secrets)?, ca_file: file("prometheus.ca"), groups, ..PrometheusConfig::new(url) };
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

/// The application figures of one rule's workload.
fn group(rule: &Rule) -> QueryGroup {
    let query = |(metric, promql): (&String, &String)| Query {
        metric: metric.clone(),
        promql: promql.replace("$workload", &rule.pattern),
    };
    QueryGroup {
        name: rule.pattern.clone(),
        workload: rule.pattern.clone(),
        selector: String::new(),
        queries: rule.queries.iter().map(query).collect(),
    }
}

/// Brings the server's history into the store, beside the loop. What was measured or brought in before stays.
pub(super) fn backfill(config: &Config, store: &Arc<Store>, now: Time) -> anyhow::Result<()> {
    let Some(mut collector) = collector(config)? else { return Ok(()) };
    let store = Arc::clone(store);
    std::thread::Builder::new().name("history".to_owned()).spawn(move || {
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
        tracing::info!(steps, "history from Prometheus is in the store");
    })?;
    Ok(())
}
