//! Puts recorded values back past the guard, and notes in the ledger what came of each: for `apportion rollback` without a loop,
//! and beside one for what it cannot see (a stopped unit keeps its limits) or what is gone, and is settled so.

use anyhow::Context as _;
use apportion_core::{Binding, Change, Decision, DecisionId, Outcome, Reason, Setting, Time, Verdict};
use apportion_host::{
    act::{PutBack, restore},
    cgroupfs::Hierarchy,
    store::{Original, Store, WriteError},
};
use std::path::Path;

/// One knob to be put back.
#[derive(Clone, Debug)]
pub struct Undo {
    /// What the ledger has of it.
    pub original: Original,
    /// The value to put back: the original one, or one on the way to it.
    pub to: Setting,
    /// The decision that is taken back.
    pub of: DecisionId,
}

impl Undo {
    /// All the way back.
    #[must_use]
    pub fn whole(original: Original) -> Self {
        Self { to: original.setting, of: original.by, original }
    }
}

/// Puts every knob back that can be; the decisions that say so are numbered from `next` on. Gives what was done, or why it could
/// not be, in words, in the order of the work.
///
/// # Errors
/// The machine's groups cannot be found; nothing was done.
pub fn undo(
    store: &Store,
    root: &Path,
    undos: &[Undo],
    next: &mut DecisionId,
    now: Time,
) -> anyhow::Result<Vec<Result<String, String>>> {
    let hierarchy = Hierarchy::discover(root).context("the machine's control groups cannot be found")?;
    let mut route = super::route(&hierarchy, true);
    let knobs = undos.iter().map(|undo| (undo.original.workload.clone(), undo.original.knob, undo.to)).collect();
    let mut said = Vec::new();
    for restored in restore(knobs, &mut route) {
        let is_it =
            |undo: &&Undo| undo.original.workload.id == restored.workload.id && undo.original.knob == restored.knob;
        let Some(undo) = undos.iter().find(is_it) else { continue };
        let noted = note(store, undo, &restored.result, *next, now);
        next.0 += 1;
        said.push(words(undo, &restored.result, noted));
    }
    Ok(said)
}

/// A knob that is on its way back only stays among those that Apportion has changed.
fn note(store: &Store, undo: &Undo, result: &PutBack, id: DecisionId, now: Time) -> Result<(), WriteError> {
    let Undo { original, to, of } = undo;
    let (workload, knob) = (&original.workload.id, original.knob);
    let outcome = match result {
        PutBack::Done => Outcome::Applied { read_back: *to },
        PutBack::AlreadySo => Outcome::Unchanged,
        PutBack::Gone => Outcome::Failed { error: "it is gone, and its limit with it: settled".to_owned() },
        PutBack::Failed(error) => Outcome::Failed { error: error.clone() },
    };
    let reason = Reason::only(Binding::RolledBack { of: *of });
    let change = Change { workload: workload.clone(), knob, from: original.last, to: *to, reason };
    let verdict = Verdict::Admitted { to: *to, outcome };
    store.record(&[Decision { id, time: now, change, verdict }])?;
    let is_over = *result == PutBack::Gone || result.is_settled() && to.same(original.setting, knob);
    if is_over { store.mark_restored(workload, knob) } else { Ok(()) }
}

fn words(undo: &Undo, result: &PutBack, noted: Result<(), WriteError>) -> Result<String, String> {
    let knob = format!("{} of {}", undo.original.knob, undo.original.workload.id);
    let done = match result {
        PutBack::Done | PutBack::AlreadySo => format!("{knob} is {} again", undo.to),
        PutBack::Gone => format!("{knob} is gone, and its limit with it: settled"),
        PutBack::Failed(why) => return Err(format!("{knob} could not be put back: {why}")),
    };
    match noted {
        Ok(()) => Ok(done),
        Err(error) => Err(format!("{done}, but that could not be recorded: {error}")),
    }
}
