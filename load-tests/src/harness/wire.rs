//! A wire between Debrief and something it talks to, which can be cut, stalled, slowed, or taken down.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Between two tries to listen again on a port that is just being freed.
const LISTEN_AGAIN: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    /// Every answer comes so much later.
    Slow(Duration),
    /// Nothing passes, and nobody is told: as when a host vanishes.
    Stalled,
    /// Connections are refused, as by a machine on which nothing listens.
    Down,
}

/// Ends, with every connection over it, when it is dropped.
pub struct Wire {
    pub address: SocketAddr,
    state: watch::Sender<State>,
    listening: JoinHandle<()>,
}

impl Wire {
    /// To `server`, as `host:port`, from a free port on loopback.
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

    /// Swallows what is sent on every connection, and closes none. What was under way stays lost.
    pub fn stall(&self) {
        self.state.send_replace(State::Stalled);
    }

    /// Lets every answer come so much later.
    pub fn slow(&self, by: Duration) {
        self.state.send_replace(State::Slow(by));
    }

    /// New connections work, and slow ones are quick again. Those that were stalled stay as they are.
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
            // The sender is gone: so is the wire.
            if watching.wait_for(|state| *state != State::Down).await.is_err() {
                return;
            }
            listener = TcpListener::bind(address).await.ok();
            if listener.is_none() {
                tokio::time::sleep(LISTEN_AGAIN).await;
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
            () = pass(up, to, state.clone(), Way::Asked) => {}
            () = pass(from, down, state, Way::Answered) => {}
        }
    };
    tokio::select! {
        () = carrying => {}
        _ = watching.wait_for(|state| *state == State::Down) => {}
    }
}

/// Nothing of the client's arrives anywhere, until it gives up.
async fn swallow(mut client: TcpStream) {
    let mut lost = [0; 4096];
    while client.read(&mut lost).await.is_ok_and(|read| read > 0) {}
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Asked,
    Answered,
}

/// Until one side closes. Once the wire was stalled, this connection stays so.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>, way: Way) {
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
        let late = match *state.borrow() {
            State::Slow(by) if way == Way::Answered => by,
            _ => Duration::ZERO,
        };
        tokio::time::sleep(late).await;
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

    /// Says back what it is told.
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

    async fn said_back(stream: &mut TcpStream) -> std::io::Result<u8> {
        stream.write_all(b"x").await?;
        stream.read_u8().await
    }

    #[tokio::test]
    async fn a_wire_that_is_down_refuses_and_works_again_once_it_is_mended() {
        let wire = Wire::to(&echo().await).await.unwrap();
        let mut stream = TcpStream::connect(wire.address).await.unwrap();
        assert_eq!(said_back(&mut stream).await.unwrap(), b'x');
        wire.down();
        assert!(said_back(&mut stream).await.is_err());
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
        assert_eq!(said_back(&mut again).await.unwrap(), b'x');
    }

    #[tokio::test]
    async fn a_slow_wire_answers_late_and_a_stalled_one_not_at_all() {
        let wire = Wire::to(&echo().await).await.unwrap();
        let mut stream = TcpStream::connect(wire.address).await.unwrap();
        wire.slow(Duration::from_millis(200));
        let asked = Instant::now();
        assert_eq!(said_back(&mut stream).await.unwrap(), b'x');
        assert!(asked.elapsed() >= Duration::from_millis(200));
        wire.stall();
        // The wire has to see it before the next byte.
        tokio::task::yield_now().await;
        let answer = tokio::time::timeout(Duration::from_millis(500), said_back(&mut stream)).await;
        assert!(answer.is_err());
    }
}
