//! Who speaks: the agent or the customer. The sender's word tells it, or the channel, or the directory of our own people.
//! It is never guessed from whose turn it is.

use domain::agents::Agents;
use domain::call::{CallDetails, Role};

/// The field of a session's metadata that says which channel is the agent's.
pub(crate) const AGENT_CHANNEL: &str = "agent_channel";

/// Who speaks in a piece, as far as anybody said it.
pub(crate) fn role(
    speaker: Option<&str>,
    channel: i64,
    details: &CallDetails,
    agents: &Agents,
) -> Option<Role> {
    speaker.and_then(|speaker| by_word(speaker, details, agents)).or_else(|| by_channel(channel, details))
}

fn by_channel(channel: i64, details: &CallDetails) -> Option<Role> {
    let agent = details.metadata.get(AGENT_CHANNEL)?;
    let agent = agent.as_i64().or_else(|| agent.as_str()?.trim().parse().ok())?;
    Some(if channel == agent { Role::Agent } else { Role::Customer })
}

fn by_word(speaker: &str, details: &CallDetails, agents: &Agents) -> Option<Role> {
    let word = speaker.trim();
    match word.to_lowercase().as_str() {
        "agent" | "assistant" | "salesperson" | "rep" | "representative" => return Some(Role::Agent),
        "customer" | "user" | "caller" | "client" | "lead" => return Some(Role::Customer),
        _ => {}
    }
    let is_named = details.agent_name.as_deref().is_some_and(|name| name.trim().eq_ignore_ascii_case(word));
    let ours = || agents.by_name(word).or_else(|| agents.by_email(word)).or_else(|| agents.by_phone(word));
    (is_named || ours().is_some()).then_some(Role::Agent)
}

#[cfg(test)]
mod tests {
    use domain::agents::Agent;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_senders_word_counts_before_the_channel_and_nobody_is_guessed() {
        let mut details = CallDetails { agent_name: Some("Dana Ortiz".into()), ..CallDetails::default() };
        let known = Agent { name: Some("Petra Novak".into()), ..Agent::default() };
        let agents = Agents::new(vec![known], "IN".parse().unwrap()).unwrap();
        let asked = |speaker, channel| role(speaker, channel, &details, &agents);
        assert_eq!(asked(Some(" Customer "), 0), Some(Role::Customer));
        assert_eq!(asked(Some("dana ortiz"), 0), Some(Role::Agent));
        assert_eq!(asked(Some("Petra Novak"), 1), Some(Role::Agent));
        assert_eq!((asked(Some("Somebody"), 0), asked(None, 1)), (None, None));
        details.metadata.insert(AGENT_CHANNEL.into(), json!("1"));
        let asked = |speaker, channel| role(speaker, channel, &details, &agents);
        assert_eq!((asked(None, 1), asked(None, 0)), (Some(Role::Agent), Some(Role::Customer)));
        assert_eq!(asked(Some("agent"), 0), Some(Role::Agent));
    }
}
