//! What alerts and log lines complain of. Only whether, and of which resource: names come from labels, never from the text, and whatever
//! else a text says is not read. So a text can ask for nothing but a hint for the workload that it came from.

use apportion_core::Resource;

/// Longer texts are looked at only so far, characters.
const MOST_CHARS: usize = 2_000;

const CPU: [&str; 9] =
    ["throttl", "cpu", "load average", "run queue", "soft lockup", "starved for", "限流", "算力不足", "处理器"];
const MEMORY: [&str; 13] = [
    "out of memory",
    "outofmemory",
    "oom",
    "oomkill",
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
const NETWORK: [&str; 7] = ["bandwidth", "network", "packet loss", "dropped packets", "nic", "带宽", "网络"];
/// Words up to so many bytes begin where a word does, and the shorter of them end where one does: "oom" is in "room", "nic" in "panic".
const BEGINS_BYTES: usize = 4;
const WHOLE_BYTES: usize = 3;
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
    let text: String = text.chars().take(MOST_CHARS).collect();
    // The lists are ASCII and Chinese, and every byte keeps its place.
    let words = text.to_ascii_lowercase();
    let holds = |list: &[&str]| list.iter().any(|word| says(&text, &words, word));
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

/// True where `text` (`words` in lower case) holds a word; a short one as a word of its own.
fn says(text: &str, words: &str, word: &str) -> bool {
    let ends =
        |at: usize| word.len() > WHOLE_BYTES || is_edge(text, at + word.len()) || is_plural(text, at + word.len());
    let stands = |(at, _): (usize, &str)| word.len() > BEGINS_BYTES || (is_edge(text, at) && ends(at));
    words.match_indices(word).any(stands)
}

/// True where no ASCII word goes on at a byte: `HighCPUUsage` holds `CPU`, `room` holds no `oom`.
fn is_edge(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    let Some((before, after)) = before.zip(bytes.get(at)) else { return true };
    let is_inside = before.is_ascii_alphabetic() && after.is_ascii_alphabetic();
    !is_inside || (before.is_ascii_lowercase() && after.is_ascii_uppercase()) || begins_capital(bytes, at)
}

/// `CPUUsage`: the last capital of several begins the word of the small letter behind it.
fn begins_capital(bytes: &[u8], at: usize) -> bool {
    let capital = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_uppercase);
    capital(at.checked_sub(1)) && capital(Some(at)) && bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase)
}

fn is_plural(text: &str, at: usize) -> bool {
    text.as_bytes().get(at) == Some(&b's') && is_edge(text, at + 1)
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
        check("KubePodOOMKilled", Some(Resource::Memory));
        check("kernel: oom-kill:constraint=CONSTRAINT_MEMCG", Some(Resource::Memory));
        check("HighCPUUsage", Some(Resource::Cpu));
        check("CPUs are busy", Some(Resource::Cpu));
        check("容器oom了", Some(Resource::Memory));
        check("nic eth0: link flaps", Some(Resource::Network));
        check("NICs drop", Some(Resource::Network));
        for text in ["chat room not found", "panic in handler", "CHAT ROOM FULL", "hotswap done", "zoom", "mnemonics "]
        {
            assert_eq!(complaint(text), None, "{text}");
        }
        for text in
            ["GET /index.html 200", "write failed: No space left on device", "CertificateExpiry: cpu.example", ""]
        {
            assert_eq!(complaint(text), None, "{text}");
        }
    }
}
