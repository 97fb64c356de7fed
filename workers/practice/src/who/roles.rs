//! What somebody does in a company, read from the text of a role, and who is asked for by a role.

use super::address::{self, Address, ends_with_any};
use super::text::{Word, find, fold, words};

/// A kind of role. A person can be of several kinds: a finance director is of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Ceo,
    Cfo,
    Cto,
    Cmo,
    Coo,
    Sales,
    People,
    Procurement,
    Security,
    Legal,
    Product,
    Support,
    Director,
    Manager,
}

/// The words of each kind. The first is what people call the person.
const WORDS: &[(Kind, &[&str])] = &[
    (
        Kind::Ceo,
        &[
            "ceo",
            "chief executive",
            "chief executive officer",
            "managing director",
            "founder",
            "co founder",
            "cofounder",
            "owner",
            "president",
            "general manager",
        ],
    ),
    (
        Kind::Cfo,
        &[
            "cfo",
            "chief financial officer",
            "chief finance officer",
            "finance chief",
            "head of finance",
            "finance director",
            "director of finance",
            "finance lead",
            "vp finance",
            "vp of finance",
            "controller",
            "treasurer",
            "finance manager",
            "financial director",
        ],
    ),
    (
        Kind::Cto,
        &[
            "cto",
            "cio",
            "chief technology officer",
            "chief technical officer",
            "chief information officer",
            "technology chief",
            "head of technology",
            "head of engineering",
            "head of it",
            "it director",
            "it manager",
            "it lead",
            "director of it",
            "vp engineering",
            "vp of engineering",
            "director of engineering",
            "engineering manager",
            "engineering lead",
            "technical director",
            "technical lead",
            "tech lead",
            "architect",
            "lead engineer",
            "engineer",
        ],
    ),
    (
        Kind::Cmo,
        &[
            "cmo",
            "chief marketing officer",
            "head of marketing",
            "marketing director",
            "director of marketing",
            "marketing manager",
            "marketing lead",
            "vp marketing",
            "vp of marketing",
            "marketing chief",
        ],
    ),
    (
        Kind::Coo,
        &[
            "coo",
            "chief operating officer",
            "chief operations officer",
            "head of operations",
            "operations director",
            "director of operations",
            "operations manager",
            "operations lead",
            "vp operations",
            "vp of operations",
            "operations chief",
            "plant manager",
            "head of logistics",
            "logistics manager",
        ],
    ),
    (
        Kind::Sales,
        &[
            "vp sales",
            "vp of sales",
            "vice president of sales",
            "vice president sales",
            "sales vp",
            "head of sales",
            "sales director",
            "director of sales",
            "sales manager",
            "sales lead",
            "chief revenue officer",
            "cro",
            "sales chief",
            "revenue officer",
        ],
    ),
    (
        Kind::People,
        &[
            "chro",
            "hr",
            "hr director",
            "hr manager",
            "head of hr",
            "head of people",
            "chief people officer",
            "human resources",
            "people lead",
            "people director",
            "talent lead",
            "head of talent",
        ],
    ),
    (
        Kind::Procurement,
        &[
            "procurement",
            "head of procurement",
            "procurement manager",
            "procurement director",
            "procurement lead",
            "purchasing manager",
            "head of purchasing",
            "buyer",
            "purchasing",
            "chief procurement officer",
        ],
    ),
    (
        Kind::Security,
        &[
            "ciso",
            "chief information security officer",
            "security officer",
            "head of security",
            "security lead",
            "security manager",
            "head of information security",
        ],
    ),
    (
        Kind::Legal,
        &[
            "general counsel",
            "head of legal",
            "legal counsel",
            "lawyer",
            "legal director",
            "compliance officer",
            "head of compliance",
            "data protection officer",
            "dpo",
        ],
    ),
    (
        Kind::Product,
        &[
            "cpo",
            "chief product officer",
            "head of product",
            "product manager",
            "product director",
            "product lead",
            "product owner",
        ],
    ),
    (
        Kind::Support,
        &[
            "head of support",
            "support manager",
            "support lead",
            "support director",
            "head of customer success",
            "customer success manager",
            "head of service",
            "service manager",
        ],
    ),
    (Kind::Director, &["director"]),
    (Kind::Manager, &["manager"]),
];

/// The kinds of a role. Its words are compared as whole words, so a director is no CTO.
pub fn kinds(role: &str) -> Vec<Kind> {
    let role = words(&fold(&role.replace(['_', '/', '&'], " ")));
    let mut kinds: Vec<Kind> = Vec::new();
    for (kind, phrases) in WORDS {
        let is_one =
            phrases.iter().any(|phrase| find(&role, &phrase.split(' ').collect::<Vec<_>>()).next().is_some());
        if is_one && !kinds.contains(kind) {
            kinds.push(*kind);
        }
    }
    kinds
}

/// Somebody who is asked for by a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AskedFor {
    pub(super) person: usize,
    pub(super) address: Address,
    pub(super) at: (usize, usize),
    pub(super) heard: String,
}

/// Everybody of whose role the words speak.
pub(super) fn asked_for(roles: &[&str], said: &[Word]) -> Vec<AskedFor> {
    let mut found: Vec<(AskedFor, usize)> = Vec::new();
    for (person, role) in roles.iter().enumerate() {
        let own: Vec<String> =
            words(&fold(&role.replace(['_', '/', '&'], " "))).into_iter().map(|word| word.text).collect();
        let mut phrases: Vec<(Vec<String>, bool)> = vec![(own.clone(), false)];
        for kind in kinds(role) {
            let weak = matches!(kind, Kind::Director | Kind::Manager);
            for phrase in WORDS.iter().filter(|(known, _)| *known == kind).flat_map(|(_, phrases)| *phrases) {
                phrases.push((phrase.split(' ').map(str::to_owned).collect(), weak));
            }
        }
        for (phrase, is_weak) in phrases {
            for at in find(said, &phrase) {
                let span = (at, at + phrase.len() - 1);
                let address = of(said, span);
                // Everybody speaks of managers, so this word alone asks for nobody.
                if is_weak && address < Address::Directed {
                    continue;
                }
                let heard = phrase.join(" ");
                found.push((AskedFor { person, address, at: span, heard }, phrase.len()));
            }
        }
    }
    // `finance director` is said, so no other director is meant.
    let longest = |at: (usize, usize)| {
        found
            .iter()
            .filter(|(one, _)| one.at.0 <= at.1 && one.at.1 >= at.0)
            .map(|(_, words)| *words)
            .max()
            .unwrap_or(0)
    };
    let mut kept: Vec<AskedFor> =
        found.iter().filter(|(one, words)| *words == longest(one.at)).map(|(one, _)| one.clone()).collect();
    kept.sort_by_key(|one| (one.at.0, one.person));
    kept.dedup_by(|one, other| one.person == other.person && one.at == other.at);
    kept
}

/// How somebody is asked for whose role stands from `from` to `to`.
fn of(said: &[Word], (from, to): (usize, usize)) -> Address {
    let sentence = said[from].sentence;
    let start = said.iter().position(|word| word.sentence == sentence).unwrap_or(from);
    let before = &said[start..from];
    let after = said.get(to + 1).filter(|next| next.sentence == sentence);
    let after_is = |wanted: &[&str]| after.is_some_and(|next| wanted.contains(&next.text.as_str()));
    // `As the CFO, what do you…` asks the CFO. `As the CFO said` does not.
    let as_one = ends_with_any(before, &["as"])
        && !after_is(&["said", "says", "mentioned", "explained", "told", "noted", "put", "pointed"]);
    let from_the_view = after_is(&[
        "perspective",
        "view",
        "point",
        "angle",
        "standpoint",
        "viewpoint",
        "side",
        "lens",
        "seat",
    ]) && ends_with_any(before, &["from", "from a", "from the", "in"]);
    if as_one || from_the_view {
        return Address::Directed;
    }
    if said[to].is_possessive {
        let angle = after_is(&[
            "perspective",
            "view",
            "point",
            "angle",
            "standpoint",
            "viewpoint",
            "side",
            "opinion",
            "take",
        ]);
        return if angle { Address::Directed } else { Address::Reported };
    }
    let other_companys = ends_with_any(
        before,
        &["their", "his", "her", "my", "another", "every", "other", "previous", "former"],
    ) || before.last().is_some_and(|word| {
        matches!(
            word.text.as_str(),
            "their"
                | "his"
                | "her"
                | "my"
                | "another"
                | "every"
                | "no"
                | "previous"
                | "former"
                | "most"
                | "any"
        )
    });
    if other_companys {
        return Address::Reported;
    }
    // An article belongs to the role: `the CFO, what does…`.
    let begins = before
        .len()
        .checked_sub(1)
        .filter(|at| matches!(before[*at].text.as_str(), "our" | "mr" | "mrs" | "ms" | "madam"));
    address::of(said, (begins.map_or(from, |at| start + at), to))
}
