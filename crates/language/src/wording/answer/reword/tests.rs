use super::*;
use crate::{
    Language,
    reading::question::{About, Span},
    wording::answer::{Record, Throttled, UsedOver},
};
use apportion_core::{DecisionId, Resource, plan::Used};

const NIGHT: Time = Time(1_795_629_600_000);

fn span() -> Span {
    Span { from: NIGHT, to: NIGHT.plus_s(43_200) }
}

fn throttled(workload: &str, throttled_s: f64) -> Record {
    Record::Throttled(Throttled {
        workload: workload.into(),
        span: span(),
        measured_s: 43_200.0,
        throttled_s,
        worst_at: NIGHT.plus_s(1_800),
        worst_share: 0.5,
        limit: Some((1.4, DecisionId(40))),
        wanted: Some(1.65),
    })
}

fn used(workload: &str) -> Record {
    let used = Used {
        window_s: 43_200.0,
        present_share: 1.0,
        seen_s: 43_200.0,
        p50: 0.5,
        p95: 0.75,
        max: 1.25,
        max_at: NIGHT,
    };
    Record::Used(UsedOver {
        workload: workload.into(),
        resource: Resource::Cpu,
        metric: "cpu_cores".to_owned(),
        span: span(),
        mean: 0.6,
        used,
        step_s: 60,
    })
}

fn question(language: Language) -> Question {
    Question {
        about: About::Throttled,
        workloads: vec!["nginx".to_owned()],
        resource: None,
        when: None,
        size: None,
        decision: None,
        unread: None,
        language,
    }
}

/// What comes of a model's lines about nginx throttled for half an hour and db's use.
fn check(language: Language, lines: &[&str], expected: Result<&str, &str>) {
    let findings = Findings { records: vec![throttled("nginx", 1_800.0), used("db")], missing: Vec::new() };
    let names = ["nginx".to_owned(), "db".to_owned(), "web".to_owned()];
    let (question, zone) = (question(language), TimeZone::UTC);
    let rewording = Rewording::new((&question, "why was nginx throttled?"), &findings, (&names, &[]), (NIGHT, &zone));
    let sent = rewording.sent();
    assert!(!sent.contains("nginx") && !sent.contains("db ") && sent.contains("workload-1"), "{sent}");
    assert!(sent.lines().count() == 3 && sent.contains("\n2: "), "{sent}");
    let read = rewording.read(&json!({ "lines": lines }).to_string());
    match (read, expected) {
        (Ok(words), Ok(says)) => assert!(words.contains(says), "{words}"),
        (Err(error), Err(says)) => assert!(error.to_string().contains(says), "{lines:?}: {error}"),
        (read, expected) => panic!("{lines:?}: {read:?}, {expected:?}"),
    }
}

const USE: &str = "workload-2 used 0.6 cores on average.";

#[test]
fn what_the_record_holds_may_be_said_in_other_words() {
    check(
        Language::En,
        &[
            "For 30 minutes Workload-1 ran into its limit of 1.4 cores (decision 40); it would not have with 1.65 cores.",
            USE,
        ],
        Ok("For 30 minutes nginx ran into its limit of 1.4 cores (decision 40)"),
    );
    check(
        Language::Zh,
        &["workload-1 被限流了 30 分钟，上限 1.4 核；若给 1.65 核，则不会。", "workload-2 平均用 0.6 核。"],
        Ok("db 平均用 0.6 核。"),
    );
}

#[test]
fn a_lie_is_dropped() {
    let lie = |line: &str, says: &str| check(Language::En, &[line, USE], Err(says));
    let right = "workload-1 was throttled for 30 minutes, not more.";
    check(Language::En, &[right, USE], Ok("nginx was throttled for 30 minutes"));
    lie("workload-1 was throttled for 31 minutes, not more.", "says \"31 minutes\"");
    lie("workload-1 was throttled for 30 hours, not more.", "says \"30 hours\"");
    lie("workload-1 was not throttled for thirty minutes.", "says \"thirty\"");
    lie("workload-1 was not throttled for ３１ minutes.", "no line of words has");
    lie("workload-1 was not throttled for ٣١ minutes.", "no line of words has");
    lie("workload-1 was not throttled at 03:17.", "says \"03:17\"");
    lie("workload-1 was not throttled on Monday.", "says \"Monday\"");
    lie("workload-1 was not throttled yesterday.", "says \"yesterday\"");
    lie("It wanted 1.65 cores, its limit was 1.4 cores, workload-1 would not do.", "says \"1.4\"");
    lie("workload-2 was not throttled for 30 minutes.", "other workloads");
    lie("workload-1 and workload-2 were not throttled for 30 minutes.", "other workloads: \"db\"");
    lie("It was not throttled for 30 minutes.", "other workloads: \"nginx\"");
    lie("web was not throttled for 30 minutes.", "other workloads");
    lie("workload-7 was not throttled for 30 minutes.", "other workloads: \"workload-7\"");
    lie("workload-1 was throttled for 30 minutes.", "turns round");
    lie("workload-1 was not throttled for 30 minutes.", "turns round");
    lie("workload-1 hadn't been throttled for 30 minutes.", "turns round");
    lie("workload-1 was not throttled for 30 minutes, and would not have been.", "turns round");
    lie(
        "workload-1 was throttled, its limit was lowered to 1.4 cores, which would not do.",
        "turns round what is said (\"lowered\")",
    );
    lie("", "is empty");
    lie("workload-1 was not \u{1b}[31mthrottled.", "no line of words has");
    lie(&"workload-1 was not throttled. ".repeat(60), "much longer");
    check(Language::En, &[right], Err("1 lines for 2"));
    check(Language::Zh, &["workload-1 被限流三十分钟，不长。", "workload-2 用 0.6 核"], Err("says \"三\""));
    let findings = Findings { records: vec![used("db")], missing: Vec::new() };
    let (question, zone) = (question(Language::En), TimeZone::UTC);
    let rewording = Rewording::new((&question, ""), &findings, (&[], &[]), (NIGHT, &zone));
    for answer in ["", "db used", "{\"lines\": [1]}", "{\"lines\": [\"x\"], \"do\": \"rm\"}"] {
        assert!(matches!(rewording.read(answer), Err(RewordError::Format(_))), "{answer}");
    }
}
