//! Explanations: what they say, and that they say nothing that the record does not hold.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod invented;

use apportion_core::{
    Binding, Change, Counterfactual, Decision, DecisionId, InstructionId, Knob, Outcome, Reason, Setting, Time,
    Verdict, WorkloadId,
    plan::{Expected, Used},
    workload::Asked,
};
use apportion_language::{
    Language,
    wording::{explain, headline, unfounded},
};
use expect_test::{Expect, expect};
use invented::{bindings, refusals, some_decision, zone};
use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;

const LANGUAGES: [Language; 2] = [Language::En, Language::Zh];

fn at(text: &str) -> Time {
    Time(text.parse::<Timestamp>().unwrap().as_millisecond())
}

fn reason() -> Reason {
    Reason {
        used: Some(Used {
            window_s: 86_400.0,
            present_share: 0.96,
            seen_s: 2_500_000.0,
            p50: 0.31,
            p95: 0.52,
            max: 1.184,
            max_at: at("2026-11-21T12:00:00Z"),
        }),
        expected: Some(Expected {
            by: "mstl".to_owned(),
            score: Some(0.812),
            horizon_s: 7_200.0,
            peak_at: at("2026-11-22T03:00:00Z"),
            peak: [0.7, 0.9, 1.23],
        }),
        quantile: 0.99,
        margin: 1.25,
        binding: Binding::Forecast,
        counterfactual: Some(Counterfactual {
            value: 0.5,
            window_s: 604_800.0,
            over_s: 2_280.0,
            worst_day: Some(at("2026-11-17T00:00:00Z")),
            worst_day_over_s: 1_800.0,
        }),
        asked: None,
        bound: None,
        said: Vec::new(),
    }
}

fn decision(verdict: Verdict) -> Decision {
    Decision {
        id: DecisionId(41),
        time: at("2026-11-22T02:05:00Z"),
        change: Change {
            workload: WorkloadId::new("checkout"),
            knob: Knob::CpuQuota,
            from: Setting::Value(2.0),
            to: Setting::Value(1.4),
            reason: reason(),
        },
        verdict,
    }
}

fn admitted(to: f64, outcome: Outcome) -> Verdict {
    Verdict::Admitted { to: Setting::Value(to), outcome }
}

fn told(decision: &Decision) -> String {
    let zone = TimeZone::fixed(jiff::tz::offset(8));
    let words = LANGUAGES.map(|language| {
        let (long, short) = (explain(decision, language, &zone), headline(decision, language));
        assert_eq!(unfounded(&long, decision, &zone), Vec::<String>::new(), "{long}");
        assert_eq!(unfounded(&short, decision, &zone), Vec::<String>::new(), "{short}");
        format!("{short}\n{long}\n")
    });
    words.concat()
}

fn check(decision: &Decision, expect: &Expect) {
    expect.assert_eq(&told(decision));
}

#[test]
fn applied_cut() {
    check(
        &decision(admitted(1.4, Outcome::Applied { read_back: Setting::Value(1.4) })),
        &expect![[r#"
            checkout CPU limit 2 cores → 1.4 cores: applied
            Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit was lowered from 2 cores to 1.4 cores, and reads back as 1.4 cores. In the last day (measured 96% of the time) it used 0.31 cores at the median, 0.52 cores at p95 and 1.18 cores at most, on Saturday 20:00. The mstl forecast for the next 2 hours peaks on Sunday 11:00 at 0.9 cores, from 0.7 cores (p10) to 1.23 cores (p90); its back-test loss is 0.81 times that of repeating the season. What decided: the forecast, so that demand is covered 99% of the time, times 1.25 for earlier harm. At 0.5 cores it would have been throttled for 38 minutes in the last 7 days, 30 minutes of that on Tuesday (UTC). To undo it: apportion rollback 41.
            checkout CPU 上限 2 核 → 1.4 核：已生效
            决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限已由 2 核降到 1.4 核，读回值为 1.4 核。最近 1 天（96% 的时间有数据）的用量：中位数 0.31 核，p95 为 0.52 核，最高 1.18 核（周六 20:00）。mstl 预测未来 2 小时将在周日 11:00 达到峰值 0.9 核，p10 到 p90 为 0.7 核到 1.23 核；回测损失为季节重复法的 0.81 倍。决定因素：预测，使需求在 99% 的时间内得到满足；因先前的下调造成影响，再乘以 1.25。若为 0.5 核，最近 7 天内会被限流 38 分钟，其中周二 (UTC) 占 30 分钟。撤销命令：apportion rollback 41。
        "#]],
    );
}

#[test]
fn what_people_and_signals_caused_is_said() {
    let check = |asked: Option<Asked>, binding: Binding, bound: Option<f64>, said: &[i64], says: &[&str], not: &str| {
        let mut decision = decision(admitted(1.4, Outcome::DryRun));
        let said = said.iter().copied().map(InstructionId).collect();
        let margin = 1.25 * asked.map_or(1.0, |asked| asked.factor);
        decision.change.reason = Reason { asked, bound, said, margin, ..Reason::only(binding) };
        let words = told(&decision);
        assert!(says.iter().all(|part| words.contains(part)), "{words}");
        assert!(!words.contains(not), "{words}");
    };
    let asked = |factor, added, by_signal| Some(Asked { factor, added, by_signal });
    check(
        asked(1.5, 2.0, false),
        Binding::Recent,
        None,
        &[3, 12],
        &[
            "times 1.25 for earlier harm",
            "People reported: times 1.5 what is enough and 2 cores more.",
            "Instructions 3, 12 bear on it (apportion instructions show 3).",
            "人工反映：按所需的 1.5 倍，增加 2 核。",
            "相关指令：3、12（apportion instructions show 3）。",
        ],
        "alert",
    );
    check(
        asked(1.2, 0.0, true),
        Binding::Recent,
        None,
        &[],
        &["An alert or a log line counts as: times 1.2 what is enough.", "告警或日志计为"],
        "People",
    );
    check(
        None,
        Binding::Ceiling,
        Some(1.4),
        &[7],
        &["the most that people allow, 1.4 cores.", "Instruction 7 bears on it", "人工设定的上限 1.4 核。"],
        "reported",
    );
    check(None, Binding::Floor, Some(2.0), &[], &["the least that people allow, 2 cores."], "Instruction");
}

#[test]
fn every_outcome() {
    let outcomes = [
        Outcome::Unchanged,
        Outcome::DryRun,
        Outcome::Drifted { found: Setting::Value(4.0) },
        Outcome::Failed { error: "/sys/fs/cgroup/x/cpu.max: permission denied (os error 13)".to_owned() },
    ];
    let told: Vec<String> = outcomes
        .map(|outcome| {
            let mut decision = decision(admitted(1.6, outcome));
            decision.change.reason = Reason::only(Binding::StepLimit);
            told(&decision)
        })
        .into();
    expect![[r#"
        checkout CPU limit 2 cores → 1.6 cores: already so
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit is 1.6 cores already; there was nothing to write. The plan had asked for 1.4 cores; the guard let it go no further than its limits (size of a step, bounds, what is in use). What decided: the most that may change in one step.
        checkout CPU 上限 2 核 → 1.6 核：本已如此
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限已经是 1.6 核，无需写入。计划原本提出 1.4 核，护栏按其限度（单步幅度、上下限、当前用量）作了调整。决定因素：单步改动的最大幅度。
        checkout CPU limit 2 cores → 1.6 cores: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be lowered from 2 cores to 1.6 cores. Dry run: nothing was written. The plan had asked for 1.4 cores; the guard let it go no further than its limits (size of a step, bounds, what is in use). What decided: the most that may change in one step.
        checkout CPU 上限 2 核 → 1.6 核：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将由 2 核降到 1.6 核；试运行，未写入。计划原本提出 1.4 核，护栏按其限度（单步幅度、上下限、当前用量）作了调整。决定因素：单步改动的最大幅度。
        checkout CPU limit 2 cores → 1.6 cores: not applied, changed by someone else meanwhile
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit was not lowered from 2 cores to 1.6 cores: by the time of writing it held 4 cores, so someone else had set it and nothing was written. Settle who owns this limit. The plan had asked for 1.4 cores; the guard let it go no further than its limits (size of a step, bounds, what is in use). What decided: the most that may change in one step.
        checkout CPU 上限 2 核 → 1.6 核：未执行，其间已被他人改动
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限未能由 2 核降到 1.6 核：写入时其值为 4 核，说明已被他人改动，故未写入。请先确定由谁管理该上限。计划原本提出 1.4 核，护栏按其限度（单步幅度、上下限、当前用量）作了调整。决定因素：单步改动的最大幅度。
        checkout CPU limit 2 cores → 1.6 cores: failed
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit could not be lowered from 2 cores to 1.6 cores: /sys/fs/cgroup/x/cpu.max: permission denied (os error 13). Check that what is named there exists and that Apportion may change it; it is tried again after a pause, which grows from seconds to a few minutes. The plan had asked for 1.4 cores; the guard let it go no further than its limits (size of a step, bounds, what is in use). What decided: the most that may change in one step.
        checkout CPU 上限 2 核 → 1.6 核：失败
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限未能由 2 核降到 1.6 核：/sys/fs/cgroup/x/cpu.max: permission denied (os error 13)。请检查其中所指是否存在、Apportion 是否有权改动；会间隔一段时间后重试，间隔从数秒逐渐加长到几分钟。计划原本提出 1.4 核，护栏按其限度（单步幅度、上下限、当前用量）作了调整。决定因素：单步改动的最大幅度。
    "#]].assert_eq(&told.concat());
}

#[test]
fn every_refusal() {
    let told: Vec<String> = refusals(4.25)
        .into_iter()
        .map(|why| {
            let mut decision = decision(Verdict::Refused { why });
            decision.change.reason = Reason::only(Binding::Recent);
            told(&decision)
        })
        .collect();
    expect![[r#"
        checkout CPU limit 2 cores → 1.4 cores: refused, the workload is gone
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit stays at 2 cores; 1.4 cores was proposed. Refused: the workload is gone. It is sized again when it comes back. What decided: recent use, as nothing better is known yet.
        checkout CPU 上限 2 核 → 1.4 核：已拒绝，该负载已不存在
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限保持 2 核；提议的值为 1.4 核。已拒绝：该负载已不存在；待其恢复后会重新评估。决定因素：近期用量，暂无更好的依据。
        checkout CPU limit 2 cores → 1.4 cores: refused, nothing here can set it
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit stays at 2 cores; 1.4 cores was proposed. Refused: nothing here can set this limit. Check that the controller is enabled for its group and that Apportion may write there. What decided: recent use, as nothing better is known yet.
        checkout CPU 上限 2 核 → 1.4 核：已拒绝，此处无法设置
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限保持 2 核；提议的值为 1.4 核。已拒绝：此处无法设置该上限。请检查其所在组是否启用了相应控制器，以及 Apportion 是否有写权限。决定因素：近期用量，暂无更好的依据。
        checkout CPU limit 2 cores → 1.4 cores: refused, protected group
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit stays at 2 cores; 1.4 cores was proposed. Refused: this is the machine itself, init's group or Apportion's own, which are never changed. What decided: recent use, as nothing better is known yet.
        checkout CPU 上限 2 核 → 1.4 核：已拒绝，受保护的组
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限保持 2 核；提议的值为 1.4 核。已拒绝：这是整机、init 或 Apportion 自身所在的组，从不改动。决定因素：近期用量，暂无更好的依据。
        checkout CPU limit 2 cores → 1.4 cores: refused, not a number
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit stays at 2 cores; 1.4 cores was proposed. Refused: the proposed value is no number that can be set. This is a fault of the policy; please report it. What decided: recent use, as nothing better is known yet.
        checkout CPU 上限 2 核 → 1.4 核：已拒绝，不是有效数值
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限保持 2 核；提议的值为 1.4 核。已拒绝：提议的值不是可设置的数值。这是策略的缺陷，请反馈。决定因素：近期用量，暂无更好的依据。
        checkout CPU limit 2 cores → 1.4 cores: refused, changed by someone else
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit stays at 2 cores; 1.4 cores was proposed. Refused: we had set 4.25 cores and found unlimited, set by someone else, so we keep off. Hand checkout over again to have it managed. What decided: recent use, as nothing better is known yet.
        checkout CPU 上限 2 核 → 1.4 核：已拒绝，已被他人改动
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限保持 2 核；提议的值为 1.4 核。已拒绝：我们设置的值为 4.25 核，现值为 不限，已被他人改动，因此不再干预。如需继续管理，请重新移交 checkout。决定因素：近期用量，暂无更好的依据。
        checkout CPU limit 2 cores → 1.4 cores: recommended
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit should be lowered from 2 cores to 1.4 cores. Not applied: for checkout changes are only recommended; allow them in the configuration to have them applied. What decided: recent use, as nothing better is known yet.
        checkout CPU 上限 2 核 → 1.4 核：仅作建议
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限建议由 2 核降到 1.4 核。未执行：对 checkout 只给建议；如需生效，请在配置中允许改动。决定因素：近期用量，暂无更好的依据。
        checkout CPU limit 2 cores → 1.4 cores: refused, on hold
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit stays at 2 cores; 1.4 cores was proposed. Refused: on hold (“freeze until 6 pm, ticket 4711”). Lift the hold to allow changes. What decided: recent use, as nothing better is known yet.
        checkout CPU 上限 2 核 → 1.4 核：已拒绝，处于冻结中
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限保持 2 核；提议的值为 1.4 核。已拒绝：处于冻结中（“freeze until 6 pm, ticket 4711”）。解除冻结后方可改动。决定因素：近期用量，暂无更好的依据。
        checkout CPU limit 2 cores → 1.4 cores: refused, telemetry too old
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit stays at 2 cores; 1.4 cores was proposed. Refused: cpu_cores is 7.08 minutes old, too old to decide on. Check its source. What decided: recent use, as nothing better is known yet.
        checkout CPU 上限 2 核 → 1.4 核：已拒绝，遥测数据过旧
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限保持 2 核；提议的值为 1.4 核。已拒绝：cpu_cores 是 7.08 分钟前的数据，太旧，不足以决策。请检查数据来源。决定因素：近期用量，暂无更好的依据。
        checkout CPU limit 2 cores → 1.4 cores: refused, telemetry too old
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit stays at 2 cores; 1.4 cores was proposed. Refused: p99_ms has never been read, so there is nothing to decide on. Check its source. What decided: recent use, as nothing better is known yet.
        checkout CPU 上限 2 核 → 1.4 核：已拒绝，遥测数据过旧
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限保持 2 核；提议的值为 1.4 核。已拒绝：从未读到 p99_ms，无从决策。请检查数据来源。决定因素：近期用量，暂无更好的依据。
        checkout CPU limit 2 cores → 1.4 cores: refused, too small a change
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit stays at 2 cores; 1.4 cores was proposed. Refused: a change by 0.43% of the former value is too small to be worth it. What decided: recent use, as nothing better is known yet.
        checkout CPU 上限 2 核 → 1.4 核：已拒绝，变化太小
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限保持 2 核；提议的值为 1.4 核。已拒绝：变化仅为原值的 0.43%，不值得改动。决定因素：近期用量，暂无更好的依据。
        checkout CPU limit 2 cores → 1.4 cores: refused, too little seen
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit stays at 2 cores; 1.4 cores was proposed. Refused: only 29.8 seconds of its use have been seen, and a cut needs 1 hour. What decided: recent use, as nothing better is known yet.
        checkout CPU 上限 2 核 → 1.4 核：已拒绝，观察时间不足
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限保持 2 核；提议的值为 1.4 核。已拒绝：只观察到 29.8 秒 的用量，要下调须先观察 1 小时。决定因素：近期用量，暂无更好的依据。
        checkout CPU limit 2 cores → 1.4 cores: refused, cooling down
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit stays at 2 cores; 1.4 cores was proposed. Refused: it was changed a short while ago, and a cut has to wait 42.5 seconds more. What decided: recent use, as nothing better is known yet.
        checkout CPU 上限 2 核 → 1.4 核：已拒绝，冷却中
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限保持 2 核；提议的值为 1.4 核。已拒绝：刚改动过，还需等待 42.5 秒才能下调。决定因素：近期用量，暂无更好的依据。
        checkout CPU limit 2 cores → 1.4 cores: refused, waiting after a failure
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit stays at 2 cores; 1.4 cores was proposed. Refused: it could not be set a while ago (nft -f -: No such file or directory); it is tried again in 21.2 seconds. What decided: recent use, as nothing better is known yet.
        checkout CPU 上限 2 核 → 1.4 核：已拒绝，失败后等待重试
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限保持 2 核；提议的值为 1.4 核。已拒绝：此前设置失败（nft -f -: No such file or directory），21.2 秒后重试。决定因素：近期用量，暂无更好的依据。
        checkout CPU limit 2 cores → 1.4 cores: refused, enough workloads cut for now
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit stays at 2 cores; 1.4 cores was proposed. Refused: workloads cut in this period: 3, allowed: 2. The cut is tried again when the period is over. What decided: recent use, as nothing better is known yet.
        checkout CPU 上限 2 核 → 1.4 核：已拒绝，本周期下调的负载已够多
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限保持 2 核；提议的值为 1.4 核。已拒绝：本周期已下调 3 个负载，最多允许 2 个；周期结束后会重试。决定因素：近期用量，暂无更好的依据。
    "#]].assert_eq(&told.concat());
}

#[test]
fn every_binding() {
    let told: Vec<String> = bindings(6.5)
        .into_iter()
        .map(|binding| {
            let mut decision = decision(admitted(1.4, Outcome::DryRun));
            decision.change.reason = Reason::only(binding);
            told(&decision)
        })
        .collect();
    expect![[r#"
        checkout CPU limit 2 cores → 1.4 cores: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be lowered from 2 cores to 1.4 cores. Dry run: nothing was written. What decided: the forecast, so that demand is covered 0% of the time.
        checkout CPU 上限 2 核 → 1.4 核：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将由 2 核降到 1.4 核；试运行，未写入。决定因素：预测，使需求在 0% 的时间内得到满足。
        checkout CPU limit 2 cores → 1.4 cores: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be lowered from 2 cores to 1.4 cores. Dry run: nothing was written. What decided: recent use, as nothing better is known yet.
        checkout CPU 上限 2 核 → 1.4 核：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将由 2 核降到 1.4 核；试运行，未写入。决定因素：近期用量，暂无更好的依据。
        checkout CPU limit 2 cores → 1.4 cores: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be lowered from 2 cores to 1.4 cores. Dry run: nothing was written. What decided: there is little history yet, so it gets a wide margin on what was seen.
        checkout CPU 上限 2 核 → 1.4 核：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将由 2 核降到 1.4 核；试运行，未写入。决定因素：历史太短，在已见用量上留出较大余量。
        checkout CPU limit 2 cores → 1.4 cores: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be lowered from 2 cores to 1.4 cores. Dry run: nothing was written. What decided: there is little history yet, so it gets what others like it needed, with a wide margin.
        checkout CPU 上限 2 核 → 1.4 核：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将由 2 核降到 1.4 核；试运行，未写入。决定因素：历史太短，参照相似负载的用量并留出余量。
        checkout CPU limit 2 cores → 1.4 cores: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be lowered from 2 cores to 1.4 cores. Dry run: nothing was written. What decided: what people announced; usual demand would need 4.55 cores.
        checkout CPU 上限 2 核 → 1.4 核：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将由 2 核降到 1.4 核；试运行，未写入。决定因素：人工预告的需求；平常需要 4.55 核。
        checkout CPU limit 2 cores → 1.4 cores: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be lowered from 2 cores to 1.4 cores. Dry run: nothing was written. What decided: the least that people allow.
        checkout CPU 上限 2 核 → 1.4 核：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将由 2 核降到 1.4 核；试运行，未写入。决定因素：人工设定的下限。
        checkout CPU limit 2 cores → 1.4 cores: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be lowered from 2 cores to 1.4 cores. Dry run: nothing was written. What decided: the most that people allow.
        checkout CPU 上限 2 核 → 1.4 核：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将由 2 核降到 1.4 核；试运行，未写入。决定因素：人工设定的上限。
        checkout CPU limit 2 cores → 1.4 cores: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be lowered from 2 cores to 1.4 cores. Dry run: nothing was written. What decided: all workloads together want 13 cores; the 6.5 cores there is gets shared out by priority and weight.
        checkout CPU 上限 2 核 → 1.4 核：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将由 2 核降到 1.4 核；试运行，未写入。决定因素：所有负载共需 13 核，而总量只有 6.5 核，按优先级和权重分配。
        checkout CPU limit 2 cores → 1.4 cores: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be lowered from 2 cores to 1.4 cores. Dry run: nothing was written. What decided: the most that may change in one step.
        checkout CPU 上限 2 核 → 1.4 核：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将由 2 核降到 1.4 核；试运行，未写入。决定因素：单步改动的最大幅度。
        checkout CPU limit 2 cores → 1.4 cores: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be lowered from 2 cores to 1.4 cores. Dry run: nothing was written. What decided: the memory in use now, with headroom.
        checkout CPU 上限 2 核 → 1.4 核：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将由 2 核降到 1.4 核；试运行，未写入。决定因素：当前占用的内存加余量。
        checkout CPU limit 2 cores → 1.4 cores: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be lowered from 2 cores to 1.4 cores. Dry run: nothing was written. What decided: decision 17 hurt and is taken back.
        checkout CPU 上限 2 核 → 1.4 核：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将由 2 核降到 1.4 核；试运行，未写入。决定因素：决策 17 造成了影响，予以撤回。
        checkout CPU limit 2 cores → 1.4 cores: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be lowered from 2 cores to 1.4 cores. Dry run: nothing was written. What decided: a person took decision 17 back.
        checkout CPU 上限 2 核 → 1.4 核：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将由 2 核降到 1.4 核；试运行，未写入。决定因素：人工撤回了决策 17。
        checkout CPU limit 2 cores → 1.4 cores: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be lowered from 2 cores to 1.4 cores. Dry run: nothing was written. What decided: the most that people allowed, for which decision 17 was made, is over.
        checkout CPU 上限 2 核 → 1.4 核：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将由 2 核降到 1.4 核；试运行，未写入。决定因素：人工设定的上限已经结束，决策 17 只为它而作。
        checkout CPU limit 2 cores → 1.4 cores: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be lowered from 2 cores to 1.4 cores. Dry run: nothing was written. What decided: this limit got lost with what held it, so it is set again as it was.
        checkout CPU 上限 2 核 → 1.4 核：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将由 2 核降到 1.4 核；试运行，未写入。决定因素：这项限制随承载它的规则一起丢失了，现按原值重新设定。
        checkout CPU limit 2 cores → 1.4 cores: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be lowered from 2 cores to 1.4 cores. Dry run: nothing was written. What decided: the rule of autopilot-ml2.
        checkout CPU 上限 2 核 → 1.4 核：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将由 2 核降到 1.4 核；试运行，未写入。决定因素：autopilot-ml2 的规则。
    "#]].assert_eq(&told.concat());
}

#[test]
fn no_limit_before_or_after() {
    let mut imposed = decision(admitted(1.4, Outcome::DryRun));
    imposed.change.from = Setting::Unlimited;
    let mut lifted = decision(Verdict::Admitted { to: Setting::Unlimited, outcome: Outcome::DryRun });
    lifted.change.to = Setting::Unlimited;
    for decision in [&mut imposed, &mut lifted] {
        decision.change.reason = Reason::only(Binding::RolledBack { of: DecisionId(17) });
    }
    expect![[r#"
        checkout CPU limit unlimited → 1.4 cores: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be set to 1.4 cores (it was unlimited). Dry run: nothing was written. What decided: a person took decision 17 back.
        checkout CPU 上限 不限 → 1.4 核：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将设为 1.4 核（此前不限）；试运行，未写入。决定因素：人工撤回了决策 17。
        checkout CPU limit 2 cores → unlimited: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the CPU limit would be lifted (it was 2 cores). Dry run: nothing was written. What decided: a person took decision 17 back.
        checkout CPU 上限 2 核 → 不限：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的 CPU 上限将取消（此前为 2 核）；试运行，未写入。决定因素：人工撤回了决策 17。
    "#]].assert_eq(&format!("{}{}", told(&imposed), told(&lifted)));
}

#[test]
fn the_next_lower_size() {
    let told: Vec<String> = [
        (Knob::MemoryMax, 0.0, None, 0.0),
        (Knob::MemoryMax, 600.0, Some(at("2026-11-17T00:00:00Z")), 600.0),
        (Knob::IoReadMax, 60.0, None, 0.0),
    ]
    .into_iter()
    .map(|(knob, over_s, worst_day, worst_day_over_s)| {
        let mut decision = decision(admitted(2e9, Outcome::DryRun));
        decision.change.knob = knob;
        decision.change.from = Setting::Value(3e9);
        decision.change.to = Setting::Value(2e9);
        let lower = Counterfactual { value: 1.5e9, window_s: 604_800.0, over_s, worst_day, worst_day_over_s };
        decision.change.reason = Reason { counterfactual: Some(lower), ..Reason::only(Binding::Floor) };
        told(&decision)
    })
    .collect();
    expect![[r#"
        checkout hard memory limit 2.79 GiB → 1.86 GiB: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the hard memory limit would be lowered from 2.79 GiB to 1.86 GiB. Dry run: nothing was written. What decided: the least that people allow. At 1.4 GiB it would not have been short of memory in the last 7 days either.
        checkout 内存硬上限 2.79 GiB → 1.86 GiB：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的内存硬上限将由 2.79 GiB 降到 1.86 GiB；试运行，未写入。决定因素：人工设定的下限。若为 1.4 GiB，最近 7 天内也不会内存不足。
        checkout hard memory limit 2.79 GiB → 1.86 GiB: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the hard memory limit would be lowered from 2.79 GiB to 1.86 GiB. Dry run: nothing was written. What decided: the least that people allow. At 1.4 GiB it would have been short of memory for 10 minutes on Tuesday (UTC).
        checkout 内存硬上限 2.79 GiB → 1.86 GiB：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的内存硬上限将由 2.79 GiB 降到 1.86 GiB；试运行，未写入。决定因素：人工设定的下限。若为 1.4 GiB，周二 (UTC) 会内存不足 10 分钟。
        checkout disk read limit 3 GB/s → 2 GB/s: dry run
        Decision 41, Sunday 22 November 2026 10:05. checkout: the disk read limit would be lowered from 3 GB/s to 2 GB/s. Dry run: nothing was written. What decided: the least that people allow. At 1.5 GB/s it would have been slowed down for 1 minute in the last 7 days.
        checkout 磁盘读上限 3 GB/s → 2 GB/s：试运行
        决策 41，2026年11月22日周日 10:05。checkout 的磁盘读上限将由 3 GB/s 降到 2 GB/s；试运行，未写入。决定因素：人工设定的下限。若为 1.5 GB/s，最近 7 天内会被限速 1 分钟。
    "#]].assert_eq(&told.concat());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_number_is_in_the_record(decision in some_decision(), zone in zone()) {
        for language in LANGUAGES {
            for words in [explain(&decision, language, &zone), headline(&decision, language)] {
                prop_assert_eq!(unfounded(&words, &decision, &zone), Vec::<String>::new(), "{}", words);
            }
        }
    }
}

#[test]
fn foreign_numbers_are_found() {
    let decision = decision(admitted(1.4, Outcome::DryRun));
    let zone = TimeZone::fixed(jiff::tz::offset(8));
    let check = |words: &str, found: &[&str]| assert_eq!(unfounded(words, &decision, &zone), found, "{words}");
    check("checkout had 0.31 cores at the median", &[]);
    check("checkout had 0.32 cores at the median", &["0.32 cores"]);
    check("checkout had 0.31 GiB", &["0.31 GiB"]);
    check("at p95 0.5 cores", &[]);
    check("at p99 0.5 cores", &["99"]);
    check("on Tuesday at 11:00, and on Wednesday at 11:01", &["11:01", "Wednesday"]);
    check("周二 11:00，周三 11:01", &["11:01", "周三"]);
    check("22 November 2026, 23 November 2026, 22 November 2025", &["23 November 2026", "22 November 2025"]);
    check("2026年11月22日，11月23日", &["11月23日"]);
    check("for 38 minutes, 30 minutes on one day, 31 minutes", &["31 minutes"]);
    check("covered 99% of the time, not 98%", &["98%"]);
    check("decision 41, not 42", &["42"]);
    check("v2", &["2"]);
}
