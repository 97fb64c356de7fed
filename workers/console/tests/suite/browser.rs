//! A browser: it keeps cookies, says where its requests come from, and sends the text that a page's forms hold.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, Request, StatusCode};
use tower::ServiceExt as _;

pub(crate) struct Browser {
    router: Router,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) host: String,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn location(&self) -> &str {
        self.headers.get(LOCATION).map_or("", |location| location.to_str().unwrap())
    }

    /// Where the browser is sent to, after a form was carried out.
    pub(crate) fn leads_to(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.text);
        self.location()
    }
}

impl Browser {
    pub(crate) fn new(router: Router, host: &str) -> Self {
        Self { router, cookies: BTreeMap::new(), host: host.to_owned() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.get_with(path, (ACCEPT.as_str(), "text/html")).await
    }

    pub(crate) async fn get_with(&mut self, path: &str, header: (&str, &str)) -> Answer {
        self.send(Request::get(path).header(header.0, header.1).body(Body::empty()).unwrap()).await
    }

    /// Sends a form of our own page.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf().await;
        let fields: Vec<_> = fields.iter().copied().chain([("csrf", &*csrf)]).collect();
        self.post_as(path, &fields, Some("same-origin")).await
    }

    /// Sends a form as the page at `from` has it, with the hidden text of its own form.
    pub(crate) async fn submit(&mut self, from: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let page = self.get(from).await;
        assert_eq!(page.status, StatusCode::OK, "{from}: {}", page.text);
        let csrf = between(&page.text, r#"name="csrf" value=""#);
        let fields: Vec<_> = fields.iter().copied().chain([("csrf", csrf)]).collect();
        self.post_as(path, &fields, Some("same-origin")).await
    }

    /// The text of the forms of this browser's pages.
    pub(crate) async fn csrf(&mut self) -> String {
        let mut page = self.get("/login").await;
        if page.status == StatusCode::SEE_OTHER {
            page = self.get("/register").await;
        }
        between(&page.text, r#"<meta name="csrf" content=""#).to_owned()
    }

    /// Sends exactly these fields, from a page of this site.
    pub(crate) async fn post_as(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        site: Option<&str>,
    ) -> Answer {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        self.send(request.body(Body::from(form)).unwrap()).await
    }

    /// Sends a form with files, each with its name and its content. `csrf` is its first field.
    pub(crate) async fn upload(&mut self, path: &str, csrf: &str, files: &[(&str, &[u8])]) -> Answer {
        let mut body =
            format!("--edge\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n").into_bytes();
        for (name, content) in files {
            let head = format!(
                "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--edge--\r\n");
        let request = Request::post(path)
            .header(CONTENT_TYPE, "multipart/form-data; boundary=edge")
            .header("sec-fetch-site", "same-origin");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Sends a request with the cookies of this browser.
    pub(crate) async fn send(&mut self, mut request: Request<Body>) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.parse().unwrap());
        headers.insert(COOKIE, cookies.join("; ").parse().unwrap());
        let answer = answer(&self.router, request).await;
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        self.cookies.retain(|_, value| !value.is_empty());
        answer
    }
}

/// What the process answers.
pub(crate) async fn answer(router: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

/// The text from behind `begin` to the next quotation mark.
fn between<'a>(text: &'a str, begin: &str) -> &'a str {
    let (_, behind) = text.split_once(begin).unwrap();
    behind.split('"').next().unwrap()
}
