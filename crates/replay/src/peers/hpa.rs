//! The Kubernetes Horizontal Pod Autoscaler with its default behaviour, on request rates.
//! Source: kubernetes/kubernetes `pkg/controller/podautoscaler/{horizontal,replica_calculator}.go`, `pkg/apis/autoscaling/v2/defaults.go`.
//!
//! A target of average requests per replica, looked at every 15 s; no change within 10 % of the target; up at most the greater
//! of 100 % and 4 pods in 15 s; down to the greatest wish of the last 300 s. Replicas are ready at once. A trace says nothing
//! of replicas: one is taken to serve a quarter of the greatest rate of the first hour, and the allotment is what all serve.

use super::{Adjustable, Subject};
use crate::recommend::{Observation, Recommender, Regrid};
use std::collections::VecDeque;

const SYNC_S: i64 = 15;
const TOLERANCE: f64 = 0.1;
const UP_PERIOD_S: i64 = 15;
const UP_PODS: u32 = 4;
const DOWN_WINDOW_S: i64 = 300;
/// `maxReplicas`, which upstream has no default for: more than will ever be needed.
const MOST_REPLICAS: u32 = 10_000;
const SETTLE_S: i64 = 3_600;
const FIRST_REPLICAS: f64 = 4.0;

/// The controller of one scaled object, all of whose replicas are ready.
#[derive(Debug)]
struct Controller {
    replicas: u32,
    target: f64,
    wishes: VecDeque<(i64, u32)>,
    added: VecDeque<(i64, u32)>,
}

impl Controller {
    /// One look at `total` of the metric: gives the replicas from now on.
    fn sync(&mut self, now_s: i64, total: f64) -> u32 {
        let desired = self.desired(total);
        self.wishes.push_back((now_s, desired));
        forget(&mut self.wishes, now_s - DOWN_WINDOW_S);
        let down_to = self.wishes.iter().map(|(_, wish)| *wish).max().unwrap_or(desired);
        let stable = self.replicas.max(desired).min(down_to);
        let next = if stable > self.replicas { stable.min(self.up_limit(now_s)) } else { stable };
        let next = next.clamp(1, MOST_REPLICAS);
        if next > self.replicas {
            self.added.push_back((now_s, next - self.replicas));
        }
        self.replicas = next;
        next
    }

    fn desired(&self, total: f64) -> u32 {
        let ratio = total / (f64::from(self.replicas) * self.target);
        if (ratio - 1.0).abs() <= TOLERANCE {
            return self.replicas;
        }
        u32::try_from(crate::histogram::index((f64::from(self.replicas) * ratio).ceil())).unwrap_or(u32::MAX)
    }

    fn up_limit(&mut self, now_s: i64) -> u32 {
        forget(&mut self.added, now_s - UP_PERIOD_S);
        let added: u32 = self.added.iter().map(|(_, pods)| *pods).sum();
        let start = self.replicas.saturating_sub(added);
        self.replicas.max((start + UP_PODS).max(start * 2))
    }
}

fn forget(events: &mut VecDeque<(i64, u32)>, cutoff_s: i64) {
    while events.front().is_some_and(|(time, _)| *time <= cutoff_s) {
        events.pop_front();
    }
}

/// One series of requests.
pub(super) struct Hpa {
    margin: f64,
    regrid: Regrid,
    first_s: i64,
    greatest: f64,
    served_by_one: f64,
    controller: Option<Controller>,
}

impl Hpa {
    pub(super) fn new(subject: &Subject<'_>, margin: f64) -> Self {
        Self {
            margin,
            regrid: Regrid::new(SYNC_S, subject.series.step_s),
            first_s: subject.series.first_s(),
            greatest: 0.0,
            served_by_one: 0.0,
            controller: None,
        }
    }

    /// Fixes what a replica serves, once there is an hour of usage.
    fn settle(&mut self, seen: &Observation) {
        self.greatest = self.greatest.max(seen.usage);
        if self.controller.is_none() && seen.time_s - self.first_s >= SETTLE_S && self.greatest > 0.0 {
            self.served_by_one = self.greatest / FIRST_REPLICAS;
            let target = self.served_by_one / (1.0 + self.margin);
            self.controller = Some(Controller { replicas: 4, target, wishes: VecDeque::new(), added: VecDeque::new() });
        }
    }
}

impl Recommender for Hpa {
    fn observe(&mut self, seen: &Observation) -> Option<f64> {
        self.settle(seen);
        let regridded = self.regrid.push(seen.time_s, seen.usage)?;
        let controller = self.controller.as_mut()?;
        let mut replicas = controller.replicas;
        for k in (0..i64::from(regridded.repeats)).rev() {
            replicas = controller.sync(seen.time_s - k * SYNC_S, regridded.mean);
        }
        Some(f64::from(replicas) * self.served_by_one)
    }
}

impl Adjustable for Hpa {
    const MARGIN: f64 = 0.25;
    const GRID: &'static [f64] = &[0.0, 0.1, 0.25, 0.5, 1.0, 2.0];
    const MEANS: &'static str = "what a replica serves over its target, less 1 (0.25: a target utilisation of 80 %)";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::testing;

    fn check(start: u32, looks: &[(i64, f64)], expect: &[u32]) {
        let mut controller =
            Controller { replicas: start, target: 100.0, wishes: VecDeque::new(), added: VecDeque::new() };
        let found: Vec<u32> = looks.iter().map(|(time, total)| controller.sync(*time, *total)).collect();
        assert_eq!(found, expect, "{looks:?}");
    }

    #[test]
    fn within_a_tenth_nothing_changes() {
        check(4, &[(0, 439.0), (15, 360.0), (30, 441.0)], &[4, 4, 5]);
    }

    /// 2 replicas may become 6 (4 pods beat 100 %), 10 may become 20; each 15 s anew.
    #[test]
    fn up_goes_by_the_greater_of_four_pods_and_double() {
        check(2, &[(0, 5_000.0), (15, 5_000.0), (30, 5_000.0)], &[6, 12, 24]);
        check(10, &[(0, 5_000.0), (10, 5_000.0), (15, 5_000.0)], &[20, 20, 40]);
    }

    /// Down goes to the greatest wish of the last 300 s, then at once.
    #[test]
    fn down_waits_five_minutes() {
        check(
            10,
            &[(0, 1_000.0), (15, 200.0), (299, 200.0), (300, 200.0), (599, 10.0), (600, 10.0)],
            &[10, 10, 10, 2, 2, 1],
        );
    }

    #[test]
    fn the_allotment_is_what_the_replicas_serve() {
        let series = testing::series("requests_per_min", 60, &[0.0; 2]);
        let mut hpa = Hpa::new(&testing::subject(&series), 0.25);
        let usage: Vec<f64> = std::iter::repeat_n(400.0, 70).collect();
        let decisions = testing::feed(&mut hpa, 60, &usage);
        assert_eq!(decisions[0].1, 500.0);
        assert_eq!(decisions.last().unwrap().1, 500.0);
    }
}
