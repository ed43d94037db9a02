//! The ledger, with reasons in words.

use super::{
    Shared,
    dto::{DecisionShown, Decisions},
    extract::{Asked, Named},
};
use crate::web::{
    backend::{DecisionQuery, Language},
    problem::Problem,
};
use apportion_core::{DecisionId, Time, WorkloadId};
use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MOST: usize = 500;

/// The language of words.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Lang {
    #[default]
    En,
    Zh,
}

impl From<Lang> for Language {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::En => Self::En,
            Lang::Zh => Self::Zh,
        }
    }
}

/// Which decisions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Of this workload only.
    workload: Option<String>,
    /// Not older than this, seconds since 1970.
    since_s: Option<i64>,
    /// With a smaller number than this.
    before: Option<u64>,
    /// At most so many: 1 to 500, 100 where left out.
    limit: Option<usize>,
    /// Language of the words.
    #[serde(default)]
    #[param(inline)]
    lang: Lang,
}

/// Decisions, newest first.
#[utoipa::path(get, path = "/api/v1/decisions", tag = "decisions", params(ListQuery),
    responses((status = 200, body = Decisions), (status = 400, body = Problem)))]
pub(super) async fn list(
    State(shared): State<Shared>,
    Asked(asked): Asked<ListQuery>,
) -> Result<Json<Decisions>, Problem> {
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MOST).contains(&limit) {
        let remedy = format!("1 to {LIMIT_MOST}");
        return Err(Problem::bad_request("the limit is out of range", format!("limit={limit}"), remedy));
    }
    let query = DecisionQuery {
        workload: asked.workload.as_deref().map(WorkloadId::new),
        since: asked.since_s.map(Time::from_s),
        before: asked.before.map(DecisionId),
        limit,
    };
    let language = asked.lang.into();
    let decisions: Vec<DecisionShown> = shared
        .ask(move |backend| {
            let found = backend.decisions(&query);
            found.iter().map(|decision| DecisionShown::of(decision, backend.explain(decision, language))).collect()
        })
        .await?;
    let next_before = decisions.last().filter(|_| decisions.len() == limit).map(DecisionShown::id);
    Ok(Json(Decisions { decisions, next_before }))
}

/// In which language.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OneQuery {
    /// Language of the words.
    #[serde(default)]
    #[param(inline)]
    pub(super) lang: Lang,
}

/// One decision.
#[utoipa::path(get, path = "/api/v1/decisions/{id}", tag = "decisions",
    params(("id" = u64, Path, description = "its number"), OneQuery),
    responses((status = 200, body = DecisionShown), (status = 404, body = Problem)))]
pub(super) async fn one(
    State(shared): State<Shared>,
    Named(id): Named<u64>,
    Asked(OneQuery { lang }): Asked<OneQuery>,
) -> Result<Json<DecisionShown>, Problem> {
    let found = shared.ask(move |backend| {
        let decision = backend.decision(DecisionId(id))?;
        Some(DecisionShown::of(&decision, backend.explain(&decision, lang.into())))
    });
    let none = || {
        let remedy = "ask /api/v1/decisions for the numbers";
        Problem::new(StatusCode::NOT_FOUND, "no decision has that number", id.to_string(), remedy)
    };
    found.await?.map(Json).ok_or_else(none)
}
