//! What the tests of several clients need.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// TLS needs its provider even where every address is plain HTTP. Only the first call can install it.
pub(crate) fn tls() {
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// An address at which every answer breaks off in the middle of its body.
pub(crate) async fn cut_short(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let read = socket.read(&mut request).await.unwrap();
            assert!(read > 0);
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 1000\r\n\r\n{{\"id\":");
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    address
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// The contracts that the providers publish.
pub(crate) const OPENAI: &str = include_str!("../../../load-tests/simulators/tests/contracts/openai.json");
pub(crate) const DEEPGRAM: &str =
    include_str!("../../../load-tests/simulators/tests/contracts/deepgram.json");

/// Fails unless `value` is what the provider's document says of `name`.
pub(crate) fn check(contract: &str, name: &str, value: &Value) {
    let mut schema: Value = serde_json::from_str(contract).unwrap();
    schema["$ref"] = json!(format!("#/$defs/{name}"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}\n{value:#}");
}

/// The fields of a form, in their order. A file's value is its content, and its name stands behind it.
pub(crate) fn form(request: &wiremock::Request) -> Vec<(String, String, Option<String>)> {
    let kind = request.headers["content-type"].to_str().unwrap();
    let boundary = format!("--{}", kind.split("boundary=").nth(1).unwrap());
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let quoted = |head: &str, name: &str| {
        let (_, rest) = head.split_once(&format!(" {name}=\""))?;
        Some(rest.split('"').next().unwrap().to_owned())
    };
    let parts = body.split(boundary.as_str()).filter(|part| part.contains("\r\n\r\n"));
    parts
        .map(|part| {
            let (head, value) = part.split_once("\r\n\r\n").unwrap();
            let value = value.strip_suffix("\r\n").unwrap().to_owned();
            (quoted(head, "name").unwrap(), value, quoted(head, "filename"))
        })
        .collect()
}

/// A form as the provider's document describes it: a name with `[]` is a list, and numbers and switches are texts.
pub(crate) fn form_as_json(request: &wiremock::Request) -> Value {
    let mut fields = serde_json::Map::new();
    for (name, value, _) in form(request) {
        match name.strip_suffix("[]") {
            Some(list) => {
                let list = fields.entry(list.to_owned()).or_insert_with(|| json!([]));
                list.as_array_mut().unwrap().push(value.into());
            }
            None => {
                assert!(fields.insert(name.clone(), value.into()).is_none(), "{name} stands twice");
            }
        }
    }
    fields.into()
}
