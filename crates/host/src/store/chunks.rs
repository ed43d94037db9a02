//! Chunks in the file: points put in, roll-ups merged, both read back.

use super::{
    codec::{self, StepChunk},
    error::broken,
    span::{Cell, Point, SLOW_MS},
    tier::{RAW_S, Tier},
};
use rusqlite::{Connection, OptionalExtension, Result, named_params};
use std::collections::BTreeMap;

/// Puts in one chunk of readings as they came.
pub(super) fn insert_points(db: &Connection, series: i64, points: &[Point]) -> Result<()> {
    let times = || points.iter().map(|point| point.ms);
    let (Some(first_ms), Some(last_ms)) = (times().min(), times().max()) else { return Ok(()) };
    let data = codec::pack_points(points).map_err(broken)?;
    insert(db, series, RAW_S, (first_ms.div_euclid(1_000), (last_ms + 999).div_euclid(1_000)), points.len(), &data)
}

fn insert(
    db: &Connection,
    series: i64,
    tier_s: u32,
    (start_s, end_s): (i64, i64),
    count: usize,
    data: &[u8],
) -> Result<()> {
    let sql = "INSERT INTO chunk (series, tier_s, start_s, end_s, count, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    db.prepare_cached(sql)?.execute((series, tier_s, start_s, end_s, count_of(count), data))?;
    Ok(())
}

fn count_of(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What happens where a step is there already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// The new one takes its place: it was measured here.
    Replaced,
    /// It stays: what is brought in later fills gaps only.
    Kept,
}

/// Merges roll-ups into their chunks; gives how many steps changed.
pub(super) fn merge_steps(
    db: &Connection,
    series: i64,
    tier: &Tier,
    cells: &BTreeMap<i64, Cell>,
    existing: Existing,
) -> Result<usize> {
    let mut chunks: BTreeMap<i64, Vec<(usize, Cell)>> = BTreeMap::new();
    for (end_s, cell) in cells.iter().filter(|(_, cell)| !cell.mean().is_nan()) {
        let (start_s, place) = tier.place(*end_s);
        chunks.entry(start_s).or_default().push((place, *cell));
    }
    let mut changed = 0;
    for (start_s, cells) in chunks {
        changed += merge_chunk(db, series, tier, start_s, &cells, existing)?;
    }
    Ok(changed)
}

fn merge_chunk(
    db: &Connection,
    series: i64,
    tier: &Tier,
    start_s: i64,
    cells: &[(usize, Cell)],
    existing: Existing,
) -> Result<usize> {
    let sql = "SELECT id, data FROM chunk WHERE series = ?1 AND tier_s = ?2 AND start_s = ?3";
    let found: Option<(i64, Vec<u8>)> = db
        .prepare_cached(sql)?
        .query_row((series, tier.step_s, start_s), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let steps = usize::from(tier.steps);
    let mut chunk = match &found {
        Some((_, data)) => codec::unpack_steps(data, steps, tier.has_max).map_err(broken)?,
        None => StepChunk::gap(steps, tier.has_max),
    };
    let changed = fill(&mut chunk, cells, existing);
    if changed == 0 {
        return Ok(0);
    }
    let data = codec::pack_steps(&chunk).map_err(broken)?;
    let count = chunk.mean.iter().filter(|mean| !mean.is_nan()).count();
    match found {
        Some((id, _)) => {
            let sql = "UPDATE chunk SET count = ?2, data = ?3 WHERE id = ?1";
            db.prepare_cached(sql)?.execute((id, count_of(count), data))?;
        }
        None => {
            // The end of the last step it may ever hold, so that no index changes as it fills.
            let end_s = start_s + tier.span_s() - i64::from(tier.step_s);
            insert(db, series, tier.step_s, (start_s, end_s), count, &data)?;
        }
    }
    Ok(changed)
}

fn fill(chunk: &mut StepChunk, cells: &[(usize, Cell)], existing: Existing) -> usize {
    let mut changed = 0;
    for (place, cell) in cells {
        if existing == Existing::Kept && !chunk.mean[*place].is_nan() {
            continue;
        }
        chunk.mean[*place] = cell.mean();
        if let Some(max) = chunk.max.get_mut(*place) {
            *max = cell.max();
        }
        changed += 1;
    }
    changed
}

/// Calls `take` with the readings that may bear on `(from_s, to_s]`, oldest first. A chunk that cannot be read is left out,
/// and said so.
pub(super) fn read_points(
    db: &Connection,
    series: i64,
    (from_s, to_s): (i64, i64),
    mut take: impl FnMut(&[Point]),
) -> Result<()> {
    // A reading speaks for at most `slow_s`, and whether it does depends on how far the two before it were apart.
    let slow_s = SLOW_MS / 1_000;
    let sql = "SELECT start_s, data FROM chunk WHERE series = :series AND tier_s = :tier
        AND end_s >= :from AND start_s <= :to ORDER BY start_s, id";
    let mut statement = db.prepare_cached(sql)?;
    let window = named_params! {
        ":series": series, ":tier": RAW_S,
        ":from": from_s.saturating_sub(3 * slow_s), ":to": to_s.saturating_add(slow_s),
    };
    let mut rows = statement.query(window)?;
    while let Some(row) = rows.next()? {
        match codec::unpack_points(row.get_ref(1)?.as_blob().map_err(broken)?) {
            Ok(points) => take(&points),
            Err(error) => say_broken(series, row.get(0)?, &error),
        }
    }
    Ok(())
}

/// The roll-up of the steps that end at `first_end_s`, one step later, ...: `steps` of them, gaps where nothing is known.
pub(super) fn read_steps(
    db: &Connection,
    series: i64,
    tier: &Tier,
    first_end_s: i64,
    steps: usize,
) -> Result<StepChunk> {
    let last_end_s = first_end_s + (count_of(steps) - 1) * i64::from(tier.step_s);
    let mut read = StepChunk::gap(steps, tier.has_max);
    let sql = "SELECT start_s, data FROM chunk WHERE series = ?1 AND tier_s = ?2 AND start_s BETWEEN ?3 AND ?4";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query((series, tier.step_s, tier.place(first_end_s).0, last_end_s))?;
    while let Some(row) = rows.next()? {
        let start_s: i64 = row.get(0)?;
        match codec::unpack_steps(row.get_ref(1)?.as_blob().map_err(broken)?, usize::from(tier.steps), tier.has_max) {
            Ok(chunk) => {
                let offset = (start_s - first_end_s).div_euclid(i64::from(tier.step_s));
                lay(&chunk.mean, offset, &mut read.mean);
                lay(&chunk.max, offset, &mut read.max);
            }
            Err(error) => say_broken(series, start_s, &error),
        }
    }
    Ok(read)
}

/// Copies `values` to `target` from place `offset` on, as far as the two overlap.
fn lay(values: &[f32], offset: i64, target: &mut [f32]) {
    let skip = usize::try_from(-offset).unwrap_or(0);
    let from = usize::try_from(offset).unwrap_or(0);
    for (place, value) in target.iter_mut().skip(from).zip(values.iter().skip(skip)) {
        *place = *value;
    }
}

fn say_broken(series: i64, start_s: i64, error: &codec::CodecError) {
    tracing::warn!(series, start_s, %error, "chunk left out: it cannot be read");
}
