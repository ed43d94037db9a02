//! Forecasting with trained weights.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::config::{Mixer, ModelConfig};
use super::features::FeatureMaker;
use super::head::{OUTPUTS, quantiles};
use super::network::{Network, Trace};
use super::tokens::{Tokens, Window};
use super::{LEVELS, PATCH, weights};
use crate::error::WeightsError;
use crate::layers::int8::{Int8Weights, QuantizedMatrices};

/// Most patches of history that the network reads: a week at five minutes, 34 hours at one minute.
const CONTEXT_PATCHES: usize = 63;
/// Older values that seasonal lags may still reach.
const LEAD: usize = 2 * CONTEXT_PATCHES * PATCH;
/// Steps forecast at the series' own step; what lies further comes from a coarser copy.
pub const NATIVE_HORIZON: usize = 288;
/// A coarse fan is widened at most so many times where it begins.
const MOST_WIDENED: f64 = 8.0;
/// What is forecast from a single value, as multiples of it: it tells a level, but not how far that moves. The levels of a
/// log-normal distribution that lies between half and twice the value in eight of ten cases.
const LONE: [f32; LEVELS] = [0.5, 0.634, 0.753, 0.872, 1.0, 1.147, 1.328, 1.577, 2.0];
/// Windows of one pass: enough rows to keep the matrix kernels busy, few enough to stay in cache; a recurrent network has a
/// product for each token, whose rows are the windows.
const fn windows_at_once(mixer: Mixer) -> usize {
    match mixer {
        Mixer::Attention => 4,
        Mixer::Gru => 8,
    }
}

/// One series to forecast from its end.
#[derive(Clone, Copy, Debug)]
pub struct SeriesInput<'a> {
    /// History, oldest first, one value a step; NaN (or infinite) is missing.
    pub values: &'a [f32],
    /// Seconds from one value to the next; 0 where unknown.
    pub step_s: u32,
    /// UTC time of the last value, where known.
    pub end_time_s: Option<i64>,
    /// A season known to the caller, in steps; found from the history otherwise.
    pub season_steps: Option<usize>,
    /// For each step ahead, what demand is announced to be multiplied by (1: nothing announced). Shorter than the
    /// horizon means 1 for the rest; values that are not positive and finite count as 1.
    pub future_multiplier: Option<&'a [f32]>,
}

impl SeriesInput<'_> {
    /// Without what is missing in front, which tells nothing.
    fn trimmed(&self) -> Self {
        let first = self.values.iter().position(|x| x.is_finite()).unwrap_or(self.values.len());
        Self { values: &self.values[first..], ..*self }
    }

    /// Every `factor`-th value, newest first.
    fn every(&self, factor: usize) -> impl Iterator<Item = f32> {
        self.values.iter().rev().step_by(factor).take(self.values.len() / factor).copied()
    }

    /// What a step ahead is announced to be multiplied by.
    fn multiplier(&self, step: usize) -> f32 {
        let announced = self.future_multiplier.and_then(|all| all.get(step)).copied();
        announced.filter(|m| m.is_finite() && *m > 0.0).unwrap_or(1.0)
    }
}

/// Quantiles of one series' future.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantileForecast {
    /// `[horizon][9]`, row-major, levels as in [`QUANTILES`](super::QUANTILES): finite, non-decreasing along a row, and not
    /// below zero where the history is not.
    pub values: Vec<f32>,
}

impl QuantileForecast {
    /// The nine levels of a step ahead.
    pub fn at(&self, step: usize) -> &[f32] {
        &self.values[step * LEVELS..(step + 1) * LEVELS]
    }

    /// Steps ahead.
    pub fn horizon(&self) -> usize {
        self.values.len() / LEVELS
    }
}

/// How the matrices of the map into the stream and of the blocks are multiplied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 8-bit whole numbers where the processor has AVX-512 VNNI, 32-bit floats elsewhere.
    #[default]
    Int8,
}

/// The telemetry Transformer with trained weights.
#[derive(Clone, Debug)]
pub struct TelemetryModel {
    network: Network,
    weights: Vec<f32>,
    /// Empty for f32.
    quantized: QuantizedMatrices,
}

/// One pass over one series: at its own step, or every `factor`-th value for what lies beyond.
#[derive(Clone, Copy, Debug)]
struct Task {
    series: usize,
    factor: usize,
    context_patches: usize,
    horizon_patches: usize,
}

/// The buffers of one thread.
#[derive(Debug)]
struct Worker {
    maker: FeatureMaker,
    tokens: Tokens,
    trace: Trace,
    values: Vec<f32>,
    visible: Vec<bool>,
    multipliers: Vec<f32>,
}

impl TelemetryModel {
    /// The model that this program ships with.
    ///
    /// # Errors
    /// None with the weights as committed; a build with other bytes in their place fails as `from_bytes` does.
    pub fn embedded() -> Result<Self, WeightsError> {
        Self::from_bytes(include_bytes!("../../weights/telemetry.safetensors"))
    }

    /// The recurrent baseline of the same size, as it ships with this program.
    ///
    /// # Errors
    /// As [`embedded`](Self::embedded).
    pub fn embedded_recurrent() -> Result<Self, WeightsError> {
        Self::from_bytes(include_bytes!("../../weights/gru.safetensors"))
    }

    /// Reads a weight file (safetensors with its configuration, as `apportion train` writes it).
    ///
    /// # Errors
    /// A file that is cut short, of another shape or version, or that holds NaN; nothing of it is used then.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WeightsError> {
        let (network, weights) = weights::from_bytes(bytes)?;
        Ok(Self::from_parts(network, weights))
    }

    /// The weight file of this model.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WeightsError> {
        weights::to_bytes(&self.network, &self.weights)
    }

    /// A model that has learnt nothing, for tests and as the start of a training.
    pub fn untrained(config: ModelConfig, seed: u64) -> Self {
        let network = Network::new(config);
        let weights = network.layout.init(seed);
        Self::from_parts(network, weights)
    }

    /// In the default precision.
    pub(crate) fn from_parts(network: Network, weights: Vec<f32>) -> Self {
        Self { network, weights, quantized: QuantizedMatrices::new() }.with_precision(Precision::default())
    }

    /// The same model in another precision.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.quantized = match precision {
            Precision::F32 => QuantizedMatrices::new(),
            Precision::Int8 => self.network.quantize(&self.weights),
        };
        self
    }

    /// The sizes of its network.
    pub fn config(&self) -> ModelConfig {
        self.network.config
    }

    pub(crate) fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// Number of weights.
    pub fn parameters(&self) -> usize {
        self.weights.len()
    }

    /// Forecasts every input `horizon_steps` ahead, in the order of the inputs, on `threads` threads. The result does not
    /// depend on `threads`, nor on which other series are in the batch beyond rounding. Steps for which nothing is announced are
    /// forecast as if nothing were announced at all.
    pub fn forecast_batch(
        &self,
        inputs: &[SeriesInput<'_>],
        horizon_steps: usize,
        threads: usize,
    ) -> Vec<QuantileForecast> {
        let is_told = |input: &SeriesInput<'_>| (0..horizon_steps).any(|step| input.multiplier(step) != 1.0);
        let (told, untold): (Vec<usize>, Vec<usize>) = (0..inputs.len()).partition(|k| is_told(&inputs[*k]));
        // Told of an event, the network would move the steps beside it too, and is no better there for it.
        let silent = |k: &usize| SeriesInput { future_multiplier: None, ..inputs[*k] };
        let mut first = inputs.to_vec();
        untold.iter().for_each(|k| first[*k] = silent(k));
        let mut out = self.forecast_told(&first, horizon_steps, threads);
        let plain = self.forecast_told(&told.iter().map(silent).collect::<Vec<_>>(), horizon_steps, threads);
        for (k, plain) in told.into_iter().zip(&plain) {
            let steps = out[k].values.chunks_exact_mut(LEVELS).zip(plain.values.chunks_exact(LEVELS)).enumerate();
            let quiet = steps.filter(|(step, _)| inputs[k].multiplier(*step) == 1.0);
            quiet.for_each(|(_, (levels, plain))| levels.copy_from_slice(plain));
        }
        out
    }

    /// The same, the network being told of what is announced at every step.
    fn forecast_told(&self, inputs: &[SeriesInput<'_>], horizon_steps: usize, threads: usize) -> Vec<QuantileForecast> {
        let inputs: Vec<SeriesInput<'_>> = inputs.iter().map(SeriesInput::trimmed).collect();
        let inputs = inputs.as_slice();
        let mut out = vec![QuantileForecast { values: vec![0.0; horizon_steps * LEVELS] }; inputs.len()];
        self.pass(inputs, &mut out, 1, horizon_steps.min(NATIVE_HORIZON), threads);
        if horizon_steps > NATIVE_HORIZON {
            self.extend(inputs, &mut out, horizon_steps, threads);
        }
        out.iter_mut().zip(inputs).for_each(|(out, input)| finish(out, input));
        out
    }

    /// Fills what lies beyond the native horizon: from a coarser copy of the series, or, where that is too short to tell
    /// anything, as the native steps end.
    fn extend(&self, inputs: &[SeriesInput<'_>], out: &mut [QuantileForecast], horizon_steps: usize, threads: usize) {
        let factor = horizon_steps.div_ceil(NATIVE_HORIZON);
        let (long, brief): (Vec<usize>, Vec<usize>) =
            (0..inputs.len()).partition(|k| inputs[*k].every(factor).filter(|x| x.is_finite()).count() >= PATCH);
        brief.into_iter().for_each(|k| carry_on(&mut out[k]));
        let told: Vec<SeriesInput<'_>> = long.iter().map(|k| inputs[*k]).collect();
        let mut coarse = vec![QuantileForecast { values: vec![0.0; NATIVE_HORIZON * LEVELS] }; told.len()];
        self.pass(&told, &mut coarse, factor, horizon_steps.div_ceil(factor), threads);
        long.into_iter().zip(&coarse).for_each(|(k, coarse)| join(&mut out[k], coarse, factor));
    }

    /// One pass over all inputs at a step `factor` times as long; writes the first `horizon` steps of each output.
    fn pass(
        &self,
        inputs: &[SeriesInput<'_>],
        out: &mut [QuantileForecast],
        factor: usize,
        horizon: usize,
        threads: usize,
    ) {
        let mut tasks: Vec<Task> =
            inputs.iter().enumerate().map(|(k, input)| Task::of(k, input, factor, horizon)).collect();
        tasks.sort_by_key(|task| (task.context_patches, task.series));
        let batches: Vec<&[Task]> = tasks
            .chunk_by(|a, b| a.context_patches == b.context_patches)
            .flat_map(|equal| equal.chunks(windows_at_once(self.network.config.mixer)))
            .collect();
        let slots: Vec<Mutex<&mut QuantileForecast>> = out.iter_mut().map(Mutex::new).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut worker = Worker::new();
            let weights = Int8Weights::new(&self.weights, &self.quantized);
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.run(&weights, inputs, batch, horizon, &mut worker, &slots);
            }
        };
        std::thread::scope(|scope| {
            (1..threads.clamp(1, batches.len().max(1))).for_each(|_| drop(scope.spawn(work)));
            work();
        });
    }

    fn run(
        &self,
        weights: &Int8Weights<'_>,
        inputs: &[SeriesInput<'_>],
        batch: &[Task],
        horizon: usize,
        worker: &mut Worker,
        slots: &[Mutex<&mut QuantileForecast>],
    ) {
        worker.tokens.clear();
        batch.iter().for_each(|task| worker.append(&inputs[task.series], task));
        let Some(first) = batch.first() else { return };
        let rows = first.context_patches + first.horizon_patches - 1;
        let wanted = first.horizon_patches;
        self.network.forward(weights, &worker.tokens.features, rows, wanted, &mut worker.trace);
        for (k, task) in batch.iter().enumerate() {
            // Each series has one slot and is in one batch: the lock is never waited for.
            let mut slot = slots[task.series].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            for step in 0..horizon {
                let levels = worker.levels(k * wanted + step / PATCH, step % PATCH);
                slot.values[step * LEVELS..(step + 1) * LEVELS].copy_from_slice(&levels);
            }
        }
    }
}

impl Task {
    fn of(series: usize, input: &SeriesInput<'_>, factor: usize, horizon: usize) -> Self {
        let context = (input.values.len() / factor).div_ceil(PATCH).clamp(1, CONTEXT_PATCHES);
        Self { series, factor, context_patches: context, horizon_patches: horizon.div_ceil(PATCH).max(1) }
    }
}

impl Worker {
    fn new() -> Self {
        Self {
            maker: FeatureMaker::new(),
            tokens: Tokens::default(),
            trace: Trace::forward_only(),
            values: Vec::new(),
            visible: Vec::new(),
            multipliers: Vec::new(),
        }
    }

    fn append(&mut self, input: &SeriesInput<'_>, task: &Task) {
        let Task { factor, context_patches, horizon_patches, .. } = *task;
        let context = context_patches * PATCH;
        let kept = (input.values.len() / factor).min(context + LEAD);
        let lead = kept.saturating_sub(context);
        self.values.clear();
        self.values.resize((context + lead) - kept, f32::NAN);
        let start = self.values.len();
        self.values.extend(input.every(factor).take(kept).map(|x| if x.is_finite() { x } else { f32::NAN }));
        self.values[start..].reverse();
        let step_s = input.step_s.saturating_mul(u32::try_from(factor).unwrap_or(u32::MAX));
        let seasons = self.seasons(input, factor, step_s);
        let non_negative = is_non_negative(&self.values);
        self.values.resize(lead + context + horizon_patches * PATCH, f32::NAN);
        self.visible.clear();
        self.visible.resize(context_patches, true);
        self.visible.resize(context_patches + horizon_patches, false);
        self.announce(input, factor, context, horizon_patches * PATCH);
        let before_end = (context as i64 - 1).saturating_mul(i64::from(step_s));
        let window = Window {
            values: &self.values,
            lead,
            visible: &self.visible,
            multipliers: &self.multipliers,
            seasons,
            step_s,
            start_time_s: input.end_time_s.map(|end| end.saturating_sub(before_end)),
            non_negative,
        };
        self.maker.append(&window, horizon_patches, &mut self.tokens);
    }

    /// The caller's season first; what is found fills the rest.
    fn seasons(&mut self, input: &SeriesInput<'_>, factor: usize, step_s: u32) -> [Option<usize>; 2] {
        let found = self.maker.finder.find(&self.values, step_s);
        let told = input.season_steps.filter(|season| season.is_multiple_of(factor)).map(|season| season / factor);
        match told.filter(|season| *season > 1 && *season < self.values.len()) {
            Some(told) => [Some(told), found.into_iter().flatten().find(|lag| *lag != told)],
            None => found,
        }
    }

    fn announce(&mut self, input: &SeriesInput<'_>, factor: usize, context: usize, horizon: usize) {
        self.multipliers.clear();
        if input.future_multiplier.is_none() {
            return;
        }
        self.multipliers.resize(context, 1.0);
        self.multipliers.extend((0..horizon).map(|step| input.multiplier((step + 1) * factor - 1)));
    }

    /// Quantiles of one step of a token row, in the series' own unit.
    fn levels(&self, row: usize, step: usize) -> [f32; LEVELS] {
        let (centre, scale) = (self.tokens.centre[row], self.tokens.scale[row]);
        let local = quantiles(&self.trace.out[row * OUTPUTS..(row + 1) * OUTPUTS], &self.tokens, row, step);
        local.map(|z| {
            let value = centre + scale * f64::from(z).clamp(-60.0, 60.0).sinh();
            value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32
        })
    }
}

fn is_non_negative(values: &[f32]) -> bool {
    values.iter().all(|x| x.is_nan() || *x >= 0.0)
}

/// The last native steps, of which there is a patch.
const LAST: std::ops::Range<usize> = NATIVE_HORIZON - PATCH..NATIVE_HORIZON;

/// Fills what lies beyond the native horizon with the mean of its last patch.
fn carry_on(out: &mut QuantileForecast) {
    let mean = |level: usize| LAST.map(|step| f64::from(out.at(step)[level])).sum::<f64>() / PATCH as f64;
    let levels: [f32; LEVELS] = std::array::from_fn(|level| mean(level) as f32);
    out.values[NATIVE_HORIZON * LEVELS..].as_chunks_mut().0.fill(levels);
}

/// Fills what lies beyond the native horizon from a forecast at a step `factor` times as long. That knows less of what happens
/// within its steps, so its fan, where it is the narrower one at the border, is widened to meet the native one there; the
/// widening fades out over as many steps again.
fn join(out: &mut QuantileForecast, coarse: &QuantileForecast, factor: usize) {
    let wider = wider(out, coarse, factor);
    for step in NATIVE_HORIZON..out.horizon() {
        let levels = coarse_step(coarse, factor, step);
        let left = 1.0 - ((step - NATIVE_HORIZON) as f64 / NATIVE_HORIZON as f64).min(1.0);
        let (centre, by) = (levels[LEVELS / 2], 1.0 + (wider - 1.0) * left);
        let levels = levels.map(|x| (centre + (x - centre) * by) as f32);
        out.values[step * LEVELS..(step + 1) * LEVELS].copy_from_slice(&levels);
    }
}

/// How many times as wide the native fan is as the coarse one over the last native steps, if it is wider.
fn wider(native: &QuantileForecast, coarse: &QuantileForecast, factor: usize) -> f64 {
    let width = |low: f64, high: f64| high - low;
    let of_native = |step: usize| width(native.at(step)[0].into(), native.at(step)[LEVELS - 1].into());
    let of_coarse = |step: usize| {
        let levels = coarse_step(coarse, factor, step);
        width(levels[0], levels[LEVELS - 1])
    };
    let ratio = LAST.map(of_native).sum::<f64>() / LAST.map(of_coarse).sum::<f64>();
    if ratio.is_finite() { ratio.clamp(1.0, MOST_WIDENED) } else { 1.0 }
}

/// A coarse forecast at a step of the series' own, by linear interpolation.
fn coarse_step(coarse: &QuantileForecast, factor: usize, step: usize) -> [f64; LEVELS] {
    // Coarse step j ends at fine step (j + 1) * factor - 1.
    let place = (step + 1) as f64 / factor as f64 - 1.0;
    let low = place.max(0.0) as usize;
    let share = (place - low as f64).clamp(0.0, 1.0);
    let high = (low + 1).min(coarse.horizon() - 1);
    let (a, b) = (coarse.at(low), coarse.at(high));
    std::array::from_fn(|level| f64::from(a[level]) * (1.0 - share) + f64::from(b[level]) * share)
}

/// The one value that a history consists of, where it does.
fn lone_value(history: &[f32]) -> Option<f32> {
    let mut seen = history.iter().copied().filter(|x| x.is_finite());
    let value = seen.next()?;
    seen.next().is_none().then_some(value)
}

/// Announced multipliers, and the bounds that every forecast keeps.
fn finish(out: &mut QuantileForecast, input: &SeriesInput<'_>) {
    if let Some(value) = lone_value(input.values) {
        out.values.as_chunks_mut().0.fill(LONE.map(|times| value * times));
    }
    let floor = if input.values.iter().all(|x| !x.is_finite() || *x >= 0.0) { 0.0 } else { f32::MIN };
    for (step, levels) in out.values.chunks_exact_mut(LEVELS).enumerate() {
        let m = input.multiplier(step);
        levels.iter_mut().for_each(|x| *x = (*x * m).clamp(floor, f32::MAX));
        levels.sort_unstable_by(f32::total_cmp);
    }
}
