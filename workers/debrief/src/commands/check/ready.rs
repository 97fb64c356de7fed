//! `debrief check --ready`: asks the process on this machine whether it is ready. It is the health check of a container,
//! so it needs no other program.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use platform::config::{ConfigError, Values};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::listen;
use crate::outcome::{Ended, failed};

/// How long the process may take to answer. It takes two seconds to find out that a server is away.
const PATIENCE: Duration = Duration::from_secs(5);
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

pub(crate) async fn ready(values: &Values) -> Ended {
    let address = address(values)?;
    let asked = tokio::time::timeout(PATIENCE, ask(address)).await;
    match asked.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {} s", PATIENCE.as_secs()))) {
        Ok((200, _)) => {
            say!("ready: http://{address}/ready says so");
            Ok(ExitCode::SUCCESS)
        }
        Ok((status, why)) => failed(format!("not ready: http://{address}/ready answers {status}{why}")),
        Err(error) => failed(format!("not ready: http://{address}/ready: {error:#}")),
    }
}

/// The address of the process that runs with this configuration. An address that stands for all addresses of the machine
/// is asked on loopback.
fn address(values: &Values) -> Result<SocketAddr, ConfigError> {
    let mut address = listen::read_address(values)?;
    if address.port() == 0 {
        let problem = "is 0, so nobody knows on which port the process listens: give the port that it uses";
        return Err(ConfigError::new("PORT", problem));
    }
    if address.ip().is_unspecified() {
        let loopback = match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        address.set_ip(loopback);
    }
    Ok(address)
}

/// Returns the status of the answer, and what the answer says about it. The request is written here, because a client
/// for HTTP would go through the proxy of the environment.
async fn ask(address: SocketAddr) -> anyhow::Result<(u16, String)> {
    let mut socket = TcpStream::connect(address).await.context("nobody listens there")?;
    let request = format!("GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.context("send the question")?;
    let mut answer = Vec::new();
    socket.take(MAX_ANSWER_BYTES).read_to_end(&mut answer).await.context("read the answer")?;
    let answer = String::from_utf8_lossy(&answer);
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { bail!("the answer is not HTTP") };
    let status =
        head.strip_prefix("HTTP/1.1 ").and_then(|line| line.get(..3)).and_then(|code| code.parse().ok());
    let Some(status) = status else { bail!("the answer is not HTTP") };
    let problem: Option<Value> = serde_json::from_str(body).ok();
    let why = problem.as_ref().and_then(|problem| problem["detail"].as_str());
    Ok((status, why.map(|why| format!(": {why}")).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_asked_where_it_listens() {
        let of = |pairs: &[(&str, &str)]| address(&Values::of(pairs.iter().copied()));
        let shown = |pairs: &[(&str, &str)]| of(pairs).unwrap().to_string();
        assert_eq!(shown(&[]), "127.0.0.1:8000");
        let key = ("DEBRIEF_API_KEY", "0123456789abcdef0123456789abcdef");
        assert_eq!(shown(&[key, ("PORT", "9000")]), "127.0.0.1:9000");
        assert_eq!(shown(&[key, ("DEBRIEF_BIND", "::")]), "[::1]:8000");
        assert_eq!(shown(&[key, ("DEBRIEF_BIND", "10.0.0.7")]), "10.0.0.7:8000");
        assert!(of(&[("PORT", "0")]).unwrap_err().to_string().starts_with("PORT"));
    }
}
