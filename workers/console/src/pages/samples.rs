//! `/samples`: loads sample calls into an empty workspace, and removes them again. The first page and the page that takes
//! files show the buttons.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::json;
use store::{Action, ListFilter, OperatorRequest, SamplesLoaded};
use web::{BringIn, Problem};

use crate::texts::SampleTexts;
use crate::{Answer, Console, Posted, Refusal, Visitor};

/// What a page shows of the sample calls.
pub(crate) struct Samples {
    pub(crate) texts: &'static SampleTexts,
    pub(crate) offer: Offer,
}

/// What the visitor can do about sample calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// There is no call yet.
    Load,
    Remove,
    /// There are real calls only, or the visitor may not change it.
    Nothing,
}

impl Samples {
    pub(crate) fn may_load(&self) -> bool {
        self.offer == Offer::Load
    }

    pub(crate) fn may_remove(&self) -> bool {
        self.offer == Offer::Remove
    }

    pub(crate) async fn of<N>(visitor: &Visitor<N>, console: &Console) -> Result<Self, Refusal> {
        let texts = SampleTexts::of(visitor.language);
        if !visitor.may::<BringIn>() || visitor.sees.is_restricted() {
            return Ok(Self { texts, offer: Offer::Nothing });
        }
        let store = &console.store;
        let offer = if visitor.store(store.samples(visitor.workspace).await)?.is_empty() {
            let filter = ListFilter::default();
            let any = store.call_list(visitor.workspace, &filter, &visitor.sees, None, 1).await;
            if visitor.store(any)?.is_empty() { Offer::Load } else { Offer::Nothing }
        } else {
            Offer::Remove
        };
        Ok(Self { texts, offer })
    }
}

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/samples/load", post(load)).route("/samples/remove", post(remove))
}

async fn load(visitor: Visitor<BringIn>, State(console): State<Console>, Posted(_): Posted) -> Answer {
    let made = (console.make_samples)(console.store.now());
    let samples = made.map_err(|error| visitor.failed(&error))?;
    let request = request(&visitor, Action::LoadSamples);
    match visitor.store(console.store.load_samples(&request, &samples).await)? {
        SamplesLoaded::Loaded => Ok(visitor.go_to("/calls")),
        SamplesLoaded::NotEmpty => {
            let texts = SampleTexts::of(visitor.language);
            Err(visitor.refuse(Problem::new(StatusCode::CONFLICT, texts.not_empty)))
        }
    }
}

async fn remove(visitor: Visitor<BringIn>, State(console): State<Console>, Posted(_): Posted) -> Answer {
    let request = request(&visitor, Action::RemoveSamples);
    let blobs = visitor.store(console.store.remove_samples(&request).await)?;
    for blob in blobs {
        // Nothing leads to the blob any more, so a failure costs space and nothing else.
        if let Err(error) = console.blobs.delete(&blob).await {
            tracing::warn!(%error, "failed to remove a blob of a sample call");
        }
    }
    Ok(visitor.go_to("/upload"))
}

fn request(visitor: &Visitor<BringIn>, action: Action) -> OperatorRequest<'_> {
    let actor = &*visitor.actor;
    OperatorRequest { workspace: visitor.workspace, actor, action, what: json!({"source": "sample"}) }
}
