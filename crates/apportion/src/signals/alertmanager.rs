//! Alerts as Alertmanager's webhook sends them (version 4 of its format): labels name the workload and the severity.

use super::Report;
use apportion_core::{SignalSource, instruction::Level};
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Alerts of one call that are looked at; Alertmanager's `max_alerts` may be set to the same.
pub const MOST_ALERTS: usize = 100;
/// Labels that may name a workload, the narrowest first.
const NAMES: [&str; 10] =
    ["workload", "unit", "service", "systemd_unit", "container", "pod", "deployment", "name", "job", "app"];

/// What Alertmanager sends; what is not needed is left unread.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Webhook {
    /// The alerts of one group.
    pub alerts: Vec<Alert>,
}

/// One alert.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Alert {
    /// firing or resolved.
    pub status: String,
    /// `alertname`, `severity`, and one of workload, unit, service, container, pod and the like.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// `summary`, `description`.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// The alerts as reports.
#[must_use]
pub fn reports(webhook: &Webhook) -> Vec<Report> {
    webhook.alerts.iter().take(MOST_ALERTS).map(report).collect()
}

fn report(alert: &Alert) -> Report {
    let label = |name: &str| alert.labels.get(name).map(String::as_str).unwrap_or_default();
    let said = ["summary", "description"].into_iter().filter_map(|name| alert.annotations.get(name));
    let text = std::iter::once(label("alertname")).chain(said.map(String::as_str)).collect::<Vec<_>>().join(": ");
    Report {
        names: NAMES.iter().filter_map(|name| alert.labels.get(*name)).cloned().collect(),
        level: level(label("severity")),
        source: SignalSource::Alert,
        text,
        over: alert.status == "resolved",
    }
}

fn level(severity: &str) -> Level {
    match severity.to_lowercase().as_str() {
        "critical" | "page" | "emergency" | "fatal" | "p0" | "p1" => Level::Critical,
        "warning" | "error" | "high" | "major" | "p2" => Level::High,
        _ => Level::Low,
    }
}
