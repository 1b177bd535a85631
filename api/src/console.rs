//! The console's files, built into the binary.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get};
use rust_embed::RustEmbed;

/// What `npm run build` has made in `console/`.
#[derive(RustEmbed)]
#[folder = "../console/dist"]
#[allow_missing = true]
struct Files;

const NOT_BUILT: &str = "<!doctype html><title>Reveille</title><p>This binary was built without the console: \
    run <code>make console</code>, then build again. The API is at <a href=\"/api/v1/alerts\">/api/v1/alerts</a>.";

/// Nothing from elsewhere, and no scripts but our own.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/", get(|| async { file("index.html") }))
        .route("/{*path}", any(page))
}

/// What is no page of the console may be an address of something else that was mistaken: the server says what is there.
async fn page(method: Method, Path(path): Path<String>) -> Response {
    match method {
        Method::GET | Method::HEAD => file(&path),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn file(path: &str) -> Response {
    let Some(file) = Files::get(path) else {
        return match path {
            "index.html" => Html(NOT_BUILT).into_response(),
            _ => StatusCode::NOT_FOUND.into_response(),
        };
    };
    // Names of built assets hold their content's hash, so they may be kept for ever.
    let cache = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let headers = [
        (header::CONTENT_TYPE, content_type(&file)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, file.data.into_owned()).into_response()
}

fn content_type(file: &rust_embed::EmbeddedFile) -> HeaderValue {
    HeaderValue::from_str(file.metadata.mimetype())
        .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"))
}
