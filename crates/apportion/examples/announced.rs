//! What an announced event is worth: `cargo run -p apportion --example announced -- [--model NAME] [TRACE...]`.
//!
//! Demand of 2, 3 and 5 times usual is put on two hours of what was recorded (or of made-up days, where no trace is named), and
//! each series is forecast without and with the announcement. Printed per set and factor: by how much the announcement lowers the
//! weighted quantile loss inside the event, and what the loss outside becomes, relative to that without; geometric means over
//! series. What comes is as announced, or a quarter less than that (`off by`): nobody announces exactly.

#![allow(clippy::print_stdout, reason = "an example")]

use anyhow::Context as _;
use apportion_core::{Forecast, LEVELS, Series, traits::ForecastInput};
use apportion_host::trace::Trace;
use apportion_model::Rng;
use std::path::Path;

const CONTEXT: usize = 2_016;
const HORIZON: usize = 288;
/// Steps of the event.
const EVENT: std::ops::Range<usize> = 120..144;
const FACTORS: [f32; 3] = [2.0, 3.0, 5.0];
/// What comes is the announced factor times one of these.
const OFF_BY: [f32; 2] = [1.0, 0.75];
/// Series of a set, evenly picked.
const SERIES: usize = 60;
/// A loss that vanishes beside the other counts as this part of it.
const FLOOR: f64 = 1e-3;

struct Cut {
    past: Series,
    future: Vec<f32>,
}

fn main() -> anyhow::Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut model = "auto".to_owned();
    if arguments.first().is_some_and(|first| first == "--model") {
        model = arguments.get(1).context("--model needs a name")?.clone();
        arguments.drain(..2);
    }
    println!(
        "| set | series | factor | off by | loss inside, with / without | lower by | loss outside, with / without |"
    );
    println!("|---|---|---|---|---|---|---|");
    if arguments.is_empty() {
        judge("made-up days", &made_up(), &model)?;
    }
    for path in &arguments {
        judge(&set_name(Path::new(path)), &cuts(&Trace::read(Path::new(path))?), &model)?;
    }
    Ok(())
}

fn set_name(path: &Path) -> String {
    path.parent().and_then(Path::file_name).unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Series with a whole context and horizon and enough demand inside the event, split before their last horizon.
fn cuts(trace: &Trace) -> Vec<Cut> {
    let cut = |series: Series| {
        let at = series.len().checked_sub(HORIZON)?;
        let future = series.values[at..].to_vec();
        let past = Series { values: series.values[..at].to_vec(), ..series }.tail(CONTEXT);
        let used = |values: &[f32]| values.iter().filter(|value| **value > 0.0).count() * 2 > values.len();
        (past.len() == CONTEXT && used(&past.values) && used(&future[EVENT])).then_some(Cut { past, future })
    };
    let all: Vec<Cut> = trace.iter().filter_map(|(_, _, series)| cut(series.series())).collect();
    let every = all.len().div_ceil(SERIES).max(1);
    all.into_iter().step_by(every).collect()
}

/// Quiet nights and busy days, each series with a shape, a size and noise of its own.
fn made_up() -> Vec<Cut> {
    let one = |seed: u64| {
        let mut rng = Rng::new(seed);
        let (size, swing, noise) =
            (10.0_f32.powf(3.0 * rng.uniform()), 0.8 * rng.uniform(), 0.02 + 0.15 * rng.uniform());
        let phase = std::f32::consts::TAU * rng.uniform();
        let mut slow = 0.0;
        let values = (0..u16::try_from(CONTEXT + HORIZON).unwrap_or(u16::MAX)).map(|t| {
            slow = 0.9 * slow + 0.44 * noise * rng.normal();
            let day = 1.0 + swing * (std::f32::consts::TAU * f32::from(t) / 288.0 + phase).sin();
            (size * day * (1.0 + slow + 0.3 * noise * rng.normal())).max(0.0)
        });
        let mut past: Vec<f32> = values.collect();
        let future = past.split_off(CONTEXT);
        Cut { past: Series { start_s: 1_700_438_400, step_s: 300, values: past }, future }
    };
    (0..SERIES as u64).map(one).collect()
}

fn judge(set: &str, cuts: &[Cut], model: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        !cuts.is_empty(),
        "{set}: no series has {CONTEXT} + {HORIZON} steps and is in use during the event"
    );
    let forecaster = apportion_planner::forecaster(model)?;
    let input = |(place, cut): (usize, &Cut), announced: Vec<f32>| {
        let workload = format!("{set}-{place}").as_str().into();
        ForecastInput { workload, metric: "value".into(), past: cut.past.clone(), announced }
    };
    let ask = |announced: &dyn Fn() -> Vec<f32>| {
        let inputs: Vec<_> = cuts.iter().enumerate().map(|cut| input(cut, announced())).collect();
        forecaster.forecast(&inputs, HORIZON)
    };
    let without = ask(&Vec::new);
    for factor in FACTORS {
        let with = ask(&|| event(factor));
        for off in OFF_BY {
            let came: Vec<Vec<f32>> = cuts.iter().map(|cut| with_event(&cut.future, factor * off)).collect();
            let inside = ratio(&came, &with, &without, |step| EVENT.contains(&step));
            let outside = ratio(&came, &with, &without, |step| !EVENT.contains(&step));
            let lower = (1.0 - inside) * 100.0;
            println!("| {set} | {} | {factor} | {off} | {inside:.3} | {lower:.1} % | {outside:.4} |", cuts.len());
        }
    }
    Ok(())
}

fn event(factor: f32) -> Vec<f32> {
    (0..HORIZON).map(|step| if EVENT.contains(&step) { factor } else { 1.0 }).collect()
}

fn with_event(future: &[f32], factor: f32) -> Vec<f32> {
    future.iter().zip(event(factor)).map(|(value, factor)| value * factor).collect()
}

/// Geometric mean over series of the loss with the announcement relative to that without, over the steps that are `counted`.
#[allow(clippy::cast_precision_loss, reason = "a count of series")]
fn ratio(came: &[Vec<f32>], with: &[Forecast], without: &[Forecast], counted: impl Fn(usize) -> bool + Copy) -> f64 {
    let logs = came.iter().zip(with).zip(without).map(|((came, with), without)| {
        let (with, without) = (loss(came, with, counted), loss(came, without, counted));
        let least = FLOOR * without + f64::from(f32::MIN_POSITIVE);
        ((with + least) / (without + least)).ln()
    });
    (logs.sum::<f64>() / came.len() as f64).exp()
}

fn loss(came: &[f32], made: &Forecast, counted: impl Fn(usize) -> bool) -> f64 {
    let steps = came.iter().zip(made.quantiles()).enumerate().filter(|(step, (y, _))| counted(*step) && y.is_finite());
    let pinball = |level: f32, error: f32| f64::from((level * error).max((level - 1.0) * error));
    steps.map(|(_, (y, row))| LEVELS.into_iter().zip(row).map(|(level, q)| pinball(level, y - q)).sum::<f64>()).sum()
}
