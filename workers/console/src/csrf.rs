//! Forms that change something. A page of somebody else must not be able to send them in the name of a visitor: see
//! [`web::session`], which has the rules.

use axum::extract::{FromRequest, Request};
use web::session::{CSRF_FIELD, CSRF_HEADER, check_form};

use crate::{Console, Fields, Refusal};

/// The longest form that is read.
pub(crate) const MAX_FORM_BYTES: u64 = 1024 * 1024;

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
        let header = head.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
        check_form(&head, header.unwrap_or_else(|| fields.text(CSRF_FIELD)))
            .map_err(|problem| Refusal::of_head(&head, problem))?;
        Ok(Self(fields))
    }
}
