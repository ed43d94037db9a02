//! Trace files: usage over time in, forecasts and decisions out, as Parquet or CSV by the file's ending.
//!
//! The long form: columns `workload` and `metric` (text), `time` (whole seconds), `value` (number), one row a reading, other
//! columns ignored, rows in any order. `time` counts from 1970 (UTC) or from the trace's own start; Parquet timestamps are
//! turned into seconds. A missing row, an empty value and NaN are gaps. What was put right while reading is in
//! [`TraceReport`]; what cannot be put right is a [`TraceError`] with file, row and column, and nothing is read.

mod builder;
mod csv_file;
mod decisions;
mod error;
mod grid;
mod output;
mod pages;
mod parquet_file;
mod parquet_output;

pub use decisions::{DecisionRow, read_decisions};
pub use error::TraceError;
pub use output::{write_decisions, write_forecasts, write_trace};

use apportion_core::{History, Metric, Series, Window, WorkloadId};
use builder::Builder;
use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    path::{Path, PathBuf},
};

/// The readings of one workload's metric, ascending by time, no two at the same, all finite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceSeries {
    times_s: Vec<i64>,
    values: Vec<f32>,
}

impl TraceSeries {
    /// Times of the readings, seconds.
    #[must_use]
    pub fn times_s(&self) -> &[i64] {
        &self.times_s
    }
    /// The readings, in the metric's own unit.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }
    /// Number of readings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }
    /// True when there is no reading.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// All series of a trace file. Takes 12 bytes a reading.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    series: BTreeMap<(WorkloadId, Metric), TraceSeries>,
    report: TraceReport,
}

/// What was read, and what was put right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceReport {
    /// Rows in the file.
    pub rows: usize,
    /// Rows without a number (empty, NaN, infinite): gaps.
    pub gaps: usize,
    /// Rows at a time that a later row of the same series has too: the later one counts.
    pub duplicates: usize,
    /// Series whose rows were not in the order of time: they are now.
    pub sorted_series: usize,
    /// The last row of text has no line end: perhaps the file was cut off inside it.
    pub is_cut_off: bool,
    /// SHA-256 of the series as they are here (names, times, values), in hexadecimal: the same data gives the same
    /// digest, whichever file it came from.
    pub digest: String,
}

impl fmt::Display for TraceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows", self.rows)?;
        for (count, what) in [
            (self.gaps, "without a number, taken as gaps"),
            (self.duplicates, "replaced by a later row of the same time"),
            (self.sorted_series, "series put in the order of time"),
        ] {
            if count > 0 {
                write!(f, "; {count} {what}")?;
            }
        }
        if self.is_cut_off {
            write!(f, "; the last row has no line end: if the file was cut off there, its last value is wrong")?;
        }
        Ok(())
    }
}

/// Which form a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Columns, compressed.
    Parquet,
    /// Text.
    Csv,
}

impl Format {
    /// By the file's ending: `.parquet` (or `.pq`), `.csv`.
    ///
    /// # Errors
    /// It has another ending.
    pub fn of(path: &Path) -> Result<Self, TraceError> {
        match path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("parquet" | "pq") => Ok(Self::Parquet),
            Some("csv") => Ok(Self::Csv),
            _ => Err(TraceError::Ending { file: path.to_owned() }),
        }
    }
}

impl Trace {
    /// Reads a trace file.
    ///
    /// # Errors
    /// [`TraceError`]; nothing is read by half.
    pub fn read(path: &Path) -> Result<Self, TraceError> {
        let format = Format::of(path)?;
        let file = File::open(path).map_err(|source| TraceError::Io { file: path.to_owned(), source })?;
        match format {
            Format::Parquet => Self::from_parquet(path, file),
            Format::Csv => Self::from_csv(path, file),
        }
    }

    /// Reads Parquet from an open file; `name` stands for it in errors.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn from_parquet(name: &Path, file: File) -> Result<Self, TraceError> {
        // The library panics on some damaged files; that is this file's fault, and nobody else's.
        let read = std::panic::catch_unwind(move || {
            let mut builder = Builder::new(name);
            parquet_file::read(file, &mut builder).map(|()| builder)
        });
        let damaged =
            |_| Err(TraceError::Broken { file: name.to_owned(), what: "the file is damaged inside".to_owned() });
        read.unwrap_or_else(damaged)?.finish()
    }

    /// Reads CSV; `name` stands for the file in errors.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn from_csv(name: &Path, source: impl std::io::Read) -> Result<Self, TraceError> {
        let mut builder = Builder::new(name);
        csv_file::read(source, &mut builder)?;
        builder.finish()
    }

    /// What was read, and what was put right.
    #[must_use]
    pub const fn report(&self) -> &TraceReport {
        &self.report
    }

    /// Every series, by workload and metric.
    pub fn iter(&self) -> impl Iterator<Item = (&WorkloadId, &Metric, &TraceSeries)> {
        self.series.iter().map(|((workload, metric), series)| (workload, metric, series))
    }

    /// One series.
    #[must_use]
    pub fn get(&self, workload: &WorkloadId, metric: &Metric) -> Option<&TraceSeries> {
        self.series.get(&(workload.clone(), metric.clone()))
    }

    /// Number of series.
    #[must_use]
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// True when there is no series: every row was a gap.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}

impl History for Trace {
    fn series(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
        self.get(workload, metric).map(|series| series.over(window))
    }
}

/// A place in a file, for errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Row from 1: the line in CSV (the heading is line 1), the row of data in Parquet.
    pub row: u64,
    /// The column's name.
    pub column: &'static str,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, row {}, column {}", self.file.display(), self.row, self.column)
    }
}
