//! The list of calls as CSV (RFC 4180). It is sent while it is read, so it may be as long as the list is.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use domain::call::{Call, Direction, WorkspaceId};
use futures::stream;
use platform::config::Installation;
use store::{Behind, CallFilter, Store, StoreError};

/// How many calls are read at a time.
const AT_A_TIME: i64 = 500;
const HEAD: &str =
    "received_at,call_id,source,external_id,status,direction,from,to,agent,duration_seconds\r\n";

/// What is sent next: the head, or the calls behind one.
enum Next {
    Head,
    Behind(Option<Behind>),
}

pub(super) fn stream(
    store: Store,
    installation: Arc<Installation>,
    workspace: WorkspaceId,
    filter: CallFilter,
) -> Response {
    let first = Some(Next::Head);
    let state = (store, installation, filter, first);
    let parts = stream::try_unfold(state, move |(store, installation, filter, next)| async move {
        let behind = match next {
            None => return Ok(None),
            Some(Next::Head) => {
                let next = Some(Next::Behind(None));
                return Ok(Some((HEAD.to_owned(), (store, installation, filter, next))));
            }
            Some(Next::Behind(behind)) => behind,
        };
        let calls = store.calls_behind(workspace, &filter, behind, AT_A_TIME).await?;
        let Some(last) = calls.last() else { return Ok(None) };
        let next = Next::Behind(Some(Behind { received_at: last.received_at, call: last.id }));
        let lines = calls.iter().map(|call| line(call, &installation)).collect();
        Ok::<_, StoreError>(Some((lines, (store, installation, filter, Some(next)))))
    });
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"calls.csv\""),
    ];
    (headers, Body::from_stream(parts)).into_response()
}

fn line(call: &Call, installation: &Installation) -> String {
    let details = &call.details;
    let direction = match installation.lines.parties(call).known_direction {
        Some(Direction::Incoming) => "incoming",
        Some(Direction::Outgoing) => "outgoing",
        None => "",
    };
    let seconds = details.said_duration_ms().map(|ms| (ms / 1000).to_string());
    let cells = [
        &call.received_at.to_string(),
        &call.id.to_string(),
        &call.source,
        &call.external_id,
        call.status.name(),
        direction,
        details.from_number.as_deref().unwrap_or_default(),
        details.to_number.as_deref().unwrap_or_default(),
        details.agent_name.as_deref().unwrap_or_default(),
        seconds.as_deref().unwrap_or_default(),
    ];
    cells.map(cell).join(",") + "\r\n"
}

/// A cell that a spreadsheet shows as text. A spreadsheet would run a text that begins like a formula, so an apostrophe
/// stands before it.
fn cell(text: &str) -> String {
    let is_formula =
        text.trim_start().starts_with(['=', '+', '-', '@']) || text.starts_with(['\t', '\r', '\n']);
    let shown = if is_formula { format!("'{text}") } else { text.to_owned() };
    if shown.contains([',', '"', '\r', '\n', ';']) {
        format!("\"{}\"", shown.replace('"', "\"\""))
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_no_cell_ends_early() {
        for (text, expected) in [
            ("Dana Ortiz", "Dana Ortiz"),
            ("=1+1", "'=1+1"),
            ("+15550100", "'+15550100"),
            (" =1", "' =1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"\r\n", "\"say \"\"hi\"\"\r\n\""),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
        ] {
            assert_eq!(cell(text), expected, "{text}");
        }
    }
}
