//! Words that turn round what stands behind them, in one list: for bounds ("never below 2 cores") and for orders ("don't limit web").

use super::{inert::places, text::is_han};

const ENGLISH: &[&str] = &[
    "not",
    "no",
    "never",
    "don't",
    "dont",
    "doesn't",
    "didn't",
    "mustn't",
    "shouldn't",
    "needn't",
    "won't",
    "wouldn't",
    "wasn't",
    "weren't",
    "wrong",
    "cannot",
    "can't",
    "isn't",
    "aren't",
    "nobody",
    "no-one",
    "none",
    "nothing",
    "neither",
    "nor",
    "without",
    "avoid",
    "stop",
    "against",
    "under no circumstances",
];
const CHINESE: &[&str] =
    &["不", "别", "勿", "莫", "没", "未", "甭", "禁止", "严禁", "避免", "反对", "拒绝", "无需", "无须"];
/// What stands before or behind a character that is no negation there: 特别, 分别, 未来, 不够.
const NOT_BEFORE: &str = "级特分区类个识性差辨再要";
const NOT_BEHIND: &str = "的人处来了住够足上下起完到及行稳急仅光只但过如妨管论错然同断知久止分忘惜";

/// A negating word in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Negating {
    /// Where it begins, and where what it turns round does, bytes.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) word: &'static str,
}

/// Every English one, as a whole word.
pub(super) fn english(words: &str) -> impl Iterator<Item = Negating> {
    let of =
        |word: &'static str| places(words, word).map(move |start| Negating { start, end: start + word.len(), word });
    ENGLISH.iter().flat_map(move |word| of(word))
}

/// Every Chinese one that is not part of another word, nor of a question.
pub(super) fn chinese(words: &str) -> impl Iterator<Item = Negating> {
    let alone = |(place, word): (usize, &str)| {
        let (before, after) = (&words[..place], &words[place + word.len()..]);
        !before.chars().next_back().is_some_and(|c| NOT_BEFORE.contains(c))
            && !after.chars().next().is_some_and(|c| NOT_BEHIND.contains(c))
            && !asks(before, word, after)
    };
    let of = move |word: &'static str| words.match_indices(word).filter(move |at| alone(*at));
    CHINESE
        .iter()
        .flat_map(move |word| of(word).map(move |(start, _)| Negating { start, end: start + word.len(), word }))
}

/// Whether what negates from this place on is the second half of a question: 能不能.
pub(super) fn is_question(words: &str, place: usize) -> bool {
    let word = words[place..].chars().next().map_or(0, char::len_utf8);
    asks(&words[..place], &words[place..place + word], &words[place + word..])
}

/// Whether a word that negates stands between the halves of a question: 能不能, 可不可以, 需要不需要, 有没有, 有没加.
fn asks(before: &str, word: &str, after: &str) -> bool {
    if !matches!(word, "不" | "没") {
        return false;
    }
    let halves = |count: usize| {
        let start = before.char_indices().rev().nth(count - 1).map(|(start, _)| &before[start..]);
        start.is_some_and(|half| half.chars().all(is_han) && after.starts_with(half))
    };
    halves(1) || halves(2) || (word == "没" && before.ends_with('有'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negating_words_are_whole_words() {
        let check = |words: &str, expected: &[&str]| {
            let found: Vec<&str> = english(words).chain(chinese(words)).map(|found| found.word).collect();
            assert_eq!(found, expected, "{words}");
        };
        check("never go below, nor above", &["never", "nor"]);
        check("no-go area, the notebook", &[]);
        check("特别是 web, 分别不超过4核", &["不"]);
        check("未来两小时不够用", &[]);
        check("切莫超过", &["莫"]);
        check("能不能加, 可不可以限, 要不要冻结, 是不是超过, 有没有加, 需要不需要, 有没加过", &[]);
        check("能不能别动 web", &["别"]);
        check("能不能不限制 web, 冻没冻", &["不"]);
        check("没有加, web 没冻, 不能", &["不", "没", "没"]);
    }
}
