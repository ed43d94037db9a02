//! `apportion tell`: what was understood, then a question, then it is done. Beside a running loop through its API, else in the store.

use super::{
    NotTaken,
    control::{Control, segment},
    interpret, say,
};
use crate::{
    args,
    args::Global,
    config::Config,
    daemon,
    tell::{self, Deed, Scene, Told},
};
use anyhow::Context as _;
use apportion_core::{Capacity, Collector as _, Standing, Time, WorkloadId, time::DAY_S};
use apportion_host::{cgroupfs::Hierarchy, collect::MachineCollector, store::Store};
use apportion_language::reading::Reader;
use jiff::Zoned;
use std::{
    io::{BufRead as _, Write as _},
    path::Path,
    sync::Arc,
};

/// Workloads that were seen within this time exist.
const SEEN_WITHIN_S: i64 = DAY_S;

/// Reads a sentence, shows what it means, and takes it once confirmed.
///
/// # Errors
/// It is not understood, not possible or not confirmed ([`NotTaken`]); or neither store nor loop can be reached.
pub fn run(global: &Global, args: &args::Tell) -> anyhow::Result<()> {
    let now = args.now.as_deref().map(interpret::time).transpose()?.unwrap_or_else(Zoned::now);
    let text = args.sentence.join(" ");
    match global.open_to_write()? {
        Some(store) => {
            let store = Arc::new(store);
            let scene = scene(&global.configuration()?, &store, &now, &args.workload)?;
            let history = daemon::StoreHistory(Arc::clone(&store));
            let (told, deed) = tell::read(&Reader::embedded()?, &text, &now, &scene, &history);
            settle(args, &told, || keep(&store, deed.as_ref(), &now))
        }
        None => {
            let way = Control::find(&global.store_path())?;
            let zone = now.time_zone().iana_name().map_or_else(|| now.strftime("%:z").to_string(), str::to_owned);
            let told: Told = serde_json::from_value(way.get(&query(&text, &now, &zone, &args.workload))?)
                .context("the loop is of another version")?;
            let body = serde_json::json!({
                "text": text, "at_s": told.at_s, "zone": zone, "also": args.workload,
            });
            settle(args, &told, || way.ask("POST", "/api/v1/instructions", Some(&body)))
        }
    }
}

fn query(text: &str, now: &Zoned, zone: &str, also: &[String]) -> String {
    let at_s = now.timestamp().as_second();
    let also = segment(&also.join(","));
    format!("/api/v1/reading?text={}&at_s={at_s}&zone={}&also={also}", segment(text), segment(zone))
}

fn keep(store: &Store, deed: Option<&Deed>, now: &Zoned) -> anyhow::Result<String> {
    let deed = deed.context("nothing was understood that could be taken")?;
    Ok(tell::carry_out(deed, store, Time(now.timestamp().as_millisecond()))?.1)
}

/// Shows, asks, does.
fn settle(args: &args::Tell, told: &Told, take: impl FnOnce() -> anyhow::Result<String>) -> anyhow::Result<()> {
    if !args.json {
        say(&shown(told));
    }
    let confirmed = told.can_confirm && (args.yes || (!args.json && ask(told)));
    let done = if confirmed { Some(take()?) } else { None };
    if args.json {
        let mut answer = serde_json::to_value(told)?;
        answer["taken"] = confirmed.into();
        answer["done"] = done.clone().into();
        say(&answer.to_string());
    } else if let Some(done) = &done {
        say(done);
    }
    match (confirmed, told.can_confirm) {
        (true, _) => Ok(()),
        (false, true) => Err(NotTaken("not confirmed; nothing was taken".to_owned()).into()),
        (false, false) => Err(NotTaken("nothing was taken".to_owned()).into()),
    }
}

/// What was understood, as a person confirms it.
fn shown(told: &Told) -> String {
    let zh = told.language == "zh";
    let mut lines = vec![told.words.clone()];
    if !told.workloads.is_empty() {
        let names = told.workloads.join(", ");
        let count = told.workloads.len();
        lines.push(if zh { format!("涉及 {count} 个：{names}") } else { format!("For {count} now: {names}") });
    }
    lines.extend(told.notes.iter().map(|note| {
        let head = match (note.blocks, zh) {
            (true, true) => "不可行",
            (true, false) => "Not possible",
            (false, true) => "注意",
            (false, false) => "Note",
        };
        format!("{head}: {}", note.words)
    }));
    lines.join("\n")
}

fn ask(told: &Told) -> bool {
    let question = if told.language == "zh" { "确认执行？[y/N] " } else { "Take it? [y/N] " };
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "{question}");
    let _ = out.flush();
    let mut answer = String::new();
    // No answer is no.
    let read = std::io::stdin().lock().read_line(&mut answer).unwrap_or(0);
    read > 0 && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "是" | "确认")
}

/// What there is without a loop: the workloads that the store saw lately, and the machine.
fn scene(config: &Config, store: &Store, now: &Zoned, also: &[String]) -> anyhow::Result<Scene> {
    let now = Time(now.timestamp().as_millisecond());
    let seen = store.workloads()?.into_iter().filter(|seen| now.since_s(seen.last) < SEEN_WITHIN_S as f64);
    let known = seen.map(|seen| seen.workload.id).filter(|id| !id.is_machine());
    let configured = |id: WorkloadId| (id.clone(), config.standing(&id, true));
    let mut configured: std::collections::BTreeMap<_, _> = known.map(configured).collect();
    configured.extend(also.iter().map(|name| (WorkloadId::new(name), Standing::default())));
    Ok(Scene { configured, machine: machine(now), said: store.instructions(now)? })
}

/// What the machine has; nothing where that cannot be read.
fn machine(now: Time) -> Capacity {
    let Ok(hierarchy) = Hierarchy::discover(Path::new("/")) else { return Capacity::default() };
    let mut machine = MachineCollector::new(hierarchy);
    machine.collect(now);
    machine.capacity().clone()
}
