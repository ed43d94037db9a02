//! Workloads, their past and their forecast.

use super::{
    Shared,
    decisions::{Lang, OneQuery},
    dto::{RationaleShown, WorkloadDetail, WorkloadRow, Workloads, unit},
    extract::{Asked, Named},
};
use crate::web::{View, problem::Problem};
use apportion_core::{LEVELS, Metric, Window, WorkloadId};
use apportion_language::wording::explain_forecast;
use axum::{Json, extract::State, http::StatusCode};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// More points than a screen has pixels.
const POINTS_MOST: i64 = 5_000;

/// All workloads, as in the table.
#[utoipa::path(get, path = "/api/v1/workloads", tag = "workloads",
    responses((status = 200, body = Workloads)))]
pub(super) async fn list(State(shared): State<Shared>) -> Json<Workloads> {
    Json(all(&shared.view()))
}

/// All workloads of a view.
pub(in crate::web) fn all(view: &View) -> Workloads {
    let workloads = view.workloads.values().map(|now| WorkloadRow::of(now, view.now)).collect();
    Workloads { tick: view.tick, now_s: view.now.s(), workloads }
}

/// One workload, whole: readings, knobs with reasons, forecasters' scores.
#[utoipa::path(get, path = "/api/v1/workloads/{workload}", tag = "workloads",
    params(("workload", description = "its name; a slash in it as %2F"), OneQuery),
    responses((status = 200, body = WorkloadDetail), (status = 404, body = Problem)))]
pub(super) async fn one(
    State(shared): State<Shared>,
    Named(name): Named<String>,
    Asked(OneQuery { lang }): Asked<OneQuery>,
) -> Result<Json<WorkloadDetail>, Problem> {
    let view = shared.view();
    let id = WorkloadId::new(&name);
    let now = view.workloads.get(&id).ok_or_else(|| Problem::no_workload(&name))?;
    let scores = shared.ask(move |backend| backend.scores(&id)).await?;
    Ok(Json(WorkloadDetail::of(now, (view.tick, view.now), &scores, lang.into())))
}

/// A window of the past.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SeriesQuery {
    /// Name of the metric.
    #[param(example = "cpu_cores")]
    metric: String,
    /// First point, seconds since 1970.
    from_s: i64,
    /// End, not included, seconds since 1970.
    to_s: i64,
    /// Seconds between points, at least 1; at most 5000 points.
    step_s: u32,
}

impl SeriesQuery {
    /// The window, its start moved down to the grid.
    fn window(&self) -> Result<Window, Problem> {
        let step = i64::from(self.step_s);
        let place = format!("from_s={}, to_s={}, step_s={}", self.from_s, self.to_s, self.step_s);
        let span_s = self.to_s.checked_sub(self.from_s).unwrap_or(i64::MAX);
        if step == 0 || span_s <= 0 {
            return Err(Problem::bad_request("the window is empty", place, "from_s below to_s, step_s at least 1"));
        }
        if span_s / step > POINTS_MOST {
            let remedy = format!("at most {POINTS_MOST} points: a shorter window or a greater step_s");
            return Err(Problem::bad_request("the window holds too many points", place, remedy));
        }
        let from_s = self.from_s.saturating_sub(self.from_s.rem_euclid(step));
        Ok(Window { from_s, to_s: self.to_s, step_s: self.step_s })
    }
}

/// A metric over time on a regular grid.
#[derive(Serialize, ToSchema)]
pub(super) struct SeriesShown {
    workload: String,
    metric: String,
    unit: &'static str,
    start_s: i64,
    step_s: u32,
    /// The value at a time is the mean over the step that ends then; null is a gap.
    #[schema(value_type = Vec<Option<f32>>)]
    values: Vec<f32>,
}

/// The recorded past of one metric; the workload `machine` is the machine itself.
#[utoipa::path(get, path = "/api/v1/workloads/{workload}/series", tag = "workloads",
    params(("workload", description = "its name; a slash in it as %2F"), SeriesQuery),
    responses((status = 200, body = SeriesShown), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn series(
    State(shared): State<Shared>,
    Named(workload): Named<String>,
    Asked(query): Asked<SeriesQuery>,
) -> Result<Json<SeriesShown>, Problem> {
    let window = query.window()?;
    let (id, metric) = (WorkloadId::new(&workload), Metric::new(&query.metric));
    let found = shared.ask(move |backend| backend.series(&id, &metric, window)).await?;
    let series = found.ok_or_else(|| nothing_known(&workload, &query.metric, "nothing is recorded of it"))?;
    let unit = unit(&query.metric);
    let (start_s, step_s, values) = (series.start_s, series.step_s, series.values);
    Ok(Json(SeriesShown { workload, metric: query.metric, unit, start_s, step_s, values }))
}

/// Of which metric.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ForecastQuery {
    /// Name of the metric.
    #[param(example = "cpu_cores")]
    metric: String,
}

/// What a metric is expected to be.
#[derive(Serialize, ToSchema)]
pub(super) struct ForecastShown {
    workload: String,
    metric: String,
    unit: &'static str,
    start_s: i64,
    step_s: u32,
    /// The forecaster.
    by: String,
    /// The quantile levels.
    levels: [f32; 9],
    /// Nine quantiles a step, in the order of `levels`.
    #[schema(value_type = Vec<Vec<f32>>)]
    quantiles: Vec<[f32; 9]>,
}

/// The newest forecast of one metric.
#[utoipa::path(get, path = "/api/v1/workloads/{workload}/forecast", tag = "workloads",
    params(("workload", description = "its name; a slash in it as %2F"), ForecastQuery),
    responses((status = 200, body = ForecastShown), (status = 404, body = Problem)))]
pub(super) async fn forecast(
    State(shared): State<Shared>,
    Named(workload): Named<String>,
    Asked(ForecastQuery { metric }): Asked<ForecastQuery>,
) -> Result<Json<ForecastShown>, Problem> {
    let (id, of) = (WorkloadId::new(&workload), Metric::new(&metric));
    let found = shared.ask(move |backend| backend.forecast(&id, &of)).await?;
    let forecast = found.ok_or_else(|| nothing_known(&workload, &metric, "there is no forecast of it yet"))?;
    let quantiles = forecast.quantiles().to_vec();
    let (start_s, step_s, unit) = (forecast.start_s, forecast.step_s, unit(&metric));
    Ok(Json(ForecastShown { workload, metric, unit, start_s, step_s, by: forecast.by, levels: LEVELS, quantiles }))
}

/// Of which metric, told in which language.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WhyQuery {
    /// Name of the metric.
    #[param(example = "cpu_cores")]
    metric: String,
    /// Language of the words.
    #[serde(default)]
    #[param(inline)]
    lang: Lang,
}

/// Why the forecast of one metric is what it is, as it would be made now: which stretches of the past, which rhythm, which
/// announcement, and whether time of day and day of week. Takes up to a second.
#[utoipa::path(get, path = "/api/v1/workloads/{workload}/forecast/why", tag = "workloads",
    params(("workload", description = "its name; a slash in it as %2F"), WhyQuery),
    responses((status = 200, body = RationaleShown), (status = 404, body = Problem)))]
pub(super) async fn why(
    State(shared): State<Shared>,
    Named(workload): Named<String>,
    Asked(WhyQuery { metric, lang }): Asked<WhyQuery>,
) -> Result<Json<RationaleShown>, Problem> {
    let (id, of) = (WorkloadId::new(&workload), Metric::new(&metric));
    let found = shared.ask(move |backend| backend.rationale(&id, &of)).await?;
    let rationale = found.ok_or_else(|| nothing_known(&workload, &metric, "nothing is recorded of it"))?;
    let words = explain_forecast(&rationale, lang.into(), &TimeZone::system());
    Ok(Json(RationaleShown::of(&rationale, words)))
}

fn nothing_known(workload: &str, metric: &str, what: &str) -> Problem {
    let remedy = "ask /api/v1/workloads/{workload} for the metrics that there are";
    Problem::new(StatusCode::NOT_FOUND, what, format!("workload {workload}, metric {metric}"), remedy)
}
