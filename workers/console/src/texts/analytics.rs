//! The words of the analytics.

use super::texts;

texts! { AnalyticsTexts {
    title: "Analytics" | "Auswertung",
    from: "From" | "Von",
    to: "To" | "Bis",
    agent: "Agent" | "Mitarbeiter",
    team: "Team" | "Team",
    source: "Source" | "Quelle",
    direction: "Direction" | "Richtung",
    zone: "Time zone" | "Zeitzone",
    any: "all" | "alle",
    go: "Show" | "Anzeigen",
    before: "before: {}" | "davor: {}",
    calls: "Calls" | "Anrufe",
    duration: "Average length" | "Mittlere Dauer",
    talk_ratio: "Our share of the talk" | "Unser Redeanteil",
    silence: "Average silence" | "Mittlere Stille",
    interruptions: "Interruptions" | "Unterbrechungen",
    satisfaction: "Satisfaction" | "Zufriedenheit",
    resolved: "Resolved" | "Gelöst",
    read_by: "Tone, topics and satisfaction are readings: a model read {} calls, and the built-in analyzer read {}. Nobody asked the customers." |
        "Ton, Themen und Zufriedenheit sind Deutungen: ein Modell las {} Anrufe, die eingebaute Auswertung {}. Niemand hat die Kunden gefragt.",
    trend: "Calls over time" | "Anrufe im Verlauf",
    trend_alt: "A bar for each step of the period. The highest bar has {} calls." |
        "Ein Balken für jeden Abschnitt des Zeitraums. Der höchste Balken hat {} Anrufe.",
    tone: "How customers sounded" | "Wie die Kunden klangen",
    positive: "positive" | "positiv",
    neutral: "neutral" | "neutral",
    negative: "negative" | "negativ",
    agents: "Agents" | "Mitarbeiter",
    teams: "Teams" | "Teams",
    sources: "Sources" | "Quellen",
    topics: "Topics" | "Themen",
    topics_of: "Counted in the {} newest calls of the period." | "Gezählt in den {} neuesten Anrufen des Zeitraums.",
    unknown: "unknown" | "unbekannt",
    wrong_period: "The period cannot be read: use days such as 2026-03-31, the first before the last, and at most ten years." |
        "Der Zeitraum ist nicht lesbar: Tage wie 2026-03-31, der erste vor dem letzten, höchstens zehn Jahre.",
    wrong_zone: "There is no such time zone. A zone has a name such as Asia/Kolkata." |
        "Diese Zeitzone gibt es nicht. Eine Zeitzone heißt zum Beispiel Asia/Kolkata.",
}}
