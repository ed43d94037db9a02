//! Forms that do not act: sentences put as questions, and talk of people and places. Hints that weigh on what is learnt,
//! always towards doing nothing.

use super::text::Text;

/// How much likelier each hint makes it that a sentence changes nothing.
const QUESTION: f32 = 20.0;
const LIFE: f32 = 4.0;

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

/// The factor by which it is likelier that a sentence does not act. `names` tells whether a workload is named for sure.
pub(super) fn weight(text: &Text, names: bool) -> f32 {
    let words = text.slice(0, text.len());
    let life = !names && LIFE_WORDS.iter().any(|word| holds(&words, word));
    (if is_question(&words) { QUESTION } else { 1.0 }) * if life { LIFE } else { 1.0 }
}

fn is_question(words: &str) -> bool {
    if POLITE.iter().any(|polite| holds(words, polite)) {
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

fn holds(words: &str, word: &str) -> bool {
    let edge = |c: Option<char>| !c.is_some_and(is_word);
    words.match_indices(word).any(|(place, _)| {
        !word.is_ascii()
            || (edge(words[..place].chars().next_back()) && edge(words[place + word.len()..].chars().next()))
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
    }
}
