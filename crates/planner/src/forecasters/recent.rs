//! Quantiles of the last values, the same for every step ahead. The simplest that is hard to beat where there is no rhythm.

use super::{Past, Row, Rule, nine};

/// Quantiles of the last `steps` values.
#[derive(Clone, Copy, Debug)]
pub struct Recent {
    name: &'static str,
    steps: usize,
}

impl Recent {
    /// The last 64 values.
    pub const SHORT: Self = Self { name: "recent", steps: 64 };
    /// The last 576 values (two days of five-minute steps).
    pub const LONG: Self = Self { name: "recent-long", steps: 576 };
    /// The last 12 values.
    pub const BRIEF: Self = Self { name: "recent-brief", steps: 12 };
}

impl Rule for Recent {
    fn name(&self) -> &'static str {
        self.name
    }
    fn rows(&self, past: &Past, horizon: usize) -> Vec<Row> {
        let row = nine(&mut past.last_present(self.steps)).unwrap_or_default();
        vec![row; horizon]
    }
}
