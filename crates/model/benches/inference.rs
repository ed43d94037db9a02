//! What forecasts cost: CPU time a forecast at 2,016 values to 288 steps, 10,000 series on all cores, memory against the number
//! of series, and what 8 bits lose against f32.
//!
//! ```text
//! cargo bench -p apportion-model --bench inference
//! ```
//! Series are made here: daily loads with noise. Linux only, since it reads `/proc/self`.

#![allow(clippy::print_stdout, clippy::cast_possible_truncation, reason = "a report")]

use apportion_model::{
    Rng,
    score::weighted_quantile_loss,
    telemetry::{Precision, QuantileForecast, SeriesInput, TelemetryModel},
};
use std::{fs, thread, time::Instant};

const DAY: usize = 288;
const CONTEXT: usize = 7 * DAY;
/// Series of one call: what a caller with many series keeps in memory at a time.
const BLOCK: usize = 256;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = TelemetryModel::embedded()?;
    let exact = model.clone().with_precision(Precision::F32);
    let loads: Vec<Vec<f32>> = (0..BLOCK as u64).map(load).collect();
    let block: Vec<SeriesInput<'_>> = loads.iter().map(|load| input(&load[..CONTEXT])).collect();
    for (name, model) in [("8 bits", &model), ("f32", &exact)] {
        println!("{name}: {:.2} ms of CPU a forecast, batched, one thread", cpu_ms_each(model, &block)?);
    }
    let losses = [&model, &exact].map(|model| mean_loss(&model.forecast_batch(&block, DAY, 1), &loads));
    println!("8 bits lose {:+.2} % of quantile loss against f32", (losses[0] / losses[1] - 1.0) * 100.0);
    let threads = thread::available_parallelism()?.get();
    for series in [1_000, 10_000] {
        let (begun, cpu) = (Instant::now(), cpu_s()?);
        for _ in 0..(series / BLOCK) {
            model.forecast_batch(&block, DAY, threads);
        }
        model.forecast_batch(&block[..series % BLOCK], DAY, threads);
        println!(
            "{series} series on {threads} threads: {:.1} s ({:.1} s of CPU), at most {} MiB resident",
            begun.elapsed().as_secs_f64(),
            cpu_s()? - cpu,
            most_resident_mib()?
        );
    }
    Ok(())
}

/// Eight days of a load: quiet nights, busy days, noise in proportion.
fn load(seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    let phase = std::f32::consts::TAU * rng.uniform();
    let at = |t: usize| 40.0 + 25.0 * (std::f32::consts::TAU * t as f32 / DAY as f32 + phase).sin();
    (0..CONTEXT + DAY).map(|t| at(t) * (1.0 + 0.08 * rng.normal())).collect()
}

fn input(values: &[f32]) -> SeriesInput<'_> {
    SeriesInput { values, step_s: 300, end_time_s: None, season_steps: None, future_multiplier: None }
}

/// The least of five, since others' work only ever adds.
fn cpu_ms_each(model: &TelemetryModel, block: &[SeriesInput<'_>]) -> Result<f64, Box<dyn std::error::Error>> {
    let mut least = f64::INFINITY;
    for _ in 0..5 {
        let before = cpu_s()?;
        model.forecast_batch(block, DAY, 1);
        least = least.min((cpu_s()? - before) * 1e3 / block.len() as f64);
    }
    Ok(least)
}

fn mean_loss(forecasts: &[QuantileForecast], loads: &[Vec<f32>]) -> f64 {
    let loss = |(forecast, load): (&QuantileForecast, &Vec<f32>)| {
        weighted_quantile_loss(&load[CONTEXT..], |step| std::array::from_fn(|level| forecast.at(step)[level]))
    };
    forecasts.iter().zip(loads).filter_map(loss).sum::<f64>() / loads.len() as f64
}

/// User and system time of this process, seconds, in ticks of 10 ms.
fn cpu_s() -> Result<f64, Box<dyn std::error::Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / 100.0)
}

fn most_resident_mib() -> Result<u64, Box<dyn std::error::Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}
