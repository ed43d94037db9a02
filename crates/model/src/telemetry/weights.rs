//! Weight files: safetensors with the configuration as JSON in the metadata (key `config`), tensors F32 or F16.

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::config::ModelConfig;
use super::network::Network;
use crate::error::WeightsError;
use crate::half::f32_to_f16;

/// Writes weights as 16-bit floats (half the size; the forecast's error changes by less than 0.1 %).
pub(crate) fn to_bytes(network: &Network, flat: &[f32]) -> Result<Vec<u8>, WeightsError> {
    let format = |error: &dyn std::fmt::Display| WeightsError::Format(error.to_string());
    let config = serde_json::to_string(&network.config).map_err(|error| format(&error))?;
    let specs = network.layout.specs();
    let bytes: Vec<Vec<u8>> = specs
        .iter()
        .map(|spec| spec.slot.of(flat).iter().flat_map(|x| f32_to_f16(*x).to_le_bytes()).collect())
        .collect();
    let views = specs.iter().zip(&bytes).map(|(spec, bytes)| {
        TensorView::new(Dtype::F16, spec.shape.clone(), bytes).map(|view| (spec.name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>, _>>().map_err(|error| format(&error))?;
    safetensors::serialize(views, Some([("config".to_owned(), config)].into())).map_err(|error| format(&error))
}

/// Reads and checks a weight file. Whatever its configuration asks for, no more is allocated than a small multiple of the
/// file's size (`tests/allocations.rs`).
pub(crate) fn from_bytes(bytes: &[u8]) -> Result<(Network, Vec<f32>), WeightsError> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| WeightsError::Format(error.to_string()))?;
    let config = read_config(bytes)?;
    check_size(&config, bytes.len())?;
    let network = Network::new(config);
    if let Some(name) = surplus(&tensors, &network) {
        return Err(WeightsError::Tensor { name, problem: "is not part of this network".to_owned() });
    }
    let mut flat = vec![0.0; network.layout.len()];
    for spec in network.layout.specs() {
        let bad = |problem: String| WeightsError::Tensor { name: spec.name.clone(), problem };
        let view = tensors.tensor(&spec.name).map_err(|_| bad("is missing".to_owned()))?;
        if view.shape() != spec.shape {
            return Err(bad(format!("has shape {:?} instead of {:?}", view.shape(), spec.shape)));
        }
        let target = spec.slot.of_mut(&mut flat);
        crate::tensor_file::read(&view, target).map_err(bad)?;
        if let Some(index) = target.iter().position(|x| !x.is_finite()) {
            return Err(WeightsError::NotFinite { name: spec.name.clone(), index, value: target[index] });
        }
    }
    Ok((network, flat))
}

fn read_config(bytes: &[u8]) -> Result<ModelConfig, WeightsError> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| WeightsError::Format(error.to_string()))?;
    let text = header.metadata().as_ref().and_then(|all| all.get("config"));
    let text = text.ok_or_else(|| WeightsError::Config("the metadata holds no `config`".to_owned()))?;
    let config: ModelConfig = serde_json::from_str(text).map_err(|error| WeightsError::Config(error.to_string()))?;
    config.validate()?;
    Ok(config)
}

/// The largest matrices a configuration asks for must fit in the file, before anything is allocated for them.
fn check_size(config: &ModelConfig, file_bytes: usize) -> Result<(), WeightsError> {
    let ModelConfig { d, layers, hidden, edge, features, .. } = *config;
    let least = layers * (4 * d * d + 3 * d * hidden) + edge * (features + d);
    if least * 2 > file_bytes {
        let problem = format!("it asks for at least {least} weights, the file has {file_bytes} bytes");
        return Err(WeightsError::Config(problem));
    }
    Ok(())
}

fn surplus(tensors: &SafeTensors<'_>, network: &Network) -> Option<String> {
    let known = |name: &str| network.layout.specs().iter().any(|spec| spec.name == name);
    tensors.names().into_iter().filter(|name| !known(name)).map(str::to_owned).min()
}
