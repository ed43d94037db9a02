//! Whose turn it is: which workloads a tick looks at anew, and in which order.

use super::{Cadence, LoopState, Parts, demand_metrics};
use crate::{Snapshot, Time, WorkloadId, WorkloadState};

/// First looks come to every workload within this time, seconds.
const FIRST_WITHIN_S: f64 = 1_800.0;
/// Use within this share of a limit is at it: what is throttled or cut into packets reads a little less.
const AT_LIMIT_SHARE: f64 = 0.07;

/// A workload whose turn has come.
struct Due<'a> {
    /// When what stands of it was made, where something does.
    made: Option<Time>,
    /// It was looked at in this run.
    was_looked_at: bool,
    /// Its first look does not wait for those of others.
    hurries: bool,
    known: &'a WorkloadState,
}

/// The workloads that this tick looks at anew: those never looked at first, and of these those that hurry; then the oldest.
pub(super) fn due(state: &LoopState, snapshot: &Snapshot, parts: &Parts<'_>) -> Vec<WorkloadId> {
    let sized = snapshot.workloads.values().filter(|known| !known.workload.id.is_machine());
    let mut due: Vec<Due<'_>> = Vec::new();
    for known in sized {
        let workload = &known.workload.id;
        let under = state.under.get(workload);
        // What was made under other orders counts as not made.
        let stands = under == Some(&known.standing);
        let made = state.wanted.get(workload).filter(|_| stands).map(|assessment| assessment.made);
        if made.is_none_or(|made| is_due(state, known, made, snapshot.now, parts.cadence)) {
            let was_looked_at = under.is_some();
            due.push(Due { made, was_looked_at, hurries: !was_looked_at && hurries(known), known });
        }
    }
    due.sort_by_key(|one| (one.made, !one.hurries, &one.known.workload.id));
    let keeps_up = part(snapshot.workloads.len(), state, snapshot, parts.cadence.every_s);
    pick(state, snapshot, parts, parts.cadence.most_per_tick.max(keeps_up), &due)
}

/// It uses all that it is allotted, or is not within the bounds that people gave: what it has now may hurt it.
fn hurries(known: &WorkloadState) -> bool {
    known.settings.iter().any(|(knob, setting)| {
        let used = known.value(knob.demand_metric()).filter(|used| *used > 0.0);
        let at_limit = used.is_some_and(|used| used >= setting.or_infinite() * (1.0 - AT_LIMIT_SHARE));
        at_limit || known.standing.bounds.get(knob).is_some_and(|bounds| !bounds.allow(*setting))
    })
}

/// Those of the due that this tick comes to, `most` of them or twice as many where nothing stands of them.
fn pick(state: &LoopState, snapshot: &Snapshot, parts: &Parts<'_>, most: usize, due: &[Due<'_>]) -> Vec<WorkloadId> {
    let (mut picked, mut fresh) = (Vec::new(), 0);
    let mut steps_left = parts.cadence.first_steps_per_tick;
    let mut firsts_left = part(snapshot.workloads.len(), state, snapshot, FIRST_WITHIN_S);
    for one in due {
        let room = if one.made.is_none() { most.saturating_mul(2) } else { most.max(fresh) };
        if picked.len() >= room {
            break;
        }
        if !one.was_looked_at {
            if steps_left == 0 && firsts_left == 0 && !one.hurries {
                continue;
            }
            firsts_left = firsts_left.saturating_sub(1);
            steps_left = steps_left.saturating_sub(past_steps(one.known, snapshot.now, parts));
        }
        fresh += usize::from(one.made.is_none());
        picked.push(one.known.workload.id.clone());
    }
    picked
}

/// Steps of the past that a forecast of a workload's metrics rests on.
fn past_steps(known: &WorkloadState, now: Time, parts: &Parts<'_>) -> usize {
    let metrics = demand_metrics(known).into_iter();
    let inputs = metrics.filter_map(|metric| parts.seen().forecast_input(&known.workload.id, &metric, now));
    inputs.map(|(input, ..)| input.past.present().count()).sum()
}

/// How many of `count` a tick are a quarter more than it takes to come to all of them within a time; 0 where it is not known how often
/// ticks come.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a count")]
pub(super) fn part(count: usize, state: &LoopState, snapshot: &Snapshot, within_s: f64) -> usize {
    let tick_s = state.ticked.map_or(0.0, |last| snapshot.now.since_s(last)).max(0.0);
    (1.25 * count as f64 * (tick_s / within_s).min(1.0)).ceil() as usize
}

/// A young workload is looked at again whenever it is half as old again, since each reading still tells much; an older one, or one
/// whose past was known before this run, every so often, or at once when it uses more than it was to have.
fn is_due(state: &LoopState, known: &WorkloadState, made: Time, now: Time, cadence: &Cadence) -> bool {
    let age_s = now.since_s(made);
    let first = state.seen.get(&known.workload.id).filter(|_| !has_long_past(state, known, cadence));
    let lived_s = first.map_or(f64::INFINITY, |seen| made.since_s(*seen));
    // What was made in the future was made before the clock was set back.
    age_s < 0.0 || age_s > 0.0 && (age_s >= cadence.every_s.min(0.5 * lived_s) || outgrown(state, known))
}

/// It is forecast on the coarsest grid because there is enough history for that, and nothing of it is read that was not when it was
/// looked at: after a pause the rates of counters are there a turn later than the rest.
fn has_long_past(state: &LoopState, known: &WorkloadState, cadence: &Cadence) -> bool {
    let Some(coarsest) = cadence.resolutions.first().filter(|coarsest| coarsest.enough > 0) else { return false };
    let Some(forecasts) = state.forecasts.get(&known.workload.id) else { return false };
    forecasts.values().any(|forecast| forecast.step_s == coarsest.step_s)
        && demand_metrics(known).iter().all(|metric| forecasts.contains_key(metric))
}

/// More is used now than the standing assessment wants to give: look again at once.
fn outgrown(state: &LoopState, known: &WorkloadState) -> bool {
    let wants = state.wanted.get(&known.workload.id).map_or(&[][..], |assessment| &assessment.wants);
    wants.iter().any(|want| known.value(want.knob.demand_metric()).is_some_and(|used| used > want.value))
}
