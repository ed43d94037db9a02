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
    "used at most",
    "used up to",
    "peaked at",
    "目前",
    "当前",
    "用了",
    "用到了",
    "用过",
    "跑到了",
    "占了",
];

/// The words that make a sentence an example or a supposition.
pub(super) fn supposed(text: &Text) -> Option<String> {
    let words = text.slice(0, text.len());
    let heading = words.split_once(':').map(|(heading, _)| heading.trim()).filter(|heading| HEADINGS.contains(heading));
    let inside = || SUPPOSED.iter().find(|word| holds(&words, word)).copied();
    heading.or_else(inside).map(str::to_owned)
}

/// The words that tell a bound as it stands; one for a time to come is asked for. `words` has stand-ins.
pub(super) fn state(words: &str, reading: &Reading) -> Option<&'static str> {
    let always = reading.start.is_none() && reading.end.is_none() && reading.repeat.is_none();
    let stands = |before: &str| STANDS.iter().find(|stands| holds(words, &format!("<name> {before} {stands}")));
    let found = || {
        let stands = BEFORE.iter().find_map(|before| stands(before));
        stands.or_else(|| IS_SO.iter().find(|word| holds(words, word))).copied()
    };
    (reading.kind == Kind::Rule && always).then(found)?
}
