//! What only tells: headings of examples and tests, and bounds as they stand.

use super::{Kind, Reading, inert::holds, text::Text};

/// Before a colon at the beginning.
const HEADINGS: &[&str] = &[
    "docs",
    "doc",
    "documentation",
    "example",
    "examples",
    "sample",
    "test",
    "testing",
    "demo",
    "quote",
    "readme",
    "spec",
    "示例",
    "例",
    "例子",
    "样例",
    "范例",
    "测试",
    "文档",
    "演示",
    "引用",
    "原文",
    "如",
];
const SUPPOSED: &[&str] = &["hypothetically", "theoretically", "in theory", "wrote", "假设", "理论上"];
/// Bounds as they stand, with stand-ins.
const STANDS: &[&str] = &["capped at", "capped to", "limited to", "restricted to", "confined to", "throttled to"];
const BEFORE: &[&str] = &[
    "is",
    "are",
    "is currently",
    "is now",
    "is already",
    "is still",
    "are currently",
    "are already",
    "was",
    "were",
    "has been",
    "have been",
];
/// What is or was so, whatever stands beside it.
const IS_SO: &[&str] = &[
    "currently",
    "so far",
    "already has",
    "has a cap",
    "has a limit",
    "used at most",
    "used up to",
    "used to",
    "peaked at",
    "yesterday",
    "last week",
    "last month",
    "we limited",
    "i limited",
    "we capped",
    "i capped",
    "i see",
    "we see",
    "i saw",
    "we saw",
    "has never",
    "have never",
    "never went",
    "never fell",
    "never dropped",
    "never exceeded",
    "did not",
    "didn't",
    "一直高于",
    "一直低于",
    "一直超过",
    "平时",
    "没超过",
    "没有超过",
    "没低于",
    "没有低于",
    "从没",
    "从未",
    "目前",
    "当前",
    "现在限制",
    "现限制",
    "已经限制",
    "已限制",
    "被限制",
    "用了",
    "用到了",
    "用过",
    "跑到了",
    "占了",
    "昨天",
    "上周",
    "上个月",
];

/// The words that make a sentence an example or a supposition.
pub(super) fn supposed(text: &Text) -> Option<String> {
    let words = text.slice(0, text.len());
    let is_heading = |heading: &&str| {
        HEADINGS.iter().any(|known| *heading == *known || (!known.is_ascii() && heading.ends_with(known)))
    };
    let heading = words.split_once(':').map(|(heading, _)| heading.trim()).filter(is_heading);
    let inside = || SUPPOSED.iter().find(|word| holds(&words, word)).copied();
    heading.or_else(inside).map(str::to_owned)
}

/// The words that tell a bound as it stands or stood; what is for a time to come is asked for. `words` has stand-ins.
pub(super) fn state(text: &Text, words: &str, reading: &Reading) -> Option<&'static str> {
    let always = reading.start.is_none() && reading.end.is_none() && reading.repeat.is_none();
    let stands = |before: &&str| STANDS.iter().find(|stands| holds(words, &format!("<name> {before} {stands}")));
    let written = text.slice(0, text.len());
    let so = || IS_SO.iter().find(|word| holds(&written, word));
    let found = || so().or_else(|| BEFORE.iter().filter(|_| always).find_map(stands));
    (reading.kind == Kind::Rule).then(found).flatten().copied()
}
