//! Traces as CSV: a heading, then one row a reading.

use super::{
    TraceError,
    builder::{Builder, Row},
};
use csv::{ByteRecord, ReaderBuilder};
use std::io::Read;

const COLUMNS: [&str; 4] = ["workload", "metric", "time", "value"];

pub(super) fn read(source: impl Read, builder: &mut Builder) -> Result<(), TraceError> {
    let mut last = b'\n';
    let source = Watched { source, last: &mut last };
    let mut reader = ReaderBuilder::new().buffer_capacity(1 << 16).from_reader(source);
    let headings = reader.byte_headers().map_err(|error| broken(builder, &error))?.clone();
    let columns = columns(&headings, builder)?;
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| broken(builder, &error))? {
        let line = record.position().map_or(0, csv::Position::line);
        let cells = Cells { record: &record, columns, line };
        let row = cells.row(builder)?;
        builder.push(row)?;
    }
    drop(reader);
    builder.report.is_cut_off = !matches!(last, b'\n' | b'\r');
    Ok(())
}

/// Passes bytes on, and knows the last one.
struct Watched<'a, R> {
    source: R,
    last: &'a mut u8,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.source.read(buffer)?;
        if let Some(last) = buffer[..count].last() {
            *self.last = *last;
        }
        Ok(count)
    }
}

/// Where each of the columns is.
fn columns(headings: &ByteRecord, builder: &Builder) -> Result<[usize; 4], TraceError> {
    let mut places = [0; 4];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let missing = || TraceError::MissingColumn {
            file: builder.file.clone(),
            column,
            found: headings.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
        };
        *place = headings.iter().position(|name| name.trim_ascii() == column.as_bytes()).ok_or_else(missing)?;
    }
    Ok(places)
}

struct Cells<'a> {
    record: &'a ByteRecord,
    columns: [usize; 4],
    line: u64,
}

impl Cells<'_> {
    fn row(&self, builder: &mut Builder) -> Result<Row, TraceError> {
        let workload = builder.workloads.number(self.name(0, builder)?);
        let metric = builder.metrics.number(self.name(1, builder)?);
        let (time_s, value) = (self.time(builder)?, self.value(builder)?);
        Ok(Row { number: self.line, workload, metric, time_s, value })
    }

    fn cell(&self, column: usize) -> &[u8] {
        self.record.get(self.columns[column]).unwrap_or_default()
    }

    fn wrong(&self, column: usize, builder: &Builder, wanted: &'static str) -> TraceError {
        let found = format!("{:?}", String::from_utf8_lossy(self.cell(column)));
        builder.wrong(self.line, COLUMNS[column], found, wanted)
    }

    fn name(&self, column: usize, builder: &Builder) -> Result<&str, TraceError> {
        let name = std::str::from_utf8(self.cell(column)).ok().filter(|name| !name.is_empty());
        name.ok_or_else(|| self.wrong(column, builder, "a name in UTF-8"))
    }

    fn number<T: std::str::FromStr>(&self, column: usize) -> Option<T> {
        std::str::from_utf8(self.cell(column).trim_ascii()).ok()?.parse().ok()
    }

    /// Whole seconds; `3600.0` is what pandas makes of a column that had a gap somewhere.
    #[allow(clippy::cast_possible_truncation, reason = "whole, and below 2^53")]
    fn time(&self, builder: &Builder) -> Result<i64, TraceError> {
        let whole = |time: &f64| time.fract() == 0.0 && time.abs() < 9e15;
        let time = self.number(2).or_else(|| self.number::<f64>(2).filter(whole).map(|time| time as i64));
        time.ok_or_else(|| self.wrong(2, builder, "a time in whole seconds"))
    }

    fn value(&self, builder: &Builder) -> Result<f64, TraceError> {
        if self.cell(3).trim_ascii().is_empty() {
            return Ok(f64::NAN);
        }
        self.number(3).ok_or_else(|| self.wrong(3, builder, "a number (leave a gap empty)"))
    }
}

fn broken(builder: &Builder, error: &csv::Error) -> TraceError {
    let what = match error.kind() {
        csv::ErrorKind::Io(source) => {
            let source = std::io::Error::new(source.kind(), source.to_string());
            return TraceError::Io { file: builder.file.clone(), source };
        }
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            format!("row {line} has {len} columns, the heading {expected_len}")
        }
        _ => error.to_string(),
    };
    TraceError::Broken { file: builder.file.clone(), what }
}
