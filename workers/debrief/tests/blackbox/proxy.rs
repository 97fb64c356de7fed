//! A wire between a process and its server that can be cut.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    whole: watch::Sender<bool>,
}

impl Proxy {
    pub(crate) async fn to(server: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (whole, watching) = watch::channel(true);
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let (server, mut watching) = (server.clone(), watching.clone());
                tokio::spawn(async move {
                    if !*watching.borrow() {
                        return;
                    }
                    let Ok(mut upstream) = TcpStream::connect(&server).await else { return };
                    let cut = watching.wait_for(|whole| !whole);
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut upstream) => {}
                        _ = cut => {}
                    }
                });
            }
        });
        Self { address, whole }
    }

    /// Breaks every connection, and every one that is tried from now on.
    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.whole.send_replace(true);
    }
}
