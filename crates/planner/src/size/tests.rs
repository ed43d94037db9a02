use super::*;
use apportion_core::{
    Binding, Forecast, History, Knob, LEVELS, Latest, Metric, Series, Setting, Standing, Time, Window, Workload,
    WorkloadId, WorkloadKind, WorkloadState, knob::Bounds, metric::name, traits::AssessInput,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const DAY: usize = 288;
const STEP_S: u32 = 300;

/// Demand of one workload on a five-minute grid from time 0, the same for each metric, known up to each asked time.
struct Recorded(Vec<f32>);

impl History for Recorded {
    fn series(&self, _: &WorkloadId, _: &Metric, window: Window) -> Option<Series> {
        let mut series = Series::gap(window);
        for index in 0..series.len() {
            let time_s = series.time_s(index);
            let known = usize::try_from(time_s / i64::from(STEP_S)).ok().and_then(|step| self.0.get(step));
            if let Some(value) = known.filter(|_| time_s >= 0 && time_s % i64::from(STEP_S) == 0) {
                series.values[index] = *value;
            }
        }
        (!self.0.is_empty()).then_some(series)
    }
}

fn noise(len: usize, mut state: u32) -> Vec<f32> {
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u16::try_from(state >> 16).unwrap()) / 65_536.0
    };
    (0..len).map(|_| next()).collect()
}

/// A level that wanders, with bursts now and then.
fn bursty(len: usize, seed: u32) -> Vec<f32> {
    let (mut level, mut burst) = (0.0_f32, 0.0_f32);
    let chance = noise(len, seed + 77);
    let step = |(x, chance): (f32, &f32)| {
        level = 0.98 * level + (x - 0.5) * 0.3;
        burst = if *chance > 0.995 { 2.0 } else { burst * 0.7 };
        (level + burst).exp() + x * 0.1
    };
    noise(len, seed).into_iter().zip(&chance).map(step).collect()
}

fn folded(values: &[f32]) -> Track {
    let mut track = Track::new(STEP_S);
    values.iter().for_each(|value| track.push(*value));
    track
}

fn all(track: &Track) -> [f32; RISKS.len()] {
    RISKS.map(|risk| track.allotment(risk))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn more_risk_never_gives_more(values in prop::collection::vec(prop_oneof![6 => 0.0_f32..10.0, 1 => 50.0_f32..100.0, 1 => Just(f32::NAN)], 1..700)) {
        let mut track = Track::new(STEP_S);
        for value in values {
            track.push(value);
            let allotted = all(&track);
            prop_assert!(allotted.windows(2).all(|pair| pair[0] <= pair[1]), "{allotted:?}");
            prop_assert!(allotted.iter().all(|value| value.is_finite() && *value >= 0.0));
        }
    }

    #[test]
    fn scaling_demand_scales_decisions(seed in 0_u32..1_000, power in -20_i32..20) {
        let values = bursty(900, seed);
        let factor = 2.0_f32.powi(power);
        let scaled: Vec<f32> = values.iter().map(|value| value * factor).collect();
        prop_assert_eq!(all(&folded(&values)).map(|value| value * factor), all(&folded(&scaled)));
    }

    #[test]
    fn a_gap_changes_nothing_before_it(seed in 0_u32..1_000, at in 1_usize..600, long in 1_usize..100) {
        let (values, mut gapped) = (bursty(600, seed), bursty(600, seed));
        gapped[at..(at + long).min(600)].fill(f32::NAN);
        let (mut whole, mut holed) = (Track::new(STEP_S), Track::new(STEP_S));
        for (step, (value, other)) in values.iter().zip(&gapped).enumerate() {
            whole.push(*value);
            holed.push(*other);
            prop_assert!(step >= at || all(&whole) == all(&holed));
            prop_assert!(step < at || step >= at + long || all(&holed) == all(&folded(&values[..at])));
        }
    }
}

#[test]
fn a_constant_settles_at_its_value() {
    // Headroom: a cut of less than 11.5 % is not worth a change.
    for value in [3.0_f32, 1e-3, 4e9] {
        for allotted in all(&folded(&vec![value; 4 * DAY])).into_iter().take(5) {
            assert!((value..=value * 1.13).contains(&allotted), "{value} gets {allotted}");
        }
    }
    assert!(all(&folded(&[0.0; 500])).iter().all(|allotted| *allotted == 0.0));
}

#[test]
fn what_is_asked_is_what_is_measured() {
    for seed in [1, 2, 3] {
        let values = bursty(20_000, seed);
        for risk in [0.05, 0.01, 0.005] {
            let mut track = Track::new(STEP_S);
            let mut over = 0_u32;
            for (step, value) in values.iter().enumerate() {
                over += u32::from(step >= DAY && *value > track.allotment(risk));
                track.push(*value);
            }
            let measured = f64::from(over) / (values.len() - DAY) as f64;
            assert!((measured / risk - 1.0).abs() <= 0.2, "asked {risk}, measured {measured}");
        }
    }
}

#[test]
fn a_daily_burst_is_covered_from_the_third_day_on() {
    for burst_steps in [6, 12, 24, 48] {
        let values = (0..14 * DAY).map(|step| if (100..100 + burst_steps).contains(&(step % DAY)) { 2.0 } else { 0.2 });
        let (mut track, mut over, mut changes, mut given) = (Track::new(STEP_S), 0, 0, 0.0);
        for (step, value) in values.enumerate() {
            let before = track.allotment(0.001);
            track.push(value);
            if step >= 3 * DAY {
                over += u32::from(value > before);
                changes += u32::from(track.allotment(0.001) != before);
                given += before;
            }
        }
        assert_eq!(over, 0, "burst of {burst_steps} steps");
        assert!(changes <= 22 + 4, "two changes a day: {changes} in 11 days, burst of {burst_steps} steps");
        assert!(given / (11.0 * 288.0) < 1.1, "not held all day: {}", given / (11.0 * 288.0));
    }
}

/// An hour on one day of the week: half a percent of the time, of which the tenth of a percent that is asked for may be over.
#[test]
fn a_weekly_burst_is_covered_from_the_fourth_week_on_as_asked() {
    let values = (0..8 * 7 * DAY)
        .map(|step| if (2 * DAY + 100..2 * DAY + 112).contains(&(step % (7 * DAY))) { 2.0 } else { 0.2 });
    let (mut track, mut over, mut changes, mut given) = (Track::new(STEP_S), 0, 0, 0.0);
    for (step, value) in values.enumerate() {
        let before = track.allotment(0.001);
        track.push(value);
        if step >= 3 * 7 * DAY {
            over += u32::from(value > before);
            changes += u32::from(track.allotment(0.001) != before);
            given += before;
        }
    }
    let mean = given / (5.0 * 7.0 * 288.0);
    assert!(over <= 10 && changes <= 10, "{over} of 60 steps of five bursts over, {changes} changes in five weeks");
    assert!(mean < 0.23, "raised for the burst only: {mean}");
}

/// Share of steps over, and the mean allotment with what changes cost on top, from the third week on.
fn judged(values: &[f32], mut allotment: impl FnMut(usize) -> f32) -> (f64, f64) {
    let (mut over, mut given, mut changes, mut before) = (0.0, 0.0, 0.0, f32::NAN);
    for (step, value) in values.iter().enumerate() {
        let allotted = allotment(step);
        if step >= 14 * DAY {
            over += f64::from(u8::from(*value > allotted));
            given += f64::from(allotted);
            changes += f64::from(u8::from(allotted != before));
        }
        before = allotted;
    }
    let count = (values.len() - 14 * DAY) as f64;
    (over / count, given / count * (1.0 + 12.0 * changes / count))
}

/// The least cost of the simple rules (the greatest of the last hours or days, or of that hour yesterday, times a margin; reviewed
/// hourly) that are over no more often than `over`.
fn best_simple(values: &[f32], over: f64) -> f64 {
    let peak = |from: usize, to: usize| values[from.min(to)..to].iter().copied().fold(0.0, f32::max);
    let last = |hours: usize| {
        (0..values.len() / 12).map(|hour| peak((hour * 12).saturating_sub(hours * 12), hour * 12)).collect()
    };
    let yesterday = |hour: usize| peak((hour * 12).saturating_sub(DAY + 6), (hour * 12 + 18).saturating_sub(DAY));
    let mut rules: Vec<Vec<f32>> = [1, 4, 24, 72, 168].map(last).into();
    rules.push((0..values.len() / 12).map(yesterday).collect());
    let margins = (4..60).map(|twentieths| f32::from(u8::try_from(twentieths).unwrap()) / 20.0);
    let all = margins.flat_map(|margin| rules.iter().map(move |rule| (rule, margin)));
    let scores = all.map(|(rule, margin)| judged(values, |step| rule[step / 12] * margin));
    scores.filter(|(own, _)| *own <= over).map(|(_, cost)| cost).fold(f64::INFINITY, f64::min)
}

#[test]
fn little_worse_than_the_simple_rule_that_was_best_afterwards() {
    let len = 42 * DAY;
    let wave = |step: usize| (step as f32 / DAY as f32 * std::f32::consts::TAU).sin();
    let with_noise =
        |of: &dyn Fn(usize) -> f32| noise(len, 9).iter().enumerate().map(|(step, x)| of(step) + 0.3 * x).collect();
    let kinds: [(&str, Vec<f32>); 4] = [
        ("noisy", with_noise(&|_| 1.0)),
        ("daily", with_noise(&|step| 1.5 + wave(step))),
        ("growing", with_noise(&|step| 1.0 + step as f32 / len as f32)),
        ("bursty", bursty(len, 5)),
    ];
    for (kind, values) in kinds {
        for risk in [0.05, 0.01, 0.002] {
            let mut track = Track::new(STEP_S);
            let (over, cost) = judged(&values, |step| {
                let allotted = track.allotment(risk);
                track.push(values[step]);
                allotted
            });
            let best = best_simple(&values, over);
            // A smooth wave at 5 % is followed with many changes: not reached (docs/sizing.md).
            let most = if (kind, risk) == ("daily", 0.05) { 1.61 } else { 1.13 };
            assert!(cost <= most * best, "{kind}, asked {risk}, {over} over: {cost} for {best}");
        }
    }
}

#[test]
fn a_new_workload_gets_much() {
    let allotted = folded(&[1.0; 3]).allotment(0.01);
    assert!((2.0..8.0).contains(&allotted), "{allotted}");
}

#[test]
fn asked_risks_are_served_no_riskier() {
    for (asked, served) in [(0.5, 0.2), (0.05, 0.05), (0.03, 0.02), (0.001, 0.001), (1e-9, 1e-4)] {
        assert_eq!(served_risk(asked), served, "{asked}");
    }
}

/// Everything `assess` looks at.
struct Scene {
    history: Recorded,
    standing: Standing,
    settings: BTreeMap<Knob, Setting>,
    forecasts: apportion_core::tick::Forecasts,
    margin: f64,
    workloads: BTreeMap<WorkloadId, WorkloadState>,
}

impl Scene {
    fn new(values: Vec<f32>, knobs: &[Knob]) -> Self {
        Self {
            history: Recorded(values),
            standing: Standing::default(),
            settings: knobs.iter().map(|knob| (*knob, Setting::Unlimited)).collect(),
            forecasts: BTreeMap::new(),
            margin: 1.0,
            workloads: BTreeMap::new(),
        }
    }
    fn now(&self) -> Time {
        Time::from_s((i64::try_from(self.history.0.len()).unwrap() - 1) * i64::from(STEP_S))
    }
    fn wants(&self) -> Vec<apportion_core::Want> {
        self.assess(&Tracks::default())
    }
    fn assess(&self, tracks: &Tracks) -> Vec<apportion_core::Want> {
        let margin = |_: Knob| self.margin;
        let input = AssessInput {
            now: self.now(),
            workload: &"w".into(),
            standing: &self.standing,
            workloads: &self.workloads,
            settings: &self.settings,
            history: &self.history,
            forecasts: &self.forecasts,
            announced: &|_, _| apportion_core::Announced::default(),
            margin: &margin,
        };
        assess(tracks, &input).wants
    }
}

/// A workload of which nothing is known.
fn unknown(id: &str) -> WorkloadState {
    WorkloadState {
        workload: Workload { id: id.into(), kind: WorkloadKind::Trace, path: String::new(), labels: BTreeMap::new() },
        standing: Standing::default(),
        latest: BTreeMap::new(),
        settings: BTreeMap::new(),
        life: None,
        lost: Default::default(),
        own: false,
    }
}

const GIB: f32 = 1_073_741_824.0;

#[test]
fn a_reason_is_whole() {
    let values: Vec<f32> = bursty(10 * DAY, 5).iter().map(|value| value * 0.5).collect();
    let mut scene = Scene::new(values, &[Knob::CpuQuota]);
    let row = |k: usize| LEVELS.map(|level| level * 0.1 * (1.0 + k as f32));
    let start_s = scene.now().s() + 300;
    let forecast = Forecast::new(start_s, STEP_S, "profile", (0..20).map(row).collect(), 0.0).with_score(Some(0.4));
    scene.forecasts.insert(Metric::new(name::CPU), forecast.into());
    let want = scene.wants().remove(0);
    let (used, expected) = (want.reason.used.unwrap(), want.reason.expected.unwrap());
    assert_eq!((used.window_s, used.present_share, used.seen_s), (86_400.0, 1.0, 10.0 * 86_400.0));
    assert!(used.p50 <= used.p95 && used.p95 <= used.max && used.max_at <= scene.now());
    assert_eq!((expected.by.as_str(), expected.peak_at.s()), ("profile", start_s + 19 * 300));
    assert_eq!((want.reason.quantile, want.reason.margin), (0.99, 1.0));
    let cost = want.reason.counterfactual.unwrap();
    assert!(cost.value < want.value && cost.over_s > 0.0 && cost.worst_day_over_s <= cost.over_s);
    assert!(want.least <= want.value);
}

#[test]
fn the_killing_limit_is_above_the_slowing_one() {
    for values in [vec![GIB; 400], bursty(900, 3).iter().map(|value| value * GIB).collect()] {
        let wants = Scene::new(values, &[Knob::MemoryHigh, Knob::MemoryMax]).wants();
        let value = |knob| wants.iter().find(|want| want.knob == knob).unwrap().value;
        assert!(value(Knob::MemoryMax) >= 1.1 * value(Knob::MemoryHigh), "{wants:?}");
    }
}

#[test]
fn memory_that_grows_gets_its_growth_ahead() {
    let growing: Vec<f32> = (0..400_u16).map(|step| GIB * (1.0 + f32::from(step) * 0.01)).collect();
    let last = f64::from(*growing.last().unwrap());
    let want = Scene::new(growing, &[Knob::MemoryMax]).wants().remove(0);
    assert!(want.value > last + 0.1 * f64::from(GIB), "{} after {last}", want.value);
}

#[test]
fn what_is_forecast_to_come_raises_ahead_and_never_cuts() {
    let mut scene = Scene::new(vec![1.0; 3 * DAY], &[Knob::CpuQuota]);
    let plain = scene.wants().remove(0);
    let start_s = scene.now().s() + 300;
    let with = |scene: &mut Scene, level: f32| {
        let forecast = Forecast::new(start_s, STEP_S, "test", vec![[level; 9]; 24], 0.0);
        scene.forecasts.insert(Metric::new(name::CPU), forecast.into());
        scene.wants().remove(0)
    };
    let raised = with(&mut scene, 3.0);
    assert_eq!((raised.value, raised.reason.binding), (3.0, Binding::Forecast));
    assert_eq!(with(&mut scene, 0.1).value, plain.value);
}

#[test]
fn use_at_the_limit_hides_demand() {
    let check = |knob, unit: f32, limit: f64, is_met: bool| {
        let mut scene = Scene::new(vec![unit; 3 * DAY], &[knob]);
        scene.settings.insert(knob, Setting::Value(limit * f64::from(unit)));
        let value = scene.wants().remove(0).value / f64::from(unit);
        assert!(if is_met { value >= 1.5 } else { value < 1.3 }, "limit {limit}: {value}");
    };
    for (limit, of_cpu, of_network) in
        [(1.0, true, true), (1.005, true, true), (1.06, false, true), (1.2, false, false)]
    {
        check(Knob::CpuQuota, 1.0, limit, of_cpu);
        check(Knob::NetworkSendMax, 1e7, limit, of_network);
    }
}

#[test]
fn a_constant_does_not_meet_its_own_limit() {
    for (knob, unit, least) in [(Knob::CpuQuota, 1.0, 1.01), (Knob::NetworkSendMax, 1e7_f32, 1.07)] {
        let mut scene = Scene::new(vec![unit; 20 * DAY], &[knob]);
        scene.standing.violation_share = 0.1;
        for _ in 0..3 {
            let value = scene.wants().remove(0).value;
            assert!((least..1.15).contains(&(value / f64::from(unit))), "{value}");
            scene.settings.insert(knob, Setting::Value(value));
        }
    }
}

#[test]
fn margins_and_bounds_are_kept() {
    // Of five-minute means alone, harm within what people allow adds no margin; beyond it does.
    let mut scene = Scene::new(vec![1.0; 3 * DAY], &[Knob::CpuQuota]);
    let plain = scene.wants().remove(0).value;
    scene.margin = 1.5;
    assert_eq!(scene.wants().remove(0).value, plain);
    scene.margin = 1.0;
    scene.standing.violation_share = 0.001;
    scene.history.0[DAY] = 50.0;
    let plain = scene.wants().remove(0).value;
    scene.margin = 1.5;
    let raised = scene.wants().remove(0);
    assert!((raised.value / plain - 1.5).abs() < 0.01 && raised.reason.margin == 1.5, "{raised:?}");
    scene.standing.bounds.insert(Knob::CpuQuota, Bounds { min: 0.0, max: Some(0.8) });
    let held = scene.wants().remove(0);
    assert_eq!((held.value, held.reason.binding), (0.8, Binding::Ceiling));
    scene.standing.bounds.insert(Knob::CpuQuota, Bounds { min: 400.0, max: None });
    let held = scene.wants().remove(0);
    assert_eq!((held.value, held.reason.binding), (400.0, Binding::Floor));
}

#[test]
fn nothing_known_is_nothing_wanted() {
    let window = Window::last(Time::default(), 300, 3);
    assert!(Scene::new(vec![], &[Knob::CpuQuota]).history.series(&"w".into(), &"m".into(), window).is_none());
    let mut scene = Scene::new(vec![f32::NAN; 50], &[Knob::CpuQuota]);
    assert!(scene.wants().is_empty());
    scene.settings.clear();
    scene.history = Recorded(vec![1.0; 50]);
    assert!(scene.wants().is_empty());
}

#[test]
fn a_bound_of_what_is_measured_no_longer_is_kept_by_itself() {
    let knob = Knob::NetworkSendMax;
    let mut scene = Scene::new(vec![1e7; 3 * DAY], &[knob]);
    let mut wants = |age_s: i64, max: Option<f64>| {
        let latest = Latest { time: scene.now().plus_s(-age_s), value: 1e7 };
        let latest = BTreeMap::from([(Metric::new(name::NETWORK_SEND), latest)]);
        scene.workloads = [("w".into(), WorkloadState { latest, ..unknown("w") })].into();
        scene.standing.bounds = max.map(|max| (knob, Bounds { min: 0.0, max: Some(max) })).into_iter().collect();
        scene.wants()
    };
    let mut check = |age_s, is_alone: bool| {
        let want = wants(age_s, Some(1e6)).remove(0);
        assert_eq!((want.value, want.reason.is_bound_alone()), (1e6, is_alone), "{age_s}");
        // Where the bound has ended, nothing is wanted that would keep it from being taken back.
        assert_eq!(wants(age_s, None).is_empty(), is_alone, "{age_s}");
    };
    check(10, false);
    check(900, false);
    check(86_400, true);
}

#[test]
fn memory_of_what_was_folded_changes_no_result() {
    // Longer than a track reaches back, so that it is built anew on the way.
    let values = bursty(9_000, 8);
    let tracks = Tracks::default();
    for end in (300..values.len()).step_by(450).chain([8_639, 8_640, 8_641, 8_999]) {
        let scene = Scene::new(values[..end].to_vec(), &[Knob::CpuQuota]);
        assert_eq!(scene.assess(&tracks), scene.wants(), "up to {end}");
    }
    // An earlier time, and another past under the same name.
    let back = Scene::new(values[..500].to_vec(), &[Knob::CpuQuota]);
    assert_eq!(back.assess(&tracks), back.wants());
    let other = Scene::new(bursty(700, 9), &[Knob::CpuQuota]);
    assert_eq!(other.assess(&tracks), other.wants());
}

#[test]
fn finer_samples_that_burst_widen_the_allotment() {
    struct Fine;
    impl History for Fine {
        fn series(&self, _: &WorkloadId, _: &Metric, window: Window) -> Option<Series> {
            let mut series = Series::gap(window);
            let peak = if window.step_s == 10 { 1.6 } else { 1.0 };
            series.values.iter_mut().enumerate().for_each(|(k, value)| {
                *value = if window.step_s == 10 && k % 30 != 0 { 1.0 - 0.6 / 29.0 } else { peak };
            });
            Some(series)
        }
    }
    let standing = Standing::default();
    let settings = BTreeMap::from([(Knob::CpuQuota, Setting::Unlimited)]);
    let input = AssessInput {
        now: Time::from_s(400 * 86_400),
        workload: &"w".into(),
        standing: &standing,
        workloads: &BTreeMap::new(),
        settings: &settings,
        history: &Fine,
        forecasts: &BTreeMap::new(),
        announced: &|_, _| apportion_core::Announced::default(),
        margin: &|_| 1.0,
    };
    let value = assess(&Tracks::default(), &input).wants.remove(0).value;
    assert!((1.59..1.82).contains(&value), "{value}");
}

/// A copy of each name with the same life, long known, beside "web-9", which began an hour ago.
struct Copies {
    values: Vec<f32>,
    own: f32,
}

const BEGAN: usize = 8 * DAY;

impl History for Copies {
    fn series(&self, workload: &WorkloadId, _: &Metric, window: Window) -> Option<Series> {
        let is_new = workload.as_str() == "web-9";
        let of = |step: usize| match () {
            () if is_new && step < BEGAN - 12 => f32::NAN,
            () if is_new => self.own,
            () => self.values[step],
        };
        Recorded((0..BEGAN).map(of).collect()).series(workload, &Metric::new(name::CPU), window)
    }
}

fn first_allotment(names: &[&str], own: f32) -> apportion_core::Want {
    let workloads = names.iter().chain(&["web-9"]).map(|id| ((*id).into(), unknown(id))).collect();
    // Two hours a day at 4, else at 1.
    let values = (0..BEGAN).map(|step| if step % DAY < 24 { 4.0 } else { 1.0 }).collect();
    let input = AssessInput {
        now: Time::from_s((i64::try_from(BEGAN).unwrap() - 1) * i64::from(STEP_S)),
        workload: &"web-9".into(),
        standing: &Standing::default(),
        workloads: &workloads,
        settings: &BTreeMap::from([(Knob::CpuQuota, Setting::Unlimited)]),
        history: &Copies { values, own },
        forecasts: &BTreeMap::new(),
        announced: &|_, _| apportion_core::Announced::default(),
        margin: &|_| 1.0,
    };
    assess(&Tracks::default(), &input).wants.remove(0)
}

#[test]
fn a_new_workload_gets_what_its_look_alikes_needed() {
    let check = |names: &[&str], own: f32, value: f64, binding: Binding| {
        let want = first_allotment(names, own);
        assert_eq!(want.reason.binding, binding, "{names:?} {own}");
        assert!((want.value - value).abs() < 1e-6, "{names:?} {own}: {}", want.value);
    };
    // The daily peak that it has not had yet, and the wider the fewer they are.
    check(&["web-1"], 1.0, 8.0, Binding::LookAlikes { count: 1 });
    check(&["web-1", "web-2", "web-3", "web-4"], 1.0, 5.0, Binding::LookAlikes { count: 4 });
    check(&["db-1"], 1.0, first_allotment(&[], 1.0).value, Binding::ColdStart);
    // One that uses more than they do is not like them.
    check(&["web-1"], 9.0, first_allotment(&[], 9.0).value, Binding::ColdStart);
}
