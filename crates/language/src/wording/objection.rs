//! What stands against an instruction, in words, with the nearest thing that works.

use super::{amount, figure, moment::Clock, resource_amount};
use crate::Language::{self, En, Zh};
use apportion_core::{InstructionId, Knob, Objection, Resource, Time};

/// What stands against an instruction and what a person can do about it; times as `clock` tells them.
#[must_use]
pub fn objection(objection: &Objection, clock: &Clock) -> String {
    match clock.language() {
        En => english(objection, clock),
        Zh => chinese(objection, clock),
    }
}

fn english(objection: &Objection, clock: &Clock) -> String {
    match objection {
        Objection::NoSuchWorkload { name, nearest } if nearest.is_empty() => format!(
            "No workload is called {name}; `apportion status` lists them, and --workload {name} says that there will be one."
        ),
        Objection::NoSuchWorkload { name, nearest } => {
            format!("No workload is called {name}; did you mean {}?", nearest.join(" or "))
        }
        Objection::Past { end } => format!("The window is over: it ended {}. Say a time to come.", clock.full(*end)),
        Objection::NothingToSet => {
            "Nothing that can be set here counts in that. What can be: cores, memory, disk and network throughput."
                .to_owned()
        }
        Objection::ShareOfUnknown { resource } => share_of_unknown(*resource),
        Objection::FloorOnTotal => FLOOR_ON_TOTAL.to_owned(),
        Objection::NotMeasured { workload } => format!(
            "Requests of {workload} are not measured, so that many more cannot be sized. Say a factor, such as \"expect 2x traffic\"."
        ),
        Objection::MoreThanMachine { resource, asked, has } => {
            let [asked, has] = [asked, has].map(|value| resource_amount(*resource, *value, En));
            format!("The machine has {has} and not {asked}. {has} at the most works.")
        }
        Objection::FloorAboveCeiling { workload, knob, floor, ceiling, by } => {
            let (floor, ceiling) = (amount(*knob, *floor, En), amount(*knob, *ceiling, En));
            let (who, remedy) = bound_giver(*by);
            format!(
                "{workload} would have at least {floor} and at most {ceiling}; the other bound is from {who}. {remedy}, or stay within it."
            )
        }
        Objection::CeilingTooSmall { knob, asked, least } => {
            format!("Nothing runs with {}. {} or more works.", amount(*knob, *asked, En), amount(*knob, *least, En))
        }
        Objection::BelowUse { workload, knob, asked, used, others } => {
            let more = if *others == 0 { String::new() } else { format!(" ({others} more use more than that too)") };
            let (used, asked) = (amount(*knob, *used, En), amount(*knob, *asked, En));
            format!("{workload} uses {used} now, more than {asked}{more}.")
        }
        Objection::FloorsTogether { resource, sum, has, left } => {
            let [sum, has, left] = [sum, has, left].map(|value| resource_amount(*resource, *value, En));
            format!("All floors together would be {sum} and the machine has {has}. At least {left} each works.")
        }
        Objection::SaidAlready { by: InstructionId(id) } => format!("Instruction {id} says the same and stands."),
        Objection::NothingToUndo => {
            "No instruction stands that this could take back. `apportion rollback` takes back changes of knobs."
                .to_owned()
        }
        Objection::Replaces { what: InstructionId(id) } => {
            format!("It takes the place of instruction {id}, which is revoked.")
        }
        Objection::Held { workload, by, until } => held(workload, *by, *until, clock),
        Objection::RecommendOnly { workloads } => format!(
            "{workloads} of them {} only recommended for: it changes what is recommended and sets nothing.",
            if *workloads == 1 { "is" } else { "are" }
        ),
        Objection::Tighter { workload, knob, bound, by } => tighter(workload.as_deref(), *knob, *bound, *by),
        Objection::BeyondMachine { resource, workloads, asked, has } => beyond(*resource, *workloads, [*asked, *has]),
        Objection::NoEnd => "It has no end: it stands until it is revoked.".to_owned(),
        Objection::NoSize { factor } => format!("No size was said; {} times usual is taken.", figure(*factor)),
    }
}

/// Who gave a bound, and what a person who wants another does first.
fn bound_giver(by: Option<InstructionId>) -> (String, String) {
    by.map_or_else(
        || ("the configuration".to_owned(), "Change the configuration".to_owned()),
        |InstructionId(id)| (format!("instruction {id}"), format!("`apportion instructions revoke {id}` first")),
    )
}

const FLOOR_ON_TOTAL: &str =
    "Everything together can have a most, not a least. Name the workloads, each of which is to have at least that.";

fn share_of_unknown(resource: Option<Resource>) -> String {
    let what = resource.map_or("of everything", |resource| of_all(resource, En));
    let instead = example(resource);
    format!(
        "How much {what} there is in all is not known here, so a share of it sets nothing. Say an amount, such as \"{instead}\"."
    )
}

fn held(workload: &str, InstructionId(id): InstructionId, until: Option<Time>, clock: &Clock) -> String {
    let until =
        until.map_or_else(|| "until that is released".to_owned(), |until| format!("until {}", clock.full(until)));
    format!("{workload} is held by instruction {id} {until}; nothing of it is changed meanwhile.")
}

fn tighter(workload: Option<&str>, knob: Knob, bound: f64, by: Option<InstructionId>) -> String {
    let who = by.map_or_else(|| "The configuration".to_owned(), |InstructionId(id)| format!("Instruction {id}"));
    let whom = workload.unwrap_or("everything together");
    format!("{who} is tighter and still counts: {} for {whom}.", amount(knob, bound, En))
}

fn beyond(resource: Resource, workloads: usize, amounts: [f64; 2]) -> String {
    let who = if workloads == 1 { "It".to_owned() } else { format!("The {workloads} together") };
    let [asked, has] = amounts.map(|value| resource_amount(resource, value, En));
    format!(
        "{who} would use about {asked} by the mean of the last day, and the machine has {has}: what there is is shared out by priority."
    )
}

fn bound_giver_chinese(by: Option<InstructionId>) -> (String, String) {
    by.map_or_else(
        || ("配置文件".to_owned(), "请修改配置".to_owned()),
        |InstructionId(id)| (format!("指令 {id}"), format!("请先执行 `apportion instructions revoke {id}`")),
    )
}

fn chinese(objection: &Objection, clock: &Clock) -> String {
    match objection {
        Objection::NoSuchWorkload { name, nearest } if nearest.is_empty() => {
            format!("没有名为 {name} 的服务；用 `apportion status` 查看，或用 --workload {name} 说明它将会存在。")
        }
        Objection::NoSuchWorkload { name, nearest } => {
            format!("没有名为 {name} 的服务；是否指 {}？", nearest.join("、"))
        }
        Objection::Past { end } => format!("时间窗口已过：结束于 {}。请给出将来的时间。", clock.full(*end)),
        Objection::NothingToSet => {
            "这里没有可以据此设置的资源。可以设置的有：CPU 核数、内存、磁盘和网络吞吐。".to_owned()
        }
        Objection::ShareOfUnknown { resource } => format!(
            "这里不知道{}的总量，所以按比例无法设置。请改说数量，例如“{}”。",
            resource.map_or("各种资源", |resource| of_all(resource, Zh)),
            example(*resource)
        ),
        Objection::FloorOnTotal => {
            "所有服务合计只能设上限，不能设下限。请点名各个服务，让它们各自至少有这么多。".to_owned()
        }
        Objection::NotMeasured { workload } => {
            format!("{workload} 的请求量没有采集，无法换算。请改说倍数，例如“流量翻倍”。")
        }
        Objection::MoreThanMachine { resource, asked, has } => {
            let told = |value| resource_amount(*resource, value, Zh);
            format!("机器只有 {}，没有 {}。最多可以是 {}。", told(*has), told(*asked), told(*has))
        }
        Objection::FloorAboveCeiling { workload, knob, floor, ceiling, by } => {
            let (floor, ceiling) = (amount(*knob, *floor, Zh), amount(*knob, *ceiling, Zh));
            let (who, remedy) = bound_giver_chinese(*by);
            format!("{workload} 将至少 {floor} 而至多 {ceiling}，另一个界限来自{who}。{remedy}，或改为不超出它。")
        }
        Objection::CeilingTooSmall { knob, asked, least } => {
            format!("{} 什么也运行不了。{} 或更多可行。", amount(*knob, *asked, Zh), amount(*knob, *least, Zh))
        }
        Objection::BelowUse { workload, knob, asked, used, others } => {
            let more = if *others == 0 { String::new() } else { format!("（另有 {others} 个也超过）") };
            format!("{workload} 现在用 {}，超过 {}{more}。", amount(*knob, *used, Zh), amount(*knob, *asked, Zh))
        }
        Objection::FloorsTogether { resource, sum, has, left } => {
            let told = |value| resource_amount(*resource, value, Zh);
            format!("所有下限合计 {}，机器只有 {}。每个至少 {} 可行。", told(*sum), told(*has), told(*left))
        }
        Objection::SaidAlready { by: InstructionId(id) } => format!("指令 {id} 与此相同，仍然有效。"),
        Objection::NothingToUndo => "没有可以撤销的指令。要撤回已做的调整，请用 `apportion rollback`。".to_owned(),
        Objection::Replaces { what: InstructionId(id) } => format!("它取代指令 {id}，后者将被撤销。"),
        Objection::Held { workload, by: InstructionId(id), until } => {
            let until = until.map_or_else(|| "直到解除".to_owned(), |until| format!("直到 {}", clock.full(until)));
            format!("{workload} 被指令 {id} 冻结，{until}；期间不做任何调整。")
        }
        Objection::RecommendOnly { workloads } => {
            format!("其中 {workloads} 个只给建议：它会改变建议，不会改动任何设置。")
        }
        Objection::Tighter { workload, knob, bound, by } => {
            let who = by.map_or_else(|| "配置文件".to_owned(), |InstructionId(id)| format!("指令 {id}"));
            let whom = workload.as_deref().unwrap_or("所有服务合计");
            format!("{who}更严格，仍然有效：{whom} 为 {}。", amount(*knob, *bound, Zh))
        }
        Objection::BeyondMachine { resource, workloads, asked, has } => {
            let told = |value| resource_amount(*resource, value, Zh);
            let who = if *workloads == 1 { "它".to_owned() } else { format!("这 {workloads} 个合计") };
            format!("按过去一天的平均值，{who}将用约 {}，而机器只有 {}：届时按优先级分配。", told(*asked), told(*has))
        }
        Objection::NoEnd => "没有结束时间：在撤销之前一直有效。".to_owned(),
        Objection::NoSize { factor } => format!("没有说明幅度，按平时的 {} 倍计算。", figure(*factor)),
    }
}

/// A resource as what there is of it in all.
const fn of_all(resource: Resource, language: Language) -> &'static str {
    match (resource, language) {
        (Resource::Cpu, _) => "CPU",
        (Resource::Memory, En) => "memory",
        (Resource::Memory, Zh) => "内存",
        (Resource::Storage, En) => "disk throughput",
        (Resource::Storage, Zh) => "磁盘吞吐",
        (Resource::Network, En) => "network throughput",
        (Resource::Network, Zh) => "网络带宽",
    }
}

const fn example(resource: Option<Resource>) -> &'static str {
    match resource {
        Some(Resource::Memory) => "4 GiB",
        Some(Resource::Storage) => "50 MB/s",
        Some(Resource::Network) => "100 Mbit/s",
        Some(Resource::Cpu) | None => "2 cores",
    }
}
