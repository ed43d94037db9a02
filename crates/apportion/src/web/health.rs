//! Whether the process answers, and whether the loop turns.

use super::{View, api::Shared, problem::Problem};
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use std::time::{Duration, Instant};

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "machine", responses((status = 200, description = "ok")))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The first tick has ended and the last one is not overdue.
#[utoipa::path(get, path = "/readyz", tag = "machine",
    responses((status = 200, description = "ready"), (status = 503, body = Problem)))]
pub(super) async fn readyz(State(shared): State<Shared>) -> Response {
    match overdue(&shared.view(), Instant::now()) {
        None => "ready\n".into_response(),
        Some(what) => {
            let remedy = "wait for a tick; if none comes, look into the log";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, what, "the loop", remedy).into_response()
        }
    }
}

fn overdue(view: &View, now: Instant) -> Option<String> {
    let Some(published) = view.published else { return Some("no tick has ended yet".to_owned()) };
    let age = now.duration_since(published);
    let allowed = Duration::from_secs_f64((view.every_s * 3.0).clamp(5.0, 3_600.0));
    (age > allowed).then(|| format!("the last tick ended {} s ago, one is due every {} s", age.as_secs(), view.every_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_missed_ticks_are_overdue() {
        let then = Instant::now();
        let view = View { every_s: 10.0, published: Some(then), ..View::default() };
        let check =
            |age_s, late| assert_eq!(overdue(&view, then + Duration::from_secs(age_s)).is_some(), late, "{age_s}");
        check(0, false);
        check(30, false);
        check(31, true);
        assert!(overdue(&View::default(), then).is_some());
    }
}
