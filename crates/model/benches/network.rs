//! The bare network's speed on one thread: passes forward in f32 and 8 bits, and training steps, in windows a second.
//!
//! ```text
//! cargo bench -p apportion-model --bench network
//! bench/pytorch_network.py
//! ```
//! The second is the same network in PyTorch; run both on an idle machine, one after the other.

#![allow(clippy::print_stdout, clippy::cast_possible_truncation, reason = "a report")]

use apportion_model::telemetry::{BareNetwork, ModelConfig, Precision};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// A batch: eight windows of a week at five minutes with nine tokens of horizon.
const WINDOWS: usize = 8;
const TOKENS: usize = 71;
/// Time of one measurement, and how many are taken; the best counts, since others' work only ever slows one down.
const SPAN: Duration = Duration::from_secs(2);
const REPEATS: usize = 5;

fn main() {
    for (name, config) in [("transformer", ModelConfig::default()), ("gru", ModelConfig::recurrent())] {
        let mut bare =
            [Precision::F32, Precision::Int8].map(|precision| BareNetwork::new(config, precision, WINDOWS, TOKENS));
        let [inputs, outputs] = bare[0].widths();
        println!("{name}: {WINDOWS} windows of {TOKENS} tokens, {inputs} numbers in, {outputs} out; windows a second");
        println!("  forward, f32     {:8.0}", best(|| bare[0].forward()));
        println!("  forward, 8 bits  {:8.0}", best(|| bare[1].forward()));
        println!("  training, f32    {:8.0}", best(|| bare[0].train()));
    }
}

/// Windows a second at best.
fn best<R>(mut pass: impl FnMut() -> R) -> f64 {
    pass();
    let once = |_| {
        let begun = Instant::now();
        let mut passes = 0_u32;
        while begun.elapsed() < SPAN {
            black_box(pass());
            passes += 1;
        }
        f64::from(passes) * WINDOWS as f64 / begun.elapsed().as_secs_f64()
    };
    (0..REPEATS).map(once).fold(0.0, f64::max)
}
