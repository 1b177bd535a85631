//! `GET /api/v1/alerts/{id}/journey`: how an alert was received, what happened to it, and what is still to come.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use domain::{Site, journey, words};
use schemas::config::ConfigEntry;
use schemas::{Journey, Permission};

use crate::alerts::fingerprint;
use crate::openapi::ALERT_ID;
use crate::routes::{Method, Operation, Parameter, Routes};
use crate::{Api, ApiError, site};

/// The newest lines of the history that an answer holds.
const PAST_MAX: usize = 1000;

pub(crate) fn routes() -> Routes {
    let summary = "How an alert was received, what happened to it, and what is still to come";
    let path = "/api/v1/alerts/{id}/journey";
    let of_one = Operation::of(Method::Get, path, Permission::AlertsRead, summary)
        .path_parameter(Parameter::pattern("id", "The id of the alert.", ALERT_ID))
        .answers::<Journey>();
    Routes::new().add(of_one, one)
}

async fn one(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Result<Json<Journey>, ApiError> {
    let fingerprint = fingerprint("id", &id)?;
    let mut states = api.store.load(&[fingerprint]).await?;
    let state = states
        .remove(&fingerprint)
        .ok_or_else(|| ApiError::NotFound(format!("there is no alert {fingerprint}")))?;
    let history = api.store.history(fingerprint, PAST_MAX, None).await?;
    let site = notifying(&api).await?;
    let upcoming = journey::upcoming(&state, &site, api.context.clock.now());
    Ok(Json(Journey {
        alert: state.alert,
        past: history.rows.into_iter().rev().map(words::shown).collect(),
        has_older: history.next_cursor.is_some(),
        upcoming,
    }))
}

/// The site as far as it decides what is notified. Rules and mappings have done their part, and their expressions take long
/// to compile.
async fn notifying(api: &Api) -> Result<Site, ApiError> {
    let mut site = Site::default();
    let entries = site::entries(&api.store.site().await?);
    let decides = |entry: &ConfigEntry| !matches!(entry, ConfigEntry::Rules(_) | ConfigEntry::Mapping(_));
    for (key, entry) in entries.into_iter().filter(|(_, entry)| decides(entry)) {
        site.apply(&key, Some(entry));
    }
    Ok(site)
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::{Request, StatusCode};
    use chassis::secrets::SiteKey;
    use domain::Input;
    use pipeline::log::simulated::SimulatedLog;
    use pipeline::{Clock, Context};
    use schemas::config::{Scenario, Step};
    use schemas::{Channel, Endpoint, Expected, HistoryKind, Reason, Severity};
    use store::{Commit, Store};
    use tower::ServiceExt;

    use super::*;
    use crate::tests::{event, guarded, set_entries};

    fn scenario() -> ConfigEntry {
        let step = |id: &str, delay_seconds, minimum_severity| Step {
            id: id.to_owned(),
            targets: vec![Endpoint {
                channel: Channel::Slack,
                destination: format!("#{id}"),
                bot: None,
            }],
            delay_seconds,
            window: None,
            minimum_severity,
        };
        ConfigEntry::Scenario(Scenario {
            name: "everybody".to_owned(),
            description: String::new(),
            number: None,
            steps: vec![
                step("ops", 0, Severity::Warning),
                step("night", 600, Severity::Urgent),
            ],
        })
    }

    /// An api whose only alert has just opened.
    async fn api() -> (Api, schemas::Fingerprint) {
        let now = "2026-09-01T10:00:00Z".parse().unwrap();
        let mut site = Site::default();
        site.apply("scenario/everybody", Some(scenario()));
        let mut received = event("disk full");
        received.event.key = Some("2026".to_owned());
        received.rules = vec!["staging is never urgent".to_owned()];
        let opened = domain::transition(None, Input::Event(&received), now, &site);
        let store = Store::in_memory().await.unwrap();
        store.migrate().await.unwrap();
        let claim = store.claim("daemon", 0, "test").await.unwrap();
        let fingerprint = received.event.fingerprint;
        let commit = Commit {
            states: vec![(opened.state.unwrap(), None)],
            history: opened.history,
            ledger: opened.ledger.into_iter().map(|row| (fingerprint, row)).collect(),
            ..Commit::default()
        };
        store.commit(&claim, &commit).await.unwrap();
        let entries = [(scenario().key(), serde_json::json!(scenario()).to_string())];
        set_entries(&store, &entries.into()).await;
        let context = Context::new(Arc::new(SimulatedLog::new(1)), Clock::simulated(now));
        (
            Api::start(&context, store, SiteKey::from_bytes([7; 32])),
            fingerprint,
        )
    }

    async fn get(api: &Api, id: &str) -> (StatusCode, serde_json::Value) {
        let request = Request::get(format!("/api/v1/alerts/{id}/journey"));
        let answer = guarded(api)
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_journey_tells_what_was_received_what_happened_and_what_is_to_come() {
        let (api, fingerprint) = api().await;
        let (status, body) = get(&api, &fingerprint.to_string()).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let journey: Journey = serde_json::from_value(body).unwrap();
        let kinds: Vec<_> = journey.past.iter().map(|line| line.kind).collect();
        assert_eq!(kinds, [HistoryKind::Opened, HistoryKind::Notifying]);
        let received = journey.past[0].received.as_ref().unwrap();
        assert_eq!(
            (
                received.key.as_deref(),
                received.source.as_str(),
                &received.rules[..]
            ),
            (
                Some("2026"),
                "prom:9090",
                &["staging is never urgent".to_owned()][..]
            )
        );
        assert_eq!(journey.upcoming.len(), 1);
        let Expected::Step { number, reasons, .. } = &journey.upcoming[0].details else {
            panic!("{:?}", journey.upcoming);
        };
        assert_eq!(*number, 2);
        assert!(matches!(reasons[..], [Reason::SeverityBelow { .. }]));
        assert!(!journey.has_older);
    }

    #[tokio::test]
    async fn an_alert_that_is_not_there_has_no_journey() {
        let (api, _) = api().await;
        let (status, body) = get(&api, &"0".repeat(32)).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{body}");
        let (status, body) = get(&api, "x").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
}
