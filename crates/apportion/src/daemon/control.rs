//! What a person asks of a running loop. Carried out between two turns, by the loop itself, through guard and ledger.

use super::{
    Daemon, look,
    undo::{Undo, undo},
};
use crate::{
    tell,
    web::{Action, ActionError, ActionErrorKind},
};
use apportion_core::{
    Binding, Change, Decision, DecisionId, InstructionId, Knob, Outcome, Reason, Refusal, Setting, Snapshot, Time,
    Verdict, WorkloadId, roll_back, time::DAY_S,
};
use apportion_host::store::Original;
use apportion_language::{Language, wording};
use jiff::Zoned;
use std::sync::mpsc::Sender;

/// Something asked, and where the answer goes.
pub enum Request {
    /// End after this turn.
    Stop,
    /// Do this.
    Act(Action, Sender<Result<String, ActionError>>),
}

/// After a rollback the workload is left alone for this long, so that the loop does not do the same again at once.
pub const HOLD_AFTER_ROLLBACK_S: i64 = DAY_S;

/// A knob, the value that is to be put back, and the decision that is taken back.
type Wanted = (Knob, Setting, DecisionId);
/// What was put back, or why not, in words.
type Said = Result<String, String>;

impl Daemon {
    pub(super) fn act(&mut self, action: Action) -> Result<String, ActionError> {
        let now = super::now();
        match action {
            Action::RollBackDecision(id) => self.roll_back_decision(id, now),
            Action::RollBackWorkload(workload) => self.roll_back_workload(&workload, now),
            Action::Hold { workload, why, until } => {
                self.check_answers(&workload)?;
                self.hold(&workload, &why, until, now)
            }
            Action::Release(workload) => self.release(&workload, now),
            Action::Instruct { text, at, zone, also, shown, guessed } => {
                self.instruct(&text, &tell::zoned(at, zone.as_deref()), &also, (&shown, guessed), now)
            }
            Action::Revoke(id) => self.revoke(id, now),
            Action::TakeOver(workload) => {
                self.check_known(&workload, |id| *id == workload)?;
                self.take_over(&workload)?;
                Ok(format!("{workload} is sized again"))
            }
        }
    }

    fn roll_back_decision(&mut self, id: DecisionId, now: Time) -> Result<String, ActionError> {
        let decision = self.store.decision(id).map_err(|error| failed("store", &error))?;
        let decision = decision.ok_or_else(|| not_found(&format!("decision {id}")))?;
        if !decision.is_applied() {
            let what = "it turned no knob, so there is nothing to take back";
            return Err(conflict(
                &format!("decision {id}"),
                what,
                "`apportion history --applied` lists those that did",
            ));
        }
        let change = &decision.change;
        self.put_back(&change.workload, &[(change.knob, change.from, id)], now)
    }

    fn roll_back_workload(&mut self, workload: &WorkloadId, now: Time) -> Result<String, ActionError> {
        let knobs: Vec<_> =
            self.originals(workload)?.iter().map(|original| (original.knob, original.setting, original.by)).collect();
        let is_known = || self.is_here(workload);
        match knobs.is_empty() {
            false => self.put_back(workload, &knobs, now),
            true if is_known() => {
                Err(conflict(workload.as_str(), "nothing of it is changed", "nothing needs to be done"))
            }
            true => Err(not_found(workload.as_str())),
        }
    }

    fn is_here(&self, workload: &WorkloadId) -> bool {
        self.last.as_ref().is_some_and(|last| last.workloads.contains_key(workload))
    }

    /// A hold may be on any name by which a workload is called, as without a loop.
    fn check_answers(&self, name: &WorkloadId) -> Result<(), ActionError> {
        self.check_known(name, |id| id.answers_to(name.as_str()))
    }

    /// One that is gone for the moment will come back: what the store or the ledger has a name of is known.
    fn check_known(&self, name: &WorkloadId, is_it: impl Fn(&WorkloadId) -> bool) -> Result<(), ActionError> {
        if self.last.iter().any(|last| last.workloads.keys().any(&is_it)) {
            return Ok(());
        }
        let is_known = self.store.knows(is_it).map_err(|error| failed("store", &error))?;
        if is_known { Ok(()) } else { Err(not_found(name.as_str())) }
    }

    fn originals(&self, workload: &WorkloadId) -> Result<Vec<Original>, ActionError> {
        let mut originals = self.store.originals().map_err(|error| failed("store", &error))?;
        originals.retain(|original| original.workload.id == *workload);
        Ok(originals)
    }

    /// Leaves the workload alone for a day, then turns its knobs back one by one; a failure stops none of the others.
    fn put_back(&mut self, workload: &WorkloadId, knobs: &[Wanted], now: Time) -> Result<String, ActionError> {
        if !self.settings.apply {
            let what = "this loop only recommends";
            return Err(conflict(workload.as_str(), what, "stop it, then `apportion rollback` works by itself"));
        }
        let until = now.plus_s(HOLD_AFTER_ROLLBACK_S);
        self.hold(workload, "rolled back by a person", Some(until), now)?;
        let snapshot = self.look_again(workload, now);
        let found = |knob| snapshot.as_ref()?.workloads.get(workload)?.settings.get(&knob).copied();
        let (seen, unseen): (Vec<&Wanted>, Vec<&Wanted>) = knobs.iter().partition(|(knob, ..)| found(*knob).is_some());
        let mut said = Vec::new();
        for (wanted, from) in seen.into_iter().filter_map(|wanted| Some((wanted, found(wanted.0)?))) {
            let snapshot = snapshot.as_ref();
            said.extend(snapshot.map(|snapshot| self.put_back_seen(workload, snapshot, wanted, from)));
        }
        if !unseen.is_empty() {
            said.extend(self.put_back_unseen(workload, &unseen, now)?);
        }
        summary(workload, said)
    }

    /// Through the guard, which remembers what the knob is set to.
    fn put_back_seen(&mut self, workload: &WorkloadId, snapshot: &Snapshot, wanted: &Wanted, from: Setting) -> Said {
        let (knob, former, of) = *wanted;
        let reason = Reason::only(Binding::RolledBack { of });
        let change = Change { workload: workload.clone(), knob, from, to: former, reason };
        let decision = roll_back(&mut self.state, snapshot, self.executor.as_mut(), change);
        let recorded = self.store.record(std::slice::from_ref(&decision));
        check(&decision)?;
        recorded.map_err(|error| format!("{knob} is {former} again, but that could not be recorded: {error}"))?;
        Ok(format!("{knob} of {workload} is {former} again"))
    }

    /// By the ledger's record, past the guard: no collector sees the workload, or it cannot be reached any more.
    fn put_back_unseen(
        &mut self,
        workload: &WorkloadId,
        knobs: &[&Wanted],
        now: Time,
    ) -> Result<Vec<Said>, ActionError> {
        let mut undos = Vec::new();
        for original in self.originals(workload)? {
            let wanted = knobs.iter().find(|(knob, ..)| *knob == original.knob);
            undos.extend(wanted.map(|(_, to, of)| Undo { original, to: *to, of: *of }));
        }
        if undos.is_empty() {
            return Err(conflict(workload.as_str(), "nothing of it is changed", "nothing needs to be done"));
        }
        let undone = undo(&self.store, &self.settings.root, &undos, &mut self.state.next_id, now);
        let said = undone.map_err(|error| failed(workload.as_str(), &format!("{error:#}")))?;
        self.forget(workload, knobs);
        Ok(said)
    }

    /// What a person puts back is no foreign hand. Where another knob of the workload is somebody else's, it stays so.
    fn forget(&mut self, workload: &WorkloadId, put_back: &[&Wanted]) {
        let is_other = |knob: Knob| !put_back.iter().any(|(put, ..)| *put == knob);
        if !self.state.guard.ceded().any(|(ceded, knob, _)| ceded == workload && is_other(knob)) {
            self.state.guard.take_over(workload);
        }
    }

    /// The last snapshot with this workload's settings as they are now.
    pub(super) fn look_again(&self, workload: &WorkloadId, now: Time) -> Option<Snapshot> {
        let mut snapshot = self.last.clone()?;
        snapshot.now = now;
        let state = snapshot.workloads.get_mut(workload)?;
        state.settings = look::settings(&state.workload, self.executor.as_ref());
        Some(snapshot)
    }

    fn hold(&self, workload: &WorkloadId, why: &str, until: Option<Time>, now: Time) -> Result<String, ActionError> {
        let held = self.store.hold(&[workload.to_string()], why, until, now);
        held.map(|_| format!("{workload} is held")).map_err(|error| failed("store", &error))
    }

    /// Takes a sentence that a person confirmed, read again as it was shown.
    fn instruct(
        &mut self,
        text: &str,
        at: &Zoned,
        also: &[String],
        (shown, guessed): (&str, bool),
        now: Time,
    ) -> Result<String, ActionError> {
        if !(0..=tell::CONFIRM_WITHIN_S).contains(&(now.s() - at.timestamp().as_second())) {
            let what = "it was read too long ago, so its times may mean something else now";
            return Err(conflict("at_s", what, "read it again, then confirm"));
        }
        let (told, deed) = self.backend.read_here(text, at, also);
        let Some(deed) = deed else {
            let block = told.notes.first().filter(|note| note.blocks).map_or(told.words.as_str(), |note| &note.words);
            return Err(conflict("text", block, "say it in other words; nothing was taken"));
        };
        if told.can_ask && !guessed {
            let what = "the reading is not sure; only a person who is shown it can say that this is what they meant";
            return Err(conflict("guessed", what, "ask a person, or say it in other words; nothing was taken"));
        }
        if let Some(what) = tell::changed_since(&told, shown) {
            return Err(conflict("shown", &what, "read it again, then confirm; nothing was taken"));
        }
        tell::carry_out(&deed, &self.store, now).map(|(_, done)| done).map_err(|error| failed("store", &error))
    }

    fn revoke(&mut self, id: InstructionId, now: Time) -> Result<String, ActionError> {
        let place = format!("instruction {}", id.0);
        let known = self.store.instructions(Time(i64::MIN)).map_err(|error| failed("store", &error))?;
        if !known.iter().any(|said| said.id == id) {
            return Err(not_found(&place));
        }
        match self.store.revoke(id, now).map_err(|error| failed("store", &error))? {
            true => Ok(format!("{place} is revoked")),
            false => Err(conflict(&place, "it is revoked already", "nothing needs to be done")),
        }
    }

    /// Knobs that somebody else set are sized again: their value is what a later rollback puts back. False where there are none.
    fn take_over(&mut self, workload: &WorkloadId) -> Result<bool, ActionError> {
        let ceded = self.state.guard.ceded().filter(|(ceded, ..)| *ceded == workload);
        let knobs: Vec<Knob> = ceded.map(|(_, knob, _)| knob).collect();
        for knob in &knobs {
            self.store.mark_restored(workload, *knob).map_err(|error| failed("store", &error))?;
        }
        self.state.guard.take_over(workload);
        Ok(!knobs.is_empty())
    }

    fn release(&mut self, workload: &WorkloadId, now: Time) -> Result<String, ActionError> {
        self.check_answers(workload)?;
        let ended = tell::release(&self.store, workload, now).map_err(|error| failed("store", &error))?;
        let was_ceded = self.take_over(workload)?;
        if ended == 0 && !was_ceded {
            return Err(conflict(workload.as_str(), "it is neither held nor ceded", "nothing needs to be done"));
        }
        Ok(format!("{workload} is sized again"))
    }
}

/// What was put back, or what was not, with what to do.
fn summary(workload: &WorkloadId, said: Vec<Said>) -> Result<String, ActionError> {
    let (done, failures): (Vec<Said>, Vec<Said>) = said.into_iter().partition(Result::is_ok);
    let done = done.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if failures.is_empty() {
        return Ok(format!("{done}; held for a day, `apportion release` ends that"));
    }
    let failures = failures.into_iter().filter_map(Result::err).collect::<Vec<_>>().join("; ");
    let rest = if done.is_empty() { String::new() } else { format!(" ({done})") };
    Err(conflict(
        workload.as_str(),
        &format!("{failures}{rest}"),
        "do what is said, then ask again; it is held for a day",
    ))
}

/// The knob is back, or why not and what to do.
fn check(decision: &Decision) -> Result<(), String> {
    let (knob, workload, former) = (decision.change.knob, &decision.change.workload, decision.change.to);
    match &decision.verdict {
        // The guard keeps memory above what is in use, also against a person's rollback.
        Verdict::Admitted { to, outcome: Outcome::Applied { .. } | Outcome::Unchanged } if !to.same(former, knob) => {
            Err(format!(
                "{knob} of {workload} is {to} now and not {former}, since more than that is in use: ask again when it has shrunk"
            ))
        }
        Verdict::Admitted { outcome: Outcome::Applied { .. } | Outcome::Unchanged, .. } => Ok(()),
        Verdict::Admitted { outcome: Outcome::Failed { error }, .. } => Err(format!("{knob}: {error}")),
        Verdict::Refused { why: Refusal::ForeignChange { found, .. } } => Err(format!(
            "{knob}: somebody else set it to {found}, and so it stays: `apportion release {workload}` hands it over to be sized again"
        )),
        _ => Err(wording::headline(decision, Language::En)),
    }
}

fn failed(place: &str, error: &dyn std::fmt::Display) -> ActionError {
    let remedy = "correct that and ask again".to_owned();
    ActionError { kind: ActionErrorKind::Failed, what: error.to_string(), place: place.to_owned(), remedy }
}

fn not_found(place: &str) -> ActionError {
    let (what, remedy) =
        ("there is no such thing".to_owned(), "`apportion status` and `apportion history` list them".to_owned());
    ActionError { kind: ActionErrorKind::NotFound, what, place: place.to_owned(), remedy }
}

fn conflict(place: &str, what: &str, remedy: &str) -> ActionError {
    let (what, remedy) = (what.to_owned(), remedy.to_owned());
    ActionError { kind: ActionErrorKind::Conflict, what, place: place.to_owned(), remedy }
}
