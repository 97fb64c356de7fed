//! The words of the pages of effects.

use super::texts;

texts! { EffectTexts {
    intro: "Everything that changes another system is noted before it is sent. These changes are not confirmed." |
        "Alles, was ein anderes System ändert, wird vor dem Senden notiert. Diese Änderungen sind nicht bestätigt.",
    none: "Every change is confirmed." | "Jede Änderung ist bestätigt.",
    none_match: "No change matches." | "Keine Änderung passt.",
    unknown_hint: "Changes that wait for a person: {}. Nobody knows whether they arrived, and the destination cannot be asked." |
        "Änderungen, die auf einen Menschen warten: {}. Niemand weiß, ob sie angekommen sind, und das Ziel kann nicht gefragt werden.",
    target: "Target" | "Ziel",
    object: "Object" | "Gegenstand",
    state: "State" | "Zustand",
    any: "any" | "alle",
    filter: "Show" | "Anzeigen",
    clear: "Show all" | "Alle anzeigen",
    call: "Call" | "Anruf",
    code: "Code" | "Code",
    since: "Since" | "Seit",
    e_mail: "<e-mail>" | "<E-Mail>",
    unknown: "unknown" | "unbekannt",
    intent: "under way" | "unterwegs",
    not_sent: "not sent" | "nicht gesendet",
    outdated: "outdated" | "veraltet",
    confirmed: "confirmed" | "bestätigt",
    about_unknown: "The request was sent, but its answer was lost. It may have taken effect." |
        "Die Anfrage wurde gesendet, aber die Antwort ging verloren. Sie kann gewirkt haben.",
    about_intent: "The request is on its way, or its process has died. It is decided after its time." |
        "Die Anfrage ist unterwegs, oder ihr Prozess ist gestorben. Nach Ablauf der Zeit wird entschieden.",
    about_not_sent: "The request did not take effect. The run sends it again when its turn comes." |
        "Die Anfrage hat nicht gewirkt. Sie wird gesendet, wenn sie an der Reihe ist.",
    about_outdated: "It was made, but could not be updated when its content changed." |
        "Sie wurde gemacht, konnte aber nicht geändert werden, als sich der Inhalt änderte.",
    about_confirmed: "It was made, and the destination said so." | "Sie wurde gemacht, und das Ziel hat es bestätigt.",
    resolve_all: "Decide about all that match …" | "Über alle passenden entscheiden …",
    resolve_title: "Decide about changes that nobody knows" | "Über unbekannte Änderungen entscheiden",
    would: "Changes that match and wait for a person: {}. Nothing has been changed yet." |
        "Passende Änderungen, die auf einen Menschen warten: {}. Es wurde noch nichts geändert.",
    decide: "Decide" | "Entscheiden",
    look_first: "Look at the destination first, because a change that is sent again can be there twice." |
        "Sehen Sie zuerst beim Ziel nach, denn eine erneut gesendete Änderung kann dort doppelt stehen.",
    looked: "I have looked at the destination" | "Ich habe beim Ziel nachgesehen",
    looked_missing: "Look at the destination first, and then tick this." | "Sehen Sie zuerst beim Ziel nach und setzen Sie dann den Haken.",
    why: "Reason" | "Begründung",
    why_hint: "The reason is kept in the audit log with your name." |
        "Die Begründung steht mit Ihrem Namen im Prüfprotokoll.",
    why_missing: "Say why." | "Nennen Sie den Grund.",
    choice: "What happened" | "Was geschehen ist",
    choice_missing: "Say what happened." | "Sagen Sie, was geschehen ist.",
    sent: "It is there: count it as sent" | "Es ist da: als gesendet werten",
    resend: "It is not there: send it again" | "Es ist nicht da: erneut senden",
    confirm: "Keep the decision" | "Entscheidung festhalten",
    cancel: "Cancel" | "Abbrechen",
    resolved: "Changes that are decided: {} (batch {})." | "Entschiedene Änderungen: {} (Stapel {}).",
    not_resolved: "Nothing was changed: somebody has decided already, or the request may still be on its way." |
        "Es wurde nichts geändert: Jemand hat schon entschieden, oder die Anfrage ist noch unterwegs.",
    effect: "Change" | "Änderung",
    no_effect: "There is no such change. Perhaps it was removed together with its call." |
        "Diese Änderung gibt es nicht. Vielleicht wurde sie mit ihrem Anruf entfernt.",
    remote_id: "Its id there" | "Kennung dort",
    replaced: "What it replaced" | "Was sie ersetzt hat",
    deadline: "Decided after" | "Entschieden nach",
    generation: "Generation" | "Generation",
    back: "Back to the list" | "Zurück zur Liste",
}}
