//! `apportion explain`: decisions, or forecasts.

use super::{
    NothingFound,
    control::{Control, segment},
    say,
};
use crate::{args, daemon::Why, tuning::Versions};
use apportion_core::{Decision, DecisionId, Knob, Metric, WorkloadId, knob, tick::Cadence};
use apportion_host::store::{Filter, Store};
use apportion_language::{Language, wording};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Decisions of a workload that are looked through for the newest of each knob.
const LOOK_BACK: usize = 1_000;

/// Explains a decision, or the newest one of each knob of a workload.
///
/// # Errors
/// There is no store, it cannot be read, or nothing in it answers to that name.
pub fn run(global: &args::Global, args: &args::Explain) -> anyhow::Result<()> {
    if args.forecast {
        return forecasts(global, args, &Arc::new(global.open_to_read()?));
    }
    let decisions = look_up(&global.open_to_read()?, &args.what)?;
    if decisions.is_empty() && !args.json {
        say(&without_decision(global, &args.what)?);
        return Ok(());
    }
    for decision in &known(decisions, &args.what)? {
        say(&if args.json { serde_json::to_string_pretty(decision)? } else { words(global, decision) });
    }
    Ok(())
}

pub(super) fn words(global: &args::Global, decision: &Decision) -> String {
    let zone = jiff::tz::TimeZone::system();
    format!("[{}] {}\n", decision.id, wording::explain(decision, global.words(), &zone))
}

/// The decision of that number, or the newest of each knob of the workload of that name.
pub(super) fn find(global: &args::Global, what: &str) -> anyhow::Result<Vec<Decision>> {
    known(look_up(&global.open_to_read()?, what)?, what)
}

fn known(decisions: Vec<Decision>, what: &str) -> anyhow::Result<Vec<Decision>> {
    if decisions.is_empty() { Err(undecided(what).into()) } else { Ok(decisions) }
}

fn undecided(what: &str) -> NothingFound {
    NothingFound(format!("nothing is decided about {what:?} yet; `apportion status` lists the workloads"))
}

/// What is read of `/api/v1/workloads/NAME`.
#[derive(Deserialize)]
struct Detail {
    knobs: Vec<KnobWords>,
}

#[derive(Deserialize)]
struct KnobWords {
    words: Option<String>,
}

/// Of what nothing here can set (processes without a group) there is no decision: the running loop says what it should have.
fn without_decision(global: &args::Global, what: &str) -> anyhow::Result<String> {
    let language = if global.words() == Language::Zh { "zh" } else { "en" };
    let path = format!("/api/v1/workloads/{}?lang={language}", segment(what));
    let detail = Control::find(&global.store_path()).and_then(|control| control.get(&path)).ok();
    let detail: Option<Detail> = detail.and_then(|detail| serde_json::from_value(detail).ok());
    let words: Vec<String> = detail.into_iter().flat_map(|detail| detail.knobs).filter_map(|knob| knob.words).collect();
    if words.is_empty() { Err(undecided(what).into()) } else { Ok(words.join("\n\n") + "\n") }
}

/// A number is a decision's, anything else a workload's name.
fn look_up(store: &Store, what: &str) -> anyhow::Result<Vec<Decision>> {
    if let Ok(number) = what.parse() {
        return Ok(store.decision(DecisionId(number))?.into_iter().collect());
    }
    let filter = Filter { workload: Some(what.into()), limit: LOOK_BACK, ..Filter::default() };
    let mut newest: BTreeMap<Knob, Decision> = BTreeMap::new();
    for decision in store.decisions(&filter)? {
        newest.entry(decision.change.knob).or_insert(decision);
    }
    Ok(newest.into_values().collect())
}

/// Explains the forecasts of a workload's metrics as they would be made from the end of what is recorded.
fn forecasts(global: &args::Global, args: &args::Explain, store: &Arc<Store>) -> anyhow::Result<()> {
    let nothing = |what: String| anyhow::Error::from(NothingFound(what));
    let workload = WorkloadId::new(&args.what);
    let seen = store.workloads()?.into_iter().find(|seen| seen.workload.id == workload);
    let seen =
        seen.ok_or_else(|| nothing(format!("no workload is called {workload}; `apportion status` lists them")))?;
    let versions = Versions::of(&global.store_path());
    let forecaster = super::models::forecaster("auto", Some(&versions))?;
    let why = Why { forecaster: forecaster.into(), cadence: Cadence::default() };
    let mut told = 0;
    for metric in metrics(store, &workload, args.metric.as_deref())? {
        let Some(rationale) = why.rationale(store, &workload, &metric, seen.last)? else { continue };
        let words = || wording::explain_forecast(&rationale, global.words(), &jiff::tz::TimeZone::system()) + "\n";
        say(&if args.json { serde_json::to_string(&rationale)? } else { words() });
        told += 1;
    }
    let of = args.metric.as_deref().unwrap_or("a metric that is sized");
    if told == 0 {
        return Err(nothing(format!("{workload}: {of} is not recorded")));
    }
    Ok(())
}

/// The metric that was named, or those of the workload that decide a knob.
fn metrics(store: &Store, workload: &WorkloadId, named: Option<&str>) -> anyhow::Result<BTreeSet<Metric>> {
    if let Some(name) = named {
        return Ok(BTreeSet::from([Metric::new(name)]));
    }
    Ok(store.metrics(workload)?.into_iter().filter(knob::is_demand).collect())
}
