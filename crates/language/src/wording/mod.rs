//! Words for decisions, rendered from the typed record and from nothing else. [`unfounded`] proves it for any text,
//! ours or a text model's: it names the numbers and times that are not in the record.

pub mod answer;
mod chinese;
mod english;
mod founded;
mod instruction;
mod moment;
mod objection;
mod quantity;
mod rationale;

pub use founded::unfounded;
pub use instruction::describe;
pub use moment::Clock;
pub use objection::objection;
use quantity::amount_of;
pub use quantity::{amount, duration, figure, resource_amount, setting, share};
pub use rationale::{explain_forecast, unfounded_forecast};

use crate::Language;
use apportion_core::{Change, Decision, DecisionId, Refusal, Resource, Setting, Time, Verdict, WorkloadId, plan::Want};
use jiff::tz::TimeZone;

/// One decision in words: what changed or was refused, what was used, what is forecast, what decided the number, what the
/// next lower size would have cost, and how to undo it. Times are told in `zone`.
#[must_use]
pub fn explain(decision: &Decision, language: Language, zone: &TimeZone) -> String {
    let told = Told::new(decision, language, zone);
    match language {
        Language::En => english::explain(&told),
        Language::Zh => chinese::explain(&told),
    }
}

/// Why a workload should have so much of what nothing here can set, such as processes without a group: no decision says so.
#[must_use]
pub fn explain_want(workload: &WorkloadId, want: &Want, made: Time, language: Language, zone: &TimeZone) -> String {
    let (from, to) = (Setting::Unlimited, Setting::Value(want.value));
    let change = Change { workload: workload.clone(), knob: want.knob, from, to, reason: want.reason.clone() };
    let verdict = Verdict::Refused { why: Refusal::Unreachable };
    let decision = Decision { id: DecisionId(0), time: made, change, verdict };
    let told = Told::new(&decision, language, zone);
    match language {
        Language::En => english::grounds(&told),
        Language::Zh => chinese::grounds(&told),
    }
}

/// One decision in a few words: `checkout CPU limit 2 cores → 1.4 cores: applied`.
#[must_use]
pub fn headline(decision: &Decision, language: Language) -> String {
    let told = Told::new(decision, language, &TimeZone::UTC);
    match language {
        Language::En => english::headline(&told),
        Language::Zh => chinese::headline(&told),
    }
}

/// A decision with what is needed to tell it.
struct Told<'a> {
    decision: &'a Decision,
    language: Language,
    clock: Clock,
}

impl<'a> Told<'a> {
    fn new(decision: &'a Decision, language: Language, zone: &TimeZone) -> Self {
        Self { decision, language, clock: Clock::new(language, zone.clone(), decision.time) }
    }
    fn amount(&self, value: f64) -> String {
        amount(self.decision.change.knob, value, self.language)
    }
    fn setting(&self, of: Setting) -> String {
        setting(self.decision.change.knob, of, self.language)
    }
    fn duration(&self, seconds: f64) -> String {
        duration(seconds, self.language)
    }
    const fn resource(&self) -> Resource {
        self.decision.change.knob.resource()
    }
    fn from(&self) -> String {
        self.setting(self.decision.change.from)
    }
    /// The value that counts: as let through, else as proposed.
    fn target(&self) -> Setting {
        self.decision.admitted_to().unwrap_or(self.decision.change.to)
    }
    fn to(&self) -> String {
        self.setting(self.target())
    }
    /// What the plan had proposed, where the guard let something else through.
    fn proposed(&self) -> Option<String> {
        let Verdict::Admitted { to, .. } = &self.decision.verdict else { return None };
        let change = &self.decision.change;
        (!to.same(change.to, change.knob)).then(|| self.setting(change.to))
    }
    /// Less, more, a limit where none was, or none where one was.
    fn direction(&self) -> Direction {
        match (self.decision.change.from, self.target()) {
            (_, Setting::Unlimited) => Direction::Lift,
            (Setting::Unlimited, Setting::Value(_)) => Direction::Impose,
            (Setting::Value(from), Setting::Value(to)) if to < from => Direction::Lower,
            _ => Direction::Raise,
        }
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Lower,
    Raise,
    Impose,
    Lift,
}
