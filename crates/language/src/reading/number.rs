//! Numbers in digits, in English words and in Chinese numerals.

use super::text::Text;

/// A number and where it ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number {
    pub(crate) value: f64,
    pub(crate) end: usize,
    /// True when it was written with digits alone, no words and no multiplier.
    pub(crate) digits: bool,
}

/// The number that begins at `place`, however it is written.
pub(crate) fn number(text: &Text, place: usize) -> Option<Number> {
    if !text.is_start(place) && !behind_letters(text, place) {
        return None;
    }
    with_half(text, digits(text, place).or_else(|| chinese(text, place)).or_else(|| english(text, place))?)
}

/// A Chinese numeral right behind a name ("iptv三倍").
pub(crate) fn behind_letters(text: &Text, place: usize) -> bool {
    let letter = place > 0 && text.at(place - 1).is_ascii_alphabetic();
    letter && (chinese_digit(text.at(place)).is_some() || matches!(text.at(place), '十' | '半'))
}

/// Digits: `5`, `5,000`, `1.5`, `5k`, `10万`.
pub(crate) fn digits(text: &Text, place: usize) -> Option<Number> {
    let mut end = place;
    let mut plain = String::new();
    loop {
        match text.at(end) {
            c @ '0'..='9' => plain.push(c),
            '.' if text.at(end + 1).is_ascii_digit() && !plain.is_empty() && !plain.contains('.') => plain.push('.'),
            ',' if is_thousands_mark(text, end) && !plain.is_empty() && !plain.contains('.') => {}
            _ => break,
        }
        end += 1;
    }
    let value: f64 = plain.parse().ok()?;
    let (factor, length) = multiplier(text, end);
    (plain.len() <= 15).then_some(Number { value: value * factor, end: end + length, digits: length == 0 })
}

/// A part of one: `3/4`.
pub(crate) fn ratio(text: &Text, place: usize) -> Option<Number> {
    let above =
        digits(text, place).filter(|above| above.digits && text.is_start(place) && text.at(above.end) == '/')?;
    let below = digits(text, above.end + 1).filter(|below| below.digits && above.value < below.value)?;
    Some(Number { value: above.value / below.value, end: below.end, digits: false })
}

fn is_thousands_mark(text: &Text, place: usize) -> bool {
    (1..=3).all(|next| text.at(place + next).is_ascii_digit()) && !text.at(place + 4).is_ascii_digit()
}

fn multiplier(text: &Text, end: usize) -> (f64, usize) {
    match text.at(end) {
        '千' => (1e3, 1),
        '百' if text.at(end + 1) != '分' => (1e2, 1),
        '万' => (1e4, 1),
        '亿' => (1e8, 1),
        'k' if !text.at(end + 1).is_ascii_alphanumeric() && text.at(end + 1) != '/' => (1e3, 1),
        'w' if !text.at(end + 1).is_ascii_alphanumeric() && text.at(end + 1) != '/' => (1e4, 1),
        _ => (1.0, 0),
    }
}

/// "two and a half", "一个半".
fn with_half(text: &Text, number: Number) -> Option<Number> {
    let english =
        || ["and a half", "and-a-half"].iter().find_map(|words| text.word(text.skip_spaces(number.end), words));
    let end = text.literal(number.end, "个半").or_else(english);
    Some(end.map_or(number, |end| Number { value: number.value + 0.5, end, digits: false }))
}

const CHINESE_DIGITS: [(char, f64); 12] = [
    ('零', 0.0),
    ('〇', 0.0),
    ('一', 1.0),
    ('二', 2.0),
    ('两', 2.0),
    ('三', 3.0),
    ('四', 4.0),
    ('五', 5.0),
    ('六', 6.0),
    ('七', 7.0),
    ('八', 8.0),
    ('九', 9.0),
];

fn chinese_digit(c: char) -> Option<f64> {
    CHINESE_DIGITS.iter().find(|(digit, _)| *digit == c).map(|(_, value)| *value)
}

/// Chinese numerals: `三`, `十二`, `二十五`, `两百`, `三千五`, `一万二`, `一点五`, `四分之三`, `半`.
pub(crate) fn chinese(text: &Text, place: usize) -> Option<Number> {
    if text.at(place) == '半' {
        return Some(Number { value: 0.5, end: place + 1, digits: false });
    }
    let (whole, mut end) = chinese_whole(text, place)?;
    let mut value = whole;
    if let Some((above, after)) = text.literal(end, "分之").and_then(|after| chinese_whole(text, after)) {
        return (whole > 0.0).then(|| Number { value: above / whole, end: after, digits: false });
    }
    if text.at(end) == '点' && chinese_digit(text.at(end + 1)).is_some() {
        let mut scale = 0.1;
        end += 1;
        while let Some(digit) = chinese_digit(text.at(end)) {
            value += digit * scale;
            scale /= 10.0;
            end += 1;
        }
    }
    Some(Number { value: (value * 1e9).round() / 1e9, end, digits: false })
}

/// A whole number in Chinese numerals, at most 12 characters. A last digit without a scale counts in the scale below the
/// one before it (三千五 is 3,500) unless a 零 stands between.
pub(crate) fn chinese_whole(text: &Text, place: usize) -> Option<(f64, usize)> {
    let mut sum = Numeral::default();
    let mut end = place;
    while end < place + 12 && sum.take(text.at(end)) {
        end += 1;
    }
    (end > place).then(|| (sum.value(), end))
}

#[derive(Default)]
struct Numeral {
    /// Whole sections of 万 and 亿.
    total: f64,
    /// Below 万.
    section: f64,
    /// A digit that waits for its scale.
    digit: Option<f64>,
    /// What a last digit counts for.
    below: f64,
}

impl Numeral {
    /// Takes one character; false when the number ends before it.
    fn take(&mut self, c: char) -> bool {
        if let Some(value) = chinese_digit(c) {
            if self.digit.is_some_and(|digit| digit != 0.0) {
                return false;
            }
            self.digit = Some(value);
            self.below = if value == 0.0 { 1.0 } else { self.below };
            return true;
        }
        let Some(scale) = chinese_scale(c) else { return false };
        let begun = self.digit.is_some() || self.section > 0.0 || self.total > 0.0;
        if !begun && scale != 10.0 {
            return false;
        }
        if scale < 1e4 {
            self.section += self.digit.filter(|digit| *digit > 0.0).unwrap_or(1.0) * scale;
        } else {
            let section = self.section + self.digit.unwrap_or(0.0);
            // 三千万 after 两亿 is added, 亿 after 一万 multiplies.
            self.total = if self.total > scale { self.total + section * scale } else { (self.total + section) * scale };
            self.section = 0.0;
        }
        self.digit = None;
        self.below = if scale > 10.0 { scale / 10.0 } else { 1.0 };
        true
    }

    fn value(&self) -> f64 {
        self.total + self.section + self.digit.unwrap_or(0.0) * if self.below > 0.0 { self.below } else { 1.0 }
    }
}

fn chinese_scale(c: char) -> Option<f64> {
    match c {
        '十' => Some(10.0),
        '百' => Some(100.0),
        '千' => Some(1_000.0),
        '万' => Some(10_000.0),
        '亿' => Some(100_000_000.0),
        _ => None,
    }
}

const ENGLISH: [(&str, f64); 37] = [
    ("zero", 0.0),
    ("one", 1.0),
    ("two", 2.0),
    ("three", 3.0),
    ("four", 4.0),
    ("five", 5.0),
    ("six", 6.0),
    ("seven", 7.0),
    ("eight", 8.0),
    ("nine", 9.0),
    ("ten", 10.0),
    ("eleven", 11.0),
    ("twelve", 12.0),
    ("thirteen", 13.0),
    ("fourteen", 14.0),
    ("fifteen", 15.0),
    ("sixteen", 16.0),
    ("seventeen", 17.0),
    ("eighteen", 18.0),
    ("nineteen", 19.0),
    ("twenty", 20.0),
    ("thirty", 30.0),
    ("forty", 40.0),
    ("fifty", 50.0),
    ("sixty", 60.0),
    ("seventy", 70.0),
    ("eighty", 80.0),
    ("ninety", 90.0),
    ("a couple of", 2.0),
    ("a dozen", 12.0),
    ("half a", 0.5),
    ("half an", 0.5),
    ("couple of", 2.0),
    ("three quarters of a", 0.75),
    ("three quarters of an", 0.75),
    ("a quarter of a", 0.25),
    ("a third of a", 1.0 / 3.0),
];

/// English words: `twelve`, `twenty-five`, `two hundred`, `a dozen`, `half a`.
pub(crate) fn english(text: &Text, place: usize) -> Option<Number> {
    let (mut value, mut end) = english_below_hundred(text, place).or_else(|| article(text, place))?;
    for (word, scale) in [("hundred", 1e2), ("thousand", 1e3), ("million", 1e6)] {
        if let Some(after) = text.word(text.skip_spaces(end), word) {
            let (rest, after) = english_rest(text, after).unwrap_or((0.0, after));
            (value, end) = (value * scale + rest, after);
        }
    }
    Some(Number { value, end, digits: false })
}

/// "a hundred", "a thousand".
fn article(text: &Text, place: usize) -> Option<(f64, usize)> {
    let end = text.word(place, "a")?;
    let next = text.skip_spaces(end);
    text.any_word(next, &["hundred", "thousand", "million"]).map(|_| (1.0, end))
}

fn english_rest(text: &Text, end: usize) -> Option<(f64, usize)> {
    let next = text.skip_spaces(end);
    let next = text.word(next, "and").map_or(next, |after| text.skip_spaces(after));
    english_below_hundred(text, next)
}

fn english_below_hundred(text: &Text, place: usize) -> Option<(f64, usize)> {
    let whole = |place: usize| {
        ENGLISH.iter().rev().find_map(|(word, value)| {
            let end = text.literal(place, word)?;
            (!text.at(end).is_ascii_alphanumeric()).then_some((*value, end))
        })
    };
    let (tens, end) = whole(place)?;
    let compound = matches!(text.at(end), '-' | ' ') && tens >= 20.0 && tens.rem_euclid(10.0) == 0.0;
    match whole(end + 1) {
        Some((units, after)) if compound && (1.0..10.0).contains(&units) => Some((tens + units, after)),
        _ => Some((tens, end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let check = |words: &str, value: f64, rest: &str| {
            let text = Text::new(words);
            let found = number(&text, 0).unwrap_or_else(|| panic!("{words}"));
            assert!((found.value - value).abs() < 1e-9, "{words}: {}", found.value);
            assert_eq!(text.slice(found.end, text.len()), rest, "{words}");
        };
        check("5 cores", 5.0, " cores");
        check("5,000 QPS", 5_000.0, " qps");
        check("5,00", 5.0, ",00");
        check("1.5x", 1.5, "x");
        check("5k rps", 5_000.0, " rps");
        check("5kb", 5.0, "kb");
        check("10万", 100_000.0, "");
        check("3千", 3_000.0, "");
        check("三成", 3.0, "成");
        check("十", 10.0, "");
        check("十二个", 12.0, "个");
        check("二十", 20.0, "");
        check("二十五", 25.0, "");
        check("两百", 200.0, "");
        check("一百零五", 105.0, "");
        check("一百一十", 110.0, "");
        check("三千五", 3_500.0, "");
        check("三千零五", 3_005.0, "");
        check("一万二", 12_000.0, "");
        check("十万", 100_000.0, "");
        check("一百二十万", 1_200_000.0, "");
        check("两亿三千万", 230_000_000.0, "");
        check("一点五倍", 1.5, "倍");
        check("二点二五", 2.25, "");
        check("一点", 1.0, "点");
        check("半天", 0.5, "天");
        check("twelve", 12.0, "");
        check("twenty-five percent", 25.0, " percent");
        check("twenty five", 25.0, "");
        check("two hundred and fifty", 250.0, "");
        check("three thousand", 3_000.0, "");
        check("a hundred", 100.0, "");
        check("a dozen", 12.0, "");
        check("half an hour", 0.5, " hour");
        check("two and a half hours", 2.5, " hours");
        check("a couple of cores", 2.0, " cores");
        check("ninety-minute", 90.0, "-minute");
        check("couple of hours", 2.0, " hours");
        check("three quarters of a core", 0.75, " core");
        check("四分之三个核", 0.75, "个核");
        check("一个半核", 1.5, "核");
    }

    #[test]
    fn no_numbers() {
        for words in ["tension", "onerous", "v2", "百", "a core", ""] {
            assert_eq!(number(&Text::new(words), 0), None, "{words}");
        }
    }
}
