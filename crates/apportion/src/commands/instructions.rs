//! `apportion instructions`: what people said, and taking it back.

use super::{NotTaken, NothingFound, control::Control, desk::Desk, proposals::Proposals, say, tell as ask};
use crate::{
    args,
    args::{Global, InstructionsWhat},
    daemon, tell, zone,
};
use anyhow::bail;
use apportion_core::{Instructed, InstructionId, Time};
use apportion_language::Language;
use apportion_planner::instructions::is_in_force;
use serde::{Deserialize, Serialize};
use std::io::IsTerminal as _;
use utoipa::ToSchema;

/// An instruction as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Listed {
    /// Its number.
    pub id: i64,
    /// standing, to_come (its window has not begun, or is between repetitions), past or revoked.
    pub state: String,
    /// When it was taken, seconds since 1970.
    pub time_s: i64,
    /// When it was revoked.
    pub revoked_s: Option<i64>,
    /// What it means.
    pub words: String,
    /// What was said.
    pub text: String,
    /// event, rule, hold, priority or report.
    pub kind: String,
    /// Names and wildcards; none for all.
    pub workloads: Vec<String>,
    /// First begin of its window, seconds since 1970.
    pub start_s: Option<i64>,
    /// End of its (first) window.
    pub end_s: Option<i64>,
    /// daily, weekdays, weekends or weekly.
    pub repeat: Option<String>,
}

impl Listed {
    /// What is listed of an instruction at a time.
    #[must_use]
    pub fn new(said: &Instructed, now: Time, language: Language) -> Self {
        let instruction = &said.instruction;
        let name = |value: Option<serde_json::Value>| value.and_then(|value| value.as_str().map(str::to_owned));
        Self {
            id: said.id.0,
            state: state(said, now).to_owned(),
            time_s: said.time.s(),
            revoked_s: said.revoked.map(Time::s),
            words: tell::describe(instruction, language),
            text: instruction.text.clone(),
            kind: name(serde_json::to_value(instruction.kind).ok()).unwrap_or_default(),
            workloads: instruction.workloads.clone(),
            start_s: instruction.start.map(Time::s),
            end_s: instruction.end.map(Time::s),
            repeat: name(serde_json::to_value(instruction.repeat).ok()),
        }
    }
}

fn state(said: &Instructed, now: Time) -> &'static str {
    match () {
        () if said.revoked.is_some_and(|revoked| revoked <= now) => "revoked",
        () if is_in_force(said, now, &zone::offset_s) => "standing",
        () if said.is_past(now) => "past",
        () => "to_come",
    }
}

/// Lists, shows or revokes.
///
/// # Errors
/// There is no such instruction, or neither store nor loop can be reached.
pub fn run(global: &Global, args: &args::Instructions) -> anyhow::Result<()> {
    match args.what {
        Some(InstructionsWhat::Revoke { id }) => revoke(global, InstructionId(id)),
        Some(InstructionsWhat::Show { id }) => show(global, id),
        Some(InstructionsWhat::Confirm { id }) => confirm(global, id),
        None => list(global, args),
    }
}

/// What was taken; those that are past or revoked too where `all` are wanted.
pub(super) fn listed(global: &Global, all: bool) -> anyhow::Result<Vec<Listed>> {
    let (now, language) = (daemon::now(), global.words());
    let kept = global.open_to_read()?.instructions(Time(i64::MIN))?;
    let listed = kept.iter().map(|said| Listed::new(said, now, language));
    Ok(listed.filter(|said| all || matches!(said.state.as_str(), "standing" | "to_come")).collect())
}

fn list(global: &Global, args: &args::Instructions) -> anyhow::Result<()> {
    let listed = listed(global, args.all)?;
    if args.json {
        say(&serde_json::to_string(&listed)?);
    } else if listed.is_empty() {
        say("nothing stands; `apportion tell` says something, --all lists what is past");
    } else {
        listed.iter().for_each(|said| say(&format!("{:>4}  {:<8}  {}", said.id, said.state, said.words)));
    }
    Ok(())
}

fn show(global: &Global, id: i64) -> anyhow::Result<()> {
    let all = global.open_to_read()?.instructions(Time(i64::MIN))?;
    let found = all.into_iter().find(|said| said.id.0 == id);
    let said = found.ok_or_else(|| {
        NothingFound(format!("there is no instruction {id}; `apportion instructions --all` lists them"))
    })?;
    let listed = Listed::new(&said, daemon::now(), global.words());
    let whole = serde_json::json!({ "listed": listed, "instruction": said.instruction });
    say(&serde_json::to_string_pretty(&whole)?);
    Ok(())
}

/// Shows what a program proposed and takes it once a person at a terminal says so; without a number, lists what waits.
fn confirm(global: &Global, id: Option<u32>) -> anyhow::Result<()> {
    let proposals = Proposals::beside(&global.store_path());
    let Some(id) = id else {
        let waiting = proposals.waiting(daemon::now())?;
        if waiting.is_empty() {
            say("nothing waits to be confirmed");
        }
        waiting.iter().for_each(|(id, proposal)| say(&format!("{id:>4}  {}", proposal.words)));
        return Ok(());
    };
    let proposal = proposals.get(id, daemon::now())?;
    if !std::io::stdin().is_terminal() {
        bail!("a person confirms at a terminal; nothing was taken");
    }
    let desk = Desk::open(global)?;
    let said = proposal.said();
    let mut told = desk.read(&said)?;
    told.effect = ask::effect(global, &said, &told);
    say(&ask::shown(&told));
    if !told.can_confirm || !ask::ask(&told) {
        return Err(NotTaken("not confirmed; nothing was taken".to_owned()).into());
    }
    say(&desk.take(&said, &told)?);
    proposals.forget(id);
    Ok(())
}

fn revoke(global: &Global, id: InstructionId) -> anyhow::Result<()> {
    let Some(store) = global.open_to_write()? else {
        say(&Control::find(&global.store_path())?.ask("DELETE", &format!("/api/v1/instructions/{}", id.0), None)?);
        return Ok(());
    };
    if !store.revoke(id, daemon::now())? {
        let what = format!("no instruction {} stands; `apportion instructions` lists them", id.0);
        return Err(NothingFound(what).into());
    }
    say(&format!("instruction {} is revoked", id.0));
    Ok(())
}
