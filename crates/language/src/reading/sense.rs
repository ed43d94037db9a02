//! Which way the words next to an amount point: more, less, or to.

use super::{
    amount::{Counts, Sense},
    text::Text,
};

const UP: [&str; 58] = [
    "more",
    "increase",
    "increases",
    "increased",
    "increasing",
    "rise",
    "rises",
    "rising",
    "grow",
    "grows",
    "growing",
    "growth",
    "surge",
    "surges",
    "jump",
    "jumps",
    "spike",
    "spikes",
    "climb",
    "climbs",
    "higher",
    "extra",
    "additional",
    "up",
    "bump",
    "bumps",
    "boost",
    "gain",
    "gains",
    "above",
    "over",
    "heavier",
    "busier",
    "another",
    "add",
    "on top",
    "raise",
    "uplift",
    "增加",
    "增长",
    "上涨",
    "上升",
    "提升",
    "提高",
    "上浮",
    "高出",
    "多出",
    "增",
    "涨",
    "多",
    "升",
    "高",
    "上调",
    "超出",
    "新增",
    "加",
    "暴涨",
    "扩",
];
const DOWN: [&str; 54] = [
    "less",
    "fewer",
    "lower",
    "drop",
    "drops",
    "dropping",
    "dropped",
    "fall",
    "falls",
    "falling",
    "decrease",
    "decreases",
    "down",
    "decline",
    "declines",
    "reduce",
    "reduces",
    "reduced",
    "reduction",
    "shrink",
    "shrinks",
    "dip",
    "dips",
    "lose",
    "loses",
    "below",
    "lighter",
    "quieter",
    "sink",
    "sinks",
    "slump",
    "slumps",
    "cut",
    "cuts",
    "shed",
    "sheds",
    "ease",
    "halve",
    "减少",
    "下降",
    "降低",
    "下滑",
    "下跌",
    "回落",
    "缩减",
    "缩水",
    "减",
    "降",
    "少",
    "跌",
    "低",
    "下调",
    "缩",
    "砍",
];
const TO: [&str; 42] = [
    "to",
    "at",
    "of",
    "only",
    "just",
    "around",
    "about",
    "roughly",
    "to about",
    "to around",
    "to just",
    "to roughly",
    "to only",
    "is",
    "be",
    "sees",
    "see",
    "has",
    "have",
    "expect",
    "到",
    "至",
    "为",
    "是",
    "只有",
    "仅",
    "剩",
    "只剩",
    "达",
    "达到",
    "仅为",
    "约为",
    "大约是",
    "的",
    "有",
    "相当于",
    "大约",
    "大概",
    "约",
    "维持在",
    "保持在",
    "在",
];
const OF_USUAL: [&str; 34] = [
    "of normal",
    "of usual",
    "of the normal",
    "of the usual",
    "of its normal",
    "of its usual",
    "of their usual",
    "of today",
    "of today's",
    "of average",
    "of the average",
    "of what",
    "of a normal",
    "of a usual",
    "of regular",
    "of the regular",
    "of weekday",
    "of the weekday",
    "of current",
    "of the current",
    "of its regular",
    "the usual",
    "the normal",
    "as much",
    "as many",
    "its usual",
    "their usual",
    "usual",
    "normal",
    "的水平",
    "的量",
    "左右的水平",
    "的流量",
    "水平",
];

/// The sense of the amount at `start..end`.
pub(super) fn sense(text: &Text, start: usize, end: usize, counts: Counts) -> Sense {
    match text.at(start) {
        '+' => return Sense::More,
        '-' => return Sense::Less,
        _ => {}
    }
    let after = after(text, end);
    if starts_with_any(&after, &OF_USUAL) {
        return Sense::To;
    }
    let before = before(text, start);
    let (up, down, to) = (last_of(&before, &UP), last_of(&before, &DOWN), ends_with_any(&before, &TO));
    if let Some(sense) = sense_after(&after) {
        return if to && counts == Counts::Factor { Sense::To } else { sense };
    }
    if to
        && ends_with_any(
            &before,
            &["to", "到", "至", "只有", "仅", "剩", "的", "为", "是", "at", "only", "just", "达到"],
        )
    {
        return Sense::To;
    }
    match (up, down) {
        (Some(up), Some(down)) if up > down => Sense::More,
        (_, Some(_)) => Sense::Less,
        (Some(_), None) => Sense::More,
        (None, None) => Sense::To,
    }
}

/// "增加两倍", "多一倍" add to what is there; "翻三倍", "提高到3倍" do not.
pub(super) fn adds_times(text: &Text, start: usize) -> bool {
    let before = before(text, start);
    let before = before.trim_end_matches(['了', '约', '近', '出', '个']);
    ["增加", "增长", "多", "上涨", "上升", "提升", "提高", "涨", "高", "增", "扩大"]
        .iter()
        .any(|word| before.ends_with(word))
}

/// Up or down directly behind the amount: "50% more", "三成以上" is none.
fn sense_after(after: &str) -> Option<Sense> {
    let after = after.trim_start();
    let begins = |words: &[&str]| words.iter().any(|word| word.is_ascii() && word_at(after, word));
    if begins(&UP) {
        return Some(Sense::More);
    }
    begins(&DOWN).then_some(Sense::Less)
}

/// What stands before the amount in the same clause, at most 40 characters of it.
fn before(text: &Text, start: usize) -> String {
    let from = start.saturating_sub(40);
    let words = text.slice(from, start);
    let clause = words.rfind([',', '.', ';', '!', '?', ':']).map_or(0, |mark| mark + 1);
    let mut words = words.get(clause..).unwrap_or_default().trim_end();
    for filler in [
        "about",
        "around",
        "roughly",
        "approximately",
        "some",
        "by",
        "大约",
        "大概",
        "约",
        "将近",
        "差不多",
        "近",
        "a",
        "as much as",
        "up",
    ] {
        let shorter = words.strip_suffix(filler).unwrap_or(words);
        if shorter.len() < words.len()
            && (!filler.is_ascii() || shorter.ends_with(' ') || shorter.is_empty())
            && filler != "up"
        {
            words = shorter.trim_end();
        }
    }
    words.to_owned()
}

fn after(text: &Text, end: usize) -> String {
    text.slice(end, (end + 24).min(text.len())).trim_start().to_owned()
}

fn starts_with_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| word_at(text, word))
}

fn word_at(text: &str, word: &str) -> bool {
    text.strip_prefix(word)
        .is_some_and(|rest| !word.is_ascii() || !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

fn ends_with_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| {
        text.strip_suffix(word)
            .is_some_and(|rest| !word.is_ascii() || !rest.ends_with(|c: char| c.is_ascii_alphanumeric()))
    })
}

/// Where the last of these words stands, as a whole word.
fn last_of(text: &str, words: &[&str]) -> Option<usize> {
    words
        .iter()
        .filter_map(|word| text.rmatch_indices(word).map(|(place, _)| place).find(|place| is_whole(text, *place, word)))
        .max()
}

fn is_whole(text: &str, place: usize, word: &str) -> bool {
    let edge = |c: Option<char>| !c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    !word.is_ascii() || (edge(text[..place].chars().next_back()) && edge(text[place + word.len()..].chars().next()))
}
