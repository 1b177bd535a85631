//! `reveille site`: the configuration, now and as it was.

use std::io::Write;

use anyhow::Context as _;
use api::site::{RevisionPage, ShownSite, WholeRevision};
use clap::{Args, Subcommand};
use reqwest::Method;

use crate::apply::told_changes;
use crate::printable::in_line;
use crate::server::Server;

/// Look at the configuration, and who changed it.
///
/// Keys and secrets are not shown. `reveille apply` changes it.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the site, or a revision of it, as JSON.
    Show(Show),
    /// List who changed the site and when, newest first.
    Revisions(Revisions),
    /// Show what a revision changed.
    Changes(Changes),
}

#[derive(Args)]
struct Show {
    /// The site as it was at this revision.
    #[arg(long, value_name = "NUMBER")]
    revision: Option<u64>,
    #[command(flatten)]
    server: Server,
}

#[derive(Args)]
struct Revisions {
    /// At most so many.
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    limit: usize,
    /// Only those before this revision.
    #[arg(long, value_name = "NUMBER")]
    before: Option<u64>,
    #[command(flatten)]
    server: Server,
}

#[derive(Args)]
struct Changes {
    /// The number of the revision.
    revision: u64,
    #[command(flatten)]
    server: Server,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let text = match arguments.command {
        Command::Show(arguments) => show(&arguments).await?,
        Command::Revisions(arguments) => revisions(&arguments).await?,
        Command::Changes(arguments) => {
            let whole = whole(&arguments.server, arguments.revision).await?;
            told_revision(&whole)
        }
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

async fn show(arguments: &Show) -> anyhow::Result<String> {
    let site: ShownSite = match arguments.revision {
        Some(revision) => whole(&arguments.server, revision).await?.site,
        None => {
            let request = arguments.server.api(Method::GET, "/api/v1/site", &[]);
            let site = arguments.server.successful_answer(request).await?;
            serde_json::from_value(site).context("the answer is not understood")?
        }
    };
    // JSON text has its control characters escaped.
    Ok(format!("{}\n", serde_json::to_string_pretty(&site)?))
}

async fn revisions(arguments: &Revisions) -> anyhow::Result<String> {
    let limit = arguments.limit.to_string();
    let before = arguments.before.map(|number| number.to_string());
    let query = [("limit", Some(limit.as_str())), ("cursor", before.as_deref())];
    let server = &arguments.server;
    let request = server.api(Method::GET, "/api/v1/site/revisions", &query);
    let page = server.successful_answer(request).await?;
    let page: RevisionPage = serde_json::from_value(page).context("the answer is not understood")?;
    let lines = page.revisions.iter().map(|line| {
        let who = in_line(&line.by.who);
        format!("{:>8}  {:.0}  {who}\n", line.revision, line.at)
    });
    Ok(lines.collect())
}

async fn whole(server: &Server, revision: u64) -> anyhow::Result<WholeRevision> {
    let path = format!("/api/v1/site/revisions/{revision}");
    let whole = server
        .successful_answer(server.api(Method::GET, &path, &[]))
        .await?;
    serde_json::from_value(whole).context("the answer is not understood")
}

fn told_revision(whole: &WholeRevision) -> String {
    let line = &whole.line;
    let made = format!(
        "Revision {} of {:.0}, made by {}\n",
        line.revision,
        line.at,
        in_line(&line.by.who)
    );
    match &whole.changes {
        Some(changes) => made + &told_changes(changes),
        None => made + "What it changed is not known, as the revision before it is not kept any more.\n",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn revision(changes: Value) -> WholeRevision {
        serde_json::from_value(json!({
            "revision": 12, "at": "2026-09-01T10:00:00.5Z", "by": schemas::Principal::token("on\u{1b}call"),
            "changes": changes, "site": { "revision": 12 },
        }))
        .unwrap()
    }

    #[test]
    fn a_revision_is_told_with_its_author_and_what_it_changed() {
        let changes = json!([
            { "change": "change", "key": "rules/all", "fields": ["rules"] }, { "change": "remove", "key": "bot/chat" },
        ]);
        let told = told_revision(&revision(changes));
        assert!(!told.contains('\u{1b}'), "{told:?}");
        assert!(
            told.starts_with("Revision 12 of 2026-09-01T10:00:00Z, made by token on"),
            "{told:?}"
        );
        assert!(told.ends_with("~ rules/all (rules)\n- bot/chat\n"), "{told:?}");
        let told = told_revision(&revision(Value::Null));
        assert!(told.ends_with("is not kept any more.\n"), "{told:?}");
    }
}
