//! What a process has, whichever stages run in it.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use chassis::connections::{self, ConnectionLimits};
use chassis::settings::Settings;
use chassis::telemetry::{self, LogFormat, Telemetry};
use pipeline::metrics::Metrics;
use pipeline::{Clock, Context, Health, Log};
use store::Store;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::watchdog::Watchdog;

const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Everything that does not need the log yet.
pub(crate) struct Process {
    pub(crate) clock: Clock,
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
    pub(crate) telemetry: Telemetry,
    pub(crate) shutdown: CancellationToken,
    pub(crate) connections: ConnectionLimits,
    watchdog: Watchdog,
}

impl Process {
    /// Begins logging, and listens for the signals that end the process. A person at a terminal sees only what is
    /// wrong, as text; everything else reads JSON.
    pub(crate) fn begin(settings: &Settings, name: &str) -> anyhow::Result<Self> {
        let (format, usual) = if std::io::stderr().is_terminal() {
            (LogFormat::Text, "warn")
        } else {
            (LogFormat::Json, "info")
        };
        let level = settings.log_level.as_deref().unwrap_or(usual);
        let telemetry = telemetry::begin(format, level, settings.otlp_endpoint.as_deref(), name)?;
        let clock = Clock::system();
        let shutdown = CancellationToken::new();
        end_on_signals(shutdown.clone())?;
        let metrics = Metrics::new();
        let health = Health::new(clock.clone());
        Ok(Self {
            watchdog: Watchdog::start(health.clone(), shutdown.clone())?,
            connections: ConnectionLimits::new(settings, connections::raise_descriptor_limit(), &metrics),
            health,
            clock,
            metrics,
            telemetry,
            shutdown,
        })
    }

    /// Ends what tells of the process; an error if it could not recover from something.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        self.telemetry.end();
        self.watchdog.outcome()
    }

    /// The context of the stages, on this log.
    pub(crate) fn context(&self, log: Arc<dyn Log>) -> Context {
        Context {
            log,
            clock: self.clock.clone(),
            health: self.health.clone(),
            metrics: self.metrics.clone(),
            tracer: self.telemetry.tracer.clone(),
            shutdown: self.shutdown.clone(),
        }
    }
}

/// Brings the tables up to date, however long the database is away.
pub(crate) async fn migrated(health: &Health, store: &Store) {
    let task = health.task("tables");
    while let Err(error) = store.migrate().await {
        tracing::warn!(%error, "the tables are not up to date yet");
        task.waiting("database");
        tokio::time::sleep(RETRY_AFTER).await;
    }
    task.ended();
}

fn end_on_signals(shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("ending");
        shutdown.cancel();
    });
    Ok(())
}
