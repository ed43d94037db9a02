//! Errors as `application/problem+json`: what was wrong, where, and what to do.

use super::backend::{ActionError, ActionErrorKind};
use axum::{
    Json,
    extract::rejection::{JsonRejection, PathRejection, QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// An error answer (RFC 9457 with three texts for people).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Problem {
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What was wrong.
    what: String,
    /// In which parameter, header or thing.
    #[serde(rename = "where")]
    place: String,
    /// What to do.
    remedy: String,
}

impl Problem {
    pub(super) fn new(
        status: StatusCode,
        what: impl Into<String>,
        place: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self { title, status: status.as_u16(), what: what.into(), place: place.into(), remedy: remedy.into() }
    }

    pub(super) fn bad_request(what: impl Into<String>, place: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, what, place, remedy)
    }

    pub(super) fn no_workload(name: &str) -> Self {
        let remedy = "ask /api/v1/workloads for the names; write a slash in a name as %2F";
        Self::new(StatusCode::NOT_FOUND, "no workload of that name exists now", name, remedy)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(self)).into_response()
    }
}

impl From<ActionError> for Problem {
    fn from(error: ActionError) -> Self {
        let status = match error.kind {
            ActionErrorKind::NotFound => StatusCode::NOT_FOUND,
            ActionErrorKind::Conflict => StatusCode::CONFLICT,
            ActionErrorKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.what, error.place, error.remedy)
    }
}

const SEE_API: &str = "see /api for what may be asked";

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text(), "the query of the address", SEE_API)
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text(), "the path of the address", SEE_API)
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text(), "the body", SEE_API)
    }
}
