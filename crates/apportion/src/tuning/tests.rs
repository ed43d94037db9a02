//! Versions that are made here, and what becomes of them.
#![allow(clippy::unwrap_used, reason = "a test")]

use super::*;
use apportion_model::{telemetry::ModelConfig, training::TrainSeries};

/// A version made at a time that won nowhere, with numbers of its own to come.
pub(crate) fn version(made_s: i64) -> Version {
    let conditions = Conditions {
        steps: 1,
        peak: 1e-4,
        replay: 0.5,
        seed: 1,
        series: 1,
        sources: Vec::new(),
        sha256_of_series: String::new(),
    };
    Version {
        number: 1,
        from: 0,
        made: jiff::Timestamp::from_second(made_s).unwrap(),
        program: "0".to_owned(),
        sha256_of_shipped: sha256_of(&shipped().unwrap()).unwrap(),
        conditions,
        step_s: learn::STORE_STEP_S,
        scores: Vec::new(),
        serves: BTreeMap::new(),
        sha256_of_weights: String::new(),
    }
}

/// Puts a version in force that won `metric` with the weights of a small network that has learnt nothing.
pub(crate) fn put_in_force(versions: &Versions, metric: &str, change: impl FnOnce(&mut Version)) -> u32 {
    let score = training::GroupOutcome {
        group: metric.to_owned(),
        series: 6,
        forecasts: 24,
        before: 0.8,
        after: 0.7,
        ratio: 0.9,
        ratio_low: 0.85,
        ratio_high: 0.95,
    };
    let (number, from) = (versions.next().unwrap(), versions.current().unwrap());
    let serves = [(Metric::new(metric), number)].into();
    let mut made = Version { number, from, scores: vec![score], serves, ..version(1_700_000_000) };
    change(&mut made);
    let weights = TelemetryModel::untrained(ModelConfig::tiny(), u64::from(number)).to_bytes().unwrap();
    versions.take(&mut made, &weights).unwrap();
    number
}

fn folder() -> (tempfile::TempDir, Versions) {
    let folder = tempfile::tempdir().unwrap();
    let versions = Versions::of(&folder.path().join("apportion.db"));
    (folder, versions)
}

#[test]
fn what_won_against_other_shipped_weights_is_not_used() {
    let (_folder, versions) = folder();
    let shipped = shipped().unwrap();
    put_in_force(&versions, "cpu_cores", |_| ());
    assert_eq!(versions.in_use(shipped.clone()).unwrap().number, 1);
    for other in ["", "0123"] {
        put_in_force(&versions, "cpu_cores", |version| version.sha256_of_shipped = other.to_owned());
        let found = versions.in_use(shipped.clone()).unwrap();
        let why = found.passed_over.unwrap().to_string();
        assert!(found.number == 0 && why.contains("was judged beside other weights"), "{why}");
        let served = found.transformer.model(&Metric::new("cpu_cores"), learn::STORE_STEP_S).parameters();
        assert_eq!(served, shipped.general().parameters());
    }
    let refused = versions.roll_back(Some(2), &shipped).unwrap_err();
    assert!(matches!(refused, VersionError::Outdated(2)), "{refused}");
    assert_eq!(versions.roll_back(None, &shipped).unwrap(), 1, "the newest that can be used");
}

/// Series of a daily duty cycle that a small network learns in a few steps.
fn job(seed: u64) -> Job {
    let series = (0..6_u16).map(|k| TrainSeries {
        group: "cpu_cores".to_owned(),
        values: (0..900).map(|t: u16| 5.0 + f32::from(k) + 3.0 * f32::from(u8::from((t + k) % 48 < 9))).collect(),
        step_s: learn::STORE_STEP_S,
        start_time_s: None,
    });
    let set = TrainSet { series: series.collect(), replay: Vec::new() };
    let config = TuneConfig { steps: 12, peak: 3e-3, seed, threads: 2, ..TuneConfig::default() };
    Job { set, sha256_of_series: String::new(), sources: vec!["a test".to_owned()], config }
}

#[test]
fn what_a_tuning_wins_is_in_force_afterwards() {
    let (_folder, versions) = folder();
    put_in_force(&versions, "cpu_cores", |_| ());
    let made = tune(&versions, job(1), |_| ControlFlow::Continue(())).unwrap().unwrap();
    assert!(made.is_kept() && (made.number, made.from) == (2, 1), "{made:?}");
    let found = versions.in_use(shipped().unwrap()).unwrap();
    let of = |model: &TelemetryModel| model.to_bytes().unwrap();
    let served = of(found.transformer.model(&Metric::new("cpu_cores"), learn::STORE_STEP_S));
    assert_eq!((found.number, served), (2, of(&versions.weights(2).unwrap())));
    assert_eq!(versions.last_tried().map(|tried| tried.number), Some(2));
}

#[test]
fn a_tuning_that_was_overtaken_keeps_nothing() {
    let (_folder, versions) = folder();
    put_in_force(&versions, "cpu_cores", |_| ());
    let by_another = |step: &Progress| {
        if step.step == 1 {
            put_in_force(&versions, "memory_bytes", |_| ());
        }
        ControlFlow::Continue(())
    };
    let error = tune(&versions, job(1), by_another).unwrap_err().to_string();
    assert!(error.contains("version 2 was put in force while this tuning, begun with version 1"), "{error}");
    assert_eq!((versions.current().unwrap(), versions.next().unwrap()), (2, 3));

    // And who writes holds others off.
    let lock = versions.lock().unwrap();
    let other = std::thread::spawn({
        let versions = versions.clone();
        move || versions.roll_back(None, &shipped().unwrap()).unwrap()
    });
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert_eq!(versions.current().unwrap(), 2);
    drop(lock);
    assert_eq!((other.join().unwrap(), versions.current().unwrap()), (1, 1));
}

#[test]
fn what_a_rollback_goes_back_to_is_not_pruned() {
    let (_folder, versions) = folder();
    let shipped = shipped().unwrap();
    for expected in 1..=9 {
        assert_eq!(put_in_force(&versions, "cpu_cores", |_| ()), expected);
    }
    assert!(versions.version(2).is_ok() && versions.version(1).is_err(), "the newest eight are kept");
    versions.roll_back(Some(2), &shipped).unwrap();
    assert_eq!(put_in_force(&versions, "cpu_cores", |_| ()), 10);
    assert!(versions.version(3).is_ok(), "of the newest eight");
    assert_eq!(versions.roll_back(None, &shipped).unwrap(), 2);
    assert_eq!(versions.roll_back(None, &shipped).unwrap(), 0, "what it was made from is gone");
}
