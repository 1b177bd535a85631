//! Errors as their callers see them.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use store::StoreError;

/// Bytes of an error that are read.
const LONGEST_ERROR: usize = 10_000;

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// A field of the request is wrong.
    #[error("{field}: {message}")]
    #[allow(missing_docs)]
    Invalid { field: String, message: String },
    /// The body is not what is expected.
    #[error("{0}")]
    Body(String),
    /// The body is too large.
    #[error("{0}")]
    TooLarge(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// Another change came first, or the state does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// The site document has mistakes.
    #[error("the site document has {} mistake(s), and nothing was applied", .0.len())]
    Site(Vec<crate::site::Problem>),
    /// A dependency is unavailable, or did not answer in time.
    #[error("{0}")]
    Unavailable(String),
    /// A defect of ours.
    #[error("{0}")]
    Internal(String),
}

impl ApiError {
    /// A field of the request is wrong.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid {
            field: field.to_owned(),
            message: message.into(),
        }
    }

    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            ApiError::Invalid { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            ApiError::Body(_) => (StatusCode::BAD_REQUEST, "malformed"),
            ApiError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            ApiError::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            ApiError::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            ApiError::Site(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_site"),
            ApiError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            ApiError::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        if status.is_server_error() {
            tracing::warn!(code, error = %self, "a request was not done");
        }
        let mut error = json!({ "code": code, "message": self.to_string() });
        match &self {
            ApiError::Invalid { field, message } => {
                error["field"] = json!(field);
                error["message"] = json!(message);
            }
            ApiError::Site(problems) => error["problems"] = json!(problems),
            _ => {}
        }
        let mut response = (status, Json(json!({ "error": error }))).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => ApiError::Unavailable(error.to_string()),
            StoreError::Conflict { .. } => ApiError::Conflict(error.to_string()),
            StoreError::Invalid(message) => ApiError::Body(message),
            StoreError::Fenced(_) | StoreError::Corrupt { .. } => ApiError::Internal(error.to_string()),
        }
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        let error = format!("the body cannot be parsed: {}", rejection.body_text());
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge(error),
            _ => ApiError::Body(error),
        }
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        ApiError::Body(format!("the query cannot be parsed: {}", rejection.body_text()))
    }
}

/// Errors that the library answers as text, or as nothing at all, in the shape of all others.
pub(crate) async fn in_json(response: Response) -> Response {
    let status = response.status();
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let json =
        content_type.is_some_and(|content_type| content_type.as_bytes().starts_with(b"application/json"));
    if json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let text = axum::body::to_bytes(body, LONGEST_ERROR)
        .await
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let reason = status.canonical_reason().unwrap_or("refused");
    let message = match (status, text.trim()) {
        (StatusCode::METHOD_NOT_ALLOWED, _) => {
            "this path is not asked so: the header `allow` lists the methods"
        }
        (_, "") => reason,
        (_, text) => text,
    };
    let code = reason.to_ascii_lowercase().replace([' ', '-'], "_");
    let body = Json(json!({ "error": { "code": code, "message": message } }));
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_TYPE);
    let mut answer = (status, body).into_response();
    answer.headers_mut().extend(parts.headers);
    answer
}
