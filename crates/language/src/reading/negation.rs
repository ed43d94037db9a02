//! Negations in front of what a sentence would have done: "don't limit web" is no limit. A negated bound ("must not exceed") is one,
//! and so is a hold ("don't touch").

use super::{
    Kind, Reading,
    fields::{Direction, Level},
    inert::holds,
    negating::{self, Negating},
};

/// Behind a negation these take it back: "no matter what", "don't forget to".
const TAKEN_BACK: &[&str] = &[
    "only",
    "just",
    "doubt",
    "matter",
    "forget",
    "hesitate",
    "fail",
    "later",
    "sooner",
    "need of",
    "problem",
    "idea",
    "allocate memory",
];
/// Words that make a negation a bound.
const BOUND: &[&str] = &[
    "above",
    "below",
    "over",
    "under",
    "exceed",
    "exceeds",
    "exceeding",
    "beyond",
    "past",
    "more",
    "less",
    "fewer",
    "higher",
    "lower",
    "超",
    "高于",
    "多于",
    "大于",
    "突破",
    "低于",
    "少于",
    "小于",
    "低过",
    "跌破",
    "掉到",
    "降到",
    "缩到",
    "以上",
    "以下",
    "之上",
    "之下",
    "过 <",
];
/// What a sentence does that is no hold.
const ORDERS: &[&str] = &[
    "limit",
    "limits",
    "limited",
    "limiting",
    "cap",
    "capped",
    "capping",
    "restrict",
    "restricted",
    "restricting",
    "throttle",
    "throttled",
    "throttling",
    "constrain",
    "confine",
    "clamp",
    "bound",
    "reserve",
    "reserved",
    "reserving",
    "guarantee",
    "guaranteed",
    "give",
    "given",
    "giving",
    "grant",
    "granted",
    "allot",
    "allotted",
    "allocate",
    "allocated",
    "assign",
    "set",
    "put",
    "impose",
    "apply",
    "add",
    "adding",
    "increase",
    "boost",
    "raise",
    "bump",
    "double",
    "expand",
    "prioritise",
    "prioritize",
    "prioritised",
    "prioritized",
    "favour",
    "favor",
    "限",
    "封顶",
    "压到",
    "控制",
    "设",
    "卡在",
    "加",
    "给",
    "分配",
    "预留",
    "保底",
    "保证",
    "保障",
    "扩",
    "提高",
    "提升",
    "增加",
    "减少",
    "降低",
    "调到",
    "排",
];
const HOLDS: &[&str] = &[
    "freeze", "freezing", "frozen", "pause", "paused", "lock", "locked", "pin", "pinned", "suspend", "冻结", "锁定",
    "锁住", "暂停", "封网",
];
const UNDOES: &[&str] = &[
    "undo", "revert", "cancel", "withdraw", "unfreeze", "revoke", "lift", "restore", "撤", "取消", "回滚", "恢复",
    "解除", "解冻", "还原",
];
const EXPECTS: &[&str] = &[
    "expect",
    "expected",
    "expecting",
    "extra",
    "additional",
    "traffic",
    "rise",
    "increase",
    "spike",
    "surge",
    "growth",
    "sale",
    "peak",
    "requests",
    "double",
    "<x>",
    "<percent>",
    "<demand>",
    "额外",
    "流量",
    "请求",
    "增",
    "涨",
    "高峰",
    "活动",
    "促销",
    "大促",
    "翻",
];
const LACKS: &[&str] = &[
    "slow",
    "short",
    "overloaded",
    "throttled",
    "starved",
    "starving",
    "lacking",
    "out of",
    "struggling",
    "lagging",
    "sluggish",
    "saturated",
    "tight",
    "oom",
    "不足",
    "不够",
    "缺",
    "卡",
    "慢",
    "超时",
    "过载",
    "吃紧",
    "紧张",
    "打满",
    "溢出",
    "排队",
    "瓶颈",
];
const URGENT: &[&str] = &[
    "critical",
    "important",
    "high",
    "top",
    "vital",
    "essential",
    "urgent",
    "highest",
    "priority",
    "重要",
    "关键",
    "紧急",
    "最高",
    "核心",
];

/// Verbs that a negation turns round, and how many words may stand between.
type Verbs = (&'static [&'static str], usize);

/// The negation in front of what the reading does, where one stands there. `words` has stand-ins.
pub(super) fn negation(words: &str, reading: &Reading) -> Option<String> {
    let lists = negated_by(reading);
    let mut english = negating::english(words).filter_map(|not| negates(words, not, &lists));
    english.next().or_else(|| negating::chinese(words).find_map(|not| negates_chinese(words, not, &lists)))
}

/// What a negation turns round in a reading of this kind.
fn negated_by(reading: &Reading) -> Vec<Verbs> {
    let urgent = matches!(reading.level, Some(Level::Critical | Level::High));
    match reading.kind {
        Kind::Rule => vec![(ORDERS, 4)],
        Kind::Event => vec![(EXPECTS, 4)],
        Kind::Hold => vec![(HOLDS, 4)],
        Kind::Undo => vec![(UNDOES, 2)],
        Kind::Priority if urgent => vec![(ORDERS, 4), (URGENT, 3)],
        Kind::Report if reading.direction == Some(Direction::Up) => vec![(ORDERS, 4), (LACKS, 3)],
        _ => Vec::new(),
    }
}

fn negates(words: &str, not: Negating, lists: &[Verbs]) -> Option<String> {
    let clause = clause(&words[not.end..]);
    let ahead = |count: usize| clause.split_whitespace().take(count).collect::<Vec<_>>().join(" ");
    let asks = words[..not.start].trim_end().ends_with("why");
    let bound = BOUND.iter().any(|word| holds(clause, word));
    let back = TAKEN_BACK.iter().any(|word| holds(&ahead(2), word));
    let near = |verbs: &[&'static str], count: usize| {
        let ahead = ahead(count);
        verbs.iter().find(|verb| verb.is_ascii() && holds(&ahead, verb)).copied()
    };
    let verb = lists.iter().find_map(|(verbs, count)| near(verbs, *count));
    verb.filter(|_| !asks && !bound && !back).map(|verb| format!("{} … {verb}", not.word))
}

/// 不要忘 and 别忘 do not take back.
fn negates_chinese(words: &str, not: Negating, lists: &[Verbs]) -> Option<String> {
    let after = &words[not.end..];
    let clause = clause(after);
    let bound = BOUND.iter().any(|word| holds(clause, word));
    let near =
        |count: usize| clause.replace("<name>", "@").chars().filter(|c| *c != ' ').take(2 * count).collect::<String>();
    let turned = |(verbs, count): &Verbs| verbs.iter().find(|verb| !verb.is_ascii() && near(*count).contains(**verb));
    let verb = || lists.iter().find_map(turned);
    let back = near(2).contains('忘');
    verb().filter(|_| !bound && !back).map(|verb| format!("{}…{verb}", not.word))
}

/// The words up to the next mark or conjunction.
fn clause(words: &str) -> &str {
    let marks = [",", ";", ".", "!", "?", ":", " and ", " but ", " because ", " so "];
    let end = marks.iter().filter_map(|mark| words.find(mark)).min();
    &words[..end.unwrap_or(words.len())]
}
