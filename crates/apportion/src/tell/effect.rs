//! What a sentence would have done on the last days, shown before it is taken: the same on the command line, on the page, over the API and
//! to programs. It takes bounded time and reads beside a loop; where it is not computed it says why, which keeps nobody from deciding.

use super::Told;
use crate::commands::replay::{FORECAST_EVERY_S, source, what_if};
use anyhow::bail;
use apportion_core::{Window, time::DAY_S};
use apportion_host::store::Store;
use apportion_language::Language;
use apportion_replay::{Engine, Options, ReplayError};
use jiff::Zoned;
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// A play that takes longer is broken off, unless told otherwise: a person waits for it.
pub const WITHIN: Duration = Duration::from_secs(8);

/// How far back it is played, on which grid, and what of it only warms up, seconds.
const LAST_S: i64 = 7 * DAY_S;
const STEP_S: u32 = 300;
const WARMUP_S: i64 = DAY_S;
/// More workloads would keep a person waiting.
const MOST_WORKLOADS: usize = 8;
/// The forecaster that is played: the one that answers at once.
const MODEL: &str = "recent";
/// What plays any number of workloads, however long it takes.
const IN_FULL: &str = "apportion replay --from-store --last 7d --what-if '...'";

/// The effect of a sentence that was read at `now`, in its own language, or why it is not computed, which may take as long as `within`;
/// `None` where it has none that could be played: it cannot be taken, or is a report or an undo. Of one that is not read for certain it is
/// the effect of what a person is asked about. `open` gives the store, to be read.
#[must_use]
pub fn of(told: &Told, now: &Zoned, within: Duration, open: impl FnOnce() -> anyhow::Result<Store>) -> Option<String> {
    let is_played = matches!(told.kind.as_str(), "event" | "rule" | "hold" | "priority");
    let is_possible = told.can_confirm || told.can_ask;
    let played = || played(told, now, within, open).unwrap_or_else(|why| not_computed(told, &format!("{why:#}")));
    (is_possible && is_played && !told.workloads.is_empty()).then(played)
}

/// Says that others have to be computed first.
#[must_use]
pub fn busy(told: &Told) -> String {
    let why = match told.language() {
        Language::En => "others are being computed; ask again",
        Language::Zh => "正在计算其他的，请稍后再试",
    };
    not_computed(told, why)
}

fn not_computed(told: &Told, why: &str) -> String {
    match told.language() {
        Language::En => format!("Its effect on the last days is not computed: {why}"),
        Language::Zh => format!("未计算对最近几天的影响：{why}"),
    }
}

fn played(
    told: &Told,
    now: &Zoned,
    within: Duration,
    open: impl FnOnce() -> anyhow::Result<Store>,
) -> anyhow::Result<String> {
    let (begun, language) = (Instant::now(), told.language());
    let say = |en: String, zh: String| if language == Language::Zh { zh } else { en };
    let count = told.workloads.len();
    if count > MOST_WORKLOADS {
        let en = format!("it is for {count} workloads, and {MOST_WORKLOADS} are played at the most; {IN_FULL}");
        bail!(say(en, format!("涉及 {count} 个工作负载，最多重放 {MOST_WORKLOADS} 个；{IN_FULL}")));
    }
    let window = Window::last(super::at(now), STEP_S, usize::try_from(LAST_S).unwrap_or(0) / STEP_S as usize);
    let is_meant = |name: &str| told.workloads.iter().any(|known| known == name);
    let trace = match source::of_store(&open()?, window, is_meant) {
        Ok(trace) if trace.last_s() - trace.first_s() >= 2 * WARMUP_S => trace,
        Err(error) if error.downcast_ref() != Some(&ReplayError::Empty) => return Err(error),
        _ => bail!(say(
            "less than two days of these workloads are recorded".to_owned(),
            "这些工作负载的记录不足两天".to_owned()
        )),
    };
    let Some(instruction) = what_if::likely(&told.text, now, &trace)? else {
        bail!(say(
            "what is on record of these workloads is not enough to read it".to_owned(),
            "仅凭这些工作负载的记录读不出其含义".to_owned()
        ));
    };
    let mut engine = Engine::apportion(MODEL, FORECAST_EVERY_S)?;
    let in_time = |_, _| if begun.elapsed() < within { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
    match what_if::play(&trace, &mut engine, &instruction, &Options::default(), WARMUP_S, &in_time) {
        Ok(made) => Ok(what_if::words(&made, language).trim().to_owned()),
        Err(error) if error.downcast_ref() == Some(&ReplayError::BrokenOff) => {
            let seconds = within.as_secs();
            bail!(say(
                format!("playing it takes longer than {seconds} s; {IN_FULL}"),
                format!("重放需要超过 {seconds} 秒；{IN_FULL}")
            ))
        }
        Err(error) => Err(error),
    }
}
