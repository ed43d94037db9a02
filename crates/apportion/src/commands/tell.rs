//! `apportion tell`: what was understood, then a question, then it is done. Beside a running loop through its API, else in the store.

use super::{
    NotTaken,
    desk::{Desk, Said},
    interpret, say,
};
use crate::{
    args,
    args::Global,
    tell::{Told, effect},
    text_model,
};
use apportion_language::Language;
use jiff::Zoned;
use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    time::Duration,
};

/// Reads a sentence, shows what it means, and takes it once confirmed.
///
/// # Errors
/// It is not understood, not possible or not confirmed ([`NotTaken`]); or neither store nor loop can be reached.
pub fn run(global: &Global, args: &args::Tell) -> anyhow::Result<()> {
    let now = args.now.as_deref().map(interpret::time).transpose()?.unwrap_or_else(Zoned::now);
    let said = Said { text: args.sentence.join(" "), now, also: args.workload.clone() };
    let desk = Desk::open(global)?;
    let mut told = desk.read(&said)?;
    let second = match args.second.open()? {
        Some(model) => text_model::weigh(model.as_ref(), &mut told, &desk.names(&said)?)?,
        None => None,
    };
    let unasked = args.yes && !second.is_some_and(|second| second.asks());
    if !unasked {
        told.effect = effect(global, &said, &told);
    }
    settle(args, &told, unasked, || desk.take(&said, &told))
}

/// What it would have done, played in this process.
pub(super) fn effect(global: &Global, said: &Said, told: &Told) -> Option<String> {
    let within = Duration::from_secs(global.effect_within_s);
    effect::of(told, &said.now, within, || global.open_to_read())
}

/// Shows, asks unless it may be taken unasked, does.
fn settle(
    args: &args::Tell,
    told: &Told,
    unasked: bool,
    take: impl FnOnce() -> anyhow::Result<String>,
) -> anyhow::Result<()> {
    if !args.json {
        say(&shown(told));
    }
    let confirmed = if told.can_ask {
        // Nothing but a person can say that a likely reading is what was meant.
        !args.json && !args.yes && std::io::stdin().is_terminal() && ask(told)
    } else {
        told.can_confirm && (unasked || (!args.json && ask(told)))
    };
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
        (false, _) if told.can_ask => {
            Err(NotTaken("not sure, so only a person at a terminal can confirm it; nothing was taken".to_owned())
                .into())
        }
        (false, true) => Err(NotTaken("not confirmed; nothing was taken".to_owned()).into()),
        (false, false) => Err(NotTaken("nothing was taken".to_owned()).into()),
    }
}

/// What was understood, as a person confirms it.
pub(super) fn shown(told: &Told) -> String {
    let zh = told.language() == Language::Zh;
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
    lines.extend(told.effect.clone());
    lines.join("\n")
}

pub(super) fn ask(told: &Told) -> bool {
    let question = match (told.can_ask, told.language() == Language::Zh) {
        (true, true) => "是这个意思吗？确认执行？[y/N] ",
        (true, false) => "Is that what you meant? Take it? [y/N] ",
        (false, true) => "确认执行？[y/N] ",
        (false, false) => "Take it? [y/N] ",
    };
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "{question}");
    let _ = out.flush();
    let mut answer = String::new();
    // No answer is no.
    let read = std::io::stdin().lock().read_line(&mut answer).unwrap_or(0);
    read > 0 && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "是" | "确认")
}
