//! The visitor of a page: who asks, what they may do, and in which language they read.

use std::marker::PhantomData;
use std::ops::Deref;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use domain::principal::Principal;
use web::{Authorized, Needs};

use crate::frame::{self, Frame};
use crate::sections::Section;
use crate::texts::Language;
use crate::{Answer, Console, Refusal};

/// The visitor of a page, who has the right that `N` names. It is the first argument of a handler.
pub(crate) struct Visitor<N> {
    pub(crate) principal: Principal,
    pub(crate) language: Language,
    frame: Frame,
    needs: PhantomData<N>,
}

impl<N> Deref for Visitor<N> {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}

impl<N> Visitor<N> {
    /// The page, inside the frame. `section` is marked in the navigation.
    pub(crate) fn page(&self, section: Section, title: &str, content: &impl Template) -> Answer {
        self.page_with(axum::http::StatusCode::OK, section, title, content)
    }

    /// The same with another status, for example for a form that comes back with its mistakes (422).
    pub(crate) fn page_with(
        &self,
        status: axum::http::StatusCode,
        section: Section,
        title: &str,
        content: &impl Template,
    ) -> Answer {
        let page = self.frame.page(status, Some(section), title, content);
        page.map_err(|error| Refusal::failed(&self.frame, &error))
    }

    /// What stands in the hidden field `csrf` of each form.
    pub(crate) fn csrf(&self) -> &str {
        self.frame.csrf()
    }

    /// A refusal as a page for this visitor.
    pub(crate) fn refuse(&self, problem: web::Problem) -> Refusal {
        Refusal::new(self.frame.clone(), problem)
    }

    /// Turns an error of the store into a page that says so.
    pub(crate) fn store<T>(&self, result: store::Result<T>) -> Result<T, Refusal> {
        result.map_err(|error| Refusal::of_store(&self.frame, &error))
    }

    /// Sends the browser to another page of ours, after a form was carried out.
    #[expect(clippy::unused_self, reason = "reads as the others do, and the language may be needed")]
    pub(crate) fn go_to(&self, path: &str) -> Response {
        frame::go_to(path)
    }
}

impl<N: Needs + Send> FromRequestParts<Console> for Visitor<N> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Refusal> {
        let frame = Frame::of(parts, console);
        let authorized = Authorized::<N>::from_request_parts(parts, console).await;
        let principal = authorized.map_err(|problem| Refusal::new(frame.clone(), problem))?;
        let frame = frame.of_principal(&principal);
        Ok(Self { principal: principal.clone(), language: frame.language, frame, needs: PhantomData })
    }
}
