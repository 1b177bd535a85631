//! The console's files, built into the binary.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
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
const PAGES: [&str; 7] = [
    "alerts",
    "silences",
    "integrations",
    "heartbeats",
    "site",
    "rejected",
    "wall",
];

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/", get(async |headers: HeaderMap| file("index.html", &headers)))
        .route("/{*path}", any(page))
}

/// What is no page of the console may be an address of something else that was mistaken: the server says what is there.
async fn page(method: Method, Path(path): Path<String>, headers: HeaderMap) -> Response {
    match method {
        Method::GET | Method::HEAD if is_page(&path) => file("index.html", &headers),
        Method::GET | Method::HEAD => file(&path, &headers),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn is_page(path: &str) -> bool {
    path.split('/').next().is_some_and(|first| PAGES.contains(&first))
}

fn file(path: &str, headers: &HeaderMap) -> Response {
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
    let fixed = [
        (header::CONTENT_TYPE, content_type(&file)),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    match compressed(path, headers) {
        Some((encoding, data)) => {
            let encoding = HeaderValue::from_static(encoding);
            (fixed, [(header::CONTENT_ENCODING, encoding)], data).into_response()
        }
        None => (fixed, file.data.into_owned()).into_response(),
    }
}

/// The file as the build has compressed it, in the best way that the client takes.
fn compressed(path: &str, headers: &HeaderMap) -> Option<(&'static str, Vec<u8>)> {
    let accepted = headers.get(header::ACCEPT_ENCODING)?.to_str().ok()?;
    [("br", "br"), ("gzip", "gz")]
        .into_iter()
        .find_map(|(encoding, ending)| {
            let file = accepts(accepted, encoding).then(|| Files::get(&format!("{path}.{ending}")))??;
            Some((encoding, file.data.into_owned()))
        })
}

/// Whether a list of encodings names this one and does not refuse it with `q=0`:
/// <https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3>.
fn accepts(accepted: &str, encoding: &str) -> bool {
    accepted.split(',').any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        let weight = weight
            .trim()
            .strip_prefix("q=")
            .and_then(|weight| weight.parse().ok());
        name.trim().eq_ignore_ascii_case(encoding) && weight != Some(0.0)
    })
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
            ("heartbeats", StatusCode::OK),
            ("site", StatusCode::OK),
            ("alertsx", StatusCode::NOT_FOUND),
            ("v1/alerts", StatusCode::NOT_FOUND),
        ] {
            let answer = page(Method::GET, Path(path.to_owned()), HeaderMap::new()).await;
            assert_eq!(answer.status(), status, "{path}");
        }
        let posted = page(Method::POST, Path("alerts".to_owned()), HeaderMap::new()).await;
        assert_eq!(posted.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn an_encoding_is_used_where_the_client_takes_it() {
        for (accepted, takes) in [
            ("gzip, deflate, br", true),
            ("BR;q=0.5", true),
            ("gzip", false),
            ("br;q=0", false),
            ("br; q=0.0, gzip", false),
            ("brotli", false),
            ("", false),
        ] {
            assert_eq!(accepts(accepted, "br"), takes, "{accepted}");
        }
    }
}
