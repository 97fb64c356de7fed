//! Forms that change something. A page of somebody else must not be able to send them in the name of a visitor.
//!
//! The browser holds a random text in a cookie that scripts cannot read, and each form holds a hash of it. A page of
//! somebody else can make the browser send the cookie but cannot know the hash. In addition, a browser says where a
//! request comes from, and a request from elsewhere is refused.

use axum::extract::{FromRequest, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use web::Problem;

use crate::{Console, Fields, Refusal};

pub(crate) const COOKIE: &str = "debrief_form";
/// The name of the field of a form, and of the header in which a script sends the same text.
pub(crate) const FIELD: &str = "csrf";
pub(crate) const HEADER: &str = "x-csrf-token";
const MAX_FORM_BYTES: u64 = 1024 * 1024;

/// The text in the cookie of a browser, and the text in its forms.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    secret: String,
    pub(crate) is_new: bool,
}

impl Token {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match cookie(headers, COOKIE).filter(|secret| secret.len() == 64) {
            Some(secret) => Self { secret: secret.to_owned(), is_new: false },
            None => Self { secret: hex::encode(rand::random::<[u8; 32]>()), is_new: true },
        }
    }

    /// What stands in the forms.
    pub(crate) fn in_forms(&self) -> String {
        hex::encode(Sha256::digest(format!("form:{}", self.secret)))
    }

    /// What the browser has to keep.
    pub(crate) fn set_cookie(&self) -> String {
        format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict", self.secret)
    }

    fn is(&self, given: &str) -> bool {
        !self.is_new && self.in_forms().as_bytes().ct_eq(given.as_bytes()).into()
    }
}

/// The value of a cookie of the request.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(axum::http::header::COOKIE).iter();
    let cookies = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    let pairs = cookies.filter_map(|cookie| cookie.trim().split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next()
}

/// Refuses a request that another site made. `token` is the text of the form or of the header.
pub(crate) fn check(head: &Parts, token: &str) -> Result<(), Problem> {
    let refused = |detail| Err(Problem::new(StatusCode::FORBIDDEN, detail));
    let says = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    if says("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return refused("the form was sent by a page of another site");
    }
    let host = says("host").unwrap_or_default();
    if says("origin").is_some_and(|origin| origin.split_once("://").is_none_or(|(_, from)| from != host)) {
        return refused("the form was sent by a page of another site");
    }
    if !Token::of(&head.headers).is(token) {
        return refused(
            "the form is too old, or your browser keeps no cookies: go back, load the page again, and send the form again",
        );
    }
    Ok(())
}

/// The fields of a form that one of our pages sent. It is the last argument of a handler that changes something.
pub(crate) struct Posted(pub(crate) Fields);

impl FromRequest<Console> for Posted {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &Console) -> Result<Self, Refusal> {
        let (head, body) = request.into_parts();
        let body = web::raw(&head.headers, body, MAX_FORM_BYTES)
            .await
            .map_err(|problem| Refusal::of_head(&head, problem))?;
        let fields = Fields::parse(&body);
        let header = head.headers.get(HEADER).and_then(|value| value.to_str().ok());
        check(&head, header.unwrap_or_else(|| fields.text(FIELD)))
            .map_err(|problem| Refusal::of_head(&head, problem))?;
        Ok(Self(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::post("/keys");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_form_needs_the_text_that_belongs_to_the_cookie_of_its_browser() {
        let token = Token::of(&HeaderMap::new());
        let cookie = format!("other=1; {COOKIE}={}", token.secret);
        let ours = [("host", "calls.example.com"), ("cookie", &*cookie)];
        assert!(check(&head(&ours), &token.in_forms()).is_ok());
        assert!(check(&head(&ours), "").is_err());
        assert!(check(&head(&ours), &Token::of(&HeaderMap::new()).in_forms()).is_err());
        assert!(check(&head(&ours[..1]), &token.in_forms()).is_err());
    }

    #[test]
    fn a_form_of_another_site_is_refused_even_with_the_right_text() {
        let token = Token::of(&HeaderMap::new());
        let cookie = format!("{COOKIE}={}", token.secret);
        for (name, value, is_ours) in [
            ("origin", "https://calls.example.com", true),
            ("origin", "https://evil.example.com", false),
            ("origin", "null", false),
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "same-site", false),
            ("sec-fetch-site", "cross-site", false),
        ] {
            let head = head(&[("host", "calls.example.com"), ("cookie", &cookie), (name, value)]);
            assert_eq!(check(&head, &token.in_forms()).is_ok(), is_ours, "{name}: {value}");
        }
    }
}
