//! Decisions read back from where [`super::write_decisions`] wrote them, to be judged again.

use super::{Place, TraceError};
use parquet::{
    errors::ParquetError,
    file::reader::{FileReader, SerializedFileReader},
    record::{Field, Row},
};
use std::{fs::File, path::Path};

/// One decision.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionRow {
    /// Whose.
    pub workload: String,
    /// Of what.
    pub metric: String,
    /// In force after this time, seconds.
    pub time_s: i64,
    /// In the metric's own unit.
    pub allocation: f64,
}

/// Reads decisions from Parquet, in the order of the file.
///
/// # Errors
/// The file cannot be read, is damaged, lacks a column, or holds an allotment that is none.
pub fn read_decisions(path: &Path) -> Result<Vec<DecisionRow>, TraceError> {
    let file = File::open(path).map_err(|source| TraceError::Io { file: path.to_owned(), source })?;
    let broken = |error: &ParquetError| TraceError::Broken { file: path.to_owned(), what: error.to_string() };
    // The library panics on some damaged files; that is this file's fault, and nobody else's.
    let read = std::panic::catch_unwind(move || -> Result<Vec<Row>, ParquetError> {
        SerializedFileReader::new(file)?.get_row_iter(None)?.collect()
    });
    let damaged = |_| TraceError::Broken { file: path.to_owned(), what: "the file is damaged inside".to_owned() };
    let rows = read.map_err(damaged)?.map_err(|error| broken(&error))?;
    (1..).zip(&rows).map(|(number, row)| decision(path, number, row)).collect()
}

fn decision(path: &Path, number: u64, row: &Row) -> Result<DecisionRow, TraceError> {
    let mut made = DecisionRow { workload: String::new(), metric: String::new(), time_s: 0, allocation: f64::NAN };
    let mut there = 0;
    for (name, field) in row.get_column_iter() {
        match (name.as_str(), field) {
            ("workload", Field::Str(text)) => made.workload.clone_from(text),
            ("metric", Field::Str(text)) => made.metric.clone_from(text),
            ("time", Field::Long(time_s)) => made.time_s = *time_s,
            ("allocation", Field::Double(allocation)) => made.allocation = *allocation,
            _ => continue,
        }
        there += 1;
    }
    let wrong = |column, found: String, wanted| {
        let place = Place { file: path.to_owned(), row: number, column };
        Err(TraceError::Cell { place, found, wanted })
    };
    match () {
        () if there < 4 => {
            wrong("allocation", format!("{row}"), "workload, metric (text), time (int64), allocation (double)")
        }
        () if !made.allocation.is_finite() || made.allocation < 0.0 => {
            wrong("allocation", made.allocation.to_string(), "a number that is not negative")
        }
        () => Ok(made),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::write_decisions;
    use apportion_core::{Metric, WorkloadId};

    #[test]
    fn what_was_written_is_read_to_the_last_digit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("krr.parquet");
        let (workload, metric) = (WorkloadId::new("web"), Metric::new("cpu_cores"));
        let made = [(300, 1.0 / 3.0), (600, 0.0)];
        write_decisions(&path, [(&workload, &metric, &made[..])]).unwrap();
        let read = read_decisions(&path).unwrap();
        assert_eq!(read.iter().map(|row| (row.time_s, row.allocation)).collect::<Vec<_>>(), made);
        assert_eq!((read[0].workload.as_str(), read[1].metric.as_str()), ("web", "cpu_cores"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        assert!(matches!(read_decisions(&path), Err(TraceError::Io { .. })));
        std::fs::write(&path, b"PAR1 no").unwrap();
        assert!(matches!(read_decisions(&path), Err(TraceError::Broken { .. })));
        let (workload, metric) = (WorkloadId::new("web"), Metric::new("cpu_cores"));
        write_decisions(&path, [(&workload, &metric, &[(1, f64::INFINITY)][..])]).unwrap();
        let error = read_decisions(&path).unwrap_err().to_string();
        assert!(error.contains("row 1") && error.contains("inf"), "{error}");
    }
}
