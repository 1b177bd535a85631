//! Who may use console, API and websocket.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const COOKIE: &str = "reveille_session";

/// What must be shown to be let in. Without a token everybody is, which is why nothing then listens beyond loopback.
#[derive(Clone)]
pub struct Access(Option<Arc<Token>>);

struct Token {
    token: String,
    /// What the cookie holds: it proves that the token was known, and does not tell it.
    session: String,
}

#[derive(Deserialize)]
struct SignIn {
    token: String,
}

impl Access {
    /// Access with this token, or for everybody.
    pub fn new(token: Option<&str>) -> Self {
        Self(token.map(|token| {
            let digest = Sha256::new()
                .chain_update(b"reveille session")
                .chain_update(token)
                .finalize();
            let session = hex::encode(digest);
            Arc::new(Token {
                token: token.to_owned(),
                session,
            })
        }))
    }

    /// Lets only those through to `routes` who show the token (`Authorization: Bearer`, or the password of basic
    /// authentication, which some programs have nothing but) or a session's cookie.
    pub fn guard(&self, routes: Router) -> Router {
        routes.layer(from_fn_with_state(self.clone(), check))
    }

    /// `GET` and `POST /api/v1/session`: who am I, and let me in. Not to be guarded.
    pub fn routes(&self) -> Router {
        Router::new()
            .route("/api/v1/session", get(session).post(sign_in))
            .with_state(self.clone())
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.0 else { return true };
        let authorization = header_text(headers, header::AUTHORIZATION);
        let bearer = authorization.and_then(|text| text.strip_prefix("Bearer "));
        let basic = authorization.and_then(|text| text.strip_prefix("Basic "));
        let password = basic.and_then(password);
        let cookie = header_text(headers, header::COOKIE).and_then(|cookies| {
            cookies
                .split(';')
                .find_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='))
        });
        bearer.is_some_and(|shown| same(shown, &token.token))
            || password.is_some_and(|shown| same(&shown, &token.token))
            || cookie.is_some_and(|shown| same(shown, &token.session))
    }
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
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

async fn check(State(access): State<Access>, request: Request, next: Next) -> Response {
    if access.admits(request.headers()) {
        next.run(request).await
    } else {
        refused()
    }
}

async fn session(State(access): State<Access>, headers: HeaderMap) -> Response {
    let authentication = if access.0.is_some() { "token" } else { "none" };
    if access.admits(&headers) {
        Json(json!({ "user": null, "authentication": authentication })).into_response()
    } else {
        refused()
    }
}

async fn sign_in(State(access): State<Access>, Json(body): Json<SignIn>) -> Response {
    match &access.0 {
        None => Json(json!({ "user": null, "authentication": "none" })).into_response(),
        Some(token) if same(&body.token, &token.token) => {
            let cookie = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict", token.session);
            (
                [(header::SET_COOKIE, cookie)],
                Json(json!({ "user": null, "authentication": "token" })),
            )
                .into_response()
        }
        Some(_) => refused(),
    }
}

fn refused() -> Response {
    let error = json!({ "error": {
        "code": "unauthenticated",
        "message": "show the access token: sign in on the console, or send it as `Authorization: Bearer` or as the password of basic authentication",
    } });
    (
        StatusCode::UNAUTHORIZED,
        [(header::WWW_AUTHENTICATE, "Bearer")],
        Json(error),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_token_or_its_session_is_let_in_and_nothing_else() {
        let access = Access::new(Some("correct horse"));
        let session = access.0.as_ref().unwrap().session.clone();
        assert!(access.admits(&headers(header::AUTHORIZATION, "Bearer correct horse")));
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
        assert!(Access::new(None).admits(&HeaderMap::new()));
    }
}
