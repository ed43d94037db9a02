//! What alerts and log lines complain of. Only whether, and of which resource: names come from labels, never from the text, and whatever
//! else a text says is not read. So a text can ask for nothing but a hint for the workload that it came from.

use apportion_core::Resource;

/// Longer texts are looked at only so far, characters.
const MOST_CHARS: usize = 2_000;

const CPU: [&str; 9] =
    ["throttl", "cpu", "load average", "run queue", "soft lockup", "starved for", "限流", "算力不足", "处理器"];
const MEMORY: [&str; 12] = [
    "out of memory",
    "outofmemory",
    "oom",
    "cannot allocate memory",
    "memory pressure",
    "heap space",
    "memory",
    "malloc",
    "swap",
    "enomem",
    "内存",
    "溢出",
];
const STORAGE: [&str; 8] = ["iowait", "i/o", "iops", "disk io", "diskio", "slow disk", "blk_update", "磁盘"];
const NETWORK: [&str; 7] = ["bandwidth", "network", "packet loss", "dropped packets", "nic ", "带宽", "网络"];
/// A lack of something, without saying of what.
const LACK: [&str; 15] = [
    "overload",
    "saturat",
    "backpressure",
    "queue full",
    "queue is full",
    "timed out",
    "timeout",
    "deadline exceeded",
    "latency",
    "slow",
    "too many requests",
    "超时",
    "过载",
    "延迟",
    "变慢",
];
/// A full disk is no lack that sizing can help.
const NOT_OURS: [&str; 4] = ["no space left", "disk full", "certificate", "磁盘空间"];

/// What a text complains of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What is lacking; `None` where the text does not say.
    pub resource: Option<Resource>,
}

/// What a text complains of; `None` where of nothing that can be allotted.
#[must_use]
pub fn complaint(text: &str) -> Option<Complaint> {
    let words: String = text.chars().take(MOST_CHARS).flat_map(char::to_lowercase).collect();
    let holds = |list: &[&str]| list.iter().any(|word| words.contains(word));
    if holds(&NOT_OURS) {
        return None;
    }
    let of = [
        (&CPU[..], Resource::Cpu),
        (&MEMORY[..], Resource::Memory),
        (&STORAGE[..], Resource::Storage),
        (&NETWORK[..], Resource::Network),
    ];
    let mut named = of.into_iter().filter(|(list, _)| holds(list)).map(|(_, resource)| resource);
    match (named.next(), named.next()) {
        (Some(resource), None) => Some(Complaint { resource: Some(resource) }),
        (Some(_), Some(_)) => Some(Complaint { resource: None }),
        (None, _) => holds(&LACK).then_some(Complaint { resource: None }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_by_resource() {
        let check = |text: &str, resource| assert_eq!(complaint(text), Some(Complaint { resource }), "{text}");
        check("CPUThrottlingHigh: 38% throttling of CPU", Some(Resource::Cpu));
        check("java.lang.OutOfMemoryError: Java heap space", Some(Resource::Memory));
        check("A process of this unit has been killed by the OOM killer.", Some(Resource::Memory));
        check("HighRequestLatency", None);
        check("upstream timed out (110: Connection timed out)", None);
        check("NodeDiskIOSaturation iowait", Some(Resource::Storage));
        check("服务响应超时", None);
        check("容器内存即将溢出", Some(Resource::Memory));
        for text in
            ["GET /index.html 200", "write failed: No space left on device", "CertificateExpiry: cpu.example", ""]
        {
            assert_eq!(complaint(text), None, "{text}");
        }
    }
}
