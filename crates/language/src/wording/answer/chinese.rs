//! Chinese sentences for what an answer rests on and for what it lacks.

use super::record::{
    Allotted, By, Counted, ExpectedOf, Free, Killed, Missing, Near, Ranked, Record, Said, Saved, Smaller, Throttled,
    UsedOver,
};
use crate::{
    Language::Zh,
    reading::question::{About, Span},
    wording::{
        Clock, Told, amount,
        chinese::{counterfactual, expected_words, explain, headline, knob},
        duration, figure, resource_amount, setting, share,
    },
};
use apportion_core::{Binding, Decision, DecisionId, Harm, Resource, metric::name, watch};

/// What can be asked, as examples.
const EXAMPLES: &str = "可以这样问：昨晚“名称”为什么被限流；“名称”的上限为什么是这样；“名称”昨天用了多少内存；“名称”的预测；\
    “名称”现在分配多少、从什么时候起；今天改了什么、谁改的；哪些服务用得最多、浪费最多、有风险；上周省了多少；有哪些指令；\
    “名称”内存减半会怎样；还有几个核空着。";

pub(super) fn record(record: &Record, about: About, clock: &Clock) -> String {
    match record {
        Record::Decision(decision)
            if matches!(about, About::Why | About::Throttled | About::Killed | About::Allotted) =>
        {
            explain(&told(decision, clock))
        }
        Record::Decision(decision) => line(decision, clock),
        Record::Harm { time, harm } => format!("{}：{}", clock.moment(*time), harm_words(harm)),
        Record::Throttled(of) => throttled(of, clock),
        Record::Killed(of) => killed(of, clock),
        Record::Used(of) => used(of, clock),
        Record::Expected(of) => expected(of, clock),
        Record::Allotted(of) => allotted(of, clock),
        Record::Ranked(of) => ranked(of),
        Record::Near(of) => near(of, clock),
        Record::Saved(of) => saved(of, clock),
        Record::Said(of) => said(of, clock),
        Record::Smaller(of) => smaller(of, clock),
        Record::Free(of) => free(of),
        Record::Counted(of) => counted(of, clock),
    }
}

fn told<'a>(decision: &'a Decision, clock: &Clock) -> Told<'a> {
    Told { decision, language: Zh, clock: clock.clone() }
}

/// One decision among others: when, what, by whom, and what less would have cost.
fn line(decision: &Decision, clock: &Clock) -> String {
    let reason = &decision.change.reason;
    let cost = reason.counterfactual.as_ref().map(|lower| counterfactual(decision.change.knob, lower, clock));
    let words = headline(&told(decision, clock));
    format!(
        "[{}] {} {words}；{}。{}",
        decision.id,
        clock.moment(decision.time),
        by(&reason.binding),
        cost.unwrap_or_default()
    )
}

fn by(binding: &Binding) -> String {
    match binding {
        Binding::RolledBack { of } => format!("由人操作，撤回了决策 {of}"),
        Binding::TakeBack { of } => format!("由 Apportion 操作，因为决策 {of} 造成了影响"),
        Binding::BoundOver { of } => format!("由 Apportion 操作，因为决策 {of} 所依据的上限已经结束"),
        Binding::SetAgain => "由 Apportion 操作，因为这项限制随承载它的规则一起丢失了".to_owned(),
        Binding::Announced { .. } => "由 Apportion 操作，依据人工预告".to_owned(),
        Binding::Floor | Binding::Ceiling => "由 Apportion 操作，依据人工设定的界限".to_owned(),
        _ => "由 Apportion 操作".to_owned(),
    }
}

fn between(span: Span, clock: &Clock) -> String {
    format!("{} 到 {}", clock.moment(span.from), clock.moment(span.to))
}

/// What a metric counts, where it says more than its resource.
fn what(of: &UsedOver) -> &'static str {
    match of.metric.as_str() {
        name::IO_READ => "磁盘读",
        name::IO_WRITE => "磁盘写",
        name::NETWORK_SEND => "网络发送",
        name::NETWORK_RECEIVE => "网络接收",
        _ => resource(of.resource),
    }
}

fn resource(of: Resource) -> &'static str {
    match of {
        Resource::Cpu => "CPU",
        Resource::Memory => "内存",
        Resource::Storage => "磁盘吞吐",
        Resource::Network => "网络吞吐",
    }
}

fn limit(of: Option<(f64, DecisionId)>, resource: Resource, name: &str) -> String {
    of.map_or_else(
        || format!("当时的{name}在账本中没有记录。"),
        |(value, id)| format!("当时的{name}为 {}，由决策 {id} 设定。", resource_amount(resource, value, Zh)),
    )
}

fn throttled(of: &Throttled, clock: &Clock) -> String {
    let (when, measured) = (between(of.span, clock), duration(of.measured_s, Zh));
    if of.throttled_s <= 0.0 {
        return format!("{when} {} 没有被限流（有数据 {measured}）。", of.workload);
    }
    let wanted = of.wanted.map_or_else(
        || "它想要多少无从得知。".to_owned(),
        |wanted| {
            let told = resource_amount(Resource::Cpu, wanted, Zh);
            match of.limit {
                Some((limit, _)) if wanted > limit => format!("它最多想要 {told}：上限若为此值则不会被限流。"),
                _ => format!("按读数它最多想要 {told}；突发比读数的间隔短，因此多少才够没有测得。"),
            }
        },
    );
    format!(
        "{when} {} 共被限流 {}（有数据 {measured}），最严重在 {}：{} 的周期被限。{}{wanted}",
        of.workload,
        duration(of.throttled_s, Zh),
        clock.moment(of.worst_at),
        share(of.worst_share),
        limit(of.limit, Resource::Cpu, " CPU 上限"),
    )
}

fn killed(of: &Killed, clock: &Clock) -> String {
    let when = between(of.span, clock);
    if of.kills == 0 {
        return format!("{when} {} 没有因内存不足被杀（有数据 {}）。", of.workload, duration(of.measured_s, Zh));
    }
    let peak =
        of.peak.map_or_else(String::new, |peak| format!("用量最高 {}。", resource_amount(Resource::Memory, peak, Zh)));
    format!(
        "{when} {} 因内存不足被杀 {} 次，最后一次在 {}。{}{peak}上限更高则可继续运行；还会用多少没有测得。",
        of.workload,
        of.kills,
        clock.moment(of.last_at),
        limit(of.limit, Resource::Memory, "内存硬上限"),
    )
}

fn used(of: &UsedOver, clock: &Clock) -> String {
    let told = |value| resource_amount(of.resource, value, Zh);
    let gaps = if of.used.present_share < 0.995 {
        format!("（{} 的时间有数据）", share(of.used.present_share))
    } else {
        String::new()
    };
    format!(
        "{} {} 平均使用{} {}{gaps}：中位数 {}，p95 为 {}，{} 均值最高 {}（{}）。",
        between(of.span, clock),
        of.workload,
        what(of),
        told(of.mean),
        told(of.used.p50),
        told(of.used.p95),
        duration(f64::from(of.step_s), Zh),
        told(of.used.max),
        clock.moment(of.used.max_at),
    )
}

fn expected(of: &ExpectedOf, clock: &Clock) -> String {
    let when = of.span.map_or_else(
        || format!("未来 {}将在", duration(of.expected.horizon_s, Zh)),
        |span| format!("：{}，在", between(span, clock)),
    );
    let words = expected_words(of.resource, &when, &of.expected, clock);
    let made = match (of.decision, of.made) {
        (Some(id), Some(made)) => format!("这是账本中最新的预测，出自决策 {id}（{}）。", clock.moment(made)),
        _ => String::new(),
    };
    format!("{} 的{}：{words}{made}", of.workload, resource(of.resource))
}

fn allotted(of: &Allotted, clock: &Clock) -> String {
    let is =
        of.setting.map_or_else(|| "在此无法读取".to_owned(), |value| format!("为 {}", setting(of.knob, value, Zh)));
    let since = of.since.map_or_else(
        || "；账本中没有改动它的记录".to_owned(),
        |(id, time)| format!("，自 {} 起（决策 {id}）", clock.moment(time)),
    );
    let would = of.allotted.map_or_else(String::new, |value| format!("；现在应分配 {}", amount(of.knob, value, Zh)));
    format!("{} 的 {} {is}{since}{would}。", of.workload, knob(of.knob))
}

fn ranked(of: &Ranked) -> String {
    let told = |value| resource_amount(of.resource, value, Zh);
    match (of.by, of.limit) {
        (By::Waste, Some(limit)) => format!(
            "{}. {}：{}多出 {}（p95 用量 {}，拥有 {}）。",
            of.place,
            of.workload,
            resource(of.resource),
            told(of.value),
            told(of.p95),
            told(limit)
        ),
        _ => format!("{}. {}：{}平均 {}。", of.place, of.workload, resource(of.resource), told(of.value)),
    }
}

fn near(of: &Near, clock: &Clock) -> String {
    let told = |value| resource_amount(of.resource, value, Zh);
    format!(
        "{} {} 的{}需求 p95 为 {}，是上限 {} 的 {}。",
        between(of.span, clock),
        of.workload,
        resource(of.resource),
        told(of.p95),
        told(of.limit),
        share(of.share)
    )
}

fn saved(of: &Saved, clock: &Clock) -> String {
    let told = |value| amount(of.knob, value, Zh);
    format!(
        "{}：对 {} 个负载的 {} 生效了 {} 次改动。这些上限之前合计 {}，其后平均 {}：{} {}。",
        between(of.span, clock),
        of.workloads,
        knob(of.knob),
        of.changes,
        told(of.before),
        told(of.since),
        if of.saved < 0.0 { "多了" } else { "省下" },
        told(of.saved.abs()),
    )
}

fn said(of: &Said, clock: &Clock) -> String {
    let state = if of.in_force { "生效中" } else { "尚未开始" };
    let words = super::said_words(&of.said.instruction, clock);
    format!(
        "指令 {}，{state}，{} 接受：{words}（“{}”）",
        of.said.id.0,
        clock.moment(of.said.time),
        of.said.instruction.text
    )
}

fn smaller(of: &Smaller, clock: &Clock) -> String {
    let peak = amount(of.knob, of.peak, Zh);
    let cost = counterfactual(of.knob, &of.cost, clock);
    format!("{}：{cost}最高需求为 {peak}（{}）。", of.workload, clock.moment(of.peak_at))
}

fn free(of: &Free) -> String {
    let told = |value| resource_amount(of.resource, value, Zh);
    let used = of.used.map_or_else(String::new, |used| format!("当前使用 {}，", told(used)));
    format!(
        "机器共有{} {}，{used}已分配给负载 {}；未分配 {}。",
        resource(of.resource),
        told(of.capacity),
        told(of.allotted),
        told(of.left)
    )
}

fn counted(of: &Counted, clock: &Clock) -> String {
    let mut parts = vec![format!("{} 个已生效", of.applied)];
    for (count, what) in [
        (of.taken_back, "个是撤回造成影响的改动"),
        (of.rolled_back, "个由人要求"),
        (of.recommended, "个仅为建议"),
        (of.refused, "个被护栏拦下"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    format!("{} 共有 {} 个决策：{}。", between(of.span, clock), of.decisions, parts.join("，"))
}

fn harm_words(harm: &Harm) -> String {
    let told = |value: f64| match harm.signal.as_str() {
        name::LATENCY => duration(value, Zh),
        name::OOM_KILLS | watch::RESTARTED => figure(value),
        _ => share(value),
    };
    format!(
        "决策 {} 影响了 {}（{} 在 {} 内从 {} 变为 {}），已撤回。",
        harm.of,
        harm.workload,
        harm.signal,
        duration(harm.after_s, Zh),
        told(harm.before),
        told(harm.now)
    )
}

pub(super) fn missing(missing: &Missing, clock: &Clock) -> String {
    match missing {
        Missing::Workload { name, nearest } if nearest.is_empty() => format!("没有叫 {name} 的负载；`apportion status` 可列出全部。"),
        Missing::Workload { name, nearest } => format!("没有叫 {name} 的负载；是否指 {}？", nearest.join(" 或 ")),
        Missing::Name => "问的是哪个负载？请写出名称，例如“昨晚 NAME 为什么被限流？”；`apportion status` 可列出全部。".to_owned(),
        Missing::Readings { workload, metric, span } => format!("{} 没有 {workload} 的 {metric} 的记录。", between(*span, clock)),
        Missing::Forecast { workload } => format!("{workload} 没有预测：账本中没有，也没有在运行的循环作出过。"),
        Missing::Beyond { until } => format!("预测到 {} 为止，之后的没有预测。", clock.full(*until)),
        Missing::Decisions { span: Some(span) } => format!("{} 账本中没有相关决策。", between(*span, clock)),
        Missing::Decisions { span: None } => "账本中没有相关决策。".to_owned(),
        Missing::Decision { id } => format!("没有决策 {id}；`apportion history` 可列出全部。"),
        Missing::Limit { workload, resource: of } => format!("{workload} 的{}没有上限，无从比较。", resource(*of)),
        Missing::Counterfactual { id } => format!("决策 {id} 若给得更少会怎样无从得知：用量记录太少。"),
        Missing::None => "就现有记录而言，没有这样的负载。".to_owned(),
        Missing::Savings { span } => format!("{} 没有改动生效，因此没有节省。", between(*span, clock)),
        Missing::LeftOut { workloads } => format!("另有 {workloads} 个符合的没有列出，请指明更少的。"),
        Missing::Unreadable { why } => format!("没能读出存储（{why}），所以这个回答可能不全。"),
        Missing::Percentile { asked } => format!("没有给出 {asked}：给出的是中位数、p95 和最大值。"),
        Missing::Instructions => "没有生效的指令。`apportion instructions --all` 可列出过去的。".to_owned(),
        Missing::Machine => "机器的总量在此未知；`apportion run` 运行时可知。".to_owned(),
        Missing::Names => "账本记录说了什么、做了什么，不记录是谁说的。".to_owned(),
        Missing::OtherDemand => {
            "需求变化会怎样不在账本中：`apportion replay --what-if` 可在历史用量上推演，`apportion tell` 可显示会做什么。".to_owned()
        }
        Missing::Examples { asked: true } => format!("{EXAMPLES}也可以用 `apportion tell` 告知将有什么变化、必须保证什么、哪里不对。"),
        Missing::Examples { asked: false } => format!("没有听懂问的是什么。{EXAMPLES}"),
        Missing::ToTell => "这句像是指令；提问不做改动，请用 `apportion tell`。".to_owned(),
        Missing::Unread { why } => format!("没有读取：{why}。"),
    }
}
