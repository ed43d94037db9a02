//! Two network namespaces with a pair of interfaces between them, and who sends over it.

use crate::act_support::{is_root, left_out};
use apportion_core::{Knob, Outcome};
use apportion_host::{
    act::{NetworkRates, OwnGroup, Route},
    cgroupfs::Hierarchy,
};
use std::{
    env,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::Mutex,
    thread,
    time::Duration,
};

pub(crate) const KNOB: Knob = Knob::NetworkSendMax;
const INSIDE: &str = "APPORTION_TEST_INSIDE";
pub(crate) const OUT: &str = "apptest0";
const FAR: &str = "10.99.7.2:5001";
const FAR_V6: &str = "[fd99:7::2]:5001";
pub(crate) const SEND_FOR: Duration = Duration::from_secs(3);
/// One test at a time: nft tells groups by inode, and a group of another test may have the same in another hierarchy.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs the test again in a network namespace of its own; true inside.
pub(crate) fn inside(test: &str) -> bool {
    if env::var_os(INSIDE).is_some() {
        return true;
    }
    let tools = ["nft", "tc", "ip", "unshare", "nsenter"];
    let missing = tools.iter().find(|tool| Command::new(tool).arg("--version").output().is_err());
    if let Some(tool) = missing {
        left_out("network rates", &format!("{tool} is not installed"));
        return false;
    }
    if !is_root() {
        left_out("network rates", "a network namespace of our own needs root");
        return false;
    }
    let mut again = Command::new("unshare");
    again.arg("--net").arg(env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    let alone = ALONE.lock();
    let output = again.output().unwrap();
    drop(alone);
    let said = String::from_utf8_lossy(&output.stdout);
    print!(
        "{}",
        said.lines()
            .filter(|line| line.contains(" byte") || line.contains("LEFT OUT"))
            .fold(String::new(), |all, line| all + line + "\n")
    );
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    false
}

pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn sh(script: &str) -> String {
    let output = Command::new("sh").args(["-ec", script]).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The other end: a namespace that a sleeping process holds, with the far interface and a receiver in it.
pub(crate) struct Far {
    pub(crate) receiver: Killed,
    address: &'static str,
    _holder: Killed,
}

impl Far {
    pub(crate) fn make() -> Self {
        Self::reached(FAR, |enter| {
            format!(
                "ip addr add 10.99.7.1/24 dev {OUT}; ip route add default dev {OUT}; {enter} ip addr add 10.99.7.2/24 dev far0"
            )
        })
    }

    /// Where there is no IPv4 at all.
    pub(crate) fn make_v6() -> Self {
        Self::reached(FAR_V6, |enter| {
            format!(
                "ip addr add fd99:7::1/64 dev {OUT} nodad; ip -6 route add default dev {OUT}; \
                 {enter} ip addr add fd99:7::2/64 dev far0 nodad"
            )
        })
    }

    fn reached(address: &'static str, by: impl Fn(&str) -> String) -> Self {
        let holder = Killed(Command::new("unshare").args(["--net", "sleep", "1000"]).spawn().unwrap());
        let pid = holder.0.id();
        let other = || std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let own = std::fs::read_link("/proc/self/ns/net").ok();
        while other() == own {
            thread::sleep(Duration::from_millis(10));
        }
        let enter = format!("nsenter --net=/proc/{pid}/ns/net");
        sh(&format!(
            "ip link set lo up; ip link add {OUT} type veth peer name far0; ip link set far0 netns {pid}; \
             ip link set {OUT} up; {enter} ip link set far0 up; {}",
            by(&enter)
        ));
        let mut receiver = Command::new("nsenter");
        receiver.arg(format!("--net=/proc/{pid}/ns/net")).arg(env::current_exe().unwrap());
        receiver.args(["--exact", "receiver", "--ignored", "--nocapture"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut receiver = Killed(receiver.spawn().unwrap());
        tell(&mut receiver, address);
        let far = Self { receiver, address, _holder: holder };
        while TcpStream::connect(address).is_err() {
            thread::sleep(Duration::from_millis(20));
        }
        far
    }

    /// Somebody who sends to it, in this group.
    pub(crate) fn send(&self, group: Option<&OwnGroup>) -> Sender {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "sender", "--ignored", "--nocapture"]);
        let mut child = Killed(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
        if let Some(group) = group {
            group.add(child.0.id()).unwrap();
        }
        tell(&mut child, self.address);
        Sender(child)
    }
}

/// Says where the far end is, upon which it begins.
fn tell(child: &mut Killed, address: &str) {
    child.0.stdin.take().unwrap().write_all(format!("{address}\n").as_bytes()).unwrap();
}

pub(crate) struct Sender(Killed);

impl Sender {
    pub(crate) fn bytes_per_s(mut self) -> f64 {
        let mut said = String::new();
        self.0.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        let rate = said.lines().find_map(|line| line.split_once("rate="));
        rate.and_then(|(_, rate)| rate.parse().ok()).unwrap_or_else(|| panic!("{said}"))
    }
}

pub(crate) fn own_group(hierarchy: &Hierarchy, name: &str) -> OwnGroup {
    OwnGroup::create(hierarchy, &format!("/apportion-test-{}-{name}", std::process::id())).unwrap()
}

pub(crate) fn rates(hierarchy: &Hierarchy) -> Option<Route> {
    if hierarchy.unified().is_none() {
        left_out("network rates", "no version 2 cgroup tree is mounted");
        return None;
    }
    Some(Route::new(vec![Box::new(NetworkRates::new(hierarchy.clone()).unwrap())]))
}

/// What the interfaces and the tables hold, as far as it could have been left behind.
pub(crate) fn left_behind() -> String {
    sh(&format!("nft list tables; tc class show dev {OUT}; tc qdisc show | grep -v noqueue || true"))
}

pub(crate) fn failure(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed { error } => error,
        other => panic!("{other:?}"),
    }
}
