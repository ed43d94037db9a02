//! The last N values of a stream, kept sorted: a patch of new values is merged in with one pass over the N, without sorting
//! them anew.

use super::{LEVELS, QUANTILES};

/// A value and its place in the stream.
pub(crate) type Entry = (f64, u64);

/// The most recent `capacity` values, oldest dropped first.
#[derive(Clone, Debug)]
pub(crate) struct SortedWindow {
    capacity: usize,
    /// Ascending by value.
    sorted: Vec<Entry>,
    pushed: u64,
}

impl SortedWindow {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, sorted: Vec::with_capacity(2 * capacity), pushed: 0 }
    }

    pub(crate) fn clear(&mut self) {
        self.sorted.clear();
        self.pushed = 0;
    }

    /// Takes in the stream's next values, at most `capacity`, which are finite and ascend.
    pub(crate) fn merge(&mut self, fresh: &[Entry]) {
        self.pushed += fresh.len() as u64;
        let oldest = self.pushed.saturating_sub(self.capacity as u64);
        self.drop_before(oldest);
        let mut kept = self.sorted.len();
        self.sorted.resize(kept + fresh.len(), (0.0, 0));
        // From the end: what is larger than a new value moves up by as many places as new ones are still to come.
        for (before, new) in fresh.iter().enumerate().rev() {
            while kept > 0 && self.sorted[kept - 1].0 > new.0 {
                kept -= 1;
                self.sorted[kept + before + 1] = self.sorted[kept];
            }
            self.sorted[kept + before] = *new;
        }
    }

    /// Without a branch on which values go: no processor could foretell it.
    fn drop_before(&mut self, oldest: u64) {
        let mut kept = 0;
        for k in 0..self.sorted.len() {
            let entry = self.sorted[k];
            self.sorted[kept] = entry;
            kept += usize::from(entry.1 >= oldest);
        }
        self.sorted.truncate(kept);
    }

    /// The share of values equal to `value`; 0 while empty.
    pub(crate) fn share_of(&self, value: f64) -> f32 {
        let below = self.sorted.partition_point(|kept| kept.0 < value);
        let equal = self.sorted[below..].partition_point(|kept| kept.0 <= value);
        equal as f32 / self.sorted.len().max(1) as f32
    }

    /// The nine levels; `None` while empty.
    pub(crate) fn quantiles(&self) -> Option<[f64; LEVELS]> {
        let last = self.sorted.len().checked_sub(1)?;
        Some(std::array::from_fn(|level| quantile(level, last, |place| self.sorted[place].0)))
    }

    /// Mean |x − centre|; 0 while empty.
    pub(crate) fn mean_deviation(&self, centre: f64) -> f64 {
        let n = self.sorted.len().max(1) as f64;
        self.sorted.iter().map(|value| (value.0 - centre).abs() / n).sum()
    }
}

/// The nine levels by linear interpolation between order statistics (numpy's default, Hyndman-Fan type 7).
pub(crate) fn quantiles_of_sorted(sorted: &[f64]) -> Option<[f64; LEVELS]> {
    let last = sorted.len().checked_sub(1)?;
    Some(std::array::from_fn(|level| quantile(level, last, |place| sorted[place])))
}

/// One level among sorted values of which `at(last)` is the greatest.
#[inline(always)]
pub(crate) fn quantile(level: usize, last: usize, at: impl Fn(usize) -> f64) -> f64 {
    let place = f64::from(QUANTILES[level]) * last as f64;
    let low = (place as usize).min(last);
    let (a, b) = (at(low), at((low + 1).min(last)));
    a + (b - a) * (place - low as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn it_holds_the_last_values_in_order() {
        let (mut window, mut rng) = (SortedWindow::new(7), Rng::new(1));
        // Few distinct values, so that equal ones are dropped and kept too.
        let stream: Vec<f64> = (0..200).map(|_| rng.below(5) as f64).collect();
        let mut end = 0;
        while end < stream.len() {
            let start = end;
            end = (start + rng.between(0, 7)).min(stream.len());
            let mut fresh: Vec<Entry> = (start..end).map(|k| (stream[k], k as u64)).collect();
            fresh.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            window.merge(&fresh);
            let mut last = stream[end.saturating_sub(7)..end].to_vec();
            last.sort_by(f64::total_cmp);
            assert!(window.sorted.iter().map(|entry| entry.0).eq(last.iter().copied()), "{end}: {window:?}");
            assert!(window.sorted.iter().all(|(value, k)| stream[*k as usize] == *value), "{end}: {window:?}");
        }
    }

    /// numpy: `np.quantile([1, 2, 4, 8], np.arange(1, 10) / 10)`
    #[test]
    fn quantiles_are_those_of_numpy() {
        let found = quantiles_of_sorted(&[1.0, 2.0, 4.0, 8.0]).unwrap();
        for (found, expected) in found.iter().zip([1.3, 1.6, 1.9, 2.4, 3.0, 3.6, 4.4, 5.6, 6.8]) {
            assert!((found - expected).abs() < 1e-6, "{found} against {expected}");
        }
    }
}
