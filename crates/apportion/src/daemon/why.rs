//! Why a workload's forecast is what it is, found in the store: for the page, the API and `apportion explain --forecast`.

use super::glue::StoreHistory;
use crate::zone;
use apportion_core::{
    Forecaster, Metric, Rationale, Time, WorkloadId,
    tick::{Cadence, Seen},
};
use apportion_host::store::{ReadError, Store};
use apportion_planner::{AtWork, explain, instructions::REMEMBER_S};
use std::sync::Arc;

/// Explains with the forecaster and on the grids of the loop.
#[derive(Clone)]
pub struct Why {
    /// The loop's own, so that what it chose is what is explained.
    pub forecaster: Arc<dyn Forecaster + Send + Sync>,
    /// The loop's grids.
    pub cadence: Cadence,
}

impl Why {
    /// What the forecast of a metric rests on as it would be made at `now`; `None` where nothing of the metric is recorded.
    ///
    /// # Errors
    /// What people have said cannot be read.
    pub fn rationale(
        &self,
        store: &Arc<Store>,
        workload: &WorkloadId,
        metric: &Metric,
        now: Time,
    ) -> Result<Option<Rationale>, ReadError> {
        let found = with_seen(store, &self.cadence, now, |seen| seen.forecast_input(workload, metric, now))?;
        let found = found.filter(|(input, ..)| input.past.present().next().is_some());
        Ok(found.map(|(input, announced, horizon)| explain(self.forecaster.as_ref(), &input, &announced, horizon)))
    }
}

/// Hands over what forecasts are made from at `now` on these grids: the store's past and what people have announced.
///
/// # Errors
/// What people have said cannot be read.
pub(crate) fn with_seen<T>(
    store: &Arc<Store>,
    cadence: &Cadence,
    now: Time,
    of: impl FnOnce(&Seen<'_>) -> T,
) -> Result<T, ReadError> {
    let history = StoreHistory(Arc::clone(store));
    let mut said = store.instructions(now.plus_s(-REMEMBER_S))?;
    // What was said or taken back later was not known.
    said.retain(|one| one.time <= now);
    said.iter_mut().for_each(|one| one.revoked = one.revoked.filter(|at| *at <= now));
    let at_work = AtWork::new(&said, now, &zone::offset_s);
    let announced = |workload: &_, metric: &_, window| at_work.announced(&history, workload, metric, window);
    Ok(of(&Seen { history: &history, cadence, announced: &announced }))
}
