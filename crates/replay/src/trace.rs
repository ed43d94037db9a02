//! Recorded usage in memory, checked once on the way in.

use crate::{ReplayError, quantity::Quantity};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    ops::Range,
    sync::Arc,
};

/// What one workload used of one metric; each value is the mean over the interval that ends at its time.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSeries {
    /// Whose.
    pub workload: Arc<str>,
    /// Of what.
    pub metric: Arc<str>,
    /// Ascending, seconds since 1970. A gap is a time that is not there.
    pub times_s: Vec<i64>,
    /// In the metric's own unit; finite, not negative.
    pub values: Vec<f64>,
    /// Usual distance of two samples, seconds. How often a metric is read is not usage: it is the same for all series of the metric,
    /// so that what a policy is told of a new workload does not depend on what follows.
    pub step_s: i64,
}

/// How many distances of a series tell its step.
const STEP_FROM: usize = 64;

/// The step of most of the series, the least of several; `None` where none has two samples.
pub(crate) fn usual_step_s<'a>(series: impl Iterator<Item = &'a TraceSeries>) -> Option<i64> {
    let mut votes: BTreeMap<i64, usize> = BTreeMap::new();
    for step_s in series.filter_map(TraceSeries::own_step_s) {
        *votes.entry(step_s).or_default() += 1;
    }
    votes.into_iter().rev().max_by_key(|(_, count)| *count).map(|(step_s, _)| step_s)
}

impl TraceSeries {
    pub(crate) fn new(workload: Arc<str>, metric: Arc<str>, times_s: Vec<i64>, values: Vec<f64>) -> Self {
        let mut made = Self { workload, metric, times_s, values, step_s: 1 };
        made.step_s = made.own_step_s().unwrap_or(1);
        made
    }
    /// The median of its first distances.
    fn own_step_s(&self) -> Option<i64> {
        let mut gaps: Vec<i64> = self.times_s.windows(2).take(STEP_FROM).map(|pair| pair[1] - pair[0]).collect();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).map(|gap| (*gap).max(1))
    }
    /// Those of its samples at some of its places; `None` for none.
    fn part(&self, places: Range<usize>) -> Option<Self> {
        let (times_s, values) = (self.times_s[places.clone()].to_vec(), self.values[places].to_vec());
        let (workload, metric) = (self.workload.clone(), self.metric.clone());
        (!times_s.is_empty()).then_some(Self { workload, metric, times_s, values, step_s: self.step_s })
    }
    /// Number of samples; at least one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times_s.len()
    }
    /// False: a series without a sample is not made.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times_s.is_empty()
    }
    /// Time of the first sample, seconds.
    #[must_use]
    pub fn first_s(&self) -> i64 {
        self.times_s.first().copied().unwrap_or_default()
    }
    /// Time of the last sample, seconds.
    #[must_use]
    pub fn last_s(&self) -> i64 {
        self.times_s.last().copied().unwrap_or_default()
    }
    /// How the metric is read.
    #[must_use]
    pub fn quantity(&self) -> Quantity {
        Quantity::of(&self.metric)
    }
    /// Workload and metric as one name, for seeds and messages.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.workload, self.metric)
    }
    /// Time and value of each sample.
    pub fn samples(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        self.times_s.iter().copied().zip(self.values.iter().copied())
    }
}

/// What was mended on the way in; said in every report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repairs {
    /// Series whose rows were not in order of time, and were sorted.
    pub reordered_series: usize,
    /// Rows with the time of another row of the same series: the last one was kept.
    pub duplicate_rows: usize,
    /// Rows whose value is not a number: a gap.
    pub missing_rows: usize,
    /// The last row had no line end; it was kept, and may have been cut off inside its value.
    #[serde(default)]
    pub is_cut_off: bool,
}

/// A trace: series in order of workload and metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    series: Vec<TraceSeries>,
    repairs: Repairs,
}

impl Trace {
    /// The series, in order of workload and metric.
    #[must_use]
    pub fn series(&self) -> &[TraceSeries] {
        &self.series
    }
    /// What was mended.
    #[must_use]
    pub const fn repairs(&self) -> &Repairs {
        &self.repairs
    }
    /// The same trace, with what had been mended before its rows came here.
    #[must_use]
    pub fn with_repairs(self, repairs: Repairs) -> Self {
        Self { repairs, ..self }
    }
    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.series.iter().map(TraceSeries::len).sum()
    }
    /// The series of one workload and metric.
    #[must_use]
    pub fn find(&self, workload: &str, metric: &str) -> Option<usize> {
        self.series.binary_search_by(|series| (&*series.workload, &*series.metric).cmp(&(workload, metric))).ok()
    }
    /// The metrics, in order, each once.
    #[must_use]
    pub fn metrics(&self) -> Vec<Arc<str>> {
        let mut metrics: Vec<Arc<str>> = self.series.iter().map(|series| series.metric.clone()).collect();
        metrics.sort();
        metrics.dedup();
        metrics
    }
    /// The workloads, in order, each once.
    #[must_use]
    pub fn workloads(&self) -> Vec<Arc<str>> {
        let mut workloads: Vec<Arc<str>> = self.series.iter().map(|series| series.workload.clone()).collect();
        workloads.dedup();
        workloads
    }
    /// The series of some workloads; `None` where there is none.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&str) -> bool) -> Option<Self> {
        let series: Vec<TraceSeries> = self.series.iter().filter(|series| wanted(&series.workload)).cloned().collect();
        (!series.is_empty()).then(|| Self { series, repairs: self.repairs.clone() })
    }
    /// The same times with other values, as many as before; finite and not negative.
    pub(crate) fn with_values(&self, values: impl Fn(&TraceSeries) -> Vec<f64>) -> Self {
        let changed = |series: &TraceSeries| TraceSeries { values: values(series), ..series.clone() };
        Self { series: self.series.iter().map(changed).collect(), repairs: self.repairs.clone() }
    }
    /// Time of the first sample, seconds.
    #[must_use]
    pub fn first_s(&self) -> i64 {
        self.series.iter().map(TraceSeries::first_s).min().unwrap_or_default()
    }
    /// Time of the last sample, seconds.
    #[must_use]
    pub fn last_s(&self) -> i64 {
        self.series.iter().map(TraceSeries::last_s).max().unwrap_or_default()
    }
    /// The part up to `end_s`, as if the trace had ended there.
    ///
    /// # Errors
    /// [`ReplayError::Empty`] where nothing is.
    pub fn until(&self, end_s: i64) -> Result<Self, ReplayError> {
        self.parts(|series| series.part(0..series.times_s.partition_point(|time| *time <= end_s)))
    }
    /// The part after `from_s`.
    ///
    /// # Errors
    /// [`ReplayError::Empty`] where nothing is.
    pub fn since(&self, from_s: i64) -> Result<Self, ReplayError> {
        self.parts(|series| series.part(series.times_s.partition_point(|time| *time <= from_s)..series.len()))
    }
    fn parts(&self, part: impl Fn(&TraceSeries) -> Option<TraceSeries>) -> Result<Self, ReplayError> {
        let series: Vec<TraceSeries> = self.series.iter().filter_map(part).collect();
        if series.is_empty() {
            return Err(ReplayError::Empty);
        }
        Ok(Self { series, repairs: self.repairs.clone() })
    }
    /// That there is usage after the warm-up of each series.
    ///
    /// # Errors
    /// [`ReplayError::OnlyWarmUp`] where no series is longer.
    pub fn check_warmup(&self, warmup_s: i64) -> Result<(), ReplayError> {
        let spans = self.series.iter().map(|series| series.last_s() - series.first_s());
        let longest_s = spans.max().unwrap_or_default();
        if longest_s < warmup_s { Err(ReplayError::OnlyWarmUp { warmup_s, longest_s }) } else { Ok(()) }
    }
    /// The metrics whose unit their name does not tell, and which are more than a share: how they are read is a guess.
    #[must_use]
    pub fn without_unit(&self) -> Vec<Arc<str>> {
        let is_odd = |metric: &Arc<str>| {
            let mut own = self.series.iter().filter(|series| series.metric == *metric);
            Quantity::is_guessed(metric) && own.any(|series| series.values.iter().any(|value| *value > 1.0))
        };
        self.metrics().into_iter().filter(is_odd).collect()
    }
    /// SHA-256 over names, times and values, as hexadecimal digits: the same data gives the same digest.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for series in &self.series {
            hash.update(series.name().as_bytes());
            for (time, value) in series.samples() {
                hash.update(time.to_le_bytes());
                hash.update(value.to_le_bytes());
            }
        }
        hash.finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

type Rows = Vec<(i64, f64)>;

/// Takes rows in any order and makes a [`Trace`] of them.
#[derive(Debug, Default)]
pub struct TraceBuilder {
    series: BTreeMap<(Arc<str>, Arc<str>), Rows>,
    current: Option<(Arc<str>, Arc<str>, Rows)>,
    rows: usize,
    missing: usize,
}

impl TraceBuilder {
    /// Takes one row. A value that is not a number is a gap.
    ///
    /// # Errors
    /// [`ReplayError::Negative`], [`ReplayError::Infinite`], with the row.
    pub fn push(&mut self, workload: &str, metric: &str, time_s: i64, value: f64) -> Result<(), ReplayError> {
        self.rows += 1;
        let (row, named) = (self.rows, || (workload.to_owned(), metric.to_owned()));
        if value < 0.0 {
            let (workload, metric) = named();
            return Err(ReplayError::Negative { row, workload, metric, time_s, value });
        }
        if value.is_infinite() {
            let (workload, metric) = named();
            return Err(ReplayError::Infinite { row, workload, metric, time_s });
        }
        if value.is_nan() {
            self.missing += 1;
        } else {
            self.rows_of(workload, metric).push((time_s, value));
        }
        Ok(())
    }

    /// Rows come mostly series by series, so the current one is kept at hand.
    fn rows_of(&mut self, workload: &str, metric: &str) -> &mut Rows {
        let same = matches!(&self.current, Some((w, m, _)) if **w == *workload && **m == *metric);
        if !same {
            self.put_away();
            let key: (Arc<str>, Arc<str>) = (workload.into(), metric.into());
            let rows = self.series.remove(&key).unwrap_or_default();
            self.current = Some((key.0, key.1, rows));
        }
        &mut self.current.get_or_insert_with(|| (workload.into(), metric.into(), Rows::new())).2
    }

    fn put_away(&mut self) {
        if let Some((workload, metric, rows)) = self.current.take() {
            self.series.insert((workload, metric), rows);
        }
    }

    /// Sorts, drops duplicates and checks units and steps.
    ///
    /// # Errors
    /// [`ReplayError::Empty`], [`ReplayError::MixedUnits`], [`ReplayError::StepChanges`].
    pub fn finish(mut self) -> Result<Trace, ReplayError> {
        self.put_away();
        let mut repairs = Repairs { missing_rows: self.missing, ..Repairs::default() };
        let mut series = Vec::new();
        for ((workload, metric), rows) in self.series {
            let (times, values) = in_order(rows, &mut repairs);
            let made = TraceSeries::new(workload, metric, times, values);
            crate::units::check(&made)?;
            crate::steps::check(&made)?;
            series.push(made);
        }
        if series.is_empty() {
            return Err(ReplayError::Empty);
        }
        one_step_a_metric(&mut series);
        Ok(Trace { series, repairs })
    }
}

/// Gives all series of a metric the step of most of them, but for those that keep a step of their own; those of a metric of which none
/// has two samples, that of most of all.
fn one_step_a_metric(series: &mut [TraceSeries]) {
    let usual_s = usual_step_s(series.iter()).unwrap_or(1);
    let mut steps: BTreeMap<Arc<str>, i64> = BTreeMap::new();
    for metric in series.iter().map(|series| series.metric.clone()).collect::<BTreeSet<_>>() {
        let own = usual_step_s(series.iter().filter(|series| series.metric == metric));
        steps.insert(metric, own.unwrap_or(usual_s));
    }
    for series in series {
        let most_s = steps.get(&series.metric).copied().unwrap_or(usual_s);
        series.step_s = crate::steps::own(series, most_s).unwrap_or(most_s);
    }
}

/// Sorted by time, the last of several rows at one time kept.
fn in_order(mut rows: Rows, repairs: &mut Repairs) -> (Vec<i64>, Vec<f64>) {
    if !rows.is_sorted_by_key(|row| row.0) {
        repairs.reordered_series += 1;
        rows.sort_by_key(|row| row.0);
    }
    let (mut times, mut values) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for (time, value) in rows {
        if times.last() == Some(&time) {
            repairs.duplicate_rows += 1;
            values.pop();
        } else {
            times.push(time);
        }
        values.push(value);
    }
    (times, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(rows: &[(&str, &str, i64, f64)]) -> Result<Trace, ReplayError> {
        let mut builder = TraceBuilder::default();
        for (workload, metric, time, value) in rows {
            builder.push(workload, metric, *time, *value)?;
        }
        builder.finish()
    }

    #[test]
    fn shuffled_duplicated_and_missing_rows_are_mended_and_said() {
        let made = trace(&[
            ("b", "cpu_cores", 60, 1.0),
            ("a", "cpu_cores", 120, 3.0),
            ("a", "cpu_cores", 60, 9.0),
            ("a", "cpu_cores", 180, f64::NAN),
            ("a", "cpu_cores", 60, 2.0),
        ])
        .unwrap();
        assert_eq!(
            *made.repairs(),
            Repairs { reordered_series: 1, duplicate_rows: 1, missing_rows: 1, is_cut_off: false }
        );
        assert_eq!(made.series()[0].times_s, [60, 120]);
        assert_eq!(made.series()[0].values, [2.0, 3.0]);
        assert_eq!((made.find("b", "cpu_cores"), made.find("b", "mem_mib")), (Some(1), None));
    }

    #[test]
    fn what_cannot_be_mended_is_an_error_with_its_place() {
        let check = |value: f64, says: &str| {
            let error = trace(&[("a", "cpu_cores", 0, 1.0), ("a", "cpu_cores", 60, value)]).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        };
        check(-1.0, "row 2: a cpu_cores at time 60 uses -1");
        check(f64::INFINITY, "row 2: a cpu_cores at time 60 is infinite");
        assert_eq!(trace(&[("a", "cpu_cores", 0, f64::NAN)]), Err(ReplayError::Empty));
    }

    #[test]
    fn the_digest_knows_the_data() {
        let one = trace(&[("a", "cpu_cores", 0, 1.0), ("a", "cpu_cores", 60, 2.0)]).unwrap();
        let same = trace(&[("a", "cpu_cores", 60, 2.0), ("a", "cpu_cores", 0, 1.0)]).unwrap();
        let other = trace(&[("a", "cpu_cores", 0, 1.0), ("a", "cpu_cores", 60, 2.5)]).unwrap();
        assert_eq!(one.digest(), same.digest());
        assert_ne!(one.digest(), other.digest());
    }

    #[test]
    fn a_cut_trace_keeps_what_came_before() {
        let made =
            trace(&[("a", "cpu_cores", 0, 1.0), ("a", "cpu_cores", 60, 2.0), ("b", "cpu_cores", 60, 2.0)]).unwrap();
        let cut = made.until(30).unwrap();
        assert_eq!((cut.series().len(), cut.samples()), (1, 1));
        let late = made.since(0).unwrap();
        assert_eq!((late.series().len(), late.samples(), late.first_s()), (2, 2, 60));
        assert_eq!(made.since(60), Err(ReplayError::Empty));
        assert_eq!(made.until(-1), Err(ReplayError::Empty));
    }

    /// A workload seen once, and one that is read unevenly at first, have the step of the others of their metric.
    #[test]
    fn the_step_is_that_of_most_series_of_the_metric() {
        let rows = |workload: &'static str, metric, times: &[i64]| -> Vec<(&'static str, &'static str, i64, f64)> {
            times.iter().map(|time| (workload, metric, *time, 1.0)).collect()
        };
        let usual: Vec<i64> = (0..40).map(|k| k * 300).collect();
        let uneven: Vec<i64> = (0..20).map(|k| k * 7).chain((1..100).map(|k| k * 300)).collect();
        let all = [
            rows("a", "cpu_cores", &usual),
            rows("b", "cpu_cores", &usual),
            rows("c", "cpu_cores", &uneven[..30]),
            rows("d", "cpu_cores", &[9_000]),
            rows("a", "requests_per_s", &[0, 60, 120]),
            rows("d", "memory_bytes", &[9_000]),
        ];
        let made = trace(&all.concat()).unwrap();
        let steps: Vec<i64> = made.series().iter().map(|series| series.step_s).collect();
        // By workload and metric: a cpu_cores, a requests_per_s, b, c, d cpu_cores, d memory_bytes.
        assert_eq!(steps, [300, 60, 300, 300, 300, 300]);
        assert_eq!(trace(&rows("a", "cpu_cores", &[5])).unwrap().series()[0].step_s, 1);
    }
}
