//! Files that are attached to alerts. They are kept in the database, so they are small and few.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query as Parameters, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use store::Attachment;

use super::answer::{Answer, Links};
use super::list::Asked;
use super::multipart::{Part, parts};
use super::{Reading, Refusal, Sender};
use crate::ApiError;

/// The largest file, in bytes.
const BYTES_MAX: usize = 1024 * 1024;
/// The largest body with a file in it, in bytes.
pub(super) const BODY_BYTES_MAX: usize = BYTES_MAX + 64 * 1024;
/// The most files of an alert.
const FILES_MAX: usize = 20;
/// The most bytes of all files of an integration.
const INTEGRATION_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The longest name of a file, in characters.
const NAME_MAX: usize = 200;

#[derive(Deserialize)]
pub(super) struct Address {
    id: String,
    #[serde(default)]
    attachment: String,
}

impl Address {
    fn number(&self) -> Result<i64, Refusal> {
        let number = self.attachment.parse();
        number.map_err(|_| self.unknown())
    }

    fn unknown(&self) -> Refusal {
        let path = format!("/v2/alerts/{}/attachments", self.id);
        Refusal::Unknown(format!(
            "attachment {:?} of this alert; list them at {path}",
            self.attachment
        ))
    }
}

pub(super) async fn list(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    Path(address): Path<Address>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Refusal> {
    let alert = reading.attached_to(&integration, &address.id, &asked).await?;
    let attachments = reading.api.store.attachments(alert.fingerprint).await;
    let attachments = attachments.map_err(ApiError::from)?;
    let shown = attachments
        .iter()
        .map(|attachment| json!({ "id": attachment.id, "name": attachment.name }));
    Ok(Answer::of(shown.collect()).ok())
}

pub(super) async fn add(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    Path(address): Path<Address>,
    Parameters(asked): Parameters<Asked>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let alert = reading.attached_to(&integration, &address.id, &asked).await?;
    let body = body.map_err(|_| too_large())?;
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let parts = parts(content_type.unwrap_or_default(), &body).map_err(|reason| {
        Refusal::parameter("file", format!("cannot be read, as {reason}; post it as a form"))
    })?;
    let file = parts.into_iter().find(|part| part.name == "file");
    let file =
        file.ok_or_else(|| Refusal::parameter("file", "is missing; post a form with it".to_owned()))?;
    let name = name(&file)?;
    if file.content.len() > BYTES_MAX {
        return Err(too_large());
    }
    let store = &reading.api.store;
    let there = store
        .attachments(alert.fingerprint)
        .await
        .map_err(ApiError::from)?;
    if there.len() >= FILES_MAX {
        let message = format!("is one too many: an alert has {FILES_MAX} at most; delete one");
        return Err(Refusal::parameter("file", message));
    }
    let bytes = file.content.len() as u64;
    let kept = store
        .attached_bytes(&alert.integration)
        .await
        .map_err(ApiError::from)?;
    if kept.saturating_add(bytes) > INTEGRATION_BYTES_MAX {
        let message =
            format!("is too much: the integration has {INTEGRATION_BYTES_MAX} bytes at most; delete some");
        return Err(Refusal::parameter("file", message));
    }
    let attachment = Attachment {
        id: reading.api.context.clock.now().as_millisecond(),
        bytes,
        name,
    };
    let content = STANDARD.encode(file.content);
    let added = store.add_attachment(alert.fingerprint, &alert.integration, &attachment, &content);
    let id = added.await.map_err(ApiError::from)?;
    let answer = Answer::of(json!({ "id": id.to_string(), "name": attachment.name }));
    Ok(answer
        .with("result", json!("Attachment created"))
        .status(StatusCode::CREATED))
}

/// Where the content is. Opsgenie's address needs no key; ours does.
pub(super) async fn one(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    Path(address): Path<Address>,
    Parameters(asked): Parameters<Asked>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let alert = reading.attached_to(&integration, &address.id, &asked).await?;
    let number = address.number()?;
    let attachments = reading.api.store.attachments(alert.fingerprint).await;
    let attachments = attachments.map_err(ApiError::from)?;
    let found = attachments.iter().find(|attachment| attachment.id == number);
    let found = found.ok_or_else(|| address.unknown())?;
    let id = super::shown::id(&alert);
    let links = Links::of(
        &reading,
        &headers,
        &format!("/v2/alerts/{id}/attachments/{number}/content"),
    );
    Ok(Answer::of(json!({ "name": found.name, "url": links.to(&Asked::new()) })).ok())
}

/// The content itself: always a file to download, so that no browser shows it.
pub(super) async fn content(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    Path(address): Path<Address>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Refusal> {
    let alert = reading.attached_to(&integration, &address.id, &asked).await?;
    let found = reading
        .api
        .store
        .attachment(alert.fingerprint, address.number()?)
        .await;
    let found = found.map_err(ApiError::from)?;
    let (_, content) = found.ok_or_else(|| address.unknown())?;
    let content = STANDARD.decode(content);
    let content =
        content.map_err(|error| ApiError::Internal(format!("an attachment is damaged: {error}")))?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        ),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment"),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ];
    Ok((headers, content).into_response())
}

pub(super) async fn remove(
    State(reading): State<Reading>,
    Sender(integration): Sender,
    Path(address): Path<Address>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Refusal> {
    let alert = reading.attached_to(&integration, &address.id, &asked).await?;
    let removed = reading
        .api
        .store
        .remove_attachment(alert.fingerprint, address.number()?);
    match removed.await.map_err(ApiError::from)? {
        true => Ok(Answer::done("Deleted").ok()),
        false => Err(address.unknown()),
    }
}

fn name(file: &Part<'_>) -> Result<String, Refusal> {
    let name = file.file_name.as_deref().unwrap_or_default();
    // Some clients send the path.
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    match name.chars().count() {
        0 => Err(Refusal::parameter(
            "file",
            "has no name; post it with its filename".to_owned(),
        )),
        1..=NAME_MAX => Ok(name.to_owned()),
        _ => Err(Refusal::parameter(
            "file",
            format!("has a name of more than {NAME_MAX} characters; shorten it"),
        )),
    }
}

fn too_large() -> Refusal {
    Refusal::TooLarge(format!(
        "file: has more than {BYTES_MAX} bytes; link to it instead"
    ))
}
