//! Reads a body of names and values, whichever way it is encoded: as a form, as a multipart form or as JSON.
//!
//! Some telephony providers let a person choose the encoding, and do not send again what was refused. So a body without
//! a usable `Content-Type` is read by how it begins.

use serde_json::{Map, Value};
use web::{Problem, files};

use crate::door::Sent;
use crate::form;

/// The longest value of one part of a multipart form.
const MAX_VALUE_BYTES: usize = 256 * 1024;

/// Reads the body of a request.
pub(crate) async fn of_body(sent: Sent) -> Result<Value, Problem> {
    match web::media_type(&sent.head.headers).as_str() {
        "multipart/form-data" => of_parts(sent).await,
        "application/x-www-form-urlencoded" => Ok(of_query(&sent.bytes().await?)),
        _ => {
            let bytes = sent.bytes().await?;
            match bytes.trim_ascii_start().first() {
                Some(b'{' | b'[') | None => files::json(&bytes, ""),
                Some(_) => Ok(of_query(&bytes)),
            }
        }
    }
}

/// Reads a query or the body of a form. A name that comes several times has a list of values.
pub(crate) fn of_query(text: &[u8]) -> Value {
    let mut map = Map::new();
    for (name, value) in url::form_urlencoded::parse(text) {
        add(&mut map, name.into_owned(), value.into_owned());
    }
    map.into()
}

async fn of_parts(sent: Sent) -> Result<Value, Problem> {
    let mut parts = sent.form().await?;
    let mut map = Map::new();
    while let Some(mut part) = form::next(&mut parts).await? {
        let Some(name) = part.name().map(str::to_owned) else { continue };
        let mut bytes = Vec::new();
        while let Some(piece) = part.chunk().await.map_err(|error| form::problem(&name, &error))? {
            // A longer value is cut here, and nothing of what we use is so long.
            let room = MAX_VALUE_BYTES.saturating_sub(bytes.len());
            bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        }
        add(&mut map, name, String::from_utf8_lossy(&bytes).into_owned());
    }
    Ok(map.into())
}

fn add(map: &mut Map<String, Value>, name: String, value: String) {
    let value = Value::String(value);
    match map.get_mut(&name) {
        None => {
            map.insert(name, value);
        }
        Some(known) if *known == value => {}
        Some(Value::Array(all)) => all.push(value),
        Some(known) => *known = Value::Array(vec![known.take(), value]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_that_comes_again_with_another_value_has_a_list_of_values() {
        let read = of_query(b"a=1&b=x+y%2B&a=2&a=3&b=x+y%2B&c");
        assert_eq!(read, json!({ "a": ["1", "2", "3"], "b": "x y+", "c": "" }));
    }
}
