//! Questions about what is: allotments, rankings, forecasts, what the machine has left.

use super::{Asker, ledger::in_force, put};
use apportion_core::{
    Decision, Forecast, Knob, Metric, Resource, Setting, Time, WorkloadId, knob, plan::Expected, time::DAY_S,
};
use apportion_language::{
    reading::question::{About, Span},
    wording::answer::{Allotted, By, ExpectedOf, Findings, Free, Missing, Ranked, Record},
};
use apportion_planner::size::expected;

/// Places of a ranking, and workloads of a list, at the most.
const MOST_PLACES: usize = 3;
const MOST_LISTED: usize = 10;
/// Decisions that are looked through for a forecast.
const LOOK_BACK: usize = 100;

impl Asker<'_> {
    pub(super) fn allotted(&self, named: &[WorkloadId], found: &mut Findings) {
        for workload in self.each(named).into_iter().take(MOST_LISTED) {
            let decisions = self.decisions_of(workload);
            let all: Vec<Allotted> = knob::ALL
                .into_iter()
                .filter(|knob| self.is_of(*knob))
                .filter_map(|knob| self.allotted_of(workload, knob, &decisions))
                .collect();
            if all.is_empty() {
                found.missing.push(Missing::Decisions { span: None });
            }
            found.records.extend(all.into_iter().map(Record::Allotted));
        }
    }

    /// What a knob is set to and would be allotted; `None` where nothing is known of it.
    fn allotted_of(&self, workload: &WorkloadId, knob: Knob, decisions: &[Decision]) -> Option<Allotted> {
        let now = self.view.workloads.get(workload)?;
        let by = in_force(decisions, knob, self.now);
        let seen = now.state.settings.get(&knob).copied();
        let setting = seen.or(by.map(|(setting, ..)| setting));
        // A limit that somebody else has set since is not that decision's.
        let since = by.filter(|(own, ..)| setting.is_some_and(|seen| seen.same(*own, knob)));
        let allotted = now.allotted.get(&knob).copied();
        let known = setting.is_some_and(|setting| setting != Setting::Unlimited) || allotted.is_some();
        known.then(|| Allotted {
            workload: workload.clone(),
            knob,
            setting,
            allotted,
            since: since.map(|(_, id, time)| (id, time)),
        })
    }

    pub(super) fn ranked(&self, named: &[WorkloadId], found: &mut Findings) {
        let by = if self.question.about == About::MostWasted { By::Waste } else { By::Use };
        let span = self.span(DAY_S);
        for resource in self.resources() {
            let all = self.each(named).into_iter().filter_map(|workload| self.ranked_of(workload, resource, by, span));
            let mut all: Vec<Ranked> = all.filter(|ranked| ranked.value > 0.0).collect();
            all.sort_by(|a, b| b.value.total_cmp(&a.value).then_with(|| a.workload.cmp(&b.workload)));
            let places = (1..).zip(all.into_iter().take(MOST_PLACES));
            found.records.extend(places.map(|(place, ranked)| Record::Ranked(Ranked { place, ..ranked })));
        }
        if found.records.is_empty() {
            found.missing.push(Missing::None);
        }
    }

    fn ranked_of(&self, workload: &WorkloadId, resource: Resource, by: By, span: Span) -> Option<Ranked> {
        let knob = super::knob_of(resource);
        let of = self.used_of(workload, knob.demand_metric(), span).ok()?;
        let now = self.view.workloads.get(workload)?;
        let limit = now.size(knob);
        let value = match by {
            By::Use => of.mean,
            By::Waste => limit? - of.used.p95,
        };
        let (workload, p95) = (workload.clone(), of.used.p95);
        Some(Ranked { place: 0, workload, resource, by, span, value, p95, limit })
    }

    pub(super) fn forecast(&self, named: &[WorkloadId], found: &mut Findings) {
        let mut all = Vec::new();
        for workload in self.each(named) {
            for resource in self.resources() {
                let forecast = self.forecast_of(workload, resource);
                if named.is_empty() {
                    all.extend(forecast.ok());
                } else {
                    put(found, forecast.map(Record::Expected));
                }
            }
        }
        if !named.is_empty() {
            return;
        }
        all.sort_by(|a, b| a.resource.cmp(&b.resource).then(b.expected.peak[1].total_cmp(&a.expected.peak[1])));
        let of = |resource| all.iter().filter(move |of| of.resource == resource).take(MOST_PLACES);
        let most: Vec<Record> = self.resources().into_iter().flat_map(of).cloned().map(Record::Expected).collect();
        found.missing.extend(most.is_empty().then_some(Missing::None));
        found.records.extend(most);
    }

    fn forecast_of(&self, workload: &WorkloadId, resource: Resource) -> Result<ExpectedOf, Missing> {
        let knob = super::knob_of(resource);
        let metric = Metric::new(knob.demand_metric());
        let of = |expected, made, decision, span| ExpectedOf {
            workload: workload.clone(),
            resource,
            made,
            span,
            decision,
            expected,
        };
        if let Some(forecast) = self.sources.forecast(workload, &metric) {
            let end = Time::from_s(forecast.time_s(forecast.len().saturating_sub(1)));
            let asked = self.question.when;
            let found = asked.map_or_else(|| expected(&forecast, self.now), |span| expected_in(&forecast, span));
            return found.map(|expected| of(expected, None, None, asked)).ok_or(Missing::Beyond { until: end });
        }
        let filter = super::ledger::filter(Some(workload), None, LOOK_BACK);
        let recorded = self.sources.decisions(&filter).into_iter().find_map(|decision| {
            let is_of = decision.change.knob.demand_metric() == metric.as_str();
            let expected = decision.change.reason.expected.filter(|_| is_of)?;
            Some(of(expected, Some(decision.time), Some(decision.id), None))
        });
        recorded.ok_or_else(|| Missing::Forecast { workload: workload.clone() })
    }

    pub(super) fn free(&self, found: &mut Findings) {
        for resource in self.resources() {
            let free = self.view.capacity.of(resource).map(|capacity| self.free_of(resource, capacity));
            put(found, free.map(Record::Free).ok_or(Missing::Machine));
        }
        found.missing.dedup();
    }

    fn free_of(&self, resource: Resource, capacity: f64) -> Free {
        let knob = super::knob_of(resource);
        let metric = Metric::new(knob.demand_metric());
        let allotted: f64 = self.view.workloads.values().filter_map(|now| now.size(knob)).sum();
        let used = self.view.machine.get(&metric).map(|latest| latest.value);
        Free { resource, capacity, used, allotted, left: (capacity - allotted).max(0.0) }
    }

    /// How a workload, or the machine, stands as a whole.
    pub(super) fn state(&self, named: &[WorkloadId], found: &mut Findings) {
        if named.is_empty() {
            self.free(found);
            self.at_risk(named, found);
        } else {
            self.used(named, found);
            self.allotted(named, found);
        }
        self.changed(named, found);
    }
}

/// What is expected within a span; `None` where the forecast has none of it.
fn expected_in(forecast: &Forecast, span: Span) -> Option<Expected> {
    let within = |index: &usize| (span.from.s()..=span.to.s()).contains(&forecast.time_s(*index));
    let indices: Vec<usize> = (0..forecast.len()).filter(within).collect();
    let first = *indices.first()?;
    let rows = indices.iter().map(|index| forecast.quantiles()[*index]).collect();
    let start_s = forecast.time_s(first);
    let part = Forecast::new(start_s, forecast.step_s, &forecast.by, rows, f32::NEG_INFINITY);
    expected(&part.with_score(forecast.score), Time::from_s(start_s))
}
