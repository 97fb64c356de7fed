//! Decisions of people about effects whose outcome nobody knows: the effect was sent, or it has to be sent again.

use serde_json::{Value, json};
use store::{Action, Audit, EffectFilter, OperatorRequest, Store};
use uuid::Uuid;

use domain::call::WorkspaceId;

/// How many effects are read at a time.
const BATCH: i64 = 1000;

/// Which effects somebody decides about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    These(Vec<Uuid>),
    All(EffectFilter),
}

/// What somebody says about effects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub which: Which,
    /// The effects happened. Otherwise they have to be sent again.
    pub sent: bool,
    pub why: Option<String>,
}

/// What became of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    pub batch: Uuid,
    pub resolved: u64,
    /// How many of the named effects are not unknown, so that nothing was changed.
    pub refused: u64,
}

impl Decision {
    /// The decision as the audit keeps it.
    pub fn as_asked(&self) -> Value {
        let word = if self.sent { "sent" } else { "resend" };
        let mut asked = match &self.which {
            Which::These(ids) => json!({"as": word, "ids": ids}),
            Which::All(filter) => json!({"as": word, "filter": parts(filter)}),
        };
        if let Some(why) = &self.why {
            asked["why"] = json!(why);
        }
        asked
    }
}

/// The filter as `debrief effects --filter` takes it.
fn parts(filter: &EffectFilter) -> Vec<String> {
    let EffectFilter { target, state, since } = filter;
    let target = target.iter().map(|target| format!("target={target}"));
    let state = state.iter().map(|state| format!("state={}", state.name()));
    let since = since.iter().map(|since| format!("since={since}"));
    target.chain(state).chain(since).collect()
}

/// Records the decision of `actor`, and tells `each` of every effect whether the decision took effect.
///
/// Effects that become unknown meanwhile do not belong to the decision, because whoever decided has not seen them.
pub async fn resolve(
    store: &Store,
    (workspace, actor): (WorkspaceId, &str),
    decision: &Decision,
    mut each: impl FnMut(Uuid, bool) + Send,
) -> store::Result<Resolved> {
    let what = decision.as_asked();
    let request = OperatorRequest { workspace, actor, action: Action::ResolveEffects, what };
    let audit = store.begin_audit(&request, store.now()).await?;
    let (mut resolved, mut refused) = (0, 0);
    let mut some = next(store, workspace, &decision.which, &audit).await?;
    while !some.is_empty() {
        let before = resolved;
        for id in some {
            let taken = store.resolve_effect(&audit, workspace, id, decision.sent).await?;
            if taken {
                resolved += 1;
            } else {
                refused += 1;
            }
            each(id, taken);
        }
        // A resolved effect does not match any more, so fewer effects match each time.
        let more = matches!(decision.which, Which::All(_)) && resolved > before;
        some = if more { next(store, workspace, &decision.which, &audit).await? } else { Vec::new() };
    }
    store.end_audit(&audit).await?;
    tracing::info!(batch = %audit.batch, resolved, refused, actor, "effects are resolved");
    Ok(Resolved { batch: audit.batch, resolved, refused })
}

async fn next(
    store: &Store,
    workspace: WorkspaceId,
    which: &Which,
    audit: &Audit,
) -> store::Result<Vec<Uuid>> {
    match which {
        Which::These(ids) => Ok(ids.clone()),
        Which::All(filter) => store.doubtful_effects(workspace, filter, audit.bound, BATCH).await,
    }
}

#[cfg(test)]
mod tests {
    use store::EffectState;

    use super::*;

    #[test]
    fn the_audit_keeps_the_filter_as_the_command_takes_it_and_the_reason() {
        let filter = EffectFilter {
            target: Some("slack".into()),
            state: Some(EffectState::Unknown),
            since: Some(domain::moment::Moment::from_micros(0)),
        };
        let decision = Decision { which: Which::All(filter), sent: true, why: Some("seen in Slack".into()) };
        assert_eq!(
            decision.as_asked(),
            json!({"as": "sent", "filter": ["target=slack", "state=unknown", "since=1970-01-01T00:00:00Z"],
                   "why": "seen in Slack"})
        );
        let one = Decision { which: Which::These(vec![Uuid::nil()]), sent: false, why: None };
        assert_eq!(one.as_asked(), json!({"as": "resend", "ids": [Uuid::nil()]}));
    }
}
