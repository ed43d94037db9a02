//! Chronos-Bolt (Ansari et al. 2024): a T5 encoder-decoder over patches that gives nine quantiles of 64 steps at once.
//!
//! Users who have the published weights (tiny, mini, small, base: `model.safetensors` and `config.json`) can forecast with
//! them here. Nothing of it is shipped or trained by this program.

mod layers;
mod load;
mod network;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::WeightsError;
use crate::telemetry::sorted_window::quantiles_of_sorted;
use crate::telemetry::{LEVELS, QuantileForecast, SeriesInput};
use network::Network;

/// A Chronos-Bolt model with its weights.
#[derive(Clone, Debug)]
pub struct BoltModel {
    network: Network,
}

impl BoltModel {
    /// Reads `model.safetensors` and `config.json`.
    ///
    /// # Errors
    /// A configuration that is not Chronos-Bolt's, or tensors that are missing, of another shape or type, or not finite.
    pub fn from_bytes(weights: &[u8], config_json: &str) -> Result<Self, WeightsError> {
        Ok(Self { network: load::network(weights, config_json)? })
    }

    /// Forecasts every input `horizon_steps` ahead, in the order of the inputs. Seasons, times and announced multipliers of
    /// the inputs are not used: the model has no place for them. Beyond its own horizon (64 steps) each quantile's path is
    /// appended to the history and forecast again, and the quantiles of all those forecasts are taken.
    pub fn forecast_batch(
        &self,
        inputs: &[SeriesInput<'_>],
        horizon_steps: usize,
        threads: usize,
    ) -> Vec<QuantileForecast> {
        let slots: Vec<Mutex<QuantileForecast>> =
            inputs.iter().map(|_| Mutex::new(QuantileForecast { values: Vec::new() })).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            loop {
                let k = next.fetch_add(1, Ordering::Relaxed);
                let (Some(input), Some(slot)) = (inputs.get(k), slots.get(k)) else { break };
                let values = self.forecast(input.values, horizon_steps);
                slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner).values = values;
            }
        };
        std::thread::scope(|scope| {
            (1..threads.clamp(1, inputs.len().max(1))).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        slots.into_iter().map(|slot| slot.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)).collect()
    }

    /// `[horizon][9]`, ordered, and not below zero where the history is not.
    fn forecast(&self, history: &[f32], horizon: usize) -> Vec<f32> {
        let clean = |x: &f32| if x.is_finite() { *x } else { f32::NAN };
        let start = history.len().saturating_sub(self.network.context);
        let context: Vec<f32> = history[start..].iter().map(clean).collect();
        let mut rows: Vec<[f32; LEVELS]> = self.network.quantiles(&context);
        let mut paths: Vec<Vec<f32>> = Vec::new();
        while rows.len() < horizon {
            let block = rows.len() - self.network.prediction;
            if paths.is_empty() {
                paths = vec![context.clone(); LEVELS];
            }
            for (level, path) in paths.iter_mut().enumerate() {
                path.extend(rows[block..].iter().map(|row| row[level]));
            }
            rows.extend(self.expanded(&paths));
        }
        let floor = if context.iter().all(|x| x.is_nan() || *x >= 0.0) { 0.0 } else { f32::MIN };
        rows.truncate(horizon);
        for row in &mut rows {
            row.iter_mut().for_each(|x| *x = if x.is_nan() { 0.0 } else { x.clamp(floor, f32::MAX) });
            row.sort_unstable_by(f32::total_cmp);
        }
        rows.concat()
    }

    /// Forecasts each path and takes the quantiles of all their quantiles.
    fn expanded(&self, paths: &[Vec<f32>]) -> Vec<[f32; LEVELS]> {
        let each: Vec<Vec<[f32; LEVELS]>> = paths.iter().map(|path| self.network.quantiles(path)).collect();
        (0..self.network.prediction)
            .map(|step| {
                let mut all: Vec<f64> = each.iter().flat_map(|rows| rows[step].map(f64::from)).collect();
                all.sort_unstable_by(f64::total_cmp);
                quantiles_of_sorted(&all).map_or([0.0; LEVELS], |levels| levels.map(|q| q as f32))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
