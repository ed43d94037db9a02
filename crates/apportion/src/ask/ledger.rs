//! Questions about decisions, savings and instructions.

use super::{Asker, WEEK_S, put};
use crate::zone;
use apportion_core::{
    Binding, Decision, DecisionId, Instructed, Knob, Refusal, Setting, Time, Verdict, WorkloadId, knob, time::DAY_S,
};
use apportion_host::store::Filter;
use apportion_language::{
    reading::question::Span,
    wording::answer::{Counted, Findings, Missing, Record, Said, Saved},
};
use apportion_planner::{instructions::is_in_force, size::NEXT_LOWER};
use std::collections::{BTreeMap, BTreeSet};

/// Decisions that one answer tells of at the most, in full and by a line.
const MOST_EXPLAINED: usize = 3;
const MOST_LISTED: usize = 10;
/// Decisions that are looked through for the newest of each knob.
const LOOK_BACK: usize = 1_000;
const MOST_SAID: usize = 20;

impl Asker<'_> {
    pub(super) fn why(&self, named: &[WorkloadId], found: &mut Findings) {
        if let Some(id) = self.question.decision {
            match self.sources.decision(DecisionId(id)) {
                Some(decision) => self.explain(decision, found),
                None => found.missing.push(Missing::Decision { id }),
            }
            return;
        }
        if named.is_empty() {
            let span = self.span(DAY_S);
            let decisions = self.within(None, span);
            found.records.push(Record::Counted(counted(&decisions, span)));
            let newest = newest_of_each(decisions, |decision| self.is_of(decision.change.knob));
            newest.into_iter().take(MOST_EXPLAINED).for_each(|decision| self.explain(decision, found));
            return;
        }
        for workload in named {
            self.why_of(workload, found);
        }
    }

    /// The newest decision of each knob in the time that is asked about, else before it.
    fn why_of(&self, workload: &WorkloadId, found: &mut Findings) {
        let of_knob = |decision: &Decision| self.is_of(decision.change.knob);
        let asked = self.question.when.map(|_| self.span(DAY_S));
        let within = asked.map(|span| self.within(Some(workload), span)).unwrap_or_default();
        let mut decisions = newest_of_each(within, of_knob);
        if decisions.is_empty() {
            found.missing.extend(asked.map(|span| Missing::Decisions { span: Some(span) }));
            let until = asked.map_or(self.now, |span| span.to);
            let all = self.sources.decisions(&filter(Some(workload), None, LOOK_BACK));
            decisions = newest_of_each(all.into_iter().filter(|decision| decision.time <= until).collect(), of_knob);
        }
        if decisions.is_empty() && asked.is_none() {
            found.missing.push(Missing::Decisions { span: None });
        }
        decisions.into_iter().take(MOST_EXPLAINED).for_each(|decision| self.explain(decision, found));
    }

    /// A decision with what came of it, and what less would have cost.
    pub(super) fn explain(&self, decision: Decision, found: &mut Findings) {
        let (id, change) = (decision.id, &decision.change);
        let filter = filter(Some(&change.workload), Some(decision.time), LOOK_BACK);
        let harms = self.sources.harms(&filter).into_iter().filter(|(_, harm)| harm.of == id);
        let harms: Vec<Record> = harms.map(|(time, harm)| Record::Harm { time, harm }).collect();
        let cost = change.reason.counterfactual.is_none().then(|| {
            let value = decision.admitted_to().unwrap_or(change.to).value().or(change.from.value());
            let span = Span { from: decision.time.plus_s(-WEEK_S), to: decision.time };
            let cost = value.map(|value| self.cost(&change.workload, change.knob, value * NEXT_LOWER, span));
            cost.unwrap_or(Err(Missing::Counterfactual { id: id.0 })).map_err(|_| Missing::Counterfactual { id: id.0 })
        });
        found.records.push(Record::Decision(Box::new(decision)));
        if let Some(cost) = cost {
            put(found, cost);
        }
        found.records.extend(harms);
    }

    pub(super) fn changed(&self, named: &[WorkloadId], found: &mut Findings) {
        let span = self.span(DAY_S);
        let mut decisions: Vec<Decision> = match named {
            [] => self.within(None, span),
            named => named.iter().flat_map(|workload| self.within(Some(workload), span)).collect(),
        };
        decisions.retain(|decision| self.is_of(decision.change.knob));
        decisions.sort_by_key(|decision| std::cmp::Reverse(decision.id));
        found.records.push(Record::Counted(counted(&decisions, span)));
        let applied = decisions.iter().any(Decision::is_applied);
        let listed = decisions.into_iter().filter(|decision| !applied || decision.is_applied());
        found.records.extend(listed.take(MOST_LISTED).map(|decision| Record::Decision(Box::new(decision))));
        let said: Vec<Record> = self.said_within(named, span);
        if !said.is_empty() {
            found.missing.push(Missing::Names);
        }
        found.records.extend(said);
    }

    /// Instructions that were given in a time.
    fn said_within(&self, named: &[WorkloadId], span: Span) -> Vec<Record> {
        let given = |said: &Instructed| (span.from..=span.to).contains(&said.time);
        let all = self.sources.instructions().into_iter().filter(|said| given(said) && concerns(said, named));
        all.take(MOST_LISTED).map(|said| self.told(said)).collect()
    }

    fn told(&self, said: Instructed) -> Record {
        Record::Said(Said { in_force: is_in_force(&said, self.now, &zone::offset_s), said })
    }

    pub(super) fn said(&self, named: &[WorkloadId], found: &mut Findings) {
        let stands = |said: &Instructed| !said.is_past(self.now);
        let all = self.sources.instructions().into_iter().filter(|said| stands(said) && concerns(said, named));
        let standing: Vec<Record> = all.take(MOST_SAID).map(|said| self.told(said)).collect();
        if standing.is_empty() {
            found.missing.push(Missing::Instructions);
        }
        found.records.extend(standing);
    }

    pub(super) fn saved(&self, named: &[WorkloadId], found: &mut Findings) {
        let span = self.span(WEEK_S);
        let mut decisions = self.within(None, span);
        decisions.retain(|decision| named.is_empty() || named.contains(&decision.change.workload));
        decisions.reverse();
        let knobs = knob::ALL.into_iter().filter(|knob| self.is_of(*knob));
        let saved: Vec<Record> = knobs.filter_map(|knob| saved(&decisions, knob, span)).map(Record::Saved).collect();
        if saved.is_empty() {
            found.missing.push(Missing::Savings { span });
        }
        found.records.extend(saved);
    }

    /// The decisions of a span, newest first.
    pub(super) fn within(&self, workload: Option<&WorkloadId>, span: Span) -> Vec<Decision> {
        let mut all = self.sources.decisions(&filter(workload, Some(span.from), usize::MAX));
        all.retain(|decision| decision.time <= span.to);
        all
    }

    /// All decisions about a workload, newest first.
    pub(super) fn decisions_of(&self, workload: &WorkloadId) -> Vec<Decision> {
        self.sources.decisions(&filter(Some(workload), None, usize::MAX))
    }
}

/// What a knob was set to at a time, with the decision that set it; where `decisions`, newest first, hold one.
pub(super) fn in_force(decisions: &[Decision], knob: Knob, at: Time) -> Option<(Setting, DecisionId, Time)> {
    let is_of = |decision: &&Decision| decision.is_applied() && decision.change.knob == knob && decision.time <= at;
    decisions.iter().find(is_of).and_then(|decision| Some((decision.admitted_to()?, decision.id, decision.time)))
}

pub(super) fn filter(workload: Option<&WorkloadId>, since: Option<Time>, limit: usize) -> Filter {
    Filter { workload: workload.cloned(), since, before: None, limit }
}

fn concerns(said: &Instructed, named: &[WorkloadId]) -> bool {
    let of = &said.instruction.workloads;
    named.is_empty() || of.is_empty() || of.iter().any(|name| named.iter().any(|workload| workload.answers_to(name)))
}

/// The newest decision of each workload's knob, those that turned one before those that did not, newest first.
fn newest_of_each(decisions: Vec<Decision>, wanted: impl Fn(&Decision) -> bool) -> Vec<Decision> {
    let mut seen = BTreeSet::new();
    let mut newest: Vec<Decision> = decisions
        .into_iter()
        .filter(|decision| wanted(decision) && seen.insert((decision.change.workload.clone(), decision.change.knob)))
        .collect();
    newest.sort_by_key(|decision| std::cmp::Reverse((decision.is_applied(), decision.id)));
    newest
}

fn counted(decisions: &[Decision], span: Span) -> Counted {
    let count = |is: &dyn Fn(&Decision) -> bool| decisions.iter().filter(|decision| is(decision)).count() as u64;
    let bound =
        |decision: &Decision, is: fn(&Binding) -> bool| decision.is_applied() && is(&decision.change.reason.binding);
    let recommended = |decision: &Decision| {
        matches!(&decision.verdict, Verdict::Refused { why: Refusal::RecommendOnly })
            || matches!(&decision.verdict, Verdict::Admitted { outcome: apportion_core::Outcome::DryRun, .. })
    };
    Counted {
        span,
        decisions: decisions.len() as u64,
        applied: count(&Decision::is_applied),
        taken_back: count(&|decision| bound(decision, |binding| matches!(binding, Binding::TakeBack { .. }))),
        rolled_back: count(&|decision| bound(decision, |binding| matches!(binding, Binding::RolledBack { .. }))),
        recommended: count(&recommended),
        refused: count(&|decision| matches!(decision.verdict, Verdict::Refused { .. }) && !recommended(decision)),
    }
}

/// What a workload had before the first change, and each change.
type Changes = (f64, Vec<(Time, f64)>);

/// What applied changes of a knob, oldest first, saved of limits that were finite before.
fn saved(decisions: &[Decision], knob: Knob, span: Span) -> Option<Saved> {
    let mut changes: BTreeMap<&WorkloadId, Changes> = BTreeMap::new();
    for decision in decisions.iter().filter(|decision| decision.is_applied() && decision.change.knob == knob) {
        let (Some(from), Some(to)) = (decision.change.from.value(), decision.admitted_to().and_then(Setting::value))
        else {
            continue;
        };
        let (_, steps) = changes.entry(&decision.change.workload).or_insert((from, Vec::new()));
        steps.push((decision.time, to));
    }
    let length_s = span.to.since_s(span.from);
    let mean = |(before, steps): &Changes| {
        let (mut at, mut value, mut sum) = (span.from, *before, 0.0);
        for (time, next) in steps {
            sum += value * time.since_s(at);
            (at, value) = (*time, *next);
        }
        (sum + value * span.to.since_s(at)) / length_s
    };
    let before: f64 = changes.values().map(|(before, _)| before).sum();
    let since: f64 = changes.values().map(mean).sum();
    (!changes.is_empty() && length_s > 0.0).then(|| Saved {
        knob,
        span,
        changes: changes.values().map(|(_, steps)| steps.len()).sum::<usize>() as u64,
        workloads: changes.len() as u64,
        before,
        since,
        saved: before - since,
    })
}
