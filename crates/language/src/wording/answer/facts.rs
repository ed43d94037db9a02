//! What each record holds, for the check of every number in an answer.

use super::record::{Missing, Record};
use crate::{
    reading::question::Span,
    wording::founded::{Dimension, Facts, dimension_of},
};
use apportion_core::{
    DecisionId, Harm, Instructed, Resource, Setting, Time, WorkloadId, instruction::Unit, metric::name, watch,
};
use jiff::tz::TimeZone;

/// What a record holds.
pub(super) fn of(record: &Record, zone: &TimeZone) -> Facts {
    let book = Book::new(zone);
    match record {
        Record::Decision(decision) => return Facts::of(decision, zone),
        Record::Harm { time, harm } => book.time(*time).harm(harm),
        Record::Throttled(of) => {
            let book = book.workload(&of.workload).span(of.span).time(of.worst_at).limit(of.limit, Resource::Cpu);
            let book = book.number(Dimension::Seconds, of.measured_s).number(Dimension::Seconds, of.throttled_s);
            book.number(Dimension::Share, of.worst_share).amount(Resource::Cpu, of.wanted)
        }
        Record::Killed(of) => {
            let book = book.workload(&of.workload).span(of.span).time(of.last_at).limit(of.limit, Resource::Memory);
            book.number(Dimension::Seconds, of.measured_s).count(of.kills).amount(Resource::Memory, of.peak)
        }
        Record::Used(of) => {
            let mut book = book.workload(&of.workload).span(of.span).amount(of.resource, Some(of.mean));
            book.facts.add_used(&of.used, dimension_of(of.resource), zone);
            book.number(Dimension::Seconds, f64::from(of.step_s))
        }
        Record::Expected(of) => {
            let book = of.span.into_iter().fold(book.workload(&of.workload), Book::span);
            let mut book = book.times(of.made).counts(of.decision.map(|id| id.0));
            book.facts.add_expected(&of.expected, dimension_of(of.resource), zone);
            book
        }
        Record::Allotted(of) => {
            let setting = of.setting.and_then(Setting::value);
            let book = book.workload(&of.workload).amount(of.knob.resource(), of.allotted);
            let book = book.amount(of.knob.resource(), setting);
            book.counts(of.since.map(|(id, _)| id.0)).times(of.since.map(|(_, time)| time))
        }
        Record::Smaller(of) => {
            let mut book = book.workload(&of.workload).time(of.peak_at).amount(of.knob.resource(), Some(of.peak));
            book.facts.add_lower(&of.cost, dimension_of(of.knob.resource()));
            book
        }
        other => counted(other, book),
    }
    .facts
}

fn counted<'a>(record: &Record, book: Book<'a>) -> Book<'a> {
    match record {
        Record::Ranked(of) => {
            let book = book.workload(&of.workload).span(of.span).count(of.place).amount(of.resource, Some(of.value));
            book.amount(of.resource, Some(of.p95)).amount(of.resource, of.limit)
        }
        Record::Near(of) => {
            let book = book.workload(&of.workload).span(of.span).number(Dimension::Share, of.share);
            book.amount(of.resource, Some(of.limit)).amount(of.resource, Some(of.p95))
        }
        Record::Saved(of) => {
            let sums = [of.before, of.since, of.saved].map(Some);
            let book = book.span(of.span).count(of.changes).count(of.workloads);
            sums.into_iter().fold(book, |book, value| book.amount(of.knob.resource(), value))
        }
        Record::Free(of) => {
            let all = [Some(of.capacity), of.used, Some(of.allotted), Some(of.left)];
            all.into_iter().fold(book, |book, value| book.amount(of.resource, value))
        }
        Record::Counted(of) => {
            let all = [of.decisions, of.applied, of.taken_back, of.rolled_back, of.recommended, of.refused];
            all.into_iter().fold(book.span(of.span), Book::count)
        }
        Record::Said(of) => book.said(&of.said),
        _ => book,
    }
}

/// What a remark on missing data holds.
pub(super) fn of_missing(missing: &Missing, zone: &TimeZone) -> Facts {
    let book = Book::new(zone);
    match missing {
        Missing::Workload { name, nearest } => nearest.iter().fold(book.quote(name), |book, near| book.quote(near)),
        Missing::Readings { workload, metric, span } => book.workload(workload).quote(metric).span(*span),
        Missing::Forecast { workload } | Missing::Limit { workload, .. } => book.workload(workload),
        Missing::Beyond { until } => book.time(*until),
        Missing::Decisions { span: Some(span) } | Missing::Savings { span } => book.span(*span),
        Missing::Decision { id } | Missing::Counterfactual { id } => book.count(*id),
        Missing::LeftOut { workloads } => book.count(*workloads),
        Missing::Unread { why } | Missing::Unreadable { why } | Missing::Percentile { asked: why } => book.quote(why),
        _ => book,
    }
    .facts
}

struct Book<'a> {
    facts: Facts,
    zone: &'a TimeZone,
}

impl<'a> Book<'a> {
    fn new(zone: &'a TimeZone) -> Self {
        Self { facts: Facts::default(), zone }
    }
    fn quote(mut self, words: &str) -> Self {
        self.facts.quote(words);
        self
    }
    fn workload(self, workload: &WorkloadId) -> Self {
        self.quote(workload.as_str())
    }
    fn span(self, span: Span) -> Self {
        self.time(span.from).time(span.to)
    }
    fn time(mut self, time: Time) -> Self {
        self.facts.time(time, self.zone);
        self
    }
    fn times(self, time: Option<Time>) -> Self {
        time.into_iter().fold(self, Self::time)
    }
    fn count(mut self, count: u64) -> Self {
        self.facts.count(count);
        self
    }
    fn counts(self, count: Option<u64>) -> Self {
        count.into_iter().fold(self, Self::count)
    }
    fn number(mut self, dimension: Dimension, value: f64) -> Self {
        self.facts.number(dimension, value);
        self
    }
    fn amount(self, of: Resource, value: Option<f64>) -> Self {
        value.into_iter().fold(self, |book, value| book.number(dimension_of(of), value))
    }
    fn limit(self, limit: Option<(f64, DecisionId)>, of: Resource) -> Self {
        let (value, id) = limit.unzip();
        self.amount(of, value).counts(id.map(|id| id.0))
    }

    fn harm(self, harm: &Harm) -> Self {
        let counted = match harm.signal.as_str() {
            name::LATENCY => Dimension::Seconds,
            name::OOM_KILLS | watch::RESTARTED => Dimension::Plain,
            _ => Dimension::Share,
        };
        let book = self.workload(&harm.workload).quote(&harm.signal).count(harm.of.0);
        book.number(counted, harm.before).number(counted, harm.now).number(Dimension::Seconds, harm.after_s)
    }

    /// Every number and time of an instruction, in the units in which it is told.
    fn said(self, said: &Instructed) -> Self {
        let of = &said.instruction;
        let book = of.workloads.iter().fold(self.quote(&of.text), |book, name| book.quote(name));
        let book = book.count(said.id.0.unsigned_abs()).time(said.time).times(of.start).times(of.end);
        let (dimension, scale) = match of.unit {
            Some(Unit::Cores) => (Dimension::Cores, 1.0),
            Some(Unit::Bytes) => (Dimension::Bytes, 1.0),
            Some(Unit::BytesPerSecond) => (Dimension::BytesPerSecond, 1.0),
            Some(Unit::Percent) => (Dimension::Share, 0.01),
            Some(Unit::Replicas | Unit::X) | None => (Dimension::Plain, 1.0),
        };
        of.amount.into_iter().fold(book, |book, amount| book.number(dimension, amount * scale))
    }
}
