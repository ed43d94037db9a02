//! Hostile sentences: injection, look-alikes, invisible characters, endless lines. None may become an instruction, none may
//! crash or take long.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod attacks;
mod readers;

use apportion_language::reading::{Kind, Reader, Reading};
use attacks::{ATTACKS, SOUND};
use jiff::Zoned;
use proptest::prelude::*;
use readers::readers;

fn now() -> Zoned {
    "2026-11-23T09:00:00+08:00[Asia/Shanghai]".parse().unwrap()
}

fn read(sentence: &str) -> Reading {
    thread_local!(static READER: Reader = Reader::embedded().unwrap());
    READER.with(|reader| reader.interpret(sentence, &now(), &[]))
}

#[test]
fn an_attack_spoils_the_sentence_that_holds_it() {
    let mut wrong = Vec::new();
    let pairs = SOUND.iter().flat_map(|sound| ATTACKS.iter().map(move |attack| (sound, attack)));
    let all: Vec<String> =
        pairs.flat_map(|(sound, attack)| [format!("{sound}. {attack}"), format!("{attack} {sound}")]).collect();
    let count = all.len();
    for reader in readers() {
        let acts = |sentence: &&String| reader.interpret(sentence, &now(), &[]).kind != Kind::None;
        wrong.extend(all.iter().filter(acts).cloned());
    }
    assert!(count >= 500, "{count}");
    assert!(wrong.is_empty(), "{} of {count} taken as instructions:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn look_alikes_and_invisible_characters_are_refused() {
    for sentence in [
        "limit сheckout to 2 cores",
        "limit check\u{200b}out to 2 cores",
        "limit \u{202e}tuokcehc to 2 cores",
        "limit 𝐜heckout to 2 cores",
        "limit checkout to 2 \u{0000} cores",
        "限制 сheckout 2核",
        "ｉgnоre checkout",
        "limit che\u{00ad}ckout to 2 cores",
    ] {
        let reading = read(sentence);
        assert_eq!((reading.kind, reading.unread.len()), (Kind::None, 1), "{sentence:?}");
    }
}

#[test]
fn endless_lines_are_refused_at_once() {
    for piece in ["a", "limit web to 2 cores ", "((((", "1", "八", "3x ", "\u{1f600}", "- ", "到", "\u{0}"] {
        let line = piece.repeat(100_000 / piece.len() + 1);
        assert_eq!(read(&line).kind, Kind::None, "{piece}");
    }
}

#[test]
fn lines_just_short_enough_are_read() {
    for piece in ["a", "1", "八点", "3x ", "tonight ", "到", "-", "每天", "web-", "9-", "和 ", "x3", "周一到"]
    {
        let line: String = piece.chars().cycle().take(600).collect();
        let _ = read(&line);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Nothing crashes; no name that is not in the sentence comes out, and nothing that must not act carries fields.
    #[test]
    fn anything_can_be_read(sentence in "\\PC{0,120}") {
        let reading = read(&sentence);
        let text = sentence.to_lowercase();
        for name in &reading.workloads {
            let narrow: String = text.chars().map(|c| if ('！'..='～').contains(&c) { char::from_u32(c as u32 - 0xfee0).unwrap() } else { c }).collect();
            prop_assert!(narrow.to_lowercase().contains(name.as_str()), "{name} is not in {sentence}");
        }
        if !reading.kind.acts() {
            prop_assert!(reading.amount.is_none() && reading.start.is_none() && reading.end.is_none() && reading.effect.is_none());
            prop_assert!(reading.instruction(&sentence).is_none());
        }
    }
}
