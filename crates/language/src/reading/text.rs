//! A sentence made ready for reading: one character for each one written, in one width and one case.

/// No operator's sentence is longer; what is longer is not read at all, so that reading takes bounded time.
pub(crate) const MOST_CHARS: usize = 600;

/// A sentence, normalised character by character, so that places in it are places in what was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    /// Lower case, half width, ASCII punctuation.
    pub(crate) chars: Vec<char>,
    /// The case that units need ("Mb" is not "MB"); same length.
    pub(crate) cased: Vec<char>,
}

impl Text {
    pub(crate) fn new(sentence: &str) -> Self {
        let cased: Vec<char> = sentence.trim().chars().map(narrow).collect();
        let chars = cased.iter().map(char::to_ascii_lowercase).collect();
        Self { chars, cased }
    }

    /// The lower-case words of a place.
    pub(crate) fn slice(&self, start: usize, end: usize) -> String {
        self.chars.get(start..end).unwrap_or_default().iter().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.chars.len()
    }

    pub(crate) fn at(&self, place: usize) -> char {
        self.chars.get(place).copied().unwrap_or('\0')
    }

    /// The end of `word` at `place`, where it stands there as a whole word (Chinese words have no edges).
    pub(crate) fn word(&self, place: usize, word: &str) -> Option<usize> {
        let end = self.literal(place, word)?;
        let starts_inside = word.starts_with(is_name_char) && self.begins_inside(place);
        let ends_inside = word.ends_with(is_name_char) && self.ends_inside(end);
        (!starts_inside && !ends_inside).then_some(end)
    }

    /// The end of `word` at `place`, where it ends there; a number may stand right before it ("7am", "3h").
    pub(crate) fn word_end(&self, place: usize, word: &str) -> Option<usize> {
        let end = self.literal(place, word)?;
        let ends_inside = word.ends_with(is_name_char) && is_name_char(self.at(end));
        (!ends_inside).then_some(end)
    }

    /// The end of the first of `words` at `place`.
    pub(crate) fn any_word(&self, place: usize, words: &[&str]) -> Option<usize> {
        words.iter().find_map(|word| self.word(place, word))
    }

    /// The end of these characters at `place`, wherever a word begins or ends.
    pub(crate) fn literal(&self, place: usize, words: &str) -> Option<usize> {
        let mut end = place;
        for expected in words.chars() {
            if self.at(end) != expected {
                return None;
            }
            end += 1;
        }
        Some(end)
    }

    /// The first place at or after `place` that is no space.
    pub(crate) fn skip_spaces(&self, place: usize) -> usize {
        let spaces = self.chars.get(place..).unwrap_or_default().iter().take_while(|c| **c == ' ').count();
        place + spaces
    }

    /// True where a number or a word may begin.
    pub(crate) fn is_start(&self, place: usize) -> bool {
        place == 0 || !(is_name_char(self.at(place - 1)) || matches!(self.at(place - 1), '.' | '-' | '/' | ':'))
    }

    /// A word right behind a letter or digit, or behind "name-", is a part of another; behind "9am-" it is not.
    fn begins_inside(&self, place: usize) -> bool {
        let back = |offset: usize| place.checked_sub(offset).map_or('\0', |place| self.at(place));
        let joined = back(1) == '-' && back(2).is_ascii_alphabetic() && !(back(2) == 'm' && back(4).is_ascii_digit());
        is_name_char(back(1)) || joined
    }

    /// A hyphen goes on with a word only where a letter follows.
    fn ends_inside(&self, end: usize) -> bool {
        is_name_char(self.at(end)) || (self.at(end) == '-' && self.at(end + 1).is_ascii_alphabetic())
    }
}

/// ASCII letters, digits and the underscore.
pub(crate) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// A Chinese character.
pub(crate) fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

/// Characters that make one word look like another: letters of look-alike alphabets, invisible and direction marks.
pub(crate) fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{e0000}'..='\u{e0fff}'
        | '\u{0370}'..='\u{03ff}' | '\u{0400}'..='\u{052f}' | '\u{0530}'..='\u{058f}' | '\u{13a0}'..='\u{13ff}'
        | '\u{1d400}'..='\u{1d7ff}' | '\u{2100}'..='\u{214f}' | '\u{24b6}'..='\u{24e9}' | '\u{a4d0}'..='\u{a4ff}')
        || (c.is_control() && !matches!(c, '\t' | '\r' | '\n'))
}

/// One width, one kind of mark.
pub(crate) fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        '\u{3000}' | '\u{00a0}' | '\u{2009}' | '\u{202f}' | '\t' | '\r' | '\n' => ' ',
        '、' => ',',
        '。' => '.',
        '“' | '”' | '「' | '」' | '『' | '』' => '"',
        '‘' | '’' | '`' => '\'',
        '–' | '—' | '―' | '−' | '‐' | '‑' => '-',
        '〜' | '∼' => '~',
        '×' => 'x',
        '【' => '[',
        '】' => ']',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_character_for_one() {
        let sentence = "Ｃheckout　３倍，今晚８：００～１０：００。";
        let text = Text::new(sentence);
        assert_eq!(text.slice(0, text.len()), "checkout 3倍,今晚8:00~10:00.");
        assert_eq!(text.len(), sentence.chars().count());
    }

    #[test]
    fn whole_words() {
        let check = |sentence: &str, word: &str, found| {
            assert_eq!(Text::new(sentence).word(0, word).is_some(), found, "{sentence} {word}");
        };
        check("may 5", "may", true);
        check("maybe", "may", false);
        check("mon-fri", "mon", false);
        check("周五晚上", "周五", true);
        check("monday.", "monday", true);
        check("sun_proxy", "sun", false);
    }

    #[test]
    fn look_alikes() {
        for c in ['а', 'ο', '\u{200b}', '\u{202e}', '𝐚', '\u{7}'] {
            assert!(is_deceptive(c), "{c:?}");
        }
        for c in ['a', 'é', '核', '，', '→', '°', '😀', '\t', '\r', '\n'] {
            assert!(!is_deceptive(c), "{c:?}");
        }
    }
}
