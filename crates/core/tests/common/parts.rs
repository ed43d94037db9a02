//! A machine, a forecaster and a policy to test the loop with.

use apportion_core::{
    Admitted, Assessment, Binding, Change, Executor, Forecast, Forecaster, History, Knob, Metric, Outcome, Plan,
    Policy, Reason, Series, Setting, Snapshot, Want, Window, Workload, WorkloadId,
    metric::name,
    traits::{AssessInput, ForecastInput},
};
use std::collections::BTreeMap;

/// The same at all times, of everything; and forecast to stay as it is.
pub(crate) struct Flat;
impl History for Flat {
    fn series(&self, _: &WorkloadId, _: &Metric, window: Window) -> Option<Series> {
        Some(Series { values: vec![0.5; window.len()], ..Series::gap(window) })
    }
}
impl Forecaster for Flat {
    fn name(&self) -> &str {
        "flat"
    }
    fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast> {
        let one = |input: &ForecastInput| {
            let row = [input.past.values.last().copied().unwrap_or(0.0); 9];
            Forecast::new(input.past.end().s() + 1, input.past.step_s, "flat", vec![row; horizon], 0.0)
        };
        inputs.iter().map(one).collect()
    }
}

/// Wants twice the median of the forecast, times the margin.
pub(crate) struct Twice;
impl Policy for Twice {
    fn name(&self) -> &str {
        "twice"
    }
    fn assess(&self, input: &AssessInput<'_>) -> Assessment {
        let want = |forecast: &std::sync::Arc<Forecast>| {
            let value = f64::from(forecast.at(0, 0.5).unwrap()) * 2.0 * (input.margin)(Knob::CpuQuota);
            Want { knob: Knob::CpuQuota, value, least: 0.0, reason: Reason::only(Binding::Forecast) }
        };
        let wants = input.forecasts.get(&Metric::new(name::CPU)).map(want).into_iter().collect();
        Assessment { made: input.now, wants }
    }
    fn plan(&self, snapshot: &Snapshot, wanted: &BTreeMap<WorkloadId, Assessment>) -> Plan {
        let mut plan = Plan::default();
        for (workload, assessment) in wanted {
            for want in &assessment.wants {
                let from = snapshot.workloads[workload].settings[&want.knob];
                let change = Change {
                    workload: workload.clone(),
                    knob: want.knob,
                    from,
                    to: Setting::Value(want.value),
                    reason: want.reason.clone(),
                };
                plan.changes.push(change);
            }
        }
        plan
    }
}

/// Holds the settings of a small machine; may fail to set them.
pub(crate) struct Machine(pub(crate) BTreeMap<(String, Knob), Setting>, pub(crate) Refuses);

/// What becomes of a change.
#[derive(PartialEq)]
pub(crate) enum Refuses {
    Nothing,
    FullDisk,
    DryRun,
}

impl Executor for Machine {
    fn name(&self) -> &str {
        "machine"
    }
    fn observe(&self, workload: &Workload, knob: Knob) -> Option<Setting> {
        self.0.get(&(workload.id.to_string(), knob)).copied()
    }
    fn apply(&mut self, change: &Admitted) -> Outcome {
        match self.1 {
            Refuses::Nothing => {}
            Refuses::FullDisk => return Outcome::Failed { error: "the disk is full".to_owned() },
            Refuses::DryRun => return Outcome::DryRun,
        }
        self.0.insert((change.workload().id.to_string(), change.knob()), change.to());
        Outcome::Applied { read_back: change.to() }
    }
}
