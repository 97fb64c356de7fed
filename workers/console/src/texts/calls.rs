//! The words of the list of calls.

use super::texts;

texts! { CallsTexts {
    title: "Calls" | "Anrufe",
    filters: "Which calls" | "Welche Anrufe",
    source: "Source" | "Quelle",
    agent: "Agent" | "Mitarbeiter",
    status: "Status" | "Status",
    any: "any" | "alle",
    from: "From day" | "Ab Tag",
    to: "To day" | "Bis Tag",
    apply: "Show" | "Zeigen",
    all: "Show all calls" | "Alle Anrufe zeigen",
    not_a_status: "There is no such status." | "Diesen Status gibt es nicht.",
    not_a_day: "This is not a day. Write it like 2026-11-30." | "Das ist kein Tag. Schreiben Sie ihn so: 2026-11-30.",
    not_a_place: "The place in the list cannot be read. The list begins at the newest call." |
        "Die Stelle in der Liste ist nicht lesbar. Die Liste beginnt beim neuesten Anruf.",
    not_used: "The list is not shown, because a filter cannot be read." |
        "Die Liste wird nicht gezeigt, weil ein Filter nicht lesbar ist.",
    when: "Time" | "Zeit",
    with: "With" | "Mit",
    direction: "Direction" | "Richtung",
    incoming: "incoming" | "eingehend",
    outgoing: "outgoing" | "ausgehend",
    length: "Length" | "Dauer",
    none: "No call matches." | "Kein Anruf passt.",
    newest: "Newest calls" | "Neueste Anrufe",
    older: "Older calls" | "Ältere Anrufe",
    export: "Download as CSV" | "Als CSV herunterladen",
}}
