//! Tensors only: layers, optimiser, the telemetry Transformer and its recurrent baseline.

#![allow(
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "lengths are far below 2^63, and floats cast to an index are never negative (a cast saturates besides)"
)]

pub mod bolt;
mod error;
mod fft;
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
