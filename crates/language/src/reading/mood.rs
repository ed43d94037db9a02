//! Sentences that are built like an order and are none: what is weighed, what somebody said, did or would do, what hangs on a condition, what is
//! quoted, what somebody else is to do, or to something else. What is learnt weighs them (`inert.rs`); here they always give reason to ask.

use super::{
    Kind, Reading,
    inert::{holds, is_question},
    lexicon, negating,
    text::{Text, is_han},
};
use std::sync::LazyLock;

static LISTS: LazyLock<Vec<lexicon::Class>> = LazyLock::new(|| lexicon::parsed(include_str!("mood.txt")));

fn list(name: &str) -> &'static [&'static str] {
    lexicon::list(&LISTS, name)
}

/// A quotation of fewer words is a name or a title.
const QUOTED_WORDS: usize = 3;
/// Likewise of fewer Chinese characters.
const QUOTED_CHARS: usize = 4;
/// Chinese surnames that are no beginning of another word behind 老 and 小, or before a title.
const SURNAMES: &str = "王李张刘陈杨赵黄吴徐孙朱马胡郭林郑罗宋谢唐韩曹许邓冯蔡彭潘袁董苏叶吕魏蒋杜丁沈姜范汪戴崔陆廖姚";
const TITLES: &str = "工总哥姐";
/// Words by which Chinese asks "A or not A" and that ask for it politely, or ask nothing.
const NO_CHOICE: &str = "能可动时";

/// Words of time whose end and the verb behind them together look like another word: 临时加, 同时给, 现在想.
const OF_TIME: [&str; 7] = ["临时", "暂时", "同时", "及时", "准时", "随时", "现在"];
/// "Just 2 cores" names no condition.
const JUST: [&str; 2] = ["只要 <", "只要<"];

/// The words that make a reading that acts none, where there are some. `words` has stand-ins.
pub(super) fn mood(text: &Text, words: &str, reading: &Reading) -> Option<String> {
    let words = OF_TIME.iter().fold(words.to_owned(), |words, time| words.replace(time, " "));
    let words = &JUST.iter().fold(words, |words, just| words.replace(just, "<"));
    let found = said(words, "deliberation").or_else(|| choice(words)).or_else(|| said(words, "irony"));
    let found = found.or_else(|| unless(words, "supposed", "wanted")).or_else(|| quoted(text));
    if tells(words, reading) { found } else { found.or_else(|| of_orders(text, words, reading.kind)) }
}

/// The same of what tells no state.
fn of_orders(text: &Text, words: &str, kind: Kind) -> Option<String> {
    let expects = kind == Kind::Event;
    // What is taken back was said, done and put off; what is expected comes by itself, on some occasion; a priority is for when it gets tight.
    let by_kind = || match kind {
        Kind::Undo => said(words, "undone elsewhere"),
        _ => unless(words, "hearsay", "own words").or_else(|| unless(words, "past", "not past")),
    };
    let condition = || unless(words, "condition", "no condition").filter(|_| kind != Kind::Priority);
    let occasion =
        || unless(words, "occasion", "no condition").filter(|_| !matches!(kind, Kind::Priority | Kind::Event));
    let somebody = || said(words, "others").or_else(|| person(words)).or_else(|| spoken_to(words));
    by_kind()
        .or_else(|| asked(text).filter(|_| kind != Kind::Hold))
        .or_else(condition)
        .or_else(occasion)
        .or_else(somebody)
        .or_else(|| said(words, "elsewhere"))
        .or_else(|| governed(words).filter(|_| !expects))
        .or_else(|| did(words, kind))
}

/// The first word of a list that stands in the words.
fn said(words: &str, name: &str) -> Option<String> {
    list(name).iter().find(|word| holds(words, word)).map(|word| (*word).to_owned())
}

/// The same where none of another list does.
fn unless(words: &str, name: &str, taken_back: &str) -> Option<String> {
    said(words, name).filter(|_| said(words, taken_back).is_none())
}

/// A report of how things are orders nothing, so that who said it or since when turns nothing round.
fn tells(words: &str, reading: &Reading) -> bool {
    let orders = said(words, "do").is_some() || ["加", "给", "扩"].iter().any(|verb| words.contains(verb));
    reading.kind == Kind::Report && reading.amount.is_none() && !orders
}

/// 要不要, 该不该, 需要不需要: all but those that ask politely.
fn choice(words: &str) -> Option<String> {
    let asks = |(place, not): (usize, &str)| {
        let before = words[..place].chars().next_back().filter(|c| is_han(*c) && !NO_CHOICE.contains(*c))?;
        let after = words[place + not.len()..].chars().next()?;
        negating::is_question(words, place).then(|| format!("{before}{not}{after}"))
    };
    words.match_indices('不').find_map(asks)
}

/// A sentence put as a question, and no polite one; 谁都 and 什么时候都 ask nothing.
fn asked(text: &Text) -> Option<String> {
    let words = text.slice(0, text.len());
    (is_question(&words) && !words.contains(['都', '也'])).then(|| "?".to_owned())
}

/// An order between quotation marks, or behind the mark of a mail that is answered.
fn quoted(text: &Text) -> Option<String> {
    let words = text.slice(0, text.len());
    let orders = |inside: &str| ["do", "做"].iter().any(|name| said(inside, name).is_some());
    let is_long = |inside: &&str| {
        orders(inside)
            && (inside.split_whitespace().count() >= QUOTED_WORDS
                || inside.chars().filter(|c| is_han(*c)).count() >= QUOTED_CHARS)
    };
    let marked = words.split('"').skip(1).step_by(2).find(is_long);
    let single =
        || words.split(" '").skip(1).filter_map(|rest| rest.split_once('\'')).map(|found| found.0).find(is_long);
    let answered = || words.starts_with('>').then_some(">");
    marked.or_else(single).or_else(answered).map(str::to_owned)
}

/// Somebody who is spoken to or of: 老王, 王工, @bob.
fn person(words: &str) -> Option<String> {
    let chars: Vec<char> = words.chars().collect();
    let is_surname = |c: char| SURNAMES.contains(c);
    let is_person = |pair: &[char]| {
        (matches!(pair[0], '老' | '小') && is_surname(pair[1])) || (is_surname(pair[0]) && TITLES.contains(pair[1]))
    };
    let found = chars.windows(2).find(|pair| is_person(pair)).map(|pair| pair.iter().collect());
    found.or_else(|| words.trim_start().starts_with('@').then(|| "@".to_owned()))
}

/// Somebody who is spoken to, or who speaks, at the beginning: "Bob, please", "hey Bob,", "Bob:".
fn spoken_to(words: &str) -> Option<String> {
    const GREETINGS: [&str; 4] = ["hey", "hi", "hello", "dear"];
    let head: Vec<&str> = words[..words.find([',', ':'])?].split_whitespace().collect();
    let name = match head[..] {
        [name] => name,
        [greeting, name] if GREETINGS.contains(&greeting) => name,
        _ => return None,
    };
    let is_nobody = list("openers").contains(&name) || !name.chars().all(|c| c.is_ascii_alphabetic());
    (!is_nobody).then(|| name.to_owned())
}

/// A verb that tells what somebody else is to do, or what the speaker will do.
fn governed(words: &str) -> Option<String> {
    const MODALS: [&str; 7] = ["will", "ll", "would", "could", "might", "may", "can"];
    const ORDERING: [&str; 3] = ["should", "must", "shall"];
    const LETTING: [&str; 5] = ["let", "have", "can", "could", "will"];
    const ASKING: [&str; 6] = ["tell", "ask", "remind", "told", "asked", "get"];
    const SPOKEN_TO: [&str; 5] = ["you", "we", "i", "please", "'"];
    let words: Vec<&str> = words.split_whitespace().collect();
    let back = |at: usize, by: usize| at.checked_sub(by).map_or("", |at| words[at]);
    let is_governed = |at: usize| {
        let (one, two, three) = (back(at, 1), back(at, 2), back(at, 3));
        let other = |who: &str| who.starts_with(|c: char| c == '<' || c.is_alphabetic()) && !SPOKEN_TO.contains(&who);
        (MODALS.contains(&one) && !["", "you", "<name>"].contains(&two))
            || (ORDERING.contains(&one) && other(two))
            || (LETTING.contains(&two) && other(one))
            || (one == "to" && (two == "going" || (ASKING.contains(&three) && two != "you")))
    };
    let verbs = words.iter().enumerate().filter(|(_, word)| list("do").contains(word));
    verbs
        .map(|(at, verb)| (at, *verb))
        .find(|(at, _)| is_governed(*at))
        .map(|(at, verb)| format!("{} {verb}", back(at, 1)))
}

/// What somebody did: "we have just limited", 给 web 加了2核, 已经冻结. What is taken back may be over, unless it was taken back.
fn did(words: &str, kind: Kind) -> Option<String> {
    const BY: [&str; 6] = ["i", "we", "they", "he", "she", "ve"];
    const BETWEEN: [&str; 7] = ["have", "had", "has", "just", "already", "also", "then"];
    let mut by = false;
    for word in words.split_whitespace() {
        if by && list("did").contains(&word) {
            return Some(word.to_owned());
        }
        by = BY.contains(&word) || (by && BETWEEN.contains(&word));
    }
    let verbs = if kind == Kind::Undo { &["撤销"] } else { list("做") };
    let sets = matches!(kind, Kind::Rule | Kind::Hold | Kind::Priority);
    words.split([',', '.', ';']).find_map(|clause| done(clause, verbs, sets))
}

/// The same of one Chinese clause; `sets` tells that 把 with 了 at the end is of what is sought.
fn done(clause: &str, verbs: &[&str], sets: bool) -> Option<String> {
    let behind = |verb: &str| clause.find(verb).map_or("", |place| &clause[place + verb.len()..]);
    let once = |rest: &str| rest.strip_prefix('过').is_some_and(|rest| !rest.starts_with(['多', '高', '大']));
    let completed = |verb: &&&str| behind(verb).starts_with('了') || once(behind(verb));
    let adverb = list("已").iter().find_map(|adverb| clause.find(adverb).map(|place| &clause[place..]));
    let before = |verb: &&&str| adverb.is_some_and(|rest| rest.contains(**verb));
    let ends = sets && clause.contains('把') && clause.trim_end().ends_with('了');
    let over = ends.then_some(&"了");
    over.or_else(|| verbs.iter().find(completed)).or_else(|| verbs.iter().find(before)).map(|verb| (*verb).to_owned())
}
