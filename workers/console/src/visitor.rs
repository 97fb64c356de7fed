//! The visitor of a page: who asks, what they may do, and in which language they read.

use std::fmt::Display;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use domain::principal::Principal;
use store::SignedIn;
use web::{Admitted, Door, Guarded as _, Needs, Problem};

use crate::frame::{self, Frame};
use crate::sections::Section;
use crate::texts::Language;
use crate::{Answer, Console, Refusal};

/// The visitor of a page, who has the right that `N` names. It is the first argument of a handler.
pub(crate) struct Visitor<N> {
    pub(crate) principal: Principal,
    pub(crate) language: Language,
    /// Who is signed in, where somebody is.
    pub(crate) signed_in: Option<Arc<SignedIn>>,
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
        self.page_with(StatusCode::OK, section, title, content)
    }

    /// The same with another status, for example for a form that comes back with its mistakes (422).
    pub(crate) fn page_with(
        &self,
        status: StatusCode,
        section: Section,
        title: &str,
        content: &impl Template,
    ) -> Answer {
        let page = self.frame.page(status, Some(section), title, content);
        page.map_err(|error| Refusal::failed(&self.frame, &error))
    }

    /// Whether the visitor has the right that `M` names too.
    pub(crate) fn may<M: Needs>(&self) -> bool {
        M::DOOR.opens_for(&self.principal)
    }

    /// What stands in the hidden field `csrf` of each form.
    pub(crate) fn csrf(&self) -> &str {
        self.frame.csrf()
    }

    /// The host and port at which the visitor reaches the console.
    pub(crate) fn host(&self) -> &str {
        self.frame.host()
    }

    /// A refusal as a page for this visitor.
    pub(crate) fn refuse(&self, problem: Problem) -> Refusal {
        Refusal::new(self.frame.clone(), problem)
    }

    /// A fault of our own program as a page for this visitor.
    pub(crate) fn failed(&self, error: &dyn Display) -> Refusal {
        Refusal::failed(&self.frame, error)
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
        match console.access().admit_to_page(N::DOOR, parts).await {
            Ok(admitted) => {
                let frame = frame.of_visitor(&admitted);
                let Admitted { principal, signed_in } = admitted;
                Ok(Self { principal, language: frame.language, signed_in, frame, needs: PhantomData })
            }
            // Nobody is signed in. The page for that is shown first, and then this one.
            Err(problem) if problem.status == StatusCode::UNAUTHORIZED && parts.method.is_safe() => {
                Err(Refusal::sign_in(frame.here()))
            }
            Err(problem) => {
                // A visitor who may not see this page still sees the frame with her name.
                let known = console.access().admit_to_page(Door::ReadOwn, parts).await;
                let frame = if let Ok(admitted) = &known { frame.of_visitor(admitted) } else { frame };
                Err(Refusal::new(frame, problem))
            }
        }
    }
}

/// A visitor of a page that everybody may see, such as the one for signing in.
pub(crate) struct Guest {
    pub(crate) language: Language,
    frame: Frame,
}

impl Guest {
    pub(crate) fn page(&self, status: StatusCode, title: &str, content: &impl Template) -> Answer {
        let page = self.frame.page(status, None, title, content);
        page.map_err(|error| Refusal::failed(&self.frame, &error))
    }

    pub(crate) fn csrf(&self) -> &str {
        self.frame.csrf()
    }

    pub(crate) fn refuse(&self, problem: Problem) -> Refusal {
        Refusal::new(self.frame.clone(), problem)
    }

    pub(crate) fn store<T>(&self, result: store::Result<T>) -> Result<T, Refusal> {
        result.map_err(|error| Refusal::of_store(&self.frame, &error))
    }
}

impl FromRequestParts<Console> for Guest {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Refusal> {
        let frame = Frame::of(parts, console);
        Ok(Self { language: frame.language, frame })
    }
}
