//! The simulator of Salesforce.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use simulators::salesforce;

use crate::playground::{Playground, answer};

/// Signs in and returns the access token.
async fn sign_in(play: &Playground) -> String {
    let form = [("grant_type", "client_credentials"), ("client_id", "id"), ("client_secret", "secret")];
    let request = play.at(Method::POST, &salesforce::PROVIDER, "/services/oauth2/token").form(&form);
    let granted = answer(request).await.1;
    assert_eq!(granted["instance_url"], play.of(&salesforce::PROVIDER).url(""));
    granted["access_token"].as_str().unwrap().to_owned()
}

fn call(play: &Playground, method: Method, path: &str, token: &str) -> RequestBuilder {
    play.at(method, &salesforce::PROVIDER, &format!("/services/data/v60.0{path}")).bearer_auth(token)
}

#[tokio::test]
async fn a_contact_is_found_created_and_changed_and_counted_by_its_address() {
    let play = Playground::start().await;
    let token = sign_in(&play).await;
    let find = async |email: &str| {
        let soql =
            format!("SELECT Id, Phone FROM Contact WHERE Email = '{email}' ORDER BY CreatedDate LIMIT 1");
        let request = call(&play, Method::GET, "/query", &token).query(&[("q", &soql)]);
        answer(request).await.1
    };
    assert_eq!(find(r"o\'neil@example.org").await["totalSize"], 0);
    let contact = json!({ "LastName": "O'Neil", "Email": "O'Neil@example.org" });
    let create = |body: &Value| call(&play, Method::POST, "/sobjects/Contact", &token).json(body);
    let (status, created) = answer(create(&contact)).await;
    assert_eq!((status, &created["success"]), (StatusCode::CREATED, &json!(true)));
    let path = format!("/sobjects/Contact/{}", created["id"].as_str().unwrap());
    let change = |body: Value| answer(call(&play, Method::PATCH, &path, &token).json(&body));
    assert_eq!(change(json!({ "Phone": "1" })).await.0, StatusCode::NO_CONTENT);
    let found = find(r"o\'neil@example.org").await;
    assert_eq!(found["records"][0]["Phone"], "1");
    assert_eq!(found["records"][0]["attributes"]["type"], "Contact");
    let (status, refused) = change(json!({ "Phone": "2", "Pronouns__c": "x" })).await;
    assert_eq!((status, &refused[0]["errorCode"]), (StatusCode::BAD_REQUEST, &json!("INVALID_FIELD")));
    assert_eq!(refused[0]["fields"], json!(["Pronouns__c"]));
    assert_eq!(change(json!({ "Title": "x".repeat(129) })).await.1[0]["errorCode"], "STRING_TOO_LONG");
    assert_eq!(find(r"o\'neil@example.org").await["records"][0]["Phone"], "1");
    assert_eq!(answer(create(&contact)).await.0, StatusCode::CREATED);
    assert_eq!(play.of(&salesforce::PROVIDER).effects()["contact"]["o'neil@example.org"], 2);
    let nameless = answer(create(&json!({ "Email": "a@b.c" }))).await.1;
    assert_eq!(nameless[0]["errorCode"], "REQUIRED_FIELD_MISSING");
}

#[tokio::test]
async fn a_session_that_was_ended_is_refused_and_a_new_one_is_not() {
    let play = Playground::start().await;
    let token = sign_in(&play).await;
    let soql = [("q", "SELECT Id FROM Contact WHERE Email = 'a@b.c'")];
    let ask = |token: &str| answer(call(&play, Method::GET, "/query", token).query(&soql));
    assert_eq!(ask(&token).await.0, StatusCode::OK);
    answer(play.at(Method::POST, &salesforce::PROVIDER, "/_control/expire")).await;
    let (status, refused) = ask(&token).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused[0]["errorCode"], "INVALID_SESSION_ID");
    assert_eq!(ask(&sign_in(&play).await).await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_versions_of_the_interface_are_listed_for_everybody() {
    let play = Playground::start().await;
    let (status, listed) = answer(play.at(Method::GET, &salesforce::PROVIDER, "/services/data")).await;
    assert_eq!(status, StatusCode::OK);
    let versions: Vec<_> = listed.as_array().unwrap().iter().map(|each| &each["version"]).collect();
    assert!(versions.contains(&&json!("60.0")) && versions.contains(&&json!("66.0")), "{versions:?}");
    assert!(!versions.contains(&&json!("30.0")), "{versions:?}");
}

#[tokio::test]
async fn a_client_signs_in_with_a_basic_header() {
    let play = Playground::start().await;
    let sign_in = |secret: &'static str| {
        let request = play.at(Method::POST, &salesforce::PROVIDER, "/services/oauth2/token");
        answer(request.basic_auth("id", Some(secret)).form(&[("grant_type", "client_credentials")]))
    };
    assert_eq!(sign_in("secret").await.0, StatusCode::OK);
    assert_eq!(sign_in("").await.1["error"], "invalid_client");
}

#[tokio::test]
async fn a_contact_is_found_by_another_field_counted_described_and_deleted() {
    let play = Playground::start().await;
    let token = sign_in(&play).await;
    let ask = |method, path: &str| call(&play, method, path, &token);
    let contact = json!({ "LastName": "Rao", "Email": "p@example.org" });
    let (_, created) = answer(ask(Method::POST, "/sobjects/Contact").json(&contact)).await;
    let path = format!("/sobjects/Contact/{}", created["id"].as_str().unwrap());

    let (status, found) = answer(ask(Method::GET, "/sobjects/Contact/Email/P@example.org")).await;
    assert_eq!((status, &found["LastName"]), (StatusCode::OK, &json!("Rao")));
    assert!(found["CreatedDate"].as_str().unwrap().ends_with("+0000"), "{found}");
    assert_eq!(answer(ask(Method::GET, "/sobjects/Contact/Email/x@example.org")).await.0, 404);

    let soql = [("q", "SELECT COUNT() FROM Contact WHERE LastName LIKE 'r_o%'")];
    assert_eq!(answer(ask(Method::GET, "/query").query(&soql)).await.1["totalSize"], 1);
    let (_, described) = answer(ask(Method::GET, "/sobjects/Contact/describe")).await;
    let fields = described["fields"].as_array().unwrap();
    assert!(fields.iter().any(|field| field["name"] == "FirstName" && field["length"] == 40), "{described}");

    assert_eq!(answer(ask(Method::DELETE, &path)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(answer(ask(Method::GET, "/query").query(&soql)).await.1["totalSize"], 0);
    let (status, gone) = answer(ask(Method::PATCH, &path).json(&json!({ "Phone": "1" }))).await;
    assert_eq!((status, &gone[0]["errorCode"]), (StatusCode::NOT_FOUND, &json!("ENTITY_IS_DELETED")));
    assert_eq!(answer(ask(Method::DELETE, "/sobjects/Contact/003X")).await.1[0]["errorCode"], "NOT_FOUND");
}
