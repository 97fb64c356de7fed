//! Makes what is answered. A model speaks where there is one. When it fails before its first sentence, the built-in material speaks,
//! and the answer says so.

use tokio::sync::mpsc;

use crate::builtin::{self, Scene};
use crate::character;
use crate::parts::{Begins, Part};
use crate::plan::{Heard, Plan};
use crate::state::Practice;
use crate::who::Choice;

pub(super) async fn give(
    practice: &Practice,
    plan: &Plan,
    heard: &[Heard],
    choice: &Choice,
    parts: mpsc::Sender<Part>,
) {
    if let Some(model) = &practice.model {
        match character::answer(model.as_ref(), plan, heard, choice, &parts).await {
            Ok(()) => return,
            Err(failed) if failed.has_begun => {
                tracing::warn!(problem = failed.problem, "the model broke off in a practice meeting");
                // Whoever listens may be gone.
                parts.send(Part::Broken).await.ok();
                return;
            }
            Err(failed) => {
                tracing::warn!(
                    problem = failed.problem,
                    "the model gave no answer in a practice meeting; built-in words are used"
                );
            }
        }
    }
    for part in built_in(plan, heard, choice) {
        if parts.send(part).await.is_err() {
            return;
        }
    }
}

fn built_in(plan: &Plan, heard: &[Heard], choice: &Choice) -> Vec<Part> {
    let claims: Vec<&str> = plan.claims.iter().map(String::as_str).collect();
    let scene = Scene {
        plan,
        speaker: choice.first,
        heard,
        topic: choice.topic,
        second: None,
        company: &plan.company,
        claims: &claims,
    };
    let first = builtin::answer(&scene);
    let mut parts = spoken(choice.first, false, &first);
    if let Some((speaker, why)) = choice.second {
        let mut heard_first = heard.to_vec();
        heard_first.push(Heard { turn: 0, by: Some(choice.first), text: first.join(" ") });
        // The second one answers the trainee, and has heard the first.
        let last = heard_first.len() - 1;
        heard_first.swap(last, last - 1);
        let second = builtin::answer(&Scene {
            plan,
            speaker,
            heard: &heard_first,
            topic: choice.topic,
            second: Some(why),
            company: &plan.company,
            claims: &claims,
        });
        // Nobody repeats what was just said.
        if second != first {
            parts.extend(spoken(speaker, true, &second));
        }
    }
    parts
}

fn spoken(speaker: usize, is_second: bool, sentences: &[String]) -> Vec<Part> {
    let begins = Begins { speaker, is_second, source: "built_in", why: None };
    std::iter::once(Part::Begins(begins)).chain(sentences.iter().cloned().map(Part::Sentence)).collect()
}
