//! `reveille log`: the embedded log of `up`, and the spool of a collector, on disk.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use pipeline::Clock;
use pipeline::log::embedded::{Rescue, is_log, rescue};

/// The log of `up` and the spool of a collector, on disk.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Save what is good of a damaged log into a new folder.
    ///
    /// The new folder takes the place of the damaged one, which is kept beside it. What could not be saved is told, with
    /// topic, partition and offsets. The process must be stopped. Nothing is changed when nothing is damaged.
    Rescue(Folder),
}

#[derive(Args)]
struct Folder {
    /// The data folder of `up`, or the spool of a collector.
    #[arg(
        long,
        env = "REVEILLE_DATA",
        default_value = "./reveille-data",
        value_name = "FOLDER"
    )]
    data: PathBuf,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Command::Rescue(Folder { data }) = arguments.command;
    let folder = log_in(&data);
    let done = {
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || rescue(&folder, Clock::system().now())).await??
    };
    std::io::stdout().write_all(told(&folder, &done).as_bytes())?;
    Ok(())
}

/// The folder of the log: in that of `up`, or this one.
fn log_in(data: &Path) -> PathBuf {
    // What is put beside it needs a name, also when this one is `.`.
    let data = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    let inner = data.join("log");
    if is_log(&inner) { inner } else { data }
}

fn told(folder: &Path, done: &Rescue) -> String {
    let folder = folder.display();
    let Some(kept) = &done.kept_as else {
        return format!(
            "{folder} is not damaged: {} records; nothing was changed.\n",
            done.records
        );
    };
    let mut text = "Damaged:\n".to_owned();
    for damage in &done.damages {
        text.push_str(&format!("  {damage}\n"));
    }
    text.push_str(&format!("Saved: {} records, in {folder}\n", done.records));
    if done.lost.is_empty() {
        text.push_str("Lost: no record that is known of\n");
    } else {
        text.push_str("Lost:\n");
    }
    for lost in &done.lost {
        text.push_str(&format!("  {lost}\n"));
    }
    text.push_str(&format!(
        "The damaged folder is kept as {}. Start the process again; once all is well, remove it.\n",
        kept.display()
    ));
    text
}
