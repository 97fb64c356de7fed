//! A recording that somebody uploads, with what they know of the call.

use chrono_tz::Tz;
use domain::call::{CallDetails, CallKind};
use domain::event::MaterialKind;
use serde_json::Value;
use web::Problem;

use super::zapier;
use crate::arrival::{Arrival, Found};
use crate::form::Upload;

/// Who made the id of a call that arrives without one.
pub(crate) const SOURCE: &str = "upload";

/// `metadata` has the fields of the webhook. With its `call_id` the recording belongs to the call of that
/// id; else `idempotency_key`, else the content names it. A `recording_url` is not needed: here it is.
pub(crate) fn arrival(
    audio: Upload,
    metadata: Option<Value>,
    idempotency_key: Option<String>,
    timezone: Tz,
) -> Result<Arrival, Problem> {
    let said = metadata.map(|metadata| zapier::read(metadata, "/metadata", false, timezone)).transpose()?;
    let (source, call_id, details) = said
        .map_or((None, None, CallDetails::default()), |said| (Some(said.source), said.call_id, said.details));
    let (source, external_id) = match (source, call_id) {
        (Some(source), Some(call_id)) => (source, call_id),
        _ => (SOURCE.to_owned(), idempotency_key.unwrap_or_else(|| audio.digest.clone())),
    };
    let found = vec![Found::Upload(MaterialKind::Recording, audio)];
    Ok(Arrival { source, external_id, kind: CallKind::Phone, details, found })
}
