//! Words right beside an amount that say whether it is the least or the most: exact, and stronger than what is learnt.

use super::{
    amount::Amount,
    fields::Effect,
    negating::{self, Negating},
    text::Text,
};

const LEAST_BEFORE: &[&str] = &[
    "at least",
    "no less than",
    "not less than",
    "no fewer than",
    "not fewer than",
    "minimum of",
    "a minimum of",
    "floor of",
    "minimum",
    "min",
    "no lower than",
    ">=",
    "never less than",
    "至少",
    "不少于",
    "不低于",
    "不得低于",
    "不得少于",
    "不能低于",
    "不能少于",
    "不小于",
    "保底",
    "兜底",
    "起码",
    "最少",
    "下限",
    "最低",
    "预留",
    "垫底",
    "保证",
    "can go as low as",
    "may go as low as",
    "不可低于",
    "不可少于",
    "不得小于",
];
const LEAST_AFTER: &[&str] = &[
    "or more",
    "minimum",
    "at least",
    "at the least",
    "at minimum",
    "or better",
    "or higher",
    "或以上",
    "min",
    "以上",
    "或更多",
    "及以上",
    "保底",
];
const MOST_BEFORE: &[&str] = &[
    "at most",
    "no more than",
    "not more than",
    "up to",
    "maximum of",
    "a maximum of",
    "ceiling of",
    "maximum",
    "max",
    "no higher than",
    "<=",
    "limit of",
    "lid of",
    "never more than",
    "only",
    "limited to",
    "capped at",
    "restricted to",
    "最多",
    "至多",
    "顶多",
    "不超过",
    "不得超过",
    "不能超过",
    "别超过",
    "不要超过",
    "不高于",
    "不得高于",
    "上限",
    "封顶",
    "最大",
    "限速",
    "限制在",
    "限制到",
    "as high as",
    "最高",
    "不大于",
    "不得大于",
    "不多于",
];
const MOST_AFTER: &[&str] = &[
    "or less",
    "or fewer",
    "max",
    "maximum",
    "at most",
    "at the most",
    "at the very most",
    "tops",
    "or lower",
    "或以下",
    "或更少",
    "and no more",
    "but no more",
    "以内",
    "以下",
    "之内",
    "之下",
    "封顶",
    "为限",
];
/// Behind a negation these turn round: "never below" is a floor.
const UNDER: &[&str] = &[
    "below",
    "under",
    "less than",
    "fewer than",
    "lower than",
    "beneath",
    "低于",
    "少于",
    "小于",
    "低过",
    "到",
    "掉到",
    "降到",
    "缩到",
    "跌破",
    "低到",
];
const OVER: &[&str] = &[
    "over",
    "above",
    "more than",
    "beyond",
    "exceed",
    "exceeds",
    "higher than",
    "greater than",
    "past",
    "larger than",
    "超过",
    "高于",
    "多于",
    "大于",
    "超出",
    "突破",
    "高过",
    "超",
    "过",
    "涨到",
    "升到",
    "提到",
    "加到",
    "扩到",
    "给到",
    "爬到",
    "冲到",
];
/// Behind an amount: that and whatever is more, or less.
const AND_UP: &[&str] = &["以上", "之上", "往上"];
const AND_DOWN: &[&str] = &["以下", "之下", "往下"];
/// Right behind those they turn round what is said.
const UNWANTED: &[&str] = &["不行", "不可", "不给", "不允许", "免谈"];
/// These turn an order round and no bound: "to stop the swapping, keep web under 4 GB", "没事".
const OF_ORDERS: &[&str] = &["stop", "wrong", "against", "没", "未"];
/// Without one they mean what they say ("keep it below", "keep it above").
const BELOW: &[&str] =
    &["below", "under", "beneath", "less than", "fewer than", "lower than", "smaller than", "低于", "小于", "少于"];
const ABOVE: &[&str] =
    &["over", "above", "more than", "higher than", "greater than", "larger than", "高于", "多于", "大于"];
/// In front of "above" these make of it what is not to be: "cap whatever goes above".
const CAPPED: &[&str] = &[
    "limit", "limits", "limited", "cap", "caps", "capped", "restrict", "throttle", "clamp", "if", "when", "whenever",
    "anything", "whatever", "限", "封顶", "压", "如果", "一旦", "若",
];
/// What is allowed is no bound: "web may go over 4 cores".
const ALLOWED: &[&str] = &[
    "may", "might", "allow", "allows", "allowed", "ok for", "okay for", "fine for", "fine if", "允许", "准许", "可以",
];
/// What need not be is no bound on the other side: "web needn't be kept over 4 cores".
const NEED_NOT: &[&str] = &[
    "no need",
    "needn't",
    "need not",
    "doesn't need",
    "don't need",
    "does not need",
    "do not need",
    "doesn't have to",
    "don't have to",
    "does not have to",
    "do not have to",
    "no longer",
    "not necessarily",
    "不需要",
    "不用",
    "不必",
    "不一定",
    "不再",
    "没必要",
    "无需",
    "无须",
    "用不着",
];
/// Between a negation and an amount these begin something of its own: "don't starve web and keep it above 4 cores".
const ANEW: &[&str] = &[
    "keep", "keeps", "give", "hold", "leave", "make", "set", "put", "run", "so", "because", "since", "need", "needs",
    "want", "保持", "维持", "保证", "保留", "留", "给", "要", "所以", "因此", "但",
];
/// What belongs to a Chinese negation itself: 不要, 不能, 别让.
const OF_NEGATION: [char; 10] = ['要', '能', '得', '可', '许', '让', '给', '应', '该', '再'];
/// Behind an amount these turn a sentence round ("below 4 GB is a no-go").
const REFUSED: &[&str] =
    &["no-go", "trouble", "acceptable", "unacceptable", "not ok", "not enough", "isn't enough", "不行", "不可", "就"];
/// Anywhere in a sentence these leave open on which side of the amount it wants to be ("under 2 GB it falls over, so stay above").
const CONTESTED: &[&str] = &[
    "breaks",
    "dies",
    "crashes",
    "falls over",
    "useless",
    "misses",
    "suffers",
    "too much",
    "trouble",
    "too many",
    "too little",
    "too few",
    "plenty",
    "keep it higher",
    "keep it lower",
    "stay above",
    "stay below",
    "floor",
    "ceiling",
    "bottom",
    "太多",
    "太少",
    "会崩",
    "没法",
    "扛不住",
    "撑不住",
    "丢单",
];
/// What may stand between an amount and the words about it.
const OF_WHAT: &[&str] =
    &["of memory", "memory", "of ram", "ram", "of disk", "disk", "cpu", "bandwidth", "的内存", "内存", "磁盘", "带宽"];

/// What the words beside the amount say of it, where they say it.
pub(super) fn bound(text: &Text, amount: &Amount) -> Option<Effect> {
    if is_unclear(text, amount) {
        return None;
    }
    let before = clause_before(text, amount.start);
    let ahead = |words: &[&str]| is_ahead(&before, words);
    let turned = turned(&before);
    if ahead(LEAST_BEFORE) {
        return Some(Effect::AtLeast);
    }
    if ahead(MOST_BEFORE) {
        return Some(Effect::AtMost);
    }
    let behind = Behind::of(text, amount);
    if turned == Turned::Yes || behind.is_unwanted() {
        let other = [(AND_UP, Effect::AtMost), (AND_DOWN, Effect::AtLeast)];
        if let Some((_, effect)) = other.into_iter().find(|(words, _)| behind.has(words)) {
            return Some(effect);
        }
    }
    let negated = turned != Turned::No;
    let open = negated || is_contested(text, amount);
    let rows = [
        (negated && ahead(OVER), Effect::AtMost),
        (negated && ahead(UNDER), Effect::AtLeast),
        (!open && ahead(BELOW), Effect::AtMost),
        (!open && ahead(ABOVE), Effect::AtLeast),
        (!negated && behind.has(LEAST_AFTER), Effect::AtLeast),
        (!negated && behind.has(MOST_AFTER), Effect::AtMost),
    ];
    rows.into_iter().find(|(holds, _)| *holds).map(|(_, effect)| effect)
}

/// What stands in and behind an amount.
struct Behind {
    inside: String,
    beside: String,
}

impl Behind {
    fn of(text: &Text, amount: &Amount) -> Self {
        let after = text.slice(amount.end, (amount.end + 20).min(text.len()));
        let next = after.trim_start_matches([' ', '个', '台']);
        let of_what = OF_WHAT.iter().find(|word| starts_with(next, word));
        let beside = of_what.map_or(next, |word| next[word.len()..].trim_start()).to_owned();
        Self { inside: text.slice(amount.start, amount.end), beside }
    }

    fn has(&self, words: &[&str]) -> bool {
        words.iter().any(|word| {
            starts_with(&self.beside, word)
                || (!word.is_ascii() && self.inside.contains(word))
                || self.inside.contains(&format!(" {word} "))
        })
    }

    /// "2核以下不行".
    fn is_unwanted(&self) -> bool {
        let words = || AND_UP.iter().chain(AND_DOWN);
        let inside = words().any(|word| self.inside.ends_with(word));
        let rest = words().find_map(|word| self.beside.strip_prefix(word)).or(inside.then_some(self.beside.as_str()));
        rest.is_some_and(|rest| {
            let rest = rest.trim_start_matches(['都', '也', '是', '绝', '对']);
            UNWANTED.iter().any(|word| rest.starts_with(word)) && !rest.contains("的话")
        })
    }
}

/// Whether other words of the sentence leave open what "under" or "over" asks for.
fn is_contested(text: &Text, amount: &Amount) -> bool {
    let after = text.slice(amount.end, (amount.end + 20).min(text.len()));
    let all = text.slice(0, text.len());
    REFUSED.iter().any(|word| holds(&after, word)) || CONTESTED.iter().any(|word| holds(&all, word))
}

/// Whether "under" or "over" beside an amount may mean its opposite: a negation is there, of which other words leave open what it is
/// about ("the host was not coping, keep web under 4 GB", "never let web, api go under 2", "don't starve web and keep it above 4"), what is
/// said is allowed, need not be or is asked, or a word of capping is in front ("cap web if it goes over 2").
pub(super) fn is_unclear(text: &Text, amount: &Amount) -> bool {
    let before = clause_before(text, amount.start);
    // 不用 ends in what only softens.
    let whole = text.slice(amount.start.saturating_sub(60), amount.start);
    let ahead = |words: &[&str]| words.iter().any(|word| ends_with(&before, word));
    let said = |words: &[&str], clause: &str| words.iter().any(|word| holds(clause, word));
    let behind = Behind::of(text, amount);
    let beside = || [UNDER, BELOW, OVER, ABOVE].into_iter().any(ahead) || behind.has(AND_UP) || behind.has(AND_DOWN);
    if is_asked(&before) || (said(NEED_NOT, &whole) && (beside() || ahead(LEAST_BEFORE) || ahead(MOST_BEFORE))) {
        return true;
    }
    if is_ahead(&before, LEAST_BEFORE) || is_ahead(&before, MOST_BEFORE) {
        return false;
    }
    match turned(&before) {
        Turned::Perhaps => beside(),
        Turned::No => {
            (ahead(ABOVE) && said(CAPPED, &before)) || (beside() && said(ALLOWED, &before.replace("可不可以", "")))
        }
        Turned::Yes => beside() && begins_anew(&before),
    }
}

/// Whether words ahead of an amount say so, but for a half of a question: 能不能低于.
fn is_ahead(before: &str, words: &[&str]) -> bool {
    words.iter().any(|word| ends_with(before, word) && !is_half(before, word))
}

fn is_half(before: &str, word: &str) -> bool {
    word.starts_with('不') && negating::is_question(before, before.len() - word.len())
}

/// 能不能低于2核.
fn is_asked(before: &str) -> bool {
    LEAST_BEFORE.iter().chain(MOST_BEFORE).any(|word| ends_with(before, word) && is_half(before, word))
}

/// Whether something of its own begins between the last negation and the end: another order or its reason.
fn begins_anew(before: &str) -> bool {
    let last = |found: &Negating| found.end;
    let Some(negating) = negating::english(before).chain(negating::chinese(before)).max_by_key(last) else {
        return false;
    };
    let behind = &before[negating.end..];
    let rest = if negating.word.is_ascii() {
        // The verb that is negated itself: "don't give web more than 4 cores".
        let behind = behind.trim_start();
        let behind = behind.strip_prefix("ever ").unwrap_or(behind);
        behind.find(' ').map_or("", |end| &behind[end..])
    } else {
        behind.trim_start_matches(OF_NEGATION)
    };
    ANEW.iter().any(|word| holds(rest, word))
}

/// Whether a negation turns a clause round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turned {
    No,
    /// A comma stands behind it.
    Perhaps,
    Yes,
}

fn turned(before: &str) -> Turned {
    let all = negating::english(before).chain(negating::chinese(before));
    // "stop web from taking more than 2 cores" is a bound, and "to stop the host from swapping, keep web under 4 GB" turns nothing round.
    let keeps_from = |behind: &str| behind.contains(" from ") && !behind.contains(',');
    let turns = |found: &Negating| {
        !OF_ORDERS.contains(&found.word) || (found.word == "stop" && keeps_from(&before[found.end..]))
    };
    let nots: Vec<_> = all.filter(turns).collect();
    match &nots[..] {
        [] => Turned::No,
        nots if nots.iter().any(|found| !before[found.end..].contains([',', '，'])) => Turned::Yes,
        _ => Turned::Perhaps,
    }
}

/// The clause in front, without words that only soften.
fn clause_before(text: &Text, start: usize) -> String {
    let words = text.slice(start.saturating_sub(60), start);
    let clause = words.rsplit(['.', ';', '!', '?']).next().unwrap_or_default();
    let mut clause = clause.trim_end();
    for filler in [
        "about", "around", "roughly", "of", "a", "to", "at", "的", "了", "设为", "是", "设成", ":", "总共", "约", "用",
        "给", "要有", "有",
    ] {
        let shorter = clause
            .strip_suffix(filler)
            .filter(|rest| !filler.is_ascii() || rest.ends_with([' ', ':']) || filler == ":");
        let kept = ["limited", "capped", "restricted", "up"]
            .iter()
            .any(|word| shorter.is_some_and(|rest| rest.trim_end().ends_with(word)));
        clause = shorter.filter(|_| !kept).map_or(clause, str::trim_end);
    }
    clause.to_owned()
}

fn edge(c: Option<char>) -> bool {
    !c.is_some_and(|c| c.is_ascii_alphanumeric())
}

fn ends_with(text: &str, word: &str) -> bool {
    text.strip_suffix(word).is_some_and(|rest| !word.is_ascii() || edge(rest.chars().next_back()))
}

fn starts_with(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| !word.is_ascii() || edge(rest.chars().next()))
}

fn holds(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(place, _)| {
        !word.is_ascii() || (edge(text[..place].chars().next_back()) && edge(text[place + word.len()..].chars().next()))
    })
}
