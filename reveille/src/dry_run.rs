//! `reveille try`: the events that a body would become.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use clap::Args;
use domain::CompiledMapping;
use pipeline::Clock;
use schemas::EventKind;
use serde_json::json;
use sources::dry_run::{self, DryRun, DryRunAlert};

use crate::apply::told_problem;
use crate::printable::{in_line, printable};
use crate::variables::with_environment;

/// Show the events that a body would become; nothing is sent, and nothing has to run.
///
/// A body that would be refused is reported with the field and the remedy, and the program ends with 1. Rules, and the
/// environment and scenario of the integration, are applied later and not shown.
#[derive(Args)]
pub(crate) struct Try {
    /// The source, or a mapping of the site.
    #[arg(long, value_name = "NAME")]
    source: String,
    /// The body; `-` reads standard input.
    #[arg(value_name = "FILE")]
    body: PathBuf,
    /// A header of the request; may be given again.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The site document whose mappings are known.
    #[arg(long, value_name = "FILE")]
    site: Option<PathBuf>,
    /// The integration of the alerts, a part of their fingerprints.
    #[arg(long, default_value = "default", value_name = "NAME")]
    integration: String,
    /// Events as they would stand in alerts.collected.
    #[arg(long)]
    json: bool,
}

/// Prints the result of the dry run.
pub(crate) fn run(arguments: &Try) -> anyhow::Result<()> {
    let mappings = match &arguments.site {
        Some(file) => mappings(file)?,
        None => Vec::new(),
    };
    let headers = headers(&arguments.headers)?;
    let body = body(&arguments.body)?;
    let now = Clock::system().now();
    let result = dry_run::run(
        &arguments.source,
        &mappings,
        &arguments.integration,
        (&headers, &body),
        now,
    );
    let mut out = std::io::stdout().lock();
    match result {
        Ok(result) if arguments.json => writeln!(out, "{}", serde_json::to_string_pretty(&result)?)?,
        Ok(result) => out.write_all(rendered(&result).as_bytes())?,
        Err(error) => {
            if arguments.json {
                let answer = json!({ "error": { "field": error.field(), "message": error.to_string() } });
                writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
            }
            bail!("the body would be refused: {error}");
        }
    }
    Ok(())
}

fn mappings(file: &Path) -> anyhow::Result<Vec<CompiledMapping>> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
    // Secrets are not needed here, so variables that are not set stay as they are.
    let variable = |name: &str| Some(std::env::var(name).unwrap_or_else(|_| format!("${{{name}}}")));
    let text = with_environment(&text, variable).with_context(|| name.clone())?;
    let declared = api::site::mappings(&text).map_err(|problems| {
        let lines = problems.iter().map(|problem| told_problem(&name, problem));
        let lines: Vec<_> = lines.collect();
        anyhow::anyhow!("the site document cannot be used\n{}", lines.join("\n"))
    })?;
    declared
        .into_iter()
        .map(|mapping| CompiledMapping::compile(mapping).map_err(Into::into))
        .collect()
}

fn headers(given: &[String]) -> anyhow::Result<HeaderMap> {
    let header = |text: &String| {
        let (name, value) = text
            .split_once(':')
            .with_context(|| format!("--header {text:?} has no colon: write it as 'NAME: VALUE'"))?;
        let name: HeaderName = name
            .trim()
            .parse()
            .with_context(|| format!("--header {name:?} is no name of a header"))?;
        let value = HeaderValue::from_str(value.trim())
            .with_context(|| format!("--header {name}: its value cannot stand in a header"))?;
        Ok((name, value))
    };
    given.iter().map(header).collect()
}

fn body(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file.as_os_str() == "-" {
        let mut body = Vec::new();
        std::io::stdin()
            .read_to_end(&mut body)
            .context("standard input cannot be read")?;
        return Ok(body);
    }
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// The result as text.
fn rendered(result: &DryRun) -> String {
    let mut text = String::new();
    for alert in &result.alerts {
        text.push_str(&rendered_alert(alert));
        text.push('\n');
    }
    if result.alerts.is_empty() {
        text.push_str("Nothing would be done.\n");
    }
    for warning in &result.warnings {
        text.push_str(&format!("Warning: {}\n", in_line(warning)));
    }
    text
}

fn rendered_alert(DryRunAlert { identity, event }: &DryRunAlert) -> String {
    if let EventKind::ActionRequest(request) = &event.kind {
        return format!(
            "{}, of {} with identity {}",
            json!(request.action),
            event.fingerprint,
            json!(identity)
        );
    }
    let status = match &event.kind {
        EventKind::Firing { .. } => format!("firing, {}", event.severity),
        EventKind::Resolved { .. } => "resolved".to_owned(),
        EventKind::Acknowledged => "acknowledged".to_owned(),
        EventKind::HeartbeatCall { run, .. } => format!("call of a heartbeat, run {}", json!(run)),
        EventKind::Probe { .. } | EventKind::ActionRequest(_) => "no report".to_owned(),
    };
    let moment = |time: Option<jiff::Timestamp>| time.map(|time| time.to_string());
    let mut lines = vec![
        ("identity", json!(identity).to_string()),
        ("fingerprint", event.fingerprint.to_string()),
        ("object", event.object.clone()),
        ("source", event.source.clone()),
    ];
    let further = [
        ("service", event.service.clone()),
        (
            "output",
            Some(event.output.clone()).filter(|output| !output.is_empty()),
        ),
        ("occurred at", moment(event.occurred_at)),
        ("holds until", moment(event.expires_at)),
        ("environment", event.environment.clone()),
        ("scenario", event.scenario.clone()),
    ];
    lines.extend(
        further
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let named = |(name, value): (&String, &String)| format!("{name} = {value}");
    lines.extend(event.labels.iter().map(|label| ("label", named(label))));
    lines.extend(
        event
            .annotations
            .iter()
            .map(|annotation| ("annotation", named(annotation))),
    );
    lines.extend(event.links.iter().map(|link| ("link", named(link))));
    let mut text = format!("{} ({status})\n", in_line(&event.name));
    for (name, value) in lines {
        // Further lines of a value stand below its first.
        text.push_str(&format!(
            "  {name:<12} {}\n",
            printable(&value).replace('\n', "\n               ")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "
bots: [{name: slack, channel: slack, secrets: {token: '${NOT_SET_ANYWHERE}'}}]
mappings:
  - name: doors
    alert: {identity: [item.id], name: item.what, status: item.state, labels: {floor: item.floor}}
    states: {firing: [open]}
";

    fn dry_run_of(source: &str, body: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("site.yaml");
        std::fs::write(&site, SITE).unwrap();
        let mappings = mappings(&site).unwrap();
        let now = "2026-09-01T10:00:00Z".parse().unwrap();
        dry_run::run(
            source,
            &mappings,
            "default",
            (&HeaderMap::new(), body.as_bytes()),
            now,
        )
        .map(|result| rendered(&result))
        .map_err(|error| error.to_string())
    }

    #[test]
    fn a_person_is_shown_what_becomes_of_a_body() {
        let body = r#"{"id": "d1", "what": "front door", "state": "open", "floor": 2}"#;
        let text = dry_run_of("doors", body).unwrap();
        assert!(
            text.starts_with("front door (firing, critical)\n  identity     [\"d1\"]\n  fingerprint  "),
            "{text}"
        );
        assert!(text.contains("\n  label        floor = 2\n"), "{text}");
    }

    #[test]
    fn s9_what_a_terminal_obeys_is_written_out() {
        let body = r#"{"id": "d1", "what": "a\nb\u001b[2J", "state": "open", "floor": "x\u009b1m"}"#;
        let text = dry_run_of("doors", body).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{9b}']), "{text:?}");
    }

    #[test]
    fn what_would_be_refused_is_told_with_its_field() {
        let refused = dry_run_of("doors", r#"{"id": "d1", "what": "x", "state": "ajar"}"#).unwrap_err();
        assert!(
            refused.starts_with("alert.status is \"ajar\"; say in `states`"),
            "{refused}"
        );
        let refused = dry_run_of("api", "{").unwrap_err();
        assert!(refused.starts_with("the body is not JSON"), "{refused}");
        let unknown = dry_run_of("zabix", "{}").unwrap_err();
        assert!(unknown.contains("one of: zabbix"), "{unknown}");
    }

    #[test]
    fn mistakes_of_a_site_are_told_with_file_line_and_column() {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("site.yaml");
        std::fs::write(&site, SITE.replace("item.what", "itm.what")).unwrap();
        let error = mappings(&site).unwrap_err().to_string();
        assert!(
            error.contains("site.yaml:5:40: alert.name: line 1, column 1: there is no \"itm\""),
            "{error}"
        );
    }

    #[test]
    fn headers_are_names_and_values() {
        assert_eq!(headers(&["X-Event: push".to_owned()]).unwrap()["x-event"], "push");
        assert!(
            headers(&["X-Event".to_owned()])
                .unwrap_err()
                .to_string()
                .contains("has no colon")
        );
    }
}
