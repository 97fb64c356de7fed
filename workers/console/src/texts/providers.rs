//! The words of the page of providers.

use super::texts;

texts! { ProviderTexts {
    intro: "The systems that Debrief asks and tells. What they cost today is what they were paid for in this workspace." |
        "Die Systeme, die Debrief fragt und benachrichtigt. Die Kosten von heute sind die dieses Arbeitsbereichs.",
    on: "on" | "an",
    off: "off" | "aus",
    turn_on: "Set {} to turn it on." | "Setzen Sie {}, um ihn einzuschalten.",
    name_in_order: "Its key is set. Name it in {} to turn it on." |
        "Sein Schlüssel ist gesetzt. Nennen Sie ihn in {}, um ihn einzuschalten.",
    wrong: "Its settings cannot be used: {}" | "Seine Einstellungen sind nicht brauchbar: {}",
    rate: "Rate" | "Rate",
    no_limit: "no limit" | "keine Grenze",
    cost: "Cost today" | "Kosten heute",
    uses: "uses: {}" | "Nutzungen: {}",
    unpriced: "without a known price: {}" | "ohne bekannten Preis: {}",
    no_cost: "nothing" | "nichts",
    well: "No run waits for it." | "Keine Arbeit wartet darauf.",
    trouble_runs: "runs: {}, the newest of {}" | "Läufe: {}, der neueste von {}",
    test: "Test it" | "Prüfen",
    test_hint: "The test signs in and looks for the models, scopes and channels of the settings. It costs nothing and changes nothing." |
        "Die Prüfung meldet sich an und sucht Modelle, Rechte und Kanäle der Einstellungen. Sie kostet und ändert nichts.",
    reached: "{} answers as it should." | "{} antwortet, wie es soll.",
    untried: "{} cannot be tried: {}" | "{} kann nicht geprüft werden: {}",
    failed: "{} does not work: {}" | "{} funktioniert nicht: {}",
    is_off: "{} is off, so there is nothing to test." | "{} ist aus, es gibt nichts zu prüfen.",
    no_provider: "There is no such provider." | "Diesen Anbieter gibt es nicht.",
    transcription: "speech to text" | "Sprache zu Text",
    model: "language model" | "Sprachmodell",
    voice: "text to speech" | "Text zu Sprache",
    slack: "messages" | "Nachrichten",
    crm: "customers" | "Kundendaten",
    telephony: "recordings" | "Aufnahmen",
    meetings: "meetings" | "Besprechungen",
    others: "Models and prices today" | "Modelle und Preise heute",
    model_name: "Model" | "Modell",
}}
