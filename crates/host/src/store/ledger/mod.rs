//! The ledger: what was decided and why, what was about to be written to which knob, what hurt, what people said, and what
//! the loop remembers. Records are JSON with a version, beside columns that make `sqlite3 FILE 'select ...'` useful.

mod instructions;
mod intents;

pub use intents::{Intent, Original};

use super::{
    Inner, ReadError, Store,
    db::Durability,
    error::{WriteError, broken},
};
use apportion_core::{
    Decision, DecisionId, Harm, Knob, LoopState, Setting, TickReport, Time, Verdict, WorkloadId, stats::fnv1a,
    time::DAY_S,
};
use rusqlite::{Connection, OptionalExtension, Result, Row};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeSet;

/// Version of the JSON of every record.
const VERSION: i64 = 1;
/// Decisions, harms and what was said are kept this long; what can still be undone stays for ever.
const KEEP_S: i64 = 400 * DAY_S;
/// While the file cannot be written, at most so many decisions wait in memory; the oldest that turned no knob goes first.
const MOST_WAITING: usize = 10_000;
/// Name of the loop's memory in `state`.
const LOOP: &str = "loop";

/// What the ledger is asked for; newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Of one workload; `None` for all.
    pub workload: Option<WorkloadId>,
    /// Not before this time.
    pub since: Option<Time>,
    /// Of decisions: with a smaller number than this, the next page.
    pub before: Option<DecisionId>,
    /// At most so many.
    pub limit: usize,
}

impl Default for Filter {
    fn default() -> Self {
        Self { workload: None, since: None, before: None, limit: 100 }
    }
}

/// Records that are to be written with the next transaction that succeeds.
#[derive(Debug, Default)]
pub(super) struct Pending {
    decisions: Vec<Decision>,
    harms: Vec<(Time, Harm)>,
    pub(super) state: Option<String>,
    written_state: Option<String>,
    /// Hashes of what the loop remembered at each commit that failed since the last that did not: such a one may have reached the disk
    /// all the same.
    tried_states: BTreeSet<u64>,
}

impl Pending {
    pub(super) const fn is_waiting(&self) -> bool {
        !self.decisions.is_empty() || !self.harms.is_empty() || self.state.is_some()
    }

    pub(super) fn write(&self, db: &Connection) -> Result<()> {
        for decision in &self.decisions {
            write_decision(db, decision)?;
        }
        for (time, harm) in &self.harms {
            write_harm(db, *time, harm)?;
        }
        if let Some(json) = &self.state {
            let sql = "INSERT OR REPLACE INTO state (name, version, json) VALUES (?1, ?2, ?3)";
            db.prepare_cached(sql)?.execute((LOOP, VERSION, json))?;
        }
        Ok(())
    }

    /// True of the file that the loop's memory was last written to.
    pub(super) fn is_last_written(&self, db: &Connection) -> Result<bool> {
        let sql = "SELECT json FROM state WHERE name = ?1";
        let found: Option<String> = db.query_row(sql, [LOOP], |row| row.get(0)).optional()?;
        let is_tried = |found: &String| self.tried_states.contains(&hash(found));
        Ok(self.written_state.is_some() && (found == self.written_state || found.as_ref().is_some_and(is_tried)))
    }

    /// All of it is in the file now, or it is not known whether it is.
    pub(super) fn note(&mut self, is_written: bool) {
        if !is_written {
            self.tried_states.extend(self.state.as_deref().map(hash));
            return;
        }
        self.tried_states.clear();
        self.decisions.clear();
        self.harms.clear();
        self.written_state = self.state.take().or(self.written_state.take());
    }

    fn hold(&mut self, decisions: &[Decision]) {
        self.decisions.extend_from_slice(decisions);
        while self.decisions.len() > MOST_WAITING {
            let oldest = self.decisions.iter().position(|decision| !decision.is_applied()).unwrap_or(0);
            self.decisions.remove(oldest);
        }
    }

    fn hold_state(&mut self, state: &LoopState) -> Result<()> {
        let json = serde_json::to_string(state).map_err(broken)?;
        let is_there = self.tried_states.is_empty() && self.written_state.as_deref() == Some(&json);
        self.state = (!is_there).then_some(json);
        Ok(())
    }
}

impl Inner {
    fn write_pending(&mut self) -> std::result::Result<(), WriteError> {
        if !self.pending.is_waiting() {
            return Ok(());
        }
        let pending = &self.pending;
        let written = self.db.write("recording decisions", Durability::Full, |transaction| pending.write(transaction));
        self.pending.note(written.is_ok());
        written
    }
}

impl Store {
    /// Records decisions: on disk when this returns. One that is recorded already stays as it is.
    ///
    /// # Errors
    /// [`WriteError`]; the decisions then wait in memory and go out with the next write that succeeds. Never does a number
    /// that is recorded get another decision: that is an error.
    pub fn record(&self, decisions: &[Decision]) -> std::result::Result<(), WriteError> {
        let mut inner = self.lock();
        inner.pending.hold(decisions);
        inner.write_pending()
    }

    /// Records all that one tick left behind, in one transaction: its decisions, what hurt, and the loop's memory. Nothing is
    /// written when nothing is new.
    ///
    /// # Errors
    /// [`WriteError`]; all of it then waits in memory and goes out with the next write that succeeds.
    pub fn record_tick(
        &self,
        report: &TickReport,
        state: &LoopState,
        now: Time,
    ) -> std::result::Result<(), WriteError> {
        let mut inner = self.lock();
        inner.pending.hold(&report.decisions);
        inner.pending.harms.extend(report.harms.iter().map(|harm| (now, harm.clone())));
        inner.pending.hold_state(state).map_err(|error| WriteError::of("writing the loop's memory", error))?;
        inner.write_pending()
    }

    /// Decisions that turned a knob and still wait to be written; oldest first.
    #[must_use]
    pub fn unrecorded(&self) -> Vec<Decision> {
        self.lock().pending.decisions.iter().filter(|decision| decision.is_applied()).cloned().collect()
    }

    /// Saves the loop's memory, durably, where it has changed.
    ///
    /// # Errors
    /// [`WriteError`]; it then waits in memory as decisions do.
    pub fn save_state(&self, state: &LoopState) -> std::result::Result<(), WriteError> {
        let mut inner = self.lock();
        inner.pending.hold_state(state).map_err(|error| WriteError::of("writing the loop's memory", error))?;
        inner.write_pending()
    }

    /// The loop's memory as last saved; an empty one where none was, or where it cannot be understood, which is logged:
    /// cool-downs and ownership of knobs then begin anew. Its next decision has a number that no decision and no intent of
    /// the ledger has, also where the process was killed before it could save. Limits are the caller's to set.
    ///
    /// # Errors
    /// [`ReadError`]: do not start, since numbers of decisions would be used again.
    pub fn load_state(&self) -> std::result::Result<LoopState, ReadError> {
        let inner = self.lock();
        let db = &inner.db.connection;
        let saved: Option<(i64, String)> = db
            .query_row("SELECT version, json FROM state WHERE name = ?1", [LOOP], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let parsed = saved.map(|(version, json)| parse(version, &json, || "the loop's memory".to_owned()));
        let mut state: LoopState = parsed.unwrap_or_else(|| Ok(LoopState::default())).unwrap_or_else(|error| {
            tracing::error!(%error, "cool-downs and ownership of knobs begin anew");
            LoopState::default()
        });
        let sql = "SELECT max((SELECT coalesce(max(id), -1) FROM decision), (SELECT coalesce(max(decision), -1) FROM intent))";
        let last: i64 = db.query_row(sql, (), |row| row.get(0))?;
        state.next_id = state.next_id.max(DecisionId(u64::try_from(last + 1).unwrap_or(0)));
        Ok(state)
    }

    /// Recorded decisions, newest first; also those that still wait to be written.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] for a record that cannot be read, with its number.
    pub fn decisions(&self, filter: &Filter) -> std::result::Result<Vec<Decision>, ReadError> {
        let inner = self.lock();
        let waiting = inner.pending.decisions.iter().rev().filter(|decision| {
            filter.workload.as_ref().is_none_or(|workload| decision.change.workload == *workload)
                && filter.since.is_none_or(|since| decision.time >= since)
                && filter.before.is_none_or(|before| decision.id < before)
        });
        let mut decisions: Vec<Decision> = waiting.take(filter.limit).cloned().collect();
        let columns = "id, version, json";
        for (id, version, json) in select(&inner.db.connection, "decision", columns, filter, |row| {
            Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get::<_, String>(2)?))
        })? {
            decisions.push(parse(version, &json, || format!("decision {id}"))?);
        }
        decisions.truncate(filter.limit);
        Ok(decisions)
    }

    /// One decision by its number.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn decision(&self, id: DecisionId) -> std::result::Result<Option<Decision>, ReadError> {
        let inner = self.lock();
        if let Some(waiting) = inner.pending.decisions.iter().find(|decision| decision.id == id) {
            return Ok(Some(waiting.clone()));
        }
        let sql = "SELECT version, json FROM decision WHERE id = ?1";
        let mut statement = inner.db.connection.prepare_cached(sql)?;
        let found: Option<(i64, String)> =
            statement.query_row([number(id)], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        found.map(|(version, json)| parse(version, &json, || format!("decision {id}"))).transpose()
    }

    /// What hurt and was taken back, newest first, with the time at which it was seen.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn harms(&self, filter: &Filter) -> std::result::Result<Vec<(Time, Harm)>, ReadError> {
        let columns = "time_ms, decision, workload, knob, signal, before, now, after_s";
        let inner = self.lock();
        // Their rows have numbers of their own.
        let filter = Filter { before: None, ..filter.clone() };
        let harms = select(&inner.db.connection, "harm", columns, &filter, |row| {
            let harm = Harm {
                of: decision_id(row.get(1)?),
                workload: WorkloadId::new(row.get_ref(2)?.as_str()?),
                knob: knob(row.get_ref(3)?.as_str()?)?,
                signal: row.get(4)?,
                before: row.get(5)?,
                now: row.get(6)?,
                after_s: row.get(7)?,
            };
            Ok((Time(row.get(0)?), harm))
        })?;
        Ok(harms)
    }
}

/// Rows of a table that has `id`, `time_ms` and `workload`.
fn select<T>(
    db: &Connection,
    table: &str,
    columns: &str,
    filter: &Filter,
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let of_workload = if filter.workload.is_some() { "workload = ?1" } else { "?1 IS NULL" };
    let sql = format!(
        "SELECT {columns} FROM {table} WHERE {of_workload} AND time_ms >= ?2 AND id < ?4 ORDER BY id DESC LIMIT ?3"
    );
    let since_ms = filter.since.map_or(i64::MIN, |since| since.0);
    let limit = i64::try_from(filter.limit).unwrap_or(i64::MAX);
    let before = filter.before.map_or(i64::MAX, number);
    let mut statement = db.prepare_cached(&sql)?;
    let workload = filter.workload.as_ref().map(WorkloadId::as_str);
    let rows = statement.query_map((workload, since_ms, limit, before), |row| read(row))?;
    rows.collect()
}

fn write_decision(db: &Connection, decision: &Decision) -> Result<()> {
    let record = serde_json::to_value(decision).map_err(broken)?;
    let text = |pointer: &str| record.pointer(pointer).and_then(serde_json::Value::as_str);
    let outcome = text("/verdict/outcome/outcome").or(text("/verdict/why/refusal"));
    let to = decision.admitted_to().unwrap_or(decision.change.to);
    let sql = "INSERT INTO decision
        (id, time_ms, workload, knob, verdict, outcome, from_value, to_value, version, json)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING";
    let written = db.prepare_cached(sql)?.execute((
        number(decision.id),
        decision.time.0,
        decision.change.workload.as_str(),
        decision.change.knob.name(),
        text("/verdict/verdict").unwrap_or_default(),
        outcome.unwrap_or_default(),
        decision.change.from.value(),
        to.value(),
        VERSION,
        record.to_string(),
    ))?;
    if written == 0 {
        check_same(db, decision)?;
    }
    if let Verdict::Admitted { outcome, .. } = &decision.verdict {
        intents::settle(db, decision.id, outcome)?;
    }
    Ok(())
}

/// A commit that failed may have reached the disk all the same, so the same record may come twice; another one may not.
fn check_same(db: &Connection, decision: &Decision) -> Result<()> {
    let sql = "SELECT json FROM decision WHERE id = ?1";
    let kept: String = db.prepare_cached(sql)?.query_row([number(decision.id)], |row| row.get(0))?;
    let is_same = serde_json::from_str(&kept).is_ok_and(|kept: Decision| kept == *decision);
    if is_same { Ok(()) } else { Err(broken(NumberTaken(decision.id))) }
}

fn write_harm(db: &Connection, time: Time, harm: &Harm) -> Result<()> {
    // A commit that failed may have reached the disk all the same.
    let sql = "INSERT INTO harm (time_ms, decision, workload, knob, signal, before, now, after_s)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM harm
        WHERE time_ms = ?1 AND decision = ?2 AND workload = ?3 AND knob = ?4 AND signal = ?5)";
    let (workload, knob) = (harm.workload.as_str(), harm.knob.name());
    let row = (time.0, number(harm.of), workload, knob, &harm.signal, harm.before, harm.now, harm.after_s);
    db.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

fn hash(text: &str) -> u64 {
    fnv1a(text.bytes())
}

/// Deletes what is past its time.
pub(super) fn delete_old(db: &Connection, now: Time) -> Result<()> {
    let before_ms = now.plus_s(-KEEP_S).0;
    for sql in [
        "DELETE FROM decision WHERE time_ms < ?1 AND NOT EXISTS (SELECT 1 FROM intent
            WHERE intent.decision = decision.id AND state IN ('open', 'applied', 'failed'))",
        "DELETE FROM intent WHERE time_ms < ?1 AND state = 'restored'",
        "DELETE FROM harm WHERE time_ms < ?1",
        "DELETE FROM instruction WHERE revoked_ms < ?1",
    ] {
        db.prepare_cached(sql)?.execute([before_ms])?;
    }
    Ok(())
}

/// A record from its JSON.
fn parse<T: DeserializeOwned>(
    version: i64,
    json: &str,
    what: impl Fn() -> String,
) -> std::result::Result<T, ReadError> {
    if version > VERSION {
        let what = format!("{}: version {version}, newest known is {VERSION}", what());
        return Err(ReadError::Corrupt { what });
    }
    serde_json::from_str(json).map_err(|error| ReadError::Corrupt { what: format!("{}: {error}", what()) })
}

fn json(record: &impl Serialize) -> Result<String> {
    serde_json::to_string(record).map_err(broken)
}

fn number(id: DecisionId) -> i64 {
    i64::try_from(id.0).unwrap_or(i64::MAX)
}

fn decision_id(number: i64) -> DecisionId {
    DecisionId(u64::try_from(number).unwrap_or(0))
}

/// A setting is a number, or NULL for unlimited.
fn setting(value: Option<f64>) -> Setting {
    value.map_or(Setting::Unlimited, Setting::Value)
}

fn knob(name: &str) -> Result<Knob> {
    Knob::from_name(name).ok_or_else(|| broken(UnknownKnob(name.to_owned())))
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no knob that this version knows")]
struct UnknownKnob(String);

#[derive(Debug, thiserror::Error)]
#[error("decision {0} is recorded already, and is another one")]
struct NumberTaken(DecisionId);
