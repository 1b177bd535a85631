//! The query of a GET as its body.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};

/// The fields of a query that are meant for the collector, not for the source.
const COLLECTOR_FIELDS: [&str; 3] = ["integration_key", "environment_id", "scenario_id"];

/// A query as the body of a form, and the headers of that. The fields for the collector are left out: they are parsed
/// already, and a key must not be stored with a refused body.
pub(crate) fn as_form(query: &str, mut headers: HeaderMap) -> (HeaderMap, Body) {
    let fields = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| !COLLECTOR_FIELDS.contains(&name.as_ref()));
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
