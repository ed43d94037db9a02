//! `apportion explain`.

use super::{NothingFound, say};
use crate::args;
use apportion_core::{Decision, DecisionId, Knob};
use apportion_host::store::{Filter, Store};
use apportion_language::wording;
use std::collections::BTreeMap;

/// Decisions of a workload that are looked through for the newest of each knob.
const LOOK_BACK: usize = 1_000;

/// Explains a decision, or the newest one of each knob of a workload.
///
/// # Errors
/// There is no store, it cannot be read, or nothing in it answers to that name.
pub fn run(global: &args::Global, args: &args::Explain) -> anyhow::Result<()> {
    for decision in &find(global, &args.what)? {
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
    let decisions = look_up(&global.open_to_read()?, what)?;
    if decisions.is_empty() {
        let what = format!("nothing is decided about {what:?} yet; `apportion status` lists the workloads");
        return Err(NothingFound(what).into());
    }
    Ok(decisions)
}

/// A number is a decision's, anything else a workload's name.
fn look_up(store: &Store, what: &str) -> anyhow::Result<Vec<Decision>> {
    if let Ok(number) = what.parse() {
        return Ok(store.decision(DecisionId(number))?.into_iter().collect());
    }
    let filter = Filter { workload: Some(what.into()), since: None, limit: LOOK_BACK };
    let mut newest: BTreeMap<Knob, Decision> = BTreeMap::new();
    for decision in store.decisions(&filter)? {
        newest.entry(decision.change.knob).or_insert(decision);
    }
    Ok(newest.into_values().collect())
}
