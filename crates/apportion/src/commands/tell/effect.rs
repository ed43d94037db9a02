//! What a sentence would have done on the last days, shown before it is taken.

use super::super::{
    desk::Said,
    replay::{source, what_if},
};
use crate::{args::Global, tell::Told};
use apportion_core::{Window, time::DAY_S};
use apportion_language::Language;
use apportion_replay::{Engine, Options, ReplayError};

/// How far back it is played, on which grid, and what of it only warms up, seconds.
const LAST_S: i64 = 7 * DAY_S;
const STEP_S: u32 = 300;
const WARMUP_S: i64 = DAY_S;
/// More workloads would keep a person waiting.
const MOST_WORKLOADS: usize = 8;
/// The forecaster that is played: the one that answers at once.
const MODEL: &str = "recent";
const FORECAST_EVERY_S: i64 = 6 * 3_600;

/// The effect in words, or why it is not shown, which keeps nobody from taking the sentence; `None` where a sentence has none that
/// could be played.
pub(super) fn of(global: &Global, said: &Said, told: &Told) -> Option<String> {
    let is_played = matches!(told.kind.as_str(), "event" | "rule" | "hold" | "priority");
    (told.can_confirm && is_played && !told.workloads.is_empty()).then(|| {
        played(global, said, told).unwrap_or_else(|error| {
            let head = if told.language == "zh" { "未显示影响" } else { "Its effect is not shown" };
            format!("{head}: {error:#}")
        })
    })
}

fn played(global: &Global, said: &Said, told: &Told) -> anyhow::Result<String> {
    let zh = told.language == "zh";
    if told.workloads.len() > MOST_WORKLOADS {
        let how = "apportion replay --from-store --last 7d --what-if '...'";
        let count = told.workloads.len();
        let en = format!("Its effect on {count} workloads takes longer to play: {how}");
        return Ok(if zh { format!("重放对 {count} 个工作负载的影响需要更久：{how}") } else { en });
    }
    let store = global.open_to_read()?;
    let now = said.at();
    let steps = usize::try_from(LAST_S).unwrap_or(0) / STEP_S as usize;
    let is_meant = |name: &str| told.workloads.iter().any(|known| known == name);
    let trace = match source::of_store(&store, Window::last(now, STEP_S, steps), is_meant) {
        Ok(trace) if trace.last_s() - trace.first_s() >= 2 * WARMUP_S => trace,
        Err(error) if error.downcast_ref() != Some(&ReplayError::Empty) => return Err(error),
        _ => {
            let en = "Its effect is not shown: less than two days of these workloads are recorded.";
            return Ok(if zh { "未显示影响：这些工作负载的记录不足两天。" } else { en }.to_owned());
        }
    };
    let (_, instruction) = what_if::read(&said.text, &said.now, &trace)?;
    let mut engine = Engine::apportion(MODEL, FORECAST_EVERY_S)?;
    let made = what_if::play(&trace, &mut engine, &instruction, &Options::default(), WARMUP_S, &|_, _| {})?;
    let words = what_if::words(&made, if zh { Language::Zh } else { Language::En });
    Ok(words.trim().to_owned())
}
