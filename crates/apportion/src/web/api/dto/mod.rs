//! What the API answers with. Times are seconds since 1970, amounts are in base units that the field or `unit` names.

mod decision;
mod rationale;
mod reason;

pub(super) use decision::{DecisionShown, Decisions};
pub(super) use rationale::RationaleShown;

use crate::web::{
    backend::ForecasterScore,
    publish::memory_metric,
    view::{Footing, WorkloadNow},
};
use apportion_core::{Knob, Latest, Metric, Setting, Time, WorkloadKind, metric::name};
use apportion_language::wording::explain_want;
use reason::{BindingShown, Peak, ReasonShown};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What a knob is set to: an amount, or "unlimited".
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum SettingShown {
    Value(f64),
    Word(Unlimited),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unlimited {
    Unlimited,
}

impl From<Setting> for SettingShown {
    fn from(setting: Setting) -> Self {
        match setting {
            Setting::Unlimited => Self::Word(Unlimited::Unlimited),
            Setting::Value(value) => Self::Value(value),
        }
    }
}

/// The unit that a metric's or knob's name ends in.
pub(super) fn unit(name: &str) -> &'static str {
    const UNITS: [&str; 7] = ["bytes_per_s", "per_s", "cores", "bytes", "share", "count", "s"];
    let ends = |unit: &&str| name.strip_suffix(*unit).is_some_and(|rest| rest.ends_with('_'));
    UNITS.into_iter().find(ends).unwrap_or("")
}

/// One knob of a workload.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KnobShown {
    #[schema(value_type = String, example = "cpu_quota_cores")]
    knob: Knob,
    unit: &'static str,
    /// What it is set to; null where it cannot be reached.
    setting: Option<SettingShown>,
    /// What the workload should have, before sharing out.
    wanted: Option<f64>,
    /// What it would be allotted.
    allotted: Option<f64>,
    /// Setting less allotment; null where unlimited or unknown, negative where more is needed.
    saving: Option<f64>,
    peak: Option<Peak>,
    /// What decided.
    binding: Option<BindingShown>,
}

impl KnobShown {
    fn of(now: &WorkloadNow, knob: Knob) -> Self {
        let setting = now.state.settings.get(&knob).copied();
        let want = now.wants.iter().find(|want| want.knob == knob);
        let allotted = now.allotted.get(&knob).copied();
        Self {
            knob,
            unit: unit(knob.name()),
            setting: setting.map(Into::into),
            wanted: want.map(|want| want.value),
            allotted,
            saving: setting.and_then(Setting::value).zip(allotted).map(|(set, allotted)| set - allotted),
            peak: want.and_then(|want| want.reason.expected.as_ref()).map(Into::into),
            binding: want.map(|want| (&want.reason.binding).into()),
        }
    }
}

/// One resource of a workload, as in the table.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ResourceRow {
    /// Used now; null where it is not measured.
    used: Option<f64>,
    age_s: Option<f64>,
    /// The last hour, one mean a minute; null is a gap.
    spark: Vec<Option<f64>>,
    knob: KnobShown,
}

impl ResourceRow {
    fn of(now: &WorkloadNow, at: Time, metric: &str, spark: &[f32], knob: Knob) -> Self {
        let age_s = Some(now.state.age_s(metric, at)).filter(|age_s| age_s.is_finite());
        let spark = spark.iter().map(|value| value.is_finite().then(|| four_digits(*value))).collect();
        Self { used: now.state.value(metric), age_s, spark, knob: KnobShown::of(now, knob) }
    }
}

/// Four significant digits are enough for a line 24 pixels high, and halve the answer.
fn four_digits(value: f32) -> f64 {
    let value = f64::from(value);
    let scale = 10_f64.powf(3.0 - value.abs().log10().floor());
    if scale.is_finite() { (value * scale).round() / scale } else { value }
}

/// The knob that stands for memory: the hard limit where it can be set.
fn memory_knob(now: &WorkloadNow) -> Knob {
    let known = |knob| now.state.settings.contains_key(&knob) || now.allotted.contains_key(&knob);
    if known(Knob::MemoryMax) || !known(Knob::MemoryHigh) { Knob::MemoryMax } else { Knob::MemoryHigh }
}

/// How Apportion stands to a workload, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FootingShown {
    /// One of own, ceded, held, stale, recommend, managed.
    name: &'static str,
    /// Why it is held, in somebody's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// The knob that somebody else turned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    knob: Option<Knob>,
    /// What it was set to by them.
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<SettingShown>,
    /// The metric that is too old.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    metric: Option<Metric>,
    /// How old.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_s: Option<f64>,
}

impl From<&Footing> for FootingShown {
    fn from(footing: &Footing) -> Self {
        let name = footing.name();
        let only = Self { name, why: None, knob: None, found: None, metric: None, age_s: None };
        match footing {
            Footing::Own | Footing::Recommend | Footing::Managed => only,
            Footing::Ceded { knob, found } => Self { knob: Some(*knob), found: Some((*found).into()), ..only },
            Footing::Held { why } => Self { why: Some(why.clone()), ..only },
            Footing::Stale { metric, age_s } => Self { metric: Some(metric.clone()), age_s: Some(*age_s), ..only },
        }
    }
}

/// One workload, as in the table.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WorkloadRow {
    id: String,
    #[schema(value_type = String, example = "cgroup")]
    kind: WorkloadKind,
    footing: FootingShown,
    /// Higher is served first: 0 low, 1 normal, 2 high, 3 critical.
    priority: u8,
    cpu: ResourceRow,
    memory: ResourceRow,
}

impl WorkloadRow {
    pub(super) fn of(now: &WorkloadNow, at: Time) -> Self {
        let memory = memory_metric(&now.state);
        Self {
            id: now.state.workload.id.to_string(),
            kind: now.state.workload.kind,
            footing: (&now.footing).into(),
            priority: now.state.standing.priority,
            cpu: ResourceRow::of(now, at, name::CPU, &now.cpu_spark_cores, Knob::CpuQuota),
            memory: ResourceRow::of(now, at, memory, &now.memory_spark_bytes, memory_knob(now)),
        }
    }
}

/// Every workload that exists now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Workloads {
    pub(super) tick: u64,
    pub(super) now_s: i64,
    pub(super) workloads: Vec<WorkloadRow>,
}

/// The newest value of a metric.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reading {
    #[schema(value_type = String)]
    metric: Metric,
    unit: &'static str,
    value: f64,
    age_s: f64,
}

/// All readings, by metric.
pub(super) fn readings(latest: &BTreeMap<Metric, Latest>, at: Time) -> Vec<Reading> {
    let reading = |(metric, latest): (&Metric, &Latest)| Reading {
        metric: metric.clone(),
        unit: unit(metric.as_str()),
        value: latest.value,
        age_s: at.since_s(latest.time),
    };
    latest.iter().map(reading).collect()
}

/// One knob, with bounds and reason.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KnobDetail {
    #[serde(flatten)]
    shown: KnobShown,
    /// The metric whose demand decides it.
    metric: &'static str,
    /// Least that people allow.
    min: f64,
    /// Most that people allow.
    max: Option<f64>,
    reason: Option<ReasonShown>,
    /// The reason in words, where nothing here can set the knob and so no decision says it.
    words: Option<String>,
}

/// One workload, whole.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WorkloadDetail {
    tick: u64,
    now_s: i64,
    #[serde(flatten)]
    row: WorkloadRow,
    path: String,
    labels: BTreeMap<String, String>,
    weight: f64,
    /// The share of time in which more may be wanted than is allotted.
    violation_share: f64,
    metrics: Vec<Reading>,
    knobs: Vec<KnobDetail>,
    /// How each forecaster did on this workload's own past, best first per metric.
    scores: Vec<Score>,
}

impl WorkloadDetail {
    pub(super) fn of(
        now: &WorkloadNow,
        (tick, at): (u64, Time),
        scores: &[ForecasterScore],
        language: apportion_language::Language,
    ) -> Self {
        let state = &now.state;
        let shown = |knob: &Knob| {
            state.settings.contains_key(knob)
                || now.allotted.contains_key(knob)
                || now.wants.iter().any(|want| want.knob == *knob)
        };
        Self {
            tick,
            now_s: at.s(),
            row: WorkloadRow::of(now, at),
            path: state.workload.path.clone(),
            labels: state.workload.labels.clone(),
            weight: state.standing.weight,
            violation_share: state.standing.violation_share,
            metrics: readings(&state.latest, at),
            knobs: apportion_core::knob::ALL
                .into_iter()
                .filter(shown)
                .map(|knob| knob_detail(now, knob, at, language))
                .collect(),
            scores: scores.iter().map(Score::of).collect(),
        }
    }
}

fn knob_detail(now: &WorkloadNow, knob: Knob, at: Time, language: apportion_language::Language) -> KnobDetail {
    let state = &now.state;
    let bounds = state.standing.bounds.get(&knob).copied().unwrap_or_default();
    let want = now.wants.iter().find(|want| want.knob == knob);
    let unset = want.filter(|_| !state.settings.contains_key(&knob));
    let words = |want| explain_want(&state.workload.id, want, at, language, &jiff::tz::TimeZone::system());
    KnobDetail {
        shown: KnobShown::of(now, knob),
        metric: knob.demand_metric(),
        min: bounds.min,
        max: bounds.max,
        reason: want.map(|want| (&want.reason).into()),
        words: unset.map(words),
    }
}

/// How one forecaster did.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Score {
    #[schema(value_type = String)]
    metric: Metric,
    by: String,
    /// Weighted quantile loss relative to seasonal naive; below 1 is better.
    score: f64,
    chosen: bool,
}

impl Score {
    fn of(score: &ForecasterScore) -> Self {
        let ForecasterScore { metric, by, score, chosen } = score.clone();
        Self { metric, by, score, chosen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_last_in_names() {
        let check = |name: &str, expect| assert_eq!(unit(name), expect, "{name}");
        check("cpu_cores", "cores");
        check("io_read_bytes_per_s", "bytes_per_s");
        check("oom_kills_per_s", "per_s");
        check("latency_s", "s");
        check("cpu_throttled_share", "share");
        check("memory_working_set_bytes", "bytes");
        check("baskets", "");
        check("ls", "");
    }

    #[test]
    fn four_digits_keep_the_shape() {
        let check = |value: f32, expect: f64| assert_eq!(four_digits(value), expect);
        check(0.123_456, 0.1235);
        check(4_097_999_872.0, 4_098_000_000.0);
        check(0.0, 0.0);
        check(-1.23456, -1.235);
        assert!(four_digits(f32::MIN_POSITIVE).is_finite());
        assert!(four_digits(f32::MAX).is_finite());
    }
}
