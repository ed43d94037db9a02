//! Forms that do not act: sentences put as questions, and talk of people and places. Hints that weigh on what is learnt,
//! always towards doing nothing.

use super::text::Text;

/// How much likelier each hint makes it that a sentence changes nothing.
const QUESTION: f32 = 20.0;
const LIFE: f32 = 4.0;
const TOLD: f32 = 4.0;
const PAST: f32 = 3.0;

const ENGLISH_STARTS: &[&str] = &[
    "why",
    "what",
    "what's",
    "which",
    "who",
    "whose",
    "who's",
    "where",
    "how",
    "is",
    "isn't",
    "are",
    "aren't",
    "was",
    "wasn't",
    "were",
    "did",
    "didn't",
    "does",
    "doesn't",
    "do you",
    "do we",
    "do i",
    "don't you think",
    "has",
    "hasn't",
    "list",
    "show",
    "explain",
    "tell me",
    "display",
    "compare",
    "summarise",
    "summarize",
    "recap",
    "any",
    "status",
    "when is",
    "when was",
    "when did",
    "when does",
    "when will",
    "when exactly",
    "should i",
    "i wonder",
    "give me a",
    "give me the",
];
const POLITE: &[&str] = &[
    "could you",
    "can you",
    "would you",
    "will you",
    "can we",
    "could we",
    "may we",
    "shall we",
    "can i",
    "could i",
    "please",
    "why not",
    "how about",
    "why don't we",
    "mind",
    "能不能",
    "可不可以",
    "可以",
    "能否",
    "可否",
    "麻烦",
    "能给",
    "能撤",
    "能取消",
    "能去掉",
    "能保证",
];
const CHINESE_ENDS: [&str; 12] =
    ["吗", "呢", "么", "没有", "了没", "吗?", "呢?", "么?", "多少?", "多少", "几核?", "几核"];
const CHINESE_INSIDE: &[&str] = &[
    "为什么",
    "为啥",
    "怎么会",
    "怎么还",
    "哪些",
    "哪个",
    "谁",
    "什么时候",
    "是不是",
    "有没有",
    "是否",
    "什么原因",
    "列出",
    "列一下",
    "告诉我",
    "解释",
    "总结",
    "汇总",
    "多大",
    "概况",
];
/// People, places and things that no workload is about.
const LIFE_WORDS: &[&str] = &[
    "meeting",
    "meetings",
    "room",
    "rooms",
    "guests",
    "guest",
    "lunch",
    "dinner",
    "pizza",
    "pizzas",
    "coffee",
    "chairs",
    "table",
    "tables",
    "seats",
    "parking",
    "office",
    "kitchen",
    "doors",
    "door",
    "elevator",
    "lights",
    "thermostat",
    "party",
    "interns",
    "intern",
    "hotel",
    "flight",
    "train",
    "bus",
    "car",
    "kids",
    "salary",
    "budget",
    "invoice",
    "contract",
    "vacation",
    "subscription",
    "badge",
    "badges",
    "birthday",
    "concert ticket",
    "laptop",
    "laptops",
    "phone",
    "printer",
    "sandwich",
    "vegetables",
    "gym",
    "caterer",
    "webinar had",
    "my",
    "会议",
    "开会",
    "会议室",
    "客人",
    "来宾",
    "访客",
    "午饭",
    "晚饭",
    "披萨",
    "咖啡",
    "椅子",
    "桌子",
    "座位",
    "车位",
    "办公室",
    "厨房",
    "电梯",
    "空调",
    "灯",
    "聚会",
    "实习生",
    "酒店",
    "机票",
    "火车",
    "公交",
    "高速",
    "孩子",
    "工资",
    "涨薪",
    "预算",
    "发票",
    "合同",
    "休假",
    "请假",
    "订阅",
    "胸牌",
    "生日",
    "笔记本",
    "手机",
    "打印机",
    "三明治",
    "健身",
    "我的",
];

/// What somebody said, what might be, and what stands in a book or a console.
const TOLD_WORDS: &[&str] = &[
    "said",
    "asked me",
    "told me",
    "recommends",
    "proposed",
    "suggested",
    "demands",
    "the consultant",
    "someone",
    "somebody",
    "imagine",
    "suppose",
    "what if",
    "whenever",
    "in case",
    "if only",
    "thinking about",
    "thinking of",
    "not sure",
    "haven't decided",
    "to be decided",
    "maybe we",
    "we could",
    "we might",
    "it would be nice",
    "one day",
    "draft:",
    "todo",
    "proposal",
    "for discussion",
    "let's discuss",
    "for example",
    "for instance",
    "an example",
    "e.g.",
    "usage:",
    "the manual",
    "runbook",
    "translate",
    "spell check",
    "slide about",
    "write an email",
    "tell the team",
    "remind me",
    "headline",
    "subject:",
    "kubectl",
    "docker run",
    "helm upgrade",
    "systemctl",
    "false alarm",
    "just saying",
    "just kidding",
    "no action needed",
    "not an instruction",
    "说过",
    "提议",
    "建议",
    "假如",
    "要是",
    "万一",
    "如果",
    "想象",
    "或许",
    "还没定",
    "再商量",
    "在琢磨",
    "草稿",
    "讨论稿",
    "待定",
    "待办",
    "比如",
    "例如",
    "举个例子",
    "用法:",
    "手册",
    "翻译",
    "改下错别字",
    "抄进",
    "邮件",
    "工单里",
    "通知大家",
    "提醒我",
    "议程",
    "开玩笑",
    "误报",
    "随口一说",
    "不用处理",
    "不用操心",
];
/// What is over.
const PAST_WORDS: &[&str] = &[
    "yesterday",
    "last night",
    "last week",
    "last month",
    "last year",
    "in october",
    "in march",
    "in summer",
    "back then",
    "used to",
    "was limited",
    "were frozen",
    "went smoothly",
    "i already",
    "we already",
    "solved",
    "昨天",
    "昨晚",
    "上周我们",
    "上个月",
    "去年",
    "当时",
    "以前的",
    "曾经",
    "我已经",
    "早解决",
    "那会儿",
    "那次",
    "前任",
];
/// What is wanted now, whatever was before.
const NOW_WORDS: &[&str] = &[
    "from now", "now", "please", "pls", "needs", "need", "more", "undo", "revert", "lift", "cancel", "give", "forget",
    "again", "今后", "以后", "现在", "请", "麻烦", "需要", "加", "撤", "取消", "恢复", "改回",
];

/// The factor by which it is likelier that a sentence does not act. `names` tells whether a workload is named for sure.
pub(super) fn weight(text: &Text, names: bool) -> f32 {
    let words = text.slice(0, text.len());
    let any = |list: &[&str]| list.iter().any(|word| holds(&words, word));
    let hints = [
        (is_question(&words), QUESTION),
        (!names && any(LIFE_WORDS), LIFE),
        (any(TOLD_WORDS), TOLD),
        (any(PAST_WORDS) && !any(NOW_WORDS), PAST),
    ];
    hints.iter().filter(|(holds, _)| *holds).map(|(_, weight)| weight).product()
}

fn is_question(words: &str) -> bool {
    let granted =
        ["can ", "could "].iter().any(|start| words.starts_with(start) || words.contains(&format!(", {start}")));
    let wish = granted && ["get", "have"].iter().any(|verb| holds(words, verb)) && !holds(words, "get by");
    if wish || POLITE.iter().any(|polite| holds(words, polite)) {
        return false;
    }
    let trimmed = words.trim_end_matches(['.', '!', ' ']);
    let starts =
        ENGLISH_STARTS.iter().any(|start| words.strip_prefix(start).is_some_and(|rest| !rest.starts_with(is_word)));
    starts
        || trimmed.ends_with('?')
        || CHINESE_ENDS.iter().any(|end| trimmed.ends_with(end))
        || CHINESE_INSIDE.iter().any(|word| words.contains(word))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '\''
}

/// Whether a word or phrase stands in the words, an English one as a whole.
pub(super) fn holds(words: &str, word: &str) -> bool {
    places(words, word).next().is_some()
}

/// Where it stands.
pub(super) fn places<'a>(words: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let edge = |c: Option<char>| !c.is_some_and(is_word);
    words.match_indices(word).map(|(place, _)| place).filter(move |place| {
        !word.is_ascii()
            || (edge(words[..*place].chars().next_back()) && edge(words[place + word.len()..].chars().next()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_requests() {
        let check = |sentence: &str, question| {
            assert_eq!(is_question(sentence), question, "{sentence}");
        };
        check("why was web cut?", true);
        check("web has 2 cores?", true);
        check("could you give web 2 cores?", false);
        check("web 的上限是多少", true);
        check("能不能给 web 加2核?", false);
        check("show-room gets 2 cores", false);
        check("whatever happens, web first", false);
        check("can web get 2 more cores?", false);
        check("can web get by with half its cores?", true);
    }
}
