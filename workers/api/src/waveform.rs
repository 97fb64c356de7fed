//! The route of the outline of a recording.

use axum::Json;
use axum::extract::State;
use web::Problem;

use crate::request::{Answer, CallReader, Id, find, not_found};
use crate::state::Api;
use crate::view::{self, WaveformView};

/// The outline of a call's recording, for a page that draws it.
///
/// However long the recording is, it has at most 2,000 points for each channel.
#[utoipa::path(get, path = "/api/calls/{id}/waveform", operation_id = "getWaveform", tag = "calls", params(("id" = String, Path, description = "Our id or the source's id")),
    responses((status = 200, body = WaveformView),
        (status = 404, description = "There is no such call, or its recording was not measured", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn waveform(
    State(api): State<Api>,
    reader: CallReader,
    Id(id): Id,
) -> Answer<Json<WaveformView>> {
    let call = find(&api.store, &reader, &id).await?;
    let waveform = api.store.waveform(reader.workspace, call.id).await?;
    let none = || not_found("no recording of this call was measured");
    Ok(Json(view::waveform(waveform.ok_or_else(none)?)))
}
