//! Joins the OpenAPI document from the parts of all crates that have routes. Every process serves the whole document,
//! also the routes of roles that it does not run itself.

mod contract;
mod parameters;

use serde_json::Value;

pub(crate) fn document() -> Value {
    let joined = api::document([ingest::document(), live::document(), practice::document()]);
    // No part of the document fails to serialize.
    contract::complete(serde_json::to_value(joined).unwrap_or_default())
}

#[cfg(test)]
mod tests;
