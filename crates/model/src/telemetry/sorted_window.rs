//! The last N values of a stream, kept sorted: quantiles of the recent past in O(N) moves a value, without sorting.

use super::{LEVELS, QUANTILES};

/// The most recent `capacity` values, oldest dropped first.
#[derive(Clone, Debug)]
pub(crate) struct SortedWindow {
    capacity: usize,
    ring: Vec<f64>,
    oldest: usize,
    sorted: Vec<f64>,
}

impl SortedWindow {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, ring: Vec::with_capacity(capacity), oldest: 0, sorted: Vec::with_capacity(capacity) }
    }

    pub(crate) fn clear(&mut self) {
        self.ring.clear();
        self.sorted.clear();
        self.oldest = 0;
    }

    /// `value` is finite.
    pub(crate) fn push(&mut self, value: f64) {
        if self.ring.len() < self.capacity {
            self.ring.push(value);
        } else {
            let dropped = std::mem::replace(&mut self.ring[self.oldest], value);
            self.oldest = (self.oldest + 1) % self.capacity;
            return self.replace(dropped, value);
        }
        self.sorted.insert(self.place_of(value), value);
    }

    /// Only what lies between the two is moved.
    fn replace(&mut self, old: f64, new: f64) {
        let (from, to) = (self.place_of(old), self.place_of(new));
        if to > from {
            self.sorted.copy_within(from + 1..to, from);
            self.sorted[to - 1] = new;
        } else {
            self.sorted.copy_within(to..from, to + 1);
            self.sorted[to] = new;
        }
    }

    fn place_of(&self, value: f64) -> usize {
        self.sorted.partition_point(|kept| *kept < value)
    }

    /// The share of values equal to `value`; 0 while empty.
    pub(crate) fn share_of(&self, value: f64) -> f32 {
        let below = self.place_of(value);
        let equal = self.sorted[below..].partition_point(|kept| *kept <= value);
        equal as f32 / self.sorted.len().max(1) as f32
    }

    /// The nine levels; `None` while empty.
    pub(crate) fn quantiles(&self) -> Option<[f64; LEVELS]> {
        quantiles_of_sorted(&self.sorted)
    }

    /// Mean |x − centre|; 0 while empty.
    pub(crate) fn mean_deviation(&self, centre: f64) -> f64 {
        let n = self.sorted.len().max(1) as f64;
        self.sorted.iter().map(|value| (value - centre).abs() / n).sum()
    }
}

/// The nine levels by linear interpolation between order statistics (numpy's default, Hyndman-Fan type 7).
pub(crate) fn quantiles_of_sorted(sorted: &[f64]) -> Option<[f64; LEVELS]> {
    let last = sorted.len().checked_sub(1)?;
    Some(std::array::from_fn(|level| {
        let place = f64::from(QUANTILES[level]) * last as f64;
        let low = (place as usize).min(last);
        let (a, b) = (sorted[low], sorted[(low + 1).min(last)]);
        a + (b - a) * (place - low as f64)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn it_holds_the_last_values_in_order() {
        let (mut window, mut rng) = (SortedWindow::new(7), Rng::new(1));
        // Few distinct values, so that equal ones are dropped and kept too.
        let stream: Vec<f64> = (0..60).map(|_| rng.below(5) as f64).collect();
        for (k, value) in stream.iter().enumerate() {
            window.push(*value);
            let mut last = stream[(k + 1).saturating_sub(7)..=k].to_vec();
            last.sort_by(f64::total_cmp);
            assert_eq!(window.sorted, last);
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
