//! The seams of the house. All object-safe; each has more than one implementer.

use crate::{
    Admitted, Announced, Assessment, Batch, Forecast, Knob, Metric, Outcome, Plan, Series, Setting, Snapshot, Standing,
    Time, Window, Workload, WorkloadId, WorkloadState,
};

/// Reads a source: the cgroup tree, /proc, a Prometheus server, a trace.
pub trait Collector {
    /// Name for people and for the label of its errors.
    fn name(&self) -> &str;
    /// What is there at `now`. Never fails as a whole: what could not be read is a [`crate::Problem`] of the batch.
    fn collect(&mut self, now: Time) -> Batch;
}

/// Gives the past on a regular grid: the store, or a trace. Demand already corrected for throttling has its own metric name.
pub trait History {
    /// The series over a window, gaps as NaN; `None` when nothing of it is known.
    fn series(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series>;
}

/// One series to be forecast from its own end.
#[derive(Clone, Debug)]
pub struct ForecastInput {
    /// Whose; also the key under which a forecaster may remember its choice.
    pub workload: WorkloadId,
    /// Of what.
    pub metric: Metric,
    /// The past, oldest first, ending now; without what was announced for it.
    pub past: Series,
    /// Announced factor on demand per future step (1 is nothing announced); empty for none.
    pub announced: Vec<f32>,
}

/// Whether there is time to choose anew how a series is forecast.
pub type MayChoose<'a> = dyn Fn(&ForecastInput) -> bool + Sync + 'a;

/// Says what will be needed.
pub trait Forecaster {
    /// Name as given to `--model` and shown with every forecast.
    fn name(&self) -> &str;
    /// One forecast of `horizon` steps for each input, in the same order; callers put them together with the inputs by place. A
    /// series with little history gets one too: a wide one where its values differ, one without width where there is a single
    /// value or never another, zeros where there is none.
    fn forecast(&self, inputs: &[ForecastInput], horizon: usize) -> Vec<Forecast>;
    /// Whether [`Forecaster::forecast`] of this series would first choose anew how it is forecast by trying on its past, which takes
    /// tens of times as long; false where there is nothing to try on yet.
    fn is_due(&self, input: &ForecastInput, horizon: usize) -> bool {
        let _ = (input, horizon);
        false
    }
    /// As [`Forecaster::forecast`], but choosing anew only for series that `may_choose` allows it; the others are forecast by what was
    /// chosen last, or by what is best for most series.
    fn forecast_choosing(&self, inputs: &[ForecastInput], horizon: usize, may_choose: &MayChoose<'_>) -> Vec<Forecast> {
        let _ = may_choose;
        self.forecast(inputs, horizon)
    }
    /// The same forecaster with whatever it chose for this series held fixed, so that what is seen when the input is changed is
    /// not another choice; `None` where it chooses nothing.
    fn settled<'a>(&'a self, input: &ForecastInput, horizon: usize) -> Option<Box<dyn Forecaster + 'a>> {
        let _ = (input, horizon);
        None
    }
    /// How each forecaster that it chose among did on this series' own past, by name: weighted quantile loss relative to seasonal
    /// naive, below 1 is better. Empty where it chooses nothing or has tried nothing yet.
    fn scores(&self, workload: &WorkloadId, metric: &Metric) -> Vec<(String, f32)> {
        let _ = (workload, metric);
        Vec::new()
    }
    /// Forgets what it remembers of workloads that are gone: those of which `is_there` is false. The loop calls it at every turn. A
    /// forecaster that remembers nothing, or whose memory several loops share, has nothing to do.
    fn forget(&self, is_there: &dyn Fn(&WorkloadId) -> bool) {
        let _ = is_there;
    }
}

/// Everything a policy may look at for one workload.
#[derive(Clone, Copy)]
pub struct AssessInput<'a> {
    /// The time.
    pub now: Time,
    /// Which workload.
    pub workload: &'a WorkloadId,
    /// What people have said about it.
    pub standing: &'a Standing,
    /// Every workload that exists now, itself included: what others like it tell of a new one.
    pub workloads: &'a std::collections::BTreeMap<WorkloadId, WorkloadState>,
    /// What its knobs are set to.
    pub settings: &'a std::collections::BTreeMap<Knob, Setting>,
    /// The past.
    pub history: &'a dyn History,
    /// Forecast per metric, those that there are.
    pub forecasts: &'a crate::tick::Forecasts,
    /// What people announced of a metric's demand over a window, past or to come.
    pub announced: &'a dyn Fn(&Metric, Window) -> Announced,
    /// Factor on top per knob because of earlier harm (1 is none).
    pub margin: &'a dyn Fn(Knob) -> f64,
}

/// Decides. Stateless towards the caller: the same input gives the same output.
pub trait Policy {
    /// Name as given to `--policy`.
    fn name(&self) -> &str;
    /// What one workload should have, when it is looked at anew.
    fn assess(&self, input: &AssessInput<'_>) -> Assessment;
    /// Shares out what there is and proposes changes.
    fn plan(&self, snapshot: &Snapshot, wanted: &std::collections::BTreeMap<WorkloadId, Assessment>) -> Plan;
}

/// Turns knobs: the cgroup trees, systemd, the network, a simulated world, or none (a dry run).
pub trait Executor {
    /// Name for people.
    fn name(&self) -> &str;
    /// What a knob is set to; `None` when this executor cannot reach it.
    fn observe(&self, workload: &Workload, knob: Knob) -> Option<Setting>;
    /// True of a knob that is unlimited because what held limits is gone as a whole (rules that were emptied, a link that is no longer
    /// used): nobody has turned this one.
    fn is_lost(&self, workload: &Workload, knob: Knob) -> bool {
        let _ = (workload, knob);
        false
    }
    /// Turns one knob: observe, compare, write, read back. Never panics; what went wrong is an outcome.
    fn apply(&mut self, change: &Admitted) -> Outcome;
}
