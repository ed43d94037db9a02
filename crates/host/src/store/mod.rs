//! The store: one SQLite file with what was measured and what was decided.
//!
//! Readings stay in memory (a head per series) and go to a journal within 45 s, so that a crash or a power cut takes at
//! most a minute of them, and are packed in memory then; once an hour a head is sealed into a chunk, together with its roll-ups of one
//! and five minutes.
//! Decisions, and what is about to be written to a knob, are on disk before the call returns. `docs/store.md` describes the
//! tables for people, and gives the figures.
//!
//! One process writes ([`Access::ReadWrite`]); any number read beside it. All calls take `&self` and may come from any thread.

mod backfill;
mod chunks;
mod clock;
mod codec;
mod db;
mod error;
mod head;
mod journaled;
mod ledger;
mod read;
mod readings;
mod reopen;
mod schema;
mod span;
mod tier;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use codec::unpack_any;

pub use backfill::Backfilled;
pub use db::Access;
pub use error::{OpenError, ReadError, WriteError};
pub use ledger::{Filter, Intent, Original};
pub use read::{MOST_STEPS, Seen};
pub use write::Appended;

use apportion_core::{Batch, Metric, Problem, Time, WorkloadId};
use clock::Clock;
use db::Db;
use head::Head;
use rusqlite::{Connection, OptionalExtension};
use span::{Point, Reader};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What may be chosen about a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The file may hold this much; beyond, the oldest readings are deleted first, then the oldest minutes, then the oldest
    /// five minutes, never the ledger. The write-ahead log beside it takes up to 16 MiB more for a while.
    pub most_bytes: u64,
}

impl Default for Options {
    /// 1 GiB: three times what 200 workloads of 12 metrics take.
    fn default() -> Self {
        Self { most_bytes: 1 << 30 }
    }
}

/// How the store is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Bytes of the file that hold something, at the last upkeep.
    pub used_bytes: u64,
    /// Series with readings in memory.
    pub live_series: usize,
    /// Readings in memory that are in the journal not yet: what a crash would take.
    pub unwritten_samples: usize,
    /// Readings dropped since the start: late, repeated, not a number.
    pub dropped_samples: u64,
    /// Reads of history that failed since the start.
    pub read_errors: u64,
}

/// The store. See the module.
pub struct Store {
    inner: Mutex<Inner>,
    path: PathBuf,
}

struct Inner {
    db: Db,
    options: Options,
    clock: Clock,
    known: BTreeMap<WorkloadId, write::Known>,
    heads: BTreeMap<WorkloadId, BTreeMap<Metric, Head>>,
    pending: ledger::Pending,
    unwritten_since: Option<Time>,
    maintained: Option<Time>,
    swept: Option<Time>,
    used_bytes: u64,
    dropped: u64,
    read_errors: u64,
    /// In a reader, what SQLite last said of the writer's changes.
    data_version: i64,
}

impl Store {
    /// Opens a store. For writing, it is created where there is none, and migrated where an earlier version wrote it.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed in the file.
    pub fn open(path: &Path, access: Access, options: Options) -> Result<Self, OpenError> {
        Self::with(Db::open(path, access)?, path, options)
    }

    /// A store that is gone when it is dropped.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn in_memory(options: Options) -> Result<Self, OpenError> {
        Self::with(Db::in_memory()?, Path::new(":memory:"), options)
    }

    fn with(db: Db, path: &Path, options: Options) -> Result<Self, OpenError> {
        let mut inner = Inner {
            db,
            options,
            clock: Clock::default(),
            known: BTreeMap::new(),
            heads: BTreeMap::new(),
            pending: ledger::Pending::default(),
            unwritten_since: None,
            maintained: None,
            swept: None,
            used_bytes: 0,
            dropped: 0,
            read_errors: 0,
            data_version: -1,
        };
        let fail = |error| OpenError::of(path.to_owned(), &error);
        inner.resume().map_err(fail)?;
        inner.clock = Clock::load(&inner.db.connection).map_err(fail)?;
        inner.used_bytes = inner.db.used_bytes().map_err(fail)?;
        Ok(Self { inner: Mutex::new(inner), path: path.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes what a collector found, into memory; [`Store::maintain`] writes it. Cannot fail, so that sizing goes on
    /// whatever the disk does.
    pub fn append(&self, batch: &Batch, now: Time) -> Appended {
        self.lock().append(batch, now)
    }

    /// Writes what waits, seals what is due, deletes what is past its time or beyond the size bound. To be called every tick;
    /// most calls find nothing to do.
    ///
    /// # Errors
    /// [`WriteError`]: what could not be written stays in memory, up to four hours of it; call again next tick.
    pub fn maintain(&self, now: Time) -> Result<(), WriteError> {
        self.lock().maintain(now)
    }

    /// That nothing is deleted for its age, because the clock has jumped; `None` where it has not.
    #[must_use]
    pub fn clock_problem(&self) -> Option<Problem> {
        self.lock().clock.problem()
    }

    /// Writes what waits, durably. To be called before the process ends.
    ///
    /// # Errors
    /// [`WriteError`]: what could not be written stays in memory.
    pub fn flush(&self) -> Result<(), WriteError> {
        self.lock().flush()
    }

    /// How the store is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        let inner = self.lock();
        let heads = || inner.heads.values().flat_map(BTreeMap::values);
        Status {
            used_bytes: inner.used_bytes,
            live_series: heads().filter(|head| !head.is_empty()).count(),
            unwritten_samples: heads().map(|head| head.unjournaled().len()).sum(),
            dropped_samples: inner.dropped,
            read_errors: inner.read_errors,
        }
    }

    /// A panic elsewhere leaves the maps as whole as any early return does.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// In a reader, takes in what the writer has written since. What cannot be read now stays as it was.
    fn follow(&mut self) {
        if self.db.access == Access::ReadWrite {
            return;
        }
        let version = self.db.connection.pragma_query_value(None, "data_version", |row| row.get(0));
        if version.as_ref().is_ok_and(|version| *version == self.data_version) {
            return;
        }
        match version.and_then(|version| self.resume().map(|()| version)) {
            Ok(version) => self.data_version = version,
            Err(error) => {
                tracing::warn!(%error, "the store's newest readings cannot be read");
                self.read_errors += 1;
            }
        }
    }

    /// Makes the heads of what the journal holds.
    fn resume(&mut self) -> rusqlite::Result<()> {
        let mut resumed: BTreeMap<u32, Option<Resumed>> = BTreeMap::new();
        let db = &self.db.connection;
        let mut statement = db.prepare("SELECT seq, data FROM journal ORDER BY seq")?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let seq = row.get(0)?;
            let entries = codec::unpack_journal(row.get_ref(1)?.as_blob().map_err(error::broken)?);
            for entries in entries.map_err(error::broken)?.chunk_by(|(a, _), (b, _)| a == b) {
                let Some((series, _)) = entries.first() else { continue };
                let resumed = match resumed.entry(*series) {
                    std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                    std::collections::btree_map::Entry::Vacant(new) => new.insert(Resumed::find(db, *series)?),
                };
                if let Some(resumed) = resumed {
                    resumed.take(seq, entries);
                }
            }
        }
        self.heads.clear();
        for resumed in resumed.into_values().flatten() {
            self.heads.entry(resumed.workload).or_default().insert(resumed.metric, resumed.head);
        }
        Ok(())
    }
}

/// A head on its way back from the journal.
struct Resumed {
    workload: WorkloadId,
    metric: Metric,
    head: Head,
    live_seq: i64,
    live_skip: usize,
}

impl Resumed {
    /// `None` where the series has been deleted.
    fn find(db: &Connection, series: u32) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT name, metric, live_seq, live_skip, rolled_ms, before_ms, before_value, before_interval_ms
            FROM series JOIN workload ON workload.id = workload WHERE series.id = ?1";
        let mut statement = db.prepare_cached(sql)?;
        let resumed = statement.query_row([series], |row| {
            let metric = Metric::new(row.get_ref(1)?.as_str()?);
            let before = row.get::<_, Option<i64>>(5)?.zip(row.get(6)?);
            let before = before.map(|(ms, value)| Point { ms, value });
            let reader = Reader { kind: metric.kind(), before, interval_ms: row.get(7)? };
            let rolled_ms = row.get::<_, Option<i64>>(4)?.unwrap_or(i64::MIN);
            Ok(Self {
                workload: WorkloadId::new(row.get_ref(0)?.as_str()?),
                head: Head::resumed(Some(i64::from(series)), reader, rolled_ms),
                metric,
                live_seq: row.get(2)?,
                live_skip: usize::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
            })
        });
        resumed.optional()
    }

    /// Takes the points of one row of the journal that are in no chunk.
    fn take(&mut self, seq: i64, entries: &[(u32, Point)]) {
        let skip = match seq.cmp(&self.live_seq) {
            std::cmp::Ordering::Less => return,
            std::cmp::Ordering::Equal => self.live_skip.min(entries.len()),
            std::cmp::Ordering::Greater => 0,
        };
        let taken = entries[skip..].iter().filter(|(_, point)| self.head.push(*point)).count();
        self.head.note_journaled(seq, skip, taken);
    }
}
