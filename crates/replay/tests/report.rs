//! The judged result and its page.

#![allow(clippy::unwrap_used, reason = "a test")]

use apportion_replay::{
    Decisions, Engine, JudgeOptions, Judged, Options, Player, ReplayError, Sweep, Trace, TraceBuilder, judge,
    peers::Peer, player, report, run, sweep, unwatched,
};

fn trace() -> Trace {
    let mut builder = TraceBuilder::default();
    for (workload, level) in [("<web> & \"co\"", 1.0), ("batch", 3.0), ("cache", 2.0)] {
        for k in 1..=4 * 288_i64 {
            let wave = 1.0 + 0.5 * (k as f64 / 288.0 * std::f64::consts::TAU).sin();
            let value = level * wave * (1.0 + (k * 7_919 % 13) as f64 / 50.0);
            builder.push(workload, "cpu_cores", k * 300, value).unwrap();
            builder.push(workload, "memory_bytes", k * 300, value * 1e9).unwrap();
        }
    }
    builder.finish().unwrap()
}

fn recorded(trace: &Trace) -> (Vec<Decisions>, Vec<Sweep>) {
    let players: Vec<Player<'_>> = ["static", "krr", "autopilot", "best-static", "oracle"]
        .map(|name| Player::Peer(Peer::named(name).unwrap()))
        .into();
    let options = Options::default();
    players.iter().map(|player| sweep(trace, *player, &options, 86_400, &unwatched).unwrap()).unzip()
}

fn judged() -> Judged {
    let trace = trace();
    let (decisions, sweeps) = recorded(&trace);
    judge(&trace, &decisions, &sweeps, &JudgeOptions { ours: "krr".to_owned(), ..JudgeOptions::default() })
}

#[test]
fn everything_asked_for_is_there() {
    let judged = judged();
    assert_eq!(judged.rows.len(), 10);
    let row = |policy: &str| judged.rows.iter().find(|row| row.policy == policy && row.metric == "cpu_cores").unwrap();
    assert_eq!(row("static").saving, Some(0.0));
    assert!(row("krr").saving.is_some_and(|saving| saving > 0.0));
    assert!(row("best-static").regret_best_static.is_some_and(|regret| regret.abs() < 1e-9));
    let wide = row("krr").intervals.footprint;
    assert!(wide.low <= row("krr").scores.footprint && row("krr").scores.footprint <= wide.high, "{wide:?}");
    let (regret, wide) = (row("static").regret_oracle.unwrap(), row("static").regret_intervals[1].unwrap());
    assert!(wide.low < regret && regret < wide.high, "{regret} {wide:?}");
    assert!(judged.classes.iter().all(|row| row.intervals.footprint.low <= row.scores.footprint));
    assert_eq!((judged.best.len(), judged.worst.len()), (6, 6));
    assert!(judged.best[0].cost <= judged.worst[0].cost && judged.best[0].policy == "krr");
    let at_static =
        judged.matched.iter().find(|matched| matched.peer == "best-static" && matched.metric == "cpu_cores");
    assert!(at_static.is_some_and(|matched| matched.ours.is_none_or(|ours| ours > 0.0)));
}

/// Decisions written as rows and read again give the same scores without a policy.
#[test]
fn what_was_recorded_can_be_judged_again() {
    let trace = trace();
    let (decisions, sweeps) = recorded(&trace);
    let first = judge(&trace, &decisions, &sweeps, &JudgeOptions::default());
    let read: Vec<Decisions> = decisions
        .iter()
        .map(|made| {
            let rows =
                made.rows().map(|(workload, metric, time, allocation)| (&**workload, &**metric, time, allocation));
            Decisions::from_rows(&made.policy, &trace, rows).unwrap()
        })
        .collect();
    assert_eq!(read, decisions);
    let written = serde_json::to_string(&first).unwrap();
    let again = judge(&trace, &read, &sweeps, &JudgeOptions { threads: 3, ..JudgeOptions::default() });
    assert_eq!(serde_json::to_string(&again).unwrap(), written);
    let back: Judged = serde_json::from_str(&written).unwrap();
    assert_eq!(report::text(&back), report::text(&first));
    let foreign = Decisions::from_rows("krr", &trace, [("other", "cpu_cores", 0, 1.0)]);
    assert!(matches!(foreign, Err(ReplayError::ForeignDecisions { .. })));
}

#[test]
fn the_page_stands_alone_and_is_safe() {
    let page = report::html(&judged());
    for absent in ["http://", "https://", "<script", "src=", "@import", "url(", "<web>", "NaN", "inf"] {
        assert!(!page.contains(absent), "{absent}");
    }
    for there in [
        "&lt;web&gt; &amp; &quot;co&quot;",
        "What a trace cannot show",
        "light-dark",
        "<svg",
        "autopilot",
        "looks ahead",
    ] {
        assert!(page.contains(there), "{there}");
    }
    for tag in ["table", "svg", "section", "figure", "div", "ul"] {
        let count = |text: &str| page.matches(text).count();
        let opened = count(&format!("<{tag}>")) + count(&format!("<{tag} "));
        assert_eq!(opened, count(&format!("</{tag}>")), "{tag}");
    }
}

#[test]
fn unknown_policies_and_metrics_are_named() {
    let error = player("kubernetes", &[]).err().unwrap().to_string();
    assert!(error.contains("'kubernetes'") && error.contains("vpa, vpa-recreate, hpa"), "{error}");
    let hpa = Player::Peer(Peer::named("hpa").unwrap());
    let error = run(&trace(), hpa, &Options::default(), &unwatched).unwrap_err().to_string();
    assert!(error.contains("cpu_cores, memory_bytes"), "{error}");
}

/// Ours with replicas at all asked shares, beside a count alone: a table of the points, a plot, and ours where both are short as often.
#[test]
fn replicas_and_size_are_swept_together() {
    let mut builder = TraceBuilder::default();
    for k in 1..=3 * 1_440_i64 {
        let wave = 1.0 - 0.7 * (k as f64 / 1_440.0 * std::f64::consts::TAU).cos() + (k * 7_919 % 13) as f64 / 20.0;
        for (metric, value) in
            [("requests_per_min", 300.0 * wave), ("cpu_cores", 0.2 + 3.0 * wave), ("memory_bytes", 4e8 + 3e7 * wave)]
        {
            builder.push("shop", metric, k * 60, value).unwrap();
        }
    }
    let trace = builder.finish().unwrap();
    let engine = Engine::replicas("seasonal-naive", 6 * 3_600).unwrap();
    let players = [Player::Engine(&engine), Player::Peer(Peer::named("hpa").unwrap())];
    let swept = players.map(|player| sweep(&trace, player, &Options::default(), 86_400, &unwatched).unwrap());
    let (decisions, sweeps): (Vec<_>, Vec<_>) = swept.into_iter().unzip();
    let judged = judge(&trace, &decisions, &sweeps, &JudgeOptions::default());
    assert!(sweeps.iter().all(|sweep| sweep.points.iter().all(|point| point.together.is_some())));
    let own = sweeps[0].points.iter().find(|point| point.margin == 0.01).unwrap();
    assert_eq!(own.together, Some(judged.together[0].together));
    let as_short = judged.as_short();
    assert_eq!((as_short.len(), as_short[0].policy.as_str()), (1, "hpa"));
    let (text, page) = (report::text(&judged), report::html(&judged));
    assert!(text.contains("apportion-replicas asked 0.500 %: "), "{text}");
    for there in
        ["At each margin", "Core-hours against share of minutes short of CPU", "Where ours is short of CPU as often"]
    {
        assert!(page.contains(there), "{there}");
    }
}
