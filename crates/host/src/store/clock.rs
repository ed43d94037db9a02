//! The time by which things are deleted: that of the machine, unless it jumps. A clock that is years ahead for one boot
//! would else take all history with it.

use super::error::broken;
use apportion_core::{Problem, Time, time::DAY_S};
use rusqlite::{Connection, OptionalExtension, Result};
use serde::{Deserialize, Serialize};

/// So far ahead of the last upkeep the time is believed: the machine was off.
#[allow(clippy::cast_precision_loss, reason = "a day")]
const JUMP_S: f64 = DAY_S as f64;
/// 1 January 2024. A store that knows only times before it was on a machine without a clock of its own, and believes the next one.
const ERA: Time = Time::from_s(1_704_067_200);
/// Layout of the record.
const VERSION: i64 = 1;
/// Its name in `state`.
const NAME: &str = "clock";

/// After a jump nothing is deleted for its age until as much time has gone by as was jumped over.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Clock {
    /// By this time things were deleted last.
    believed: Time,
    /// What has gone by since a jump, seconds.
    gone_by_s: f64,
    /// The last upkeep, and how far it was ahead where that is too far, seconds.
    #[serde(skip)]
    last: Option<Time>,
    #[serde(skip)]
    ahead_s: Option<f64>,
}

impl Clock {
    /// As it was written last; where it never was, by what was seen last.
    pub(super) fn load(db: &Connection) -> Result<Self> {
        let sql = "SELECT json FROM state WHERE name = ?1 AND version = ?2";
        let saved: Option<String> = db.query_row(sql, (NAME, VERSION), |row| row.get(0)).optional()?;
        if let Some(clock) = saved.and_then(|json| serde_json::from_str(&json).ok()) {
            return Ok(clock);
        }
        let seen: Option<i64> = db.query_row("SELECT max(last_seen_ms) FROM workload", (), |row| row.get(0))?;
        Ok(Self { believed: Time(seen.unwrap_or_default()), ..Self::default() })
    }

    pub(super) fn write(&self, db: &Connection) -> Result<()> {
        let json = serde_json::to_string(self).map_err(broken)?;
        let sql = "INSERT OR REPLACE INTO state (name, version, json) VALUES (?1, ?2, ?3)";
        db.prepare_cached(sql)?.execute((NAME, VERSION, json))?;
        Ok(())
    }

    /// Takes the time of an upkeep.
    pub(super) fn go_on(&mut self, now: Time) {
        let step_s = self.last.replace(now).map_or(0.0, |last| now.since_s(last));
        if (0.0..=JUMP_S).contains(&step_s) {
            self.gone_by_s += step_s;
        }
        let ahead_s = now.since_s(self.believed);
        // Half of what it is ahead by now has gone by since the jump: as much as the jump was.
        let is_believed = ahead_s <= JUMP_S || self.believed < ERA || self.gone_by_s * 2.0 >= ahead_s;
        let was_ahead = self.ahead_s.is_some();
        self.ahead_s = (!is_believed).then_some(ahead_s);
        if is_believed {
            (self.believed, self.gone_by_s) = (self.believed.max(now), 0.0);
        }
        if let Some(problem) = self.problem().filter(|_| !was_ahead) {
            tracing::warn!("{}: {}", problem.place, problem.what);
        }
    }

    /// True where what is past its time may go.
    pub(super) const fn is_believed(&self) -> bool {
        self.ahead_s.is_none()
    }

    /// That nothing is deleted, while that is so.
    pub(super) fn problem(&self) -> Option<Problem> {
        let days = self.ahead_s? / JUMP_S;
        let what = format!(
            "is {days:.0} days ahead of what the store has seen, so nothing is deleted for its age until as much time has gone by; \
             set it right if it is wrong (`timedatectl`); after a long rest nothing needs to be done"
        );
        Some(Problem { place: "clock".to_owned(), what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_S: i64 = 1_795_132_800;

    /// Whether things are deleted at each of these days.
    fn deletes(clock: &mut Clock, days: impl IntoIterator<Item = i64>) -> Vec<bool> {
        let believed = |day: i64| {
            clock.go_on(Time::from_s(START_S + day * DAY_S));
            clock.is_believed()
        };
        days.into_iter().map(believed).collect()
    }

    #[test]
    fn a_jump_is_believed_once_as_much_time_has_gone_by() {
        let mut clock = Clock::default();
        assert_eq!(deletes(&mut clock, [0, 1, 2]), [true; 3], "a new store, and days of rest");
        assert_eq!(deletes(&mut clock, [12, 13, 21]), [false; 3], "after a jump of ten days");
        assert!(clock.problem().unwrap().what.starts_with("is 19 days ahead"));
        let mut clock = Clock::default();
        assert_eq!(deletes(&mut clock, std::iter::once(0).chain(10..=20)).iter().filter(|it| **it).count(), 2);
        assert!(clock.problem().is_none() && clock.is_believed());
    }

    #[test]
    fn a_wrong_clock_is_not_believed_the_second_time_either() {
        let (mut clock, db) = (Clock::default(), Connection::open_in_memory().unwrap());
        db.execute_batch(
            "CREATE TABLE state (name TEXT PRIMARY KEY, version, json); CREATE TABLE workload (last_seen_ms)",
        )
        .unwrap();
        for (days, expect) in [([0, 1], true), ([2_000, 2_001], false), ([1, 2], true), ([2_000, 2_001], false)] {
            assert_eq!(deletes(&mut clock, days), [expect; 2], "{days:?}");
            clock.write(&db).unwrap();
            clock = Clock::load(&db).unwrap();
        }
    }

    #[test]
    fn a_machine_that_begins_in_1970_believes_the_first_real_time() {
        let mut clock = Clock::default();
        clock.go_on(Time::from_s(30));
        assert_eq!(deletes(&mut clock, [0]), [true]);
    }
}
