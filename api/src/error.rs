//! Errors as their callers see them.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use store::StoreError;

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
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// Somebody else was faster.
    #[error("{0}")]
    Conflict(String),
    /// The site document has mistakes.
    #[error("the site document has {} mistake(s), and nothing was applied", .0.len())]
    Site(Vec<crate::site::Problem>),
    /// A dependency is away, or an answer did not come in time.
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
        ApiError::Body(format!("the body is not understood: {}", rejection.body_text()))
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        ApiError::Body(format!("the query is not understood: {}", rejection.body_text()))
    }
}
