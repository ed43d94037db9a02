//! What was about to be written to a knob, noted before it was: so that a crash at any point can be undone.
//!
//! An intent is `open` from before the write until its outcome is known; one that turned out to change nothing is deleted.
//! What may have changed the knob and was not taken back stands (`open`, `applied`, `failed`); the oldest standing intent of
//! a knob holds the value that it had before Apportion first touched it. Once a knob is back at that value, by whatever
//! decision, its intents are `restored`; so are those before a change from a value that none of them knows: somebody else has set
//! that since, or the group was made anew, and it is what is to be put back.

use super::{decision_id, json, knob, number, parse, setting, write_decision};
use crate::store::{ReadError, Store, db::Durability, error::WriteError};
use apportion_core::{
    Admitted, Change, Decision, DecisionId, Knob, Outcome, Setting, Time, Verdict, Workload, WorkloadId,
};
use rusqlite::{Connection, OptionalExtension, Result, Row};

/// Something that was about to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// The decision.
    pub id: DecisionId,
    /// When.
    pub time: Time,
    /// Whose knob.
    pub workload: Workload,
    /// What it held.
    pub former: Setting,
    /// What it was to hold.
    pub to: Setting,
    /// What was proposed and why, with the knob.
    pub change: Change,
}

/// What a knob was before Apportion first touched it.
#[derive(Clone, Debug, PartialEq)]
pub struct Original {
    /// Whose knob, and how to find it.
    pub workload: Workload,
    /// Which.
    pub knob: Knob,
    /// What it was set to.
    pub setting: Setting,
    /// What was last written to it, or was about to be. Where the knob holds neither, somebody else has turned it since.
    pub last: Setting,
    /// The decision that wrote that.
    pub by: DecisionId,
    /// When Apportion first touched it.
    pub since: Time,
}

const STANDING: &str = "state IN ('open', 'applied', 'failed')";

impl Store {
    /// Notes that a knob is about to be written, with what it held: on disk when this returns. The caller writes the knob
    /// only after that, and tells the outcome by [`Store::settle`].
    ///
    /// # Errors
    /// [`WriteError`]: the knob must not be written.
    pub fn intend(&self, admitted: &Admitted, former: Setting, now: Time) -> std::result::Result<(), WriteError> {
        self.lock().db.write("noting an intent", Durability::Full, |transaction| {
            let sql = "INSERT INTO intent
                (decision, time_ms, workload, knob, former, intended, state, version, workload_json, change_json)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'open', ?7, ?8, ?9)";
            transaction.prepare_cached(sql)?.execute((
                number(admitted.id()),
                now.0,
                admitted.workload().id.as_str(),
                admitted.knob().name(),
                former.value(),
                admitted.to().value(),
                super::VERSION,
                json(admitted.workload())?,
                json(admitted.change())?,
            ))?;
            Ok(())
        })
    }

    /// Tells what came of an intent. Recording the decision does the same; so what a power cut may take from here is
    /// nothing: an intent without an outcome counts as carried out until [`Store::reconcile`] has looked.
    ///
    /// # Errors
    /// [`WriteError`]: go on; the record of the decision settles it too.
    pub fn settle(&self, id: DecisionId, outcome: &Outcome) -> std::result::Result<(), WriteError> {
        self.lock().db.write("settling an intent", Durability::Lazy, |transaction| settle(transaction, id, outcome))
    }

    /// Intents whose outcome was never told, or whose decision was never recorded, because the process died in between;
    /// oldest first. To be reconciled at the start, before the first tick.
    ///
    /// # Errors
    /// [`ReadError`]: change nothing until it can be read.
    pub fn unsettled(&self) -> std::result::Result<Vec<Intent>, ReadError> {
        let inner = self.lock();
        let sql = "SELECT decision, time_ms, former, intended, version, workload_json, change_json
            FROM intent WHERE state = 'open' OR state = 'applied'
                AND NOT EXISTS (SELECT 1 FROM decision WHERE decision.id = intent.decision)
            ORDER BY seq";
        let mut statement = inner.db.connection.prepare_cached(sql)?;
        let mut rows = statement.query(())?;
        let mut intents = Vec::new();
        while let Some(row) = rows.next()? {
            intents.push(intent(row)?);
        }
        Ok(intents)
    }

    /// Settles an intent by what its knob holds now, and records the decision that the crash cut short. A knob that holds
    /// neither value, or is gone, counts as changed.
    ///
    /// # Errors
    /// [`WriteError`]: the intent stays open.
    pub fn reconcile(&self, intent: &Intent, found: Option<Setting>) -> std::result::Result<Outcome, WriteError> {
        let knob = intent.change.knob;
        let is_untouched = found.is_some_and(|found| found.same(intent.former, knob));
        let outcome = match found {
            Some(found) if found.same(intent.to, knob) => Outcome::Applied { read_back: found },
            _ if is_untouched => Outcome::Failed { error: format!("stopped before writing {knob}, or put back since") },
            found => {
                let found = found.map_or("gone".to_owned(), |found| found.to_string());
                Outcome::Failed { error: format!("stopped while writing {knob}; it is {found} now") }
            }
        };
        let verdict = Verdict::Admitted { to: intent.to, outcome: outcome.clone() };
        let decision = Decision { id: intent.id, time: intent.time, change: intent.change.clone(), verdict };
        self.lock().db.write("reconciling an intent", Durability::Full, |transaction| {
            if is_untouched && !outcome.is_applied() {
                let sql =
                    format!("DELETE FROM intent WHERE decision = ?1 AND workload = ?2 AND knob = ?3 AND {STANDING}");
                let key = (number(intent.id), intent.workload.id.as_str(), knob.name());
                transaction.prepare_cached(&sql)?.execute(key)?;
            }
            write_decision(transaction, &decision)
        })?;
        Ok(outcome)
    }

    /// What every knob that Apportion has changed, or was about to, was set to before it first touched it, where that has
    /// not been restored. By workload and knob.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn originals(&self) -> std::result::Result<Vec<Original>, ReadError> {
        let inner = self.lock();
        let sql = format!(
            "SELECT first.knob, first.former, last.intended, first.time_ms, last.version, last.workload_json, last.decision
            FROM (SELECT min(seq) AS oldest, max(seq) AS newest FROM intent WHERE {STANDING} GROUP BY workload, knob)
            JOIN intent AS first ON first.seq = oldest JOIN intent AS last ON last.seq = newest
            ORDER BY first.workload, first.knob"
        );
        let mut statement = inner.db.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(())?;
        let mut originals = Vec::new();
        while let Some(row) = rows.next()? {
            originals.push(original(row)?);
        }
        Ok(originals)
    }

    /// Notes that a knob is back at what it was before Apportion first touched it, or is given up (its workload is gone,
    /// somebody else has taken it): durably.
    ///
    /// # Errors
    /// [`WriteError`]: the knob stays among the originals; restoring it again does no harm.
    pub fn mark_restored(&self, workload: &WorkloadId, knob: Knob) -> std::result::Result<(), WriteError> {
        self.lock().db.write("noting that a knob is restored", Durability::Full, |transaction| {
            mark_restored(transaction, workload.as_str(), knob)
        })
    }
}

fn mark_restored(db: &Connection, workload: &str, knob: Knob) -> Result<()> {
    let sql = format!("UPDATE intent SET state = 'restored' WHERE workload = ?1 AND knob = ?2 AND {STANDING}");
    db.prepare_cached(&sql)?.execute((workload, knob.name()))?;
    Ok(())
}

/// Settles the open intent of a decision, where there is one.
pub(super) fn settle(db: &Connection, id: DecisionId, outcome: &Outcome) -> Result<()> {
    let sql = "SELECT seq, workload, knob FROM intent WHERE decision = ?1 AND state = 'open' ORDER BY seq DESC";
    let found: Option<(i64, String, String)> = db
        .prepare_cached(sql)?
        .query_row([number(id)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((seq, workload, name)) = found else { return Ok(()) };
    let knob = knob(&name)?;
    match outcome {
        Outcome::Unchanged | Outcome::DryRun | Outcome::Drifted { .. } => {
            db.prepare_cached("DELETE FROM intent WHERE seq = ?1")?.execute([seq])?;
        }
        Outcome::Applied { read_back } => {
            db.prepare_cached("UPDATE intent SET state = 'applied' WHERE seq = ?1")?.execute([seq])?;
            give_up_older(db, &workload, knob, seq)?;
            if read_back.same(first_former(db, &workload, knob)?, knob) {
                mark_restored(db, &workload, knob)?;
            }
        }
        // It could not be written, and perhaps not be put back either.
        Outcome::Failed { .. } => {
            db.prepare_cached("UPDATE intent SET state = 'failed' WHERE seq = ?1")?.execute([seq])?;
            forget_failures(db, &workload, knob, seq)?;
        }
    }
    Ok(())
}

/// Ends the intents before `seq` where the value that it found is of none of them.
fn give_up_older(db: &Connection, workload: &str, knob: Knob, seq: i64) -> Result<()> {
    let found: Option<f64> =
        db.prepare_cached("SELECT former FROM intent WHERE seq = ?1")?.query_row([seq], |row| row.get(0))?;
    let sql =
        format!("SELECT former, intended FROM intent WHERE workload = ?1 AND knob = ?2 AND seq < ?3 AND {STANDING}");
    let mut statement = db.prepare_cached(&sql)?;
    let known =
        statement.query_map((workload, knob.name(), seq), |row| Ok([setting(row.get(0)?), setting(row.get(1)?)]))?;
    let known = known.collect::<Result<Vec<_>>>()?;
    if known.is_empty() || known.iter().flatten().any(|known| known.same(setting(found), knob)) {
        return Ok(());
    }
    let sql =
        format!("UPDATE intent SET state = 'restored' WHERE workload = ?1 AND knob = ?2 AND seq < ?3 AND {STANDING}");
    db.prepare_cached(&sql)?.execute((workload, knob.name(), seq))?;
    Ok(())
}

/// A knob that fails at every tick leaves one failure behind, beside the oldest intent.
fn forget_failures(db: &Connection, workload: &str, knob: Knob, seq: i64) -> Result<()> {
    let sql = format!(
        "DELETE FROM intent WHERE workload = ?1 AND knob = ?2 AND state = 'failed' AND seq < ?3
        AND seq > (SELECT min(seq) FROM intent WHERE workload = ?1 AND knob = ?2 AND {STANDING})"
    );
    db.prepare_cached(&sql)?.execute((workload, knob.name(), seq))?;
    Ok(())
}

/// What a knob was before Apportion first touched it; one of its intents stands.
fn first_former(db: &Connection, workload: &str, knob: Knob) -> Result<Setting> {
    let sql =
        format!("SELECT former FROM intent WHERE workload = ?1 AND knob = ?2 AND {STANDING} ORDER BY seq LIMIT 1");
    let former: Option<f64> = db.prepare_cached(&sql)?.query_row((workload, knob.name()), |row| row.get(0))?;
    Ok(setting(former))
}

fn intent(row: &Row<'_>) -> std::result::Result<Intent, ReadError> {
    let id = decision_id(row.get(0)?);
    let version = row.get(4)?;
    let what = || format!("intent of decision {id}");
    let workload = parse(version, row.get_ref(5)?.as_str().map_err(|_| not_text(&what()))?, what)?;
    let change = parse(version, row.get_ref(6)?.as_str().map_err(|_| not_text(&what()))?, what)?;
    Ok(Intent { id, time: Time(row.get(1)?), workload, former: setting(row.get(2)?), to: setting(row.get(3)?), change })
}

fn original(row: &Row<'_>) -> std::result::Result<Original, ReadError> {
    let name: String = row.get(0)?;
    let what = || format!("intent for {name}");
    let json: String = row.get(5)?;
    Ok(Original {
        knob: knob(&name)?,
        setting: setting(row.get(1)?),
        last: setting(row.get(2)?),
        since: Time(row.get(3)?),
        by: decision_id(row.get(6)?),
        workload: parse(row.get(4)?, &json, what)?,
    })
}

fn not_text(what: &str) -> ReadError {
    ReadError::Corrupt { what: format!("{what}: not text") }
}
