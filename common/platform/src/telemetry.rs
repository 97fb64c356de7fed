//! Logs, traces and metrics of a process.
//!
//! The trace of a call runs through every worker: its W3C trace context travels in each event's envelope,
//! whether or not anything is exported, so that logs can be joined by it.

use std::collections::HashMap;
use std::fmt::Debug;
use std::io::IsTerminal as _;

use domain::shown_text;
use opentelemetry::propagation::{Injector, TextMapPropagator as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{InstrumentationScope, KeyValue, global};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use prometheus::{Registry, TextEncoder};
use tracing::Span;
use tracing::field::Field;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::config::{ConfigError, Values};

const TRACEPARENT: &str = "traceparent";
const FILTER: &str = "RUST_LOG";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const SERVICE: &str = "debrief";
/// The libraries' own spans and debug lines help nobody who operates this, and what becomes of a connection
/// to the broker is said once, by us.
const DEFAULT_FILTER: &str =
    "info,sqlx=warn,object_store=warn,lapin=off,hyper=warn,h2=warn,opentelemetry_sdk=error";

/// What has to be flushed when the process ends.
pub struct Telemetry {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

/// What is logged, and where traces go.
pub struct Settings {
    filter: EnvFilter,
    endpoint: Option<String>,
}

impl Settings {
    /// Reads `RUST_LOG` and `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn read(values: &Values) -> Result<Self, ConfigError> {
        let filter = values.text(FILTER).unwrap_or_else(|| DEFAULT_FILTER.to_owned());
        let filter =
            EnvFilter::try_new(&filter).map_err(|error| ConfigError::new(FILTER, error.to_string()))?;
        // The address can hold a password, so an error does not show it.
        let endpoint = values.text(ENDPOINT).map(|_| values.url(ENDPOINT, "")).transpose()?;
        Ok(Self { filter, endpoint: endpoint.map(String::from) })
    }
}

/// Starts logging to standard error, tracing (exported where `OTEL_EXPORTER_OTLP_ENDPOINT` says) and
/// metrics. Once a process.
pub fn start(values: &Values) -> Result<Telemetry, ConfigError> {
    let Settings { filter, endpoint } = Settings::read(values)?;
    // What describes a span beyond its ids costs every request something, so it is there where it is seen.
    let is_seen = endpoint.is_some();
    let traces = traces(endpoint.as_deref())?;
    let metrics = metrics();
    let scope = InstrumentationScope::builder(SERVICE).build();
    let to_terminal = std::io::stderr().is_terminal();
    let fields = debug_fn(write_field).delimited(" ");
    let lines = tracing_subscriber::fmt::layer().fmt_fields(fields).with_writer(std::io::stderr);
    let lines = if to_terminal { lines.boxed() } else { lines.with_ansi(false).boxed() };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .with(
            tracing_opentelemetry::layer()
                .with_location(is_seen)
                .with_threads(is_seen)
                .with_target(is_seen)
                .with_tracked_inactivity(is_seen)
                // Nobody asks OpenTelemetry for the current span; `tracing` has it.
                .with_context_activation(false)
                .with_tracer(traces.tracer_with_scope(scope)),
        )
        .try_init()
        .map_err(|error| ConfigError::new(FILTER, error.to_string()))?;
    Ok(Telemetry { traces, metrics })
}

/// Writes one field of a line, without anything that a terminal would obey. Texts of others stand in fields and in
/// messages, and a line break in one of them must not look like the next line of the log.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    let text = format!("{value:?}");
    match field.name() {
        // A message of our own can have several lines, such as a backtrace. The lines behind the first are indented.
        "message" => {
            let lines: Vec<String> = text.split('\n').map(shown_text::escaped).collect();
            write!(writer, "{}", lines.join("\n    "))
        }
        name => write!(writer, "{name}={}", shown_text::escaped(&text)),
    }
}

fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Resource::builder().with_service_name(SERVICE).with_attribute(version).build()
}

fn traces(endpoint: Option<&str>) -> Result<SdkTracerProvider, ConfigError> {
    let provider = SdkTracerProvider::builder().with_resource(resource());
    // Where nothing is exported there are only ids. A process that exports does so whatever the one before
    // it did.
    let Some(endpoint) = endpoint else {
        return Ok(provider.with_sampler(Sampler::AlwaysOff).build());
    };
    let address = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(address)
        .build()
        .map_err(|_| ConfigError::new(ENDPOINT, "no exporter can be made for this address"))?;
    Ok(provider.with_sampler(Sampler::AlwaysOn).with_batch_exporter(exporter).build())
}

fn metrics() -> SdkMeterProvider {
    let provider = SdkMeterProvider::builder().with_resource(resource());
    // All metrics are of one scope, so a label for it on each series would say nothing.
    let exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry().clone())
        .scope_info_enabled(false)
        .build();
    let provider = match exporter {
        Ok(exporter) => provider.with_reader(exporter).build(),
        Err(error) => {
            tracing::error!(%error, "metrics are off");
            provider.build()
        }
    };
    global::set_meter_provider(provider.clone());
    provider
}

fn registry() -> &'static Registry {
    prometheus::default_registry()
}

/// Every metric of this process in the Prometheus text format.
pub fn metrics_text() -> Result<String, prometheus::Error> {
    TextEncoder::new().encode_to_string(&registry().gather())
}

impl Telemetry {
    /// Sends what was not exported yet.
    pub fn end(self) {
        for ended in [self.traces.shutdown(), self.metrics.shutdown()] {
            if let Err(error) = ended {
                tracing::debug!(%error, "failed to flush telemetry");
            }
        }
    }
}

/// The trace context of the current span.
pub fn traceparent() -> Option<String> {
    let mut taken = Traceparent(None);
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut taken);
    taken.0
}

/// Takes the one header that an envelope carries. A map would be made anew for every event.
struct Traceparent(Option<String>);

impl Injector for Traceparent {
    fn set(&mut self, name: &str, value: String) {
        if name == TRACEPARENT {
            self.0 = Some(value);
        }
    }
}

/// Makes `span` a child of the span that `traceparent` names. What is not valid is as if it were absent.
pub fn set_parent(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent else { return };
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract(&carrier);
    if span.set_parent(context).is_err() {
        tracing::trace!("traces are off");
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_in_a_line_of_the_log_is_obeyed_by_a_terminal_or_looks_like_another_line() {
        let log = Log::default();
        let to = log.clone();
        let lines = tracing_subscriber::fmt::layer()
            .fmt_fields(debug_fn(write_field).delimited(" "))
            .with_ansi(false)
            .without_time()
            .with_writer(move || to.clone());
        let evil = "a\u{1b}[31m\u{9b}2J\u{202e}b\n INFO all is well";
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            let _inside = tracing::info_span!("run", call = evil, stage = %evil).entered();
            tracing::warn!(text = evil, error = %evil, other = ?evil, count = 3, "it failed: {evil}");
        });
        let said = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let obeyed = said.chars().filter(|c| *c != '\n' && shown_text::is_steering(*c)).count();
        assert_eq!(obeyed, 0, "{said:?}");
        assert!(said.lines().skip(1).all(|line| line.starts_with("    ")), "{said}");
        assert!(said.contains("count=3") && said.contains("it failed: a\\u{1b}[31m"), "{said}");
    }

    #[test]
    fn what_a_span_gives_to_an_event_is_what_the_next_worker_goes_on_from() {
        let provider = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOn).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let _here = tracing_subscriber::registry().with(layer).set_default();
        let first = tracing::info_span!("first");
        let given = first.in_scope(traceparent).unwrap();
        let [version, trace, id, flags] = given.split('-').collect::<Vec<_>>()[..] else { panic!("{given}") };
        assert_eq!((version, trace.len(), id.len(), flags), ("00", 32, 16, "01"));
        let next = tracing::info_span!("next");
        set_parent(&next, Some(&given));
        let passed_on = next.in_scope(traceparent).unwrap();
        assert_eq!(passed_on.split('-').nth(1), Some(trace));
        assert_ne!(passed_on.split('-').nth(2), Some(id));
    }

    #[test]
    fn where_there_is_no_span_there_is_no_trace() {
        assert_eq!(traceparent(), None);
    }
}
