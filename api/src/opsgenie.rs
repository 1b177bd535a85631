//! Opsgenie's alert and heartbeat API, as far as it needs the database: what is read, saved searches, attachments, and the
//! heartbeats of an integration. Each key sees what belongs to its integration.
//!
//! Creating alerts, acting on them and pings of heartbeats are doors of the collectors, at the same addresses.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use chassis::attempts::WrongCredential;
use chassis::secrets::key_hash;
use chassis::session::password;
use domain::Site;
use domain::opsgenie::{AlertName, InvalidAlertName, alert_name};
use schemas::config::Integration;
use schemas::{Alert, Permission, Principal};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::watch;

use self::answer::Answer;
use self::jira::Form;
use self::list::Asked;
use crate::routes::{Method, Operation, Routes};
use crate::{Api, ApiError};

mod answer;
mod attachments;
mod heartbeats;
mod jira;
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
/// Where Opsgenie describes its API.
const SPECIFICATION: &str = "https://docs.opsgenie.com/docs/alert-api";
/// Where it describes the part about heartbeats.
const HEARTBEATS: &str = "https://docs.opsgenie.com/docs/heartbeat-api";
/// Where Opsgenie itself has its API, and where Jira Service Management has it.
const BASES: [&str; 2] = ["/v2", "/jsm/ops/integration/v2"];
/// Where Atlassian describes the API that Jira Service Management has besides.
const JIRA_SPECIFICATION: &str =
    "https://developer.atlassian.com/cloud/jira/service-desk-ops/rest/v2/api-group-alerts/";

/// What the routes work with.
#[derive(Clone)]
pub(crate) struct Reading {
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
    action: String,
}

pub(crate) fn routes(api: Api, site: watch::Receiver<Arc<Site>>, console_url: &str) -> Router {
    let scheme = console_url.split_once("://").map_or("http", |(scheme, _)| scheme);
    let reading = Reading {
        api,
        site,
        scheme: scheme.into(),
    };
    table()
        .into_router()
        .route_layer(from_fn_with_state(reading.clone(), authenticate))
        .route_layer(from_fn(jira::in_its_form))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(reading)
}

/// What is routed, at each address that clients know.
pub(crate) fn table() -> Routes<Reading> {
    let of_opsgenie = BASES.iter().fold(Routes::new(), |routes, base| {
        routes
            .merge(of_alerts(SPECIFICATION, &format!("{base}/alerts")))
            .merge(of_saved_searches(base))
            .merge(of_heartbeats(base))
    });
    let by_alias = format!("{}/alias", jira::ALERTS);
    let by_alias = Operation::following(JIRA_SPECIFICATION, Method::Get, by_alias, Permission::OwnRead);
    of_opsgenie
        .merge(of_alerts(JIRA_SPECIFICATION, jira::ALERTS))
        .add(by_alias, one_by_alias)
}

fn of_alerts(specification: &'static str, base: &str) -> Routes<Reading> {
    use Method::{Delete, Get, Post};
    let of = |method, rest: &str, permission| {
        Operation::following(specification, method, format!("{base}{rest}"), permission)
    };
    let read = |rest| of(Get, rest, Permission::OwnRead);
    let write = |method, rest| of(method, rest, Permission::OwnWrite);
    let (files, file) = ("/{id}/attachments", "/{id}/attachments/{attachment}");
    let file_added = write(Post, files).body_bytes_max(attachments::BODY_BYTES_MAX);
    Routes::new()
        .add(read(""), list::list)
        .add(read("/count"), list::count)
        .add(read("/requests/{request}"), requests::status)
        .add(read("/{id}"), one)
        // As the collectors have it for what is done to an alert.
        .add(read("/{id}/{action}"), records::list)
        .add(read(files), attachments::list)
        .add(file_added, attachments::add)
        .add(read(file), attachments::one)
        .add(write(Delete, file), attachments::remove)
        .add(
            read("/{id}/attachments/{attachment}/content"),
            attachments::content,
        )
}

fn of_saved_searches(base: &str) -> Routes<Reading> {
    use Method::{Delete, Get, Patch, Post, Put};
    let of = |method, rest: &str, permission| {
        let path = format!("{base}/alerts/saved-searches{rest}");
        Operation::following(SPECIFICATION, method, path, permission)
    };
    let read = |rest| of(Get, rest, Permission::OwnRead);
    let write = |method, rest| of(method, rest, Permission::OwnWrite);
    let search = "/{identifier}";
    Routes::new()
        .add(read(""), saved_searches::list)
        .add(write(Post, ""), saved_searches::create)
        .add(read(search), saved_searches::one)
        .add(write(Patch, search), saved_searches::update)
        .add(write(Put, search), saved_searches::update)
        .add(write(Delete, search), saved_searches::remove)
}

fn of_heartbeats(base: &str) -> Routes<Reading> {
    use Method::{Delete, Get, Patch, Post, Put};
    let of = |method, rest: &str, permission| {
        Operation::following(HEARTBEATS, method, format!("{base}/heartbeats{rest}"), permission)
    };
    let read = |rest| of(Get, rest, Permission::OwnRead);
    let write = |method, rest| of(method, rest, Permission::OwnWrite);
    Routes::new()
        .add(read(""), heartbeats::list)
        .add(write(Post, ""), heartbeats::add)
        .add(read("/{name}"), heartbeats::one)
        .add(write(Patch, "/{name}"), heartbeats::update)
        .add(write(Put, "/{name}"), heartbeats::update)
        .add(write(Delete, "/{name}"), heartbeats::remove)
        .add(write(Post, "/{name}/enable"), heartbeats::enable)
        .add(write(Post, "/{name}/disable"), heartbeats::disable)
}

/// The integration whose key a request shows, as an extractor.
#[derive(Clone)]
struct Sender(Arc<Integration>);

impl FromRequestParts<Reading> for Sender {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _reading: &Reading) -> Result<Self, Refusal> {
        let sender = parts.extensions.get().cloned();
        sender.ok_or(Refusal::Key { shown: false })
    }
}

/// Lets only requests with a key through, and puts the principal and the integration beside them.
async fn authenticate(
    State(reading): State<Reading>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let integration = reading.integration(Form::of(request.uri().path()), request.headers())?;
    let extensions = request.extensions_mut();
    extensions.insert(Principal::integration(&integration.name));
    extensions.insert(Sender(integration));
    Ok(next.run(request).await)
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

/// The key in `Authorization`. Clients of Jira Service Management show a token of Atlassian's, as a bearer or the password of
/// a person: there the key is in its place.
fn key(form: Form, authorization: &str) -> Option<String> {
    let (scheme, shown) = authorization.trim().split_once(' ')?;
    let shown = shown.trim();
    // As everywhere in HTTP, it does not matter how the scheme is written.
    let is = |wanted: &str| scheme.eq_ignore_ascii_case(wanted);
    match form {
        Form::Jira if is("Basic") => password(shown),
        Form::Jira if is("Bearer") => Some(shown.to_owned()),
        _ => is(SCHEME).then(|| shown.to_owned()),
    }
}

impl Reading {
    /// The integration whose key is shown.
    fn integration(&self, form: Form, headers: &HeaderMap) -> Result<Arc<Integration>, Refusal> {
        let site = Arc::clone(&self.site.borrow());
        if site.revision.is_none() {
            return Err(Refusal::NotReady);
        }
        let shown = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let key = shown
            .and_then(|text| key(form, text))
            .ok_or(Refusal::Key { shown: false })?;
        let hash = key_hash(&key);
        let integration = site
            .integration_of_key(&hash)
            .ok_or(Refusal::Key { shown: true })?;
        let now = self.api.context.clock.now();
        let may_ask = integration.takes(TYPE) && integration.expired_key(&hash, now).is_none();
        may_ask
            .then(|| Arc::clone(integration))
            .ok_or(Refusal::Key { shown: false })
    }

    /// The alert that an identifier names, if it is one of the integration.
    async fn alert(
        &self,
        integration: &Integration,
        identifier: &str,
        identifier_type: Option<&String>,
    ) -> Result<Alert, Refusal> {
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
        integration: &Integration,
        identifier: &str,
        asked: &Asked,
    ) -> Result<Alert, Refusal> {
        let identifier_type = asked
            .get("alertIdentifierType")
            .or_else(|| asked.get("identifierType"));
        self.alert(integration, identifier, identifier_type).await
    }
}

/// A body of JSON.
fn body<T: DeserializeOwned>(bytes: Result<Bytes, BytesRejection>) -> Result<T, Refusal> {
    let bytes = bytes.map_err(|error| Refusal::TooLarge(error.body_text()))?;
    serde_json::from_slice(&bytes).map_err(|error| Refusal::Body(error.to_string()))
}

async fn one(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    form: Form,
    Path(OneOf { id, .. }): Path<OneOf>,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    let alert = reading
        .alert(&integration, &id, asked.get("identifierType"))
        .await?;
    Ok(Answer::of(form.whole(&alert)).ok())
}

/// As Jira Service Management has it, where the alias is a parameter.
async fn one_by_alias(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    form: Form,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    let alias = asked.get("alias").filter(|alias| !alias.is_empty());
    let alias = alias.ok_or_else(|| Refusal::parameter("alias", "is missing; add ?alias=".to_owned()))?;
    let by_alias = "alias".to_owned();
    let alert = reading.alert(&integration, alias, Some(&by_alias)).await?;
    Ok(Answer::of(form.whole(&alert)).ok())
}

#[cfg(test)]
pub(crate) mod tests;
