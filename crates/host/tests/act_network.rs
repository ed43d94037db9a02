//! Network rates, on a pair of interfaces between two network namespaces made for the purpose: a rate is held, the neighbour
//! is not slowed, what is sent is counted, nothing is left behind.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests")]

mod act_support;

use act_support::{admitted, group, is_root, left_out};
use apportion_core::{
    Collector, Executor, Knob, Outcome,
    Setting::{self, Unlimited, Value},
    Time,
};
use apportion_host::{
    act::{NetworkCounts, NetworkRates, OwnGroup, PutBack, Route, remove_network_counts, restore},
    cgroupfs::Hierarchy,
};
use std::{
    env,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

const KNOB: Knob = Knob::NetworkSendMax;
const INSIDE: &str = "APPORTION_TEST_INSIDE";
const OUT: &str = "apptest0";
const FAR: &str = "10.99.7.2:5001";
const SEND_FOR: Duration = Duration::from_secs(3);
/// One test at a time: nft tells groups by inode, and a group of another test may have the same in another hierarchy.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs the test again in a network namespace of its own; true inside.
fn inside(test: &str) -> bool {
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

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sh(script: &str) -> String {
    let output = Command::new("sh").args(["-ec", script]).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The other end: a namespace that a sleeping process holds, with the far interface and a receiver in it.
struct Far {
    receiver: Killed,
    _holder: Killed,
}

impl Far {
    fn make() -> Self {
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
             ip addr add 10.99.7.1/24 dev {OUT}; ip link set {OUT} up; ip route add default dev {OUT}; \
             {enter} ip addr add 10.99.7.2/24 dev far0; {enter} ip link set far0 up"
        ));
        let mut receiver = Command::new("nsenter");
        receiver.arg(format!("--net=/proc/{pid}/ns/net")).arg(env::current_exe().unwrap());
        receiver.args(["--exact", "receiver", "--ignored", "--nocapture"]).stdout(Stdio::null());
        let far = Self { receiver: Killed(receiver.spawn().unwrap()), _holder: holder };
        while TcpStream::connect(FAR).is_err() {
            thread::sleep(Duration::from_millis(20));
        }
        far
    }
}

#[test]
#[ignore = "a part of the other tests: the far end"]
fn receiver() {
    let listener = TcpListener::bind(FAR).unwrap();
    for stream in listener.incoming() {
        thread::spawn(move || {
            let (mut stream, mut buffer) = (stream.unwrap(), vec![0; 1 << 16]);
            let (begin, mut total_bytes, mut rate) = (Instant::now(), 0.0, 0.0);
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                total_bytes += f64::from(u32::try_from(read).unwrap());
                let elapsed = begin.elapsed();
                if elapsed < SEND_FOR {
                    rate = total_bytes / elapsed.as_secs_f64();
                }
            }
            let _ = stream.write_all(format!("{rate}\n").as_bytes());
        });
    }
}

#[test]
#[ignore = "a part of the other tests: sends as fast as it may, and says how fast that was"]
fn sender() {
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let mut stream = TcpStream::connect(FAR).unwrap();
    let (chunk, begin) = (vec![1; 1 << 16], Instant::now());
    while begin.elapsed() < SEND_FOR + Duration::from_millis(300) && stream.write_all(&chunk).is_ok() {}
    stream.shutdown(Shutdown::Write).unwrap();
    let mut rate = String::new();
    let _ = stream.read_to_string(&mut rate);
    println!("rate={}", rate.trim());
}

struct Sender(Killed);

impl Sender {
    fn start(group: Option<&OwnGroup>) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "sender", "--ignored", "--nocapture"]);
        let mut child = Killed(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
        if let Some(group) = group {
            group.add(child.0.id()).unwrap();
        }
        child.0.stdin.take().unwrap().write_all(b"go\n").unwrap();
        Self(child)
    }
    fn bytes_per_s(mut self) -> f64 {
        let mut said = String::new();
        self.0.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        let rate = said.lines().find_map(|line| line.split_once("rate="));
        rate.and_then(|(_, rate)| rate.parse().ok()).unwrap_or_else(|| panic!("{said}"))
    }
}

fn own_group(hierarchy: &Hierarchy, name: &str) -> OwnGroup {
    OwnGroup::create(hierarchy, &format!("/apportion-test-{}-{name}", std::process::id())).unwrap()
}

fn rates(hierarchy: &Hierarchy) -> Option<Route> {
    if hierarchy.unified().is_none() {
        left_out("network rates", "no version 2 cgroup tree is mounted");
        return None;
    }
    Some(Route::new(vec![Box::new(NetworkRates::new(hierarchy.clone()).unwrap())]))
}

/// What the interfaces and the tables hold, as far as it could have been left behind.
fn left_behind() -> String {
    sh(&format!("nft list tables; tc class show dev {OUT}; tc qdisc show | grep -v noqueue || true"))
}

#[test]
fn a_rate_is_held_and_the_neighbour_is_not_slowed() {
    const RATE_BYTES_PER_S: f64 = 2_500_000.0;
    if !inside("a_rate_is_held_and_the_neighbour_is_not_slowed") {
        return;
    }
    let _far = Far::make();
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    let Some(mut route) = rates(&hierarchy) else { return };
    let held = own_group(&hierarchy, "held");
    let free = Sender::start(None).bytes_per_s();
    let change = admitted(&group(held.path()), KNOB, Unlimited, Value(RATE_BYTES_PER_S));
    assert_eq!(route.observe(&group(held.path()), KNOB), Some(Unlimited));
    assert_eq!(route.apply(&change), Outcome::Applied { read_back: Value(RATE_BYTES_PER_S) });
    assert_eq!(route.observe(&group(held.path()), KNOB), Some(Value(RATE_BYTES_PER_S)));
    let (slow, neighbour) = (Sender::start(Some(&held)), Sender::start(None));
    let (slow, neighbour) = (slow.bytes_per_s(), neighbour.bytes_per_s());
    println!("alone {free:.0} byte/s; held to {RATE_BYTES_PER_S:.0} byte/s: {slow:.0}, its neighbour {neighbour:.0}");
    assert!((slow / RATE_BYTES_PER_S - 1.0).abs() < 0.15, "{slow} instead of {RATE_BYTES_PER_S} byte/s");
    assert!(neighbour > 10.0 * RATE_BYTES_PER_S, "{neighbour} byte/s");
    let results = restore(vec![(group(held.path()), KNOB, Unlimited)], &mut route);
    assert_eq!(results[0].result, PutBack::Done);
    assert_eq!(left_behind(), "");
    let freed = Sender::start(Some(&held)).bytes_per_s();
    println!("put back: {freed:.0} byte/s");
    assert!(freed > 10.0 * RATE_BYTES_PER_S, "{freed} byte/s");
}

/// What a group has sent by the counter, bytes; `None` where nothing counts it.
fn counted(counts: &mut NetworkCounts, made: &OwnGroup) -> Option<f64> {
    let batch = counts.collect(Time::from_s(0));
    assert_eq!(batch.problems, []);
    batch.samples.iter().find(|sample| sample.workload.as_str() == made.path()).map(|sample| sample.value)
}

/// What went over the interface by the kernel's own count, bytes.
fn sent_over_interface() -> f64 {
    let devices = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    let line = devices.lines().find_map(|line| line.trim().strip_prefix(&format!("{OUT}:")));
    line.unwrap().split_whitespace().nth(8).unwrap().parse().unwrap()
}

/// What the class of a rate was charged, bytes.
fn charged() -> f64 {
    let said = sh(&format!("tc -s class show dev {OUT} | grep Sent"));
    said.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn what_is_sent_is_counted_freely_and_under_a_rate() {
    if !inside("what_is_sent_is_counted_freely_and_under_a_rate") {
        return;
    }
    let _far = Far::make();
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    let Some(mut route) = rates(&hierarchy) else { return };
    let mut counts = NetworkCounts::new(hierarchy.clone()).unwrap();
    let (sends, other) = (own_group(&hierarchy, "sends"), own_group(&hierarchy, "other"));
    // A group without a process is not known to be in this network.
    counts.count(&[group(sends.path())]).unwrap();
    assert_eq!((counted(&mut counts, &sends), left_behind().as_str()), (None, ""));
    let holders = [&sends, &other].map(|made| {
        let holder = Killed(Command::new("sleep").arg("1000").spawn().unwrap());
        made.add(holder.0.id()).unwrap();
        holder
    });
    let groups = [group(sends.path()), group(other.path())];
    counts.count(&groups[..1]).unwrap();
    assert_eq!(counted(&mut counts, &sends), Some(0.0));
    assert_eq!(left_behind(), "table inet apportion-count\n", "neither queue nor class");
    let before = sent_over_interface();
    Sender::start(Some(&sends)).bytes_per_s();
    let (free, over_interface) = (counted(&mut counts, &sends).unwrap(), sent_over_interface() - before);
    println!("counted {free:.0} byte, {over_interface:.0} over the interface");
    assert!((free / over_interface - 1.0).abs() < 0.02, "{free} of {over_interface} byte");
    // Another comes, and a rate: what was counted stands.
    counts.count(&groups).unwrap();
    let change = admitted(&groups[0], KNOB, Unlimited, Value(2_500_000.0));
    assert_eq!(route.apply(&change), Outcome::Applied { read_back: Value(2_500_000.0) });
    Sender::start(Some(&sends)).bytes_per_s();
    let (held, charged) = (counted(&mut counts, &sends).unwrap() - free, charged());
    println!("under a rate counted {held:.0} byte, charged {charged:.0}");
    assert!((0.93..1.01).contains(&(held / charged)), "{held} of {charged} byte");
    assert_eq!(counted(&mut counts, &other), Some(0.0), "what others send is theirs");
    // The rate goes without the counters, and they without the rate.
    assert_eq!(restore(vec![(groups[0].clone(), KNOB, Unlimited)], &mut route)[0].result, PutBack::Done);
    assert_eq!(left_behind(), "table inet apportion-count\n");
    counts.count(&groups[1..]).unwrap();
    assert_eq!((counted(&mut counts, &sends), counted(&mut counts, &other)), (None, Some(0.0)));
    drop(counts);
    assert_eq!(left_behind(), "");
    // What a killed run leaves goes at the next start, and with a rollback of everything.
    sh("nft add table inet apportion-count");
    drop(NetworkCounts::new(hierarchy.clone()).unwrap());
    assert_eq!(left_behind(), "");
    sh("nft add table inet apportion-count");
    remove_network_counts().unwrap();
    assert_eq!(left_behind(), "");
    drop(holders);
}

#[test]
fn groups_come_and_go_and_nothing_is_left() {
    if !inside("groups_come_and_go_and_nothing_is_left") {
        return;
    }
    let _far = Far::make();
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    let Some(mut route) = rates(&hierarchy) else { return };
    let (one, two) = (own_group(&hierarchy, "o n\\x2de"), own_group(&hierarchy, "zwölf"));
    let mut set = |made: &OwnGroup, from: Setting, to: Setting| {
        assert_eq!(route.apply(&admitted(&group(made.path()), KNOB, from, to)), Outcome::Applied { read_back: to });
    };
    set(&one, Unlimited, Value(1e6));
    set(&two, Unlimited, Value(2e6));
    set(&one, Value(1e6), Value(3e6));
    set(&two, Value(2e6), Unlimited);
    set(&two, Unlimited, Value(4e6));
    let (gone, path) = (group(one.path()), one.path().to_owned());
    drop(one);
    // The group is gone and its rule is left: putting back cleans that up, and doing it again finds nothing to do.
    let former = || vec![(gone.clone(), KNOB, Unlimited)];
    assert_eq!(restore(former(), &mut route)[0].result, PutBack::Gone, "{path}");
    let rules = sh("nft list table inet apportion");
    assert_eq!(rules.matches("socket cgroupv2").count(), 1, "{rules}");
    assert_eq!(restore(former(), &mut route)[0].result, PutBack::Gone);
    // A crash between the rule and its class.
    sh(&format!("tc qdisc del dev {OUT} root"));
    let results = restore(vec![(group(two.path()), KNOB, Unlimited)], &mut route);
    assert_eq!(results[0].result, PutBack::Done);
    assert_eq!(left_behind(), "");
}

fn failure(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed { error } => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ruleset_that_is_emptied_is_nobodys_hand() {
    if !inside("a_ruleset_that_is_emptied_is_nobodys_hand") {
        return;
    }
    let _far = Far::make();
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    let Some(mut route) = rates(&hierarchy) else { return };
    let made = ["one", "two"].map(|name| own_group(&hierarchy, name));
    let groups = [&made[0], &made[1]].map(|made| group(made.path()));
    let set = |route: &mut Route, index: usize, from, to| route.apply(&admitted(&groups[index], KNOB, from, to));
    let done = |to| Outcome::Applied { read_back: to };
    for (index, to) in [(0, Value(1e6)), (1, Value(2e6))] {
        assert_eq!(set(&mut route, index, Unlimited, to), done(to));
        assert!(!route.is_lost(&groups[index], KNOB));
    }
    sh("nft flush ruleset");
    // Seen the last time within a minute: the change finds out.
    assert_eq!(route.observe(&groups[0], KNOB), Some(Value(1e6)));
    let error = failure(set(&mut route, 0, Value(1e6), Value(3e6)));
    assert!(error.contains("is set again first"), "{error}");
    for group in &groups {
        assert_eq!((route.observe(group, KNOB), route.is_lost(group, KNOB)), (Some(Unlimited), true));
    }
    assert_eq!(set(&mut route, 1, Unlimited, Value(2e6)), done(Value(2e6)));
    assert_eq!(set(&mut route, 0, Unlimited, Value(1e6)), done(Value(1e6)));
    assert_eq!([0, 1].map(|index| route.observe(&groups[index], KNOB)), [Some(Value(1e6)), Some(Value(2e6))]);
    assert!(!route.is_lost(&groups[0], KNOB));
    sh("nft flush ruleset");
    let results = restore(groups.iter().map(|group| (group.clone(), KNOB, Unlimited)).collect(), &mut route);
    assert!(results.iter().all(|one| one.result.is_settled()), "{results:?}");
    assert_eq!(left_behind(), "", "also what is of no use without the rules");
}

#[test]
fn a_rate_follows_the_default_route() {
    const OTHER: &str = "apptest1";
    if !inside("a_rate_follows_the_default_route") {
        return;
    }
    let _far = Far::make();
    sh(&format!(
        "ip link add {OTHER} type veth peer name far1; ip addr add 10.99.8.1/24 dev {OTHER}; ip link set far1 up; ip link set {OTHER} up"
    ));
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    let Some(mut route) = rates(&hierarchy) else { return };
    let made = own_group(&hierarchy, "moves");
    let group = group(made.path());
    let set = |route: &mut Route, from, to| route.apply(&admitted(&group, KNOB, from, to));
    let back = |route: &mut Route| restore(vec![(group.clone(), KNOB, Unlimited)], route).remove(0).result;
    let leave_by = |interface: &str| sh(&format!("ip route replace default dev {interface}"));
    let done = Outcome::Applied { read_back: Value(1e6) };
    assert_eq!(set(&mut route, Unlimited, Value(1e6)), done);
    leave_by(OTHER);
    assert!(failure(set(&mut route, Value(1e6), Value(2e6))).contains("is set again first"));
    assert_eq!((route.observe(&group, KNOB), route.is_lost(&group, KNOB)), (Some(Unlimited), true));
    assert_eq!(set(&mut route, Unlimited, Value(1e6)), done);
    let queues = sh("tc qdisc show | grep a990");
    assert!(queues.lines().count() == 1 && queues.contains(OTHER), "{queues}");
    let rules = sh("nft list table inet apportion");
    assert!(rules.contains(OTHER) && !rules.contains(OUT), "{rules}");
    // No way out at all for a while: what is set stands.
    sh("ip route del default");
    assert_eq!((set(&mut route, Value(1e6), Value(1e6)), back(&mut route)), (Outcome::Unchanged, PutBack::Done));
    assert_eq!(left_behind(), "");
    assert!(failure(set(&mut route, Unlimited, Value(1e6))).contains("no default route"));
    // It moves to where somebody else has a queue: said, and put back all the same.
    leave_by(OUT);
    assert_eq!(set(&mut route, Unlimited, Value(1e6)), done);
    sh(&format!("tc qdisc add dev {OTHER} root handle 7: tbf rate 100mbit burst 64kb latency 50ms"));
    leave_by(OTHER);
    assert!(failure(set(&mut route, Value(1e6), Value(2e6))).contains("is set again first"));
    assert!(failure(set(&mut route, Unlimited, Value(1e6))).contains("queue of somebody else's (tbf)"));
    assert_eq!(back(&mut route), PutBack::Done);
    sh(&format!("tc qdisc del dev {OTHER} root"));
    assert_eq!(left_behind(), "");
    // Nobody looks until it is put back, and the interface may be made anew meanwhile.
    assert_eq!(set(&mut route, Unlimited, Value(1e6)), done);
    sh(&format!("ip link del {OTHER}; ip route replace default dev {OUT}"));
    assert_eq!(back(&mut route), PutBack::Done);
    assert_eq!(left_behind(), "");
}

#[test]
fn a_foreign_queue_and_a_foreign_namespace_are_respected() {
    if !inside("a_foreign_queue_and_a_foreign_namespace_are_respected") {
        return;
    }
    let mut far = Far::make();
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    let Some(mut route) = rates(&hierarchy) else { return };
    let made = own_group(&hierarchy, "foreign");
    let change = admitted(&group(made.path()), KNOB, Unlimited, Value(1e6));
    sh(&format!("tc qdisc add dev {OUT} root handle 7: tbf rate 100mbit burst 64kb latency 50ms"));
    let before = left_behind();
    let error = failure(route.apply(&change));
    assert!(error.contains(OUT) && error.contains("tbf") && error.contains("tc qdisc del"), "{error}");
    assert_eq!(left_behind(), before);
    sh(&format!("tc qdisc del dev {OUT} root"));
    made.add(far.receiver.0.id()).unwrap();
    let error = failure(route.apply(&change));
    assert!(error.contains("network namespace of their own"), "{error}");
    far.receiver.0.kill().unwrap();
    far.receiver.0.wait().unwrap();
    assert_eq!(left_behind(), "");
}
