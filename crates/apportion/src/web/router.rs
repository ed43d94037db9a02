//! All routes, behind the same limits, rule of access and headers.

use super::{
    Backend, View,
    access::{self, Gate},
    api::{self, Shared},
    assets, events,
    problem::Problem,
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{Semaphore, watch};

/// No body that we take is longer.
const BODY_MOST_BYTES: usize = 16 * 1_024;
/// An answer begins within this time or not at all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Requests being answered at one time, event streams not counted.
const REQUESTS_MOST: usize = 128;

const HEADERS: [(HeaderName, HeaderValue); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
];

/// The turn to compute what a sentence would have done: one of a process, shared by all that it serves.
#[derive(Clone, Debug)]
pub struct Effects(Arc<Semaphore>);

impl Default for Effects {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

pub(super) fn router(
    views: watch::Receiver<Arc<View>>,
    backend: Arc<dyn Backend>,
    Effects(effects): Effects,
    gate: Gate,
    stopping: watch::Receiver<bool>,
) -> Router {
    let gate = Arc::new(gate);
    let streams = Arc::new(Semaphore::new(events::STREAMS_MOST));
    let shared = Shared { views, backend, gate: Arc::clone(&gate), stopping, streams, effects };
    let routes = api::routes().into_iter().fold(Router::new(), |router, (path, method)| router.route(path, method));
    routes
        .with_state(shared)
        .route("/", get(assets::page))
        .route("/api", get(assets::api_page))
        .route("/assets/{*name}", get(assets::asset))
        .fallback(api::not_found)
        .method_not_allowed_fallback(api::wrong_method)
        .layer(DefaultBodyLimit::max(BODY_MOST_BYTES))
        .layer(from_fn_with_state(Arc::clone(&gate), access::guard))
        .layer(from_fn_with_state(Arc::new(Semaphore::new(REQUESTS_MOST)), limit))
        .layer(from_fn_with_state(gate, headers))
}

/// Not too many at a time, and none for too long.
async fn limit(State(places): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    let Ok(_place) = places.try_acquire() else {
        let what = format!("{REQUESTS_MOST} requests are being answered already");
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Problem::new(status, what, "this server", "ask again in a moment").into_response();
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let what = format!("no answer within {} s", ANSWER_TIMEOUT.as_secs());
            let remedy = "ask for less (a shorter window, fewer decisions), or again later";
            Problem::new(StatusCode::GATEWAY_TIMEOUT, what, "this server", remedy).into_response()
        }
    }
}

async fn headers(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    set_headers(response.headers_mut(), gate.is_tls());
    response
}

fn set_headers(headers: &mut HeaderMap, tls: bool) {
    headers.extend(HEADERS);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}
