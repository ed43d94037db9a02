//! The network: `h = Embed(features)`; per block `h += Mix(RMS(h))`, `h += SwiGLU(RMS(h))`; `out = Head(RMS(h))`.
//!
//! Features `[windows · tokens, FEATURES]`, h `[.., d]`, out `[.., OUTPUTS]`. Pre-norm, no dropout. Mix is
//! causal attention (the Transformer) or a gated recurrent unit (its baseline).

use super::config::{Mixer, ModelConfig};
use super::head::OUTPUTS;
use crate::layers::attention::{Attention, AttentionTrace};
use crate::layers::gru::{Gru, GruTrace};
use crate::layers::int8::{QuantizedMatrices, QuantizedMatrix};
use crate::layers::linear::Weights;
use crate::layers::residual_mlp::{ResidualMlp, ResidualMlpTrace};
use crate::layers::rms_norm::RmsNorm;
use crate::layers::swiglu::{SwiGlu, SwiGluTrace};
use crate::layers::{add, resize};
use crate::params::Layout;

/// One block: what mixes tokens, then the feed-forward.
#[derive(Clone, Debug)]
struct Block {
    mixer_norm: RmsNorm,
    mixer: MixerLayer,
    feed_norm: RmsNorm,
    feed: SwiGlu,
}

#[derive(Clone, Debug)]
enum MixerLayer {
    Attention(Attention),
    Gru(Gru),
}

impl MixerLayer {
    fn new(layout: &mut Layout, name: &str, config: &ModelConfig, out_gain: f32) -> Self {
        match config.mixer {
            Mixer::Attention => {
                Self::Attention(Attention::new(layout, &format!("{name}.attention"), config.d, config.heads, out_gain))
            }
            Mixer::Gru => Self::Gru(Gru::new(layout, &format!("{name}.gru"), config.d)),
        }
    }

    /// Adds to `y`, which holds the last `wanted` rows of each window of `tokens`.
    fn forward_add<W: Weights + ?Sized>(&self, weights: &W, sizes: [usize; 2], y: &mut [f32], kept: &mut BlockTrace) {
        match self {
            Self::Attention(layer) => layer.forward_add(weights, &kept.mixer_in, sizes, y, &mut kept.attention),
            Self::Gru(layer) => layer.forward_add(weights, &kept.mixer_in, sizes, y, &mut kept.gru),
        }
    }

    fn backward(&self, weights: &[f32], dy: &[f32], kept: &mut BlockTrace, gradient: &mut [f32], dx: &mut [f32]) {
        match self {
            Self::Attention(layer) => layer.backward(weights, &kept.mixer_in, dy, &mut kept.attention, gradient, dx),
            Self::Gru(layer) => layer.backward(weights, &kept.mixer_in, dy, &mut kept.gru, gradient, dx),
        }
    }
}

/// Shapes and places of all weights; the weights themselves are passed in.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) config: ModelConfig,
    pub(crate) layout: Layout,
    pub(crate) embed: ResidualMlp,
    blocks: Vec<Block>,
    pub(crate) norm: RmsNorm,
    pub(crate) head: ResidualMlp,
}

#[derive(Clone, Debug, Default)]
struct BlockTrace {
    /// The stream before the mixer and before the feed-forward, each with its normalised form.
    before_mixer: Vec<f32>,
    mixer_in: Vec<f32>,
    attention: AttentionTrace,
    gru: GruTrace,
    before_feed: Vec<f32>,
    feed_in: Vec<f32>,
    feed: SwiGluTrace,
}

/// Buffers of one forward and backward pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    embed: ResidualMlpTrace,
    blocks: Vec<BlockTrace>,
    /// All blocks use the same buffers: a fourth of the memory, for who does not go back.
    is_forward_only: bool,
    stream: Vec<f32>,
    normed: Vec<f32>,
    head: ResidualMlpTrace,
    pub(crate) out: Vec<f32>,
    pub(crate) d_out: Vec<f32>,
    d_stream: Vec<f32>,
    d_normed: Vec<f32>,
    d_branch: Vec<f32>,
}

impl Trace {
    /// Buffers of forward passes only.
    pub(crate) fn forward_only() -> Self {
        Self { is_forward_only: true, ..Self::default() }
    }
}

impl Network {
    pub(crate) fn new(config: ModelConfig) -> Self {
        let mut layout = Layout::default();
        let ModelConfig { d, layers, hidden, edge, features, .. } = config;
        // Branches start small, so that the depth of the stream does not scale its variance.
        let out_gain = 1.0 / (2.0 * layers as f32).sqrt();
        let embed = ResidualMlp::new(&mut layout, "embed", [features, edge, d], 0.7);
        let blocks = (0..layers)
            .map(|k| {
                let name = |part: &str| format!("blocks.{k}.{part}");
                Block {
                    mixer_norm: RmsNorm::new(&mut layout, &name("mixer_norm"), d),
                    mixer: MixerLayer::new(&mut layout, &format!("blocks.{k}"), &config, out_gain),
                    feed_norm: RmsNorm::new(&mut layout, &name("feed_norm"), d),
                    feed: SwiGlu::new(&mut layout, &name("feed"), d, hidden, out_gain),
                }
            })
            .collect();
        let norm = RmsNorm::new(&mut layout, "norm", d);
        let head = ResidualMlp::new(&mut layout, "head", [d, edge, OUTPUTS], 0.05);
        Self { config, layout, embed, blocks, norm, head }
    }

    /// The matrices of the map into the stream and of the blocks in 8 bits: nearly all of the work. What leaves the stream
    /// stays in f32: it is little, and the forecast's last digits need it. Empty where the processor lacks the instructions.
    pub(crate) fn quantize(&self, weights: &[f32]) -> QuantizedMatrices {
        let embed = [&self.embed.hidden, &self.embed.output, &self.embed.skip];
        let inside = self.blocks.iter().flat_map(|block| {
            let mixer = match &block.mixer {
                MixerLayer::Attention(layer) => vec![&layer.qkv, &layer.out],
                MixerLayer::Gru(_) => vec![],
            };
            mixer.into_iter().chain([&block.feed.gate_up, &block.feed.down])
        });
        embed
            .into_iter()
            .chain(inside)
            .filter_map(|linear| {
                let matrix = QuantizedMatrix::new(linear.weight.of(weights), linear.outputs, linear.inputs)?;
                Some((linear.weight, matrix))
            })
            .collect()
    }

    /// Fills `trace.out` for the last `wanted` rows of each window of `tokens` rows. Only those ask in the last mixer and pass
    /// through what follows it, since no other row is read there; a backward pass needs all (`wanted == tokens`).
    pub(crate) fn forward<W: Weights + ?Sized>(
        &self,
        weights: &W,
        features: &[f32],
        tokens: usize,
        wanted: usize,
        trace: &mut Trace,
    ) {
        let d = self.config.d;
        let rows = features.len() / self.config.features;
        let buffers = if trace.is_forward_only { 1 } else { self.blocks.len() };
        trace.blocks.resize_with(buffers, BlockTrace::default);
        resize(&mut trace.stream, rows * d);
        self.embed.forward(weights, features, &mut trace.stream, &mut trace.embed);
        for (k, block) in self.blocks.iter().enumerate() {
            let kept = &mut trace.blocks[k % buffers];
            let h = &mut trace.stream;
            keep(h, &mut kept.before_mixer);
            resize(&mut kept.mixer_in, h.len());
            block.mixer_norm.forward(weights.flat(), h, &mut kept.mixer_in);
            let asking = if k + 1 == self.blocks.len() { wanted } else { tokens };
            keep_last_rows(h, tokens * d, asking * d);
            block.mixer.forward_add(weights, [tokens, asking], h, kept);
            keep(h, &mut kept.before_feed);
            resize(&mut kept.feed_in, h.len());
            block.feed_norm.forward(weights.flat(), h, &mut kept.feed_in);
            block.feed.forward_add(weights, &kept.feed_in, h, &mut kept.feed);
        }
        resize(&mut trace.normed, trace.stream.len());
        resize(&mut trace.out, trace.stream.len() / d * OUTPUTS);
        self.norm.forward(weights.flat(), &trace.stream, &mut trace.normed);
        self.head.forward(weights, &trace.normed, &mut trace.out, &mut trace.head);
    }

    /// Adds to `gradient` what `trace.d_out` asks for; `features` and `trace` are those of the last forward.
    pub(crate) fn backward(&self, weights: &[f32], features: &[f32], trace: &mut Trace, gradient: &mut [f32]) {
        let len = trace.stream.len();
        for buffer in [&mut trace.d_stream, &mut trace.d_normed, &mut trace.d_branch] {
            resize(buffer, len);
        }
        let Trace { embed, blocks, stream, normed, head, d_out, d_stream, d_normed, d_branch, .. } = trace;
        self.head.backward(weights, normed, d_out, head, gradient, Some(d_normed));
        self.norm.backward(weights, stream, d_normed, gradient, d_stream);
        for (block, kept) in self.blocks.iter().zip(blocks).rev() {
            block.feed.backward(weights, &kept.feed_in, d_stream, &mut kept.feed, gradient, d_normed);
            block.feed_norm.backward(weights, &kept.before_feed, d_normed, gradient, d_branch);
            add(d_stream, d_branch);
            block.mixer.backward(weights, d_stream, kept, gradient, d_normed);
            block.mixer_norm.backward(weights, &kept.before_mixer, d_normed, gradient, d_branch);
            add(d_stream, d_branch);
        }
        self.embed.backward(weights, features, d_stream, embed, gradient, None);
    }
}

fn keep(from: &[f32], to: &mut Vec<f32>) {
    resize(to, from.len());
    to.copy_from_slice(from);
}

/// Of each `all` numbers keeps the last `wanted`, in order.
fn keep_last_rows(stream: &mut Vec<f32>, all: usize, wanted: usize) {
    if wanted < all {
        let windows = stream.len() / all;
        (0..windows).for_each(|k| stream.copy_within((k + 1) * all - wanted..(k + 1) * all, k * wanted));
        stream.truncate(windows * wanted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::gradient_check::{check, random};
    use crate::telemetry::PATCH;
    use crate::telemetry::features::FeatureMaker;
    use crate::telemetry::tokens::{Tokens, Window};
    use std::cell::RefCell;

    #[test]
    fn the_shipped_size_is_about_a_million() {
        let [parameters, recurrent] =
            [ModelConfig::default(), ModelConfig::recurrent()].map(|config| Network::new(config).layout.len());
        assert!((1_000_000..1_300_000).contains(&parameters), "{parameters}");
        assert!(parameters.abs_diff(recurrent) < parameters / 50, "{recurrent} against {parameters}");
    }

    /// From values to outputs, whatever mixes the tokens.
    #[test]
    fn what_comes_later_changes_nothing_that_was_said_before() {
        const PATCHES: usize = 12;
        const SEEN: usize = 7;
        let mut values: Vec<f32> = random(6, PATCHES * PATCH).iter().map(|x| 9.0 + x).collect();
        for mixer in [Mixer::Attention, Mixer::Gru] {
            let network = Network::new(ModelConfig { mixer, layers: 2, ..ModelConfig::tiny() });
            let weights = network.layout.init(4);
            let out = |values: &[f32]| {
                let window = Window {
                    values,
                    lead: 0,
                    visible: &[true; PATCHES],
                    multipliers: &[],
                    seasons: [Some(24), Some(100)],
                    step_s: 300,
                    start_time_s: Some(0),
                    non_negative: true,
                };
                let (mut tokens, mut trace) = (Tokens::default(), Trace::default());
                FeatureMaker::new().append(&window, PATCHES - 1, &mut tokens);
                let rows = PATCHES - 1;
                network.forward(weights.as_slice(), &tokens.features, rows, rows, &mut trace);
                trace.out
            };
            let before = out(&values);
            values[SEEN * PATCH..].iter_mut().for_each(|x| *x = 40.0 - *x);
            let after = out(&values);
            let (past, future) = before.split_at(SEEN * OUTPUTS);
            assert!(after[..SEEN * OUTPUTS] == *past, "{mixer:?}: the future changed the past");
            assert!(after[SEEN * OUTPUTS..] != *future, "{mixer:?}: the values are not looked at");
        }
    }

    #[test]
    fn what_is_said_of_the_last_rows_is_the_same_without_the_others() {
        const TOKENS: usize = 37;
        const WANTED: usize = 9;
        for mixer in [Mixer::Attention, Mixer::Gru] {
            let network = Network::new(ModelConfig { mixer, layers: 2, ..ModelConfig::tiny() });
            let weights = network.layout.init(4);
            let features = random(5, 3 * TOKENS * network.config.features);
            let [all, few] = [TOKENS, WANTED].map(|wanted| {
                let mut trace = Trace::default();
                network.forward(weights.as_slice(), &features, TOKENS, wanted, &mut trace);
                trace.out
            });
            let last = all.chunks_exact(TOKENS * OUTPUTS).flat_map(|window| &window[(TOKENS - WANTED) * OUTPUTS..]);
            assert_eq!(few.len(), 3 * WANTED * OUTPUTS);
            for (found, expected) in few.iter().zip(last) {
                assert!((found - expected).abs() <= 1e-5, "{mixer:?}: {found}, of all {expected}");
            }
        }
    }

    #[test]
    fn gradients_of_the_whole_are_difference_quotients() {
        // Features are fixed by the code; a narrow network on a few rows keeps the differences cheap.
        let config = ModelConfig { d: 4, heads: 1, layers: 1, hidden: 3, edge: 2, ..ModelConfig::default() };
        let network = Network::new(config);
        let weights = network.layout.init(4);
        let features = random(5, 3 * config.features);
        let trace = RefCell::new(Trace::default());
        let out = 3 * OUTPUTS;
        check(
            &weights,
            &[],
            out,
            2e-3,
            |weights, _, y| {
                network.forward(weights, &features, 3, 3, &mut trace.borrow_mut());
                y.copy_from_slice(&trace.borrow().out);
            },
            |weights, _, dy, gradient, _| {
                let mut trace = trace.borrow_mut();
                trace.d_out = dy.to_vec();
                network.backward(weights, &features, &mut trace, gradient);
            },
        );
    }
}
