//! The page's own files, part of the program: nothing is fetched from elsewhere.

use super::{api, problem::Problem};
use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use std::hash::{DefaultHasher, Hash, Hasher};

macro_rules! assets {
    ($($name:literal as $kind:ident),* $(,)?) => {
        const ASSETS: &[(&str, &str, &[u8])] =
            &[$(($name, $kind, include_bytes!(concat!("../../web/", $name)))),*];
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const TEXT: &str = "text/plain; charset=utf-8";

assets! {
    "index.html" as HTML,
    "api.html" as HTML,
    "icon.svg" as SVG,
    "css/base.css" as CSS,
    "css/views.css" as CSS,
    "js/api-page.js" as JS,
    "js/api.js" as JS,
    "js/charts.js" as JS,
    "js/decisions.js" as JS,
    "js/dom.js" as JS,
    "js/drivers.js" as JS,
    "js/format.js" as JS,
    "js/i18n.js" as JS,
    "js/machine.js" as JS,
    "js/main.js" as JS,
    "js/past.js" as JS,
    "js/reason.js" as JS,
    "js/rows.js" as JS,
    "js/scores.js" as JS,
    "js/session.js" as JS,
    "js/spark.js" as JS,
    "js/strings-en.js" as JS,
    "js/strings-zh.js" as JS,
    "js/summary.js" as JS,
    "js/table.js" as JS,
    "js/tell.js" as JS,
    "js/theme.js" as JS,
    "js/workload.js" as JS,
    "vendor/uplot/uPlot.iife.min.js" as JS,
    "vendor/uplot/uPlot.min.css" as CSS,
    "vendor/uplot/LICENSE" as TEXT,
}

/// The dashboard.
pub(super) async fn page(headers: HeaderMap, uri: Uri) -> Response {
    serve("index.html", &headers, uri).await
}

/// The API in words.
pub(super) async fn api_page(headers: HeaderMap, uri: Uri) -> Response {
    serve("api.html", &headers, uri).await
}

/// One file of the page.
pub(super) async fn asset(
    path: Result<Path<String>, axum::extract::rejection::PathRejection>,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    match path {
        Ok(Path(name)) => serve(&name, &headers, uri).await,
        Err(rejection) => Problem::from(rejection).into_response(),
    }
}

async fn serve(name: &str, headers: &HeaderMap, uri: Uri) -> Response {
    let Some((_, kind, bytes)) = ASSETS.iter().find(|(known, ..)| *known == name) else {
        return api::not_found(uri).await;
    };
    let tag = tag(bytes);
    let headers_out = [
        (header::CONTENT_TYPE, (*kind).to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::ETAG, tag.clone()),
    ];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|given| given.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, headers_out).into_response();
    }
    (headers_out, *bytes).into_response()
}

/// Changes with the content; the same for the same program.
fn tag(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}
