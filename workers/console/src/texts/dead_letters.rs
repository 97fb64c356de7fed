//! The words of the pages of dead letters.

use super::texts;

texts! { DeadLetterTexts {
    intro: "Work that was given up after every attempt, or that could not succeed. Nothing of it is lost: it can be done again." |
        "Arbeit, die nach allen Versuchen aufgegeben wurde oder nicht gelingen konnte. Nichts davon ist verloren: Sie kann wiederholt werden.",
    none: "There is no dead letter." | "Es gibt keine aufgegebene Arbeit.",
    none_match: "No dead letter matches." | "Keine aufgegebene Arbeit passt.",
    groups: "By cause" | "Nach Ursache",
    groups_intro: "Letters of one group have the same stage, the same code and the same text. A # stands where ids, numbers and quoted names may differ." |
        "Einträge einer Gruppe haben dieselbe Stufe, denselben Code und denselben Text. Ein # steht, wo Kennungen, Zahlen und zitierte Namen verschieden sein dürfen.",
    stage: "Stage" | "Stufe",
    any: "any" | "alle",
    code: "Code" | "Code",
    said: "What was said" | "Was gemeldet wurde",
    letters: "Letters" | "Einträge",
    first: "First" | "Erster",
    last: "Last" | "Letzter",
    group: "Group" | "Gruppe",
    since: "Died since" | "Aufgegeben seit",
    until: "Died until" | "Aufgegeben bis",
    filter: "Show" | "Anzeigen",
    clear: "Show all" | "Alle anzeigen",
    bad_time: "`{}` is neither a day such as 2026-01-31 nor a time such as 2026-01-31T12:00:00Z." |
        "`{}` ist weder ein Tag wie 2026-01-31 noch eine Zeit wie 2026-01-31T12:00:00Z.",
    list: "Letters" | "Einträge",
    count: "Letters that match: {}." | "Passende Einträge: {}.",
    died: "Died" | "Aufgegeben",
    call: "Call" | "Anruf",
    attempts: "Attempts" | "Versuche",
    newer: "Newer" | "Neuere",
    older: "Older" | "Ältere",
    replay_all: "Do all that match again …" | "Alle passenden wiederholen …",
    replay_title: "Do dead letters again" | "Aufgegebene Arbeit wiederholen",
    would: "Letters that match and would be done again: {}. Nothing has been changed yet." |
        "Passende Einträge, die wiederholt würden: {}. Es wurde noch nichts geändert.",
    would_filter: "They are chosen by" | "Sie sind ausgewählt durch",
    would_all: "all dead letters of this workspace" | "alle Einträge dieses Arbeitsbereichs",
    effect_note: "What was already made in other systems is found again and not made twice." |
        "Was in anderen Systemen schon gemacht wurde, wird wiedergefunden und nicht doppelt gemacht.",
    why: "Reason" | "Begründung",
    why_hint: "The reason is kept in the audit log with your name." |
        "Die Begründung steht mit Ihrem Namen im Prüfprotokoll.",
    why_missing: "Say why this is done." | "Nennen Sie den Grund.",
    replay_now: "Do them again ({})" | "Wiederholen ({})",
    replay_one: "Do this letter again" | "Diesen Eintrag wiederholen",
    cancel: "Cancel" | "Abbrechen",
    replayed: "Letters that are being done again: {} of {} (batch {})." |
        "Einträge, die wiederholt werden: {} von {} (Stapel {}).",
    replayed_one: "The letter is being done again." | "Der Eintrag wird wiederholt.",
    not_replayed: "Nothing was changed: the letter was done again before, or its call has gone on since." |
        "Es wurde nichts geändert: Der Eintrag wurde schon wiederholt, oder sein Anruf ist inzwischen weiter.",
    resumed: "This was the rest of a batch that was interrupted." |
        "Das war der Rest eines unterbrochenen Stapels.",
    letter: "Dead letter" | "Aufgegebene Arbeit",
    no_letter: "There is no such dead letter. Perhaps it was removed together with its call." |
        "Diesen Eintrag gibt es nicht. Vielleicht wurde er mit seinem Anruf entfernt.",
    done_again: "This letter was done again at {}." | "Dieser Eintrag wurde um {} wiederholt.",
    above: "Newer letter" | "Neuerer Eintrag",
    below: "Older letter" | "Älterer Eintrag",
    back: "Back to the list" | "Zurück zur Liste",
    generation: "Generation" | "Generation",
    same_cause: "All letters with this cause" | "Alle Einträge mit dieser Ursache",
    body: "The event" | "Das Ereignis",
    starts_at: "Done again, the call goes on from the stage {}." | "Wiederholt geht der Anruf ab der Stufe {} weiter.",
    starts_over: "This message was never taken in. Done again, it is sent once more." |
        "Diese Nachricht wurde nie angenommen. Wiederholt wird sie noch einmal gesendet.",
}}
