//! The tables and how a file of an earlier version becomes one of this one. `docs/store.md` tells people what is in them.

use super::error::OpenError;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// "Appo": tells a store from any other SQLite file (`PRAGMA application_id`).
const APPLICATION_ID: i64 = 0x4170_706f;

/// One step from a schema to the next. Never edited once released; a change of the tables is a new step.
struct Migration {
    what: &'static str,
    sql: &'static str,
}

/// Step `n` (counted from 1) makes schema `n` of schema `n - 1`. A new file takes them all.
const MIGRATIONS: &[Migration] = &[
    Migration {
        what: "series, chunks, journal; decisions, intents, harms, state",
        sql: "
CREATE TABLE migration (
    version INTEGER PRIMARY KEY, what TEXT NOT NULL, applied_s INTEGER NOT NULL DEFAULT (unixepoch()));
CREATE TABLE workload (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, path TEXT NOT NULL,
    labels TEXT NOT NULL, first_seen_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL);
CREATE TABLE series (
    id INTEGER PRIMARY KEY, workload INTEGER NOT NULL REFERENCES workload(id), metric TEXT NOT NULL,
    live_seq INTEGER NOT NULL DEFAULT 0, live_skip INTEGER NOT NULL DEFAULT 0, rolled_ms INTEGER,
    before_ms INTEGER, before_value REAL, before_interval_ms INTEGER NOT NULL DEFAULT 0,
    UNIQUE (workload, metric));
CREATE TABLE chunk (
    id INTEGER PRIMARY KEY, series INTEGER NOT NULL REFERENCES series(id), tier_s INTEGER NOT NULL,
    start_s INTEGER NOT NULL, end_s INTEGER NOT NULL, count INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX chunk_series ON chunk (series, tier_s, start_s);
CREATE INDEX chunk_age ON chunk (tier_s, end_s);
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, count INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE decision (
    id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, workload TEXT NOT NULL, knob TEXT NOT NULL,
    version INTEGER NOT NULL, json TEXT NOT NULL);
CREATE INDEX decision_workload ON decision (workload, id);
CREATE INDEX decision_time ON decision (time_ms);
CREATE TABLE intent (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, decision INTEGER NOT NULL, time_ms INTEGER NOT NULL,
    workload TEXT NOT NULL, knob TEXT NOT NULL, former REAL, intended REAL,
    state TEXT NOT NULL CHECK (state IN ('open', 'applied', 'failed', 'restored')),
    version INTEGER NOT NULL, workload_json TEXT NOT NULL, change_json TEXT NOT NULL);
CREATE INDEX intent_standing ON intent (workload, knob, seq) WHERE state IN ('open', 'applied', 'failed');
CREATE INDEX intent_decision ON intent (decision);
CREATE TABLE harm (
    id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, decision INTEGER NOT NULL, workload TEXT NOT NULL,
    knob TEXT NOT NULL, signal TEXT NOT NULL, before REAL NOT NULL, now REAL NOT NULL, after_s REAL NOT NULL);
CREATE INDEX harm_time ON harm (time_ms);
CREATE TABLE state (name TEXT PRIMARY KEY, version INTEGER NOT NULL, json TEXT NOT NULL);
",
    },
    Migration {
        what: "verdict and values of decisions as columns; instructions of people",
        sql: "
ALTER TABLE decision ADD COLUMN verdict TEXT NOT NULL DEFAULT '';
ALTER TABLE decision ADD COLUMN outcome TEXT NOT NULL DEFAULT '';
ALTER TABLE decision ADD COLUMN from_value REAL;
ALTER TABLE decision ADD COLUMN to_value REAL;
UPDATE decision SET
    verdict = json ->> '$.verdict.verdict',
    outcome = coalesce(json ->> '$.verdict.outcome.outcome', json ->> '$.verdict.why.refusal'),
    from_value = json ->> '$.change.from.value',
    to_value = CASE json ->> '$.verdict.verdict'
        WHEN 'admitted' THEN json ->> '$.verdict.to.value' ELSE json ->> '$.change.to.value' END;
CREATE TABLE instruction (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL, kind TEXT NOT NULL, workloads TEXT NOT NULL,
    start_ms INTEGER, end_ms INTEGER, revoked_ms INTEGER, text TEXT NOT NULL,
    version INTEGER NOT NULL, json TEXT NOT NULL);
",
    },
];

/// The schema of this version.
#[allow(clippy::cast_possible_wrap, reason = "a handful")]
pub(super) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// Makes the file one of this version: creates the tables in an empty one, migrates an older one step by step, each step
/// in a transaction of its own. `up_to` is [`KNOWN`] except in tests.
pub(super) fn migrate(db: &mut Connection, path: &Path, up_to: i64) -> Result<(), OpenError> {
    let fail = |error| OpenError::of(path.to_owned(), &error);
    let found = check(db, path)?;
    for (version, step) in (1..=up_to).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
        transaction.execute_batch(step.sql).map_err(fail)?;
        transaction
            .execute("INSERT INTO migration (version, what) VALUES (?1, ?2)", (version, step.what))
            .map_err(fail)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(fail)?;
        transaction.pragma_update(None, "user_version", version).map_err(fail)?;
        transaction.commit().map_err(fail)?;
    }
    Ok(())
}

/// The schema of the file, 0 for an empty one; refuses what is not a store or is too new.
pub(super) fn check(db: &Connection, path: &Path) -> Result<i64, OpenError> {
    let fail = |error| OpenError::of(path.to_owned(), &error);
    let number = |pragma: &str| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(fail);
    let (application_id, found) = (number("application_id")?, number("user_version")?);
    if application_id != APPLICATION_ID {
        let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)).map_err(fail)?;
        if tables > 0 || application_id != 0 {
            let what = format!("an SQLite file of {tables} tables and indices, application_id {application_id}");
            return Err(OpenError::Foreign { path: path.to_owned(), what });
        }
    }
    if found > KNOWN {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: KNOWN });
    }
    Ok(found)
}
