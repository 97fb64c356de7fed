//! The socket of one connection, as hyper sees it. It ends a connection whose client does not take what we write, and
//! it keeps back the answers that hyper would give by itself.
//!
//! hyper answers a head that it cannot read with a status and an empty body, and it cannot be told another answer.
//! Such an answer is the only thing that hyper writes while no request is in hand and everything before is written. So
//! it can be recognised without doubt. It is kept back, and the connection then answers with a problem.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::pace::Pace;
use crate::doors::{Activity, Place};

pub(super) struct Socket<S> {
    stream: S,
    activity: Arc<Activity>,
    pace: Pace,
    /// Since when the client does not take what we write, and the moment at which we give it up.
    blocked: Option<(Instant, Pin<Box<Sleep>>)>,
    kept_back: Option<StatusCode>,
    _place: Option<Arc<Place>>,
}

/// What is left when hyper has ended a connection.
pub(super) struct Ended<S> {
    pub(super) stream: S,
    /// The status of the answer that hyper wanted to give by itself.
    pub(super) kept_back: Option<StatusCode>,
    /// Whether the client did not take what we wrote.
    pub(super) is_stuck: bool,
}

impl<S> Socket<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity, pace: Pace::new(), blocked: None, kept_back: None, _place: None }
    }

    /// The same socket, which holds its place as long as it is open.
    pub(super) fn holding(self, place: Arc<Place>) -> Self {
        Self { _place: Some(place), ..self }
    }

    pub(super) fn end(self) -> Ended<S> {
        Ended { stream: self.stream, kept_back: self.kept_back, is_stuck: self.blocked.is_some() }
    }

    /// Whether these bytes are an answer of hyper's own. Then they are not written.
    fn keep_back(&mut self, bytes: &[u8]) -> bool {
        if !self.activity.is_between_requests() {
            return false;
        }
        let status = bytes.get(b"HTTP/1.1 ".len()..b"HTTP/1.1 400".len());
        self.kept_back = status.and_then(|digits| StatusCode::from_bytes(digits).ok());
        self.kept_back.is_some()
    }

    /// Notes the result of a write.
    fn written(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let now = Instant::now();
        match result {
            Poll::Pending => {
                self.activity.waits();
                let left = self.pace.left();
                let (_, given_up) =
                    self.blocked.get_or_insert_with(|| (now, Box::pin(sleep_until(now + left))));
                ready!(given_up.as_mut().poll(cx));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
            }
            Poll::Ready(result) => {
                if let Ok(bytes) = result {
                    let waited = self.blocked.take().map(|(since, _)| now.duration_since(since));
                    self.pace.moved(waited.unwrap_or_default(), bytes);
                    if waited.is_some() {
                        self.activity.moved();
                    }
                }
                Poll::Ready(result)
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.keep_back(pieces.first().map_or(&[], |piece| piece)) {
            return Poll::Ready(Ok(pieces.iter().map(|piece| piece.len()).sum()));
        }
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper comes here only when it has written everything that it had.
        self.activity.flushed();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// hyper would shut the stream down before the last problem is told. Whoever has the stream at the end closes it.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::sleep;

    use super::*;

    /// Writes a megabyte to a client that reads so many bytes after each pause. Returns how long that took, or after
    /// which time the client was given up.
    async fn written(pause: Duration, bytes: usize) -> Result<Duration, Duration> {
        let (ours, mut theirs) = duplex(1024);
        let activity = Arc::new(Activity::waiting());
        activity.taken();
        let mut socket = Socket::new(ours, Arc::clone(&activity));
        let started = Instant::now();
        let reading = async {
            let mut piece = vec![0; bytes];
            loop {
                sleep(pause).await;
                theirs.read_exact(&mut piece).await.unwrap();
            }
        };
        let answer = vec![b'x'; 1_000_000];
        let result = tokio::select! {
            result = socket.write_all(&answer) => result,
            () = reading => unreachable!("it reads without an end"),
        };
        if let Err(error) = result {
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert!(socket.end().is_stuck && activity.waits_since().is_some());
            return Err(started.elapsed());
        }
        Ok(started.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_gets_everything_and_one_that_trickles_is_given_up() {
        let second = Duration::from_secs(1);
        for (pause, bytes) in [(second, 8000), (second / 10, 800), (second * 20, 100_000)] {
            assert!(written(pause, bytes).await.is_ok(), "{pause:?} {bytes}");
        }
        for (pause, bytes, at_most) in
            [(second, 1, 31), (second * 60, 1, 30), (second * 60, 100_000, 30), (second, 2048, 70)]
        {
            let given_up = written(pause, bytes).await.unwrap_err();
            assert!(given_up <= second * at_most, "{pause:?} {bytes}: {given_up:?}");
        }
    }
}
