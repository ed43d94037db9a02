//! Which words ask for what. Rows are tried in order: what is more special stands first. English words count whole, Chinese ones
//! anywhere; names stand in the words as `_`.

use super::{
    About,
    words::{
        ALLOTTED, CHANGED, FORECAST, FREE, HELP, KILLED, MOST, OTHER_DEMAND, RISK, SAID, SAVED, SMALLER, STATE,
        SUPPOSE, THROTTLED, USED, WASTE, WHY,
    },
};
use crate::reading::lexicon;

/// What else is known of a question.
pub(super) struct Facts {
    /// It supposes a size.
    pub(super) size: bool,
    /// It names a workload.
    pub(super) named: bool,
}

/// A row holds where one of each list is in the words.
struct Row {
    about: About,
    all: &'static [&'static [&'static str]],
    /// Only where this is so of the question.
    only: fn(&Facts) -> bool,
}

const fn any(_: &Facts) -> bool {
    true
}
const fn sized(facts: &Facts) -> bool {
    facts.size
}
const fn named(facts: &Facts) -> bool {
    facts.named
}
const fn unnamed(facts: &Facts) -> bool {
    !facts.named
}

const fn row(about: About, all: &'static [&'static [&'static str]]) -> Row {
    Row { about, all, only: any }
}

const ROWS: &[Row] = &[
    row(About::Help, &[HELP]),
    row(About::OtherDemand, &[SUPPOSE, OTHER_DEMAND]),
    row(About::OtherDemand, &[&["survives", "survive", "扛得住"]]),
    Row { about: About::Smaller, all: &[SUPPOSE], only: sized },
    row(About::Smaller, &[SMALLER]),
    row(About::Saved, &[SAVED]),
    Row { about: About::Forecast, all: &[&["will", "会被", "会不会"], THROTTLED], only: named },
    row(About::Throttled, &[THROTTLED]),
    row(About::Killed, &[KILLED]),
    row(About::Forecast, &[&["forecast", "forecasts", "next peak", "预测", "下一个高峰", "下个高峰"]]),
    row(About::Why, &[WHY]),
    row(About::MostWasted, &[WASTE]),
    Row { about: About::Free, all: &[FREE], only: unnamed },
    row(About::MostUsed, &[MOST]),
    Row {
        about: About::MostUsed,
        all: &[&["who", "谁"], &["bandwidth", "memory", "cpu", "内存", "带宽"], USED],
        only: unnamed,
    },
    Row {
        about: About::Forecast,
        all: &[
            FORECAST,
            &["need", "needs", "需要", "peak", "高峰", "demand", "enough", "够", "流量", "traffic", "多少"],
        ],
        only: any,
    },
    row(About::AtRisk, &[RISK]),
    row(About::Said, &[SAID]),
    row(About::Allotted, &[&["since when", "从什么时候起", "什么时候起"], ALLOTTED]),
    row(About::Changed, &[CHANGED]),
    row(About::Forecast, &[FORECAST]),
    row(About::Used, &[USED]),
    Row { about: About::AtRisk, all: &[&["enough", "够"]], only: any },
    row(About::State, &[&["how has", "how is", "怎么样", "表现"]]),
    row(About::Allotted, &[ALLOTTED]),
    Row { about: About::State, all: &[STATE], only: any },
    Row { about: About::State, all: &[&["_", "状态"]], only: named },
];

/// What a question asks for.
pub(super) fn about(words: &str, facts: &Facts) -> About {
    let holds = |row: &&Row| (row.only)(facts) && row.all.iter().all(|list| list.iter().any(|word| holds(words, word)));
    ROWS.iter().find(holds).map_or(About::Unclear, |row| row.about)
}

/// Asks for the present.
pub(super) fn is_now(words: &str) -> bool {
    const NOW: [&str; 8] = ["now", "right now", "at the moment", "currently", "现在", "目前", "当前", "此刻"];
    NOW.iter().any(|word| holds(words, word))
}

/// The number behind "decision" or "决策".
pub(super) fn decision(words: &str) -> Option<u64> {
    ["decision", "决策", "change #", "#"].into_iter().find_map(|lead| {
        let rest = words.split_once(lead)?.1.trim_start().trim_start_matches(['#', ' ']);
        let rest = rest.strip_prefix("number").map_or(rest, str::trim_start);
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        rest[..digits].parse().ok()
    })
}

/// A word that any question may have and that is therefore no name.
pub(super) fn is_common(word: &str) -> bool {
    const OTHER: [&str; 24] = [
        "node",
        "workload",
        "workloads",
        "service",
        "services",
        "pod",
        "pods",
        "job",
        "jobs",
        "group",
        "groups",
        "host",
        "us",
        "you",
        "me",
        "it",
        "that",
        "this",
        "there",
        "here",
        "now",
        "ledger",
        "night",
        "machine",
    ];
    let listed = ROWS.iter().flat_map(|row| row.all).flat_map(|list| *list).any(|known| *known == word);
    listed || OTHER.contains(&word) || !lexicon::classes(&[word]).is_empty()
}

fn holds(words: &str, word: &str) -> bool {
    let edge = |c: Option<char>| !c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-');
    words.match_indices(word).any(|(place, _)| {
        !word.is_ascii()
            || (edge(words[..place].chars().next_back()) && edge(words[place + word.len()..].chars().next()))
    })
}
