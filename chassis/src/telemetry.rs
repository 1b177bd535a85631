//! Logs and traces of a process.

use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use pipeline::trace::Tracer;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// For a person at a terminal.
    Text,
}

/// Telemetry cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is none.
    #[error("log_level {0:?} is not understood: use error, warn, info, debug, trace or a tracing filter")]
    Level(String),
    /// The endpoint is none.
    #[error("otlp_endpoint {endpoint:?} cannot be used: {error}")]
    #[allow(missing_docs)]
    Endpoint { endpoint: String, error: String },
}

/// Keeps the exporter of traces; [`Telemetry::end`] sends what is left.
pub struct Telemetry {
    /// Where spans go.
    pub tracer: Tracer,
    provider: Option<SdkTracerProvider>,
}

/// Begins logging to standard error, and exporting traces if an endpoint (OTLP over HTTP) is given.
pub fn begin(
    format: LogFormat,
    level: &str,
    otlp_endpoint: Option<&str>,
    stage: &str,
) -> Result<Telemetry, TelemetryError> {
    let filter = EnvFilter::try_new(level).map_err(|_| TelemetryError::Level(level.to_owned()))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    // A second call (in tests) keeps the first one's logs.
    let _ = match format {
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
        LogFormat::Text => registry.with(lines.compact()).try_init(),
    };
    let provider = otlp_endpoint
        .map(|endpoint| provider(endpoint, stage))
        .transpose()?;
    let tracer = provider.as_ref().map_or_else(Tracer::disabled, Tracer::new);
    Ok(Telemetry { tracer, provider })
}

fn provider(endpoint: &str, stage: &str) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()
        .map_err(|error| TelemetryError::Endpoint {
            endpoint: endpoint.to_owned(),
            error: error.to_string(),
        })?;
    let resource = Resource::builder()
        .with_service_name(format!("reveille-{stage}"))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build())
}

impl Telemetry {
    /// Sends what was not exported yet.
    pub fn end(self) {
        if let Some(Err(error)) = self.provider.map(|provider| provider.shutdown()) {
            tracing::warn!(%error, "some spans were not exported");
        }
    }
}
