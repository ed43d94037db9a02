//! Weight files that are not what they should be give an error that says so, and nothing is used of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_sign_loss, reason = "a test fails by panicking")]

use apportion_model::WeightsError;
use apportion_model::telemetry::{ModelConfig, SeriesInput, TelemetryModel};
use proptest::prelude::*;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

fn good() -> Vec<u8> {
    TelemetryModel::untrained(ModelConfig::tiny(), 1).to_bytes().unwrap()
}

/// The file with its tensors passed through `change` and its configuration replaced where given.
fn altered(
    config: Option<&str>,
    change: impl Fn(&str, Vec<usize>, Vec<u8>) -> Option<(Vec<usize>, Vec<u8>)>,
) -> Vec<u8> {
    let bytes = good();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let kept = header.metadata().as_ref().unwrap()["config"].clone();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let changed: Vec<_> = tensors
        .iter()
        .filter_map(|(name, view)| {
            change(name, view.shape().to_vec(), view.data().to_vec())
                .map(|(shape, data)| (name.to_owned(), shape, data))
        })
        .collect();
    let views =
        changed.iter().map(|(name, shape, data)| (name, TensorView::new(Dtype::F16, shape.clone(), data).unwrap()));
    safetensors::serialize(views, Some([("config".to_owned(), config.unwrap_or(&kept).to_owned())].into())).unwrap()
}

fn error(bytes: &[u8]) -> String {
    TelemetryModel::from_bytes(bytes).expect_err("a bad file was accepted").to_string()
}

#[test]
fn a_file_survives_the_round_trip() {
    let bytes = good();
    let model = TelemetryModel::from_bytes(&bytes).unwrap();
    assert_eq!(model.to_bytes().unwrap(), bytes);
}

#[test]
fn the_embedded_weights_load_and_forecast() {
    let model = TelemetryModel::embedded().unwrap();
    assert!((1_000_000..1_400_000).contains(&model.parameters()));
    let values: Vec<f32> = (0..1000_u16).map(|t| 10.0 + (f32::from(t) * 0.2).sin()).collect();
    let input =
        SeriesInput { values: &values, step_s: 60, end_time_s: None, season_steps: None, future_multiplier: None };
    let forecast = model.forecast_batch(&[input], 64, 1).remove(0);
    assert!((0..64).all(|step| (8.0..12.0).contains(&forecast.at(step)[4])), "{forecast:?}");
}

#[test]
fn each_kind_of_damage_is_named() {
    let same = |_: &str, shape, data| Some((shape, data));
    let cases: [(&str, Vec<u8>, &str); 9] = [
        ("empty", vec![], "not a readable safetensors file"),
        ("text", b"{\"hello\": 1}".to_vec(), "not a readable safetensors file"),
        ("cut short", good()[..good().len() - 1].to_vec(), "not a readable safetensors file"),
        (
            "a tensor missing",
            altered(None, |name, s, d| (name != "norm.gain").then_some((s, d))),
            "`norm.gain`: is missing",
        ),
        (
            "a tensor of another shape",
            altered(None, |name, s, d| Some((if name == "embed.skip.weight" { vec![d.len() / 2] } else { s }, d))),
            "`embed.skip.weight`: has shape",
        ),
        (
            "not a number",
            altered(None, |name, s, mut d| {
                if name == "norm.gain" {
                    d[2..4].copy_from_slice(&0x7E00_u16.to_le_bytes());
                }
                Some((s, d))
            }),
            "`norm.gain` holds NaN at element 1",
        ),
        ("no JSON", altered(Some("what"), same), "configuration does not fit"),
        (
            "sizes beyond the file",
            altered(
                Some(r#"{"d":4096,"heads":64,"layers":64,"hidden":16384,"edge":16384,"patch":32,"features":298}"#),
                same,
            ),
            "weights, the file has",
        ),
        (
            "another version",
            altered(Some(r#"{"d":16,"heads":2,"layers":1,"hidden":24,"edge":16,"patch":16,"features":298}"#), same),
            "use weights of this version",
        ),
    ];
    for (name, bytes, expected) in cases {
        let found = error(&bytes);
        assert!(found.contains(expected), "{name}: {found}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_damaged_file_never_panics(at in 0_usize..3000, byte in any::<u8>(), keep in 0.0_f64..1.2) {
        let mut bytes = good();
        let at = at.min(bytes.len() - 1);
        bytes[at] = byte;
        bytes.truncate((bytes.len() as f64 * keep) as usize);
        match TelemetryModel::from_bytes(&bytes) {
            Ok(_) | Err(WeightsError::Format(_) | WeightsError::Config(_) | WeightsError::Tensor { .. } | WeightsError::NotFinite { .. }) => {}
        }
    }

    #[test]
    fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(TelemetryModel::from_bytes(&bytes).is_err());
    }
}
