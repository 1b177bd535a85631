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

/// Nothing from elsewhere, and neither scripts nor styles but our own.
const POLICY: &str =
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'";

/// First segments of the addresses that the console's router shows as pages.
const PAGES: [&str; 5] = ["alerts", "silences", "integrations", "rejected", "wall"];

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/", get(|| async { file("index.html") }))
        .route("/{*path}", any(page))
}

/// What is no page of the console may be an address of something else that was mistaken: the server says what is there.
async fn page(method: Method, Path(path): Path<String>) -> Response {
    match method {
        Method::GET | Method::HEAD if is_page(&path) => file("index.html"),
        Method::GET | Method::HEAD => file(&path),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn is_page(path: &str) -> bool {
    path.split('/').next().is_some_and(|first| PAGES.contains(&first))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_addresses_of_pages_show_the_console_and_others_are_not_found() {
        for (path, status) in [
            ("alerts", StatusCode::OK),
            ("alerts/0123456789abcdef0123456789abcdef", StatusCode::OK),
            ("silences", StatusCode::OK),
            ("alertsx", StatusCode::NOT_FOUND),
            ("v1/alerts", StatusCode::NOT_FOUND),
        ] {
            let answer = page(Method::GET, Path(path.to_owned())).await;
            assert_eq!(answer.status(), status, "{path}");
        }
        let posted = page(Method::POST, Path("alerts".to_owned())).await;
        assert_eq!(posted.status(), StatusCode::NOT_FOUND);
    }
}
