//! The loop over steps: shards on threads, one sum of gradients, one optimiser step.

use serde::{Deserialize, Serialize};

use super::TrainSet;
use super::adamw::AdamW;
use super::checkpoint::Checkpoint;
use super::schedule::Schedule;
use super::windows::{Groups, HIDDEN_PATCHES, Mixture, WindowMaker};
use crate::rng::Rng;
use crate::telemetry::TelemetryModel;
use crate::telemetry::config::ModelConfig;
use crate::telemetry::head::pinball;
use crate::telemetry::network::{Network, Trace};
use crate::telemetry::tokens::Tokens;

/// All that decides the weights, besides the series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// Sizes of the network.
    pub model: ModelConfig,
    /// Learning rate and number of steps.
    pub schedule: Schedule,
    /// What windows are made of.
    pub mixture: Mixture,
    /// Seed of the weights' start and of every draw.
    pub seed: u64,
    /// Shards of one batch.
    pub shards: usize,
    /// Windows and patches a window of a shard of long histories.
    pub long: (usize, usize),
    /// The same of a shard of short histories.
    pub short: (usize, usize),
    /// Share of shards with long histories.
    pub long_share: f32,
    /// Weight that the running average keeps at each step.
    pub average_keep: f32,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            model: ModelConfig::default(),
            schedule: Schedule::default(),
            mixture: Mixture::default(),
            seed: 1,
            shards: 8,
            long: (8, 73),
            short: (24, 25),
            long_share: 0.7,
            average_keep: 0.998,
        }
    }
}

impl TrainConfig {
    /// Refuses what no training of this program has; bounds keep a hostile checkpoint from asking for memory.
    pub(crate) fn validate(&self) -> Result<(), String> {
        self.model.validate().map_err(|error| error.to_string())?;
        let Self { schedule, mixture, shards, long, short, long_share, average_keep, .. } = self;
        let sizes =
            [("shards", *shards, 1, 64)].into_iter().chain([long, short].into_iter().flat_map(|(windows, patches)| {
                [("windows", *windows, 1, 1024), ("patches", *patches, HIDDEN_PATCHES, 1024)]
            }));
        let shard = |(windows, patches): &(usize, usize)| windows.saturating_mul(*patches);
        for (name, size, least, most) in
            sizes.chain([("windows times patches", shard(long).max(shard(short)), 1, 1 << 14)])
        {
            if !(least..=most).contains(&size) {
                return Err(format!("{name} = {size} is not within {least}..={most}"));
            }
        }
        let of_mixture = [mixture.synthetic, mixture.downsampled, mixture.mixed, mixture.gaps, mixture.events];
        let shares = of_mixture.into_iter().chain([mixture.replay, *long_share, *average_keep, schedule.decay]);
        match shares.chain([schedule.peak, schedule.end]).find(|share| !(0.0..=1.0).contains(share)) {
            Some(share) => Err(format!("a share or learning rate of {share} is not within 0..=1")),
            None => Ok(()),
        }
    }
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Mean pinball loss of the batch, in each token's local scale.
    pub loss: f64,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Learning rate used.
    pub rate: f32,
    /// Windows in the batch.
    pub windows: usize,
    /// Targets in the batch.
    pub targets: usize,
}

/// A training under way.
#[derive(Debug)]
pub struct Trainer<'a> {
    set: &'a TrainSet,
    groups: Groups,
    network: Network,
    decay_mask: Vec<f32>,
    state: Checkpoint,
    /// One a thread.
    buffers: Vec<Shard>,
    gradient: Vec<f32>,
    threads: usize,
    /// Steps in a row, the last ones, that changed nothing since their gradient was not finite.
    faults: u64,
}

/// So many of them, and what follows will be no better.
const MOST_FAULTS: u64 = 10;

/// The buffers of the shard that a thread is at.
#[derive(Debug)]
struct Shard {
    maker: WindowMaker,
    tokens: Tokens,
    trace: Trace,
    gradient: Vec<f32>,
    loss: f64,
    targets: usize,
    windows: usize,
}

impl<'a> Trainer<'a> {
    /// A fresh training.
    pub fn new(config: TrainConfig, set: &'a TrainSet, threads: usize) -> Self {
        let weights = Network::new(config.model).layout.init(config.seed);
        Self::resume(Checkpoint { config, step: 0, optimiser: AdamW::new(weights) }, set, threads)
    }

    /// A training that starts from a model's weights; `config.model` is that model's.
    pub fn from_model(model: &TelemetryModel, config: &TrainConfig, set: &'a TrainSet, threads: usize) -> Self {
        let config = TrainConfig { model: model.config(), ..config.clone() };
        Self::resume(Checkpoint { config, step: 0, optimiser: AdamW::new(model.weights().to_vec()) }, set, threads)
    }

    /// Goes on from a checkpoint, exactly as if it had never stopped.
    pub fn resume(state: Checkpoint, set: &'a TrainSet, threads: usize) -> Self {
        let network = Network::new(state.config.model);
        let parameters = network.layout.len();
        let buffers = || Shard {
            maker: WindowMaker::new(),
            tokens: Tokens::default(),
            trace: Trace::default(),
            gradient: vec![0.0; parameters],
            loss: 0.0,
            targets: 0,
            windows: 0,
        };
        let threads = threads.clamp(1, state.config.shards.max(1));
        Self {
            set,
            groups: Groups::of(set, state.config.mixture.replay),
            decay_mask: network.layout.decay_mask(),
            network,
            buffers: (0..threads).map(|_| buffers()).collect(),
            gradient: vec![0.0; parameters],
            state,
            threads,
            faults: 0,
        }
    }

    /// One step, or `None` when all are done.
    pub fn step(&mut self) -> Option<Progress> {
        let TrainConfig { schedule, average_keep, .. } = self.state.config;
        if self.state.step >= schedule.steps {
            return None;
        }
        let Totals { loss, targets, windows } = self.run_shards();
        let rate = schedule.rate(self.state.step);
        let optimiser = &mut self.state.optimiser;
        let gradient_norm = optimiser.step(&self.gradient, &self.decay_mask, self.state.step, rate, average_keep);
        self.state.step += 1;
        self.faults = if gradient_norm.is_finite() { 0 } else { self.faults + 1 };
        Some(Progress {
            step: self.state.step,
            steps: schedule.steps,
            loss: loss / targets.max(1) as f64,
            gradient_norm,
            rate,
            windows,
            targets,
        })
    }

    /// The state to write to disk.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.state
    }

    /// Whether step after step has had a gradient that is not finite: nothing is learnt any more.
    pub fn has_diverged(&self) -> bool {
        self.faults >= MOST_FAULTS
    }

    /// Changes the schedule of a training under way, where the time turns out shorter or longer than planned; false, with
    /// nothing changed, where the steps done would have been fewer or at other rates: the weights would be those of neither.
    #[must_use]
    pub fn set_schedule(&mut self, schedule: Schedule) -> bool {
        let (done, before) = (self.state.step, self.state.config.schedule);
        let fits = done <= schedule.steps && (0..done).all(|step| schedule.rate(step) == before.rate(step));
        if fits {
            self.state.config.schedule = schedule;
        }
        fits
    }

    /// The running average of the weights: what is shipped.
    pub fn average(&self) -> &[f32] {
        &self.state.optimiser.average
    }

    /// The model of those weights.
    pub fn model(&self) -> TelemetryModel {
        TelemetryModel::from_parts(self.network.clone(), self.average().to_vec())
    }

    /// Every shard forward and backward, as many at a time as there are threads; sums them in their order, so that neither the bytes
    /// depend on the number of threads nor the memory on the number of shards. The gradient becomes that of the mean loss.
    fn run_shards(&mut self) -> Totals {
        let mut totals = Totals::default();
        let mut buffers = std::mem::take(&mut self.buffers);
        self.gradient.fill(0.0);
        let shards = self.state.config.shards.max(1);
        for first in (0..shards).step_by(self.threads) {
            let wave = &mut buffers[..self.threads.min(shards - first)];
            self.run_wave(first, wave);
            for shard in wave {
                totals.add(shard);
                self.gradient.iter_mut().zip(&shard.gradient).for_each(|(sum, g)| *sum += g);
            }
        }
        self.buffers = buffers;
        let scale = 1.0 / totals.targets.max(1) as f32;
        self.gradient.iter_mut().for_each(|g| *g *= scale);
        totals
    }

    /// The shards from `first` on, each on a thread of its own with a buffer of its own.
    fn run_wave(&self, first: usize, wave: &mut [Shard]) {
        std::thread::scope(|scope| {
            let mut shards = wave.iter_mut().enumerate();
            let own = shards.next();
            shards.for_each(|(place, shard)| drop(scope.spawn(move || self.run_shard(first + place, shard))));
            own.into_iter().for_each(|(place, shard)| self.run_shard(first + place, shard));
        });
    }

    fn run_shard(&self, index: usize, shard: &mut Shard) {
        let TrainConfig { seed, long, short, long_share, ref mixture, .. } = self.state.config;
        let mut rng = Rng::for_place(seed, self.state.step, index as u64);
        let (windows, patches) = if rng.chance(long_share) { long } else { short };
        shard.tokens.clear();
        for _ in 0..windows {
            shard.maker.append(self.set, &self.groups, mixture, patches, &mut rng, &mut shard.tokens);
        }
        let (weights, features) = (self.state.optimiser.weights.as_slice(), &shard.tokens.features);
        self.network.forward(weights, features, patches - 1, patches - 1, &mut shard.trace);
        let trace = &mut shard.trace;
        trace.d_out.resize(trace.out.len(), 0.0);
        (shard.loss, shard.targets) = pinball(&trace.out, &shard.tokens, &mut trace.d_out);
        shard.windows = windows;
        shard.gradient.fill(0.0);
        self.network.backward(weights, features, trace, &mut shard.gradient);
    }
}

/// What the shards of one step add up to.
#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    loss: f64,
    targets: usize,
    windows: usize,
}

impl Totals {
    fn add(&mut self, shard: &Shard) {
        self.loss += shard.loss;
        self.targets += shard.targets;
        self.windows += shard.windows;
    }
}
