//! The monitoring systems, one file each: what its bodies mean, and which parts of them tell one alert from every other.
//!
//! Public are those that have addresses of their own.

pub(crate) mod airbrake;
pub mod alerta;
pub(crate) mod anodot;
pub(crate) mod api;
pub(crate) mod appdynamics;
pub(crate) mod apprise;
pub(crate) mod atatus;
pub(crate) mod aws;
pub(crate) mod azure;
pub mod cloudevents;
pub(crate) mod crashlytics;
pub(crate) mod datadog;
pub(crate) mod dynatrace;
pub mod email;
pub(crate) mod gcp;
pub mod goalert;
pub mod grafana;
pub(crate) mod healthchecks;
pub(crate) mod icinga;
pub mod ilert;
pub(crate) mod kibana;
pub(crate) mod nagios;
pub(crate) mod netdata;
pub(crate) mod netdata_agent;
pub(crate) mod newrelic;
pub(crate) mod notification;
pub mod oncall;
pub mod opsgenie;
pub mod otlp;
pub(crate) mod pagerduty;
pub mod pagerduty_events;
pub(crate) mod pingdom;
pub mod prometheus;
pub(crate) mod prtg;
pub mod riemann;
pub(crate) mod sentry;
pub(crate) mod signalfx;
pub mod site24x7;
pub mod slack;
pub mod splunk_oncall;
pub(crate) mod statuscake;
pub(crate) mod uptime_kuma;
pub(crate) mod zabbix;
