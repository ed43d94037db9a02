//! What is allocated, counted by an allocator of this test: while forecasting no more a series than its answer and the packing
//! buffers of `gemm`, which makes up to two a product and lets nobody pass them in (traced by their callers); and for a weight file no more than its size
//! allows, whatever its header claims.

#![allow(unsafe_code, reason = "an allocator can only be written with it; this one counts and passes on")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use apportion_model::telemetry::{ModelConfig, SeriesInput, TelemetryModel};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

struct Counting;

thread_local! {
    /// Allocations and bytes of this thread, so that tests beside it do not matter.
    static COUNTED: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

fn count(bytes: usize) {
    // A thread that is being torn down has no counter any more.
    let _ = COUNTED.try_with(|counted| counted.set((counted.get().0 + 1, counted.get().1 + bytes)));
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count(bytes.saturating_sub(layout.size()));
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

#[test]
fn a_weight_file_allocates_in_proportion_to_its_size_whatever_it_claims() {
    let good = TelemetryModel::untrained(ModelConfig::tiny(), 1).to_bytes().unwrap();
    let header = usize::try_from(u64::from_le_bytes(good[..8].try_into().unwrap())).unwrap();
    let text = String::from_utf8(good[8..8 + header].to_vec()).unwrap();
    let claims = |from: &str, to: &str| {
        assert!(text.contains(from), "{text}");
        let text = text.replacen(from, to, 1);
        [&(text.len() as u64).to_le_bytes(), text.as_bytes(), &good[8 + header..]].concat()
    };
    let huge_header = [&u64::MAX.to_le_bytes(), &good[8..]].concat();
    let cases = [
        ("as it is", good.clone()),
        ("wider than it is", claims(r#"\"d\":16"#, r#"\"d\":4096"#)),
        ("deeper than it is", claims(r#"\"layers\":1"#, r#"\"layers\":64"#)),
        ("a wide feed-forward", claims(r#"\"hidden\":24"#, r#"\"hidden\":16384"#)),
        ("a header of 2^64 bytes", huge_header),
        ("cut short", good[..good.len() / 2].to_vec()),
    ];
    for (name, bytes) in cases {
        let (_, _, allocated) = counted(|| TelemetryModel::from_bytes(&bytes).is_ok());
        // The header's tables are a few times its size; the weights become 32-bit floats and 8-bit copies.
        assert!(allocated < 12 * bytes.len() + 65_536, "{name}: {allocated} bytes for a file of {}", bytes.len());
    }
}
