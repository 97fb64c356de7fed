//! Says what a failed request to a bucket means, and what the administrator can do about it.

use std::error::Error as _;

use domain::shown_text::one_line;
use object_store::Error;
use object_store::client::{HttpError, HttpErrorKind};

use super::super::settings::BucketSettings;

const MAX_SHOWN: usize = 300;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    NoSuchKey,
    NoSuchBucket,
    /// The server does not know the access key.
    UnknownAccount,
    /// The signature is wrong, and so the secret key.
    WrongSecret,
    /// The account may not do this.
    NotAllowed,
    WrongRegion,
    /// The time of this machine is too far from the time of the server.
    WrongClock,
    Overloaded,
    Unreachable(String),
    NoAnswer,
    Other(String),
}

impl Failure {
    pub(super) fn of(error: &Error) -> Self {
        let text = error.to_string();
        if let Some(http) = http_error(error) {
            return match http.kind() {
                HttpErrorKind::Timeout => Self::NoAnswer,
                _ => Self::Unreachable(innermost(http)),
            };
        }
        match code(&text) {
            Some("NoSuchKey") => Self::NoSuchKey,
            Some("NoSuchBucket") => Self::NoSuchBucket,
            Some("InvalidAccessKeyId") => Self::UnknownAccount,
            Some("SignatureDoesNotMatch") => Self::WrongSecret,
            Some("AccessDenied" | "AllAccessDisabled" | "AccountProblem") => Self::NotAllowed,
            Some(
                "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException",
            ) => Self::WrongRegion,
            Some("RequestTimeTooSkewed") => Self::WrongClock,
            Some("SlowDown" | "ServiceUnavailable" | "SlowDownRead" | "SlowDownWrite") => Self::Overloaded,
            Some(code) => Self::Other(format!("it answered `{}`", shown(code))),
            // The answer to a HEAD has no body.
            None if matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. }) => {
                Self::NotAllowed
            }
            None if text.contains("incorrectly configured region") => Self::WrongRegion,
            None => Self::Other(shown(&text)),
        }
    }

    /// Completes the sentence "failed to use the blob store: …".
    pub(super) fn words(&self, settings: &BucketSettings) -> String {
        let (host, bucket) = (settings.host(), &settings.name);
        match self {
            Self::NoSuchBucket => {
                format!("there is no bucket `{bucket}` at {host}: make it, or correct BLOB_URL")
            }
            Self::UnknownAccount => {
                format!("{host} does not know the access key: check AWS_ACCESS_KEY_ID")
            }
            Self::WrongSecret => {
                format!("{host} refuses our signature: check AWS_SECRET_ACCESS_KEY")
            }
            Self::NotAllowed => format!(
                "{host} does not allow this in the bucket `{bucket}`: check what AWS_ACCESS_KEY_ID may do there"
            ),
            Self::WrongRegion => format!("the bucket `{bucket}` is in another region: check AWS_REGION"),
            Self::WrongClock => format!("the clock of this machine differs from that of {host}"),
            Self::Overloaded => format!("{host} is overloaded"),
            Self::Unreachable(why) => format!("{host} cannot be reached: {why}: check AWS_ENDPOINT"),
            Self::NoAnswer => format!("{host} does not answer: check AWS_ENDPOINT"),
            Self::NoSuchKey => format!("an object is not in the bucket `{bucket}` any more"),
            Self::Other(what) => format!("{host} cannot do this: {what}"),
        }
    }
}

/// The code in an answer such as `<Error><Code>NoSuchBucket</Code>…`.
fn code(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code)
}

/// The failure of a request that got no answer.
fn http_error(error: &Error) -> Option<&HttpError> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(http) = inner.downcast_ref::<HttpError>() {
            return Some(http);
        }
        cause = inner.source();
    }
    None
}

/// The text of the innermost cause, which says what happened: `Connection refused`, or `certificate has expired`.
fn innermost(error: &HttpError) -> String {
    let mut innermost: &(dyn std::error::Error + 'static) = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    shown(&innermost.to_string())
}

fn shown(text: &str) -> String {
    one_line(text).chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(body: &'static str) -> Error {
        Error::Generic { store: "S3", source: body.into() }
    }

    #[test]
    fn the_code_of_an_answer_says_what_is_wrong() {
        for (code, failure) in [
            ("NoSuchKey", Failure::NoSuchKey),
            ("NoSuchBucket", Failure::NoSuchBucket),
            ("InvalidAccessKeyId", Failure::UnknownAccount),
            ("SignatureDoesNotMatch", Failure::WrongSecret),
            ("AccessDenied", Failure::NotAllowed),
            ("AuthorizationHeaderMalformed", Failure::WrongRegion),
            ("RequestTimeTooSkewed", Failure::WrongClock),
            ("SlowDown", Failure::Overloaded),
            ("NewInThisWorld", Failure::Other("it answered `NewInThisWorld`".into())),
        ] {
            let body = format!("403 Forbidden: <?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
            let error = Error::Generic { store: "S3", source: body.into() };
            assert_eq!(Failure::of(&error), failure, "{code}");
        }
    }

    /// A proxy in front of the server answers 404 when the server is away. The blob may be there.
    #[test]
    fn only_the_server_itself_says_that_a_blob_is_not_there() {
        let of_a_proxy = Error::NotFound { path: "a".into(), source: "404 page not found".into() };
        assert!(matches!(Failure::of(&of_a_proxy), Failure::Other(_)));
        let without_a_body = Error::PermissionDenied { path: "a".into(), source: "403".into() };
        assert_eq!(Failure::of(&without_a_body), Failure::NotAllowed);
        assert!(matches!(Failure::of(&answered("<html>")), Failure::Other(_)));
    }
}
