//! Answers in the words of a larger model: what leaves the machine, and that nothing it says is shown that is not in the records.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod fake_model;
mod night;

use fake_model::{KEY, Server, forever, hang};
use night::Night;
use serde_json::{Value, json};
use std::{
    process::Command,
    time::{Duration, Instant},
};

const OWN: &str = "nginx.service was throttled between Wednesday 18:00 and Thursday 06:00 for 30 minutes in all";

/// Asks why nginx was throttled, of the night's store; the exit status and what was said.
fn asked(night: &Night, llm: Option<&str>, more: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apportion"));
    command.args(["ask", "why was nginx throttled last night?", "--now", "2026-11-26T09:00:00+08:00[Asia/Shanghai]"]);
    command.args(more).arg("--store").arg(night.path()).env_remove("APPORTION_CONFIG").env_remove("APPORTION_LLM");
    command.env("APPORTION_LLM_KEY", KEY).env("APPORTION_LLM_TIMEOUT_S", "2");
    llm.map(|url| command.env("APPORTION_LLM", url));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains(KEY), "{said}");
    (output.status.code(), said)
}

/// A model that gives the lines back as it was sent them, changed.
fn echo(change: impl Fn(&str) -> String + Send + 'static) -> Server {
    Server::replies(move |sent| {
        let lines = sent.lines().skip(1).map(|line| change(line.split_once(": ").unwrap().1));
        json!({ "lines": lines.collect::<Vec<_>>() }).to_string()
    })
}

#[test]
fn a_right_model_rewords_and_our_own_words_stay() {
    let night = Night::new();
    let (_, plain) = asked(&night, None, &[]);
    let server = echo(|line| format!("In short: {line}"));
    let (status, said) = asked(&night, Some(&server.url), &["--reword"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains(&format!("In short: {OWN}")), "{said}");
    assert!(said.contains("In Apportion's own:") && said.ends_with(&plain), "{said}");
    let asked = server.asked.lock().unwrap();
    assert_eq!(asked.len(), 1);
    let body: Value = serde_json::from_str(&asked[0].1).unwrap();
    let sent = body["messages"][1]["content"].as_str().unwrap();
    assert!(sent.contains("question: why was workload-1 throttled") || sent.contains("workload-2 throttled"), "{sent}");
    assert!(!sent.contains("nginx") && !sent.contains("redis"), "{sent}");
}

#[test]
fn what_lies_hangs_or_fails_leaves_our_own_words() {
    let night = Night::new();
    let (_, plain) = asked(&night, None, &[]);
    let rests = plain.lines().last().unwrap();
    let own = plain.strip_suffix(&format!("{rests}\n")).unwrap();
    let faults: Vec<(Server, &str)> = vec![
        (echo(|line| line.replace("30 minutes", "45 minutes")), "it says \"45 minutes\", which is in no record"),
        (echo(|line| line.replace("1.4 cores", "2.5 cores")), "it says \"2.5 cores\""),
        (echo(|line| line.replace("throttled", "not throttled")), "it turns round what is said"),
        (echo(|line| line.replace("workload-", "workload-9")), "it names other workloads"),
        (Server::says("{\"lines\": []}"), "0 lines for"),
        (Server::says("Sure! It was the weather."), "not JSON of the schema"),
        (Server::start(hang), "no whole answer within 2 s"),
        (Server::start(|s| forever(s, b" ", Duration::from_millis(50))), "no whole answer within 2 s"),
        (Server::fails("500 Oops", ""), "HTTP 500"),
    ];
    for (server, says) in faults {
        let begin = Instant::now();
        let (status, said) = asked(&night, Some(&server.url), &["--reword"]);
        assert!(begin.elapsed() < Duration::from_secs(20), "{says} took {:?}", begin.elapsed());
        assert_eq!(status, Some(0), "{said}");
        assert!(
            said.starts_with(own) && said.contains("Note: not reworded (") && said.contains(says),
            "{says}: {said}"
        );
        assert!(said.ends_with(&format!("{rests}\n")), "{said}");
    }
}

#[test]
fn nobody_is_asked_who_was_not_asked_for() {
    let night = Night::new();
    let liar = Server::says("{\"lines\": []}");
    let (status, said) = asked(&night, Some(&liar.url), &[]);
    assert!(status == Some(0) && !said.contains("reworded"), "{said}");
    assert!(liar.asked.lock().unwrap().is_empty(), "it was asked");
    let (status, said) = asked(&night, None, &["--reword"]);
    assert!(status == Some(1) && said.contains("name one with --llm or APPORTION_LLM"), "{status:?} {said}");
    let json = |change: fn(&str) -> String| -> Value {
        let (_, said) = asked(&night, Some(&echo(change).url), &["--reword", "--json"]);
        serde_json::from_str(&said).unwrap()
    };
    let right = json(str::to_owned);
    assert!(right["reworded"].as_str().unwrap().starts_with(OWN) && right["words"].as_str().unwrap().starts_with(OWN));
    let wrong = json(|_| "no".to_owned());
    assert!(wrong["reworded"].is_null() && wrong["not_reworded"].is_string(), "{wrong}");
}
