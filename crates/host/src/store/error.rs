//! What can go wrong, one enum per operation. The doc of each variant says what the caller does about it; `label` is the
//! variant's name for a metric.

use rusqlite::{Error as Sqlite, ErrorCode, ffi};
use std::path::PathBuf;

/// Why a store could not be opened. Nothing was changed in the file.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes to it. Open it read-only, speak to that process, or stop it first.
    #[error("{path}: process {by} writes to this store; stop it, or open the store for reading only")]
    Locked {
        /// The store.
        path: PathBuf,
        /// Process number of the writer, `?` where unknown.
        by: String,
    },
    /// A later version of Apportion wrote it. Install that version, or name another file.
    #[error(
        "{path}: schema {found} is newer than {known}, the newest this version knows; install a newer Apportion or name another file"
    )]
    Newer {
        /// The store.
        path: PathBuf,
        /// Schema of the file.
        found: i64,
        /// Newest schema that is known here.
        known: i64,
    },
    /// An earlier version wrote it, and a reader may not migrate it. Open it once for writing.
    #[error("{path}: schema {found} is older than {known}; start `apportion run` once to migrate it")]
    Older {
        /// The store.
        path: PathBuf,
        /// Schema of the file.
        found: i64,
        /// Schema of this version.
        known: i64,
    },
    /// It is some other SQLite database, or no database at all. Name another file.
    #[error("{path}: not a store of Apportion ({what}); name another file")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        what: String,
    },
    /// Pages or records are broken. Keep the file for rescue (`sqlite3 FILE .recover`), move it away, start anew.
    #[error("{path}: broken: {what}; move it away (`sqlite3 FILE .recover` may rescue it) and start anew")]
    Corrupt {
        /// The store.
        path: PathBuf,
        /// What SQLite or the record's reader said.
        what: String,
    },
    /// It may not be written. Correct the owner, mode or mount, or open it read-only.
    #[error("{path}: cannot be written: {what}; correct owner, mode or mount")]
    ReadOnly {
        /// The store.
        path: PathBuf,
        /// What the system said.
        what: String,
    },
    /// It is another user's. Become that one, or open its files to readers.
    #[error("{path}: {what} may not be read: it is its owner's alone; do this as that user, or with sudo")]
    Closed {
        /// The store.
        path: PathBuf,
        /// Which of its files.
        what: String,
    },
    /// Anything else: the disk is full or fails. Correct it and try again.
    #[error("{path}: cannot be opened: {what}; correct that (a full disk? a broken one?) and try again")]
    Io {
        /// The store.
        path: PathBuf,
        /// What the system said.
        what: String,
    },
    /// The folder is not there. `apportion run` makes it; else name another file.
    #[error("{path}: its folder is not there; `apportion run` makes it, --store names another file")]
    NoFolder {
        /// The store.
        path: PathBuf,
    },
}

impl OpenError {
    /// The variant's name.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "locked",
            Self::Newer { .. } => "newer",
            Self::Older { .. } => "older",
            Self::Foreign { .. } => "foreign",
            Self::Corrupt { .. } => "corrupt",
            Self::ReadOnly { .. } => "read_only",
            Self::Closed { .. } => "closed",
            Self::Io { .. } => "io",
            Self::NoFolder { .. } => "no_folder",
        }
    }

    pub(super) fn of(path: PathBuf, error: &Sqlite) -> Self {
        let what = error.to_string();
        match fault(error) {
            Fault::Corrupt if matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase)) => {
                Self::Foreign { path, what }
            }
            Fault::Corrupt => Self::Corrupt { path, what },
            Fault::ReadOnly => Self::ReadOnly { path, what },
            Fault::Locked => Self::Locked { path, by: "?".to_owned() },
            Fault::Full | Fault::Io => Self::Io { path, what },
        }
    }
}

/// Why something could not be written. The transaction was rolled back whole: the file is as before. What was handed in
/// with `append`, `record`, `record_tick` and `save_state` stays in memory and goes out with the next write that succeeds;
/// so the caller goes on sizing by what it has, says so once, and does not hand it in again. After a failed `intend` the
/// knob must not be turned.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The disk is full. Freeze changes (no `intend` can succeed), tell people, go on collecting; try again next tick.
    #[error("disk full while {doing}: {source}; free some space or lower the store's size bound")]
    Full {
        /// What was being written.
        doing: &'static str,
        /// What SQLite said.
        source: Sqlite,
    },
    /// The file, its folder or its mount became read-only, or this store was opened read-only. As for `Full`.
    #[error(
        "store is read-only while {doing}: {source}; correct owner, mode or mount; a file system that fails turns read-only too (`dmesg` tells): then stop this program, mend and mount it, start again"
    )]
    ReadOnly {
        /// What was being written.
        doing: &'static str,
        /// What SQLite said.
        source: Sqlite,
    },
    /// Another process held the write lock for more than 5 s (a person in `sqlite3`, a copy being made). Try again next tick.
    #[error("store is locked by another process while {doing}: {source}")]
    Locked {
        /// What was being written.
        doing: &'static str,
        /// What SQLite said.
        source: Sqlite,
    },
    /// The file is broken. Stop changing knobs, tell people; keep the file for rescue and restart with a new one.
    #[error("store is broken, found while {doing}: {source}; move it away and restart")]
    Corrupt {
        /// What was being written.
        doing: &'static str,
        /// What SQLite or the record's reader said.
        source: Sqlite,
    },
    /// The disk or the system failed otherwise. As for `Full`.
    #[error(
        "store failed while {doing}: {source}; look for a fault of the disk (`dmesg`), and where it has one, stop this program, mend and mount it, start again"
    )]
    Io {
        /// What was being written.
        doing: &'static str,
        /// What SQLite said.
        source: Sqlite,
    },
}

impl WriteError {
    /// The variant's name.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Full { .. } => "full",
            Self::ReadOnly { .. } => "read_only",
            Self::Locked { .. } => "locked",
            Self::Corrupt { .. } => "corrupt",
            Self::Io { .. } => "io",
        }
    }

    pub(super) fn of(doing: &'static str, source: Sqlite) -> Self {
        match fault(&source) {
            Fault::Full => Self::Full { doing, source },
            Fault::ReadOnly => Self::ReadOnly { doing, source },
            Fault::Locked => Self::Locked { doing, source },
            Fault::Corrupt => Self::Corrupt { doing, source },
            Fault::Io => Self::Io { doing, source },
        }
    }
}

/// Why something could not be read. Nothing changed; other reads may succeed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A record or a page is broken, or a later version wrote the record. Leave it out and say so.
    #[error("broken record: {what}")]
    Corrupt {
        /// Which record and what is wrong with it.
        what: String,
    },
    /// Another process held the file. Try again.
    #[error("store is locked by another process: {0}")]
    Locked(#[source] Sqlite),
    /// More steps than a caller can mean ([`super::MOST_STEPS`]). Ask for a coarser step or a shorter window.
    #[error("a window of {steps} steps; ask for at most {most}", most = super::MOST_STEPS)]
    Window {
        /// How many were asked for.
        steps: usize,
    },
    /// The disk or the system failed.
    #[error("store cannot be read: {0}")]
    Io(#[source] Sqlite),
}

impl ReadError {
    /// The variant's name.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Corrupt { .. } => "corrupt",
            Self::Locked(_) => "locked",
            Self::Window { .. } => "window",
            Self::Io(_) => "io",
        }
    }
}

impl From<Sqlite> for ReadError {
    fn from(error: Sqlite) -> Self {
        match fault(&error) {
            Fault::Corrupt => Self::Corrupt { what: error.to_string() },
            Fault::Locked => Self::Locked(error),
            Fault::Full | Fault::ReadOnly | Fault::Io => Self::Io(error),
        }
    }
}

/// Something in a record that is not as it was written, as an error that passes through SQLite's own.
pub(super) fn broken(error: impl std::error::Error + Send + Sync + 'static) -> Sqlite {
    Sqlite::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, Box::new(error))
}

enum Fault {
    Full,
    ReadOnly,
    Locked,
    Corrupt,
    Io,
}

fn fault(error: &Sqlite) -> Fault {
    let Some(inner) = error.sqlite_error() else {
        let broken = matches!(error, Sqlite::FromSqlConversionFailure(..) | Sqlite::InvalidColumnType(..));
        return if broken { Fault::Corrupt } else { Fault::Io };
    };
    match inner.code {
        ErrorCode::DiskFull => Fault::Full,
        // The shared-memory file could not grow: its disk is full.
        ErrorCode::SystemIoFailure if inner.extended_code == ffi::SQLITE_IOERR_SHMSIZE => Fault::Full,
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Fault::ReadOnly,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Fault::Locked,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Fault::Corrupt,
        _ => Fault::Io,
    }
}
