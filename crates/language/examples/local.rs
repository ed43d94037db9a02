//! What holding a GGUF model's answers to the schema costs: `cargo run --release -p apportion-language --example
//! local -- MODEL.gguf` answers six sentences both ways and prints each answer and, in seconds of processor time, one JSON object.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark for people")]

mod cost;

use apportion_language::{
    local::LocalModel,
    opinion::{self, Aliases},
};
use cost::processor;
use std::time::Duration;

const SENTENCES: [&str; 6] = [
    "tonight 20:00-22:00 flash sale, expect 3x traffic on checkout",
    "cap crawler at 2 cores",
    "don't touch mysql-main until Monday",
    "系统负载较高，需要更多计算资源",
    "the build farm is best effort",
    "undo the last change",
];

fn main() {
    let path = std::env::args().nth(1).unwrap();
    let begin = processor();
    let model = LocalModel::open(path.as_ref()).unwrap();
    let load_s = (processor() - begin).as_secs_f64();
    let names = ["checkout", "crawler", "mysql-main"].map(str::to_owned);
    let (mut held_s, mut free_s, mut tokens, mut valid) = (0.0, 0.0, 0, 0);
    for sentence in SENTENCES {
        let aliases = Aliases::of(sentence, &names, &[]);
        // Reads task and sentence once, so that both ways below begin with the answer.
        model.continue_freely(opinion::TASK, aliases.text(), 1).unwrap();
        let begin = processor();
        let schema = opinion::schema(&aliases);
        let answer = model.answer(opinion::TASK, aliases.text(), &schema, 256, Duration::from_secs(60)).unwrap();
        held_s += (processor() - begin).as_secs_f64();
        valid += usize::from(opinion::Opinion::parse(&answer, &aliases).is_ok());
        println!("{sentence} -> {answer}");
        let count = model.count(&answer);
        tokens += count;
        let begin = processor();
        model.continue_freely(opinion::TASK, aliases.text(), count).unwrap();
        free_s += (processor() - begin).as_secs_f64();
    }
    println!(
        "{{\"load_s\": {load_s:.2}, \"sentences\": {}, \"valid\": {valid}, \"tokens\": {tokens}, \"held_s\": {held_s:.3}, \"free_s\": {free_s:.3}, \"cost\": {:.3}}}",
        SENTENCES.len(),
        held_s / free_s - 1.0
    );
}
