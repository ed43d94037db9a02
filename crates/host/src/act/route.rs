//! The executor of this machine: the first access that reaches a knob turns it.

use super::{
    Access, ActError, Order,
    access::{turn, turn_unseen},
};
use apportion_core::{Admitted, Executor, Knob, Outcome, Setting, Workload};

/// Tries its accesses in order; the first that does not say [`ActError::NotMine`] has the knob.
pub struct Route {
    accesses: Vec<Box<dyn Access + Send>>,
}

/// Whoever has a knob, and what it says of it.
type Reached<'a> = (&'a mut (dyn Access + Send + 'static), Result<Setting, ActError>);

impl Route {
    /// An executor over `accesses`; the more specific first (systemd before cgroup files).
    #[must_use]
    pub fn new(accesses: Vec<Box<dyn Access + Send>>) -> Self {
        Self { accesses }
    }

    fn reach(&mut self, workload: &Workload, knob: Knob) -> Option<Reached<'_>> {
        self.accesses.iter_mut().find_map(|access| match access.read(workload, knob) {
            Err(ActError::NotMine) => None,
            found => Some((access.as_mut(), found)),
        })
    }

    /// Puts a recorded value back, whatever the knob holds now. `None` when the workload is gone.
    pub(super) fn put_back(&mut self, order: &Order) -> Option<Outcome> {
        match self.reach(order.workload(), order.knob()) {
            None => Some(failed(&ActError::NotMine)),
            Some((access, Ok(found))) => Some(turn(access, order, found)),
            // A crash between two disks leaves them uneven; what was recorded was even.
            Some((access, Err(ActError::Uneven { .. }))) => Some(turn_unseen(access, order)),
            Some((_, Err(ActError::Gone { .. }))) => None,
            Some((_, Err(error))) => Some(failed(&error)),
        }
    }
}

impl Executor for Route {
    fn name(&self) -> &'static str {
        "machine"
    }

    fn observe(&self, workload: &Workload, knob: Knob) -> Option<Setting> {
        self.accesses.iter().find_map(|access| match access.glance(workload, knob) {
            Err(ActError::NotMine) => None,
            found => Some(found.ok()),
        })?
    }

    fn apply(&mut self, change: &Admitted) -> Outcome {
        match self.reach(change.workload(), change.knob()) {
            None => failed(&ActError::NotMine),
            Some((_, Err(error))) => failed(&error),
            Some((_, Ok(found))) if !found.same(change.from(), change.knob()) => Outcome::Drifted { found },
            Some((access, Ok(found))) => turn(access, &Order::from(change), found),
        }
    }
}

fn failed(error: &ActError) -> Outcome {
    Outcome::Failed { error: error.to_string() }
}
