//! Lines of the journal as `journalctl -o json` prints them: the unit from the fields that journald itself writes (those with an underscore),
//! which a workload cannot forge; what a workload says of others is not believed.

use super::{Report, Signals};
use crate::daemon;
use anyhow::Context as _;
use apportion_core::{SignalSource, instruction::Level};
use serde_json::Value;
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

/// A longer line is passed over, bytes.
const MOST_LINE_BYTES: u64 = 65_536;
/// Syslog's warning: what is less urgent is not looked at.
const LEAST_URGENT: i64 = 4;

/// A journal being read; its child ends with this value.
pub struct Reading {
    child: Option<Child>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What journalctl is asked for: warnings and worse, or (`+`) whatever the kernel says, whose line of a kill is no warning.
const FOLLOW: [&str; 10] = [
    "--output=json",
    "--follow",
    "--lines=0",
    "PRIORITY=0",
    "PRIORITY=1",
    "PRIORITY=2",
    "PRIORITY=3",
    "PRIORITY=4",
    "+",
    "_TRANSPORT=kernel",
];

/// Reads a journal beside the loop: `follow` for that of this machine, `-` for standard input, else a file of JSON lines.
///
/// # Errors
/// `journalctl` cannot be run, or the file cannot be opened.
pub fn read(from: &str, signals: Arc<Signals>) -> anyhow::Result<Reading> {
    let mut child = None;
    let source: Box<dyn Read + Send> = match from {
        "-" => Box::new(std::io::stdin()),
        "follow" => {
            let command = Command::new("journalctl").args(FOLLOW).stdout(Stdio::piped()).stdin(Stdio::null()).spawn();
            let mut running = command.context("journalctl cannot be run; give --journal FILE with its JSON lines")?;
            let lines = running.stdout.take().context("journalctl gives no output")?;
            child = Some(running);
            Box::new(lines)
        }
        file => Box::new(File::open(Path::new(file)).with_context(|| format!("--journal {file}: cannot be opened"))?),
    };
    std::thread::Builder::new().name("journal".to_owned()).spawn(move || {
        each_line(BufReader::new(source), |line| {
            if let Some(report) = report(line) {
                signals.take(std::slice::from_ref(&report), daemon::now());
            }
        });
        tracing::warn!("the journal has ended: its lines are no longer taken as hints");
    })?;
    Ok(Reading { child })
}

/// Gives every line that is short enough; the rest of a longer one is passed over.
pub fn each_line(mut source: impl BufRead, mut take: impl FnMut(&str)) {
    let mut line = Vec::new();
    loop {
        line.clear();
        let Ok(read) = source.by_ref().take(MOST_LINE_BYTES).read_until(b'\n', &mut line) else { return };
        if read == 0 {
            return;
        }
        if line.ends_with(b"\n") || (read as u64) < MOST_LINE_BYTES {
            take(&String::from_utf8_lossy(&line));
        } else if pass_over(&mut source).is_err() {
            return;
        }
    }
}

/// To the end of the line, without holding it.
fn pass_over(source: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let held = source.fill_buf()?;
        if held.is_empty() {
            return Ok(());
        }
        let (used, ended) =
            held.iter().position(|byte| *byte == b'\n').map_or((held.len(), false), |at| (at + 1, true));
        source.consume(used);
        if ended {
            return Ok(());
        }
    }
}

/// One line as a report; `None` where it is none, not urgent, or of no unit.
#[must_use]
pub fn report(line: &str) -> Option<Report> {
    let entry: Value = serde_json::from_str(line).ok()?;
    let field = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let urgency: i64 = field("PRIORITY").parse().ok()?;
    let text = field("MESSAGE");
    let killed = field("_TRANSPORT") == "kernel" && text.starts_with("oom-kill:");
    if (urgency > LEAST_URGENT && !killed) || text.is_empty() {
        return None;
    }
    let level = match urgency {
        _ if killed => Level::Critical,
        ..=2 => Level::Critical,
        3 => Level::High,
        _ => Level::Low,
    };
    let names = names(&entry, text).into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect();
    Some(Report { names, level, source: SignalSource::Log, text: text.to_owned(), over: false })
}

/// Whom a line is about: the unit that wrote it; what the service manager writes is about the unit that it names, and the kernel's line of a
/// kill is about the group in it. Only these two are believed about others.
fn names<'a>(entry: &'a Value, text: &'a str) -> Vec<&'a str> {
    let field = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    if field("_TRANSPORT") == "kernel" {
        let group = text.split_once("task_memcg=").map(|(_, rest)| rest.split([',', ' ']).next().unwrap_or_default());
        return group.into_iter().collect();
    }
    if field("_PID") == "1" {
        return vec![field("UNIT")];
    }
    vec![field("_SYSTEMD_CGROUP"), field("_SYSTEMD_UNIT"), field("_SYSTEMD_USER_UNIT")]
}
