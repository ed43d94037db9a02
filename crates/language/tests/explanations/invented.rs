//! Decisions as a property test invents them.

use apportion_core::{
    Binding, Change, Counterfactual, Decision, DecisionId, InstructionId, Outcome, Reason, Refusal, Setting, Time,
    Verdict, knob,
    plan::{Expected, Used},
    workload::Asked,
};
use jiff::tz::TimeZone;
use proptest::prelude::*;

pub(crate) fn refusals(value: f64) -> Vec<Refusal> {
    vec![
        Refusal::UnknownWorkload,
        Refusal::Unreachable,
        Refusal::OwnGroup,
        Refusal::NotANumber,
        Refusal::ForeignChange { expected: Setting::Value(value), found: Setting::Unlimited },
        Refusal::RecommendOnly,
        Refusal::Held { why: "freeze until 6 pm, ticket 4711".to_owned() },
        Refusal::Stale { metric: "cpu_cores".to_owned(), age_s: Some(value * 100.0) },
        Refusal::Stale { metric: "p99_ms".to_owned(), age_s: None },
        Refusal::DeadBand { share: value / 1000.0 },
        Refusal::TooYoung { seen_s: value * 7.0, needed_s: 3_600.0 },
        Refusal::CoolDown { left_s: value * 10.0 },
        Refusal::Failing { error: "nft -f -: No such file or directory".to_owned(), left_s: value * 5.0 },
        Refusal::BlastRadius { changed: 3, allowed: 2 },
    ]
}

pub(crate) fn bindings(value: f64) -> Vec<Binding> {
    vec![
        Binding::Forecast,
        Binding::Recent,
        Binding::ColdStart,
        Binding::LookAlikes { count: 3 },
        Binding::Announced { usual: value * 0.7 },
        Binding::Floor,
        Binding::Ceiling,
        Binding::Share { wanted: value * 2.0, capacity: value },
        Binding::StepLimit,
        Binding::MemoryInUse,
        Binding::TakeBack { of: DecisionId(17) },
        Binding::RolledBack { of: DecisionId(17) },
        Binding::BoundOver { of: DecisionId(17) },
        Binding::SetAgain,
        Binding::Rule("autopilot-ml2".to_owned()),
    ]
}

/// Values over many orders of magnitude, and those next to a change of unit.
pub(crate) fn size() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-4.0_f64..14.0).prop_map(|exponent| 10.0_f64.powf(exponent)),
        (0_u32..50, -2.0_f64..2.0).prop_map(|(power, off)| (2.0_f64.powi(power.cast_signed()) + off).max(0.0)),
        (0.0_f64..20.0),
        Just(0.0),
    ]
}

pub(crate) fn span() -> impl Strategy<Value = f64> {
    prop_oneof![0.0_f64..3_000_000.0, 0.0_f64..120.0, (0_u32..400).prop_map(|days| f64::from(days) * 86_400.0)]
}

pub(crate) fn some_setting() -> impl Strategy<Value = Setting> {
    prop_oneof![1 => Just(Setting::Unlimited), 4 => size().prop_map(Setting::Value)]
}

pub(crate) fn time() -> impl Strategy<Value = Time> {
    (0_i64..4_000_000_000_000).prop_map(Time)
}

pub(crate) fn some_reason() -> impl Strategy<Value = Reason> {
    let used = (span(), 0.0_f64..=1.0, size(), size(), size(), time()).prop_map(
        |(window_s, present_share, p50, p95, max, max_at)| {
            let seen_s = window_s * present_share;
            Used { window_s, present_share, seen_s, p50, p95, max, max_at }
        },
    );
    let expected = (prop::option::of(0.0_f64..20.0), span(), time(), [size(), size(), size()]).prop_map(
        |(score, horizon_s, peak_at, peak)| Expected { by: "n-sigma3".to_owned(), score, horizon_s, peak_at, peak },
    );
    let lower = (size(), span(), span(), prop::option::of(time()), span()).prop_map(
        |(value, window_s, over_s, worst_day, worst_day_over_s)| Counterfactual {
            value,
            window_s,
            over_s,
            worst_day: worst_day.map(|time| Time::from_s(time.s() / 86_400 * 86_400)),
            worst_day_over_s,
        },
    );
    let binding = (size(), 0_usize..13).prop_map(|(value, which)| bindings(value).swap_remove(which));
    let (used, expected, lower) = (prop::option::of(used), prop::option::of(expected), prop::option::of(lower));
    let asked = (0.1_f64..10.0, prop_oneof![Just(0.0), size(), size().prop_map(|size| -size)], any::<bool>());
    let asked = asked.prop_map(|(factor, added, by_signal)| Asked { factor, added, by_signal });
    let said = prop::collection::vec((1_i64..100_000).prop_map(InstructionId), 0..4);
    let people = (prop::option::of(asked), prop::option::of(size()), said);
    (used, expected, 0.0_f64..=1.0, 1.0_f64..3.0, binding, lower, people).prop_map(
        |(used, expected, quantile, margin, binding, counterfactual, (asked, bound, said))| Reason {
            used,
            expected,
            quantile,
            margin,
            binding,
            counterfactual,
            asked,
            bound,
            said,
        },
    )
}

pub(crate) fn some_verdict() -> impl Strategy<Value = Verdict> {
    let outcome = (some_setting(), 0_usize..5).prop_map(|(found, which)| match which {
        0 => Outcome::Applied { read_back: found },
        1 => Outcome::Unchanged,
        2 => Outcome::DryRun,
        3 => Outcome::Drifted { found },
        _ => Outcome::Failed { error: "/sys/fs/cgroup/web-2/memory.max: error 13.".to_owned() },
    });
    prop_oneof![
        (some_setting(), outcome).prop_map(|(to, outcome)| Verdict::Admitted { to, outcome }),
        (size(), 0_usize..12).prop_map(|(value, which)| Verdict::Refused { why: refusals(value).swap_remove(which) }),
    ]
}

pub(crate) fn some_decision() -> impl Strategy<Value = Decision> {
    let workload = prop::sample::select(vec!["checkout", "web-2", "system.slice/nginx-1.20.service", "4711", "支付2"]);
    let change = (workload, prop::sample::select(knob::ALL.to_vec()), some_setting(), some_setting(), some_reason())
        .prop_map(|(workload, knob, from, to, reason)| Change { workload: workload.into(), knob, from, to, reason });
    (any::<u64>().prop_map(|id| DecisionId(id >> 12)), time(), change, some_verdict())
        .prop_map(|(id, time, change, verdict)| Decision { id, time, change, verdict })
}

pub(crate) fn zone() -> impl Strategy<Value = TimeZone> {
    prop::sample::select(vec!["UTC", "Asia/Shanghai", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati"])
        .prop_map(|name| TimeZone::get(name).unwrap())
}
