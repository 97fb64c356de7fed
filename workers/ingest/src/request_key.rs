//! Refuses an `Idempotency-Key` that came with another request before.
//!
//! The same request may come as often as its sender likes: it is one call. But a key that stands for another request
//! was used by mistake, and the sender would take the first call for the second. Only the cache knows which keys came
//! before, because ingest asks no database. A key that the cache has forgotten is accepted, as if it were new.

use std::time::Duration;

use axum::http::request::Parts;
use domain::call::WorkspaceId;
use platform::cache::Cache;
use queue_topology::intake::{Arrival, NewMaterial, without_query};
use sha2::{Digest as _, Sha256};
use web::Problem;

const REMEMBERED_FOR: Duration = Duration::from_hours(24);

/// The key of a request.
pub(crate) struct RequestKey {
    name: String,
    path: String,
}

/// A key that stands for this request now.
pub(crate) struct Claimed {
    name: String,
    request: String,
}

impl RequestKey {
    /// Reads the key, where the request has one that can be used.
    pub(crate) fn read(workspace: WorkspaceId, head: &Parts) -> Option<Self> {
        let key = web::idempotency_key(&head.headers).ok().flatten()?;
        let hash = hex::encode(Sha256::digest(key));
        Some(Self { name: format!("request:{}:{hash}", workspace.0), path: head.uri.path().to_owned() })
    }

    /// Makes the key stand for this request. The error has status 422 where it stands for another one.
    pub(crate) async fn claim(self, cache: &dyn Cache, arrivals: &[Arrival]) -> Result<Claimed, Problem> {
        let Self { name, path } = self;
        let request = format!("{name}:{}", fingerprint(&path, arrivals));
        let claimed = Claimed { name, request };
        // The request is noted before the key. So a request that comes twice at the same time is known the second time.
        let is_repeated = cache.remember(&claimed.request, REMEMBERED_FOR).await;
        if cache.remember(&claimed.name, REMEMBERED_FOR).await && !is_repeated {
            cache.forget(&claimed.request).await;
            return Err(web::key_of_another_request());
        }
        Ok(claimed)
    }
}

impl Claimed {
    /// Gives the key back, because nothing was done.
    pub(crate) async fn give_up(self, cache: &dyn Cache) {
        cache.forget(&self.name).await;
        cache.forget(&self.request).await;
    }
}

/// A hash of everything that the request says.
fn fingerprint(path: &str, arrivals: &[Arrival]) -> String {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    add(path.as_bytes());
    for Arrival { source, external_id, kind, details, materials } in arrivals {
        add(source.as_bytes());
        add(external_id.as_bytes());
        add(format!("{kind:?}").as_bytes());
        add(&serde_json::to_vec(details).unwrap_or_default());
        for material in materials {
            let material = match material {
                NewMaterial::StartingAt(at, material) => {
                    add(at.to_string().as_bytes());
                    material.as_ref()
                }
                material => material,
            };
            match material {
                NewMaterial::Url(url) => add(without_query(url).as_bytes()),
                NewMaterial::Held { kind, file, .. } => add(format!("{kind:?} {}", file.name()).as_bytes()),
                NewMaterial::StartingAt(at, _) => add(at.to_string().as_bytes()),
                NewMaterial::File(kind, upload) => add(format!("{kind:?} {}", upload.digest).as_bytes()),
                NewMaterial::Document { kind, bytes, .. } => {
                    add(format!("{kind:?}").as_bytes());
                    add(bytes);
                }
            }
        }
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use bytes::Bytes;
    use domain::call::{CallDetails, CallKind};
    use domain::event::MaterialKind;
    use platform::cache::Memory;

    use super::*;

    fn arrival(words: &'static str) -> Vec<Arrival> {
        let bytes = Bytes::from_static(words.as_bytes());
        let document =
            NewMaterial::Document { kind: MaterialKind::Transcript, media_type: "application/json", bytes };
        vec![Arrival {
            source: "upload".into(),
            external_id: "k".into(),
            kind: CallKind::Phone,
            details: CallDetails::default(),
            materials: vec![document],
        }]
    }

    fn key(path: &str, key: &str) -> RequestKey {
        let request = Request::post(path).header("idempotency-key", key).body(()).unwrap();
        RequestKey::read(WorkspaceId::DEFAULT, &request.into_parts().0).unwrap()
    }

    #[tokio::test]
    async fn a_key_stands_for_one_request_and_the_request_may_come_again() {
        let cache = Memory::default();
        for _ in 0..2 {
            assert!(key("/api/calls", "k").claim(&cache, &arrival("a")).await.is_ok());
        }
        for (path, words) in [("/api/calls", "b"), ("/api/sessions", "a")] {
            for _ in 0..2 {
                let refused = key(path, "k").claim(&cache, &arrival(words)).await.err().unwrap();
                assert_eq!(refused.status, 422);
                assert_eq!(refused.errors[0].pointer, "/Idempotency-Key");
            }
        }
        assert!(key("/api/calls", "k").claim(&cache, &arrival("a")).await.is_ok());
        assert!(key("/api/calls", "other").claim(&cache, &arrival("b")).await.is_ok());
    }

    #[tokio::test]
    async fn a_key_of_a_request_that_was_not_kept_is_open_for_another_one() {
        let cache = Memory::default();
        let claimed = key("/api/calls", "k").claim(&cache, &arrival("a")).await.ok().unwrap();
        claimed.give_up(&cache).await;
        assert!(key("/api/calls", "k").claim(&cache, &arrival("b")).await.is_ok());
    }

    #[tokio::test]
    async fn of_two_requests_with_one_key_at_the_same_time_one_is_refused_and_of_two_equal_ones_none() {
        let cache = Memory::default();
        let (a, b) = (arrival("a"), arrival("b"));
        let (one, other) = tokio::join!(key("/", "k").claim(&cache, &a), key("/", "k").claim(&cache, &b));
        assert!(one.is_ok() != other.is_ok());
        let (one, other) = tokio::join!(key("/", "l").claim(&cache, &a), key("/", "l").claim(&cache, &a));
        assert!(one.is_ok() && other.is_ok());
    }
}
