//! The monitoring systems that are understood: one file each, and one line each in [`SOURCES`].
//!
//! A source is a pure function from headers and body to events. It says which parts of the body tell one alert from
//! every other, and what the body means; everything else is the same for all of them.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Method};
use jiff::{SignedDuration, Timestamp};
use schemas::{Action, EventStatus, Fingerprint, Severity, Wish};

use self::json::{Node, Object, Place};

mod address;
mod airbrake;
mod alerta;
mod anodot;
mod api;
mod appdynamics;
mod apprise;
mod atatus;
mod azure;
mod charset;
mod cloudevents;
mod cloudwatch;
mod crashlytics;
mod datadog;
mod dynatrace;
pub(crate) mod email;
mod eventbridge;
mod form;
mod gcp;
pub(crate) mod goalert;
mod grafana;
mod healthchecks;
pub(crate) mod heartbeat;
mod icinga;
pub(crate) mod ilert;
mod json;
mod kibana;
mod lenient;
pub(crate) mod mapping;
mod nagios;
mod netdata;
mod netdata_agent;
mod newrelic;
mod notification;
mod oncall;
pub(crate) mod opsgenie;
pub(crate) mod otlp;
mod pagerduty;
pub(crate) mod pagerduty_events;
mod pingdom;
pub(crate) mod prometheus;
mod prtg;
pub(crate) mod ready_made;
pub(crate) mod riemann;
mod sentry;
mod severity;
mod signalfx;
mod site24x7;
mod slack;
mod sns_message;
mod splunk_oncall;
mod state_words;
mod statuscake;
pub(crate) mod test_alerts;
mod uptime_kuma;
mod xml;
mod zabbix;

/// The most alerts that one body may have.
pub const MOST_ALERTS: usize = domain::mapping::ITEMS_MAX;

/// A monitoring system that can post here.
pub struct Source {
    /// Its name: the last part of the path it posts to, and the type of an integration.
    pub name: &'static str,
    /// What it is.
    pub title: &'static str,
    /// Its page, field by field, from the root of the repository. Its examples are in `collectors/examples/<name>`.
    pub documentation: &'static str,
    /// How its senders hand a body over. The query of a GET is its body then, as a form.
    pub methods: &'static [Method],
    /// Understands a body.
    pub read: fn(&HeaderMap, &[u8]) -> Result<Understood, SourceError>,
}

/// Nearly all senders post.
pub(crate) const POST: &[Method] = &[Method::POST];
const POST_AND_PUT: &[Method] = &[Method::POST, Method::PUT];
const POST_AND_GET: &[Method] = &[Method::POST, Method::GET];
const POST_PUT_AND_GET: &[Method] = &[Method::POST, Method::PUT, Method::GET];

/// What a source understood of a body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Understood {
    /// Its alerts, in their order.
    pub events: Vec<SourceEvent>,
    /// What the sender should know although the body was taken.
    pub remarks: Vec<String>,
    /// How many things in the body were left out, where a sender can be told that of some.
    pub left_out: usize,
    /// Why something in the body that was meant to be an alert is none, where the others are taken all the same. The body is
    /// kept then.
    pub unusable: Option<SourceError>,
    /// What its sender wants done to its alerts, as an operator would.
    pub wishes: Vec<SourceWish>,
    /// The alert that all of it is about, where the sender names it by the id that it was given and not by what it is made
    /// of.
    pub alert: Option<Fingerprint>,
    /// The sender may ask later what came of it.
    pub outcome_wanted: bool,
}

/// What a sender wants done to one of its alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceWish {
    /// As that of the alert's events.
    pub identity: Vec<String>,
    /// What is to be done, and by whom.
    pub wish: Wish,
}

impl SourceWish {
    fn new(identity: Vec<String>, author: Option<String>, action: Action) -> Self {
        let wish = Wish { author, action };
        Self { identity, wish }
    }
}

impl Understood {
    /// A body that is fine but speaks of no alert.
    fn nothing(remark: impl Into<String>) -> Self {
        Self {
            remarks: vec![remark.into()],
            ..Self::default()
        }
    }

    /// An alert that nobody has acknowledged any more. It fires for whoever missed its beginning; that alone would end no
    /// acknowledgement.
    fn unacknowledged(event: SourceEvent, author: Option<String>) -> Self {
        let wish = SourceWish::new(event.identity.clone(), author, Action::Unacknowledge);
        Self {
            wishes: vec![wish],
            ..Self::from(event)
        }
    }

    /// Leaves out what was meant to be an alert and is none. Of several the first is why the body is kept.
    fn leave_out(&mut self, error: SourceError) {
        self.left_out += 1;
        self.remarks.push(error.to_string());
        self.unusable.get_or_insert(error);
    }

    /// The same, and something that the sender should know.
    fn with_remark(mut self, remark: Option<&str>) -> Self {
        self.remarks.extend(remark.map(str::to_owned));
        self
    }
}

impl From<Vec<SourceEvent>> for Understood {
    fn from(events: Vec<SourceEvent>) -> Self {
        Self {
            events,
            ..Self::default()
        }
    }
}

impl From<SourceEvent> for Understood {
    fn from(event: SourceEvent) -> Self {
        Self::from(vec![event])
    }
}

/// Alertmanager, and what speaks to an Alertmanager's door.
pub(crate) const PROMETHEUS: Source = Source {
    name: "prometheus",
    title: "Prometheus Alertmanager webhook, version 4",
    documentation: "docs/sources/prometheus.md",
    methods: POST,
    read: prometheus::read,
};

/// What speaks to PagerDuty's door.
pub(crate) const PAGERDUTY_EVENTS: Source = Source {
    name: "pagerduty-events",
    title: "PagerDuty Events API, version 2",
    documentation: "docs/sources/pagerduty-events.md",
    methods: POST,
    read: pagerduty_events::read,
};

/// Grafana, and what speaks to the door of Grafana OnCall as Grafana does.
pub(crate) const GRAFANA: Source = Source {
    name: "grafana",
    title: "Grafana contact point, and legacy alerting",
    documentation: "docs/sources/grafana.md",
    methods: POST_AND_PUT,
    read: grafana::read,
};

/// What else speaks to the door of Grafana OnCall.
pub(crate) const ONCALL: Source = Source {
    name: "oncall",
    title: "Grafana OnCall formatted webhook",
    documentation: "docs/sources/oncall.md",
    methods: POST,
    read: oncall::read,
};

/// What speaks to Opsgenie's door.
pub(crate) const OPSGENIE: Source = Source {
    name: "opsgenie",
    title: "Opsgenie alert API, and Opsgenie webhook",
    documentation: "docs/sources/opsgenie.md",
    methods: POST,
    read: opsgenie::read,
};

/// What speaks to the door of CloudEvents.
pub(crate) const CLOUDEVENTS: Source = Source {
    name: "cloudevents",
    title: "CloudEvents 1.0: binary, structured and in batches",
    documentation: "docs/sources/cloudevents.md",
    methods: POST,
    read: cloudevents::read,
};

/// What speaks to the door of OpenTelemetry.
pub(crate) const OTLP: Source = Source {
    name: "otlp",
    title: "OpenTelemetry logs (OTLP over HTTP), protobuf and JSON",
    documentation: "docs/sources/otlp.md",
    methods: POST,
    read: otlp::read,
};

/// What speaks to the door of Splunk On-Call.
pub(crate) const SPLUNK_ONCALL: Source = Source {
    name: "splunk-oncall",
    title: "Splunk On-Call (VictorOps) REST endpoint",
    documentation: "docs/sources/splunk-oncall.md",
    methods: POST,
    read: splunk_oncall::read,
};

/// What comes from AWS, by SNS or not.
pub(crate) const EVENTBRIDGE: Source = Source {
    name: "eventbridge",
    title: "AWS EventBridge events, bare and through SNS",
    documentation: "docs/sources/eventbridge.md",
    methods: POST,
    read: eventbridge::read,
};

/// What speaks to the door of Slack's webhooks.
pub(crate) const SLACK: Source = Source {
    name: "slack",
    title: "Slack-compatible incoming webhook",
    documentation: "docs/sources/slack.md",
    methods: POST,
    read: slack::read,
};

/// What speaks to the door of ilert.
pub(crate) const ILERT: Source = Source {
    name: "ilert",
    title: "ilert events API",
    documentation: "docs/sources/ilert.md",
    methods: POST,
    read: ilert::read,
};

/// What speaks to the door of Alerta.
pub(crate) const ALERTA: Source = Source {
    name: "alerta",
    title: "Alerta alert API",
    documentation: "docs/sources/alerta.md",
    methods: POST,
    read: alerta::read,
};

/// What speaks to the door of GoAlert.
pub(crate) const GOALERT: Source = Source {
    name: "goalert",
    title: "GoAlert generic API",
    documentation: "docs/sources/goalert.md",
    methods: POST,
    read: goalert::read,
};

/// What Site24x7 posts, also to the door of GoAlert.
pub(crate) const SITE24X7: Source = Source {
    name: "site24x7",
    title: "Site24x7 webhook",
    documentation: "docs/sources/site24x7.md",
    methods: POST_PUT_AND_GET,
    read: site24x7::read,
};

/// What calls of heartbeats are in place of a monitoring system, and the type of an integration that only calls.
pub const HEARTBEAT: &str = "heartbeat";

/// What comes through the port for mail, too.
pub(crate) const EMAIL: Source = Source {
    name: "email",
    title: "E-mail: messages as they are, or as JSON in Harp's shape",
    documentation: "docs/sources/email.md",
    methods: POST,
    read: email::read,
};

/// What speaks to Riemann's door.
pub(crate) const RIEMANN: Source = Source {
    name: "riemann",
    title: "Riemann events, as protobuf",
    documentation: "docs/sources/riemann.md",
    methods: POST,
    read: riemann::read,
};

/// All of them.
pub const SOURCES: &[Source] = &[
    PROMETHEUS,
    Source {
        name: "api",
        title: "Anything that can post JSON (the generic API of Harp)",
        documentation: "docs/sources/api.md",
        methods: POST,
        read: api::read,
    },
    Source {
        name: "apprise",
        title: "Apprise: json://, xml:// and form://",
        documentation: "docs/sources/apprise.md",
        methods: POST_PUT_AND_GET,
        read: apprise::read,
    },
    Source {
        name: "zabbix",
        title: "Zabbix media type (Harp's and the event-driven one)",
        documentation: "docs/sources/zabbix.md",
        methods: POST,
        read: zabbix::read,
    },
    GRAFANA,
    Source {
        name: "nagios",
        title: "Nagios notification macros",
        documentation: "docs/sources/nagios.md",
        methods: POST,
        read: nagios::read,
    },
    Source {
        name: "icinga",
        title: "Icinga 2 notification environment",
        documentation: "docs/sources/icinga.md",
        methods: POST,
        read: icinga::read,
    },
    Source {
        name: "cloudwatch",
        title: "AWS CloudWatch alarms through SNS",
        documentation: "docs/sources/cloudwatch.md",
        methods: POST,
        read: cloudwatch::read,
    },
    Source {
        name: "datadog",
        title: "Datadog webhook",
        documentation: "docs/sources/datadog.md",
        methods: POST,
        read: datadog::read,
    },
    Source {
        name: "pagerduty",
        title: "PagerDuty webhook, versions 2 and 3",
        documentation: "docs/sources/pagerduty.md",
        methods: POST,
        read: pagerduty::read,
    },
    PAGERDUTY_EVENTS,
    ONCALL,
    OPSGENIE,
    CLOUDEVENTS,
    OTLP,
    SPLUNK_ONCALL,
    EVENTBRIDGE,
    SLACK,
    ILERT,
    ALERTA,
    GOALERT,
    RIEMANN,
    Source {
        name: "newrelic",
        title: "New Relic workflow, and legacy alerts webhook",
        documentation: "docs/sources/newrelic.md",
        methods: POST,
        read: newrelic::read,
    },
    Source {
        name: "gcp",
        title: "Google Cloud Monitoring webhook, version 1.2",
        documentation: "docs/sources/gcp.md",
        methods: POST,
        read: gcp::read,
    },
    Source {
        name: "pingdom",
        title: "Pingdom webhook",
        documentation: "docs/sources/pingdom.md",
        methods: POST,
        read: pingdom::read,
    },
    Source {
        name: "prtg",
        title: "PRTG Execute HTTP action, as a form or JSON",
        documentation: "docs/sources/prtg.md",
        methods: POST,
        read: prtg::read,
    },
    Source {
        name: "dynatrace",
        title: "Dynatrace problem notification",
        documentation: "docs/sources/dynatrace.md",
        methods: POST,
        read: dynatrace::read,
    },
    Source {
        name: "appdynamics",
        title: "AppDynamics HTTP request action",
        documentation: "docs/sources/appdynamics.md",
        methods: POST,
        read: appdynamics::read,
    },
    Source {
        name: "anodot",
        title: "Anodot webhook",
        documentation: "docs/sources/anodot.md",
        methods: POST,
        read: anodot::read,
    },
    Source {
        name: "atatus",
        title: "Atatus webhook",
        documentation: "docs/sources/atatus.md",
        methods: POST,
        read: atatus::read,
    },
    Source {
        name: "signalfx",
        title: "SignalFx (Splunk Observability Cloud) webhook",
        documentation: "docs/sources/signalfx.md",
        methods: POST,
        read: signalfx::read,
    },
    Source {
        name: "crashlytics",
        title: "Crashlytics webhook",
        documentation: "docs/sources/crashlytics.md",
        methods: POST,
        read: crashlytics::read,
    },
    Source {
        name: "airbrake",
        title: "Airbrake webhook",
        documentation: "docs/sources/airbrake.md",
        methods: POST,
        read: airbrake::read,
    },
    EMAIL,
    Source {
        name: "azure",
        title: "Azure Monitor common alert schema",
        documentation: "docs/sources/azure.md",
        methods: POST,
        read: azure::read,
    },
    Source {
        name: "sentry",
        title: "Sentry integration platform webhook",
        documentation: "docs/sources/sentry.md",
        methods: POST,
        read: sentry::read,
    },
    Source {
        name: "kibana",
        title: "Kibana (Elastic) webhook connector",
        documentation: "docs/sources/kibana.md",
        methods: POST_AND_PUT,
        read: kibana::read,
    },
    Source {
        name: "netdata",
        title: "Netdata Cloud webhook",
        documentation: "docs/sources/netdata.md",
        methods: POST,
        read: netdata::read,
    },
    Source {
        name: "netdata-agent",
        title: "Netdata agent custom_sender",
        documentation: "docs/sources/netdata-agent.md",
        methods: POST,
        read: netdata_agent::read,
    },
    Source {
        name: "uptime-kuma",
        title: "Uptime Kuma webhook",
        documentation: "docs/sources/uptime-kuma.md",
        methods: POST_AND_GET,
        read: uptime_kuma::read,
    },
    SITE24X7,
    Source {
        name: "statuscake",
        title: "StatusCake webhook",
        documentation: "docs/sources/statuscake.md",
        methods: POST_AND_GET,
        read: statuscake::read,
    },
    Source {
        name: "healthchecks",
        title: "Healthchecks webhook",
        documentation: "docs/sources/healthchecks.md",
        methods: POST_PUT_AND_GET,
        read: healthchecks::read,
    },
];

/// The source with this name.
pub fn find(name: &str) -> Option<&'static Source> {
    SOURCES.iter().find(|source| source.name == name)
}

/// The names of all sources and of all ready-made mappings, the most similar to `name` first.
pub fn nearest(name: &str) -> Vec<&'static str> {
    let sources = SOURCES.iter().map(|source| source.name);
    let mut names: Vec<_> = sources.chain(ready_made::names()).collect();
    names.sort_by_key(|known| strsim::damerau_levenshtein(known, name));
    names
}

/// One alert of a body, as its source means it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEvent {
    /// What tells this alert from every other one of the same integration and source. Nothing in it is shortened, and
    /// nothing is in it that changes while the problem lasts.
    pub identity: Vec<String>,
    /// Whether the problem is there.
    pub status: EventStatus,
    /// The source says of a problem that is there that it is acknowledged there.
    pub acknowledged: bool,
    /// When the problem began by the sender's clock, where a resolved event rests on nothing but that clock: on an end that has
    /// passed. `severity` is then what it is while the problem is there.
    pub began_at: Option<Timestamp>,
    /// Where its end is only guessed: how bad it is if no problem of this identity is open, so that it begins.
    pub opens_as: Option<Severity>,
    /// How bad it is.
    pub severity: Severity,
    /// Which server of the monitoring system.
    pub source: String,
    /// Service or host group.
    pub service: Option<String>,
    /// The thing that is ill.
    pub object: String,
    /// The rule or trigger.
    pub name: String,
    /// Text of the problem.
    pub output: String,
    /// What it can be filtered and grouped by.
    pub labels: BTreeMap<String, String>,
    /// What the source says beside the text, whole and unchanged.
    pub annotations: BTreeMap<String, String>,
    /// Where to look further: title to address.
    pub links: BTreeMap<String, String>,
    /// When it happened, by the source's clock.
    pub occurred_at: Option<Timestamp>,
    /// Until when it holds, where the source says it again and again and falls silent at the end.
    pub expires_at: Option<Timestamp>,
    /// The same, where the source says for how long it holds from now on.
    pub lifetime: Option<SignedDuration>,
    /// Whether its sender only tries its connection.
    pub is_test: bool,
    /// The heartbeat that this is a call of.
    pub heartbeat: Option<String>,
    /// The environment that the body asks for: a name or a number of Harp's.
    pub environment: Option<String>,
    /// The scenario that the body asks for: a name or a number of Harp's.
    pub scenario: Option<String>,
    /// What the sender should know although the alert was taken.
    pub remarks: Vec<String>,
}

impl SourceEvent {
    /// An alert of which nothing but this is known yet. One that has ended is ok, however bad it was.
    pub(crate) fn new<'t>(
        identity: impl IntoIterator<Item = &'t str>,
        status: EventStatus,
        severity: Severity,
    ) -> Self {
        Self {
            identity: identity.into_iter().map(str::to_owned).collect(),
            status,
            acknowledged: false,
            began_at: None,
            opens_as: None,
            severity: match status {
                EventStatus::Resolved => Severity::Ok,
                _ => severity,
            },
            source: String::new(),
            service: None,
            object: String::new(),
            name: String::new(),
            output: String::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            links: BTreeMap::new(),
            occurred_at: None,
            expires_at: None,
            lifetime: None,
            is_test: false,
            heartbeat: None,
            environment: None,
            scenario: None,
            remarks: Vec::new(),
        }
    }

    /// Takes in a label, if there is something in it.
    fn add_label(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.labels.insert(name.to_owned(), value);
        }
    }

    /// Takes in what is said beside the text, if there is something in it.
    fn add_annotation(&mut self, name: &str, text: Option<String>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.annotations.insert(name.to_owned(), text);
        }
    }

    /// Takes in the tags of a field: a list of them, or a text as [`add_tags`](Self::add_tags) has it. In a list a comma
    /// is a part of its tag.
    fn add_tags_of(&mut self, body: &Object<'_, '_>, name: &str) {
        match body.listed(name) {
            Some(tags) => tags.iter().for_each(|tag| self.add_tag(tag)),
            None => self.add_tags(&body.flat(name).unwrap_or_default()),
        }
    }

    /// Takes in tags as senders write them: `env:prod, team:pay, urgent`.
    fn add_tags(&mut self, tags: &str) {
        tags.split(',').for_each(|tag| self.add_tag(tag));
    }

    /// Takes in one tag: with a value, or without one.
    fn add_tag(&mut self, tag: &str) {
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        match name.trim() {
            "" => self.add_named_tag(tag, ""),
            name => self.add_named_tag(name, value),
        }
    }

    /// Takes in a tag as a label. What is a label already stays as it is: another value of it, like a tag without a value,
    /// is listed in the label `tags`.
    fn add_named_tag(&mut self, name: &str, value: &str) {
        let (name, value) = (name.trim(), value.trim());
        let listed = match self.labels.get(name) {
            _ if value.is_empty() => name.to_owned(),
            Some(known) if known == value => return,
            Some(_) => format!("{name}:{value}"),
            None => {
                self.labels.insert(name.to_owned(), value.to_owned());
                return;
            }
        };
        if listed.is_empty() {
            return;
        }
        let tags = self.labels.entry("tags".to_owned()).or_default();
        if !tags.is_empty() {
            tags.push_str(", ");
        }
        tags.push_str(&listed);
    }

    /// Takes the severity from the label that asks for it, where the sender has no field for one. An alert that asks
    /// for none stays as it is.
    fn ask_severity_by_label(&mut self) {
        if self.status != EventStatus::Resolved
            && let Some(word) = self.labels.get("severity")
        {
            self.severity = severity::of_word(word).unwrap_or(Severity::Unknown);
        }
    }

    /// Says in the answer which alert an end is about: it was read from a text, so it may be another one than was meant.
    fn remark_end(&mut self, about: &str) {
        if self.status == EventStatus::Resolved {
            let about = json::shortened(about);
            self.remarks.push(format!(
                "this ends the alert about {about}, as its text says; if none is open by that name, nothing is done"
            ));
        }
    }

    /// Takes environment and scenario from the labels that ask for them.
    fn ask_by_labels(&mut self) {
        let asked = |name: &str| self.labels.get(name).filter(|text| !text.is_empty()).cloned();
        let (environment, scenario) = (asked("environment_id"), asked("scenario_id"));
        self.environment = environment.or(self.environment.take());
        self.scenario = scenario.or(self.scenario.take());
    }

    /// Takes the scenario from a name like `[PR_ID: 12] Checkout`, as Harp had it.
    fn ask_by_name(&mut self) {
        let asked = self.name.contains("PR_ID").then(|| {
            let (_, rest) = self.name.split_once(':')?;
            let (number, _) = rest.split_once(']')?;
            Some(number.replace(' ', "")).filter(|number| !number.is_empty())
        });
        self.scenario = asked.flatten().or(self.scenario.take());
    }

    /// Takes in the lists `links` and `images` of events that are meant for a pager.
    fn add_lists_of_links(&mut self, body: &Object<'_, '_>) -> Result<(), SourceError> {
        for (list, addresses, titles) in [
            ("links", &["href"][..], &["text", "href"][..]),
            ("images", &["href", "src"], &["alt", "src"]),
        ] {
            let Some(node) = body.get(list).filter(Node::is_list) else {
                continue;
            };
            let place = node.place;
            for (index, raw) in node.list()?.into_iter().enumerate() {
                let link = Node::new(raw, Place::Item(&place, index)).object()?;
                if let (Some(address), Some(title)) = (link.first(addresses)?, link.first(titles)?) {
                    self.add_link(&title, address);
                }
            }
        }
        Ok(())
    }

    /// Takes in a link. What is no address that a person may follow stays visible as a label.
    fn add_link(&mut self, title: &str, address: String) {
        if address.is_empty() {
            return;
        }
        let scheme = address.split(':').next().unwrap_or_default().to_ascii_lowercase();
        if matches!(scheme.as_str(), "http" | "https" | "mailto") {
            self.links.insert(title.to_owned(), address);
        } else {
            self.labels.entry(title.to_owned()).or_insert(address);
        }
    }
}

/// Why a body was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It is not even the format that the source speaks.
    #[error("{reason}; {remedy}")]
    Malformed {
        /// What is wrong, with its position.
        reason: String,
        /// What the sender can do.
        remedy: &'static str,
    },
    /// A field is missing, or holds what it cannot hold.
    #[error("{field} {reason}; {remedy}")]
    Invalid {
        /// Path of the field, such as `alerts[3].labels`.
        field: String,
        /// What is wrong with it.
        reason: String,
        /// What the sender can do.
        remedy: String,
    },
}

impl SourceError {
    /// Path of the field that is wrong, if it is one field.
    pub fn field(&self) -> Option<&str> {
        match self {
            SourceError::Malformed { .. } => None,
            SourceError::Invalid { field, .. } => Some(field),
        }
    }
}

#[cfg(test)]
mod tests;
