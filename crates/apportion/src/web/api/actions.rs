//! What a person with the token may do, and the session that spares typing it again.

use super::{
    Shared,
    extract::{Named, Sent},
};
use crate::web::{backend::Action, problem::Problem};
use apportion_core::{DecisionId, Time, WorkloadId};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A longer reason is not a reason.
const WHY_MOST_CHARS: usize = 500;

/// What was done.
#[derive(Serialize, ToSchema)]
pub(super) struct Done {
    /// In words.
    done: String,
}

pub(super) async fn act(shared: &Shared, action: Action) -> Result<Json<Done>, Problem> {
    tracing::info!(?action, "asked over HTTP");
    let done = shared.ask(move |backend| backend.act(action)).await??;
    Ok(Json(Done { done }))
}

/// Puts the knob of a decision back to what it was before.
#[utoipa::path(post, path = "/api/v1/decisions/{id}/rollback", tag = "actions", security(("token" = [])),
    params(("id" = u64, Path, description = "its number")),
    responses((status = 200, body = Done), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn roll_back_decision(
    State(shared): State<Shared>,
    Named(id): Named<u64>,
) -> Result<Json<Done>, Problem> {
    act(&shared, Action::RollBackDecision(DecisionId(id))).await
}

/// Puts every knob of a workload back to what it was before Apportion changed it.
#[utoipa::path(post, path = "/api/v1/workloads/{workload}/rollback", tag = "actions", security(("token" = [])),
    params(("workload", description = "its name; a slash in it as %2F")),
    responses((status = 200, body = Done), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn roll_back_workload(
    State(shared): State<Shared>,
    Named(workload): Named<String>,
) -> Result<Json<Done>, Problem> {
    // What is gone may still have records to settle, so the loop says what is known.
    act(&shared, Action::RollBackWorkload(WorkloadId::new(&workload))).await
}

/// No changes, why, and until when.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HoldAsked {
    /// Shown wherever the hold is; 1 to 500 characters.
    why: String,
    /// Seconds since 1970; until released where left out.
    until_s: Option<i64>,
}

/// Changes nothing of a workload until the hold ends.
#[utoipa::path(post, path = "/api/v1/workloads/{workload}/hold", tag = "actions", security(("token" = [])),
    params(("workload", description = "its name; a slash in it as %2F")), request_body = HoldAsked,
    responses((status = 200, body = Done), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn hold(
    State(shared): State<Shared>,
    Named(workload): Named<String>,
    Sent(asked): Sent<HoldAsked>,
) -> Result<Json<Done>, Problem> {
    let workload = WorkloadId::new(&workload);
    let why = asked.why.trim().to_owned();
    if why.is_empty() || why.chars().count() > WHY_MOST_CHARS {
        let remedy = format!("say why in 1 to {WHY_MOST_CHARS} characters");
        return Err(Problem::bad_request("the reason is empty or too long", "why", remedy));
    }
    let until = asked.until_s.map(Time::from_s);
    if until.is_some_and(|until| until <= shared.view().now) {
        return Err(Problem::bad_request("the hold would be over already", "until_s", "give a time to come"));
    }
    act(&shared, Action::Hold { workload, why, until }).await
}

/// Ends a hold.
#[utoipa::path(post, path = "/api/v1/workloads/{workload}/release", tag = "actions", security(("token" = [])),
    params(("workload", description = "its name; a slash in it as %2F")),
    responses((status = 200, body = Done), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn release(
    State(shared): State<Shared>,
    Named(workload): Named<String>,
) -> Result<Json<Done>, Problem> {
    act(&shared, Action::Release(WorkloadId::new(&workload))).await
}

/// Sizes a workload again although somebody else turned its knobs.
#[utoipa::path(post, path = "/api/v1/workloads/{workload}/take-over", tag = "actions", security(("token" = [])),
    params(("workload", description = "its name; a slash in it as %2F")),
    responses((status = 200, body = Done), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn take_over(
    State(shared): State<Shared>,
    Named(workload): Named<String>,
) -> Result<Json<Done>, Problem> {
    act(&shared, Action::TakeOver(WorkloadId::new(&workload))).await
}

/// The token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogIn {
    token: String,
}

/// Begins a session: sets a cookie that stands for the token for twelve hours.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = LogIn,
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn log_in(
    State(shared): State<Shared>,
    Sent(LogIn { token }): Sent<LogIn>,
) -> Result<Response, Problem> {
    let cookie = shared.gate.log_in(&token)?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Ends the session.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses((status = 204)))]
pub(super) async fn log_out(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, shared.gate.log_out(&headers))]).into_response()
}
