//! What makes a reading doubtful: numbers, amounts and times of the sentence that it does not account for.

use super::{
    Kind, Reading,
    amount::{Amount, Counts, Sense},
    asked::Part,
    bound, contrary,
    decode::Seen,
    docker,
    fields::Effect,
    hint, inert, mood, negation, orders, talk,
    token::{Token, TokenKind},
};

/// Words that a reading leaves out, and what is left of its confidence for that.
pub(super) struct Doubt {
    pub(super) words: String,
    pub(super) factor: f32,
}

/// Units, days and hours that time or amounts are made of, as whole words.
const ENGLISH: &[&str] = &[
    "hour",
    "hours",
    "hourly",
    "hr",
    "hrs",
    "minute",
    "minutes",
    "half",
    "quarter",
    "quarters",
    "third",
    "thirds",
    "day",
    "days",
    "daily",
    "nightly",
    "night",
    "nights",
    "overnight",
    "week",
    "weeks",
    "weekly",
    "fortnight",
    "month",
    "months",
    "monthly",
    "year",
    "years",
    "yearly",
    "morning",
    "mornings",
    "afternoon",
    "afternoons",
    "evening",
    "evenings",
    "noon",
    "midday",
    "midnight",
    "lunch",
    "lunchtime",
    "tonight",
    "today",
    "tomorrow",
    "tmrw",
    "tmr",
    "weekend",
    "weekends",
    "weekday",
    "weekdays",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "mon",
    "tue",
    "tues",
    "wed",
    "thu",
    "thur",
    "thurs",
    "fri",
    "january",
    "february",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
    "jan",
    "feb",
    "apr",
    "aug",
    "sept",
    "oct",
    "nov",
    "dec",
    "eod",
    "cob",
    "eow",
    "eom",
    "holiday",
    "holidays",
    "christmas",
    "easter",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "dozen",
    "couple",
    "several",
    "hundred",
    "thousand",
    "million",
    "percent",
    "sunrise",
    "sunset",
    "dawn",
    "dusk",
    "later",
    "soon",
    "every other",
    "every second",
    "utc",
    "cet",
    "pst",
    "gmt",
    "est",
    "o'clock",
];
/// The same in Chinese, anywhere.
const CHINESE: &[&str] = &[
    "小时",
    "钟头",
    "分钟",
    "刻钟",
    "上午",
    "中午",
    "下午",
    "晚上",
    "夜里",
    "半夜",
    "凌晨",
    "早上",
    "清晨",
    "傍晚",
    "午夜",
    "今天",
    "今晚",
    "明天",
    "明早",
    "明晚",
    "后天",
    "大后天",
    "下班",
    "上班",
    "早高峰",
    "晚高峰",
    "午休",
    "周末",
    "本周",
    "这周",
    "下周",
    "周一",
    "周二",
    "周三",
    "周四",
    "周五",
    "周六",
    "周日",
    "星期",
    "礼拜",
    "月底",
    "月初",
    "月末",
    "年底",
    "年初",
    "季度",
    "假期",
    "国庆",
    "春节",
    "除夕",
    "中秋",
    "端午",
    "元旦",
    "圣诞",
    "通宵",
    "整夜",
    "隔天",
    "隔周",
    "每月",
    "每年",
    "每隔",
    "每小时",
    "每周",
    "一会",
    "稍后",
    "晚些",
    "百分之",
    "倍",
    "几天",
    "几个",
    "今明",
    "整周",
    "那周",
    "白天",
    "夜间",
    "节前",
    "一三五",
    "二四六",
    "节假日",
    "双旦",
    "年前",
    "明后",
    "暑假",
    "寒假",
    "节后",
];
/// What a Chinese or Arabic numeral counts, right behind it.
const COUNTED: &[&str] = &["点", "号", "月", "天", "周", "年", "日", "时", "成", "倍", "核", "台", "兆", "万", "半"];

/// Whether a word is of a time, or one of its parts.
pub(super) fn is_time(word: &str) -> bool {
    ENGLISH.contains(&word) || CHINESE.contains(&word)
}

/// Everything about a reading that gives reason to ask.
pub(super) fn doubts(seen: &Seen<'_>, reading: &Reading) -> Vec<Doubt> {
    let mut found = Vec::new();
    let mut doubt = |words: String, factor| found.push(Doubt { words, factor });
    let words = |token: &Token| seen.text.slice(token.start, token.end);
    for (at, token) in seen.tokens.iter().enumerate().filter(|(_, token)| token.text == "<number>") {
        let number = words(token);
        if stands_alone(seen, reading, at) && number.parse().ok() != reading.amount {
            doubt(number, 0.7);
        }
    }
    for unread in &seen.time.unread {
        doubt(unread.clone(), 0.5);
    }
    // Of what lasts it is said that its window is over, when it is held against what is there.
    for over in seen.time.over.iter().filter(|_| !is_lasting(reading.kind)) {
        doubt(over.clone(), 0.5);
    }
    for idle in seen.time.idle.iter().filter(|_| is_lasting(reading.kind)) {
        doubt(idle.clone(), 0.5);
    }
    for spare in seen.time.spare.iter().filter(|_| reading.kind != Kind::Report) {
        doubt(spare.clone(), 0.5);
    }
    for amount in seen.amounts.iter().filter(|amount| is_odd(seen, reading, amount)) {
        doubt(seen.text.slice(amount.start, amount.end), 0.5);
    }
    for amount in seen.amounts.iter().filter(|amount| is_unclear(seen, reading, amount)) {
        doubt(seen.text.slice(amount.start, amount.end), 0.5);
    }
    for left in left_out(seen) {
        doubt(left, 0.6);
    }
    for words in turned(seen, reading).into_iter().chain(seen.twofold.iter().cloned()) {
        doubt(words, 0.5);
    }
    let for_all = seen.classes.contains(&"all names") || is_of_all(seen, reading.kind);
    if reading.workloads.is_empty() && !for_all {
        doubt(Part::Workload.words(reading.language).to_owned(), 0.7);
    }
    found
}

/// Whether what names nobody is of everything by its kind or by its words: a report, an undo, a hold of all there is.
fn is_of_all(seen: &Seen<'_>, kind: Kind) -> bool {
    const ANYWHERE: [&str; 11] = [
        "什么都",
        "啥都",
        "一切",
        "change nothing",
        "touch nothing",
        "move nothing",
        "nothing changes",
        "all of it",
        "the lot",
        "all changes",
        "all adjustments",
    ];
    const FIRST: [&str; 4] = ["全部", "全都", "冻结全部", "一律"];
    let words = seen.text.slice(0, seen.text.len());
    match kind {
        Kind::Report | Kind::Undo => true,
        Kind::Hold if is_so(&words) => false,
        Kind::Hold => {
            ANYWHERE.iter().any(|word| inert::holds(&words, word))
                || FIRST.iter().any(|word| words.trim_start().starts_with(word))
        }
        _ => false,
    }
}

/// Whether words tell that all is held, and ask for nothing: "all changes are on hold", 全部冻结了.
fn is_so(words: &str) -> bool {
    let end = words.trim_end_matches(|c: char| !c.is_alphanumeric());
    ["了", "完毕"].iter().any(|state| end.ends_with(state))
        || ["frozen", "are on hold", "is on hold", "已"].iter().any(|state| inert::holds(words, state))
}

/// Words that turn the sentence round, make two of it or make it talk.
fn turned(seen: &Seen<'_>, reading: &Reading) -> Vec<String> {
    let words = seen.words();
    let levels =
        || (reading.kind == Kind::Priority && orders::levels(&words)).then(|| Part::Importance.words(reading.language));
    let bounds = matches!(reading.kind, Kind::Rule | Kind::Hold);
    let every = || contrary::every(&words).filter(|_| bounds).map(str::to_owned);
    let found = [
        contrary::exception(&words).or_else(|| contrary::apart(&words)).or_else(every),
        negation::negation(&words, reading),
        orders::second(&words, reading),
        talk::supposed(seen.text),
        talk::state(seen.text, &words, reading).map(str::to_owned),
        mood::mood(seen.text, &words, reading),
        levels().map(str::to_owned),
    ];
    found.into_iter().flatten().collect()
}

/// What has a window: a time that bounds none makes it doubtful. A report or an undo may speak of the past.
const fn is_lasting(kind: Kind) -> bool {
    matches!(kind, Kind::Event | Kind::Rule | Kind::Hold | Kind::Priority)
}

/// "300 cameras" beside the amount is a cause; a number that stands alone, a range and any number of a bound is not.
fn stands_alone(seen: &Seen<'_>, reading: &Reading, at: usize) -> bool {
    let token = &seen.tokens[at];
    let range = seen.text.slice(token.start, token.end).contains(['-', '/', ':']);
    let next = seen.tokens.get(at + 1).map(|token| token.kind);
    reading.amount.is_none()
        || range
        || reading.kind == Kind::Rule
        || !matches!(next, Some(TokenKind::Word | TokenKind::Han))
}

/// An amount that the reading has no place for, or that means nothing there: a second one, a bound below nothing or between
/// two ends, a change that is told by both ends ("from 200 to 600"). What demand there is or will be ("another 400 meters") is a cause beside what it needs.
fn is_odd(seen: &Seen<'_>, reading: &Reading, amount: &Amount) -> bool {
    let bound = reading.kind == Kind::Rule;
    let words = seen.text.slice(amount.start, amount.end);
    if bound && (words.starts_with('-') || ["-", "~", "到", "至", " to "].iter().any(|mark| words.contains(mark))) {
        return true;
    }
    let before = seen.text.slice(0, amount.start);
    if reading.effect == Some(Effect::Add) && (before.trim_end().ends_with("from") || before.ends_with('从')) {
        return true;
    }
    let Some(value) = reading.amount else { return has_no_amount(seen, reading, amount) };
    let share = amount.counts == Counts::Factor && amount.value * 100.0 == value;
    let is_it = share || seen.valued(amount, reading.resource, reading.effect.unwrap_or(Effect::AtMost)).0 == value;
    let demand = reading.resource == Some(super::Topic::Requests);
    let cause = amount.counts == Counts::Demand && !demand;
    let state = reading.kind == Kind::Report && matches!(amount.counts, Counts::Percent | Counts::Factor);
    !is_it && !cause && !state
}

/// Whether a kind without an amount leaves one out: a report does where its words ask for it, the state is none.
fn has_no_amount(seen: &Seen<'_>, reading: &Reading, amount: &Amount) -> bool {
    match reading.kind {
        Kind::Report => {
            let sized =
                matches!(amount.counts, Counts::Cores | Counts::Bytes | Counts::BytesPerSecond | Counts::Replicas);
            (sized && hint::is_asked(seen.text, amount) == Some(true)) || hint::is_of_size(seen.text, amount)
        }
        kind => matches!(kind, Kind::Hold | Kind::Priority),
    }
}

/// An amount that may mean another than was read: of another resource than is spoken of, or more and less at once ("3 times less").
fn is_unclear(seen: &Seen<'_>, reading: &Reading, amount: &Amount) -> bool {
    let after = seen.text.slice(amount.end, seen.text.len());
    let few = ["as few", "as little", "less", "fewer", "lower", "smaller", "lighter", "quieter"];
    let few = few.iter().any(|words| after.trim_start().starts_with(words));
    let upside_down = amount.counts == Counts::Factor && amount.value > 1.0 && (few || amount.sense == Sense::Less);
    let read = reading.amount == Some(amount.value);
    let either = reading.kind == Kind::Rule && bound::is_unclear(seen.text, amount);
    upside_down
        || either
        || docker::is_unclear(&seen.words(), amount)
        || (read && docker::contradicts(&seen.words(), amount))
}

/// Words of times and amounts outside of everything that was read as one, and outside of names.
fn left_out(seen: &Seen<'_>) -> Vec<String> {
    let names = seen.tokens.iter().zip(&seen.named).filter(|(_, share)| **share > 0.5).map(|(t, _)| (t.start, t.end));
    let amounts = seen.amounts.iter().map(|amount| (amount.start, amount.end));
    let read: Vec<(usize, usize)> = names.chain(amounts).chain(seen.time.places.iter().copied()).collect();
    let free = |start: usize, end: usize| read.iter().all(|(from, to)| end <= *from || *to <= start);
    let text = seen.text;
    let mut found = Vec::new();
    let mut place = 0;
    while place < text.len() {
        let end = word_of(text, place).filter(|end| free(place, *end));
        found.extend(end.map(|end| text.slice(place, end)));
        place = end.unwrap_or(place + 1);
    }
    found
}

/// The end of a word of a time or an amount.
fn word_of(text: &super::text::Text, place: usize) -> Option<usize> {
    let english = || text.any_word(place, ENGLISH);
    let chinese = || CHINESE.iter().find_map(|word| text.literal(place, word));
    let numeral = |c: char| c.is_ascii_digit() || "一二两三四五六七八九十几半".contains(c);
    let counted = || {
        let after = text.literal(place + 1, "个").unwrap_or(place + 1);
        let end = COUNTED.iter().find_map(|word| text.literal(after, word))?;
        let little = text.at(place) == '一' && matches!(text.at(end - 1), '点' | '时' | '天' | '日' | '半');
        (numeral(text.at(place)) && !little).then_some(end)
    };
    english().or_else(chinese).or_else(counted)
}
