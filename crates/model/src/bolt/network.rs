//! The forward pass: scale, patch, encode, decode one token, unscale.

use super::layers::{Attention, Dense, FeedForward, Norm, ResidualBlock, bucket};
use crate::layers::add;
use crate::telemetry::LEVELS;

#[derive(Clone, Debug)]
pub(super) struct EncoderLayer {
    pub(super) attention: Attention,
    pub(super) feed: FeedForward,
}

#[derive(Clone, Debug)]
pub(super) struct DecoderLayer {
    /// Self-attention over one token is its value map and its output map: the softmax over one key is 1.
    pub(super) self_norm: Norm,
    pub(super) self_value: Dense,
    pub(super) self_out: Dense,
    pub(super) cross: Attention,
    pub(super) feed: FeedForward,
}

#[derive(Clone, Debug)]
pub(super) struct Network {
    pub(super) context: usize,
    pub(super) prediction: usize,
    pub(super) patch: usize,
    pub(super) use_reg_token: bool,
    pub(super) max_distance: usize,
    pub(super) buckets: usize,
    /// `[2, d]`: the decoder's start token and the REG token.
    pub(super) shared: Vec<f32>,
    pub(super) input: ResidualBlock,
    /// `[buckets, heads]`
    pub(super) position_bias: Vec<f32>,
    pub(super) encoder: Vec<EncoderLayer>,
    pub(super) encoder_norm: Norm,
    pub(super) decoder: Vec<DecoderLayer>,
    pub(super) decoder_norm: Norm,
    pub(super) output: ResidualBlock,
}

impl Network {
    /// Nine quantiles of each of the next `prediction` steps, in the series' unit, unsorted as the network gives them.
    pub(super) fn quantiles(&self, history: &[f32]) -> Vec<[f32; LEVELS]> {
        let history = &history[history.len().saturating_sub(self.context)..];
        let (location, scale) = scaling(history);
        let (tokens, mut valid) = self.tokens(history, location, scale);
        let mut h = self.input.apply(&tokens);
        let d = self.encoder_norm.gain.len();
        if self.use_reg_token {
            h.extend_from_slice(&self.shared[d..]);
            valid.push(true);
        }
        let bias = self.bias(valid.len());
        for layer in &self.encoder {
            layer.attention.add_self(&mut h, &valid, &bias);
            layer.feed.add_to(&mut h);
        }
        let out = self.output.apply(&self.decode(&self.encoder_norm.apply(&h), &valid));
        (0..self.prediction)
            .map(|step| {
                let level = |level: usize| f64::from(out[level * self.prediction + step]) * scale + location;
                std::array::from_fn(|k| level(k) as f32)
            })
            .collect()
    }

    /// `[patches, 2 · patch]` of (scaled values, mask), padded in front, and which patches hold anything.
    fn tokens(&self, history: &[f32], location: f64, scale: f64) -> (Vec<f32>, Vec<bool>) {
        let patches = history.len().div_ceil(self.patch).max(1);
        let padding = patches * self.patch - history.len();
        let at = |k: usize| k.checked_sub(padding).map_or(f32::NAN, |k| history[k]);
        let (mut tokens, mut valid) = (Vec::with_capacity(patches * 2 * self.patch), Vec::with_capacity(patches + 1));
        for start in (0..patches * self.patch).step_by(self.patch) {
            let values: Vec<f32> = (start..start + self.patch).map(at).collect();
            let scaled = |x: &f32| if x.is_nan() { 0.0 } else { ((f64::from(*x) - location) / scale) as f32 };
            tokens.extend(values.iter().map(scaled));
            tokens.extend(values.iter().map(|x| f32::from(u8::from(!x.is_nan()))));
            valid.push(values.iter().any(|x| !x.is_nan()));
        }
        (tokens, valid)
    }

    /// `[heads, tokens, tokens]`
    fn bias(&self, tokens: usize) -> Vec<f32> {
        let heads = self.position_bias.len() / self.buckets;
        let mut bias = Vec::with_capacity(heads * tokens * tokens);
        for head in 0..heads {
            for query in 0..tokens {
                bias.extend((0..tokens).map(|key| {
                    let bucket = bucket(key as i64 - query as i64, self.buckets, self.max_distance);
                    self.position_bias[bucket * heads + head]
                }));
            }
        }
        bias
    }

    /// The decoder's one token after all layers, `[d]`.
    fn decode(&self, memory: &[f32], valid: &[bool]) -> Vec<f32> {
        let mut h = self.shared[..self.decoder_norm.gain.len()].to_vec();
        for layer in &self.decoder {
            let value = layer.self_value.apply(&layer.self_norm.apply(&h));
            add(&mut h, &layer.self_out.apply(&value));
            layer.cross.add_cross(&mut h, memory, valid);
            layer.feed.add_to(&mut h);
        }
        self.decoder_norm.apply(&h)
    }
}

/// Mean and population deviation of what is there; (0, 1) where nothing is, and 1e-5 for a constant.
fn scaling(history: &[f32]) -> (f64, f64) {
    let seen = || history.iter().filter(|x| !x.is_nan()).map(|x| f64::from(*x));
    let n = seen().count() as f64;
    if n == 0.0 {
        return (0.0, 1.0);
    }
    let mean = seen().sum::<f64>() / n;
    let deviation = (seen().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    (mean, if deviation > 0.0 { deviation } else { 1e-5 })
}
