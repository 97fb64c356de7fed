use std::collections::BTreeMap;

use crm::Contact;
use crm::salesforce::Contacts;
use domain::analysis::ContactField;
use domain::fault::Fault;
use domain::moment::Moment;
use domain::person_name::PersonName;
use platform::config::Values;
use providers::Slots;
use providers::crm::salesforce::Salesforce;
use queue_topology::stage::Sent;
use queue_topology::{Effect as _, Receipt, StageError};
use serde_json::{Value, json};
use uuid::Uuid;
use wiremock::matchers::{body_partial_json, method, path};
use wiremock::{Mock, ResponseTemplate};

use crate::org::Org;
use crate::tls;

const CONTACTS: &str = "/services/data/v66.0/sobjects/Contact";
const QUERY: &str = "/services/data/v66.0/query";

fn salesforce(login: &str) -> Contacts {
    tls();
    let values = Values::of([
        ("SALESFORCE_LOGIN_URL", login),
        ("SALESFORCE_CONSUMER_KEY", "key"),
        ("SALESFORCE_CONSUMER_SECRET", "secret"),
    ]);
    Contacts::new(Salesforce::from_values(&values, &Slots::of_this_process()).unwrap().unwrap())
}

fn conor(learned: &[(ContactField, &str)]) -> Contact {
    Contact {
        email: "o'neil@x.example.com".into(),
        name: PersonName { salutation: None, first: Some("Conor".into()), last: "O'Neil".into() },
        learned: learned
            .iter()
            .map(|(field, value)| (*field, (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
    }
}

async fn save(uri: &str, contact: &Contact, prior: Option<&str>) -> Result<Receipt, StageError> {
    salesforce(uri).contact(contact).send(Uuid::nil(), prior).await
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
        let url = format!("/services/data/v66.0/sobjects/{kind}/{id}");
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
async fn another_fact_is_another_digest_of_the_same_contact() {
    let salesforce = salesforce("http://127.0.0.1:9");
    let (plain, learned) = (conor(&[]), conor(&[(ContactField::Title, "CFO")]));
    let (plain, learned) = (salesforce.contact(&plain), salesforce.contact(&learned));
    assert_eq!(plain.object(), "contact:o'neil@x.example.com");
    assert_eq!(plain.object(), learned.object());
    assert_ne!(plain.digest(), learned.digest());
}
