//! What `--model` may name: a forecaster of this program, or weights in files of the user's own.

use super::say_aside;
use crate::tuning::{InUse, Versions, shipped};
use anyhow::Context as _;
use apportion_core::Forecaster;
use apportion_model::{bolt::BoltModel, telemetry::TelemetryModel};
use apportion_planner::forecasters::{Bolt, Transformer};
use std::{fs, path::Path};

/// The forecaster of a name, the Transformer with the weights in force in `versions`, if those are asked for; `weights:FILE` is a network made by `apportion train`, `bolt:FOLDER` a Chronos-Bolt model
/// (`model.safetensors` and `config.json`).
///
/// # Errors
/// No forecaster has that name, or the files are not what they should be.
pub(crate) fn forecaster(name: &str, versions: Option<&Versions>) -> anyhow::Result<Box<dyn Forecaster + Send + Sync>> {
    if let Some(file) = name.strip_prefix("weights:") {
        let model = TelemetryModel::from_bytes(&read(Path::new(file))?).with_context(|| file.to_owned())?;
        return Ok(Box::new(Transformer::new(model)));
    }
    if let Some(folder) = name.strip_prefix("bolt:") {
        let folder = Path::new(folder);
        let (weights, config) = (folder.join("model.safetensors"), folder.join("config.json"));
        let config_json = String::from_utf8(read(&config)?).with_context(|| format!("{}", config.display()))?;
        let model = BoltModel::from_bytes(&read(&weights)?, &config_json);
        return Ok(Box::new(Bolt(model.with_context(|| format!("{}", weights.display()))?)));
    }
    let Some(versions) = versions.filter(|_| takes_tuned(name)) else {
        return Ok(apportion_planner::forecaster(name)?);
    };
    let InUse { transformer, passed_over, .. } = versions.in_use(shipped()?)?;
    if let Some(why) = passed_over {
        say_aside(&format!("{why}; the shipped weights are used"));
    }
    Ok(apportion_planner::forecaster_with(name, transformer)?)
}

/// Whether a forecaster has the telemetry Transformer in it, for which tuned weights are.
pub(crate) fn takes_tuned(name: &str) -> bool {
    ["auto", "transformer"].contains(&name)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{}", path.display()))
}
