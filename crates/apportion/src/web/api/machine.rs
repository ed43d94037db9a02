//! The loop and the machine.

use super::{
    Shared,
    dto::{Reading, readings, unit},
};
use crate::web::view::{Footing, View, WorkloadNow};
use apportion_core::{Knob, Metric, Resource, knob, metric::name};
use axum::{Json, extract::State, http::HeaderMap};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The state of the loop.
#[derive(Serialize, ToSchema)]
pub(super) struct Status {
    version: &'static str,
    /// Ticks since the start; 0 until the first one has ended.
    tick: u64,
    /// Time of the last tick.
    now_s: i64,
    /// Seconds between ticks.
    every_s: f64,
    started_s: i64,
    stale_after_s: f64,
    last_tick_s: f64,
    mean_tick_s: f64,
    /// Number of workloads by footing.
    footings: BTreeMap<&'static str, usize>,
    /// Decisions recorded since the start, by what they came to.
    decisions: Vec<DecisionCount>,
    /// Cuts that hurt and were taken back, since the start.
    harms: u64,
    /// What could not be read at the last tick.
    problems: Vec<Unread>,
    /// True when a token is configured, without which nobody may write.
    writable: bool,
    /// True when this request came with the token or a session.
    logged_in: bool,
}

#[derive(Serialize, ToSchema)]
struct DecisionCount {
    verdict: &'static str,
    refusal: &'static str,
    count: u64,
}

#[derive(Serialize, ToSchema)]
struct Unread {
    #[serde(rename = "where")]
    place: String,
    what: String,
}

/// The state of the loop and of this session.
#[utoipa::path(get, path = "/api/v1/status", tag = "machine", responses((status = 200, body = Status)))]
pub(super) async fn status(State(shared): State<Shared>, headers: HeaderMap) -> Json<Status> {
    let view = shared.view();
    let totals = &view.totals;
    let mut footings: BTreeMap<_, _> = Footing::NAMES.into_iter().map(|name| (name, 0)).collect();
    for now in view.workloads.values() {
        *footings.entry(now.footing.name()).or_default() += 1;
    }
    let counts = totals.decisions.iter();
    let unread = view.problems.iter();
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        tick: view.tick,
        now_s: view.now.s(),
        every_s: view.every_s,
        started_s: view.started.s(),
        stale_after_s: view.stale_after_s,
        last_tick_s: totals.last_tick_s,
        mean_tick_s: mean_tick_s(&view),
        footings,
        decisions: counts
            .map(|((verdict, refusal), count)| DecisionCount { verdict, refusal, count: *count })
            .collect(),
        harms: totals.harms,
        problems: unread.map(|it| Unread { place: it.place.clone(), what: it.what.clone() }).collect(),
        writable: shared.gate.is_writable(),
        logged_in: shared.gate.caller(&headers) != crate::web::access::Caller::Anonymous,
    })
}

#[allow(clippy::cast_precision_loss, reason = "a count")]
fn mean_tick_s(view: &View) -> f64 {
    if view.tick == 0 { 0.0 } else { view.totals.tick_sum_s / view.tick as f64 }
}

/// The machine: what there is, what is used, set, wanted and allotted.
#[derive(Serialize, ToSchema)]
pub(super) struct Machine {
    tick: u64,
    now_s: i64,
    resources: Vec<ResourceShown>,
    metrics: Vec<Reading>,
}

/// One resource of the machine; sums are over all workloads.
#[derive(Serialize, ToSchema)]
struct ResourceShown {
    #[schema(value_type = String, example = "cpu")]
    resource: Resource,
    unit: &'static str,
    /// What there is; null where unknown.
    capacity: Option<f64>,
    /// What the machine uses now, or else the sum of what the workloads use.
    used: Option<f64>,
    /// Sum of the limits that are set.
    set: f64,
    /// Workloads without a limit of this kind.
    unlimited_count: usize,
    /// Sum of what each should have.
    wanted: f64,
    /// Sum of what each would be allotted.
    allotted: f64,
    /// Sum of limit less allotment where both are known.
    saving: f64,
}

/// What there is, what is used, set, wanted and allotted.
#[utoipa::path(get, path = "/api/v1/machine", tag = "machine", responses((status = 200, body = Machine)))]
pub(super) async fn machine(State(shared): State<Shared>) -> Json<Machine> {
    let view = shared.view();
    let resources = [Resource::Cpu, Resource::Memory, Resource::Storage, Resource::Network];
    Json(Machine {
        tick: view.tick,
        now_s: view.now.s(),
        resources: resources.into_iter().map(|resource| resource_shown(&view, resource)).collect(),
        metrics: readings(&view.machine, view.now),
    })
}

fn resource_shown(view: &View, resource: Resource) -> ResourceShown {
    let mut shown = ResourceShown {
        resource,
        unit: knob::ALL.into_iter().find(|knob| knob.resource() == resource).map_or("", |knob| unit_of(knob)),
        capacity: view.capacity.of(resource),
        used: used(view, resource),
        set: 0.0,
        unlimited_count: 0,
        wanted: 0.0,
        allotted: 0.0,
        saving: 0.0,
    };
    for now in view.workloads.values() {
        for knob in knobs(now, resource) {
            add(&mut shown, now, knob);
        }
    }
    shown
}

fn unit_of(knob: Knob) -> &'static str {
    unit(knob.name())
}

/// The knobs that count once each: of the two for memory, the hard limit where there is one.
fn knobs(now: &WorkloadNow, resource: Resource) -> impl Iterator<Item = Knob> {
    let has_max = now.state.settings.contains_key(&Knob::MemoryMax) || now.allotted.contains_key(&Knob::MemoryMax);
    let counts = move |knob: &Knob| knob.resource() == resource && !(has_max && *knob == Knob::MemoryHigh);
    knob::ALL.into_iter().filter(counts)
}

fn add(shown: &mut ResourceShown, now: &WorkloadNow, knob: Knob) {
    let setting = now.state.settings.get(&knob).map(|setting| setting.value());
    let allotted = now.allotted.get(&knob).copied();
    shown.unlimited_count += usize::from(setting == Some(None));
    shown.set += setting.flatten().unwrap_or(0.0);
    shown.wanted += now.wants.iter().find(|want| want.knob == knob).map_or(0.0, |want| want.value);
    shown.allotted += allotted.unwrap_or(0.0);
    shown.saving += setting.flatten().zip(allotted).map_or(0.0, |(set, allotted)| set - allotted);
}

/// The machine's own reading where it has one, else the sum over the workloads.
fn used(view: &View, resource: Resource) -> Option<f64> {
    let metrics: &[&str] = match resource {
        Resource::Cpu => &[name::CPU],
        Resource::Memory => &[name::MEMORY_WORKING_SET, name::MEMORY],
        Resource::Storage => &[name::IO_READ, name::IO_WRITE],
        Resource::Network => &[name::NETWORK_RECEIVE, name::NETWORK_SEND],
    };
    let own = |metric: &&str| view.machine.get(&Metric::new(metric)).map(|latest| latest.value);
    let each = |metric: &&str| {
        let values = view.workloads.values().filter_map(|now| now.state.value(metric));
        values.fold(None, |sum: Option<f64>, value| Some(sum.unwrap_or(0.0) + value))
    };
    let sum = |values: Vec<f64>| (!values.is_empty()).then(|| values.iter().sum());
    match resource {
        Resource::Memory => metrics.iter().find_map(own).or_else(|| metrics.iter().find_map(each)),
        _ => sum(metrics.iter().filter_map(own).collect()).or_else(|| sum(metrics.iter().filter_map(each).collect())),
    }
}
