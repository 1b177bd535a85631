//! Addresses as clients write them, and the answer where nothing is served.
//!
//! A trailing slash makes no difference: some clients add one and cannot be set up otherwise. An address or a method that
//! is not served is answered in the shape of the protocol to which the address belongs, since clients show or log only the
//! field that they know.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header, uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;
use uuid::Uuid;

/// The longest part of an address that an answer repeats, in characters.
const SHOWN_CHARACTERS: usize = 200;

/// In the extensions of a response: its status without a body is the whole answer of its protocol.
#[derive(Debug, Clone, Copy)]
pub struct Complete;

/// A protocol, by how it says what is wrong.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Ours,
    /// <https://alerta.io/api/reference/#error-responses>
    Alerta,
    /// As its server, made with go-openapi, answers what its description does not have.
    Alertmanager,
    /// <https://docs.goalert.me/integrations/generic-api>: a text.
    GoAlert,
    /// <https://docs.ilert.com/developer-docs/rest-api/overview#errors>
    Ilert,
    /// <https://docs.opsgenie.com/docs/response>
    Opsgenie,
    /// `google.rpc.Status`, <https://opentelemetry.io/docs/specs/otlp/#failures-1>
    Otlp,
    /// <https://developer.pagerduty.com/docs/send-alert-event>
    PagerDuty,
    /// A word, and a text behind it.
    Slack,
    /// <https://help.victorops.com/knowledge-base/rest-endpoint-integration-guide/>
    SplunkOnCall,
}

const ALERTA: &str = "post alerts to /api/alert";
const ILERT: &str = "post events to /api/events, /api/v1/events or /api/v1/events/TYPE/KEY";
const GOALERT: &str =
    "post alerts to /api/v2/generic/incoming, or to grafana, prometheusalertmanager or site24x7 in its place";
const OTLP: &str = "post logs to /v1/logs; traces and metrics are not taken";
const SLACK: &str = "post messages to /services/…/…/KEY or /slack/KEY";
const OPSGENIE: &str = "alerts are at /v2/alerts, heartbeats at /v2/heartbeats, and both below /jsm/ops/integration; \
                        alerts of Jira Service Management are at /jsm/ops/api/CLOUD/v1/alerts";
const OURS: &str = "senders post to /monitoring-system/NAME, with one of the names in docs/sources; /api/v1/openapi.json lists \
                    the API";

/// The beginnings of addresses, whose they are, and where to go instead. The first that fits counts.
const FAMILIES: [(&str, Shape, &str); 32] = [
    ("/v2/enqueue", Shape::PagerDuty, "post events to /v2/enqueue"),
    (
        "/v2/change",
        Shape::PagerDuty,
        "post changes to /v2/change/enqueue",
    ),
    (
        "/generic",
        Shape::PagerDuty,
        "post events of version 1 to /generic/2010-04-15/create_event.json",
    ),
    ("/v2", Shape::Opsgenie, OPSGENIE),
    ("/jsm", Shape::Opsgenie, OPSGENIE),
    ("/api/v2/generic", Shape::GoAlert, GOALERT),
    ("/api/v2/grafana", Shape::GoAlert, GOALERT),
    ("/api/v2/heartbeat", Shape::GoAlert, GOALERT),
    ("/api/v2/prometheusalertmanager", Shape::GoAlert, GOALERT),
    ("/api/v2/site24x7", Shape::GoAlert, GOALERT),
    (
        "/api/v2",
        Shape::Alertmanager,
        "alerts are at /api/v2/alerts, silences at /api/v2/silences",
    ),
    ("/api/events", Shape::Ilert, ILERT),
    ("/api/v1/events", Shape::Ilert, ILERT),
    ("/api/alert", Shape::Alerta, ALERTA),
    ("/api/alerts", Shape::Alerta, ALERTA),
    ("/api/blackout", Shape::Alerta, ALERTA),
    ("/api/blackouts", Shape::Alerta, ALERTA),
    ("/api/config", Shape::Alerta, ALERTA),
    ("/api/customers", Shape::Alerta, ALERTA),
    ("/api/environments", Shape::Alerta, ALERTA),
    ("/api/groups", Shape::Alerta, ALERTA),
    ("/api/heartbeat", Shape::Alerta, ALERTA),
    ("/api/heartbeats", Shape::Alerta, ALERTA),
    ("/api/management", Shape::Alerta, ALERTA),
    ("/api/services", Shape::Alerta, ALERTA),
    ("/api/users", Shape::Alerta, ALERTA),
    ("/api/webhooks", Shape::Alerta, ALERTA),
    ("/services", Shape::Slack, SLACK),
    ("/slack", Shape::Slack, SLACK),
    ("/v1", Shape::Otlp, OTLP),
    (
        "/integrations/v1",
        Shape::Ours,
        "post to /integrations/v1/TYPE/KEY, with one of OnCall's types",
    ),
    (
        "/integrations",
        Shape::SplunkOnCall,
        "post alerts to /integrations/generic/20131114/alert/KEY/ROUTING_KEY",
    ),
];

/// The same routes, for addresses with a trailing slash too, and with an answer where nothing is served.
pub fn completed(routes: Router) -> Router {
    // Only what stands around a router sees an address before its route is chosen.
    Router::new()
        .fallback_service(routes)
        .layer(middleware::from_fn(complete))
}

async fn complete(mut request: Request, next: Next) -> Response {
    if let Some(uri) = without_trailing_slash(request.uri()) {
        *request.uri_mut() = uri;
    }
    let (method, path) = (request.method().clone(), shown(request.uri().path()));
    let mut response = next.run(request).await;
    keep_private(response.headers_mut());
    let status = response.status();
    let nothing_served = matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED)
        && !response.headers().contains_key(header::CONTENT_TYPE)
        && response.extensions().get::<Complete>().is_none();
    if !nothing_served {
        return response;
    }
    let (shape, hint) = family(&path);
    let allowed = response.headers().get(header::ALLOW).cloned();
    let methods = allowed.as_ref().and_then(|methods| methods.to_str().ok());
    let message = message(&method, &path, status, methods, hint);
    let mut answer = shape.answer(status, &message);
    keep_private(answer.headers_mut());
    if let Some(allowed) = allowed {
        answer.headers_mut().insert(header::ALLOW, allowed);
    }
    answer
}

/// What is answered is for the one who asks now: no cache keeps it, and no browser guesses its type.
fn keep_private(headers: &mut HeaderMap) {
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

fn without_trailing_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let bare = path.trim_end_matches('/');
    if bare.len() == path.len() || bare.is_empty() {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    let bare = match uri.query() {
        Some(query) => format!("{bare}?{query}"),
        None => bare.to_owned(),
    };
    parts.path_and_query = Some(uri::PathAndQuery::try_from(bare).ok()?);
    Uri::from_parts(parts).ok()
}

fn shown(path: &str) -> String {
    path.chars().take(SHOWN_CHARACTERS).collect()
}

fn family(path: &str) -> (Shape, &'static str) {
    let fits = |beginning: &str| {
        let rest = path.strip_prefix(beginning);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let found = FAMILIES.iter().find(|(beginning, ..)| fits(beginning));
    found.map_or((Shape::Ours, OURS), |(_, shape, hint)| (*shape, *hint))
}

fn message(method: &Method, path: &str, status: StatusCode, methods: Option<&str>, hint: &str) -> String {
    match (status, methods) {
        (StatusCode::METHOD_NOT_ALLOWED, Some(methods)) => {
            let methods = methods.split(',').map(str::trim).collect::<Vec<_>>().join(" or ");
            format!("{method} is not understood at {path}; use {methods}")
        }
        (StatusCode::METHOD_NOT_ALLOWED, None) => format!("{method} is not understood at {path}; {hint}"),
        _ => format!("there is no {path}; {hint}"),
    }
}

impl Shape {
    fn answer(self, status: StatusCode, message: &str) -> Response {
        let number = status.as_u16();
        let code = match status {
            StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
            _ => "not_found",
        };
        let body = match self {
            Shape::GoAlert => return (status, format!("{message}\n")).into_response(),
            Shape::Slack => return (status, format!("{code}: {message}\n")).into_response(),
            Shape::Ours => json!({ "error": { "code": code, "message": message }, "detail": message }),
            Shape::Alerta => {
                json!({ "status": "error", "message": message, "code": number, "errors": [message] })
            }
            Shape::Alertmanager => json!({ "code": number, "message": message }),
            Shape::Ilert => json!({ "status": number, "code": code.to_uppercase(), "message": message }),
            Shape::Opsgenie => json!({ "message": message, "took": 0.0, "requestId": Uuid::now_v7() }),
            // UNIMPLEMENTED
            Shape::Otlp => json!({ "code": 12, "message": message }),
            Shape::PagerDuty => json!({ "status": code, "message": message, "errors": [message] }),
            Shape::SplunkOnCall => json!({ "result": "failure", "message": message }),
        };
        (status, Json(body)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::routing::{get, post};
    use serde_json::Value;
    use tower::ServiceExt;

    use super::*;

    fn routes() -> Router {
        let routes = Router::new()
            .route("/", get(|| async { "root" }))
            .route("/v2/enqueue", post(|uri: Uri| async move { uri.to_string() }))
            .route(
                "/known",
                get(|| async { (StatusCode::NOT_FOUND, "no such thing") }),
            )
            .route("/api/v2/silence/a", get(silence));
        completed(routes)
    }

    async fn silence() -> Response {
        let mut response = StatusCode::NOT_FOUND.into_response();
        response.extensions_mut().insert(Complete);
        response
    }

    async fn ask(method: &str, address: &str) -> (u16, Option<String>, String) {
        let request = Request::builder().method(method).uri(address);
        let response = routes()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        let allowed = response.headers().get(header::ALLOW);
        let allowed = allowed.map(|allowed| allowed.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, allowed, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn i16_a_trailing_slash_makes_no_difference() {
        for (address, seen) in [
            ("/v2/enqueue", "/v2/enqueue"),
            ("/v2/enqueue/", "/v2/enqueue"),
            ("/v2/enqueue//", "/v2/enqueue"),
            ("/v2/enqueue/?a=b/", "/v2/enqueue?a=b/"),
        ] {
            assert_eq!(
                ask("POST", address).await,
                (200, None, seen.to_owned()),
                "{address}"
            );
        }
        assert_eq!(ask("GET", "/").await.2, "root");
    }

    #[tokio::test]
    async fn i16_what_is_not_served_is_answered_in_the_words_of_its_protocol() {
        for (method, address, status, field, text) in [
            (
                "GET",
                "/v2/enqueue/",
                405,
                "/message",
                "GET is not understood at /v2/enqueue; use POST",
            ),
            (
                "POST",
                "/v2/alerts/a/b/c/d",
                404,
                "/message",
                "there is no /v2/alerts/a/b/c/d; alerts are at /v2/alerts",
            ),
            (
                "POST",
                "/v2alerts",
                404,
                "/error/message",
                "there is no /v2alerts; senders post to",
            ),
            (
                "GET",
                "/api/config",
                404,
                "/errors/0",
                "there is no /api/config; post alerts to /api/alert",
            ),
            (
                "GET",
                "/api/v2/nothing",
                404,
                "/message",
                "there is no /api/v2/nothing; alerts are at",
            ),
            (
                "POST",
                "/nothing",
                404,
                "/detail",
                "there is no /nothing; senders post to",
            ),
            (
                "POST",
                "/integrations/generic",
                404,
                "/message",
                "there is no /integrations/generic; post alerts",
            ),
            (
                "POST",
                "/v1/traces",
                404,
                "/message",
                "there is no /v1/traces; post logs to /v1/logs",
            ),
        ] {
            let (found, _, body) = ask(method, address).await;
            let body: Value = serde_json::from_str(&body).unwrap();
            let message = body.pointer(field).and_then(Value::as_str).unwrap_or_default();
            assert_eq!(found, status, "{method} {address}");
            assert!(message.starts_with(text), "{method} {address}: {body}");
        }
        let (_, allowed, _) = ask("GET", "/v2/enqueue").await;
        assert_eq!(allowed.as_deref(), Some("POST"));
        let (_, _, text) = ask("POST", "/slack").await;
        assert!(
            text.starts_with("not_found: there is no /slack; post messages"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn an_answer_that_somebody_gave_stays_as_it_is() {
        assert_eq!(
            ask("GET", "/known").await,
            (404, None, "no such thing".to_owned())
        );
        assert_eq!(ask("GET", "/api/v2/silence/a").await, (404, None, String::new()));
    }

    #[tokio::test]
    async fn s9_no_answer_is_kept_by_a_cache_or_read_as_another_type() {
        for (method, address) in [
            ("GET", "/"),
            ("POST", "/v2/enqueue"),
            ("GET", "/known"),
            ("GET", "/api/v2/silence/a"),
            ("GET", "/nothing"),
            ("GET", "/v2/enqueue"),
        ] {
            let request = Request::builder().method(method).uri(address);
            let response = routes()
                .oneshot(request.body(Body::empty()).unwrap())
                .await
                .unwrap();
            assert_eq!(
                response.headers()[header::X_CONTENT_TYPE_OPTIONS],
                "nosniff",
                "{address}"
            );
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store", "{address}");
        }
    }
}
