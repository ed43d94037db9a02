//! What a node gives when its workloads want more than it has: higher priorities are served first, and equals share by
//! weighted max-min fairness (nobody gets more than it wants, and what one leaves the others share by weight).

use crate::{
    Decided, Decisions, Trace, TraceSeries,
    decisions::SeriesDecisions,
    world::{gone_s, in_force},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A workload's claim on a node.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Higher is served first.
    pub priority: u8,
    /// Share among equals; positive.
    pub weight: f64,
}

impl Default for Claim {
    fn default() -> Self {
        Self { priority: 1, weight: 1.0 }
    }
}

/// What one node has, and who is served first on it. All workloads of the trace run on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Amount per metric, in the metric's own unit; a metric that is not here is not shared out.
    pub amounts: BTreeMap<String, f64>,
    /// Claims by workload; others have the usual one.
    pub claims: BTreeMap<String, Claim>,
}

/// What each of several wants gets of `amount`.
#[must_use]
pub fn share_out(amount: f64, wants: &[(f64, Claim)]) -> Vec<f64> {
    let mut given = vec![0.0; wants.len()];
    let mut left = amount.max(0.0);
    let mut order: Vec<usize> = (0..wants.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(wants[*at].1.priority));
    for class in order.chunk_by(|a, b| wants[*a].1.priority == wants[*b].1.priority) {
        fill(&mut left, class, wants, &mut given);
    }
    given
}

/// Serves one class: those that want least for their weight are satisfied first.
fn fill(left: &mut f64, class: &[usize], wants: &[(f64, Claim)], given: &mut [f64]) {
    let per_weight = |at: usize| wants[at].0 / wants[at].1.weight;
    let mut order = class.to_vec();
    order.sort_by(|a, b| per_weight(*a).total_cmp(&per_weight(*b)));
    let mut weight: f64 = order.iter().map(|at| wants[*at].1.weight).sum();
    for at in order {
        let (want, own) = (wants[at].0, wants[at].1.weight);
        given[at] = want.min(*left * own / weight).max(0.0);
        *left -= given[at];
        weight -= own;
    }
}

/// Turns what a policy allots into what a node can give: promises beyond what there is are kept by priority.
pub(crate) fn on_node(trace: &Trace, wanted: Decisions, node: &Node) -> Decisions {
    let mut series = wanted.series.clone();
    for (metric, amount) in &node.amounts {
        let members: Vec<usize> = (0..series.len()).filter(|at| *series[*at].metric == **metric).collect();
        let shared = share_metric(trace, &series, &members, *amount, node);
        for (at, decided) in members.iter().zip(shared) {
            series[*at].decided = decided;
        }
    }
    Decisions { series, ..wanted }
}

fn share_metric(
    trace: &Trace,
    series: &[SeriesDecisions],
    members: &[usize],
    amount: f64,
    node: &Node,
) -> Vec<Vec<Decided>> {
    let claim = |at: &usize| node.claims.get(&*series[*at].workload).copied().unwrap_or_default();
    let claims: Vec<Claim> = members.iter().map(claim).collect();
    let mut wants: Vec<Option<f64>> = vec![None; members.len()];
    let mut events: Vec<(i64, usize, Option<f64>)> = Vec::new();
    for (place, at) in members.iter().enumerate() {
        let wanted = wants_of(&trace.series()[*at], &series[*at].decided, trace.last_s());
        events.extend(wanted.into_iter().map(|(time_s, want)| (time_s, place, want)));
    }
    events.sort_by_key(|event| (event.0, event.1));
    let mut shared: Vec<Vec<Decided>> = vec![Vec::new(); members.len()];
    for moment in events.chunk_by(|a, b| a.0 == b.0) {
        for (_, place, want) in moment {
            wants[*place] = *want;
        }
        let claimed: Vec<(f64, Claim)> = wants.iter().map(|want| want.unwrap_or(0.0)).zip(claims.clone()).collect();
        let given = share_out(amount, &claimed);
        for (place, allocation) in given.into_iter().enumerate().filter(|(place, _)| wants[*place].is_some()) {
            if shared[place].last().is_none_or(|last| last.allocation != allocation) {
                shared[place].push(Decided { time_s: moment[0].0, allocation });
            }
        }
    }
    shared
}

/// What is wanted for a series from when on: what was decided, and nothing (`None`) while its workload is gone.
fn wants_of(series: &TraceSeries, decided: &[Decided], end_s: i64) -> Vec<(i64, Option<f64>)> {
    let away = times_away(series, end_s);
    let is_away = |time_s: i64| {
        let last = away.partition_point(|(gone_s, _)| *gone_s <= time_s).checked_sub(1);
        last.is_some_and(|last| away[last].1.is_none_or(|back_s| time_s < back_s))
    };
    let gone = away.iter().map(|(gone_s, _)| (*gone_s, None));
    let back = away.iter().filter_map(|(_, back_s)| Some(((*back_s)?, Some(in_force(decided, (*back_s)?)?))));
    let made = decided.iter().filter(|made| !is_away(made.time_s)).map(|made| (made.time_s, Some(made.allocation)));
    // What is decided with the sample that comes back is after what was decided before.
    let mut wants: Vec<(i64, Option<f64>)> = gone.chain(back).chain(made).collect();
    wants.sort_by_key(|(time_s, _)| *time_s);
    wants
}

/// From when until when a workload is gone; without an end where it never comes back.
fn times_away(series: &TraceSeries, end_s: i64) -> Vec<(i64, Option<i64>)> {
    let next = series.times_s.iter().skip(1).map(|time_s| Some(*time_s)).chain([None]);
    let away = series.times_s.iter().zip(next).map(|(last_s, next_s)| (gone_s(series, *last_s), next_s));
    away.filter(|(gone_s, next_s)| *gone_s < next_s.unwrap_or(end_s)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(amount: f64, wants: &[(f64, u8, f64)], expect: &[f64]) {
        let wants: Vec<(f64, Claim)> = wants
            .iter()
            .map(|(want, priority, weight)| (*want, Claim { priority: *priority, weight: *weight }))
            .collect();
        let given = share_out(amount, &wants);
        assert!(given.iter().zip(expect).all(|(a, b)| (a - b).abs() < 1e-9), "{wants:?}: {given:?}");
    }

    #[test]
    fn priorities_come_first_and_equals_share_by_weight() {
        check(10.0, &[(2.0, 1, 1.0), (3.0, 1, 1.0)], &[2.0, 3.0]);
        check(10.0, &[(2.0, 1, 1.0), (9.0, 1, 1.0), (9.0, 1, 1.0)], &[2.0, 4.0, 4.0]);
        check(9.0, &[(9.0, 1, 1.0), (9.0, 1, 2.0)], &[3.0, 6.0]);
        check(10.0, &[(8.0, 1, 1.0), (8.0, 3, 1.0)], &[2.0, 8.0]);
        check(0.0, &[(8.0, 1, 1.0)], &[0.0]);
    }
}
