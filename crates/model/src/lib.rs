//! Tensors only: layers, optimiser, the telemetry Transformer and its recurrent baseline.
//!
//! [`telemetry::TelemetryModel`] forecasts, [`training::Trainer`] makes its weights, [`training::tune`] adapts them to a user's
//! own series, and [`bolt::BoltModel`] runs Chronos-Bolt weights that a user brings. Series are plain `&[f32]` with a step
//! and perhaps a time; this crate knows nothing of workloads, metrics or words. `docs/model.md` tells how the model works,
//! `docs/training.md` how it is trained.

#![allow(
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "lengths are far below 2^63, and floats cast to an index are never negative (a cast saturates besides)"
)]

pub mod bolt;
pub mod encoder;
mod error;
mod fft;
pub mod gguf;
mod half;
mod layers;
mod matmul;
mod params;
mod rng;
pub mod score;
pub mod telemetry;
mod tensor_file;
pub mod training;

pub use error::WeightsError;
pub use rng::Rng;
