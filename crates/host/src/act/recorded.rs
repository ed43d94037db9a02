//! No knob is turned before its former value is on disk: a crash at any instant can then be undone. Only what takes back an earlier
//! change goes on without: the value before that change is on disk already.

use apportion_core::{Admitted, DecisionId, Executor, Knob, Outcome, Setting, Workload};

/// Where intentions are written down, durably.
pub trait Journal {
    /// The knob of `change` stands at `former` and is about to be turned. Must be on disk when this returns.
    ///
    /// # Errors
    /// Why it could not be recorded; the knob is then left alone.
    fn intend(&mut self, change: &Admitted, former: Setting) -> Result<(), String>;
    /// What came of the intention `id`.
    ///
    /// # Errors
    /// Why it could not be recorded. The intention stands then, and counts as carried out when values are put back.
    fn settle(&mut self, id: DecisionId, outcome: &Outcome) -> Result<(), String>;
}

/// Records, then turns, then records what came of it.
pub struct Recorded<E, J> {
    executor: E,
    journal: J,
}

impl<E: Executor, J: Journal> Recorded<E, J> {
    /// `executor`, with every former value in `journal` first.
    pub const fn new(executor: E, journal: J) -> Self {
        Self { executor, journal }
    }
}

impl<E: Executor, J: Journal> Executor for Recorded<E, J> {
    fn name(&self) -> &str {
        self.executor.name()
    }

    fn observe(&self, workload: &Workload, knob: Knob) -> Option<Setting> {
        self.executor.observe(workload, knob)
    }

    fn is_lost(&self, workload: &Workload, knob: Knob) -> bool {
        self.executor.is_lost(workload, knob)
    }

    /// The value that the plan saw is the former one: an executor writes over that one only, else it says that it drifted.
    fn apply(&mut self, change: &Admitted) -> Outcome {
        let former = change.from();
        if let Err(why) = self.journal.intend(change, former) {
            if !change.change().is_undo() {
                let error = format!("not turned: its former value ({former}) could not be recorded first: {why}");
                return Outcome::Failed { error };
            }
            // What it takes back was recorded: a full disk must not keep harm in force.
            tracing::warn!(decision = change.id().0, why, "taken back without a record");
        }
        let outcome = self.executor.apply(change);
        if let Err(why) = self.journal.settle(change.id(), &outcome) {
            tracing::warn!(
                decision = change.id().0,
                why,
                "what came of a change could not be recorded; it counts as made"
            );
        }
        outcome
    }
}
