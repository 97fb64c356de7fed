//! What the tests of several clients need.

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
