//! What a representative wants, fears and keeps back. It is made from the role, so it is there without a model.

use serde::{Deserialize, Serialize};

use crate::who::{Kind, Topic, kinds};

/// What somebody brings to a meeting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brief {
    pub goals: Vec<String>,
    pub objections: Vec<Objection>,
    /// What nobody tells unasked, and what the trainee can find out.
    pub limit: Option<Limit>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objection {
    pub about: Topic,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    pub about: Topic,
    pub text: String,
}

/// What a kind of role brings.
struct Lines {
    goals: [&'static str; 2],
    objections: [(Topic, &'static str); 3],
    limits: [(Topic, &'static str); 2],
}

/// `{amount}` and `{months}` are numbers that differ from meeting to meeting.
#[expect(clippy::too_many_lines, reason = "it is a table with a row for each role")]
const fn lines(kind: Kind) -> Lines {
    use Topic::{Legal, Marketing, Money, Operations, People, Sales, Security, Strategy, Technology};
    match kind {
        Kind::Ceo => Lines {
            goals: [
                "growth that does not depend on me",
                "one number that tells me each week whether we are on course",
            ],
            objections: [
                (Strategy, "I don't see how this moves us closer to our goals for the year."),
                (Money, "We have three other projects that want the same money."),
                (Strategy, "Your competitors tell me the same story."),
            ],
            limits: [
                (
                    Strategy,
                    "Between us: the board decides in {months} months about our direction, and I will not start anything large before that.",
                ),
                (Money, "Between us: above {amount} a year I have to ask the board."),
            ],
        },
        Kind::Cfo => Lines {
            goals: ["costs that I can plan", "a payback of less than twelve months"],
            objections: [
                (Money, "That sounds expensive, and I see no number that pays it back."),
                (Money, "The hidden costs worry me: introduction, training, integration."),
                (Legal, "Your contract binds us for longer than I like."),
            ],
            limits: [
                (Money, "Between us: I can sign up to {amount} this year by myself, and not a euro more."),
                (
                    Money,
                    "Between us: our fiscal year ends in {months} months, and after that the budget is new.",
                ),
            ],
        },
        Kind::Cto => Lines {
            goals: ["systems that my team can keep running", "fewer interfaces that break at night"],
            objections: [
                (Technology, "We would have to integrate that with systems that are fifteen years old."),
                (Security, "I have to know where our data goes, and who can read it."),
                (Technology, "My team could build that itself."),
            ],
            limits: [
                (
                    Technology,
                    "Between us: until our migration ends in {months} months, nobody of my team is free.",
                ),
                (
                    Security,
                    "Between us: without single sign-on and a penetration test my security officer stops every purchase.",
                ),
            ],
        },
        Kind::Cmo => Lines {
            goals: ["campaigns whose effect I can show", "one view of our customers"],
            objections: [
                (Marketing, "We just introduced another tool, and my team is tired of tools."),
                (Marketing, "I don't see how this helps our brand."),
                (Money, "My budget is spent until the autumn."),
            ],
            limits: [
                (
                    Marketing,
                    "Between us: our large campaign starts in {months} months, and it has to be in place before.",
                ),
                (Money, "Between us: from my budget I can give {amount}, the rest has to come from sales."),
            ],
        },
        Kind::Coo => Lines {
            goals: ["processes without surprises", "the same result on each shift"],
            objections: [
                (Operations, "Who carries the work while this is introduced?"),
                (People, "My people have seen three systems in five years. They will not like a fourth."),
                (Operations, "If it fails on a Monday morning, forty trucks stand still."),
            ],
            limits: [
                (
                    Operations,
                    "Between us: in our season, which begins in {months} months, nothing may change.",
                ),
                (Money, "Between us: a pilot of up to {amount} goes through without anybody else."),
            ],
        },
        Kind::Sales => Lines {
            goals: ["a forecast that I can trust", "more time with customers for each of my people"],
            objections: [
                (Sales, "My people sell. They don't type."),
                (Sales, "We have a system for that, and half of my team does not use it."),
                (Money, "Show me the deals that this brings."),
            ],
            limits: [
                (Sales, "Between us: I need it in {months} months, when the new quota begins."),
                (Money, "Between us: I have {amount} left for tools this year."),
            ],
        },
        Kind::People => Lines {
            goals: ["people who stay", "training that does not end in a drawer"],
            objections: [
                (People, "The works council has to agree, and it asks hard questions."),
                (People, "Our people have no time for another training."),
                (Legal, "I worry about what is stored about our employees."),
            ],
            limits: [
                (People, "Between us: the works council meets again in {months} months."),
                (Money, "Between us: my training budget is {amount} for the year."),
            ],
        },
        Kind::Procurement => Lines {
            goals: ["three comparable offers", "terms that my auditors accept"],
            objections: [
                (Money, "Another vendor offers the same for a fifth less."),
                (Legal, "We only sign on our own terms."),
                (Money, "I need a discount for a contract of several years."),
            ],
            limits: [
                (Money, "Between us: above {amount} there has to be a public tender."),
                (Legal, "Between us: our list of vendors closes in {months} months."),
            ],
        },
        Kind::Security | Kind::Legal => Lines {
            goals: ["no surprise in the next audit", "data that stays where it belongs"],
            objections: [
                (Security, "Who can read our data, and how do you prove it?"),
                (Legal, "Your standard contract limits your liability too much."),
                (Security, "I have not seen a report of an independent test."),
            ],
            limits: [
                (Legal, "Between us: without a data processing agreement nobody here may sign."),
                (
                    Security,
                    "Between us: the next audit is in {months} months, and nothing new comes in before.",
                ),
            ],
        },
        Kind::Product | Kind::Support | Kind::Director | Kind::Manager => Lines {
            goals: ["less work by hand for my team", "a start that does not cost us a month"],
            objections: [
                (Operations, "My team has no time for another project this quarter."),
                (People, "What is in it for the people who have to work with it?"),
                (Money, "I cannot decide about money, and those who can want proof."),
            ],
            limits: [
                (
                    Operations,
                    "Between us: a pilot with one team for {months} months is all that I can start by myself.",
                ),
                (Money, "Between us: I can sign {amount}, everything above goes to my boss."),
            ],
        },
    }
}

impl Brief {
    /// The brief of somebody with this role. `seed` decides about numbers and about which limit it is, so two meetings differ.
    pub fn of(role: &str, seed: u64) -> Self {
        let kind = kinds(role).into_iter().next().unwrap_or(Kind::Manager);
        let lines = lines(kind);
        let amounts = ["18,000 euro", "25,000 euro", "40,000 euro", "60,000 euro"];
        let months = ["two", "three", "four", "six"];
        let fill = |text: &str| {
            let pick =
                |from: &[&str; 4], by: u64| from[usize::try_from((seed >> by) % 4).unwrap_or(0)].to_owned();
            text.replace("{amount}", &pick(&amounts, 3)).replace("{months}", &pick(&months, 7))
        };
        let (about, limit) = lines.limits[usize::try_from(seed % 2).unwrap_or(0)];
        Self {
            goals: lines.goals.iter().map(|goal| (*goal).to_owned()).collect(),
            objections: lines
                .objections
                .iter()
                .map(|(about, text)| Objection { about: *about, text: (*text).to_owned() })
                .collect(),
            limit: Some(Limit { about, text: fill(limit) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_goals_objections_and_a_limit_whatever_the_role() {
        for role in [
            "ceo",
            "cfo",
            "cto",
            "cmo",
            "coo",
            "vp_sales",
            "director",
            "manager",
            "Head of Procurement",
            "Beekeeper",
            "",
        ] {
            for seed in 0..64 {
                let brief = Brief::of(role, seed);
                assert_eq!((brief.goals.len(), brief.objections.len()), (2, 3), "{role}");
                let limit = brief.limit.unwrap().text;
                assert!(!limit.contains('{'), "{limit}");
            }
        }
        assert_ne!(Brief::of("cfo", 0), Brief::of("cto", 0));
        assert_ne!(Brief::of("cfo", 0), Brief::of("cfo", 1));
    }
}
