//! The words of the list of calls.

use super::texts;

texts! { CallsTexts {
    title: "Calls" | "Anrufe",
    filters: "Which calls" | "Welche Anrufe",
    source: "Source" | "Quelle",
    agent: "Agent" | "Mitarbeiter",
    team: "Team" | "Team",
    topic: "Topic" | "Thema",
    tone: "Tone" | "Stimmung",
    status: "Status" | "Status",
    any: "any" | "alle",
    from: "From day" | "Ab Tag",
    to: "To day" | "Bis Tag",
    min: "Minutes at least" | "Minuten mindestens",
    max: "Minutes at most" | "Minuten höchstens",
    apply: "Show" | "Zeigen",
    all: "Show all calls" | "Alle Anrufe zeigen",
    not_a_status: "There is no such status." | "Diesen Status gibt es nicht.",
    not_a_direction: "There is no such direction." | "Diese Richtung gibt es nicht.",
    not_a_tone: "There is no such tone." | "Diese Stimmung gibt es nicht.",
    not_a_length: "This is not a number of minutes." | "Das ist keine Zahl von Minuten.",
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
    catching_up: "Calls from before the last update are still being added to this list." |
        "Anrufe von vor der letzten Aktualisierung werden dieser Liste noch hinzugefügt.",
    none: "No call matches." | "Kein Anruf passt.",
    newest: "Newest calls" | "Neueste Anrufe",
    older: "Older calls" | "Ältere Anrufe",
    export: "Download as CSV" | "Als CSV herunterladen",
}}
