//! What the data API says about its types of records. This org has one: `Contact`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::org::{CUSTOM_FIELD_LENGTH, Org, READ_ONLY_FIELDS, STANDARD_FIELDS};

/// The list of all types.
pub(super) async fn all(Path(version): Path<String>) -> Json<Value> {
    Json(json!({ "encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [summary(&version)] }))
}

/// The type with the records that were seen last. Nobody looks at records here.
pub(super) async fn basics(Path(version): Path<String>) -> Json<Value> {
    Json(json!({ "objectDescribe": summary(&version), "recentItems": [] }))
}

/// The type with all its fields.
pub(super) async fn contact(State(org): State<Arc<Org>>, Path(version): Path<String>) -> Json<Value> {
    let mut names: Vec<String> = org.fields().into_iter().collect();
    names.sort();
    let mut described = summary(&version);
    described["fields"] = names.iter().map(|name| field(name)).collect();
    Json(described)
}

fn summary(version: &str) -> Value {
    let base = format!("/services/data/{version}/sobjects/Contact");
    json!({
        "name": "Contact", "label": "Contact", "labelPlural": "Contacts", "keyPrefix": "003", "custom": false,
        "createable": true, "updateable": true, "deletable": true, "queryable": true, "retrieveable": true,
        "urls": { "sobject": base, "describe": format!("{base}/describe"), "rowTemplate": format!("{base}/{{ID}}") },
    })
}

fn field(name: &str) -> Value {
    let is_custom = name.ends_with("__c");
    let standard = STANDARD_FIELDS.iter().find(|(known, _)| *known == name);
    let may_write = !READ_ONLY_FIELDS.contains(&name);
    json!({
        "name": name,
        "label": name,
        "type": kind(name),
        "length": standard.map_or(CUSTOM_FIELD_LENGTH, |(_, length)| *length),
        "custom": is_custom,
        "externalId": is_custom,
        "idLookup": is_custom || matches!(name, "Id" | "Email"),
        "nillable": !matches!(name, "Id" | "LastName" | "CreatedDate" | "LastModifiedDate"),
        "createable": may_write,
        "updateable": may_write,
    })
}

fn kind(name: &str) -> &'static str {
    match name {
        "Id" => "id",
        "Email" => "email",
        "Birthdate" => "date",
        "CreatedDate" | "LastModifiedDate" => "datetime",
        "Description" | "MailingStreet" | "OtherStreet" => "textarea",
        "Salutation" | "LeadSource" => "picklist",
        "Fax" => "phone",
        name if name.ends_with("Phone") => "phone",
        name if name.ends_with("Id") => "reference",
        _ => "string",
    }
}
