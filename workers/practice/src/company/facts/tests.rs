use super::*;

fn page(path: &str, html: &str) -> Page {
    Page::of(&format!("https://acme.example{path}"), html)
}

#[test]
fn each_fact_has_the_sentence_and_the_address_that_say_so() {
    let pages = [
        page(
            "/",
            "<meta name=description content='Acme is a logistics company for fresh food.'><p>We move things. Our annual revenue was $50 million in 2025.</p>",
        ),
        page(
            "/about",
            "<p>We are headquartered in Porto, Portugal. Our team of 250 works in four countries. We are more than 250 employees.</p>",
        ),
        page(
            "/careers",
            "<p>You have experience with SAP, Python and Kubernetes.</p><h3>Backend Engineer</h3><h3>Account Manager</h3>",
        ),
        page("/news", "<h2>Acme opens a new hub in Rotterdam</h2><h2>News</h2>"),
    ];
    let data = facts(&pages);
    for (field, value, url, words) in [
        ("industry", json!("Logistics"), "/", "logistics company"),
        ("revenue", json!("$50 million"), "/", "annual revenue"),
        ("headquarters", json!("Porto, Portugal"), "/about", "headquartered"),
        ("company_size", json!("250"), "/about", "250"),
        ("tech_stack", json!(["Python", "Kubernetes", "SAP"]), "/careers", "experience with"),
        ("open_positions", json!(2), "/careers", "Backend Engineer"),
        ("latest_news", json!(["Acme opens a new hub in Rotterdam"]), "/news", "Rotterdam"),
    ] {
        assert_eq!(data[field], value, "{field}: {data}");
        let source = &data["sources"][field];
        assert_eq!(source["url"], format!("https://acme.example{url}"), "{field}");
        assert!(source["sentence"].as_str().unwrap().contains(words), "{field}: {source}");
    }
}

#[test]
fn what_is_not_said_is_null_and_words_inside_words_say_nothing() {
    let data = facts(&[page(
        "/",
        "<p>We maintain retail email chains. Trusted by 10,000 people. The customer is based in Lima. It is position-relative.</p>",
    )]);
    for field in ["company_size", "headquarters", "revenue", "open_positions"] {
        assert_eq!(data[field], Value::Null, "{field}: {data}");
        assert!(data["sources"].get(field).is_none());
    }
    assert_ne!(data["industry"], "Software");
    assert_eq!(facts(&[])["tech_stack"], json!([]));
}

#[test]
fn a_page_says_what_it_is_in_its_head_by_its_scripts_and_in_its_part_for_news() {
    let first = "<meta name=\"description\" content=\"Quarrystone makes stone cutting equipment for industrial lines. \
        We maintain what we sell.\"><section class=\"news-list\"><section><h3>New plant opens</h3></section>\
        <h3>Quarrystone wins safety award</h3></section><h3>The plants and what they make</h3>\
        <script src=\"/js/react.production.min.js\"></script>";
    let data = facts(&[page("/", first)]);
    assert_eq!(data["industry"], "Manufacturing", "{data}");
    assert_eq!(data["tech_stack"], json!(["React"]), "{data}");
    assert_eq!(data["latest_news"], json!(["New plant opens", "Quarrystone wins safety award"]), "{data}");
    assert_eq!(data["sources"]["tech_stack"]["sentence"], "The page loads /js/react.production.min.js");
    let other = "<p>Industrial lines stand idle in May.</p><div id=newsletter><h3>Every month in your mail</h3></div>\
        <script src=\"/js/reaction.js\"></script>";
    let data = facts(&[page("/", other)]);
    for (field, nothing) in [("industry", json!(null)), ("tech_stack", json!([])), ("latest_news", json!([]))]
    {
        assert_eq!(data[field], nothing, "{field}: {data}");
    }
}
