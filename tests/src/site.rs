//! The site that every world begins with: who is told of what comes in with which key.

use crate::mocks::{slack, webhook};

/// The environment of all alerts.
pub const ENVIRONMENT: &str = "production";
/// How many Slack channels there are for a load: Slack takes about one message a second and channel, and a load has
/// more to say.
pub const SLACK_CHANNELS: usize = 10;

/// The keys of the integrations.
pub mod keys {
    /// Alertmanager; everybody is told.
    pub const PROMETHEUS: &str = "key-of-prometheus-main";
    /// Alertmanager; nobody is told.
    pub const QUIET: &str = "key-of-prometheus-quiet";
    /// Generic API; everybody is told.
    pub const API: &str = "key-of-api-everybody";
    /// Generic API; one Slack channel is told, two seconds after the opening.
    pub const LATER: &str = "key-of-api-later";
    /// Generic API; only the webhook receiver is told.
    pub const MACHINES: &str = "key-of-api-machines";

    /// Generic API; its bodies are signed, and nobody is told.
    pub const SIGNED: &str = "key-of-api-signed";
    /// Mail; nobody is told.
    pub const EMAIL: &str = "key-of-email-nagios";
    /// What is meant for Opsgenie; nobody is told.
    pub const OPSGENIE: &str = "key-of-opsgenie-alertmanager";
    /// What Riemann's clients send; nobody is told.
    pub const RIEMANN: &str = "key-of-riemann-collectd";

    /// Generic API; the webhook receiver and one Slack channel of its own are told.
    pub fn slack(channel: usize) -> String {
        format!("key-of-api-slack-{channel}")
    }
}

/// The document, for receivers at these places.
pub fn document(hook: &str, slack_url: &str, smtp_port: u16) -> String {
    let hook = format!("{{channel: webhook, destination: \"{hook}\"}}");
    let slack = |channel: &str| format!("{{channel: slack, destination: \"#{channel}\"}}");
    let mut scenarios = vec![
        (
            "everybody".to_owned(),
            vec![
                hook.clone(),
                slack("ops"),
                "{channel: email, destination: \"ops@example.org\", minimum_severity: warning}".to_owned(),
            ],
        ),
        (
            "later".to_owned(),
            vec!["{channel: slack, destination: \"#later\", delay: 2s}".to_owned()],
        ),
        ("machines".to_owned(), vec![hook.clone()]),
        ("quiet".to_owned(), Vec::new()),
    ];
    let mut integrations = vec![
        integration("prometheus-main", "prometheus", "everybody", keys::PROMETHEUS),
        integration("prometheus-quiet", "prometheus", "quiet", keys::QUIET),
        integration("api-everybody", "api", "everybody", keys::API),
        integration("api-later", "api", "later", keys::LATER),
        integration("api-machines", "api", "machines", keys::MACHINES),
        integration("email-nagios", "email", "quiet", keys::EMAIL),
        integration("opsgenie-alertmanager", "opsgenie", "quiet", keys::OPSGENIE),
        integration("riemann-collectd", "riemann", "quiet", keys::RIEMANN),
        signed("api-signed", "api", keys::SIGNED),
        published("mqtt-backups", "api", "backups/#"),
        published("mqtt-presence", "presence", "tele/+/LWT"),
    ];
    for channel in 0..SLACK_CHANNELS {
        let name = format!("slack-{channel}");
        scenarios.push((
            name.clone(),
            vec![hook.clone(), slack(&format!("load-{channel}"))],
        ));
        integrations.push(integration(
            &format!("api-{name}"),
            "api",
            &name,
            &keys::slack(channel),
        ));
    }
    let scenarios: Vec<_> = scenarios
        .into_iter()
        .map(|(name, steps)| scenario(&name, &steps))
        .collect();
    let (token, secret) = (slack::TOKEN, webhook::SECRET);
    format!(
        "environments:
  - name: {ENVIRONMENT}
scenarios:
{}integrations:
{}bots:
  - {{name: slack, channel: slack, settings: {{api_url: \"{slack_url}\"}}, secrets: {{token: {token}}}}}
  - name: mail
    channel: email
    settings: {{host: 127.0.0.1, port: \"{smtp_port}\", tls: none, from: \"reveille@example.org\"}}
    secrets: {{}}
  - {{name: webhook, channel: webhook, secrets: {{signing_secret: {secret}}}}}
mappings:
  - name: presence
    alert: {{identity: [topic], name: '\"device away\"', status: body, object: 'topic.split(\"/\")[1]'}}
    states: {{firing: [offline], resolved: [online]}}
",
        scenarios.concat(),
        integrations.concat(),
    )
}

fn scenario(name: &str, steps: &[String]) -> String {
    if steps.is_empty() {
        return format!("  - {{name: {name}, steps: []}}\n");
    }
    let steps: Vec<_> = steps.iter().map(|step| format!("      - {step}\n")).collect();
    format!("  - name: {name}\n    steps:\n{}", steps.concat())
}

/// What must be signed; nobody is told.
fn signed(name: &str, source: &str, key: &str) -> String {
    let secret = webhook::SECRET;
    declared(
        name,
        source,
        "quiet",
        &format!("key: {key}, signing_secret: {secret}"),
    )
}

/// What comes by an MQTT topic; nobody is told.
fn published(name: &str, source: &str, topic: &str) -> String {
    declared(name, source, "quiet", &format!("mqtt_topics: [\"{topic}\"]"))
}

fn integration(name: &str, source: &str, scenario: &str, key: &str) -> String {
    declared(name, source, scenario, &format!("key: {key}"))
}

fn declared(name: &str, source: &str, scenario: &str, more: &str) -> String {
    format!(
        "  - {{name: {name}, type: {source}, environment: {ENVIRONMENT}, scenario: {scenario}, {more}}}\n"
    )
}
