//! Tables of names, times and numbers as Parquet.

use super::output::Precision;
use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel},
    data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::Type,
};
use std::{collections::HashMap, io::Write, sync::Arc};

/// Rows per row group: as many as readers take at once.
const GROUP_ROWS: usize = 1 << 17;

pub(super) struct ParquetTable<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    precision: Precision,
    names: HashMap<Box<str>, ByteArray>,
    workloads: Vec<ByteArray>,
    metrics: Vec<ByteArray>,
    times_s: Vec<i64>,
    numbers: Vec<Vec<f64>>,
}

impl<W: Write + Send> ParquetTable<W> {
    pub(super) fn new(file: W, numbers: &[&str], precision: Precision) -> Result<Self, ParquetError> {
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?)).build();
        let writer = SerializedFileWriter::new(file, Arc::new(schema(numbers, precision)?), Arc::new(properties))?;
        Ok(Self {
            writer,
            precision,
            names: HashMap::new(),
            workloads: Vec::new(),
            metrics: Vec::new(),
            times_s: Vec::new(),
            numbers: vec![Vec::new(); numbers.len()],
        })
    }

    pub(super) fn row(&mut self, workload: &str, metric: &str, time_s: i64, row: &[f64]) -> Result<(), ParquetError> {
        let (workload, metric) = (self.name(workload), self.name(metric));
        self.workloads.push(workload);
        self.metrics.push(metric);
        self.times_s.push(time_s);
        for (column, number) in self.numbers.iter_mut().zip(row) {
            column.push(*number);
        }
        if self.times_s.len() >= GROUP_ROWS { self.write_group() } else { Ok(()) }
    }

    fn name(&mut self, name: &str) -> ByteArray {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let bytes = ByteArray::from(name);
        self.names.insert(name.into(), bytes.clone());
        bytes
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        column::<ByteArrayType, W>(&mut group, &self.workloads)?;
        column::<ByteArrayType, W>(&mut group, &self.metrics)?;
        column::<Int64Type, W>(&mut group, &self.times_s)?;
        for numbers in &self.numbers {
            match self.precision {
                Precision::Single => column::<FloatType, W>(&mut group, &singles(numbers))?,
                Precision::Double => column::<DoubleType, W>(&mut group, numbers)?,
            }
        }
        group.close()?;
        self.workloads.clear();
        self.metrics.clear();
        self.times_s.clear();
        self.numbers.iter_mut().for_each(Vec::clear);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<W, ParquetError> {
        if !self.times_s.is_empty() {
            self.write_group()?;
        }
        self.writer.into_inner()
    }
}

#[allow(clippy::cast_possible_truncation, reason = "they were 32-bit floats")]
fn singles(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|number| *number as f32).collect()
}

fn column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
) -> Result<(), ParquetError> {
    let too_many = || ParquetError::General("more columns than the schema has".to_owned());
    let mut column = group.next_column()?.ok_or_else(too_many)?;
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}

fn schema(numbers: &[&str], precision: Precision) -> Result<Type, ParquetError> {
    let required = |name: &str, physical, logical| {
        let column = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
        column.with_logical_type(logical).build().map(Arc::new)
    };
    let number = match precision {
        Precision::Single => Physical::FLOAT,
        Precision::Double => Physical::DOUBLE,
    };
    let mut columns = vec![
        required("workload", Physical::BYTE_ARRAY, Some(LogicalType::String))?,
        required("metric", Physical::BYTE_ARRAY, Some(LogicalType::String))?,
        required("time", Physical::INT64, None)?,
    ];
    for name in numbers {
        columns.push(required(name, number, None)?);
    }
    Type::group_type_builder("table").with_fields(columns).build()
}
