//! Hostile sentences through the names of workloads and through units: whatever a workload is called, its name is a name, and what a
//! sentence beside it does not say does not come out.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod attacks;
mod readers;

use apportion_language::reading::{Kind, Reader, question::About};
use attacks::{ATTACKS, SOUND};
use jiff::Zoned;
use readers::readers;

fn now() -> Zoned {
    "2026-11-23T09:00:00+08:00[Asia/Shanghai]".parse().unwrap()
}

/// Names that try to say something.
fn names() -> Vec<String> {
    let spoken = ATTACKS.iter().chain(&SOUND).map(|attack| attack.to_lowercase());
    let joined = ATTACKS.iter().chain(&SOUND).map(|attack| attack.to_lowercase().replace([' ', '，'], "-"));
    spoken.chain(joined).collect()
}

#[test]
fn a_name_that_says_something_is_a_name_or_spoils_the_sentence() {
    for reader in readers() {
        let mut count = 0;
        for name in names() {
            count += check_name(&reader, &name);
        }
        println!("hostile names: {count} sentences");
        assert!(count >= 500, "{count}");
    }
}

/// Reads sentences about a workload of this name; gives how many.
fn check_name(reader: &Reader, name: &str) -> usize {
    let catalogue = [name.to_owned(), "web".to_owned()];
    let sentences = [
        format!("limit {name} to 2 cores"),
        format!("why was {name} cut?"),
        format!("{name} 最多2核"),
        format!("昨晚 {name} 为什么被限流？"),
        format!("what did {name} use yesterday"),
        format!("don't touch {name}"),
    ];
    for sentence in &sentences {
        let reading = reader.interpret(sentence, &now(), &catalogue);
        let asks = reader.question(sentence, &now(), &catalogue);
        let says = |found: &String| sentence.to_lowercase().contains(found.as_str());
        // It acts on what is named, by what the sentence around the name says, and on nothing else.
        if let Some(instruction) = reading.instruction(sentence) {
            assert!(instruction.workloads.iter().all(says), "{sentence}");
            assert!(!instruction.workloads.is_empty(), "{sentence} would be for every workload");
            let is_said = instruction.amount.is_none_or(|amount| amount <= 16.0 * 1_073_741_824.0);
            assert!(is_said, "{sentence}: {instruction:?}");
        }
        assert!(asks.workloads.iter().all(says), "{sentence}");
    }
    sentences.len()
}

#[test]
fn tricks_with_units_and_look_alikes_ask_for_what_is_written_or_nothing() {
    let readers = readers();
    let tib = 1_099_511_627_776.0;
    let check = |sentence: &str, amount: Option<f64>| {
        for reader in &readers {
            let reading = reader.interpret(sentence, &now(), &["web".to_owned()]);
            let read = reading.instruction(sentence).and_then(|instruction| instruction.amount);
            assert!(read.is_none() || read == amount, "{sentence}: {read:?}");
        }
    };
    check("web gets at most 8 TiB memory", Some(8.0 * tib));
    check("web 最多 8 TiB 内存", Some(8.0 * tib));
    check("limit web to 1e308 cores", None);
    check("limit web to 99999999999999999999999 cores", Some(1e23));
    check("limit web to -4 cores", None);
    check("limit web to 0x10 cores", None);
    check("limit web to NaN cores", None);
    check("limit web to ∞ cores", None);
    check("limit web to 2\u{200b}00 cores", None);
    check("limit web to ２ cores", Some(2.0));
    check("limit wеb to 2 cores", None);
    check("limit web to 2,000,000 cores", Some(2_000_000.0));
}

#[test]
fn a_workload_called_like_an_everyday_word_decides_nothing() {
    let reader = Reader::embedded().unwrap();
    let read = |name: &str, sentence: &str| {
        let reading = reader.interpret(sentence, &now(), &[name.to_owned(), "web".to_owned()]);
        (reading.workloads.clone(), reading.amount, reading.sure)
    };
    for (name, sentence) in [
        ("everything", "freeze everything until Friday"),
        ("anything", "don't touch anything tonight"),
        ("all", "limit all services to 2 cores"),
        ("所有服务", "所有服务今晚都不要动"),
        ("today", "freeze today until Friday"),
    ] {
        assert_eq!(read(name, sentence), (vec![], read("other", sentence).1, false), "{sentence}");
    }
    let web = || vec!["web".to_owned()];
    assert_eq!(read("tonight", "freeze web tonight"), (web(), None, false));
    assert_eq!(read("今晚", "今晚不要动 web"), (web(), None, false));
    for name in ["cores", "16", "2", "limit", "to", "core", "核", "2核"] {
        assert_eq!(read(name, "limit web to 16 cores"), (web(), Some(16.0), true), "{name}");
        assert_eq!(read(name, "web 最多2核"), (web(), Some(2.0), true), "{name}");
    }
    assert_eq!(read("everything", "freeze \"everything\" until Friday").0, ["everything"]);
    assert_eq!(read("backup", "limit backup to 2 cores"), (vec!["backup".to_owned()], Some(2.0), true));
}

#[test]
fn no_attack_is_answered_as_a_question() {
    let readers = readers();
    for (reader, attack) in readers.iter().flat_map(|reader| ATTACKS.map(|attack| (reader, attack))) {
        for sentence in [attack.to_owned(), format!("why was web cut? {attack}"), format!("{attack} web 用了多少？")]
        {
            let asked = reader.question(&sentence, &now(), &["web".to_owned()]);
            assert!(asked.unread.is_some() && asked.about == About::Unclear, "{sentence}: {:?}", asked.about);
            assert_eq!(reader.interpret(&sentence, &now(), &["web".to_owned()]).kind, Kind::None, "{sentence}");
        }
    }
    let long = "why was web throttled ".repeat(5_000);
    assert!(readers.iter().all(|reader| reader.question(&long, &now(), &[]).about == About::Unclear));
}
