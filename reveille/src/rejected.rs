//! `reveille rejected`: what could not be used, why, and once more.

use std::io::{IsTerminal, Write};

use anyhow::{Context as _, bail};
use api::rejected::{RejectedLine, RejectedPage, RejectedWhole};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use reqwest::Method;
use schemas::rejection::{HEADER_VOUCHER, Rejected, RejectedKind};

use crate::printable::{in_line, printable};
use crate::server::{SenderKey, Server, message};

/// Look at the bodies that were refused, and post them again.
///
/// Collectors keep what a known sender posted and they could not use, for 30 days (`rejected_days`), with the reason; the decorator keeps
/// what a rule dropped.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List what was refused, newest first.
    List(List),
    /// Show one of them whole.
    Show(Show),
    /// Post bodies again, as they came: after the sender's set-up, or Reveille, was mended.
    Replay(Replay),
}

#[derive(Args)]
struct List {
    /// Only of this monitoring system.
    #[arg(long, value_name = "NAME")]
    monitoring_system: Option<String>,
    /// Only of this integration.
    #[arg(long, value_name = "NAME")]
    integration: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    limit: usize,
    #[command(flatten)]
    server: Server,
}

#[derive(Args)]
struct Show {
    /// As `list` shows it.
    id: String,
    /// Only the body, byte for byte; at a terminal with what it would obey written out, unless --raw is given.
    #[arg(long)]
    body: bool,
    /// As it came: escape sequences in it reach the terminal.
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Args)]
struct Replay {
    /// As `list` shows them.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    key: SenderKey,
    #[command(flatten)]
    server: Server,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::List(arguments) => list(arguments).await,
        Command::Show(arguments) => show(arguments).await,
        Command::Replay(arguments) => replay(arguments).await,
    }
}

async fn list(arguments: List) -> anyhow::Result<()> {
    let limit = arguments.limit.to_string();
    let query = [
        ("monitoring_system", arguments.monitoring_system.as_deref()),
        ("integration", arguments.integration.as_deref()),
        ("limit", Some(limit.as_str())),
    ];
    let server = &arguments.server;
    let request = server.api(Method::GET, "/api/v1/rejected", &query);
    let page = server.successful_answer(request).await?;
    let page: RejectedPage = serde_json::from_value(page).context("the answer is not understood")?;
    std::io::stdout().write_all(told(&page).as_bytes())?;
    Ok(())
}

async fn show(arguments: Show) -> anyhow::Result<()> {
    let whole = whole(&arguments.server, &arguments.id).await?;
    let body = body(&whole.rejected)?;
    let mut out = std::io::stdout();
    if arguments.body && (arguments.raw || !out.is_terminal()) {
        out.write_all(&body)?;
        return Ok(());
    }
    if arguments.body {
        out.write_all(printable(&String::from_utf8_lossy(&body)).as_bytes())?;
        return Ok(());
    }
    out.write_all(described(&whole, arguments.raw).as_bytes())?;
    match std::str::from_utf8(&body) {
        Ok(text) if arguments.raw => writeln!(out, "\n{text}")?,
        Ok(text) => writeln!(out, "\n{}", printable(text))?,
        Err(_) => writeln!(
            out,
            "\n({} bytes that are not text: --body writes them)",
            body.len()
        )?,
    }
    Ok(())
}

async fn replay(arguments: Replay) -> anyhow::Result<()> {
    let mut refused = 0;
    for id in &arguments.ids {
        let line = match replayed(&arguments, id).await? {
            Ok(()) => format!("{id}: taken\n"),
            Err(reason) => {
                refused += 1;
                format!("{id}: refused again: {}\n", in_line(&reason))
            }
        };
        std::io::stdout().write_all(line.as_bytes())?;
    }
    if refused > 0 {
        bail!("{refused} of {} were refused again", arguments.ids.len());
    }
    Ok(())
}

/// Why it was not taken, if it was not.
async fn replayed(arguments: &Replay, id: &str) -> anyhow::Result<Result<(), String>> {
    let RejectedWhole {
        rejected, voucher, ..
    } = whole(&arguments.server, id).await?;
    let path = match path(&rejected) {
        Ok(path) => path,
        Err(reason) => return Ok(Err(reason.to_owned())),
    };
    let query = [
        ("environment_id", rejected.environment.as_deref()),
        ("scenario_id", rejected.scenario.as_deref()),
    ];
    let mut request = arguments.server.outside(Method::POST, path, &query);
    for (name, value) in &rejected.headers {
        request = request.header(name, value);
    }
    if let Some(voucher) = voucher {
        request = request.header(HEADER_VOUCHER, voucher);
    }
    let request = request
        .header("x-integration-key", &arguments.key.integration_key)
        .body(body(&rejected)?);
    let (status, answer) = arguments.server.answer(request).await?;
    if status.is_success() {
        return Ok(Ok(()));
    }
    Ok(Err(message(&answer)))
}

/// Where it can be posted again, if it can.
fn path(rejected: &Rejected) -> Result<&str, &'static str> {
    match (rejected.kind, &rejected.path) {
        (RejectedKind::Event, _) => {
            Err("a rule dropped this event; change the rule, and what its sender posts next comes through")
        }
        _ if rejected.cut => Err("only its beginning was kept; ask its sender to send it again"),
        (RejectedKind::Body, None) => Err(
            "it is not known where it was posted to; write it out with show --body, and post it with curl",
        ),
        (RejectedKind::Body, Some(path)) => Ok(path),
    }
}

async fn whole(server: &Server, id: &str) -> anyhow::Result<RejectedWhole> {
    let request = server.api(Method::GET, &format!("/api/v1/rejected/{id}"), &[]);
    let whole = server.successful_answer(request).await?;
    serde_json::from_value(whole).context("the answer is not understood")
}

fn body(rejected: &Rejected) -> anyhow::Result<Vec<u8>> {
    STANDARD
        .decode(&rejected.body_base64)
        .context("the body that was kept is not base64")
}

fn told(page: &RejectedPage) -> String {
    let mut text: String = page.rejected.iter().map(told_line).collect();
    let shown = page.rejected.len();
    text.push_str(&match page.total {
        0 => "Nothing was refused.\n".to_owned(),
        total if total > shown => format!("{shown} of {total}; --limit shows more.\n"),
        _ => "`reveille rejected show ID` shows one whole.\n".to_owned(),
    });
    text
}

fn told_line(line: &RejectedLine) -> String {
    let integration = in_line(line.integration.as_deref().unwrap_or("-"));
    format!(
        "{}  {:.0}  {} ({integration}): {}\n",
        line.id,
        line.at,
        in_line(&line.monitoring_system),
        in_line(&line.reason)
    )
}

fn described(whole: &RejectedWhole, raw: bool) -> String {
    let rejected = &whole.rejected;
    let shown = |text: &str| if raw { text.to_owned() } else { in_line(text) };
    let mut text = format!(
        "id: {}\nat: {}\nmonitoring system: {}\n",
        whole.id,
        rejected.at,
        shown(&rejected.monitoring_system)
    );
    let known = [
        ("integration", &rejected.integration),
        ("posted to", &rejected.path),
        ("environment", &rejected.environment),
        ("scenario", &rejected.scenario),
    ];
    for (what, value) in known {
        if let Some(value) = value {
            text.push_str(&format!("{what}: {}\n", shown(value)));
        }
    }
    for (name, value) in &rejected.headers {
        text.push_str(&format!("{}: {}\n", shown(name), shown(value)));
    }
    text.push_str(&format!("reason: {}\n", shown(&rejected.reason)));
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rejected(more: Value) -> Rejected {
        let mut value = json!({
            "at": "2026-09-01T10:00:00Z", "monitoring_system": "api", "reason": "alert_name is missing",
            "body_base64": "e30=",
        });
        for (name, field) in more.as_object().unwrap() {
            value[name] = field.clone();
        }
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn only_whole_bodies_whose_address_is_known_are_posted_again() {
        let posted = json!({ "path": "/monitoring-system/api" });
        assert_eq!(path(&rejected(posted)), Ok("/monitoring-system/api"));
        for (more, words) in [
            (json!({}), "show --body"),
            (json!({ "path": "/x", "cut": true }), "only its beginning"),
            (json!({ "kind": "event" }), "change the rule"),
        ] {
            assert!(path(&rejected(more)).unwrap_err().contains(words));
        }
    }

    #[test]
    fn s9_what_a_sender_posted_neither_adds_lines_nor_reaches_the_terminal() {
        let hostile = json!({ "reason": "x\n\u{1b}[2Jid: 9", "path": "/a\u{202e}", "headers": {"user-agent": "a\u{9b}\rb"} });
        let whole = RejectedWhole {
            id: "0-7".to_owned(),
            rejected: rejected(hostile),
            voucher: None,
        };
        let text = described(&whole, false);
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\r']), "{text:?}");
        assert!(text.ends_with("reason: x\\n\\u{1b}[2Jid: 9\n"), "{text}");
        assert!(described(&whole, true).contains("\u{1b}[2J"));
    }

    #[test]
    fn the_list_has_a_line_each_and_says_when_there_are_more() {
        let page = json!({ "total": 2, "rejected": [{
            "id": "0-7", "at": "2026-09-01T10:00:00Z", "monitoring_system": "api", "integration": null,
            "reason": "alert_name is missing", "kind": "body", "cut": false,
        }] });
        assert_eq!(
            told(&serde_json::from_value(page).unwrap()),
            "0-7  2026-09-01T10:00:00Z  api (-): alert_name is missing\n1 of 2; --limit shows more.\n"
        );
        let nothing = json!({ "total": 0, "rejected": [] });
        assert_eq!(
            told(&serde_json::from_value(nothing).unwrap()),
            "Nothing was refused.\n"
        );
    }
}
