//! What a series was at the same phase of its last seasons, for all steps of a patch at once.
//!
//! A column holds the values around one step's phase; a row those of one season and one neighbour, which lie side by side in
//! the series. All columns are sorted by one network of exchanges: each takes a few vector instructions for the whole patch
//! and no branch, several times less than keeping a window sorted from step to step.

use std::ops::Range;

use super::PATCH;
use super::sorted_window::quantile;
use crate::layers::vectorized;

/// Most seasons looked back.
pub(crate) const SEASONS_BACK: usize = 5;
/// Most neighbours on each side of the phase.
const MOST_REACH: usize = 2;
const CAPACITY: usize = SEASONS_BACK * (2 * MOST_REACH + 1);

/// One value for each step of a patch.
type Row = [f64; PATCH];

/// For each step of a patch the sorted values at `step − k · season ± reach` for `SEASONS_BACK` values of k.
#[derive(Clone, Debug)]
pub(crate) struct PhaseTable {
    /// Each column ascends, and is infinite beyond its count.
    rows: [Row; CAPACITY],
    counts: [usize; PATCH],
}

impl PhaseTable {
    pub(crate) fn new() -> Self {
        Self { rows: [[f64::INFINITY; PATCH]; CAPACITY], counts: [0; PATCH] }
    }

    /// Without any value.
    pub(crate) fn clear(&mut self) {
        self.counts = [0; PATCH];
    }

    /// The table of the patch that begins at `ahead`, from what is known of a series: `clean`, NaN where missing or not yet
    /// seen, which holds nothing from `seen_end` on.
    pub(crate) fn fill(&mut self, clean: &[f64], season: usize, ahead: usize, seen_end: usize) {
        // Short seasons have no neighbours of nearly equal phase.
        let reach = usize::from(season >= 12) + usize::from(season >= 24);
        self.rows = [[f64::INFINITY; PATCH]; CAPACITY];
        let mut seasons = 0;
        for (steps, back) in runs(ahead, reach, seen_end, season) {
            let lags = (back..back + SEASONS_BACK).map(|k| k * season).take_while(|lag| *lag < ahead + steps.end);
            for (k, lag) in lags.enumerate() {
                let rows = &mut self.rows[k * (2 * reach + 1)..][..2 * reach + 1];
                copy_season(clean, rows, lag, ahead, steps.clone());
                seasons = seasons.max(k + 1);
            }
        }
        let rows = &mut self.rows[..seasons * (2 * reach + 1)];
        vectorized(|| {
            count(rows, &mut self.counts);
            sort(rows);
        });
    }

    /// Some of the nine levels at one step of the patch; `None` where there is no value.
    pub(crate) fn quantiles<const N: usize>(&self, step: usize, levels: [usize; N]) -> Option<[f64; N]> {
        let last = self.counts[step].checked_sub(1)?;
        Some(levels.map(|level| quantile(level, last, |place| self.rows[place][step])))
    }
}

/// Fills `steps` of one season's rows, one for each neighbour; nothing lies before the series.
fn copy_season(clean: &[f64], rows: &mut [Row], lag: usize, ahead: usize, steps: Range<usize>) {
    let reach = rows.len() / 2;
    for (neighbour, row) in rows.iter_mut().enumerate() {
        let first = lag.max((lag + reach).saturating_sub(neighbour)).saturating_sub(ahead).max(steps.start);
        if first < steps.end {
            let from = &clean[ahead + first + neighbour - lag - reach..];
            let known = |x: f64| if x.is_nan() { f64::INFINITY } else { x };
            row[first..steps.end].iter_mut().zip(from).for_each(|(to, x)| *to = known(*x));
        }
    }
}

#[inline(always)]
fn count(rows: &[Row], counts: &mut [usize; PATCH]) {
    *counts = [0; PATCH];
    for row in rows {
        counts.iter_mut().zip(row).for_each(|(count, x)| *count += usize::from(*x < f64::INFINITY));
    }
}

/// Sorts every column: Batcher's merge exchange (Knuth, The Art of Computer Programming 3, algorithm 5.2.2M).
#[inline(always)]
fn sort(rows: &mut [Row]) {
    let top = rows.len().next_power_of_two() / 2;
    let mut p = top;
    while p > 0 {
        let (mut q, mut r, mut distance) = (top, 0, p);
        loop {
            (0..rows.len() - distance).filter(|low| low & p == r).for_each(|low| exchange(rows, low, low + distance));
            if q == p {
                break;
            }
            (distance, q, r) = (q - p, q / 2, p);
        }
        p /= 2;
    }
}

#[inline(always)]
fn exchange(rows: &mut [Row], low: usize, high: usize) {
    let (below, above) = rows.split_at_mut(high);
    for (a, b) in below[low].iter_mut().zip(&mut above[0]) {
        (*a, *b) = if *b < *a { (*b, *a) } else { (*a, *b) };
    }
}

/// The steps of the patch that begins at `ahead` in stretches that look back over equally many seasons: the least whole number
/// with which `step + reach` comes to lie before `seen_end`.
pub(crate) fn runs(
    ahead: usize,
    reach: usize,
    seen_end: usize,
    season: usize,
) -> impl Iterator<Item = (Range<usize>, usize)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let back = (ahead + start + reach + 1).saturating_sub(seen_end).div_ceil(season).max(1);
        let steps = start..(seen_end + back * season - reach - ahead).min(PATCH);
        start = steps.end;
        (!steps.is_empty()).then_some((steps, back))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    /// One step's values, by the definition.
    fn plain(clean: &[f64], season: usize, step: usize, seen_end: usize) -> Vec<f64> {
        let reach = usize::from(season >= 12) + usize::from(season >= 24);
        let back = (step + reach + 1).saturating_sub(seen_end).div_ceil(season).max(1);
        let mut values: Vec<f64> = (back..back + SEASONS_BACK)
            .filter_map(|k| step.checked_sub(k * season))
            .flat_map(|centre| clean[centre.saturating_sub(reach)..=centre + reach].iter().copied())
            .filter(|value| value.is_finite())
            .collect();
        values.sort_by(f64::total_cmp);
        values
    }

    #[test]
    fn a_column_is_what_gathering_and_sorting_gives() {
        let mut rng = Rng::new(2);
        let mut table = PhaseTable::new();
        let mut most = 0;
        for season in [1, 2, 5, 11, 12, 13, 23, 24, 31, 40, 100] {
            for seen_end in [0, 32, 96, 300, 512] {
                let draw = |rng: &mut Rng| if rng.chance(0.05) { f64::NAN } else { f64::from(rng.normal()) };
                let clean: Vec<f64> = (0..900).map(|t| if t < seen_end { draw(&mut rng) } else { f64::NAN }).collect();
                for ahead in [seen_end, seen_end + PATCH, seen_end + 8 * PATCH] {
                    table.fill(&clean, season, ahead, seen_end);
                    for step in 0..PATCH {
                        let column: Vec<f64> = table.rows.iter().map(|row| row[step]).collect();
                        let expected = plain(&clean, season, ahead + step, seen_end);
                        let said = format!("season {season}, {seen_end} seen, step {} of {ahead}", ahead + step);
                        assert_eq!(column[..table.counts[step]], expected, "{said}");
                        assert!(column[expected.len()..].iter().all(|x| *x == f64::INFINITY), "{said}");
                        most = most.max(expected.len());
                    }
                }
            }
        }
        assert_eq!(most, CAPACITY, "no column was full");
    }
}
