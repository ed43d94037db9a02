//! The byte-level BPE of GPT-2 (Sennrich et al. 2016; Radford et al. 2019), its pieces and merges read from the file.
//!
//! Text is cut into words as the file's `tokenizer.ggml.pre` says, each word's bytes are pieces of one byte at first, and the two
//! neighbours whose merge stands earliest in the list become one, again and again. Control tokens are never read out of text.

use super::{GgufError, damaged, file::GgufFile, file::Value, unsupported};
use std::{
    collections::HashMap,
    io::{Read, Seek},
};

/// Number of a token.
pub type Token = u32;

/// `tokenizer.ggml.token_type` of what is plain text.
const NORMAL: i128 = 1;

/// Text to tokens and back.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    /// The bytes of each token; a control token's name.
    pieces: Vec<Vec<u8>>,
    is_text: Vec<bool>,
    /// By the bytes of a piece of text.
    #[allow(clippy::disallowed_types, reason = "looked up only, never iterated")]
    tokens: HashMap<Vec<u8>, Token>,
    /// Rank and result of joining two.
    #[allow(clippy::disallowed_types, reason = "looked up only, never iterated")]
    merges: HashMap<(Token, Token), (u32, Token)>,
    /// Each digit is a word of its own.
    splits_digits: bool,
    end: Token,
}

impl Tokenizer {
    /// The tokenizer of a file.
    ///
    /// # Errors
    /// [`GgufError`].
    pub fn load<R: Read + Seek>(file: &GgufFile<R>) -> Result<Self, GgufError> {
        let model = file.text("tokenizer.ggml.model")?;
        let pre = if file.has("tokenizer.ggml.pre") { file.text("tokenizer.ggml.pre")? } else { "default" };
        let splits_digits = match (model, pre) {
            ("gpt2", "smollm") => true,
            // The "default" of llama.cpp cuts elsewhere than GPT-2 does.
            ("gpt2", "gpt-2") => false,
            _ => {
                return Err(unsupported(format!(
                    "its tokenizer is {model}, {pre}; gpt2 with smollm or gpt-2 is known"
                )));
            }
        };
        let names = file.texts("tokenizer.ggml.tokens")?;
        let is_text = types(file, names.len())?;
        let alphabet = alphabet();
        let mut pieces = Vec::with_capacity(names.len());
        for (token, name) in names.iter().enumerate() {
            let bytes = if is_text[token] { spelt(name, &alphabet) } else { Some(name.as_bytes().to_vec()) };
            pieces.push(bytes.ok_or_else(|| damaged(format!("token {token} is spelt {name:?}")))?);
        }
        let text = pieces.iter().zip(0..).filter(|(_, token)| is_text[*token as usize]);
        let tokens = text.map(|(piece, token)| (piece.clone(), token)).collect();
        let mut tokenizer = Self { pieces, is_text, tokens, merges: HashMap::new(), splits_digits, end: 0 };
        tokenizer.end = u32::try_from(file.count("tokenizer.ggml.eos_token_id")?).unwrap_or(u32::MAX);
        if tokenizer.end as usize >= names.len() {
            return Err(damaged("the token that ends a text is none of its tokens"));
        }
        for (rank, merge) in (0..).zip(file.texts("tokenizer.ggml.merges")?) {
            let wrong = || damaged(format!("merge {rank} is {merge:?}"));
            let (left, right) = merge.split_once(' ').ok_or_else(wrong)?;
            let find = |part: &str| tokenizer.tokens.get(&spelt(part, &alphabet)?).copied();
            let (Some(a), Some(b), Some(joined)) = (find(left), find(right), find(&format!("{left}{right}"))) else {
                return Err(wrong());
            };
            tokenizer.merges.entry((a, b)).or_insert((rank, joined));
        }
        Ok(tokenizer)
    }

    /// Tokens that it knows.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.pieces.len()
    }

    /// True where it knows none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The token that ends an answer.
    #[must_use]
    pub const fn end(&self) -> Token {
        self.end
    }

    /// A control token by its name.
    #[must_use]
    pub fn control(&self, name: &str) -> Option<Token> {
        let at = (0..self.pieces.len()).find(|at| !self.is_text[*at] && self.pieces[*at] == name.as_bytes())?;
        u32::try_from(at).ok()
    }

    /// The bytes of a token of text; none of a control token.
    #[must_use]
    pub fn piece(&self, token: Token) -> Option<&[u8]> {
        let at = token as usize;
        self.pieces.get(at).filter(|_| self.is_text[at]).map(Vec::as_slice)
    }

    /// The tokens of a text. Nothing in it can become a control token.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<Token> {
        words(text, self.splits_digits).into_iter().flat_map(|word| self.word(word)).collect()
    }

    /// The text of tokens; control tokens are left out.
    #[must_use]
    pub fn decode(&self, tokens: &[Token]) -> String {
        let bytes: Vec<u8> = tokens.iter().filter_map(|token| self.piece(*token)).flatten().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn word(&self, word: &str) -> Vec<Token> {
        let byte = |byte: u8| self.tokens.get([byte].as_slice()).copied();
        let mut parts: Vec<Token> = word.bytes().filter_map(byte).collect();
        let best = |parts: &[Token]| {
            let pairs = parts.windows(2).enumerate();
            pairs.filter_map(|(at, pair)| Some((self.merges.get(&(pair[0], pair[1]))?, at))).min()
        };
        while let Some((&(_, joined), at)) = best(&parts) {
            parts[at] = joined;
            parts.remove(at + 1);
        }
        parts
    }
}

fn types<R: Read + Seek>(file: &GgufFile<R>, count: usize) -> Result<Vec<bool>, GgufError> {
    match file.value("tokenizer.ggml.token_type")? {
        Value::List(types) if types.len() == count => Ok(types.iter().map(|of| *of == Value::Whole(NORMAL)).collect()),
        _ => Err(damaged("tokenizer.ggml.token_type does not fit the tokens")),
    }
}

/// GPT-2's letters for bytes: the printable ones of Latin-1 for themselves, the others by 256 and on.
fn alphabet() -> HashMap<char, u8> {
    let shows = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut others = (256_u32..).filter_map(char::from_u32);
    let mut letter = |byte: u8| if shows(byte) { char::from(byte) } else { others.next().unwrap_or_default() };
    (0..=u8::MAX).map(|byte| (letter(byte), byte)).collect()
}

fn spelt(name: &str, alphabet: &HashMap<char, u8>) -> Option<Vec<u8>> {
    name.chars().map(|letter| alphabet.get(&letter).copied()).collect()
}

/// The words of GPT-2's pattern `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, with each digit by itself where
/// that is wanted (then no blank goes before one).
fn words(text: &str, splits_digits: bool) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let length = if splits_digits { first_before_digit(rest) } else { first(rest) };
        let (word, after) = rest.split_at(length);
        found.push(word);
        rest = after;
    }
    found
}

/// A digit alone, else the first word of what stands before the next digit.
fn first_before_digit(text: &str) -> usize {
    match text.find(char::is_numeric) {
        Some(0) => text.chars().next().map_or(0, char::len_utf8),
        Some(at) => first(&text[..at]),
        None => first(text),
    }
}

/// Length of the first word.
fn first(text: &str) -> usize {
    for ending in ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"] {
        if text.starts_with(ending) {
            return ending.len();
        }
    }
    let blank = usize::from(text.starts_with(' '));
    let run = |of: fn(char) -> bool| text[blank..].find(|c| !of(c)).unwrap_or(text.len() - blank);
    let other: fn(char) -> bool = |c| !c.is_whitespace() && !is_letter(c) && !c.is_numeric();
    for class in [is_letter, char::is_numeric, other] {
        let length = run(class);
        if length > 0 {
            return blank + length;
        }
    }
    let blanks = text.find(|c: char| !c.is_whitespace()).unwrap_or(text.len());
    let last = text[..blanks].chars().next_back().map_or(0, char::len_utf8);
    // Before a word the last blank is left to it.
    if blanks < text.len() && blanks > last { blanks - last } else { blanks }
}

/// `\p{L}`, but for a few hundred vowel signs and marks that the standard library counts as letters.
fn is_letter(c: char) -> bool {
    c.is_alphabetic() && !c.is_numeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_pattern() {
        let check = |text: &str, digits: bool, expect: &[&str]| assert_eq!(words(text, digits), expect, "{text:?}");
        check("we've 12 apples!!  ok", false, &["we", "'ve", " 12", " apples", "!!", " ", " ok"]);
        check("at 20:00", true, &["at", " ", "2", "0", ":", "0", "0"]);
        check("a \n\n b  ", true, &["a", " \n\n", " b", "  "]);
        check("今晚8点 流量", true, &["今晚", "8", "点", " 流量"]);
        check("", true, &[]);
    }

    #[test]
    fn every_byte_has_a_letter() {
        let alphabet = alphabet();
        assert_eq!((alphabet.len(), alphabet[&'Ġ'], alphabet[&'Ċ'], alphabet[&'a']), (256, b' ', b'\n', b'a'));
    }
}
