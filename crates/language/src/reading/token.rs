//! A sentence as tokens: words, Chinese characters, and one token for each amount and each time, whatever its value.
//! What is learnt sees these, so it cannot learn numbers or dates.

use super::{
    amount::{Amount, Counts},
    text::{Text, is_han, is_name_char},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A run of letters, digits and what joins them in names.
    Word,
    /// One Chinese character.
    Han,
    /// An amount, a time or a number: its text is a stand-in.
    StandIn,
    /// Punctuation.
    Mark,
}

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: TokenKind,
    /// As the classifier sees it.
    pub(crate) text: String,
}

/// The tokens of a sentence. `names` are places that are names for certain.
pub(crate) fn tokens(
    text: &Text,
    amounts: &[Amount],
    times: &[(usize, usize)],
    names: &[(usize, usize)],
) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    let mut place = 0;
    while place < text.len() {
        let token = stand_in(text, place, amounts, times, names).or_else(|| plain(text, place));
        match token {
            Some(token) => {
                place = token.end;
                let repeated = found.last().is_some_and(|last| last.text == "<time>" && token.text == "<time>");
                if !repeated {
                    found.push(token);
                }
            }
            None => place += 1,
        }
    }
    found
}

fn stand_in(
    text: &Text,
    place: usize,
    amounts: &[Amount],
    times: &[(usize, usize)],
    names: &[(usize, usize)],
) -> Option<Token> {
    let token = |end, kind, text: &str| Some(Token { start: place, end, kind, text: text.to_owned() });
    if let Some((_, end)) = names.iter().find(|(start, _)| *start == place) {
        return token(*end, TokenKind::Word, &text.slice(place, *end));
    }
    if let Some(amount) = amounts.iter().find(|amount| amount.start == place) {
        return token(amount.end, TokenKind::StandIn, amount_name(amount.counts));
    }
    let (_, end) = times.iter().find(|(start, end)| *start == place && end > start)?;
    token(*end, TokenKind::StandIn, "<time>")
}

pub(crate) const fn amount_name(counts: Counts) -> &'static str {
    match counts {
        Counts::Cores => "<cores>",
        Counts::Bytes => "<bytes>",
        Counts::BytesPerSecond => "<rate>",
        Counts::Factor => "<x>",
        Counts::Percent => "<percent>",
        Counts::Replicas => "<replicas>",
        Counts::Demand => "<demand>",
    }
}

fn plain(text: &Text, place: usize) -> Option<Token> {
    let c = text.at(place);
    if is_name_char(c) || (c == '*' && (text.at(place + 1) == '-' || is_name_char(text.at(place + 1)))) {
        return Some(word(text, place));
    }
    let kind = if is_han(c) { TokenKind::Han } else { TokenKind::Mark };
    (c != ' ').then(|| Token { start: place, end: place + 1, kind, text: c.to_string() })
}

fn word(text: &Text, place: usize) -> Token {
    let mut end = place + 1;
    while goes_on(text, end) {
        end += 1;
    }
    let words = text.slice(place, end);
    let number = words.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '/' | ':'));
    let (kind, text) = if number { (TokenKind::StandIn, "<number>".to_owned()) } else { (TokenKind::Word, words) };
    Token { start: place, end, kind, text }
}

/// Hyphens, dots and the like belong to a word only between its letters, a star also at its end.
fn goes_on(text: &Text, end: usize) -> bool {
    let (c, next) = (text.at(end), text.at(end + 1));
    match c {
        '-' | '.' | '/' | ':' | '@' => {
            (is_name_char(next) || (next == '*' && c != ':'))
                && !(c == ':' && next.is_ascii_digit() && text.at(end - 1).is_ascii_digit())
        }
        '*' => true,
        _ => is_name_char(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::amount::amounts;

    #[test]
    fn words_names_and_stand_ins() {
        let check = |sentence: &str, expected: &str| {
            let text = Text::new(sentence);
            let found: Vec<String> =
                tokens(&text, &amounts(&text), &[], &[]).into_iter().map(|token| token.text).collect();
            assert_eq!(found.join("|"), expected, "{sentence}");
        };
        check("limit web-* to 2 cores.", "limit|web-*|to|<cores>|.");
        check("kafka's disk", "kafka|'|s|disk");
        check("给 gpu-infer-* 加 3 核", "给|gpu-infer-*|加|<cores>");
        check("nginx.service: 12", "nginx.service|:|<number>");
    }
}
