//! Asking: a question becomes a typed query ([`Question`]), is looked up in store and ledger here, and is answered in words that are
//! checked against what was found (`apportion_language::wording::answer`). Reads only; the command line, the page and the API say the
//! same through here.

mod answered;
mod ledger;
mod sources;
mod state;
mod usage;

pub use answered::Answered;
pub use sources::{Sources, StoreSources};

use crate::web::View;
use apportion_core::{Knob, Resource, Time, Window, WorkloadId, time::DAY_S};
use apportion_language::{
    reading::{
        Reader,
        question::{About, Question, Span},
    },
    wording::answer::{Answer, Findings, Missing, Record, answer},
};
use apportion_planner::instructions::nearest;
use jiff::Zoned;
use std::collections::BTreeSet;

/// Without a time, questions are about the last day; savings and smaller sizes about the last week, seconds.
const WEEK_S: i64 = 7 * DAY_S;
/// Workloads that one answer tells of at the most.
const MOST_NAMED: usize = 5;

/// Answers a question asked at `now`, in the asker's zone.
#[must_use]
pub fn ask(reader: &Reader, text: &str, now: &Zoned, view: &View, sources: &dyn Sources) -> Answer {
    let names = crate::tell::names(view.workloads.keys());
    let question = reader.question(text, now, &names);
    let at = Time(now.timestamp().as_millisecond());
    let mut findings = Asker { question: &question, view, sources, now: at }.find();
    if matches!(question.about, About::Used | About::MostUsed | About::State)
        && let Some(asked) = percentile(text)
    {
        findings.missing.push(Missing::Percentile { asked });
    }
    if let Some(why) = sources.trouble() {
        // What was not found may well be there.
        if findings.records.is_empty() {
            findings.missing.clear();
        }
        findings.missing.push(Missing::Unreadable { why });
    }
    let reading = reader.interpret(text, now, &names);
    if reading.kind.acts() && reading.sure {
        findings.missing.push(Missing::ToTell);
    }
    answer(question, findings, now.time_zone(), at)
}

/// A percentile that is asked for and not told: "p99", "the 99th percentile", "99分位".
fn percentile(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let digits = |words: &str| words.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect::<String>();
    let letter = lower.match_indices('p').filter_map(|(at, _)| {
        let begins = !lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        Some(digits(&lower[at + 1..])).filter(|_| begins)
    });
    let words = ["th percentile", " percentile", "百分位", "分位"].into_iter().filter_map(|word| {
        let before = &lower[..lower.find(word)?];
        before.rsplit(|c: char| !c.is_ascii_digit() && c != '.').next().map(str::to_owned)
    });
    let asked =
        letter.chain(words).map(|digits| digits.trim_end_matches('.').to_owned()).find(|digits| !digits.is_empty())?;
    (!matches!(asked.as_str(), "50" | "95")).then(|| format!("p{asked}"))
}

/// What a question is looked up with.
struct Asker<'a> {
    question: &'a Question,
    view: &'a View,
    sources: &'a dyn Sources,
    now: Time,
}

impl Asker<'_> {
    fn find(&self) -> Findings {
        let mut found = Findings::default();
        if let Some(why) = &self.question.unread {
            found.missing.push(Missing::Unread { why: why.clone() });
            found.missing.push(Missing::Examples { asked: true });
            return found;
        }
        if self.question.about == About::Unclear {
            found.missing.push(Missing::Examples { asked: false });
            return found;
        }
        let all = self.named(&mut found);
        if !self.question.workloads.is_empty() && all.is_empty() {
            return found;
        }
        // What tells of each workload tells of some; sums, rankings and what was said are over all.
        let over_all = matches!(
            self.question.about,
            About::Changed | About::MostUsed | About::MostWasted | About::Saved | About::Said
        );
        let named = if over_all { &all[..] } else { &all[..all.len().min(MOST_NAMED)] };
        match self.question.about {
            About::Why => self.why(named, &mut found),
            About::Throttled => self.throttled(named, &mut found),
            About::Killed => self.killed(named, &mut found),
            About::Used => self.used(named, &mut found),
            About::Forecast => self.forecast(named, &mut found),
            About::Allotted => self.allotted(named, &mut found),
            About::Changed => self.changed(named, &mut found),
            About::MostUsed | About::MostWasted => self.ranked(named, &mut found),
            About::AtRisk => self.at_risk(named, &mut found),
            About::Saved => self.saved(named, &mut found),
            About::Said => self.said(named, &mut found),
            About::Smaller => self.smaller(named, &mut found),
            About::Free => self.free(&mut found),
            About::State => self.state(named, &mut found),
            About::Help => found.missing.push(Missing::Examples { asked: true }),
            About::OtherDemand => found.missing.push(Missing::OtherDemand),
            About::Unclear => {}
        }
        if named.len() < all.len() {
            found.missing.push(Missing::LeftOut { workloads: (all.len() - named.len()) as u64 });
        }
        if found.records.is_empty() && found.missing.is_empty() {
            found.missing.push(Missing::None);
        }
        found
    }

    /// The workloads that the question names, by name; what nobody answers to is missing.
    fn named(&self, found: &mut Findings) -> Vec<WorkloadId> {
        let mut all = BTreeSet::new();
        for name in &self.question.workloads {
            let of_name: Vec<_> = self.view.workloads.keys().filter(|workload| workload.answers_to(name)).collect();
            if of_name.is_empty() {
                let nearest = nearest(name, self.view.workloads.keys());
                found.missing.push(Missing::Workload { name: name.clone(), nearest });
            }
            all.extend(of_name.into_iter().cloned());
        }
        all.into_iter().collect()
    }

    /// The time that is asked about, else so many seconds up to now.
    fn span(&self, default_s: i64) -> Span {
        let span = self.question.when.unwrap_or(Span { from: self.now.plus_s(-default_s), to: self.now });
        Span { to: span.to.min(self.now), ..span }
    }

    /// The resources that are asked about: the one that is named, else the two that everything uses.
    fn resources(&self) -> Vec<Resource> {
        self.question.resource.map_or_else(|| vec![Resource::Cpu, Resource::Memory], |resource| vec![resource])
    }

    /// True for knobs of what is asked about.
    fn is_of(&self, knob: Knob) -> bool {
        self.question.resource.is_none_or(|resource| knob.resource() == resource)
    }

    /// What every workload that is named, or else every one, gives.
    fn each<'b>(&'b self, named: &'b [WorkloadId]) -> Vec<&'b WorkloadId> {
        if named.is_empty() { self.view.workloads.keys().collect() } else { named.iter().collect() }
    }
}

/// Adds a record, or says what is missing.
fn put(found: &mut Findings, record: Result<Record, Missing>) {
    match record {
        Ok(record) => found.records.push(record),
        Err(missing) => found.missing.push(missing),
    }
}

/// The grids on which a span can be looked at, finest first: fine for hours, coarse for weeks, so that an answer comes at once.
fn grids(span: Span) -> impl Iterator<Item = Window> {
    let finest: u32 = match span.to.s() - span.from.s() {
        ..10_801 => 10,
        10_801..172_801 => 60,
        _ => 300,
    };
    [10, 60, 300].into_iter().filter(move |step_s| *step_s >= finest).map(move |step_s| grid(span, step_s))
}

/// The steps that make up a span.
fn grid(span: Span, step_s: u32) -> Window {
    let step = i64::from(step_s);
    let from_s = span.from.s().div_euclid(step) * step + step;
    Window { from_s, to_s: (span.to.s().div_euclid(step) * step + step).max(from_s), step_s }
}

/// The knob by which a resource is limited.
const fn knob_of(resource: Resource) -> Knob {
    match resource {
        Resource::Cpu => Knob::CpuQuota,
        Resource::Memory => Knob::MemoryMax,
        Resource::Storage => Knob::IoWriteMax,
        Resource::Network => Knob::NetworkSendMax,
    }
}
