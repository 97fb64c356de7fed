//! A proxy between a process and its server, whose connections a test can break or stall.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Whole,
    /// No bytes pass, and no connection is closed, as when a host vanishes.
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

    /// Breaks every open connection, and every connection that is tried from now on.
    pub(crate) fn cut(&self) {
        self.wire.send_replace(Wire::Cut);
    }

    /// Drops the bytes of every connection and closes no connection. Bytes that were on their way are lost for good.
    pub(crate) fn stall(&self) {
        self.wire.send_replace(Wire::Stalled);
    }

    /// Lets new connections work. Connections that were stalled stay stalled.
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

/// Drops everything that the client sends, until the client gives up.
async fn hold(mut client: TcpStream) {
    let mut lost = [0; 4096];
    while client.read(&mut lost).await.is_ok_and(|read| read > 0) {}
}

/// Copies bytes in both directions until one side closes. Once the proxy was stalled, this connection stays stalled.
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
