//! What people have said: holds, rules, events. In force until revoked or past.

use super::{json, parse};
use crate::store::{ReadError, Store, db::Durability, error::WriteError};
use apportion_core::{
    Time,
    instruction::{Instruction, InstructionKind},
};
use rusqlite::{Connection, Result};
use serde::{Deserialize, Serialize};

/// Number of an instruction in the ledger; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstructionId(pub i64);

/// An instruction in the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instructed {
    /// Its number.
    pub id: InstructionId,
    /// When it was given.
    pub time: Time,
    /// What was said.
    pub instruction: Instruction,
}

impl Store {
    /// Keeps an instruction, durably, and gives its number.
    ///
    /// # Errors
    /// [`WriteError`]: tell the person that it was not taken.
    pub fn instruct(&self, instruction: &Instruction, now: Time) -> std::result::Result<InstructionId, WriteError> {
        self.lock().db.write("keeping an instruction", Durability::Full, |transaction| {
            let sql = "INSERT INTO instruction (time_ms, kind, workloads, start_ms, end_ms, text, version, json)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            let kind = json(&instruction.kind)?;
            transaction.prepare_cached(sql)?.execute((
                now.0,
                kind.trim_matches('"'),
                json(&instruction.workloads)?,
                instruction.start.map(|start| start.0),
                instruction.end.map(|end| end.0),
                &instruction.text,
                super::VERSION,
                json(instruction)?,
            ))?;
            Ok(InstructionId(transaction.last_insert_rowid()))
        })
    }

    /// Takes an instruction back; false where it was not in force.
    ///
    /// # Errors
    /// [`WriteError`]: tell the person that it still stands.
    pub fn revoke(&self, id: InstructionId, now: Time) -> std::result::Result<bool, WriteError> {
        self.lock().db.write("revoking an instruction", Durability::Full, |transaction| {
            let sql = "UPDATE instruction SET revoked_ms = ?2 WHERE id = ?1 AND revoked_ms IS NULL";
            Ok(transaction.prepare_cached(sql)?.execute((id.0, now.0))? > 0)
        })
    }

    /// Instructions that are neither revoked nor past at `now`, in the order in which they were given. One that repeats is
    /// never past.
    ///
    /// # Errors
    /// [`ReadError`]: freeze changes, since a hold may be among what cannot be read.
    pub fn instructions(&self, now: Time) -> std::result::Result<Vec<Instructed>, ReadError> {
        let records = standing(&self.lock().db.connection)?;
        let mut instructions = Vec::new();
        for (id, time_ms, version, json) in records {
            let instruction: Instruction = parse(version, &json, || format!("instruction {id}"))?;
            let is_past = instruction.repeat.is_none() && instruction.end.is_some_and(|end| end <= now);
            if !is_past {
                instructions.push(Instructed { id: InstructionId(id), time: Time(time_ms), instruction });
            }
        }
        Ok(instructions)
    }

    /// No changes to these workloads (names or wildcards; none for all) until a time, or until released.
    ///
    /// # Errors
    /// [`WriteError`]: tell the person that nothing is held.
    pub fn hold(
        &self,
        workloads: &[String],
        why: &str,
        until: Option<Time>,
        now: Time,
    ) -> std::result::Result<InstructionId, WriteError> {
        let instruction = Instruction {
            kind: InstructionKind::Hold,
            workloads: workloads.to_vec(),
            resource: None,
            effect: None,
            amount: None,
            start: Some(now),
            end: until,
            repeat: None,
            text: why.to_owned(),
        };
        self.instruct(&instruction, now)
    }

    /// Ends every hold that was put on exactly these workloads; gives how many.
    ///
    /// # Errors
    /// [`WriteError`]: tell the person that they still stand.
    pub fn release(&self, workloads: &[String], now: Time) -> std::result::Result<usize, WriteError> {
        self.lock().db.write("releasing a hold", Durability::Full, |transaction| {
            let sql = "UPDATE instruction SET revoked_ms = ?2
                WHERE kind = 'hold' AND workloads = ?1 AND revoked_ms IS NULL AND (end_ms IS NULL OR end_ms > ?2)";
            transaction.prepare_cached(sql)?.execute((json(&workloads)?, now.0))
        })
    }
}

fn standing(db: &Connection) -> Result<Vec<(i64, i64, i64, String)>> {
    let sql = "SELECT id, time_ms, version, json FROM instruction WHERE revoked_ms IS NULL ORDER BY id";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    rows.collect()
}
