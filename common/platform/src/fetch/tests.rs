use std::net::SocketAddr;

use domain::fault::Fault;
use media::audio::kind::other_kind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wiremock::matchers::{basic_auth, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

/// The start of an MP3 file with an ID3 tag, and some more bytes.
const AUDIO: &[u8] = b"ID3\x04\0\0\0\0\0\0 and sound";

fn fetcher(allow: Allow, limits: Limits) -> Fetcher {
    let credential = Credential {
        hosts: vec!["127.0.0.1".into(), "*.exotel.com".into()],
        user: "key".into(),
        password: "token".into(),
    };
    drop(rustls::crypto::ring::default_provider().install_default());
    Fetcher::new(allow, limits, vec![credential])
}

fn fetcher_allowing(addresses: &[SocketAddr]) -> Fetcher {
    fetcher(Allow::Hosts(addresses.iter().map(ToString::to_string).collect()), Limits::default())
}

async fn fetched(fetcher: &Fetcher, url: &str) -> Result<Vec<u8>, FetchError> {
    fetched_from(fetcher, &Address::from_outside(url)).await
}

async fn fetched_from(fetcher: &Fetcher, address: &Address) -> Result<Vec<u8>, FetchError> {
    let recording = fetcher.recording(address, other_kind).await?;
    recording
        .body
        .try_fold(Vec::new(), |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await
}

fn what_follows(error: &FetchError) -> (&'static str, Fault) {
    let refusal = error.refusal();
    (refusal.code.name(), refusal.fault)
}

async fn code(fetcher: &Fetcher, url: &str) -> &'static str {
    fetched(fetcher, url).await.unwrap_err().refusal().code.name()
}

async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(answer).mount(&server).await;
    server
}

/// A server that sends `start`, and then `more` again and again until the client leaves.
async fn endless_server(start: &'static [u8], more: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 2048];
                if socket.read(&mut request).await.is_err() || socket.write_all(start).await.is_err() {
                    return;
                }
                while !more.is_empty() && socket.write_all(more).await.is_ok() {}
                // Keeps the connection open and sends nothing until the client leaves.
                while socket.read(&mut request).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    address
}

#[tokio::test]
async fn addresses_inside_our_network_are_refused_however_they_are_written() {
    let inside = server(ResponseTemplate::new(200).set_body_bytes(AUDIO)).await;
    let port = inside.address().port();
    let fetcher = fetcher(Allow::None, Limits::default());
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "localhost",
        "LOCALHOST",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "[::]",
        "169.254.169.254",
        "10.0.0.1",
        "[fd00:ec2::254]",
        "[2002:7f00:1::]",
        "[64:ff9b::7f00:1]",
        "user:pass@127.0.0.1",
    ] {
        let url = format!("http://{host}:{port}/latest/meta-data?secret=1");
        let error = fetched(&fetcher, &url).await.unwrap_err();
        assert_eq!(what_follows(&error), ("recording_url_refused", Fault::Permanent), "{host}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    for url in [
        "file:///etc/passwd",
        "ftp://example.com/a",
        "gopher://127.0.0.1/",
        "not a url",
        "data:audio/wav;base64,AA",
    ] {
        assert_eq!(code(&fetcher, url).await, "recording_url_refused", "{url}");
    }
    assert!(inside.received_requests().await.unwrap().is_empty(), "a request reached the server inside");
}

#[tokio::test]
async fn a_permitted_host_and_port_can_be_fetched_from_and_another_port_cannot() {
    let ours = server(ResponseTemplate::new(200).set_body_raw(AUDIO, "audio/mpeg")).await;
    let other = server(ResponseTemplate::new(200).set_body_bytes(AUDIO)).await;
    let fetcher = fetcher_allowing(&[*ours.address()]);
    let address = Address::from_outside(format!("{}/a.mp3?token=x", ours.uri()));
    let found = fetcher.recording(&address, other_kind).await.unwrap();
    assert_eq!(found.content_type.as_deref(), Some("audio/mpeg"));
    assert_eq!(fetched(&fetcher, &ours.uri()).await.unwrap(), AUDIO);
    assert_eq!(code(&fetcher, &other.uri()).await, "recording_url_refused");
}

#[tokio::test]
async fn a_redirect_into_our_network_is_refused() {
    let inside = server(ResponseTemplate::new(200).set_body_bytes(AUDIO)).await;
    for target in
        [format!("http://localhost:{}/", inside.address().port()), inside.uri(), "file:///etc/passwd".into()]
    {
        let outside = server(ResponseTemplate::new(302).insert_header("Location", target.as_str())).await;
        assert_eq!(
            code(&fetcher_allowing(&[*outside.address()]), &outside.uri()).await,
            "recording_url_refused",
            "{target}"
        );
    }
    assert!(inside.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_few_redirects_are_followed_and_our_credentials_are_not_sent_to_another_host() {
    let bucket = server(ResponseTemplate::new(200).set_body_bytes(AUDIO)).await;
    let elsewhere = format!("http://localhost:{}/signed", bucket.address().port());
    let provider = MockServer::start().await;
    Mock::given(path("/recording"))
        .and(basic_auth("key", "token"))
        .respond_with(ResponseTemplate::new(302).insert_header("Location", "/next"))
        .mount(&provider)
        .await;
    Mock::given(path("/next"))
        .and(basic_auth("key", "token"))
        .respond_with(ResponseTemplate::new(307).insert_header("Location", elsewhere.as_str()))
        .mount(&provider)
        .await;
    let fetcher = fetcher(Allow::All, Limits::default());
    assert_eq!(fetched(&fetcher, &format!("{}/recording", provider.uri())).await.unwrap(), AUDIO);
    let asked = bucket.received_requests().await.unwrap();
    assert!(!asked[0].headers.contains_key("authorization"));

    let loops = server(ResponseTemplate::new(301).insert_header("Location", "/again")).await;
    assert_eq!(code(&fetcher, &loops.uri()).await, "recording_url_refused");
    assert_eq!(loops.received_requests().await.unwrap().len(), 6);
}

#[test]
fn our_password_is_sent_only_to_the_providers_own_hosts() {
    let hosts = ["exotel.com", "*.exotel.com"].map(str::to_owned).to_vec();
    let credential = Credential { hosts, user: "key".into(), password: "token".into() };
    for host in ["exotel.com", "recordings.exotel.com"] {
        assert!(credential.is_for(host), "{host}");
    }
    for host in ["notexotel.com", "exotel.com.example.com", ".exotel.com", "exotel.co"] {
        assert!(!credential.is_for(host), "{host}");
    }
}

#[tokio::test]
async fn the_status_of_the_answer_decides_whether_the_fetch_is_tried_again() {
    let wait = Duration::from_secs(7);
    for (status, code, fault) in [
        (404, "recording_not_found", Fault::Transient),
        (403, "recording_forbidden", Fault::Transient),
        (410, "recording_gone", Fault::Permanent),
        (400, "recording_fetch_failed", Fault::Permanent),
        (500, "recording_fetch_failed", Fault::Transient),
        (429, "recording_throttled", Fault::Throttled(wait)),
        (304, "recording_fetch_failed", Fault::Permanent),
        (302, "recording_fetch_failed", Fault::Permanent),
    ] {
        let server = server(ResponseTemplate::new(status).insert_header("Retry-After", "7")).await;
        let error = fetched(&fetcher_allowing(&[*server.address()]), &server.uri()).await.unwrap_err();
        assert_eq!(what_follows(&error), (code, fault), "{status}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = fetched(&fetcher_allowing(&[nobody]), &format!("http://{nobody}/")).await.unwrap_err();
    assert_eq!(what_follows(&error), ("recording_fetch_failed", Fault::Transient));
}

#[tokio::test]
async fn a_file_of_another_kind_in_place_of_audio_is_refused() {
    for page in [
        "<!DOCTYPE html><title>Sign in</title>",
        "{\"error\":\"no such recording\"}",
        "Träume",
        "<?xml version=\"1.0\"?><Error/>",
    ] {
        let server = server(ResponseTemplate::new(200).set_body_raw(page, "audio/mpeg")).await;
        let error = fetched(&fetcher_allowing(&[*server.address()]), &server.uri()).await.unwrap_err();
        assert_eq!(what_follows(&error), ("recording_not_audio", Fault::Permanent), "{page}");
    }
    for (file, kind) in [
        (&b"PK\x03\x04\x14\0\x06\0\x08\0"[..], "a ZIP archive"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0", "a program"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "a PDF document"),
    ] {
        let server = server(ResponseTemplate::new(200).set_body_raw(file, "audio/mpeg")).await;
        let error = fetched(&fetcher_allowing(&[*server.address()]), &server.uri()).await.unwrap_err();
        assert_eq!(what_follows(&error), ("recording_not_audio", Fault::Permanent), "{kind}");
        assert!(error.to_string().contains(kind), "{error}");
    }
    let empty = server(ResponseTemplate::new(200)).await;
    assert_eq!(code(&fetcher_allowing(&[*empty.address()]), &empty.uri()).await, "recording_empty");
    let raw = server(ResponseTemplate::new(200).set_body_bytes([0xFF, 0xD5, 0x55, 0x80, 0x00])).await;
    assert_eq!(fetched(&fetcher_allowing(&[*raw.address()]), &raw.uri()).await.unwrap().len(), 5);
}

#[tokio::test]
async fn an_answer_that_never_ends_is_given_up_at_the_size_limit() {
    let address = endless_server(b"HTTP/1.1 200 OK\r\n\r\nID3\x04", &[0xFF; 4096]).await;
    let limits = Limits { max_bytes: 100_000, ..Limits::default() };
    assert_eq!(
        code(&fetcher(Allow::All, limits), &format!("http://{address}/")).await,
        "recording_too_large"
    );
    let announced = endless_server(b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\nID3\x04", &[]).await;
    assert_eq!(
        code(&fetcher(Allow::All, limits), &format!("http://{announced}/")).await,
        "recording_too_large"
    );
}

#[tokio::test]
async fn an_answer_that_stops_is_too_slow_or_breaks_off_is_a_failure_that_may_pass() {
    let url = |address: SocketAddr| format!("http://{address}/");
    let silent = endless_server(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nID3\x04", &[]).await;
    let limits = Limits { stall: Duration::from_millis(50), ..Limits::default() };
    let stalled = fetched(&fetcher(Allow::All, limits), &url(silent)).await.unwrap_err();
    assert!(matches!(stalled, FetchError::Stalled { .. }), "{stalled}");
    let mute = endless_server(b"", &[]).await;
    let stalled = fetched(&fetcher(Allow::All, limits), &url(mute)).await.unwrap_err();
    assert!(matches!(stalled, FetchError::Stalled { .. }), "{stalled}");
    let limits = Limits { total: Duration::from_millis(50), ..Limits::default() };
    let slow = fetched(&fetcher(Allow::All, limits), &url(silent)).await.unwrap_err();
    assert!(matches!(slow, FetchError::TooSlow { .. }), "{slow}");
    assert_eq!((stalled.refusal().fault, slow.refusal().fault), (Fault::Transient, Fault::Transient));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 2048];
        let _bytes = socket.read(&mut request).await.unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nID3\x04").await.unwrap();
    });
    let broken = fetched(&fetcher(Allow::All, Limits::default()), &url(address)).await.unwrap_err();
    assert!(matches!(broken, FetchError::Broken { .. }), "{broken}");
}

/// A server that sends `start`, and then a byte whenever 20 ms have passed.
async fn dripping_server(start: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 2048];
        let _bytes = socket.read(&mut request).await.unwrap();
        socket.write_all(start).await.unwrap();
        while socket.write_all(&[0xD5]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    address
}

#[tokio::test]
async fn a_host_that_sends_a_byte_now_and_then_is_given_up_before_and_after_the_first_kilobyte() {
    let limits = Limits { window: Duration::from_millis(200), min_rate: 1_000_000, ..Limits::default() };
    for start in
        [&b"HTTP/1.1 200 OK\r\n\r\nID3\x04"[..], b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"]
    {
        let address = dripping_server(start).await;
        let error = fetched(&fetcher(Allow::All, limits), &format!("http://{address}/")).await.unwrap_err();
        assert!(matches!(error, FetchError::BelowRate { .. }), "{error}");
        assert_eq!(what_follows(&error), ("recording_fetch_timed_out", Fault::Transient));
    }
}

#[tokio::test]
async fn a_slow_host_is_waited_for_while_it_keeps_to_the_rate() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 2048];
        let _bytes = socket.read(&mut request).await.unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1004\r\n\r\nID3\x04").await.unwrap();
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(30)).await;
            socket.write_all(&[0xD5; 100]).await.unwrap();
        }
    });
    // Windows end while the file comes, and each has more than 10 bytes in a second.
    let limits = Limits { window: Duration::from_millis(50), min_rate: 10, ..Limits::default() };
    let file = fetched(&fetcher(Allow::All, limits), &format!("http://{address}/")).await.unwrap();
    assert_eq!(file.len(), 1004);
}

#[test]
fn the_setting_for_private_addresses_takes_true_false_or_a_list_of_hosts_with_ports() {
    let read = |text| Allow::from_values(&Values::of([("DEBRIEF_ALLOW_PRIVATE_FETCH", text)]));
    assert_eq!(read("true").unwrap(), Allow::All);
    assert_eq!(read("false").unwrap(), Allow::None);
    assert_eq!(read("").unwrap(), Allow::None);
    assert_eq!(
        read("Minio:9000, 127.0.0.1:80").unwrap(),
        Allow::Hosts(vec!["minio:9000".into(), "127.0.0.1:80".into()])
    );
    assert!(read("minio").unwrap_err().to_string().contains("DEBRIEF_ALLOW_PRIVATE_FETCH"));
    let web = Url::parse("http://127.0.0.1/a").unwrap();
    assert!(read("127.0.0.1:80").unwrap().permits(&web));
    assert!(!read("127.0.0.1:443").unwrap().permits(&web));
}

fn known(url: String, is_configured: bool) -> Address {
    Address { url, authorization: Some("Bearer secret".into()), is_configured }
}

#[tokio::test]
async fn an_authorization_goes_to_the_host_of_the_address_and_not_along_a_redirect_to_another() {
    let elsewhere = server(ResponseTemplate::new(200).set_body_bytes(AUDIO)).await;
    let holder = MockServer::start().await;
    for (at, target) in [("/here", "/file".to_owned()), ("/there", format!("{}/file", elsewhere.uri()))] {
        let answer = ResponseTemplate::new(302).insert_header("location", target);
        Mock::given(path(at)).respond_with(answer).mount(&holder).await;
    }
    let file = ResponseTemplate::new(200).set_body_bytes(AUDIO);
    Mock::given(path("/file"))
        .and(header("authorization", "Bearer secret"))
        .respond_with(file)
        .mount(&holder)
        .await;
    let fetcher = Fetcher::new(Allow::All, Limits::default(), Vec::new());
    for at in ["/here", "/there"] {
        let address = known(format!("{}{at}", holder.uri()), false);
        assert_eq!(fetched_from(&fetcher, &address).await.unwrap(), AUDIO, "{at}");
    }
    let asked = elsewhere.received_requests().await.unwrap();
    assert!(asked.iter().all(|request| !request.headers.contains_key("authorization")), "{asked:?}");
}

#[tokio::test]
async fn an_address_of_our_own_configuration_may_be_private_but_not_what_it_redirects_to() {
    let elsewhere = server(ResponseTemplate::new(200).set_body_bytes(AUDIO)).await;
    let holder = MockServer::start().await;
    let away = ResponseTemplate::new(302).insert_header("location", format!("{}/file", elsewhere.uri()));
    Mock::given(path("/there")).respond_with(away).mount(&holder).await;
    let file = ResponseTemplate::new(200).set_body_bytes(AUDIO);
    Mock::given(path("/file")).respond_with(file).mount(&holder).await;
    let fetcher = fetcher_allowing(&[]);
    let at = |path: &str, is_configured| known(format!("{}{path}", holder.uri()), is_configured);
    assert_eq!(fetched_from(&fetcher, &at("/file", true)).await.unwrap(), AUDIO);
    for refused in [at("/file", false), at("/there", true)] {
        let error = fetched_from(&fetcher, &refused).await.unwrap_err();
        assert!(matches!(error, FetchError::Refused(_)), "{error}");
    }
}
