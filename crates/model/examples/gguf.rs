//! How fast a GGUF model runs here, on one thread: `cargo run --release -p apportion-model --example gguf -- FILE [PROMPT_TOKENS [GENERATED]]`
//! prints load time, memory, and tokens a second of processor time for prompt and generation, as one JSON object. `against_llama_cpp.py` beside this file prints the
//! same of llama.cpp.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark for people")]

use apportion_model::gguf::{GgufFile, Llama, State, Tokenizer};
use std::path::Path;

/// Whole rounds; the middle one counts.
const ROUNDS: usize = 5;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, otherwise: usize| args.get(at).map_or(otherwise, |text| text.parse().unwrap());
    let path = Path::new(args.first().map_or("model.gguf", String::as_str));
    let (prompt, generated) = (number(1, 128), number(2, 64));
    let begin = processor_s();
    let mut file = GgufFile::open(path).unwrap();
    let tokenizer = Tokenizer::load(&file).unwrap();
    let model = Llama::load(&mut file).unwrap();
    let load_s = processor_s() - begin;
    // The same tokens as against_llama_cpp.py gives.
    let tokens: Vec<u32> = (0..prompt as u32).map(|k| 1_000 + k * 37 % 20_000).collect();
    let (mut reading, mut writing) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut state = State::default();
        let begin = processor_s();
        let mut next = top(model.read(&tokens, &mut state).unwrap());
        reading.push(prompt as f64 / (processor_s() - begin));
        let begin = processor_s();
        for _ in 0..generated {
            next = top(model.read(&[next], &mut state).unwrap());
        }
        writing.push(generated as f64 / (processor_s() - begin));
    }
    let (reading, writing) = (middle(&mut reading), middle(&mut writing));
    println!(
        "{{\"by\": \"apportion\", \"tokens_known\": {}, \"load_s\": {load_s:.2}, \"prompt_tokens_per_s\": {reading:.1}, \
         \"generated_tokens_per_s\": {writing:.1}, \"peak_memory_mb\": {}}}",
        tokenizer.len(),
        peak_memory_mb()
    );
}

/// Seconds that this process had of a processor: on a busy machine worth more than those of the clock.
fn processor_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn top(logits: &[f32]) -> u32 {
    let best = (0_u32..).zip(logits).max_by(|a, b| a.1.total_cmp(b.1));
    best.unwrap().0
}

fn middle(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn peak_memory_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}
