//! Decisions as the API gives them.

use super::{ReasonShown, SettingShown, unit};
use crate::web::publish::labels;
use apportion_core::{Decision, Knob, Outcome, Refusal, Verdict};
use serde::Serialize;
use utoipa::ToSchema;

/// One decision.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web::api) struct DecisionShown {
    id: u64,
    time_s: i64,
    workload: String,
    #[schema(value_type = String)]
    knob: Knob,
    unit: &'static str,
    /// As observed.
    from: SettingShown,
    /// As proposed.
    proposed: SettingShown,
    /// As let through; null where refused.
    to: Option<SettingShown>,
    /// One of applied, unchanged, dry_run, drifted, failed, refused.
    verdict: &'static str,
    /// Why it was refused, as a word.
    refusal: Option<&'static str>,
    /// What the machine said, where it failed.
    note: Option<String>,
    /// True when it gives less than before.
    cut: bool,
    /// True when it restores a former value.
    undo: bool,
    /// The whole of it in words.
    words: String,
    reason: ReasonShown,
}

impl DecisionShown {
    pub(in crate::web::api) const fn id(&self) -> u64 {
        self.id
    }

    pub(in crate::web::api) fn of(decision: &Decision, words: String) -> Self {
        let change = &decision.change;
        let (verdict, refusal) = labels(decision);
        Self {
            id: decision.id.0,
            time_s: decision.time.s(),
            workload: change.workload.to_string(),
            knob: change.knob,
            unit: unit(change.knob.name()),
            from: change.from.into(),
            proposed: change.to.into(),
            to: decision.admitted_to().map(Into::into),
            verdict,
            refusal: Some(refusal).filter(|refusal| !refusal.is_empty()),
            note: note(&decision.verdict),
            cut: change.is_cut(),
            undo: change.is_undo(),
            words,
            reason: (&change.reason).into(),
        }
    }
}

fn note(verdict: &Verdict) -> Option<String> {
    match verdict {
        Verdict::Admitted { outcome: Outcome::Failed { error }, .. }
        | Verdict::Refused { why: Refusal::Failing { error, .. } } => Some(error.clone()),
        _ => None,
    }
}

/// Decisions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web::api) struct Decisions {
    pub(in crate::web::api) decisions: Vec<DecisionShown>,
    /// Give this as `before` for the next page; null when there is none.
    pub(in crate::web::api) next_before: Option<u64>,
}
