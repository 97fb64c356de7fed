//! Tests over a real socket what a sender sees when it is refused in the middle of a body, and what remains after a
//! sender goes away.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::world::{Form, World};

/// Sends as much of the body as the other side takes, and returns the connection.
fn send(address: SocketAddr, head: &str, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    if let Err(error) = stream.write_all(body) {
        eprintln!("the body was not taken whole: {error}");
    }
    stream
}

fn head(path: &str, media_type: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_far_too_long_still_gets_its_answer() {
    let (world, address) = World::new().listening().await;
    let answer = tokio::task::spawn_blocking(move || {
        let body = vec![b' '; 3 * 1024 * 1024];
        let head = head("/webhook/zapier", "application/json", body.len());
        let mut stream = send(address, &head, &body);
        let mut answer = [0; 64];
        let read = stream.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(world.events(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_who_goes_away_in_the_middle_leaves_nothing() {
    let (world, address) = World::new().listening().await;
    let form = Form::default()
        .part("transcript", "t.vtt", "WEBVTT\n\n")
        .part("audio", "a.wav", [b"RIFF\0\0\0\0WAVE".to_vec(), vec![0; 2_000_000]].concat())
        .cut(0);
    let sending = tokio::task::spawn_blocking(move || {
        send(address, &head("/api/meetings", Form::TYPE, form.len() + 1000), &form)
    });
    let stream = sending.await.unwrap();
    world.uploads_incoming(2).await;
    drop(stream);
    world.uploads_incoming(0).await;
    assert_eq!(world.events(), []);
}
