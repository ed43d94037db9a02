//! What is never an instruction, whatever the classifier thinks: text that deceives the eye, sentences longer than people
//! write, orders to the program itself, and attempts on the guard or on secrets.

use super::text::{MOST_CHARS, Text, is_deceptive};

/// Why a sentence is not read at all.
pub(super) fn unreadable(sentence: &str) -> Option<&'static str> {
    let sentence = sentence.trim();
    if sentence.chars().nth(MOST_CHARS).is_some() {
        return Some("too long for one instruction (600 characters)");
    }
    if sentence.is_empty() {
        return Some("empty");
    }
    if sentence.chars().any(is_deceptive) {
        return Some("letters that look like others, or invisible characters");
    }
    None
}

/// Words that only abuse puts together. Each row needs one of each list.
const ABUSE: &[&[&[&str]]] = &[
    // Orders to the program instead of about workloads.
    &[
        &["ignore", "disregard", "forget", "override", "bypass", "skip"],
        &["previous", "prior", "above", "earlier", "all", "your", "any", "the"],
        &[
            "instructions",
            "rules",
            "prompt",
            "prompts",
            "guardrails",
            "guidelines",
            "policies",
            "policy",
            "safety",
            "directive",
            "directives",
            "restrictions",
            "checks",
        ],
    ],
    &[&[
        "system:",
        "assistant:",
        "<system>",
        "[system]",
        "<<sys>>",
        "system prompt",
        "### instruction",
        "<|im_start|>",
        "developer mode",
        "maintenance mode",
        "god mode",
        "jailbreak",
        "you are now",
        "act as root",
        "pretend to be",
        "pretend you",
        "new instructions:",
        "simulate being",
    ]],
    // Limits and guards as a whole.
    &[
        &[
            "turn off",
            "switch off",
            "disable",
            "remove",
            "drop",
            "lift",
            "bypass",
            "kill",
            "deactivate",
            "get rid of",
            "shut off",
            "suspend",
            "delete",
            "circumvent",
            "ignore",
        ],
        &[
            "guard rail",
            "guard rails",
            "guardrail",
            "guardrails",
            "guards",
            "the guard",
            "safeguards",
            "safeguard",
            "safety",
            "all limits",
            "every limit",
            "all the limits",
            "all bounds",
            "all caps",
            "every cap",
            "protections",
            "protection",
            "all restrictions",
            "audit",
            "audit log",
            "all rules",
            "rate limits everywhere",
            "safety checks",
            "limits and",
        ],
    ],
    &[
        &["no limits", "unlimited", "without limits", "whatever it wants", "without any limits"],
        &["everything", "all workloads", "everyone", "guard", "guards", "audit", "log", "rails", "xmrig", "miner"],
    ],
    // Secrets and traces.
    &[
        &[
            "print",
            "show",
            "send",
            "reveal",
            "give",
            "email",
            "post",
            "leak",
            "dump",
            "tell",
            "upload",
            "exfiltrate",
            "paste",
            "mail",
            "list",
            "cat",
            "read out",
        ],
        &[
            "password",
            "passwords",
            "secret",
            "secrets",
            "token",
            "tokens",
            "api key",
            "api keys",
            "credential",
            "credentials",
            "private key",
            "ssh key",
            "kubeconfig",
            "/etc/shadow",
            "/etc/passwd",
            "root key",
            "configuration secrets",
            "your prompt",
            "system prompt",
            "env vars",
        ],
    ],
    &[&[
        "rm -rf",
        "drop table",
        "; curl",
        "| sh",
        "| bash",
        "$(",
        "`",
        "<script",
        "sudo ",
        "exec(",
        "eval(",
        "chmod ",
        "../..",
        "&& ",
    ]],
    &[
        &[
            "hide",
            "keep it out of",
            "keep this out of",
            "don't log",
            "do not log",
            "without logging",
            "off the record",
            "leave no trace",
            "erase",
            "wipe",
        ],
        &["audit", "log", "logs", "ledger", "record", "records", "trace", "history", "it", "this"],
    ],
    &[&["delete", "clear", "truncate"], &["audit", "audit log", "the logs", "the log", "all logs", "logs"]],
    &[&["xmrig", "cryptominer", "crypto miner", "coin miner", "monero", "挖矿"]],
    // The same in Chinese.
    &[
        &["忽略", "无视", "忘记", "忘掉", "绕过", "跳过", "不用管", "违反", "越过", "不要理会"],
        &["指令", "规则", "提示词", "限制", "护栏", "保护", "设定", "约束", "安全", "审计", "策略", "校验", "审批"],
        &["所有", "一切", "全部", "以上", "上面", "之前的", "先前的", "你的", "任何", "系统", "护栏", "安全", "审计"],
    ],
    &[
        &[
            "关掉", "关闭", "关了", "取消", "解除", "去掉", "删掉", "撤掉", "停用", "禁用", "屏蔽", "移除", "干掉",
            "拆掉", "放开",
        ],
        &[
            "所有上限",
            "所有限制",
            "全部限制",
            "全部上限",
            "保护机制",
            "护栏",
            "安全机制",
            "审计",
            "所有保护",
            "全部保护",
            "一切限制",
            "所有规则",
            "所有的限制",
            "所有的上限",
            "限制全部",
            "上限全部",
            "限制都",
            "上限都",
            "任何限制",
            "安全检查",
            "保护全",
            "所有服务的上限",
            "所有服务的限制",
            "全部护栏",
            "所有资源限制",
            "全部资源限制",
        ],
    ],
    &[
        &["密码", "口令", "密钥", "token", "令牌", "凭证", "私钥", "提示词", "证书", "secret", "api key", "apikey"],
        &["发", "给", "告诉", "打印", "输出", "显示", "列出", "导出", "贴", "透露", "念", "看"],
    ],
    &[&[
        "你现在是",
        "系统提示",
        "系统:",
        "进入维护模式",
        "维护模式",
        "管理员模式",
        "开发者模式",
        "扮演",
        "假装",
        "越狱",
        "别记录",
        "不要记录",
        "不留痕迹",
        "别留痕",
        "不要写日志",
        "别写进审计",
        "删除日志",
        "清空日志",
        "清除日志",
        "删掉日志",
        "抹掉",
    ]],
];

/// True for abuse that words give away.
pub(super) fn is_abuse(text: &Text) -> bool {
    let words = text.slice(0, text.len());
    ABUSE.iter().any(|row| row.iter().all(|list| list.iter().any(|phrase| contains(&words, phrase))))
}

/// English phrases as whole words, Chinese ones anywhere.
fn contains(words: &str, phrase: &str) -> bool {
    let edge = |c: Option<char>| !c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    words.match_indices(phrase).any(|(place, _)| {
        let starts =
            !phrase.starts_with(|c: char| c.is_ascii_alphanumeric()) || edge(words[..place].chars().next_back());
        let ends = !phrase.ends_with(|c: char| c.is_ascii_alphanumeric())
            || edge(words[place + phrase.len()..].chars().next());
        starts && ends
    })
}
