//! From memory to the file: the journal every 45 s, chunks as heads fill, and the upkeep of what is there.

use super::{
    Inner,
    chunks::{self, Existing},
    codec,
    db::Durability,
    error::{WriteError, broken},
    head::{Head, Sealed},
    ledger,
    span::Point,
    tier::{RAW_KEEP_S, RAW_S, ROLL_UPS},
};
use apportion_core::{Batch, Metric, Time, Workload, WorkloadId, WorkloadKind, time::DAY_S};
use rusqlite::{Connection, Result, Transaction};
use std::collections::BTreeMap;

/// The journal is written once the oldest reading that is not in it is this old: with a tick of up to 15 s a crash or a
/// power cut takes at most 60 s of readings.
const FLUSH_AFTER_S: f64 = 45.0;
/// At least so many series are sealed per flush while any is due, ...
const SEAL_LEAST: usize = 64;
/// ... and this share of all: an hour has 72 flushes, so one part in 40 keeps up and works off a backlog.
const SEAL_PART: usize = 40;
/// At most so many times as many heads are packed in a turn as are sealed in one that flushes. At a tick of 10 s each is due once in fifty
/// turns: once keeps up, and twice works off a backlog.
const PACK_TIMES: usize = 2;
/// Of each resolution, at most so many times as many chunks as are sealed are deleted at once, so that no tick takes long.
const DELETE_TIMES: usize = 8;
/// Upkeep is made at least this often, seconds, whether or not readings come in.
const MAINTAIN_EVERY_S: f64 = 60.0;
/// How often the log is moved to the file and what is empty is deleted, seconds.
const SWEEP_EVERY_S: f64 = 300.0;
/// The end of a workload's presence is written once it has moved this far, seconds.
const SEEN_EVERY_S: f64 = 300.0;
/// A workload that was not seen for this long leaves memory (not the file).
const FORGET_AFTER_S: f64 = 3_600.0;

/// A workload as it is held in memory.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub workload: Workload,
    pub first_seen: Time,
    pub last_seen: Time,
    pub(super) written: Option<Time>,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Readings taken.
    pub taken: usize,
    /// Readings dropped: not later than the one before, not a number, or at a time outside 1970..9999.
    pub dropped: usize,
}

impl Inner {
    pub(super) fn append(&mut self, batch: &Batch, now: Time) -> Appended {
        for workload in &batch.workloads {
            self.see(workload, now);
        }
        let mut appended = Appended::default();
        for sample in &batch.samples {
            if !self.known.contains_key(&sample.workload) {
                self.see(&unlisted(&sample.workload), now);
            }
            let heads = entry(&mut self.heads, &sample.workload);
            let head = heads.entry(sample.metric.clone()).or_insert_with(|| Head::new(sample.metric.kind()));
            match head.push(Point { ms: sample.time.0, value: sample.value }) {
                true => appended.taken += 1,
                false => appended.dropped += 1,
            }
        }
        if appended.taken > 0 {
            self.unwritten_since.get_or_insert(now);
        }
        self.dropped += appended.dropped as u64;
        appended
    }

    pub(super) fn see(&mut self, workload: &Workload, now: Time) {
        match self.known.get_mut(&workload.id) {
            Some(known) => {
                known.last_seen = known.last_seen.max(now);
                if known.workload != *workload {
                    known.workload = workload.clone();
                    known.written = None;
                }
            }
            None => {
                let known = Known { workload: workload.clone(), first_seen: now, last_seen: now, written: None };
                self.known.insert(workload.id.clone(), known);
            }
        }
    }

    pub(super) fn maintain(&mut self, now: Time) -> std::result::Result<(), WriteError> {
        match self.keep_up(now) {
            Err(_) if self.reopen() => self.keep_up(now),
            done => done,
        }
    }

    fn keep_up(&mut self, now: Time) -> std::result::Result<(), WriteError> {
        // A clock that was set back must not put anything off, hence the absolute value.
        let is_due = |time: Option<Time>, every_s| time.is_none_or(|time| now.since_s(time).abs() >= every_s);
        let is_unwritten = self.unwritten_since.is_some() && is_due(self.unwritten_since, FLUSH_AFTER_S);
        if !is_unwritten && !is_due(self.maintained, MAINTAIN_EVERY_S) && !self.pending.is_waiting() {
            return self.pack();
        }
        self.clock.go_on(now);
        self.flush()?;
        self.seal(now)?;
        self.bound(now)?;
        self.maintained = Some(now);
        self.pack()?;
        if is_due(self.swept, SWEEP_EVERY_S) {
            self.sweep(now)?;
            self.swept = Some(now);
        }
        Ok(())
    }

    /// Writes all that is not in the file yet, durably.
    pub(super) fn flush(&mut self) -> std::result::Result<(), WriteError> {
        let (known, heads, pending) = (&self.known, &self.heads, &self.pending);
        let written = self.db.write("writing readings", Durability::Full, |transaction| {
            pending.write(transaction)?;
            write_workloads(transaction, known)?;
            write_journal(transaction, heads)
        });
        self.pending.note(written.is_ok());
        let written = written?;
        for known in self.known.values_mut().filter(|known| known.is_unwritten()) {
            known.written = Some(known.last_seen);
        }
        for (workload, metric, series) in written.series {
            if let Some(head) = self.heads.get_mut(&workload).and_then(|heads| heads.get_mut(&metric)) {
                head.series = Some(series);
            }
        }
        for head in self.heads.values_mut().flat_map(BTreeMap::values_mut) {
            head.note_journaled(written.seq, 0, head.unjournaled().len());
        }
        self.unwritten_since = None;
        Ok(())
    }

    /// Seals the heads that are due, and forgets rows of the journal that hold nothing else.
    fn seal(&mut self, now: Time) -> std::result::Result<(), WriteError> {
        let heads = || self.heads.values().flat_map(BTreeMap::values);
        let most = self.seal_most();
        let due: Vec<(&Head, Sealed)> = heads()
            .filter(|head| head.is_due(now))
            .filter_map(|head| Some((head, head.seal(now)?)))
            .take(most)
            .collect();
        let oldest_seq = heads().filter_map(Head::oldest_seq).min();
        self.db.write("sealing chunks", Durability::Lazy, |transaction| {
            let next_seq = next_seq(transaction)?;
            for (head, sealed) in &due {
                write_sealed(transaction, head, sealed, next_seq)?;
            }
            let sql = "DELETE FROM journal WHERE seq < ?1";
            transaction.prepare_cached(sql)?.execute([oldest_seq.unwrap_or(next_seq)])?;
            Ok(())
        })?;
        let sealed: BTreeMap<Option<i64>, Sealed> =
            due.into_iter().map(|(head, sealed)| (head.series, sealed)).collect();
        for head in self.heads.values_mut().flat_map(BTreeMap::values_mut) {
            if let Some(sealed) = sealed.get(&head.series) {
                head.let_go(sealed);
            }
        }
        self.forget(now);
        Ok(())
    }

    /// Packs what heads hold that is in the journal, a part of them at a time: many are due in the same tick.
    fn pack(&mut self) -> std::result::Result<(), WriteError> {
        let most = self.seal_most() * PACK_TIMES;
        let heads = self.heads.values_mut().flat_map(BTreeMap::values_mut);
        for head in heads.filter(|head| head.is_packable()).take(most) {
            head.pack().map_err(|error| WriteError::of("packing readings", broken(error)))?;
        }
        Ok(())
    }

    /// How many series may be sealed at once.
    fn seal_most(&self) -> usize {
        let series: usize = self.heads.values().map(BTreeMap::len).sum();
        SEAL_LEAST.max(series / SEAL_PART)
    }

    /// Lets go of what is only in the file from here on: series and workloads that fell silent.
    fn forget(&mut self, now: Time) {
        let is_gone = |known: &Known| now.since_s(known.last_seen) > FORGET_AFTER_S && !known.is_unwritten();
        self.known.retain(|_, known| !is_gone(known));
        let known = &self.known;
        self.heads.retain(|workload, heads| {
            let is_known = known.contains_key(workload);
            heads.retain(|_, head| is_known || !head.is_empty());
            !heads.is_empty()
        });
    }

    /// Deletes what is past its time, then, where the file is larger than it may be, the oldest of the finest.
    fn bound(&mut self, now: Time) -> std::result::Result<(), WriteError> {
        let most_bytes = self.options.most_bytes;
        let used_bytes =
            |db: &super::db::Db| db.used_bytes().map_err(|error| WriteError::of("measuring the file", error));
        let is_over = used_bytes(&self.db)? > most_bytes;
        let most = self.seal_most() * DELETE_TIMES;
        let is_believed = self.clock.is_believed();
        self.db.write("deleting what is past its time", Durability::Lazy, |transaction| {
            let kept = [(RAW_S, RAW_KEEP_S)].into_iter().chain(ROLL_UPS.map(|tier| (tier.step_s, tier.keep_s)));
            for (step_s, keep_s) in kept.filter(|_| is_believed) {
                delete_old(transaction, step_s, now.s() - keep_s, most)?;
            }
            if is_over {
                delete_finest(transaction, now, most)?;
            }
            Ok(())
        })?;
        self.used_bytes = used_bytes(&self.db)?;
        Ok(())
    }

    /// Deletes what is empty, gives free pages back to the system a few at a time, and moves the log to the file.
    fn sweep(&mut self, now: Time) -> std::result::Result<(), WriteError> {
        let clock = &self.clock;
        self.db.write("deleting what is empty", Durability::Lazy, |transaction| {
            clock.write(transaction)?;
            if !clock.is_believed() {
                return Ok(());
            }
            ledger::delete_old(transaction, now)?;
            delete_empty(transaction, now)
        })?;
        self.db.shrink().map_err(|error| WriteError::of("shrinking the file", error))?;
        self.db.checkpoint()
    }
}

impl Known {
    fn is_unwritten(&self) -> bool {
        self.written.is_none_or(|written| self.last_seen.since_s(written) >= SEEN_EVERY_S)
    }
}

/// A workload of which nothing is known but its name.
pub(super) fn unlisted(id: &WorkloadId) -> Workload {
    let kind = if id.is_machine() { WorkloadKind::Machine } else { WorkloadKind::Trace };
    Workload { id: id.clone(), kind, path: String::new(), labels: BTreeMap::new() }
}

/// The heads of a workload; its name is copied only when it is new.
fn entry<'a, T: Default>(map: &'a mut BTreeMap<WorkloadId, T>, workload: &WorkloadId) -> &'a mut T {
    if !map.contains_key(workload) {
        map.insert(workload.clone(), T::default());
    }
    map.entry(workload.clone()).or_default()
}

fn write_workloads(db: &Connection, known: &BTreeMap<WorkloadId, Known>) -> Result<()> {
    for known in known.values().filter(|known| known.is_unwritten()) {
        write_workload(db, &known.workload, known.first_seen, known.last_seen)?;
    }
    Ok(())
}

/// Writes a workload, or what is new about it.
pub(super) fn write_workload(db: &Connection, workload: &Workload, first: Time, last: Time) -> Result<()> {
    let sql = "INSERT INTO workload (name, kind, path, labels, first_seen_ms, last_seen_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO UPDATE SET
        kind = excluded.kind, path = excluded.path, labels = excluded.labels,
        first_seen_ms = min(first_seen_ms, excluded.first_seen_ms),
        last_seen_ms = max(last_seen_ms, excluded.last_seen_ms)";
    let kind = serde_json::to_value(workload.kind).map_err(broken)?;
    let labels = serde_json::to_string(&workload.labels).map_err(broken)?;
    let row = (workload.id.as_str(), kind.as_str(), &workload.path, labels, first.0, last.0);
    db.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

/// The row of a series, made where there is none. Its workload is there.
pub(super) fn series_row(db: &Connection, workload: &WorkloadId, metric: &Metric) -> Result<i64> {
    let key = (workload.as_str(), metric.as_str());
    let sql = "INSERT OR IGNORE INTO series (workload, metric) SELECT id, ?2 FROM workload WHERE name = ?1";
    db.prepare_cached(sql)?.execute(key)?;
    let sql = "SELECT series.id FROM series JOIN workload ON workload.id = workload WHERE name = ?1 AND metric = ?2";
    db.prepare_cached(sql)?.query_row(key, |row| row.get(0))
}

/// What a flush wrote: the rows that series got, and the row of the journal.
struct Journaled {
    series: Vec<(WorkloadId, Metric, i64)>,
    seq: i64,
}

fn write_journal(
    transaction: &Transaction<'_>,
    heads: &BTreeMap<WorkloadId, BTreeMap<Metric, Head>>,
) -> Result<Journaled> {
    let mut journaled = Journaled { series: Vec::new(), seq: 0 };
    let mut entries = Vec::new();
    for (workload, heads) in heads {
        for (metric, head) in heads.iter().filter(|(_, head)| !head.unjournaled().is_empty()) {
            let series = match head.series {
                Some(series) => series,
                None => series_row(transaction, workload, metric)?,
            };
            if head.series.is_none() {
                journaled.series.push((workload.clone(), metric.clone(), series));
            }
            let number = u32::try_from(series).map_err(broken)?;
            entries.extend(head.unjournaled().iter().map(|point| (number, *point)));
        }
    }
    if !entries.is_empty() {
        let data = codec::pack_journal(&entries).map_err(broken)?;
        let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
        transaction.prepare_cached("INSERT INTO journal (count, data) VALUES (?1, ?2)")?.execute((count, data))?;
        journaled.seq = transaction.last_insert_rowid();
    }
    Ok(journaled)
}

/// The number that the next row of the journal will have.
fn next_seq(db: &Connection) -> Result<i64> {
    let sql = "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'journal'";
    db.prepare_cached(sql)?.query_row((), |row| row.get(0))
}

/// Readings into a chunk, roll-ups into theirs, and the place from which on the journal is still needed: all at once, so
/// that readings are never dropped before both roll-ups have them.
fn write_sealed(db: &Connection, head: &Head, sealed: &Sealed, next_seq: i64) -> Result<()> {
    let Some(series) = head.series else { return Ok(()) };
    let points: Vec<Point> = head.points().take(sealed.count).collect();
    chunks::insert_points(db, series, &points)?;
    for tier in &ROLL_UPS {
        chunks::merge_steps(db, series, tier, &head.complete(sealed, tier.step_s).cells, Existing::Replaced)?;
    }
    let (live_seq, live_skip) = sealed.live.unwrap_or((next_seq, 0));
    let before = sealed.before;
    let sql = "UPDATE series SET live_seq = ?2, live_skip = ?3, rolled_ms = ?4,
        before_ms = ?5, before_value = ?6, before_interval_ms = ?7 WHERE id = ?1";
    db.prepare_cached(sql)?.execute((
        series,
        live_seq,
        i64::try_from(live_skip).unwrap_or(i64::MAX),
        sealed.rolled_ms,
        before.before.map(|point| point.ms),
        before.before.map(|point| point.value),
        before.interval_ms,
    ))?;
    Ok(())
}

fn delete_old(db: &Connection, tier_s: u32, before_s: i64, most: usize) -> Result<usize> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let sql = "DELETE FROM chunk WHERE id IN
        (SELECT id FROM chunk WHERE tier_s = ?1 AND end_s < ?2 ORDER BY end_s LIMIT ?3)";
    db.prepare_cached(sql)?.execute((tier_s, before_s, most))
}

/// The oldest readings go first, down to the last two hours; then the oldest minutes, down to the last day; then the
/// oldest five minutes. The ledger stays.
fn delete_finest(db: &Connection, now: Time, most: usize) -> Result<usize> {
    let [minute, five_minutes] = ROLL_UPS;
    for (tier_s, keep_s) in [(RAW_S, 7_200), (minute.step_s, DAY_S), (five_minutes.step_s, 0)] {
        let deleted = delete_old(db, tier_s, now.s() - keep_s, most)?;
        if deleted > 0 {
            return Ok(deleted);
        }
    }
    Ok(0)
}

/// Series and workloads of which nothing is left.
fn delete_empty(db: &Connection, now: Time) -> Result<()> {
    let [_, five_minutes] = ROLL_UPS;
    let sql = "DELETE FROM series WHERE workload IN (SELECT id FROM workload WHERE last_seen_ms < ?1)
        AND NOT EXISTS (SELECT 1 FROM chunk WHERE chunk.series = series.id)";
    let before_ms = now.plus_s(-five_minutes.keep_s).0;
    db.prepare_cached(sql)?.execute([before_ms])?;
    let sql = "DELETE FROM workload WHERE last_seen_ms < ?1
        AND NOT EXISTS (SELECT 1 FROM series WHERE series.workload = workload.id)";
    db.prepare_cached(sql)?.execute([before_ms])?;
    Ok(())
}
