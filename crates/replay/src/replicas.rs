//! Replicas on a trace of requests. A trace says nothing of them, so one is taken to serve a quarter of the greatest rate of the
//! first hour; and one that is asked for serves after a time to start.

use crate::{TraceSeries, quantity::Kind, world::Decided};
use std::collections::VecDeque;

/// The time after which it is known what one serves, seconds.
pub const SETTLE_S: i64 = 3_600;
/// Replicas of the first hour's greatest rate.
pub const FIRST_REPLICAS: u32 = 4;
/// From asking for a replica until it serves, seconds, unless said otherwise.
pub const START_S: i64 = 60;

/// Learns what one replica serves, sample by sample.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    first_s: i64,
    greatest: f64,
    known: Option<f64>,
}

impl Served {
    pub(crate) const fn new(first_s: i64) -> Self {
        Self { first_s, greatest: 0.0, known: None }
    }

    /// Takes the rate over the interval that ends at `time_s`; gives what one replica serves, once that is known.
    pub(crate) fn observe(&mut self, time_s: i64, rate: f64) -> Option<f64> {
        if self.known.is_none() {
            self.greatest = self.greatest.max(rate);
            let is_enough = time_s - self.first_s >= SETTLE_S && self.greatest > 0.0;
            self.known = is_enough.then(|| self.greatest / f64::from(FIRST_REPLICAS));
        }
        self.known
    }
}

/// What one replica serves of a series of requests; `None` for other metrics and where no hour of it is there.
#[must_use]
pub fn served_by_one(series: &TraceSeries) -> Option<f64> {
    if series.quantity().kind != Kind::Requests {
        return None;
    }
    let mut served = Served::new(series.first_s());
    series.samples().find_map(|(time_s, rate)| served.observe(time_s, rate))
}

/// What serves, where what is decided is what is asked for: a replica serves once it has been asked for without a break for
/// `start_s`, so what serves is the least of that time. Those of the first decision serve already.
#[must_use]
pub fn in_service(asked: &[Decided], start_s: i64) -> Vec<Decided> {
    let Some(first) = asked.first() else { return Vec::new() };
    let mut moments: Vec<i64> = asked.iter().flat_map(|made| [made.time_s, made.time_s + start_s]).collect();
    moments.sort_unstable();
    moments.dedup();
    // From when on at least so much was asked for; both ascending.
    let (mut window, mut next): (VecDeque<(i64, f64)>, usize) = (VecDeque::new(), 0);
    let mut serving: Vec<Decided> = Vec::new();
    for time_s in moments {
        while next < asked.len() && asked[next].time_s <= time_s {
            let mut since_s = asked[next].time_s;
            while let Some((before_s, _)) = window.back().filter(|before| before.1 >= asked[next].allocation) {
                since_s = *before_s;
                window.pop_back();
            }
            window.push_back((since_s, asked[next].allocation));
            next += 1;
        }
        while window.get(1).is_some_and(|later| later.0 <= time_s - start_s) {
            window.pop_front();
        }
        let allocation = window.front().map_or(first.allocation, |least| least.1);
        if serving.last().is_none_or(|last| last.allocation != allocation) {
            serving.push(Decided { time_s, allocation });
        }
    }
    serving
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::testing;

    fn made(pairs: &[(i64, f64)]) -> Vec<Decided> {
        pairs.iter().map(|(time_s, allocation)| Decided { time_s: *time_s, allocation: *allocation }).collect()
    }

    #[test]
    fn what_is_asked_for_serves_after_a_time_to_start() {
        let check = |asked: &[(i64, f64)], serves: &[(i64, f64)]| {
            assert_eq!(in_service(&made(asked), 60), made(serves), "{asked:?}");
        };
        check(&[], &[]);
        check(&[(0, 4.0)], &[(0, 4.0)]);
        check(&[(0, 4.0), (100, 6.0), (200, 2.0)], &[(0, 4.0), (160, 6.0), (200, 2.0)]);
        // Taken back before it served.
        check(&[(0, 4.0), (100, 6.0), (130, 4.0)], &[(0, 4.0)]);
        // One of two raises is taken back in part; the rest serves when it has been asked for long enough.
        check(&[(0, 4.0), (100, 8.0), (130, 6.0)], &[(0, 4.0), (160, 6.0)]);
        check(&[(0, 4.0), (100, 6.0), (130, 8.0)], &[(0, 4.0), (160, 6.0), (190, 8.0)]);
        // Cut and raised again: what went has to start again.
        check(&[(0, 4.0), (100, 2.0), (110, 4.0)], &[(0, 4.0), (100, 2.0), (170, 4.0)]);
    }

    #[test]
    fn one_serves_a_quarter_of_the_first_hour() {
        let mut rates = vec![100.0; 61];
        rates[30] = 400.0;
        rates.push(9e9);
        assert_eq!(served_by_one(&testing::series("requests_per_min", 60, &rates)), Some(100.0));
        assert_eq!(served_by_one(&testing::series("requests_per_min", 60, &[1.0; 10])), None);
        assert_eq!(served_by_one(&testing::series("cpu_cores", 60, &rates)), None);
    }
}
