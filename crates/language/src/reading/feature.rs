//! What a classifier sees of tokens: hashed word and character n-grams.

use super::{
    lexicon,
    token::{Token, TokenKind},
};

/// Buckets of sentence features.
pub(crate) const SENTENCE_BUCKETS: usize = 1 << 15;
/// Buckets of name features.
pub(crate) const NAME_BUCKETS: usize = 1 << 14;

/// FNV-1a over the parts, with a mark between them.
fn hash(parts: &[&str]) -> u64 {
    let mut state: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    state ^ (state >> 29)
}

#[allow(clippy::cast_possible_truncation, reason = "reduced to a bucket")]
fn bucket(parts: &[&str], buckets: usize) -> u32 {
    (hash(parts) % buckets as u64) as u32
}

/// A word by its hash, for the list of common words.
#[allow(clippy::cast_possible_truncation, reason = "half of the hash is enough")]
pub(crate) fn word_hash(word: &str) -> u32 {
    (hash(&["word", word]) >> 8) as u32
}

/// Features of a whole sentence; `is_name` tells which tokens are names, which all look alike here.
pub(crate) fn sentence(tokens: &[Token], is_name: &[bool]) -> Vec<u32> {
    let words = seen(tokens, is_name);
    let mut found = Vec::with_capacity(words.len() * 8);
    let mut add = |parts: &[&str]| found.push(bucket(parts, SENTENCE_BUCKETS));
    for (place, word) in words.iter().enumerate() {
        add(&["1", word]);
        let next = |ahead: usize| words.get(place + ahead).copied();
        if let Some(second) = next(1) {
            add(&["2", word, second]);
            if let Some(third) = next(2) {
                add(&["3", word, second, third]);
                add(&["skip", word, third]);
                if let Some(fourth) = next(3) {
                    add(&["4", word, second, third, fourth]);
                    add(&["skip2", word, fourth]);
                }
            }
        }
        if word.is_ascii() && word.len() > 4 && !word.starts_with('<') {
            add(&["stem", word.get(..word.len().min(5)).unwrap_or(word)]);
            for gram in word.as_bytes().windows(4) {
                add(&["gram", std::str::from_utf8(gram).unwrap_or_default()]);
            }
        }
    }
    found.extend(shape(&words));
    found.extend(meanings(&words));
    found.sort_unstable();
    found.dedup();
    found
}

/// Features of the classes of meaning that occur, and of which follow each other.
fn meanings(words: &[&str]) -> Vec<u32> {
    let classes = lexicon::classes(words);
    let mut found: Vec<u32> = Vec::with_capacity(classes.len() * 3);
    for (place, class) in classes.iter().enumerate() {
        // Twice, as a class says more than a word.
        found.push(bucket(&["class", class], SENTENCE_BUCKETS));
        found.push(bucket(&["class again", class], SENTENCE_BUCKETS));
        if let Some(second) = classes.get(place + 1) {
            found.push(bucket(&["classes", class, second], SENTENCE_BUCKETS));
        }
        for later in classes.iter().skip(place + 1) {
            found.push(bucket(&["class before", class, later], SENTENCE_BUCKETS));
        }
    }
    found
}

/// The words as seen, with names replaced and the edges marked.
fn seen<'a>(tokens: &'a [Token], is_name: &[bool]) -> Vec<&'a str> {
    let mut words = vec!["<start>"];
    for (place, token) in tokens.iter().enumerate() {
        let word = if is_name.get(place) == Some(&true) { "<name>" } else { token.text.as_str() };
        let listed = word == "<name>" && words.ends_with(&["<name>", ","]);
        if listed {
            words.pop();
        } else {
            words.push(word);
        }
    }
    words.push("<end>");
    words
}

/// Features of the sentence's make-up: which stand-ins occur, how many names, how it ends.
fn shape(words: &[&str]) -> Vec<u32> {
    let has = |word: &str| words.contains(&word);
    let names = words.iter().filter(|word| **word == "<name>").count().min(2).to_string();
    let kinds = ["<cores>", "<bytes>", "<rate>", "<x>", "<percent>", "<replicas>", "<demand>", "<time>", "?"];
    let present: String = kinds.iter().map(|kind| if has(kind) { '1' } else { '0' }).collect();
    let amount = kinds[..7].iter().any(|kind| has(kind));
    let length = (words.len() / 6).min(6).to_string();
    [
        ["names", &names],
        ["present", &present],
        ["amount", if amount { "yes" } else { "no" }],
        ["question", if has("?") { "yes" } else { "no" }],
        ["time", if has("<time>") { "yes" } else { "no" }],
        ["length", &length],
    ]
    .iter()
    .map(|parts| bucket(parts, SENTENCE_BUCKETS))
    .collect()
}

/// What is known of single words.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    /// Whether sentences are made of it.
    pub(crate) common: &'a dyn Fn(&str) -> bool,
    /// Whether workloads are often called so.
    pub(crate) typical: &'a dyn Fn(&str) -> bool,
}

/// Features of one word that may be a name; `named` tells which tokens before it are names.
pub(crate) fn name(tokens: &[Token], place: usize, named: &[bool], known: Known<'_>) -> Vec<u32> {
    let common = known.common;
    let word = tokens[place].text.as_str();
    let near = |offset: isize| -> &str {
        match place.checked_add_signed(offset).and_then(|at| tokens.get(at).map(|token| (at, token))) {
            Some((at, _)) if offset < 0 && named.get(at) == Some(&true) => "<name>",
            Some((_, token)) => &token.text,
            None => "<edge>",
        }
    };
    let typical = if (known.typical)(word) { "typical" } else { "" };
    let known = if common(word) { "common" } else { "rare" };
    let shape = word_shape(word, common);
    let (p2, p1, n1, n2) = (near(-2), near(-1), near(1), near(2));
    let side = if tokens.get(place + 1).is_some_and(|next| next.kind == TokenKind::Han) { "han" } else { "" };
    let before = if place > 0 && tokens[place - 1].kind == TokenKind::Han { "han" } else { "" };
    let prefix = word.get(..word.len().min(3)).unwrap_or(word);
    let suffix = word.get(word.len().saturating_sub(3)..).unwrap_or(word);
    let parts: [&[&str]; 27] = [
        &["bias"],
        &["word", word],
        &["known", known],
        &["shape", &shape],
        &["shape known", &shape, known],
        &["prefix", prefix, known],
        &["suffix", suffix, known],
        &["p1", p1],
        &["p1 known", p1, known],
        &["p2", p2],
        &["p2 p1", p2, p1],
        &["n1", n1],
        &["n1 known", n1, known],
        &["n2", n2],
        &["n1 n2", n1, n2],
        &["p1 n1", p1, n1],
        &["p1 n1 known", p1, n1, known],
        &["p1 shape", p1, &shape],
        &["n1 shape", n1, &shape],
        &["han", before, side],
        &["han known", before, side, known],
        &["p2 p1 n1", p2, p1, n1],
        &["typical", typical],
        &["typical known", typical, known],
        &["typical p1", typical, p1],
        &["typical n1", typical, n1],
        &["typical p1 n1", typical, p1, n1],
    ];
    let mut found: Vec<u32> = parts.iter().map(|parts| bucket(parts, NAME_BUCKETS)).collect();
    found.extend(
        word.split(['-', '_', '.']).skip_while(|part| *part == word).map(|part| bucket(&["part", part], NAME_BUCKETS)),
    );
    found.sort_unstable();
    found.dedup();
    found
}

/// How a word is built: its joints, digits and stars, and whether all its parts are common words.
fn word_shape(word: &str, common: &dyn Fn(&str) -> bool) -> String {
    let has = |c: char| word.contains(c);
    let parts = word.split(['-', '_', '.', '/']).filter(|part| !part.is_empty());
    let all_common = parts.clone().count() > 1 && parts.clone().all(common);
    let digit = word.contains(|c: char| c.is_ascii_digit());
    [
        (has('-'), "-"),
        (has('_'), "_"),
        (has('*'), "*"),
        (has('.'), "."),
        (has('/'), "/"),
        (digit, "9"),
        (all_common, "c"),
        (word.len() < 4, "s"),
    ]
    .iter()
    .filter(|(holds, _)| *holds)
    .map(|(_, mark)| *mark)
    .collect()
}
