//! Which kind of instruction an undo names: "undo the rule" is not the hold that was said after it.

use super::text::Text;
use apportion_core::instruction::InstructionKind::{self, Event, Hold, Priority, Report, Rule};

const ENGLISH: [(&[&str], InstructionKind); 5] = [
    (&["rule", "limit", "cap", "ceiling", "floor", "minimum", "maximum", "bound"], Rule),
    (&["hold", "freeze", "pause"], Hold),
    (&["event", "sale", "surge", "announcement"], Event),
    (&["priority"], Priority),
    (&["report", "complaint"], Report),
];
const CHINESE: [(&[&str], InstructionKind); 5] = [
    (&["规则", "上限", "下限", "限制", "保底"], Rule),
    (&["冻结", "暂停", "锁定"], Hold),
    (&["事件", "活动", "大促", "预告"], Event),
    (&["优先级"], Priority),
    (&["反馈", "上报", "报告"], Report),
];
/// What stands before the name of a kind; "hold on, undo that" names none.
const LEADS: [&str; 12] =
    ["the", "that", "this", "my", "our", "last", "latest", "newest", "recent", "previous", "'s", "cpu"];

/// The kind that the words of an undo name, where they name one and no other.
pub(super) fn named(text: &Text) -> Option<InstructionKind> {
    let words = text.slice(0, text.len());
    let chinese = CHINESE.iter().filter(|(names, _)| names.iter().any(|name| words.contains(name)));
    let english = ENGLISH.iter().filter(|(names, _)| names.iter().any(|name| is_led(text, name)));
    let mut found = chinese.chain(english).map(|(_, kind)| *kind);
    let kind = found.next()?;
    found.all(|other| other == kind).then_some(kind)
}

fn is_led(text: &Text, name: &str) -> bool {
    (0..text.len()).any(|place| {
        let before = text.slice(0, place);
        let whole = text.word(place, name).is_some();
        whole && LEADS.iter().any(|lead| before.trim_end().ends_with(lead)) && before.ends_with(' ')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_undo() {
        let check = |sentence: &str, kind| assert_eq!(named(&Text::new(sentence)), kind, "{sentence}");
        check("undo the rule", Some(Rule));
        check("take back the last hold on web", Some(Hold));
        check("revoke web's CPU limit", Some(Rule));
        check("cancel the sale", Some(Event));
        check("undo the last change", None);
        check("hold on, undo that", None);
        check("undo the rule and the hold", None);
        check("取消刚才的规则", Some(Rule));
        check("撤回 web 的优先级", Some(Priority));
        check("撤销上一条", None);
    }
}
