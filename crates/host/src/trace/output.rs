//! Forecasts and decisions as files, for other programs to read.

use super::{Format, Trace, TraceError, parquet_output::ParquetTable};
use apportion_core::{Forecast, LEVELS, Metric, WorkloadId};
use std::{
    borrow::Borrow,
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

/// Writes forecasts: `workload`, `metric`, `time` (seconds), `q0.1` to `q0.9` in the metric's own unit; rows in the order
/// given.
///
/// # Errors
/// The file cannot be written; what was there before is still there then.
pub fn write_forecasts<'a, F: Borrow<Forecast>>(
    path: &Path,
    forecasts: impl IntoIterator<Item = (&'a WorkloadId, &'a Metric, F)>,
) -> Result<(), TraceError> {
    let names = LEVELS.map(|level| format!("q{level:.1}"));
    let mut table = Table::create(path, &names.each_ref().map(String::as_str), Precision::Single)?;
    for (workload, metric, forecast) in forecasts {
        let forecast = forecast.borrow();
        for (step, quantiles) in forecast.quantiles().iter().enumerate() {
            table.row(workload, metric, forecast.time_s(step), &quantiles.map(f64::from))?;
        }
    }
    table.finish()
}

/// Writes decisions: `workload`, `metric`, `time` (seconds; in force after it), `allocation` in the metric's own unit,
/// infinite where unlimited; rows in the order given.
///
/// # Errors
/// As [`write_forecasts`].
pub fn write_decisions<'a>(
    path: &Path,
    decisions: impl IntoIterator<Item = (&'a WorkloadId, &'a Metric, &'a [(i64, f64)])>,
) -> Result<(), TraceError> {
    let mut table = Table::create(path, &["allocation"], Precision::Double)?;
    for (workload, metric, allocations) in decisions {
        for (time_s, allocation) in allocations {
            table.row(workload, metric, *time_s, &[*allocation])?;
        }
    }
    table.finish()
}

/// Writes a trace in the form in which it is read.
///
/// # Errors
/// As [`write_forecasts`].
pub fn write_trace(path: &Path, trace: &Trace) -> Result<(), TraceError> {
    let mut table = Table::create(path, &["value"], Precision::Single)?;
    for (workload, metric, series) in trace.iter() {
        for (time_s, value) in series.times_s().iter().zip(series.values()) {
            table.row(workload, metric, *time_s, &[f64::from(*value)])?;
        }
    }
    table.finish()
}

/// How numbers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    /// 32 bits.
    Single,
    /// 64 bits.
    Double,
}

/// A file that appears under its name only when it is whole.
struct Table {
    place: Place,
    precision: Precision,
    sink: Sink,
}

/// Where a file grows until it takes its name; what did not come to that is removed.
struct Place {
    path: PathBuf,
    /// The same as `path` for what is no ordinary file (`/dev/stdout`).
    growing: PathBuf,
}

impl Place {
    fn new(path: &Path) -> Self {
        let is_ordinary = fs::symlink_metadata(path).map_or(true, |found| found.is_file());
        let growing = if is_ordinary { with_suffix(path, ".partial") } else { path.to_owned() };
        Self { path: path.to_owned(), growing }
    }

    fn io(&self, source: impl Into<std::io::Error>) -> TraceError {
        TraceError::Io { file: self.path.clone(), source: source.into() }
    }

    fn take_name(&self) -> Result<(), TraceError> {
        if self.growing == self.path {
            return Ok(());
        }
        fs::rename(&self.growing, &self.path).map_err(|error| self.io(error))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.growing != self.path {
            // After a rename there is nothing left to remove.
            let _ = fs::remove_file(&self.growing);
        }
    }
}

enum Sink {
    Csv(Box<csv::Writer<BufWriter<File>>>),
    Parquet(Box<ParquetTable<BufWriter<File>>>),
}

impl Table {
    fn create(path: &Path, numbers: &[&str], precision: Precision) -> Result<Self, TraceError> {
        let format = Format::of(path)?;
        let place = Place::new(path);
        let file = BufWriter::new(File::create(&place.growing).map_err(|error| place.io(error))?);
        let names = ["workload", "metric", "time"].into_iter().chain(numbers.iter().copied());
        let sink = match format {
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(file);
                writer.write_record(names).map_err(|error| place.io(error))?;
                Sink::Csv(Box::new(writer))
            }
            Format::Parquet => {
                let table = ParquetTable::new(file, numbers, precision).map_err(|error| place.io(error))?;
                Sink::Parquet(Box::new(table))
            }
        };
        Ok(Self { place, precision, sink })
    }

    fn row(&mut self, workload: &WorkloadId, metric: &Metric, time_s: i64, numbers: &[f64]) -> Result<(), TraceError> {
        let place = &self.place;
        match &mut self.sink {
            Sink::Parquet(table) => {
                table.row(workload.as_str(), metric.as_str(), time_s, numbers).map_err(|error| place.io(error))
            }
            Sink::Csv(writer) => {
                let numbers = numbers.iter().map(|number| shown(*number, self.precision));
                let names = [workload.as_str().to_owned(), metric.as_str().to_owned(), time_s.to_string()];
                writer.write_record(names.into_iter().chain(numbers)).map_err(|error| place.io(error))
            }
        }
    }

    fn finish(self) -> Result<(), TraceError> {
        let place = self.place;
        let mut file = match self.sink {
            Sink::Csv(writer) => writer.into_inner().map_err(|error| place.io(error.into_error()))?,
            Sink::Parquet(table) => table.finish().map_err(|error| place.io(error))?,
        };
        file.flush().map_err(|error| place.io(error))?;
        place.take_name()
    }
}

/// The shortest text that reads back as the same number; empty for what is none.
#[allow(clippy::cast_possible_truncation, reason = "it was a 32-bit float")]
fn shown(number: f64, precision: Precision) -> String {
    match precision {
        _ if number.is_nan() => String::new(),
        Precision::Single => (number as f32).to_string(),
        Precision::Double => number.to_string(),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
