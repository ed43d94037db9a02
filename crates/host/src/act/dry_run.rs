//! The executor of `recommend`: looks, and turns nothing.

use apportion_core::{Admitted, Executor, Knob, Outcome, Setting, Workload};

/// Observes through another executor; every change comes to [`Outcome::DryRun`].
pub struct DryRun<E>(pub E);

impl<E: Executor> Executor for DryRun<E> {
    fn name(&self) -> &'static str {
        "dry run"
    }
    fn observe(&self, workload: &Workload, knob: Knob) -> Option<Setting> {
        self.0.observe(workload, knob)
    }
    fn is_lost(&self, workload: &Workload, knob: Knob) -> bool {
        self.0.is_lost(workload, knob)
    }
    fn apply(&mut self, _: &Admitted) -> Outcome {
        Outcome::DryRun
    }
}
