//! What the guard lets through, moderates and refuses.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use apportion_core::{
    Binding, Change, DecisionId, Guard, GuardLimits, Knob, Mode, Outcome, Reason, Refusal, Setting, Snapshot,
    knob::Bounds, metric::name, plan::Used,
};
use common::{NOW, change, cpu, read, snapshot, state};
use proptest::prelude::*;

fn guard() -> Guard {
    Guard::new(GuardLimits::default())
}

fn admit(guard: &mut Guard, change: &Change, snapshot: &Snapshot) -> Result<Setting, Refusal> {
    guard.admit(DecisionId(1), change, snapshot).map(|admitted| admitted.to())
}

/// Admits a change and notes it as applied.
fn carry_out(guard: &mut Guard, change: &Change, snapshot: &Snapshot) -> Result<Setting, Refusal> {
    let admitted = guard.admit(DecisionId(1), change, snapshot)?;
    guard.note(&admitted, &Outcome::Applied { read_back: admitted.to() }, snapshot.now);
    Ok(admitted.to())
}

#[test]
fn moderates_a_value_within_its_rules() {
    let bounded = |min, max| {
        let mut state = state("web", 2.0);
        state.standing.bounds.insert(Knob::CpuQuota, Bounds { min, max });
        snapshot(vec![state])
    };
    let check = |snapshot: &Snapshot, change: &Change, expect: f64| {
        assert_eq!(admit(&mut guard(), change, snapshot), Ok(Setting::Value(expect)), "{change:?}");
    };
    let free = snapshot(vec![state("web", 2.0)]);
    check(&free, &cpu("web", 2.0, 1.5), 1.5);
    check(&free, &cpu("web", 2.0, 0.1), 1.4); // at most 30 % a step down
    check(&free, &cpu("web", 2.0, 100.0), 20.0); // at most tenfold a step up
    check(&bounded(1.6, None), &cpu("web", 2.0, 1.0), 1.6);
    check(&bounded(0.0, Some(1.0)), &cpu("web", 2.0, 1.7), 1.0); // people's ceiling outweighs the step limit
    check(&free, &change("web", Knob::MemoryMax, 2e9, 0.9e9), 1.4e9);
    let mut full = state("web", 2.0);
    read(&mut full, name::MEMORY_WORKING_SET, NOW, 1.6e9);
    check(&snapshot(vec![full]), &change("web", Knob::MemoryMax, 2e9, 1.0e9), 1.6e9 * 1.1);
}

#[test]
fn what_was_there_before_is_put_back_however_little() {
    let mut back = cpu("web", 2.0, 0.005);
    back.reason = Reason::only(Binding::RolledBack { of: DecisionId(1) });
    assert_eq!(admit(&mut guard(), &back, &snapshot(vec![state("web", 2.0)])), Ok(Setting::Value(0.005)));
}

/// What was used in the last day.
fn used(max: f64) -> Used {
    Used { window_s: 86_400.0, present_share: 1.0, seen_s: 86_400.0, p50: 0.1 * max, p95: 0.2 * max, max, max_at: NOW }
}

/// One workload some time later, with its telemetry as fresh.
fn later(quota_cores: f64, after_s: i64) -> Snapshot {
    let mut state = state("web", quota_cores);
    read(&mut state, name::CPU, NOW.plus_s(after_s), 0.1);
    Snapshot { now: NOW.plus_s(after_s), ..snapshot(vec![state]) }
}

#[test]
fn a_first_limit_leaves_room_above_the_greatest_use() {
    let snapshot = snapshot(vec![state("web", 2.0)]);
    let first = |wanted, used: Option<Used>| {
        let mut change = cpu("web", 2.0, wanted);
        change.from = Setting::Unlimited;
        change.reason.used = used;
        admit(&mut guard(), &change, &snapshot).unwrap()
    };
    assert_eq!(first(0.4, Some(used(1.0))), Setting::Value(1.4), "30 % below twice the greatest use");
    assert_eq!(first(1.8, Some(used(1.0))), Setting::Value(1.8));
    assert_eq!(first(0.4, None), Setting::Value(0.4));
}

#[test]
fn throughput_that_nobody_bounds_keeps_a_floor() {
    const MIB: f64 = 1_048_576.0;
    let cut = |from: f64, to: f64, bounds: Option<Bounds>| {
        let mut state = state("web", 2.0);
        state.settings.insert(Knob::IoWriteMax, Setting::Value(from));
        read(&mut state, name::IO_WRITE, NOW, 0.0);
        state.standing.bounds.extend(bounds.map(|bounds| (Knob::IoWriteMax, bounds)));
        admit(&mut guard(), &change("web", Knob::IoWriteMax, from, to), &snapshot(vec![state]))
    };
    assert_eq!(cut(20.0 * MIB, MIB, None), Ok(Setting::Value(16.0 * MIB)));
    assert_eq!(cut(20.0 * MIB, MIB, Some(Bounds::default())), Ok(Setting::Value(14.0 * MIB)), "people said so");
    assert_eq!(cut(4.0 * MIB, MIB, None), Err(Refusal::DeadBand { share: 0.0 }), "nor does it raise");
}

/// As `later`, of a group that is known by `life`.
fn of_life(life: u64, quota_cores: f64, after_s: i64) -> Snapshot {
    let mut snapshot = later(quota_cores, after_s);
    snapshot.workloads.values_mut().for_each(|state| state.life = Some(life));
    snapshot
}

/// The workload is not there.
fn nothing(after_s: i64) -> Snapshot {
    Snapshot { now: NOW.plus_s(after_s), ..snapshot(vec![]) }
}

#[test]
fn what_is_set_outlives_an_absence_of_an_hour_whoever_set_it() {
    let mut guard = guard();
    carry_out(&mut guard, &cpu("web", 2.0, 1.5), &of_life(1, 2.0, 0)).unwrap();
    guard.forget(&nothing(10));
    let cut = admit(&mut guard, &cpu("web", 1.5, 1.2), &of_life(2, 1.5, 20));
    assert!(matches!(cut, Err(Refusal::CoolDown { .. })), "a restart does not shorten the wait: {cut:?}");
    assert!(
        admit(&mut guard, &cpu("web", 3.5, 4.0), &of_life(2, 3.5, 30)).is_err(),
        "set by somebody while it was gone"
    );
    guard.forget(&nothing(40));
    assert!(admit(&mut guard, &cpu("web", 3.5, 4.0), &of_life(3, 3.5, 50)).is_err(), "still theirs");
    guard.forget(&nothing(41 + 3_600));
    assert!(admit(&mut guard, &cpu("web", 3.5, 4.0), &of_life(4, 3.5, 50 + 3_600)).is_ok());
}

#[test]
fn a_group_made_anew_with_its_first_value_is_nobody_elses_doing() {
    let started_again = |life: Option<u64>, found: f64| {
        let mut guard = guard();
        carry_out(&mut guard, &cpu("web", 2.0, 1.5), &of_life(1, 2.0, 0)).unwrap();
        guard.forget(&of_life(1, 1.5, 10));
        let mut now = of_life(0, found, 400);
        now.workloads.values_mut().for_each(|state| state.life = life);
        guard.forget(&now);
        admit(&mut guard, &cpu("web", found, 1.5), &now)
    };
    assert_eq!(started_again(Some(2), 2.0), Ok(Setting::Value(1.5)), "the machine was started again");
    assert!(started_again(Some(1), 2.0).is_err(), "the same group: somebody put it back");
    assert!(started_again(None, 2.0).is_err(), "it cannot be told");
    assert!(started_again(Some(2), 3.0).is_err(), "somebody gave the new one another value");
}

#[test]
fn what_a_unit_keeps_in_a_new_group_is_still_ours_and_not_a_first_value() {
    let mut guard = guard();
    carry_out(&mut guard, &cpu("web", 2.0, 1.5), &of_life(1, 2.0, 0)).unwrap();
    guard.forget(&of_life(2, 1.5, 10));
    assert!(
        admit(&mut guard, &cpu("web", 2.0, 1.5), &of_life(2, 2.0, 400)).is_err(),
        "put back by somebody in this group"
    );
}

#[test]
fn a_clock_set_back_neither_lengthens_a_wait_nor_makes_old_readings_fresh() {
    let mut guard = guard();
    carry_out(&mut guard, &cpu("web", 2.0, 1.5), &later(2.0, 0)).unwrap();
    let hours = -6 * 3_600;
    guard.forget(&later(1.5, hours));
    let cut = |after_s| (cpu("web", 1.5, 1.2), later(1.5, hours + after_s));
    let (change, soon) = cut(299);
    assert!(matches!(admit(&mut guard, &change, &soon), Err(Refusal::CoolDown { .. })));
    let (change, then) = cut(301);
    assert!(admit(&mut guard, &change, &then).is_ok());
    let mut unread = then;
    unread.workloads.values_mut().for_each(|state| read(state, name::CPU, NOW, 0.5));
    assert!(matches!(admit(&mut guard, &change, &unread), Err(Refusal::Stale { .. })));
}

#[test]
fn what_hurt_is_given_back_as_far_as_people_allow() {
    let mut state = state("web", 1.0);
    state.standing.bounds.insert(Knob::CpuQuota, Bounds { min: 0.0, max: Some(2.0) });
    let back = |binding| Change { to: Setting::Unlimited, reason: Reason::only(binding), ..cpu("web", 1.0, 1.0) };
    let taken_back = back(Binding::TakeBack { of: DecisionId(1) });
    assert_eq!(admit(&mut guard(), &taken_back, &snapshot(vec![state.clone()])), Ok(Setting::Value(2.0)));
    let rolled_back = back(Binding::RolledBack { of: DecisionId(1) });
    assert_eq!(admit(&mut guard(), &rolled_back, &snapshot(vec![state])), Ok(Setting::Unlimited), "a person's word");
}

#[test]
fn refuses_with_the_reason() {
    let check = |edit: &dyn Fn(&mut apportion_core::WorkloadState), change: &Change, expect: Refusal| {
        let mut state = state("web", 2.0);
        edit(&mut state);
        assert_eq!(admit(&mut guard(), change, &snapshot(vec![state])), Err(expect));
    };
    let cut = cpu("web", 2.0, 1.5);
    check(&|_| {}, &cpu("gone", 2.0, 1.5), Refusal::UnknownWorkload);
    check(&|_| {}, &change("web", Knob::IoReadMax, 2.0, 1.5), Refusal::Unreachable);
    check(&|state| state.own = true, &cut, Refusal::OwnGroup);
    check(&|state| state.standing.mode = Mode::Recommend, &cut, Refusal::RecommendOnly);
    check(&|state| state.standing = state.standing.clone().held("audit"), &cut, Refusal::Held { why: "audit".into() });
    check(&|_| {}, &cpu("web", 2.0, f64::NAN), Refusal::NotANumber);
    check(&|_| {}, &cpu("web", 2.0, -1.0), Refusal::NotANumber);
    check(&|_| {}, &cpu("web", 2.0, 1.9), Refusal::DeadBand { share: (2.0 - 1.9) / 2.0 });
    let stale = Refusal::Stale { metric: name::CPU.into(), age_s: Some(61.0) };
    check(&|state| read(state, name::CPU, NOW.plus_s(-61), 0.5), &cut, stale);
    let never = Refusal::Stale { metric: name::CPU.into(), age_s: None };
    check(&|state| state.latest.clear(), &cut, never);
}

#[test]
fn steps_back_when_somebody_else_turned_the_knob() {
    let mut guard = guard();
    let before = snapshot(vec![state("web", 2.0)]);
    assert_eq!(carry_out(&mut guard, &cpu("web", 2.0, 1.5), &before), Ok(Setting::Value(1.5)));
    let mut turned = snapshot(vec![state("web", 3.0)]);
    turned.now = NOW.plus_s(10);
    let refused = Refusal::ForeignChange { expected: Setting::Value(1.5), found: Setting::Value(3.0) };
    assert_eq!(admit(&mut guard, &cpu("web", 3.0, 5.0), &turned), Err(refused.clone()));
    let mut turned_back = snapshot(vec![state("web", 1.5)]);
    turned_back.now = NOW.plus_s(20);
    assert_eq!(admit(&mut guard, &cpu("web", 1.5, 5.0), &turned_back), Err(refused), "ceded until handed over");
    guard.take_over(&"web".into());
    assert_eq!(admit(&mut guard, &cpu("web", 1.5, 5.0), &turned_back), Ok(Setting::Value(5.0)));
}

/// A second later the rate is gone with what held it, or is at `found`.
fn without_rate(found: Setting, is_lost: bool) -> Snapshot {
    let mut web = state("web", 2.0);
    web.settings.insert(Knob::NetworkSendMax, found);
    web.lost.extend(is_lost.then_some(Knob::NetworkSendMax));
    Snapshot { now: NOW.plus_s(1), ..snapshot(vec![web]) }
}

/// A guard under which the rate was set to 2 MB/s.
fn guard_of_rate() -> Guard {
    let mut guard = guard();
    let set = Change { from: Setting::Unlimited, ..change("web", Knob::NetworkSendMax, 0.0, 2e6) };
    let set = Change { reason: Reason::only(Binding::RolledBack { of: DecisionId(0) }), ..set };
    carry_out(&mut guard, &set, &without_rate(Setting::Unlimited, false)).unwrap();
    guard
}

#[test]
fn what_got_lost_is_set_again_as_it_was_and_is_nobodys_hand() {
    let (mut guard, lost) = (guard_of_rate(), without_rate(Setting::Unlimited, true));
    guard.forget(&lost);
    // Another rate that was set meanwhile made the table anew, and the program was started again.
    let mut guard: Guard = serde_json::from_str(&serde_json::to_string(&guard).unwrap()).unwrap();
    guard.limits = GuardLimits::default();
    let mut unread = without_rate(Setting::Unlimited, false);
    unread.workloads.values_mut().for_each(|state| state.latest.clear());
    let again = guard.lost(&unread).remove(0);
    assert_eq!((again.to, &again.reason.binding), (Setting::Value(2e6), &Binding::SetAgain));
    let mut held = unread.clone();
    held.workloads.values_mut().for_each(|state| state.standing = state.standing.clone().held("until Monday"));
    assert!(matches!(admit(&mut guard, &again, &held), Err(Refusal::Held { .. })), "people come first");
    assert_eq!(carry_out(&mut guard, &again, &unread), Ok(Setting::Value(2e6)), "neither step nor use holds it back");
    let stands = without_rate(Setting::Value(2e6), false);
    guard.forget(&stands);
    assert!(guard.lost(&stands).is_empty() && guard.ceded().next().is_none());
    let taken = without_rate(Setting::Unlimited, false);
    guard.forget(&taken);
    assert!(guard.lost(&taken).is_empty());
    assert!(matches!(admit(&mut guard, &again, &taken), Err(Refusal::ForeignChange { .. })), "gone alone: a hand");
}

#[test]
fn what_got_lost_is_set_again_within_the_hour_and_once() {
    let later = |s: i64, is_lost: bool| Snapshot { now: NOW.plus_s(s), ..without_rate(Setting::Unlimited, is_lost) };
    let mut guard = guard_of_rate();
    guard.forget(&later(5, true));
    assert_eq!(guard.lost(&later(3_000, true)).len(), 1);
    let late = later(4_000, true);
    guard.forget(&late);
    assert!(guard.lost(&late).is_empty(), "the load may be another by now");
    let more = Change { from: Setting::Unlimited, ..change("web", Knob::NetworkSendMax, 0.0, 3e6) };
    assert!(
        matches!(admit(&mut guard, &more, &late), Err(Refusal::ForeignChange { .. })),
        "handed over by a person only"
    );

    let mut guard = guard_of_rate();
    let soon = later(5, true);
    guard.forget(&soon);
    let again = guard.lost(&soon).remove(0);
    carry_out(&mut guard, &again, &soon).unwrap();
    let twice = later(600, true);
    guard.forget(&twice);
    assert!(guard.lost(&twice).is_empty(), "somebody takes it away");
}

#[test]
fn its_own_value_found_in_force_again_is_nobodys_hand() {
    let (mut guard, lost) = (guard_of_rate(), without_rate(Setting::Unlimited, true));
    guard.forget(&lost);
    let again = guard.lost(&lost).remove(0);
    let admitted = guard.admit(DecisionId(1), &again, &lost).unwrap();
    guard.note(&admitted, &Outcome::Drifted { found: Setting::Value(2e6) }, lost.now);
    assert!(guard.ceded().next().is_none());
}

#[test]
fn what_got_lost_and_was_taken_back_or_set_by_somebody_is_not_set_again() {
    let lost = without_rate(Setting::Unlimited, true);
    let mut guard = guard_of_rate();
    guard.forget(&lost);
    let back = Change { from: Setting::Unlimited, to: Setting::Unlimited, ..guard.lost(&lost).remove(0) };
    let back = Change { reason: Reason::only(Binding::RolledBack { of: DecisionId(0) }), ..back };
    let admitted = guard.admit(DecisionId(1), &back, &lost).unwrap();
    guard.note(&admitted, &Outcome::Unchanged, NOW);
    assert!(guard.lost(&lost).is_empty());
    assert_eq!(admit(&mut guard_of_rate(), &back, &lost), Ok(Setting::Unlimited), "also before the next turn");
    let mut guard = guard_of_rate();
    guard.forget(&lost);
    let set = without_rate(Setting::Value(9e6), false);
    guard.forget(&set);
    assert!(guard.lost(&set).is_empty());
    let more = change("web", Knob::NetworkSendMax, 9e6, 2e7);
    assert!(matches!(admit(&mut guard, &more, &set), Err(Refusal::ForeignChange { .. })));
}

#[test]
fn cuts_wait_and_raises_do_not() {
    let mut guard = guard();
    let first = snapshot(vec![state("web", 2.0)]);
    carry_out(&mut guard, &cpu("web", 2.0, 1.5), &first).unwrap();
    let mut soon = snapshot(vec![state("web", 1.5)]);
    soon.now = NOW.plus_s(30);
    assert_eq!(admit(&mut guard, &cpu("web", 1.5, 1.2), &soon), Err(Refusal::CoolDown { left_s: 270.0 }));
    assert_eq!(admit(&mut guard, &cpu("web", 1.5, 2.5), &soon), Ok(Setting::Value(2.5)));
}

#[test]
fn raises_of_the_last_day_are_taken_back_at_once() {
    let mut guard = guard();
    carry_out(&mut guard, &cpu("web", 0.5, 1.0), &later(0.5, 0)).unwrap();
    carry_out(&mut guard, &cpu("web", 1.0, 2.0), &later(1.0, 60)).unwrap();
    let back = |guard: &mut Guard, after_s| admit(guard, &cpu("web", 2.0, 0.2), &later(2.0, after_s));
    assert_eq!(back(&mut guard, 7_200), Ok(Setting::Value(0.5)), "no further than before the raises");
    assert_eq!(back(&mut guard, 60 + 86_400), Ok(Setting::Value(0.5)));
    assert_eq!(back(&mut guard, 61 + 86_400), Ok(Setting::Value(1.4)), "long ago: step by step");
}

#[test]
fn nothing_is_cut_before_enough_was_seen() {
    let snapshot = snapshot(vec![state("web", 2.0)]);
    let with_use = |to, present_share, seen_s| {
        let mut change = cpu("web", 2.0, to);
        change.reason.used = Some(Used { present_share, seen_s, ..used(0.3) });
        change
    };
    let young = Refusal::TooYoung { seen_s: 864.0, needed_s: 3_600.0 };
    assert_eq!(admit(&mut guard(), &with_use(1.5, 0.01, 864.0), &snapshot), Err(young));
    let raise = with_use(3.0, 0.01, 864.0);
    assert_eq!(admit(&mut guard(), &raise, &snapshot), Ok(Setting::Value(3.0)), "a raise needs no proof");
    assert_eq!(admit(&mut guard(), &with_use(1.5, 0.05, 4_320.0), &snapshot), Ok(Setting::Value(1.5)));
    let nightly = with_use(1.5, 0.01, 24.0 * 864.0);
    assert_eq!(admit(&mut guard(), &nightly, &snapshot), Ok(Setting::Value(1.5)), "of many days together");
}

#[test]
fn few_workloads_are_cut_per_period() {
    let mut guard = guard();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut snapshot = snapshot(names.iter().map(|id| state(id, 2.0)).collect());
    for id in ["a", "b"] {
        carry_out(&mut guard, &cpu(id, 2.0, 1.5), &snapshot).unwrap();
    }
    let full = Refusal::BlastRadius { changed: 2, allowed: 2 };
    assert_eq!(admit(&mut guard, &cpu("c", 2.0, 1.5), &snapshot), Err(full));
    assert!(admit(&mut guard, &cpu("c", 2.0, 3.0), &snapshot).is_ok(), "what gives is not held back");
    snapshot.now = NOW.plus_s(600);
    for state in snapshot.workloads.values_mut() {
        read(state, name::CPU, NOW.plus_s(600), 0.5);
    }
    assert!(admit(&mut guard, &cpu("c", 2.0, 1.5), &snapshot).is_ok(), "the period is over");
}

#[test]
fn an_undo_passes_what_holds_back_a_plan_but_not_memory_in_use() {
    let mut guard = guard();
    let mut held = state("web", 1.0);
    held.standing = held.standing.held("audit");
    held.latest.remove(&name::CPU.into());
    let snapshot = snapshot(vec![held]);
    let reason = Reason::only(Binding::RolledBack { of: DecisionId(7) });
    let undo = |knob, from, to| Change { reason: reason.clone(), ..change("web", knob, from, to) };
    assert_eq!(admit(&mut guard, &undo(Knob::CpuQuota, 1.0, 40.0), &snapshot), Ok(Setting::Value(40.0)));
    assert_eq!(admit(&mut guard, &undo(Knob::MemoryMax, 2e9, 0.5e9), &snapshot), Ok(Setting::Value(1.1e9)));
    let unlimited = Change { to: Setting::Unlimited, ..undo(Knob::CpuQuota, 1.0, 0.0) };
    assert_eq!(admit(&mut guard, &unlimited, &snapshot), Ok(Setting::Unlimited));
}

#[test]
fn memory_of_the_guard_outlives_a_restart() {
    let mut guard = guard();
    carry_out(&mut guard, &cpu("web", 2.0, 1.5), &snapshot(vec![state("web", 2.0)])).unwrap();
    let mut again: Guard = serde_json::from_str(&serde_json::to_string(&guard).unwrap()).unwrap();
    let turned = snapshot(vec![state("web", 3.0)]);
    assert!(matches!(admit(&mut again, &cpu("web", 3.0, 1.0), &turned), Err(Refusal::ForeignChange { .. })));
}

proptest! {
    /// Whatever a plan asks for, what comes out keeps every promise.
    #[test]
    fn admitted_values_keep_every_promise(
        from in 0.02..64.0_f64, to in prop_oneof![Just(0.0), 0.0..1e4_f64, Just(f64::INFINITY)],
        min in 0.0..4.0_f64, room in 0.0..8.0_f64, used in 0.0..4e9_f64, memory_to in 0.0..8e9_f64,
    ) {
        let mut state = state("web", from);
        let bounds = Bounds { min, max: Some(min + room) };
        state.standing.bounds.insert(Knob::CpuQuota, bounds);
        read(&mut state, name::MEMORY_WORKING_SET, NOW, used);
        let snapshot = snapshot(vec![state]);
        if let Ok(Setting::Value(value)) = admit(&mut guard(), &cpu("web", from, to), &snapshot) {
            prop_assert!(value.is_finite() && value >= Knob::CpuQuota.smallest());
            prop_assert!(value <= (min + room).max(Knob::CpuQuota.smallest()));
            prop_assert!(value >= min.min(min + room));
            let free = bounds.hold(value) == value && value > min && value < min + room;
            prop_assert!(!free || value >= from * 0.7 - 1e-9, "cut {from} -> {value}");
        }
        if let Ok(Setting::Value(value)) = admit(&mut guard(), &change("web", Knob::MemoryMax, 2e9, memory_to), &snapshot) {
            prop_assert!(value >= used * 1.1 - 1.0, "{value} below memory in use {used}");
        }
    }
}

#[test]
fn what_people_allow_is_kept_at_once() {
    let within = |min, max, from: f64, to: f64| {
        let mut guard = guard();
        // It was turned a moment ago: what goes beyond the bounds must wait.
        carry_out(&mut guard, &cpu("web", from / 2.0, from), &snapshot(vec![state("web", from / 2.0)])).unwrap();
        let mut state = state("web", from);
        state.standing.bounds.insert(Knob::CpuQuota, Bounds { min, max });
        admit(&mut guard, &cpu("web", from, to), &snapshot(vec![state]))
    };
    assert_eq!(within(0.0, Some(1.95), 2.0, 1.95), Ok(Setting::Value(1.95)), "past the dead band");
    assert_eq!(within(2.05, None, 2.0, 2.05), Ok(Setting::Value(2.05)));
    assert_eq!(within(0.0, Some(4.0), 8.0, 1.0), Ok(Setting::Value(4.0)), "to the ceiling at once, below it later");
    assert!(matches!(within(0.0, Some(8.0), 8.0, 1.0), Err(Refusal::CoolDown { .. })));
}

#[test]
fn what_is_taken_back_stays_within_what_people_allow() {
    let mut state = state("web", 1.0);
    state.standing.bounds.insert(Knob::CpuQuota, Bounds { min: 0.0, max: Some(1.5) });
    let snapshot = snapshot(vec![state]);
    let back = |binding| Change { reason: Reason::only(binding), ..cpu("web", 1.0, 4.0) };
    let of = DecisionId(1);
    assert_eq!(admit(&mut guard(), &back(Binding::TakeBack { of }), &snapshot), Ok(Setting::Value(1.5)));
    assert_eq!(admit(&mut guard(), &back(Binding::RolledBack { of }), &snapshot), Ok(Setting::Value(4.0)));
}

#[test]
fn what_failed_waits_and_what_is_urgent_or_another_thing_does_not() {
    let (mut guard, first) = (guard(), snapshot(vec![state("web", 2.0)]));
    let (cut, raise) = (cpu("web", 2.0, 1.5), cpu("web", 2.0, 3.0));
    let fail = |guard: &mut Guard, change: &Change, snapshot: &Snapshot| {
        let admitted = guard.admit(DecisionId(1), change, snapshot).unwrap();
        guard.note(&admitted, &Outcome::Failed { error: "EBUSY".to_owned() }, snapshot.now);
    };
    let at = |s: i64| {
        let mut web = state("web", 2.0);
        read(&mut web, name::CPU, NOW.plus_s(s), 0.5);
        Snapshot { now: NOW.plus_s(s), ..snapshot(vec![web]) }
    };
    let waits = |left_s| Err(Refusal::Failing { error: "EBUSY".to_owned(), left_s });
    fail(&mut guard, &cut, &first);
    assert_eq!(admit(&mut guard, &cut, &at(5)), waits(15.0));
    assert_eq!(admit(&mut guard, &raise, &at(5)), Ok(Setting::Value(3.0)), "a cut that fails withholds nothing");
    for binding in [Binding::TakeBack { of: DecisionId(0) }, Binding::RolledBack { of: DecisionId(0) }] {
        let back = Change { reason: Reason::only(binding), ..cut.clone() };
        assert_eq!(admit(&mut guard, &back, &at(5)), Ok(Setting::Value(1.5)));
    }
    assert_eq!(admit(&mut guard, &cut, &at(-3_600)), Ok(Setting::Value(1.5)), "a clock set back puts nothing off");
    let mut s = 20;
    for pause_s in [40, 80, 160, 300, 300] {
        fail(&mut guard, &cut, &at(s));
        assert_eq!(admit(&mut guard, &cut, &at(s + pause_s - 1)), waits(1.0));
        s += pause_s;
    }
    // More that is withheld hurts meanwhile.
    for pause_s in [20, 40, 60, 60] {
        fail(&mut guard, &raise, &at(s));
        assert_eq!(admit(&mut guard, &raise, &at(s + pause_s - 1)), waits(1.0));
        s += pause_s;
    }
    fail(&mut guard, &cut, &at(s));
    guard.take_over(&"web".into());
    assert_eq!(admit(&mut guard, &cut, &at(s + 1)), Ok(Setting::Value(1.5)), "a person asks for it");
}
