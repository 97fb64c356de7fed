//! The words of the page of the queues.

use super::texts;

texts! { QueueTexts {
    intro: "Each stage has a queue. A call goes through the stages from top to bottom." |
        "Jede Stufe hat eine Warteschlange. Ein Anruf geht die Stufen von oben nach unten.",
    broker: "Broker" | "Broker",
    connected: "connected" | "verbunden",
    blocked: "blocked" | "blockiert",
    disconnected: "disconnected" | "getrennt",
    rejected: "Messages that could not be read" | "Nachrichten, die nicht gelesen werden konnten",
    stage: "Stage" | "Stufe",
    due: "Can start" | "Startbereit",
    oldest: "Oldest waits" | "Älteste wartet",
    later: "Later" | "Später",
    running: "Running" | "Läuft",
    parked: "Parked" | "Geparkt",
    dead: "Dead" | "Aufgegeben",
    messages: "Messages" | "Nachrichten",
    bulk: "of them in bulk" | "davon Massenarbeit",
    consumers: "Consumers" | "Abnehmer",
    unknown: "unknown" | "unbekannt",
    nobody: "nobody works here" | "niemand arbeitet hier",
    over_time: "Over time" | "Im Verlauf",
    hour: "Last hour" | "Letzte Stunde",
    day: "Last day" | "Letzter Tag",
    week: "Last week" | "Letzte Woche",
    no_history: "Nothing has been kept for this time yet. A minute after the start there is something to see." |
        "Für diese Zeit ist noch nichts aufgezeichnet. Eine Minute nach dem Start gibt es etwas zu sehen.",
    chart: "{}: at most {} could start, at most {} were parked, and the oldest waited for up to {}" |
        "{}: höchstens {} waren startbereit, höchstens {} geparkt, und das älteste wartete bis zu {}",
    held: "What holds the places" | "Was die Plätze belegt",
    held_intro: "A worker works on a fixed number of calls at a time. These calls hold a place now." |
        "Ein Prozess arbeitet zugleich an einer festen Zahl von Anrufen. Diese Anrufe belegen gerade einen Platz.",
    held_none: "No call holds a place at the moment." | "Gerade belegt kein Anruf einen Platz.",
    call: "Call" | "Anruf",
    other_workspace: "a call of another workspace" | "ein Anruf eines anderen Arbeitsbereichs",
    since: "Since" | "Seit",
    how_long: "For" | "Dauer",
    waits_for: "Waits for" | "Wartet auf",
    itself: "works by itself" | "arbeitet selbst",
    why: "Why runs wait" | "Warum Arbeit wartet",
    why_intro: "Runs that did not end well and were not done since, by what was said about them." |
        "Arbeit, die nicht gut endete und noch nicht nachgeholt ist, nach dem genannten Grund.",
    why_none: "Nothing waits because of a failure." | "Nichts wartet wegen eines Fehlers.",
    state: "State" | "Zustand",
    reason: "Reason" | "Grund",
    runs: "Runs" | "Läufe",
}}
