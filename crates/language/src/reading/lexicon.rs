//! Words that mean the same for our purpose, gathered in classes: a classifier that knows "floor" and "保底" also knows
//! "minimum", seen in training or not. Only hints: what a sentence means is still learnt.

use std::sync::LazyLock;

/// A class and its words.
pub(super) type Class = (&'static str, Vec<&'static str>);

static CLASSES: LazyLock<Vec<Class>> = LazyLock::new(|| parsed(include_str!("lexicon.txt")));

/// Lists of words, one a line: its name, a colon, the words with commas between; lines with a # are for people.
pub(super) fn parsed(text: &'static str) -> Vec<Class> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(": ")).map(|(class, words)| (class, words.split(", ").collect())).collect()
}

/// The words of one of these lists.
pub(super) fn list(lists: &'static [Class], name: &str) -> &'static [&'static str] {
    lists.iter().find(|(list, _)| *list == name).map_or(&[], |(_, words)| words.as_slice())
}

/// The classes that a sentence's words are of, in order of the words; a class once per word that is of it.
pub(crate) fn classes(words: &[&str]) -> Vec<&'static str> {
    let joined = joined(words);
    let mut found: Vec<(usize, &'static str)> = Vec::new();
    for (class, members) in CLASSES.iter() {
        for member in members {
            found.extend(places(&joined, member).map(|place| (place, *class)));
        }
    }
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|(_, class)| class).collect()
}

/// Whether a word is of one of these classes.
pub(super) fn is_of(word: &str, classes: &[&str]) -> bool {
    CLASSES.iter().any(|(class, members)| classes.contains(class) && members.contains(&word))
}

/// The words with one space around each, Chinese characters without.
pub(super) fn joined(words: &[&str]) -> String {
    let mut text = String::from(" ");
    for word in words {
        if word.is_ascii() {
            if !text.ends_with(' ') {
                text.push(' ');
            }
            text.push_str(word);
            text.push(' ');
        } else {
            text.push_str(word);
        }
    }
    text.replace(" ' ", "'")
}

fn places<'a>(text: &'a str, member: &'a str) -> impl Iterator<Item = usize> + 'a {
    let ascii = member.is_ascii();
    text.match_indices(member).map(|(place, _)| place).filter(move |place| {
        let edge = |c: Option<char>| !c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-');
        // 核心 is "core" as in "core business", not a core.
        let other = member == "核" && text[place + member.len()..].starts_with('心');
        !other && !ascii
            || ascii && (edge(text[..*place].chars().next_back()) && edge(text[place + member.len()..].chars().next()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_classes() {
        let check = |words: &[&str], expected: &[&str]| {
            let found = classes(words);
            assert!(expected.iter().all(|class| found.contains(class)), "{words:?}: {found:?}");
        };
        check(&["never", "let", "<name>", "drop", "under", "<bytes>"], &["not", "below"]);
        check(&["内", "存", "保", "底"], &["memory", "least"]);
        check(&["hands", "off", "<name>"], &["hold"]);
        check(&["don", "'", "t", "touch", "it"], &["not", "hold"]);
    }
}
