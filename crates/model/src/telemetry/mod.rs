//! The telemetry Transformer: from a series to quantiles of its future.

mod bare;
pub(crate) mod config;
pub(crate) mod features;
mod forecast;
pub(crate) mod head;
pub(crate) mod network;
mod phase_table;
#[cfg(test)]
mod reference_tests;
mod scale;
pub(crate) mod season;
pub(crate) mod sorted_window;
pub(crate) mod tokens;
mod weights;

pub use bare::BareNetwork;
pub use config::{Mixer, ModelConfig};
pub use forecast::{NATIVE_HORIZON, Precision, QuantileForecast, SeriesInput, TelemetryModel};

/// Steps of one token. All sizes below count these.
pub(crate) const PATCH: usize = 32;

/// The levels of every forecast.
pub const QUANTILES: [f32; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// Quantile levels of a forecast.
pub(crate) const LEVELS: usize = QUANTILES.len();
