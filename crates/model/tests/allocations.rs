//! What is allocated, counted by an allocator of this test: while forecasting no more a series than its answer and the packing
//! buffers of `gemm`, which makes up to two a product and lets nobody pass them in (traced by their callers); for a weight file or a checkpoint no more than
//! its size allows, whatever its header claims; and while training no more for many shards than for one.

#![allow(unsafe_code, reason = "an allocator can only be written with it; this one counts and passes on")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use apportion_model::telemetry::{ModelConfig, SeriesInput, TelemetryModel};
use apportion_model::training::{Checkpoint, TrainConfig, TrainSet, Trainer};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    path::Path,
};

struct Counting;

thread_local! {
    /// Allocations and bytes of this thread, so that tests beside it do not matter.
    static COUNTED: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    /// Bytes that this thread holds, and the most that it has held.
    static HELD: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

fn count(bytes: usize) {
    // A thread that is being torn down has no counter any more.
    let _ = COUNTED.try_with(|counted| counted.set((counted.get().0 + 1, counted.get().1 + bytes)));
}

/// What was freed here may have been made elsewhere: then nothing is held.
fn hold(more: usize, less: usize) {
    let _ = HELD.try_with(|held| {
        let now = (held.get().0 + more).saturating_sub(less);
        held.set((now, held.get().1.max(now)));
    });
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        hold(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        hold(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        hold(0, layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count(bytes.saturating_sub(layout.size()));
        hold(bytes, layout.size());
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Allocations and bytes of `work` on this thread.
fn counted<R>(work: impl FnOnce() -> R) -> (R, usize, usize) {
    let before = COUNTED.get();
    let made = work();
    let after = COUNTED.get();
    (made, after.0 - before.0, after.1 - before.1)
}

/// The most bytes that this thread held more than before, during `work`.
fn most_held(work: impl FnOnce()) -> usize {
    let before = HELD.get().0;
    HELD.set((before, before));
    work();
    HELD.get().1 - before
}

/// Allocations a series. Transformer: the answer, and of each of 32 products (two for each of four heads in each of four layers)
/// a table of flags and, of every other one, a packing buffer, by `gemm`; a few more are shared by four series. Recurrent: two
/// of each of 284 products (one a token and layer) that eight series share, and the same few.
const MOST_A_SERIES: [usize; 2] = [55, 100];

#[test]
fn forecasting_allocates_a_series_no_more_than_its_products_pack() {
    const HORIZON: usize = 288;
    let wave = |k: usize| (0..2_016).map(|t| 5.0 + ((t * (k + 3)) as f32 * 0.02).sin()).collect::<Vec<f32>>();
    let series: Vec<Vec<f32>> = (0..48).map(wave).collect();
    let input = |values| SeriesInput {
        values,
        step_s: 300,
        end_time_s: Some(1_700_000_000),
        season_steps: None,
        future_multiplier: None,
    };
    let inputs: Vec<SeriesInput<'_>> = series.iter().map(|values| input(values.as_slice())).collect();
    let models = [TelemetryModel::embedded().unwrap(), TelemetryModel::untrained(ModelConfig::recurrent(), 1)];
    for (model, most) in models.iter().zip(MOST_A_SERIES) {
        model.forecast_batch(&inputs, HORIZON, 1);
        let (_, few, _) = counted(|| model.forecast_batch(&inputs[..16], HORIZON, 1));
        let (_, many, _) = counted(|| model.forecast_batch(&inputs, HORIZON, 1));
        assert!(many - few <= 32 * most, "{few} allocations for 16 series, {many} for 48");
    }
}

/// A safetensors file whose header says something else than it did.
fn claiming(good: &[u8], from: &str, to: &str) -> Vec<u8> {
    let header = usize::try_from(u64::from_le_bytes(good[..8].try_into().unwrap())).unwrap();
    let text = String::from_utf8(good[8..8 + header].to_vec()).unwrap();
    assert!(text.contains(from), "{text}");
    let text = text.replacen(from, to, 1);
    [&(text.len() as u64).to_le_bytes(), text.as_bytes(), &good[8 + header..]].concat()
}

/// What is held at the most while a file is read, in parts of its size: as it is, and with a header that claims more.
fn check_claims(good: &[u8], claims: &[(&str, &str)], most: f64, read: impl Fn(&[u8]) -> bool) {
    let check = |name: &str, bytes: &[u8], is_good: bool| {
        let mut was_read = false;
        let held = most_held(|| was_read = read(bytes)) as f64 / bytes.len() as f64;
        assert_eq!(was_read, is_good, "{name}");
        assert!(held < most, "{name}: {held:.2} times the {} bytes of the file", bytes.len());
    };
    check("as it is", good, true);
    claims.iter().for_each(|(from, to)| check(to, &claiming(good, from, to), false));
    check("a header of 2^64 bytes", &[&u64::MAX.to_le_bytes(), &good[8..]].concat(), false);
    check("cut short", &good[..good.len() / 2], false);
}

#[test]
fn a_weight_file_holds_a_few_times_its_size_whatever_it_claims() {
    let good = TelemetryModel::untrained(ModelConfig::default(), 1).to_bytes().unwrap();
    let claims = [
        (r#"\"d\":128"#, r#"\"d\":4096"#),
        (r#"\"layers\":4"#, r#"\"layers\":64"#),
        (r#"\"hidden\":344"#, r#"\"hidden\":16384"#),
    ];
    // The weights become 32-bit floats, twice the size, and those of the blocks 8-bit copies too.
    check_claims(&good, &claims, 4.0, |bytes| TelemetryModel::from_bytes(bytes).is_ok());
}

#[test]
fn a_checkpoint_holds_no_more_than_its_size_whatever_it_claims() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let set = TrainSet::default();
    Trainer::new(TrainConfig::default(), &set, 1).checkpoint().save(&path).unwrap();
    let claims = [
        (r#"\"d\":128"#, r#"\"d\":4096"#),
        (r#"\"layers\":4"#, r#"\"layers\":64"#),
        (r#"\"shards\":8"#, r#"\"shards\":4096"#),
        (r#"\"long\":[8,73]"#, r#"\"long\":[1024,1024]"#),
    ];
    let read = |bytes: &[u8]| Checkpoint::from_bytes(Path::new("checkpoint"), bytes).is_ok();
    check_claims(&std::fs::read(&path).unwrap(), &claims, 1.5, read);
}

#[test]
fn training_holds_no_more_for_many_shards_than_for_one() {
    let set = TrainSet::default();
    let held = |shards: usize| {
        let config = TrainConfig {
            model: ModelConfig::tiny(),
            shards,
            long: (4, 20),
            long_share: 1.0,
            ..TrainConfig::default()
        };
        most_held(|| assert!(Trainer::new(config, &set, 1).step().is_some()))
    };
    let (one, eight) = (held(1), held(8));
    assert!(eight < one + one / 4, "{one} bytes for one shard, {eight} for eight");
}
