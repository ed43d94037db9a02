//! The executor of this machine: the first access that reaches a knob turns it.

use super::{
    Access, ActError, Order,
    access::{turn, write_and_read_back},
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

    /// Puts a recorded value back, whatever the knob holds now.
    pub(super) fn put_back(&mut self, order: &Order) -> Result<Outcome, ActError> {
        match self.reach(order.workload(), order.knob()) {
            None => Err(ActError::NotMine),
            Some((access, Ok(found))) => Ok(turn(access, order, found)),
            // A crash in the middle leaves a knob set in parts; what was recorded was whole.
            Some((access, Err(ActError::Uneven { .. }))) => {
                write_and_read_back(access, order).map(|read_back| Outcome::Applied { read_back })
            }
            Some((_, Err(error))) => Err(error),
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

    fn is_lost(&self, workload: &Workload, knob: Knob) -> bool {
        self.accesses.iter().any(|access| access.is_lost(workload, knob))
    }

    fn apply(&mut self, change: &Admitted) -> Outcome {
        let knob = change.knob();
        let (access, found) = match self.reach(change.workload(), knob) {
            None => return failed(&ActError::NotMine),
            Some((_, Err(error))) => return failed(&error),
            Some((access, Ok(found))) => (access, found),
        };
        if found.same(change.from(), knob) {
            return turn(access, &Order::from(change), found);
        }
        if found.same(change.to(), knob) && access.has_leftover(change.workload(), knob) {
            return turn(access, &Order::from(change), found);
        }
        if access.is_lost(change.workload(), knob) {
            let error = "what was set is gone with what held it, and is set again first".to_owned();
            return Outcome::Failed { error };
        }
        Outcome::Drifted { found }
    }
}

fn failed(error: &ActError) -> Outcome {
    Outcome::Failed { error: error.to_string() }
}
