//! The four parts of the invented loop, simple enough to read at a glance.

use super::load::Load;
use apportion_core::{
    Admitted, Assessment, Binding, Change, Counterfactual, Executor, Forecast, Forecaster, History, Knob, LEVELS,
    Metric, Outcome, Plan, Policy, Reason, Series, Setting, Snapshot, Time, Want, Window, Workload, WorkloadId,
    plan::{Expected, Used},
    time::DAY_S,
    traits::{AssessInput, ForecastInput},
};
use std::collections::BTreeMap;

pub struct Past<'a>(pub &'a BTreeMap<WorkloadId, Load>);

impl History for Past<'_> {
    fn series(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
        self.0.get(workload)?.series(metric, window)
    }
}

/// Knows the future, and says so with some doubt.
pub struct Ahead<'a>(pub &'a BTreeMap<WorkloadId, Load>);

impl Forecaster for Ahead<'_> {
    fn name(&self) -> &str {
        "mstl"
    }
    fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
        inputs.iter().map(|input| self.one(input, horizon)).collect()
    }
}

impl Ahead<'_> {
    fn one(&self, input: &ForecastInput, horizon: usize) -> Forecast {
        let step_s = i64::from(input.past.step_s);
        let start_s = input.past.end().s() + step_s;
        let spread = if input.metric.as_str().starts_with("memory") { 0.1 } else { 0.9 };
        let row = |index: usize| {
            let t_s = start_s as f64 + (index as f64) * step_s as f64;
            let mean =
                self.0.get(&input.workload).and_then(|load| load.mean(input.metric.as_str(), t_s)).unwrap_or(0.0);
            let doubt = spread * (0.6 + 0.5 * (index as f64 / horizon as f64));
            LEVELS.map(|level| (mean * (1.0 + doubt * (f64::from(level) - 0.45))) as f32)
        };
        Forecast::new(start_s, input.past.step_s, "mstl", (0..horizon).map(row).collect(), 0.0)
    }
}

/// The greatest 90 % quantile of the forecast, and a fifth on top.
pub struct Generous;

impl Policy for Generous {
    fn name(&self) -> &str {
        "generous"
    }
    fn assess(&self, input: &AssessInput<'_>) -> Assessment {
        let wants = apportion_core::knob::ALL.into_iter().filter_map(|knob| want(input, knob)).collect();
        Assessment { made: input.now, wants }
    }
    fn plan(&self, snapshot: &Snapshot, wanted: &BTreeMap<WorkloadId, Assessment>) -> Plan {
        let mut plan = Plan { capacity: snapshot.capacity.clone(), ..Plan::default() };
        for (workload, assessment) in wanted {
            for want in &assessment.wants {
                plan.allotted.entry(workload.clone()).or_default().insert(want.knob, want.value);
                let Some(from) = snapshot.workloads.get(workload).and_then(|state| state.settings.get(&want.knob))
                else {
                    continue;
                };
                let (knob, to, reason) = (want.knob, Setting::Value(want.value), want.reason.clone());
                plan.changes.push(Change { workload: workload.clone(), knob, from: *from, to, reason });
            }
        }
        plan
    }
}

fn want(input: &AssessInput<'_>, knob: Knob) -> Option<Want> {
    let forecast = input.forecasts.get(&Metric::new(knob.demand_metric()))?;
    if knob == Knob::MemoryHigh {
        return None;
    }
    let peak = (0..forecast.len())
        .max_by(|a, b| f32::total_cmp(&forecast.quantiles()[*a][4], &forecast.quantiles()[*b][4]))?;
    let row = forecast.quantiles()[peak].map(f64::from);
    let value = (row[8] * 1.2 * (input.margin)(knob)).max(knob.smallest());
    Some(Want { knob, value, least: row[0], reason: reason(input.now, forecast, peak, value, (input.margin)(knob)) })
}

fn reason(now: Time, forecast: &Forecast, peak: usize, value: f64, margin: f64) -> Reason {
    let row = forecast.quantiles()[peak].map(f64::from);
    let used = Used {
        window_s: DAY_S as f64,
        present_share: 0.998,
        seen_s: 14.0 * DAY_S as f64,
        p50: row[4] * 0.6,
        p95: row[4] * 0.97,
        max: row[6],
        max_at: now.plus_s(-14 * 3_600),
    };
    let peak_at = Time::from_s(forecast.time_s(peak));
    let expected = Expected {
        by: forecast.by.clone(),
        score: Some(0.71),
        horizon_s: DAY_S as f64,
        peak_at,
        peak: [row[0], row[4], row[8]],
    };
    let counterfactual = Counterfactual {
        value: value * 0.8,
        window_s: 14.0 * DAY_S as f64,
        over_s: 5_460.0,
        worst_day: Some(now.plus_s(-3 * DAY_S)),
        worst_day_over_s: 2_280.0,
    };
    Reason {
        used: Some(used),
        expected: Some(expected),
        quantile: 0.97,
        margin,
        counterfactual: Some(counterfactual),
        ..Reason::only(Binding::Forecast)
    }
}

/// Turns knobs of the world.
pub struct Turned<'a>(pub &'a mut BTreeMap<(WorkloadId, Knob), Setting>);

impl Executor for Turned<'_> {
    fn name(&self) -> &str {
        "world"
    }
    fn observe(&self, workload: &Workload, knob: Knob) -> Option<Setting> {
        self.0.get(&(workload.id.clone(), knob)).copied()
    }
    fn apply(&mut self, change: &Admitted) -> Outcome {
        if change.workload().id.as_str().contains("thumbnails") && change.knob() == Knob::IoWriteMax {
            return Outcome::Failed {
                error: "/sys/fs/cgroup/kubepods/besteffort/pod-thumbnails/io.max: Permission denied (os error 13)"
                    .into(),
            };
        }
        self.0.insert((change.workload().id.clone(), change.knob()), change.to());
        Outcome::Applied { read_back: change.to() }
    }
}
