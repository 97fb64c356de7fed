//! What is around every page: its head, the navigation, the box for searching, and the headers that protect it.

use askama::Template;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, LOCATION, REFERRER_POLICY, SET_COOKIE, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use domain::principal::Principal;
use web::Admitted;
use web::session::FormToken;

use crate::sections::{GROUPS, Group, Section};
use crate::texts::{FrameTexts, Language};
use crate::{Console, assets};

/// A browser may take scripts, styles, pictures and sound from this process alone, and shows no page inside another
/// site's page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    media-src 'self' blob:; connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

/// What the frame of a page shows of its visitor.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) language: Language,
    csrf: String,
    /// The header `Set-Cookie` for a browser that has no text for its forms yet.
    form_cookie: Option<String>,
    /// The path and the query of the page.
    here: String,
    /// The host and port in the address of the page.
    host: String,
    /// Nobody has to sign in, because the process has no key and listens on loopback only.
    is_open: bool,
    /// The name of the visitor, where one is known.
    actor: Option<String>,
    /// The rights of the visitor. A visitor who is not known has none.
    principal: Option<Principal>,
    is_signed_in: bool,
    /// Whether the visitor works in another workspace than her own.
    is_elsewhere: bool,
}

#[derive(Template)]
#[template(path = "frame.html")]
struct Page<'a> {
    frame: &'a Frame,
    texts: &'static FrameTexts,
    title: &'a str,
    section: Option<Section>,
    content: String,
}

impl Page<'_> {
    fn version() -> &'static str {
        &assets::VERSION
    }

    fn groups() -> &'static [Group] {
        GROUPS
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template passes references")]
    fn is_shown(&self, section: &Section) -> bool {
        self.frame.principal.as_ref().is_some_and(|who| section.is_for(who))
    }

    fn is_group_shown(&self, group: &Group) -> bool {
        group.sections.iter().any(|section| self.is_shown(section))
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template passes references")]
    fn is_here(&self, section: &Section) -> bool {
        self.section.as_ref() == Some(section)
    }
}

impl Frame {
    pub(crate) fn of(head: &Parts, console: &Console) -> Self {
        Self { is_open: console.access.is_open(), ..Self::without_visitor(head) }
    }

    pub(crate) fn without_visitor(head: &Parts) -> Self {
        let token = FormToken::of(&head.headers);
        let here = head.uri.path_and_query().map_or("/", |here| here.as_str()).to_owned();
        let language = Language::of(&head.headers);
        Self {
            language,
            csrf: token.in_forms().to_owned(),
            form_cookie: token.set_cookie(&head.headers),
            here,
            host: host(head),
            is_open: false,
            actor: None,
            principal: None,
            is_signed_in: false,
            is_elsewhere: false,
        }
    }

    pub(crate) fn of_visitor(self, admitted: &Admitted) -> Self {
        let signed_in = admitted.signed_in.as_ref();
        let name = signed_in.map_or_else(|| admitted.principal.actor.to_string(), |who| who.name.clone());
        Self {
            actor: Some(name),
            principal: Some(admitted.principal.clone()),
            is_signed_in: signed_in.is_some(),
            is_elsewhere: signed_in.is_some_and(|who| who.home != who.principal.workspace),
            ..self
        }
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The path and the query of the page.
    pub(crate) fn here(&self) -> &str {
        &self.here
    }

    pub(crate) fn texts(&self) -> &'static FrameTexts {
        FrameTexts::of(self.language)
    }

    pub(crate) fn csrf(&self) -> &str {
        &self.csrf
    }

    pub(crate) fn page(
        &self,
        status: StatusCode,
        section: Option<Section>,
        title: &str,
        content: &impl Template,
    ) -> askama::Result<Response> {
        let content = content.render()?;
        let page = Page { frame: self, texts: self.texts(), title, section, content }.render()?;
        let mut response = (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response();
        if let Some(cookie) = &self.form_cookie
            && let Ok(cookie) = HeaderValue::from_str(cookie)
        {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        Ok(response)
    }
}

fn host(head: &Parts) -> String {
    let said = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let said = said.or_else(|| head.uri.authority().map(axum::http::uri::Authority::as_str));
    said.unwrap_or("localhost").to_owned()
}

/// Sends the browser to another page of ours, after a form was carried out.
pub(crate) fn go_to(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, path.to_owned())]).into_response()
}

/// Adds the headers that protect a page. What names people is kept in no cache.
pub(crate) async fn protect(request: Request, next: Next) -> Response {
    const PROTECTION: [(HeaderName, &str); 7] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(self)"),
        (VARY, "accept, accept-language, cookie"),
    ];
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in PROTECTION {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
