//! Lets the representatives speak without a model, from material that stands here: what their role wants and fears, what the
//! company's pages say, and what the salesperson's material says.
//!
//! It is a pure function of what was said. So the same meeting gives the same answers.

#[cfg(test)]
mod tests;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::moves;
use crate::plan::{Heard, Member, Plan};
use crate::questions::short;
use crate::temperament::Manner;
use crate::who::{Topic, WhySecond};

/// What a representative knows when it is its turn.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    pub plan: &'a Plan,
    /// The number of who speaks.
    pub speaker: usize,
    /// What was said so far. The last is what is answered.
    pub heard: &'a [Heard],
    pub topic: Option<Topic>,
    /// Why this one speaks as the second, if it does.
    pub second: Option<WhySecond>,
    /// The facts of the company.
    pub company: &'a Value,
    /// Sentences of the salesperson's material that claim something.
    pub claims: &'a [&'a str],
}

/// How far the trainee has come with one representative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Turns that asked, proved or took up something.
    pub good_moves: u32,
    /// Questions about what this person keeps back.
    pub asked_for_limit: u32,
    /// How many of this person's objections were raised.
    pub objections: usize,
    /// How many turns without a good move came last.
    pub idle: u32,
    /// How often this person has spoken.
    pub spoken: u32,
}

impl Scene<'_> {
    fn member(&self) -> &Member {
        &self.plan.cast[self.speaker]
    }

    fn said(&self) -> &str {
        self.heard.last().map_or("", |last| last.text.as_str())
    }

    /// A number that decides between ways to say the same.
    fn dice(&self, what: &str) -> usize {
        let mut hash = Sha256::new();
        hash.update(self.member().id.as_bytes());
        hash.update(self.heard.len().to_be_bytes());
        hash.update(what);
        hash.update(self.said());
        let digest = hash.finalize();
        usize::from(u16::from_be_bytes([digest[0], digest[1]]))
    }

    fn pick<'a>(&self, from: &[&'a str], what: &str) -> &'a str {
        from.get(self.dice(what) % from.len().max(1)).copied().unwrap_or_default()
    }

    pub fn progress(&self) -> Progress {
        let member = self.member();
        let mut progress = Progress::default();
        let mut before = "";
        for heard in self.heard {
            if heard.by == Some(self.speaker) {
                progress.spoken += 1;
                progress.objections += member
                    .brief
                    .objections
                    .iter()
                    .filter(|objection| heard.text.contains(&objection.text))
                    .count();
            }
            if heard.is_trainee() {
                let is_good = !moves::leaves_the_meeting(&heard.text)
                    && (moves::is_open_question(&heard.text)
                        || moves::is_proof(&heard.text)
                        || moves::takes_up(&heard.text, before));
                progress.good_moves += u32::from(is_good);
                progress.idle = if is_good { 0 } else { progress.idle + 1 };
                progress.asked_for_limit += u32::from(asks_for_limit(&heard.text));
            }
            before = &heard.text;
        }
        progress
    }
}

fn asks_for_limit(text: &str) -> bool {
    const PHRASES: &[&str] = &[
        "approve*",
        "approval",
        "sign",
        "signs",
        "limit*",
        "how much",
        "maximum",
        "budget",
        "who decides",
        "decision",
        "decide*",
        "deadline",
        "when do you need",
        "by when",
        "timeline",
        "what would stop",
        "hold you back",
        "holds you back",
        "in the way",
        "constraint*",
        "fiscal",
        "authority",
        "what keeps you",
        "what prevents",
        "condition*",
        "who else",
        "until when",
        "blocks",
        "prevent*",
        "afford",
    ];
    (moves::is_question(text) || moves::is_open_question(text)) && moves::has_phrase(text, PHRASES)
}

/// What the representative says, sentence by sentence.
pub fn answer(scene: &Scene<'_>) -> Vec<String> {
    let (member, manner) = (scene.member(), scene.member().manner());
    let progress = scene.progress();
    let mut matter = matter(scene, &manner, progress);
    let opener = scene.pick(&manner.openers, "opener");
    // Whoever says only one sentence says the matter.
    let room = manner.max_sentences.saturating_sub(matter.len());
    if room > 0 && !opener.is_empty() && scene.second != Some(WhySecond::Adds) {
        matter.insert(0, opener.to_owned());
    }
    if scene.second == Some(WhySecond::Interrupts) {
        let cut_in = if member.traits.is_empty() { "Let me come in here." } else { "Hold on." };
        matter[0] = format!("{cut_in} {}", matter[0]);
    }
    matter.truncate(manner.max_sentences.max(1));
    matter
}

fn matter(scene: &Scene<'_>, manner: &Manner, progress: Progress) -> Vec<String> {
    let (plan, member, said) = (scene.plan, scene.member(), scene.said());
    if moves::leaves_the_meeting(said) {
        let lines = [
            format!("I am not sure what you mean. I came to talk about {}.", plan.product.name),
            "That is an odd thing to say in a meeting. Shall we get back to the matter?".to_owned(),
            format!(
                "I am {}, and I would like to hear what you offer.",
                crate::questions::shown_role(&member.role)
            ),
        ];
        return vec![lines[scene.dice("odd") % lines.len()].clone()];
    }
    if progress.spoken == 0 && scene.second.is_none() && is_greeting(said) {
        return vec![
            format!("Hello, I am {}.", member.name),
            format!("What brings you to us with {}?", plan.product.name),
        ];
    }
    if scene.second == Some(WhySecond::Adds) {
        return vec![format!("What matters to me beside that: {}.", goal(scene))];
    }
    if progress.idle >= manner.patience {
        return vec![scene.pick(&manner.impatient, "impatient").to_owned(), own_question(scene)];
    }
    if let Some(limit) = member.brief.limit.as_ref().filter(|_| asks_for_limit(said)) {
        if progress.asked_for_limit >= plan.difficulty.questions_before_limit() {
            return vec![limit.text.clone()];
        }
        return vec![
            "That depends.".to_owned(),
            "There are limits, but I would have to know you better to speak of them.".to_owned(),
        ];
    }
    if moves::proposes_next_step(said) {
        return next_step(scene, manner, progress);
    }
    let mut lines = Vec::new();
    if moves::is_open_question(said) || moves::is_question(said) {
        lines.push(reply(scene));
    } else if moves::is_proof(said) {
        let number = moves::numbers(said).into_iter().next();
        lines.push(match number {
            Some(number) => format!("{number} is a number that I can work with, if it holds."),
            None => "That is at least something that I could check.".to_owned(),
        });
    }
    if let Some(objection) = next_objection(scene, progress) {
        lines.push(objection);
    } else if lines.is_empty() || scene.dice("more").is_multiple_of(2) {
        lines.push(own_question(scene));
    }
    lines
}

fn next_step(scene: &Scene<'_>, manner: &Manner, progress: Progress) -> Vec<String> {
    let needed = scene.plan.difficulty.moves_before_concession(manner);
    if progress.good_moves >= needed {
        let yes = if scene.member().is_decision_maker {
            "All right. Send me the details, and we fix a date for the next step."
        } else {
            "I am in favour. Send it to me, and I take it to those who decide."
        };
        return vec![yes.to_owned()];
    }
    let open = next_objection(scene, progress).unwrap_or_else(|| own_question(scene));
    vec!["It is too early for that.".to_owned(), open]
}

/// An answer to a question, from the company's pages where they say something about it, else from what this person wants.
fn reply(scene: &Scene<'_>) -> String {
    let fields: &[&str] = match scene.topic {
        Some(Topic::Money) => &["revenue"],
        Some(Topic::Technology | Topic::Security) => &["tech_stack"],
        Some(Topic::People) => &["open_positions", "company_size"],
        Some(Topic::Strategy) => &["latest_news", "industry"],
        Some(Topic::Operations) => &["headquarters", "company_size"],
        _ => &[],
    };
    let asked_before =
        |text: &str| scene.heard.iter().any(|heard| heard.by.is_some() && heard.text.contains(text));
    for field in fields {
        let said = match &scene.company[*field] {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Array(list) => {
                list.iter().filter_map(Value::as_str).take(3).collect::<Vec<_>>().join(", ")
            }
            _ => continue,
        };
        let said = short(&said);
        if said.is_empty() || asked_before(&said) {
            continue;
        }
        return match *field {
            "revenue" => format!("You can read it on our pages: we make {said}."),
            "tech_stack" => format!("We work with {said}, and that has to go on."),
            "open_positions" => format!("We look for people at the moment: {said} open positions."),
            "company_size" => format!("We are {said} people, so everything has to work for all of them."),
            "latest_news" => format!("You may have read our news: {said}."),
            "headquarters" => format!("Most of it happens in {said}."),
            _ => format!("In {said}, that is an old question."),
        };
    }
    format!("What I want is {}.", goal(scene))
}

fn goal(scene: &Scene<'_>) -> String {
    let goals: Vec<&str> = scene.member().brief.goals.iter().map(String::as_str).collect();
    let new: Vec<&str> = goals
        .iter()
        .copied()
        .filter(|goal| !scene.heard.iter().any(|heard| heard.text.contains(goal)))
        .collect();
    scene.pick(if new.is_empty() { &goals } else { &new }, "goal").to_owned()
}

/// The next objection that was not raised yet. How many come depends on the difficulty. One about the topic comes first.
fn next_objection(scene: &Scene<'_>, progress: Progress) -> Option<String> {
    if progress.objections >= scene.plan.difficulty.objections() {
        return None;
    }
    let raised = |text: &str| scene.heard.iter().any(|heard| heard.by.is_some() && heard.text.contains(text));
    let open: Vec<_> =
        scene.member().brief.objections.iter().filter(|objection| !raised(&objection.text)).collect();
    let about = open.iter().find(|objection| Some(objection.about) == scene.topic);
    about.or(open.first()).map(|objection| objection.text.clone())
}

/// A question of the representative: about the material where there is some, else about the matter.
fn own_question(scene: &Scene<'_>) -> String {
    let asked = |text: &str| scene.heard.iter().any(|heard| heard.by.is_some() && heard.text.contains(text));
    let claims: Vec<&str> =
        scene.claims.iter().copied().filter(|claim| !asked(claim.trim_end_matches(['.', '!']))).collect();
    if !claims.is_empty() {
        let claim = scene.pick(&claims, "claim").trim_end_matches(['.', '!']);
        let lines = [
            format!("Your material says “{claim}”. How do you prove that?"),
            format!("I read in your material: “{claim}”. What does that mean for us?"),
        ];
        return lines[scene.dice("claim line") % 2].clone();
    }
    let name = &scene.plan.product.name;
    let lines = [
        format!("What makes {name} different from what we have?"),
        format!("Who uses {name} today, and what did it change for them?"),
        format!("What would you need from us for a start with {name}?"),
        format!("What happens if we do nothing, and do not take {name}?"),
    ];
    let new: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !asked(line)).collect();
    if new.is_empty() {
        "What else should I know?".to_owned()
    } else {
        scene.pick(&new, "question").to_owned()
    }
}

fn is_greeting(text: &str) -> bool {
    moves::has_phrase(
        text,
        &[
            "hello",
            "hi",
            "hey",
            "good morning",
            "good afternoon",
            "good evening",
            "thank you for your time",
            "thanks for having",
            "nice to meet",
            "pleasure",
        ],
    ) && !moves::is_open_question(text)
}
