//! Network rates, on a pair of interfaces between two network namespaces made for the purpose: a rate is held, the neighbour
//! is not slowed, what is sent is counted, nothing is left behind.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests")]

#[path = "../act_support/mod.rs"]
mod act_support;
mod lost;
mod world;

use act_support::{admitted, group, left_out};
use apportion_core::{
    Collector, Executor, Outcome,
    Setting::{self, Unlimited, Value},
    Time,
};
use apportion_host::{
    act::{NetworkCounts, OwnGroup, PutBack, remove_network_counts, restore},
    cgroupfs::Hierarchy,
};
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};
use world::{Far, KNOB, Killed, OUT, SEND_FOR, failure, inside, left_behind, own_group, rates, sh};

/// Where the far end is, as it is told.
fn address() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    line.trim().to_owned()
}

#[test]
#[ignore = "a part of the other tests: the far end"]
fn receiver() {
    let listener = TcpListener::bind(address()).unwrap();
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
    let mut stream = TcpStream::connect(address()).unwrap();
    let (chunk, begin) = (vec![1; 1 << 16], Instant::now());
    while begin.elapsed() < SEND_FOR + Duration::from_millis(300) && stream.write_all(&chunk).is_ok() {}
    stream.shutdown(Shutdown::Write).unwrap();
    let mut rate = String::new();
    let _ = stream.read_to_string(&mut rate);
    println!("rate={}", rate.trim());
}

#[test]
fn a_rate_is_held_and_the_neighbour_is_not_slowed() {
    const RATE_BYTES_PER_S: f64 = 2_500_000.0;
    if !inside("a_rate_is_held_and_the_neighbour_is_not_slowed") {
        return;
    }
    let far = Far::make();
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    let Some(mut route) = rates(&hierarchy) else { return };
    let held = own_group(&hierarchy, "held");
    let free = far.send(None).bytes_per_s();
    let change = admitted(&group(held.path()), KNOB, Unlimited, Value(RATE_BYTES_PER_S));
    assert_eq!(route.observe(&group(held.path()), KNOB), Some(Unlimited));
    assert_eq!(route.apply(&change), Outcome::Applied { read_back: Value(RATE_BYTES_PER_S) });
    assert_eq!(route.observe(&group(held.path()), KNOB), Some(Value(RATE_BYTES_PER_S)));
    let (slow, neighbour) = (far.send(Some(&held)), far.send(None));
    let (slow, neighbour) = (slow.bytes_per_s(), neighbour.bytes_per_s());
    println!("alone {free:.0} byte/s; held to {RATE_BYTES_PER_S:.0} byte/s: {slow:.0}, its neighbour {neighbour:.0}");
    assert!((slow / RATE_BYTES_PER_S - 1.0).abs() < 0.15, "{slow} instead of {RATE_BYTES_PER_S} byte/s");
    assert!(neighbour > 10.0 * RATE_BYTES_PER_S, "{neighbour} byte/s");
    let results = restore(vec![(group(held.path()), KNOB, Unlimited)], &mut route);
    assert_eq!(results[0].result, PutBack::Done);
    assert_eq!(left_behind(), "");
    let freed = far.send(Some(&held)).bytes_per_s();
    println!("put back: {freed:.0} byte/s");
    assert!(freed > 10.0 * RATE_BYTES_PER_S, "{freed} byte/s");
}

/// What a group has sent by the counter, bytes; `None` where nothing counts it.
fn counted(counts: &mut NetworkCounts, made: &OwnGroup) -> Option<f64> {
    let batch = counts.collect(Time::from_s(0));
    assert_eq!(batch.problems, []);
    // Before the first value of a counter it is told that it began anew.
    batch.samples.iter().rfind(|sample| sample.workload.as_str() == made.path()).map(|sample| sample.value)
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
    let far = Far::make();
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
    far.send(Some(&sends)).bytes_per_s();
    let (free, over_interface) = (counted(&mut counts, &sends).unwrap(), sent_over_interface() - before);
    println!("counted {free:.0} byte, {over_interface:.0} over the interface");
    assert!((free / over_interface - 1.0).abs() < 0.02, "{free} of {over_interface} byte");
    // Another comes, and a rate: what was counted stands.
    counts.count(&groups).unwrap();
    let change = admitted(&groups[0], KNOB, Unlimited, Value(2_500_000.0));
    assert_eq!(route.apply(&change), Outcome::Applied { read_back: Value(2_500_000.0) });
    far.send(Some(&sends)).bytes_per_s();
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
fn a_rate_is_held_and_counted_where_there_is_no_ipv4() {
    const RATE_BYTES_PER_S: f64 = 2_500_000.0;
    if !inside("a_rate_is_held_and_counted_where_there_is_no_ipv4") {
        return;
    }
    if !Path::new("/proc/net/if_inet6").exists() {
        return left_out("network rates over IPv6", "this kernel has no IPv6");
    }
    let far = Far::make_v6();
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    let Some(mut route) = rates(&hierarchy) else { return };
    let mut counts = NetworkCounts::new(hierarchy.clone()).unwrap();
    let held = own_group(&hierarchy, "v6");
    let holder = Killed(Command::new("sleep").arg("1000").spawn().unwrap());
    held.add(holder.0.id()).unwrap();
    counts.count(&[group(held.path())]).unwrap();
    let change = admitted(&group(held.path()), KNOB, Unlimited, Value(RATE_BYTES_PER_S));
    assert_eq!(route.apply(&change), Outcome::Applied { read_back: Value(RATE_BYTES_PER_S) });
    let slow = far.send(Some(&held)).bytes_per_s();
    assert!((slow / RATE_BYTES_PER_S - 1.0).abs() < 0.15, "{slow} instead of {RATE_BYTES_PER_S} byte/s");
    let (counted, charged) = (counted(&mut counts, &held).unwrap(), charged());
    println!("over IPv6 counted {counted:.0} byte, charged {charged:.0}");
    assert!((0.93..1.01).contains(&(counted / charged)), "{counted} of {charged} byte");
    assert_eq!(restore(vec![(group(held.path()), KNOB, Unlimited)], &mut route)[0].result, PutBack::Done);
    drop((counts, holder));
    assert_eq!(left_behind(), "");
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
