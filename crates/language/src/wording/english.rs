//! English sentences for a decision.

use super::{Clock, Direction, Told, amount, duration, figure, resource_amount, share};
use crate::Language::En;
use apportion_core::{
    Binding, Counterfactual, Knob, Outcome, Reason, Refusal, Resource, Verdict,
    plan::{Expected, Used},
};

pub(super) fn headline(told: &Told<'_>) -> String {
    let change = &told.decision.change;
    format!("{} {} {} → {}: {}", change.workload, knob(change.knob), told.from(), told.to(), verdict_word(told))
}

pub(super) fn explain(told: &Told<'_>) -> String {
    format!("Decision {}, {}. {}", told.decision.id, told.clock.full(told.decision.time), grounds(told))
}

/// What, and why, without the number of a decision.
pub(super) fn grounds(told: &Told<'_>) -> String {
    let reason = &told.decision.change.reason;
    let mut sentences = vec![what(told)];
    sentences.extend(
        told.proposed()
            .map(|asked| format!("The plan had asked for {asked}; the guard let it go no further than its limits (size of a step, bounds, what is in use).")),
    );
    sentences.extend(reason.used.as_ref().map(|used| used_words(told, used)));
    sentences.extend(reason.expected.as_ref().map(|expected| {
        let ahead = format!("for the next {}", told.duration(expected.horizon_s));
        expected_words(told.resource(), &ahead, expected, &told.clock)
    }));
    sentences.push(binding(told, reason));
    sentences.extend(asked(told, reason));
    sentences.extend(said(reason));
    sentences.extend(
        reason.counterfactual.as_ref().map(|lower| counterfactual(told.decision.change.knob, lower, &told.clock)),
    );
    if told.decision.is_applied() {
        sentences.push(format!("To undo it: apportion rollback {}.", told.decision.id));
    }
    sentences.join(" ")
}

pub(super) fn knob(knob: Knob) -> &'static str {
    match knob {
        Knob::CpuQuota => "CPU limit",
        Knob::MemoryHigh => "soft memory limit",
        Knob::MemoryMax => "hard memory limit",
        Knob::IoReadMax => "disk read limit",
        Knob::IoWriteMax => "disk write limit",
        Knob::NetworkSendMax => "network send limit",
    }
}

fn verdict_word(told: &Told<'_>) -> &'static str {
    match &told.decision.verdict {
        Verdict::Admitted { outcome: Outcome::Applied { .. }, .. } => "applied",
        Verdict::Admitted { outcome: Outcome::Unchanged, .. } => "already so",
        Verdict::Admitted { outcome: Outcome::DryRun, .. } => "dry run",
        Verdict::Admitted { outcome: Outcome::Drifted { .. }, .. } => "not applied, changed by someone else meanwhile",
        Verdict::Admitted { outcome: Outcome::Failed { .. }, .. } => "failed",
        Verdict::Refused { why } => refusal_word(why),
    }
}

/// When what failed is tried again.
const fn tried_again(binding: &Binding) -> &'static str {
    match binding {
        Binding::RolledBack { .. } => "then ask again",
        Binding::TakeBack { .. } => "it is tried again at every turn for an hour",
        _ => "it is tried again after a pause, which grows from seconds to a few minutes",
    }
}

fn refusal_word(why: &Refusal) -> &'static str {
    match why {
        Refusal::UnknownWorkload => "refused, the workload is gone",
        Refusal::Unreachable => "refused, nothing here can set it",
        Refusal::OwnGroup => "refused, protected group",
        Refusal::NotANumber => "refused, not a number",
        Refusal::ForeignChange { .. } => "refused, changed by someone else",
        Refusal::RecommendOnly => "recommended",
        Refusal::Held { .. } => "refused, on hold",
        Refusal::Failing { .. } => "refused, waiting after a failure",
        Refusal::Stale { .. } => "refused, telemetry too old",
        Refusal::DeadBand { .. } => "refused, too small a change",
        Refusal::TooYoung { .. } => "refused, too little seen",
        Refusal::CoolDown { .. } => "refused, cooling down",
        Refusal::BlastRadius { .. } => "refused, enough workloads cut for now",
    }
}

fn what(told: &Told<'_>) -> String {
    let change = &told.decision.change;
    let subject = format!("{}: the {}", change.workload, knob(change.knob));
    let (done, infinitive) = (participle(told), told.to());
    match &told.decision.verdict {
        Verdict::Admitted { outcome, .. } => match outcome {
            Outcome::Applied { read_back } => {
                format!("{subject} was {done}, and reads back as {}.", told.setting(*read_back))
            }
            Outcome::Unchanged => format!("{subject} is {infinitive} already; there was nothing to write."),
            Outcome::DryRun => format!("{subject} would be {done}. Dry run: nothing was written."),
            Outcome::Drifted { found } => format!(
                "{subject} was not {done}: by the time of writing it held {}, so someone else had set it and nothing was \
                 written. Settle who owns this limit.",
                told.setting(*found)
            ),
            Outcome::Failed { error } => format!(
                "{subject} could not be {done}: {}. Check that what is named there exists and that Apportion may change it; {}.",
                error.trim_end_matches('.'),
                tried_again(&told.decision.change.reason.binding)
            ),
        },
        Verdict::Refused { why: Refusal::RecommendOnly } => format!(
            "{subject} should be {done}. Not applied: for {} changes are only recommended; allow them in the configuration \
             to have them applied.",
            change.workload
        ),
        Verdict::Refused { why } => {
            format!("{subject} stays at {}; {} was proposed. {}", told.from(), told.to(), refusal(told, why))
        }
    }
}

/// "lowered from 2 cores to 1.4 cores" and the like, to follow "was" or "would be".
fn participle(told: &Told<'_>) -> String {
    let (from, to) = (told.from(), told.to());
    match told.direction() {
        Direction::Lower => format!("lowered from {from} to {to}"),
        Direction::Raise => format!("raised from {from} to {to}"),
        Direction::Impose => format!("set to {to} (it was unlimited)"),
        Direction::Lift => format!("lifted (it was {from})"),
    }
}

fn refusal(told: &Told<'_>, why: &Refusal) -> String {
    let workload = &told.decision.change.workload;
    match why {
        Refusal::UnknownWorkload => "Refused: the workload is gone. It is sized again when it comes back.".to_owned(),
        Refusal::Unreachable => {
            "Refused: nothing here can set this limit. Check that the controller is enabled for its group and that \
             Apportion may write there."
                .to_owned()
        }
        Refusal::OwnGroup => {
            "Refused: this is the machine itself, init's group or Apportion's own, which are never changed.".to_owned()
        }
        Refusal::RecommendOnly => "Not applied: changes are only recommended.".to_owned(),
        Refusal::NotANumber => {
            "Refused: the proposed value is no number that can be set. This is a fault of the policy; please report it."
                .to_owned()
        }
        Refusal::ForeignChange { expected, found } => format!(
            "Refused: we had set {} and found {}, set by someone else, so we keep off. Hand {workload} over again to have it \
             managed.",
            told.setting(*expected),
            told.setting(*found)
        ),
        Refusal::Held { why } => format!("Refused: on hold (“{why}”). Lift the hold to allow changes."),
        Refusal::Failing { error, left_s } => format!(
            "Refused: it could not be set a while ago ({}); it is tried again in {}.",
            error.trim_end_matches('.'),
            told.duration(*left_s)
        ),
        Refusal::Stale { metric, age_s: Some(age_s) } => {
            format!("Refused: {metric} is {} old, too old to decide on. Check its source.", told.duration(*age_s))
        }
        Refusal::Stale { metric, age_s: None } => {
            format!("Refused: {metric} has never been read, so there is nothing to decide on. Check its source.")
        }
        Refusal::DeadBand { share: by } => {
            format!("Refused: a change by {} of the former value is too small to be worth it.", share(*by))
        }
        Refusal::TooYoung { seen_s, needed_s } => format!(
            "Refused: only {} of its use have been seen, and a cut needs {}.",
            told.duration(*seen_s),
            told.duration(*needed_s)
        ),
        Refusal::CoolDown { left_s } => {
            format!("Refused: it was changed a short while ago, and a cut has to wait {} more.", told.duration(*left_s))
        }
        Refusal::BlastRadius { changed, allowed } => format!(
            "Refused: workloads cut in this period: {changed}, allowed: {allowed}. The cut is tried again when the period \
             is over."
        ),
    }
}

fn used_words(told: &Told<'_>, used: &Used) -> String {
    let gaps = if used.present_share < 0.995 {
        format!(" (measured {} of the time)", share(used.present_share))
    } else {
        String::new()
    };
    format!(
        "In the {}{gaps} it used {} at the median, {} at p95 and {} at most, on {}.",
        last(used.window_s),
        told.amount(used.p50),
        told.amount(used.p95),
        told.amount(used.max),
        told.clock.moment(used.max_at)
    )
}

pub(super) fn expected_words(of: Resource, when: &str, expected: &Expected, clock: &Clock) -> String {
    let [low, middle, high] = expected.peak.map(|value| resource_amount(of, value, En));
    let trust = expected.score.map_or_else(
        || "too little history to test it on".to_owned(),
        |score| format!("its back-test loss is {} times that of repeating the season", figure(score)),
    );
    format!(
        "The {} forecast {when} peaks on {} at {middle}, from {low} (p10) to {high} (p90); {trust}.",
        expected.by,
        clock.moment(expected.peak_at)
    )
}

fn binding(told: &Told<'_>, reason: &Reason) -> String {
    let margin = if (reason.harm_margin() - 1.0).abs() < 0.005 {
        String::new()
    } else {
        format!(", times {} for earlier harm", figure(reason.harm_margin()))
    };
    let bound = reason.bound.map_or_else(String::new, |bound| format!(", {}", told.amount(bound)));
    match &reason.binding {
        Binding::Forecast => {
            format!(
                "What decided: the forecast, so that demand is covered {} of the time{margin}.",
                share(reason.quantile)
            )
        }
        Binding::Recent => format!("What decided: recent use, as nothing better is known yet{margin}."),
        Binding::ColdStart => {
            format!("What decided: there is little history yet, so it gets a wide margin on what was seen{margin}.")
        }
        Binding::LookAlikes { .. } => {
            format!(
                "What decided: there is little history yet, so it gets what others like it needed, with a wide margin{margin}."
            )
        }
        Binding::Announced { usual } => {
            format!("What decided: what people announced; usual demand would need {}{margin}.", told.amount(*usual))
        }
        Binding::Floor => format!("What decided: the least that people allow{bound}."),
        Binding::Ceiling => format!("What decided: the most that people allow{bound}."),
        Binding::Share { wanted, capacity } => format!(
            "What decided: all workloads together want {}; the {} there is gets shared out by priority and weight.",
            told.amount(*wanted),
            told.amount(*capacity)
        ),
        Binding::StepLimit => "What decided: the most that may change in one step.".to_owned(),
        Binding::MemoryInUse => "What decided: the memory in use now, with headroom.".to_owned(),
        Binding::TakeBack { of } => format!("What decided: decision {of} hurt and is taken back."),
        Binding::RolledBack { of } => format!("What decided: a person took decision {of} back."),
        Binding::BoundOver { of } => {
            format!("What decided: the most that people allowed, for which decision {of} was made, is over.")
        }
        Binding::SetAgain => {
            "What decided: this limit got lost with what held it, so it is set again as it was.".to_owned()
        }
        Binding::Rule(name) => format!("What decided: the rule of {name}."),
    }
}

/// What people or signals asked for on top.
fn asked(told: &Told<'_>, reason: &Reason) -> Option<String> {
    let asked = reason.asked?;
    let who = if asked.by_signal { "An alert or a log line counts as" } else { "People reported" };
    let factor = (asked.factor != 1.0).then(|| format!("times {} what is enough", figure(asked.factor)));
    let way = if asked.added < 0.0 { "less" } else { "more" };
    let added = (asked.added != 0.0).then(|| format!("{} {way}", told.amount(asked.added.abs())));
    let all: Vec<String> = factor.into_iter().chain(added).collect();
    Some(format!("{who}: {}.", all.join(" and ")))
}

/// The instructions that bear on it.
fn said(reason: &Reason) -> Option<String> {
    let numbers: Vec<String> = reason.said.iter().map(|said| said.0.to_string()).collect();
    let first = numbers.first()?;
    let which = if numbers.len() == 1 { "Instruction" } else { "Instructions" };
    let verb = if numbers.len() == 1 { "bears" } else { "bear" };
    Some(format!("{which} {} {verb} on it (apportion instructions show {first}).", numbers.join(", ")))
}

pub(super) fn counterfactual(knob: Knob, lower: &Counterfactual, clock: &Clock) -> String {
    let (size, window) = (amount(knob, lower.value, En), last(lower.window_s));
    let harm = harm(knob);
    if lower.over_s <= 0.0 {
        return format!("At {size} it would not have been {harm} in the {window} either.");
    }
    let over = duration(lower.over_s, En);
    let day = lower.worst_day.map(|day| clock.utc_day(day));
    match day {
        Some(day) if lower.over_s - lower.worst_day_over_s < 1.0 => {
            format!("At {size} it would have been {harm} for {over} on {day}.")
        }
        Some(day) => format!(
            "At {size} it would have been {harm} for {over} in the {window}, {} of that on {day}.",
            duration(lower.worst_day_over_s, En)
        ),
        None => format!("At {size} it would have been {harm} for {over} in the {window}."),
    }
}

/// "last day", "last 7 days".
fn last(seconds: f64) -> String {
    let span = duration(seconds, En);
    format!("last {}", span.strip_prefix("1 ").unwrap_or(&span))
}

fn harm(knob: Knob) -> &'static str {
    match knob.resource() {
        Resource::Cpu => "throttled",
        Resource::Memory => "short of memory",
        Resource::Storage | Resource::Network => "slowed down",
    }
}
