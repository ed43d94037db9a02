//! Events as demand: what a workload's metric is expected to be against usual, per step.
//!
//! A resource that is named is the one that changes. More requests change CPU, storage and network in proportion, and memory as
//! far as it moved with CPU in the day before. So many more requests are a factor where requests are measured, else nothing.
//! Where windows overlap, the greatest factor counts (people say "times usual" of the same usual), or the least where all are
//! below 1; what is added adds up. What is usual is seen when the instruction is given, so that it stays the same afterwards.

use super::{AtWork, window::spans};
use apportion_core::{
    Announced, History, Instructed, Metric, Resource, Series, Time, Window, WorkloadId,
    instruction::{Effect, Instruction, InstructionKind, Topic, Unit},
    metric::name,
    stats,
};

/// An event without a size, as a factor.
pub const UNSIZED: f64 = 1.5;
/// Factors are held within these.
const FACTORS: (f64, f64) = (0.01, 100.0);
/// The grid and the length of the past from which usual requests and the pull of CPU on memory are taken.
const STEP_S: u32 = 300;
const STEPS: usize = 288;
/// With fewer steps memory is taken to move with CPU wholly.
const ENOUGH_STEPS: usize = 24;

/// An event's effect on one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shift {
    Times(f64),
    Plus(f64),
}

impl AtWork<'_> {
    /// What people announced of a metric's demand over a window, past or to come; empty for nothing.
    #[must_use]
    pub fn announced(
        &self,
        history: &dyn History,
        workload: &WorkloadId,
        metric: &Metric,
        window: Window,
    ) -> Announced {
        let step_s = i64::from(window.step_s);
        let mut made = Announced::default();
        for said in self.said.iter().filter(|said| is_event(said, workload, metric)) {
            let spans = spans(said, window.from_s - step_s, window.to_s, self.offset);
            if spans.is_empty() {
                continue;
            }
            let Some(shift) = shift(&said.instruction, history, workload, metric, said.time) else { continue };
            if made.is_empty() {
                made = Announced { factors: vec![1.0; window.len()], added: vec![0.0; window.len()] };
            }
            put(&mut made, &spans, window, shift);
        }
        made
    }
}

fn is_event(said: &Instructed, workload: &WorkloadId, metric: &Metric) -> bool {
    let is_demand = metric.resource().is_some() || metric.as_str() == name::REQUESTS;
    is_demand && said.instruction.kind == InstructionKind::Event && super::names(&said.instruction, workload)
}

fn shift(
    event: &Instruction,
    history: &dyn History,
    workload: &WorkloadId,
    metric: &Metric,
    seen: Time,
) -> Option<Shift> {
    // Requests themselves are no resource.
    let resource = metric.resource();
    let topic = event.resource.unwrap_or(Topic::All);
    if topic.resource().is_some_and(|named| Some(named) != resource) || topic == Topic::Replicas {
        return None;
    }
    let amount = event.amount.filter(|amount| amount.is_finite() && *amount >= 0.0);
    let factor = match (event.effect, amount) {
        (Some(Effect::Multiply), Some(factor)) => factor,
        (Some(Effect::Add), Some(added)) if topic == Topic::Requests && resource.is_none() => {
            return Some(Shift::Plus(added));
        }
        (Some(Effect::Add), Some(added)) if topic == Topic::Requests => {
            1.0 + added / usual_requests(history, workload, seen)?
        }
        (Some(Effect::Add), Some(added)) => return counts(event.unit, resource?).then_some(Shift::Plus(added)),
        (None, _) => UNSIZED,
        _ => return None,
    };
    let pull = if topic == Topic::Requests && resource == Some(Resource::Memory) {
        pull_on_memory(history, workload, metric, seen)
    } else {
        1.0
    };
    Some(Shift::Times((1.0 + pull * (factor - 1.0)).clamp(FACTORS.0, FACTORS.1)))
}

/// True where a unit is that of a resource's demand.
pub(super) const fn counts(unit: Option<Unit>, resource: Resource) -> bool {
    matches!(
        (unit, resource),
        (Some(Unit::Cores), Resource::Cpu)
            | (Some(Unit::Bytes), Resource::Memory)
            | (Some(Unit::BytesPerSecond), Resource::Storage | Resource::Network)
    )
}

/// Mean requests per second over the day before; `None` where they are not measured.
pub(super) fn usual_requests(history: &dyn History, workload: &WorkloadId, seen: Time) -> Option<f64> {
    usual(history, workload, &Metric::new(name::REQUESTS), seen).filter(|mean| *mean > 0.0)
}

/// A metric's mean over the day before, in its unit.
pub(super) fn usual(history: &dyn History, workload: &WorkloadId, metric: &Metric, seen: Time) -> Option<f64> {
    let past = history.series(workload, metric, Window::last(seen, STEP_S, STEPS))?;
    let seen: Vec<f32> = past.present().collect();
    stats::mean(&seen).map(f64::from)
}

/// What the day before's mean of a metric becomes by an event, of one that is not measured what is added alone; `None` where the event is of
/// something else.
pub(super) fn expected(
    event: &Instruction,
    history: &dyn History,
    workload: &WorkloadId,
    metric: &Metric,
    seen: Time,
) -> Option<f64> {
    let usual = usual(history, workload, metric, seen).unwrap_or(0.0);
    Some(match shift(event, history, workload, metric, seen)? {
        Shift::Times(factor) => usual * factor,
        Shift::Plus(added) => usual + added,
    })
}

/// By how much of its mean memory rose while CPU rose by its mean: the slope of least squares over the day before, 0..1.
fn pull_on_memory(history: &dyn History, workload: &WorkloadId, memory: &Metric, seen: Time) -> f64 {
    let window = Window::last(seen, STEP_S, STEPS);
    let read = |metric: &Metric| history.series(workload, metric, window);
    let pairs = |cpu: Series, memory: Series| -> Vec<(f64, f64)> {
        let both = cpu.values.into_iter().zip(memory.values);
        both.filter(|(x, y)| x.is_finite() && y.is_finite()).map(|(x, y)| (x.into(), y.into())).collect()
    };
    let seen = read(&Metric::new(name::CPU)).zip(read(memory)).map(|(cpu, memory)| pairs(cpu, memory));
    let Some(seen) = seen.filter(|seen| seen.len() >= ENOUGH_STEPS) else { return 1.0 };
    let count = seen.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| seen.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let covariance: f64 = seen.iter().map(|pair| (pair.0 - x) * (pair.1 - y)).sum();
    let variance: f64 = seen.iter().map(|pair| (pair.0 - x).powi(2)).sum();
    if variance > 0.0 && y > 0.0 { (covariance / variance * x / y).clamp(0.0, 1.0) } else { 1.0 }
}

/// Lays a shift over the steps that its spans touch, by the share of each step that they cover.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "shares and factors")]
fn put(made: &mut Announced, spans: &[(i64, i64)], window: Window, shift: Shift) {
    let step_s = i64::from(window.step_s);
    for index in 0..made.factors.len() {
        let end_s = window.from_s + step_s * i64::try_from(index).unwrap_or(i64::MAX);
        let covered: i64 = spans.iter().map(|(from, to)| (end_s.min(*to) - (end_s - step_s).max(*from)).max(0)).sum();
        if covered == 0 {
            continue;
        }
        let share = covered as f64 / step_s as f64;
        match shift {
            Shift::Plus(added) => made.added[index] += (added * share) as f32,
            Shift::Times(factor) => {
                let stands = f64::from(made.factors[index]);
                made.factors[index] = super::stronger(stands, 1.0 + (factor - 1.0) * share) as f32;
            }
        }
    }
}
