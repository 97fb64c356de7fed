//! Finds the topic of what somebody said, and who owns it.

use super::roles::Kind;
use super::text::Word;

/// What a part of a meeting is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    Money,
    Technology,
    Security,
    Strategy,
    People,
    Operations,
    Marketing,
    Sales,
    Legal,
}

impl Topic {
    pub const ALL: [Self; 9] = [
        Self::Money,
        Self::Technology,
        Self::Security,
        Self::Strategy,
        Self::People,
        Self::Operations,
        Self::Marketing,
        Self::Sales,
        Self::Legal,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Money => "money",
            Self::Technology => "technology",
            Self::Security => "security",
            Self::Strategy => "strategy",
            Self::People => "people",
            Self::Operations => "operations",
            Self::Marketing => "marketing",
            Self::Sales => "sales",
            Self::Legal => "contracts",
        }
    }
}

/// The words of each topic with what each counts. A `*` stands for any ending.
const WORDS: &[(Topic, u32, &[&str])] = &[
    (
        Topic::Money,
        3,
        &[
            "budget*",
            "price*",
            "pricing",
            "cost*",
            "roi",
            "invest*",
            "payback",
            "discount*",
            "invoice*",
            "capex",
            "opex",
            "cash",
            "cashflow",
            "afford*",
            "spend*",
            "financ*",
            "cheap*",
            "expensive",
            "money",
            "euro*",
            "dollar*",
            "margin*",
            "savings",
            "payment*",
            "saves",
            "fiscal",
            "tco",
            "ebitda",
            "depreciat*",
            "amorti*",
            "subscription*",
            "fee",
            "fees",
            "licence fee*",
            "license fee*",
        ],
    ),
    (Topic::Money, 1, &["challenge*", "quarter", "approve*", "contract value", "return on", "save"]),
    (
        Topic::Technology,
        3,
        &[
            "api",
            "apis",
            "integrat*",
            "architecture",
            "infrastructure",
            "software",
            "technolog*",
            "technical*",
            "cloud",
            "server*",
            "database*",
            "latency",
            "uptime",
            "deploy*",
            "migrat*",
            "stack",
            "kubernetes",
            "sdk",
            "webhook*",
            "code",
            "legacy",
            "scalab*",
            "on premise*",
            "on prem",
            "hosting",
            "sso",
            "data model",
            "machine learning",
            "developer*",
            "engineer*",
            "bandwidth",
            "backup*",
            "sap",
            "erp",
            "azure",
            "aws",
        ],
    ),
    (Topic::Technology, 1, &["system*", "platform*", "data", "tool*", "implement*"]),
    (
        Topic::Security,
        4,
        &[
            "security",
            "encrypt*",
            "penetration test*",
            "soc 2",
            "iso 27001",
            "breach*",
            "vulnerabilit*",
            "phishing",
            "access control*",
            "single sign on",
            "ransomware",
        ],
    ),
    (
        Topic::Strategy,
        3,
        &[
            "strateg*",
            "vision",
            "roadmap*",
            "long term",
            "competitor*",
            "competiti*",
            "growth",
            "board",
            "shareholder*",
            "acquisition*",
            "direction",
            "priorit*",
            "mission",
            "transform*",
            "five years",
            "next year",
            "expansion",
            "market position",
            "company goals",
            "future",
        ],
    ),
    (
        Topic::People,
        3,
        &[
            "hiring",
            "hire",
            "hires",
            "recruit*",
            "training",
            "onboard*",
            "morale",
            "employee*",
            "headcount",
            "culture",
            "turnover",
            "attrition",
            "staff*",
            "team members",
            "workforce",
            "retention of people",
            "burnout",
            "talent",
            "human resources",
            "change management",
            "adoption",
            "user adoption",
            "your people",
        ],
    ),
    (
        Topic::Operations,
        3,
        &[
            "operation*",
            "process*",
            "workflow*",
            "logistic*",
            "supply chain",
            "warehouse*",
            "throughput",
            "downtime",
            "rollout",
            "roll out",
            "day to day",
            "efficien*",
            "bottleneck*",
            "sla",
            "slas",
            "shift*",
            "production line*",
            "delivery time*",
            "inventory",
            "fulfil*",
            "rollouts",
            "vendor management",
            "procedures",
        ],
    ),
    (
        Topic::Marketing,
        3,
        &[
            "marketing",
            "campaign*",
            "brand*",
            "advertis*",
            "seo",
            "social media",
            "audience*",
            "leads from",
            "content strategy",
            "awareness",
            "newsletter*",
            "website traffic",
            "conversion rate*",
            "event marketing",
        ],
    ),
    (
        Topic::Sales,
        3,
        &[
            "sales team",
            "sales cycle*",
            "quota*",
            "pipeline*",
            "closing rate",
            "win rate*",
            "reps",
            "sales reps",
            "sales people",
            "salespeople",
            "forecast*",
            "deal size",
            "crm",
            "outbound",
            "sales process",
        ],
    ),
    (
        Topic::Legal,
        3,
        &[
            "gdpr",
            "compliance",
            "contract terms",
            "liabilit*",
            "legal*",
            "data protection",
            "terms and conditions",
            "indemnit*",
            "lawyer*",
            "regulat*",
            "jurisdiction",
            "nda",
            "data processing agreement",
            "dpa",
            "procurement process",
        ],
    ),
];

/// The topics of the words, the strongest first. Of two that are equally strong, the one that was said last comes first,
/// because questions stand at the end.
pub(super) fn topics(said: &[Word]) -> Vec<(Topic, u32)> {
    let mut counts: Vec<(Topic, u32, usize)> = Vec::new();
    for (topic, weight, phrases) in WORDS {
        for phrase in *phrases {
            for at in occurrences(said, phrase) {
                match counts.iter_mut().find(|(known, ..)| known == topic) {
                    Some((_, count, last)) => (*count, *last) = (*count + weight, (*last).max(at)),
                    None => counts.push((*topic, *weight, at)),
                }
            }
        }
    }
    counts.sort_by_key(|(_, count, last)| std::cmp::Reverse((*count, *last)));
    counts.into_iter().map(|(topic, count, _)| (topic, count)).collect()
}

fn occurrences<'a>(said: &'a [Word], phrase: &'a str) -> impl Iterator<Item = usize> + 'a {
    let parts: Vec<&str> = phrase.split(' ').collect();
    said.windows(parts.len()).enumerate().filter_map(move |(at, window)| {
        let is_same = window.iter().zip(&parts).all(|(word, wanted)| match wanted.strip_suffix('*') {
            Some(stem) => word.text.starts_with(stem),
            None => word.text == *wanted,
        });
        is_same.then_some(at + parts.len() - 1)
    })
}

/// How much a topic is the business of somebody of these kinds, from 0 to 10.
pub fn affinity(kinds: &[Kind], topic: Topic) -> u32 {
    kinds.iter().map(|kind| of_kind(*kind, topic)).max().unwrap_or(0)
}

fn of_kind(kind: Kind, topic: Topic) -> u32 {
    match (topic, kind) {
        (Topic::Money, Kind::Cfo)
        | (Topic::Technology, Kind::Cto)
        | (Topic::Security, Kind::Security)
        | (Topic::Strategy, Kind::Ceo)
        | (Topic::People, Kind::People)
        | (Topic::Operations, Kind::Coo)
        | (Topic::Marketing, Kind::Cmo)
        | (Topic::Sales, Kind::Sales)
        | (Topic::Legal, Kind::Legal) => 10,
        (Topic::Money | Topic::Legal, Kind::Procurement) | (Topic::Security, Kind::Cto) => 9,
        (Topic::Technology, Kind::Security | Kind::Product) | (Topic::Operations, Kind::Support) => 7,
        (Topic::People, Kind::Coo)
        | (Topic::Operations, Kind::Manager)
        | (Topic::Strategy, Kind::Product) => 6,
        (Topic::Money | Topic::Legal | Topic::People, Kind::Ceo)
        | (Topic::Marketing | Topic::Sales, Kind::Cmo | Kind::Sales)
        | (Topic::People, Kind::Manager | Kind::Director)
        | (Topic::Operations, Kind::Director)
        | (Topic::Legal, Kind::Cfo) => 5,
        (Topic::Strategy, Kind::Coo | Kind::Cmo | Kind::Director | Kind::Sales | Kind::Cfo)
        | (Topic::Money | Topic::Technology, Kind::Coo)
        | (Topic::Sales | Topic::Marketing | Topic::Operations, Kind::Ceo) => 4,
        (Topic::Money | Topic::Technology, Kind::Director | Kind::Sales | Kind::Manager)
        | (Topic::Security | Topic::Technology, Kind::Ceo)
        | (_, Kind::Director) => 2,
        _ => 0,
    }
}
