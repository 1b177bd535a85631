//! `with-kafka COMMAND…` runs a command while a Kafka runs for it, and ends with its code. The command finds it by
//! `REVEILLE_TEST_KAFKA`. Where no Kafka can be had the command runs without one, and says what it skips.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use tests::services::Kafka;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut words = std::env::args().skip(1);
    let program = words.next().context("say which command to run")?;
    let folder = tempfile::tempdir()?;
    let kafka = Kafka::start(folder.path(), folder.path()).await?;
    let mut command = Command::new(program);
    command.args(words);
    if let Some(kafka) = &kafka {
        command.env("REVEILLE_TEST_KAFKA", kafka.address());
    }
    let status = tokio::task::spawn_blocking(move || command.status()).await??;
    // The broker ends with its handle.
    drop(kafka);
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
