//! What watches an Alertmanager asks of it: whether it lives, and a few of its metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::alerts::{each_open, silenced};
use super::refusal::Refusal;
use crate::{Api, silences};

/// `GET /-/healthy`: it answers.
pub(super) async fn healthy() -> &'static str {
    "OK"
}

/// `GET /-/ready`: it can read what there is.
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Result<&'static str, Refusal> {
    api.store.site().await?;
    Ok("OK")
}

/// `GET /metrics`: which version this is taken for, and how many alerts and silences there are, under Alertmanager's names.
/// The metrics of Reveille itself are at the private address.
pub(super) async fn metrics(State(api): State<Arc<Api>>) -> Result<impl IntoResponse, Refusal> {
    let now = api.context.clock.now();
    let known = silences::stored(&api).await?;
    let silences = ["active", "pending", "expired"].map(|word| {
        let of = |silence: &&schemas::config::Silence| domain::silence::state(silence, now).name() == word;
        (word, known.values().filter(of).count())
    });
    let (mut active, mut suppressed) = (0, 0);
    let site = silenced(&api).await?;
    each_open(&api, |alert, _| match site.silencing(alert, now).next() {
        Some(_) => suppressed += 1,
        None => active += 1,
    })
    .await?;
    let text = text(
        &api.alertmanager_version,
        [("active", active), ("suppressed", suppressed)],
        silences,
    );
    Ok((
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    ))
}

fn text(version: &str, alerts: [(&str, usize); 2], silences: [(&str, usize); 3]) -> String {
    let mut text = format!(
        "# HELP alertmanager_build_info The version of Alertmanager whose API this is.\n\
         # TYPE alertmanager_build_info gauge\n\
         alertmanager_build_info{{branch=\"\",goarch=\"\",goos=\"\",goversion=\"\",revision=\"reveille-{}\",tags=\"\",\
         version=\"{version}\"}} 1\n",
        env!("CARGO_PKG_VERSION"),
    );
    let families = [("alerts", &alerts[..]), ("silences", &silences[..])];
    for (name, states) in families {
        text.push_str(&format!(
            "# HELP alertmanager_{name} How many {name} by state.\n# TYPE alertmanager_{name} gauge\n"
        ));
        for (state, count) in states {
            text.push_str(&format!("alertmanager_{name}{{state=\"{state}\"}} {count}\n"));
        }
    }
    text
}
