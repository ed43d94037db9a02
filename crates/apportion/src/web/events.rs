//! Server-sent events: one a tick. An event says that there is something new and how things stand; the page asks for what it
//! shows. A client that was away needs nothing repeated: the first event of a stream is the present state.

use super::{View, api::Shared, problem::Problem};
use axum::{
    http::StatusCode,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use serde::Serialize;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::ToSchema;

/// Open streams at one time.
pub(super) const STREAMS_MOST: usize = 64;
/// A silent connection is kept open by a comment this often.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A client that lost the stream comes back after this long.
const RETRY: Duration = Duration::from_secs(2);

/// One tick has ended.
#[derive(Serialize, ToSchema)]
struct Tick {
    tick: u64,
    now_s: i64,
    /// Changes with a restart, after which ticks count anew.
    started_s: i64,
    workloads_count: usize,
    problems_count: usize,
    last_tick_s: f64,
}

impl From<&View> for Tick {
    fn from(view: &View) -> Self {
        Self {
            tick: view.tick,
            now_s: view.now.s(),
            started_s: view.started.s(),
            workloads_count: view.workloads.len(),
            problems_count: view.problems.len(),
            last_tick_s: view.totals.last_tick_s,
        }
    }
}

/// A stream of `tick` events, one a tick; the first one comes at once.
#[utoipa::path(get, path = "/api/v1/events", tag = "machine",
    responses((status = 200, body = Tick, content_type = "text/event-stream"), (status = 503, body = Problem)))]
pub(super) async fn events(axum::extract::State(shared): axum::extract::State<Shared>) -> Response {
    let Ok(permit) = Arc::clone(&shared.streams).try_acquire_owned() else {
        let what = format!("{STREAMS_MOST} event streams are open already");
        let remedy = "close other pages, or ask /api/v1/status from time to time instead";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, what, "/api/v1/events", remedy).into_response();
    };
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        forward(shared, &sender).await;
        drop(permit);
    });
    Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// Until the client, the loop or the server ends. A slow client gets the newest tick, not every one.
async fn forward(mut shared: Shared, sender: &mpsc::Sender<Result<Event, Infallible>>) {
    let mut retry = Some(RETRY);
    loop {
        let view = shared.views.borrow_and_update().clone();
        let event = Event::default().event("tick").id(view.tick.to_string());
        let event = event.json_data(Tick::from(view.as_ref())).unwrap_or_default();
        let event = retry.take().map_or_else(|| event.clone(), |retry| event.clone().retry(retry));
        if *shared.stopping.borrow() || sender.send(Ok(event)).await.is_err() {
            return;
        }
        tokio::select! {
            changed = shared.views.changed() => if changed.is_err() { return },
            _ = shared.stopping.changed() => return,
            () = sender.closed() => return,
        }
    }
}
