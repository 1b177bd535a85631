//! `reveille import`: alerts of a file, posted as their sender would have done.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use lines::{Line, Lines};
use sender::{Sender, Verdict};

use crate::printable::in_line;
use crate::server::SenderKey;

mod lines;
mod sender;
#[cfg(test)]
mod tests;

/// The source whose body may be a list of alerts.
const GENERIC: &str = "api";
/// How many alerts go in one body, at most.
const BATCH_LINES: usize = 100;
/// How large such a body may be.
const BATCH_BYTES: usize = 1024 * 1024;
/// How many refused lines are shown; a report has all.
const SHOWN: usize = 20;

/// Post the alerts of a file.
///
/// The file is NDJSON (each line a body as the source expects it) or CSV (the first row names fields of the generic
/// API: alert_name, alert_severity, source, object, notification_output, …; `labels.x`, `annotations.x` and `links.x` are columns too).
/// Alerts are posted in the order of the file. What is refused is told at the end, line by line, and the rest goes on.
#[derive(Args)]
pub(crate) struct Import {
    /// The file; `-` is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    key: SenderKey,
    /// The source that understands the lines.
    #[arg(long, default_value = GENERIC, value_name = "NAME")]
    source: String,
    /// Where collectors listen.
    #[arg(
        long,
        env = "REVEILLE_URL",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL"
    )]
    url: String,
    /// What the file is; `csv` when its name ends so, else `ndjson`.
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Begin after so many lines of the file, to go on where an import was broken off.
    #[arg(long, default_value_t = 0, value_name = "LINES")]
    skip: u64,
    /// Write every refused line there, as NDJSON: line, field, reason.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Ndjson,
    Csv,
}

/// A line that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Refused {
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    reason: String,
}

/// What became of a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    lines: u64,
    alerts: u64,
    refused: Vec<Refused>,
}

/// Posts the file and tells what became of it.
pub(crate) async fn run(arguments: Import) -> anyhow::Result<()> {
    let format = arguments.format.unwrap_or_else(|| format_of(&arguments.file));
    if format == Format::Csv && arguments.source != GENERIC {
        bail!("the columns of CSV are fields of the generic API: leave out --source, or give NDJSON");
    }
    // What cannot be written is better known now than after the import.
    let report = match &arguments.report {
        Some(path) => {
            Some(File::create(path).with_context(|| format!("{} cannot be written", path.display()))?)
        }
        None => None,
    };
    let (bar, input) = opened(&arguments.file)?;
    let lines = lines::of(format, input)?;
    let sender = Sender::new(&arguments.url, &arguments.source, &arguments.key.integration_key);
    let outcome = import(lines, arguments.skip, &sender, &bar).await;
    bar.finish_and_clear();
    let outcome = outcome?;
    if let Some(report) = report {
        write_report(report, &outcome.refused).context("the report cannot be written")?;
    }
    io::stdout().write_all(told(&outcome).as_bytes())?;
    if !outcome.refused.is_empty() {
        bail!("{} lines were refused", outcome.refused.len());
    }
    Ok(())
}

fn format_of(file: &Path) -> Format {
    let is_csv = file
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    if is_csv { Format::Csv } else { Format::Ndjson }
}

/// The input, and a bar that shows how much of it was read; it shows itself only at a terminal.
fn opened(file: &Path) -> anyhow::Result<(ProgressBar, Box<dyn BufRead>)> {
    if file == Path::new("-") {
        let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{bytes} {msg}")?);
        let input = bar.wrap_read(io::stdin());
        return Ok((bar, Box::new(BufReader::new(input))));
    }
    let opened = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let style = ProgressStyle::with_template("{wide_bar} {percent} % {eta} {msg}")?;
    let bar = ProgressBar::new(opened.metadata()?.len()).with_style(style);
    let input = bar.wrap_read(opened);
    Ok((bar, Box::new(BufReader::new(input))))
}

/// Posts line after line, so that the order of the file is the order of each alert.
async fn import(lines: Lines, skip: u64, sender: &Sender, bar: &ProgressBar) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut batch: Vec<Line> = Vec::new();
    let mut bytes = 0;
    for line in lines {
        let line = line?;
        if line.number <= skip {
            continue;
        }
        outcome.lines += 1;
        match line.alert {
            Err(refused) => outcome.refused.push(refused),
            Ok(ref body) => {
                let alone = !sender.takes_lists || !body.starts_with('{');
                if alone || batch.len() >= BATCH_LINES || bytes + body.len() > BATCH_BYTES {
                    post(std::mem::take(&mut batch), sender, bar, &mut outcome).await?;
                    bytes = 0;
                }
                bytes += body.len();
                batch.push(line);
                if alone {
                    post(std::mem::take(&mut batch), sender, bar, &mut outcome).await?;
                }
            }
        }
    }
    post(batch, sender, bar, &mut outcome).await?;
    outcome.refused.sort_by_key(|refused| refused.line);
    Ok(outcome)
}

/// Posts some lines in one body. If they are refused, each is posted by itself, to learn which it was.
async fn post(
    batch: Vec<Line>,
    sender: &Sender,
    bar: &ProgressBar,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let Some(first) = batch.first() else {
        return Ok(());
    };
    let before = first.number - 1;
    let go_on = || format!("broken off after line {before}; to go on, give --skip {before}");
    let bodies: Vec<&str> = batch
        .iter()
        .filter_map(|line| line.alert.as_deref().ok())
        .collect();
    let body = match bodies[..] {
        [one] => one.to_owned(),
        _ => format!("[{}]", bodies.join(",")),
    };
    match sender.post(body, bar).await.with_context(go_on)? {
        Verdict::Accepted(alerts) => outcome.alerts += alerts,
        Verdict::Refused(field, reason) if batch.len() == 1 => outcome.refused.push(Refused {
            line: first.number,
            field,
            reason,
        }),
        Verdict::Refused(..) => {
            for line in batch {
                Box::pin(post(vec![line], sender, bar, outcome)).await?;
            }
        }
    }
    Ok(())
}

fn write_report(file: File, refused: &[Refused]) -> anyhow::Result<()> {
    let mut out = io::BufWriter::new(file);
    for refused in refused {
        serde_json::to_writer(&mut out, refused)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

fn told(outcome: &Outcome) -> String {
    let mut text = String::new();
    for refused in outcome.refused.iter().take(SHOWN) {
        let field = refused
            .field
            .as_ref()
            .map(|field| format!("{}: ", in_line(field)));
        text.push_str(&format!(
            "line {}: {}{}\n",
            refused.line,
            field.unwrap_or_default(),
            in_line(&refused.reason)
        ));
    }
    if outcome.refused.len() > SHOWN {
        text.push_str(&format!(
            "… and {} more; --report FILE keeps all\n",
            outcome.refused.len() - SHOWN
        ));
    }
    text.push_str(&format!(
        "{} lines: {} alerts accepted, {} lines refused.\n",
        outcome.lines,
        outcome.alerts,
        outcome.refused.len()
    ));
    text
}
