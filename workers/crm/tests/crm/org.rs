//! A simulated Salesforce org that keeps contacts. It can do only what the worker needs.

use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};
use wiremock::matchers::{method, path, path_regex};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

pub(crate) struct Org {
    pub(crate) server: MockServer,
    contacts: Contacts,
}

#[derive(Clone, Default)]
struct Contacts(Arc<Mutex<Vec<Map<String, Value>>>>);

impl Org {
    pub(crate) async fn start() -> Self {
        let (server, contacts) = (MockServer::start().await, Contacts::default());
        grants_tokens(&server).await;
        for (verb, pattern) in [
            ("GET", "^/services/data/v66.0/query$"),
            ("POST", "^/services/data/v66.0/sobjects/Contact$"),
            ("PATCH", "^/services/data/v66.0/sobjects/Contact/[0-9A-Za-z]+$"),
        ] {
            let mock = Mock::given(method(verb)).and(path_regex(pattern));
            mock.respond_with(contacts.clone()).with_priority(10).mount(&server).await;
        }
        Self { server, contacts }
    }

    pub(crate) fn holds(&self, contact: Value) {
        self.contacts.0.lock().unwrap().push(serde_json::from_value(contact).unwrap());
    }

    pub(crate) fn contacts(&self) -> Vec<Value> {
        self.contacts.0.lock().unwrap().iter().cloned().map(Value::Object).collect()
    }

    /// The bodies of the requests with this method, in order.
    pub(crate) async fn bodies(&self, verb: &str) -> Vec<Value> {
        let requests = self.server.received_requests().await.unwrap().into_iter();
        requests
            .filter(|request| {
                request.method.as_str() == verb && request.url.path().starts_with("/services/data")
            })
            .map(|request| serde_json::from_slice(&request.body).unwrap_or(Value::Null))
            .collect()
    }
}

pub(crate) async fn grants_tokens(server: &MockServer) {
    let granted =
        json!({"access_token": "token", "instance_url": server.uri(), "issued_at": "1767225600000"});
    Mock::given(method("POST"))
        .and(path("/services/oauth2/token"))
        .respond_with(ResponseTemplate::new(200).set_body_json(granted))
        .with_priority(10)
        .mount(server)
        .await;
}

impl Respond for Contacts {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        if request.headers.get("authorization").is_none_or(|token| token != "Bearer token") {
            return ResponseTemplate::new(401).set_body_json(json!([{"errorCode": "INVALID_SESSION_ID"}]));
        }
        let mut contacts = self.0.lock().unwrap();
        let body = || serde_json::from_slice::<Map<String, Value>>(&request.body).unwrap();
        match request.method.as_str() {
            "GET" => {
                let (_, soql) = request.url.query_pairs().find(|(name, _)| name == "q").unwrap();
                let (column, value) = wanted(&soql);
                let found = contacts.iter().filter(|contact| {
                    contact
                        .get(column)
                        .and_then(Value::as_str)
                        .is_some_and(|held| held.eq_ignore_ascii_case(&value))
                });
                let records: Vec<_> = found.take(1).cloned().collect();
                ResponseTemplate::new(200)
                    .set_body_json(json!({"totalSize": records.len(), "done": true, "records": records}))
            }
            "POST" => {
                let id = format!("003{:015}", contacts.len() + 1);
                let mut contact = body();
                contact.insert("Id".into(), id.clone().into());
                contacts.push(contact);
                ResponseTemplate::new(201).set_body_json(json!({"id": id, "success": true, "errors": []}))
            }
            _ => {
                let id = request.url.path().rsplit('/').next().unwrap();
                match contacts.iter_mut().find(|contact| contact["Id"] == id) {
                    Some(contact) => {
                        contact.extend(body());
                        ResponseTemplate::new(204)
                    }
                    None => ResponseTemplate::new(404).set_body_json(json!([{"errorCode": "NOT_FOUND"}])),
                }
            }
        }
    }
}

/// The only condition of a query, without its escapes.
fn wanted(soql: &str) -> (&str, String) {
    let (_, condition) = soql.split_once(" WHERE ").unwrap();
    let (column, value) = condition.split_once(" = '").unwrap();
    let mut chars = value.chars();
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\'' => break,
            '\\' => text.extend(chars.next()),
            c => text.push(c),
        }
    }
    (column, text)
}
