//! A GET has no body: its query is one.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};

/// What a query says to us rather than to the source.
const OURS: [&str; 3] = ["integration_key", "environment_id", "scenario_id"];

/// A query as the body that a form with the same fields would have, and the headers of that. What is ours is left out: it
/// was read already, and a key must not be kept with a body that is refused.
pub(crate) fn as_form(query: &str, mut headers: HeaderMap) -> (HeaderMap, Body) {
    let fields = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| !OURS.contains(&name.as_ref()));
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    for about_a_body in [header::CONTENT_ENCODING, header::CONTENT_LENGTH, header::EXPECT] {
        headers.remove(about_a_body);
    }
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(header::CONTENT_TYPE, form_type);
    (headers, Body::from(form))
}
