//! Parity with the published architecture, on weights that both sides make by the same formula. The reference, in numpy:
//!
//! ```python
//! import numpy as np, math
//! D, FF, KV, H, L, P, C, N = 8, 12, 3, 2, 2, 4, 32, 6   # width, ff, head, heads, layers, patch, context, horizon
//! count = 0
//! def make(*shape):          # the same numbers as `fill` in the Rust test
//!     global count; count += 1
//!     k = np.arange(math.prod(shape))
//!     return (np.sin(0.7 * k + count) / np.sqrt(shape[-1])).reshape(shape)
//! def dense(i, o, bias): return (make(o, i), make(o) if bias else 0)
//! def residual(i, o): return [dense(i, FF, True), dense(FF, o, True), dense(i, o, True)]
//! def attention(): return make(D), [make(KV*H, D) for _ in range(3)] + [make(D, KV*H)]
//! def feed(): return make(D), make(FF, D), make(D, FF)
//! shared, inp, bias = make(2, D), residual(2*P, D), make(32, H)
//! enc = [(attention(), feed()) for _ in range(L)]; enc_norm = make(D)
//! dec = [(attention(), attention(), feed()) for _ in range(L)]; dec_norm = make(D)
//! outp = residual(D, 9*N)
//! lin = lambda x, wb: x @ wb[0].T + wb[1]
//! res = lambda x, r: lin(np.maximum(lin(x, r[0]), 0), r[1]) + lin(x, r[2])
//! rms = lambda x, g: g * x / np.sqrt((x*x).mean(-1, keepdims=True) + 1e-6)
//! def bucket(rel):
//!     b, r = (16 if rel > 0 else 0), abs(rel)
//!     return b + (r if r < 8 else min(15, 8 + int(math.log(r/8) / math.log(128/8) * 8)))
//! def attend(x, m, ws, valid, b):
//!     q, k, v = (t.reshape(len(t), H, KV).transpose(1, 0, 2) for t in (x @ ws[0].T, m @ ws[1].T, m @ ws[2].T))
//!     s = q @ k.transpose(0, 2, 1) + b + np.where(valid, 0, np.finfo(np.float32).min)
//!     p = np.exp(s - s.max(-1, keepdims=True)); p /= p.sum(-1, keepdims=True)
//!     return (p @ v).transpose(1, 0, 2).reshape(len(x), H*KV) @ ws[3].T
//! ff = lambda h, f: h + np.maximum(rms(h, f[0]) @ f[1].T, 0) @ f[2].T
//! def forward(x):
//!     x = np.asarray(x, float)[-C:]; m = ~np.isnan(x)
//!     loc = x[m].mean() if m.any() else 0.0; scale = x[m].std() if m.any() else 1.0; scale = scale or 1e-5
//!     z = np.where(m, (x - loc) / scale, 0); pad = -len(x) % P
//!     z = np.concatenate([np.zeros(pad), z]).reshape(-1, P); m = np.concatenate([np.zeros(pad, bool), m]).reshape(-1, P)
//!     h = np.concatenate([res(np.concatenate([z, m], 1), inp), shared[1:]]); valid = np.append(m.any(1), True); T = len(h)
//!     b = np.array([[[bias[bucket(k-q), i] for k in range(T)] for q in range(T)] for i in range(H)])
//!     for a, f in enc: h = ff(h + attend(rms(h, a[0]), rms(h, a[0]), a[1], valid, b), f)
//!     h = rms(h, enc_norm); y = shared[:1]
//!     for s, c, f in dec:
//!         y = y + attend(rms(y, s[0]), rms(y, s[0]), s[1], np.array([True]), 0)
//!         y = ff(y + attend(rms(y, c[0]), h, c[1], valid, 0), f)
//!     return res(rms(y, dec_norm), outp).reshape(9, N) * scale + loc
//! def long(x, n):
//!     out = forward(x); paths = [list(x) for _ in range(9)]; rows = out
//!     while out.shape[1] < n:
//!         paths = [p + list(rows[k]) for k, p in enumerate(paths)]
//!         rows = np.quantile(np.concatenate([forward(p) for p in paths]), np.arange(1, 10)/10, axis=0)
//!         out = np.concatenate([out, rows], 1)
//!     return out[:, :n]
//! t = np.arange(21); x = 5 + 3*np.sin(t) + 0.1*t; x[[4, 8, 9, 10, 11, 12]] = np.nan
//! print("unsorted first step", np.round(forward(x)[:, 0], 5).tolist())
//! s = np.sort(long(x, 14), axis=0); print("sorted 0, 5, 6, 13:")
//! for k in (0, 5, 6, 13): print(np.round(s[:, k], 5).tolist())
//! print("long context", np.round(np.sort(forward(np.tile(x, 3)), axis=0)[:, 3], 5).tolist())
//! ```

use safetensors::tensor::{Dtype, TensorView};

use super::*;
use crate::bolt::layers::bucket;

const CONFIG: &str = r#"{"d_model":8,"d_ff":12,"d_kv":3,"num_heads":2,"num_layers":2,"num_decoder_layers":2,
    "layer_norm_epsilon":1e-6,"relative_attention_num_buckets":32,"relative_attention_max_distance":128,
    "feed_forward_proj":"relu","vocab_size":2,"chronos_config":{"context_length":32,"prediction_length":6,
    "input_patch_size":4,"input_patch_stride":4,"quantiles":[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9],"use_reg_token":true}}"#;

/// Names and shapes in the order in which the reference makes them.
fn tensors() -> Vec<(String, Vec<usize>)> {
    let mut all = vec![("shared.weight".to_owned(), vec![2, 8])];
    let mut add = |name: String, shape: &[usize]| all.push((name, shape.to_vec()));
    let residual = |add: &mut dyn FnMut(String, &[usize]), name: &str, i: usize, o: usize| {
        for (part, inputs, outputs) in [("hidden", i, 12), ("output", 12, o), ("residual", i, o)] {
            add(format!("{name}.{part}_layer.weight"), &[outputs, inputs]);
            add(format!("{name}.{part}_layer.bias"), &[outputs]);
        }
    };
    let attention = |add: &mut dyn FnMut(String, &[usize]), layer: &str, kind: &str| {
        add(format!("{layer}.layer_norm.weight"), &[8]);
        ["q", "k", "v"].iter().for_each(|part| add(format!("{layer}.{kind}.{part}.weight"), &[6, 8]));
        add(format!("{layer}.{kind}.o.weight"), &[8, 6]);
    };
    let feed = |add: &mut dyn FnMut(String, &[usize]), layer: &str| {
        add(format!("{layer}.layer_norm.weight"), &[8]);
        add(format!("{layer}.DenseReluDense.wi.weight"), &[12, 8]);
        add(format!("{layer}.DenseReluDense.wo.weight"), &[8, 12]);
    };
    residual(&mut add, "input_patch_embedding", 8, 8);
    add("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight".to_owned(), &[32, 2]);
    for k in 0..2 {
        attention(&mut add, &format!("encoder.block.{k}.layer.0"), "SelfAttention");
        feed(&mut add, &format!("encoder.block.{k}.layer.1"));
    }
    add("encoder.final_layer_norm.weight".to_owned(), &[8]);
    for k in 0..2 {
        attention(&mut add, &format!("decoder.block.{k}.layer.0"), "SelfAttention");
        attention(&mut add, &format!("decoder.block.{k}.layer.1"), "EncDecAttention");
        feed(&mut add, &format!("decoder.block.{k}.layer.2"));
    }
    add("decoder.final_layer_norm.weight".to_owned(), &[8]);
    residual(&mut add, "output_patch_embedding", 8, 54);
    all
}

/// The reference's `make`, as bytes.
fn fill(count: usize, shape: &[usize]) -> Vec<u8> {
    let width = (*shape.last().unwrap() as f64).sqrt();
    let value = |k: usize| ((0.7 * k as f64 + count as f64).sin() / width) as f32;
    (0..shape.iter().product()).flat_map(|k| value(k).to_le_bytes()).collect()
}

fn file(skip: &str) -> Vec<u8> {
    let all: Vec<_> = tensors().into_iter().enumerate().map(|(k, (name, s))| (name, fill(k + 1, &s), s)).collect();
    let kept = all.iter().filter(|(name, ..)| name != skip);
    let views = kept.map(|(name, bytes, shape)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

fn history() -> Vec<f32> {
    let missing = [4, 8, 9, 10, 11, 12];
    let at = |t: u16| {
        if missing.contains(&t) { f32::NAN } else { (5.0 + 3.0 * f64::from(t).sin() + 0.1 * f64::from(t)) as f32 }
    };
    (0..21).map(at).collect()
}

fn forecast(model: &BoltModel, values: &[f32], horizon: usize) -> QuantileForecast {
    let input = SeriesInput { values, step_s: 60, end_time_s: None, season_steps: None, future_multiplier: None };
    model.forecast_batch(&[input], horizon, 1).remove(0)
}

fn close(found: &[f32], expected: [f32; 9]) {
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-4, "{found} against {expected}");
    }
}

#[test]
fn forecasts_are_those_of_the_reference() {
    let model = BoltModel::from_bytes(&file(""), CONFIG).unwrap();
    let raw = model.network.quantiles(&history());
    close(&raw[0], [6.95373, 6.35005, 6.95882, 6.77033, 6.19525, 6.78538, 6.56914, 6.03837, 6.60468]);
    let ahead = forecast(&model, &history(), 14);
    close(ahead.at(0), [6.03837, 6.19525, 6.35005, 6.56914, 6.60468, 6.77033, 6.78538, 6.95373, 6.95882]);
    close(ahead.at(5), [6.47495, 6.635, 6.69589, 6.74022, 6.78828, 6.82133, 7.19152, 7.30053, 7.3395]);
    close(ahead.at(6), [6.15489, 6.28831, 6.41891, 6.55901, 6.60667, 6.70796, 6.75103, 6.85336, 6.89483]);
    close(ahead.at(13), [6.00353, 6.05842, 6.15565, 6.25115, 6.33479, 6.40185, 6.47368, 6.51568, 6.57111]);
    let long = forecast(&model, &history().repeat(3), 6);
    close(long.at(3), [6.15077, 6.29996, 6.461, 6.6596, 6.86044, 6.88567, 7.05898, 7.06851, 7.2297]);
}

#[test]
fn degenerate_series_give_finite_forecasts() {
    let model = BoltModel::from_bytes(&file(""), CONFIG).unwrap();
    for values in [vec![], vec![f32::NAN; 9], vec![3.0; 50], vec![1e38, -1e38], vec![f32::INFINITY, 1.0]] {
        let ahead = forecast(&model, &values, 20);
        assert!(ahead.values.iter().all(|x| x.is_finite()), "{values:?}: {ahead:?}");
    }
}

#[test]
fn buckets_are_those_of_t5() {
    // transformers 4.40, T5Attention._relative_position_bucket(torch.tensor(d), True, 32, 128)
    for (distance, expected) in
        [(0, 0), (-1, 1), (1, 17), (-7, 7), (-8, 8), (9, 24), (-20, 10), (64, 30), (-127, 15), (500, 31)]
    {
        assert_eq!(bucket(distance, 32, 128), expected, "distance {distance}");
    }
}

#[test]
fn other_files_are_refused_with_the_reason() {
    let error = |bytes: &[u8], config: &str| BoltModel::from_bytes(bytes, config).unwrap_err().to_string();
    let gone = "decoder.block.1.layer.1.EncDecAttention.k.weight";
    let cases = [
        (error(&file(gone), CONFIG), "EncDecAttention.k.weight`: is missing"),
        (error(&file(""), &CONFIG.replace("\"d_ff\":12", "\"d_ff\":13")), "config.json asks for [13, 8]"),
        (error(&file(""), &CONFIG.replace("relu", "gated-gelu")), "not `relu`"),
        (error(&file(""), &CONFIG.replace("0.9]", "0.95]")), "not 0.1 to 0.9"),
        (
            error(&file(""), &CONFIG.replace("\"context_length\":32", "\"context_length\":1048576")),
            "num_heads times (context_length / input_patch_size)^2 = 137438953472 is not within 1..=67108864",
        ),
        (error(&file(""), "{}"), "config.json is not Chronos-Bolt's"),
        (error(b"PK", CONFIG), "not a readable safetensors file"),
    ];
    for (found, expected) in cases {
        assert!(found.contains(expected), "{found}");
    }
}
