//! The seam of the peers: one recommender per series, fed sample by sample.

/// What a recommender sees at one time. Amounts are in base units (see [`crate::quantity`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// End of the interval, seconds since 1970.
    pub time_s: i64,
    /// What was used over it, as recorded.
    pub usage: f64,
    /// What was allotted over it; `None` before the first decision.
    pub allotted: Option<f64>,
    /// More memory was used than allotted: the workload was killed.
    pub oom: bool,
}

/// A peer's algorithm on one series. It sees each sample once, in order, and may change the allotment after any of them.
pub trait Recommender {
    /// Takes one sample; gives the new allotment (base units) where it decides anew, in force after this time.
    fn observe(&mut self, seen: &Observation) -> Option<f64>;
}

/// Usage over one interval of a recommender's own sampling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Regridded {
    /// How many of the recommender's intervals it stands for: above 1 where the trace is coarser.
    pub(crate) repeats: u32,
    /// Mean usage.
    pub(crate) mean: f64,
    /// Greatest usage.
    pub(crate) peak: f64,
}

/// Brings a trace to the interval at which a recommender samples: finer traces are gathered, coarser ones repeated.
#[derive(Clone, Debug)]
pub(crate) struct Regrid {
    every_s: i64,
    step_s: i64,
    since_s: Option<i64>,
    sum: f64,
    peak: f64,
    count: u32,
}

impl Regrid {
    pub(crate) const fn new(every_s: i64, step_s: i64) -> Self {
        Self { every_s, step_s, since_s: None, sum: 0.0, peak: 0.0, count: 0 }
    }

    /// Takes one sample; gives an interval when one is full.
    pub(crate) fn push(&mut self, time_s: i64, usage: f64) -> Option<Regridded> {
        if self.step_s >= self.every_s {
            let repeats = u32::try_from((self.step_s + self.every_s / 2) / self.every_s).unwrap_or(1);
            return Some(Regridded { repeats, mean: usage, peak: usage });
        }
        let since = *self.since_s.get_or_insert(time_s - self.step_s);
        self.sum += usage;
        self.peak = self.peak.max(usage);
        self.count += 1;
        if time_s - since < self.every_s {
            return None;
        }
        let made = Regridded { repeats: 1, mean: self.sum / f64::from(self.count), peak: self.peak };
        *self = Self::new(self.every_s, self.step_s);
        Some(made)
    }
}

/// When a report-like peer is run again: hourly while the workload is new, then once a day. The peers' own documents leave
/// that to the user; a day is what their schedules (Crane's rule, a nightly KRR job) do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Review {
    first_s: Option<i64>,
    last_s: Option<i64>,
}

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;

impl Review {
    /// True when it is run at this time.
    pub(crate) fn due(&mut self, now_s: i64) -> bool {
        let first = *self.first_s.get_or_insert(now_s);
        let every = if now_s - first <= DAY_S { HOUR_S } else { DAY_S };
        let due = self.last_s.is_none_or(|last| now_s - last >= every);
        if due {
            self.last_s = Some(now_s);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finer_traces_are_gathered_and_coarser_ones_repeated() {
        let mut fine = Regrid::new(60, 20);
        assert_eq!(fine.push(20, 1.0), None);
        assert_eq!(fine.push(40, 5.0), None);
        assert_eq!(fine.push(60, 3.0), Some(Regridded { repeats: 1, mean: 3.0, peak: 5.0 }));
        assert_eq!(fine.push(80, 7.0), None);
        assert_eq!(Regrid::new(60, 300).push(300, 2.0), Some(Regridded { repeats: 5, mean: 2.0, peak: 2.0 }));
    }

    #[test]
    fn reviews_are_hourly_on_the_first_day_and_daily_after() {
        let mut review = Review::default();
        let due: Vec<i64> = (0..=72 * 4).map(|quarter| quarter * 900).filter(|now| review.due(*now)).collect();
        assert_eq!(due.len(), 25 + 2);
        assert_eq!(due[25..], [172_800, 259_200]);
    }
}
