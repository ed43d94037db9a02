//! Why a forecast is what it is: what the words say, and that they say nothing that the record does not hold.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use apportion_core::{
    Rationale, Time,
    rationale::{Influence, Lift, Rhythm, Stretch},
};
use apportion_language::{
    Language,
    wording::{explain_forecast, unfounded_forecast},
};
use expect_test::{Expect, expect};
use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;

fn at(text: &str) -> Time {
    Time(text.parse::<Timestamp>().unwrap().as_millisecond())
}

const fn influence(shift: f64, size: f64) -> Influence {
    Influence { shift, size, widening: 0.0 }
}

fn rationale() -> Rationale {
    let stretch = |from: &str, to: &str, share, shift, size| Stretch {
        from: at(from),
        to: at(to),
        share,
        influence: influence(shift, size),
    };
    Rationale {
        workload: "checkout".into(),
        metric: "cpu_cores".into(),
        at: at("2026-11-26T12:00:00Z"),
        horizon_s: 86_400.0,
        by: "transformer+direct".to_owned(),
        recent: 2.04,
        recent_s: 86_400.0,
        level: 2.1,
        rhythm: Some(Rhythm {
            period_s: 86_400.0,
            low: (at("2026-11-27T04:00:00Z"), 0.9),
            high: (at("2026-11-26T14:05:00Z"), 3.412),
            influence: influence(0.01, 0.74),
        }),
        lift: Some(Lift {
            from: at("2026-11-26T20:00:00Z"),
            to: at("2026-11-26T21:55:00Z"),
            usual: 1.5,
            announced: 4.4,
        }),
        calendar: influence(-0.02, 0.031),
        past: vec![
            stretch("2026-11-19T12:05:00Z", "2026-11-20T00:00:00Z", 0.0, 0.0, 0.0),
            stretch("2026-11-25T12:05:00Z", "2026-11-26T00:00:00Z", 0.2, 0.03, 0.1),
            stretch("2026-11-26T00:05:00Z", "2026-11-26T12:00:00Z", 0.612, -0.35, 0.4),
        ],
    }
}

fn check(rationale: &Rationale, language: Language, expect: &Expect) {
    let words = explain_forecast(rationale, language, &TimeZone::UTC);
    assert_eq!(unfounded_forecast(&words, rationale, &TimeZone::UTC), Vec::<String>::new(), "{words}");
    expect.assert_eq(&words);
}

#[test]
fn parts_and_drivers_are_told() {
    check(
        &rationale(),
        Language::En,
        &expect![
            "cpu_cores of checkout, forecast by transformer+direct: 2.1 cores on average over the next day, after 2.04 cores in the last day. It repeats every day: lowest on Friday 04:00 at 0.9 cores, highest on Thursday 14:05 at 3.41 cores; without that rhythm in the past it would be 0.74 cores away. What is announced takes it from 1.5 cores to 4.4 cores between Thursday 20:00 and Thursday 21:55. Of the past, most rests on Thursday 00:05 to Thursday 12:00 (61.2% of all that moves; without it the forecast would be 0.35 cores higher); then on Wednesday 12:05 to Thursday 00:00 (20% of all that moves; without it the forecast would be 0.1 cores away, up here and down there). Without time of day and day of week it would be 0.02 cores higher."
        ],
    );
    check(
        &rationale(),
        Language::Zh,
        &expect![
            "checkout 的 cpu_cores，由 transformer+direct 预测：未来 1 天 平均 2.1 核，过去 1 天 为 2.04 核。每 1 天 重复一次：最低在周五 04:00，0.9 核；最高在周四 14:05，3.41 核；若过去没有这一周期，预测会相差 0.74 核。已宣布的事件使它在周四 20:00至周四 21:55由 1.5 核 变为 4.4 核。过去之中最重要的是周四 00:05至周四 12:00（占全部影响的 61.2%；若没有它，预测会高 0.35 核）；其次是周三 12:05至周四 00:00（占全部影响的 20%；若没有它，预测会有高有低，相差 0.1 核）。若不知道时刻与星期，预测会高 0.02 核。"
        ],
    );
}

#[test]
fn what_is_not_there_is_said_to_be_absent() {
    let plain = Rationale { rhythm: None, lift: None, calendar: influence(0.0, 0.0), past: Vec::new(), ..rationale() };
    check(
        &plain,
        Language::En,
        &expect![
            "cpu_cores of checkout, forecast by transformer+direct: 2.1 cores on average over the next day, after 2.04 cores in the last day. It follows no rhythm. No single stretch of the past moves it. Time of day and day of week, as such, play no part."
        ],
    );
    check(
        &plain,
        Language::Zh,
        &expect![
            "checkout 的 cpu_cores，由 transformer+direct 预测：未来 1 天 平均 2.1 核，过去 1 天 为 2.04 核。看不出周期。过去任何一段单独都不影响它。时刻与星期本身不起作用。"
        ],
    );
}

#[test]
fn foreign_numbers_are_found() {
    let words = "2.1 cores, 2.2 cores, 61.2%, 62%, Thursday 20:00, Monday 21:00";
    assert_eq!(unfounded_forecast(words, &rationale(), &TimeZone::UTC), ["21:00", "Monday", "2.2 cores", "62%"]);
}

fn some_influence() -> impl Strategy<Value = Influence> {
    (-1e9_f64..1e9, 0.0_f64..1e9).prop_map(|(shift, size)| influence(shift, size))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn every_number_is_in_the_record(
        metric in prop::sample::select(vec!["cpu_cores", "memory_working_set_bytes", "io_read_bytes_per_s", "v2_baskets"]),
        (level, recent, share) in (0.0_f64..1e12, 1e-6_f64..1e3, 0.0_f64..1.0),
        (calendar, season, moved) in (some_influence(), some_influence(), some_influence()),
        start in 0_i64..4_000_000_000_000,
    ) {
        let mut some = Rationale { metric: metric.into(), at: Time(start), level, recent, calendar, ..rationale() };
        some.rhythm.as_mut().unwrap().influence = season;
        some.past[2] = Stretch { from: Time(start), to: Time(start + 3_600_000), share, influence: moved };
        for language in [Language::En, Language::Zh] {
            let words = explain_forecast(&some, language, &TimeZone::UTC);
            prop_assert_eq!(unfounded_forecast(&words, &some, &TimeZone::UTC), Vec::<String>::new(), "{}", words);
        }
    }
}
