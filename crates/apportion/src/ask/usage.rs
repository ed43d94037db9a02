//! Questions about what was used, wanted, held back, and what another size would have cost.

use super::{Asker, WEEK_S, grids, knob_of, ledger::in_force, put};
use apportion_core::{
    Decision, DecisionId, Knob, Metric, Resource, Series, Setting, Time, Window, WorkloadId, metric::name, stats,
    time::DAY_S,
};
use apportion_language::{
    reading::question::{Size, Span},
    wording::answer::{Findings, Killed, Missing, Near, Record, Smaller, Throttled, UsedOver},
};
use apportion_planner::size::{NEXT_LOWER, counterfactual, used};

/// Near its limit is who wants this share of it at the 95th percentile.
const NEAR_SHARE: f64 = 0.8;
/// Workloads that a list tells of at the most.
const MOST_LISTED: usize = 5;

impl Asker<'_> {
    pub(super) fn used(&self, named: &[WorkloadId], found: &mut Findings) {
        let machine = [WorkloadId::new(WorkloadId::MACHINE)];
        let of = if named.is_empty() { &machine[..] } else { named };
        for workload in of {
            for metric in self.resources().into_iter().flat_map(metrics) {
                put(found, self.used_of(workload, metric, self.span(DAY_S)).map(Record::Used));
            }
        }
    }

    pub(super) fn used_of(&self, workload: &WorkloadId, metric: &str, span: Span) -> Result<UsedOver, Missing> {
        let resource = Metric::new(metric).resource().unwrap_or(Resource::Cpu);
        let found = self.series(workload, metric, span, false).and_then(|series| {
            let mean = stats::mean(&series.present().collect::<Vec<f32>>())?;
            Some(UsedOver {
                workload: workload.clone(),
                resource,
                metric: metric.to_owned(),
                span,
                mean: f64::from(mean),
                used: used(&series)?,
                step_s: series.step_s,
            })
        });
        found.ok_or_else(|| no_readings(workload, metric, span))
    }

    pub(super) fn throttled(&self, named: &[WorkloadId], found: &mut Findings) {
        let span = self.span(DAY_S);
        if named.is_empty() {
            let all = self.view.workloads.keys().filter_map(|workload| self.throttled_of(workload, span).ok());
            let mut throttled: Vec<Throttled> = all.filter(|of| of.throttled_s > 0.0).collect();
            throttled.sort_by(|a, b| b.throttled_s.total_cmp(&a.throttled_s));
            found.missing.extend(throttled.is_empty().then_some(Missing::None));
            found.records.extend(throttled.into_iter().take(MOST_LISTED).map(Record::Throttled));
            return;
        }
        for workload in named {
            let throttled = self.throttled_of(workload, span);
            let by = throttled.as_ref().ok().and_then(|of| of.limit).map(|(_, id)| id);
            put(found, throttled.map(Record::Throttled));
            if let Some(decision) = by.and_then(|id| self.sources.decision(id)) {
                self.explain(decision, found);
            }
        }
    }

    /// How long a workload ran into its CPU limit: each step by its share of throttled enforcement periods.
    fn throttled_of(&self, workload: &WorkloadId, span: Span) -> Result<Throttled, Missing> {
        let missing = || no_readings(workload, name::CPU_THROTTLED_PERIODS, span);
        let throttled = self.series(workload, name::CPU_THROTTLED_PERIODS, span, false).ok_or_else(missing)?;
        let periods = self.series(workload, name::CPU_PERIODS, span, false).ok_or_else(missing)?;
        if periods.step_s != throttled.step_s {
            return Err(missing());
        }
        let step_s = f64::from(throttled.step_s);
        let share = |(throttled, periods): (&f32, &f32)| {
            let share = if *periods > 0.0 { throttled / periods } else { throttled * 0.0 };
            f64::from(share).clamp(0.0, 1.0)
        };
        let shares: Vec<f64> = throttled.values.iter().zip(&periods.values).map(share).collect();
        let present: Vec<f64> = shares.iter().copied().filter(|share| share.is_finite()).collect();
        let worst = (0..shares.len())
            .filter(|at| shares[*at].is_finite())
            .max_by(|a, b| shares[*a].total_cmp(&shares[*b]).then(b.cmp(a)));
        let worst = worst.ok_or_else(missing)?;
        let worst_at = Time::from_s(throttled.time_s(worst));
        let wanted = self.series(workload, name::CPU, span, true).and_then(|series| used(&series));
        let limit = self.limit_at(workload, Knob::CpuQuota, worst_at);
        Ok(Throttled {
            workload: workload.clone(),
            span,
            measured_s: present.len() as f64 * step_s,
            throttled_s: present.iter().sum::<f64>() * step_s,
            worst_at,
            worst_share: shares[worst],
            limit,
            wanted: wanted.map(|used| used.max),
        })
    }

    /// The limit that a decision had set at a time; none where somebody else set it since, as the next decision or the machine shows: from when
    /// on is in no ledger.
    fn limit_at(&self, workload: &WorkloadId, knob: Knob, at: Time) -> Option<(f64, DecisionId)> {
        let decisions = self.decisions_of(workload);
        let (set, id, _) = in_force(&decisions, knob, at)?;
        let later = |decision: &&Decision| decision.is_applied() && decision.change.knob == knob && decision.time > at;
        let seen = || self.view.workloads.get(workload).and_then(|now| now.state.settings.get(&knob)).copied();
        let found = decisions.iter().rev().find(later).map(|decision| decision.change.from).or_else(seen);
        let is_own = found.is_none_or(|found| found.same(set, knob));
        set.value().filter(|_| is_own).map(|value| (value, id))
    }

    pub(super) fn killed(&self, named: &[WorkloadId], found: &mut Findings) {
        let span = self.span(DAY_S);
        if named.is_empty() {
            let all = self.view.workloads.keys().filter_map(|workload| self.killed_of(workload, span).ok());
            let mut killed: Vec<Killed> = all.filter(|of| of.kills > 0).collect();
            killed.sort_by_key(|of| std::cmp::Reverse(of.kills));
            found.missing.extend(killed.is_empty().then_some(Missing::None));
            found.records.extend(killed.into_iter().take(MOST_LISTED).map(Record::Killed));
            return;
        }
        for workload in named {
            let killed = self.killed_of(workload, span);
            let by = killed.as_ref().ok().filter(|of| of.kills > 0).and_then(|of| of.limit).map(|(_, id)| id);
            put(found, killed.map(Record::Killed));
            if let Some(decision) = by.and_then(|id| self.sources.decision(id)) {
                self.explain(decision, found);
            }
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of kills")]
    fn killed_of(&self, workload: &WorkloadId, span: Span) -> Result<Killed, Missing> {
        let missing = || no_readings(workload, name::OOM_KILLS, span);
        let series = self.series(workload, name::OOM_KILLS, span, false).ok_or_else(missing)?;
        let measured = series.present().count();
        if measured == 0 {
            return Err(missing());
        }
        let step_s = f64::from(series.step_s);
        let kills: f64 = series.present().map(|rate| f64::from(rate) * step_s).sum();
        let last = series.values.iter().rposition(|rate| *rate > 0.0).unwrap_or(0);
        let last_at = Time::from_s(series.time_s(last));
        let limit = self.limit_at(workload, Knob::MemoryMax, last_at);
        let memory = self.series(workload, name::MEMORY_WORKING_SET, span, false).and_then(|series| used(&series));
        Ok(Killed {
            workload: workload.clone(),
            span,
            measured_s: measured as f64 * step_s,
            kills: kills.round().max(0.0) as u64,
            last_at,
            limit,
            peak: memory.map(|used| used.max),
        })
    }

    pub(super) fn smaller(&self, named: &[WorkloadId], found: &mut Findings) {
        if named.is_empty() {
            found.missing.push(Missing::Name);
        }
        let span = self.span(WEEK_S);
        for workload in named {
            for knob in self.resources().into_iter().map(knob_of) {
                let value = match self.question.size {
                    Some(Size::Amount(amount)) => Ok(amount),
                    Some(Size::Part(part)) => self.has(workload, knob).map(|has| has * part),
                    None => self.has(workload, knob).map(|has| has * NEXT_LOWER),
                };
                put(found, value.and_then(|value| self.cost(workload, knob, value, span)));
            }
        }
    }

    /// What a workload has of a knob: its limit, else what it would be allotted.
    fn has(&self, workload: &WorkloadId, knob: Knob) -> Result<f64, Missing> {
        let has = self.view.workloads.get(workload).and_then(|now| now.size(knob));
        has.ok_or(Missing::Limit { workload: workload.clone(), resource: knob.resource() })
    }

    /// What a size would have cost on what was wanted in a span.
    pub(super) fn cost(&self, workload: &WorkloadId, knob: Knob, value: f64, span: Span) -> Result<Record, Missing> {
        let metric = knob.demand_metric();
        let found = self.series(workload, metric, span, true).and_then(|series| {
            let (cost, used) = (counterfactual(&series, value)?, used(&series)?);
            Some(Smaller { workload: workload.clone(), knob, cost, peak: used.max, peak_at: used.max_at })
        });
        found.map(Record::Smaller).ok_or_else(|| no_readings(workload, metric, span))
    }

    pub(super) fn at_risk(&self, named: &[WorkloadId], found: &mut Findings) {
        let span = self.span(DAY_S);
        let of_each = |workload: &WorkloadId| {
            let resources = self.resources();
            resources.into_iter().map(|resource| self.near_of(workload, resource, span)).collect::<Vec<_>>()
        };
        if !named.is_empty() {
            named.iter().flat_map(of_each).for_each(|near| put(found, near.map(Record::Near)));
            return;
        }
        let mut near: Vec<Near> = self.each(named).into_iter().flat_map(of_each).flatten().collect();
        near.retain(|near| near.share >= NEAR_SHARE);
        near.sort_by(|a, b| b.share.total_cmp(&a.share));
        found.missing.extend(near.is_empty().then_some(Missing::None));
        found.records.extend(near.into_iter().take(MOST_LISTED).map(Record::Near));
    }

    fn near_of(&self, workload: &WorkloadId, resource: Resource, span: Span) -> Result<Near, Missing> {
        let knob = knob_of(resource);
        let setting = self.view.workloads.get(workload).and_then(|now| now.state.settings.get(&knob)).copied();
        let limit = setting.and_then(Setting::value).filter(|limit| *limit > 0.0);
        let limit = limit.ok_or(Missing::Limit { workload: workload.clone(), resource })?;
        let wanted = self.series(workload, knob.demand_metric(), span, true).and_then(|series| used(&series));
        let p95 = wanted.ok_or_else(|| no_readings(workload, knob.demand_metric(), span))?.p95;
        Ok(Near { workload: workload.clone(), resource, span, limit, p95, share: p95 / limit })
    }

    /// A series over a span, as it was measured or as it was wanted; a coarser grid where the finer one is not kept any more.
    pub(super) fn series(&self, workload: &WorkloadId, metric: &str, span: Span, wanted: bool) -> Option<Series> {
        let metric = Metric::new(metric);
        let read = |window: Window| {
            if wanted {
                self.sources.wanted(workload, &metric, window)
            } else {
                self.sources.used(workload, &metric, window)
            }
        };
        grids(span).find_map(|window| read(window).filter(|series| series.present().next().is_some()))
    }
}

/// The metrics that count a resource's use.
fn metrics(resource: Resource) -> &'static [&'static str] {
    match resource {
        Resource::Cpu => &[name::CPU],
        Resource::Memory => &[name::MEMORY_WORKING_SET],
        Resource::Storage => &[name::IO_READ, name::IO_WRITE],
        Resource::Network => &[name::NETWORK_SEND, name::NETWORK_RECEIVE],
    }
}

fn no_readings(workload: &WorkloadId, metric: &str, span: Span) -> Missing {
    Missing::Readings { workload: workload.clone(), metric: metric.to_owned(), span }
}
