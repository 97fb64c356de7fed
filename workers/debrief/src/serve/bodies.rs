//! The bodies of one connection. The body of a request ends with an error when its sender is too slow, and the body of
//! an answer tells when the answer is finished.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use web::TooSlow;

use super::pace::Pace;
use crate::doors::Activity;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request.
pub(super) struct Sent {
    body: Incoming,
    activity: Arc<Activity>,
    pace: Pace,
    /// Since when the sender lets us wait, and the moment at which we give it up.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    is_given_up: bool,
}

impl Sent {
    pub(super) fn new(body: Incoming, activity: Arc<Activity>) -> Self {
        Self { body, activity, pace: Pace::new(), waiting: None, is_given_up: false }
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if this.is_given_up {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            this.activity.waits();
            let (_, given_up) = this.waiting.get_or_insert_with(|| {
                let now = Instant::now();
                (now, Box::pin(sleep_until(now + this.pace.left())))
            });
            ready!(given_up.as_mut().poll(cx));
            this.is_given_up = true;
            this.activity.moved();
            return Poll::Ready(Some(Err(TooSlow.into())));
        };
        if let Some((since, _)) = this.waiting.take() {
            let bytes =
                frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()).map_or(0, Bytes::len);
            this.pace.moved(since.elapsed(), bytes);
            this.activity.moved();
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.is_given_up || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A request that was taken. It counts as answered when this is dropped.
pub(super) struct InHand(Arc<Activity>);

impl InHand {
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        activity.taken();
        Self(activity)
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.answered();
    }
}

/// The body of an answer. hyper drops it after its last byte.
pub(super) struct Answer {
    body: Body,
    _in_hand: InHand,
}

impl Answer {
    pub(super) fn new(body: Body, in_hand: InHand) -> Self {
        Self { body, _in_hand: in_hand }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
