//! Makes a workload with requests, CPU and memory of the same times out of recorded requests, for what needs all three: no public
//! trace with changing load has them together. Four replicas, by a law that is stated here:
//!
//! ```text
//! cores = 4 * 0.1 + 3.6 * requests / mean * wander * noise
//! bytes = 4 * 512 MiB + 1 GiB * requests / mean * noise
//! ```
//!
//! `mean` is that of all requests; `wander` is what work costs lately, an autoregression with a half-life of an hour and a standard
//! deviation of 5 %; `noise` is new at each step, 5 %.
//!
//!     cargo run --release -p apportion-replay --example shop -- REQUESTS.csv > shop.csv
//!
//! `REQUESTS.csv` has a heading and the columns workload, metric, time, value, of one series.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a program that reads a file and prints")]

use std::{error::Error, fs};

const REPLICAS: f64 = 4.0;
const IDLE_CORES: f64 = 0.1;
const WORK_CORES: f64 = 3.6;
const IDLE_BYTES: f64 = 512.0 * 1_048_576.0;
const WORK_BYTES: f64 = 1_073_741_824.0;
const WANDER_S: f64 = 3_600.0;
const SPREAD: f64 = 0.05;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which requests?")?;
    let mut rows: Vec<(i64, f64)> = Vec::new();
    for line in fs::read_to_string(path)?.lines().skip(1) {
        let [_, _, time, value] = line.split(',').collect::<Vec<_>>()[..] else { return Err(line.into()) };
        rows.push((time.parse()?, value.parse()?));
    }
    let mean = rows.iter().map(|row| row.1).sum::<f64>() / rows.len() as f64;
    let mut normal = normal();
    let (mut wander, mut before_s) = (0.0, rows.first().ok_or("no requests")?.0);
    println!("workload,metric,time,value");
    for (time_s, requests) in rows {
        let kept = (-((time_s - before_s) as f64) / WANDER_S).exp2();
        before_s = time_s;
        wander = kept * wander + (1.0 - kept * kept).sqrt() * normal();
        let load = requests / mean;
        let cost = (1.0 + SPREAD * wander) * (1.0 + SPREAD * normal());
        let cores = REPLICAS * IDLE_CORES + WORK_CORES * load * cost.max(0.0);
        let bytes = REPLICAS * IDLE_BYTES + WORK_BYTES * load * (1.0 + SPREAD * normal()).max(0.0);
        println!("shop,requests_per_min,{time_s},{requests}");
        println!("shop,cpu_cores,{time_s},{cores:.6}");
        println!("shop,memory_bytes,{time_s},{bytes:.0}");
    }
    Ok(())
}

/// Numbers about 0 with a standard deviation of 1, the same at each run: sums of twelve even ones.
fn normal() -> impl FnMut() -> f64 {
    let mut state = 1_u64;
    let mut even = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / 16_777_216.0
    };
    move || (0..12).map(|_| even()).sum::<f64>() - 6.0
}
