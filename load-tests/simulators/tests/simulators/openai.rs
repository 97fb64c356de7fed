//! The simulator of a model that speaks OpenAI's API.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use simulators::{Fault, Faults, ModelFault, openai};

use crate::contract::{self, OPENAI};
use crate::playground::{Playground, answer};

pub(crate) fn complete(play: &Playground, body: &Value) -> RequestBuilder {
    play.at(Method::POST, &openai::PROVIDER, "/v1/chat/completions").bearer_auth("sk-1").json(body)
}

/// A request for a reading of a short call in the form of a schema.
pub(crate) fn question(schema: &Value) -> Value {
    let format = json!({ "name": "reading", "strict": true, "schema": schema });
    json!({
        "model": "any",
        "messages": [
            { "role": "system", "content": "Read the call." },
            { "role": "user", "content": "[1] Bo: Good morning.\n[2] Ada: I need a refund, please. It is urgent.\n\
                [3] Bo: I will send the form by Friday.\n[4] Ada: Write to ada@example.org." },
        ],
        "response_format": { "type": "json_schema", "json_schema": format },
    })
}

fn object(properties: &Value) -> Value {
    let names: Vec<_> = properties.as_object().unwrap().keys().collect();
    json!({ "type": "object", "properties": properties, "required": names, "additionalProperties": false })
}

/// The schema of a reading.
pub(crate) fn reading() -> Value {
    let string = json!({ "type": "string" });
    let fact = object(&json!({
        "field": { "type": "string", "enum": ["email", "phone", "city"] },
        "value": string, "quote": string, "segment": { "type": "integer" },
    }));
    let contact = object(&json!({ "name": string, "facts": { "type": "array", "items": fact } }));
    object(&json!({
        "summary": string,
        "concern": { "type": ["string", "null"] },
        "category": { "type": "string", "enum": ["sales", "billing", "other"] },
        "contacts": { "type": "array", "items": contact },
    }))
}

#[tokio::test]
async fn the_model_answers_from_the_transcript_in_the_form_of_the_schema() {
    let play = Playground::start().await;
    let (status, completion) = answer(complete(&play, &question(&reading()))).await;
    assert_eq!(status, StatusCode::OK, "{completion}");
    contract::check(OPENAI, "CreateChatCompletionResponse", &completion);
    let content = completion["choices"][0]["message"]["content"].as_str().unwrap();
    let content: Value = serde_json::from_str(content).unwrap();
    assert!(jsonschema::is_valid(&reading(), &content), "{content}");
    assert_eq!(content["category"], "billing");
    assert_eq!(content["concern"], "I need a refund, please.");
    let fact = json!({
        "field": "email", "value": "ada@example.org", "quote": "Write to ada@example.org.", "segment": 4,
    });
    assert_eq!(content["contacts"], json!([{ "name": "Ada", "facts": [fact] }]));
    let usage = &completion["usage"];
    let sum = usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], sum);
}

#[tokio::test]
async fn the_model_refuses_a_schema_beyond_the_strict_subset() {
    let play = Playground::start().await;
    let mut open = reading();
    open["additionalProperties"] = json!(true);
    let (status, refused) = answer(complete(&play, &question(&open))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    contract::check(OPENAI, "ErrorResponse", &refused);
    assert!(refused["error"]["message"].as_str().unwrap().contains("additionalProperties"));
    let anonymous = play.at(Method::POST, &openai::PROVIDER, "/v1/chat/completions");
    assert_eq!(answer(anonymous.json(&question(&reading()))).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_model_makes_each_mistake_on_request() {
    let play = Playground::start().await;
    let faults = [ModelFault::NotJson, ModelFault::CutOff, ModelFault::Refusal, ModelFault::SchemaBreak];
    play.of(&openai::PROVIDER).set_faults(Faults::next(faults.map(Fault::model)));
    let mut choices = Vec::new();
    for _ in faults {
        let (status, completion) = answer(complete(&play, &question(&reading()))).await;
        assert_eq!(status, StatusCode::OK);
        contract::check(OPENAI, "CreateChatCompletionResponse", &completion);
        choices.push(completion["choices"][0].clone());
    }
    let parsed = |nth: usize| {
        let content = choices[nth]["message"]["content"].as_str().unwrap();
        serde_json::from_str::<Value>(content)
    };
    assert!(parsed(0).is_err());
    assert!(parsed(1).is_err() && choices[1]["finish_reason"] == "length");
    assert!(choices[2]["message"]["content"].is_null() && choices[2]["message"]["refusal"].is_string());
    assert!(!jsonschema::is_valid(&reading(), &parsed(3).unwrap()));
}

#[tokio::test]
async fn the_model_is_found_by_its_name_until_it_was_retired() {
    let play = Playground::start().await;
    let look = |name: &str| {
        let request = play.at(Method::GET, &openai::PROVIDER, &format!("/v1/models/{name}"));
        answer(request.bearer_auth("sk-1"))
    };
    let (status, found) = look("gpt-6-luna").await;
    assert_eq!((status, &found["id"]), (StatusCode::OK, &json!("gpt-6-luna")));
    let retired = "gpt-4-turbo";
    let mut asked = question(&reading());
    asked["model"] = json!(retired);
    for (status, refused) in [look(retired).await, answer(complete(&play, &asked)).await] {
        assert_eq!(status, StatusCode::NOT_FOUND);
        contract::check(OPENAI, "ErrorResponse", &refused);
        assert!(refused["error"]["message"].as_str().unwrap().contains(retired), "{refused}");
    }
}

#[tokio::test]
async fn the_model_gives_several_answers_and_gives_them_in_pieces() {
    let play = Playground::start().await;
    let mut asked = question(&reading());
    asked["n"] = json!(2);
    let (_, whole) = answer(complete(&play, &asked)).await;
    contract::check(OPENAI, "CreateChatCompletionResponse", &whole);
    assert_eq!(whole["choices"][1]["index"], 1);
    asked["stream"] = json!(true);
    let response = complete(&play, &asked).send().await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    let text = response.text().await.unwrap();
    let events: Vec<&str> = text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    let (end, chunks) = events.split_last().unwrap();
    assert_eq!(*end, "[DONE]");
    let chunks: Vec<Value> = chunks.iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect();
    for nth in [0, 1] {
        let choices = chunks.iter().map(|chunk| &chunk["choices"][0]).filter(|choice| choice["index"] == nth);
        let words: String = choices.filter_map(|choice| choice["delta"]["content"].as_str()).collect();
        assert_eq!(whole["choices"][0]["message"]["content"], words);
    }
}

#[tokio::test]
async fn any_json_must_be_asked_for_with_the_word() {
    let play = Playground::start().await;
    let mut asked = question(&reading());
    asked["response_format"] = json!({ "type": "json_object" });
    let (status, refused) = answer(complete(&play, &asked)).await;
    assert_eq!((status, &refused["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("messages")));
    contract::check(OPENAI, "ErrorResponse", &refused);
    asked["messages"][0]["content"] = json!("Answer in JSON.");
    assert_eq!(answer(complete(&play, &asked)).await.0, StatusCode::OK);
    asked["n"] = json!(0);
    assert_eq!(answer(complete(&play, &asked)).await.1["error"]["param"], "n");
}
