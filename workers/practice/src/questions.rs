//! The five questions that a salesperson should bring to a meeting. Each says why, and what it rests on.

use serde_json::Value;

use crate::plan::{Member, Product, Question};

/// The facts of a company that questions can rest on: the field, and the sentence that says so.
fn sentence(company: &Value, field: &str) -> Option<(String, String)> {
    let value = match &company[field] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Array(list) => {
            let texts: Vec<&str> = list.iter().filter_map(Value::as_str).take(3).collect();
            if texts.is_empty() {
                return None;
            }
            texts.join(", ")
        }
        _ => return None,
    };
    let said = company["sources"][field]["sentence"].as_str().unwrap_or_default().to_owned();
    Some((value, said))
}

/// Five questions, made from what is known. `claims` are sentences of the salesperson's material.
pub fn five(
    product: &Product,
    claims: &[&str],
    company: &Value,
    cast: &[Member],
    goal: &str,
) -> Vec<Question> {
    let of_product = format!("the description of {}: “{}”", product.name, short(&product.description));
    let question = |aim: &str, question: String, reason: String, rests_on: Vec<String>| Question {
        question,
        aim: aim.to_owned(),
        reason,
        rests_on,
    };
    let fact = |field: &str| {
        sentence(company, field).map(|(value, said)| (value, format!("{field}: “{}”", short(&said))))
    };
    let decider = cast.iter().find(|member| member.is_decision_maker).or(cast.first());
    let name = |member: Option<&Member>| member.map_or("you".to_owned(), |member| member.name.clone());

    let pain = match fact("tech_stack").or(fact("industry")) {
        Some((value, source)) => question(
            "pain",
            format!("Where does your work with {value} cost you the most time today?"),
            "Nobody buys without a pain, and their own pages name where it may be.".into(),
            vec![source, of_product.clone()],
        ),
        None => question(
            "pain",
            format!("What costs you the most time today in the area that {} is made for?", product.name),
            "Nobody buys without a pain, and their pages say nothing about it yet.".into(),
            vec![of_product.clone()],
        ),
    };
    let qualification = question(
        "qualification",
        format!(
            "{}, how does a decision like this one come about at your company, and who else takes part?",
            name(decider)
        ),
        "You have to know who decides before you speak of a price.".into(),
        vec![decider.map_or("the people of the meeting".into(), |member| {
            format!("{} is {}", member.name, shown_role(&member.role))
        })],
    );
    let rapport = match fact("latest_news").or(fact("open_positions")).or(fact("headquarters")) {
        Some((value, source)) => question(
            "rapport",
            format!("I read “{}” on your pages. What does that change for you?", short(&value)),
            "It shows that you have prepared, and it lets them tell.".into(),
            vec![source],
        ),
        None => {
            let member = cast.iter().max_by_key(|member| member.tenure_months.unwrap_or(0));
            question(
                "rapport",
                format!("{}, what has changed most since you came to the company?", name(member)),
                "People like to tell what they have built.".into(),
                vec![member.map_or(
                    "the people of the meeting".into(),
                    |member| match member.tenure_months {
                        Some(months) => format!("{} has been there for {months} months", member.name),
                        None => format!("{} is {}", member.name, shown_role(&member.role)),
                    },
                )],
            )
        }
    };
    let hardest = cast.iter().find_map(|member| Some((member, member.brief.objections.first()?)));
    let objection = match (claims.first(), hardest) {
        (Some(claim), _) => question(
            "objection",
            format!("Our material says: “{}” What would you have to see to believe that?", short(claim)),
            "A doubt that is said can be answered. One that is kept back cannot.".into(),
            vec![format!("the material: “{}”", short(claim))],
        ),
        (None, Some((member, _))) => question(
            "objection",
            format!("{}, what would speak against {} from your side?", member.name, product.name),
            "A doubt that is said can be answered. One that is kept back cannot.".into(),
            vec![format!("{} is {}", member.name, shown_role(&member.role))],
        ),
        (None, None) => question(
            "objection",
            format!("What would speak against {}?", product.name),
            "A doubt that is said can be answered. One that is kept back cannot.".into(),
            vec![of_product.clone()],
        ),
    };
    let advance = question(
        "advance",
        format!(
            "If what you saw today holds, what would be a good next step towards this goal: {}?",
            short(goal).trim_end_matches('.')
        ),
        "Without a next step, a good talk stays a talk.".into(),
        vec![format!("the goal of the meeting: “{}”", short(goal))],
    );
    vec![pain, qualification, rapport, objection, advance]
}

/// The role as people say it.
pub fn shown_role(role: &str) -> String {
    match role.to_ascii_lowercase().as_str() {
        "ceo" | "cfo" | "cto" | "cmo" | "coo" | "cio" | "ciso" | "cpo" | "cro" | "chro" => {
            role.to_uppercase()
        }
        "vp_sales" => "VP of Sales".into(),
        _ => role.replace('_', " "),
    }
}

/// At most 160 characters of a text, in whole words.
pub fn short(text: &str) -> String {
    const MOST: usize = 160;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MOST {
        return line;
    }
    let cut: String = line.chars().take(MOST).collect();
    format!("{} …", cut.rsplit_once(' ').map_or(cut.as_str(), |(start, _)| start))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn there_are_five_questions_whatever_is_known_and_each_says_why() {
        let product =
            Product { name: "CloudSync Pro".into(), description: "Cloud storage for companies".into() };
        let known = json!({"industry": "Logistics", "tech_stack": ["SAP"], "latest_news": ["We open a hub in Porto"],
            "sources": {"tech_stack": {"url": "https://a.example/jobs", "sentence": "You know SAP."}}});
        for (company, claims) in [(json!({}), vec![]), (known, vec!["Saves 30% of the time."])] {
            let questions = five(&product, &claims, &company, &[], "Close a pilot");
            assert_eq!(questions.len(), 5);
            for question in &questions {
                assert!(!question.reason.is_empty() && !question.rests_on.is_empty(), "{question:?}");
                assert!(question.question.ends_with(['?', '.']), "{question:?}");
            }
        }
    }

    #[test]
    fn a_question_names_the_sentence_of_the_page_that_it_rests_on() {
        let company = json!({"tech_stack": ["SAP"], "sources": {"tech_stack": {"url": "u", "sentence": "You know SAP."}}});
        let questions = five(&Product::default(), &[], &company, &[], "g");
        assert!(questions[0].question.contains("SAP") && questions[0].rests_on[0].contains("You know SAP."));
    }
}
