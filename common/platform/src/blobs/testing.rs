//! A bucket for one test, on the S3 server that `DEBRIEF_TEST_S3_URL` names.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::signer::Signer as _;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Method, StatusCode};
use url::Url;
use uuid::Uuid;

use super::{BucketSettings, bucket};
use crate::config::Values;
use crate::http;

/// Such as `http://user:password@127.0.0.1:9000`.
const SERVER: &str = "DEBRIEF_TEST_S3_URL";
const PREFIX: &str = "some/where";

/// A bucket that a test has for itself.
#[derive(Debug)]
pub struct TestBucket {
    name: String,
    server: Url,
}

#[expect(clippy::missing_panics_doc, reason = "a test panics when its server does not do what it needs")]
impl TestBucket {
    /// A name for a bucket, which is not made yet. `None` where there is no S3 server to test with; then it says so. On
    /// the CI, which sets `CI`, there must be one.
    #[expect(
        clippy::disallowed_methods,
        reason = "environment variables tell the tests where their servers are"
    )]
    #[expect(clippy::print_stderr, reason = "who runs the test must see that a part of it was left out")]
    pub fn named() -> Option<Self> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let Ok(server) = std::env::var(SERVER) else {
            assert!(std::env::var("CI").is_err(), "set {SERVER} (`make test` does where Go is installed)");
            eprintln!("{SERVER} is not set, so this is not tested with an S3 server");
            return None;
        };
        let server = Url::parse(&server).expect("an address such as http://user:password@127.0.0.1:9000");
        Some(Self { name: format!("test-{}", Uuid::new_v4()), server })
    }

    /// An empty bucket.
    pub async fn make() -> Option<Self> {
        let bucket = Self::named()?;
        bucket.create().await;
        Some(bucket)
    }

    pub async fn create(&self) {
        let made = self.ask(Method::PUT).await;
        assert!(made.is_success(), "the bucket is not made: {made}");
    }

    /// Removes everything in the bucket, and the bucket.
    pub async fn remove(&self) {
        let all = bucket::bare(&self.settings()).expect("a client");
        let keys: Vec<Path> =
            all.list(None).map_ok(|meta| meta.location).try_collect().await.expect("a list of the objects");
        for key in keys {
            all.delete(&key).await.expect("an object is removed");
        }
        let removed = self.ask(Method::DELETE).await;
        assert!(removed.is_success(), "the bucket is not removed: {removed}");
    }

    /// The keys of everything in the bucket, without the prefix.
    pub async fn keys(&self) -> Vec<String> {
        let all = bucket::bare(&self.settings()).expect("a client");
        let keys = all.list(None).map(|meta| meta.expect("an object").location.to_string());
        let prefix = format!("{PREFIX}/");
        keys.map(|key| key.strip_prefix(&prefix).expect("the prefix").to_owned()).collect().await
    }

    async fn ask(&self, method: Method) -> StatusCode {
        let bucket = bucket::bare(&self.settings()).expect("a client");
        let url = bucket.signed_url(method.clone(), &Path::default(), Duration::from_mins(1)).await;
        let client = http::client(Duration::from_secs(30));
        let request = client.request(method, url.expect("an address")).header(CONTENT_LENGTH, "0");
        request.send().await.expect("an answer of the S3 server").status()
    }

    /// The settings with which Debrief uses the bucket.
    pub fn values(&self) -> Vec<(&'static str, String)> {
        let mut endpoint = self.server.clone();
        endpoint.set_username("").expect("an address with a host");
        endpoint.set_password(None).expect("an address with a host");
        vec![
            ("BLOB_URL", format!("s3://{}/{PREFIX}", self.name)),
            ("AWS_ACCESS_KEY_ID", self.server.username().to_owned()),
            ("AWS_SECRET_ACCESS_KEY", self.server.password().unwrap_or_default().to_owned()),
            ("AWS_ENDPOINT", endpoint.to_string()),
        ]
    }

    /// The settings with one of them changed.
    pub fn with(&self, name: &'static str, value: &str) -> BucketSettings {
        let pairs = self.values();
        let others =
            pairs.iter().filter(|(other, _)| *other != name).map(|(name, value)| (*name, value.as_str()));
        let values = Values::of(others.chain([(name, value)]));
        let url = values.text("BLOB_URL").expect("an address");
        BucketSettings::read(&values, &url).expect("settings")
    }

    pub fn settings(&self) -> BucketSettings {
        self.with("AWS_REGION", "us-east-1")
    }
}
