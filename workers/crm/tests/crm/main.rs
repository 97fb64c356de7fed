//! Tests the CRM worker over HTTP against destinations that answer as the real ones do.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod call_data;
mod contacts;
mod org;
mod stage;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Installs the provider of TLS, which is needed even where every address is plain HTTP. Only the first call can
/// install it.
fn tls() {
    let installed = rustls::crypto::ring::default_provider().install_default();
    drop(installed);
}

/// The address of a server whose every answer breaks off in the middle of its body.
async fn cut_short(status: &'static str) -> String {
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
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
