//! Reveille wakes the right people, once, and shows everyone else what is going on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use rustix::fs::Mode;

mod allocator;
mod apply;
mod data_folder;
mod demo;
mod dry_run;
mod explain;
mod import;
mod listeners;
mod log;
mod printable;
mod process;
mod rejected;
mod server;
mod site;
mod stages;
mod up;
mod variables;
mod watchdog;

/// A streaming alert pipeline: monitoring systems post alerts to it, and it tells the right people, once.
#[derive(Parser)]
#[command(name = "reveille", version, about, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  reveille up                     everything in one process; state in ./reveille-data
  reveille up --demo              the same, with a lifelike scene of alerts
  reveille apply -f site.yaml     declare environments, scenarios, integrations, bots
  reveille site revisions         who changed the site, and when
  reveille import alerts.csv      post the alerts of a file
  reveille rejected list          what could not be used, and why
  reveille try --source api a.json  what would become of a body
  reveille daemon --config r.toml one stage, on Kafka and MariaDB

Every setting of a stage is a line of the file given by --config, or an environment variable:
`kafka = \"a:9092\"` is REVEILLE_KAFKA=a:9092. docs/settings.md lists them.";

#[derive(Subcommand)]
enum Command {
    /// Run every stage in this process, on an embedded log, SQLite and a view in memory.
    Up(Up),
    /// Take what monitoring systems post: HTTP to alerts.collected.
    Collectors(StageArgs),
    /// Give alerts their environment and scenario, and apply rules.
    Decorator(StageArgs),
    /// Keep the state of every alert, and decide who must know.
    Daemon(StageArgs),
    /// Keep the hot view in Aerospike.
    Aggregator(StageArgs),
    /// Serve the live view to consoles by websocket.
    Bridge(StageArgs),
    /// Tell people: webhooks, Slack, e-mail.
    Notifiers(StageArgs),
    /// Serve the console, the API and the configuration.
    Api(StageArgs),
    /// Apply a site document: environments, scenarios, integrations, bots, rules.
    Apply(apply::Apply),
    /// Tell how an alert was received, what happened to it, and what is still to come.
    Explain(explain::Explain),
    /// Look at the configuration, and who changed it.
    Site(site::Arguments),
    /// Post the alerts of a file (NDJSON or CSV).
    Import(import::Import),
    /// Look at the bodies that were refused, and post them again.
    Rejected(rejected::Arguments),
    /// Show what would become of a body; nothing is sent.
    Try(dry_run::Try),
    /// Save what is good of a damaged log.
    Log(log::Arguments),
}

impl Command {
    /// Whether it runs until it is ended.
    const fn serves(&self) -> bool {
        !matches!(
            self,
            Self::Apply(_)
                | Self::Explain(_)
                | Self::Site(_)
                | Self::Import(_)
                | Self::Rejected(_)
                | Self::Try(_)
                | Self::Log(_)
        )
    }
}

#[derive(Args)]
struct Up {
    /// Folder that holds everything; made when it is not there.
    #[arg(
        long,
        env = "REVEILLE_DATA",
        default_value = "./reveille-data",
        value_name = "FOLDER"
    )]
    data: PathBuf,
    /// Where console, API and collectors listen.
    #[arg(
        long,
        env = "REVEILLE_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDRESS"
    )]
    listen: SocketAddr,
    /// Where metrics and health are told.
    #[arg(
        long,
        env = "REVEILLE_ADMIN_LISTEN",
        default_value = "127.0.0.1:8081",
        value_name = "ADDRESS"
    )]
    admin_listen: SocketAddr,
    /// Play a lifelike, never-ending scene of alerts.
    #[arg(long)]
    demo: bool,
    /// Make a new secret.key when it is lost: the secrets of bots and integrations must then be entered again.
    #[arg(long)]
    new_secret_key: bool,
}

#[derive(Args)]
struct StageArgs {
    /// File with settings (TOML).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn main() -> ExitCode {
    // Alerts, bodies and keys are for the user alone who runs this, whatever the shell's umask says.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    chassis::install_cryptography();
    let cli = Cli::parse();
    if cli.command.serves() {
        allocator::configure();
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Up(arguments) => {
                up::run(
                    arguments.data,
                    arguments.listen,
                    arguments.admin_listen,
                    up::Options {
                        demo: arguments.demo,
                        new_secret_key: arguments.new_secret_key,
                    },
                )
                .await
            }
            Command::Collectors(arguments) => stages::run(stages::Stage::Collectors, arguments.config).await,
            Command::Decorator(arguments) => stages::run(stages::Stage::Decorator, arguments.config).await,
            Command::Daemon(arguments) => stages::run(stages::Stage::Daemon, arguments.config).await,
            Command::Aggregator(arguments) => stages::run(stages::Stage::Aggregator, arguments.config).await,
            Command::Bridge(arguments) => stages::run(stages::Stage::Bridge, arguments.config).await,
            Command::Notifiers(arguments) => stages::run(stages::Stage::Notifiers, arguments.config).await,
            Command::Api(arguments) => stages::run(stages::Stage::Api, arguments.config).await,
            Command::Apply(arguments) => apply::run(arguments).await,
            Command::Explain(arguments) => explain::run(arguments).await,
            Command::Site(arguments) => site::run(arguments).await,
            Command::Import(arguments) => import::run(arguments).await,
            Command::Rejected(arguments) => rejected::run(arguments).await,
            Command::Try(arguments) => dry_run::run(&arguments),
            Command::Log(arguments) => log::run(arguments).await,
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "this is where a person is told why the program ends"
)]
fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("reveille: {}", printable::printable(&format!("{error:#}")));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
