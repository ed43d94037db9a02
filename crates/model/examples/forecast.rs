//! Forecasts every series of a series file from its end and writes the quantiles as CSV.
//!
//! ```text
//! cargo run --release -p apportion-model --example forecast -- WEIGHTS SERIES_FILE HORIZON OUT.csv [THREADS] [f32|int8]
//! ```
//! The columns are the name, the step ahead (from 1), then q0.1 to q0.9. Prints the processor time per forecast.

#![allow(clippy::print_stdout, clippy::cast_possible_wrap)]

#[path = "support/series_file.rs"]
mod series_file;

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use apportion_model::telemetry::{Precision, SeriesInput, TelemetryModel};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, input, horizon, out, rest @ ..] = arguments.as_slice() else {
        return Err("usage: forecast WEIGHTS SERIES_FILE HORIZON OUT.csv [THREADS] [f32|int8]".into());
    };
    let threads: usize = rest.first().map_or(Ok(1), |text| text.parse())?;
    let precision = if rest.get(1).is_some_and(|text| text == "f32") { Precision::F32 } else { Precision::Int8 };
    let model = TelemetryModel::from_bytes(&std::fs::read(weights)?)?.with_precision(precision);
    let series = series_file::read(Path::new(input))?;
    let inputs: Vec<SeriesInput<'_>> = series
        .iter()
        .map(|named| {
            let values = &named.series.values;
            let span = (values.len() as i64 - 1) * i64::from(named.series.step_s);
            let end_time_s = named.series.start_time_s.map(|start| start + span);
            SeriesInput { values, step_s: named.series.step_s, end_time_s, season_steps: None, future_multiplier: None }
        })
        .collect();
    let since = Instant::now();
    let forecasts = model.forecast_batch(&inputs, horizon.parse()?, threads);
    let spent_ms = since.elapsed().as_secs_f64() * 1e3 * threads as f64;
    println!(
        "{} forecasts, {:.2} ms of {threads} thread(s) each",
        forecasts.len(),
        spent_ms / forecasts.len().max(1) as f64
    );
    let mut text = String::from("name,step,q0.1,q0.2,q0.3,q0.4,q0.5,q0.6,q0.7,q0.8,q0.9\n");
    for (named, forecast) in series.iter().zip(&forecasts) {
        for step in 0..forecast.horizon() {
            write!(text, "{},{}", named.name, step + 1)?;
            forecast.at(step).iter().try_for_each(|q| write!(text, ",{q}"))?;
            text.push('\n');
        }
    }
    std::fs::write(out, text)?;
    Ok(())
}
