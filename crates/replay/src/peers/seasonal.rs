//! Seasonal naive: what the same hour of the day before used at most, and a margin, set anew every hour. On the first day, the
//! greatest usage so far.

use super::{Adjustable, Subject};
use crate::recommend::{Observation, Recommender};
use std::collections::VecDeque;

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;

/// One series.
pub(super) struct SeasonalNaive {
    margin: f64,
    first_s: i64,
    decided_s: Option<i64>,
    /// The last day.
    history: VecDeque<(i64, f64)>,
    latest: Option<f64>,
}

impl SeasonalNaive {
    pub(super) fn new(subject: &Subject<'_>, margin: f64) -> Self {
        let first_s = subject.series.first_s();
        Self { margin, first_s, decided_s: None, history: VecDeque::new(), latest: None }
    }

    /// Greatest of the hour that began a day ago; of all that is known on the first day; the former value in a gap.
    fn greatest(&self, now_s: i64) -> Option<f64> {
        let hour_s = if now_s - self.first_s < DAY_S { DAY_S } else { HOUR_S };
        let hour = self.history.iter().take_while(|(time, _)| *time <= now_s - DAY_S + hour_s);
        hour.map(|(_, usage)| *usage).reduce(f64::max)
    }
}

impl Recommender for SeasonalNaive {
    fn observe(&mut self, seen: &Observation) -> Option<f64> {
        self.history.push_back((seen.time_s, seen.usage));
        while self.history.front().is_some_and(|(time, _)| *time <= seen.time_s - DAY_S) {
            self.history.pop_front();
        }
        if self.decided_s.is_some_and(|decided| seen.time_s - decided < HOUR_S) {
            return None;
        }
        self.decided_s = Some(seen.time_s);
        self.latest = self.greatest(seen.time_s).or(self.latest);
        self.latest.map(|greatest| greatest * (1.0 + self.margin))
    }
}

impl Adjustable for SeasonalNaive {
    const MARGIN: f64 = 0.15;
    const GRID: &'static [f64] = &[-0.3, 0.0, 0.15, 0.4, 0.8, 1.5, 3.0, 6.0];
    const MEANS: &'static str = "on top of the same hour of the day before";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::testing;

    /// Usage is the hour of the day: on the second day the hour to come is known.
    #[test]
    fn the_same_hour_of_the_day_before() {
        let usage: Vec<f64> = (0..3 * 288).map(|k| f64::from(k / 12 % 24)).collect();
        let series = testing::series("cpu_cores", 300, &usage);
        let decisions = testing::feed(&mut SeasonalNaive::new(&testing::subject(&series), 0.0), 300, &usage);
        let at =
            |hours: i64| decisions.iter().rfind(|(time, _)| *time <= hours * HOUR_S + 300).map(|(_, value)| *value);
        assert_eq!((at(10), at(30), at(46), at(48 + 12)), (Some(10.0), Some(7.0), Some(23.0), Some(13.0)));
    }
}
