//! Tests that the trace of a call shows the way of the call through the stages.

use opentelemetry_proto::tonic::trace::v1::Span;

use crate::collector::Collector;
use crate::inputs::Meeting;
use crate::world::{Kind, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_one_trace_in_which_each_stage_follows_the_one_before_embedded() {
    one_trace(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_one_trace_in_which_each_stage_follows_the_one_before_on_servers() {
    one_trace(Kind::Servers).await;
}

async fn one_trace(kind: Kind) {
    let collector = Collector::start().await;
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address.as_str())];
    let mut world = World::start_with(kind, &settings).await;
    let (first, second) = (world.meeting(&Meeting::new()).await, world.meeting(&Meeting::new()).await);
    for id in [&first, &second] {
        world
            .wait("the meeting to be completed", async |world| {
                world.get(&format!("/api/calls/{id}")).await.filter(|call| call["status"] == "completed")
            })
            .await;
    }
    for role in world.roles() {
        // A process exports its last spans when it ends.
        assert_eq!(world.stop_role(&role).await, Some(0), "{role}");
    }
    let spans = collector.spans();
    let traces = [&first, &second].map(|id| trace_of(&spans, id));
    assert_ne!(traces[0], traces[1], "each call has a trace of its own");
    world.finish().await;
}

/// Checks that the spans of a call have the right parents. Returns the id of the trace.
fn trace_of(spans: &[Span], call: &str) -> Vec<u8> {
    let of_stage = |stage: &str| {
        let mut found = spans.iter().filter(|span| span.name == stage && says(span, "call", call));
        let span = found.next().unwrap_or_else(|| panic!("no span of {stage}"));
        assert_eq!(found.next().map(|span| &span.name), None, "{stage} ran once");
        span
    };
    let dedup = of_stage("dedup");
    let arrived = spans.iter().find(|span| span.span_id == dedup.parent_span_id).expect("dedup has a parent");
    assert!(arrived.name == "request" && says(arrived, "route", "/api/meetings"), "{arrived:?}");
    for (stage, before) in [
        ("transcription", "dedup"),
        ("analysis", "transcription"),
        ("crm", "analysis"),
        ("slack", "analysis"),
    ] {
        let (span, parent) = (of_stage(stage), of_stage(before));
        assert_eq!(span.parent_span_id, parent.span_id, "{stage} follows {before}");
        assert_eq!(span.trace_id, arrived.trace_id, "{stage} is of the trace in which the call arrived");
    }
    arrived.trace_id.clone()
}

fn says(span: &Span, key: &str, wanted: &str) -> bool {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let attribute = span.attributes.iter().find(|attribute| attribute.key == key);
    let value = attribute.and_then(|attribute| attribute.value.as_ref()?.value.as_ref());
    matches!(value, Some(Value::StringValue(text)) if text == wanted)
}
