//! Where in the journal the readings of one series are.

use std::collections::VecDeque;

/// Rows of the journal next to each other with the same number of readings each: a steady source is always in one of these.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    /// The first row.
    seq: i64,
    rows: usize,
    /// Readings of the series in each row.
    each: usize,
    /// So many of those in the first row are in a chunk already.
    skip: usize,
}

impl Run {
    const fn count(&self) -> usize {
        self.rows * self.each - self.skip
    }

    /// The run without its first `count` readings, of which it has more.
    fn after(&self, count: usize) -> Self {
        let gone = self.skip + count;
        let rows = gone / self.each;
        let seq = self.seq.saturating_add(i64::try_from(rows).unwrap_or(i64::MAX));
        Self { seq, rows: self.rows - rows, skip: gone % self.each, ..*self }
    }

    fn is_followed_by(&self, next: &Self) -> bool {
        let after = i64::try_from(self.rows).ok().and_then(|rows| self.seq.checked_add(rows));
        after == Some(next.seq) && self.each == next.each && next.skip == 0
    }
}

/// The rows that hold a head's readings, oldest first. There may be younger readings that are in none.
#[derive(Debug, Default)]
pub(super) struct Journaled(VecDeque<Run>);

impl Journaled {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// How many readings are in a row.
    pub(super) fn count(&self) -> usize {
        self.0.iter().map(Run::count).sum()
    }

    /// The next `count` readings are in row `seq`, behind `skip` that are in a chunk.
    pub(super) fn note(&mut self, seq: i64, skip: usize, count: usize) {
        if count == 0 {
            return;
        }
        let next = Run { seq, rows: 1, each: skip + count, skip };
        match self.0.back_mut().filter(|last| last.is_followed_by(&next)) {
            Some(last) => last.rows += 1,
            None => self.0.push_back(next),
        }
    }

    /// The oldest row.
    pub(super) fn oldest_seq(&self) -> Option<i64> {
        self.0.front().map(|run| run.seq)
    }

    /// Row of the reading after the first `count`, and how many of the series are before it in that row.
    pub(super) fn position_after(&self, count: usize) -> Option<(i64, usize)> {
        let mut left = count;
        for run in &self.0 {
            if left < run.count() {
                let rest = run.after(left);
                return Some((rest.seq, rest.skip));
            }
            left -= run.count();
        }
        None
    }

    /// The first `count` readings are in a chunk, or given up.
    pub(super) fn forget(&mut self, count: usize) {
        let mut left = count;
        while let Some(run) = self.0.front_mut() {
            if left < run.count() {
                *run = run.after(left);
                return;
            }
            left -= run.count();
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_steady_source_are_one_run_and_every_place_is_found() {
        // Row, readings in it that are in a chunk, and readings that are not: one row is left out, and one has fewer.
        let rows = [(7, 2, 4), (8, 0, 6), (9, 0, 6), (10, 0, 6), (12, 0, 6), (13, 0, 1)];
        let noted = || {
            let mut journaled = Journaled::new();
            rows.iter().for_each(|(seq, skip, count)| journaled.note(*seq, *skip, *count));
            journaled
        };
        assert_eq!((noted().0.len(), noted().count()), (3, 29));
        let places: Vec<(i64, usize)> =
            rows.iter().flat_map(|(seq, skip, count)| (*skip..skip + count).map(|place| (*seq, place))).collect();
        for gone in 0..=29 {
            let mut journaled = noted();
            journaled.forget(gone);
            assert_eq!(journaled.count(), 29 - gone);
            assert_eq!(journaled.oldest_seq(), places.get(gone).map(|(seq, _)| *seq), "{gone} gone");
            for next in gone..=29 {
                assert_eq!(journaled.position_after(next - gone), places.get(next).copied(), "{gone} gone, {next}");
            }
        }
    }
}
