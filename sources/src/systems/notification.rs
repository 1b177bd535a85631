//! What Nagios and Icinga 2 have in common: one notification about a host or a service, as names and texts.

use schemas::{Action, EventStatus, Severity};

use crate::error::SourceError;
use crate::event::SourceEvent;
use crate::formats::json::{self, Object};
use crate::formats::lenient;
use crate::parsed::{ParsedBody, SourceActionRequest};
use crate::text::severity;

const TYPES: &str = "send PROBLEM, RECOVERY, ACKNOWLEDGEMENT, CUSTOM, FLAPPINGSTART, FLAPPINGSTOP, DOWNTIMESTART or \
                     DOWNTIMEEND, as the macro NOTIFICATIONTYPE has it";
const STATES: &str =
    "send OK, WARNING, CRITICAL or UNKNOWN of a service, UP, DOWN or UNREACHABLE of a host, or their numbers";
const SERVICE: [&str; 3] = ["SERVICEDESC", "SERVICENAME", "SERVICEDISPLAYNAME"];
const AUTHOR: [&str; 4] = [
    "NOTIFICATIONAUTHORNAME",
    "NOTIFICATIONAUTHOR",
    "SERVICEACKAUTHOR",
    "HOSTACKAUTHOR",
];
const COMMENT: [&str; 3] = ["NOTIFICATIONCOMMENT", "SERVICEACKCOMMENT", "HOSTACKCOMMENT"];
const TYPE: &str = "NOTIFICATIONTYPE";
const UNREACHABLE_HOST: &str = "Host Unreachable";

/// One notification.
pub(super) struct Notification<'b, 'o> {
    body: &'o Object<'b, 'o>,
    prefix: &'static str,
    host: String,
    /// The service, unless it is about the host itself.
    pub(super) service: Option<String>,
    kind: String,
    /// The status of the problem; `None` if the notification has none.
    status: Option<EventStatus>,
    /// The result of the check, if the body has it.
    state: Option<State>,
}

/// The result of a check.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Well,
    Ill(Severity),
}

/// Parses a body, and leaves the details to its source.
pub(super) fn parse(
    bytes: &[u8],
    prefix: &'static str,
    event: fn(&Notification<'_, '_>) -> Result<SourceEvent, SourceError>,
) -> Result<ParsedBody, SourceError> {
    let repaired = lenient::body(bytes);
    let body = json::body(&repaired.body)?.object()?;
    let notification = Notification::of(&body, prefix)?;
    let mut parsed = match notification.status {
        Some(_) => event(&notification)?.into(),
        None => ParsedBody::default(),
    };
    parsed.action_requests.extend(notification.action_request()?);
    if parsed.events.is_empty() && parsed.action_requests.is_empty() {
        parsed = ParsedBody::nothing(
            "a flapping without a problem, the start of a downtime and a custom notification without a comment are no \
             alert, so nothing was done",
        );
    }
    Ok(parsed.with_warning(repaired.warning))
}

impl<'b, 'o> Notification<'b, 'o> {
    fn of(body: &'o Object<'b, 'o>, prefix: &'static str) -> Result<Self, SourceError> {
        let mut notification = Self {
            body,
            prefix,
            host: String::new(),
            service: None,
            kind: String::new(),
            status: None,
            state: None,
        };
        notification.kind = notification.needed(&[TYPE], TYPES)?.to_ascii_uppercase();
        notification.host = notification.needed(&["HOSTNAME"], "send the macro HOSTNAME")?;
        notification.service = notification.service_of_check()?;
        notification.state = notification.told_state()?;
        notification.status = notification.told_status()?;
        Ok(notification)
    }

    /// A problem and its acknowledgement are what their type says, even without a severity.
    fn told_status(&self) -> Result<Option<EventStatus>, SourceError> {
        let is_ill = matches!(self.state, Some(State::Ill(_)));
        match self.kind.as_str() {
            "PROBLEM" if self.state == Some(State::Well) => {
                let (names, remedy) = (self.state_names(), "send the state that the problem has");
                Err(self.body.refuse(names, "OK", remedy))
            }
            "PROBLEM" => Ok(Some(EventStatus::Firing)),
            "RECOVERY" => Ok(Some(EventStatus::Resolved)),
            "ACKNOWLEDGEMENT" => Ok(Some(EventStatus::Acknowledged)),
            // While it flaps or is in a downtime, no problems and recoveries are sent, so the state at the end counts.
            "FLAPPINGSTOP" | "FLAPPINGEND" | "FLAPPINGDISABLED" | "DOWNTIMEEND" | "DOWNTIMEREMOVED"
            | "DOWNTIMECANCELLED" => {
                if self.state.is_none() {
                    self.needed(self.state_names(), STATES)?;
                }
                Ok(Some(match is_ill {
                    true => EventStatus::Firing,
                    false => EventStatus::Resolved,
                }))
            }
            "FLAPPINGSTART" => Ok(is_ill.then_some(EventStatus::Firing)),
            "DOWNTIMESTART" | "CUSTOM" => Ok(None),
            _ => Err(self.body.refuse(&[TYPE], &self.kind, TYPES)),
        }
    }

    /// The comment on the problem: a custom notification is nothing but a comment.
    fn action_request(&self) -> Result<Option<SourceActionRequest>, SourceError> {
        if !matches!(self.kind.as_str(), "ACKNOWLEDGEMENT" | "CUSTOM") {
            return Ok(None);
        }
        let author = self.first(&AUTHOR)?;
        Ok(self.first(&COMMENT)?.map(|comment| {
            let identity = self.identity().into_iter().map(str::to_owned);
            SourceActionRequest::new(identity.collect(), author, Action::Comment { comment })
        }))
    }

    fn identity(&self) -> Vec<&str> {
        match &self.service {
            Some(service) => vec!["service", &self.host, service],
            None => vec!["host", &self.host],
        }
    }

    /// A field, with or without the prefix.
    pub(super) fn field(&self, name: &str) -> Result<Option<String>, SourceError> {
        self.body.first(&[name, &format!("{}{name}", self.prefix)])
    }

    fn first(&self, names: &[&str]) -> Result<Option<String>, SourceError> {
        for name in names {
            if let Some(text) = self.field(name)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    fn needed(&self, names: &[&str], remedy: &str) -> Result<String, SourceError> {
        match self.first(names)? {
            Some(text) => Ok(text),
            None => self.body.needed(names, remedy),
        }
    }

    fn service_of_check(&self) -> Result<Option<String>, SourceError> {
        let about_host = self
            .field("PROBLEMTYPE")?
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("host"));
        if about_host {
            return Ok(None);
        }
        self.first(&SERVICE)
    }

    fn state_names(&self) -> &'static [&'static str] {
        match self.service {
            Some(_) => &["SERVICESTATE", "SERVICESTATEID"],
            None => &["HOSTSTATE", "HOSTSTATEID"],
        }
    }

    fn told_state(&self) -> Result<Option<State>, SourceError> {
        // The type of a recovery implies its state.
        if matches!(self.kind.as_str(), "RECOVERY" | "DOWNTIMESTART" | "CUSTOM") {
            return Ok(None);
        }
        let names = self.state_names();
        // Without the name of a service the state of a service is that of the host.
        let of_host = self.service.is_none() && self.first(&SERVICE)?.is_none();
        let elsewhere: &[&str] = if of_host { &["SERVICESTATE"] } else { &[] };
        let Some(word) = self.first(&[names, elsewhere].concat())? else {
            return Ok(None);
        };
        let upper = word.to_ascii_uppercase();
        // Icinga's API has numbers with a fraction.
        let state = match (upper.strip_suffix(".0").unwrap_or(&upper), &self.service) {
            ("OK" | "UP" | "0", _) => State::Well,
            ("WARNING", _) | ("1", Some(_)) => State::Ill(Severity::Warning),
            ("CRITICAL", _) | ("2", Some(_)) => State::Ill(Severity::Critical),
            ("DOWN", _) | ("1", None) => State::Ill(Severity::Down),
            ("UNKNOWN" | "UNREACHABLE", _) | ("3", Some(_)) | ("2", None) => State::Ill(Severity::Unknown),
            _ => return Err(self.body.refuse(names, &word, STATES)),
        };
        Ok(Some(state))
    }

    /// By the word of SEVERITY, if it is one, or by the state.
    fn severity(&self) -> Result<Option<Severity>, SourceError> {
        // Icinga's own number of a severity, such as 2112, is none of these words.
        let given = self.field("SEVERITY")?.and_then(|word| severity::of_word(&word));
        Ok(given.or(match self.state {
            Some(State::Ill(severity)) => Some(severity),
            _ => None,
        }))
    }

    /// The fields that Nagios and Icinga have in common.
    pub(super) fn event(&self) -> Result<SourceEvent, SourceError> {
        let status = self.status.unwrap_or(EventStatus::Firing);
        let severity = self.severity()?;
        let mut event = SourceEvent::new(self.identity(), status, severity.unwrap_or(Severity::Unknown));
        if severity.is_none() && status == EventStatus::Firing {
            let name = self.state_names().first().copied().unwrap_or_default();
            event
                .warnings
                .push(format!("{name} is missing, so the severity is unknown; {STATES}"));
        }
        event.object = self.host.clone();
        event.name = self
            .service
            .clone()
            .unwrap_or_else(|| UNREACHABLE_HOST.to_owned());
        event.service = self.first(&["HOSTSERVICE", "SERVICEGROUPNAME", "HOSTGROUPNAME"])?;
        event.output = self.output()?;
        for name in ["TIMET", &format!("{}TIMET", self.prefix)] {
            let time = self.body.moment(name, &mut event.warnings)?;
            event.occurred_at = event.occurred_at.or(time);
        }
        event.scenario = self.field("PROCEDURE_ID")?;
        for (label, name) in [
            ("address", "HOSTADDRESS"),
            ("host_name", "HOSTDISPLAYNAME"),
            ("role", "HOSTROLE"),
            ("procedure", "PROCEDURE"),
            ("notes", "SERVICENOTES"),
        ] {
            event.add_label(label, self.field(name)?);
        }
        self.add_author(&mut event)?;
        self.add_links(&mut event)?;
        Ok(event)
    }

    fn add_author(&self, event: &mut SourceEvent) -> Result<(), SourceError> {
        if self.kind == "ACKNOWLEDGEMENT" {
            event.add_label("acknowledged_by", self.first(&AUTHOR)?);
        } else {
            event.add_label("comment", self.first(&COMMENT)?);
        }
        let flapping = self.kind == "FLAPPINGSTART";
        event.add_label("flapping", flapping.then(|| "true".to_owned()));
        Ok(())
    }

    fn output(&self) -> Result<String, SourceError> {
        let (short, long) = match self.service {
            Some(_) => ("SERVICEOUTPUT", "LONGSERVICEOUTPUT"),
            None => ("HOSTOUTPUT", "LONGHOSTOUTPUT"),
        };
        let lines: Vec<_> = [self.field(short)?, self.field(long)?]
            .into_iter()
            .flatten()
            .collect();
        Ok(lines.join("\n"))
    }

    fn add_links(&self, event: &mut SourceEvent) -> Result<(), SourceError> {
        for (title, name) in [
            ("Action", "SERVICEACTIONURL"),
            ("Notes", "SERVICENOTESURL"),
            ("Graph", "SERVICEGRAPH"),
        ] {
            event.add_link(title, self.field(name)?.unwrap_or_default());
        }
        Ok(())
    }
}
