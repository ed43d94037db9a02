//! Training: the same seed gives the same weights, a killed run goes on as if it had not been, and the loss falls.

use std::{ops::ControlFlow, path::Path};

use apportion_model::Rng;
use apportion_model::telemetry::{ModelConfig, TelemetryModel};
use apportion_model::training::{
    Checkpoint, Progress, Schedule, TrainConfig, TrainSeries, TrainSet, Trainer, TuneConfig, judge, tune,
};

fn config(steps: u64) -> TrainConfig {
    TrainConfig {
        model: ModelConfig::tiny(),
        schedule: Schedule { steps, warm_up_steps: 2, ..Schedule::default() },
        shards: 3,
        long: (2, 20),
        short: (3, 9),
        ..TrainConfig::default()
    }
}

/// Daily waves, each with a square of its own, of a fleet that a tiny network can learn.
fn set() -> TrainSet {
    let mut rng = Rng::new(4);
    let series = (0..12_u16).map(|k| {
        let level = 5.0 + f32::from(k);
        let value = |t: u16| level + 3.0 * f32::from(u8::from((t + k) % 48 < 9)) + 0.1 * rng.normal();
        TrainSeries {
            group: format!("g{}", k % 2),
            values: (0..2500).map(value).collect(),
            step_s: 1800,
            start_time_s: None,
        }
    });
    TrainSet { series: series.collect(), replay: Vec::new() }
}

fn train(config: TrainConfig, set: &TrainSet, threads: usize) -> Vec<f32> {
    let mut trainer = Trainer::new(config, set, threads);
    while trainer.step().is_some() {}
    trainer.average().to_vec()
}

#[test]
fn the_same_seed_gives_the_same_weights_at_any_number_of_threads() {
    let set = set();
    let one = train(config(4), &set, 1);
    assert_eq!(one, train(config(4), &set, 2));
    assert_eq!(one, train(config(4), &set, 5));
    assert_ne!(one, train(TrainConfig { seed: 2, ..config(4) }, &set, 1));
}

#[test]
fn a_resumed_training_ends_where_an_unbroken_one_does() {
    let (set, folder) = (set(), tempfile::tempdir().unwrap());
    let path = folder.path().join("checkpoint.safetensors");
    let mut first = Trainer::new(config(6), &set, 2);
    (0..3).for_each(|_| assert!(first.step().is_some()));
    first.checkpoint().save(&path).unwrap();
    // What a kill in the middle of the next save leaves behind.
    std::fs::write(path.with_extension("partial"), b"half a file").unwrap();
    let mut second = Trainer::resume(Checkpoint::load(&path).unwrap(), &set, 1);
    while second.step().is_some() {}
    assert_eq!(second.average(), train(config(6), &set, 2));
}

#[test]
fn a_damaged_checkpoint_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let set = TrainSet::default();
    Trainer::new(config(1), &set, 1).checkpoint().save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let refused = |path: &Path| Checkpoint::load(path).unwrap_err().to_string();
    let found = refused(&path);
    assert!(found.contains("checkpoint.safetensors") && found.contains("delete it to start afresh"), "{found}");
    assert!(refused(&folder.path().join("absent")).contains("absent"));
}

#[test]
fn the_loss_falls_with_and_without_real_series() {
    for set in [set(), TrainSet::default()] {
        let mut trainer = Trainer::new(config(60), &set, 2);
        let losses: Vec<f64> = std::iter::from_fn(|| trainer.step()).map(|progress| progress.loss).collect();
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (start, end) = (mean(&losses[..10]), mean(&losses[50..]));
        assert!(end < 0.95 * start, "from {start} to {end}");
    }
}

fn go_on(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn tuning_on_a_fleet_wins_on_its_last_tenth_and_what_is_worse_or_the_same_does_not() {
    let (set, untrained) = (set(), TelemetryModel::untrained(ModelConfig::tiny(), 1));
    let config = TuneConfig { steps: 12, peak: 3e-3, ..TuneConfig::default() };
    let tuned = tune(&untrained, &set, &config, go_on).unwrap();
    let outcomes = judge(&set, &|_| &untrained, &tuned, 2);
    let found: Vec<_> = outcomes.iter().map(|o| (o.group.as_str(), o.series, o.forecasts, o.is_won())).collect();
    assert_eq!(found, [("g0", 6, 24, true), ("g1", 6, 24, true)], "{outcomes:?}");
    assert!(outcomes.iter().all(|o| o.ratio_low < o.ratio && o.ratio < o.ratio_high), "{outcomes:?}");
    assert!((outcomes[0].after / outcomes[0].before - outcomes[0].ratio).abs() < 1e-9);
    assert!(judge(&set, &|_| &tuned, &untrained, 2).iter().all(|worse| !worse.is_won() && worse.ratio_low > 1.0));
    assert!(judge(&set, &|_| &tuned, &tuned, 2).iter().all(|same| !same.is_won() && same.ratio == 1.0));
}

#[test]
fn tuning_breaks_off_when_told_to_replays_what_it_is_given_and_follows_from_the_seed() {
    let untrained = TelemetryModel::untrained(ModelConfig::tiny(), 1);
    let config = TuneConfig { steps: 3, ..TuneConfig::default() };
    let mut seen = 0;
    let stop = |_: &Progress| {
        seen += 1;
        ControlFlow::Break(())
    };
    assert!(tune(&untrained, &set(), &config, stop).is_none() && seen == 1);
    let replay = TrainSet { replay: set().series.split_off(6), ..set() };
    let [without, with] =
        [set(), replay].map(|set| tune(&untrained, &set, &config, go_on).unwrap().to_bytes().unwrap());
    assert!(without != with);
}
