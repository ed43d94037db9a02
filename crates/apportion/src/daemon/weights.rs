//! The weights in force: those of `apportion tune` where they won, read again when another version is put in force. Files that
//! are damaged are said, turn by turn, and the shipped weights are used.

use crate::{
    spread::{Spread, threads},
    tuning::{Versions, shipped},
};
use apportion_core::{Forecaster, Problem};
use std::{path::Path, sync::Arc};

/// Series that a thread takes at a time: few enough that the due workloads of a turn keep two cores busy.
const BATCH: usize = 8;

/// Which version the loop forecasts with.
pub(super) struct Weights {
    versions: Versions,
    model: &'static str,
    /// The number in force when last looked, or why it could not be read.
    seen: Result<u32, String>,
    /// The number in use.
    pub(super) used: u32,
    /// Why another is in use than is in force.
    pub(super) problem: Option<Problem>,
}

type Loaded = Arc<dyn Forecaster + Send + Sync>;

impl Weights {
    /// The forecaster `model` with the weights in force.
    ///
    /// # Errors
    /// No forecaster has that name.
    pub(super) fn load(store: &Path, model: &'static str) -> anyhow::Result<(Self, Loaded)> {
        let (versions, seen) = (Versions::of(store), Ok(0));
        let mut weights = Self { versions, model, seen, used: 0, problem: None };
        weights.seen = weights.look();
        let forecaster = weights.read()?;
        Ok((weights, forecaster))
    }

    /// The forecaster anew, where another version is in force than at the last look.
    pub(super) fn changed(&mut self) -> Option<Loaded> {
        let now = self.look();
        if now == self.seen {
            return None;
        }
        self.seen = now;
        self.read().ok()
    }

    fn look(&self) -> Result<u32, String> {
        self.versions.current().map_err(|error| error.to_string())
    }

    fn read(&mut self) -> anyhow::Result<Loaded> {
        let shipped = shipped()?;
        let tuned = self.versions.in_force(shipped.clone());
        self.used = if tuned.is_ok() { self.seen.clone().unwrap_or(0) } else { 0 };
        self.problem = tuned.as_ref().err().map(|error| {
            tracing::warn!("{error}");
            Problem { place: "tuned weights".to_owned(), what: format!("{error}; the shipped weights are used") }
        });
        let forecaster = apportion_planner::forecaster_with(self.model, tuned.unwrap_or(shipped))?;
        Ok(Arc::new(Spread::new(forecaster, BATCH, threads(None))))
    }
}
