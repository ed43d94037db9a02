//! Chinese sentences for a decision.

use super::{Clock, Direction, Told, amount, duration, figure, resource_amount, share};
use crate::Language::Zh;
use apportion_core::{
    Binding, Counterfactual, Knob, Outcome, Reason, Refusal, Resource, Verdict,
    plan::{Expected, Used},
};

pub(super) fn headline(told: &Told<'_>) -> String {
    let change = &told.decision.change;
    format!("{} {} {} → {}：{}", change.workload, knob(change.knob), told.from(), told.to(), verdict_word(told))
}

pub(super) fn explain(told: &Told<'_>) -> String {
    format!("决策 {}，{}。{}", told.decision.id, told.clock.full(told.decision.time), grounds(told))
}

/// What, and why, without the number of a decision.
pub(super) fn grounds(told: &Told<'_>) -> String {
    let reason = &told.decision.change.reason;
    let mut sentences = vec![what(told)];
    sentences.extend(
        told.proposed()
            .map(|asked| format!("计划原本提出 {asked}，护栏按其限度（单步幅度、上下限、当前用量）作了调整。")),
    );
    sentences.extend(reason.used.as_ref().map(|used| used_words(told, used)));
    sentences.extend(reason.expected.as_ref().map(|expected| {
        let ahead = format!("未来 {}将在", told.duration(expected.horizon_s));
        expected_words(told.resource(), &ahead, expected, &told.clock)
    }));
    sentences.push(binding(told, reason));
    sentences.extend(asked(told, reason));
    sentences.extend(said(reason));
    sentences.extend(
        reason.counterfactual.as_ref().map(|lower| counterfactual(told.decision.change.knob, lower, &told.clock)),
    );
    if told.decision.is_applied() {
        sentences.push(format!("撤销命令：apportion rollback {}。", told.decision.id));
    }
    sentences.concat()
}

pub(super) fn knob(knob: Knob) -> &'static str {
    match knob {
        Knob::CpuQuota => "CPU 上限",
        Knob::MemoryHigh => "内存软上限",
        Knob::MemoryMax => "内存硬上限",
        Knob::IoReadMax => "磁盘读上限",
        Knob::IoWriteMax => "磁盘写上限",
        Knob::NetworkSendMax => "网络发送上限",
    }
}

fn verdict_word(told: &Told<'_>) -> &'static str {
    match &told.decision.verdict {
        Verdict::Admitted { outcome: Outcome::Applied { .. }, .. } => "已生效",
        Verdict::Admitted { outcome: Outcome::Unchanged, .. } => "本已如此",
        Verdict::Admitted { outcome: Outcome::DryRun, .. } => "试运行",
        Verdict::Admitted { outcome: Outcome::Drifted { .. }, .. } => "未执行，其间已被他人改动",
        Verdict::Admitted { outcome: Outcome::Failed { .. }, .. } => "失败",
        Verdict::Refused { why } => refusal_word(why),
    }
}

/// When what failed is tried again.
const fn tried_again(binding: &Binding) -> &'static str {
    match binding {
        Binding::RolledBack { .. } => "随后请再次要求恢复",
        Binding::TakeBack { .. } => "一小时内每一轮都会重试",
        _ => "会间隔一段时间后重试，间隔从数秒逐渐加长到几分钟",
    }
}

fn refusal_word(why: &Refusal) -> &'static str {
    match why {
        Refusal::UnknownWorkload => "已拒绝，该负载已不存在",
        Refusal::Unreachable => "已拒绝，此处无法设置",
        Refusal::OwnGroup => "已拒绝，受保护的组",
        Refusal::NotANumber => "已拒绝，不是有效数值",
        Refusal::ForeignChange { .. } => "已拒绝，已被他人改动",
        Refusal::RecommendOnly => "仅作建议",
        Refusal::Held { .. } => "已拒绝，处于冻结中",
        Refusal::Failing { .. } => "已拒绝，失败后等待重试",
        Refusal::Stale { .. } => "已拒绝，遥测数据过旧",
        Refusal::DeadBand { .. } => "已拒绝，变化太小",
        Refusal::TooYoung { .. } => "已拒绝，观察时间不足",
        Refusal::CoolDown { .. } => "已拒绝，冷却中",
        Refusal::BlastRadius { .. } => "已拒绝，本周期下调的负载已够多",
    }
}

fn what(told: &Told<'_>) -> String {
    let change = &told.decision.change;
    let subject = format!("{} 的{}", change.workload, spaced(knob(change.knob)));
    let done = predicate(told);
    match &told.decision.verdict {
        Verdict::Admitted { outcome, .. } => match outcome {
            Outcome::Applied { read_back } => {
                format!("{subject}已{done}，读回值为 {}。", told.setting(*read_back))
            }
            Outcome::Unchanged => format!("{subject}已经是 {}，无需写入。", told.to()),
            Outcome::DryRun => format!("{subject}将{done}；试运行，未写入。"),
            Outcome::Drifted { found } => format!(
                "{subject}未能{done}：写入时其值为 {}，说明已被他人改动，故未写入。请先确定由谁管理该上限。",
                told.setting(*found)
            ),
            Outcome::Failed { error } => {
                let again = tried_again(&told.decision.change.reason.binding);
                format!("{subject}未能{done}：{error}。请检查其中所指是否存在、Apportion 是否有权改动；{again}。")
            }
        },
        Verdict::Refused { why: Refusal::RecommendOnly } => {
            format!("{subject}建议{done}。未执行：对 {} 只给建议；如需生效，请在配置中允许改动。", change.workload)
        }
        Verdict::Refused { why } => {
            format!("{subject}保持 {}；提议的值为 {}。{}", told.from(), told.to(), refusal(told, why))
        }
    }
}

/// "由 2 核降到 1.4 核" and the like, to follow 已, 本应 or 未能.
fn predicate(told: &Told<'_>) -> String {
    let (from, to) = (told.from(), told.to());
    match told.direction() {
        Direction::Lower => format!("由 {from}{}降到 {to}", gap(&from)),
        Direction::Raise => format!("由 {from}{}升到 {to}", gap(&from)),
        Direction::Impose => format!("设为 {to}（此前不限）"),
        Direction::Lift => format!("取消（此前为 {from}）"),
    }
}

fn refusal(told: &Told<'_>, why: &Refusal) -> String {
    let workload = &told.decision.change.workload;
    match why {
        Refusal::UnknownWorkload => "已拒绝：该负载已不存在；待其恢复后会重新评估。".to_owned(),
        Refusal::Unreachable => {
            "已拒绝：此处无法设置该上限。请检查其所在组是否启用了相应控制器，以及 Apportion 是否有写权限。".to_owned()
        }
        Refusal::OwnGroup => "已拒绝：这是整机、init 或 Apportion 自身所在的组，从不改动。".to_owned(),
        Refusal::NotANumber => "已拒绝：提议的值不是可设置的数值。这是策略的缺陷，请反馈。".to_owned(),
        Refusal::ForeignChange { expected, found } => format!(
            "已拒绝：我们设置的值为 {}，现值为 {}，已被他人改动，因此不再干预。如需继续管理，请重新移交 {workload}。",
            told.setting(*expected),
            told.setting(*found)
        ),
        Refusal::RecommendOnly => "未执行：只给建议。".to_owned(),
        Refusal::Held { why } => format!("已拒绝：处于冻结中（“{why}”）。解除冻结后方可改动。"),
        Refusal::Stale { metric, age_s: Some(age_s) } => {
            format!("已拒绝：{metric} 是 {}前的数据，太旧，不足以决策。请检查数据来源。", told.duration(*age_s))
        }
        Refusal::Failing { error, left_s } => {
            format!("已拒绝：此前设置失败（{error}），{}后重试。", told.duration(*left_s))
        }
        Refusal::Stale { metric, age_s: None } => {
            format!("已拒绝：从未读到 {metric}，无从决策。请检查数据来源。")
        }
        Refusal::DeadBand { share: by } => format!("已拒绝：变化仅为原值的 {}，不值得改动。", share(*by)),
        Refusal::TooYoung { seen_s, needed_s } => {
            format!("已拒绝：只观察到 {} 的用量，要下调须先观察 {}。", told.duration(*seen_s), told.duration(*needed_s))
        }
        Refusal::CoolDown { left_s } => {
            format!("已拒绝：刚改动过，还需等待 {}才能下调。", told.duration(*left_s))
        }
        Refusal::BlastRadius { changed, allowed } => {
            format!("已拒绝：本周期已下调 {changed} 个负载，最多允许 {allowed} 个；周期结束后会重试。")
        }
    }
}

fn used_words(told: &Told<'_>, used: &Used) -> String {
    let gaps = if used.present_share < 0.995 {
        format!("（{} 的时间有数据）", share(used.present_share))
    } else {
        String::new()
    };
    format!(
        "最近 {}{gaps}的用量：中位数 {}，p95 为 {}，最高 {}（{}）。",
        told.duration(used.window_s),
        told.amount(used.p50),
        told.amount(used.p95),
        told.amount(used.max),
        told.clock.moment(used.max_at)
    )
}

pub(super) fn expected_words(of: Resource, when: &str, expected: &Expected, clock: &Clock) -> String {
    let [low, middle, high] = expected.peak.map(|value| resource_amount(of, value, Zh));
    let peak_at = clock.moment(expected.peak_at);
    let trust = expected.score.map_or_else(
        || "历史太短，尚无法回测".to_owned(),
        |score| format!("回测损失为季节重复法的 {} 倍", figure(score)),
    );
    format!(
        "{} 预测{when}{}达到峰值 {middle}，p10 到 p90 为 {low}{}到 {high}；{trust}。",
        expected.by,
        padded(&peak_at),
        gap(&low)
    )
}

fn binding(told: &Told<'_>, reason: &Reason) -> String {
    let margin = if (reason.harm_margin() - 1.0).abs() < 0.005 {
        String::new()
    } else {
        format!("；因先前的下调造成影响，再乘以 {}", figure(reason.harm_margin()))
    };
    let bound = reason.bound.map_or_else(String::new, |bound| format!(" {}", told.amount(bound)));
    match &reason.binding {
        Binding::Forecast => format!("决定因素：预测，使需求在 {} 的时间内得到满足{margin}。", share(reason.quantile)),
        Binding::Recent => format!("决定因素：近期用量，暂无更好的依据{margin}。"),
        Binding::ColdStart => format!("决定因素：历史太短，在已见用量上留出较大余量{margin}。"),
        Binding::LookAlikes { .. } => format!("决定因素：历史太短，参照相似负载的用量并留出余量{margin}。"),
        Binding::Announced { usual } => {
            format!("决定因素：人工预告的需求；平常需要 {}{margin}。", told.amount(*usual))
        }
        Binding::Floor => format!("决定因素：人工设定的下限{bound}。"),
        Binding::Ceiling => format!("决定因素：人工设定的上限{bound}。"),
        Binding::Share { wanted, capacity } => format!(
            "决定因素：所有负载共需 {}，而总量只有 {}，按优先级和权重分配。",
            told.amount(*wanted),
            told.amount(*capacity)
        ),
        Binding::StepLimit => "决定因素：单步改动的最大幅度。".to_owned(),
        Binding::MemoryInUse => "决定因素：当前占用的内存加余量。".to_owned(),
        Binding::TakeBack { of } => format!("决定因素：决策 {of} 造成了影响，予以撤回。"),
        Binding::RolledBack { of } => format!("决定因素：人工撤回了决策 {of}。"),
        Binding::BoundOver { of } => format!("决定因素：人工设定的上限已经结束，决策 {of} 只为它而作。"),
        Binding::SetAgain => "决定因素：这项限制随承载它的规则一起丢失了，现按原值重新设定。".to_owned(),
        Binding::Rule(name) => format!("决定因素：{name} 的规则。"),
    }
}

/// What people or signals asked for on top.
fn asked(told: &Told<'_>, reason: &Reason) -> Option<String> {
    let asked = reason.asked?;
    let who = if asked.by_signal { "告警或日志计为" } else { "人工反映" };
    let factor = (asked.factor != 1.0).then(|| format!("按所需的 {} 倍", figure(asked.factor)));
    let way = if asked.added < 0.0 { "减少" } else { "增加" };
    let added = (asked.added != 0.0).then(|| format!("{way} {}", told.amount(asked.added.abs())));
    let all: Vec<String> = factor.into_iter().chain(added).collect();
    Some(format!("{who}：{}。", all.join("，")))
}

/// The instructions that bear on it.
fn said(reason: &Reason) -> Option<String> {
    let numbers: Vec<String> = reason.said.iter().map(|said| said.0.to_string()).collect();
    let first = numbers.first()?;
    Some(format!("相关指令：{}（apportion instructions show {first}）。", numbers.join("、")))
}

pub(super) fn counterfactual(knob: Knob, lower: &Counterfactual, clock: &Clock) -> String {
    let (size, window) = (amount(knob, lower.value, Zh), duration(lower.window_s, Zh));
    let harm = harm(knob);
    if lower.over_s <= 0.0 {
        return format!("若为 {size}，最近 {window}内也不会{harm}。");
    }
    let over = duration(lower.over_s, Zh);
    match lower.worst_day.map(|day| clock.utc_day(day)) {
        Some(day) if lower.over_s - lower.worst_day_over_s < 1.0 => {
            format!("若为 {size}，{}会{harm} {over}。", padded(&day))
        }
        Some(day) => format!(
            "若为 {size}，最近 {window}内会{harm} {over}，其中{}占 {}。",
            padded(&day),
            duration(lower.worst_day_over_s, Zh)
        ),
        None => format!("若为 {size}，最近 {window}内会{harm} {over}。"),
    }
}

fn harm(knob: Knob) -> &'static str {
    match knob.resource() {
        Resource::Cpu => "被限流",
        Resource::Memory => "内存不足",
        Resource::Storage | Resource::Network => "被限速",
    }
}

/// A space between Chinese and a Latin word, none between Chinese words.
pub(super) fn spaced(words: &str) -> String {
    if words.starts_with(|first: char| first.is_ascii()) { format!(" {words}") } else { words.to_owned() }
}

/// The same on both sides.
pub(super) fn padded(words: &str) -> String {
    format!("{}{}", spaced(words), gap(words))
}

/// The space that a Chinese word needs after `words`.
fn gap(words: &str) -> &'static str {
    if words.ends_with(|last: char| last.is_ascii()) { " " } else { "" }
}
