//! `reveille apply`: configuration as code.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use api::site::{Applied, ChangeKind, Problem, SiteChange};
use clap::Args;
use reqwest::Method;
use serde_json::Value;

use crate::printable::in_line;
use crate::server::Server;
use crate::variables::with_environment;

/// Apply a site document.
///
/// A section that is absent from the file stays as it is; a section that is present is all there is to be.
/// `${NAME}` in the file stands for the environment variable NAME. Applying twice changes nothing. If anything in the
/// file is wrong, nothing is applied.
#[derive(Args)]
pub(crate) struct Apply {
    /// The site document (YAML).
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    server: Server,
    /// Only show what would differ.
    #[arg(long)]
    dry_run: bool,
}

/// Sends the document and tells what became of it.
pub(crate) async fn run(arguments: Apply) -> anyhow::Result<()> {
    let file = arguments.file.display().to_string();
    let text = std::fs::read_to_string(&arguments.file).with_context(|| format!("{file} cannot be read"))?;
    let text = with_environment(&text, |name| std::env::var(name).ok()).with_context(|| file.clone())?;
    let query = [("dry_run", arguments.dry_run.then_some("true"))];
    let request = arguments.server.api(Method::PUT, "/api/v1/site", &query);
    let request = request.header("content-type", "application/yaml").body(text);
    let (status, body) = arguments.server.answer(request).await?;
    if !status.is_success() {
        bail!(refusal(&file, &body));
    }
    let applied: Applied = serde_json::from_value(body).context("the answer is not understood")?;
    std::io::stdout().write_all(told(&applied, arguments.dry_run).as_bytes())?;
    Ok(())
}

/// Every mistake on a line of its own, as compilers do.
fn refusal(file: &str, body: &Value) -> String {
    let error = &body["error"];
    let mut text = error["message"].as_str().unwrap_or("refused").to_owned();
    let problems: Vec<Problem> = serde_json::from_value(error["problems"].clone()).unwrap_or_default();
    for problem in problems {
        text.push('\n');
        text.push_str(&told_problem(file, &problem));
    }
    text
}

/// Where a mistake is, what it is, and what to do about it.
pub(crate) fn told_problem(file: &str, problem: &Problem) -> String {
    let Problem {
        line,
        column,
        message,
        remedy,
    } = problem;
    let remedy = match remedy.as_str() {
        "" => String::new(),
        remedy => format!(" ({remedy})"),
    };
    format!("{file}:{line}:{column}: {message}{remedy}")
}

/// A line for each change of the site.
pub(crate) fn told_changes(changes: &[SiteChange]) -> String {
    let mut text = String::new();
    for change in changes {
        let sign = match change.change {
            ChangeKind::Add => '+',
            ChangeKind::Change => '~',
            ChangeKind::Remove => '-',
        };
        text.push_str(&format!("{sign} {}", in_line(&change.key)));
        if !change.fields.is_empty() {
            text.push_str(&format!(" ({})", in_line(&change.fields.join(", "))));
        }
        text.push('\n');
    }
    text
}

fn told(applied: &Applied, dry_run: bool) -> String {
    let mut text = told_changes(&applied.changes);
    text.push_str(&match (applied.changes.len(), dry_run) {
        (0, _) => format!("Nothing differs; the site is at revision {}.\n", applied.revision),
        (count, true) => format!("{count} would differ; nothing was applied.\n"),
        (count, false) => format!("{count} applied; the site is at revision {}.\n", applied.revision),
    });
    if applied.applied && !applied.published {
        text.push_str(
            "The stages cannot read it yet, as the log is away; they will as soon as it is back.\n",
        );
    }
    text
}
