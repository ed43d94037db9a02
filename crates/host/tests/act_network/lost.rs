//! Rates that are gone with what held them: nobody has taken them away.

use crate::{
    act_support::{admitted, group},
    world::{Far, KNOB, OUT, failure, inside, left_behind, own_group, rates, sh},
};
use apportion_core::{
    Executor as _, Outcome,
    Setting::{Unlimited, Value},
};
use apportion_host::{
    act::{PutBack, Route, restore},
    cgroupfs::Hierarchy,
};
use std::path::Path;

#[test]
fn a_ruleset_that_is_emptied_is_nobodys_hand() {
    if !inside("lost::a_ruleset_that_is_emptied_is_nobodys_hand") {
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

/// Two groups of which the first has a rate, and what is seen of that rate before the second one's first is set within a minute.
fn second_rate_after(test: &str, loss: &str) {
    if !inside(test) {
        return;
    }
    let _far = Far::make();
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    let Some(mut route) = rates(&hierarchy) else { return };
    let made = ["one", "two", "three"].map(|name| own_group(&hierarchy, name));
    let groups = made.each_ref().map(|made| group(made.path()));
    let set = |route: &mut Route, index: usize, from, to| route.apply(&admitted(&groups[index], KNOB, from, to));
    let lost = |route: &Route| [0, 1, 2].map(|index| route.is_lost(&groups[index], KNOB));
    let done = |to| Outcome::Applied { read_back: to };
    assert_eq!(set(&mut route, 0, Unlimited, Value(1e6)), done(Value(1e6)));
    assert_eq!(set(&mut route, 1, Unlimited, Value(2e6)), done(Value(2e6)));
    sh(loss);
    assert_eq!(route.observe(&groups[0], KNOB), Some(Value(1e6)), "seen within a minute");
    assert_eq!(set(&mut route, 2, Unlimited, Value(3e6)), done(Value(3e6)));
    assert_eq!((route.observe(&groups[0], KNOB), lost(&route)), (Some(Unlimited), [true, true, false]));
    assert_eq!(set(&mut route, 0, Unlimited, Value(1e6)), done(Value(1e6)));
    // One of them is not wanted any more before it is set again.
    assert!(restore(vec![(groups[1].clone(), KNOB, Unlimited)], &mut route)[0].result.is_settled());
    assert_eq!(lost(&route), [false; 3]);
    assert_eq!([0, 2].map(|index| route.observe(&groups[index], KNOB)), [Some(Value(1e6)), Some(Value(3e6))]);
    let results = restore([0, 2].map(|index| (groups[index].clone(), KNOB, Unlimited)).into(), &mut route);
    assert!(results.iter().all(|one| one.result == PutBack::Done), "{results:?}");
    assert_eq!(left_behind(), "");
}

#[test]
fn a_first_rate_after_the_ruleset_was_emptied_takes_no_other_away() {
    second_rate_after("lost::a_first_rate_after_the_ruleset_was_emptied_takes_no_other_away", "nft flush ruleset");
}

#[test]
fn a_first_rate_after_the_default_route_moved_takes_no_other_away() {
    let moved = "ip link add apptest1 type veth peer name far1; ip addr add 10.99.8.1/24 dev apptest1; ip link set far1 up; \
                 ip link set apptest1 up; ip route replace default dev apptest1";
    second_rate_after("lost::a_first_rate_after_the_default_route_moved_takes_no_other_away", moved);
}

#[test]
fn a_rate_taken_back_after_the_ruleset_was_emptied_leaves_the_others_known() {
    if !inside("lost::a_rate_taken_back_after_the_ruleset_was_emptied_leaves_the_others_known") {
        return;
    }
    let _far = Far::make();
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    let Some(mut route) = rates(&hierarchy) else { return };
    let made = ["one", "two"].map(|name| own_group(&hierarchy, name));
    let groups = made.each_ref().map(|made| group(made.path()));
    for group in &groups {
        let change = admitted(group, KNOB, Unlimited, Value(1e6));
        assert_eq!(route.apply(&change), Outcome::Applied { read_back: Value(1e6) });
    }
    sh("nft flush ruleset");
    let taken_back = route.apply(&admitted(&groups[0], KNOB, Value(1e6), Unlimited));
    assert_eq!(taken_back, Outcome::Applied { read_back: Unlimited });
    assert_eq!([0, 1].map(|index| route.is_lost(&groups[index], KNOB)), [false, true]);
    // Until it is set again it is known, whatever of it is looked at.
    assert_eq!(
        route.apply(&admitted(&groups[1], KNOB, Unlimited, Value(1e6))),
        Outcome::Applied { read_back: Value(1e6) }
    );
    assert!(!route.is_lost(&groups[1], KNOB));
    assert_eq!(restore(vec![(groups[1].clone(), KNOB, Unlimited)], &mut route)[0].result, PutBack::Done);
    assert_eq!(left_behind(), "");
}

#[test]
fn a_rate_follows_the_default_route() {
    const OTHER: &str = "apptest1";
    if !inside("lost::a_rate_follows_the_default_route") {
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
