//! Parts of one, as they are said of what there is.

use super::{number, text::Text};

/// "a third", "two thirds", "a quarter", "三分之一": parts of one, as percent.
pub(super) fn of_one(text: &Text, place: usize) -> Option<(f64, usize)> {
    const WORDS: [(&str, f64); 11] = [
        ("one third", 1.0 / 3.0),
        ("a third", 1.0 / 3.0),
        ("two thirds", 2.0 / 3.0),
        ("two-thirds", 2.0 / 3.0),
        ("one quarter", 0.25),
        ("a quarter", 0.25),
        ("three quarters", 0.75),
        ("a fifth", 0.2),
        ("one fifth", 0.2),
        ("a tenth", 0.1),
        ("one tenth", 0.1),
    ];
    let english = WORDS.iter().find_map(|(words, share)| Some((*share, text.word(place, words)?)));
    let digits = || {
        let part = number::ratio(text, place)?;
        let of = text.any_word(text.skip_spaces(part.end), &["of the", "of its", "of all", "of total"]);
        of.map(|_| (part.value, part.end))
    };
    let (share, end) = english.or_else(digits).or_else(|| chinese_fraction(text, place))?;
    let time = text.any_word(text.skip_spaces(end), &["past", "to", "of an hour"]).is_some();
    (!time).then_some((share * 100.0, end))
}

fn chinese_fraction(text: &Text, place: usize) -> Option<(f64, usize)> {
    let below = number::chinese_whole(text, place).filter(|(below, _)| *below > 0.0)?;
    let above = number::chinese_whole(text, text.literal(below.1, "分之")?)?;
    Some((above.0 / below.0, above.1))
}
