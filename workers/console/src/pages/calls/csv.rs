//! The list of calls as CSV (RFC 4180). It is sent while it is read, so it may be as long as the list is.

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use domain::analysis::Tone;
use domain::call::Direction;
use domain::principal::Principal;
use futures::stream;
use store::{Behind, ListFilter, ListedCall, Store, StoreError};

/// How many calls are read at a time.
const AT_A_TIME: i64 = 500;
const HEAD: &str = "began_at,received_at,call_id,source,external_id,status,direction,from,to,agent,team,\
                    duration_seconds,tone\r\n";

/// What is sent next: the head, or the calls behind one.
enum Next {
    Head,
    Behind(Option<Behind>),
}

/// The calls that match and that `reader` may see.
pub(super) fn stream(store: Store, reader: &Principal, filter: ListFilter) -> Response {
    let (workspace, sees) = (reader.workspace, reader.sees.clone());
    let state = (store, filter, sees, Some(Next::Head));
    let parts = stream::try_unfold(state, move |(store, filter, sees, next)| async move {
        let behind = match next {
            None => return Ok(None),
            Some(Next::Head) => {
                return Ok(Some((HEAD.to_owned(), (store, filter, sees, Some(Next::Behind(None))))));
            }
            Some(Next::Behind(behind)) => behind,
        };
        let calls = store.call_list(workspace, &filter, &sees, behind, AT_A_TIME).await?;
        let Some(last) = calls.last() else { return Ok(None) };
        let next = Next::Behind(Some(last.place()));
        let lines = calls.iter().map(line).collect();
        Ok::<_, StoreError>(Some((lines, (store, filter, sees, Some(next)))))
    });
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"calls.csv\""),
    ];
    (headers, Body::from_stream(parts)).into_response()
}

fn line(listed: &ListedCall) -> String {
    let call = &listed.call;
    let details = &call.details;
    let seconds = listed.duration_ms.map(|ms| (ms / 1000).to_string());
    let cells: [&str; 13] = [
        &listed.began_at.to_string(),
        &call.received_at.to_string(),
        &call.id.to_string(),
        &call.source,
        &call.external_id,
        call.status.name(),
        listed.direction.map_or("", Direction::name),
        details.from_number.as_deref().unwrap_or_default(),
        details.to_number.as_deref().unwrap_or_default(),
        details.agent_name.as_deref().unwrap_or_default(),
        details.department.as_deref().unwrap_or_default(),
        seconds.as_deref().unwrap_or_default(),
        listed.tone.map_or("", Tone::name),
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
