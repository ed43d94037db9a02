//! Series out of the file and the heads, on the grid that was asked for.
//!
//! The coarsest roll-up whose steps make up the steps asked for is read; where none does, the readings as they came. What
//! is not sealed yet is rolled up from the head by the same rules, so that it makes no difference where a step lies.

use super::{
    Inner, ReadError, Store, chunks,
    codec::StepChunk,
    head::Head,
    span::{Grid, Reader},
    tier::{FIVE_MINUTES, ROLL_UPS, Tier},
    write::unlisted,
};
use apportion_core::{History, Latest, Metric, Series, Time, Window, Workload, WorkloadId};
use rusqlite::OptionalExtension;
use std::collections::BTreeMap;

/// A window has at most so many steps: 95 years of five minutes.
pub const MOST_STEPS: usize = 10_000_000;

/// Which of the two values of a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Mean,
    Max,
}

/// A workload that the store knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Which, as last described.
    pub workload: Workload,
    /// When it was first seen.
    pub first: Time,
    /// When it was last seen; after a crash up to five minutes early.
    pub last: Time,
}

impl History for Store {
    /// The mean over each step. A store that cannot be read gives what is in memory; the trouble is in the log and in
    /// [`super::Status::read_errors`].
    fn series(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
        self.series_mean(workload, metric, window).unwrap_or_else(|error| {
            tracing::warn!(%workload, %metric, %error, "history cannot be read");
            self.lock().read_errors += 1;
            None
        })
    }
}

impl Store {
    /// The mean over each step of a window: of a counter's rate or a gauge's value, weighted by time, over the part of the
    /// step that was seen. `None` when nothing of it is known.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn series_mean(
        &self,
        workload: &WorkloadId,
        metric: &Metric,
        window: Window,
    ) -> Result<Option<Series>, ReadError> {
        self.lock().read(workload, metric, window, Of::Mean)
    }

    /// The greatest value in each step of a window: over five minutes and their multiples for 90 days, over finer steps from
    /// the readings of the last two days. `None` when nothing of it is known.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn series_max(
        &self,
        workload: &WorkloadId,
        metric: &Metric,
        window: Window,
    ) -> Result<Option<Series>, ReadError> {
        self.lock().read(workload, metric, window, Of::Max)
    }

    /// The newest value of every metric of a workload that has been read since this process began (or, in a reader, that is
    /// in the journal); a counter's is its rate since the reading before.
    #[must_use]
    pub fn latest(&self, workload: &WorkloadId) -> BTreeMap<Metric, Latest> {
        let mut inner = self.lock();
        inner.follow();
        let heads = inner.heads.get(workload).into_iter().flatten();
        heads.filter_map(|(metric, head)| Some((metric.clone(), head.latest?))).collect()
    }

    /// Every workload that the store knows, by name.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn workloads(&self) -> Result<Vec<Seen>, ReadError> {
        let mut inner = self.lock();
        inner.follow();
        let mut seen = inner.recorded_workloads()?;
        for (id, known) in &inner.known {
            let first = seen.get(id).map_or(known.first_seen, |seen| seen.first.min(known.first_seen));
            let workload = known.workload.clone();
            seen.insert(id.clone(), Seen { workload, first, last: known.last_seen });
        }
        Ok(seen.into_values().collect())
    }

    /// Whether a workload of which `is_it` is true was ever seen, or has a knob that Apportion changed.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn knows(&self, is_it: impl Fn(&WorkloadId) -> bool) -> Result<bool, ReadError> {
        let is_seen = self.workloads()?.iter().any(|seen| is_it(&seen.workload.id));
        Ok(is_seen || self.originals()?.iter().any(|original| is_it(&original.workload.id)))
    }

    /// The metrics of a workload of which anything is known, by name.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn metrics(&self, workload: &WorkloadId) -> Result<Vec<Metric>, ReadError> {
        let mut inner = self.lock();
        inner.follow();
        let sql = "SELECT metric FROM series JOIN workload ON workload.id = workload WHERE name = ?1";
        let mut statement = inner.db.connection.prepare_cached(sql)?;
        let rows = statement.query_map([workload.as_str()], |row| Ok(Metric::new(row.get_ref(0)?.as_str()?)))?;
        let mut metrics: std::collections::BTreeSet<Metric> = rows.collect::<rusqlite::Result<_>>()?;
        metrics.extend(inner.heads.get(workload).into_iter().flat_map(BTreeMap::keys).cloned());
        Ok(metrics.into_iter().collect())
    }
}

impl Inner {
    fn read(
        &mut self,
        workload: &WorkloadId,
        metric: &Metric,
        window: Window,
        of: Of,
    ) -> Result<Option<Series>, ReadError> {
        if window.len() > MOST_STEPS {
            return Err(ReadError::Window { steps: window.len() });
        }
        self.follow();
        let head = self.heads.get(workload).and_then(|heads| heads.get(metric));
        let series = match head.and_then(|head| head.series) {
            Some(series) => Some(series),
            None => self.find_series(workload, metric)?,
        };
        let values = match tier_for(window, of) {
            Some(tier) => {
                let factor = usize::try_from(window.step_s / tier.step_s).unwrap_or(1);
                let first_end_s = window.from_s - i64::from(window.step_s) + i64::from(tier.step_s);
                let tier = Tier { has_max: of == Of::Max, ..*tier };
                let steps = self.steps(series, head, &tier, first_end_s, window.len() * factor)?;
                coarser(&steps, factor, of)
            }
            None => self.grid(series, head, metric, window, of)?,
        };
        let is_known = values.iter().any(|value| !value.is_nan());
        Ok(is_known.then_some(Series { start_s: window.from_s, step_s: window.step_s, values }))
    }

    fn find_series(&self, workload: &WorkloadId, metric: &Metric) -> rusqlite::Result<Option<i64>> {
        let sql =
            "SELECT series.id FROM series JOIN workload ON workload.id = workload WHERE name = ?1 AND metric = ?2";
        let mut statement = self.db.connection.prepare_cached(sql)?;
        statement.query_row((workload.as_str(), metric.as_str()), |row| row.get(0)).optional()
    }

    /// Steps of a roll-up: those in chunks, then those of the head.
    fn steps(
        &self,
        series: Option<i64>,
        head: Option<&Head>,
        tier: &Tier,
        first_end_s: i64,
        steps: usize,
    ) -> Result<StepChunk, ReadError> {
        let mut read = match series {
            Some(series) => chunks::read_steps(&self.db.connection, series, tier, first_end_s, steps)?,
            None => StepChunk::gap(steps, tier.has_max),
        };
        let fresh = head.map(|head| head.steps(tier.step_s).cells).unwrap_or_default();
        for (end_s, cell) in fresh.range(first_end_s..) {
            let place = usize::try_from((end_s - first_end_s).div_euclid(i64::from(tier.step_s))).unwrap_or(usize::MAX);
            let Some(mean) = read.mean.get_mut(place) else { break };
            *mean = cell.mean();
            if let Some(max) = read.max.get_mut(place) {
                *max = cell.max();
            }
        }
        Ok(read)
    }

    /// Any grid, from the readings as they came.
    fn grid(
        &self,
        series: Option<i64>,
        head: Option<&Head>,
        metric: &Metric,
        window: Window,
        of: Of,
    ) -> Result<Vec<f32>, ReadError> {
        let mut grid = Grid::new(window.from_s, window.step_s, window.len());
        if let Some(series) = series {
            let mut reader = Reader::new(metric.kind());
            let span = (window.from_s - i64::from(window.step_s), window.to_s);
            chunks::read_points(&self.db.connection, series, span, |points| {
                points.iter().filter_map(|point| reader.read(*point)).for_each(|span| grid.add(&span));
            })?;
        }
        head.into_iter().flat_map(Head::spans).for_each(|span| grid.add(&span));
        Ok(grid.cells.iter().map(|cell| if of == Of::Mean { cell.mean() } else { cell.max() }).collect())
    }

    fn recorded_workloads(&self) -> Result<BTreeMap<WorkloadId, Seen>, ReadError> {
        let sql = "SELECT name, kind, path, labels, first_seen_ms, last_seen_ms FROM workload";
        let mut statement = self.db.connection.prepare_cached(sql)?;
        let mut rows = statement.query(())?;
        let mut seen = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            let id = WorkloadId::new(&name);
            let broken = |error: serde_json::Error| ReadError::Corrupt { what: format!("workload {name}: {error}") };
            let workload = Workload {
                kind: serde_json::from_value(serde_json::Value::String(row.get(1)?)).map_err(broken)?,
                path: row.get(2)?,
                labels: serde_json::from_str(&row.get::<_, String>(3)?).map_err(broken)?,
                ..unlisted(&id)
            };
            seen.insert(id, Seen { workload, first: Time(row.get(4)?), last: Time(row.get(5)?) });
        }
        Ok(seen)
    }
}

/// The coarsest roll-up that makes up the steps of a window.
fn tier_for(window: Window, of: Of) -> Option<&'static Tier> {
    let tiers = if of == Of::Mean { &ROLL_UPS[..] } else { std::slice::from_ref(&FIVE_MINUTES) };
    tiers.iter().rev().find(|tier| tier.fits(window.step_s, window.from_s))
}

/// Steps of `factor` steps each; one in which nothing is known is a gap.
fn coarser(steps: &StepChunk, factor: usize, of: Of) -> Vec<f32> {
    match of {
        Of::Mean if factor == 1 => steps.mean.clone(),
        Of::Mean => {
            steps.mean.chunks(factor).map(|block| apportion_core::stats::mean(block).unwrap_or(f32::NAN)).collect()
        }
        Of::Max => steps.max.chunks(factor).map(|block| block.iter().copied().fold(f32::NAN, f32::max)).collect(),
    }
}
