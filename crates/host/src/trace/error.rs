//! What can be wrong with a trace file.

use super::Place;
use std::path::PathBuf;

/// Why a trace was not read or not written. Shown to people as it is.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be opened, read or written.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its name does not tell what it is.
    #[error("{}: the name must end in .parquet or .csv", file.display())]
    Ending {
        /// The file.
        file: PathBuf,
    },
    /// A column is not there.
    #[error("{}: there is no column {column} (there are: {}): name the columns workload, metric, time, value", file.display(), found.join(", "))]
    MissingColumn {
        /// The file.
        file: PathBuf,
        /// What is missing.
        column: &'static str,
        /// What is there.
        found: Vec<String>,
    },
    /// A column has a type that cannot be read.
    #[error("{}, column {column}: is {found}, wanted is {wanted}", file.display())]
    ColumnType {
        /// The file.
        file: PathBuf,
        /// Which column.
        column: &'static str,
        /// Its type.
        found: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// One cell is wrong.
    #[error("{place}: {found} is not {wanted}")]
    Cell {
        /// Where.
        place: Place,
        /// What is there.
        found: String,
        /// What should be.
        wanted: &'static str,
    },
    /// The file is cut off, damaged, or not of this format.
    #[error("{}: {what}: is it complete, and of the kind that its name says?", file.display())]
    Broken {
        /// The file.
        file: PathBuf,
        /// What was found wrong, with the line or row group where that is known.
        what: String,
    },
    /// There is no row in it.
    #[error("{}: has no rows", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
}
