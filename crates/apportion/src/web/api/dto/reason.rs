//! Why a number is what it is.

use apportion_core::{
    Binding, Counterfactual, Reason, Time,
    plan::{Expected, Used},
    workload::Asked,
};
use serde::Serialize;
use utoipa::ToSchema;

/// The forecast at the time of its greatest median.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Peak {
    at_s: i64,
    q10: f64,
    q50: f64,
    q90: f64,
}

impl From<&Expected> for Peak {
    fn from(expected: &Expected) -> Self {
        let [q10, q50, q90] = expected.peak;
        Self { at_s: expected.peak_at.s(), q10, q50, q90 }
    }
}

/// What decided a number.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BindingShown {
    /// One of forecast, recent, cold_start, announced, floor, ceiling, share, step_limit, memory_in_use, take_back, rolled_back, rule.
    name: &'static str,
    /// The decision that is taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<u64>,
    /// What usual demand would need, where people announced another.
    #[serde(skip_serializing_if = "Option::is_none")]
    usual: Option<f64>,
    /// The sum of what all want, where the machine cannot give it.
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<f64>,
    /// What there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<f64>,
    /// Name of a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
}

impl From<&Binding> for BindingShown {
    fn from(binding: &Binding) -> Self {
        let only = |name| Self { name, of: None, usual: None, wanted: None, capacity: None, rule: None };
        match binding {
            Binding::Forecast => only("forecast"),
            Binding::Recent => only("recent"),
            Binding::ColdStart => only("cold_start"),
            Binding::LookAlikes { .. } => only("look_alikes"),
            Binding::Announced { usual } => Self { usual: Some(*usual), ..only("announced") },
            Binding::Floor => only("floor"),
            Binding::Ceiling => only("ceiling"),
            Binding::Share { wanted, capacity } => {
                Self { wanted: Some(*wanted), capacity: Some(*capacity), ..only("share") }
            }
            Binding::StepLimit => only("step_limit"),
            Binding::MemoryInUse => only("memory_in_use"),
            Binding::TakeBack { of } => Self { of: Some(of.0), ..only("take_back") },
            Binding::RolledBack { of } => Self { of: Some(of.0), ..only("rolled_back") },
            Binding::BoundOver { of } => Self { of: Some(of.0), ..only("bound_over") },
            Binding::SetAgain => only("set_again"),
            Binding::Rule(rule) => Self { rule: Some(rule.clone()), ..only("rule") },
        }
    }
}

/// Why a number is what it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReasonShown {
    used: Option<UsedShown>,
    expected: Option<ExpectedShown>,
    /// The quantile of demand that the allotment covers.
    quantile: f64,
    /// Factor on top because of earlier harm or what was reported; 1 is none.
    margin: f64,
    binding: BindingShown,
    counterfactual: Option<CounterfactualShown>,
    /// What people or signals asked for beyond what is enough; its factor is in `margin` too.
    asked: Option<AskedShown>,
    /// The least or the most that people allow, where that decided.
    bound: Option<f64>,
    /// Numbers of the instructions that bear on it.
    said: Vec<i64>,
}

impl From<&Reason> for ReasonShown {
    fn from(reason: &Reason) -> Self {
        Self {
            used: reason.used.map(Into::into),
            expected: reason.expected.as_ref().map(Into::into),
            quantile: reason.quantile,
            margin: reason.margin,
            binding: (&reason.binding).into(),
            counterfactual: reason.counterfactual.map(Into::into),
            asked: reason.asked.map(Into::into),
            bound: reason.bound,
            said: reason.said.iter().map(|said| said.0).collect(),
        }
    }
}

/// What was asked for.
#[derive(Debug, Serialize, ToSchema)]
struct AskedShown {
    /// Times what would be enough; 1 is just that.
    factor: f64,
    /// Added to that; negative takes away.
    added: f64,
    /// True where an alert or a log line asks, false where people do.
    by_signal: bool,
}

impl From<Asked> for AskedShown {
    fn from(asked: Asked) -> Self {
        let Asked { factor, added, by_signal } = asked;
        Self { factor, added, by_signal }
    }
}

/// What was used.
#[derive(Debug, Serialize, ToSchema)]
struct UsedShown {
    window_s: f64,
    present_share: f64,
    seen_s: f64,
    p50: f64,
    p95: f64,
    max: f64,
    max_at_s: i64,
}

impl From<Used> for UsedShown {
    fn from(used: Used) -> Self {
        let Used { window_s, present_share, seen_s, p50, p95, max, max_at } = used;
        Self { window_s, present_share, seen_s, p50, p95, max, max_at_s: max_at.s() }
    }
}

/// What is expected.
#[derive(Debug, Serialize, ToSchema)]
struct ExpectedShown {
    by: String,
    score: Option<f64>,
    horizon_s: f64,
    peak: Peak,
}

impl From<&Expected> for ExpectedShown {
    fn from(expected: &Expected) -> Self {
        let Expected { by, score, horizon_s, .. } = expected.clone();
        Self { by, score, horizon_s, peak: expected.into() }
    }
}

/// What the next lower size would have cost on recorded history.
#[derive(Debug, Serialize, ToSchema)]
struct CounterfactualShown {
    value: f64,
    window_s: f64,
    over_s: f64,
    worst_day_s: Option<i64>,
    worst_day_over_s: f64,
}

impl From<Counterfactual> for CounterfactualShown {
    fn from(counterfactual: Counterfactual) -> Self {
        let Counterfactual { value, window_s, over_s, worst_day, worst_day_over_s } = counterfactual;
        Self { value, window_s, over_s, worst_day_s: worst_day.map(Time::s), worst_day_over_s }
    }
}
