//! Traces through the log: the W3C trace context in the record headers, and the spans of each hop.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use jiff::Timestamp;
use opentelemetry::trace::{
    Span, SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState, Tracer as _,
    TracerProvider,
};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use schemas::{HEADER_SCHEMA_VERSION, HEADER_TRACEPARENT, SCHEMA_VERSION};

/// A place in a trace: the value of the header `traceparent` (<https://www.w3.org/TR/trace-context/>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace: u128,
    span: u64,
    sampled: bool,
}

/// The text is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent: it should be like 00-<32 hex digits>-<16 hex digits>-01")]
pub struct NotATraceParent;

impl TraceParent {
    /// The beginning of a new, sampled trace.
    pub fn random() -> Self {
        // Zero is not valid for either of them.
        Self {
            trace: rand::random::<u128>().max(1),
            span: rand::random::<u64>().max(1),
            sampled: true,
        }
    }

    /// A new place in the same trace.
    pub fn child(self) -> Self {
        Self {
            span: rand::random::<u64>().max(1),
            ..self
        }
    }

    fn remote_context(self) -> SpanContext {
        let flags = if self.sampled {
            TraceFlags::SAMPLED
        } else {
            TraceFlags::default()
        };
        SpanContext::new(
            TraceId::from(self.trace),
            SpanId::from(self.span),
            flags,
            true,
            TraceState::default(),
        )
    }

    fn of(context: &SpanContext) -> Self {
        Self {
            trace: u128::from_be_bytes(context.trace_id().to_bytes()),
            span: u64::from_be_bytes(context.span_id().to_bytes()),
            sampled: context.is_sampled(),
        }
    }
}

impl FromStr for TraceParent {
    type Err = NotATraceParent;

    fn from_str(text: &str) -> Result<Self, NotATraceParent> {
        let mut parts = text.trim().split('-');
        let mut next = |digits: usize| parts.next().filter(|part| is_lower_hex(part, digits));
        let (version, trace, span, flags) = match (next(2), next(32), next(16), next(2)) {
            (Some(version), Some(trace), Some(span), Some(flags)) => (version, trace, span, flags),
            _ => return Err(NotATraceParent),
        };
        // Later versions may add parts at the end; version 00 has none, and ff is forbidden.
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return Err(NotATraceParent);
        }
        let trace = u128::from_str_radix(trace, 16).map_err(|_| NotATraceParent)?;
        let span = u64::from_str_radix(span, 16).map_err(|_| NotATraceParent)?;
        let flags = u8::from_str_radix(flags, 16).map_err(|_| NotATraceParent)?;
        if trace == 0 || span == 0 {
            return Err(NotATraceParent);
        }
        Ok(Self {
            trace,
            span,
            sampled: flags & 1 == 1,
        })
    }
}

fn is_lower_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace,
            self.span,
            u8::from(self.sampled)
        )
    }
}

/// The headers that every record has.
pub fn record_headers(traceparent: Option<&str>) -> Vec<(String, String)> {
    let version = (HEADER_SCHEMA_VERSION.to_owned(), SCHEMA_VERSION.to_owned());
    let trace = traceparent.map(|traceparent| (HEADER_TRACEPARENT.to_owned(), traceparent.to_owned()));
    std::iter::once(version).chain(trace).collect()
}

/// Where spans go; cheap to clone.
#[derive(Clone)]
pub struct Tracer(Option<SdkTracer>);

impl Tracer {
    /// Records nothing; the trace context is passed on as it came.
    pub fn disabled() -> Self {
        Self(None)
    }

    /// Records spans with this provider.
    pub fn new(provider: &SdkTracerProvider) -> Self {
        Self(Some(provider.tracer("reveille")))
    }

    /// Records a span that has ended, and answers the `traceparent` for what follows from it. A parent that cannot be
    /// read begins a new trace.
    pub fn span(
        &self,
        name: &'static str,
        parent: Option<&str>,
        start: Timestamp,
        end: Timestamp,
    ) -> Option<String> {
        let Some(tracer) = &self.0 else {
            return parent.map(str::to_owned);
        };
        let context = match parent.and_then(|parent| parent.parse::<TraceParent>().ok()) {
            Some(parent) => opentelemetry::Context::new().with_remote_span_context(parent.remote_context()),
            None => opentelemetry::Context::new(),
        };
        let builder = tracer
            .span_builder(name)
            .with_kind(SpanKind::Consumer)
            .with_start_time(SystemTime::from(start));
        let mut span = tracer.build_with_context(builder, &context);
        let place = TraceParent::of(span.span_context());
        span.end_with_timestamp(SystemTime::from(end));
        Some(place.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_sdk::trace::InMemorySpanExporter;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_example_of_the_standard_is_read_and_written() {
        let parent: TraceParent = EXAMPLE.parse().unwrap();
        assert_eq!(parent.to_string(), EXAMPLE);
        let child = parent.child().to_string();
        assert_eq!(child[..36], EXAMPLE[..36]);
        assert_ne!(child, EXAMPLE);
    }

    #[test]
    fn what_is_not_a_traceparent_is_refused() {
        for text in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(text.parse::<TraceParent>(), Err(NotATraceParent), "{text}");
        }
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        assert!(later.parse::<TraceParent>().is_ok());
    }

    #[test]
    fn without_a_provider_the_parent_is_passed_on() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(
            Tracer::disabled()
                .span("decorate", Some(EXAMPLE), now, now)
                .as_deref(),
            Some(EXAMPLE)
        );
        assert_eq!(Tracer::disabled().span("decorate", None, now, now), None);
    }

    #[test]
    fn a_span_has_its_parent_its_times_and_a_child_that_refers_to_it() {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        let start: Timestamp = "2026-09-01T10:00:00Z".parse().unwrap();
        let end: Timestamp = "2026-09-01T10:00:01Z".parse().unwrap();

        let child = Tracer::new(&provider)
            .span("decorate", Some(EXAMPLE), start, end)
            .unwrap();

        let spans = exporter.get_finished_spans().unwrap();
        let [span] = spans.as_slice() else {
            panic!("{spans:?}")
        };
        assert_eq!(span.name, "decorate");
        assert_eq!(span.parent_span_id, SpanId::from(0x00f0_67aa_0ba9_02b7));
        assert_eq!(
            (span.start_time, span.end_time),
            (SystemTime::from(start), SystemTime::from(end))
        );
        assert_eq!(child, TraceParent::of(&span.span_context).to_string());
        assert_eq!(child[..36], EXAMPLE[..36]);
    }
}
