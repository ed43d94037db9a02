//! What goes into the network: a window of a series, and the rows made of it.

/// Simple forecasts that the head mixes; see [`Candidates`].
pub(crate) const CANDIDATES: usize = 8;

/// A stretch of one series, cut into patches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    /// `lead` older values (for seasonal lags only), then whole patches; NaN is missing.
    pub(crate) values: &'a [f32],
    pub(crate) lead: usize,
    /// For each patch, whether the network may see it.
    pub(crate) visible: &'a [bool],
    /// For each step of the patches, the announced multiplier (1: none), or empty.
    pub(crate) multipliers: &'a [f32],
    pub(crate) seasons: [Option<usize>; 2],
    pub(crate) step_s: u32,
    /// UTC time of the first patch's first step, where known.
    pub(crate) start_time_s: Option<i64>,
    /// No value is below zero.
    pub(crate) non_negative: bool,
}

impl Window<'_> {
    /// The announced multiplier of a step of `values`.
    pub(crate) fn multiplier(&self, step: usize) -> f64 {
        step.checked_sub(self.lead).and_then(|step| self.multipliers.get(step)).map_or(1.0, |value| f64::from(*value))
    }
}

/// The token rows of a batch of windows of equal length: features of all tokens, the rest of those of which a forecast is
/// wanted, all or the last few of each window. Rows below are theirs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens {
    /// `[tokens, FEATURES]`
    pub(crate) features: Vec<f32>,
    pub(crate) candidates: Candidates,
    /// Local centre and scale of each row, as forecasts are given back; the scale is 0 after a constant.
    pub(crate) centre: Vec<f64>,
    pub(crate) scale: Vec<f64>,
    /// `[rows, PATCH]`: the patch ahead in the row's local scale; NaN where missing or not to be learnt.
    pub(crate) targets: Vec<f32>,
}

/// Simple forecasts of the patch ahead, in the row's local scale. Each is non-decreasing in the quantile level.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candidates {
    /// `[rows, LEVELS]`: quantiles of the last 64 values.
    pub(crate) recent: Vec<f32>,
    /// `[rows, LEVELS]`: quantiles of the last 288 values.
    pub(crate) long: Vec<f32>,
    /// `[rows]`: the last value.
    pub(crate) last: Vec<f32>,
    /// `[rows, PATCH]`: the value one season before.
    pub(crate) lag: Vec<f32>,
    /// `[rows, PATCH]`: the value one second season before.
    pub(crate) other_lag: Vec<f32>,
    /// `[rows, PATCH]`: the line through the last 64 values.
    pub(crate) trend: Vec<f32>,
    /// `[rows, PATCH, LEVELS]`: quantiles over the last five seasons at that phase.
    pub(crate) seasonal: Vec<f32>,
    /// `[rows, PATCH, LEVELS]`: the same, moved by how far the series has lately run above its last season.
    pub(crate) drifted: Vec<f32>,
}

impl Tokens {
    /// Empties the rows and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.features.clear();
        self.centre.clear();
        self.scale.clear();
        self.targets.clear();
        let c = &mut self.candidates;
        let [steps, levels] = [[&mut c.lag, &mut c.other_lag, &mut c.trend], [&mut c.recent, &mut c.long, &mut c.last]];
        for buffer in steps.into_iter().chain(levels).chain([&mut c.seasonal, &mut c.drifted]) {
            buffer.clear();
        }
    }
}
