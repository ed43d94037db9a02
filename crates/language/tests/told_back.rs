//! What we say of a reading is read again as the same reading.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use apportion_core::instruction::InstructionKind;
use apportion_language::{
    Language,
    reading::{Direction, Effect, Kind, Level, Reader, Reading, Repeat, Topic, Unit},
    wording::describe,
};
use jiff::{Zoned, tz::TimeZone};

fn now() -> Zoned {
    "2026-11-23T09:00:00+08:00[Asia/Shanghai]".parse().unwrap()
}

fn at(text: &str) -> Option<Zoned> {
    Some(format!("{text}:00+08:00[Asia/Shanghai]").parse().unwrap())
}

fn in_utc(text: &str) -> Option<Zoned> {
    Some(format!("{text}:00+00:00[UTC]").parse().unwrap())
}

fn plain(kind: Kind, language: Language) -> Reading {
    let reader = Reader::embedded().unwrap();
    Reading { kind, language, unread: Vec::new(), ..reader.interpret("", &now(), &[]) }
}

type Need = (Option<Topic>, Option<Effect>, Option<f64>, Option<Unit>);

const NEEDS: [Need; 8] = [
    (Some(Topic::Requests), Some(Effect::Multiply), Some(3.0), Some(Unit::X)),
    (Some(Topic::Cpu), Some(Effect::Multiply), Some(0.5), Some(Unit::X)),
    (Some(Topic::Requests), Some(Effect::Add), Some(5000.0), None),
    (Some(Topic::Cpu), Some(Effect::Add), Some(4.0), Some(Unit::Cores)),
    (Some(Topic::Memory), Some(Effect::Add), Some(68_719_476_736.0), Some(Unit::Bytes)),
    (Some(Topic::Storage), Some(Effect::Add), Some(2e8), Some(Unit::BytesPerSecond)),
    (Some(Topic::Network), Some(Effect::Add), Some(125e6), Some(Unit::BytesPerSecond)),
    (Some(Topic::Replicas), Some(Effect::Add), Some(6.0), Some(Unit::Replicas)),
];

const BOUNDS: [(Option<Topic>, f64, Unit); 6] = [
    (Some(Topic::Cpu), 0.5, Unit::Cores),
    (Some(Topic::Memory), 16e9, Unit::Bytes),
    (Some(Topic::Storage), 8e7, Unit::BytesPerSecond),
    (Some(Topic::Network), 6_250_000.0, Unit::BytesPerSecond),
    (Some(Topic::Replicas), 20.0, Unit::Replicas),
    (Some(Topic::Cpu), 40.0, Unit::Percent),
];

fn windows() -> Vec<(Option<Zoned>, Option<Zoned>, Option<Repeat>)> {
    vec![
        (None, None, None),
        (at("2026-11-23T20:00"), at("2026-11-23T22:00"), None),
        (at("2026-12-31T23:00"), at("2027-01-01T01:30"), None),
        (at("2026-12-01T00:00"), None, None),
        (None, at("2026-11-26T12:00"), None),
        (at("2026-11-24T08:00"), at("2026-11-24T20:00"), Some(Repeat::Daily)),
        (at("2026-11-23T22:00"), at("2026-11-24T06:00"), Some(Repeat::Daily)),
        (at("2026-11-23T09:00"), at("2026-11-23T18:00"), Some(Repeat::Weekdays)),
        (at("2026-11-28T00:00"), at("2026-11-30T00:00"), Some(Repeat::Weekends)),
        (at("2026-11-27T18:00"), at("2026-11-28T00:00"), Some(Repeat::Weekly)),
        (at("2026-11-27T18:00"), at("2026-11-30T06:00"), Some(Repeat::Weekly)),
        (at("2026-11-28T00:00"), at("2026-11-30T00:00"), Some(Repeat::Weekly)),
        (in_utc("2026-11-23T22:00"), in_utc("2026-11-23T23:00"), Some(Repeat::Weekdays)),
    ]
}

fn readings(language: Language) -> Vec<Reading> {
    let mut found = Vec::new();
    for (resource, effect, amount, unit) in NEEDS {
        found.push(Reading { resource, effect, amount, unit, ..plain(Kind::Event, language) });
    }
    for effect in [Effect::AtLeast, Effect::AtMost] {
        for (resource, amount, unit) in BOUNDS {
            let amounts = Reading { resource, amount: Some(amount), unit: Some(unit), ..plain(Kind::Rule, language) };
            found.push(Reading { effect: Some(effect), ..amounts });
        }
    }
    for resource in [Topic::All, Topic::Cpu, Topic::Memory] {
        found.push(Reading { resource: Some(resource), ..plain(Kind::Hold, language) });
    }
    for level in [Level::Critical, Level::High, Level::Normal, Level::Low] {
        found.push(Reading { level: Some(level), ..plain(Kind::Priority, language) });
    }
    let timeless = found.clone();
    let windows = windows();
    for (index, reading) in timeless.into_iter().enumerate() {
        let (start, end, repeat) = windows[1 + index % (windows.len() - 1)].clone();
        found.push(Reading { start, end, repeat, ..reading });
    }
    for direction in [Direction::Up, Direction::Down] {
        for resource in [Topic::Cpu, Topic::Memory, Topic::Network] {
            let report = plain(Kind::Report, language);
            found.push(Reading { resource: Some(resource), direction: Some(direction), ..report });
        }
    }
    found.push(plain(Kind::Undo, language));
    for undoes in [InstructionKind::Event, InstructionKind::Rule, InstructionKind::Hold, InstructionKind::Priority] {
        found.push(Reading { undoes: Some(undoes), ..plain(Kind::Undo, language) });
    }
    found
}

#[test]
fn what_we_say_is_what_we_read() {
    let reader = Reader::embedded().unwrap();
    let names = [vec!["checkout".to_owned()], vec!["mysql-main".to_owned(), "web-*".to_owned()]];
    let mut wrong = Vec::new();
    let mut count = 0;
    for language in [Language::En, Language::Zh] {
        for workloads in &names {
            for meant in readings(language) {
                let meant = Reading { workloads: workloads.clone(), ..meant };
                let words = describe(&meant);
                let read = reader.interpret(&words, &now(), &[]);
                let (unread, doubted) = (Vec::new(), Vec::new());
                let read = Reading { confidence: meant.confidence, sure: true, unread, doubted, ..read };
                let zone = |name: &str| TimeZone::get(name).unwrap();
                let kept = meant.instruction("said").map(|kept| {
                    Reading::of(&kept, &kept.zone.as_deref().map_or_else(|| now().time_zone().clone(), zone), language)
                });
                assert_eq!(kept.as_ref().map(describe), Some(words.clone()), "what is kept is told as what was read");
                count += 1;
                if read != meant {
                    wrong.push(format!("{words}\n  meant {meant:?}\n  read  {read:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
