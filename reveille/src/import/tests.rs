use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::*;

/// A collector that refuses alerts without a name, and has no time for the first requests.
#[derive(Clone, Default)]
struct Collector {
    busy: Arc<AtomicUsize>,
    bodies: Arc<Mutex<Vec<Value>>>,
}

impl Collector {
    async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let route = axum::routing::post(answer).with_state(self.clone());
        let routes = Router::new().route("/monitoring-system/{source}", route);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url
    }

    fn taken(&self) -> Vec<Value> {
        let bodies = self.bodies.lock().unwrap();
        let lists = bodies.iter().map(|body| match body {
            Value::Array(alerts) => alerts.clone(),
            alert => vec![alert.clone()],
        });
        lists.flatten().collect()
    }
}

async fn answer(State(collector): State<Collector>, Json(body): Json<Value>) -> Response {
    if collector
        .busy
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
        .is_ok()
    {
        return (StatusCode::SERVICE_UNAVAILABLE, [("Retry-After", "0")]).into_response();
    }
    let alerts = body.as_array().map_or(vec![&body], |list| list.iter().collect());
    if alerts.iter().any(|alert| alert.get("alert_name").is_none()) {
        let error = json!({ "error": { "field": "alert_name", "message": "is missing" } });
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(error)).into_response();
    }
    let accepted = alerts.len();
    collector.bodies.lock().unwrap().push(body);
    Json(json!({ "accepted": accepted })).into_response()
}

async fn imported(collector: &Collector, source: &str, format: Format, skip: u64, text: &str) -> Outcome {
    chassis::install_cryptography();
    let sender = Sender::new(&collector.listen().await, source, "key");
    let input = Box::new(io::Cursor::new(text.to_owned().into_bytes()));
    let lines = lines::of(format, input).unwrap();
    import(lines, skip, &sender, &ProgressBar::hidden())
        .await
        .unwrap()
}

fn names(alerts: &[Value]) -> Vec<&str> {
    alerts
        .iter()
        .map(|alert| alert["alert_name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn lines_go_together_in_order_and_those_that_are_refused_are_named() {
    let collector = Collector::default();
    let text = "{\"alert_name\":\"a\"}\n\n{\"name\":\"b\"}\nno json\r\n{\"alert_name\":\"c\"}\n";
    let outcome = imported(&collector, "api", Format::Ndjson, 0, text).await;
    assert_eq!(names(&collector.taken()), ["a", "c"]);
    assert_eq!((outcome.lines, outcome.alerts), (4, 2));
    let refused: Vec<_> = outcome
        .refused
        .iter()
        .map(|refused| (refused.line, refused.field.as_deref()))
        .collect();
    assert_eq!(refused, [(3, Some("alert_name")), (4, None)]);
    assert!(told(&outcome).starts_with("line 3: alert_name: is missing\nline 4: is not JSON"));
    assert!(told(&outcome).ends_with("4 lines: 2 alerts accepted, 2 lines refused.\n"));
}

#[tokio::test]
async fn many_lines_take_few_requests_and_only_the_generic_api_takes_them_together() {
    let line = |number: usize| format!("{{\"alert_name\":\"{number}\"}}\n");
    let text: String = (0..250).map(line).collect();
    let collector = Collector::default();
    let outcome = imported(&collector, "api", Format::Ndjson, 0, &text).await;
    assert_eq!((outcome.alerts, collector.bodies.lock().unwrap().len()), (250, 3));
    let collector = Collector::default();
    imported(&collector, "zabbix", Format::Ndjson, 240, &text).await;
    assert_eq!(collector.bodies.lock().unwrap().len(), 10);
    assert_eq!(names(&collector.taken())[0], "240", "the first lines are skipped");
}

#[tokio::test]
async fn a_busy_collector_is_waited_for() {
    let collector = Collector::default();
    collector.busy.store(3, Ordering::SeqCst);
    let outcome = imported(&collector, "api", Format::Ndjson, 0, "{\"alert_name\":\"a\"}").await;
    assert_eq!((outcome.alerts, outcome.refused.len()), (1, 0));
}

#[tokio::test]
async fn rows_become_alerts_with_labels_and_links() {
    let collector = Collector::default();
    let text = "alert_name,labels.team,links.Runbook,notification_output,labels.site\n\
                disk,pay,https://r,\"full,\nor so\",\n\
                short\n\
                load,,,x,y\n";
    let outcome = imported(&collector, "api", Format::Csv, 0, text).await;
    let expected = json!({
        "alert_name": "disk",
        "additional_fields": { "team": "pay" },
        "additional_urls": { "Runbook": "https://r" },
        "notification_output": "full,\nor so",
    });
    assert_eq!(collector.taken()[0], expected);
    assert_eq!(collector.taken()[1]["additional_fields"], json!({ "site": "y" }));
    let refused: BTreeMap<_, _> = outcome
        .refused
        .iter()
        .map(|refused| (refused.line, refused.reason.as_str()))
        .collect();
    assert!(refused[&4].contains("has 1 cells"), "{refused:?}");
}

#[test]
fn a_column_that_nobody_knows_is_refused_before_anything_is_posted() {
    let input = Box::new(io::Cursor::new(b"alert_name,sevrity\n".to_vec()));
    let error = lines::of(Format::Csv, input).err().unwrap().to_string();
    assert!(
        error.contains("\"sevrity\"") && error.contains("alert_severity"),
        "{error}"
    );
}

#[tokio::test]
async fn a_wrong_key_ends_the_import_and_says_how_to_go_on() {
    chassis::install_cryptography();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let refuse = || async { (StatusCode::UNAUTHORIZED, "the integration key is unknown") };
    let routes = Router::new().fallback(refuse);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let lines = lines::of(Format::Ndjson, Box::new(io::Cursor::new(b"{}\n{}\n".to_vec()))).unwrap();
    let sender = Sender::new(&url, "api", "key");
    let error = import(lines, 1, &sender, &ProgressBar::hidden())
        .await
        .unwrap_err();
    let said = format!("{error:#}");
    assert!(
        said.contains("--skip 1") && said.contains("key is unknown"),
        "{said}"
    );
}
