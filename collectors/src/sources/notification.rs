//! What Nagios and Icinga 2 have in common: one notification about a host or a service, as names and texts.

use schemas::{EventStatus, Severity};

use super::json::{self, Object};
use super::{SourceError, SourceEvent, Understood, lenient, severity};

const TYPES: &str = "send PROBLEM, RECOVERY, ACKNOWLEDGEMENT, CUSTOM, FLAPPINGSTART, FLAPPINGSTOP, DOWNTIMESTART or \
                     DOWNTIMEEND, as the macro NOTIFICATIONTYPE has it";
const STATES: &str = "send OK, WARNING, CRITICAL or UNKNOWN of a service, UP, DOWN or UNREACHABLE of a host";
const TYPE: &str = "NOTIFICATIONTYPE";
const UNREACHABLE_HOST: &str = "Host Unreachable";

/// One notification.
pub(super) struct Notification<'b, 'o> {
    body: &'o Object<'b, 'o>,
    prefix: &'static str,
    host: String,
    /// The service, unless it is about the host itself.
    pub(super) service: Option<String>,
    status: EventStatus,
    state: State,
}

/// What a check says: how bad it is, if anything is wrong.
type State = Option<Severity>;

/// Reads a body, and leaves the details to its source.
pub(super) fn read(
    bytes: &[u8],
    prefix: &'static str,
    event: fn(&Notification<'_, '_>) -> Result<SourceEvent, SourceError>,
) -> Result<Understood, SourceError> {
    let mended = lenient::body(bytes);
    let body = json::body(&mended.body)?.object()?;
    let understood = match Notification::of(&body, prefix)? {
        Some(notification) => event(&notification)?.into(),
        None => Understood::nothing(
            "a flapping, a downtime or a comment of what is well is no alert, so nothing was done",
        ),
    };
    Ok(understood.with_remark(mended.remark))
}

impl<'b, 'o> Notification<'b, 'o> {
    /// `None` if it says nothing about a problem.
    fn of(body: &'o Object<'b, 'o>, prefix: &'static str) -> Result<Option<Self>, SourceError> {
        let mut notification = Self {
            body,
            prefix,
            host: String::new(),
            service: None,
            status: EventStatus::Firing,
            state: None,
        };
        let kind = notification.needed(&[TYPE], TYPES)?;
        notification.host = notification.needed(&["HOSTNAME"], "send the macro HOSTNAME")?;
        notification.service = notification.service_of_check()?;
        let status = match kind.to_ascii_uppercase().as_str() {
            "PROBLEM" => {
                notification.state = notification.state()?;
                if notification.state.is_none() {
                    let names = notification.state_names();
                    return Err(body.refuse(&names, "OK", "send the state that the problem has"));
                }
                Some(EventStatus::Firing)
            }
            "RECOVERY" => Some(EventStatus::Resolved),
            "ACKNOWLEDGEMENT" => {
                notification.state = notification.state()?;
                Some(EventStatus::Acknowledged)
            }
            // While it flaps or is in a downtime, problems and recoveries are not told; so the state at the end counts.
            "FLAPPINGSTOP" | "FLAPPINGEND" | "FLAPPINGDISABLED" | "DOWNTIMEEND" | "DOWNTIMEREMOVED"
            | "DOWNTIMECANCELLED" => {
                notification.state = notification.state()?;
                Some(match notification.state {
                    Some(_) => EventStatus::Firing,
                    None => EventStatus::Resolved,
                })
            }
            "FLAPPINGSTART" | "CUSTOM" => {
                notification.state = notification.state()?;
                notification.state.map(|_| EventStatus::Firing)
            }
            "DOWNTIMESTART" => None,
            _ => return Err(body.refuse(&[TYPE], &kind, TYPES)),
        };
        Ok(status.map(|status| Self {
            status,
            ..notification
        }))
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
        self.first(&["SERVICEDESC", "SERVICENAME", "SERVICEDISPLAYNAME"])
    }

    fn state_names(&self) -> Vec<&'static str> {
        vec![if self.service.is_some() {
            "SERVICESTATE"
        } else {
            "HOSTSTATE"
        }]
    }

    /// By the word of SEVERITY, if it is one, or by the state.
    fn state(&self) -> Result<State, SourceError> {
        let names = self.state_names();
        let word = self.needed(&names, STATES)?;
        let state = match word.to_ascii_uppercase().as_str() {
            "OK" | "UP" => return Ok(None),
            "WARNING" => Severity::Warning,
            "CRITICAL" => Severity::Critical,
            "DOWN" => Severity::Down,
            "UNKNOWN" | "UNREACHABLE" => Severity::Unknown,
            _ => return Err(self.body.refuse(&names, &word, STATES)),
        };
        // Icinga's own number of a severity, such as 2112, is none of these words.
        let given = self.field("SEVERITY")?.and_then(|word| severity::of_word(&word));
        Ok(Some(given.unwrap_or(state)))
    }

    /// All but what only one of the two has.
    pub(super) fn event(&self) -> Result<SourceEvent, SourceError> {
        let identity = match &self.service {
            Some(service) => vec!["service", &self.host, service],
            None => vec!["host", &self.host],
        };
        let severity = self.state.unwrap_or(Severity::Unknown);
        let mut event = SourceEvent::new(identity, self.status, severity);
        event.object = self.host.clone();
        event.name = self
            .service
            .clone()
            .unwrap_or_else(|| UNREACHABLE_HOST.to_owned());
        event.service = self.first(&["HOSTSERVICE", "SERVICEGROUPNAME", "HOSTGROUPNAME"])?;
        event.output = self.output()?;
        for name in ["TIMET", &format!("{}TIMET", self.prefix)] {
            let time = self.body.moment(name, &mut event.remarks)?;
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
        let comment = ["NOTIFICATIONCOMMENT", "SERVICEACKCOMMENT", "HOSTACKCOMMENT"];
        event.add_label("comment", self.first(&comment)?);
        if self.status == EventStatus::Acknowledged {
            let author = [
                "NOTIFICATIONAUTHORNAME",
                "NOTIFICATIONAUTHOR",
                "SERVICEACKAUTHOR",
                "HOSTACKAUTHOR",
            ];
            event.add_label("acknowledged_by", self.first(&author)?);
        }
        let flapping = self
            .field(TYPE)?
            .is_some_and(|kind| kind.eq_ignore_ascii_case("FLAPPINGSTART"));
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
