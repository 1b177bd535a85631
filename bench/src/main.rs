//! Measures Reveille, on embedded parts and on the real services, and Alertmanager beside it, where there is one.
//!
//! What is measured, how, and what the figures are worth is told in `docs/bench.md`.

mod arrivals;
mod bodies;
mod collecting;
mod exposition;
mod http;
mod load;
mod machine;
mod report;
mod scenarios;
mod screen;
mod sink;
mod subject;
mod usage;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;

use report::Report;
use scenarios::{GROUPS, Plan, Scenario};
use subject::{Kind, Subject};

/// Measures Reveille, and prints a table in Markdown.
#[derive(Parser)]
#[command(name = "reveille-bench", version)]
struct Options {
    /// A first look, in about two minutes.
    #[arg(long)]
    quick: bool,
    /// Only this scenario; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<Scenario>,
    /// Only on this; may be given several times.
    #[arg(long, value_name = "SUBJECT")]
    on: Vec<Kind>,
    /// How many alerts a storm has.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    storm: Option<u32>,
}

impl Options {
    fn plan(&self) -> Plan {
        let plan = if self.quick { Plan::QUICK } else { Plan::USUAL };
        match self.storm {
            Some(storm) => Plan {
                storm: storm as usize,
                ..plan
            },
            None => plan,
        }
    }

    fn kinds(&self) -> impl Iterator<Item = Kind> {
        Kind::ALL
            .into_iter()
            .filter(|kind| self.on.is_empty() || self.on.contains(kind))
    }

    fn groups(&self) -> Vec<Vec<Scenario>> {
        let wanted = |scenario: &&Scenario| self.only.is_empty() || self.only.contains(scenario);
        GROUPS
            .iter()
            .map(|group| group.iter().filter(wanted).copied().collect::<Vec<_>>())
            .filter(|group| !group.is_empty())
            .collect()
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let folder = folder()?;
    let facts = machine::facts(&folder);
    let mut report = Report::default();
    for kind in options.kinds() {
        for group in options.groups() {
            if !measured(kind, &group, &options.plan(), &folder, &mut report).await {
                break;
            }
        }
    }
    std::io::stdout()
        .write_all(report.markdown(&facts).as_bytes())
        .context("writing the table")
}

/// One group of scenarios on an empty subject. What goes wrong is told in the report, and the others are still
/// measured; only where there is no such subject there is no more to do.
async fn measured(kind: Kind, group: &[Scenario], plan: &Plan, logs: &Path, report: &mut Report) -> bool {
    let names: Vec<_> = group.iter().map(|scenario| scenario.name()).collect();
    let names = names.join("-");
    tests::say(&format!("{}: {names} (load {})", kind.name(), machine::load()));
    let logs = logs.join(kind.name().replace(' ', "-")).join(&names);
    let mut subject = match Subject::start(kind, &logs).await {
        Ok(Some(subject)) => subject,
        Ok(None) => return false,
        Err(error) => {
            report.remark(kind, format!("does not start: {error:#}"));
            return true;
        }
    };
    for scenario in group {
        if let Err(error) = scenario.run(&mut subject, plan, report).await {
            report.remark(kind, format!("{}: {error:#}", scenario.name()));
        }
    }
    true
}

/// Logs of what is measured, beside this program, for whoever wants to know why.
fn folder() -> Result<PathBuf> {
    let own = std::env::current_exe().context("where this executable is")?;
    let folder = own.parent().unwrap_or(Path::new(".")).join("bench-logs");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests_of_the_command_line {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Options::command().debug_assert();
    }

    #[test]
    fn only_what_is_asked_for_is_measured() {
        let options = Options::parse_from([
            "reveille-bench",
            "--only",
            "storm",
            "--only",
            "latency",
            "--storm",
            "7",
        ]);
        assert_eq!(options.groups(), [vec![Scenario::Latency], vec![Scenario::Storm]]);
        assert_eq!((options.plan().storm, options.kinds().count()), (7, 3));
    }
}
