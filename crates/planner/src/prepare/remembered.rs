//! A history that reads each series once, and again only where a wider window is asked for: for the length of one tick, in which the
//! past does not change.

use apportion_core::{History, Metric, Series, Window, WorkloadId};
use std::{cell::RefCell, collections::BTreeMap};

/// A window is read back to at least so many steps (two hours of ten seconds), so that shorter ones are parts of it.
const LEAST_STEPS: i64 = 720;

type Key = (WorkloadId, Metric, u32);
type Read = (Window, Option<Series>);

/// Another history, remembered.
pub struct Remembered<'a> {
    history: &'a dyn History,
    read: RefCell<BTreeMap<Key, Read>>,
}

impl<'a> Remembered<'a> {
    /// Nothing remembered yet.
    #[must_use]
    pub const fn new(history: &'a dyn History) -> Self {
        Self { history, read: RefCell::new(BTreeMap::new()) }
    }
}

impl History for Remembered<'_> {
    fn series(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
        let key = (workload.clone(), metric.clone(), window.step_s);
        let mut read = self.read.borrow_mut();
        if let Some(part) = read.get(&key).and_then(|whole| part(whole, window)) {
            return part;
        }
        let from_s = window.from_s.min(window.to_s - LEAST_STEPS * i64::from(window.step_s));
        let wide = Window { from_s, ..window };
        let whole = (wide, self.history.series(workload, metric, wide));
        let Some(found) = part(&whole, window) else { return self.history.series(workload, metric, window) };
        read.insert(key, whole);
        found
    }
}

/// The part of what was read that a window asks for; outer `None` where it reaches beyond, or lies between the steps.
#[allow(clippy::option_option, reason = "what is not known is not what is not there")]
fn part((read, series): &Read, window: Window) -> Option<Option<Series>> {
    let step_s = i64::from(window.step_s.max(1));
    let ahead_s = window.from_s - read.from_s;
    if ahead_s < 0 || window.to_s > read.to_s || ahead_s % step_s != 0 {
        return None;
    }
    let Some(series) = series else { return Some(None) };
    let from = usize::try_from((window.from_s - series.start_s).div_euclid(step_s)).ok()?;
    let values = series.values.get(from..from + window.len())?.to_vec();
    let is_known = values.iter().any(|value| value.is_finite());
    Some(is_known.then_some(Series { start_s: window.from_s, step_s: window.step_s, values }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// The time as value from 1000 s on, gaps before; counts how often it is read.
    struct Counted(Cell<usize>);

    impl History for Counted {
        fn series(&self, _: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
            self.0.set(self.0.get() + 1);
            let mut series = Series::gap(window);
            for index in 0..series.len() {
                let time_s = series.time_s(index);
                series.values[index] = if time_s >= 1_000 { time_s as f32 } else { f32::NAN };
            }
            (metric.as_str() == "known" && series.present().count() > 0).then_some(series)
        }
    }

    #[test]
    fn gives_what_the_history_gives_and_reads_it_once() {
        let counted = Counted(Cell::new(0));
        let remembered = Remembered::new(&counted);
        let check = |metric: &str, from_s: i64, to_s: i64, step_s: u32, reads: usize| {
            let (window, metric) = (Window { from_s, to_s, step_s }, Metric::new(metric));
            let expect = counted.series(&"w".into(), &metric, window);
            counted.0.set(counted.0.get() - 1);
            let found = remembered.series(&"w".into(), &metric, window);
            let bits = |series: &Option<Series>| {
                let values = |s: &Series| s.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                series.as_ref().map(|series| (series.start_s, series.step_s, values(series)))
            };
            assert_eq!(bits(&found), bits(&expect), "{metric:?} {window:?}");
            assert_eq!(counted.0.get(), reads, "{metric:?} {window:?}");
        };
        check("known", 900, 1_200, 10, 1);
        check("known", 1_100, 1_200, 10, 1);
        check("known", 0, 900, 10, 1);
        check("known", 1_100, 1_190, 10, 1);
        check("known", 1_100, 1_210, 10, 2);
        check("known", 1_105, 1_195, 10, 3);
        check("known", 600, 1_200, 60, 4);
        check("unknown", 900, 1_200, 10, 5);
        check("unknown", 1_000, 1_100, 10, 5);
        check("known", -1_000_000, 1_200, 10, 6);
        check("known", -900_000, 1_200, 10, 6);
    }
}
