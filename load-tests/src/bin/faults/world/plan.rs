//! How a world is made: which processes it has, and with which settings they run.

use std::collections::BTreeMap;

use simulators::{Options, Simulators, slack};

use crate::process::Process;
use crate::run::{Kind, Run};

const ROLES: [&str; 7] = ["ingest", "api", "dedup", "transcription", "analysis", "crm", "slack"];
/// The name of the one process that does everything.
pub(super) const ALL: &str = "all";

/// How Debrief posts to Slack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SlackAccess {
    /// Debrief posts as a bot, which can look for its messages.
    #[default]
    Bot,
    /// Debrief posts through an incoming webhook.
    Webhook,
}

/// How a world differs from the usual one.
#[derive(Default)]
pub(crate) struct Plan {
    /// The number of processes of a role, when it is not one. An embedded world always has one process.
    pub(crate) processes: Vec<(&'static str, usize)>,
    /// Settings of every process and command, beside the usual ones or instead of them.
    pub(crate) settings: Vec<(&'static str, String)>,
    pub(crate) slack: SlackAccess,
    pub(crate) simulators: Options,
}

/// Makes the processes of a world without starting them.
pub(super) fn members(run: &Run, plan: &Plan) -> anyhow::Result<Vec<Process>> {
    let member = |name: String, args: Vec<String>| {
        let log = run.folder.join(format!("{name}.log"));
        Process::new(name, args, log)
    };
    if run.kind == Kind::Embedded {
        return Ok(vec![member(ALL.to_owned(), vec!["run".to_owned()])?]);
    }
    let mut members = Vec::new();
    // A role that is not among the usual ones is there where somebody asks for it.
    let others = plan.processes.iter().map(|(role, _)| *role).filter(|role| !ROLES.contains(role));
    for role in ROLES.into_iter().chain(others) {
        let count = plan.processes.iter().find(|(of, _)| *of == role).map_or(1, |(_, count)| *count);
        for number in 1..=count {
            let name = if number == 1 { role.to_owned() } else { format!("{role}-{number}") };
            members.push(member(name, ["run", "--role", role].map(str::to_owned).to_vec())?);
        }
    }
    Ok(members)
}

/// Whether the process of that name runs `role`.
pub(super) fn runs_role(name: &str, role: &str) -> bool {
    name == ALL || name == role || name.strip_prefix(role).is_some_and(|rest| rest.starts_with('-'))
}

/// Returns the usual settings: all providers are simulators, and what would take minutes takes moments.
pub(super) fn settings(simulators: &Simulators, access: SlackAccess) -> BTreeMap<&'static str, String> {
    let mut settings: BTreeMap<_, _> = simulators.settings().into_iter().collect();
    if access == SlackAccess::Bot {
        settings.extend(slack::bot_settings());
    }
    settings.extend([
        ("DEBRIEF_RETRY_SCHEDULE", "200ms,500ms,1s".to_owned()),
        ("DEBRIEF_LEASE", "3s".to_owned()),
        ("SLACK_RATE", "50/s".to_owned()),
        ("SUPPORT_NUMBER", "+12025550100".to_owned()),
    ]);
    settings
}
