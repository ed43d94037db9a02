//! Explanations of a replay's decisions: no number that is not in the record, and what less would have cost.
//!
//! `APPORTION_TRACE=FILE` plays a trace file in place of the invented one; `APPORTION_MODEL` names another forecaster.
#![allow(clippy::unwrap_used, reason = "a test")]

use apportion_core::{Binding, Decision};
use apportion_language::{
    Language,
    reading::question::{About, Question},
    wording::{
        answer::{Findings, Record, answer, unfounded_in},
        explain, headline, unfounded,
    },
};
use apportion_replay::{Engine, Options, Player, Trace, TraceBuilder, run, unwatched};
use jiff::tz::TimeZone;
use std::{path::Path, sync::Mutex};

const DAYS: i64 = 8;
const STEP_S: i64 = 300;

/// Workloads with a day's wave, noise, bursts, growth and idle stretches, of CPU and of memory.
#[allow(clippy::cast_precision_loss, reason = "made-up usage")]
fn invented() -> Trace {
    let mut builder = TraceBuilder::default();
    for workload in 0..16_i64 {
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(u64::try_from(workload).unwrap() + 1);
        let mut noise = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 40) as f64 / 16_777_216.0
        };
        for metric in ["cpu_cores", "memory_bytes"] {
            let scale = if metric == "cpu_cores" { 0.3 + workload as f64 } else { 2e8 * (1.0 + workload as f64) };
            for step in 0..DAYS * 86_400 / STEP_S {
                let time_s = 1_795_392_000 + step * STEP_S;
                let day = (time_s % 86_400) as f64 / 86_400.0 * std::f64::consts::TAU;
                let wave = 1.0 + 0.6 * (day + workload as f64).sin();
                let burst = if noise() > 0.985 { 2.5 } else { 1.0 };
                let grown = 1.0 + step as f64 / 4_000.0 * (workload % 3) as f64;
                builder
                    .push(&format!("w{workload}"), metric, time_s, scale * wave * burst * grown * (0.8 + 0.4 * noise()))
                    .unwrap();
            }
        }
    }
    builder.finish().unwrap()
}

fn recorded(path: &Path) -> Trace {
    let mut builder = TraceBuilder::default();
    for (workload, metric, series) in apportion_host::trace::Trace::read(path).unwrap().iter() {
        let series = series.series();
        for (index, value) in series.values.iter().enumerate() {
            builder.push(workload.as_str(), metric.as_str(), series.time_s(index), f64::from(*value)).unwrap();
        }
    }
    builder.finish().unwrap()
}

fn decisions() -> Vec<Decision> {
    let trace = std::env::var_os("APPORTION_TRACE").map_or_else(invented, |path| recorded(Path::new(&path)));
    let model = std::env::var("APPORTION_MODEL").unwrap_or_else(|_| "seasonal-naive".to_owned());
    let heard = Mutex::new(Vec::new());
    let mut engine = Engine::apportion(&model, 3_600).unwrap();
    engine.heard = Some(Box::new(|decision: &Decision| heard.lock().unwrap().push(decision.clone())));
    run(&trace, Player::Engine(&engine), &Options::default(), &unwatched).unwrap();
    drop(engine);
    heard.into_inner().unwrap()
}

#[test]
fn no_number_without_a_record_over_a_replay() {
    let decisions = decisions();
    let zone = TimeZone::fixed(jiff::tz::offset(8));
    let (mut without, mut numbers, mut stated) = (0, 0, 0);
    for decision in &decisions {
        for language in [Language::En, Language::Zh] {
            let all = format!("{} {}", headline(decision, language), explain(decision, language, &zone));
            let missing = unfounded(&all, decision, &zone);
            assert_eq!(missing, Vec::<String>::new(), "{all}");
            without += missing.len();
            numbers += all.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty()).count();
            let question = Question { about: About::Changed, ..Question::unclear(language) };
            let findings =
                Findings { records: vec![Record::Decision(Box::new(decision.clone()))], missing: Vec::new() };
            let told = answer(question, findings, &zone, decision.time.plus_s(3_600));
            assert_eq!(unfounded_in(&told.words, &told.findings, &zone), Vec::<String>::new(), "{}", told.words);
            assert_ne!(told.words, told.cited[0], "a sentence was left out");
        }
        let taken_back =
            matches!(decision.change.reason.binding, Binding::TakeBack { .. } | Binding::RolledBack { .. });
        let words = explain(decision, Language::En, &zone);
        let says = words.contains("would have been") || words.contains("would not have been");
        assert!(says || taken_back, "{words}");
        stated += usize::from(says);
    }
    println!(
        "{} decisions, {numbers} groups of digits in two languages, without a record: {without}; with a counterfactual: {stated}",
        decisions.len()
    );
    assert!(decisions.len() >= 1_000, "{} decisions only", decisions.len());
}
