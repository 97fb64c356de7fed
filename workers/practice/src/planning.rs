//! Makes the plan of a meeting from what was asked for and from what is known.

use axum::http::StatusCode;
use domain::call::{CallId, Role};
use domain::principal::Principal;
use serde_json::Value;
use uuid::Uuid;
use web::Problem;

use crate::brief::{Brief, Objection};
use crate::fields::Fields;
use crate::materials::claims;
use crate::moves;
use crate::plan::{FromCall, FromCallTurn, Member, Plan, Product};
use crate::questions::five;
use crate::request::{Answer, not_found};
use crate::sentences::sentences;
use crate::state::Practice;
use crate::temperament::{Difficulty, Trait};
use crate::who::Topic;

const MODES: [&str; 3] = ["1-on-1", "1-on-2", "1-on-3"];
/// Temperaments of a whole meeting that are no traits.
const PLAIN: [&str; 4] = ["neutral", "professional", "casual", "direct"];
const MAX_CLAIMS: usize = 40;
/// How many turns of a call a meeting remembers.
const MAX_REMEMBERED: usize = 200;

/// What was asked for.
pub(crate) struct Wanted {
    pub(crate) salesperson: Uuid,
    pub(crate) company: Uuid,
    mode: &'static str,
    representatives: Vec<Uuid>,
    goal: String,
    personality: String,
    duration_minutes: i64,
    difficulty: Difficulty,
    from_call: Option<(Uuid, u32)>,
}

impl Wanted {
    pub(crate) fn read(body: Value) -> Result<Self, Problem> {
        let mut fields = Fields::of(body)?;
        let (salesperson, company) = (fields.id("salesperson_id"), fields.id("company_id"));
        let mode = fields.one_of("meeting_mode", &MODES);
        if mode.is_none() && !fields.has("meeting_mode") {
            fields.refuse("meeting_mode", format!("is missing; it is one of {}", MODES.join(", ")));
        }
        let mut representatives = Vec::new();
        for (at, text) in fields.texts("representatives").into_iter().enumerate() {
            match text.parse::<Uuid>() {
                Ok(id) if representatives.contains(&id) => {
                    fields.refuse(&format!("representatives/{at}"), "is named twice");
                }
                Ok(id) => representatives.push(id),
                Err(_) => fields.refuse(&format!("representatives/{at}"), "is no id"),
            }
        }
        let mode = mode.and_then(|mode| MODES.into_iter().find(|known| *known == mode)).unwrap_or(MODES[0]);
        let needed = MODES.iter().position(|known| *known == mode).map_or(1, |at| at + 1);
        let sent = representatives.len();
        if sent != needed {
            fields.refuse("representatives", format!("`{mode}` takes {needed} of them, and {sent} came"));
        }
        let personalities: Vec<&str> = Trait::NAMES.iter().copied().chain(PLAIN).collect();
        let personality = fields.one_of("personality", &personalities).unwrap_or("nice").to_owned();
        let difficulty = fields.one_of("difficulty", Difficulty::NAMES).and_then(|name| name.parse().ok());
        let goal = fields.required("meeting_goal", 2_000);
        let duration_minutes = fields.number("duration_minutes", 1, 480).unwrap_or(30);
        let from_call = match fields.object("from_call").map(Fields::of).transpose()? {
            Some(mut from) => {
                let call = from.id("call_id");
                let segment = from.number("segment", 1, 1_000_000);
                if segment.is_none() && !from.has("segment") {
                    from.refuse("segment", "is missing");
                }
                from.check().map_err(below_from_call)?;
                segment.and_then(|segment| Some((call, u32::try_from(segment).ok()?)))
            }
            None => None,
        };
        fields.check()?;
        Ok(Self {
            salesperson,
            company,
            mode,
            representatives,
            goal,
            personality,
            duration_minutes,
            difficulty: difficulty.unwrap_or(Difficulty::Beginner),
            from_call,
        })
    }
}

fn below_from_call(mut problem: Problem) -> Problem {
    for error in &mut problem.errors {
        error.pointer = format!("/from_call{}", error.pointer);
    }
    problem
}

/// Makes the plan. `seed` decides about what differs from meeting to meeting.
pub(crate) async fn plan(practice: &Practice, who: &Principal, wanted: &Wanted, seed: Uuid) -> Answer<Plan> {
    let (store, workspace) = (&practice.store, who.workspace);
    let salesperson =
        store.salesperson(workspace, wanted.salesperson).await?.ok_or_else(|| not_found("salesperson"))?;
    let company = store.company(workspace, wanted.company).await?.ok_or_else(|| not_found("company"))?;
    let material = material(practice, who, wanted.salesperson).await?;
    let claims: Vec<String> = claims(&material, MAX_CLAIMS).into_iter().map(str::to_owned).collect();
    let mut cast = Vec::new();
    for (at, id) in wanted.representatives.iter().enumerate() {
        let row = store.representative(workspace, *id).await?.filter(|row| row.company == company.id);
        let Some(row) = row else {
            let detail = format!("the company has no representative `{id}`");
            return Err(Problem::new(StatusCode::NOT_FOUND, detail).into());
        };
        let own: Vec<Trait> = row.is.personality_traits.iter().filter_map(|name| name.parse().ok()).collect();
        let general = wanted.personality.parse::<Trait>().ok();
        let traits = if own.is_empty() { general.into_iter().collect() } else { own };
        cast.push(Member {
            id: row.id,
            brief: Brief::of(&row.is.role, number(seed, at)),
            name: row.is.name,
            role: row.is.role,
            traits,
            is_decision_maker: row.is.is_decision_maker,
            tenure_months: row.is.tenure_months,
            notes: row.is.notes,
            voice_id: row.is.voice_id,
        });
    }
    let from_call = match wanted.from_call {
        Some((call, segment)) => Some(from_call(practice, who, CallId(call), segment, &mut cast).await?),
        None => None,
    };
    let product = Product { name: salesperson.product_name, description: salesperson.description };
    let shown: Vec<&str> = claims.iter().map(String::as_str).collect();
    let questions = five(&product, &shown, &company.data, &cast, &wanted.goal);
    Ok(Plan {
        mode: wanted.mode.to_owned(),
        goal: wanted.goal.clone(),
        personality: wanted.personality.clone(),
        duration_minutes: wanted.duration_minutes,
        difficulty: wanted.difficulty,
        product,
        cast,
        questions,
        claims,
        company: company.data,
        from_call,
    })
}

/// Everything that was read in the files of a salesperson.
pub(crate) async fn material(practice: &Practice, who: &Principal, salesperson: Uuid) -> Answer<String> {
    let files = practice.store.materials_of(who.workspace, salesperson).await?;
    Ok(files.into_iter().map(|file| file.content).collect::<Vec<_>>().join("\n"))
}

fn number(seed: Uuid, at: usize) -> u64 {
    let mixed = Uuid::new_v5(&seed, at.to_string().as_bytes());
    mixed.as_u64_pair().0
}

/// What was said in a call up to a segment. The objections of the other side become those of the representatives.
async fn from_call(
    practice: &Practice,
    who: &Principal,
    call: CallId,
    segment: u32,
    cast: &mut [Member],
) -> Answer<FromCall> {
    let workspace = who.workspace;
    let known = practice.store.call(workspace, call).await?.filter(|call| who.sees.includes(&call.details));
    if known.is_none() {
        return Err(not_found("call"));
    }
    let transcript = practice.store.transcript(workspace, call).await?;
    let Some(transcript) = transcript else {
        return Err(Problem::field("/from_call/call_id", "the call has no transcript yet").into());
    };
    if transcript.segment(segment).is_none() {
        let last = transcript.segments.len();
        return Err(
            Problem::field("/from_call/segment", format!("the call has the segments 1 to {last}")).into()
        );
    }
    let before: Vec<FromCallTurn> = transcript
        .segments
        .iter()
        .take_while(|one| one.id <= segment)
        .map(|one| FromCallTurn {
            speaker: one.label(),
            is_ours: matches!(one.role, Some(Role::Agent | Role::Host | Role::Presenter)),
            text: one.text.clone(),
        })
        .collect();
    for turn in before.iter().filter(|turn| !turn.is_ours) {
        for sentence in sentences(&turn.text).into_iter().filter(|sentence| moves::is_objection(sentence)) {
            let by_name =
                cast.iter().position(|member| member.name.eq_ignore_ascii_case(&turn.speaker)).unwrap_or(0);
            let Some(member) = cast.get_mut(by_name) else { continue };
            let objection = Objection { about: Topic::Money, text: sentence.to_owned() };
            if !member.brief.objections.iter().any(|known| known.text == objection.text) {
                member.brief.objections.insert(0, objection);
            }
        }
    }
    for member in cast {
        member.brief.objections.truncate(6);
    }
    let skipped = before.len().saturating_sub(MAX_REMEMBERED);
    Ok(FromCall { call_id: call.0, segment, said: before.into_iter().skip(skipped).collect() })
}
