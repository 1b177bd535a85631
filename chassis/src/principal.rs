//! The principal of a request: what authenticates a request puts one into its extensions, and every route asks for a
//! permission before its handler runs.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use axum::{Json, Router};
use schemas::{Permission, Principal};
use serde_json::json;

/// Whose request it is, as an extractor.
#[derive(Debug, Clone)]
pub struct Caller(pub Principal);

/// A request came without a principal: the route is served without authentication, which is a defect of the wiring.
#[derive(Debug)]
pub struct NoPrincipal;

impl IntoResponse for NoPrincipal {
    fn into_response(self) -> Response {
        let error = json!({ "error": {
            "code": "unauthenticated",
            "message": "the request was not authenticated: this route is not guarded",
        } });
        (StatusCode::UNAUTHORIZED, Json(error)).into_response()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = NoPrincipal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, NoPrincipal> {
        parts.extensions.get().cloned().map(Self).ok_or(NoPrincipal)
    }
}

/// Lets only principals with this permission through to the handlers of a route. Others are answered 403, and a request
/// that was not authenticated 401.
pub fn require<S>(permission: Permission, route: MethodRouter<S>) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    route.route_layer(from_fn_with_state(permission, check))
}

/// The same for all routes of a router.
pub fn require_for_all(permission: Permission, routes: Router) -> Router {
    routes.route_layer(from_fn_with_state(permission, check))
}

async fn check(State(permission): State<Permission>, request: Request, next: Next) -> Response {
    let Some(principal) = request.extensions().get::<Principal>() else {
        return NoPrincipal.into_response();
    };
    if principal.may(permission) {
        return next.run(request).await;
    }
    let message = format!("{} lacks the permission {permission}", principal.who);
    let error = json!({ "error": { "code": "forbidden", "message": message } });
    (StatusCode::FORBIDDEN, Json(error)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::Extension;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_route_lets_only_principals_with_its_permission_through() {
        let who = get(|Caller(principal): Caller| async move { principal.who });
        let routes = Router::new().route("/site", require(Permission::SiteWrite, who.clone()));
        let all = require_for_all(Permission::SiteWrite, Router::new().route("/site", who));
        for routes in [routes, all] {
            for (principal, status) in [
                (None, 401),
                (Some(Principal::integration("main")), 403),
                (Some(Principal::anonymous()), 200),
            ] {
                let routes = match principal {
                    None => routes.clone(),
                    Some(principal) => routes.clone().layer(Extension(principal)),
                };
                let request = Request::get("/site").body(Body::empty()).unwrap();
                let answer = routes.oneshot(request).await.unwrap();
                assert_eq!(answer.status(), status);
            }
        }
    }
}
