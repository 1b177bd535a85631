//! The list of all sources.

use crate::ready_made;
use crate::source::Source;
use crate::systems::{
    airbrake, alerta, anodot, api, appdynamics, apprise, atatus, aws, azure, cloudevents, crashlytics,
    datadog, dynatrace, email, gcp, goalert, grafana, healthchecks, icinga, ilert, kibana, nagios, netdata,
    netdata_agent, newrelic, oncall, opsgenie, otlp, pagerduty, pagerduty_events, pingdom, prometheus, prtg,
    riemann, sentry, signalfx, site24x7, slack, splunk_oncall, statuscake, uptime_kuma, zabbix,
};

/// All sources, one line each.
pub const SOURCES: &[Source] = &[
    prometheus::SOURCE,
    api::SOURCE,
    apprise::SOURCE,
    zabbix::SOURCE,
    grafana::SOURCE,
    nagios::SOURCE,
    icinga::SOURCE,
    aws::CLOUDWATCH,
    datadog::SOURCE,
    pagerduty::SOURCE,
    pagerduty_events::SOURCE,
    oncall::SOURCE,
    opsgenie::SOURCE,
    cloudevents::SOURCE,
    otlp::SOURCE,
    splunk_oncall::SOURCE,
    aws::EVENTBRIDGE,
    slack::SOURCE,
    ilert::SOURCE,
    alerta::SOURCE,
    goalert::SOURCE,
    riemann::SOURCE,
    newrelic::SOURCE,
    gcp::SOURCE,
    pingdom::SOURCE,
    prtg::SOURCE,
    dynatrace::SOURCE,
    appdynamics::SOURCE,
    anodot::SOURCE,
    atatus::SOURCE,
    signalfx::SOURCE,
    crashlytics::SOURCE,
    airbrake::SOURCE,
    email::SOURCE,
    azure::SOURCE,
    sentry::SOURCE,
    kibana::SOURCE,
    netdata::SOURCE,
    netdata_agent::SOURCE,
    uptime_kuma::SOURCE,
    site24x7::SOURCE,
    statuscake::SOURCE,
    healthchecks::SOURCE,
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
