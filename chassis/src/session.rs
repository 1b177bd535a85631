//! Who may use console, API and websocket.

mod origin;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemas::Principal;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::attempts::WrongCredential;

/// The name of the access token when the settings give it none: everyone who signs in shares it.
const TOKEN_NAME: &str = "shared";
const COOKIE: &str = "reveille_session";
/// How large a request to sign in may be, since it needs no credential to send one.
const SIGN_IN_BYTES_MAX: usize = 16 * 1024;

/// What must be shown to be let in. Without a token everybody is, which is why nothing then listens beyond loopback.
#[derive(Clone)]
pub struct Access {
    token: Option<Arc<Token>>,
    /// Where people reach the console: its pages may send what changes something.
    console_url: Arc<str>,
}

struct Token {
    /// By which its holders are known in histories and revisions.
    name: String,
    token: String,
    /// What the cookie holds: it proves that the token was known, and does not tell it.
    session: String,
    /// The cookie goes over TLS only.
    secure: bool,
}

/// Which credential a request shows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shown {
    Right(Principal),
    Wrong,
    Nothing,
}

#[derive(Deserialize)]
struct SignIn {
    token: String,
}

impl Access {
    /// Access with this token, or for everybody, to a console at this address. The token is called `shared`, unless it has
    /// a name.
    pub fn new(token: Option<&str>, token_name: Option<&str>, console_url: &str) -> Self {
        let token = token.map(|token| {
            let digest = Sha256::new()
                .chain_update(b"reveille session")
                .chain_update(token)
                .finalize();
            let session = hex::encode(digest);
            Arc::new(Token {
                name: token_name.unwrap_or(TOKEN_NAME).to_owned(),
                token: token.to_owned(),
                session,
                secure: console_url.starts_with("https://"),
            })
        });
        Self {
            token,
            console_url: console_url.into(),
        }
    }

    /// Lets only those through to `routes` who show the token (`Authorization: Bearer`, or the password of basic
    /// authentication, which some programs have nothing but) or a session's cookie. What a page of another site sends is
    /// refused, with or without a session.
    pub fn guard(&self, routes: Router) -> Router {
        routes
            .layer(from_fn_with_state(self.clone(), check))
            .layer(from_fn_with_state(self.clone(), protect_browsers))
    }

    /// `GET` and `POST /api/v1/session`: who am I, and let me in. Not to be guarded.
    pub fn routes(&self) -> Router {
        Router::new()
            .route("/api/v1/session", get(session).post(sign_in))
            .layer(DefaultBodyLimit::max(SIGN_IN_BYTES_MAX))
            .layer(from_fn_with_state(self.clone(), protect_browsers))
            .with_state(self.clone())
    }

    fn shown(&self, headers: &HeaderMap) -> Shown {
        let Some(token) = &self.token else {
            return Shown::Right(Principal::anonymous());
        };
        let authorization = header_text(headers, header::AUTHORIZATION);
        let bearer = authorization.and_then(|text| credentials(text, "Bearer"));
        let basic = authorization.and_then(|text| credentials(text, "Basic"));
        let password = basic.and_then(password);
        let cookie = header_text(headers, header::COOKIE).and_then(|cookies| {
            cookies
                .split(';')
                .find_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='))
        });
        let sent = bearer.is_some_and(|shown| same(shown, &token.token))
            || password.as_deref().is_some_and(|shown| same(shown, &token.token));
        if sent {
            Shown::Right(Principal::token(&token.name))
        } else if cookie.is_some_and(|shown| same(shown, &token.session)) {
            Shown::Right(Principal::session(&token.name))
        } else if bearer.is_some() || password.is_some() || cookie.is_some() {
            Shown::Wrong
        } else {
            Shown::Nothing
        }
    }
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The credentials of an `Authorization` header of this scheme, whose name has no case
/// (<https://www.rfc-editor.org/rfc/rfc9110#section-11.1>).
fn credentials<'h>(authorization: &'h str, scheme: &str) -> Option<&'h str> {
    let (shown, credentials) = authorization.split_once(' ')?;
    shown
        .eq_ignore_ascii_case(scheme)
        .then(|| credentials.trim_start_matches(' '))
}

/// The password in the credentials of basic authentication, which are what stands behind `Basic`.
pub fn password(credentials: &str) -> Option<String> {
    let credentials = STANDARD.decode(credentials).ok()?;
    let credentials = String::from_utf8(credentials).ok()?;
    credentials
        .split_once(':')
        .map(|(_, password)| password.to_owned())
}

fn same(shown: &str, wanted: &str) -> bool {
    shown.as_bytes().ct_eq(wanted.as_bytes()).into()
}

/// Whether a browser may have been led here under a name that is not ours: a page of somebody else's whose name is made
/// to point at this machine could use the console like its own. Nobody can do that with an address, or with localhost.
fn misled(headers: &HeaderMap) -> bool {
    let Some(host) = header_text(headers, header::HOST) else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let local = name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost");
    !local && name.parse::<IpAddr>().is_err()
}

async fn protect_browsers(State(access): State<Access>, request: Request, next: Next) -> Response {
    if origin::is_cross_site(request.method(), request.headers(), &access.console_url) {
        let error = json!({ "error": {
            "code": "cross_site",
            "message": "a page of another site sent this: use the console at its own address (the setting console_url, if a proxy stands before it), or a program that sends no Origin",
        } });
        return (StatusCode::FORBIDDEN, Json(error)).into_response();
    }
    next.run(request).await
}

async fn check(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    if access.token.is_none() && misled(request.headers()) {
        let error = json!({ "error": {
            "code": "unknown_host",
            "message": "this name is not known here while nobody has to show who they are: use 127.0.0.1 or localhost, or set access_token",
        } });
        return (StatusCode::FORBIDDEN, Json(error)).into_response();
    }
    match access.shown(request.headers()) {
        Shown::Right(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        other => refused(&other),
    }
}

async fn session(State(access): State<Access>, headers: HeaderMap) -> Response {
    let authentication = if access.token.is_some() { "token" } else { "none" };
    match access.shown(&headers) {
        Shown::Right(principal) => {
            let session = json!({ "user": null, "authentication": authentication, "principal": principal });
            Json(session).into_response()
        }
        other => refused(&other),
    }
}

async fn sign_in(State(access): State<Access>, Json(body): Json<SignIn>) -> Response {
    match &access.token {
        None => {
            let session =
                json!({ "user": null, "authentication": "none", "principal": Principal::anonymous() });
            Json(session).into_response()
        }
        Some(token) if same(&body.token, &token.token) => {
            let secure = if token.secure { "; Secure" } else { "" };
            let cookie = format!(
                "{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict{secure}",
                token.session
            );
            let principal = Principal::session(&token.name);
            let session = json!({ "user": null, "authentication": "token", "principal": principal });
            ([(header::SET_COOKIE, cookie)], Json(session)).into_response()
        }
        Some(_) => refused(&Shown::Wrong),
    }
}

fn refused(shown: &Shown) -> Response {
    let error = json!({ "error": {
        "code": "unauthenticated",
        "message": "show the access token: sign in on the console, or send it as `Authorization: Bearer` or as the password of basic authentication",
    } });
    let headers = [(header::WWW_AUTHENTICATE, "Bearer")];
    let mut answer = (StatusCode::UNAUTHORIZED, headers, Json(error)).into_response();
    if *shown == Shown::Wrong {
        answer.extensions_mut().insert(WrongCredential::Operator);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Access {
        fn admits(&self, headers: &HeaderMap) -> bool {
            matches!(self.shown(headers), Shown::Right(_))
        }
    }

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn without_a_token_only_names_that_nobody_can_bend_are_known() {
        for host in [
            "127.0.0.1:8080",
            "localhost",
            "LOCALHOST:80",
            "[::1]:8080",
            "a.localhost:1",
            "10.0.0.1",
        ] {
            assert!(!misled(&headers(header::HOST, host)), "{host}");
        }
        for host in [
            "evil.example:8080",
            "evil.example",
            "127.0.0.1.evil.example:80",
            "localhost.evil.example",
        ] {
            assert!(misled(&headers(header::HOST, host)), "{host}");
        }
        assert!(!misled(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn whoever_was_misled_is_refused_unless_they_show_the_token() {
        use axum::body::Body;
        use tower::ServiceExt;
        for (token, status) in [(None, 403), (Some("a token that is long"), 200)] {
            let routes = Access::new(token, None, "").guard(Router::new().route("/", get(|| async { "in" })));
            let request = Request::get("/")
                .header(header::HOST, "evil.example:8080")
                .header(header::AUTHORIZATION, "Bearer a token that is long")
                .body(Body::empty())
                .unwrap();
            assert_eq!(routes.oneshot(request).await.unwrap().status(), status);
        }
    }

    #[tokio::test]
    async fn s3_another_site_changes_nothing_whether_signed_in_or_not() {
        use axum::body::Body;
        use tower::ServiceExt;
        for token in [None, Some("a token that is long")] {
            let access = Access::new(token, None, "");
            let routes = Router::new().route("/api/v2/silences", get(|| async {}).post(|| async {}));
            let routes = access.guard(routes).merge(access.routes());
            for (path, origin, status) in [
                ("/api/v2/silences", "https://evil.example", 403),
                ("/api/v1/session", "https://evil.example", 403),
                ("/api/v2/silences", "http://127.0.0.1:8080", 200),
            ] {
                let request = Request::post(path)
                    .header(header::HOST, "127.0.0.1:8080")
                    .header(header::ORIGIN, origin)
                    .header(header::CONTENT_TYPE, "text/plain")
                    .header(header::AUTHORIZATION, "Bearer a token that is long")
                    .body(Body::from("{}"))
                    .unwrap();
                let answer = routes.clone().oneshot(request).await.unwrap();
                assert_eq!(answer.status(), status, "{path} {origin}");
            }
        }
    }

    #[test]
    fn the_token_or_its_session_is_let_in_and_nothing_else() {
        let access = Access::new(Some("correct horse"), None, "http://127.0.0.1:8080");
        let session = access.token.as_ref().unwrap().session.clone();
        assert!(access.admits(&headers(header::AUTHORIZATION, "Bearer correct horse")));
        for s9_the_scheme_has_no_case in ["bearer correct horse", "BEARER  correct horse"] {
            assert!(access.admits(&headers(header::AUTHORIZATION, s9_the_scheme_has_no_case)));
        }
        assert!(access.admits(&headers(
            header::COOKIE,
            &format!("a=b; reveille_session={session}")
        )));
        let basic = |credentials: &str| {
            let credentials = STANDARD.encode(credentials);
            headers(header::AUTHORIZATION, &format!("Basic {credentials}"))
        };
        assert!(access.admits(&basic("amtool:correct horse")));
        assert!(!access.admits(&basic("correct horse:")));
        assert!(!access.admits(&basic("correct horse")));
        assert!(!access.admits(&headers(header::AUTHORIZATION, "Basic ???")));
        assert!(!access.admits(&headers(header::AUTHORIZATION, "Bearer correct")));
        assert!(!access.admits(&headers(header::COOKIE, "reveille_session=correct horse")));
        assert!(!access.admits(&HeaderMap::new()));
        assert!(Access::new(None, None, "").admits(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn what_is_guarded_knows_whose_request_it_is() {
        use axum::body::Body;
        use tower::ServiceExt;

        use crate::principal::Caller;

        let named = Access::new(Some("correct horse"), Some("on-call"), "");
        let session = format!("{COOKIE}={}", named.token.as_ref().unwrap().session);
        let unnamed = Access::new(Some("correct horse"), None, "");
        let open = Access::new(None, None, "");
        for (access, header, value, expected) in [
            (
                &named,
                header::AUTHORIZATION,
                "Bearer correct horse",
                Principal::token("on-call"),
            ),
            (
                &named,
                header::AUTHORIZATION,
                "Basic YTpjb3JyZWN0IGhvcnNl",
                Principal::token("on-call"),
            ),
            (
                &named,
                header::COOKIE,
                session.as_str(),
                Principal::session("on-call"),
            ),
            (
                &unnamed,
                header::AUTHORIZATION,
                "Bearer correct horse",
                Principal::token("shared"),
            ),
            (&open, header::ACCEPT, "*/*", Principal::anonymous()),
        ] {
            let who = get(|Caller(principal): Caller| async move { Json(principal) });
            let routes = access.guard(Router::new().route("/", who)).merge(access.routes());
            for path in ["/", "/api/v1/session"] {
                let request = Request::get(path)
                    .header(&header, value)
                    .body(Body::empty())
                    .unwrap();
                let answer = routes.clone().oneshot(request).await.unwrap();
                let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
                let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let shown = if path == "/" { &body } else { &body["principal"] };
                assert_eq!(*shown, json!(expected), "{path} {value}");
            }
        }
    }

    #[tokio::test]
    async fn s6_a_wrong_credential_is_marked_and_a_missing_one_is_not() {
        use axum::body::Body;
        use tower::ServiceExt;
        let access = Access::new(Some("correct horse"), None, "");
        let routes = access.guard(Router::new().route("/", get(|| async {})));
        let routes = routes.merge(access.routes());
        let sign_in = r#"{"token": "a wrong token"}"#;
        let marked = Some(WrongCredential::Operator);
        for (method, path, header, body, expected) in [
            ("GET", "/", (header::AUTHORIZATION, "Bearer wrong"), "", marked),
            (
                "GET",
                "/",
                (header::AUTHORIZATION, "Basic dXNlcjpzZWNyZXQ="),
                "",
                marked,
            ),
            ("GET", "/", (header::COOKIE, "reveille_session=wrong"), "", marked),
            ("GET", "/", (header::COOKIE, "other=wrong"), "", None),
            ("GET", "/api/v1/session", (header::ACCEPT, "*/*"), "", None),
            (
                "POST",
                "/api/v1/session",
                (header::CONTENT_TYPE, "application/json"),
                sign_in,
                marked,
            ),
        ] {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(&header.0, header.1);
            let answer = routes
                .clone()
                .oneshot(request.body(Body::from(body)).unwrap())
                .await
                .unwrap();
            assert_eq!(answer.status(), 401, "{path} {header:?}");
            assert_eq!(answer.extensions().get().copied(), expected, "{path} {header:?}");
        }
        let large = format!(r#"{{"token": "{}"}}"#, "x".repeat(SIGN_IN_BYTES_MAX));
        let request = Request::post("/api/v1/session").header(header::CONTENT_TYPE, "application/json");
        let answer = routes
            .oneshot(request.body(Body::from(large)).unwrap())
            .await
            .unwrap();
        assert_eq!(answer.status(), 413, "no memory for strangers");
    }

    #[tokio::test]
    async fn a_session_of_a_console_with_tls_goes_over_tls_only() {
        for (console_url, secure) in [("https://a.example", true), ("http://127.0.0.1:8080", false)] {
            let access = Access::new(Some("correct horse"), None, console_url);
            let token = "correct horse".to_owned();
            let answer = sign_in(State(access), Json(SignIn { token })).await;
            let cookie = header_text(answer.headers(), header::SET_COOKIE).unwrap();
            assert_eq!(cookie.ends_with("; Secure"), secure, "{cookie}");
        }
    }
}
