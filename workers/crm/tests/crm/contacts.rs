use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crm::salesforce::{Grant, Salesforce, SalesforceSettings};
use crm::{Contact, Name};
use domain::analysis::ContactField;
use domain::fault::Fault;
use domain::moment::Moment;
use platform::cache::Memory;
use queue_topology::stage::Sent;
use queue_topology::{Effect as _, Receipt, StageError};
use serde_json::{Value, json};
use uuid::Uuid;
use wiremock::matchers::{body_partial_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::org::{Org, grants_tokens};
use crate::{cut_short, nobody, tls};

const CONTACTS: &str = "/services/data/v60.0/sobjects/Contact";
const QUERY: &str = "/services/data/v60.0/query";

fn salesforce(login: &str) -> Salesforce {
    tls();
    let settings = SalesforceSettings {
        login_url: login.parse().unwrap(),
        consumer_key: "key".into(),
        consumer_secret: Some("secret".into()),
        grant: Grant::ClientCredentials,
        rate: None,
    };
    Salesforce::new(settings, Arc::new(Memory::default()))
}

fn conor(learned: &[(ContactField, &str)]) -> Contact {
    Contact {
        email: "o'neil@x.example.com".into(),
        name: Name { first: Some("Conor".into()), last: "O'Neil".into() },
        learned: learned
            .iter()
            .map(|(field, value)| (*field, (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
    }
}

async fn save(uri: &str, contact: &Contact, prior: Option<&str>) -> Result<Receipt, StageError> {
    salesforce(uri).contact(contact).send(Uuid::nil(), prior).await
}

/// An org that knows no contact, and that answers the creation of a contact with this.
async fn creating(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    grants_tokens(&server).await;
    let nobody =
        ResponseTemplate::new(200).set_body_json(json!({"totalSize": 0, "done": true, "records": []}));
    Mock::given(method("GET")).and(path(QUERY)).respond_with(nobody).mount(&server).await;
    Mock::given(method("POST")).and(path(CONTACTS)).respond_with(answer).mount(&server).await;
    server
}

fn refusal(status: u16, error: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!([error]))
}

#[tokio::test]
async fn a_missing_contact_is_created_once_with_what_was_learned() {
    let org = Org::start().await;
    let contact = conor(&[(ContactField::Title, "CFO"), (ContactField::Company, "X")]);
    let first = save(&org.server.uri(), &contact, None).await.unwrap();
    let again = save(&org.server.uri(), &contact, None).await.unwrap();
    assert_eq!(first, Receipt { remote_id: "003000000000000001".into(), replaced: None });
    assert_eq!(again, first);
    assert_eq!(
        org.contacts(),
        [json!({"Id": "003000000000000001", "Email": "o'neil@x.example.com", "FirstName": "Conor",
                "LastName": "O'Neil", "Title": "CFO"})]
    );
}

#[tokio::test]
async fn only_the_empty_fields_of_a_known_contact_are_filled() {
    let org = Org::start().await;
    org.holds(json!({"Id": "003A", "Email": "O'Neil@X.example.com", "FirstName": "C.", "LastName": "O'Neil",
                     "Title": "CEO", "Phone": null}));
    let contact = conor(&[(ContactField::Title, "CFO"), (ContactField::Phone, "202-555-0100")]);
    let receipt = save(&org.server.uri(), &contact, None).await.unwrap();
    assert_eq!(receipt, Receipt { remote_id: "003A".into(), replaced: Some(json!({"Phone": null})) });
    assert_eq!(org.bodies("PATCH").await, [json!({"Phone": "202-555-0100"})]);
    assert_eq!(org.contacts()[0]["Title"], "CEO");
}

#[tokio::test]
async fn the_record_of_before_is_changed_even_if_its_address_is_another_now() {
    let org = Org::start().await;
    org.holds(json!({"Id": "003A", "Email": "new@x.example.com", "FirstName": "C", "LastName": "O'Neil"}));
    let contact = conor(&[(ContactField::Title, "CFO")]);
    let receipt = save(&org.server.uri(), &contact, Some("003A")).await.unwrap();
    assert_eq!(receipt.remote_id, "003A");
    assert_eq!(org.bodies("PATCH").await, [json!({"Title": "CFO"})]);
}

#[tokio::test]
async fn a_record_of_before_that_was_deleted_is_looked_for_by_its_address() {
    let org = Org::start().await;
    org.holds(json!({"Id": "003B", "Email": "o'neil@x.example.com", "FirstName": "C", "LastName": "O'Neil"}));
    let receipt = save(&org.server.uri(), &conor(&[]), Some("003A")).await.unwrap();
    assert_eq!(receipt, Receipt { remote_id: "003B".into(), replaced: None });
}

#[tokio::test]
async fn an_unknown_outcome_is_settled_by_looking() {
    let org = Org::start().await;
    let (plain, learned) = (conor(&[]), conor(&[(ContactField::Title, "CFO")]));
    let salesforce = salesforce(&org.server.uri());
    let ask =
        async |contact: &Contact| salesforce.contact(contact).ask(Uuid::nil(), Moment::now()).await.unwrap();
    assert_eq!(ask(&plain).await, None);
    salesforce.contact(&plain).send(Uuid::nil(), None).await.unwrap();
    assert_eq!(ask(&plain).await.unwrap().remote_id, "003000000000000001");
    assert_eq!(ask(&learned).await, None, "what was lost can be the update");
}

/// The answer of an org whose duplicate rule finds these records. Each record has a type and an id.
fn duplicates(spelt: &str, found: &[(&str, &str)]) -> ResponseTemplate {
    let record = |(kind, id): &(&str, &str)| {
        let url = format!("/services/data/v60.0/sobjects/{kind}/{id}");
        json!({"additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0,
               "record": {"attributes": {"type": kind, "url": url}, "Id": id}})
    };
    let message = "Use one of these records?";
    let results = json!([{"entityType": "Contact", "errors": [], "matchEngine": "FuzzyMatchEngine",
                          "matchRecords": found.iter().map(record).collect::<Vec<_>>(),
                          "rule": "Standard_Contact_Match_Rule_v1_1", "size": found.len(), "success": true}]);
    let result = json!({"allowSave": false, "duplicateRule": "Standard_Contact_Duplicate_Rule",
                        "duplicateRuleEntityType": "Contact", "errorMessage": message, "matchResults": results});
    refusal(400, &json!({spelt: result, "errorCode": "DUPLICATES_DETECTED", "message": message}))
}

/// An org that holds one contact with another address, and that answers the creation of a contact with this.
async fn org_with_rule(answer: ResponseTemplate) -> Org {
    let org = Org::start().await;
    org.holds(json!({"Id": "003A", "Email": "conor@home.example.com", "LastName": "O'Neil", "Phone": null}));
    let creation = Mock::given(method("POST")).and(path(CONTACTS)).respond_with(answer);
    creation.with_priority(1).mount(&org.server).await;
    org
}

#[tokio::test]
async fn the_one_contact_that_a_duplicate_rule_names_is_the_one_that_is_filled() {
    // A lead with the same name is not a contact. A record that two rules find is counted once.
    let found = [("Lead", "00QA"), ("Contact", "003A"), ("Contact", "003A")];
    for spelt in ["duplicateResut", "duplicateResult"] {
        let org = org_with_rule(duplicates(spelt, &found)).await;
        let contact = conor(&[(ContactField::Phone, "202-555-0100")]);
        let receipt = save(&org.server.uri(), &contact, None).await.unwrap();
        assert_eq!(receipt.remote_id, "003A");
        assert_eq!(org.bodies("PATCH").await, [json!({"FirstName": "Conor", "Phone": "202-555-0100"})]);
        assert_eq!(org.contacts().len(), 1);
        assert_eq!(org.contacts()[0]["Email"], "conor@home.example.com", "what is there stays");
    }
}

#[tokio::test]
async fn a_duplicate_that_is_not_one_contact_is_for_people() {
    let cases = [
        (vec![], ""),
        (vec![("Lead", "00QA")], ""),
        (vec![("Contact", "003A"), ("Contact", "003B")], "003A, 003B"),
        // Our Salesforce user cannot read this record.
        (vec![("Contact", "003Hidden")], ""),
        (vec![("Contact", "003A/../x")], ""),
    ];
    for (found, told) in cases {
        let org = org_with_rule(duplicates("duplicateResut", &found)).await;
        let error = save(&org.server.uri(), &conor(&[]), None).await.unwrap_err();
        assert_eq!(
            (error.fault, error.code, error.sent),
            (Fault::Permanent, "salesforce_duplicate", Sent::No)
        );
        assert!(
            error.to_string().contains("DUPLICATES_DETECTED") && error.to_string().contains(told),
            "{error}"
        );
        assert!(org.bodies("PATCH").await.is_empty());
    }
}

#[tokio::test]
async fn a_field_the_org_does_not_know_does_not_lose_the_others() {
    let org = Org::start().await;
    let unknown = refusal(
        400,
        &json!({"errorCode": "INVALID_FIELD", "message": "No such column 'Department' on sobject of type Contact"}),
    );
    Mock::given(method("POST"))
        .and(body_partial_json(json!({"Department": "IT"})))
        .respond_with(unknown)
        .with_priority(1)
        .mount(&org.server)
        .await;
    let locked = refusal(
        400,
        &json!({"errorCode": "INVALID_FIELD_FOR_INSERT_UPDATE", "message": "no access", "fields": ["MobilePhone"]}),
    );
    Mock::given(method("POST"))
        .and(body_partial_json(json!({"MobilePhone": "202-555-0100"})))
        .respond_with(locked)
        .with_priority(2)
        .mount(&org.server)
        .await;
    let contact = conor(&[
        (ContactField::Department, "IT"),
        (ContactField::MobilePhone, "202-555-0100"),
        (ContactField::Title, "CFO"),
    ]);
    save(&org.server.uri(), &contact, None).await.unwrap();
    let stored = &org.contacts()[0];
    assert_eq!((&stored["Title"], stored.get("Department")), (&json!("CFO"), None));
    assert_eq!(org.bodies("POST").await.len(), 3);
}

#[tokio::test]
async fn a_column_that_cannot_be_read_is_left_alone() {
    let org = Org::start().await;
    org.holds(json!({"Id": "003A", "Email": "o'neil@x.example.com", "FirstName": "C", "LastName": "O'Neil"}));
    let unknown = refusal(
        400,
        &json!({"errorCode": "INVALID_FIELD",
               "message": "\nSELECT Id, Title\n^\nERROR at Row:1:Column:12\nNo such column 'Title' on entity 'Contact'."}),
    );
    let query = Mock::given(method("GET")).and(path(QUERY)).respond_with(unknown);
    query.up_to_n_times(1).with_priority(1).mount(&org.server).await;
    let contact = conor(&[(ContactField::Title, "CFO"), (ContactField::Phone, "202-555-0100")]);
    save(&org.server.uri(), &contact, None).await.unwrap();
    assert_eq!(org.bodies("PATCH").await, [json!({"Phone": "202-555-0100"})]);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let org = Org::start().await;
    let stale = json!({"access_token": "stale", "instance_url": org.server.uri()});
    Mock::given(path("/services/oauth2/token"))
        .respond_with(ResponseTemplate::new(200).set_body_json(stale))
        .up_to_n_times(1)
        .with_priority(1)
        .mount(&org.server)
        .await;
    save(&org.server.uri(), &conor(&[]), None).await.unwrap();
    assert_eq!(org.contacts().len(), 1);

    let server = MockServer::start().await;
    grants_tokens(&server).await;
    let refused = refusal(401, &json!({"errorCode": "INVALID_SESSION_ID", "message": "Session expired"}));
    Mock::given(path(QUERY)).respond_with(refused).expect(2).mount(&server).await;
    let error = save(&server.uri(), &conor(&[]), None).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Unavailable, "salesforce_unauthorized"));
    assert_eq!(error.destination.as_deref(), Some("salesforce"));
}

#[tokio::test]
async fn many_contacts_at_once_sign_in_once() {
    let org = Org::start().await;
    let salesforce = salesforce(&org.server.uri());
    let contact = conor(&[]);
    let (first, second) = (salesforce.contact(&contact), salesforce.contact(&contact));
    let (first, second) =
        tokio::join!(first.ask(Uuid::nil(), Moment::now()), second.ask(Uuid::nil(), Moment::now()));
    assert!(first.is_ok() && second.is_ok());
    let requests = org.server.received_requests().await.unwrap();
    assert_eq!(requests.iter().filter(|request| request.url.path().ends_with("/token")).count(), 1);
}

#[tokio::test]
async fn each_refusal_of_a_contact_says_what_becomes_of_the_run() {
    let transient = Fault::Transient;
    for (answer, fault, code, sent) in [
        (
            refusal(
                400,
                &json!({"errorCode": "DUPLICATES_DETECTED", "message": "Use one of these records?"}),
            ),
            Fault::Permanent,
            "salesforce_duplicate",
            Sent::No,
        ),
        (
            refusal(
                400,
                &json!({"errorCode": "UNABLE_TO_LOCK_ROW", "message": "row is locked", "fields": []}),
            ),
            transient,
            "salesforce_row_locked",
            Sent::No,
        ),
        (
            refusal(
                400,
                &json!({"errorCode": "REQUIRED_FIELD_MISSING", "message": "m", "fields": ["Region__c"]}),
            ),
            Fault::Permanent,
            "salesforce_field_refused",
            Sent::No,
        ),
        (
            refusal(403, &json!({"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests"})),
            Fault::Unavailable,
            "salesforce_quota_used_up",
            Sent::No,
        ),
        (
            refusal(403, &json!({"errorCode": "API_DISABLED_FOR_ORG", "message": "m"})),
            Fault::Unavailable,
            "salesforce_forbidden",
            Sent::No,
        ),
        (ResponseTemplate::new(404), Fault::Permanent, "salesforce_refused", Sent::No),
        (
            ResponseTemplate::new(429).insert_header("retry-after", "7"),
            Fault::Throttled(Duration::from_secs(7)),
            "salesforce_throttled",
            Sent::No,
        ),
        (ResponseTemplate::new(500), transient, "salesforce_error", Sent::Maybe),
        (
            ResponseTemplate::new(201).set_body_string("<html>"),
            transient,
            "salesforce_answer_unreadable",
            Sent::Maybe,
        ),
    ] {
        let server = creating(answer).await;
        let error = save(&server.uri(), &conor(&[]), None).await.unwrap_err();
        assert_eq!((error.fault, error.code, error.sent), (fault, code, sent), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_leaves_open_only_what_was_to_be_changed() {
    let server = MockServer::start().await;
    let broken = cut_short("201 Created").await;
    let granted = json!({"access_token": "token", "instance_url": broken});
    Mock::given(path("/services/oauth2/token"))
        .respond_with(ResponseTemplate::new(200).set_body_json(granted))
        .mount(&server)
        .await;
    let error = save(&server.uri(), &conor(&[]), None).await.unwrap_err();
    assert_eq!((error.fault, error.code, error.sent), (Fault::Transient, "salesforce_no_answer", Sent::No));

    let org = creating(ResponseTemplate::new(201)).await;
    let lost = Mock::given(method("POST"))
        .and(path(CONTACTS))
        .respond_with_err(|_: &wiremock::Request| std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    lost.with_priority(1).mount(&org).await;
    let error = save(&org.uri(), &conor(&[]), None).await.unwrap_err();
    assert_eq!((error.code, error.sent), ("salesforce_no_answer", Sent::Maybe));
}

#[tokio::test]
async fn a_sign_in_that_is_refused_says_what_to_check() {
    let server = MockServer::start().await;
    let refused = ResponseTemplate::new(400)
        .set_body_json(json!({"error": "invalid_grant", "error_description": "authentication failure"}));
    Mock::given(path("/services/oauth2/token")).respond_with(refused).mount(&server).await;
    let error = save(&server.uri(), &conor(&[]), None).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Unavailable, "salesforce_refused_login"));
    assert!(error.to_string().contains("SALESFORCE_*: invalid_grant"), "{error}");

    let error = save(&nobody().await, &conor(&[]), None).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Unavailable, "salesforce_unreachable"));
}

#[tokio::test]
async fn another_fact_is_another_digest_of_the_same_contact() {
    let salesforce = salesforce("http://127.0.0.1:9");
    let (plain, learned) = (conor(&[]), conor(&[(ContactField::Title, "CFO")]));
    let (plain, learned) = (salesforce.contact(&plain), salesforce.contact(&learned));
    assert_eq!(plain.object(), "contact:o'neil@x.example.com");
    assert_eq!(plain.object(), learned.object());
    assert_ne!(plain.digest(), learned.digest());
}
