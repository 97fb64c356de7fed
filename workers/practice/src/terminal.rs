//! A meeting in the terminal: lines go in, what the representatives say comes out.

use std::sync::Arc;

use domain::call::WorkspaceId;
use serde_json::json;
use store::{MeetingRow, MeetingStatus, NewCompany, NewMeeting, NewRepresentative, Salesperson, StoreError};
use uuid::Uuid;

use crate::brief::Brief;
use crate::company::facts;
use crate::ending;
use crate::kept::plan_of;
use crate::plan::{Member, Plan, Product};
use crate::questions::{five, shown_role};
use crate::request::Refusal;
use crate::state::Practice;
use crate::talk::{self, Sent};
use crate::temperament::{Difficulty, Trait};
use crate::voices::Voices;

/// Who made a meeting of the terminal.
const ACTOR: &str = "terminal";

/// A meeting that has begun.
pub struct Talk {
    practice: Practice,
    workspace: WorkspaceId,
    meeting: MeetingRow,
    plan: Plan,
}

fn why(refusal: Refusal) -> String {
    refusal.0.detail
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn of_store(error: StoreError) -> String {
    error.to_string()
}

impl Talk {
    /// Goes on with a meeting, or makes one with two people whom nobody has to set up.
    pub async fn open(
        practice: Practice,
        workspace: WorkspaceId,
        meeting: Option<Uuid>,
    ) -> Result<Self, String> {
        let id = match meeting {
            Some(id) => id,
            None => sample(&practice, workspace).await.map_err(of_store)?,
        };
        // A voice costs money, and a terminal plays none.
        let practice = Practice { voices: Voices::default(), ..practice };
        let find = async || practice.store.meeting(workspace, id).await.map_err(of_store);
        let known = find().await?.ok_or_else(|| format!("there is no meeting `{id}`"))?;
        match known.status {
            MeetingStatus::Pending => {
                // Somebody else may have started it meanwhile, which is as good.
                practice.store.start_meeting(workspace, id).await.map_err(of_store)?;
            }
            MeetingStatus::Active => {}
            MeetingStatus::Completed => return Err(format!("the meeting `{id}` is over")),
        }
        let meeting = find().await?.ok_or_else(|| format!("there is no meeting `{id}`"))?;
        let plan = plan_of(&meeting).map_err(why)?;
        Ok(Self { practice, workspace, meeting, plan })
    }

    /// What somebody should know before the first word.
    pub fn opening(&self) -> Vec<String> {
        let people: Vec<String> = self
            .plan
            .cast
            .iter()
            .map(|member| format!("{} ({})", member.name, shown_role(&member.role)))
            .collect();
        let mut lines = vec![
            format!(
                "Meeting {} about {}, with {}.",
                self.meeting.id,
                self.plan.product.name,
                people.join(" and ")
            ),
            format!("Your goal: {}", self.plan.goal),
            "Questions worth asking:".to_owned(),
        ];
        lines.extend(self.plan.questions.iter().map(|one| format!("  - {}", one.question)));
        lines.push("Write what you say. An empty line or `/end` ends the meeting.".to_owned());
        lines
    }

    /// Says something, and returns what is answered.
    pub async fn say(&self, words: &str) -> Result<Vec<String>, String> {
        let sent = Sent { said: words.to_owned(), duration_ms: None, sound: None, request: None };
        let exchange =
            talk::exchange(&self.practice, self.workspace, (&self.meeting, &self.plan), &sent, None).await;
        let exchange = exchange.map_err(why)?;
        let answers = std::iter::once(&exchange.ai_response).chain(&exchange.second_response);
        Ok(answers.map(|one| format!("{}: {}", one.speaker_name, one.response_text)).collect())
    }

    /// Ends the meeting, and returns what it was worth.
    pub async fn end(&self) -> Result<Vec<String>, String> {
        let ended = ending::end(&self.practice, self.workspace, &self.meeting, None).await.map_err(why)?;
        let mut lines = Vec::new();
        if let Some(score) = ended.score {
            lines.push(format!("Score: {} of 100", score.overall));
            for one in score.criteria {
                let turns: Vec<String> = one.turns.iter().map(ToString::to_string).collect();
                let turns =
                    if turns.is_empty() { String::new() } else { format!(" Turns {}.", turns.join(", ")) };
                lines.push(format!("  {:<20} {:>3}  {}{turns}", one.title, one.score, one.reason));
            }
        }
        if let Some(call) = ended.call_id {
            lines.push(format!("The meeting goes through the pipeline as call {call}."));
        }
        Ok(lines)
    }
}

/// Makes a meeting with two people and a product, so that a first try needs nothing.
async fn sample(practice: &Practice, workspace: WorkspaceId) -> Result<Uuid, StoreError> {
    let (salesperson, company, meeting) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let product = Product {
        name: "CloudSync Pro".into(),
        description: "Cloud storage for companies: files are the same on each machine, and nothing is lost."
            .into(),
    };
    let new = Salesperson {
        product_name: product.name.clone(),
        description: product.description.clone(),
        product_url: None,
    };
    practice.store.add_salesperson(workspace, salesperson, &new, &[]).await?;
    let known = facts(&[]);
    let note = Some("This company was made for a first try.");
    let of_try = NewCompany { url: "https://example.com/", data: &known, note, fetched_at: None };
    practice.store.add_company(workspace, company, of_try).await?;
    let people =
        [("John Smith", "ceo", Trait::Cool, true), ("Maria Garcia", "cfo", Trait::Analytical, false)];
    let mut cast = Vec::new();
    for (at, (name, role, one, decides)) in people.into_iter().enumerate() {
        let id = Uuid::now_v7();
        let is = NewRepresentative {
            name: name.into(),
            role: role.into(),
            personality_traits: vec![one.name().into()],
            is_decision_maker: decides,
            ..NewRepresentative::default()
        };
        practice.store.add_representative(workspace, company, id, &is).await?;
        cast.push(Member {
            id,
            name: is.name,
            role: is.role,
            traits: vec![one],
            is_decision_maker: decides,
            tenure_months: None,
            notes: None,
            voice_id: None,
            brief: Brief::of(role, Uuid::new_v5(&meeting, &[u8::try_from(at).unwrap_or(0)]).as_u64_pair().0),
        });
    }
    let goal = "Agree on a pilot".to_owned();
    let questions = five(&product, &[], &known, &cast, &goal);
    let plan = Plan {
        mode: "1-on-2".into(),
        goal,
        personality: "nice".into(),
        duration_minutes: 30,
        difficulty: Difficulty::Beginner,
        product,
        cast,
        questions,
        claims: Vec::new(),
        company: known.clone(),
        from_call: None,
    };
    let plan = json!(plan);
    practice
        .store
        .add_meeting(workspace, meeting, NewMeeting { salesperson, company, created_by: ACTOR, plan: &plan })
        .await?;
    Ok(meeting)
}

/// What the terminal needs of a process: no listener, and nobody who asks.
pub fn access(workspace: WorkspaceId) -> Arc<web::Access> {
    Arc::new(web::Access::of(domain::principal::Principal {
        workspace,
        actor: ACTOR.into(),
        scopes: domain::principal::Scopes::ALL,
        sees: domain::principal::Sees::All,
    }))
}
