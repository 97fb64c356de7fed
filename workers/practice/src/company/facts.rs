//! Finds facts in the pages of a company, each with the sentence and the address that say so. What is not said stays null.

mod lists;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::Page;
use crate::moves::has_phrase;
use crate::sentences::sentences;
use lists::{INDUSTRIES, NEED_A_LIST, TECHNOLOGIES, TRACES};

/// What a page is for, by its address and title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Jobs,
    News,
    Other,
}

impl Purpose {
    fn of(page: &Page) -> Self {
        let path = page
            .url
            .split("//")
            .nth(1)
            .and_then(|rest| rest.split_once('/'))
            .map_or("", |(_, path)| path)
            .to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| path.contains(word));
        if has(&["career", "job", "vacanc", "hiring", "join-us", "karriere", "stellen"]) {
            Self::Jobs
        } else if has(&["news", "press", "blog", "aktuell", "media"]) {
            Self::News
        } else {
            Self::Other
        }
    }
}

#[expect(clippy::unwrap_used, reason = "a fixed pattern can be read")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

static SIZE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:(?:more than|over|about|around|some|nearly|almost|approximately)\s+)?(\d[\d.,]*\+?(?:\s*(?:-|–|to)\s*\d[\d.,]*)?)\s+(?:(?:full-time|talented|dedicated|passionate|skilled|experienced|great)\s+)?(?:employees|people|team members|colleagues|staff|professionals|experts|coworkers|associates)\b",
    )
});
static TEAM_OF: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\bteam of (?:more than |over |about |around |some )?(\d[\d.,]*\+?)\b"));
static SEAT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:[Hh]eadquartered in|[Hh]eadquarters(?: is| are)? in|[Hh]ead office (?:is )?in|[Hh]eadquarters:|HQ:|[Bb]ased in|[Bb]ased out of)\s+((?:\p{Lu}[\p{L}.'’-]*|de|la|of|am|an der|upon|St\.)(?:(?:,)?\s+(?:\p{Lu}[\p{L}.'’-]*|de|la|of|am|upon))*)",
    )
});
static REVENUE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)((?:€|\$|£|US\$|EUR|USD|GBP|CHF|INR|₹)\s?\d[\d.,]*\s?(?:million|mn|m|billion|bn|k|crore)?|\d[\d.,]*\s?(?:million|billion|mn|m|bn|crore)?\s?(?:euros?|dollars|pounds|francs|rupees|EUR|USD|GBP|CHF))",
    )
});
static POSITIONS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)\b(\d{1,4})\s+(?:open|current|vacant)?\s*(?:positions|jobs|roles|vacancies|openings)\b")
});

/// What is known, as the document of a company shows it.
#[derive(Default)]
struct Known {
    fields: Map<String, Value>,
    sources: Map<String, Value>,
}

impl Known {
    /// Keeps the first that is found, because the pages that matter come first.
    fn set(&mut self, field: &str, value: impl Into<Value>, page: &Page, sentence: &str) {
        if self.fields.contains_key(field) {
            return;
        }
        self.fields.insert(field.to_owned(), value.into());
        let sentence: String = sentence.chars().take(500).collect();
        self.sources.insert(field.to_owned(), json!({"url": page.url, "sentence": sentence}));
    }
}

/// The facts that the pages say.
pub fn facts(pages: &[Page]) -> Value {
    let mut known = Known::default();
    for page in pages {
        let purpose = Purpose::of(page);
        let described = (!page.description.is_empty()).then_some(page.description.as_str());
        for block in described.into_iter().chain(page.blocks.iter().map(String::as_str)) {
            for sentence in sentences(block) {
                read_sentence(&mut known, page, sentence, purpose);
            }
        }
        if let Some(address) = &page.address {
            let line: String = address.chars().take(200).collect();
            known.set("headquarters", line.clone(), page, &line);
        }
    }
    industry(&mut known, pages);
    technologies(&mut known, pages);
    positions(&mut known, pages);
    news(&mut known, pages);
    let mut data = Map::new();
    for field in ["company_size", "headquarters", "revenue", "industry", "open_positions"] {
        data.insert(field.to_owned(), known.fields.remove(field).unwrap_or(Value::Null));
    }
    for list in ["tech_stack", "latest_news"] {
        data.insert(list.to_owned(), known.fields.remove(list).unwrap_or_else(|| json!([])));
    }
    data.insert("sources".into(), Value::Object(known.sources));
    Value::Object(data)
}

fn read_sentence(known: &mut Known, page: &Page, sentence: &str, purpose: Purpose) {
    if let Some(found) = SIZE.captures(sentence).or_else(|| TEAM_OF.captures(sentence)) {
        // `Trusted by 10,000 people` says nothing about the company's own size.
        let of_others = has_phrase(
            sentence,
            &[
                "customers",
                "users",
                "trusted",
                "helped",
                "serve",
                "serves",
                "reach*",
                "clients",
                "killed",
                "visitors",
                "attend*",
                "trained",
                "students",
                "patients",
                "per day",
                "million people",
            ],
        );
        let own =
            has_phrase(sentence, &["we", "our", "team", "employees", "company", "us", "staff", "colleagues"]);
        if own && !of_others {
            known.set("company_size", found[1].trim().trim_end_matches(['.', ',']), page, sentence);
        }
    }
    if let Some(found) = SEAT.captures(sentence) {
        let is_a_job = purpose == Purpose::Jobs
            && has_phrase(sentence, &["role", "position", "job", "candidate*", "you"]);
        let is_customer = has_phrase(sentence, &["customer", "client", "partner"]);
        if !is_a_job && !is_customer {
            known.set("headquarters", found[1].trim().trim_end_matches(['.', ',']), page, sentence);
        }
    }
    if has_phrase(sentence, &["revenue", "revenues", "turnover", "annual sales", "arr"])
        && !has_phrase(sentence, &["customer*", "client*", "your revenue", "help*"])
        && let Some(found) = REVENUE.captures(sentence)
    {
        known.set("revenue", found[1].trim(), page, sentence);
    }
}

/// The industry is what most of the sentences name in which the company speaks of itself.
fn industry(known: &mut Known, pages: &[Page]) {
    let mut best: Option<(usize, &str, &Page, String)> = None;
    for (name, words) in INDUSTRIES {
        let (mut count, mut first): (usize, Option<(&Page, String)>) = (0, None);
        for page in pages.iter().filter(|page| Purpose::of(page) == Purpose::Other) {
            let own = std::iter::once(&page.description).chain(&page.blocks);
            for sentence in own.flat_map(|block| sentences(block)) {
                let speaks_of_itself = has_phrase(
                    sentence,
                    &["we", "our", "us", "is a", "is an", "company", "leading", "provider", "the"],
                );
                // What a page says about itself in its head counts more than what stands somewhere.
                let is_description = page.description.contains(sentence);
                if (speaks_of_itself || is_description) && has_phrase(sentence, words) {
                    count += if is_description { 3 } else { 1 };
                    first = first.or_else(|| Some((page, sentence.to_owned())));
                }
            }
        }
        if let Some((page, sentence)) =
            first.filter(|_| best.as_ref().is_none_or(|(known, ..)| count > *known))
        {
            best = Some((count, name, page, sentence));
        }
    }
    if let Some((_, name, page, sentence)) = best {
        known.set("industry", name, page, &sentence);
    }
}

fn technologies(known: &mut Known, pages: &[Page]) {
    let mut found: Vec<&str> = Vec::new();
    let mut source: Option<(&Page, String)> = None;
    for page in pages {
        for sentence in page.blocks.iter().flat_map(|block| sentences(block)) {
            let of_a_stack = has_phrase(
                sentence,
                &[
                    "stack",
                    "we use",
                    "we work with",
                    "built with",
                    "built on",
                    "experience with",
                    "knowledge of",
                    "you know",
                    "skills in",
                    "technologies",
                    "runs on",
                    "powered by",
                    "familiar with",
                    "experience in",
                    "proficien*",
                ],
            );
            if !of_a_stack
                || has_phrase(
                    sentence,
                    &["integrates with", "integrate with", "connects to", "works with your"],
                )
            {
                continue;
            }
            let named: Vec<&(&str, &str)> =
                TECHNOLOGIES.iter().filter(|(_, word)| has_phrase(sentence, &[*word])).collect();
            for (shown, word) in &named {
                // A word that is also an everyday word counts beside another technology.
                if (!NEED_A_LIST.contains(word) || named.len() > 1) && !found.contains(shown) {
                    found.push(shown);
                    source = source.or_else(|| Some((page, sentence.to_owned())));
                }
            }
        }
        for (trace, shown) in TRACES {
            if let Some(made_with) = page
                .made_with
                .iter()
                .find(|made_with| made_with.contains(trace))
                .filter(|_| !found.contains(shown))
            {
                found.push(shown);
                source = source.or_else(|| Some((page, format!("The page loads {made_with}"))));
            }
        }
    }
    if let Some((page, sentence)) = source {
        known.set("tech_stack", json!(found), page, &sentence);
    }
}

/// The number of open jobs, where a page says it, or the jobs that a page of jobs lists.
fn positions(known: &mut Known, pages: &[Page]) {
    for page in pages {
        for sentence in page.blocks.iter().flat_map(|block| sentences(block)) {
            let number = POSITIONS.captures(sentence).and_then(|found| found[1].parse::<u32>().ok());
            if let Some(number) = number.filter(|_| {
                Purpose::of(page) == Purpose::Jobs
                    || has_phrase(sentence, &["open positions", "open roles", "open jobs", "vacancies"])
            }) {
                known.set("open_positions", number, page, sentence);
                return;
            }
        }
    }
    for page in pages.iter().filter(|page| Purpose::of(page) == Purpose::Jobs) {
        let is_job = |text: &str| {
            text.split_whitespace().count() <= 8
                && has_phrase(
                    text,
                    &[
                        "engineer",
                        "manager",
                        "developer",
                        "designer",
                        "analyst",
                        "consultant",
                        "specialist",
                        "lead",
                        "assistant",
                        "director",
                        "accountant",
                        "technician",
                        "driver",
                        "nurse",
                        "architect",
                        "scientist",
                        "executive",
                        "representative",
                        "intern",
                        "administrator",
                    ],
                )
        };
        let mut jobs: Vec<&str> = page
            .headings
            .iter()
            .chain(page.links.iter().map(|(_, text)| text))
            .map(String::as_str)
            .filter(|text| is_job(text))
            .collect();
        jobs.sort_unstable();
        jobs.dedup();
        if !jobs.is_empty() {
            known.set("open_positions", jobs.len(), page, &jobs.join("; "));
            return;
        }
    }
}

/// The headings of a page of news, or of the part of another page that is named for news.
fn news(known: &mut Known, pages: &[Page]) {
    let of_pages =
        pages.iter().filter(|page| Purpose::of(page) == Purpose::News).map(|page| (page, &page.headings, 4));
    // In such a part, a heading of three words is news too.
    let of_parts = pages.iter().map(|page| (page, &page.news, 3));
    for (page, headings, words) in of_pages.chain(of_parts) {
        let mut heads: Vec<&String> = headings.iter().filter(|text| is_news(text, words)).collect();
        heads.dedup();
        heads.truncate(5);
        if let Some(first) = heads.first() {
            let first = (*first).clone();
            known.set("latest_news", json!(heads), page, &first);
            return;
        }
    }
}

fn is_news(text: &str, at_least: usize) -> bool {
    let words = text.split_whitespace().count();
    (at_least..=25).contains(&words)
        && !has_phrase(
            text,
            &["newsletter", "subscribe", "cookie*", "latest news", "contact us", "read more", "all rights"],
        )
}
