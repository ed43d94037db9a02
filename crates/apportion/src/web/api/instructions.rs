//! Telling: a sentence read back, taken once confirmed; what was taken, listed and revoked.

use super::{
    Shared,
    actions::{Done, act},
    decisions::Lang,
    extract::{Asked, Named, Sent},
};
use crate::{
    ask::Answered,
    commands::instructions::Listed,
    tell::{Told, effect},
    web::{
        backend::{Action, Backend},
        problem::Problem,
    },
};
use apportion_core::{InstructionId, Time};
use axum::{Json, extract::State};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use utoipa::{IntoParams, ToSchema};

/// Longer ones are no sentences; the reader gives up earlier.
const TEXT_MOST_BYTES: usize = 4_096;
/// The effect of one sentence waits no longer for that of another: with the play itself it stays within what any answer may take.
const EFFECT_TURN_WITHIN: Duration = Duration::from_secs(4);

/// A sentence to be read.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ToRead {
    /// In English or Chinese.
    text: String,
    /// At which time, seconds since 1970; now where left out.
    at_s: Option<i64>,
    /// The zone of its times, an IANA name or an offset; the machine's where left out.
    zone: Option<String>,
    /// Workloads that will exist, separated by commas.
    also: Option<String>,
    /// True for what it would have done on the last days as well, which takes some seconds.
    #[serde(default)]
    effect: bool,
}

/// What a sentence would do. Nothing is done.
#[utoipa::path(get, path = "/api/v1/reading", tag = "instructions", params(ToRead),
    responses((status = 200, body = Told), (status = 400, body = Problem)))]
pub(super) async fn read(State(shared): State<Shared>, Asked(asked): Asked<ToRead>) -> Result<Json<Told>, Problem> {
    short_enough(&asked.text)?;
    known_zone(asked.zone.as_deref())?;
    let at = asked.at_s.map_or_else(crate::daemon::now, Time::from_s);
    let also: Vec<String> =
        asked.also.unwrap_or_default().split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let (text, zone) = (asked.text, asked.zone.clone());
    let mut told = shared.ask(move |backend| backend.read(&text, at, zone.as_deref(), &also)).await?;
    if asked.effect {
        told.effect = effect(&shared, &told, asked.zone).await?;
    }
    Ok(Json(told))
}

/// One effect at a time is computed, so that whoever asks for many takes no more of the machine.
async fn effect(shared: &Shared, told: &Told, zone: Option<String>) -> Result<Option<String>, Problem> {
    let turn = Arc::clone(&shared.effects).acquire_owned();
    let Ok(Ok(turn)) = tokio::time::timeout(EFFECT_TURN_WITHIN, turn).await else {
        return Ok(Some(effect::busy(told)));
    };
    let told = told.clone();
    let play = move |backend: &dyn Backend| {
        // Until it ends, also where whoever asked has gone.
        let _turn = turn;
        backend.effect(&told, zone.as_deref())
    };
    shared.ask(play).await
}

/// An answer to a question, with the records that it rests on. Nothing is done.
#[utoipa::path(get, path = "/api/v1/answer", tag = "instructions", params(Question),
    responses((status = 200, body = Answered), (status = 400, body = Problem)))]
pub(super) async fn answer(
    State(shared): State<Shared>,
    Asked(asked): Asked<Question>,
) -> Result<Json<Answered>, Problem> {
    short_enough(&asked.text)?;
    known_zone(asked.zone.as_deref())?;
    let at = asked.at_s.map_or_else(crate::daemon::now, Time::from_s);
    let view = shared.view();
    shared.ask(move |backend| backend.ask(&asked.text, at, asked.zone.as_deref(), &view)).await.map(Json)
}

/// A question.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Question {
    /// In English or Chinese.
    text: String,
    /// At which time, seconds since 1970; now where left out.
    at_s: Option<i64>,
    /// The zone of its times, an IANA name or an offset; the machine's where left out.
    zone: Option<String>,
}

/// Which instructions.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// True for those that are past or revoked too.
    #[serde(default)]
    all: bool,
    /// Language of the words, en or zh.
    #[param(inline)]
    language: Option<Lang>,
}

/// What people said, newest first.
#[utoipa::path(get, path = "/api/v1/instructions", tag = "instructions", params(Which),
    responses((status = 200, body = Vec<Listed>)))]
pub(super) async fn list(
    State(shared): State<Shared>,
    Asked(which): Asked<Which>,
) -> Result<Json<Vec<Listed>>, Problem> {
    let all = shared.ask(|backend| backend.instructions()).await?;
    let (now, language) = (crate::daemon::now(), which.language.unwrap_or_default().into());
    let listed = all.iter().map(|said| Listed::new(said, now, language));
    let stands = |said: &Listed| which.all || matches!(said.state.as_str(), "standing" | "to_come");
    Ok(Json(listed.filter(stands).collect()))
}

/// A sentence that was read and confirmed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmed {
    /// The sentence, as it was read.
    text: String,
    /// When it was read, as the reading says; at most 15 minutes ago.
    at_s: i64,
    /// The zone in which it was read.
    zone: Option<String>,
    /// Workloads that will exist.
    #[serde(default)]
    also: Vec<String>,
    /// What was shown, as the reading says (`shown`): where it would do something else by now, nothing is taken (409).
    shown: String,
    /// True where the reading was not sure (`can_ask`) and a person who was shown it said that this is what they meant.
    #[serde(default)]
    guessed: bool,
}

/// Takes a sentence that was read and confirmed.
#[utoipa::path(post, path = "/api/v1/instructions", tag = "instructions", security(("token" = [])), request_body = Confirmed,
    responses((status = 200, body = Done), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn take(State(shared): State<Shared>, Sent(said): Sent<Confirmed>) -> Result<Json<Done>, Problem> {
    short_enough(&said.text)?;
    known_zone(said.zone.as_deref())?;
    let Confirmed { text, at_s, zone, also, shown, guessed } = said;
    act(&shared, Action::Instruct { text, at: Time::from_s(at_s), zone, also, shown, guessed }).await
}

/// Takes an instruction back.
#[utoipa::path(delete, path = "/api/v1/instructions/{id}", tag = "instructions", security(("token" = [])),
    params(("id" = i64, Path, description = "its number")),
    responses((status = 200, body = Done), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn revoke(State(shared): State<Shared>, Named(id): Named<i64>) -> Result<Json<Done>, Problem> {
    act(&shared, Action::Revoke(InstructionId(id))).await
}

fn short_enough(text: &str) -> Result<(), Problem> {
    if text.len() <= TEXT_MOST_BYTES {
        return Ok(());
    }
    Err(Problem::bad_request("the sentence is too long", "text", format!("say it in {TEXT_MOST_BYTES} bytes")))
}

/// A zone that is not known would be taken for the machine's.
fn known_zone(zone: Option<&str>) -> Result<(), Problem> {
    if zone.is_none_or(|zone| crate::zone::named(zone).is_some()) {
        return Ok(());
    }
    Err(Problem::bad_request(
        "there is no such zone",
        "zone",
        "give a name such as Europe/Berlin, or an offset such as +08:00".to_owned(),
    ))
}
