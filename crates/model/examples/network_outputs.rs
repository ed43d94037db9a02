//! The outputs of a weight file's network on features made by a formula, one a line after a line of what they are; for
//! `bench/network_parity.py`: `cargo run --release -p apportion-model --example network_outputs -- WEIGHTS > outputs.csv`.

#![allow(clippy::print_stdout, reason = "an example")]

use apportion_model::telemetry::{BareNetwork, TelemetryModel};

const WINDOWS: usize = 2;
const TOKENS: usize = 71;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name a weight file")?;
    let model = TelemetryModel::from_bytes(&std::fs::read(&path)?)?;
    let len = WINDOWS * TOKENS * model.config().features;
    let features = (0..len).map(|k| (0.7 * k as f64 + 1.0).sin() as f32).collect();
    println!("{path},{WINDOWS},{TOKENS}");
    BareNetwork::of(&model, features, TOKENS).outputs().iter().for_each(|y| println!("{y:e}"));
    Ok(())
}
