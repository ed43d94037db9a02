//! The connection: how it is opened, who may write, and how durable a transaction is.

use super::{
    error::{OpenError, WriteError},
    schema,
};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, config::DbConfig, ffi};
use std::{
    fs::{File, OpenOptions, Permissions, TryLockError},
    io::{Read, Write},
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// What a store is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The one process that writes; creates the file where there is none.
    ReadWrite,
    /// Any number of processes beside it. What the writer has written is seen at the next call.
    ReadOnly,
}

/// What a power cut may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// Nothing: on disk when the call returns (`synchronous = FULL`).
    Full,
    /// The transaction, unless a full one came after it. A crash of the process alone takes nothing.
    Lazy,
}

/// Memory for pages, KiB. Inner pages of the two indices of 200 workloads over 90 days fit.
const CACHE_KIB: i64 = 4_096;
/// How long to wait for a person who holds the write lock.
const BUSY: Duration = Duration::from_secs(5);
/// The write-ahead log is cut back to this after a checkpoint, bytes.
const WAL_BYTES: i64 = 16 << 20;

/// An open file, with the lock that keeps other writers out.
pub(super) struct Db {
    pub connection: Connection,
    pub access: Access,
    durability: Durability,
    /// Of a writer: its path, and what tells the file from another one there.
    place: Option<(PathBuf, FileId)>,
    /// Let go of last, once the connection has moved its log to the file.
    lock: Option<Lock>,
}

/// Device and inode.
type FileId = (u64, u64);

impl Db {
    pub(super) fn open(path: &Path, access: Access) -> Result<Self, OpenError> {
        let is_other = std::fs::metadata(path).ok().filter(|found| !found.is_file());
        if let Some(found) = is_other {
            let what = if found.is_dir() { "it is a folder" } else { "it is a device, a pipe or a socket" };
            return Err(OpenError::Foreign { path: path.to_owned(), what: what.to_owned() });
        }
        match access {
            Access::ReadWrite => Self::open_to_write(path),
            Access::ReadOnly => Self::open_to_read(path),
        }
    }

    pub(super) fn in_memory() -> Result<Self, OpenError> {
        let path = Path::new(":memory:");
        let connection = Connection::open_in_memory().map_err(|error| OpenError::of(path.to_owned(), &error))?;
        Self::prepared(connection, path, None, None)
    }

    pub(super) fn open_to_write(path: &Path) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        // Made here, for SQLite would ask the umask; its other files get the rights of this one.
        let made = private().create_new(true).open(path);
        if let Some(error) = made.err().filter(|error| error.kind() != std::io::ErrorKind::AlreadyExists) {
            return Err(unopened(path, path, &error));
        }
        let fail = |error| OpenError::of(path.to_owned(), &error);
        let connection = Connection::open(path).map_err(fail)?;
        schema::check(&connection, path)?;
        ["", "-wal", "-shm", ".lock"].iter().for_each(|ending| keep_private(&beside(path, ending)));
        if connection.is_readonly("main").map_err(fail)? {
            return Err(OpenError::ReadOnly { path: path.to_owned(), what: "opened read-only by SQLite".to_owned() });
        }
        let place = file_id(path).map(|id| (path.to_owned(), id));
        Self::prepared(connection, path, place, Some(lock))
    }

    fn prepared(
        mut connection: Connection,
        path: &Path,
        place: Option<(PathBuf, FileId)>,
        lock: Option<Lock>,
    ) -> Result<Self, OpenError> {
        configure(&connection).map_err(|error| OpenError::of(path.to_owned(), &error))?;
        schema::migrate(&mut connection, path, schema::KNOWN)?;
        Ok(Self { connection, access: Access::ReadWrite, durability: Durability::Full, place, lock })
    }

    fn open_to_read(path: &Path) -> Result<Self, OpenError> {
        let fail = |error| OpenError::of(path.to_owned(), &error);
        let connection = open_read_only(path).map_err(|error| closed(path).unwrap_or_else(|| fail(error)))?;
        connection.busy_timeout(BUSY).map_err(fail)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(fail)?;
        let found = schema::check(&connection, path)?;
        if found < schema::KNOWN {
            return Err(OpenError::Older { path: path.to_owned(), found, known: schema::KNOWN });
        }
        Ok(Self { connection, access: Access::ReadOnly, durability: Durability::Full, place: None, lock: None })
    }

    /// Its path, where another file than the open one lies there by now.
    pub(super) fn replaced(&self) -> Option<PathBuf> {
        let (path, open) = self.place.as_ref()?;
        file_id(path).filter(|found| found != open).map(|_| path.clone())
    }

    /// Closed without its log being moved and removed: by its name that may be the log of another connection by now.
    pub(super) fn leave_log(self) {
        let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }

    /// Runs `job` in one transaction: all of it, or nothing.
    pub(super) fn write<T>(
        &mut self,
        doing: &'static str,
        durability: Durability,
        job: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, WriteError> {
        self.try_write(durability, job).map_err(|error| match WriteError::of(doing, error) {
            WriteError::Io { doing, source } if self.is_refused() => WriteError::ReadOnly { doing, source },
            other => other,
        })
    }

    /// SQLite says of a disk that has turned read-only under it what it says of a broken one. So the system is asked, by writing anew
    /// what is in the lock's file.
    fn is_refused(&self) -> bool {
        let Some(lock) = &self.lock else { return false };
        let written = lock.0.write_all_at(std::process::id().to_string().as_bytes(), 0);
        written.is_err_and(|error| is_refusal(&error))
    }

    fn try_write<T>(
        &mut self,
        durability: Durability,
        job: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        if self.access == Access::ReadOnly {
            let why = "it was opened for reading only".to_owned();
            return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_READONLY), Some(why)));
        }
        if durability != self.durability {
            let level = if durability == Durability::Full { "FULL" } else { "NORMAL" };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.durability = durability;
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let made = job(&transaction)?;
        transaction.commit()?;
        Ok(made)
    }

    /// Moves what is in the write-ahead log to the file. Readers may keep part of it waiting; that is no error.
    pub(super) fn checkpoint(&self) -> Result<(), WriteError> {
        let moved = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()));
        moved.map_err(|error| WriteError::of("moving the log to the file", error))
    }

    /// Bytes of the file that hold something.
    pub(super) fn used_bytes(&self) -> rusqlite::Result<u64> {
        let pages = self.number("page_count")? - self.number("freelist_count")?;
        Ok(u64::try_from(pages * self.number("page_size")?).unwrap_or(0))
    }

    /// Gives free pages back to the system, a few at a time, while they are more than an eighth of the file; fewer are about
    /// to be used again.
    pub(super) fn shrink(&self) -> rusqlite::Result<()> {
        if self.number("freelist_count")? * 8 <= self.number("page_count")? {
            return Ok(());
        }
        let mut statement = self.connection.prepare("PRAGMA incremental_vacuum(1024)")?;
        let mut rows = statement.query(())?;
        while rows.next()?.is_some() {}
        Ok(())
    }

    fn number(&self, pragma: &str) -> rusqlite::Result<i64> {
        self.connection.pragma_query_value(None, pragma, |row| row.get(0))
    }
}

/// Checkpoints are made by `maintain`, so that no decision waits for one.
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES, |_| Ok(()))?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "synchronous", "FULL")
}

/// A reader needs the writer's shared memory beside the file. In a folder that may not be written, and with no writer about,
/// the file alone is whole, and is read as something that does not change.
pub(super) fn open_read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let open = |query: &str| {
        let connection = Connection::open_with_flags(format!("file:{}{query}", escaped(path)), flags)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", (), |_| Ok(()))?;
        Ok(connection)
    };
    open("").or_else(|error: rusqlite::Error| {
        let log = beside(path, "-wal");
        let is_whole = path.exists() && std::fs::metadata(log).map_or(true, |log| log.len() == 0);
        if is_whole { open("?immutable=1") } else { Err(error) }
    })
}

/// That a file which a reader needs is closed to this user: SQLite says of it what it says of one that is not there.
fn closed(path: &Path) -> Option<OpenError> {
    let is_closed =
        |file: &PathBuf| File::open(file).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied);
    let file = ["", "-wal", "-shm"].map(|ending| beside(path, ending)).into_iter().find(is_closed)?;
    Some(OpenError::Closed { path: path.to_owned(), what: file.display().to_string() })
}

fn file_id(path: &Path) -> Option<FileId> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// A path as part of an SQLite URI.
fn escaped(path: &Path) -> String {
    let special = |byte: u8| matches!(byte, b'?' | b'#' | b'%') || !byte.is_ascii();
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    bytes.map(|byte| if special(*byte) { format!("%{byte:02x}") } else { char::from(*byte).to_string() }).collect()
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Files are their owner's alone: what people said, and names of processes, are in them.
const PRIVATE: u32 = 0o600;

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(PRIVATE);
    options
}

/// A file that an earlier version, or a hand, left open to others.
fn keep_private(file: &Path) {
    let Ok(is) = std::fs::metadata(file) else { return };
    if is.permissions().mode() & 0o077 != 0
        && let Err(error) = std::fs::set_permissions(file, Permissions::from_mode(PRIVATE))
    {
        tracing::warn!("{}: others may read it, and that cannot be changed: {error}", file.display());
    }
}

/// It may not be written, whatever is on the disk.
fn is_refusal(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem)
}

/// Why `file`, which belongs to the store at `path`, could not be opened.
fn unopened(path: &Path, file: &Path, error: &std::io::Error) -> OpenError {
    let what = || format!("{}: {error}", file.display());
    match error.kind() {
        _ if is_refusal(error) => OpenError::ReadOnly { path: path.to_owned(), what: what() },
        std::io::ErrorKind::NotFound => OpenError::NoFolder { path: path.to_owned() },
        _ => OpenError::Io { path: path.to_owned(), what: what() },
    }
}

/// One writer at a time: a lock on a file of its own, because SQLite's locks last for one transaction only. The lock goes
/// with the process, however it ends.
struct Lock(File);

/// A program that another thread is starting just then has the open file too until it runs, and closing ours alone would leave it locked.
impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

fn lock(path: &Path) -> Result<Lock, OpenError> {
    let name = beside(path, ".lock");
    let fail = |error: std::io::Error| unopened(path, &name, &error);
    let mut file = private().read(true).create(true).truncate(false).open(&name).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut by = String::new();
            let _ = file.read_to_string(&mut by);
            let by = if by.is_empty() { "?".to_owned() } else { by };
            return Err(OpenError::Locked { path: path.to_owned(), by });
        }
        Err(TryLockError::Error(error)) => return Err(fail(error)),
    }
    // The number is for people; a full disk must not keep the store from opening.
    let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
    Ok(Lock(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_was_closed_can_be_opened_while_a_child_still_has_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let first = Db::open(&path, Access::ReadWrite).unwrap();
        let of_a_child = first.lock.as_ref().unwrap().0.try_clone().unwrap();
        assert!(matches!(Db::open(&path, Access::ReadWrite), Err(OpenError::Locked { .. })));
        drop(first);
        assert!(Db::open(&path, Access::ReadWrite).is_ok());
        drop(of_a_child);
    }
}
