//! Words that turn round what a reading makes of a sentence: exceptions, and names that are not one list. What is learnt sees a name and a verb
//! and hardly the word between them, so these are exact and always give reason to ask.

use super::inert::holds;

/// English words of an exception, with stand-ins for names and times.
const EXCEPT: &[&str] = &[
    "except",
    "excepting",
    "exception",
    "exceptions",
    "exclude",
    "excludes",
    "excluding",
    "excluded",
    "excepted",
    "besides",
    "sparing",
    "spare <name>",
    "exempt",
    "apart from",
    "aside from",
    "other than",
    "instead of",
    "rather than",
    "save for",
    "unless",
    "bar <name>",
    "all but",
    "everything but",
    "anything but",
    "nothing but",
    "everyone but",
    "everybody but",
    "anyone but",
    "nobody but",
    "no one but",
    "none but",
    "but <name>",
    "but the <name>",
    "but for <name>",
    "but not <name>",
    "but not the",
    "but not for",
    "but not on",
    "but not at",
    "but not in",
    "but not during",
    "but not between",
    "but not from",
    "but not after",
    "but not before",
    "but not <time>",
    "not <name>",
    "not the <name>",
    "not for <name>",
    "not on <name>",
    "leave out",
    "leaving out",
    "outside of",
    "outside <time>",
    "outside the <time>",
    "outside business",
    "outside office",
    "outside working",
    "freeze everything else",
    "freeze all others",
    "freeze the others",
    "freeze the rest",
    "limit everything else",
    "limit all others",
    "limit the others",
    "limit the rest",
    "cap everything else",
    "cap all others",
    "cap the others",
    "cap the rest",
];
/// The same in Chinese.
const CHINESE_EXCEPT: &[&str] = &[
    "以外",
    "之外",
    "除外",
    "例外",
    "而不是",
    "而非",
    "不包括",
    "不包含",
    "不含",
    "不算 <name>",
    "不是 <name>",
    "非 <name>",
    "唯独",
    "排除",
    "豁免",
    "撇开",
    "抛开",
];
/// What stands before 除 in words that are no exception: 解除, 删除.
const REMOVES: &str = "解去删移清扣废拆免消根";
/// Words for every workload; a name beside them says that one of them is meant otherwise.
const EVERY: &[&str] = &[
    "everything",
    "all services",
    "every service",
    "all workloads",
    "every workload",
    "all containers",
    "every container",
    "所有服务",
    "全部服务",
    "所有容器",
    "全部容器",
    "所有工作负载",
    "全部工作负载",
];
/// Words between two names of one list.
const LISTS: &[&str] = &[
    ",",
    "&",
    "+",
    "/",
    "\"",
    "and",
    "or",
    "as",
    "well",
    "also",
    "too",
    "both",
    "plus",
    "the",
    "of",
    "for",
    "s",
    "'s",
    "service",
    "services",
    "container",
    "containers",
];
const CHINESE_LISTS: &[&str] = &[
    "以及", "还有", "或者", "连同", "服务", "容器", "实例", "和", "与", "及", "跟", "同", "或", "这", "都", "也", ",",
];

/// The words that turn the sentence round, where there are some. `words` has stand-ins, one space around each word.
pub(super) fn exception(words: &str) -> Option<String> {
    let found = |list: &[&str]| list.iter().find(|word| holds(words, word)).map(|word| shown(word));
    let chinese = || {
        let all = words.match_indices('除').map(|(place, word)| (&words[..place], &words[place + word.len()..]));
        all.into_iter()
            .any(|(before, after)| !before.ends_with(|c| REMOVES.contains(c)) && !after.starts_with(['夕', '以']))
    };
    found(EXCEPT).or_else(|| found(CHINESE_EXCEPT)).or_else(|| chinese().then(|| "除".to_owned()))
}

/// The words between two names that are not one list: what is said of the one may not be said of the other.
pub(super) fn apart(words: &str) -> Option<String> {
    let mut parts = words.split("<name>").skip(1).collect::<Vec<_>>();
    parts.pop();
    parts.into_iter().find(|between| !is_list(between)).map(|between| shown(between.trim()))
}

/// The words for every workload, where a name stands beside them that they are not of ("everything on web").
pub(super) fn every(words: &str) -> Option<&'static str> {
    let of = [
        "of everything",
        "everything on <name>",
        "everything of <name>",
        "everything in <name>",
        "everything about <name>",
    ];
    let named = words.contains("<name>") && !of.iter().any(|of| holds(words, of));
    EVERY.iter().find(|word| named && holds(words, word)).copied()
}

/// Whether the words between two names make one list of them.
pub(super) fn is_list(between: &str) -> bool {
    between.split_whitespace().all(|word| {
        let mut rest = word;
        while let Some(shorter) = CHINESE_LISTS.iter().find_map(|part| rest.strip_prefix(part)) {
            rest = shorter;
        }
        rest.is_empty() || LISTS.contains(&word)
    })
}

/// Words without their stand-ins.
fn shown(words: &str) -> String {
    let kept: Vec<&str> = words.split_whitespace().filter(|word| !word.starts_with('<')).collect();
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_and_what_is_none() {
        for words in [
            " freeze everything except <name> until <time> ",
            " don't touch anything but <name> ",
            " freeze <name> , not <name> ",
            " freeze <name> outside business hours ",
            "除 <name> 外的 <name> 最多 <cores> ",
            " <name> 之外的服务",
        ] {
            assert!(exception(words).is_some(), "{words}");
        }
        for words in
            [" not more than <cores> for <name> ", "解除 <name> 的限制", "除夕 <name> 流量 <x> ", " <name> but slow "]
        {
            assert_eq!(exception(words), None, "{words}");
        }
    }

    #[test]
    fn lists_and_names_apart() {
        for words in [
            " <name> , <name> and <name> ",
            "把 <name> 和 <name> 限制",
            " <name> and also the <name> service ",
            " <name> ",
        ] {
            assert_eq!(apart(words), None, "{words}");
        }
        assert_eq!(apart(" cap <name> at <cores> and freeze <name> ").as_deref(), Some("at and freeze"));
        assert_eq!(apart(" <name> 的cpu给 <name> 的 <x> ").as_deref(), Some("的cpu给"));
    }
}
