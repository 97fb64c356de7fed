//! A wire between a process and its server that can be cut, or stalled.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Whole,
    /// Nothing passes, and nobody is told: as when a host vanishes.
    Stalled,
    Cut,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    wire: watch::Sender<Wire>,
}

impl Proxy {
    pub(crate) async fn to(server: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (wire, watching) = watch::channel(Wire::Whole);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(carry(client, server.clone(), watching.clone()));
            }
        });
        Self { address, wire }
    }

    /// Breaks every connection, and every one that is tried from now on.
    pub(crate) fn cut(&self) {
        self.wire.send_replace(Wire::Cut);
    }

    /// Swallows what is sent on every connection, and closes none. What was under way stays lost.
    pub(crate) fn stall(&self) {
        self.wire.send_replace(Wire::Stalled);
    }

    /// New connections work. Those that were stalled stay as they are.
    pub(crate) fn mend(&self) {
        self.wire.send_replace(Wire::Whole);
    }
}

async fn carry(client: TcpStream, server: String, mut watching: watch::Receiver<Wire>) {
    let found = *watching.borrow();
    if found == Wire::Cut {
        return;
    }
    let stalled = watching.clone();
    let carrying = async move {
        if found == Wire::Stalled {
            return hold(client).await;
        }
        let Ok(upstream) = TcpStream::connect(&server).await else { return };
        let ((up, down), (from, to)) = (client.into_split(), upstream.into_split());
        tokio::select! {
            () = pass(up, to, stalled.clone()) => {}
            () = pass(from, down, stalled) => {}
        }
    };
    tokio::select! {
        () = carrying => {}
        _ = watching.wait_for(|wire| *wire == Wire::Cut) => {}
    }
}

/// Nothing of the client's arrives anywhere, until it gives up.
async fn hold(mut client: TcpStream) {
    let mut lost = [0; 4096];
    while client.read(&mut lost).await.is_ok_and(|read| read > 0) {}
}

/// Until one side closes. Once the wire was stalled, this connection stays so.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut watching: watch::Receiver<Wire>) {
    let mut passed = vec![0; 64 * 1024];
    let mut stalled = false;
    loop {
        let read = tokio::select! {
            read = from.read(&mut passed) => read,
            _ = watching.wait_for(|wire| *wire == Wire::Stalled), if !stalled => {
                stalled = true;
                continue;
            }
        };
        let Ok(read) = read else { return };
        if read == 0 {
            return;
        }
        if !stalled && to.write_all(&passed[..read]).await.is_err() {
            return;
        }
    }
}
