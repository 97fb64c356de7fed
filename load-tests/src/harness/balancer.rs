//! A door to several servers that are one, as a Service of Kubernetes is: each new connection goes to the next of them
//! that takes it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const CONNECTED_WITHIN: Duration = Duration::from_secs(1);

/// The door. It closes when it is dropped; connections that are open stay open.
#[derive(Debug)]
pub struct Balancer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Balancer {
    /// Opens a door to these servers on loopback.
    pub async fn before(servers: Vec<SocketAddr>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("open the door to the servers")?;
        let address = listener.local_addr().context("find the address of the door")?;
        let task = tokio::spawn(async move {
            for first in (0..servers.len()).cycle() {
                if let Ok((client, _)) = listener.accept().await {
                    let (before, after) = servers.split_at(first);
                    tokio::spawn(carry(client, [after, before].concat()));
                }
            }
        });
        Ok(Self { address, task })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Connects a client with the first of the servers that takes the connection, until one of the two closes it.
async fn carry(mut client: TcpStream, servers: Vec<SocketAddr>) {
    for server in servers {
        if let Ok(Ok(mut server)) = timeout(CONNECTED_WITHIN, TcpStream::connect(server)).await {
            // How a connection ends is for its two ends to notice.
            copy_bidirectional(&mut client, &mut server).await.ok();
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A server that says its number to whoever connects.
    async fn server(number: u8) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                client.write_u8(number).await.expect("the client reads");
            }
        });
        address
    }

    #[tokio::test]
    async fn connections_go_to_one_server_after_the_other_and_past_one_that_is_down() {
        let down = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let gone = down.local_addr().expect("it has an address");
        drop(down);
        let door = Balancer::before(vec![server(1).await, gone, server(3).await]).await.expect("it opens");
        let mut reached = Vec::new();
        for _ in 0..4 {
            let mut client = TcpStream::connect(door.address()).await.expect("the door is open");
            reached.push(client.read_u8().await.expect("a server answers"));
        }
        assert_eq!(reached, [1, 3, 3, 1]);
    }
}
