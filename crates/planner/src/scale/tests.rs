use super::*;
use proptest::prelude::*;
use std::f64::consts::TAU;

const MINUTES: usize = 1_440;

fn look(demand: f64) -> Look {
    Look { demand, served_by_one: 100.0, forecast: None, announced: 1.0 }
}

fn counts(terms: Terms, demand: impl IntoIterator<Item = f64>) -> Vec<u32> {
    let mut scaling = Scaling::new(terms);
    demand.into_iter().map(|demand| scaling.look(&look(demand)).replicas).collect()
}

/// Share of steps in which demand is over what serves: the least count of those decided while a replica starts.
fn over(terms: Terms, demand: &[f64], counts: &[u32], from: usize) -> f64 {
    let starting = starting_steps(&terms) + 1;
    let serving = |at: usize| f64::from(counts[at.saturating_sub(starting)..at].iter().copied().min().unwrap_or(0));
    let over = (from..demand.len()).filter(|at| demand[*at] > 100.0 * serving(*at)).count();
    over as f64 / (demand.len() - from) as f64
}

fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / 16_777_216.0
    }
}

#[test]
fn constant_demand_settles_at_what_serves_it() {
    let counts = counts(Terms::default(), std::iter::repeat_n(950.0, 3 * MINUTES));
    assert_eq!(counts[0], 19);
    assert_eq!(counts.last(), Some(&10));
}

#[test]
fn the_asked_share_is_what_is_measured() {
    let mut noise = noise(3);
    let wave = |minute: usize| 1.0 + 0.6 * (minute as f64 / 1_440.0 * TAU).sin();
    let demand: Vec<f64> = (0..20 * MINUTES).map(|minute| 3_000.0 * wave(minute) * (0.8 + 0.4 * noise())).collect();
    for asked in [0.002, 0.01, 0.05] {
        let terms = Terms { violation_share: asked, settle_s: 0, ..Terms::default() };
        let share = over(terms, &demand, &counts(terms, demand.iter().copied()), MINUTES);
        assert!((share / asked - 1.0).abs() < 0.2, "asked {asked}: {share}");
    }
}

/// A jump at the same time each day, and replicas that start in ten minutes: from the third day on they are there before it.
#[test]
fn replicas_are_there_before_a_daily_peak() {
    let terms = Terms { start_s: 600, ..Terms::default() };
    let demand: Vec<f64> =
        (0..6 * MINUTES).map(|minute| if (540..660).contains(&(minute % MINUTES)) { 2_000.0 } else { 400.0 }).collect();
    let counts = counts(terms, demand.iter().copied());
    for day in 3..6 {
        assert!(counts[day * MINUTES + 540 - 11] >= 20, "day {day}");
        assert!(counts[day * MINUTES + 200] <= 5, "day {day}");
    }
}

#[test]
fn an_announced_event_is_met_before_it_comes_and_never_cuts() {
    let mut scaling = Scaling::new(Terms { settle_s: 0, ..Terms::default() });
    let mut ask = |demand, announced| scaling.look(&Look { announced, ..look(demand) }).replicas;
    (0..500).for_each(|_| {
        ask(950.0, 1.0);
    });
    let told = ask(950.0, 3.0);
    assert!((29..=30).contains(&told), "{told}");
    // Demand has come: the factor is not put on top of it.
    assert_eq!(ask(2_850.0, 3.0), told);
    assert_eq!(ask(950.0, 0.1), 10);
}

#[test]
fn nothing_is_taken_away_before_it_was_spare_for_a_while() {
    let demand = (0..400).map(|_| 500.0).chain([2_000.0]).chain((0..20).map(|_| 500.0));
    let counts = counts(Terms::default(), demand);
    assert!(counts[400] >= 20);
    assert!(counts[404] >= 20 && counts[405] < 20, "{:?}", &counts[398..410]);
}

#[test]
fn counts_stay_within_their_bounds() {
    let terms = Terms { least: 2, most: 7, ..Terms::default() };
    assert_eq!(counts(terms, [0.0, 0.0]), [2, 2]);
    assert_eq!(counts(terms, [1e9]), [7]);
    assert_eq!(replicas_for(1.0, 0.0, &terms), 7);
    assert_eq!(replicas_for(300.0, 100.0, &Terms::default()), 3);
}

/// 0.05 core idle and 0.002 core a request: a replica of 1 core that is kept 80 % busy serves 375.
#[test]
fn the_capacity_of_a_replica_does_not_move_with_their_number() {
    let mut cost = WorkCost::default();
    let mut noise = noise(1);
    let mut served = Vec::new();
    for step in 0..2_000 {
        // Replicas halve in between: each gets twice the work.
        let work = (if step < 1_000 { 50.0 } else { 100.0 }) * (0.5 + noise());
        cost.push(work, 0.05 + 0.002 * work + 0.01 * (noise() - 0.5), 1.0, 60.0 / 86_400.0);
        served.extend(cost.served(1.0, 0.8));
    }
    assert!(served.iter().all(|served| (served / 375.0 - 1.0).abs() < 0.15), "{:?}", served.first());
    let changes = served.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes <= 3, "{changes}");
}

#[test]
fn a_replica_at_its_limit_teaches_nothing() {
    let mut cost = WorkCost::default();
    (0..100).for_each(|_| cost.push(400.0, 0.5, 0.5, 1e-3));
    assert_eq!(cost.served(1.0, 1.0), None);
    (0..100).for_each(|_| cost.push(f64::NAN, 0.4, 0.5, 1e-3));
    assert_eq!(cost.served(1.0, 1.0), None);
}

/// Idle use makes few large replicas cheaper, two for safety make them smaller, and a small gain changes nothing.
#[test]
fn size_and_count_are_chosen_together() {
    let mut cost = WorkCost::default();
    (0..200).for_each(|step| {
        let work = f64::from(50 + step % 50);
        cost.push(work, 0.1 + 0.002 * work, 1.0, 1e-3);
    });
    let sizes = Sizes { least_cores: 0.2, most_cores: 4.0, busy_share: 0.8, beside_cores: 0.0 };
    let terms = Terms { least: 2, ..Terms::default() };
    let busy = best_size(&[5_000.0; 24], &cost, &sizes, &terms, 0.25);
    let idle = best_size(&[100.0; 24], &cost, &sizes, &terms, 4.0);
    assert!(busy > 1.0 && idle < 0.4, "{busy} {idle}");
    assert_eq!(best_size(&[5_000.0; 24], &cost, &sizes, &terms, busy * 1.01), busy * 1.01);
    assert_eq!(best_size(&[5_000.0; 24], &WorkCost::default(), &sizes, &terms, 0.7), 0.7);
    // What each takes beside its cores speaks for fewer and larger ones.
    let large = best_size(&[5_000.0; 24], &cost, &Sizes { beside_cores: 1.0, ..sizes }, &terms, 0.25);
    assert!(large > busy, "{large} {busy}");
}

/// Eight that serve 100 each become four of twice the size, with no look in between and nothing that waits to be taken away.
#[test]
fn a_change_of_size_keeps_what_is_served() {
    let mut scaling = Scaling::new(Terms::default());
    (0..500).for_each(|_| {
        scaling.look(&look(750.0));
    });
    assert_eq!(scaling.look(&look(750.0)).replicas, 8);
    scaling.resized(100.0, 200.0);
    assert_eq!(scaling.look(&Look { served_by_one: 200.0, ..look(750.0) }).replicas, 4);
    scaling.resized(200.0, 50.0);
    assert_eq!(scaling.look(&Look { served_by_one: 50.0, ..look(750.0) }).replicas, 16);
}

/// Use that moves without the work says nothing of what work costs.
#[test]
fn what_work_does_not_explain_is_not_its_cost() {
    let (mut cost, mut noise) = (WorkCost::default(), noise(5));
    let mut push = |part: f64, cost: &mut WorkCost| {
        let work = 50.0 + 20.0 * noise();
        cost.push(work, 0.2 + 0.002 * work * part + 0.1 * noise(), f64::INFINITY, 1e-2);
    };
    (0..200).for_each(|_| push(1.0, &mut cost));
    assert_eq!(cost.line(), None);
    (0..900).for_each(|_| push(20.0, &mut cost));
    assert!(cost.line().is_some_and(|line| (line.cost / 0.04 - 1.0).abs() < 0.15), "{cost:?}");
}

#[test]
fn work_and_use_are_told_from_each_other_both_ways() {
    let line = Line { idle: 0.1, cost: 0.002 };
    assert!((line.worth(line.used(70.0)) - 70.0).abs() < 1e-9 && line.worth(0.05) == 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn more_demand_never_asks_for_fewer_replicas(needs in prop::collection::vec(0.0..1e6_f64, 2), one in 0.1..1e3_f64) {
        let count = |need: f64| replicas_for(need, one, &Terms::default());
        let (less, more) = (needs[0].min(needs[1]), needs[0].max(needs[1]));
        prop_assert!(count(less) <= count(more));
    }

    /// Work in other units, with the capacity in the same, changes nothing.
    #[test]
    fn scaled_work_gives_the_same_counts(demand in prop::collection::vec(0.0..5e3_f64, 1..300), power in -6..6_i32) {
        let factor = 2.0_f64.powi(power);
        let run = |factor: f64| {
            let mut scaling = Scaling::new(Terms::default());
            demand.iter().map(|demand| {
                scaling.look(&Look { demand: demand * factor, served_by_one: 100.0 * factor, forecast: None, announced: 1.0 }).replicas
            }).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(1.0), run(factor));
    }

    /// Whatever comes, counts are within bounds, and the first announcement never gives fewer.
    #[test]
    fn counts_are_sane(demand in prop::collection::vec(prop_oneof![Just(0.0), 0.0..1e4_f64, Just(1e12)], 1..200), factor in 0.0..9.0_f64) {
        let (mut plain, mut told) = (Scaling::new(Terms::default()), Scaling::new(Terms::default()));
        for (at, value) in demand.iter().enumerate() {
            let announced = if at + 1 == demand.len() { factor } else { 1.0 };
            let (one, other) = (plain.look(&look(*value)), told.look(&Look { announced, ..look(*value) }));
            prop_assert!((1..=10_000).contains(&one.replicas) && one.need.is_finite());
            prop_assert!(other.need >= one.need && other.replicas >= one.replicas);
        }
    }
}
