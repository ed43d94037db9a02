//! Zones beside an hour: `UTC`, `UTC+8`, `GMT+1`, `20:00Z`, `20:00+08:00`, `北京时间`; and that one was said which is not known here
//! ("EDT", "8pm Berlin time", 东京时间), so that its hour is not taken for the operator's.

use super::atom::{Atom, Kind, one};
use crate::reading::text::Text;
use jiff::{civil::Date, tz::Offset};

pub(super) fn read(text: &Text, place: usize, _: Date) -> Vec<Atom> {
    let known = universal(text, place).or_else(|| east_of(text, place)).or_else(|| behind_digits(text, place));
    let found = known.map(|(zone, end)| one(place, end, Kind::Zone(zone)));
    found.or_else(|| Some(one(place, elsewhere(text, place)?, Kind::Unread))).unwrap_or_default()
}

/// "UTC", "gmt", "utc+8", "GMT+5:30".
fn universal(text: &Text, place: usize) -> Option<(Offset, usize)> {
    const WORDS: [&str; 7] = ["utc 时间", "utc时间", "utc", "gmt", "zulu", "世界时", "格林威治时间"];
    let zulu = place > 0 && text.at(place - 1).is_ascii_digit();
    if let Some(end) = text.word_end(place, "z").filter(|_| zulu) {
        return Some((Offset::UTC, end));
    }
    let end = ["utc", "gmt"].iter().find_map(|word| text.literal(place, word)).filter(|_| text.is_start(place));
    end.and_then(|end| offset(text, text.skip_spaces(end)))
        .or_else(|| text.any_word(place, &WORDS).map(|end| (Offset::UTC, end)))
}

/// "北京时间" and its like, all of them eight hours ahead the whole year.
fn east_of(text: &Text, place: usize) -> Option<(Offset, usize)> {
    const WORDS: [&str; 7] =
        ["北京时间", "中国时间", "上海时间", "东八区", "beijing time", "china standard time", "china time"];
    text.any_word(place, &WORDS).map(|end| (Offset::constant(8), end))
}

/// "20:00+08:00": only with a plus, since "20:00-08:00" is a range of hours.
fn behind_digits(text: &Text, place: usize) -> Option<(Offset, usize)> {
    let written = place > 0 && text.at(place - 1).is_ascii_digit() && text.at(place) == '+';
    offset(text, place).filter(|(_, end)| written && matches!(end - place, 5 | 6))
}

/// "+8", "-5", "+05:30", "+0800"; "-10:00" is the end of a range.
fn offset(text: &Text, place: usize) -> Option<(Offset, usize)> {
    let sign = match text.at(place) {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let digits = |place: usize| (0..5).take_while(|k| text.at(place + k).is_ascii_digit()).count();
    let number = |from: usize, to: usize| text.slice(from, to).parse::<i32>().ok();
    let (begin, count) = (place + 1, digits(place + 1));
    let (hours, minutes, end) = match count {
        1 | 2 if sign > 0 && text.at(begin + count) == ':' && digits(begin + count + 1) == 2 => {
            let end = begin + count + 3;
            (number(begin, begin + count)?, number(end - 2, end)?, end)
        }
        1 | 2 if text.at(begin + count) != ':' => (number(begin, begin + count)?, 0, begin + count),
        4 => (number(begin, begin + 2)?, number(begin + 2, begin + 4)?, begin + 4),
        _ => return None,
    };
    let ends = !text.at(end).is_ascii_alphanumeric() && (hours <= 14 && minutes < 60);
    let seconds = sign * (hours * 3_600 + minutes * 60);
    Some((Offset::from_seconds(seconds).ok().filter(|_| ends)?, end))
}

/// The end of a zone that is not known here: behind an hour in English, anywhere in Chinese.
fn elsewhere(text: &Text, place: usize) -> Option<usize> {
    const SHORT: [&str; 36] = [
        "cet", "cest", "eet", "eest", "wet", "west", "bst", "ist", "msk", "trt", "est", "edt", "et", "cst", "cdt",
        "ct", "mst", "mdt", "mt", "pst", "pdt", "pt", "akst", "hst", "brt", "jst", "kst", "sgt", "hkt", "wib", "pht",
        "aest", "aedt", "awst", "nzst", "nzdt",
    ];
    const REGIONS: [&str; 4] = ["eastern", "pacific", "central", "mountain"];
    if let Some(end) = chinese(text, place) {
        return Some(end);
    }
    if !text.is_start(place) || !is_behind_hour(text, place) {
        return None;
    }
    let standard = |end: usize| text.any_word(text.skip_spaces(end), &["standard time", "daylight time", "time"]);
    text.any_word(place, &SHORT)
        .or_else(|| text.any_word(place, &REGIONS).map(|end| standard(end).unwrap_or(end)))
        .or_else(|| of_a_place(text, place))
}

/// "东京时间", "美东时间".
fn chinese(text: &Text, place: usize) -> Option<usize> {
    const PLACES: [&str; 29] = [
        "东京",
        "日本",
        "首尔",
        "韩国",
        "新加坡",
        "印度",
        "迪拜",
        "悉尼",
        "澳洲",
        "莫斯科",
        "伦敦",
        "英国",
        "柏林",
        "德国",
        "巴黎",
        "法国",
        "欧洲",
        "中欧",
        "纽约",
        "美国",
        "美东",
        "美西",
        "太平洋",
        "洛杉矶",
        "旧金山",
        "西雅图",
        "芝加哥",
        "加拿大",
        "巴西",
    ];
    let end = PLACES.iter().find_map(|name| text.literal(place, name))?;
    text.literal(end, "时间").or_else(|| text.literal(end, "标准时间"))
}

/// "Berlin time", "New York time", "Europe/Berlin": a name, by its capital.
fn of_a_place(text: &Text, place: usize) -> Option<usize> {
    let capital = |place: usize| text.cased.get(place).is_some_and(char::is_ascii_uppercase);
    let letters = |place: usize| (0..24).take_while(|k| text.at(place + k).is_ascii_alphabetic()).count();
    if !capital(place) {
        return None;
    }
    let end = place + letters(place);
    if text.at(end) == '/' && capital(end + 1) {
        let rest =
            (0..32).take_while(|k| text.at(end + k).is_ascii_alphabetic() || matches!(text.at(end + k), '/' | '_'));
        return Some(end + rest.count());
    }
    let next = text.skip_spaces(end);
    let second = if capital(next) { text.skip_spaces(next + letters(next)) } else { next };
    text.word(second, "time")
}

/// True right behind an hour, or a bracket behind one.
fn is_behind_hour(text: &Text, place: usize) -> bool {
    let before = text.slice(place.saturating_sub(12), place);
    let before = before.trim_end_matches([' ', '(', ',']);
    let half_day = ["am", "pm", "a.m.", "p.m."].iter().any(|half| {
        before.strip_suffix(half).is_some_and(|rest| rest.trim_end().ends_with(|c: char| c.is_ascii_digit()))
    });
    half_day
        || before.ends_with(|c: char| c.is_ascii_digit() || c == '点')
        || ["noon", "midnight", "o'clock", "hours", "hrs"].iter().any(|hour| before.ends_with(hour))
}
