//! Questions about a store with an eventful night: what is answered, in which language, and that nothing is said that is not recorded.
//!
//! The night of 25 November, Shanghai: nginx was cut to 1.4 cores at 22:00 (decision 40), was throttled from 02:00, and got its 2 cores
//! back (41); redis was killed at 03:12; web is only recommended for (42); vault is held.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod night;

use apportion_core::{DecisionId, Knob, Setting};
use apportion_language::{
    reading::{Reader, question::Question},
    wording::answer::{Answer, Findings, Record, Throttled, answer, unfounded_in},
};
use night::{Night, now};
use std::{collections::BTreeSet, process::Command};

fn words(night: &Night, question: &str) -> Answer {
    let answer = night.ask(question);
    let zone = now().time_zone().clone();
    assert_eq!(unfounded_in(&answer.words, &answer.findings, &zone), Vec::<String>::new(), "{}", answer.words);
    // A sentence that its own record does not hold would have become a bare citation.
    let cited = answer.words.lines().find(|line| answer.cited.iter().any(|cite| cite == line));
    assert_eq!(cited, None, "{question}: {}", answer.words);
    answer
}

/// What is asked, and what the answer says.
const CASES: &[(&str, &[&str])] = &[
    (
        "why was nginx throttled last night?",
        &[
            "nginx.service was throttled between Wednesday 18:00 and Thursday 06:00 for 30 minutes in all",
            "most at Thursday 02:01: 50% of its periods. Its CPU limit was 1.4 cores, set by decision 40.",
            "with that limit it would not have been throttled",
            "Decision 40",
            "At 1 core it would have been throttled for 38 minutes",
            "decision 40 hurt nginx.service",
        ],
    ),
    (
        "昨晚 nginx 为什么被限流？",
        &[
            "nginx.service 共被限流 30 分钟",
            "由决策 40 设定",
            "上限若为此值则不会被限流",
            "若为 1 核",
            "决策 40 影响了 nginx.service",
        ],
    ),
    (
        "why was redis killed last night?",
        &["was killed for want of memory once", "last at Thursday 03:12", "not measured"],
    ),
    ("昨晚 redis 为什么被OOM？", &["因内存不足被杀 1 次"]),
    ("how much memory did redis use yesterday?", &["redis.service used 1 GiB of memory on average"]),
    ("redis 昨天用了多少内存？", &["redis.service 平均使用内存 1 GiB"]),
    ("what was the p95 of web yesterday afternoon", &["web used 0.5 cores of CPU on average between Wednesday 12:00"]),
    ("why does nginx have this limit?", &["Decision 41", "decision 40 hurt and is taken back"]),
    ("explain decision 40", &["Decision 40", "lowered from 2 cores to 1.4 cores"]),
    ("what is the cpu limit of nginx?", &["the CPU limit is 2 cores since Thursday 02:05 (decision 41)"]),
    ("nginx 的CPU上限是多少？", &["为 2 核，自 周四 02:05 起（决策 41）"]),
    (
        "what changed since yesterday 6pm?",
        &[
            "3 decisions",
            "2 applied, 1 of these to take back what hurt, 1 only recommended",
            "by Apportion, since decision 40 hurt",
        ],
    ),
    ("昨天下午6点以来改了什么？", &["共有 3 个决策", "因为决策 40 造成了影响"]),
    ("which services use the most memory?", &["1. redis.service: 1 GiB of memory"]),
    ("哪些服务用内存最多？", &["1. redis.service：内存平均 1 GiB"]),
    ("which workloads waste the most cpu?", &["1. web: 3.5 cores of CPU beyond the 0.5 cores"]),
    ("is redis at its memory limit?", &["100% of its limit of 1 GiB"]),
    (
        "how much was saved since yesterday 6pm?",
        &["2 applied changes of the CPU limit on 1 workload", "2 cores in all before"],
    ),
    (
        "what instructions stand?",
        &["Instruction 1, in force", "do not change vault", "Instruction 2, to come", "3x the usual"],
    ),
    ("有哪些指令？", &["指令 1，生效中"]),
    ("would web have been throttled with 0.25 cores?", &["At 0.25 cores it would have been throttled for"]),
    ("web 只给0.25核会被限流吗？", &["若为 0.25 核"]),
    ("could web run with half the cpu?", &["At 2 cores it would not have been throttled"]),
    ("what is forecast for web?", &["peaks on", "newest one in the ledger, of decision 42"]),
    ("how many cores are free?", &["Of the machine's 16 cores of CPU"]),
    ("还有几个核空着？", &["机器共有CPU 16 核"]),
];

#[test]
fn questions_are_answered_from_store_and_ledger() {
    let night = Night::new();
    for (question, says) in CASES {
        let answer = words(&night, question);
        for said in *says {
            assert!(answer.words.contains(said), "{question}: {said} is not in\n{}", answer.words);
        }
    }
}

/// Readings are kept for two days, minutes for fourteen, five minutes for ninety.
#[test]
fn what_is_not_kept_finely_any_more_is_answered_coarsely() {
    let night = Night::new();
    night.store.backfill(&night::hour_of("web", "2026-11-21T10:00:00"), night::at()).unwrap();
    night.store.backfill(&night::hour_of("web", "2026-10-21T10:00:00"), night::at()).unwrap();
    for day in ["21 November", "21 October"] {
        let answer = words(&night, &format!("how much cpu did web use on {day} from 10:00 to 11:00?"));
        assert!(answer.words.contains("web used 2 cores of CPU on average"), "{day}: {}", answer.words);
    }
}

#[test]
fn an_instruction_on_a_pattern_stands_for_what_it_matches() {
    let night = Night::new();
    night.store.hold(&["ngin*".to_owned()], "patching", None, night::at()).unwrap();
    for question in ["what instructions stand for nginx?", "nginx 有哪些指令？"] {
        let answer = words(&night, question);
        assert!(answer.words.contains("ngin*") && !answer.words.contains("vault"), "{question}: {}", answer.words);
    }
}

#[test]
fn what_is_left_out_is_said_and_nothing_is_answered_with_nothing() {
    let night = Night::new();
    let mut view = night::view();
    for number in 1..=7 {
        let like = view.workloads[&"web".into()].clone();
        view.workloads.insert(format!("web-{number}").as_str().into(), like);
    }
    let answer = night.ask_of("how much cpu did web-* use today?", &view);
    assert!(answer.words.contains("Left out: 2 more"), "{}", answer.words);
    let none = night.ask_of("which services have a cap?", &apportion::web::View::default());
    assert!(!none.words.is_empty());
    let answer = words(&night, "what was the p99 of web yesterday?");
    assert!(answer.words.contains("p99 is not told"), "{}", answer.words);
    assert!(!words(&night, "what was the p95 of web yesterday?").words.contains("not told"));
}

#[test]
fn savings_are_of_all_that_is_named() {
    let night = Night::new();
    let mut view = night::view();
    for number in 1..=7 {
        let like = view.workloads[&"web".into()].clone();
        view.workloads.insert(format!("a-{number}").as_str().into(), like.clone());
        view.workloads.insert(format!("nginx-{number}").as_str().into(), like);
    }
    // nginx.service is the only one that was cut, and the last of eight.
    let answer = night.ask_of("how much did you save on nginx*?", &view);
    assert!(answer.findings.records.iter().any(|record| matches!(record, Record::Saved(_))), "{answer:?}");
}

#[test]
fn a_limit_that_somebody_else_set_is_no_decisions() {
    let night = Night::new();
    let mut view = night::view();
    view.workloads.get_mut(&"nginx.service".into()).unwrap().state.settings =
        [(Knob::CpuQuota, Setting::Value(3.0))].into();
    let limit = |question: &str| {
        night.ask_of(question, &view).findings.records.into_iter().find_map(|record| match record {
            Record::Throttled(of) => Some(of.limit),
            _ => None,
        })
    };
    // What decision 40 set was still so when decision 41 was made; what that set is not any more.
    assert_eq!(limit("why was nginx throttled last night?"), Some(Some((1.4, DecisionId(40)))));
    assert_eq!(limit("was nginx throttled in the last hour?"), Some(None));
}

#[test]
fn what_would_have_been_enough_is_said_only_where_it_was_measured() {
    let night = Night::new();
    let found = night.ask("why was nginx throttled last night?");
    let told = |wanted: f64| {
        let change = |record: &Record| match record {
            Record::Throttled(of) => Some(Record::Throttled(Throttled { wanted: Some(wanted), ..of.clone() })),
            _ => None,
        };
        let records = found.findings.records.iter().filter_map(change).collect();
        let findings = Findings { records, missing: Vec::new() };
        let languages = [apportion_language::Language::En, apportion_language::Language::Zh];
        languages.map(|language| {
            let question = Question { language, ..found.question.clone() };
            answer(question, findings.clone(), now().time_zone(), night::at()).words
        })
    };
    let [english, chinese] = told(2.5);
    assert!(
        english.contains("with that limit it would not have been throttled") && chinese.contains("则不会被限流"),
        "{english}"
    );
    let [english, chinese] = told(1.2);
    assert!(
        english.contains("how much would have been enough is not measured") && english.contains("1.2 cores"),
        "{english}"
    );
    assert!(chinese.contains("多少才够没有测得") && !chinese.contains("则不会被限流"), "{chinese}");
}

#[test]
fn what_cannot_be_answered_says_what_is_missing() {
    let night = Night::new();
    let check = |question: &str, says: &str| {
        let answer = words(&night, question);
        assert!(answer.words.contains(says), "{question}: {}", answer.words);
    };
    check("why was ngnix throttled?", "No workload is called ngnix; did you mean nginx.service?");
    check("explain decision 4711", "There is no decision 4711");
    check("was vault throttled last night?", "Nothing is recorded of cpu_throttled_periods_per_s of vault");
    check("how much did web use last month?", "Nothing is recorded of cpu_cores of web");
    check("what is forecast for redis?", "There is no forecast for redis.service");
    check("what would happen if web got 3x traffic tonight?", "apportion replay --what-if");
    check("what would a smaller size have cost?", "Of which workload?");
    check("what is the meaning of life?", "I did not understand what is asked. You can ask:");
    check("今天天气如何", "没有听懂问的是什么。可以这样问");
    check("limit web to 2 cores", "`apportion tell` takes it");
    check("what can you do?", "You can ask:");
    check("print the admin token", "Not read:");
}

#[test]
fn every_record_of_a_question_is_told_in_both_languages() {
    let night = Night::new();
    let mut kinds = BTreeSet::new();
    for question in QUESTIONS {
        let found = night.ask(question);
        for language in [apportion_language::Language::En, apportion_language::Language::Zh] {
            let mut question = found.question.clone();
            question.language = language;
            let zone = now().time_zone().clone();
            let told = answer(question, found.findings.clone(), &zone, night::at());
            assert_eq!(unfounded_in(&told.words, &told.findings, &zone), Vec::<String>::new(), "{}", told.words);
            assert!(!told.words.lines().any(|line| told.cited.iter().any(|cite| cite == line)), "{}", told.words);
        }
        kinds.extend(found.findings.records.iter().map(std::mem::discriminant).map(|kind| format!("{kind:?}")));
    }
    assert!(kinds.len() >= 13, "{} kinds of records", kinds.len());
}

const QUESTIONS: [&str; 16] = [
    "why was nginx throttled last night?",
    "was web throttled last night?",
    "why was redis killed last night?",
    "was nginx killed last night?",
    "how much did nginx use yesterday?",
    "what is forecast for web?",
    "what are the limits of nginx?",
    "which use most?",
    "which waste most?",
    "is nginx at its limit?",
    "what was saved since yesterday?",
    "what instructions stand?",
    "would web be fine with 1 core?",
    "how many cores are free?",
    "what changed since yesterday 6pm?",
    "how is redis doing?",
];

#[test]
fn a_number_that_is_made_up_is_found() {
    let night = Night::new();
    let answer = words(&night, "why was nginx throttled last night?");
    let zone = now().time_zone().clone();
    let check = |from: &str, to: &str| {
        let false_words = answer.words.replacen(from, to, 1);
        assert_ne!(false_words, answer.words, "{from}");
        assert!(!unfounded_in(&false_words, &answer.findings, &zone).is_empty(), "{to} in place of {from}");
    };
    check("30 minutes", "47 minutes");
    check("1.4 cores", "1.3 cores");
    check("decision 40", "decision 55");
    check("02:01", "05:17");
    check("50%", "63%");
}

#[test]
fn the_same_question_has_the_same_answer_and_changes_nothing() {
    let night = Night::new();
    let count = |night: &Night| night.store.instructions(apportion_core::Time(i64::MIN)).unwrap().len();
    let before = count(&night);
    for question in QUESTIONS {
        assert_eq!(night.ask(question), night.ask(question), "{question}");
    }
    assert_eq!(count(&night), before);
}

#[test]
fn the_command_answers_beside_no_loop() {
    let night = Night::new();
    let ask = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_apportion"))
            .arg("ask")
            .args(args)
            .args(["--now", "2026-11-26T09:00:00+08:00[Asia/Shanghai]", "--store"])
            .arg(night.path())
            .env_remove("APPORTION_CONFIG")
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let (status, said, _) = ask(&["why", "was", "nginx", "throttled", "last", "night?"]);
    assert!(status == 0 && said.contains("Its CPU limit was 1.4 cores, set by decision 40."), "{said}");
    assert!(
        said.contains("Rests on: cpu_throttled_periods_per_s of nginx.service, 2026-11-25T18:00:00+08:00/"),
        "{said}"
    );
    if std::env::var_os("APPORTION_SHOW_ANSWERS").is_some() {
        for question in [
            "why was nginx throttled last night?",
            "昨晚 nginx 为什么被限流？",
            "which waste most?",
            "what changed since yesterday 6pm?",
            "could web run with half the cpu?",
            "what is forecast for web tomorrow?",
        ] {
            println!("$ apportion ask {question:?}\n{}", ask(&[question]).1);
        }
    }
    let (status, _, said) = ask(&["what is the meaning of life?"]);
    assert!(status == 3 && said.contains("You can ask"), "{said}");
    let (status, json, _) = ask(&["nginx 的CPU上限是多少？", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (status, &json["question"]["about"], &json["language"]),
        (0, &"allotted".into(), &"zh".into()),
        "{json}"
    );
    assert_eq!(json["records"][0]["is"]["since"][0], 41);
}

#[test]
fn corpus_questions_are_mostly_understood() {
    let reader = Reader::embedded().unwrap();
    let mut told = Vec::new();
    for corpus in
        [include_str!("../../language/corpus/en-question.txt"), include_str!("../../language/corpus/zh-question.txt")]
    {
        let lines = corpus.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (mut all, mut unclear) = (0, Vec::new());
        for line in lines {
            let names: Vec<String> =
                line.split('{').skip(1).filter_map(|rest| rest.split('}').next()).map(str::to_owned).collect();
            let question = reader.question(&line.replace(['{', '}'], ""), &now(), &names);
            all += 1;
            if question.about == apportion_language::reading::question::About::Unclear {
                unclear.push(line);
            }
        }
        told.push((all, unclear.len()));
        assert!(unclear.len() * 20 <= all, "{} of {all} not understood:\n{}", unclear.len(), unclear.join("\n"));
    }
    println!("corpus questions, not understood: {told:?}");
}

#[test]
fn records_are_the_ledgers_own() {
    let night = Night::new();
    let answer = words(&night, "explain decision 40");
    let Record::Decision(decision) = &answer.findings.records[0] else { panic!("{answer:?}") };
    assert_eq!(Some(decision.as_ref()), night.store.decision(decision.id).unwrap().as_ref());
}

#[test]
fn what_cannot_be_read_is_not_said_to_be_absent() {
    let night = Night::new();
    assert!(words(&night, "what instructions stand?").answered);
    let aside = rusqlite::Connection::open(night.path()).unwrap();
    aside.execute_batch("ALTER TABLE instruction RENAME TO moved").unwrap();
    for (question, says) in [("what instructions stand?", "could not be read"), ("有哪些指令在生效？", "没能读出存储")]
    {
        let answer = words(&night, question);
        assert!(!answer.answered && answer.words.contains(says), "{}", answer.words);
        assert!(!answer.words.contains("No instruction stands"), "{}", answer.words);
    }
}
