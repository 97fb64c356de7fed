//! A collector to which a deployment under test sends its traces.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;

/// Takes traces by OTLP over HTTP, and keeps them.
pub(crate) struct Collector {
    pub(crate) address: String,
    exported: Exported,
}

type Exported = Arc<Mutex<Vec<Bytes>>>;

impl Collector {
    pub(crate) async fn start() -> Self {
        let exported = Exported::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let take = |State(exported): State<Exported>, body: Bytes| async move {
            exported.lock().unwrap().push(body);
        };
        let router = axum::Router::new().route("/v1/traces", post(take)).with_state(exported.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, exported }
    }

    /// Everything that arrived, as text. Texts can be found in it, because protobuf does not change them.
    pub(crate) fn text(&self) -> String {
        let exported = self.exported.lock().unwrap();
        exported.iter().map(|body| String::from_utf8_lossy(body)).collect()
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let exported = self.exported.lock().unwrap();
        let requests = exported.iter().map(|body| ExportTraceServiceRequest::decode(body.clone()).unwrap());
        let of_resources = requests.flat_map(|request| request.resource_spans);
        of_resources.flat_map(|of_one| of_one.scope_spans).flat_map(|of_scope| of_scope.spans).collect()
    }
}
