//! The words of the sample calls.

use super::texts;

texts! { SampleTexts {
    title: "Sample calls" | "Beispielanrufe",
    hint: "Load some sample calls to see what the pages look like. Nothing of them leaves this installation: no stage works on them, and they reach no model, no CRM and no Slack." |
        "Laden Sie einige Beispielanrufe, um zu sehen, wie die Seiten aussehen. Nichts davon verlässt diese Installation: Kein Schritt bearbeitet sie, und sie erreichen kein Modell, kein CRM und kein Slack.",
    load: "Load sample calls" | "Beispielanrufe laden",
    there: "There are sample calls in this workspace. They count in every number." |
        "In diesem Arbeitsbereich gibt es Beispielanrufe. Sie zählen in jeder Zahl mit.",
    remove: "Remove the sample calls" | "Beispielanrufe entfernen",
    not_empty: "There are calls already, so no sample calls were loaded." |
        "Es gibt schon Anrufe. Deshalb wurden keine Beispielanrufe geladen.",
}}
