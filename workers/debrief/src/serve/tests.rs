use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::routing::{get, post};
use domain::principal::{Principal, Scopes};
use futures::stream;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;
use tokio::time::sleep;

use super::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST_GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// A listener with a short and a long answer, a body that is read, an answer that takes a minute, and one in pieces
/// with pauses of 40 seconds.
async fn listener(connections: usize) -> (SocketAddr, CancellationToken) {
    let socket = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    let pause = |seconds| sleep(Duration::from_secs(seconds));
    let router = Router::new()
        .route("/", get(|| async { "here" }))
        .route("/health", get(|| async { "well" }))
        .route("/quote", get(|| async { "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n" }))
        .route("/long", get(|| async { vec![b'x'; ANSWER_BYTES] }))
        .route(
            "/body",
            post(|request: Request| async {
                let (head, body) = request.into_parts();
                web::raw(&head.headers, body, 1 << 30).await.map(|bytes| bytes.len().to_string())
            }),
        )
        .route(
            "/later",
            get(move || async move {
                pause(60).await;
                "late"
            }),
        )
        .route(
            "/pieces",
            get(move || async move {
                let pieces = stream::unfold(0, move |number| async move {
                    pause(40).await;
                    (number < 3).then(|| (Ok::<_, std::io::Error>(Bytes::from("piece;")), number + 1))
                });
                Body::from_stream(pieces)
            }),
        );
    let everybody = Principal {
        workspace: web::INSTALLATION,
        actor: "no key".into(),
        scopes: Scopes::default(),
        sees: domain::principal::Sees::All,
    };
    let access = Arc::new(Access::of(everybody));
    let closing = CancellationToken::new();
    let until = closing.clone().cancelled_owned();
    tokio::spawn(serve(socket, Doors::new(connections), access, router, until));
    (address, closing)
}

async fn connected(address: SocketAddr, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_ref()).await.unwrap();
    stream
}

/// Everything that is read until the connection ends, even where it is reset.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    drop(stream.read_to_end(&mut bytes).await);
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn asked(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    rest(&mut connected(address, bytes).await).await
}

/// The status of an answer and its problem. Fails unless the answer is a problem from its head to its end.
fn problem(answer: &str) -> (u16, Value) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let head = head.to_ascii_lowercase();
    assert!(head.contains("content-type: application/problem+json"), "{answer}");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{answer}");
    let status = head["http/1.1 ".len()..].split(' ').next().unwrap().parse().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["status"], status);
    (status, body)
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_and_what_it_asked_for_is_not_kept() {
    let (address, _) = listener(8).await;
    let mut deaf = connected(address, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n".repeat(40)).await;
    tokio::time::pause();
    sleep(SECOND * 32).await;
    let read = rest(&mut deaf).await.len();
    assert!(read < 20 * ANSWER_BYTES, "{read} bytes");
}

#[tokio::test]
async fn a_client_that_reads_a_byte_now_and_then_is_closed() {
    let (address, _) = listener(8).await;
    let mut trickling = connected(address, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n".repeat(40)).await;
    tokio::time::pause();
    for _ in 0..60 {
        trickling.read_u8().await.unwrap();
        sleep(SECOND).await;
    }
    let read = rest(&mut trickling).await.len();
    assert!(read < 20 * ANSWER_BYTES, "{read} bytes");
}

#[tokio::test]
async fn a_client_that_reads_may_wait_long_for_an_answer_and_between_its_pieces() {
    let (address, _) = listener(8).await;
    let mut clients = Vec::new();
    for path in ["/later", "/pieces"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        clients.push(connected(address, request).await);
    }
    tokio::time::pause();
    let answers = [rest(&mut clients[0]).await, rest(&mut clients[1]).await];
    assert!(answers[0].ends_with("late"), "{}", answers[0]);
    assert_eq!(answers[1].matches("piece;").count(), 3, "{}", answers[1]);
    assert!(answers[1].ends_with("0\r\n\r\n"), "{}", answers[1]);
}

/// Sends a body of `pieces` pieces, with a pause after each, until there is an answer.
async fn send_slowly(
    address: SocketAddr,
    head: &str,
    piece: &[u8],
    pieces: usize,
    pause: Duration,
) -> String {
    let head = format!("POST /body HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{head}\r\n\r\n");
    let (mut reading, mut writing) = connected(address, head).await.into_split();
    tokio::time::pause();
    let sending = async {
        for _ in 0..pieces {
            sleep(pause).await;
            if writing.write_all(piece).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = sending => {}
        _ = reading.read_to_end(&mut answer) => {}
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up_and_the_sender_is_told() {
    for (head, piece) in [
        ("Content-Length: 1000000", &b"x"[..]),
        ("Transfer-Encoding: chunked", b"1\r\nx\r\n"),
        ("Content-Length: 1000000", b""),
    ] {
        let (address, _) = listener(8).await;
        let started = Instant::now();
        let answer = send_slowly(address, head, piece, 100, SECOND).await;
        assert_eq!(problem(&answer).0, 408, "{head}");
        assert!(started.elapsed() < SECOND * 40, "{head}: {:?}", started.elapsed());
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_large_body_on_a_slow_line_is_read_to_its_end() {
    let (address, _) = listener(8).await;
    let started = Instant::now();
    let answer = send_slowly(address, "Content-Length: 800000", &[b'x'; 8000], 100, SECOND).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("800000"), "{answer}");
    assert!(started.elapsed() > SECOND * 90);
}

#[tokio::test]
async fn a_client_that_closes_its_side_after_the_request_gets_its_answer() {
    let (address, _) = listener(8).await;
    let body = "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let later = "GET /later HTTP/1.1\r\nHost: a\r\n\r\n";
    for (requests, wanted) in
        [(GET, 1), (LAST_GET, 1), (&GET.repeat(3), 3), (body, 1), (&format!("{body}{GET}"), 2), (later, 1)]
    {
        let mut stream = connected(address, requests).await;
        stream.shutdown().await.unwrap();
        tokio::time::pause();
        let answers = rest(&mut stream).await;
        tokio::time::resume();
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), wanted, "{requests}: {answers}");
    }
    let mut cut = connected(address, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc").await;
    cut.shutdown().await.unwrap();
    assert_eq!(problem(&rest(&mut cut).await).0, 400);
    let mut nothing = connected(address, "").await;
    nothing.shutdown().await.unwrap();
    assert_eq!(rest(&mut nothing).await, "");
}

#[tokio::test]
async fn what_is_no_request_is_answered_with_a_problem() {
    let (address, _) = listener(8).await;
    let with = |more: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{more}\r\n");
    for (bytes, status, words) in [
        ("GET /\r\n\r\n".to_owned(), 400, "not valid HTTP/1.1"),
        ("G=T / HTTP/1.1\r\n\r\n".to_owned(), 400, "not valid"),
        ("GET / HTTP/3.0\r\n\r\n".to_owned(), 400, "not valid"),
        ("GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400, "not valid"),
        (with("no colon\r\n"), 400, "not valid"),
        (with("a: b\rc\r\n"), 400, "not valid"),
        (with("Content-Length: x\r\n"), 400, "not valid"),
        (with("Content-Length: 1\r\nContent-Length: 2\r\n"), 400, "not valid"),
        (with("Transfer-Encoding: odd\r\n"), 400, "not valid"),
        ("\u{16}\u{3}\u{1}\u{0}\u{5}hello\r\n\r\n".to_owned(), 400, "without TLS"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505, "not HTTP/2"),
        (with(&"a: b\r\n".repeat(200)), 431, "too many headers"),
        (with(&format!("a: {}\r\n", "b".repeat(300_000))), 431, "too long"),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(70_000)), 414, "address"),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(3_000_000)), 414, "address"),
    ] {
        let what: String = bytes.chars().take(60).collect();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let (mut reading, mut writing) = stream.split();
        let mut answer = Vec::new();
        // The listener may close the connection before it has read everything.
        let (sent, read) =
            tokio::join!(writing.write_all(bytes.as_bytes()), reading.read_to_end(&mut answer));
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.is_empty(), "{what}: no answer: {sent:?} {read:?}");
        let (found, body) = problem(&answer);
        assert_eq!(found, status, "{what}: {answer}");
        assert!(body["detail"].as_str().unwrap().contains(words), "{what}: {answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    for cut in ["GE", "GET / HTTP/1.1\r\nHo"] {
        let mut stream = connected(address, cut).await;
        stream.shutdown().await.unwrap();
        assert_eq!(problem(&rest(&mut stream).await).0, 400, "{cut}");
    }
}

#[tokio::test]
async fn a_good_request_before_a_bad_one_is_answered_and_an_answer_that_looks_like_a_refusal_is_sent() {
    let (address, _) = listener(8).await;
    let quote = "GET /quote HTTP/1.1\r\nHost: a\r\n\r\n";
    let answers = asked(address, format!("{GET}{quote}GET /\r\n\r\n")).await;
    let (first, others) = answers.split_once("here").unwrap();
    assert!(first.starts_with("HTTP/1.1 200"), "{answers}");
    let refused = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    let (second, last) = others.split_once(refused).unwrap_or_else(|| panic!("{answers}"));
    assert!(second.starts_with("HTTP/1.1 200"), "{answers}");
    assert_eq!(problem(last).0, 400);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed_and_a_head_that_comes_too_slowly_is_answered() {
    let (address, closing) = listener(8).await;
    let mut silent = connected(address, "").await;
    let mut slow = connected(address, "GET / HT").await;
    let mut idle = connected(address, GET).await;
    idle.read_u8().await.unwrap();
    assert!(asked(address, LAST_GET).await.ends_with("here"));
    tokio::time::pause();
    let started = Instant::now();
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(problem(&rest(&mut slow).await).0, 408);
    assert!(rest(&mut idle).await.ends_with("here"));
    assert!(started.elapsed() < SECOND * 40);
    closing.cancel();
}

#[tokio::test]
async fn clients_that_do_nothing_leave_for_one_that_asks() {
    let (address, _) = listener(4).await;
    let long = "GET /long HTTP/1.1\r\nHost: a\r\n\r\n".repeat(40);
    let body = "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc".to_owned();
    for idle in [long, body, "GET / HT".to_owned(), String::new()] {
        let mut idlers = Vec::new();
        for _ in 0..4 {
            idlers.push(connected(address, &idle).await);
        }
        // The listener has taken them all when it answers that there is no room for another one.
        assert_eq!(problem(&asked(address, LAST_GET).await).0, 503, "{idle:.20}");
        tokio::time::pause();
        sleep(SECOND * 2).await;
        for _ in 0..3 {
            assert!(asked(address, LAST_GET).await.ends_with("here"), "{idle:.20}");
        }
        tokio::time::resume();
        drop(idlers);
        // The places become free a moment later.
        let deadline = std::time::Instant::now() + SECOND * 20;
        while asked(address, "GET /quote HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await
            .contains("503")
        {
            assert!(std::time::Instant::now() < deadline, "there is no room again");
        }
    }
}

#[tokio::test]
async fn where_every_place_is_at_work_a_newcomer_is_told_so_and_the_health_is_still_answered() {
    let (address, _) = listener(1).await;
    let later = "GET /later HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let mut working = connected(address, later).await;
    tokio::time::pause();
    sleep(SECOND * 20).await;
    let refused = asked(address, LAST_GET).await;
    assert_eq!(problem(&refused).0, 503);
    assert!(refused.contains("retry-after: 5") && refused.contains("nothing was accepted"), "{refused}");
    let health = asked(address, LAST_GET.replace("/ ", "/health ")).await;
    assert!(health.starts_with("HTTP/1.1 200") && health.ends_with("well"), "{health}");
    assert!(rest(&mut working).await.ends_with("late"));
    assert!(asked(address, LAST_GET).await.ends_with("here"), "there is room again");
}

#[tokio::test]
async fn what_was_asked_before_the_end_is_answered_and_idle_connections_do_not_hold_it_up() {
    let (address, closing) = listener(8).await;
    let mut idle = connected(address, GET).await;
    idle.read_u8().await.unwrap();
    let mut silent = connected(address, "").await;
    let mut working = connected(address, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n").await;
    tokio::time::pause();
    sleep(SECOND).await;
    closing.cancel();
    assert!(rest(&mut idle).await.ends_with("here"));
    assert_eq!(rest(&mut silent).await, "");
    let answer = rest(&mut working).await;
    assert!(answer.ends_with("late") && answer.contains("connection: close"), "{answer}");
    assert!(TcpStream::connect(address).await.is_err());
}
