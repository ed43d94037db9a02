//! What people want of the replicas of a workload.
//!
//! Bounds of CPU and memory are of all replicas together. One of CPU is kept by how many there are, and by the size of one where that
//! alone would be too large; one of memory by the memory of each. So no bound makes count and size chase each other.

use crate::{Engine, Options, Told, score::total::ratio};
use apportion_core::{
    Knob, Standing, Time, WorkloadId,
    instruction::{Effect, InstructionKind, Topic},
    knob::Bounds,
};
use apportion_planner::{AtWork, instructions::names};

/// Where what people want of a workload is looked up.
pub(super) struct Rules<'a> {
    told: Option<&'a Told>,
    workload: WorkloadId,
    /// By the configuration.
    pub(super) configured: Standing,
}

/// What people want of a workload at a time.
pub(super) struct Wanted {
    standing: Standing,
    /// How many replicas there may be.
    count: Bounds,
}

impl<'a> Rules<'a> {
    pub(super) fn new(workload: &str, engine: &'a Engine<'_>, options: &Options, asked: f64) -> Self {
        let configured = options.standing(workload, asked);
        Self { told: engine.told.as_ref(), workload: WorkloadId::new(workload), configured }
    }

    pub(super) fn at(&self, now_s: i64) -> Wanted {
        let plain = || Wanted { standing: self.configured.clone(), count: Bounds::default() };
        let with = |told: &Told| {
            let told = told.at(Time::from_s(now_s));
            let standing = told.standing(&self.workload, self.configured.clone(), &apportion_core::Capacity::default());
            Wanted { standing, count: count_bounds(&told, &self.workload) }
        };
        self.told.map_or_else(plain, with)
    }
}

/// Rules about replicas: no knob of the loop is theirs.
fn count_bounds(told: &AtWork<'_>, workload: &WorkloadId) -> Bounds {
    let is_of_count = |rule: &&apportion_core::Instruction| {
        rule.kind == InstructionKind::Rule && rule.resource == Some(Topic::Replicas) && names(rule, workload)
    };
    let rules = told.in_force().map(|said| &said.instruction).filter(is_of_count);
    rules.fold(Bounds::default(), |bounds, rule| match (rule.effect, rule.amount) {
        (Some(Effect::AtLeast), Some(least)) => Bounds { min: bounds.min.max(least), ..bounds },
        (Some(Effect::AtMost), Some(most)) => {
            Bounds { max: Some(bounds.max.map_or(most, |before| before.min(most))), ..bounds }
        }
        _ => bounds,
    })
}

impl Wanted {
    /// Nothing of this may be changed now.
    pub(super) fn is_held(&self, knob: Knob) -> bool {
        self.standing.holds.contains_key(&knob)
    }

    fn bounds(&self, knob: Knob) -> Bounds {
        self.standing.bounds.get(&knob).copied().unwrap_or_default()
    }

    /// The most cores that one replica may have.
    pub(super) fn most_cores(&self) -> f64 {
        self.bounds(Knob::CpuQuota).max.unwrap_or(f64::INFINITY)
    }

    /// How many replicas of a size there are to be where `enough` would be enough, and `now` are needed for what is asked now.
    pub(super) fn count(&self, enough: f64, now: f64, cores: f64) -> f64 {
        let asked = self.standing.asked.get(&Knob::CpuQuota).copied().unwrap_or_default();
        let wanted = (enough * asked.factor + ratio(asked.added, cores)).ceil();
        let cpu = self.bounds(Knob::CpuQuota);
        let least = (ratio(cpu.min, cores) * (1.0 - ROUNDING)).ceil().max(self.count.min);
        let most = cpu.max.map_or(f64::INFINITY, |max| (ratio(max, cores) * (1.0 + ROUNDING)).floor());
        wanted.max(now.min(enough)).max(least).min(most).min(self.count.max.unwrap_or(f64::INFINITY)).max(1.0)
    }

    /// Memory of each of `count` replicas where `enough` would be enough, and each uses `used`; bytes.
    pub(super) fn bytes(&self, enough: f64, used: f64, count: f64) -> f64 {
        let asked = self.standing.asked.get(&Knob::MemoryHigh).copied().unwrap_or_default();
        let wanted = (enough * asked.factor + asked.added / count).max(used.min(enough));
        let all = wanted * count;
        let held = self.bounds(Knob::MemoryHigh).hold(all);
        if held == all { wanted } else { held / count }
    }
}

/// A bound that is a multiple of a size is that many of it.
const ROUNDING: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;
    use apportion_core::workload::Asked;

    /// Of replicas of half a core, of which 6 would be enough and 4 are needed now.
    #[test]
    fn bounds_and_reports_are_kept_by_the_count() {
        let check = |bounds: (f64, Option<f64>), asked: Asked, count: (f64, Option<f64>), expect: f64| {
            let mut standing = Standing::default();
            standing.bounds.insert(Knob::CpuQuota, Bounds { min: bounds.0, max: bounds.1 });
            standing.asked.insert(Knob::CpuQuota, asked);
            let wanted = Wanted { standing, count: Bounds { min: count.0, max: count.1 } };
            assert_eq!(wanted.count(6.0, 4.0, 0.5), expect, "{bounds:?} {asked:?} {count:?}");
        };
        let (free, usual) = ((0.0, None), Asked::default());
        check(free, usual, free, 6.0);
        check((0.0, Some(2.0)), usual, free, 4.0);
        check((0.0, Some(0.1)), usual, free, 1.0);
        check((4.0, None), usual, free, 8.0);
        check((4.0, Some(1.0)), usual, free, 2.0);
        check(free, Asked { factor: 1.5, ..usual }, free, 9.0);
        check(free, Asked { factor: 0.2, ..usual }, free, 4.0);
        check(free, Asked { added: 1.0, ..usual }, free, 8.0);
        check(free, usual, (0.0, Some(5.0)), 5.0);
        check(free, usual, (7.0, None), 7.0);
    }

    #[test]
    fn bounds_of_memory_are_of_all_replicas_together() {
        let check = |bounds: (f64, Option<f64>), factor: f64, expect: f64| {
            let mut standing = Standing::default();
            standing.bounds.insert(Knob::MemoryHigh, Bounds { min: bounds.0, max: bounds.1 });
            standing.asked.insert(Knob::MemoryHigh, Asked { factor, ..Asked::default() });
            let wanted = Wanted { standing, count: Bounds::default() };
            assert_eq!(wanted.bytes(100.0, 80.0, 4.0), expect, "{bounds:?} {factor}");
        };
        check((0.0, None), 1.0, 100.0);
        check((0.0, Some(200.0)), 1.0, 50.0);
        check((800.0, None), 1.0, 200.0);
        check((0.0, None), 1.3, 130.0);
        check((0.0, None), 0.5, 80.0);
    }
}
