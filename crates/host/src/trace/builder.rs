//! From rows in any order to series. Names are kept once; a row costs 12 bytes.

use super::{Place, Trace, TraceError, TraceReport, TraceSeries};
use apportion_core::{Metric, WorkloadId};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

/// The last second of the year 9999: a later time is in milliseconds, or a mistake.
const MOST_TIME_S: u64 = 253_402_300_799;

/// Endings of names of what cannot be negative.
const NEVER_NEGATIVE: [&str; 13] = [
    "_cores",
    "_bytes",
    "_bytes_per_s",
    "_per_s",
    "_per_min",
    "_count",
    "_pct",
    "_share",
    "_kbps",
    "_mib",
    "_millicores",
    "latency_s",
    "_bytes_s",
];

/// Text seen before, by number.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<Box<str>, u32>,
    names: Vec<Box<str>>,
    last: u32,
}

impl Names {
    /// The number of a name. Rows mostly repeat the name of the row before.
    pub(super) fn number(&mut self, name: &str) -> u32 {
        if self.names.get(self.last as usize).is_some_and(|last| **last == *name) {
            return self.last;
        }
        self.last = match self.numbers.get(name) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
                self.numbers.insert(name.into(), number);
                self.names.push(name.into());
                number
            }
        };
        self.last
    }
}

/// A series as it grows: NaN is a row without a number.
#[derive(Debug, Default)]
struct Rows {
    series: TraceSeries,
    is_unordered: bool,
    can_be_negative: bool,
}

#[derive(Debug)]
pub(super) struct Builder {
    pub(super) file: PathBuf,
    pub(super) workloads: Names,
    pub(super) metrics: Names,
    places: HashMap<(u32, u32), usize>,
    last: Option<((u32, u32), usize)>,
    all: Vec<((u32, u32), Rows)>,
    pub(super) report: TraceReport,
}

/// One row; names by their numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) number: u64,
    pub(super) workload: u32,
    pub(super) metric: u32,
    pub(super) time_s: i64,
    /// Not a number for a gap.
    pub(super) value: f64,
}

impl Builder {
    pub(super) fn new(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            workloads: Names::default(),
            metrics: Names::default(),
            places: HashMap::new(),
            last: None,
            all: Vec::new(),
            report: TraceReport::default(),
        }
    }

    pub(super) fn wrong(&self, row: u64, column: &'static str, found: String, wanted: &'static str) -> TraceError {
        TraceError::Cell { place: Place { file: self.file.clone(), row, column }, found, wanted }
    }

    pub(super) fn push(&mut self, row: Row) -> Result<(), TraceError> {
        self.report.rows += 1;
        if row.time_s.unsigned_abs() > MOST_TIME_S {
            return Err(self.wrong(
                row.number,
                "time",
                row.time_s.to_string(),
                "a time in seconds (is it milliseconds?)",
            ));
        }
        let value = self.value(&row)?;
        let rows = self.rows(row.workload, row.metric);
        if value < 0.0 && !rows.can_be_negative {
            return Err(self.wrong(
                row.number,
                "value",
                row.value.to_string(),
                "possible: this metric is never negative",
            ));
        }
        rows.is_unordered |= rows.series.times_s.last().is_some_and(|last| row.time_s <= *last);
        rows.series.times_s.push(row.time_s);
        rows.series.values.push(value);
        Ok(())
    }

    #[allow(clippy::cast_possible_truncation, reason = "what does not fit is refused")]
    fn value(&mut self, row: &Row) -> Result<f32, TraceError> {
        if !row.value.is_finite() {
            self.report.gaps += 1;
            return Ok(f32::NAN);
        }
        let value = row.value as f32;
        if value.is_finite() {
            return Ok(value);
        }
        Err(self.wrong(row.number, "value", row.value.to_string(), "a number that a 32-bit float can hold"))
    }

    fn rows(&mut self, workload: u32, metric: u32) -> &mut Rows {
        let key = (workload, metric);
        let place = match self.last {
            Some((last, place)) if last == key => place,
            _ => match self.places.get(&key) {
                Some(place) => *place,
                None => self.add(key),
            },
        };
        self.last = Some((key, place));
        &mut self.all[place].1
    }

    fn add(&mut self, key: (u32, u32)) -> usize {
        let metric = self.metrics.names.get(key.1 as usize).map_or("", |name| name);
        let can_be_negative = !NEVER_NEGATIVE.iter().any(|ending| metric.ends_with(ending));
        self.all.push((key, Rows { can_be_negative, ..Rows::default() }));
        self.places.insert(key, self.all.len() - 1);
        self.all.len() - 1
    }

    pub(super) fn finish(self) -> Result<Trace, TraceError> {
        let mut report = self.report;
        if report.rows == 0 {
            return Err(TraceError::Empty { file: self.file });
        }
        let mut series = BTreeMap::new();
        let workloads: Vec<WorkloadId> = self.workloads.names.iter().map(|name| WorkloadId::new(name)).collect();
        let metrics: Vec<Metric> = self.metrics.names.iter().map(|name| Metric::new(name)).collect();
        for ((workload, metric), mut rows) in self.all {
            if rows.is_unordered {
                report.sorted_series += usize::from(!is_ascending(&rows.series.times_s));
                report.duplicates += put_in_order(&mut rows.series);
            }
            drop_gaps(&mut rows.series);
            if !rows.series.is_empty() {
                series.insert((workloads[workload as usize].clone(), metrics[metric as usize].clone()), rows.series);
            }
        }
        report.digest = digest(&series);
        Ok(Trace { series, report })
    }
}

fn is_ascending(times: &[i64]) -> bool {
    times.windows(2).all(|pair| pair[0] <= pair[1])
}

/// Sorts by time; of rows at the same time the last one stays. Gives the number of those that went.
fn put_in_order(series: &mut TraceSeries) -> usize {
    let mut rows: Vec<(i64, f32)> = series.times_s.iter().copied().zip(series.values.iter().copied()).collect();
    rows.sort_by_key(|(time, _)| *time);
    // Kept is the first of equals, so that it has to take the value of each later one.
    rows.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            kept.1 = later.1;
        }
        same
    });
    let gone = series.times_s.len() - rows.len();
    series.times_s = rows.iter().map(|(time, _)| *time).collect();
    series.values = rows.iter().map(|(_, value)| *value).collect();
    gone
}

fn drop_gaps(series: &mut TraceSeries) {
    if series.values.iter().any(|value| value.is_nan()) {
        let mut is_there = series.values.iter().map(|value| !value.is_nan());
        series.times_s.retain(|_| is_there.next().unwrap_or(false));
        series.values.retain(|value| !value.is_nan());
    }
    series.times_s.shrink_to_fit();
    series.values.shrink_to_fit();
}

fn digest(series: &BTreeMap<(WorkloadId, Metric), TraceSeries>) -> String {
    let mut hash = Sha256::new();
    for ((workload, metric), series) in series {
        for name in [workload.as_str(), metric.as_str()] {
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name.as_bytes());
        }
        hash.update((series.len() as u64).to_le_bytes());
        for chunk in series.times_s.chunks(1_024) {
            hash.update(chunk.iter().flat_map(|time| time.to_le_bytes()).collect::<Vec<u8>>());
        }
        for chunk in series.values.chunks(1_024) {
            hash.update(chunk.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
