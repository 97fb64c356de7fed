//! The words of the first page.

use super::texts;

texts! { OverviewTexts {
    calls: "Calls" | "Anrufe",
    completed: "Completed" | "Fertig",
    failed: "Failed" | "Fehlgeschlagen",
    posted: "Posted to Slack" | "In Slack gemeldet",
    newest: "Newest calls" | "Neueste Anrufe",
    none: "No call has come in yet." | "Es ist noch kein Anruf eingegangen.",
    bring_in: "Bring calls in" | "Anrufe hereinholen",
    when: "Time" | "Zeit",
    who: "With" | "Mit",
    source: "Source" | "Quelle",
    status: "Status" | "Status",
    services: "What is on and off" | "Was an und aus ist",
    on: "on" | "an",
    off: "off" | "aus",
    roles: "This process runs" | "Dieser Prozess führt aus",
}}
