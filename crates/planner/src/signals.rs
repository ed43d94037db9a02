//! Signals in text at work: alerts and log lines raise what their workload gets for a while, less than a person's word would, and nothing
//! else. The [`Board`] holds those that are in force and lets no storm through; [`Board::hint`] puts them into a workload's standing,
//! where no person has reported of the same.

use apportion_core::{
    Knob, Resource, Signal, SignalSource, Standing, Time, WorkloadId, instruction::Level, knob, time::DAY_S,
    workload::Asked,
};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// A signal holds for so long, seconds.
pub const LASTS_S: i64 = 900;
/// At most so many signals of a workload are taken in a day at each level, those that are worse counted with them: one that logs without end
/// asks for more for two hours of it, and leaves room for what is worse.
pub const MOST_A_DAY: usize = 8;
/// At most so many signals are taken in a minute, of all workloads together.
pub const MOST_A_MINUTE: usize = 60;
/// At most so many workloads have signals in force.
pub const MOST_WORKLOADS: usize = 1_000;

/// What a signal asks for, as a factor on what would be enough. Each is below that of a person's report of the same level (2, 1.5, 1.15; 1.3
/// where none is said).
#[must_use]
pub const fn factor(level: Level) -> f64 {
    match level {
        Level::Critical => 1.25,
        Level::High => 1.2,
        Level::Normal | Level::Low => 1.1,
    }
}

/// Why a signal was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ignored {
    /// The same is in force, as bad or worse.
    InForce,
    /// Too many in this minute.
    TooMany,
    /// The workload's signals held for as long as they may in a day.
    Spent,
}

/// The signals in force, bounded in number and time.
#[derive(Clone, Debug, Default)]
pub struct Board {
    in_force: BTreeMap<(WorkloadId, Option<Resource>), Signal>,
    /// When each workload's signals were taken in the last day, and how bad they were.
    taken: BTreeMap<WorkloadId, VecDeque<(Time, Level)>>,
    /// When signals were taken in the last minute.
    lately: VecDeque<Time>,
}

impl Board {
    /// Takes a signal, where there is room for it.
    ///
    /// # Errors
    /// Why not; then nothing is changed.
    pub fn take(&mut self, signal: Signal) -> Result<(), Ignored> {
        let now = signal.time;
        self.forget(now);
        let key = (signal.workload.clone(), signal.resource);
        if self.in_force.get(&key).is_some_and(|held| held.level <= signal.level) {
            return Err(Ignored::InForce);
        }
        let known = self.taken.contains_key(&signal.workload);
        if self.lately.len() >= MOST_A_MINUTE || (!known && self.taken.len() >= MOST_WORKLOADS) {
            return Err(Ignored::TooMany);
        }
        let taken = self.taken.entry(signal.workload.clone()).or_default();
        if taken.iter().filter(|(_, level)| *level <= signal.level).count() >= MOST_A_DAY {
            return Err(Ignored::Spent);
        }
        taken.push_back((now, signal.level));
        self.lately.push_back(now);
        self.in_force.insert(key, signal);
        Ok(())
    }

    /// Ends a workload's signals from alerts: what was reported is over.
    pub fn resolve(&mut self, workload: &WorkloadId, resource: Option<Resource>) -> bool {
        let key = (workload.clone(), resource);
        let alert = self.in_force.get(&key).is_some_and(|signal| signal.source == SignalSource::Alert);
        alert && self.in_force.remove(&key).is_some()
    }

    /// The signals in force at a time, by workload.
    pub fn in_force(&self, now: Time) -> impl Iterator<Item = &Signal> {
        self.in_force.values().filter(move |signal| is_in_force(signal, now))
    }

    /// A workload's standing with what its signals ask for, where no person has reported of the same knob.
    #[must_use]
    pub fn hint(&self, workload: &WorkloadId, mut standing: Standing, now: Time) -> Standing {
        let mut asked: BTreeMap<Knob, f64> = BTreeMap::new();
        for signal in self.in_force(now).filter(|signal| signal.workload == *workload) {
            for knob in knob::ALL.into_iter().filter(|knob| signal.resource.is_none_or(|of| of == knob.resource())) {
                let factor = factor(signal.level);
                asked.entry(knob).and_modify(|most| *most = most.max(factor)).or_insert(factor);
            }
        }
        for (knob, factor) in asked {
            standing.asked.entry(knob).or_insert(Asked { factor, added: 0.0, by_signal: true });
        }
        standing
    }

    fn forget(&mut self, now: Time) {
        self.in_force.retain(|_, signal| is_in_force(signal, now));
        self.lately.retain(|time| now.since_s(*time) < 60.0);
        for taken in self.taken.values_mut() {
            taken.retain(|(time, _)| now.since_s(*time) < DAY_S as f64);
        }
        self.taken.retain(|_, taken| !taken.is_empty());
    }
}

fn is_in_force(signal: &Signal, now: Time) -> bool {
    (signal.time..signal.time.plus_s(LASTS_S)).contains(&now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(workload: &str, resource: Option<Resource>, level: Level, at_s: i64) -> Signal {
        let (workload, time) = (workload.into(), Time::from_s(at_s));
        Signal { workload, resource, level, time, source: SignalSource::Log, text: "x".to_owned() }
    }

    fn asked(board: &Board, workload: &str, at_s: i64) -> Vec<(Knob, f64)> {
        let standing = board.hint(&workload.into(), Standing::default(), Time::from_s(at_s));
        standing.asked.into_iter().map(|(knob, asked)| (knob, asked.factor)).collect()
    }

    #[test]
    fn a_signal_raises_its_own_workload_for_a_quarter_of_an_hour() {
        let mut board = Board::default();
        assert_eq!(board.take(signal("web", Some(Resource::Cpu), Level::Critical, 100)), Ok(()));
        assert_eq!(asked(&board, "web", 100), [(Knob::CpuQuota, 1.25)]);
        assert_eq!(asked(&board, "web", 999), [(Knob::CpuQuota, 1.25)]);
        assert_eq!(asked(&board, "web", 1_000), []);
        assert_eq!(asked(&board, "db", 100), []);
    }

    #[test]
    fn a_person_comes_first_whatever_they_said() {
        let mut board = Board::default();
        board.take(signal("web", None, Level::Critical, 0)).unwrap();
        let mut standing = Standing::default();
        standing.asked.insert(Knob::CpuQuota, Asked { factor: 0.9, ..Asked::default() });
        let hinted = board.hint(&"web".into(), standing, Time::from_s(1));
        assert_eq!(hinted.asked[&Knob::CpuQuota].factor, 0.9);
        assert_eq!(hinted.asked[&Knob::MemoryMax].factor, 1.25);
        assert!(hinted.asked[&Knob::MemoryMax].by_signal && !hinted.asked[&Knob::CpuQuota].by_signal);
    }

    #[test]
    fn storms_are_cut_off() {
        let mut board = Board::default();
        let mut take = |name: &str, level, at_s| board.take(signal(name, None, level, at_s));
        assert_eq!(take("web", Level::High, 0), Ok(()));
        assert_eq!(take("web", Level::High, 1), Err(Ignored::InForce));
        assert_eq!(take("web", Level::Critical, 2), Ok(()), "worse than what is in force");
        let taken = (0..200).filter(|n| take(&format!("w{n}"), Level::Low, 3).is_ok()).count();
        assert_eq!(taken, MOST_A_MINUTE - 2);
        // Logging for a whole day: eight quarters of an hour.
        let mut board = Board::default();
        let all = (0..86_400).step_by(60).filter(|at_s| board.take(signal("web", None, Level::Low, *at_s)).is_ok());
        assert_eq!(all.count(), MOST_A_DAY);
    }

    #[test]
    fn what_a_workload_logs_leaves_room_for_what_is_worse() {
        let mut board = Board::default();
        let mut take = |level, at_s| board.take(signal("web", None, level, at_s));
        let quarters = |from: i64| (from..).take(MOST_A_DAY).map(|n| n * LASTS_S);
        assert!(quarters(0).all(|at_s| take(Level::Low, at_s).is_ok()));
        assert_eq!(take(Level::Low, 10 * LASTS_S), Err(Ignored::Spent));
        assert!(quarters(10).all(|at_s| take(Level::Critical, at_s).is_ok()));
        assert_eq!(take(Level::Critical, 20 * LASTS_S), Err(Ignored::Spent), "that has an end too");
        assert_eq!(take(Level::High, 20 * LASTS_S), Err(Ignored::Spent), "what is worse counts with it");
    }

    #[test]
    fn only_alerts_are_resolved_from_outside() {
        let mut board = Board::default();
        board.take(signal("web", None, Level::High, 0)).unwrap();
        assert!(!board.resolve(&"web".into(), None));
        board.take(Signal { source: SignalSource::Alert, ..signal("db", None, Level::High, 0) }).unwrap();
        assert!(board.resolve(&"db".into(), None) && !board.resolve(&"db".into(), None));
    }
}
