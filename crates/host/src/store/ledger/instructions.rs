//! What people have said: holds, rules, events. In force until revoked or past.

use super::{json, parse};
use crate::store::{ReadError, Store, db::Durability, error::WriteError};
use apportion_core::{Instructed, Instruction, InstructionId, Time, instruction::InstructionKind};
use rusqlite::{Connection, Result};

impl Store {
    /// Keeps an instruction, durably, and gives its number.
    ///
    /// # Errors
    /// [`WriteError`]: tell the person that it was not taken.
    pub fn instruct(&self, instruction: &Instruction, now: Time) -> std::result::Result<InstructionId, WriteError> {
        self.lock()
            .db
            .write("keeping an instruction", Durability::Full, |transaction| keep(transaction, instruction, now))
    }

    /// The same in the place of another, which is revoked with it.
    ///
    /// # Errors
    /// [`WriteError`]: tell the person that neither was done.
    pub fn instruct_instead(
        &self,
        instruction: &Instruction,
        of: InstructionId,
        now: Time,
    ) -> std::result::Result<InstructionId, WriteError> {
        self.lock().db.write("keeping an instruction", Durability::Full, |transaction| {
            revoke(transaction, of, now)?;
            keep(transaction, instruction, now)
        })
    }

    /// Takes an instruction back; false where it was not in force.
    ///
    /// # Errors
    /// [`WriteError`]: tell the person that it still stands.
    pub fn revoke(&self, id: InstructionId, now: Time) -> std::result::Result<bool, WriteError> {
        self.lock().db.write("revoking an instruction", Durability::Full, |transaction| revoke(transaction, id, now))
    }

    /// Instructions that were neither revoked nor past at `since`, in the order in which they were given; the present for those
    /// that stand now, the beginning of time for all that are kept.
    ///
    /// # Errors
    /// [`ReadError`]: freeze changes, since a hold may be among what cannot be read.
    pub fn instructions(&self, since: Time) -> std::result::Result<Vec<Instructed>, ReadError> {
        let records = kept(&self.lock().db.connection, since)?;
        let mut instructions = Vec::new();
        for Record { id, time_ms, revoked_ms, version, json } in records {
            let instruction: Instruction = parse(version, &json, || format!("instruction {id}"))?;
            let (id, time, revoked) = (InstructionId(id), Time(time_ms), revoked_ms.map(Time));
            instructions.push(Instructed { id, time, revoked, instruction });
        }
        instructions.retain(|said| !said.is_past(since));
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
        let hold = Instruction::new(InstructionKind::Hold, why);
        self.instruct(&Instruction { workloads: workloads.to_vec(), start: Some(now), end: until, ..hold }, now)
    }
}

struct Record {
    id: i64,
    time_ms: i64,
    revoked_ms: Option<i64>,
    version: i64,
    json: String,
}

fn kept(db: &Connection, since: Time) -> Result<Vec<Record>> {
    let sql = "SELECT id, time_ms, revoked_ms, version, json FROM instruction
        WHERE revoked_ms IS NULL OR revoked_ms > ?1 ORDER BY id";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([since.0], |row| {
        let (id, time_ms, revoked_ms) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(Record { id, time_ms, revoked_ms, version: row.get(3)?, json: row.get(4)? })
    })?;
    rows.collect()
}

fn keep(db: &Connection, instruction: &Instruction, now: Time) -> Result<InstructionId> {
    let sql = "INSERT INTO instruction (time_ms, kind, workloads, start_ms, end_ms, text, version, json)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let kind = json(&instruction.kind)?;
    db.prepare_cached(sql)?.execute((
        now.0,
        kind.trim_matches('"'),
        json(&instruction.workloads)?,
        instruction.start.map(|start| start.0),
        instruction.end.map(|end| end.0),
        &instruction.text,
        super::VERSION,
        json(instruction)?,
    ))?;
    Ok(InstructionId(db.last_insert_rowid()))
}

fn revoke(db: &Connection, id: InstructionId, now: Time) -> Result<bool> {
    let sql = "UPDATE instruction SET revoked_ms = ?2 WHERE id = ?1 AND revoked_ms IS NULL";
    Ok(db.prepare_cached(sql)?.execute((id.0, now.0))? > 0)
}
