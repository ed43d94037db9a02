//! Tensors only: layers, optimiser, the telemetry Transformer and its recurrent baseline.

mod error;
mod fft;
mod half;
mod layers;
mod matmul;
mod params;
mod rng;
pub mod score;
pub mod telemetry;
pub mod training;

pub use error::WeightsError;
pub use rng::Rng;
