//! `apportion ask`: of a running loop through its API, else of the store itself.

use super::{
    NothingFound,
    desk::{Desk, Said, machine},
    interpret, say,
};
use crate::{
    args,
    args::Global,
    ask::{Answered, StoreSources, ask},
    config::Config,
    encoder_model::reader,
    text_model::{self, TextModel},
    web::{Footing, View, WorkloadNow},
};
use anyhow::Context as _;
use apportion_core::{Knob, Setting, Time, WorkloadState, time::DAY_S};
use apportion_host::store::{Filter, Seen, Store};
use jiff::Zoned;
use std::{collections::BTreeMap, sync::Arc};

/// Workloads that were seen within this time can be asked about without a loop.
const SEEN_WITHIN_S: i64 = 30 * DAY_S;
/// Decisions that are looked through for what a workload has.
const LOOK_BACK: usize = 1_000;
const NO_MODEL: &str = "--reword needs a larger text model: name one with --llm or APPORTION_LLM";

/// Answers a question.
///
/// # Errors
/// Nothing is known of it, or it is not understood ([`NothingFound`], with what is missing); or neither loop nor store can be read.
pub fn run(global: &Global, args: &args::Ask) -> anyhow::Result<()> {
    let now = args.now.as_deref().map(interpret::time).transpose()?.unwrap_or_else(Zoned::now);
    let said = Said { text: args.question.join(" "), now, also: Vec::new() };
    let model = if args.reword { Some(args.model.open()?.context(NO_MODEL)?) } else { None };
    let answer = answer(global, &said)?;
    let reworded = model.filter(|_| answer.answered).map(|model| reworded(global, &said, &answer, model.as_ref()));
    if args.json {
        say(&serde_json::to_string_pretty(&as_json(&answer, reworded)?)?);
        return if answer.answered { Ok(()) } else { Err(NothingFound("nothing was found".to_owned()).into()) };
    }
    if !answer.answered {
        return Err(NothingFound(answer.words).into());
    }
    let zh = answer.language == "zh";
    say(&reworded.map_or_else(|| answer.words.clone(), |reworded| both(&answer.words, reworded, zh)));
    let rests = if zh { "依据" } else { "Rests on" };
    say(&format!("{rests}: {}", answer.cited.join("; ")));
    Ok(())
}

/// The answer in the words of a larger model.
fn reworded(global: &Global, said: &Said, answer: &Answered, model: &dyn TextModel) -> anyhow::Result<String> {
    let names = Desk::open_to_read(global)?.names(said)?;
    text_model::reworded(model, answer, &said.now, &names)
}

/// A model's words above our own, or why there are none.
fn both(own: &str, reworded: anyhow::Result<String>, zh: bool) -> String {
    match (reworded, zh) {
        (Ok(words), false) => {
            format!(
                "In a larger model's words (figures and names are checked, the sense is not):\n{words}\nIn Apportion's own:\n{own}"
            )
        }
        (Ok(words), true) => {
            format!("大模型的说法（数字和名称已核对，意思未核对）：\n{words}\nApportion 自己的说法：\n{own}")
        }
        (Err(why), false) => format!("{own}\nNote: not reworded ({why:#})"),
        (Err(why), true) => format!("{own}\n注意: 大模型没有改写（{why:#}）"),
    }
}

/// The answer with what came of rewording, where that was wanted.
fn as_json(answer: &Answered, reworded: Option<anyhow::Result<String>>) -> anyhow::Result<serde_json::Value> {
    let mut json = serde_json::to_value(answer)?;
    match reworded {
        Some(Ok(words)) => json["reworded"] = words.into(),
        Some(Err(why)) => json["not_reworded"] = format!("{why:#}").into(),
        None => {}
    }
    Ok(json)
}

/// What the loop answers, else the store.
pub(super) fn answer(global: &Global, said: &Said) -> anyhow::Result<Answered> {
    match Desk::open_to_read(global)? {
        Desk::Loop(way) => {
            let path = format!("/api/v1/answer?{}", said.query());
            serde_json::from_value(way.get(&path)?).context("the loop is of another version")
        }
        Desk::Store(store, config) => of_store(store, &config, said),
    }
}

fn of_store(store: Arc<Store>, config: &Config, said: &Said) -> anyhow::Result<Answered> {
    let view = view(config, &store, said.at())?;
    let sources = StoreSources::new(store, |_: &_, _: &_| None);
    Ok(Answered::new(&said.text, &ask(reader()?, &said.text, &said.now, &view, &sources)))
}

/// What the store knows of the present.
fn view(config: &Config, store: &Store, now: Time) -> anyhow::Result<View> {
    let seen = store.workloads()?.into_iter().filter(|seen| now.since_s(seen.last) < SEEN_WITHIN_S as f64);
    let mut view = View { now, capacity: machine(now), ..View::default() };
    for Seen { workload, .. } in seen.filter(|seen| !seen.workload.id.is_machine()) {
        let id = workload.id.clone();
        let (settings, allotted) = has(store, &id)?;
        let (standing, latest) = (config.standing(&id, true), store.latest(&id));
        let state = WorkloadState { workload, standing, latest, settings, lost: [].into(), life: None, own: false };
        let now = WorkloadNow {
            state,
            footing: Footing::Recommend,
            wants: Vec::new(),
            allotted,
            cpu_spark_cores: Vec::new(),
            memory_spark_bytes: Vec::new(),
        };
        view.workloads.insert(id, now);
    }
    Ok(view)
}

type Has = (BTreeMap<Knob, Setting>, BTreeMap<Knob, f64>);

/// What a workload's knobs were at its newest decisions, and what was proposed.
fn has(store: &Store, workload: &apportion_core::WorkloadId) -> anyhow::Result<Has> {
    let filter = Filter { workload: Some(workload.clone()), limit: LOOK_BACK, ..Filter::default() };
    let (mut settings, mut allotted) = Has::default();
    for decision in store.decisions(&filter)? {
        let (knob, change) = (decision.change.knob, &decision.change);
        let is = decision.admitted_to().filter(|_| decision.is_applied()).unwrap_or(change.from);
        settings.entry(knob).or_insert(is);
        change.to.value().map(|value| allotted.entry(knob).or_insert(value));
    }
    Ok((settings, allotted))
}
