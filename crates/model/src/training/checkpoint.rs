//! All that a training needs to go on after it was killed, in one safetensors file written beside and then renamed.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use super::adamw::AdamW;
use super::trainer::TrainConfig;
use crate::telemetry::network::Network;

/// A training at one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    pub(crate) config: TrainConfig,
    /// Steps done.
    pub(crate) step: u64,
    pub(crate) optimiser: AdamW,
}

/// Why a checkpoint was not written or not read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file could not be opened, read or written.
    #[error("checkpoint {path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no checkpoint of this program.
    #[error("checkpoint {path}: {problem}; delete it to start afresh", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Serialize, Deserialize)]
struct State {
    config: TrainConfig,
    step: u64,
}

const PARTS: [&str; 4] = ["weights", "average", "m", "v"];

impl Checkpoint {
    /// Steps done.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The configuration it was made with.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// Writes the file; a kill at any moment leaves the old file or the new one, never half of one.
    pub fn save(&self, path: &Path) -> Result<(), CheckpointError> {
        let io = |source| CheckpointError::Io { path: path.to_owned(), source };
        let content = |problem: String| CheckpointError::Content { path: path.to_owned(), problem };
        let bytes = self.to_bytes().map_err(content)?;
        let beside = path.with_extension("partial");
        let mut file = File::create(&beside).map_err(io)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(io)?;
        std::fs::rename(&beside, path).map_err(io)
    }

    fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let state = State { config: self.config.clone(), step: self.step };
        let state = serde_json::to_string(&state).map_err(|error| error.to_string())?;
        let AdamW { weights, average, m, v } = &self.optimiser;
        let bytes = [weights, average, m, v].map(|part| part.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
        let views = PARTS
            .iter()
            .zip(&bytes)
            .map(|(name, bytes)| TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes).map(|view| (*name, view)));
        let views = views.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        safetensors::serialize(views, Some([("state".to_owned(), state)].into())).map_err(|error| error.to_string())
    }

    /// Reads a file written by `save`.
    pub fn load(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = std::fs::read(path).map_err(|source| CheckpointError::Io { path: path.to_owned(), source })?;
        Self::from_bytes(path, &bytes)
    }

    /// The same of what was read already; `path` is what an error names.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self, CheckpointError> {
        Self::parse(bytes).map_err(|problem| CheckpointError::Content { path: path.to_owned(), problem })
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
        let state = header.metadata().as_ref().and_then(|all| all.get("state")).ok_or("no training state in it")?;
        let State { config, step } = serde_json::from_str(state).map_err(|error| error.to_string())?;
        config.validate()?;
        let len = Network::new(config.model).layout.len();
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let part = |name: &str| -> Result<Vec<f32>, String> {
            let view = tensors.tensor(name).map_err(|error| error.to_string())?;
            if view.dtype() != Dtype::F32 || view.shape() != [len] {
                return Err(format!("`{name}` is {:?} {:?}, not F32 [{len}]", view.dtype(), view.shape()));
            }
            let values: Vec<f32> =
                view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            // What the optimiser takes the root of is a mean of squares.
            match values.iter().find(|x| !x.is_finite() || (name == "v" && **x < 0.0)) {
                Some(value) => Err(format!("`{name}` holds {value}: the training that wrote it had diverged")),
                None => Ok(values),
            }
        };
        let [weights, average, m, v] = [part(PARTS[0])?, part(PARTS[1])?, part(PARTS[2])?, part(PARTS[3])?];
        Ok(Self { config, step, optimiser: AdamW { weights, average, m, v } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::ModelConfig;
    use crate::training::{Schedule, TrainSet, Trainer};

    fn checkpoint() -> Checkpoint {
        let config = TrainConfig { model: ModelConfig::tiny(), ..TrainConfig::default() };
        let optimiser = AdamW::new(Network::new(config.model).layout.init(1));
        Checkpoint { config, step: 3, optimiser }
    }

    fn refused(change: impl FnOnce(&mut Checkpoint)) -> String {
        let mut changed = checkpoint();
        change(&mut changed);
        Checkpoint::parse(&changed.to_bytes().unwrap()).unwrap_err()
    }

    #[test]
    fn what_no_training_has_is_refused_before_anything_is_made_of_it() {
        assert_eq!(Checkpoint::parse(&checkpoint().to_bytes().unwrap()).unwrap(), checkpoint());
        let check = |change: fn(&mut Checkpoint), says: &str| {
            let found = refused(change);
            assert!(found.contains(says), "{found}");
        };
        check(|it| it.config.shards = 1_000_000_000_000, "shards = 1000000000000 is not within 1..=64");
        check(|it| it.config.shards = 0, "shards = 0");
        check(|it| it.config.long = (8, 0), "patches = 0 is not within 9..=1024");
        check(|it| it.config.short = (1 << 40, 25), "windows = 1099511627776");
        check(|it| it.config.long = (1024, 1024), "windows times patches = 1048576");
        check(|it| it.config.short = (1024, 1024), "windows times patches = 1048576");
        check(|it| it.config.long_share = 1.5, "1.5 is not within 0..=1");
        check(|it| it.config.schedule.peak = -1.0, "-1 is not within 0..=1");
        check(|it| it.optimiser.weights[5] = f32::NAN, "`weights` holds NaN: the training that wrote it had diverged");
        check(|it| it.optimiser.m[5] = f32::INFINITY, "`m` holds inf");
        check(|it| it.optimiser.v[5] = -1.0, "`v` holds -1");
    }

    #[test]
    fn a_training_that_learns_nothing_any_more_says_so() {
        let (mut sick, set) = (checkpoint(), TrainSet::default());
        sick.optimiser.weights.fill(f32::NAN);
        sick.config.shards = 1;
        sick.config.long = (1, 9);
        sick.config.short = (1, 9);
        let mut trainer = Trainer::resume(sick, &set, 1);
        let told: Vec<bool> = (0..10).map(|_| trainer.step().map(|_| trainer.has_diverged()).unwrap()).collect();
        assert_eq!(told, [[false; 9].as_slice(), &[true]].concat());
    }

    #[test]
    fn a_schedule_is_changed_only_where_the_steps_done_would_have_been_the_same() {
        let set = TrainSet::default();
        let mut checkpoint = checkpoint();
        let schedule = checkpoint.config.schedule;
        let with = |steps: u64, warm_up_steps: u64| Schedule { steps, warm_up_steps, ..schedule };
        checkpoint.config.schedule = with(100, 10);
        checkpoint.step = 40;
        let mut trainer = Trainer::resume(checkpoint, &set, 1);
        assert!(!trainer.set_schedule(with(100, 20)), "another warm-up");
        assert!(!trainer.set_schedule(with(39, 10)), "fewer than were done");
        assert!(!trainer.set_schedule(with(50, 10)), "the rate would have fallen already");
        assert_eq!(trainer.checkpoint().config.schedule, with(100, 10));
        assert!(trainer.set_schedule(with(200, 10)));
        assert_eq!(trainer.checkpoint().config.schedule, with(200, 10));
    }
}
