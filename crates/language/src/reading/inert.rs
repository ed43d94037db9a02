//! Forms that do not act: sentences put as questions, and talk of people and places. Hints that weigh on what is learnt,
//! always towards doing nothing.

use super::{lexicon, text::Text};
use std::sync::LazyLock;

/// How much likelier each hint makes it that a sentence changes nothing.
const QUESTION: f32 = 20.0;
const LIFE: f32 = 8.0;
const TOLD: f32 = 8.0;
const PAST: f32 = 6.0;
const ELSEWHERE: f32 = 4.0;

/// The words of each list of `inert.txt`.
static LISTS: LazyLock<Vec<lexicon::Class>> = LazyLock::new(|| lexicon::parsed(include_str!("inert.txt")));

fn list(name: &str) -> &'static [&'static str] {
    lexicon::list(&LISTS, name)
}

/// The factor by which it is likelier that a sentence does not act. `names` tells whether a workload is named for sure.
pub(super) fn weight(text: &Text, names: bool) -> f32 {
    let words = text.slice(0, text.len());
    let any = |name| list(name).iter().any(|word| holds(&words, word));
    let hints = [
        (is_question(&words), QUESTION),
        (!names && any("life"), LIFE),
        (any("told"), TOLD),
        (any("past") && !any("now"), PAST),
        (any("elsewhere"), ELSEWHERE),
    ];
    hints.iter().filter(|(holds, _)| *holds).map(|(_, weight)| weight).product()
}

/// Whether a sentence is put as a question and is no polite request.
pub(super) fn is_question(words: &str) -> bool {
    let granted =
        ["can ", "could "].iter().any(|start| words.starts_with(start) || words.contains(&format!(", {start}")));
    let wish = granted && ["get", "have"].iter().any(|verb| holds(words, verb)) && !holds(words, "get by");
    if wish || list("polite").iter().any(|polite| holds(words, polite)) {
        return false;
    }
    let trimmed = words.trim_end_matches(['.', '!', ' ']);
    let starts =
        list("starts").iter().any(|start| words.strip_prefix(start).is_some_and(|rest| !rest.starts_with(is_word)));
    starts
        || trimmed.ends_with('?')
        || list("chinese ends").iter().any(|end| trimmed.ends_with(end))
        || list("chinese inside").iter().any(|word| words.contains(word))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '\''
}

/// Whether a word or phrase stands in the words, an English one as a whole.
pub(super) fn holds(words: &str, word: &str) -> bool {
    places(words, word).next().is_some()
}

/// Where it stands.
pub(super) fn places<'a>(words: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let edge = |c: Option<char>| !c.is_some_and(is_word);
    words.match_indices(word).map(|(place, _)| place).filter(move |place| {
        !word.is_ascii()
            || (edge(words[..*place].chars().next_back()) && edge(words[place + word.len()..].chars().next()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talk_weighs_and_what_is_wanted_does_not() {
        let check = |sentence: &str, is_talk: bool| {
            assert_eq!(weight(&Text::new(sentence), true) > 1.0, is_talk, "{sentence}");
        };
        check("Bob gave web four cores last summer", true);
        check("web has been slow since last summer, give it 2 cores", false);
        check("the docs say web takes 2 cores", true);
        check("buy another rack for web", true);
        check("when people buy tickets web sees 3x traffic", false);
        check("上周五 web 三倍流量", true);
        check("上周五开始 web 一直卡", false);
        check("给 node-4 加条内存条", true);
    }

    #[test]
    fn questions_and_requests() {
        let check = |sentence: &str, question| {
            assert_eq!(is_question(sentence), question, "{sentence}");
        };
        check("why was web cut?", true);
        check("web has 2 cores?", true);
        check("could you give web 2 cores?", false);
        check("web 的上限是多少", true);
        check("能不能给 web 加2核?", false);
        check("show-room gets 2 cores", false);
        check("whatever happens, web first", false);
        check("can web get 2 more cores?", false);
        check("can web get by with half its cores?", true);
        check("web 砍一半核能撑住不", true);
    }
}
