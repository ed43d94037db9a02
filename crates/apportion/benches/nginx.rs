//! A live subject: nginx (gzip -9) under wrk whose load doubles and halves. Does the allotment follow, and what does it cost?
//!
//!   cargo bench -p apportion --bench nginx [-- PHASE_SECONDS [VIOLATION]]
//!
//! Runs the load once without a limit and once under Apportion, in a control group of its own, and prints a row a phase: CPU
//! used, allotted, slack, and the 99th percentile of latency with and without, outside the 30 s after each change of load.
//! VIOLATION is the share of time in which more may be wanted than is allotted (0.01), what `violation` of the configuration says.
//! Needs root, nginx and wrk (Debian: nginx-light, wrk).
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss, reason = "a benchmark")]

use apportion::{
    config::Config,
    daemon::{Assembled, Settings, assemble, now},
};
use apportion_core::{
    Knob, Setting, WorkloadState,
    metric::name,
    tick::{Cadence, Resolution},
};
use apportion_host::{act::OwnGroup, cgroupfs::Hierarchy};
use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Connections of each phase: the load doubles and halves with them, since each waits between its requests.
const PHASES: [usize; 8] = [8, 16, 8, 16, 32, 16, 8, 16];
/// Not counted after a change of load, seconds.
const SETTLE_S: u64 = 30;
/// Wait of a connection between two requests, milliseconds.
const WAIT_MS: u32 = 40;
const PORT: u16 = 18_080;
const EVERY: Duration = Duration::from_secs(5);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let phase_s: u64 = args.first().map_or(120, |seconds| seconds.parse().unwrap());
    let violation: f64 = args.get(1).map_or(0.01, |share| share.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    let group = match OwnGroup::create(&hierarchy, &format!("/apportion-bench-{}", std::process::id())) {
        Ok(group) => group,
        Err(error) => return println!("LEFT OUT: nginx benchmark: {error}"),
    };
    let service = group.child(&hierarchy, "nginx").unwrap();
    let nginx = match Nginx::start(folder.path(), &service) {
        Ok(nginx) => nginx,
        Err(error) => return println!("LEFT OUT: nginx benchmark: nginx cannot be started: {error}"),
    };
    println!(
        "nginx gzip -9 under wrk, phases of {phase_s} s, of which the first {SETTLE_S} s are not counted; short in {violation} of the time asked"
    );
    let free = PHASES.map(|connections| load(folder.path(), connections, phase_s, &mut || {}));
    let mut subject = Subject::new(folder.path(), group.path(), violation);
    let rows = PHASES.map(|connections| {
        subject.begin_phase();
        let p99_ms = load(folder.path(), connections, phase_s, &mut || subject.turn());
        (connections, subject.phase(), p99_ms)
    });
    print(&rows, &free);
    drop(nginx);
    drop(service);
}

fn print(rows: &[(usize, Phase, f64)], free: &[f64]) {
    println!(
        "{:>11} {:>11} {:>11} {:>7} {:>9} {:>9} {:>7}",
        "connections", "used cores", "allotted", "slack", "p99 ms", "free ms", "ratio"
    );
    let (mut slack, mut worst) = (0.0, 0.0_f64);
    for ((connections, phase, p99_ms), free_ms) in rows.iter().zip(free) {
        let ratio = p99_ms / free_ms;
        slack += phase.slack() / rows.len() as f64;
        worst = worst.max(ratio);
        println!(
            "{connections:>11} {:>11.3} {:>11.3} {:>7.3} {p99_ms:>9.2} {free_ms:>9.2} {ratio:>7.2}",
            phase.used / phase.turns,
            phase.set / phase.turns,
            phase.slack()
        );
    }
    println!("mean slack {slack:.3}, worst p99 ratio {worst:.2}");
}

/// The loop with its only workload.
struct Subject {
    assembled: Assembled,
    next: Instant,
    phase_began: Instant,
    phase: Phase,
}

#[derive(Clone, Copy, Default)]
struct Phase {
    turns: f64,
    used: f64,
    set: f64,
}

impl Phase {
    fn slack(&self) -> f64 {
        1.0 - self.used / self.set
    }
}

impl Subject {
    fn new(folder: &Path, group: &str, violation: f64) -> Self {
        let rules =
            format!("guard = \"brisk\"\n[[workloads]]\nmatch = \"*nginx*\"\napply = true\nviolation = {violation}\n");
        let config = Config::parse(&rules, Path::new("rules")).unwrap();
        let resolutions = vec![Resolution { step_s: 5, context: 512, horizon: 24, enough: 0 }];
        let cadence = Cadence { every_s: 15.0, most_per_tick: 8, resolutions, ..Cadence::default() };
        let here = Settings::here(folder.join("bench.db"));
        let only = Some(group.to_owned());
        let settings = Settings { apply: true, network: false, every: EVERY, cadence, only, ..here };
        let assembled = assemble(&config, settings).unwrap();
        Self { assembled, next: Instant::now(), phase_began: Instant::now(), phase: Phase::default() }
    }

    fn begin_phase(&mut self) {
        (self.phase_began, self.phase) = (Instant::now(), Phase::default());
    }

    fn turn(&mut self) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + EVERY;
        let turn = self.assembled.daemon.turn(now());
        let counted = self.phase_began.elapsed() >= Duration::from_secs(SETTLE_S);
        let sized = turn.snapshot.workloads.values().find(|state| !state.workload.id.is_machine());
        if let Some((used, set)) = sized.filter(|_| counted).and_then(measured) {
            self.phase.turns += 1.0;
            self.phase.used += used;
            self.phase.set += set;
        }
    }

    fn phase(&self) -> Phase {
        self.phase
    }
}

fn measured(state: &WorkloadState) -> Option<(f64, f64)> {
    let Some(Setting::Value(set)) = state.settings.get(&Knob::CpuQuota).copied() else { return None };
    Some((state.value(name::CPU)?, set))
}

/// One phase of load; gives the 99th percentile of latency after it has settled, milliseconds.
fn load(folder: &Path, connections: usize, phase_s: u64, turn: &mut dyn FnMut()) -> f64 {
    wrk(folder, connections, SETTLE_S, turn);
    wrk(folder, connections, phase_s - SETTLE_S, turn)
}

fn wrk(folder: &Path, connections: usize, seconds: u64, turn: &mut dyn FnMut()) -> f64 {
    let script = folder.join("wait.lua");
    fs::write(&script, format!("function delay() return {WAIT_MS} end\n")).unwrap();
    let mut child = Command::new("wrk")
        .args([
            "--latency",
            "-t1",
            &format!("-c{connections}"),
            &format!("-d{seconds}s"),
            "-H",
            "Accept-Encoding: gzip",
            "-s",
        ])
        .arg(&script)
        .arg(format!("http://127.0.0.1:{PORT}/page.txt"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    while child.try_wait().unwrap().is_none() {
        turn();
        std::thread::sleep(Duration::from_millis(100));
    }
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let line = said.lines().find(|line| line.trim_start().starts_with("99%")).unwrap();
    milliseconds(line.split_whitespace().nth(1).unwrap())
}

fn milliseconds(text: &str) -> f64 {
    let number = |suffix: &str| text.strip_suffix(suffix).and_then(|number| number.parse::<f64>().ok());
    number("us").map(|us| us / 1e3).or_else(|| number("ms")).or_else(|| number("s").map(|s| s * 1e3)).unwrap()
}

/// An nginx of our own in the group; it ends with this value.
struct Nginx(Child);

impl Nginx {
    fn start(folder: &Path, group: &OwnGroup) -> std::io::Result<Self> {
        let page: String =
            (0..900).map(|line| format!("{line} the quick brown fox {}\n", line * 7_919 % 1_009)).collect();
        fs::write(folder.join("page.txt"), page)?;
        let text = format!(
            "daemon off; worker_processes 1; pid {0}/nginx.pid; error_log {0}/error.log; user root;
            events {{ worker_connections 256; }}
            http {{ access_log off; gzip on; gzip_comp_level 9; gzip_types text/plain; types {{ text/plain txt; }}
            client_body_temp_path {0}; proxy_temp_path {0}; fastcgi_temp_path {0}; uwsgi_temp_path {0}; scgi_temp_path {0};
            server {{ listen 127.0.0.1:{PORT}; root {0}; }} }}",
            folder.display()
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, text)?;
        let mut child = Command::new("nginx").arg("-c").arg(&file).arg("-p").arg(folder).spawn()?;
        group.add(child.id())?;
        std::thread::sleep(Duration::from_secs(1));
        if let Some(status) = child.try_wait()? {
            return Err(std::io::Error::other(format!("it ended at once: {status}")));
        }
        // The worker was made before the move.
        for pid in children(child.id()) {
            group.add(pid)?;
        }
        Ok(Self(child))
    }
}

fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

impl Drop for Nginx {
    fn drop(&mut self) {
        for pid in children(self.0.id()) {
            let _ = Command::new("kill").arg(pid.to_string()).status();
        }
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}
