//! Two orders in one sentence. A reading holds one, so where verbs of different kinds begin its parts, a person is asked.

use super::{Kind, Reading, inert::holds};

/// Verbs that order, at the beginning of a part.
const ENGLISH: &[(&str, Kind)] = &[
    ("limit", Kind::Rule),
    ("cap", Kind::Rule),
    ("restrict", Kind::Rule),
    ("throttle", Kind::Rule),
    ("reserve", Kind::Rule),
    ("guarantee", Kind::Rule),
    ("freeze", Kind::Hold),
    ("pause", Kind::Hold),
    ("don't touch", Kind::Hold),
    ("do not touch", Kind::Hold),
    ("prioritise", Kind::Priority),
    ("prioritize", Kind::Priority),
    ("deprioritise", Kind::Priority),
    ("deprioritize", Kind::Priority),
    ("undo", Kind::Undo),
    ("revert", Kind::Undo),
    ("cancel", Kind::Undo),
    ("unfreeze", Kind::Undo),
    ("revoke", Kind::Undo),
    ("roll back", Kind::Undo),
    ("give", Kind::Report),
    ("grant", Kind::Report),
    ("add", Kind::Report),
];
/// The same in Chinese, anywhere in a part; what takes back comes first, as 取消冻结 takes back.
const CHINESE: &[(&str, Kind)] = &[
    ("撤", Kind::Undo),
    ("取消", Kind::Undo),
    ("回滚", Kind::Undo),
    ("恢复", Kind::Undo),
    ("解除", Kind::Undo),
    ("解冻", Kind::Undo),
    ("冻结", Kind::Hold),
    ("锁定", Kind::Hold),
    ("别动", Kind::Hold),
    ("不要动", Kind::Hold),
    ("限制", Kind::Rule),
    ("封顶", Kind::Rule),
    ("预留", Kind::Rule),
    ("最多", Kind::Rule),
    ("优先级", Kind::Priority),
];
const FILLERS: &[&str] = &[
    "please", "pls", "also", "then", "just", "and", "so", "can", "could", "you", "now", "<time>", "to", "let's", "we",
];
const LOW: &[&str] = &["low", "lowest", "least", "last", "unimportant", "最低", "低优先级"];
const TOP: &[&str] = &["critical", "highest", "top", "first", "most important", "high", "最高", "高优先级"];

/// The words of a second order or of a second level, where there are some. `words` has stand-ins.
pub(super) fn second(words: &str, reading: &Reading) -> Option<String> {
    let found: Vec<(&str, Kind)> = parts(words).iter().filter_map(|part| order(part)).collect();
    let first = found.first()?.1;
    let other = found.iter().find(|(_, kind)| *kind != first);
    let strange =
        || found.iter().find(|(verb, kind)| verb.is_ascii() && *kind != Kind::Report && *kind != reading.kind);
    other.or_else(strange).map(|(verb, _)| (*verb).to_owned())
}

/// Whether a part is a plain order about a name with an amount, which is no talk whatever stands beside it.
pub(super) fn is_plain(words: &str) -> bool {
    const AMOUNTS: &[&str] = &["<cores>", "<bytes>", "<rate>", "<percent>", "<replicas>"];
    const LEADS: &[&str] = &["把 <name>", "给 <name>", "将 <name>"];
    parts(words).iter().any(|part| {
        let amount = AMOUNTS.iter().any(|amount| part.contains(amount));
        let begins = || order(part).is_some_and(|(verb, _)| verb.is_ascii());
        amount && part.contains("<name>") && (begins() || LEADS.iter().any(|lead| part.contains(lead)))
    })
}

/// Two levels where one is read: "search is low but checkout is critical".
pub(super) fn levels(words: &str) -> bool {
    let any = |list: &[&str]| list.iter().any(|word| holds(words, word));
    any(LOW) && any(TOP) && !holds(words, "from") && !words.contains('从')
}

fn parts(words: &str) -> Vec<String> {
    let mut words = words.replace(['.', ';', '!', ':'], ",");
    for joint in [" and ", " but ", " then ", " also ", "然后", "同时", "并且", "再", "但", "并"] {
        words = words.replace(joint, " , ");
    }
    words.split(',').map(str::to_owned).collect()
}

fn order(part: &str) -> Option<(&'static str, Kind)> {
    let begin: Vec<&str> = part.split_whitespace().skip_while(|word| FILLERS.contains(word)).take(3).collect();
    let begin = begin.join(" ");
    let english = ENGLISH
        .iter()
        .find(|(verb, _)| begin.strip_prefix(verb).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')));
    english.or_else(|| CHINESE.iter().find(|(verb, _)| part.contains(verb))).copied()
}
