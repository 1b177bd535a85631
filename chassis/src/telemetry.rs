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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use jiff::Timestamp;

    use super::*;

    #[tokio::test]
    async fn a_span_reaches_the_endpoint() {
        crate::install_cryptography();
        let collector = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", collector.local_addr().unwrap());
        let received = std::thread::spawn(move || {
            let (mut connection, _) = collector.accept().unwrap();
            let mut request = vec![0; 64 * 1024];
            let length = connection.read(&mut request).unwrap();
            connection
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let telemetry = begin(LogFormat::Json, "info", Some(&endpoint), "daemon").unwrap();
        let now = Timestamp::now();
        telemetry.tracer.span("daemon", None, now, now);
        tokio::task::spawn_blocking(move || telemetry.end())
            .await
            .unwrap();
        let request = received.join().unwrap();
        assert!(request.starts_with("POST /v1/traces HTTP/1.1"), "{request}");
    }

    #[test]
    fn a_level_that_is_none_is_refused_with_the_remedy() {
        let error = begin(LogFormat::Json, "a=b=c", None, "daemon")
            .map(|_| ())
            .unwrap_err();
        assert!(error.to_string().contains("use error, warn, info"), "{error}");
    }
}
