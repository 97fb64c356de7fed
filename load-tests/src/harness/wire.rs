//! A wire between Debrief and a server, which can be slowed, stalled or taken down.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The time between two attempts to listen again on a port that is just being freed.
const LISTEN_AGAIN_EVERY: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Everything passes at once.
    Whole,
    /// Every answer comes later by this time.
    Slow(Duration),
    /// Nothing passes, and no connection is closed. A host that vanishes looks like this.
    Stalled,
    /// Connections are broken and refused. A host on which no program listens looks like this.
    Down,
}

/// A wire, which ends with all its connections when it is dropped.
pub struct Wire {
    pub address: SocketAddr,
    state: watch::Sender<State>,
    listening: JoinHandle<()>,
}

impl Wire {
    /// Makes a wire from a free port on loopback to `server` (`host:port`).
    pub async fn to(server: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listen for a wire")?;
        let address = listener.local_addr().context("read the address of a wire")?;
        let (state, watching) = watch::channel(State::Whole);
        let listening = tokio::spawn(listen(listener, address, server.to_owned(), watching));
        Ok(Self { address, state, listening })
    }

    /// Breaks every connection, and refuses new ones.
    pub fn down(&self) {
        self.state.send_replace(State::Down);
    }

    /// Swallows what is sent on every connection, and closes none. What is swallowed stays lost.
    pub fn stall(&self) {
        self.state.send_replace(State::Stalled);
    }

    /// Delays every answer by this time.
    pub fn slow(&self, by: Duration) {
        self.state.send_replace(State::Slow(by));
    }

    /// Mends the wire for new connections and for slow ones. Connections that were stalled stay stalled.
    pub fn mend(&self) {
        self.state.send_replace(State::Whole);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.listening.abort();
        self.state.send_replace(State::Down);
    }
}

async fn listen(
    first: TcpListener,
    address: SocketAddr,
    server: String,
    mut watching: watch::Receiver<State>,
) {
    let mut listener = Some(first);
    loop {
        let Some(open) = &listener else {
            // The wire was dropped.
            if watching.wait_for(|state| *state != State::Down).await.is_err() {
                return;
            }
            listener = TcpListener::bind(address).await.ok();
            if listener.is_none() {
                tokio::time::sleep(LISTEN_AGAIN_EVERY).await;
            }
            continue;
        };
        tokio::select! {
            accepted = open.accept() => {
                if let Ok((client, _)) = accepted {
                    tokio::spawn(carry(client, server.clone(), watching.clone()));
                }
            }
            down = async { watching.wait_for(|state| *state == State::Down).await.is_ok() } => {
                if !down {
                    return;
                }
                listener = None;
            }
        }
    }
}

async fn carry(client: TcpStream, server: String, mut watching: watch::Receiver<State>) {
    let state = watching.clone();
    let carrying = async move {
        if *state.borrow() == State::Stalled {
            return swallow(client).await;
        }
        let Ok(upstream) = TcpStream::connect(&server).await else { return };
        let ((up, down), (from, to)) = (client.into_split(), upstream.into_split());
        tokio::select! {
            () = pass(up, to, state.clone(), Direction::Request) => {}
            () = pass(from, down, state, Direction::Answer) => {}
        }
    };
    tokio::select! {
        () = carrying => {}
        _ = watching.wait_for(|state| *state == State::Down) => {}
    }
}

/// Reads what the client sends, and drops it, until the client gives up.
async fn swallow(mut client: TcpStream) {
    let mut lost = [0; 4096];
    while client.read(&mut lost).await.is_ok_and(|read| read > 0) {}
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Answer,
}

/// Passes bytes on until one side closes. A connection on which the wire was stalled stays stalled.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    direction: Direction,
) {
    let mut passed = vec![0; 64 * 1024];
    let mut stalled = false;
    loop {
        let read = tokio::select! {
            read = from.read(&mut passed) => read,
            _ = state.wait_for(|state| *state == State::Stalled), if !stalled => {
                stalled = true;
                continue;
            }
        };
        let Ok(read @ 1..) = read else { return };
        let delay = match *state.borrow() {
            State::Slow(by) if direction == Direction::Answer => by,
            _ => Duration::ZERO,
        };
        tokio::time::sleep(delay).await;
        if !stalled && to.write_all(&passed[..read]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Instant;

    use super::*;

    /// Starts a server that sends back what it receives, and returns its address.
    async fn echo() -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await.ok();
                });
            }
        });
        address
    }

    async fn echoed(stream: &mut TcpStream) -> std::io::Result<u8> {
        stream.write_all(b"x").await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn a_wire_that_is_down_refuses_connections_until_it_is_mended() {
        let wire = Wire::to(&echo().await).await.unwrap();
        let mut stream = TcpStream::connect(wire.address).await.unwrap();
        assert_eq!(echoed(&mut stream).await.unwrap(), b'x');
        wire.down();
        assert!(echoed(&mut stream).await.is_err());
        let refused = async {
            loop {
                if let Err(error) = TcpStream::connect(wire.address).await {
                    break error.kind();
                }
            }
        };
        assert_eq!(refused.await, ErrorKind::ConnectionRefused);
        wire.mend();
        let mut again = loop {
            if let Ok(stream) = TcpStream::connect(wire.address).await {
                break stream;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(echoed(&mut again).await.unwrap(), b'x');
    }

    #[tokio::test]
    async fn a_slow_wire_answers_late_and_a_stalled_one_not_at_all() {
        let wire = Wire::to(&echo().await).await.unwrap();
        let mut stream = TcpStream::connect(wire.address).await.unwrap();
        wire.slow(Duration::from_millis(200));
        let asked = Instant::now();
        assert_eq!(echoed(&mut stream).await.unwrap(), b'x');
        assert!(asked.elapsed() >= Duration::from_millis(200));
        wire.stall();
        // The wire has to notice it before the next byte.
        tokio::task::yield_now().await;
        let answer = tokio::time::timeout(Duration::from_millis(500), echoed(&mut stream)).await;
        assert!(answer.is_err());
    }
}
