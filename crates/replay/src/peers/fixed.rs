//! What an operator sets by hand: the greatest usage of the first hours and a margin, once more after a day, never again.

use super::Adjustable;
use crate::recommend::{Observation, Recommender};

const FIRST_LOOK_S: i64 = 3 * 3_600;
const SECOND_LOOK_S: i64 = 86_400;

/// One series.
pub(super) struct Static {
    margin: f64,
    greatest: f64,
    first_s: Option<i64>,
    looks: u8,
}

impl Static {
    pub(super) const fn new(margin: f64) -> Self {
        Self { margin, greatest: 0.0, first_s: None, looks: 0 }
    }
}

impl Recommender for Static {
    fn observe(&mut self, seen: &Observation) -> Option<f64> {
        let age_s = seen.time_s - *self.first_s.get_or_insert(seen.time_s);
        self.greatest = self.greatest.max(seen.usage);
        let due_s = [0, FIRST_LOOK_S, SECOND_LOOK_S].get(usize::from(self.looks)).copied()?;
        (age_s >= due_s).then(|| {
            self.looks += 1;
            self.greatest * (1.0 + self.margin)
        })
    }
}

impl Adjustable for Static {
    const MARGIN: f64 = 0.5;
    const GRID: &'static [f64] = &[-0.5, -0.25, 0.0, 0.5, 1.0, 2.0, 4.0];
    const MEANS: &'static str = "on top of the greatest usage of the first day";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::testing;

    #[test]
    fn it_is_set_at_once_after_three_hours_and_after_a_day() {
        let usage: Vec<f64> = (1..=600).map(f64::from).collect();
        let decisions = testing::feed(&mut Static::new(1.0), 300, &usage);
        assert_eq!(decisions, [(300, 2.0), (11_100, 74.0), (86_700, 578.0)]);
    }
}
