//! A keep-alive HTTP/1.1 connection. It does as little as possible, because the load shares the processor with what is
//! measured.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    buffer: BytesMut,
    /// The `Authorization` header with its line end, or nothing.
    authorization: String,
}

pub struct Answer {
    pub status: u16,
    pub body: Bytes,
    pub has_retry_after: bool,
    /// The server closes the connection after this answer.
    pub closes: bool,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, address, buffer: BytesMut::with_capacity(4096), authorization: String::new() })
    }

    pub async fn open_all(address: SocketAddr, count: usize) -> anyhow::Result<Vec<Self>> {
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(Self::open(address).await.context("connect to Debrief")?);
        }
        Ok(all)
    }

    /// Sends this key with every request, if there is one.
    pub fn with_key(mut self, key: Option<&str>) -> Self {
        self.authorization = key.map(|key| format!("authorization: Bearer {key}\r\n")).unwrap_or_default();
        self
    }

    pub async fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        let (address, authorization) = (self.address, &self.authorization);
        self.ask(format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{authorization}\r\n").as_bytes()).await
    }

    pub async fn post_json(&mut self, path: &str, body: &str) -> anyhow::Result<Answer> {
        let (address, length, authorization) = (self.address, body.len(), &self.authorization);
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{authorization}\r\n{body}"
        );
        self.ask(request.as_bytes()).await
    }

    pub async fn put(&mut self, path: &str, content_type: &str, body: &[u8]) -> anyhow::Result<Answer> {
        self.give("PUT", path, content_type, body).await
    }

    pub async fn post(&mut self, path: &str, content_type: &str, body: &[u8]) -> anyhow::Result<Answer> {
        self.give("POST", path, content_type, body).await
    }

    async fn give(
        &mut self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        let (address, length) = (self.address, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {content_type}\r\n\
             content-length: {length}\r\n{}\r\n",
            self.authorization
        );
        self.ask(&[head.as_bytes(), body].concat()).await
    }

    async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await.context("send a request")?;
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break self.buffer.split_to(end + 4);
            }
            self.read_more().await?;
        };
        let (status, length) = read_head(&head)?;
        while self.buffer.len() < length {
            self.read_more().await?;
        }
        let body = self.buffer.copy_to_bytes(length);
        // Only a refused request needs the other headers.
        let has = |line: &[u8]| status >= 400 && has_line(&head, line);
        let (has_retry_after, closes) = (has(b"retry-after:"), has(b"connection: close"));
        Ok(Answer { status, body, has_retry_after, closes })
    }

    async fn read_more(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await.context("read an answer")? == 0 {
            bail!("the connection was closed");
        }
        Ok(())
    }
}

/// Returns the status and the length of the body.
fn read_head(head: &[u8]) -> anyhow::Result<(u16, usize)> {
    let head = std::str::from_utf8(head).context("read the head of an answer")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    // RFC 9110, section 15.3.5: an answer with status 204 has no body and does not name its length.
    let no_body = (status == Some(204)).then_some(0);
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.trim().parse().ok())
        .or(no_body);
    status.zip(length).with_context(|| format!("no status or no length in `{head}`"))
}

/// Whether a line begins like this, whatever the case of the letters.
fn has_line(head: &[u8], beginning: &[u8]) -> bool {
    let line = [b"\r\n", beginning].concat();
    head.windows(line.len()).any(|bytes| bytes.eq_ignore_ascii_case(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_and_the_length_are_read_whatever_the_case_of_the_letters() {
        let head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 12\r\nretry-after: 5\r\n\r\n";
        assert_eq!(read_head(head).unwrap(), (503, 12));
        assert!(has_line(head, b"Retry-After:") && !has_line(head, b"connection: close"));
    }

    #[test]
    fn a_body_of_unknown_length_is_an_error() {
        assert_eq!(read_head(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap(), (204, 0));
        assert!(read_head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
