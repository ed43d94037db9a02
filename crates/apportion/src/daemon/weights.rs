//! The weights in force: those of `apportion tune` where they won, read again when another version is put in force. Files that
//! are damaged, or won against other shipped weights, are said, turn by turn, and the shipped weights are used.

use crate::{
    spread::{Spread, threads},
    tuning::{InUse, Versions, shipped},
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
        let found = self.versions.in_use(shipped.clone());
        let found = found.unwrap_or_else(|why| InUse { number: 0, transformer: shipped, passed_over: Some(why) });
        self.used = found.number;
        self.problem = found.passed_over.map(|why| {
            tracing::warn!("{why}");
            Problem { place: "tuned weights".to_owned(), what: format!("{why}; the shipped weights are used") }
        });
        let forecaster = apportion_planner::forecaster_with(self.model, found.transformer)?;
        Ok(Arc::new(Spread::new(forecaster, BATCH, threads(None))))
    }
}
