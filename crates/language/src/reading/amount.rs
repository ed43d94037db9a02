//! Amounts as they are written: a number with what it counts. Exact: nothing here is learnt.

use super::{
    number::{self, Number},
    part,
    text::Text,
    unit::WORD_UNITS,
};

/// What an amount counts, in base units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    Cores,
    Bytes,
    BytesPerSecond,
    /// Times usual.
    Factor,
    /// Percent of something: the words around it say of what.
    Percent,
    Replicas,
    /// Requests per second, users, orders: no unit that can be allotted.
    Demand,
}

/// Which way the words around an amount point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sense {
    /// "50 % more".
    More,
    /// "40 % less".
    Less,
    /// "down to 30 %", "three times".
    To,
}

/// An amount and where it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amount {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) value: f64,
    pub(crate) counts: Counts,
    pub(crate) sense: Sense,
    /// The unit was a letter alone: "100M", "100兆", which for bandwidth means bits per second, or "500m".
    pub(crate) letter: bool,
}

/// Every amount in a sentence, in order.
pub(crate) fn amounts(text: &Text) -> Vec<Amount> {
    let mut found = Vec::new();
    let mut place = 0;
    while place < text.len() {
        match amount_at(text, place) {
            Some(amount) => {
                place = amount.end;
                found.push(amount);
            }
            None => place += 1,
        }
    }
    found
}

fn amount_at(text: &Text, place: usize) -> Option<Amount> {
    let (start, value, counts, end, letter) = word_factor(text, place)
        .map(|(value, end)| (place, value, Counts::Factor, end, false))
        .or_else(|| counted(text, place))
        .or_else(|| part::of_one(text, place).map(|(value, end)| (place, value, Counts::Percent, end, false)))?;
    let sense = super::sense::sense(text, start, end, counts);
    let (value, counts) = as_factor(text, value, counts, sense, start);
    Some(Amount { start, end, value, counts, sense, letter })
}

/// "增加两倍" is three times as much; "twice" and "3倍" are what they say.
fn as_factor(text: &Text, value: f64, counts: Counts, sense: Sense, start: usize) -> (f64, Counts) {
    let added = counts == Counts::Factor && sense == Sense::More && super::sense::adds_times(text, start);
    (if added { value + 1.0 } else { value }, counts)
}

/// A number, or a range whose larger end counts, with a unit.
fn counted(text: &Text, place: usize) -> Option<(usize, f64, Counts, usize, bool)> {
    let signed = matches!(text.at(place), '+' | '-') && text.is_start(place);
    let begin = if signed { place + 1 } else { place };
    if let Some((value, end)) = prefixed_factor(text, begin) {
        return Some((place, value, Counts::Factor, end, false));
    }
    if let Some((value, end)) = chinese_percent(text, begin) {
        return Some((place, value, Counts::Percent, end, false));
    }
    if let Some((value, unit)) = part_of_unit(text, begin) {
        return Some((place, value * unit.scale, unit.counts, unit.end, unit.letter));
    }
    let first =
        if signed { number::digits(text, begin)? } else { number::number(text, begin).or_else(|| one(text, begin))? };
    if let Some((second, number)) = range_end(text, first)
        && let Some(unit) = unit(text, number)
    {
        return Some((place, first.value.max(second) * unit.scale, unit.counts, unit.end, unit.letter));
    }
    let unit = unit(text, first)?;
    // The first end of "3x to 5x" is not the larger.
    if let Some((value, end)) = second_amount(text, unit) {
        return Some((place, value.max(first.value * unit.scale), unit.counts, end, unit.letter));
    }
    let (half, end) = half_more(text, unit);
    Some((place, (first.value + half) * unit.scale, unit.counts, end, unit.letter))
}

/// "3/4 of a core", "1/2 核".
fn part_of_unit(text: &Text, place: usize) -> Option<(f64, Unit)> {
    let part = number::ratio(text, place)?;
    let end = text.any_word(text.skip_spaces(part.end), &["of a", "of an", "of one"]).unwrap_or(part.end);
    Some((part.value, unit(text, Number { end, ..part })?))
}

/// "a core and a half", "一倍半", "一核半", "三成半"; "2核半小时" is half an hour.
fn half_more(text: &Text, unit: Unit) -> (f64, usize) {
    let english = text.word(text.skip_spaces(unit.end), "and a half");
    let halved = matches!(unit.counts, Counts::Factor | Counts::Cores | Counts::Percent);
    let time = |end: &usize| {
        ["小", "个", "天", "年", "月", "夜", "钟", "数"].iter().any(|next| text.literal(*end, next).is_some())
    };
    let chinese = || text.literal(unit.end, "半").filter(|end| halved && !time(end));
    english.or_else(chinese).map_or((0.0, unit.end), |end| (0.5, end))
}

/// "a core", "another core", "one more core" count one.
fn one(text: &Text, place: usize) -> Option<Number> {
    let end = text.any_word(
        place,
        &[
            "an additional",
            "an extra",
            "one more",
            "one extra",
            "a single",
            "one single",
            "single",
            "another",
            "an",
            "a",
        ],
    )?;
    let next = text.skip_spaces(end);
    text.any_word(next, &["core", "cpu", "vcpu", "cpu core", "replica", "pod", "instance"])?;
    let cpu_alone = text.word(next, "cpu").is_some() && text.word(next, "cpu core").is_none();
    (!cpu_alone).then_some(Number { value: 1.0, end, digits: false })
}

fn range_mark(text: &Text, end: usize) -> Option<usize> {
    let next = text.skip_spaces(end);
    let after = ["-", "~", "到", "至"]
        .iter()
        .find_map(|mark| text.literal(next, mark))
        .or_else(|| text.any_word(next, &["to", "or"]))?;
    Some(text.skip_spaces(after))
}

fn range_end(text: &Text, first: Number) -> Option<(f64, Number)> {
    let place = range_mark(text, first.end)?;
    let second = number::digits(text, place)
        .or_else(|| number::chinese(text, place))
        .or_else(|| number::english(text, place))?;
    Some((second.value, second))
}

fn second_amount(text: &Text, first: Unit) -> Option<(f64, usize)> {
    let place = range_mark(text, first.end)?;
    let second = number::digits(text, place).or_else(|| number::chinese(text, place))?;
    let unit = unit(text, second).filter(|unit| unit.counts == first.counts)?;
    Some((second.value * unit.scale, unit.end))
}

/// "x3".
fn prefixed_factor(text: &Text, place: usize) -> Option<(f64, usize)> {
    let times = text.word(place, "times").map(|after| text.skip_spaces(after));
    let after = (text.at(place) == 'x' && text.is_start(place)).then_some(place + 1).or(times)?;
    let found = number::digits(text, after)?;
    (!text.at(found.end).is_ascii_alphanumeric()).then_some((found.value, found.end))
}

/// "百分之三十".
fn chinese_percent(text: &Text, place: usize) -> Option<(f64, usize)> {
    let after = text.literal(place, "百分之")?;
    let found = number::digits(text, after).or_else(|| number::chinese(text, after))?;
    Some((found.value, found.end))
}

/// Words that are a factor by themselves.
fn word_factor(text: &Text, place: usize) -> Option<(f64, usize)> {
    const WORDS: [(&str, f64); 49] = [
        ("half again", 1.5),
        ("twice", 2.0),
        ("double", 2.0),
        ("doubles", 2.0),
        ("doubled", 2.0),
        ("doubling", 2.0),
        ("two-fold", 2.0),
        ("twofold", 2.0),
        ("thrice", 3.0),
        ("triple", 3.0),
        ("triples", 3.0),
        ("tripled", 3.0),
        ("tripling", 3.0),
        ("treble", 3.0),
        ("trebles", 3.0),
        ("threefold", 3.0),
        ("three-fold", 3.0),
        ("quadruple", 4.0),
        ("quadruples", 4.0),
        ("fourfold", 4.0),
        ("four-fold", 4.0),
        ("fivefold", 5.0),
        ("five-fold", 5.0),
        ("quintuple", 5.0),
        ("sixfold", 6.0),
        ("sevenfold", 7.0),
        ("eightfold", 8.0),
        ("tenfold", 10.0),
        ("ten-fold", 10.0),
        ("halve", 0.5),
        ("halves", 0.5),
        ("halved", 0.5),
        ("halving", 0.5),
        ("half", 0.5),
        ("an order of magnitude", 10.0),
        ("翻两番", 4.0),
        ("翻二番", 4.0),
        ("翻三番", 8.0),
        ("翻一番", 2.0),
        ("翻番", 2.0),
        ("翻倍", 2.0),
        ("翻一倍", 2.0),
        ("加倍", 2.0),
        ("成倍", 2.0),
        ("减半", 0.5),
        ("对半", 0.5),
        ("一半", 0.5),
        ("腰斩", 0.5),
        ("砍半", 0.5),
    ];
    let (word, value, end) = WORDS.iter().find_map(|(word, value)| Some((*word, *value, text.word(place, word)?)))?;
    let next = text.skip_spaces(end);
    let of_something_else = word == "half"
        && text
            .any_word(
                next,
                &[
                    "a", "an", "past", "hour", "day", "hourly", "one", "two", "three", "four", "five", "six", "seven",
                    "eight", "nine", "ten", "eleven", "twelve",
                ],
            )
            .is_some();
    let of_a_unit = word == "half" && text.slice(0, place).ends_with("and a ");
    (!of_something_else && !of_a_unit).then_some((value, end))
}

/// What follows a number.
#[derive(Clone, Copy)]
struct Unit {
    counts: Counts,
    scale: f64,
    end: usize,
    letter: bool,
}

fn unit(text: &Text, number: Number) -> Option<Unit> {
    let place = skip_filler(text, number.end);
    millicores(text, number).or_else(|| size_unit(text, place)).or_else(|| word_unit(text, place))
}

/// "2 more cores", "another 3 extra pods", "4 or more cores", "5个核".
fn skip_filler(text: &Text, end: usize) -> usize {
    const WORDS: [&str; 26] = [
        "or more",
        "or fewer",
        "or less",
        "or better",
        "more",
        "fewer",
        "less",
        "extra",
        "additional",
        "further",
        "spare",
        "concurrent",
        "new",
        "of",
        "-",
        "或更多",
        "或以上",
        "以上的",
        "以下的",
        "以上",
        "以下",
        "多个",
        "左右的",
        "来",
        "的",
        "余",
    ];
    let mut place = text.skip_spaces(end);
    while let Some(after) = text.any_word(place, &WORDS).or_else(|| measure_word(text, place)) {
        place = text.skip_spaces(after);
    }
    place
}

/// 个, which counts anything, but not months and hours.
fn measure_word(text: &Text, place: usize) -> Option<usize> {
    let after = text.literal(place, "个")?;
    ["小时", "月", "钟头", "星期", "礼拜", "半", "百分点"]
        .iter()
        .all(|next| text.literal(after, next).is_none())
        .then_some(after)
}

/// "500m" (of a core), not "500 m" and not "500mb"; Kubernetes writes it so.
fn millicores(text: &Text, number: Number) -> Option<Unit> {
    let small = text.cased.get(number.end) == Some(&'m') && !text.at(number.end + 1).is_ascii_alphanumeric();
    let end = if small && number.digits {
        number.end + 1
    } else {
        text.any_word(text.skip_spaces(number.end), &["millicores", "millicpu", "mcpu", "毫核"])?
    };
    let after = text.skip_spaces(end);
    let said = text.any_word(after, &["cpu", "cores", "of cpu", "核"]).filter(|_| small);
    Some(Unit { counts: Counts::Cores, scale: 1e-3, end: said.unwrap_or(end), letter: small && said.is_none() })
}

/// Bytes and bits with a prefix, alone or per second.
fn size_unit(text: &Text, place: usize) -> Option<Unit> {
    let (scale, mut end, bits, letter_only) = size_prefix(text, place)?;
    let per_second = per_second(text, end);
    end = per_second.unwrap_or(end);
    let bandwidth = text
        .any_word(
            text.skip_spaces(end),
            &[
                "带宽",
                "的带宽",
                "网络带宽",
                "出口带宽",
                "宽带",
                "的网络带宽",
                "的出口带宽",
                "上行带宽",
                "的上行带宽",
                "下行带宽",
            ],
        )
        .is_some();
    if bits || (bandwidth && letter_only) {
        return Some(Unit { counts: Counts::BytesPerSecond, scale: scale / 8.0, end, letter: false });
    }
    let counts = if per_second.is_some() { Counts::BytesPerSecond } else { Counts::Bytes };
    Some(Unit { counts, scale, end, letter: letter_only && per_second.is_none() })
}

/// Scale, end, whether bits, and whether the letter stood alone ("80M", "100兆").
fn size_prefix(text: &Text, place: usize) -> Option<(f64, usize, bool, bool)> {
    if let Some(found) = size_word(text, place) {
        return Some(found);
    }
    const POWERS: [(char, i32); 5] = [('k', 1), ('m', 2), ('g', 3), ('t', 4), ('p', 5)];
    let (_, power) = POWERS.into_iter().find(|(letter, _)| *letter == text.at(place))?;
    let mut end = place + 1;
    let binary = text.at(end) == 'i';
    if binary {
        end += 1;
    }
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    let (end, bits, alone) = size_suffix(text, end)?;
    // A lone small m is a thousandth or a metre, a lone small k a thousand.
    let doubtful = alone && !binary && matches!(text.cased.get(place), Some('m' | 'k' | 'p'));
    (!doubtful).then_some((base.powi(power), end, bits, alone && !binary))
}

fn size_suffix(text: &Text, end: usize) -> Option<(usize, bool, bool)> {
    if let Some(after) = ["bit/s", "bits/s", "bps"].iter().find_map(|words| text.literal(end, words)) {
        return Some((after, true, false)).filter(|_| !text.at(after).is_ascii_alphanumeric());
    }
    if let Some(after) = text.literal(end, "bit").map(|after| if text.at(after) == 's' { after + 1 } else { after }) {
        return (!text.at(after).is_ascii_alphanumeric())
            .then(|| (per_second(text, after).unwrap_or(after), true, false));
    }
    if text.at(end) == 'b' && !text.at(end + 1).is_ascii_alphanumeric() {
        let small = text.cased.get(end) == Some(&'b') && text.cased.get(end - 1).is_some_and(char::is_ascii_uppercase);
        let bits = small && per_second(text, end + 1).is_some();
        return Some((if bits { per_second(text, end + 1)? } else { end + 1 }, bits, false));
    }
    (!text.at(end).is_ascii_alphanumeric()).then_some((end, false, true))
}

fn size_word(text: &Text, place: usize) -> Option<(f64, usize, bool, bool)> {
    const WORDS: [(&str, f64, bool, bool); 24] = [
        ("kilobytes", 1e3, false, false),
        ("megabytes", 1e6, false, false),
        ("megabyte", 1e6, false, false),
        ("megs", 1e6, false, false),
        ("gigabytes", 1e9, false, false),
        ("gigabyte", 1e9, false, false),
        ("gigs", 1e9, false, false),
        ("gig", 1e9, false, false),
        ("terabytes", 1e12, false, false),
        ("terabyte", 1e12, false, false),
        ("mebibytes", 1_048_576.0, false, false),
        ("gibibytes", 1_073_741_824.0, false, false),
        ("tebibytes", 1_099_511_627_776.0, false, false),
        ("megabits", 1e6, true, false),
        ("megabit", 1e6, true, false),
        ("gigabits", 1e9, true, false),
        ("gigabit", 1e9, true, false),
        ("兆字节", 1e6, false, false),
        ("兆比特", 1e6, true, false),
        ("千兆", 1e9, true, false),
        ("吉字节", 1e9, false, false),
        ("兆", 1e6, false, true),
        ("个g", 1e9, false, false),
        ("bytes", 1.0, false, false),
    ];
    let (scale, bits, letter, end) =
        WORDS.iter().find_map(|(word, scale, bits, letter)| Some((*scale, *bits, *letter, text.word(place, word)?)))?;
    Some((scale, if bits { per_second(text, end).unwrap_or(end) } else { end }, bits, letter))
}

fn per_second(text: &Text, end: usize) -> Option<usize> {
    let next = text.skip_spaces(end);
    ["/s", "/秒", "每秒", "ps"]
        .iter()
        .find_map(|words| text.literal(next, words))
        .or_else(|| text.any_word(next, &["per second", "per sec", "a second", "each second"]))
        .map(|after| if text.at(after - 1) == 's' && text.literal(after, "ec").is_some() { after + 2 } else { after })
        .filter(|after| !text.at(*after).is_ascii_alphanumeric())
}

/// The longest unit that is a word.
fn word_unit(text: &Text, place: usize) -> Option<Unit> {
    if let Some(end) = tenths(text, place) {
        return Some(Unit { counts: Counts::Percent, scale: 10.0, end, letter: false });
    }
    // The longest one: "cpu cores" before "cpu".
    let found = WORD_UNITS.iter().filter_map(|(word, counts)| Some((text.word_end(place, word)?, *counts)));
    let (end, counts) = found.max_by_key(|(end, _)| *end)?;
    let alone = text.word_end(place, "c").is_some() && (place == 0 || text.at(place - 1) == ' ');
    let often = counts == Counts::Factor
        && text.any_word(text.skip_spaces(end), &["a day", "per day", "daily", "a week", "an hour"]).is_some();
    let (scale, end) = match per_while(text, end).filter(|_| counts == Counts::Demand) {
        Some((seconds, end)) => (1.0 / seconds, end),
        None => (1.0, per_second(text, end).unwrap_or(end)),
    };
    (!alone && !often).then_some(Unit { counts, scale, end, letter: false })
}

/// Demand is told per second: "600 requests a minute" are 10.
fn per_while(text: &Text, end: usize) -> Option<(f64, usize)> {
    const WORDS: [(&str, f64); 7] = [
        ("a minute", 60.0),
        ("per minute", 60.0),
        ("/min", 60.0),
        ("/minute", 60.0),
        ("an hour", 3_600.0),
        ("per hour", 3_600.0),
        ("/h", 3_600.0),
    ];
    let next = text.skip_spaces(end);
    WORDS.iter().find_map(|(words, seconds)| Some((*seconds, text.word(next, words)?)))
}

/// 成 as tenths: "三成", not "三成功".
fn tenths(text: &Text, place: usize) -> Option<usize> {
    let end = text.literal(place, "成")?;
    let other = ["功", "本", "为", "员", "立", "果", "长"].iter().any(|next| text.literal(end, next).is_some());
    (!other).then_some(end)
}
