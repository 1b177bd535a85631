//! Opsgenie's alert and heartbeat API, as far as it needs the database: what is read, saved searches, attachments, and the
//! heartbeats of an integration. Each key sees what belongs to its integration.
//!
//! Creating alerts, acting on them and pings of heartbeats are doors of the collectors, at the same addresses.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chassis::attempts::WrongCredential;
use chassis::secrets::key_hash;
use domain::Site;
use domain::opsgenie::{AlertName, InvalidAlertName, alert_name};
use schemas::Alert;
use schemas::config::Integration;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::watch;

use self::answer::Answer;
use self::list::Asked;
use crate::{Api, ApiError};

mod answer;
mod attachments;
mod heartbeats;
mod list;
mod multipart;
mod query;
mod records;
mod requests;
mod saved_searches;
mod shown;
mod words;

/// The type of such integrations, with which the identity of their alerts begins.
const TYPE: &str = "opsgenie";
/// The scheme of `Authorization`.
const SCHEME: &str = "GenieKey";
/// The largest body but for attachments, in bytes.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// Where Opsgenie itself has its API, and where Jira Service Management has it.
const BASES: [&str; 2] = ["/v2", "/jsm/ops/integration/v2"];
/// The API that Jira Service Management has besides; only the status of requests is the same there.
const JIRA_REQUESTS: &str = "/jsm/ops/api/{cloud}/v1/alerts/requests/{request}";

/// What the routes work with.
#[derive(Clone)]
struct Reading {
    api: Api,
    site: watch::Receiver<Arc<Site>>,
    /// That of the address at which people reach this site.
    scheme: Arc<str>,
}

/// An alert by the identifier that the client has of it, and what is asked about it.
#[derive(Deserialize)]
struct OneOf {
    id: String,
    #[serde(default)]
    deed: String,
}

pub(crate) fn routes(api: Api, site: watch::Receiver<Arc<Site>>, console_url: &str) -> Router {
    let scheme = console_url.split_once("://").map_or("http", |(scheme, _)| scheme);
    let reading = Reading {
        api,
        site,
        scheme: scheme.into(),
    };
    BASES
        .iter()
        .fold(Router::new(), |router, base| {
            router.merge(of_alerts(base)).merge(of_heartbeats(base))
        })
        .route(JIRA_REQUESTS, get(requests::status))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(reading)
}

fn of_alerts(base: &str) -> Router<Reading> {
    let of = |rest: &str| format!("{base}/alerts{rest}");
    let files = get(attachments::list)
        .post(attachments::add)
        .layer(DefaultBodyLimit::max(attachments::BODY_BYTES_MAX));
    Router::new()
        .route(&of(""), get(list::list))
        .route(&of("/count"), get(list::count))
        .route(&of("/requests/{request}"), get(requests::status))
        .route(
            &of("/saved-searches"),
            get(saved_searches::list).post(saved_searches::create),
        )
        .route(
            &of("/saved-searches/{identifier}"),
            get(saved_searches::one)
                .patch(saved_searches::update)
                .put(saved_searches::update)
                .delete(saved_searches::remove),
        )
        .route(&of("/{id}"), get(one))
        // As the collectors have it for what is done to an alert.
        .route(&of("/{id}/{deed}"), get(records::list))
        .route(&of("/{id}/attachments"), files)
        .route(
            &of("/{id}/attachments/{attachment}"),
            get(attachments::one).delete(attachments::remove),
        )
        .route(
            &of("/{id}/attachments/{attachment}/content"),
            get(attachments::content),
        )
}

fn of_heartbeats(base: &str) -> Router<Reading> {
    let of = |rest: &str| format!("{base}/heartbeats{rest}");
    Router::new()
        .route(&of(""), get(heartbeats::list).post(heartbeats::add))
        .route(
            &of("/{name}"),
            get(heartbeats::one)
                .patch(heartbeats::update)
                .put(heartbeats::update)
                .delete(heartbeats::remove),
        )
        .route(&of("/{name}/enable"), post(heartbeats::enable))
        .route(&of("/{name}/disable"), post(heartbeats::disable))
}

/// Why a request was not answered, in Opsgenie's form.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the configuration has not been read yet; ask again in 5 seconds")]
    NotReady,
    #[error(
        "the key is missing, unknown or expired; give one of an integration of type opsgenie, as Authorization: GenieKey"
    )]
    Key { shown: bool },
    #[error("{name}: {message}")]
    Parameter { name: &'static str, message: String },
    #[error("the body is not understood: {0}; send JSON as Opsgenie's API describes it")]
    Body(String),
    #[error(transparent)]
    Name(#[from] InvalidAlertName),
    #[error("there is no {0}")]
    Unknown(String),
    #[error("there is no request with this id; give the requestId of an answer")]
    UnknownRequest,
    #[error("{0}")]
    Conflict(String),
    #[error("heartbeat {0:?} is declared in the site document; change it there")]
    Declared(String),
    #[error("{0}")]
    TooLarge(String),
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl Refusal {
    fn parameter(name: &'static str, message: String) -> Self {
        Self::Parameter { name, message }
    }

    const fn status(&self) -> StatusCode {
        match self {
            Refusal::NotReady | Refusal::Api(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Key { .. } => StatusCode::UNAUTHORIZED,
            Refusal::Parameter { .. } | Refusal::Name(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::Body(_) => StatusCode::BAD_REQUEST,
            Refusal::Unknown(_) | Refusal::UnknownRequest => StatusCode::NOT_FOUND,
            Refusal::Declared(_) => StatusCode::FORBIDDEN,
            Refusal::Conflict(_) => StatusCode::CONFLICT,
            Refusal::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let message = self.to_string();
        let field = match &self {
            Refusal::Parameter { name, .. } => Some(*name),
            Refusal::Name(error) => Some(error.field()),
            _ => None,
        };
        let answer = match field {
            Some(field) => Answer::wrong(&message).with("errors", json!({ field: message })),
            None => Answer::wrong(&message),
        };
        let mut response = answer.status(self.status());
        if matches!(self, Refusal::Key { shown: true }) {
            response.extensions_mut().insert(WrongCredential::Sender);
        }
        response
    }
}

impl Reading {
    /// The integration whose key is shown.
    fn integration(&self, headers: &HeaderMap) -> Result<Arc<Integration>, Refusal> {
        let site = Arc::clone(&self.site.borrow());
        if site.revision.is_none() {
            return Err(Refusal::NotReady);
        }
        let shown = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|text| text.trim().split_once(' '));
        // As everywhere in HTTP, it does not matter how the scheme is written.
        let key = shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(SCHEME));
        let (_, key) = key.ok_or(Refusal::Key { shown: false })?;
        let hash = key_hash(key.trim());
        let integration = site
            .integration_of_key(&hash)
            .ok_or(Refusal::Key { shown: true })?;
        let now = self.api.context.clock.now();
        let may_ask = integration.takes(TYPE) && integration.expired_key(&hash, now).is_none();
        may_ask
            .then(|| Arc::clone(integration))
            .ok_or(Refusal::Key { shown: false })
    }

    /// The alert that an identifier names, if it is one of the integration whose key is shown.
    async fn alert(
        &self,
        headers: &HeaderMap,
        identifier: &str,
        identifier_type: Option<&String>,
    ) -> Result<Alert, Refusal> {
        let integration = self.integration(headers)?;
        let fingerprint = match alert_name(identifier, identifier_type.map(String::as_str))? {
            AlertName::Fingerprint(fingerprint) => fingerprint,
            AlertName::Alias(alias) => {
                domain::fingerprint([integration.name.as_str(), TYPE, "alias", &alias])
            }
        };
        let alert = self.api.store.alert(fingerprint).await.map_err(ApiError::from)?;
        let alert =
            alert.filter(|alert| alert.integration == integration.name && alert.monitoring_system == TYPE);
        alert.ok_or_else(|| {
            Refusal::Unknown(format!(
                "alert {identifier:?} of this integration; name it by its id, or by its alias with identifierType=alias"
            ))
        })
    }

    /// The alert of an attachment: there the type of the identifier has another name.
    async fn attached_to(
        &self,
        headers: &HeaderMap,
        identifier: &str,
        asked: &Asked,
    ) -> Result<Alert, Refusal> {
        let identifier_type = asked
            .get("alertIdentifierType")
            .or_else(|| asked.get("identifierType"));
        self.alert(headers, identifier, identifier_type).await
    }
}

/// A body of JSON.
fn body<T: DeserializeOwned>(bytes: Result<Bytes, BytesRejection>) -> Result<T, Refusal> {
    let bytes = bytes.map_err(|error| Refusal::TooLarge(error.body_text()))?;
    serde_json::from_slice(&bytes).map_err(|error| Refusal::Body(error.to_string()))
}

async fn one(
    State(reading): State<Reading>,
    Path(OneOf { id, .. }): Path<OneOf>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let alert = reading.alert(&headers, &id, asked.get("identifierType")).await?;
    Ok(Answer::of(shown::whole(&alert)).ok())
}

#[cfg(test)]
mod tests;
