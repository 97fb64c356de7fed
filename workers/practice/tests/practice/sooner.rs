//! How soon the first sound is there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::refusal::{Refusal, Remote};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use platform::fetch::Allow;
use providers::models::{LanguageModel, Pieces, Prices, Reply, Request, Tokens};
use providers::voices::{Line, Manner, Sound, Voice};
use providers::{Check, Checked};
use serde_json::{Value, json};

use crate::sockets::Client;
use crate::speaking::REMOTE;
use crate::world::{World, reader};

/// How long a provider takes for each sentence.
const SENTENCE: Duration = Duration::from_millis(400);
const SENTENCES: [&str; 3] = ["That is new to me.", "What does it cost?", "Who else uses it?"];

/// A model that needs as long for each sentence, and a voice that does.
struct Slow;

impl Check for Slow {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        async { Ok(Checked::reached()) }.boxed()
    }
}

/// The answer in pieces: who speaks, and then each sentence.
fn pieces(user: &str) -> Vec<String> {
    let data: Value = serde_json::from_str(user).unwrap();
    let speaker = &data["representatives"][0]["id"];
    let begin = format!(r#"{{"speaker": {speaker}, "why": "It fits.", "text": ""#);
    let mut pieces: Vec<String> = SENTENCES.iter().map(|sentence| format!("{sentence} ")).collect();
    pieces[0] = format!("{begin}{}", pieces[0]);
    pieces.push(r#"", "second": null}"#.to_owned());
    pieces
}

impl LanguageModel for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn max_input_tokens(&self) -> usize {
        100_000
    }

    fn prices(&self) -> Option<Prices> {
        None
    }

    fn take_slots(&self, _: u32) -> BoxFuture<'_, Result<(), Refusal>> {
        async { Ok(()) }.boxed()
    }

    fn complete<'a>(&'a self, request: &'a Request<'a>) -> BoxFuture<'a, Result<Reply, Refusal>> {
        async move {
            let pieces: Vec<String> = self.stream(request).await?.try_collect().await?;
            Ok(Reply { text: pieces.concat(), tokens: Tokens::default() })
        }
        .boxed()
    }

    fn stream<'a>(&'a self, request: &'a Request<'a>) -> BoxFuture<'a, Result<Pieces, Refusal>> {
        let pieces = pieces(request.user);
        let slowly = stream::iter(pieces).then(|piece| async {
            tokio::time::sleep(SENTENCE).await;
            Ok(piece)
        });
        async { Ok(slowly.boxed()) }.boxed()
    }
}

impl Voice for Slow {
    fn remote(&self) -> &'static Remote {
        &REMOTE
    }

    fn speak<'a>(&'a self, _: &'a Line<'a>) -> BoxFuture<'a, Result<Sound, Refusal>> {
        async {
            tokio::time::sleep(SENTENCE).await;
            Ok(stream::iter([Ok(Bytes::from(vec![0; 4_800]))]).boxed())
        }
        .boxed()
    }
}

/// The time until the sound of a whole answer is there, one step after the other with the same providers.
async fn one_after_the_other() -> Duration {
    let begun = Instant::now();
    let user = json!({"representatives": [{"id": "a"}]}).to_string();
    let request = Request { system: "", user: &user, schema: None, repair: None };
    Slow.complete(&request).await.unwrap();
    let manner = Manner {
        stability: 0.5,
        similarity: 0.5,
        style: 0.0,
        speaker_boost: true,
        speed: 1.0,
        directions: "",
    };
    for text in SENTENCES {
        let line = Line { text, voice: None, seat: 0, manner };
        let sound: Vec<Bytes> = Slow.speak(&line).await.unwrap().try_collect().await.unwrap();
        assert!(!sound.is_empty());
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_sound_comes_while_the_model_still_speaks_and_three_times_sooner_than_step_by_step() {
    let slowly = one_after_the_other().await;
    let world = World::with(Some(Arc::new(Slow)), Allow::None, reader()).await;
    let world = world.with_sound(vec![Arc::new(Slow)], Vec::new());
    let meeting = world.meeting(&[("Maria Garcia", "cfo")]).await;
    let mut client = Client::connect(&world, &meeting).await;
    let asked = Instant::now();
    client.message("Maria, what do you need?").await;
    client.next("ai_audio").await;
    let soon = asked.elapsed();
    // The first sentence has to be made and to be said. The rest is our own share.
    let ours = soon.saturating_sub(SENTENCE * 2);
    println!("the first sound after {soon:?} instead of {slowly:?}, {ours:?} of it are ours");
    assert!(slowly >= soon * 3, "{soon:?} and {slowly:?}");
    let saved = client.next("turn_saved").await;
    assert_eq!(saved["ai_response"]["response_text"], SENTENCES.join(" "));
    assert_eq!(saved["ai_response"]["source"], "model");
}
