//! Alerts and log lines: they raise their own workload for a while and can ask for nothing else, whatever they say.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../../language/tests/attacks/mod.rs"]
mod attacks;

use apportion::signals::{
    Report, Signals, Taken,
    alertmanager::{Webhook, reports},
    journal::{each_line, report},
};
use apportion_core::{Knob, SignalSource, Standing, Time, WorkloadId, instruction::Level};
use attacks::{ATTACKS, SOUND};

const NOW: Time = Time::from_s(1_795_680_000);
const KNOWN: [&str; 5] = ["nginx.service", "redis.service", "/kubepods/web", "api-1", "api-2"];

fn signals() -> Signals {
    let signals = Signals::default();
    signals.know(KNOWN.into_iter().map(WorkloadId::from));
    signals
}

fn factor(signals: &Signals, workload: &str, knob: Knob) -> f64 {
    let standing = signals.board().hint(&workload.into(), Standing::default(), NOW);
    standing.asked.get(&knob).map_or(1.0, |asked| asked.factor)
}

fn webhook(labels: &serde_json::Value, summary: &str, status: &str) -> Vec<Report> {
    let alert = serde_json::json!({
        "status": status, "labels": labels, "annotations": { "summary": summary }, "startsAt": "2026-11-26T01:00:00Z",
        "generatorURL": "http://prometheus/graph", "fingerprint": "1",
    });
    let sent = serde_json::json!({ "version": "4", "groupKey": "{}", "receiver": "apportion", "alerts": [alert] });
    reports(&serde_json::from_value::<Webhook>(sent).unwrap())
}

#[test]
fn an_alert_raises_the_workload_that_its_labels_name_until_it_is_resolved() {
    let signals = signals();
    let labels = serde_json::json!({ "alertname": "CPUThrottlingHigh", "severity": "warning", "service": "nginx" });
    let fired = webhook(&labels, "38% throttling of CPU", "firing");
    assert_eq!(signals.take(&fired, NOW), Taken { taken: 1, ..Taken::default() });
    assert_eq!(
        (factor(&signals, "nginx.service", Knob::CpuQuota), factor(&signals, "redis.service", Knob::CpuQuota)),
        (1.2, 1.0)
    );
    assert_eq!(factor(&signals, "nginx.service", Knob::MemoryMax), 1.0);
    let listed = &signals.in_force(NOW)[0];
    assert_eq!(
        (listed.workload.as_str(), listed.level.as_str(), listed.until_s - listed.time_s),
        ("nginx.service", "high", 900)
    );
    let resolved = webhook(&labels, "38% throttling of CPU", "resolved");
    assert_eq!(signals.take(&resolved, NOW), Taken { ended: 1, ..Taken::default() });
    assert_eq!(factor(&signals, "nginx.service", Knob::CpuQuota), 1.0);
}

#[test]
fn journal_lines_are_of_the_unit_that_journald_names() {
    let check = |line: &str, workload: Option<&str>| {
        let signals = signals();
        let taken = report(line).map(|report| signals.take(&[report], NOW).taken).unwrap_or_default();
        assert_eq!(signals.in_force(NOW).first().map(|signal| signal.workload.clone()).as_deref(), workload, "{line}");
        assert_eq!(taken, usize::from(workload.is_some()), "{line}");
    };
    check(
        r#"{"PRIORITY":"3","MESSAGE":"upstream timed out","_SYSTEMD_UNIT":"nginx.service","_PID":"77"}"#,
        Some("nginx.service"),
    );
    check(
        r#"{"PRIORITY":"4","MESSAGE":"A process of this unit has been killed by the OOM killer.","_PID":"1","UNIT":"redis.service"}"#,
        Some("redis.service"),
    );
    check(
        r#"{"PRIORITY":"6","MESSAGE":"oom-kill:constraint=CONSTRAINT_MEMCG,task_memcg=/kubepods/web,task=java","_TRANSPORT":"kernel"}"#,
        Some("/kubepods/web"),
    );
    // What a workload says of another is not believed.
    check(
        r#"{"PRIORITY":"3","MESSAGE":"out of memory","UNIT":"redis.service","_SYSTEMD_UNIT":"cron.service","_PID":"77"}"#,
        None,
    );
    check(
        r#"{"PRIORITY":"6","MESSAGE":"oom-kill:task_memcg=/kubepods/web","_SYSTEMD_UNIT":"cron.service","_PID":"77"}"#,
        None,
    );
    check(r#"{"PRIORITY":"6","MESSAGE":"GET / timed out","_SYSTEMD_UNIT":"nginx.service"}"#, None);
    check(r#"{"PRIORITY":"3","MESSAGE":[1,2,3],"_SYSTEMD_UNIT":"nginx.service"}"#, None);
    check("not json", None);
}

#[test]
fn a_line_without_end_is_passed_over_and_what_follows_is_read() {
    let mut text = vec![b'a'; 300_000];
    text.extend_from_slice(b"\nshort\n");
    text.extend(vec![b'b'; 65_536]);
    let mut lines = Vec::new();
    each_line(std::io::Cursor::new(text), |line| lines.push(line.trim_end().to_owned()));
    assert_eq!(lines, ["short"]);
}

/// Hostile texts in every place that a source fills: 0 of them may reach more than a hint for the workload they came from.
#[test]
fn hostile_text_is_data() {
    let mut count = 0;
    let unit =
        ["8 TiB", "1e308 cores", "0x7fffffff", "８核", "-1 cores", "NaN", "limit = unlimited", "\u{202e}serroc 46"];
    let texts: Vec<String> = SOUND
        .into_iter()
        .flat_map(|sound| {
            ATTACKS.into_iter().chain(unit).map(move |attack| format!("cpu throttled. {sound}. {attack}"))
        })
        .chain([format!("out of memory {}", "八".repeat(100_000)), "\u{0}cpu\u{7}".repeat(5_000)])
        .collect();
    let names = [
        "*",
        "nginx*",
        "n?inx.service",
        "ngіnx.service",
        "nginx.service\u{200b}",
        "../../redis.service",
        "",
        "api-",
        "'; drop table --",
    ];
    for (at, text) in texts.iter().enumerate() {
        let signals = signals();
        for (place, name) in names.iter().enumerate() {
            let labels =
                serde_json::json!({ "alertname": text, "severity": text, "service": name, text.as_str(): text });
            let taken = signals.take(&webhook(&labels, text, "firing"), NOW);
            assert_eq!(taken.taken, 0, "{name:?} {place}");
        }
        let labels = serde_json::json!({ "alertname": "x", "severity": "critical", "service": "nginx", "pod": text });
        signals.take(&webhook(&labels, text, "firing"), NOW);
        let line =
            serde_json::json!({ "PRIORITY": "0", "MESSAGE": text, "_SYSTEMD_UNIT": "nginx.service" }).to_string();
        signals.take(&report(&line).into_iter().collect::<Vec<_>>(), NOW);
        let board = signals.board();
        for workload in KNOWN {
            let before = Standing::default();
            let after = board.hint(&workload.into(), before.clone(), NOW);
            assert!(
                after.asked.values().all(|asked| asked.added == 0.0 && (1.0..=1.25).contains(&asked.factor)),
                "{text}"
            );
            assert!(workload == "nginx.service" || after == before, "{workload} {text}");
            assert_eq!(Standing { asked: before.asked.clone(), ..after }, before, "only what is asked may differ");
        }
        assert!(signals.in_force(NOW).iter().all(|signal| signal.text.chars().count() <= 200), "{at}");
        count += names.len() + 2;
    }
    assert!(count >= 500, "{count}");
    println!("hostile alerts and lines: {count}, more than a hint: 0");
}

#[test]
fn a_storm_of_one_workload_is_one_hint() {
    let signals = signals();
    let one = Report {
        names: vec!["nginx".to_owned()],
        level: Level::Critical,
        source: SignalSource::Log,
        text: "out of memory".to_owned(),
        over: false,
    };
    let taken = signals.take(&vec![one; 10_000], NOW);
    assert_eq!((taken.taken, taken.ignored), (1, 9_999));
}
