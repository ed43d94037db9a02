//! What holds for every policy: it does not look ahead, does not depend on threads, and answers to its margin.

#![allow(clippy::unwrap_used, reason = "a test")]

use apportion_replay::{
    Decided, Decisions, Engine, Options, Player, Trace, TraceBuilder, peers, run, run_at,
    share::{Claim, Node},
    unwatched,
    world::in_force,
};
use proptest::prelude::*;

const STEP_S: i64 = 300;

/// A trace of CPU, memory and requests from a seed: a daily wave, noise and spikes, with a gap of three hours.
fn trace(seed: u64, days: i64) -> Trace {
    let mut builder = TraceBuilder::default();
    let mut state = seed;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / 16_777_216.0
    };
    for workload in ["alpha", "beta"] {
        for (metric, scale) in [("cpu_cores", 1.0), ("memory_bytes", 1e9), ("requests_per_min", 300.0)] {
            for time in (STEP_S..=days * 86_400).step_by(300) {
                let hour = time as f64 / 3_600.0;
                let spike = if noise() > 0.995 { 4.0 } else { 0.0 };
                let value = scale * (1.0 + 0.6 * (hour / 24.0 * std::f64::consts::TAU).sin() + 0.3 * noise() + spike);
                if !(30.0..33.0).contains(&hour) {
                    builder.push(workload, metric, time, value).unwrap();
                }
            }
        }
    }
    builder.finish().unwrap()
}

fn engines() -> [Engine<'static>; 1] {
    [Engine::apportion("seasonal-naive", 6 * 3_600).unwrap()]
}

fn everyone<'a>(engines: &'a [Engine<'a>]) -> Vec<Player<'a>> {
    peers::ALL.iter().map(Player::Peer).chain(engines.iter().map(Player::Engine)).collect()
}

fn looks_ahead(player: Player<'_>) -> bool {
    matches!(player, Player::Peer(peer) if peer.clairvoyant)
}

fn play(trace: &Trace, player: Player<'_>, threads: usize) -> Decisions {
    run(trace, player, &Options { threads, ..Options::default() }, &unwatched).unwrap()
}

/// Mean allotment over the samples of all series of a metric.
fn allotted(trace: &Trace, made: &Decisions, metric: &str) -> f64 {
    let mine = trace.series().iter().zip(&made.series).filter(|(series, _)| *series.metric == *metric);
    mine.flat_map(|(series, own)| series.times_s.iter().filter_map(|time| in_force(&own.decided, *time))).sum()
}

#[test]
fn nobody_but_the_bounds_looks_ahead() {
    let whole = trace(1, 5);
    let engines = engines();
    for player in everyone(&engines).into_iter().filter(|player| !looks_ahead(*player)) {
        let all = play(&whole, player, 1);
        for cut_s in [100_000, 30 * 3_600 + 60, 250_000, 399_900] {
            let again = play(&whole.until(cut_s), player, 1);
            for (one, other) in all.series.iter().zip(&again.series) {
                let until = |decided: &[Decided]| decided.iter().copied().filter(|made| made.time_s <= cut_s).collect();
                let (one, other): (Vec<Decided>, Vec<Decided>) = (until(&one.decided), until(&other.decided));
                assert_eq!(one, other, "{} cut at {cut_s}", player.name());
            }
        }
    }
}

/// With the telemetry model, which is forecast from a day on, and in batches.
#[test]
fn nor_does_ours_with_the_telemetry_model() {
    let whole = trace(7, 3);
    let engine = Engine::apportion("transformer", 6 * 3_600).unwrap();
    let all = play(&whole, Player::Engine(&engine), 1);
    assert_eq!(all, play(&whole, Player::Engine(&engine), 3));
    let cut_s = 2 * 86_400 + 7_500;
    let again = play(&whole.until(cut_s), Player::Engine(&engine), 2);
    for (one, other) in all.series.iter().zip(&again.series) {
        let until = one.decided.iter().copied().filter(|made| made.time_s <= cut_s).collect::<Vec<_>>();
        assert_eq!(until, other.decided, "{} {}", one.workload, one.metric);
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let trace = trace(2, 4);
    let engines = engines();
    for player in everyone(&engines) {
        assert_eq!(play(&trace, player, 1), play(&trace, player, 4), "{}", player.name());
    }
}

#[test]
fn each_policy_sizes_what_it_is_for() {
    let trace = trace(3, 3);
    let engines = engines();
    for player in everyone(&engines) {
        for own in &play(&trace, player, 1).series {
            let requests = &*own.metric == "requests_per_min";
            let sized = match player.name() {
                "hpa" => requests,
                _ => true,
            };
            assert_eq!(!own.decided.is_empty(), sized, "{} {}", player.name(), own.metric);
        }
    }
}

#[test]
fn more_margin_allots_more_and_more_risk_less() {
    let trace = trace(4, 4);
    // VPA and the ensemble are left out: bands and prices of a change make single margins overtake each other.
    let monotone = ["hpa", "krr", "crane", "autopilot", "n-sigma", "rc-like", "static", "seasonal-naive"];
    for (name, rises) in
        monotone.map(|name| (name, true)).into_iter().chain([("best-static", false), ("oracle", false)])
    {
        let peer = peers::Peer::named(name).unwrap();
        let metric = if name == "hpa" { "requests_per_min" } else { "cpu_cores" };
        let made: Vec<f64> = peer
            .grid
            .iter()
            .map(|margin| {
                let made = run_at(&trace, Player::Peer(peer), *margin, &Options::default(), &unwatched).unwrap();
                allotted(&trace, &made, metric)
            })
            .collect();
        let in_order = made.windows(2).all(|pair| if rises { pair[0] <= pair[1] } else { pair[0] >= pair[1] });
        assert!(in_order && made.first() != made.last(), "{name}: {made:?}");
    }
}

#[test]
fn ours_allots_less_where_more_risk_is_allowed() {
    let trace = trace(5, 6);
    let engines = engines();
    let footprint = |risk: f64| {
        let made = run_at(&trace, Player::Engine(&engines[0]), risk, &Options::default(), &unwatched).unwrap();
        allotted(&trace, &made, "cpu_cores")
    };
    assert!(footprint(0.001) > footprint(0.05));
}

#[test]
fn a_constant_series_settles_near_its_value() {
    let mut builder = TraceBuilder::default();
    (1..=4 * 288).for_each(|k| builder.push("a", "cpu_cores", k * STEP_S, 2.0).unwrap());
    let trace = builder.finish().unwrap();
    let engines = engines();
    for player in everyone(&engines).into_iter().filter(|player| player.name() != "hpa") {
        let made = play(&trace, player, 1);
        let last = made.series[0].decided.last().unwrap().allocation;
        assert!((2.0..=3.0).contains(&last), "{}: {last}", player.name());
    }
}

#[test]
fn a_node_gives_no_more_than_it_has_and_the_first_first() {
    let trace = trace(6, 3);
    let claim = |priority| Claim { priority, weight: 1.0 };
    let node = Node {
        amounts: [("cpu_cores".to_owned(), 2.5)].into(),
        claims: [("alpha".to_owned(), claim(1)), ("beta".to_owned(), claim(3))].into(),
    };
    let options = Options { node: Some(node), ..Options::default() };
    let engines = engines();
    for player in everyone(&engines).into_iter().filter(|player| player.name() != "hpa") {
        let made = run(&trace, player, &options, &unwatched).unwrap();
        let cpu = |workload: &str| &made.series[trace.find(workload, "cpu_cores").unwrap()].decided;
        let times = &trace.series()[0].times_s;
        let given = |workload: &str, time: &i64| in_force(cpu(workload), *time).unwrap_or(0.0);
        for time in times {
            let sum = given("alpha", time) + given("beta", time);
            assert!(sum <= 2.5 + 1e-9, "{}: {sum} at {time}", player.name());
        }
        let total = |workload: &str| times.iter().map(|time| given(workload, time)).sum::<f64>();
        assert!(total("beta") > total("alpha"), "{}", player.name());
    }
}

/// Bursts of the same hour of each day, with a forecaster that after each burst says that there will be another.
#[test]
fn a_daily_burst_through_the_loop_is_covered_with_two_to_three_changes_a_day() {
    let engine = Engine::apportion("recent", 6 * 3_600).unwrap();
    for burst_steps in [6, 12, 24, 48] {
        let mut builder = TraceBuilder::default();
        for k in 1..=7 * 288_i64 {
            let busy = (108..108 + burst_steps).contains(&((k - 1) % 288));
            builder.push("a", "cpu_cores", k * STEP_S, if busy { 2.0 } else { 0.2 }).unwrap();
        }
        let trace = builder.finish().unwrap();
        let made = run_at(&trace, Player::Engine(&engine), 0.001, &Options::default(), &unwatched).unwrap();
        let decided = &made.series[0].decided;
        let late = |time: &i64| *time > 3 * 86_400;
        let over = trace.series()[0].samples().filter(|(time, _)| late(time));
        let over = over.filter(|(time, used)| in_force(decided, *time).unwrap() < *used).count();
        let changes = decided.iter().filter(|made| late(&made.time_s)).count();
        // Two a day, and what margins narrow by as the rhythm is learnt.
        assert!(over == 0 && changes <= 2 * 4 + 4, "{burst_steps} steps: {over} over, {changes} changes in four days");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Policies without amounts of their own do the same to usage in other units.
    #[test]
    fn scaled_usage_scales_decisions(values in prop::collection::vec(0.01..10.0_f64, 60..400), power in -8..8_i32) {
        let factor = 2.0_f64.powi(power);
        let of = |factor: f64| {
            let mut builder = TraceBuilder::default();
            for (time, value) in (1..).map(|k| k * STEP_S).zip(&values) {
                builder.push("a", "cpu_cores", time, value * factor).unwrap();
            }
            builder.finish().unwrap()
        };
        for name in ["n-sigma", "rc-like", "static", "seasonal-naive", "best-static", "oracle"] {
            let player = Player::Peer(peers::Peer::named(name).unwrap());
            let (one, other) = (play(&of(1.0), player, 1), play(&of(factor), player, 1));
            let scaled: Vec<(i64, f64)> =
                one.series[0].decided.iter().map(|made| (made.time_s, made.allocation * factor)).collect();
            let found: Vec<(i64, f64)> =
                other.series[0].decided.iter().map(|made| (made.time_s, made.allocation)).collect();
            prop_assert_eq!(scaled, found, "{}", name);
        }
    }

    /// Whatever is used, what is allotted is a number that can be written down.
    #[test]
    fn allotments_are_finite_and_not_negative(
        values in prop::collection::vec(prop_oneof![Just(0.0), 0.0..1e-9_f64, 0.0..5.0_f64, 1e3..1e12_f64], 1..300),
        metric in prop::sample::select(vec!["cpu_cores", "memory_bytes", "requests_per_min", "disk_read_kbps"]),
    ) {
        let mut builder = TraceBuilder::default();
        for (time, value) in (1..).map(|k| k * 1_800).zip(&values) {
            builder.push("a", metric, time, *value).unwrap();
        }
        let trace = builder.finish().unwrap();
        for player in everyone(&engines()).into_iter().filter(|player| player.check(&trace).is_ok()) {
            for (_, _, time, allocation) in play(&trace, player, 1).rows() {
                prop_assert!(allocation.is_finite() && allocation >= 0.0, "{} {time}: {allocation}", player.name());
            }
        }
    }
}
