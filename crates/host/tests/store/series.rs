//! Series: what goes in comes out on any grid, across chunks, restarts, resets and silences.

use crate::fixtures::{START_S, batch, cpu, in_memory, memory, open, time, workload};
use apportion_core::{Batch, History, Kind, Metric, Sample, Series, Time, Window, WorkloadId, time::DAY_S};
use apportion_host::store::{Access, Appended, Options, Store};
use proptest::prelude::*;

const WEB: &str = "web";

fn window(from_s: i64, to_s: i64, step_s: u32) -> Window {
    Window { from_s, to_s, step_s }
}

fn values(store: &Store, metric: &Metric, window: Window) -> Vec<f32> {
    store.series(&WEB.into(), metric, window).map(|series| series.values).unwrap_or_default()
}

fn show(values: &[f32]) -> String {
    values.iter().map(|value| format!("{value} ")).collect::<String>().trim_end().to_owned()
}

#[test]
fn counters_come_out_as_rates_and_what_is_unknown_as_gaps() {
    let check = |points: &[(f64, f64)], expect: &str| {
        let store = in_memory();
        let points: Vec<_> = points.iter().map(|(s, value)| (START_S as f64 + s, *value)).collect();
        store.append(&batch(WEB, &cpu(), &points), Time::from_s(START_S + 60));
        assert_eq!(show(&values(&store, &cpu(), window(START_S + 10, START_S + 60, 10))), expect, "{points:?}");
    };
    check(&[(0.0, 0.0), (10.0, 5.0), (20.0, 25.0), (30.0, 25.0)], "0.5 2 0 NaN NaN");
    // A reset is a gap, never a spike; absent is not zero.
    check(&[(0.0, 100.0), (10.0, 105.0), (20.0, 1.0), (30.0, 3.0)], "0.5 NaN 0.2 NaN NaN");
    // A late tick speaks for the whole time since the one before.
    check(&[(0.0, 0.0), (10.0, 10.0), (40.0, 100.0)], "1 3 3 3 NaN");
    // Readings off the grid are weighted by time.
    check(&[(5.0, 0.0), (15.0, 10.0), (25.0, 40.0)], "1 2 3 NaN NaN");
    check(&[(10.0, 7.0)], "");
}

#[test]
fn gauges_come_out_as_they_are_and_a_silence_is_a_gap() {
    let store = in_memory();
    let points = [(0.0, 4.0), (10.0, 6.0), (110.0, 9.0)].map(|(s, value)| (START_S as f64 + s, value));
    store.append(&batch(WEB, &memory(), &points), Time::from_s(START_S + 120));
    let read = values(&store, &memory(), window(START_S, START_S + 130, 10));
    assert_eq!(show(&read), "4 6 NaN NaN NaN NaN NaN NaN NaN NaN NaN 9 NaN");
    assert_eq!(show(&values(&store, &memory(), window(START_S, START_S + 180, 60))), "4 6 9");
}

#[test]
fn latest_is_the_newest_value_in_the_metrics_own_unit() {
    let store = in_memory();
    let mut both = batch(WEB, &cpu(), &[(10.0, 1.0), (20.0, 6.0)]);
    both.append(batch(WEB, &memory(), &[(20.0, 512.0)]));
    assert_eq!(store.append(&both, Time::from_s(20)), Appended { taken: 3, dropped: 0 });
    assert_eq!(store.append(&both, Time::from_s(30)), Appended { taken: 0, dropped: 3 });
    let latest = store.latest(&WEB.into());
    let latest: Vec<_> =
        latest.iter().map(|(metric, latest)| (metric.as_str(), latest.time.s(), latest.value)).collect();
    assert_eq!(latest, [("cpu_cores", 20, 0.5), ("memory_bytes", 20, 512.0)]);
    assert!(store.latest(&"db".into()).is_empty());
}

#[test]
fn workloads_are_known_with_what_describes_them_and_when_they_were_seen() {
    let file = tempfile::tempdir().unwrap();
    let path = file.path().join("a.db");
    let store = open(&path);
    store.append(&batch(WEB, &cpu(), &[(1_000.0, 1.0)]), Time::from_s(1_000));
    store.flush().unwrap();
    let mut renamed = workload(WEB);
    renamed.labels.insert("image".to_owned(), "nginx:1.28".to_owned());
    store.append(&Batch { workloads: vec![renamed.clone()], ..Batch::default() }, Time::from_s(5_000));
    store.append(&batch("machine", &cpu(), &[(5_000.0, 1.0)]), Time::from_s(5_000));
    store.flush().unwrap();
    drop(store);
    let seen = open(&path).workloads().unwrap();
    assert_eq!(seen.iter().map(|seen| seen.workload.id.as_str()).collect::<Vec<_>>(), ["machine", WEB]);
    assert_eq!((&seen[1].workload, seen[1].first.s(), seen[1].last.s()), (&renamed, 1_000, 5_000));
    assert_eq!(open(&path).metrics(&WEB.into()).unwrap(), [cpu()]);
}

/// What the series should be, worked out from all readings at once without any chunk.
fn expected(kind: Kind, points: &[(i64, f64)], window: Window, greatest: bool) -> Vec<f32> {
    let mut spans: Vec<(i64, i64, f64)> = Vec::new();
    for (index, (ms, value)) in points.iter().enumerate() {
        let elapsed = |later: usize| later.checked_sub(1).map_or(0, |earlier| points[later].0 - points[earlier].0);
        let joined = index > 0
            && (elapsed(index) <= 60_000 || (elapsed(index) <= 900_000 && elapsed(index) <= 3 * elapsed(index - 1)));
        match kind {
            Kind::Gauge => spans.push((if joined { points[index - 1].0 } else { ms - 1 }, *ms, *value)),
            Kind::Counter if joined && *value >= points[index - 1].1 => {
                let rate = (value - points[index - 1].1) / (elapsed(index) as f64 / 1e3);
                spans.push((points[index - 1].0, *ms, rate));
            }
            Kind::Counter => {}
        }
    }
    (0..window.len())
        .map(|index| {
            let end_ms = (window.from_s + i64::from(window.step_s) * index as i64) * 1_000;
            let start_ms = end_ms - i64::from(window.step_s) * 1_000;
            let overlap = |from: i64, to: i64| (to.min(end_ms) - from.max(start_ms)).max(0) as f64;
            let covered: f64 = spans.iter().map(|(from, to, _)| overlap(*from, *to)).sum();
            let mean = spans.iter().map(|(from, to, value)| value * overlap(*from, *to)).sum::<f64>() / covered;
            let ends = spans.iter().filter(|(_, to, _)| (start_ms + 1..=end_ms).contains(to));
            let most = ends.map(|(_, _, value)| *value).fold(f64::NAN, f64::max);
            if greatest { most.max(mean) as f32 } else { mean as f32 }
        })
        .collect()
}

fn assert_close(store: &Store, metric: &Metric, points: &[(i64, f64)], what: &str) -> Result<(), TestCaseError> {
    let (first_s, last_s) = (points[0].0 / 1_000, points[points.len() - 1].0 / 1_000);
    for step_s in [7, 10, 60, 300] {
        let from_s = first_s / i64::from(step_s) * i64::from(step_s);
        let window = window(from_s, last_s + i64::from(step_s), step_s);
        for greatest in [false, true].into_iter().filter(|greatest| !greatest || step_s == 300) {
            let expect = expected(metric.kind(), points, window, greatest);
            let read = if greatest {
                store.series_max(&WEB.into(), metric, window)
            } else {
                store.series_mean(&WEB.into(), metric, window)
            };
            let read = read.unwrap().map_or(vec![f32::NAN; expect.len()], |series| series.values);
            prop_assert_eq!(read.len(), expect.len());
            for (index, (read, expect)) in read.iter().zip(&expect).enumerate() {
                let same = read.is_nan() && expect.is_nan() || (read - expect).abs() <= 1e-5 * expect.abs().max(1e-3);
                prop_assert!(same, "{} step {} max {} at {}: {} not {}", what, step_s, greatest, index, read, expect);
            }
        }
    }
    Ok(())
}

/// Readings about every 10 s with jitter, now and then a silence or a reset.
fn any_readings() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let gap_ms = prop_oneof![
        60 => 9_900..10_100_i64,
        2 => 10_000..60_001_i64,
        1 => 60_001..2_000_000_i64,
    ];
    let growth = prop_oneof![20 => 0.0..50.0_f64, 1 => Just(f64::NAN)];
    prop::collection::vec((gap_ms, growth), 2..600).prop_map(|steps| {
        let (mut ms, mut value) = (START_S * 1_000 + 3_210, 1_000.0);
        let mut points = Vec::new();
        for (gap_ms, growth) in steps {
            ms += gap_ms;
            value = if growth.is_nan() { 1.0 } else { value + growth };
            points.push((ms, value));
        }
        points
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Chunks, restarts and readers make no difference to what is read.
    #[test]
    fn what_goes_in_comes_out(points in any_readings(), gauge: bool, restart_every in 20..400_usize) {
        let metric = if gauge { memory() } else { cpu() };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut store = open(&path);
        for (index, (ms, value)) in points.iter().enumerate() {
            let now = Time(*ms);
            let sample = Sample { workload: WEB.into(), metric: metric.clone(), time: now, value: *value };
            store.append(&Batch { workloads: vec![workload(WEB)], samples: vec![sample], problems: vec![] }, now);
            store.maintain(now).unwrap();
            if index % restart_every == restart_every - 1 {
                store.flush().unwrap();
                drop(store);
                store = open(&path);
            }
        }
        assert_close(&store, &metric, &points, "live")?;
        store.flush().unwrap();
        let reader = Store::open(&path, Access::ReadOnly, Options::default()).unwrap();
        assert_close(&reader, &metric, &points, "reader")?;
        // The journal holds the last reading at least: where that tells nothing (a counter after a silence or a reset), a reader
        // may know of no value.
        let (read, kept) = (reader.latest(&WEB.into()), store.latest(&WEB.into()));
        let is_told = kept.values().any(|latest| latest.time.0 == points[points.len() - 1].0);
        prop_assert!(read == kept || (read.is_empty() && !is_told), "{:?} not {:?}", read, kept);
        drop(reader);
        drop(store);
        assert_close(&open(&path), &metric, &points, "opened again")?;
    }

    /// History that is brought in twice, in parts or over what was measured, changes nothing the second time.
    #[test]
    fn backfill_fills_gaps_once(points in any_readings(), gauge: bool, cut in 0.0..1.0_f64) {
        let metric = if gauge { memory() } else { cpu() };
        let store = in_memory();
        let now = Time(points[points.len() - 1].0);
        let seconds: Vec<_> = points.iter().map(|(ms, value)| (*ms as f64 / 1e3, *value)).collect();
        let whole = batch(WEB, &metric, &seconds);
        store.backfill(&whole, now).unwrap();
        let all = |store: &Store| [60, 300].map(|step_s| {
            show(&values(store, &metric, window(START_S, now.s() + 600, step_s)))
        });
        let before = all(&store);
        let expect = expected(metric.kind(), &points, window(START_S, now.s() + 600, 300), false);
        let gaps = |text: &str| text.split(' ').map(|value| value == "NaN").collect::<Vec<_>>();
        if expect.iter().any(|value| !value.is_nan()) {
            prop_assert_eq!(gaps(&before[1]), gaps(&show(&expect)));
        }
        prop_assert_eq!(store.backfill(&whole, now).unwrap().steps, 0);
        let part = &seconds[..(seconds.len() as f64 * cut) as usize];
        prop_assert_eq!(store.backfill(&batch(WEB, &metric, part), now).unwrap().steps, 0);
        prop_assert_eq!(all(&store), before);
    }
}

#[test]
fn backfill_leaves_what_was_measured_and_fills_what_came_before() {
    let store = in_memory();
    let live: Vec<_> = (0..200).map(|k| ((START_S + k * 10) as f64, 50.0)).collect();
    for point in &live {
        store.append(&batch(WEB, &memory(), &[*point]), time(point.0));
        store.maintain(time(point.0)).unwrap();
    }
    let now = Time::from_s(START_S + 2_000);
    let brought: Vec<_> = (-100..40).map(|k| ((START_S + k * 60) as f64, 7.0)).collect();
    assert!(store.backfill(&batch(WEB, &memory(), &brought), now).unwrap().steps > 100);
    let read = values(&store, &memory(), window(START_S - 1_500, START_S + 2_100, 300));
    assert_eq!(show(&read), "7 7 7 7 7 50 50 50 50 50 50 50");
    assert_eq!(store.latest(&WEB.into())[&memory()].value, 50.0);
    // Once all is sealed, too.
    store.maintain(Time::from_s(START_S + 20_000)).unwrap();
    let read = values(&store, &memory(), window(START_S - 1_500, START_S + 2_100, 300));
    assert_eq!(show(&read), "7 7 7 7 7 50 50 50 50 50 50 50");
}

#[test]
fn backfill_of_a_slow_source_joins_up_and_says_what_it_dropped() {
    let store = in_memory();
    let mut points: Vec<_> = (0..10).map(|k| ((START_S + k * 300) as f64, (k * 600) as f64)).collect();
    points.push(points[3]);
    points.reverse();
    let mut slow = batch(WEB, &cpu(), &points);
    slow.samples.push(Sample { workload: WEB.into(), metric: cpu(), time: Time(i64::MAX), value: 1.0 });
    let now = Time::from_s(START_S + DAY_S);
    assert_eq!(store.backfill(&slow, now).unwrap().dropped, 2);
    assert_eq!(show(&values(&store, &cpu(), window(START_S + 300, START_S + 1_500, 300))), "NaN 2 2 2");
    // An hour is the mean of what is known of it.
    assert_eq!(show(&values(&store, &cpu(), window(START_S, START_S + 7_200, 3_600))), "NaN 2");
}

/// Whether anything is read at each step in the hour after `from_s`.
fn presence(store: &Store, from_s: i64) -> [bool; 3] {
    [10, 60, 300].map(|step_s| !values(store, &memory(), window(from_s + 600, from_s + 4_200, step_s)).is_empty())
}

#[test]
fn each_resolution_is_kept_for_its_time_and_none_is_dropped_before_the_coarser_has_it() {
    let store = in_memory();
    let mut now_s = START_S;
    let mut run = |store: &Store, until_s: i64| {
        while now_s < until_s {
            now_s += 60;
            store.append(&batch(WEB, &memory(), &[(now_s as f64, 5.0)]), Time::from_s(now_s));
            store.maintain(Time::from_s(now_s)).unwrap();
            // Where readings are, both roll-ups are; where minutes are, five minutes are.
            if now_s % 7_200 == 0 {
                for from_s in (START_S..now_s - 4_200).step_by(7_200) {
                    assert!(presence(store, from_s).is_sorted(), "{} {:?}", from_s - START_S, presence(store, from_s));
                }
            }
        }
    };
    run(&store, START_S + DAY_S * 47 / 24);
    assert_eq!(presence(&store, START_S), [true; 3]);
    run(&store, START_S + 2 * DAY_S + 10_800);
    assert_eq!(presence(&store, START_S), [false, true, true]);
    let mut day = 2;
    let mut upkeep = |days| {
        // A day at a time: a jump would not be believed.
        (day..days).for_each(|day| store.maintain(Time::from_s(START_S + day * DAY_S)).unwrap());
        (0..20).for_each(|k| store.maintain(Time::from_s(START_S + days * DAY_S + k * 60)).unwrap());
        day = days;
    };
    upkeep(13);
    assert_eq!(presence(&store, START_S), [false, true, true]);
    upkeep(16);
    assert_eq!(presence(&store, START_S), [false, false, true]);
    upkeep(90);
    assert_eq!(presence(&store, START_S), [false, false, true]);
    upkeep(94);
    assert_eq!(presence(&store, START_S), [false; 3]);
    assert!(store.workloads().unwrap().is_empty(), "a workload of which nothing is left is forgotten");
}

#[test]
fn beyond_the_size_bound_the_oldest_readings_go_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let most_bytes = 350_000;
    let store = Store::open(&path, Access::ReadWrite, Options { most_bytes }).unwrap();
    let (mut noise, mut value) = (1_u64, 0.0);
    for now_s in (START_S..START_S + 20 * 3_600).step_by(10) {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        value = f64::from((noise >> 40) as u32) * 1.1 + value * 0.01;
        for name in ["web", "db", "cache", "queue", "mail", "cron"] {
            store.append(&batch(name, &memory(), &[(now_s as f64, value)]), Time::from_s(now_s));
        }
        store.maintain(Time::from_s(now_s)).unwrap();
        assert!(store.status().used_bytes <= most_bytes + 100_000, "{}", store.status().used_bytes);
    }
    let last_hours_s = START_S + 17 * 3_600;
    assert_eq!(presence(&store, START_S), [false, true, true], "{:?}", store.status());
    assert_eq!(presence(&store, last_hours_s), [true; 3]);
    assert!(std::fs::metadata(&path).unwrap().len() < most_bytes * 2);
}

#[test]
fn a_machine_whose_clock_was_years_ahead_goes_on_after_it_is_corrected() {
    let store = in_memory();
    let future_s = START_S + 12 * 365 * DAY_S;
    let run = |from_s: i64| {
        for now_s in (from_s..from_s + 7_200).step_by(10) {
            store.append(&batch(WEB, &memory(), &[(now_s as f64, 3.0)]), Time::from_s(now_s));
            store.maintain(Time::from_s(now_s)).unwrap();
        }
    };
    run(future_s);
    run(START_S);
    assert_eq!(presence(&store, START_S), [true; 3]);
    assert_eq!(store.latest(&WEB.into())[&memory()].time.s(), START_S + 7_190);
}

#[test]
fn a_boot_with_the_clock_years_ahead_deletes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let boot = |from_s: i64| {
        let store = crate::fixtures::open(&path);
        for now_s in (from_s..from_s + 7_200).step_by(60) {
            store.append(&batch(WEB, &memory(), &[(now_s as f64, 3.0)]), Time::from_s(now_s));
            store.maintain(Time::from_s(now_s)).unwrap();
        }
        store
    };
    let said = boot(START_S);
    let reason = "a backup";
    let hold = said.hold(&[WEB.to_owned()], reason, None, Time::from_s(START_S)).unwrap();
    said.revoke(hold, Time::from_s(START_S + 60)).unwrap();
    assert_eq!(said.clock_problem(), None);
    drop(said);
    let ahead = boot(START_S + 12 * 365 * DAY_S);
    let problem = ahead.clock_problem().unwrap();
    assert!(problem.place == "clock" && problem.what.contains("4380 days ahead"), "{problem:?}");
    drop(ahead);
    let again = boot(START_S + 12 * 365 * DAY_S + 7_200);
    assert_eq!(presence(&again, START_S), [true; 3]);
    assert_eq!(again.instructions(Time(i64::MIN)).unwrap().len(), 1, "what was revoked is still known");
    drop(again);
    assert_eq!(boot(START_S + 14_400).clock_problem(), None, "the clock was set right");
}

#[test]
fn a_reader_follows_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = open(&path);
    let reader = Store::open(&path, Access::ReadOnly, Options::default()).unwrap();
    assert_eq!(reader.series(&WEB.into(), &memory(), window(START_S, START_S + 60, 10)), None);
    store.append(&batch(WEB, &memory(), &[(START_S as f64, 1.0), (START_S as f64 + 10.0, 2.0)]), Time::from_s(START_S));
    store.flush().unwrap();
    assert_eq!(show(&values(&reader, &memory(), window(START_S, START_S + 20, 10))), "1 2");
    assert_eq!(reader.latest(&WEB.into())[&memory()].value, 2.0);
    assert_eq!(reader.flush().unwrap_err().label(), "read_only");
}

#[test]
fn a_reader_knows_no_newest_value_where_the_journal_tells_none() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("a.db"));
    let reader = Store::open(&folder.path().join("a.db"), Access::ReadOnly, Options::default()).unwrap();
    let latest = |store: &Store| store.latest(&WEB.into()).get(&cpu()).map(|latest| latest.value);
    let append = |s: i64, value: f64| {
        store.append(&batch(WEB, &cpu(), &[((START_S + s) as f64, value)]), time((START_S + s) as f64));
        store.flush().unwrap();
        store.maintain(time((START_S + s) as f64)).unwrap();
    };
    append(0, 0.0);
    append(10, 5.0);
    assert_eq!((latest(&store), latest(&reader)), (Some(0.5), Some(0.5)));
    // What came before a silence is sealed, and the first reading after it tells no rate yet.
    append(4_000, 9.0);
    assert_eq!((latest(&store), latest(&reader)), (Some(0.5), None));
    append(4_010, 19.0);
    assert_eq!((latest(&store), latest(&reader)), (Some(1.0), Some(1.0)));
}

#[test]
fn a_window_too_long_to_be_meant_is_refused() {
    let store = in_memory();
    let error = store.series_mean(&WEB.into(), &cpu(), window(0, i64::MAX, 1)).unwrap_err();
    assert_eq!(error.label(), "window");
}

#[test]
fn a_thousand_short_lived_workloads_leave_memory() {
    let store = in_memory();
    for k in 0..1_000 {
        let now_s = START_S + k * 60;
        store.append(&batch(&format!("job-{k}"), &memory(), &[(now_s as f64, 1.0)]), Time::from_s(now_s));
        store.maintain(Time::from_s(now_s)).unwrap();
    }
    assert!(store.status().live_series < 40, "{:?}", store.status());
    assert_eq!(store.workloads().unwrap().len(), 1_000);
    let first: Option<Series> = store.series(&WorkloadId::new("job-0"), &memory(), window(START_S, START_S + 600, 300));
    assert_eq!(first.map(|series| show(&series.values)), Some("1 NaN".to_owned()));
}
