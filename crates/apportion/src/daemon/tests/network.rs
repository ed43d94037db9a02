//! What a service in the machine's own network sends: counted, sized, given more where it needs more. The whole loop, with a link of
//! numbers in memory.

use super::*;
use apportion_core::{Admitted, Workload, metric::name};
use apportion_host::act::{ActError, Nft, Recorded};
use std::{
    os::unix::fs::symlink,
    sync::{Mutex, MutexGuard},
};

/// One group's counter of `nft`, and the rate that is set for it.
#[derive(Default)]
struct Link {
    counter: Option<(String, f64)>,
    rate_bytes_per_s: Option<f64>,
    is_unreadable: bool,
    /// What held the rate is gone as a whole.
    is_lost: bool,
    /// Why no rate can be set.
    refuses: Option<&'static str>,
    /// Times that one was to be set.
    tries: usize,
}

#[derive(Clone, Default)]
struct Network(Arc<Mutex<Link>>);

impl Network {
    fn link(&self) -> MutexGuard<'_, Link> {
        self.0.lock().unwrap()
    }

    fn tries(&self) -> usize {
        self.link().tries
    }

    fn nft(&self) -> Nft {
        let link = Arc::clone(&self.0);
        Box::new(move |arguments, script| run(&mut link.lock().unwrap(), arguments, script))
    }

    /// Sends what is wanted for so long, as far as the rate lets it.
    fn send(&self, wanted_bytes_per_s: f64, s: f64) {
        let mut link = self.link();
        let sent = wanted_bytes_per_s.min(link.rate_bytes_per_s.unwrap_or(f64::INFINITY)) * s;
        link.counter.iter_mut().for_each(|(_, bytes)| *bytes += sent);
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes")]
fn run(link: &mut Link, arguments: &[&str], script: &str) -> Result<String, ActError> {
    if arguments[0] == "-j" {
        let (name, bytes) = link.counter.clone().unwrap();
        let counter = serde_json::json!({ "counter": { "name": name, "packets": 0, "bytes": bytes as u64 } });
        return Ok(serde_json::json!({ "nftables": [counter] }).to_string());
    }
    for line in script.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["delete", "table", ..] => link.counter = None,
            ["add", "counter", .., name] => link.counter = Some((name.to_owned(), 0.0)),
            _ => {}
        }
    }
    Ok(String::new())
}

impl Executor for Network {
    fn name(&self) -> &'static str {
        "network"
    }
    fn observe(&self, _: &Workload, knob: Knob) -> Option<Setting> {
        let Link { rate_bytes_per_s: rate, is_unreadable, .. } = *self.link();
        (knob == Knob::NetworkSendMax && !is_unreadable).then(|| rate.map_or(Setting::Unlimited, Value))
    }
    fn is_lost(&self, _: &Workload, knob: Knob) -> bool {
        knob == Knob::NetworkSendMax && self.link().is_lost
    }
    fn apply(&mut self, change: &Admitted) -> Outcome {
        let mut link = self.link();
        link.tries += 1;
        if let Some(error) = link.refuses {
            return Outcome::Failed { error: error.to_owned() };
        }
        (link.rate_bytes_per_s, link.is_lost) = (change.to().value(), false);
        Outcome::Applied { read_back: change.to() }
    }
}

/// A loop that manages one group by these rules, on that link.
fn managed(rules: &str) -> (World, Network) {
    let config = Config::parse(rules, Path::new("rules")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    put(&folder.path().join("root"), "proc/net/route", "Iface\neth0 00000000 0 3 0 0 100 00000000 0\n");
    let mut world = World::within(folder, &["web"], &config, "recent");
    for process in ["self", "4242"] {
        let dir = world.folder.path().join(format!("root/proc/{process}/ns"));
        fs::create_dir_all(&dir).unwrap();
        symlink("net:[1]", dir.join("net")).unwrap();
    }
    let (network, daemon) = (Network::default(), &mut world.daemon);
    daemon.counts = Some(NetworkCounts::by(network.nft(), daemon.hierarchy.clone()).unwrap());
    daemon.executor = Box::new(Recorded::new(network.clone(), Ledger(Arc::clone(&daemon.store))));
    (world, network)
}

#[test]
fn what_a_service_sends_is_counted_and_its_rate_sized() {
    let (mut world, network) = managed("guard = \"brisk\"\n[[workloads]]\nmatch = \"/web\"\napply = true");
    let mut at_s = 0;
    let mut run = |world: &mut World, wanted_bytes_per_s: f64, turns: usize| {
        for _ in 0..turns {
            at_s += 10;
            network.send(wanted_bytes_per_s, 10.0);
            world.daemon.turn(START.plus_s(at_s));
        }
        network.link().rate_bytes_per_s
    };
    assert_eq!(run(&mut world, 5e6, 3), None, "counting limits nothing");
    let latest = world.daemon.store.latest(&"/web".into());
    assert_eq!(latest[&Metric::new(name::NETWORK_SEND)].value, 5e6);
    // Seen for ten minutes, it has at the most twice what it used; then it wants four times that.
    let rate = run(&mut world, 5e6, 60).unwrap();
    assert!((5.35e6..10.5e6).contains(&rate), "{rate}");
    let rate = run(&mut world, 2e7, 180).unwrap();
    assert!(rate > 2e7, "{rate}");
    let decisions = world.daemon.store.decisions(&apportion_host::store::Filter::default()).unwrap();
    let first = decisions.iter().rfind(|decision| decision.is_applied()).unwrap();
    let used = first.change.reason.used.as_ref().unwrap();
    assert!((used.max / 5e6 - 1.0).abs() < 0.01 && !first.change.reason.is_bound_alone(), "{first:?}");
    assert_eq!(world.changed(), [("/web".to_owned(), Knob::NetworkSendMax, Setting::Unlimited)]);
    world.roll_back("/web").unwrap();
    assert_eq!((network.link().rate_bytes_per_s, world.changed()), (None, vec![]));
    drop(world);
    assert_eq!(network.link().counter, None, "the table ends with the run");
}

#[test]
fn a_rate_that_got_lost_is_set_again_and_said() {
    let (mut world, network) = managed(
        "[[workloads]]\nmatch = \"/web\"\napply = true\nbounds = { network_send_max_bytes_per_s = [0, \"1Mi\"] }",
    );
    let made = |world: &mut World, at_s| world.daemon.turn(START.plus_s(at_s)).report.decisions;
    (1..4).for_each(|turn| drop(made(&mut world, 10 * turn)));
    assert_eq!(network.link().rate_bytes_per_s, Some(MIB));
    let lose = || (network.link().rate_bytes_per_s, network.link().is_lost) = (None, true);
    lose();
    let again = made(&mut world, 40);
    assert_eq!(network.link().rate_bytes_per_s, Some(MIB), "at once");
    assert!(again.len() == 1 && again[0].change.is_set_again() && again[0].is_applied(), "{again:?}");
    assert_eq!(world.changed(), [("/web".to_owned(), Knob::NetworkSendMax, Setting::Unlimited)]);
    lose();
    world.roll_back("/web").unwrap();
    assert_eq!((network.link().rate_bytes_per_s, world.changed()), (None, vec![]));
    assert!(made(&mut world, 50).iter().all(|decision| !decision.change.is_set_again()), "it is not lost any more");
}

const BOUND: &str =
    "[[workloads]]\nmatch = \"/web\"\napply = true\nbounds = { network_send_max_bytes_per_s = [0, \"1Mi\"] }";

/// Turns from `from` on, ten minutes of them: what was decided of rates.
fn ten_minutes(world: &mut World, from: i64) -> Vec<Decision> {
    let turns = from..from + 60;
    let decisions = turns.flat_map(|turn| world.daemon.turn(START.plus_s(10 * turn)).report.decisions);
    decisions.filter(|made| made.change.knob == Knob::NetworkSendMax).collect()
}

fn failure(made: &Decision) -> Option<&str> {
    match &made.verdict {
        Verdict::Admitted { outcome: Outcome::Failed { error }, .. } => Some(error),
        _ => None,
    }
}

#[test]
fn a_first_rate_that_cannot_be_set_is_tried_with_growing_pauses() {
    let (mut world, network) = managed(BOUND);
    network.link().refuses = Some("nft -f -: No such file or directory");
    let made = ten_minutes(&mut world, 1);
    assert_eq!(network.tries(), 5, "at 0, 20, 60, 140 and 300 s");
    let failures: Vec<_> = made.iter().map(failure).collect();
    assert_eq!(failures, [Some("nft -f -: No such file or directory"); 2], "once for the bound, and once sized");
    network.link().refuses = None;
    let made = ten_minutes(&mut world, 61);
    assert!(made.iter().any(Decision::is_applied) && network.link().rate_bytes_per_s == Some(MIB), "{made:?}");
}

#[test]
fn a_lost_rate_that_cannot_be_set_is_tried_with_growing_pauses_and_stays_ours() {
    let (mut world, network) = managed(BOUND);
    (1..4).for_each(|turn| drop(world.daemon.turn(START.plus_s(10 * turn))));
    let mut link = network.link();
    (link.refuses, link.is_lost, link.rate_bytes_per_s, link.tries) = (Some("no module"), true, None, 0);
    drop(link);
    let made = ten_minutes(&mut world, 4);
    assert_eq!(network.tries(), 5);
    assert_eq!(made.iter().map(failure).collect::<Vec<_>>(), [Some("no module")]);
    assert!(world.daemon.state().guard.ceded().next().is_none(), "nobody took it");
    network.link().refuses = None;
    let made = ten_minutes(&mut world, 64);
    assert!(made[0].change.is_set_again() && made[0].is_applied(), "{made:?}");
    assert_eq!(network.link().rate_bytes_per_s, Some(MIB));
}

#[test]
fn a_person_does_not_wait_for_a_pause() {
    let (mut world, network) = managed(BOUND);
    (1..4).for_each(|turn| drop(world.daemon.turn(START.plus_s(10 * turn))));
    network.link().refuses = Some("no module");
    for _ in 0..2 {
        let said = world.roll_back("/web").unwrap_err().what;
        assert!(said.contains("no module"), "{said}");
    }
    network.link().refuses = None;
    world.roll_back("/web").unwrap();
    assert_eq!(network.link().rate_bytes_per_s, None);
}

#[test]
fn a_rate_that_cannot_be_read_for_a_while_ends_no_counting() {
    let (mut world, network) = managed("[[workloads]]\nmatch = \"/web\"\napply = true");
    for turn in 1..6 {
        network.link().is_unreadable = turn == 3;
        network.send(5e6, 10.0);
        world.daemon.turn(START.plus_s(10 * turn));
    }
    let sent = network.link().counter.as_ref().map(|(_, bytes)| *bytes);
    assert_eq!(sent, Some(2e8), "all that was sent since the first turn");
}

#[test]
fn what_a_query_tells_or_nobody_manages_is_not_counted() {
    let told = "[[workloads]]\nmatch = \"/web\"\napply = true\nqueries = { network_send_bytes_per_s = 'sum(sent)' }";
    for rules in [told, "", "[[workloads]]\nmatch = \"/web\"\nbounds = { cpu_quota_cores = [0.1, 4] }"] {
        let (mut world, network) = managed(rules);
        (1..4).for_each(|turn| drop(world.daemon.turn(START.plus_s(10 * turn))));
        assert_eq!(network.link().counter, None, "{rules}");
    }
}
