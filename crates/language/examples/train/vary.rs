//! Noise of the kind that people make: other names, typos, greetings, missing marks. Labels stay as they are.

use super::corpus::Line;
use apportion_language::reading::{
    Kind,
    learn::{Random, Sample},
};

const ENGLISH_LEADS: [&str; 22] = [
    "please ",
    "pls ",
    "hi, ",
    "hey, ",
    "fyi: ",
    "FYI ",
    "heads up: ",
    "heads-up: ",
    "Hi team, ",
    "morning! ",
    "ok, ",
    "so, ",
    "note: ",
    "quick one: ",
    "hello, ",
    "ops: ",
    "all: ",
    "btw ",
    "Reminder: ",
    "@apportion ",
    "urgent: ",
    "just so you know, ",
];
const ENGLISH_TAILS: [&str; 16] = [
    " please",
    " thanks",
    ", thanks",
    " thx",
    ".",
    "!",
    " :)",
    ", ok?",
    " (see ticket)",
    " - thanks",
    ", cheers",
    " asap",
    "...",
    " please.",
    " pls",
    ", thank you",
];
const CHINESE_LEADS: [&str; 16] = [
    "请",
    "麻烦",
    "你好，",
    "注意：",
    "提醒一下，",
    "各位，",
    "通知：",
    "请注意，",
    "麻烦注意下，",
    "大家好，",
    "hi，",
    "帮忙，",
    "同步一下：",
    "那个，",
    "老师好，",
    "预告：",
];
const CHINESE_TAILS: [&str; 15] = [
    "。",
    "！",
    "，谢谢",
    "，谢谢！",
    "，辛苦了",
    "，麻烦了",
    "哈",
    "～",
    "，拜托",
    "，多谢",
    "，收到请回复",
    "，thx",
    "...",
    "，请知悉",
    "，谢谢。",
];
/// Characters that are typed for one another.
const CHINESE_TYPOS: [(char, char); 20] = [
    ('在', '再'),
    ('再', '在'),
    ('计', '记'),
    ('的', '得'),
    ('做', '作'),
    ('到', '道'),
    ('需', '须'),
    ('配', '陪'),
    ('限', '线'),
    ('带', '代'),
    ('加', '家'),
    ('量', '辆'),
    ('宽', '款'),
    ('级', '及'),
    ('低', '底'),
    ('流', '留'),
    ('压', '押'),
    ('存', '村'),
    ('动', '懂'),
    ('请', '清'),
];

/// One variation of a line.
pub(crate) fn vary(line: &Line, names: &[String], random: &mut Random) -> Sample {
    let mut sample = line.drawn(random, &mut |random, name| {
        if random.chance(0.6) { rename(name, names, random) } else { name.to_owned() }
    });
    if random.chance(0.12) {
        misspell(&mut sample, line.chinese, random);
    }
    let polite = !matches!(line.labels.kind, Kind::None | Kind::Question) || random.chance(0.3);
    if polite && random.chance(0.2) {
        let leads: &[&str] = if line.chinese { &CHINESE_LEADS } else { &ENGLISH_LEADS };
        sample.text.insert_str(0, random.pick(leads).copied().unwrap_or_default());
    }
    if random.chance(0.2) && !sample.text.ends_with(['?', '？']) {
        let tails: &[&str] = if line.chinese { &CHINESE_TAILS } else { &ENGLISH_TAILS };
        sample.text =
            sample.text.trim_end_matches(['.', '。', '!']).to_owned() + random.pick(tails).copied().unwrap_or_default();
    }
    if random.chance(0.1) {
        sample.text = sample.text.trim_end_matches(['.', '。', '?', '？', '!']).to_owned();
    }
    if random.chance(0.1) && !line.chinese {
        sample.text = sample.text.to_uppercase();
    }
    sample
}

/// Another name; one with a wildcard keeps it.
fn rename(name: &str, names: &[String], random: &mut Random) -> String {
    let other = random.pick(names).cloned().unwrap_or_else(|| name.to_owned());
    match (name.strip_suffix("-*"), random.chance(0.03)) {
        (Some(_), _) | (None, true) => format!("{}-*", other.trim_end_matches("-*")),
        (None, false) => other.trim_end_matches("-*").to_owned(),
    }
}

fn misspell(sample: &mut Sample, chinese: bool, random: &mut Random) {
    let protected = sample.names.clone();
    let words: Vec<String> = sample.text.split(' ').map(str::to_owned).collect();
    let place = random.below(words.len());
    let changed: Vec<String> = words
        .into_iter()
        .enumerate()
        .map(|(at, word)| {
            let named = protected.iter().any(|name| word.to_lowercase().contains(name.as_str()));
            if chinese {
                mistype(&word, random)
            } else if at == place && !named {
                slip(&word, random)
            } else {
                word
            }
        })
        .collect();
    sample.text = changed.join(" ");
}

/// A slip of the fingers in an English word: two letters swapped, one doubled or left out.
fn slip(word: &str, random: &mut Random) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() < 5 || !letters.iter().all(char::is_ascii_alphabetic) {
        return word.to_owned();
    }
    let place = 1 + random.below(letters.len() - 2);
    match random.below(3) {
        0 => letters.swap(place, place + 1),
        1 => letters.insert(place, letters[place]),
        _ => drop(letters.remove(place)),
    }
    letters.into_iter().collect()
}

fn mistype(word: &str, random: &mut Random) -> String {
    word.chars()
        .map(|c| {
            let wrong = CHINESE_TYPOS.iter().find(|(right, _)| *right == c).map(|(_, wrong)| *wrong);
            wrong.filter(|_| random.chance(0.15)).unwrap_or(c)
        })
        .collect()
}
