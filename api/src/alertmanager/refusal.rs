//! Refusals in the shapes that clients of Alertmanager read.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chassis::addresses::Complete;
use domain::matcher::InvalidMatcher;
use serde_json::json;

use crate::ApiError;

/// Why a request was not done.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Answered as a text.
    Bad(String),
    /// Answered with a number; those of fields begin at 601.
    Numbered(StatusCode, u16, String),
    /// There is no such silence. Answered by the status alone.
    NoSilence,
    /// What is no matter of this API.
    Other(ApiError),
}

impl Refusal {
    /// The body is not what is expected.
    pub(super) fn body(error: impl std::fmt::Display) -> Self {
        let message = format!("parsing silence body from \"\" failed, because {error}");
        Self::Numbered(StatusCode::BAD_REQUEST, 400, message)
    }

    /// The body lacks a field.
    pub(super) fn missing(field: impl std::fmt::Display) -> Self {
        let message = format!("{field} in body is required");
        Self::Numbered(StatusCode::UNPROCESSABLE_ENTITY, 602, message)
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Invalid { message, .. } => Self::Bad(message),
            other => Self::Other(other),
        }
    }
}

impl From<store::StoreError> for Refusal {
    fn from(error: store::StoreError) -> Self {
        ApiError::from(error).into()
    }
}

impl From<InvalidMatcher> for Refusal {
    fn from(error: InvalidMatcher) -> Self {
        Self::Bad(format!("bad matcher format: {error}"))
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Self::Bad(rejection.body_text())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Refusal::Bad(message) => (StatusCode::BAD_REQUEST, Json(json!(message))).into_response(),
            Refusal::Numbered(status, code, message) => {
                (status, Json(json!({ "code": code, "message": message }))).into_response()
            }
            Refusal::NoSilence => {
                let mut response = StatusCode::NOT_FOUND.into_response();
                response.extensions_mut().insert(Complete);
                response
            }
            Refusal::Other(error) => {
                let body = Json(json!(error.to_string())).into_response().into_body();
                error.into_response().map(|_| body)
            }
        }
    }
}
