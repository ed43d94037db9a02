//! What a person asks of a running loop. Carried out between two turns, by the loop itself, through guard and ledger.

use super::{Daemon, look};
use crate::{
    tell,
    web::{Action, ActionError, ActionErrorKind},
};
use apportion_core::{
    Binding, Change, Decision, DecisionId, InstructionId, Knob, Outcome, Reason, Setting, Snapshot, Time, Verdict,
    WorkloadId, roll_back, time::DAY_S,
};
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

impl Daemon {
    pub(super) fn act(&mut self, action: Action) -> Result<String, ActionError> {
        let now = super::now();
        match action {
            Action::RollBackDecision(id) => self.roll_back_decision(id, now),
            Action::RollBackWorkload(workload) => self.roll_back_workload(&workload, now),
            Action::Hold { workload, why, until } => self.hold(&workload, &why, until, now),
            Action::Release(workload) => self.release(&workload, now),
            Action::Instruct { text, at, zone, also } => self.instruct(&text, at, zone.as_deref(), &also, now),
            Action::Revoke(id) => self.revoke(id, now),
            Action::TakeOver(workload) => {
                self.state.guard.take_over(&workload);
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
        let originals = self.store.originals().map_err(|error| failed("store", &error))?;
        let own = originals.into_iter().filter(|original| original.workload.id == *workload);
        let last = self.state.next_id;
        let knobs: Vec<_> = own.map(|original| (original.knob, original.setting, last)).collect();
        if knobs.is_empty() {
            return Err(conflict(workload.as_str(), "nothing of it is changed", "nothing needs to be done"));
        }
        self.put_back(workload, &knobs, now)
    }

    /// Turns knobs back one by one, then leaves the workload alone for a day.
    fn put_back(
        &mut self,
        workload: &WorkloadId,
        knobs: &[(Knob, Setting, DecisionId)],
        now: Time,
    ) -> Result<String, ActionError> {
        let snapshot = self.look_again(workload, now).ok_or_else(|| not_found(workload.as_str()))?;
        let from = |knob| snapshot.workloads.get(workload).and_then(|state| state.settings.get(&knob)).copied();
        let mut done = Vec::new();
        for (knob, former, of) in knobs {
            let reason = Reason::only(Binding::RolledBack { of: *of });
            let from = from(*knob).unwrap_or(*former);
            let change = Change { workload: workload.clone(), knob: *knob, from, to: *former, reason };
            let decision = roll_back(&mut self.state, &snapshot, self.executor.as_mut(), change);
            self.store.record(std::slice::from_ref(&decision)).map_err(|error| failed("store", &error))?;
            check(&decision)?;
            done.push(format!("{knob} of {workload} is {former} again"));
        }
        let until = now.plus_s(HOLD_AFTER_ROLLBACK_S);
        self.hold(workload, "rolled back by a person", Some(until), now)?;
        Ok(format!("{}; held for a day, `apportion release` ends that", done.join(", ")))
    }

    /// The last snapshot with this workload's settings as they are now.
    fn look_again(&self, workload: &WorkloadId, now: Time) -> Option<Snapshot> {
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
        at: Time,
        zone: Option<&str>,
        also: &[String],
        now: Time,
    ) -> Result<String, ActionError> {
        if !(0..=tell::CONFIRM_WITHIN_S).contains(&(now.s() - at.s())) {
            let what = "it was read too long ago, so its times may mean something else now";
            return Err(conflict("at_s", what, "read it again, then confirm"));
        }
        let (told, deed) = self.backend.read_here(text, &tell::zoned(at, zone), also);
        let Some(deed) = deed else {
            let block = told.notes.first().filter(|note| note.blocks).map_or(told.words.as_str(), |note| &note.words);
            return Err(conflict("text", block, "say it in other words; nothing was taken"));
        };
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

    fn release(&mut self, workload: &WorkloadId, now: Time) -> Result<String, ActionError> {
        let ended = tell::release(&self.store, workload, now).map_err(|error| failed("store", &error))?;
        let was_ceded = self.state.guard.ceded().any(|(ceded, ..)| ceded == workload);
        self.state.guard.take_over(workload);
        if ended == 0 && !was_ceded {
            return Err(conflict(workload.as_str(), "it is neither held nor ceded", "nothing needs to be done"));
        }
        Ok(format!("{workload} is sized again"))
    }
}

/// The knob is back, or why not.
fn check(decision: &Decision) -> Result<(), ActionError> {
    match &decision.verdict {
        Verdict::Admitted { outcome: Outcome::Applied { .. } | Outcome::Unchanged, .. } => Ok(()),
        Verdict::Admitted { outcome: Outcome::DryRun, .. } => {
            let what = "this loop only recommends";
            Err(conflict(decision.change.workload.as_str(), what, "stop it, then `apportion rollback` works by itself"))
        }
        verdict => {
            let place = format!("{} of {}", decision.change.knob, decision.change.workload);
            Err(conflict(&place, &format!("{verdict:?}"), "`apportion explain` says more"))
        }
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
