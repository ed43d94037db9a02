//! The JSON API under `/api/v1` and its OpenAPI document. One table holds every route; a test holds it against the document.

mod actions;
mod decisions;
mod dto;
mod extract;
mod instructions;
mod machine;
mod signals;
mod workloads;

use super::{Backend, View, access::Gate, events, health, metrics, problem::Problem};
use axum::{
    Json,
    extract::DefaultBodyLimit,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post},
};
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        RefOr,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

/// All workloads of a view, as `/api/v1/workloads` gives them.
///
/// # Errors
/// None that the types allow; serialisation's own.
pub fn workloads_json(view: &View) -> serde_json::Result<serde_json::Value> {
    serde_json::to_value(workloads::all(view))
}

/// What every handler may reach.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) views: watch::Receiver<Arc<View>>,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) gate: Arc<Gate>,
    /// Turns true when the server ends.
    pub(super) stopping: watch::Receiver<bool>,
    /// One permit per open event stream.
    pub(super) streams: Arc<Semaphore>,
    /// The one permit to compute what a sentence would have done.
    pub(super) effects: Arc<Semaphore>,
}

impl Shared {
    pub(super) fn view(&self) -> Arc<View> {
        self.views.borrow().clone()
    }

    /// Asks the backend on a thread that may block.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Backend) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let backend = Arc::clone(&self.backend);
        tokio::task::spawn_blocking(move || question(backend.as_ref())).await.map_err(|error| {
            tracing::error!(%error, "a question to the backend failed");
            let remedy = "look into the log; the loop itself goes on";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the question could not be answered", "backend", remedy)
        })
    }
}

/// Every route but the page's own files.
pub(super) fn routes() -> Vec<(&'static str, MethodRouter<Shared>)> {
    vec![
        ("/api/v1/status", get(machine::status)),
        ("/api/v1/machine", get(machine::machine)),
        ("/api/v1/workloads", get(workloads::list)),
        ("/api/v1/workloads/{workload}", get(workloads::one)),
        ("/api/v1/workloads/{workload}/series", get(workloads::series)),
        ("/api/v1/workloads/{workload}/forecast", get(workloads::forecast)),
        ("/api/v1/workloads/{workload}/forecast/why", get(workloads::why)),
        ("/api/v1/workloads/{workload}/rollback", post(actions::roll_back_workload)),
        ("/api/v1/workloads/{workload}/hold", post(actions::hold)),
        ("/api/v1/workloads/{workload}/release", post(actions::release)),
        ("/api/v1/workloads/{workload}/take-over", post(actions::take_over)),
        ("/api/v1/decisions", get(decisions::list)),
        ("/api/v1/decisions/{id}", get(decisions::one)),
        ("/api/v1/decisions/{id}/rollback", post(actions::roll_back_decision)),
        ("/api/v1/reading", get(instructions::read)),
        ("/api/v1/answer", get(instructions::answer)),
        ("/api/v1/instructions", get(instructions::list).post(instructions::take)),
        ("/api/v1/instructions/{id}", delete(instructions::revoke)),
        ("/api/v1/signals", get(signals::list)),
        (
            "/api/v1/signals/alertmanager",
            post(signals::alertmanager).layer(DefaultBodyLimit::max(signals::BODY_MOST_BYTES)),
        ),
        ("/api/v1/session", post(actions::log_in).merge(delete(actions::log_out))),
        ("/api/v1/events", get(events::events)),
        ("/metrics", get(metrics::metrics)),
        ("/healthz", get(health::healthz)),
        ("/readyz", get(health::readyz)),
        ("/api/openapi.json", get(openapi)),
    ]
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Apportion",
        description = "What the workloads of a machine use, what they are forecast to need, what they would be allotted \
                       and why. Times are seconds since 1970; amounts are in cores, bytes or bytes per second.",
        license(name = "Apache-2.0 OR MIT")
    ),
    paths(
        machine::status, machine::machine,
        workloads::list, workloads::one, workloads::series, workloads::forecast, workloads::why,
        actions::roll_back_workload, actions::hold, actions::release, actions::take_over,
        decisions::list, decisions::one, actions::roll_back_decision,
        instructions::read, instructions::answer, instructions::list, instructions::take, instructions::revoke,
        signals::list, signals::alertmanager,
        actions::log_in, actions::log_out,
        events::events, metrics::metrics, health::healthz, health::readyz, openapi,
    ),
    modifiers(&Token, &ProblemType),
)]
struct Document;

struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("the configured token"));
        document.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme.build()));
    }
}

/// Errors are sent as `application/problem+json`.
struct ProblemType;

impl Modify for ProblemType {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let paths = document.paths.paths.values_mut();
        let operations = paths.flat_map(|path| [&mut path.get, &mut path.post, &mut path.delete]).flatten();
        for (status, response) in operations.flat_map(|operation| &mut operation.responses.responses) {
            let (false, RefOr::T(response)) = (status.starts_with('2'), response) else { continue };
            if let Some(content) = response.content.swap_remove("application/json") {
                response.content.insert("application/problem+json".to_owned(), content);
            }
        }
    }
}

/// This document.
#[utoipa::path(get, path = "/api/openapi.json", tag = "machine",
    responses((status = 200, description = "OpenAPI document", content_type = "application/json")))]
async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(Document::openapi())
}

/// Nothing is there.
pub(super) async fn not_found(uri: axum::http::Uri) -> Response {
    let remedy = "see /api for what may be asked, or / for the page";
    Problem::new(StatusCode::NOT_FOUND, "there is nothing at this address", uri.path(), remedy).into_response()
}

/// Something is there, but not for this method.
pub(super) async fn wrong_method(method: axum::http::Method, uri: axum::http::Uri) -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let place = format!("{method} {}", uri.path());
    Problem::new(status, "this method is not answered here", place, "see /api for what may be asked").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_document_and_the_table_name_the_same_paths() {
        let document = Document::openapi();
        let written: BTreeSet<&str> = document.paths.paths.keys().map(String::as_str).collect();
        let answered: BTreeSet<&str> = routes().into_iter().map(|(path, _)| path).collect();
        assert_eq!(written, answered);
    }
}
