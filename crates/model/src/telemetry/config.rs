//! The sizes of a network, kept in the metadata of its weight file.

use serde::{Deserialize, Serialize};

use super::PATCH;
use super::features::FEATURES;
use crate::error::WeightsError;

/// What passes information from token to token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mixer {
    /// Causal self-attention: the Transformer.
    #[default]
    Attention,
    /// A gated recurrent unit: the baseline that tells what attention is worth.
    Gru,
}

/// Sizes of a telemetry network. `default()` is the shipped one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Width of the residual stream.
    pub d: usize,
    /// Attention heads; divides `d`, each head even.
    pub heads: usize,
    /// Blocks of attention and feed-forward.
    pub layers: usize,
    /// Width of the gated feed-forward branch.
    pub hidden: usize,
    /// Width inside the maps that enter and leave the stream.
    pub edge: usize,
    /// Steps of one token; fixed by the code, kept so that a file says what it was made for.
    pub patch: usize,
    /// Numbers of one token's input; fixed by the code, kept like `patch`.
    pub features: usize,
    /// What passes information from token to token.
    #[serde(default)]
    pub mixer: Mixer,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            d: 128,
            heads: 4,
            layers: 4,
            hidden: 344,
            edge: 256,
            patch: PATCH,
            features: FEATURES,
            mixer: Mixer::Attention,
        }
    }
}

impl ModelConfig {
    /// The recurrent baseline with as many weights as the shipped Transformer.
    pub fn recurrent() -> Self {
        Self { mixer: Mixer::Gru, hidden: 260, ..Self::default() }
    }

    /// A network that trains in seconds, for tests.
    pub fn tiny() -> Self {
        Self { d: 16, heads: 2, layers: 1, hidden: 24, edge: 16, ..Self::default() }
    }

    /// Refuses sizes that no network of this code can have; bounds keep a hostile file from asking for memory.
    pub fn validate(&self) -> Result<(), WeightsError> {
        let bad = |what: &str| Err(WeightsError::Config(what.to_owned()));
        if self.patch != PATCH || self.features != FEATURES {
            return bad(&format!(
                "made for patches of {} and {} features, this program has {PATCH} and {FEATURES}: use weights of this version",
                self.patch, self.features
            ));
        }
        let sizes = [("d", self.d, 4096), ("heads", self.heads, 64), ("layers", self.layers, 64)];
        let sizes = sizes.into_iter().chain([("hidden", self.hidden, 16_384), ("edge", self.edge, 16_384)]);
        for (name, size, most) in sizes {
            if size == 0 || size > most {
                return bad(&format!("{name} = {size} is not within 1..={most}"));
            }
        }
        if !self.d.is_multiple_of(2 * self.heads) {
            return bad(&format!("d = {} does not split into {} heads of even width", self.d, self.heads));
        }
        Ok(())
    }
}
