//! Words beside amounts, by tables.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use super::amount::amounts;
use super::{
    bound::{bound, is_unclear},
    fields::Effect,
    text::Text,
};

#[test]
fn bounds() {
    let check = |sentence: &str, expected: Option<Effect>| {
        let text = Text::new(sentence);
        let amount = amounts(&text).first().copied();
        assert_eq!(amount.map(|amount| bound(&text, &amount)), Some(expected), "{sentence}");
    };
    let (least, most) = (Some(Effect::AtLeast), Some(Effect::AtMost));
    check("never let web go under 2 TB", least);
    check("Don't ever let web's disk go below 2 TB", least);
    check("web must not exceed 4 cores", most);
    check("nobody gets more than 8 cores", most);
    check("at least 2 cores for web", least);
    check("no less than 2 cores", least);
    check("web has 4 or more cores", least);
    check("web gets 4 cores tops", most);
    check("web 4 cores", None);
    check("web 需要4核", None);
    check("web 不低于4核", least);
    check("web 最多4核", most);
    check("web 维持在 4 个副本以上", least);
    check("web 控制在4核以内", most);
    check("别让 web 低于4核", least);
    check("web 不要超过4核", most);
    check("web 内存别掉到 2G", least);
    check("keep web below 3 cores", most);
    check("web 要低于25Mbps", most);
    check("web below 4 GB memory is a no-go", None);
    check("keep web at 16 GB memory or higher", least);
    check("avoid web going below 2 cores", least);
    check("严禁 web 超过4核", most);
    check("未来一周 web 要低于4核", most);
    check("to stop the host from swapping, keep web under 4 GB of memory", most);
    check("to stop the oom kills keep web above 4 GB memory", least);
    check("something is wrong with the batch, keep web over 2 cores", least);
    check("keep web over 2 cores", least);
    check("web 保持在高于2核", least);
    check("cap web if it goes over 2 cores", None);
    check("web above 4 GB memory is a no-go", None);
    check("没事，web 的CPU要低于2核", most);
    check("the host was not coping, keep web under 4 GB of memory", None);
    check("为了不影响别人，web 要低于2核", None);
    check("never let web, api go under 2 TB", None);
    check("the host was not coping, give web at least 4 GB of memory", least);
    check("keep an eye on web, never let it go under 2 TB", least);
    check("web less than 2 cores, always", most);
    check("stop web from eating more than 30% of the memory", most);
    check("web with less than two cores is asking for trouble, so that's the minimum", None);
    check("web has to keep more than 2 cores", least);
    check("under 2 GB of memory web falls over, so stay above", None);
    check("over 4 cores is too much for web, keep it lower", None);
    check("web can go as high as 6 cores", most);
    check("别让 web 爬到1核以上", most);
    check("web 不要扩到20个副本以上", most);
    check("web 的CPU不能到40%以上", most);
    check("web 不要降到3核以下", least);
    check("web 不能只跑2个以下的pod", least);
    check("web 别涨到10G内存", most);
    check("托住 web，2核以下不行", least);
    check("web 10核以上不给", most);
    check("web 保持4核以上", least);
    check("web 不低于4核以上", least);
    check("能不能让 web 低于2核", most);
    check("可不可以让 web 高于2核", least);
    check("能不能别让 web 低于2核", least);
    check("web can go as low as 2 cores", least);
    check("bring web as low as 2 cores", None);
    check("don't give web more than 4 cores", most);
    check("never let web and api go under 2 TB", least);
    check("不要给 web 超过4核", most);
    check("别再给 web 加到4核以上", most);
}

#[test]
fn what_may_mean_its_opposite_is_open() {
    let check = |sentence: &str| {
        let text = Text::new(sentence);
        let amount = amounts(&text).first().copied().expect(sentence);
        assert!(is_unclear(&text, &amount), "{sentence}");
        assert_eq!(bound(&text, &amount), None, "{sentence}");
    };
    check("别让 web 卡死保持4核以上");
    check("别让 web 卡顿给它4核以上");
    check("web 不能卡 要高于4核");
    check("don't starve web and keep it above 4 cores");
    check("can't cope so keep web above 4 cores");
    check("never starve web: keep it over 4 cores");
    check("don't let web starve - keep it above 4 cores");
    check("web may go over 4 cores");
    check("web may be smaller than 2 cores");
    check("web is allowed to go over 4 cores tonight");
    check("允许 web 高于4核");
    check("web 可以低于2核");
    check("允许 web 超过4核");
    check("web 不需要4核以上");
    check("web 不用4核以上");
    check("web 不一定4核以上");
    check("no need to keep web above 4 cores");
    check("web needn't be kept over 4 cores");
    check("web no longer has to stay under 2 cores");
    check("web 能不能低于2核");
    check("web 要不要超过4核");
}
