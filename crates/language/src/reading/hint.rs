//! What words say outright beside what is learnt: how bad a lack is, which way a report asks to go, and whether an amount is
//! asked for or is the state.

use super::{
    amount::{Amount, Counts, Sense},
    fields::{Direction, Level},
    text::Text,
};

/// How bad a lack is, and how much likelier the words make it.
pub(super) fn severity(text: &Text) -> Option<(Level, f32)> {
    const SEVERE: [&str; 12] = [
        "严重",
        "紧急",
        "severe",
        "severely",
        "critical",
        "critically",
        "urgent",
        "urgently",
        "emergency",
        "sev1",
        "dying",
        "危急",
    ];
    const SLIGHT: [&str; 11] =
        ["稍微", "有点", "略微", "些许", "slightly", "a little", "a bit", "a tad", "a touch", "略", "稍"];
    const STRONG: [&str; 20] = [
        "badly",
        "seriously",
        "really",
        "very",
        "extremely",
        "awful",
        "heavy",
        "heavily",
        "huge",
        "enormous",
        "massive",
        "high",
        "很大",
        "巨大",
        "非常",
        "特别",
        "很高",
        "较高",
        "较大",
        "极",
    ];
    let holds = |words: &[&str]| (0..text.len()).any(|place| text.any_word(place, words).is_some());
    let rows: [(&[&str], Level, f32); 3] =
        [(&SEVERE, Level::Critical, 20.0), (&SLIGHT, Level::Low, 20.0), (&STRONG, Level::High, 3.0)];
    rows.into_iter().find(|(words, ..)| holds(words)).map(|(_, level, weight)| (level, weight))
}

/// Which way a report goes, from the classes of its words, where they all point there.
pub(super) fn direction(classes: &[&str]) -> Option<Direction> {
    let has = |class: &str| classes.contains(&class);
    match (has("less") || has("surplus"), has("lack") || has("more")) {
        (true, false) => Some(Direction::Down),
        (false, true) => Some(Direction::Up),
        _ => None,
    }
}

/// "double" goes up, "halve" goes down.
pub(super) fn factor_direction(amount: &Amount) -> Option<Direction> {
    let up = if amount.value > 1.0 { Direction::Up } else { Direction::Down };
    (amount.counts == Counts::Factor).then_some(up)
}

/// Whether the words beside an amount ask for it ("2 more", "take 2 off"), or tell it as the state ("of its 16 cores").
pub(super) fn is_asked(text: &Text, amount: &Amount) -> Option<bool> {
    const STATE: [&str; 22] = [
        "at", "of its", "of the", "has", "have", "uses", "using", "used", "sits on", "holds", "owns", "idles on",
        "only", "with its", "runs on", "is at", "占着", "占了", "占", "用了", "只用", "才用",
    ];
    const MORE: [&str; 6] = [" more ", " extra ", " additional ", "another ", " further ", "多"];
    const ASKED: [&str; 19] = [
        "add", "give", "give it", "needs", "需要", "grant", "by", "another", "plus", "+", "take", "remove", "reclaim",
        "加", "再给", "再来", "再加", "收回", "撤",
    ];
    let before = text.slice(amount.start.saturating_sub(16), amount.start);
    let before = before.trim_end();
    let ends = |words: &[&str]| words.iter().any(|word| before.ends_with(word));
    let inside = text.slice(amount.start, amount.end);
    let more = MORE.iter().any(|word| inside.contains(word));
    match (ends(&STATE), amount.sense != Sense::To || more || ends(&ASKED)) {
        (true, false) => Some(false),
        (false, true) => Some(true),
        _ => None,
    }
}

/// A factor of what is allotted ("double its memory", "CPU翻倍"), not of what is asked of it.
pub(super) fn is_of_size(text: &Text, amount: &Amount) -> bool {
    const SIZES: [&str; 12] =
        ["cpu", "memory", "cores", "ram", "bandwidth", "内存", "带宽", "核", "核数", "资源", "resources", "算力"];
    let before = text.slice(amount.start.saturating_sub(16), amount.start);
    let before = before.trim_end_matches([' ', '也', '都', '要', '再', '给', '先', '得']);
    let after = text.slice(amount.end, (amount.end + 20).min(text.len()));
    let words = ["its", "the", "their", "的"];
    let after =
        words.iter().fold(after.trim_start(), |rest, word| rest.strip_prefix(word).unwrap_or(rest).trim_start());
    let sized = SIZES.iter().any(|size| before.ends_with(size) || after.starts_with(size));
    let state = text.slice(amount.start, amount.end) == "一半";
    amount.counts == Counts::Factor && sized && !state
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::amount::amounts;

    #[test]
    fn what_words_say_outright() {
        let text = |sentence: &str| Text::new(sentence);
        assert_eq!(severity(&text("web 严重不足")).map(|found| found.0), Some(Level::Critical));
        assert_eq!(severity(&text("web is a bit slow")).map(|found| found.0), Some(Level::Low));
        assert_eq!(severity(&text("web is slow")), None);
        assert_eq!(direction(&["surplus"]), Some(Direction::Down));
        assert_eq!(direction(&["more", "less"]), None);
        let first = |sentence: &str| amounts(&text(sentence))[0];
        assert_eq!(factor_direction(&first("halve web")), Some(Direction::Down));
        assert_eq!(factor_direction(&first("web 的CPU翻倍")), Some(Direction::Up));
        let asked = |sentence: &str| is_asked(&text(sentence), &first(sentence));
        assert_eq!(asked("add 2 cores to web"), Some(true));
        assert_eq!(asked("web uses 2 cores"), Some(false));
    }
}
