//! Providers retire models. Whoever names one that is retired is told so, by its name and by the setting's.

use crate::inputs::PhoneCall;
use crate::world::{Kind, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_speech_model_ends_as_a_dead_call_whose_reason_names_it() {
    let world =
        World::start_with(Kind::Embedded, &[("ASSEMBLYAI_MODELS", "universal-3-pro,universal-2")]).await;
    let call = PhoneCall::new();
    world.webhook(&call).await;
    world.status(&call.id, "failed").await;
    let dead = world.get("/api/dead-letters").await.unwrap().to_string();
    let (code, list) = world.command(&["dead", "list"], &[]).await;
    assert_eq!(code, Some(0), "{list}");
    let (code, checked) = world.command(&["check", "--connect"], &[]).await;
    assert_eq!(code, Some(1), "{checked}");
    for shown in [dead, list, checked] {
        for told in ["universal-3-pro", "assemblyai-stt-3-7", "ASSEMBLYAI_MODELS"] {
            assert!(shown.contains(told), "{told} is not in: {shown}");
        }
    }
    let jobs = world.effects("assemblyai", "transcript").await;
    assert!(jobs.is_empty(), "a request that is refused makes no job: {jobs:?}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_asks_each_provider_whether_what_the_settings_name_exists() {
    let world = World::start_with(Kind::Embedded, &[("OPENAI_MODEL", "gpt-4")]).await;
    let (code, said) = world.command(&["check", "--connect"], &[]).await;
    assert_eq!(code, Some(1), "{said}");
    for line in
        ["assemblyai: reached", "salesforce: reached", "slack: an incoming webhook", "call_data: it can be"]
    {
        assert!(said.contains(line), "{line} is not in: {said}");
    }
    assert!(said.contains("The model `gpt-4` does not exist") && said.contains("OPENAI_MODEL"), "{said}");

    let good = [("OPENAI_MODEL", "gpt-6-luna")];
    let (code, said) = world.command(&["check", "--connect"], &good).await;
    assert!(code == Some(0) && said.contains("openai: reached"), "{said}");
    let old = [("OPENAI_MODEL", "gpt-6-luna"), ("SALESFORCE_API_VERSION", "30.0")];
    let (code, said) = world.command(&["check", "--connect"], &old).await;
    assert!(
        code == Some(1) && said.contains("version 30.0") && said.contains("SALESFORCE_API_VERSION"),
        "{said}"
    );
    world.finish().await;
}
