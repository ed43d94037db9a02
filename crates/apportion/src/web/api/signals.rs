//! Signals in text: alerts in, hints that are in force out. A hint raises a margin for a while; it is no instruction.

use super::{Shared, extract::Sent};
use crate::{
    signals::{
        InForce, Taken,
        alertmanager::{Webhook, reports},
    },
    web::problem::Problem,
};
use axum::{Json, extract::State};

/// A group of alerts may be longer than a sentence, bytes.
pub(super) const BODY_MOST_BYTES: usize = 256 * 1_024;

/// Takes alerts as Alertmanager's webhook sends them.
#[utoipa::path(post, path = "/api/v1/signals/alertmanager", tag = "signals", security(("token" = [])), request_body = Webhook,
    responses((status = 200, body = Taken), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem)))]
pub(super) async fn alertmanager(State(shared): State<Shared>, Sent(sent): Sent<Webhook>) -> Json<Taken> {
    Json(shared.backend.signals().take(&reports(&sent), crate::daemon::now()))
}

/// The signals in force.
#[utoipa::path(get, path = "/api/v1/signals", tag = "signals", responses((status = 200, body = Vec<InForce>)))]
pub(super) async fn list(State(shared): State<Shared>) -> Json<Vec<InForce>> {
    Json(shared.backend.signals().in_force(crate::daemon::now()))
}
