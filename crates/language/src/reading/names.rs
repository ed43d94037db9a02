//! Which words are names, seen over the whole sentence: what is learnt judges them one by one.

use super::{contrary, lexicon, token::Token};

/// A word this likely to be a name is one where the sentence has no likelier one.
const LIKELY: f32 = 0.2;
/// The same in a sentence that acts, which nearly always names a workload.
const LIKELY_IN_WHAT_ACTS: f32 = 0.02;
/// A name, or none, that a person has to be asked about.
const NAME_BY_ALL_ELSE: f32 = 0.51;
const NONE_BY_ALL_ELSE: f32 = 0.4;

/// Most sentences name a workload: where none is likely enough and nothing speaks of all of them, the likeliest word is one.
pub(super) fn insist_on_one(named: &mut [f32], tokens: &[Token]) {
    insist(named, tokens, LIKELY);
}

/// The same where the sentence acts.
pub(super) fn insist_on_one_in_what_acts(named: &mut [f32], tokens: &[Token]) {
    insist(named, tokens, LIKELY_IN_WHAT_ACTS);
}

fn insist(named: &mut [f32], tokens: &[Token], least: f32) {
    let all = || {
        let words: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
        lexicon::classes(&words).contains(&"all names")
    };
    let best = (0..named.len()).max_by(|a, b| named[*a].total_cmp(&named[*b]));
    if let Some(best) = best.filter(|best| (least..=0.5).contains(&named[*best]) && !all()) {
        named[best] = NAME_BY_ALL_ELSE;
    }
}

/// "the TV ad airs at 8, landing-de triples": beside a likelier name that is built like one, a plain word that is in no list with a name is
/// none. What a catalogue holds stays.
pub(super) fn drop_strays(named: &mut [f32], tokens: &[Token]) {
    let places: Vec<usize> = (0..named.len()).filter(|at| named[*at] > 0.5).collect();
    let built = places.iter().filter(|at| is_built(&tokens[**at].text)).map(|at| named[*at]);
    let Some(surest) = built.max_by(f32::total_cmp) else { return };
    let is_listed = |pair: &[usize]| contrary::is_list(&between(&tokens[pair[0] + 1..pair[1]]));
    let listed: Vec<bool> = places.windows(2).map(is_listed).collect();
    for (nth, at) in places.iter().enumerate() {
        let beside = nth.checked_sub(1).is_some_and(|before| listed[before]) || listed.get(nth) == Some(&true);
        if !beside && !is_built(&tokens[*at].text) && named[*at] < surest {
            named[*at] = NONE_BY_ALL_ELSE;
        }
    }
}

fn between(tokens: &[Token]) -> String {
    lexicon::joined(&tokens.iter().map(|token| token.text.as_str()).collect::<Vec<_>>())
}

/// True for a word with a joint or a digit, as few words but names have.
fn is_built(word: &str) -> bool {
    word.contains(|c: char| matches!(c, '-' | '_' | '*' | '.' | '/') || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{text::Text, token::tokens};

    /// What is named once `change` is done, where these words are names with these shares.
    fn named(sentence: &str, shares: &[(&str, f32)], change: impl Fn(&mut [f32], &[Token])) -> Vec<String> {
        let tokens = tokens(&Text::new(sentence), &[], &[], &[]);
        let share =
            |token: &Token| shares.iter().find(|(word, _)| *word == token.text).map_or(0.0, |(_, share)| *share);
        let mut named: Vec<f32> = tokens.iter().map(share).collect();
        change(&mut named, &tokens);
        let names = tokens.iter().zip(&named).filter(|(_, share)| **share > 0.5);
        names.map(|(token, _)| token.text.clone()).collect()
    }

    #[test]
    fn a_stray_beside_a_name_is_none() {
        let check = |sentence, shares, expected: &[&str]| {
            assert_eq!(named(sentence, shares, drop_strays), expected, "{sentence}");
        };
        check("the tv ad airs, landing-de triples", &[("tv", 0.9), ("landing-de", 0.99)], &["landing-de"]);
        check("cap web and landing-de", &[("web", 0.9), ("landing-de", 0.99)], &["web", "landing-de"]);
        check(
            "freeze web, api, landing-de",
            &[("web", 0.9), ("api", 0.9), ("landing-de", 0.99)],
            &["web", "api", "landing-de"],
        );
        check("web before landing-de", &[("web", 1.0), ("landing-de", 0.99)], &["web", "landing-de"]);
        check("web before api", &[("web", 0.6), ("api", 0.99)], &["web", "api"]);
        check("job-queue的worker", &[("job-queue", 0.99), ("worker", 0.9)], &["job-queue"]);
    }

    #[test]
    fn what_acts_names_somebody() {
        let check = |sentence, shares, expected: &[&str]| {
            assert_eq!(named(sentence, shares, insist_on_one_in_what_acts), expected, "{sentence}");
        };
        check("keep bot at two", &[("keep", 0.01), ("bot", 0.03)], &["bot"]);
        check("keep it at two", &[("keep", 0.01)], &[]);
        check("keep everything at two", &[("two", 0.03)], &[]);
        assert!(named("keep bot at two", &[("bot", 0.03)], insist_on_one).is_empty());
    }
}
