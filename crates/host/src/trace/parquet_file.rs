//! Traces as Parquet, read column by column in small batches: as pandas, pyarrow, polars, duckdb and this program write them.

use super::{
    TraceError,
    builder::{Builder, Names, Row},
    pages::checked_column,
};
use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical},
    column::reader::{ColumnReader, ColumnReaderImpl, get_typed_column_reader},
    data_type::{ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type, Int96Type},
    errors::ParquetError,
    file::reader::{FileReader, RowGroupReader, SerializedFileReader},
    schema::types::ColumnDescriptor,
};
use std::fs::File;

/// Rows read at once.
const BATCH_ROWS: usize = 8_192;

pub(super) fn read(file: File, builder: &mut Builder) -> Result<(), TraceError> {
    let reader = SerializedFileReader::new(file).map_err(|error| broken(builder, None, &error))?;
    let columns = Columns::find(&reader, builder)?;
    let mut rows_before = 0;
    for index in 0..reader.num_row_groups() {
        let wrong = |builder: &Builder, error: &ParquetError| broken(builder, Some(index), error);
        let group = reader.get_row_group(index).map_err(|error| wrong(builder, &error))?;
        let mut group = columns.open(group.as_ref()).map_err(|error| wrong(builder, &error))?;
        loop {
            let rows = group.next_batch(builder).map_err(|error| match error {
                Fault::File(error) => wrong(builder, &error),
                Fault::Cell { row, column, found, wanted } => {
                    builder.wrong(rows_before + row as u64 + 1, column, found, wanted)
                }
            })?;
            if rows == 0 {
                break;
            }
            group.push(rows_before, builder)?;
            rows_before += rows as u64;
        }
    }
    Ok(())
}

fn broken(builder: &Builder, group: Option<usize>, error: &ParquetError) -> TraceError {
    let place = group.map_or_else(String::new, |group| format!("row group {group}: "));
    TraceError::Broken { file: builder.file.clone(), what: format!("{place}{error}") }
}

/// What went wrong in a batch; rows count from its start.
enum Fault {
    File(ParquetError),
    Cell { row: usize, column: &'static str, found: String, wanted: &'static str },
}

impl From<ParquetError> for Fault {
    fn from(error: ParquetError) -> Self {
        Self::File(error)
    }
}

/// Where the columns are, and how their values are meant.
struct Columns {
    workload: usize,
    metric: usize,
    time: (usize, PerSecond),
    value: (usize, i32),
}

/// How many units of a time column a second has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PerSecond {
    Units(i64),
    /// The old 96-bit timestamps.
    Int96,
}

impl Columns {
    fn find(reader: &SerializedFileReader<File>, builder: &Builder) -> Result<Self, TraceError> {
        let schema = reader.metadata().file_metadata().schema_descr();
        let find = |column: &'static str, wanted: &'static str, fits: &dyn Fn(&ColumnDescriptor) -> bool| {
            let missing = || TraceError::MissingColumn {
                file: builder.file.clone(),
                column,
                found: schema.columns().iter().map(|column| column.path().string()).collect(),
            };
            let place = schema.columns().iter().position(|found| found.path().parts() == [column]);
            let place = place.ok_or_else(missing)?;
            let found = schema.column(place);
            if found.max_rep_level() == 0 && found.max_def_level() <= 1 && fits(&found) {
                return Ok(place);
            }
            let found = type_name(&found);
            Err(TraceError::ColumnType { file: builder.file.clone(), column, found, wanted })
        };
        let is_text = |column: &ColumnDescriptor| column.physical_type() == Physical::BYTE_ARRAY;
        let time = find("time", "whole seconds (int32, int64) or a timestamp", &|column| per_second(column).is_some())?;
        let unit = per_second(&schema.column(time)).unwrap_or(PerSecond::Units(1));
        let value = find("value", "a number (float, int, or a small decimal)", &|column| digits(column).is_some())?;
        Ok(Self {
            workload: find("workload", "text", &is_text)?,
            metric: find("metric", "text", &is_text)?,
            time: (time, unit),
            value: (value, digits(&schema.column(value)).unwrap_or(0)),
        })
    }

    fn open(&self, group: &dyn RowGroupReader) -> Result<Group, ParquetError> {
        Ok(Group {
            workload: Column::new(checked_column(group, self.workload)?),
            metric: Column::new(checked_column(group, self.metric)?),
            time: TimeColumn::new(checked_column(group, self.time.0)?, self.time.1)?,
            value: ValueColumn::new(checked_column(group, self.value.0)?, self.value.1)?,
            workloads: Vec::new(),
            metrics: Vec::new(),
            times_s: Vec::new(),
            values: Vec::new(),
        })
    }
}

fn type_name(column: &ColumnDescriptor) -> String {
    let nested = if column.max_rep_level() > 0 || column.max_def_level() > 1 { "nested " } else { "" };
    match column.logical_type_ref() {
        Some(logical) => format!("{nested}{logical:?}"),
        None => format!("{nested}{}", column.physical_type()),
    }
}

fn per_second(column: &ColumnDescriptor) -> Option<PerSecond> {
    let logical = match column.logical_type_ref() {
        Some(LogicalType::Timestamp(timestamp)) => Some(match timestamp.unit {
            TimeUnit::MILLIS => 1_000,
            TimeUnit::MICROS => 1_000_000,
            TimeUnit::NANOS => 1_000_000_000,
        }),
        Some(LogicalType::Integer(_)) => Some(1),
        Some(_) => None,
        None => match column.converted_type() {
            ConvertedType::TIMESTAMP_MILLIS => Some(1_000),
            ConvertedType::TIMESTAMP_MICROS => Some(1_000_000),
            _ => Some(1),
        },
    };
    match column.physical_type() {
        Physical::INT64 => logical.map(PerSecond::Units),
        Physical::INT32 => logical.filter(|units| *units == 1).map(PerSecond::Units),
        Physical::INT96 => Some(PerSecond::Int96),
        _ => None,
    }
}

/// Digits after the point of a column of numbers; `None` where it has none.
fn digits(column: &ColumnDescriptor) -> Option<i32> {
    match (column.physical_type(), column.logical_type_ref()) {
        (Physical::FLOAT | Physical::DOUBLE, _) => Some(0),
        (Physical::INT32 | Physical::INT64, None | Some(LogicalType::Integer(_))) => Some(0),
        (Physical::INT32 | Physical::INT64, Some(LogicalType::Decimal(decimal))) => Some(decimal.scale),
        _ => None,
    }
}

/// The columns of one row group, and the batch of rows read last.
struct Group {
    workload: Column<ByteArrayType>,
    metric: Column<ByteArrayType>,
    time: TimeColumn,
    value: ValueColumn,
    workloads: Vec<u32>,
    metrics: Vec<u32>,
    times_s: Vec<i64>,
    values: Vec<f64>,
}

impl Group {
    /// Reads the next rows of every column; gives how many there are, 0 at the end.
    fn next_batch(&mut self, builder: &mut Builder) -> Result<usize, Fault> {
        let rows = self.workload.names("workload", &mut builder.workloads, &mut self.workloads)?;
        let counts = [
            self.metric.names("metric", &mut builder.metrics, &mut self.metrics)?,
            self.time.seconds(&mut self.times_s)?,
            self.value.numbers(&mut self.values)?,
        ];
        if counts.iter().all(|count| *count == rows) {
            return Ok(rows);
        }
        Err(Fault::File(ParquetError::General("the columns have different numbers of rows".to_owned())))
    }

    fn push(&self, rows_before: u64, builder: &mut Builder) -> Result<(), TraceError> {
        let names = self.workloads.iter().zip(&self.metrics);
        let readings = self.times_s.iter().zip(&self.values);
        for (number, ((workload, metric), (time_s, value))) in (rows_before + 1..).zip(names.zip(readings)) {
            builder.push(Row { number, workload: *workload, metric: *metric, time_s: *time_s, value: *value })?;
        }
        Ok(())
    }
}

/// A column of one physical type, with the buffers of a batch.
struct Column<T: DataType> {
    reader: ColumnReaderImpl<T>,
    levels: Vec<i16>,
    values: Vec<T::T>,
}

impl<T: DataType> Column<T> {
    fn new(reader: ColumnReader) -> Self {
        Self { reader: get_typed_column_reader(reader), levels: Vec::new(), values: Vec::new() }
    }

    /// Reads the next rows and shows each, `None` where it is null.
    fn each(&mut self, mut show: impl FnMut(usize, Option<&T::T>) -> Result<(), Fault>) -> Result<usize, Fault> {
        self.levels.clear();
        self.values.clear();
        let (rows, _, _) = self.reader.read_records(BATCH_ROWS, Some(&mut self.levels), None, &mut self.values)?;
        let has_nulls = self.values.len() < rows;
        let mut values = self.values.iter();
        for row in 0..rows {
            let is_null = has_nulls && self.levels.get(row).is_none_or(|level| *level == 0);
            show(row, if is_null { None } else { values.next() })?;
        }
        Ok(rows)
    }
}

impl Column<ByteArrayType> {
    fn names(&mut self, column: &'static str, names: &mut Names, out: &mut Vec<u32>) -> Result<usize, Fault> {
        out.clear();
        self.each(|row, name| {
            let text = name.map(|name| std::str::from_utf8(name.data()));
            match text {
                Some(Ok(text)) if !text.is_empty() => out.push(names.number(text)),
                other => {
                    let found = if other.is_none() { "null" } else { "text that is empty or not UTF-8" };
                    return Err(Fault::Cell { row, column, found: found.to_owned(), wanted: "a name" });
                }
            }
            Ok(())
        })
    }
}

enum TimeColumn {
    Small(Column<Int32Type>),
    Whole(Column<Int64Type>, i64),
    Old(Column<Int96Type>),
}

impl TimeColumn {
    fn new(reader: ColumnReader, unit: PerSecond) -> Result<Self, ParquetError> {
        match (&reader, unit) {
            (ColumnReader::Int32ColumnReader(_), _) => Ok(Self::Small(Column::new(reader))),
            (ColumnReader::Int64ColumnReader(_), PerSecond::Units(units)) => {
                Ok(Self::Whole(Column::new(reader), units))
            }
            (ColumnReader::Int96ColumnReader(_), _) => Ok(Self::Old(Column::new(reader))),
            _ => Err(another_type("time")),
        }
    }

    fn seconds(&mut self, out: &mut Vec<i64>) -> Result<usize, Fault> {
        out.clear();
        let mut take = |row, time: Option<i64>| {
            let missing =
                || Fault::Cell { row, column: "time", found: "null".to_owned(), wanted: "a time in whole seconds" };
            out.push(time.ok_or_else(missing)?);
            Ok(())
        };
        match self {
            Self::Small(column) => column.each(|row, time| take(row, time.map(|time| i64::from(*time)))),
            Self::Whole(column, units) => column.each(|row, time| take(row, time.map(|time| time.div_euclid(*units)))),
            Self::Old(column) => {
                column.each(|row, time| take(row, time.map(|time| time.to_millis().div_euclid(1_000))))
            }
        }
    }
}

/// Whole numbers come with what one of them is worth.
enum ValueColumn {
    Single(Column<FloatType>),
    Double(Column<DoubleType>),
    Small(Column<Int32Type>, f64),
    Whole(Column<Int64Type>, f64),
}

impl ValueColumn {
    fn new(reader: ColumnReader, digits: i32) -> Result<Self, ParquetError> {
        let unit = 10_f64.powi(digits.saturating_neg());
        match &reader {
            ColumnReader::FloatColumnReader(_) => Ok(Self::Single(Column::new(reader))),
            ColumnReader::DoubleColumnReader(_) => Ok(Self::Double(Column::new(reader))),
            ColumnReader::Int32ColumnReader(_) => Ok(Self::Small(Column::new(reader), unit)),
            ColumnReader::Int64ColumnReader(_) => Ok(Self::Whole(Column::new(reader), unit)),
            _ => Err(another_type("value")),
        }
    }

    /// Null becomes NaN: a gap.
    #[allow(clippy::cast_precision_loss, reason = "kept as a 32-bit float in the end")]
    fn numbers(&mut self, out: &mut Vec<f64>) -> Result<usize, Fault> {
        out.clear();
        let mut take = |value: Option<f64>| {
            out.push(value.unwrap_or(f64::NAN));
            Ok(())
        };
        match self {
            Self::Single(column) => column.each(|_, value| take(value.map(|value| f64::from(*value)))),
            Self::Double(column) => column.each(|_, value| take(value.copied())),
            Self::Small(column, unit) => column.each(|_, value| take(value.map(|value| f64::from(*value) * *unit))),
            Self::Whole(column, unit) => column.each(|_, value| take(value.map(|value| *value as f64 * *unit))),
        }
    }
}

fn another_type(column: &str) -> ParquetError {
    ParquetError::General(format!("column {column} has another type than the heading says"))
}
