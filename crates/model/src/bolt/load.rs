//! `config.json` and `model.safetensors` to a network; every shape is checked before it is used.

use safetensors::SafeTensors;
use serde::Deserialize;

use super::layers::{Attention, Dense, FeedForward, Norm, ResidualBlock};
use super::network::{DecoderLayer, EncoderLayer, Network};
use crate::error::WeightsError;
use crate::telemetry::{LEVELS, QUANTILES};

/// Most numbers of attention of one layer, 256 MiB of them; a published model has 2^18 at most.
const MOST_SCORES: usize = 1 << 26;

#[derive(Debug, Deserialize)]
struct Config {
    d_model: usize,
    d_ff: usize,
    d_kv: usize,
    num_heads: usize,
    num_layers: usize,
    num_decoder_layers: Option<usize>,
    layer_norm_epsilon: f32,
    relative_attention_num_buckets: usize,
    relative_attention_max_distance: usize,
    feed_forward_proj: String,
    chronos_config: ChronosConfig,
}

#[derive(Debug, Deserialize)]
struct ChronosConfig {
    context_length: usize,
    prediction_length: usize,
    input_patch_size: usize,
    input_patch_stride: usize,
    quantiles: Vec<f32>,
    #[serde(default)]
    use_reg_token: bool,
}

impl Config {
    fn parse(json: &str) -> Result<Self, WeightsError> {
        let problem = |text: String| WeightsError::Config(format!("config.json is not Chronos-Bolt's: {text}"));
        let config: Self = serde_json::from_str(json).map_err(|error| problem(error.to_string()))?;
        let chronos = &config.chronos_config;
        if config.feed_forward_proj != "relu" {
            return Err(problem(format!("feed_forward_proj is `{}`, not `relu`", config.feed_forward_proj)));
        }
        if chronos.input_patch_size != chronos.input_patch_stride {
            return Err(problem("patches overlap (input_patch_stride is not input_patch_size)".to_owned()));
        }
        if chronos.quantiles.len() != LEVELS
            || chronos.quantiles.iter().zip(QUANTILES).any(|(a, b)| (a - b).abs() > 1e-6)
        {
            return Err(problem(format!("quantiles are {:?}, not 0.1 to 0.9", chronos.quantiles)));
        }
        let sizes = [
            ("d_model", config.d_model, 8192),
            ("d_ff", config.d_ff, 65_536),
            ("d_kv", config.d_kv, 1024),
            ("num_heads", config.num_heads, 256),
            ("num_layers", config.num_layers, 256),
            ("num_decoder_layers", config.num_decoder_layers.unwrap_or(1), 256),
            ("relative_attention_max_distance", config.relative_attention_max_distance, 1 << 20),
            ("context_length", chronos.context_length, 1 << 20),
            ("prediction_length", chronos.prediction_length, 4096),
            ("input_patch_size", chronos.input_patch_size, 4096),
        ];
        let tokens = chronos.context_length.div_ceil(chronos.input_patch_size.max(1));
        let scores = config.num_heads.saturating_mul(tokens.saturating_mul(tokens));
        let mut sizes =
            sizes.into_iter().chain([("num_heads times (context_length / input_patch_size)^2", scores, MOST_SCORES)]);
        let buckets = config.relative_attention_num_buckets;
        if let Some((name, size, most)) = sizes.find(|(_, size, most)| *size == 0 || size > most) {
            return Err(problem(format!("{name} = {size} is not within 1..={most}")));
        }
        if !(4..=1024).contains(&buckets) || config.relative_attention_max_distance <= buckets / 4 {
            return Err(problem(format!("relative_attention_num_buckets = {buckets} does not fit the distance")));
        }
        Ok(config)
    }
}

/// Reads tensors by name and shape.
struct Reader<'a> {
    tensors: SafeTensors<'a>,
    epsilon: f32,
}

impl Reader<'_> {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, WeightsError> {
        let bad = |problem: String| WeightsError::Tensor { name: name.to_owned(), problem };
        let view =
            self.tensors.tensor(name).map_err(|_| bad("is missing: this is not a Chronos-Bolt file".to_owned()))?;
        if view.shape() != shape {
            return Err(bad(format!("has shape {:?}; config.json asks for {shape:?}", view.shape())));
        }
        let mut values = vec![0.0; shape.iter().product()];
        crate::tensor_file::read(&view, &mut values).map_err(bad)?;
        match values.iter().position(|x| !x.is_finite()) {
            Some(index) => Err(WeightsError::NotFinite { name: name.to_owned(), index, value: values[index] }),
            None => Ok(values),
        }
    }

    fn dense(&self, name: &str, inputs: usize, outputs: usize, bias: bool) -> Result<Dense, WeightsError> {
        let weight = self.tensor(&format!("{name}.weight"), &[outputs, inputs])?;
        let bias = if bias { self.tensor(&format!("{name}.bias"), &[outputs])? } else { Vec::new() };
        Ok(Dense { weight, bias, inputs, outputs })
    }

    fn norm(&self, name: &str, width: usize) -> Result<Norm, WeightsError> {
        Ok(Norm { gain: self.tensor(&format!("{name}.weight"), &[width])?, epsilon: self.epsilon })
    }

    fn residual(&self, name: &str, sizes: [usize; 3]) -> Result<ResidualBlock, WeightsError> {
        let [inputs, hidden, outputs] = sizes;
        Ok(ResidualBlock {
            hidden: self.dense(&format!("{name}.hidden_layer"), inputs, hidden, true)?,
            output: self.dense(&format!("{name}.output_layer"), hidden, outputs, true)?,
            residual: self.dense(&format!("{name}.residual_layer"), inputs, outputs, true)?,
        })
    }

    fn attention(&self, layer: &str, kind: &str, config: &Config) -> Result<Attention, WeightsError> {
        let (d, inner) = (config.d_model, config.d_kv * config.num_heads);
        let part = |part: &str| format!("{layer}.{kind}.{part}");
        Ok(Attention {
            norm: self.norm(&format!("{layer}.layer_norm"), d)?,
            q: self.dense(&part("q"), d, inner, false)?,
            k: self.dense(&part("k"), d, inner, false)?,
            v: self.dense(&part("v"), d, inner, false)?,
            o: self.dense(&part("o"), inner, d, false)?,
            heads: config.num_heads,
        })
    }

    fn feed(&self, layer: &str, config: &Config) -> Result<FeedForward, WeightsError> {
        Ok(FeedForward {
            norm: self.norm(&format!("{layer}.layer_norm"), config.d_model)?,
            wi: self.dense(&format!("{layer}.DenseReluDense.wi"), config.d_model, config.d_ff, false)?,
            wo: self.dense(&format!("{layer}.DenseReluDense.wo"), config.d_ff, config.d_model, false)?,
        })
    }

    fn decoder_layer(&self, index: usize, config: &Config) -> Result<DecoderLayer, WeightsError> {
        let layer = |part: usize| format!("decoder.block.{index}.layer.{part}");
        let (d, inner) = (config.d_model, config.d_kv * config.num_heads);
        Ok(DecoderLayer {
            self_norm: self.norm(&format!("{}.layer_norm", layer(0)), d)?,
            self_value: self.dense(&format!("{}.SelfAttention.v", layer(0)), d, inner, false)?,
            self_out: self.dense(&format!("{}.SelfAttention.o", layer(0)), inner, d, false)?,
            cross: self.attention(&layer(1), "EncDecAttention", config)?,
            feed: self.feed(&layer(2), config)?,
        })
    }

    fn encoder_layer(&self, index: usize, config: &Config) -> Result<EncoderLayer, WeightsError> {
        let layer = |part: usize| format!("encoder.block.{index}.layer.{part}");
        Ok(EncoderLayer {
            attention: self.attention(&layer(0), "SelfAttention", config)?,
            feed: self.feed(&layer(1), config)?,
        })
    }
}

pub(super) fn network(bytes: &[u8], config_json: &str) -> Result<Network, WeightsError> {
    let config = Config::parse(config_json)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| WeightsError::Format(error.to_string()))?;
    let reader = Reader { tensors, epsilon: config.layer_norm_epsilon };
    let chronos = &config.chronos_config;
    let (d, patch) = (config.d_model, chronos.input_patch_size);
    let bias = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";
    let decoders = config.num_decoder_layers.unwrap_or(config.num_layers);
    Ok(Network {
        context: chronos.context_length,
        prediction: chronos.prediction_length,
        patch,
        use_reg_token: chronos.use_reg_token,
        max_distance: config.relative_attention_max_distance,
        buckets: config.relative_attention_num_buckets,
        shared: reader.tensor("shared.weight", &[if chronos.use_reg_token { 2 } else { 1 }, d])?,
        input: reader.residual("input_patch_embedding", [2 * patch, config.d_ff, d])?,
        position_bias: reader.tensor(bias, &[config.relative_attention_num_buckets, config.num_heads])?,
        encoder: (0..config.num_layers).map(|k| reader.encoder_layer(k, &config)).collect::<Result<_, _>>()?,
        encoder_norm: reader.norm("encoder.final_layer_norm", d)?,
        decoder: (0..decoders).map(|k| reader.decoder_layer(k, &config)).collect::<Result<_, _>>()?,
        decoder_norm: reader.norm("decoder.final_layer_norm", d)?,
        output: reader.residual("output_patch_embedding", [d, config.d_ff, LEVELS * chronos.prediction_length])?,
    })
}
