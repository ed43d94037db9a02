//! What every file of weights must do, whatever its bytes: be refused, or give what its documentation promises. Used by the fuzzer
//! (`fuzz_targets/`) and, with mutated seeds, by the tests of `apportion-model`.

use apportion_model::{
    bolt::BoltModel,
    telemetry::{QuantileForecast, SeriesInput, TelemetryModel},
    training::{Checkpoint, TrainSet, Trainer},
};
use std::path::Path;

/// A trained network.
pub fn weight_file(bytes: &[u8]) {
    for bytes in [bytes, &fitted(bytes)] {
        if let Ok(model) = TelemetryModel::from_bytes(bytes) {
            check(&model.forecast_batch(&[input(&history())], 40, 1)[0]);
        }
    }
}

/// A Chronos-Bolt model: its `config.json`, a zero byte, its weights.
pub fn bolt_file(bytes: &[u8]) {
    let (config, weights) = bytes.split_at(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
    let (config, weights) = (String::from_utf8_lossy(config), weights.get(1..).unwrap_or_default());
    for weights in [weights, &fitted(weights)] {
        if let Ok(model) = BoltModel::from_bytes(weights, &config) {
            check(&model.forecast_batch(&[input(&history())], 7, 1)[0]);
        }
    }
}

/// A training that goes on: one step, where that is a small one.
pub fn checkpoint(bytes: &[u8]) {
    for bytes in [bytes, &fitted(bytes)] {
        let Ok(checkpoint) = Checkpoint::from_bytes(Path::new("checkpoint"), bytes) else { continue };
        let config = checkpoint.config();
        let tokens = config.shards * (config.long.0 * config.long.1).max(config.short.0 * config.short.1);
        if tokens <= 64 {
            let _ = Trainer::resume(checkpoint, &TrainSet::default(), 1).step();
        }
    }
}

/// The same with the length before the header set to where the header ends, so that damage within it is looked at.
fn fitted(bytes: &[u8]) -> Vec<u8> {
    let mut fitted = bytes.to_vec();
    let end = bytes.windows(2).take(16_384).rposition(|pair| pair == b"}}").map(|at| at + 2);
    if let Some(len) = end.and_then(|end| end.checked_sub(8)) {
        fitted[..8].copy_from_slice(&(len as u64).to_le_bytes());
    }
    fitted
}

fn history() -> Vec<f32> {
    (0..100).map(|t: u8| if t % 9 == 4 { f32::NAN } else { f32::from(t % 12) }).collect()
}

fn input(values: &[f32]) -> SeriesInput<'_> {
    SeriesInput { values, step_s: 300, end_time_s: Some(1_700_000_000), season_steps: None, future_multiplier: None }
}

fn check(forecast: &QuantileForecast) {
    for levels in (0..forecast.horizon()).map(|step| forecast.at(step)) {
        assert!(levels.iter().all(|x| x.is_finite() && *x >= 0.0) && levels.is_sorted(), "{levels:?}");
    }
}
