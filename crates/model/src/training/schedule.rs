//! Learning rate by step: linear warm-up, hold, then a decay to a small end value (`1 − √x`, Hägele et al. 2024).

use serde::{Deserialize, Serialize};

/// The learning rate as a function of the step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The rate held in the middle.
    pub peak: f32,
    /// The rate at the last step.
    pub end: f32,
    /// Steps in all.
    pub steps: u64,
    /// Steps spent rising: a number, so that the total may change while the rate is held.
    pub warm_up_steps: u64,
    /// Share of the steps spent falling.
    pub decay: f32,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { peak: 2e-3, end: 1e-5, steps: 10_000, warm_up_steps: 500, decay: 0.35 }
    }
}

impl Schedule {
    /// The rate of `step`, counted from 0.
    pub fn rate(&self, step: u64) -> f32 {
        let steps = self.steps as f32;
        let falling = (self.decay * steps).max(1.0);
        let rise = ((step + 1) as f32 / self.warm_up_steps.max(1) as f32).min(1.0);
        let fallen = ((step as f32 - (steps - falling)) / falling).clamp(0.0, 1.0);
        let height = rise * (1.0 - fallen.sqrt());
        self.end + (self.peak - self.end) * height
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_holds_and_falls() {
        let schedule = Schedule { peak: 1.0, end: 0.01, steps: 100, warm_up_steps: 10, decay: 0.4 };
        let close = |step: u64, expected: f32| {
            let found = schedule.rate(step);
            assert!((found - expected).abs() < 0.02, "step {step}: {found}, not {expected}");
        };
        close(0, 0.109);
        close(9, 1.0);
        close(60, 1.0);
        close(70, 0.505);
        close(99, 0.02);
    }
}
