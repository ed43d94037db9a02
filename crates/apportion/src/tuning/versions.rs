//! Tuned weights on disk: a folder beside the store with `N.safetensors` (weights), `N.json` (how they came about, how they did,
//! which weights serve which metric) and `current` (the number in force). Version 0 is what this program ships with, and has no
//! files. A file is written beside its place and renamed, so a crash leaves the old one or the new one.

use crate::learn::{STORE_STEP_S, hex};
use apportion_core::Metric;
use apportion_model::{WeightsError, telemetry::TelemetryModel, training::GroupOutcome};
use apportion_planner::forecasters::{Transformer, Tuned};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Versions that are kept, those whose weights they use, and the one that a rollback goes back to.
const KEPT: usize = 8;

/// One tuning.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    /// Its number, from 1; of a tuning that won nowhere, the number it would have had.
    pub number: u32,
    /// The version in force when it was made, on whose weights it builds; 0 for the shipped ones.
    pub from: u32,
    /// When, RFC 3339.
    pub made: jiff::Timestamp,
    /// Version of the program.
    pub program: String,
    /// SHA-256 of the weights that the program shipped with: what was judged beside others says nothing beside these.
    #[serde(default)]
    pub sha256_of_shipped: String,
    /// How it was trained.
    pub conditions: Conditions,
    /// Seconds between the values of the series it was judged on; its weights serve no others.
    #[serde(default = "step_before_noted")]
    pub step_s: u32,
    /// How it did on the last tenth of time, per metric.
    pub scores: Vec<GroupOutcome>,
    /// The version whose weights serve a metric; the shipped weights serve all others.
    pub serves: BTreeMap<Metric, u32>,
    /// SHA-256 of its weights.
    pub sha256_of_weights: String,
}

/// How a version was trained.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Conditions {
    /// Steps.
    pub steps: u64,
    /// Highest learning rate.
    pub peak: f32,
    /// Share of windows that were not the user's own.
    pub replay: f32,
    /// Seed of every draw.
    pub seed: u64,
    /// Series learnt from.
    pub series: usize,
    /// Where from.
    pub sources: Vec<String>,
    /// SHA-256 of all series, those replayed last.
    pub sha256_of_series: String,
}

/// What was judged before a version said at which step.
const fn step_before_noted() -> u32 {
    STORE_STEP_S
}

impl Version {
    /// It won at least one metric.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.scores.iter().any(GroupOutcome::is_won)
    }
}

/// Why tuned weights are not used. The caller goes on with the shipped ones and says so.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// The folder or a file of it cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what was written.
    #[error(
        "{path}: {what}; `apportion tune --rollback` goes back to the version before, `apportion tune --rollback 0` to the \
         shipped weights",
        path = path.display()
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// No version has that number.
    #[error("there is no version {0}; `apportion tune --list` shows those there are, 0 is the shipped weights")]
    Unknown(u32),
    /// A version won against other weights than those that this program ships with.
    #[error(
        "version {0} was judged beside other weights than this program ships with, so it is not used; `apportion tune` judges anew"
    )]
    Outdated(u32),
    /// Another version was put in force while a tuning was under way.
    #[error(
        "version {now} was put in force while this tuning, begun with version {began}, was under way, so nothing of it is kept; tune again"
    )]
    Overtaken {
        /// In force when the tuning began.
        began: u32,
        /// In force now.
        now: u32,
    },
    /// The shipped weights cannot be written out, to be told from others.
    #[error("the shipped weights: {0}")]
    Shipped(#[from] WeightsError),
}

/// The weights that are used.
#[derive(Debug)]
pub struct InUse {
    /// The version they are of; 0 for the shipped ones.
    pub number: u32,
    /// The Transformer with them.
    pub transformer: Transformer,
    /// Why the version in force is not used, where it is not.
    pub passed_over: Option<VersionError>,
}

type Result<T> = std::result::Result<T, VersionError>;

/// The folder.
#[derive(Clone, Debug)]
pub struct Versions {
    folder: PathBuf,
}

impl Versions {
    /// The folder of a store: `apportion.models` beside `apportion.db`.
    #[must_use]
    pub fn of(store: &Path) -> Self {
        Self { folder: store.with_extension("models") }
    }

    /// The number in force.
    ///
    /// # Errors
    /// The file that names it cannot be read, or holds no number.
    pub fn current(&self) -> Result<u32> {
        let path = self.folder.join("current");
        match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map_err(|_| damaged(&path, "it holds no number of a version")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(source) => Err(VersionError::Io { path, source }),
        }
    }

    /// The record of a version.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn version(&self, number: u32) -> Result<Version> {
        let path = self.record(number);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| damaged(&path, &error.to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(VersionError::Unknown(number)),
            Err(source) => Err(VersionError::Io { path, source }),
        }
    }

    /// All records there are, oldest first; damaged ones as errors.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self) -> Result<Vec<Result<Version>>> {
        Ok(self.numbers("json")?.into_iter().map(|number| self.version(number)).collect())
    }

    /// The last tuning, whether it won or not; `None` where there was none.
    #[must_use]
    pub fn last_tried(&self) -> Option<Version> {
        serde_json::from_slice(&fs::read(self.tried()).ok()?).ok()
    }

    /// The weights in force; the shipped ones where the version in force was judged beside others.
    ///
    /// # Errors
    /// As [`Self::current`] and [`Self::transformer`].
    pub fn in_use(&self, shipped: Transformer) -> Result<InUse> {
        let number = self.current()?;
        match self.fits(number, &shipped) {
            Ok(()) => Ok(InUse { number, transformer: self.transformer(number, shipped)?, passed_over: None }),
            Err(why @ VersionError::Outdated(_)) => {
                Ok(InUse { number: 0, transformer: shipped, passed_over: Some(why) })
            }
            Err(other) => Err(other),
        }
    }

    /// Refuses a version that was judged beside other shipped weights.
    ///
    /// # Errors
    /// It was, or its record cannot be read.
    pub fn fits(&self, number: u32, shipped: &Transformer) -> Result<()> {
        if number == 0 || self.version(number)?.sha256_of_shipped == sha256_of(shipped)? {
            return Ok(());
        }
        Err(VersionError::Outdated(number))
    }

    /// Notes that a background tuning begins: one that takes the process down with it must not be tried again at once.
    ///
    /// # Errors
    /// It cannot be noted.
    pub fn note_begin(&self, at: jiff::Timestamp) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(|source| VersionError::Io { path: self.folder.clone(), source })?;
        write(&self.begun_file(), format!("{at}\n").as_bytes())
    }

    /// Notes that it has ended, however it did.
    pub fn note_end(&self) {
        // Where it cannot be removed, the next is a day later.
        let _ = fs::remove_file(self.begun_file());
    }

    /// When a background tuning began that has not ended.
    #[must_use]
    pub fn begun(&self) -> Option<jiff::Timestamp> {
        fs::read_to_string(self.begun_file()).ok()?.trim().parse().ok()
    }

    /// The Transformer with the weights of a version.
    ///
    /// # Errors
    /// A file of it is missing or damaged; nothing of it is used then.
    pub fn transformer(&self, number: u32, shipped: Transformer) -> Result<Transformer> {
        if number == 0 {
            return Ok(shipped);
        }
        let serves = self.version(number)?.serves;
        let mut loaded = BTreeMap::new();
        for number in serves.values().copied().collect::<BTreeSet<u32>>() {
            let step_s = self.version(number)?.step_s;
            loaded.insert(number, Tuned { model: Arc::new(self.weights(number)?), step_s });
        }
        let tuned = serves.into_iter().filter_map(|(metric, number)| Some((metric, loaded.get(&number)?.clone())));
        Ok(shipped.with_tuned(tuned.collect()))
    }

    /// The weights that a version's training ended with.
    ///
    /// # Errors
    /// As [`Self::transformer`].
    pub fn weights(&self, number: u32) -> Result<TelemetryModel> {
        let path = self.weights_file(number);
        let bytes = fs::read(&path).map_err(|source| VersionError::Io { path: path.clone(), source })?;
        if sha256(&bytes) != self.version(number)?.sha256_of_weights {
            return Err(damaged(&path, "these are not the weights that were kept (SHA-256 differs)"));
        }
        TelemetryModel::from_bytes(&bytes).map_err(|error| damaged(&path, &error.to_string()))
    }

    /// The number that the next version gets.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn next(&self) -> Result<u32> {
        Ok(self.numbers("safetensors")?.last().copied().max(self.numbers("json")?.last().copied()).unwrap_or(0) + 1)
    }

    /// Keeps other tunings and rollbacks out for as long as the result lives.
    ///
    /// # Errors
    /// The folder cannot be made or locked.
    pub fn lock(&self) -> Result<File> {
        let path = self.folder.join("lock");
        let locked = fs::create_dir_all(&self.folder).and_then(|()| {
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            file.lock().map(|()| file)
        });
        locked.map_err(|source| VersionError::Io { path, source })
    }

    /// As [`Self::lock`], for a tuning that began while version `began` was in force.
    ///
    /// # Errors
    /// Another is in force by now, which that tuning knows nothing of; or as [`Self::lock`].
    pub fn lock_unless_overtaken(&self, began: u32) -> Result<File> {
        let lock = self.lock()?;
        let now = self.current()?;
        if now == began { Ok(lock) } else { Err(VersionError::Overtaken { began, now }) }
    }

    /// Notes a tuning; where it won somewhere, its weights are kept and in force from now on. The caller holds the lock.
    ///
    /// # Errors
    /// A file cannot be written; what was in force still is.
    pub fn take(&self, version: &mut Version, weights: &[u8]) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(|source| VersionError::Io { path: self.folder.clone(), source })?;
        version.sha256_of_weights = sha256(weights);
        if version.is_kept() {
            write(&self.weights_file(version.number), weights)?;
            write(&self.record(version.number), &json(version))?;
            self.set_current(version.number)?;
            self.prune(version);
        }
        write(&self.tried(), &json(version))
    }

    /// Puts a version in force again, or without a number the one before the current; says which.
    ///
    /// # Errors
    /// There is none such, it is damaged, or it was judged beside other shipped weights.
    pub fn roll_back(&self, to: Option<u32>, shipped: &Transformer) -> Result<u32> {
        let _lock = self.lock()?;
        let to = match to {
            Some(number) => number,
            None => self.before_current(shipped)?,
        };
        self.check(to, shipped)?;
        self.set_current(to)?;
        Ok(to)
    }

    /// Whether a version can be used: all its weights are there and sound, and judged beside these.
    fn check(&self, number: u32, shipped: &Transformer) -> Result<()> {
        if number == 0 {
            return Ok(());
        }
        self.fits(number, shipped)?;
        let serves = self.version(number)?.serves;
        serves.values().collect::<BTreeSet<_>>().into_iter().try_for_each(|it| self.weights(*it).map(drop))
    }

    /// What the current version builds on; where that or its own record cannot be read, the newest before it that can be used.
    fn before_current(&self, shipped: &Transformer) -> Result<u32> {
        let Ok(current) = self.current() else { return Ok(0) };
        let from = self.version(current).ok().map(|version| version.from);
        let earlier = self.numbers("json")?.into_iter().rev().filter(|number| *number < current);
        let mut candidates = from.into_iter().chain(earlier);
        Ok(candidates.find(|number| self.check(*number, shipped).is_ok()).unwrap_or(0))
    }

    fn set_current(&self, number: u32) -> Result<()> {
        write(&self.folder.join("current"), format!("{number}\n").as_bytes())
    }

    /// Removes old versions that nothing in use needs, and no rollback from the current one. What cannot be removed stays, and does
    /// no harm.
    fn prune(&self, current: &Version) {
        let Ok(all) = self.numbers("json") else { return };
        let mut kept: BTreeSet<u32> = all.iter().rev().take(KEPT).copied().chain([current.from]).collect();
        let serving =
            kept.iter().filter_map(|number| self.version(*number).ok()).flat_map(|it| it.serves.into_values());
        kept.extend(serving.collect::<Vec<u32>>());
        for number in all.into_iter().filter(|number| !kept.contains(number)) {
            let _ = fs::remove_file(self.weights_file(number));
            let _ = fs::remove_file(self.record(number));
        }
    }

    /// Numbers of files with an ending, ascending.
    fn numbers(&self, ending: &str) -> Result<Vec<u32>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(VersionError::Io { path: self.folder.clone(), source }),
        };
        let number =
            |path: PathBuf| path.extension().filter(|it| *it == ending).and(path.file_stem()?.to_str()?.parse().ok());
        let mut numbers: Vec<u32> = entries.flatten().filter_map(|entry| number(entry.path())).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn weights_file(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number}.safetensors"))
    }
    fn record(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number}.json"))
    }
    fn begun_file(&self) -> PathBuf {
        self.folder.join("begun")
    }
    fn tried(&self) -> PathBuf {
        self.folder.join("last-tried.json")
    }
}

fn damaged(path: &Path, what: &str) -> VersionError {
    VersionError::Damaged { path: path.to_owned(), what: what.to_owned() }
}

/// SHA-256 of a network's general weights, by which it is told from others.
///
/// # Errors
/// They cannot be written out.
pub fn sha256_of(transformer: &Transformer) -> Result<String> {
    Ok(sha256(&transformer.general().to_bytes()?))
}

fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes))
}

fn json(version: &Version) -> Vec<u8> {
    let text = serde_json::to_string_pretty(version).unwrap_or_default();
    format!("{text}\n").into_bytes()
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes).map_err(|source| VersionError::Io { path: path.to_owned(), source })
}

/// Writes a file beside its place and renames it: whatever happens, the old one or the new one is there, whole.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("partial");
    let mut file = File::create(&beside)?;
    file.write_all(bytes).and_then(|()| file.sync_all())?;
    fs::rename(&beside, path)
}
