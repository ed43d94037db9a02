//! The Kubernetes Horizontal Pod Autoscaler with behaviour, on request rates.
//! Source: kubernetes/kubernetes `pkg/controller/podautoscaler/{horizontal,replica_calculator}.go`, `pkg/apis/autoscaling/v2/defaults.go`.
//!
//! Utilisation in whole percent (cut off, as upstream does) against a target, looked at every 15 s; no change within 10 % of the
//! target; `behavior` as defaulted: up at once by at most the greater of 100 % and 4 pods in 15 s, down to the greatest wish of the
//! last 300 s by at most 100 % in 15 s. A replica that serves what it can is at 100 %. What one serves, and how long one takes to
//! start, is in [`crate::replicas`]. No pod fails or lacks its metric, so the rules for those do not come in.

use super::{Adjustable, Subject};
use crate::{
    recommend::{Observation, Recommender, Regrid},
    replicas::{FIRST_REPLICAS, Served},
};
use std::{cmp::Ordering, collections::VecDeque};

const SYNC_S: i64 = 15;
const TOLERANCE: f64 = 0.1;
/// `maxReplicas`, which upstream has no default for: more than will ever be needed.
const MOST_REPLICAS: u32 = 10_000;

/// How far replicas may move within a period.
#[derive(Clone, Copy, Debug)]
enum Policy {
    Pods { most: u32, period_s: i64 },
    Percent { most: u32, period_s: i64 },
}

impl Policy {
    const fn period_s(&self) -> i64 {
        match self {
            Self::Pods { period_s, .. } | Self::Percent { period_s, .. } => *period_s,
        }
    }
}

/// `HPAScalingRules` of one direction; of several policies the one that allows most counts (`selectPolicy: Max`). No policy:
/// no movement.
#[derive(Clone, Copy, Debug)]
struct Rules {
    window_s: i64,
    policies: &'static [Policy],
}

/// `behavior`.
#[derive(Clone, Copy, Debug)]
struct Behavior {
    up: Rules,
    down: Rules,
}

const DEFAULT: Behavior = Behavior {
    up: Rules {
        window_s: 0,
        policies: &[Policy::Percent { most: 100, period_s: 15 }, Policy::Pods { most: 4, period_s: 15 }],
    },
    down: Rules { window_s: 300, policies: &[Policy::Percent { most: 100, period_s: 15 }] },
};

/// The controller of one scaled object, all of whose replicas are ready.
#[derive(Debug)]
struct Controller {
    behavior: Behavior,
    replicas: u32,
    /// What one serves at 100 %.
    served_by_one: f64,
    target_percent: u32,
    wishes: VecDeque<(i64, u32)>,
    /// Replicas added (above zero) and removed, by time.
    moves: VecDeque<(i64, i64)>,
}

impl Controller {
    fn new(behavior: Behavior, replicas: u32, served_by_one: f64, target_percent: u32) -> Self {
        let (wishes, moves) = (VecDeque::new(), VecDeque::new());
        Self { behavior, replicas, served_by_one, target_percent, wishes, moves }
    }

    /// One look at `total` of the metric: gives the replicas from now on.
    fn sync(&mut self, now_s: i64, total: f64) -> u32 {
        let desired = self.stable(now_s, self.desired(total));
        let next = self.limited(now_s, desired);
        if next != self.replicas {
            self.remember(now_s, i64::from(next) - i64::from(self.replicas));
        }
        self.replicas = next;
        next
    }

    /// `convertDesiredReplicasWithBehaviorRate`.
    fn limited(&self, now_s: i64, desired: u32) -> u32 {
        let allowed = match desired.cmp(&self.replicas) {
            Ordering::Greater => desired.min(self.up_limit(now_s)),
            Ordering::Less => desired.max(self.down_limit(now_s)),
            Ordering::Equal => desired,
        };
        allowed.clamp(1, MOST_REPLICAS)
    }

    /// `storeScaleEvent`: what is older than every policy's period is forgotten.
    fn remember(&mut self, now_s: i64, moved: i64) {
        let policies = || self.behavior.up.policies.iter().chain(self.behavior.down.policies);
        let longest_s = policies().map(Policy::period_s).max().unwrap_or(0);
        while self.moves.front().is_some_and(|(time, _)| *time <= now_s - longest_s) {
            self.moves.pop_front();
        }
        self.moves.push_back((now_s, moved));
    }

    /// `GetResourceUtilizationRatio`: whole percent, the rest cut off.
    fn desired(&self, total: f64) -> u32 {
        let replicas = f64::from(self.replicas);
        let percent = (100.0 * total / (replicas * self.served_by_one) + 1e-9).floor();
        let ratio = percent / f64::from(self.target_percent);
        if (ratio - 1.0).abs() <= TOLERANCE + 1e-12 {
            return self.replicas;
        }
        u32::try_from(crate::histogram::index((replicas * ratio - 1e-9).ceil())).unwrap_or(u32::MAX)
    }

    /// `stabilizeRecommendationWithBehaviors`.
    fn stable(&mut self, now_s: i64, desired: u32) -> u32 {
        let lasts_s = self.behavior.up.window_s.max(self.behavior.down.window_s);
        self.wishes.push_back((now_s, desired));
        while self.wishes.front().is_some_and(|(time, _)| *time <= now_s - lasts_s && *time < now_s) {
            self.wishes.pop_front();
        }
        let within = |window_s: i64| {
            self.wishes.iter().filter(move |(time, _)| *time > now_s - window_s).map(|(_, wish)| *wish).chain([desired])
        };
        let up = within(self.behavior.up.window_s).min().unwrap_or(desired);
        let down = within(self.behavior.down.window_s).max().unwrap_or(desired);
        self.replicas.max(up).min(down.max(up))
    }

    /// Replicas at the start of a policy's period.
    fn at_start(&self, now_s: i64, period_s: i64) -> u32 {
        let moved: i64 = self.moves.iter().filter(|(time, _)| *time > now_s - period_s).map(|(_, moved)| *moved).sum();
        u32::try_from(i64::from(self.replicas) - moved).unwrap_or(0)
    }

    /// `calculateScaleUpLimitWithScalingRules`.
    fn up_limit(&self, now_s: i64) -> u32 {
        let of = |policy: &Policy| match policy {
            Policy::Pods { most, period_s } => self.at_start(now_s, *period_s).saturating_add(*most),
            Policy::Percent { most, period_s } => percent(self.at_start(now_s, *period_s), 100 + most).ceil_u32(),
        };
        self.behavior.up.policies.iter().map(of).max().unwrap_or(self.replicas).max(self.replicas)
    }

    /// `calculateScaleDownLimitWithBehaviors`.
    fn down_limit(&self, now_s: i64) -> u32 {
        let of = |policy: &Policy| match policy {
            Policy::Pods { most, period_s } => self.at_start(now_s, *period_s).saturating_sub(*most),
            Policy::Percent { most, period_s } => {
                percent(self.at_start(now_s, *period_s), 100 - (*most).min(100)).floor_u32()
            }
        };
        self.behavior.down.policies.iter().map(of).min().unwrap_or(self.replicas).min(self.replicas)
    }
}

/// Hundredths of a replica.
struct Hundredths(u64);

fn percent(replicas: u32, percent: u32) -> Hundredths {
    Hundredths(u64::from(replicas) * u64::from(percent))
}

impl Hundredths {
    fn ceil_u32(&self) -> u32 {
        u32::try_from(self.0.div_ceil(100)).unwrap_or(u32::MAX)
    }
    fn floor_u32(&self) -> u32 {
        u32::try_from(self.0 / 100).unwrap_or(u32::MAX)
    }
}

/// One series of requests.
pub(super) struct Hpa {
    target_percent: u32,
    regrid: Regrid,
    served: Served,
    controller: Option<Controller>,
}

impl Hpa {
    pub(super) fn new(subject: &Subject<'_>, margin: f64) -> Self {
        let target = crate::histogram::index((100.0 / (1.0 + margin)).round());
        Self {
            target_percent: u32::try_from(target).unwrap_or(u32::MAX).max(1),
            regrid: Regrid::new(SYNC_S, subject.series.step_s),
            served: Served::new(subject.series.first_s()),
            controller: None,
        }
    }
}

impl Recommender for Hpa {
    fn observe(&mut self, seen: &Observation) -> Option<f64> {
        let served_by_one = self.served.observe(seen.time_s, seen.usage);
        let regridded = self.regrid.push(seen.time_s, seen.usage)?;
        let served_by_one = served_by_one?;
        let target = self.target_percent;
        let controller =
            self.controller.get_or_insert_with(|| Controller::new(DEFAULT, FIRST_REPLICAS, served_by_one, target));
        let mut replicas = controller.replicas;
        for k in (0..i64::from(regridded.repeats)).rev() {
            replicas = controller.sync(seen.time_s - k * SYNC_S, regridded.mean);
        }
        Some(f64::from(replicas) * served_by_one)
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

    /// Looks at totals of a metric of which one replica serves 125: at a target of 80 %, 100 a replica.
    fn check_with(behavior: Behavior, start: u32, looks: &[(i64, f64)], expect: &[u32]) {
        let mut controller = Controller::new(behavior, start, 125.0, 80);
        let found: Vec<u32> = looks.iter().map(|(time, total)| controller.sync(*time, *total)).collect();
        assert_eq!(found, expect, "{looks:?}");
    }

    fn check(start: u32, looks: &[(i64, f64)], expect: &[u32]) {
        check_with(DEFAULT, start, looks, expect);
    }

    #[test]
    fn within_a_tenth_nothing_changes() {
        check(4, &[(0, 439.0), (15, 360.0), (30, 445.0)], &[4, 4, 5]);
    }

    /// 4 replicas that serve 500 at 444.9: 88.98 % are 88 %, within a tenth of 80; at 445 they are 89 % and beyond it.
    #[test]
    fn the_rest_of_a_percent_is_cut_off() {
        check(4, &[(0, 444.9)], &[4]);
        check(4, &[(0, 445.0)], &[5]);
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

    /// Down by 10 % a minute (80 × 0.9 = 72, 72 × 0.9 = 64.8, cut off), up by 3 pods a minute once wished for a minute, and
    /// without a policy no movement.
    #[test]
    fn behaviour_is_as_written() {
        const MINUTE: i64 = 60;
        const SLOW: Behavior = Behavior {
            up: Rules { window_s: MINUTE, policies: &[Policy::Pods { most: 3, period_s: MINUTE }] },
            down: Rules { window_s: 0, policies: &[Policy::Percent { most: 10, period_s: MINUTE }] },
        };
        const STILL: Behavior =
            Behavior { up: Rules { window_s: 0, policies: &[] }, down: Rules { window_s: 0, policies: &[] } };
        check_with(SLOW, 80, &[(0, 100.0), (30, 100.0), (60, 100.0), (120, 100.0)], &[72, 72, 64, 57]);
        check_with(
            SLOW,
            4,
            &[(0, 400.0), (15, 2_000.0), (45, 2_000.0), (60, 2_000.0), (75, 2_000.0), (120, 2_000.0)],
            &[4, 4, 4, 7, 7, 10],
        );
        check_with(STILL, 4, &[(0, 4_000.0), (15, 10.0)], &[4, 4]);
    }

    /// `TestReplicaCalcScaleUp`, `TestReplicaCalcScaleDown`, `TestReplicaCalcTolerance` of replica_calculator_test.go and the two
    /// of `TestComputedToleranceAlgImplementation` of horizontal_test.go: replicas, what one asks for and what all use (millicores),
    /// target, and replicas from then on.
    #[test]
    fn replicas_are_those_of_upstream() {
        let check = |replicas: u32, asked: f64, used: f64, target: u32, expect: u32| {
            let found = Controller::new(DEFAULT, replicas, asked, target).desired(used);
            assert_eq!(found, expect, "{used} m at a target of {target} %");
        };
        check(3, 1_000.0, 300.0 + 500.0 + 700.0, 30, 5);
        check(5, 1_000.0, 100.0 + 300.0 + 500.0 + 250.0 + 250.0, 50, 3);
        check(3, 1_000.0, 1_010.0 + 1_030.0 + 1_020.0, 100, 3);
        check(10, 300.0, 1_500.0, 56, 9);
        check(10, 300.0, 1_500.0, 55, 10);
    }

    const fn rules(window_s: i64, policies: &'static [Policy]) -> Rules {
        Rules { window_s, policies }
    }

    /// `TestNormalizeDesiredReplicasWithBehavior` of horizontal_test.go: windows of up and down, wishes and how many minutes ago
    /// they were, replicas and what is desired, and what is left of that.
    #[test]
    fn wishes_are_stabilised_as_upstream_does() {
        let check = |windows_s: [i64; 2], wishes: &[(i64, u32)], replicas: u32, desired: u32, expect: u32| {
            let behavior = Behavior { up: rules(windows_s[0], &[]), down: rules(windows_s[1], &[]) };
            let mut controller = Controller::new(behavior, replicas, 1.0, 80);
            let now_s = 10_000;
            controller.wishes = wishes.iter().map(|(minutes, wish)| (now_s - minutes * 60, *wish)).collect();
            assert_eq!(controller.stable(now_s, desired), expect, "{replicas} to {desired} after {wishes:?}");
        };
        check([0, 0], &[], 100, 5, 5);
        check([0, 180], &[(2, 4), (1, 5)], 100, 3, 5);
        check([300, 0], &[(2, 4), (1, 5)], 1, 7, 4);
        check([300, 0], &[(2, 1), (1, 2)], 100, 3, 3);
        check([0, 300], &[(2, 4), (1, 5)], 1, 3, 3);
        check([0, 180], &[(10, 10), (9, 9), (2, 5), (1, 4)], 100, 3, 5);
        check([300, 0], &[(100, 10), (3, 9), (2, 5), (1, 6)], 1, 100, 5);
        check([300, 300], &[(100, 2), (3, 3)], 2, 1, 2);
        check([300, 300], &[(100, 2), (3, 1)], 2, 3, 2);
    }

    /// `TestScalingWithRules` of horizontal_test.go: a policy of one direction, replicas added and removed since,
    /// replicas and what is desired, and how far that may go at once.
    #[test]
    fn rates_are_limited_as_upstream_does() {
        let check = |policies: &'static [Policy], moved: &[i64], replicas: u32, desired: u32, expect: u32| {
            let both = Behavior { up: rules(0, policies), down: rules(0, policies) };
            let mut controller = Controller::new(both, replicas, 1.0, 80);
            controller.moves = moved.iter().map(|moved| (10_000 - 100, *moved)).collect();
            assert_eq!(controller.limited(10_000, desired), expect, "{replicas} to {desired} after {moved:?}");
        };
        check(&[Policy::Pods { most: 30, period_s: 60 }], &[], 10, 50, 40);
        check(&[Policy::Percent { most: 200, period_s: 60 }], &[], 10, 50, 30);
        let both = &[Policy::Pods { most: 20, period_s: 60 }, Policy::Percent { most: 1, period_s: 60 }];
        check(both, &[], 100, 2, 80);
        check(&[Policy::Pods { most: 2, period_s: 60 }, Policy::Percent { most: 1, period_s: 60 }], &[], 100, 2, 98);
        check(&[Policy::Pods { most: 100, period_s: 60 }], &[], 10, 0, 1);
        check(&[Policy::Percent { most: 50, period_s: 60 }], &[], 10, 5, 5);
        check(&[Policy::Pods { most: 5, period_s: 120 }], &[1, 5, 9], 100, 500, 100);
        check(&[Policy::Pods { most: 150, period_s: 120 }], &[1, 5, 9], 100, 500, 235);
        check(&[Policy::Percent { most: 200, period_s: 120 }], &[1, 5, 9], 100, 500, 255);
        check(&[Policy::Percent { most: 300, period_s: 300 }], &[4, -2], 6, 24, 16);
        check(&[Policy::Pods { most: 5, period_s: 120 }], &[-1, -5, -9], 100, 2, 100);
        check(&[Policy::Percent { most: 50, period_s: 120 }], &[-2, -4, -6], 100, 0, 56);
        check(&[Policy::Percent { most: 50, period_s: 180 }], &[2, -4], 10, 1, 6);
        check(&[Policy::Percent { most: 10, period_s: 120 }], &[-10, -10, -10], 100, 0, 100);
        check(&[Policy::Percent { most: 1_000, period_s: 120 }], &[-10, -10, -10], 10, 5, 5);
    }

    /// A load that never rests for a day: only what some policy still counts is kept.
    #[test]
    fn old_moves_are_forgotten() {
        let mut controller = Controller::new(DEFAULT, 4, 125.0, 80);
        let load = |look: i64| if look / 30 % 2 == 0 { 400.0 } else { 4_000.0 };
        (0..5_760).for_each(|look| {
            controller.sync(look * SYNC_S, load(look));
        });
        assert!(controller.moves.len() <= 1, "{}", controller.moves.len());
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
