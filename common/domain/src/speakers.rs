//! Decides who the speakers of a transcript are: on which side each of them is, and which known person.
//!
//! A speech-to-text provider gives a voice a bare label (`A`, `1`). The call itself often says more: the participants
//! and the agent are known by name, each channel of a recording is one party of the call, and people say their name when
//! they answer. Each of these is evidence of a certain strength, and the strongest decides. Nothing is guessed where
//! there is no evidence, and a name comes only from the people who are known to have been in the call.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::call::{CallDetails, Direction, Role};
use crate::person_name::{folded, personal_part};
use crate::transcript::{Segment, Speaker, Transcript};

/// How many segments of a speaker are searched for a greeting. People say who they are when they begin.
const OPENING_TURNS: usize = 3;

/// Everybody knows these from service desks. Who says it answers for us.
static ANSWERS_THE_PHONE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(thank(s| you) for (calling|contacting|holding)|how (can|may) (i|we) help|(can|may) i help you|my name is .{1,40} how)")
        .expect("a fixed pattern")
});
/// A person says their own name. The name is one word or several words that begin with a capital letter.
static SAYS_A_NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?:\b(?:[Tt]his is|[Mm]y name is|[Mm]y name's|[Ii]t's|I am|I'm|[Yy]ou're speaking (?:with|to)|[Yy]ou are speaking (?:with|to))\s+(\p{Lu}[\p{L}\p{M}'’-]*(?:\s+\p{Lu}[\p{L}\p{M}'’-]*)*)|\b(\p{Lu}[\p{L}\p{M}'’-]*(?:\s+\p{Lu}[\p{L}\p{M}'’-]*)*)\s+(?:speaking|here)\b)",
    )
    .expect("a fixed pattern")
});

/// What is known about a call before anybody looks at its words.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub details: &'a CallDetails,
    /// `None` for a meeting, and where nothing tells who called whom.
    pub direction: Option<Direction>,
    /// Whether the labels `1` and `2` are the two channels of a telephone recording.
    pub is_by_channel: bool,
}

/// Who a speaker may be, how sure that is, and why.
#[derive(Clone, Debug, PartialEq)]
struct Evidence {
    name: Option<String>,
    role: Option<Role>,
    confidence: f64,
    reason: String,
}

/// Gives each segment the name and the role of its speaker, as far as the evidence goes, and says in
/// [`Transcript::speakers`] how each of them was found. A role that the source gave is never changed.
pub fn identify(mut transcript: Transcript, known: &Known<'_>) -> Transcript {
    let mut found: Vec<(String, Evidence)> = Vec::new();
    for label in labels(&transcript) {
        if let Some(evidence) = evidence(&transcript, &label, known) {
            found.push((label, evidence));
        }
    }
    let labels = labels(&transcript);
    complement(&labels, &mut found, known);
    for (label, evidence) in &found {
        for segment in transcript.segments.iter_mut().filter(|segment| is_of(segment, label)) {
            segment.role = segment.role.or(evidence.role);
            if let Some(name) = &evidence.name {
                segment.speaker = Some(name.clone());
            }
        }
    }
    transcript.speakers = found
        .into_iter()
        .map(|(label, Evidence { name, role, confidence, reason })| Speaker {
            label,
            name,
            role,
            confidence,
            reason,
        })
        .collect();
    transcript
}

/// The labels of a transcript in the order in which they first speak.
fn labels(transcript: &Transcript) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for label in transcript.segments.iter().filter_map(|segment| segment.speaker.as_ref()) {
        if !labels.contains(label) {
            labels.push(label.clone());
        }
    }
    labels
}

fn is_of(segment: &Segment, label: &str) -> bool {
    segment.speaker.as_deref() == Some(label)
}

/// The strongest evidence for one label.
fn evidence(transcript: &Transcript, label: &str, known: &Known<'_>) -> Option<Evidence> {
    let mine = || transcript.segments.iter().filter(|segment| is_of(segment, label));
    if let Some(role) = mine().find_map(|segment| segment.role) {
        let reason = "the source said so".to_owned();
        return Some(Evidence { name: None, role: Some(role), confidence: 1.0, reason });
    }
    let is_named = mine().any(|segment| segment.name().is_some());
    if is_named {
        return of_a_listed_name(label, known.details);
    }
    let opening: Vec<&Segment> = mine().take(OPENING_TURNS).collect();
    let candidates = [introduced(&opening, known.details), by_channel(label, known), answering(&opening)];
    let mut best: Option<Evidence> = None;
    for candidate in candidates.into_iter().flatten() {
        if best.as_ref().is_none_or(|best| candidate.confidence > best.confidence) {
            best = Some(candidate);
        }
    }
    best.map(|evidence| with_the_agents_name(evidence, known.details))
}

/// A label that is a person's name, as meeting products write it.
fn of_a_listed_name(label: &str, details: &CallDetails) -> Option<Evidence> {
    let wanted = folded(label);
    let mut role: Option<Option<Role>> = None;
    for person in &details.participants {
        if person.name.as_deref().is_some_and(|name| folded(name) == wanted) {
            // A name that belongs to two roles gives no role.
            role = Some(match role {
                Some(known) if known != person.role => None,
                _ => person.role,
            });
        }
    }
    if details.agent_name.as_deref().is_some_and(|name| folded(name) == wanted) {
        role = Some(Some(Role::Agent));
    }
    let role = role.flatten()?;
    let reason = format!("{label} is listed as the call's {}", role.name());
    Some(Evidence { name: None, role: Some(role), confidence: 1.0, reason })
}

/// Somebody who says their own name, where exactly one known person has it.
fn introduced(opening: &[&Segment], details: &CallDetails) -> Option<Evidence> {
    let said = opening.iter().flat_map(|segment| SAYS_A_NAME.captures_iter(&segment.text));
    let said = said.filter_map(|found| found.get(1).or_else(|| found.get(2)).map(|name| name.as_str()));
    for words in said {
        let Some((name, role)) = known_as(words, details) else { continue };
        let reason = format!("the speaker says the name {words}");
        return Some(Evidence { name: Some(name), role, confidence: 0.95, reason });
    }
    None
}

/// The one known person whose name, or whose first name, `words` begin with.
fn known_as(words: &str, details: &CallDetails) -> Option<(String, Option<Role>)> {
    let agent = details.agent_name.as_deref().map(|name| (name, Some(Role::Agent)));
    let people =
        details.participants.iter().filter_map(|person| Some((person.name.as_deref()?, person.role)));
    let said: Vec<String> = words.split_whitespace().map(folded).collect();
    let mut found: Option<(String, Option<Role>)> = None;
    for (name, role) in agent.into_iter().chain(people) {
        let own = personal_part(name);
        let own: Vec<String> = own.split_whitespace().map(folded).collect();
        let agrees = !own.is_empty() && own.iter().zip(&said).all(|(own, said)| own == said);
        if agrees {
            match &found {
                Some((known, _)) if folded(known) == folded(name) => {}
                Some(_) => return None,
                None => found = Some((name.to_owned(), role)),
            }
        }
    }
    found
}

/// The channel of a telephone recording: the one who called is in the first channel, and the one who was called is in
/// the second one.
fn by_channel(label: &str, known: &Known<'_>) -> Option<Evidence> {
    if !known.is_by_channel {
        return None;
    }
    let is_caller = match label {
        "1" => true,
        "2" => false,
        _ => return None,
    };
    let is_ours = match known.direction? {
        Direction::Outgoing => is_caller,
        Direction::Incoming => !is_caller,
    };
    let (role, side) = if is_ours { (Role::Agent, "our side") } else { (Role::Customer, "the customer") };
    let reason = format!(
        "channel {label} of the recording is {side} in {} call",
        match known.direction? {
            Direction::Outgoing => "an outgoing",
            Direction::Incoming => "an incoming",
        }
    );
    Some(Evidence { name: None, role: Some(role), confidence: 0.8, reason })
}

/// The words with which somebody answers as a service desk does.
pub fn answers_the_phone(text: &str) -> Option<&str> {
    ANSWERS_THE_PHONE.find(text).map(|greeting| greeting.as_str())
}

/// Somebody who answers as a service desk does.
fn answering(opening: &[&Segment]) -> Option<Evidence> {
    let greeting = opening.iter().find_map(|segment| answers_the_phone(&segment.text))?;
    let reason = format!("the speaker answers for us: “{greeting}”");
    Some(Evidence { name: None, role: Some(Role::Agent), confidence: 0.85, reason })
}

/// The agent of a call is one person, so whoever speaks for us is that person.
fn with_the_agents_name(evidence: Evidence, details: &CallDetails) -> Evidence {
    let name = details.agent_name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    match name {
        Some(name) if evidence.role == Some(Role::Agent) && evidence.name.is_none() => {
            Evidence { name: Some(name.to_owned()), ..evidence }
        }
        _ => evidence,
    }
}

/// Where two people speak and one of them is known to be on one side, the other one is on the other side. Two people
/// cannot both be the call's agent: the weaker of the two is not.
fn complement(labels: &[String], found: &mut Vec<(String, Evidence)>, known: &Known<'_>) {
    let agents: Vec<usize> = (0..found.len()).filter(|at| found[*at].1.role == Some(Role::Agent)).collect();
    if let [one, other] = agents[..]
        && found[one].1.confidence < 1.0
        && found[other].1.confidence < 1.0
    {
        // Two speakers seem to be ours. The one with the weaker evidence is not. Equal evidence decides nothing.
        let (one_is, other_is) = (found[one].1.confidence, found[other].1.confidence);
        let mut out: Vec<usize> = match one_is.total_cmp(&other_is) {
            std::cmp::Ordering::Less => vec![one],
            std::cmp::Ordering::Greater => vec![other],
            std::cmp::Ordering::Equal => vec![one, other],
        };
        out.sort_unstable();
        for at in out.into_iter().rev() {
            found.remove(at);
        }
    }
    let [first, second] = labels else { return };
    let of = |label: &str, found: &[(String, Evidence)]| {
        found.iter().find(|(known, _)| known == label).map(|(_, evidence)| evidence.clone())
    };
    let (missing, present) = match (of(first, found), of(second, found)) {
        (None, Some(present)) => (first, present),
        (Some(present), None) => (second, present),
        _ => return,
    };
    // In a meeting there are more sides than two.
    if known.direction.is_none() && known.details.participants.len() > 2 {
        return;
    }
    let role = match present.role {
        Some(Role::Agent) => Role::Customer,
        Some(Role::Customer) => Role::Agent,
        _ => return,
    };
    let roles = [role];
    let mut people = known.details.participants_as(&roles).filter_map(|who| who.name.clone());
    let only = people.next().filter(|_| people.next().is_none());
    let evidence = Evidence {
        name: only,
        role: Some(role),
        confidence: present.confidence * 0.9,
        reason: "the other one of the two speakers is on the other side".to_owned(),
    };
    let evidence = with_the_agents_name(evidence, known.details);
    found.push((missing.clone(), evidence));
}

/// What a person says about one speaker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// A label as a transcript shows it (`Speaker A`, `agent`, `Dana Ortiz`), or the provider's own label (`A`).
    pub speaker: String,
    pub name: Option<String>,
    pub role: Option<Role>,
}

impl Correction {
    /// Adds what a later correction of the same speaker says.
    pub fn add(&mut self, later: &Self) {
        self.name = later.name.clone().or_else(|| self.name.take());
        self.role = later.role.or(self.role);
    }
}

/// The longest name of a person, in characters.
pub const MAX_NAME_CHARS: usize = 200;

/// The name of a person as it is kept: with single blanks between its words. None for a text that is no name.
pub fn name(text: &str) -> Option<String> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_name = (1..=MAX_NAME_CHARS).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    is_name.then_some(name)
}

/// The provider's own labels of the speaker whom `shown` names. The list is empty where it names nobody.
pub fn own_labels(transcript: &Transcript, shown: &str) -> Vec<String> {
    let shown = shown.trim();
    let mut own: Vec<String> = Vec::new();
    let renamed: HashMap<&str, Vec<&Speaker>> =
        transcript.speakers.iter().fold(HashMap::new(), |mut all: HashMap<&str, Vec<&Speaker>>, speaker| {
            all.entry(speaker.name.as_deref().unwrap_or(&speaker.label)).or_default().push(speaker);
            all
        });
    let is_meant = |text: &str| text == shown || format!("Speaker {text}") == shown;
    let mut add = |label: &str| {
        if !own.iter().any(|known| known == label) {
            own.push(label.to_owned());
        }
    };
    for speaker in transcript.speakers.iter().filter(|speaker| is_meant(&speaker.label)) {
        add(&speaker.label);
    }
    for segment in &transcript.segments {
        let Some(label) = segment.speaker.as_deref() else { continue };
        if is_meant(label) || segment.label() == shown {
            match renamed.get(label) {
                Some(speakers) => speakers.iter().for_each(|speaker| add(&speaker.label)),
                None => add(label),
            }
        }
    }
    own
}

/// Applies corrections, whose `speaker` is a provider's own label. A correction of a label that nobody has changes
/// nothing, because another transcript of the same call can have other labels.
pub fn correct(mut transcript: Transcript, corrections: &[Correction]) -> Transcript {
    for correction in corrections {
        let present = transcript.speakers.iter().find(|speaker| speaker.label == correction.speaker);
        let shown =
            present.and_then(|speaker| speaker.name.clone()).unwrap_or_else(|| correction.speaker.clone());
        let mut changed = false;
        for segment in transcript.segments.iter_mut().filter(|segment| is_of(segment, &shown)) {
            changed = true;
            if let Some(name) = &correction.name {
                segment.speaker = Some(name.clone());
            }
            segment.role = correction.role.or(segment.role);
        }
        if !changed {
            continue;
        }
        let (name, role) = present.map_or((None, None), |speaker| (speaker.name.clone(), speaker.role));
        let corrected = Speaker {
            label: correction.speaker.clone(),
            name: correction.name.clone().or(name),
            role: correction.role.or(role),
            confidence: 1.0,
            reason: "a person said so".to_owned(),
        };
        transcript.speakers.retain(|speaker| speaker.label != correction.speaker);
        transcript.speakers.push(corrected);
    }
    transcript
}

#[cfg(test)]
mod tests;
