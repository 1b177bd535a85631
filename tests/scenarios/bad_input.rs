//! Whatever is posted, the answer says what is wrong with it, and the pipeline goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::World;
use tests::client::Answer;
use tests::live::WsClient;
use tests::site::keys;

const SOON: Duration = Duration::from_secs(20);
/// A debug build on a busy machine needs a while for ten thousand of anything.
const LATER: Duration = Duration::from_secs(90);
const MANY: usize = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_body_has_its_own_answer_and_the_pipeline_goes_on() -> Result<()> {
    let _turn = tests::alone().await;
    let mut world = World::on_up("bad-input").await?;
    let console = world.console().await?;
    let mut answers = BTreeMap::new();
    for (what, source, key, body, status, word) in bad_requests() {
        let answer = world
            .client
            .post(source, key, body)
            .await
            .with_context(|| what.to_owned())?;
        ensure!(
            answer.status == status,
            "{what}: {status} was expected, not {answer:?}"
        );
        let text = answer.body.to_string();
        ensure!(
            text.to_lowercase().contains(word),
            "{what}: the answer should speak of {word:?}: {answer:?}"
        );
        if let Some(other) = answers.insert(text, what) {
            ensure!(false, "{what} is answered like {other}: {answer:?}");
        }
        goes_on(&world, &console, what).await?;
    }
    a_body_of_ten_megabytes(&world, &console).await?;
    ten_thousand_alerts(&world, &console).await?;
    absurd_dates(&world, &console).await?;
    what_was_refused_is_kept(&world).await?;
    what_was_signed_needs_no_new_signature(&world).await?;
    world.all_alive()
}

type Bad = (
    &'static str,
    &'static str,
    &'static str,
    Vec<u8>,
    StatusCode,
    &'static str,
);

fn bad_requests() -> Vec<Bad> {
    let api = |change: fn(&mut Value)| {
        let mut body = good("bad");
        change(&mut body);
        body.to_string().into_bytes()
    };
    let mut broken_text = good("bad").to_string().into_bytes();
    if let Some(place) = broken_text.windows(4).position(|window| window == b"fine") {
        broken_text[place] = 0xff;
    }
    let (bad, unprocessable) = (StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY);
    let key = keys::API;
    vec![
        ("no body", "api", key, Vec::new(), bad, "empty"),
        (
            "half a body",
            "api",
            key,
            b"{\"alert_name\": \"x\",".to_vec(),
            bad,
            "json",
        ),
        ("no JSON", "api", key, b"alert_name=x".to_vec(), bad, "json"),
        ("broken UTF-8", "api", key, broken_text, bad, "utf-8"),
        ("a list", "api", key, b"[1, 2]".to_vec(), unprocessable, "object"),
        (
            "no name",
            "api",
            key,
            api(|body| body["alert_name"] = Value::Null),
            unprocessable,
            "alert_name",
        ),
        (
            "a name of numbers",
            "api",
            key,
            api(|body| body["alert_name"] = json!([1])),
            unprocessable,
            "alert_name",
        ),
        (
            "no severity",
            "api",
            key,
            api(|body| body["alert_severity"] = json!("purple")),
            unprocessable,
            "purple",
        ),
        (
            "alerts of text",
            "prometheus",
            keys::PROMETHEUS,
            br#"{"version":"4","alerts":"x"}"#.to_vec(),
            unprocessable,
            "alerts",
        ),
        (
            "unknown key",
            "api",
            "nobody-has-this-key",
            good("bad").to_string().into_bytes(),
            StatusCode::UNAUTHORIZED,
            "key",
        ),
        (
            "no key",
            "api",
            "",
            good("bad").to_string().into_bytes(),
            StatusCode::UNAUTHORIZED,
            "key",
        ),
        (
            "unknown source",
            "carrier-pigeon",
            key,
            good("bad").to_string().into_bytes(),
            StatusCode::NOT_FOUND,
            "carrier-pigeon",
        ),
        (
            "another source's key",
            "prometheus",
            key,
            good("bad").to_string().into_bytes(),
            bad,
            "prometheus",
        ),
    ]
}

fn good(name: &str) -> Value {
    json!({
        "alert_name": name,
        "alert_severity": "warning",
        "source": "bad-input",
        "object": "web-1",
        "notification_output": "fine",
    })
}

/// Operators see what was refused, and why, and can post it again.
async fn what_was_refused_is_kept(world: &World) -> Result<()> {
    let id = refused_for(world, "purple").await?;
    let (done, whole) = world.command(&["rejected", "show", &id]).await?;
    ensure!(done && whole.contains(r#""alert_severity":"purple""#), "{whole}");
    is_refused_again_for(world, "purple", &id, keys::API).await
}

/// A signature is good for some minutes; what it has proven stays proven.
async fn what_was_signed_needs_no_new_signature(world: &World) -> Result<()> {
    let mut body = good("signed");
    body["alert_severity"] = json!("magenta");
    let body = body.to_string();
    let unsigned = world.client.post("api", keys::SIGNED, body.clone()).await?;
    ensure!(unsigned.status == StatusCode::UNAUTHORIZED, "{unsigned:?}");
    let signed = world.client.post_signed("api", keys::SIGNED, &body).await?;
    ensure!(signed.status == StatusCode::UNPROCESSABLE_ENTITY, "{signed:?}");
    let id = refused_for(world, "magenta").await?;
    is_refused_again_for(world, "magenta", &id, keys::SIGNED).await
}

async fn refused_for(world: &World, word: &str) -> Result<String> {
    let (done, list) = world.command(&["rejected", "list"]).await?;
    ensure!(done && !list.contains("nobody-has-this-key"), "{list}");
    let line = list.lines().find(|line| line.contains(word));
    let id = line.and_then(|line| line.split_whitespace().next());
    let id = id.with_context(|| format!("{word} should be listed: {list}"))?;
    Ok(id.to_owned())
}

async fn is_refused_again_for(world: &World, word: &str, id: &str, key: &str) -> Result<()> {
    let replay = ["rejected", "replay", "--integration-key", key, id];
    let (done, again) = world.command(&replay).await?;
    ensure!(
        !done && again.contains("refused again") && again.contains(word),
        "{again}"
    );
    Ok(())
}

/// A good alert still gets through to the console, and closes again.
async fn goes_on(world: &World, console: &WsClient, after: &str) -> Result<()> {
    let name = format!("after {after}");
    let mut body = good(&name);
    world
        .client
        .ingest("api", keys::API, &body)
        .await?
        .events()
        .with_context(|| name.clone())?;
    console
        .wait_until(&name, SOON, |screen| screen.by_name(&name).is_some())
        .await?;
    body["alert_severity"] = json!("ok");
    world
        .client
        .ingest("api", keys::API, &body)
        .await?
        .events()
        .with_context(|| name.clone())?;
    console
        .wait_until(&format!("the end of {name}"), SOON, |screen| {
            screen.by_name(&name).is_none()
        })
        .await
}

async fn a_body_of_ten_megabytes(world: &World, console: &WsClient) -> Result<()> {
    let mut body = good("ten megabytes");
    body["notification_output"] = json!("x".repeat(10_000_000));
    let answer = world.client.ingest("api", keys::MACHINES, &body).await?;
    ensure!(
        answer.status == StatusCode::PAYLOAD_TOO_LARGE,
        "ten megabytes: {}",
        short(&answer)
    );
    let text = answer.body.to_string();
    ensure!(
        text.contains("bytes") || text.contains("MB") || text.contains("MiB"),
        "which size may it have? {text}"
    );
    goes_on(world, console, "ten megabytes").await
}

async fn ten_thousand_alerts(world: &World, console: &WsClient) -> Result<()> {
    let alerts: Vec<_> = (0..MANY)
        .map(|number| {
            json!({
                "status": "firing",
                "labels": { "alertname": "Storm", "instance": format!("host-{number:05}"), "severity": "warning" },
                "annotations": { "summary": "all at once" },
                "startsAt": "2026-09-01T10:00:00Z",
            })
        })
        .collect();
    let body =
        json!({ "version": "4", "status": "firing", "externalURL": "http://am-0:9093", "alerts": alerts });
    let answer = world.client.ingest("prometheus", keys::QUIET, &body).await?;
    let events = answer.events().with_context(|| short(&answer))?;
    ensure!(
        events.len() == MANY,
        "{} of {MANY} alerts were accepted",
        events.len()
    );
    let what = format!("{MANY} alerts on the console");
    console
        .wait_until(&what, LATER, |screen| screen.alerts.len() >= MANY)
        .await?;
    goes_on(world, console, "ten thousand alerts").await
}

/// A date is never a reason to lose an alert; one that is none at all is named.
async fn absurd_dates(world: &World, console: &WsClient) -> Result<()> {
    let dates = [
        "0000-00-00T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "-9999999-01-01T00:00:00Z",
        "soon",
        "",
    ];
    for (number, date) in dates.into_iter().enumerate() {
        let name = format!("Date{number}");
        let alert = json!({
            "status": "firing",
            "labels": { "alertname": name, "instance": "web-1", "severity": "information" },
            "startsAt": date,
            "endsAt": date,
        });
        let body = json!({ "version": "4", "status": "firing", "externalURL": "http://am-0:9093", "alerts": [alert] });
        let answer = world.client.ingest("prometheus", keys::PROMETHEUS, &body).await?;
        if answer.status.is_success() {
            console
                .wait_until(&name, SOON, |screen| screen.by_name(&name).is_some())
                .await?;
            let answered = world.client.get("/api/v1/alerts?state=any&text=Date").await?;
            ensure!(
                answered.status.is_success(),
                "the list after a start at {date:?}: {answered:?}"
            );
        } else {
            let text = answer.body.to_string();
            ensure!(
                answer.status.is_client_error() && text.contains("startsAt"),
                "a start at {date:?}: {answer:?}"
            );
        }
    }
    goes_on(world, console, "absurd dates").await
}

fn short(answer: &Answer) -> String {
    format!("{} {:.300}", answer.status, answer.body.to_string())
}
