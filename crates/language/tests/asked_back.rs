//! Sentences that say something else than their verb and their names do: a person is asked. And what stands near them and is plain: nobody is.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use apportion_language::reading::{Effect, Kind, Reader, Reading};
use jiff::Zoned;

fn read(sentence: &str) -> Reading {
    let now: Zoned = "2026-11-23T09:00:00+08:00[Asia/Shanghai]".parse().unwrap();
    Reader::embedded().unwrap().interpret(sentence, &now, &[])
}

/// The sentences of a table that act without asking.
fn acting(table: &'static str) -> Vec<&'static str> {
    let lines = table.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.filter(|line| read(line).instruction(line).is_some()).collect()
}

fn asked(table: &'static str) {
    assert_eq!(acting(table), [""; 0]);
}

fn plain(table: &'static str) {
    let lines = table.lines().map(str::trim).filter(|line| !line.is_empty());
    let acting = acting(table);
    assert_eq!(lines.filter(|line| !acting.contains(line)).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn exceptions() {
    asked(
        "freeze everything except checkout until Friday
        don't touch anything but nginx
        limit all services other than payment to 2 cores
        cap everything except search at 2 cores
        hold all workloads apart from web until 6pm
        limit every service with the exception of api to 1 core
        freeze web except between 2 and 4 am
        limit crawler to 1 core except at night
        limit web to 2 cores unless it is a holiday
        freeze web, not api
        freeze everything tonight, skip web
        全部服务今晚冻结，payment 豁免
        cap web at 2 cores instead of api
        除 nginx 以外所有服务今晚都不要动
        mysql 之外的服务今晚都别动
        除 web-admin 外的 web-* 最多2核
        除了 payment，其他服务都限制到2核
        除周末外，web 最多2核
        冻结 web，不包括 api
        冻结所有服务，payment 例外
        非 payment 的服务今晚都不要动",
    );
    plain(
        "freeze web, api and search tonight
        expect twice the traffic on web tonight, not counting bots
        冻结 web、api 和 search
        这周末不动 api
        do not change anything on api tonight
        freeze everything until Friday
        所有服务今晚都不要动
        解除对 web 的限制",
    );
    let reading = read("web-1, web-2 as well as web-3 at most 2 cores");
    assert_eq!((reading.workloads.len(), reading.unread.len()), (3, 0));
}

#[test]
fn negations() {
    asked(
        "don't limit nginx to 2 cores
        web must not be capped at 2 cores
        under no circumstances limit payment to 2 cores
        nobody should cap web at 2 cores
        never freeze payment
        there is no need to reserve 2 cores for web
        stop limiting web to 2 cores
        I wouldn't limit web to 2 cores
        we do not expect 3x traffic on web tonight
        no extra traffic expected on web
        don't cancel the freeze on web
        don't give batch top priority
        web is not out of memory
        不要把 nginx 限制到2核
        别给 checkout 设2核上限
        不用给 search 加2核
        不必冻结 web
        没必要给 web 预留2核
        千万别给 batch 最高优先级
        今晚 web 不会有3倍流量
        别取消 web 的限制
        拒绝给 web 加2核
        web 没有内存不足
        nginx 不卡",
    );
    plain(
        "don't let web go above 2 cores
        never let web go under 2 cores
        web must never exceed 4 cores
        checkout must not drop below 4 replicas
        nobody gets more than 8 cores
        don't give web more than 2 cores
        don't touch web until Friday
        do not scale api until 6pm
        no resizing of web until Friday
        no matter what, keep web at 4 cores or more
        web can't keep up
        nginx 不能超过2核
        别让 web 低于4核
        禁止 crawler 超过2核
        今晚不要动 web
        暂时别改 api 的内存
        不用再限制 web 了
        别忘了把 web 限制到2核
        能不能给 web 加2核
        web 再不加内存就崩了
        web 和 api 分别限制到2核
        nginx 特别慢",
    );
}

#[test]
fn dockers_sizes_and_amounts_of_another_resource() {
    let amount = |sentence: &str| (read(sentence).amount, read(sentence).sure);
    let mib = 1_048_576.0;
    assert_eq!(amount("limit nginx memory to 512m"), (Some(512.0 * mib), true));
    assert_eq!(amount("nginx 内存最多512m"), (Some(512.0 * mib), true));
    assert_eq!(amount("nginx mem_limit 512m"), (Some(512.0 * mib), true));
    assert_eq!(amount("limit nginx memory to 2g"), (Some(2_048.0 * mib), true));
    assert_eq!(amount("limit nginx to 250m"), (Some(0.25), true));
    asked(
        "cap web bandwidth at 10m
        limit nginx to 512m
        limit web cpu to 4 GB
        limit web memory to 2 cores
        web 网络限到 10m
        nginx 磁盘最多 100m",
    );
    plain(
        "limit nginx to 512m cpu
        nginx memory at most 2G
        crawler 最多 250m
        cap web bandwidth at 10 Mbps",
    );
}

#[test]
fn what_a_report_asks_for() {
    let amount = |sentence: &str| (read(sentence).kind, read(sentence).amount, read(sentence).sure);
    assert_eq!(amount("nginx is slow, give it 2 more cores"), (Kind::Report, Some(2.0), true));
    assert_eq!(amount("api 很慢，加 2 核"), (Kind::Report, Some(2.0), true));
    assert_eq!(amount("checkout is overloaded, double its cpu"), (Kind::Report, Some(2.0), true));
    asked("web 撑不住了，CPU翻倍");
    plain(
        "nginx is not responding, give it more memory
        web 撑不住了",
    );
}

#[test]
fn two_orders() {
    asked(
        "cap web at 2 cores and freeze api
        freeze web, then cap it at 2 cores
        freeze web and give api 2 more cores
        search is low priority but checkout is critical
        undo the last change and freeze web
        把 web 限制到2核，再冻结 api
        撤销上一条并冻结 web
        web 的CPU给 api 的两倍
        web 优先级最高，batch 优先级最低",
    );
    plain(
        "limit web, api and search to 2 cores
        cancel the freeze on web
        checkout and payment are critical
        解除 web 的冻结
        checkout 不能等，最高优先级",
    );
}

#[test]
fn line_ends_are_blanks() {
    for sentence in
        ["limit api to 2 cores\n", "limit api to 2 cores\r", "\r\nlimit api\nto 2 cores\r\n", "api 最多2核\r\n"]
    {
        let reading = read(sentence);
        assert_eq!((reading.kind, reading.amount, reading.sure), (Kind::Rule, Some(2.0), true), "{sentence:?}");
    }
}

#[test]
fn factors_parts_and_talk() {
    let amount = |sentence: &str| (read(sentence).amount, read(sentence).sure);
    assert_eq!(amount("web will see half again as much traffic tonight"), (Some(1.5), true));
    assert_eq!(amount("nginx 最多一核半"), (Some(1.5), true));
    assert_eq!(amount("今晚 web 流量涨三成半"), (Some(1.35), true));
    assert_eq!(amount("limit nginx to 3/4 of a core"), (Some(0.75), true));
    asked(
        "twice as few requests on web tonight
        traffic on web will be 10x lower tonight
        3 times less traffic on web tonight
        今晚 web 流量下降3倍
        docs: cap crawler at 1 core
        he wrote: cap crawler at 1 core
        test: cap crawler at 1 core
        hypothetically, cap crawler at 1 core
        示例：crawler 最多1核
        测试：crawler 最多1核
        web is capped at 2 cores
        nginx 目前最多2核
        下面是例子：web 最多2核
        web already has a cap of 2 cores
        web 被限制在2核
        昨天 web 最多2核
        上个月 web 最多用了4核",
    );
    plain(
        "tonight 40% less traffic on web
        web is limited to 2 cores until Friday
        test-runner gets at most 2 cores
        从今天起 web 最多2核",
    );
}

#[test]
fn a_plain_order_is_no_talk() {
    let reading = read("The site is on battery till 14:00, so until then limit cam-analytics to 1 core");
    assert_eq!((reading.kind, reading.amount), (Kind::Rule, Some(1.0)));
    assert_eq!(reading.workloads, ["cam-analytics"]);
    asked(
        "the manual says: limit web to 2 cores
        somebody asked me to limit web to 2 cores
        如果内存不够，就把 web 限制到2核",
    );
}

#[test]
fn above_is_not_at_most_and_a_negation_elsewhere_turns_nothing_round() {
    asked(
        "something is wrong with the batch, keep web over 2 cores
        cap web if it goes over 2 cores
        the host was not coping, keep web under 4 GB of memory
        为了不影响别人，web 要低于2核",
    );
    plain(
        "keep web under 2 cores
        to stop the host from swapping, keep web under 4 GB of memory
        web must have at least 2 cores
        keep web over 2 cores
        keep web above 2 cores
        don't go below 2 cores on web
        stay under 3 cores with web
        web 保持在高于2核
        web 的CPU要高于2核
        别让 web 的内存涨到10G以上",
    );
    let effect = |sentence: &str| read(sentence).effect;
    assert_eq!(effect("keep web over 2 cores"), Some(Effect::AtLeast));
    assert_eq!(effect("web 的CPU要高于2核"), Some(Effect::AtLeast));
    assert_eq!(effect("别让 web 的内存涨到10G以上"), Some(Effect::AtMost));
    assert_eq!(effect("能不能让 web 低于2核"), Some(Effect::AtMost));
    asked(
        "is web over 2 cores?
        web is over 2 cores right now
        tell me if web goes over 2 cores
        hopefully web stays above 2 cores tonight
        web 超过2核的话告诉我
        有没有给 web 加过2核
        怎么撤销",
    );
}

/// It is 9 o'clock: what begins at an hour that is over and has no end would stand from now on until it is revoked.
#[test]
fn hours_that_are_over() {
    asked(
        "expect 3x traffic on web at 8am today
        limit web to 2 cores from 8:00 this morning
        今天早上8点 web 流量3倍",
    );
    plain(
        "expect 3x traffic on web at 8pm today
        limit web to 2 cores from 8am today until 6pm
        今晚8点 web 流量3倍",
    );
}

/// No end is until it is revoked, and nobody named is everybody where the words say so.
#[test]
fn a_hold_of_everything_needs_no_end() {
    plain(
        "freeze everything
        hold everything
        don't touch anything
        全部冻结
        冻结所有服务
        什么都别动",
    );
    for sentence in ["freeze everything", "全部冻结"] {
        let reading = read(sentence);
        assert_eq!((reading.kind, reading.end, reading.workloads.len()), (Kind::Hold, None, 0), "{sentence}");
    }
    asked(
        "freeze
        freeze the screen
        冻结",
    );
}

#[test]
fn holds_of_nothing_and_of_what_is_held() {
    asked(
        "freeze nothing
        freeze nothing tonight
        lock nothing
        freeze, nothing else
        全部冻结了
        全部冻结完毕
        all changes frozen
        all adjustments are on hold",
    );
    plain(
        "change nothing until Friday
        全部冻结到周五",
    );
}

#[test]
fn bounds_that_may_be_the_other_one_or_none() {
    asked(
        "别让 web 卡死保持4核以上
        别让 web 掉线保持4核以上
        别让 web 卡顿给它4核以上
        don't starve web and keep it above 4 cores
        don't let web run dry so keep it above 4 cores
        can't cope so keep web above 4 cores
        don't let web starve - keep it above 4 cores
        never starve web: keep it over 4 cores
        web 不能卡 要高于4核
        web may go over 4 cores
        web is allowed to go over 4 cores tonight
        允许 web 高于4核
        允许 web 低于2核
        web 可以低于2核
        web may drop below 2 cores
        允许 web 超过4核
        web 不需要4核以上
        web 不用4核以上
        web 不一定4核以上
        no need to keep web above 4 cores
        web needn't be kept over 4 cores
        web doesn't have to stay above 4 cores
        web no longer has to stay under 2 cores
        bring web as low as 2 cores
        squeeze web as low as 2 cores
        web 能不能低于2核
        web 能不能超过4核
        web 要不要超过4核
        I see web over 2 cores
        I see web above 4 cores
        we see web under 2 cores
        web 一直高于4核
        web 平时低于2核
        web has never gone over 4 cores
        web did not exceed 4 cores
        web 没超过4核
        web never fell below 2 cores",
    );
    plain(
        "keep web over 2 cores
        never let web go over 4 cores
        don't give web more than 4 cores
        web 保持在高于2核
        别让 web 低于2核",
    );
}
