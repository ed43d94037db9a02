//! English sentences for what an answer rests on and for what it lacks.

use super::record::{
    Allotted, By, Counted, ExpectedOf, Free, Killed, Missing, Near, Ranked, Record, Said, Saved, Smaller, Throttled,
    UsedOver,
};
use crate::{
    Language::En,
    reading::question::{About, Span},
    wording::{
        Clock, Told, amount, duration,
        english::{counterfactual, expected_words, explain, headline, knob},
        figure, resource_amount, setting, share,
    },
};
use apportion_core::{Binding, Decision, DecisionId, Harm, Resource, metric::name, watch};

/// What can be asked, as examples.
const EXAMPLES: &str = "You can ask: why was NAME throttled last night; why does NAME have this limit; how much memory did NAME use \
    yesterday; what is forecast for NAME; what is allotted to NAME and since when; what changed today and by whom; which workloads use \
    most, waste most or are at risk; what was saved last week; what instructions stand; what would half the memory have cost NAME; \
    how many cores are free.";

pub(super) fn record(record: &Record, about: About, clock: &Clock) -> String {
    match record {
        Record::Decision(decision)
            if matches!(about, About::Why | About::Throttled | About::Killed | About::Allotted) =>
        {
            explain(&told(decision, clock))
        }
        Record::Decision(decision) => line(decision, clock),
        Record::Harm { time, harm } => format!("{}: {}", clock.moment(*time), harm_words(harm)),
        Record::Throttled(of) => throttled(of, clock),
        Record::Killed(of) => killed(of, clock),
        Record::Used(of) => used(of, clock),
        Record::Expected(of) => expected(of, clock),
        Record::Allotted(of) => allotted(of, clock),
        Record::Ranked(of) => ranked(of),
        Record::Near(of) => near(of, clock),
        Record::Saved(of) => saved(of, clock),
        Record::Said(of) => said(of, clock),
        Record::Smaller(of) => smaller(of, clock),
        Record::Free(of) => free(of),
        Record::Counted(of) => counted(of, clock),
    }
}

fn told<'a>(decision: &'a Decision, clock: &Clock) -> Told<'a> {
    Told { decision, language: En, clock: clock.clone() }
}

/// One decision among others: when, what, by whom, and what less would have cost.
fn line(decision: &Decision, clock: &Clock) -> String {
    let reason = &decision.change.reason;
    let cost = reason.counterfactual.as_ref().map(|lower| counterfactual(decision.change.knob, lower, clock));
    let words = headline(&told(decision, clock));
    let cost = cost.map_or_else(String::new, |cost| format!(" {cost}"));
    format!("[{}] {} {words}; {}.{cost}", decision.id, clock.moment(decision.time), by(&reason.binding))
}

fn by(binding: &Binding) -> String {
    match binding {
        Binding::RolledBack { of } => format!("by a person, who took decision {of} back"),
        Binding::TakeBack { of } => format!("by Apportion, since decision {of} hurt"),
        Binding::BoundOver { of } => format!("by Apportion, since the bound that decision {of} was made for is over"),
        Binding::SetAgain => "by Apportion, since this limit got lost with what held it".to_owned(),
        Binding::Announced { .. } => "by Apportion, for what people announced".to_owned(),
        Binding::Floor | Binding::Ceiling => "by Apportion, for a bound that people set".to_owned(),
        _ => "by Apportion".to_owned(),
    }
}

fn between(span: Span, clock: &Clock) -> String {
    format!("between {} and {}", clock.moment(span.from), clock.moment(span.to))
}

/// What a metric counts, where it says more than its resource.
fn what(of: &UsedOver) -> &'static str {
    match of.metric.as_str() {
        name::IO_READ => "disk reads",
        name::IO_WRITE => "disk writes",
        name::NETWORK_SEND => "network sending",
        name::NETWORK_RECEIVE => "network receiving",
        _ => resource(of.resource),
    }
}

fn resource(of: Resource) -> &'static str {
    match of {
        Resource::Cpu => "CPU",
        Resource::Memory => "memory",
        Resource::Storage => "disk throughput",
        Resource::Network => "network throughput",
    }
}

fn limit(of: Option<(f64, DecisionId)>, resource: Resource, name: &str) -> String {
    of.map_or_else(
        || format!("Which {name} was in force is not in the ledger."),
        |(value, id)| format!("Its {name} was {}, set by decision {id}.", resource_amount(resource, value, En)),
    )
}

fn throttled(of: &Throttled, clock: &Clock) -> String {
    let when = between(of.span, clock);
    if of.throttled_s <= 0.0 {
        return format!("{} was not throttled {when} ({} measured).", of.workload, duration(of.measured_s, En));
    }
    let wanted = of.wanted.map_or_else(
        || "What it wanted is not known.".to_owned(),
        |wanted| {
            let told = resource_amount(Resource::Cpu, wanted, En);
            match of.limit {
                Some((limit, _)) if wanted > limit => {
                    format!("It wanted up to {told}: with that limit it would not have been throttled.")
                }
                _ => format!(
                    "It wanted up to {told} by its readings; its bursts are shorter than those, so how much would have been enough is not measured."
                ),
            }
        },
    );
    format!(
        "{} was throttled {when} for {} in all ({} measured), most at {}: {} of its periods. {} {wanted}",
        of.workload,
        duration(of.throttled_s, En),
        duration(of.measured_s, En),
        clock.moment(of.worst_at),
        share(of.worst_share),
        limit(of.limit, Resource::Cpu, "CPU limit"),
    )
}

fn killed(of: &Killed, clock: &Clock) -> String {
    let when = between(of.span, clock);
    if of.kills == 0 {
        let measured = duration(of.measured_s, En);
        return format!("{} was not killed for want of memory {when} ({measured} measured).", of.workload);
    }
    let times = if of.kills == 1 { "once".to_owned() } else { format!("{} times", of.kills) };
    let peak = of
        .peak
        .map_or_else(String::new, |peak| format!(" It used up to {}.", resource_amount(Resource::Memory, peak, En)));
    format!(
        "{} was killed for want of memory {times} {when}, last at {}. {}{peak} With a higher limit it would have gone on; how much more it would \
         have taken is not measured.",
        of.workload,
        clock.moment(of.last_at),
        limit(of.limit, Resource::Memory, "hard memory limit"),
    )
}

fn used(of: &UsedOver, clock: &Clock) -> String {
    let told = |value| resource_amount(of.resource, value, En);
    let gaps = if of.used.present_share < 0.995 {
        format!(" (measured {} of the time)", share(of.used.present_share))
    } else {
        String::new()
    };
    format!(
        "{} used {} of {} on average {}{gaps}: {} at the median, {} at p95, {} at most over {}, on {}.",
        of.workload,
        told(of.mean),
        what(of),
        between(of.span, clock),
        told(of.used.p50),
        told(of.used.p95),
        told(of.used.max),
        duration(f64::from(of.step_s), En),
        clock.moment(of.used.max_at),
    )
}

fn expected(of: &ExpectedOf, clock: &Clock) -> String {
    let when = of
        .span
        .map_or_else(|| format!("for the next {}", duration(of.expected.horizon_s, En)), |span| between(span, clock));
    let words = expected_words(of.resource, &when, &of.expected, clock);
    let made = match (of.decision, of.made) {
        (Some(id), Some(made)) => {
            format!(" That is the newest one in the ledger, of decision {id} on {}.", clock.moment(made))
        }
        _ => String::new(),
    };
    format!("{}, {}: {words}{made}", of.workload, resource(of.resource))
}

fn allotted(of: &Allotted, clock: &Clock) -> String {
    let is = of
        .setting
        .map_or_else(|| "cannot be read here".to_owned(), |value| format!("is {}", setting(of.knob, value, En)));
    let since = of.since.map_or_else(
        || "; the ledger has no change of it".to_owned(),
        |(id, time)| format!(" since {} (decision {id})", clock.moment(time)),
    );
    let would =
        of.allotted.map_or_else(String::new, |value| format!("; {} would be allotted now", amount(of.knob, value, En)));
    format!("{}: the {} {is}{since}{would}.", of.workload, knob(of.knob))
}

fn ranked(of: &Ranked) -> String {
    let told = |value| resource_amount(of.resource, value, En);
    match (of.by, of.limit) {
        (By::Waste, Some(limit)) => format!(
            "{}. {}: {} of {} beyond the {} that it uses at p95 (it has {}).",
            of.place,
            of.workload,
            told(of.value),
            resource(of.resource),
            told(of.p95),
            told(limit)
        ),
        _ => format!("{}. {}: {} of {} on average.", of.place, of.workload, told(of.value), resource(of.resource)),
    }
}

fn near(of: &Near, clock: &Clock) -> String {
    let told = |value| resource_amount(of.resource, value, En);
    format!(
        "{} wanted {} of {} at p95 {}, {} of its limit of {}.",
        of.workload,
        told(of.p95),
        resource(of.resource),
        between(of.span, clock),
        share(of.share),
        told(of.limit)
    )
}

fn saved(of: &Saved, clock: &Clock) -> String {
    let told = |value| amount(of.knob, value, En);
    format!(
        "{}: {} applied {} of the {} on {} {}. The limits of these were {} in all before, and {} on average since: {} {}.",
        between(of.span, clock),
        of.changes,
        if of.changes == 1 { "change" } else { "changes" },
        knob(of.knob),
        of.workloads,
        if of.workloads == 1 { "workload" } else { "workloads" },
        told(of.before),
        told(of.since),
        told(of.saved.abs()),
        if of.saved < 0.0 { "more" } else { "less" },
    )
}

fn said(of: &Said, clock: &Clock) -> String {
    let state = if of.in_force { "in force" } else { "to come" };
    let words = super::said_words(&of.said.instruction, clock);
    format!(
        "Instruction {}, {state}, taken {}: {words} (“{}”)",
        of.said.id.0,
        clock.moment(of.said.time),
        of.said.instruction.text
    )
}

fn smaller(of: &Smaller, clock: &Clock) -> String {
    let peak = amount(of.knob, of.peak, En);
    let cost = counterfactual(of.knob, &of.cost, clock);
    format!("{}: {cost} The most that it wanted was {peak}, on {}.", of.workload, clock.moment(of.peak_at))
}

fn free(of: &Free) -> String {
    let told = |value| resource_amount(of.resource, value, En);
    let used = of.used.map_or_else(String::new, |used| format!("{} used now and ", told(used)));
    format!(
        "Of the machine's {} of {}, {used}{} allotted to workloads; {} not allotted.",
        told(of.capacity),
        resource(of.resource),
        told(of.allotted),
        told(of.left)
    )
}

fn counted(of: &Counted, clock: &Clock) -> String {
    let plural = if of.decisions == 1 { "decision" } else { "decisions" };
    let mut parts = vec![format!("{} applied", of.applied)];
    for (count, what) in [
        (of.taken_back, "of these to take back what hurt"),
        (of.rolled_back, "of these asked for by a person"),
        (of.recommended, "only recommended"),
        (of.refused, "held back by the guard"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    format!("{} {plural} {}: {}.", of.decisions, between(of.span, clock), parts.join(", "))
}

fn harm_words(harm: &Harm) -> String {
    let told = |value: f64| match harm.signal.as_str() {
        name::LATENCY => duration(value, En),
        name::OOM_KILLS | watch::RESTARTED => figure(value),
        _ => share(value),
    };
    format!(
        "decision {} hurt {} ({} went from {} to {} within {}) and was taken back.",
        harm.of,
        harm.workload,
        harm.signal,
        told(harm.before),
        told(harm.now),
        duration(harm.after_s, En)
    )
}

pub(super) fn missing(missing: &Missing, clock: &Clock) -> String {
    match missing {
        Missing::Workload { name, nearest } if nearest.is_empty() => {
            format!("No workload is called {name}; `apportion status` lists them.")
        }
        Missing::Workload { name, nearest } => {
            format!("No workload is called {name}; did you mean {}?", nearest.join(" or "))
        }
        Missing::Name => {
            "Of which workload? Name it, e.g. “why was NAME throttled last night?”; `apportion status` lists them."
                .to_owned()
        }
        Missing::Readings { workload, metric, span } => {
            format!("Nothing is recorded of {metric} of {workload} {}.", between(*span, clock))
        }
        Missing::Forecast { workload } => {
            format!("There is no forecast for {workload}: none is in the ledger, and no loop runs that has made one.")
        }
        Missing::Beyond { until } => {
            format!("The forecast ends {}; what comes later is not forecast.", clock.full(*until))
        }
        Missing::Decisions { span: Some(span) } => {
            format!("The ledger has no decision about that {}.", between(*span, clock))
        }
        Missing::Decisions { span: None } => "The ledger has no decision about that.".to_owned(),
        Missing::Decision { id } => format!("There is no decision {id}; `apportion history` lists them."),
        Missing::Limit { workload, resource: of } => {
            format!("{workload} has no limit on {} that it could be held against.", resource(*of))
        }
        Missing::Counterfactual { id } => {
            format!(
                "What a smaller size would have cost is not known of decision {id}: too little of its use was recorded."
            )
        }
        Missing::None => "No workload is so, as far as is recorded.".to_owned(),
        Missing::Savings { span } => format!("Nothing was applied {}, so nothing was saved.", between(*span, clock)),
        Missing::LeftOut { workloads } => format!("Left out: {workloads} more that answer to that; name fewer."),
        Missing::Unreadable { why } => {
            format!("The store could not be read ({why}), so this may leave out what is there.")
        }
        Missing::Percentile { asked } => {
            format!("{asked} is not told: what is told is the median, p95 and the greatest.")
        }
        Missing::Instructions => {
            "No instruction stands. `apportion instructions --all` lists those that are past.".to_owned()
        }
        Missing::Machine => "What the machine has is not known here; it is while `apportion run` runs.".to_owned(),
        Missing::Names => "The ledger keeps what was said and done, not who said it.".to_owned(),
        Missing::OtherDemand => {
            "What would be with other demand is not in the ledger: `apportion replay --what-if` plays a sentence on \
            recorded usage, and `apportion tell` shows what it would do."
                .to_owned()
        }
        Missing::Examples { asked: true } => {
            format!("{EXAMPLES} And tell, with `apportion tell`, what will change, what must hold, or what is wrong.")
        }
        Missing::Examples { asked: false } => format!("I did not understand what is asked. {EXAMPLES}"),
        Missing::ToTell => {
            "That reads as an instruction; asking changes nothing. `apportion tell` takes it.".to_owned()
        }
        Missing::Unread { why } => format!("Not read: {why}."),
    }
}
