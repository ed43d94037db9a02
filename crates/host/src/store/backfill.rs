//! History from elsewhere: a Prometheus server, a trace.

use super::{
    Inner, Store,
    chunks::{self, Existing},
    db::Durability,
    error::WriteError,
    span::{Point, Reader, Steps},
    tier::ROLL_UPS,
    write::{series_row, unlisted, write_workload},
};
use apportion_core::{Batch, Metric, Time, Workload, WorkloadId};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// Series per transaction, so that no write waits long for a large backfill.
const SERIES_AT_ONCE: usize = 64;

/// What a backfill did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backfilled {
    /// Steps of one and of five minutes that were gaps and are filled now.
    pub steps: usize,
    /// Readings left out: not a number, at a time outside 1970..9999, or a second one at the same time.
    pub dropped: usize,
}

type Points<'a> = BTreeMap<(&'a WorkloadId, &'a Metric), Vec<Point>>;

impl Store {
    /// Brings in readings from elsewhere, in any order and however old, as roll-ups of one and of five minutes. Fills gaps
    /// only: what was measured here, or brought in before, stays; so doing it again changes nothing. Readings older than a
    /// roll-up is kept are left out of it. A series should come whole, or with the last reading of the part before it.
    ///
    /// # Errors
    /// [`WriteError`]; the series before the failure are in, do it again.
    pub fn backfill(&self, batch: &Batch, now: Time) -> Result<Backfilled, WriteError> {
        let listed: BTreeMap<&WorkloadId, &Workload> =
            batch.workloads.iter().map(|workload| (&workload.id, workload)).collect();
        let mut points = Points::new();
        let mut backfilled = Backfilled::default();
        for sample in &batch.samples {
            let point = Point { ms: sample.time.0, value: sample.value };
            match point.is_sane() {
                true => points.entry((&sample.workload, &sample.metric)).or_default().push(point),
                false => backfilled.dropped += 1,
            }
        }
        for points in points.values_mut() {
            let given = points.len();
            points.sort_by_key(|point| point.ms);
            points.dedup_by_key(|point| point.ms);
            backfilled.dropped += given - points.len();
        }
        let points: Vec<_> = points.into_iter().collect();
        for some in points.chunks(SERIES_AT_ONCE) {
            backfilled.steps += self.lock().backfill(&listed, some, now)?;
        }
        self.lock().db.checkpoint()?;
        Ok(backfilled)
    }
}

impl Inner {
    fn backfill(
        &mut self,
        listed: &BTreeMap<&WorkloadId, &Workload>,
        some: &[((&WorkloadId, &Metric), Vec<Point>)],
        now: Time,
    ) -> Result<usize, WriteError> {
        self.db.write("bringing in history", Durability::Lazy, |transaction| {
            let mut filled = 0;
            for ((workload, metric), points) in some {
                let (Some(first), Some(last)) = (points.first(), points.last()) else { continue };
                let described = listed.get(workload).map_or_else(|| unlisted(workload), |listed| (*listed).clone());
                write_workload(transaction, &described, Time(first.ms), Time(last.ms))?;
                let series = series_row(transaction, workload, metric)?;
                filled += fill_gaps(transaction, series, metric, points, now)?;
            }
            Ok(filled)
        })
    }
}

fn fill_gaps(db: &Connection, series: i64, metric: &Metric, points: &[Point], now: Time) -> rusqlite::Result<usize> {
    let mut filled = 0;
    for tier in &ROLL_UPS {
        let mut reader = Reader::new(metric.kind());
        let mut steps = Steps::new(tier.step_s);
        points.iter().filter_map(|point| reader.read(*point)).for_each(|span| steps.add(&span));
        let kept = steps.cells.split_off(&(now.s() - tier.keep_s));
        filled += chunks::merge_steps(db, series, tier, &kept, Existing::Kept)?;
    }
    Ok(filled)
}
