//! Reads where the blobs are: in the data folder, or in a bucket of S3 or of a server that speaks its protocol.

use secrecy::SecretString;
use url::Url;

use crate::config::{ConfigError, Values};

const BLOB_URL: &str = "BLOB_URL";
const ACCESS_KEY: &str = "AWS_ACCESS_KEY_ID";
const SECRET_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const REGION: &str = "AWS_REGION";
const ENDPOINT: &str = "AWS_ENDPOINT";
const REDIRECT: &str = "BLOB_REDIRECT";
const DEFAULT_REGION: &str = "us-east-1";
const EXPECTED_URL: &str = "the address of a bucket such as s3://bucket/prefix";
/// S3 copies an object of at most this size in one request. An upload is copied to its place when its call is known.
const MAX_COPY_BYTES: u64 = 5 * 1024 * 1024 * 1024;
/// The longest prefix. A key of S3 has at most 1024 bytes, and our own keys have at most 512.
const MAX_PREFIX_CHARS: usize = 256;
/// The longest access key or secret key. Those of S3 have 128 characters at most.
const MAX_KEY_CHARS: usize = 1024;

/// Where the blobs are.
#[derive(Clone, Debug)]
pub enum Settings {
    /// In the folder `blobs` of the data folder.
    Folder,
    Bucket(BucketSettings),
}

/// A bucket, and the account that may use it.
#[derive(Clone, Debug)]
pub struct BucketSettings {
    pub(super) name: String,
    /// What our keys begin with. It is empty, or has no slash at its ends.
    pub(super) prefix: String,
    pub(super) region: String,
    /// `None` stands for S3 itself, in the region.
    pub(super) endpoint: Option<Url>,
    pub(super) access_key: SecretString,
    pub(super) secret_key: SecretString,
    /// Whether a reader of a recording is sent to the bucket.
    pub(super) redirects: bool,
}

impl Settings {
    /// Reads the settings. `max_upload_bytes` is the largest recording that the installation takes.
    pub fn read(values: &Values, max_upload_bytes: u64) -> Result<Self, ConfigError> {
        match values.text(BLOB_URL) {
            None => {
                // The variables of AWS are often set for other programs, so they are not checked without a bucket.
                for name in [ACCESS_KEY, SECRET_KEY, REGION, ENDPOINT, REDIRECT] {
                    values.text(name);
                }
                Ok(Self::Folder)
            }
            Some(url) => {
                let bucket = BucketSettings::read(values, &url)?;
                if max_upload_bytes > MAX_COPY_BYTES {
                    return Err(ConfigError::new(
                        "DEBRIEF_MAX_UPLOAD_MB",
                        "can be at most 5120 with BLOB_URL, because S3 copies no larger object in one request",
                    ));
                }
                Ok(Self::Bucket(bucket))
            }
        }
    }
}

impl BucketSettings {
    /// Reads the account for the bucket at `url`, which is the value of `BLOB_URL` or of an argument.
    pub fn read(values: &Values, url: &str) -> Result<Self, ConfigError> {
        let (name, prefix) =
            parts(url).ok_or_else(|| ConfigError::new(BLOB_URL, format!("is not {EXPECTED_URL}")))?;
        let region = values.text(REGION).unwrap_or_else(|| DEFAULT_REGION.to_owned());
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if region.len() > 64 || !region.chars().all(is_plain) {
            return Err(ConfigError::not(REGION, &region, "the name of a region such as eu-central-1"));
        }
        Ok(Self {
            name,
            prefix,
            region,
            endpoint: endpoint(values)?,
            access_key: key(values, ACCESS_KEY)?,
            secret_key: key(values, SECRET_KEY)?,
            redirects: values.text(REDIRECT).is_none() || values.flag(REDIRECT)?,
        })
    }

    /// The host that keeps the bucket, with its port, for people.
    pub(super) fn host(&self) -> String {
        let given = self.endpoint.as_ref().map(|url| {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}{port}", url.host_str().unwrap_or_default())
        });
        given.unwrap_or_else(|| format!("s3.{}.amazonaws.com", self.region))
    }
}

/// The bucket and where it is. No key is shown.
impl std::fmt::Display for BucketSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}", self.name)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        write!(f, " at {}", self.host())
    }
}

/// The bucket and the prefix of an address. The rules for a bucket's name are those of S3.
fn parts(url: &str) -> Option<(String, String)> {
    let rest = url.strip_prefix("s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let in_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let at_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_bucket = (3..=63).contains(&bucket.len())
        && bucket.chars().all(in_name)
        && bucket.starts_with(at_end)
        && bucket.ends_with(at_end)
        && !bucket.contains("..");
    let prefix = prefix.trim_end_matches('/');
    let is_prefix =
        prefix.is_empty() || (prefix.len() <= MAX_PREFIX_CHARS && prefix.split('/').all(super::is_part));
    (is_bucket && is_prefix).then(|| (bucket.to_owned(), prefix.to_owned()))
}

fn endpoint(values: &Values) -> Result<Option<Url>, ConfigError> {
    let Some(text) = values.text(ENDPOINT) else { return Ok(None) };
    let url = values.url(ENDPOINT, &text)?;
    let is_bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.path() == "/";
    if is_bare {
        Ok(Some(url))
    } else {
        Err(ConfigError::new(ENDPOINT, "must have a host and perhaps a port, and nothing else"))
    }
}

/// Reads a key, which is sent in a header or signs one.
fn key(values: &Values, name: &str) -> Result<SecretString, ConfigError> {
    let Some(text) = values.text(name) else {
        return Err(ConfigError::new(name, "is needed beside BLOB_URL: name the account of the bucket"));
    };
    if text.len() <= MAX_KEY_CHARS && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.into())
    } else {
        Err(ConfigError::new(name, "may hold only visible characters of ASCII, and at most 1024 of them"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1024 * 1024;
    const KEYS: [(&str, &str); 2] = [(ACCESS_KEY, "AKIAEXAMPLE"), (SECRET_KEY, "hunter2")];

    fn read(more: &[(&'static str, &'static str)]) -> Result<Settings, ConfigError> {
        Settings::read(&Values::of(KEYS.iter().chain(more).copied()), 2048 * MB)
    }

    #[test]
    fn without_an_address_the_blobs_are_in_the_data_folder_whatever_else_is_set() {
        let others = [(ENDPOINT, "not an address"), (REGION, "?"), (REDIRECT, "perhaps")];
        assert!(matches!(read(&others).unwrap(), Settings::Folder));
    }

    #[test]
    fn a_bucket_is_described_without_its_keys() {
        for (more, described) in [
            (vec![(BLOB_URL, "s3://calls")], "s3://calls at s3.us-east-1.amazonaws.com"),
            (
                vec![(BLOB_URL, "s3://calls.example/a/b/"), (REGION, "eu-central-1")],
                "s3://calls.example/a/b at s3.eu-central-1.amazonaws.com",
            ),
            (
                vec![(BLOB_URL, "s3://calls/a"), (ENDPOINT, "http://127.0.0.1:9000")],
                "s3://calls/a at 127.0.0.1:9000",
            ),
        ] {
            let Settings::Bucket(bucket) = read(&more).unwrap() else { panic!("{described}") };
            assert_eq!(bucket.to_string(), described);
            assert!(bucket.redirects);
            assert!(!format!("{bucket:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_value_that_cannot_be_used_is_named_and_no_key_is_shown() {
        let bucket = (BLOB_URL, "s3://calls");
        for (more, name) in [
            (vec![(BLOB_URL, "s3://")], BLOB_URL),
            (vec![(BLOB_URL, "s3://ab")], BLOB_URL),
            (vec![(BLOB_URL, "s3://Calls")], BLOB_URL),
            (vec![(BLOB_URL, "s3://-calls")], BLOB_URL),
            (vec![(BLOB_URL, "s3://a..b")], BLOB_URL),
            (vec![(BLOB_URL, "s3://calls/../other")], BLOB_URL),
            (vec![(BLOB_URL, "s3://calls//a")], BLOB_URL),
            (vec![(BLOB_URL, "s3://calls?x=1")], BLOB_URL),
            (vec![(BLOB_URL, "s3://user:hunter2@calls")], BLOB_URL),
            (vec![(BLOB_URL, "/var/blobs")], BLOB_URL),
            (vec![(BLOB_URL, "gs://calls")], BLOB_URL),
            (vec![bucket, (REGION, "Europe")], REGION),
            (vec![bucket, (ENDPOINT, "minio:9000")], ENDPOINT),
            (vec![bucket, (ENDPOINT, "ftp://minio")], ENDPOINT),
            (vec![bucket, (ENDPOINT, "https://user:hunter2@minio")], ENDPOINT),
            (vec![bucket, (ENDPOINT, "https://minio/calls")], ENDPOINT),
            (vec![bucket, (ACCESS_KEY, "a key")], ACCESS_KEY),
            (vec![bucket, (SECRET_KEY, "hunter2\u{7f}")], SECRET_KEY),
            (vec![bucket, (ACCESS_KEY, "")], ACCESS_KEY),
            (vec![bucket, (SECRET_KEY, "")], SECRET_KEY),
            (vec![bucket, (REDIRECT, "perhaps")], REDIRECT),
        ] {
            let error = read(&more).expect_err(&format!("{more:?}"));
            assert_eq!(error.name, name, "{more:?}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_recording_that_the_bucket_cannot_copy_is_not_promised() {
        let values = Values::of(KEYS.into_iter().chain([(BLOB_URL, "s3://calls")]));
        Settings::read(&values, 5120 * MB).unwrap();
        let error = Settings::read(&values, 5121 * MB).unwrap_err();
        assert_eq!(error.name, "DEBRIEF_MAX_UPLOAD_MB");
    }
}
