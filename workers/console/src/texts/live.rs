//! The words of the pages of live calls.

use super::texts;

texts! { LiveTexts {
    title: "Live calls" | "Laufende Anrufe",
    active: "On now" | "Gerade im Gespräch",
    nobody: "Nobody is on a call at the moment." | "Gerade führt niemand ein Gespräch.",
    ended_sessions: "Ended" | "Beendet",
    session: "Session" | "Sitzung",
    agent: "Agent" | "Mitarbeiter",
    customer: "Customer" | "Kunde",
    somebody: "Unknown" | "Unbekannt",
    from: "From" | "Von",
    since: "Since" | "Seit",
    length: "Length" | "Dauer",
    last_said: "Last words" | "Letzte Worte",
    status: "Status" | "Status",
    begin: "Begin a call" | "Anruf beginnen",
    begin_hint: "A program begins a call with POST /api/calls/start. Here you can begin one by hand." |
        "Ein Programm beginnt einen Anruf mit POST /api/calls/start. Hier können Sie von Hand einen beginnen.",
    session_hint: "Left empty, it gets a name of its own." | "Bleibt das Feld leer, bekommt sie einen eigenen Namen.",
    agent_name: "Name of the agent" | "Name des Mitarbeiters",
    from_number: "Number of the customer" | "Nummer des Kunden",
    begin_go: "Begin" | "Beginnen",
    none: "There is no such session. It may have been deleted." | "Diese Sitzung gibt es nicht. Vielleicht wurde sie gelöscht.",
    pieces: "Pieces of audio" | "Tonstücke",
    ended: "Ended" | "Beendet",
    ended_by_silence: "by itself, after a long silence" | "von selbst, nach langer Stille",
    ended_by_somebody: "by a request" | "auf Anforderung",
    to_the_call: "To the call" | "Zum Anruf",
    not_done: "This was not done." | "Das ist nicht geschehen.",
    words: "Words" | "Worte",
    no_words: "Nothing was said yet." | "Es wurde noch nichts gesagt.",
    is_open: "still speaking" | "spricht noch",
    help: "What helps now" | "Was jetzt hilft",
    no_help: "There is nothing to say about it yet." | "Dazu ist noch nichts zu sagen.",
    urgency: "Urgency" | "Dringlichkeit",
    mood: "Mood of the customer" | "Stimmung des Kunden",
    suggestions: "Suggestions" | "Vorschläge",
    insights: "What was noticed" | "Was auffiel",
    summary: "Summary" | "Zusammenfassung",
    summary_so_far: "Summary so far" | "Zusammenfassung bis jetzt",
    no_summary: "There is no summary yet." | "Es gibt noch keine Zusammenfassung.",
    notes: "What was odd" | "Was seltsam war",
    speak: "Speak into the call" | "In den Anruf sprechen",
    speaker: "Who speaks" | "Wer spricht",
    microphone: "Microphone on" | "Mikrofon ein",
    microphone_off: "Microphone off" | "Mikrofon aus",
    play: "Play this file" | "Diese Datei abspielen",
    play_hint: "The file goes in as fast as it is spoken." | "Die Datei läuft so schnell hinein, wie gesprochen wird.",
    playing_off: "Stop" | "Anhalten",
    sent: "Sent: {} s" | "Gesendet: {} s",
    late: "The connection is slow. {} s wait to be sent." | "Die Verbindung ist langsam. {} s warten auf das Senden.",
    microphone_refused: "The browser does not give the microphone." | "Der Browser gibt das Mikrofon nicht frei.",
    unreadable: "The browser cannot play this file." | "Der Browser kann diese Datei nicht abspielen.",
    piece: "A piece of audio" | "Ein Tonstück",
    piece_hint: "A file: wav, mp3, m4a, flac, ogg or webm. It follows what was sent before." |
        "Eine Datei: wav, mp3, m4a, flac, ogg oder webm. Sie folgt auf das, was zuvor gesendet wurde.",
    piece_go: "Send" | "Senden",
    end: "End the call" | "Anruf beenden",
    end_hint: "No more audio is taken then, and the call goes through the pipeline." |
        "Danach wird kein Ton mehr angenommen, und der Anruf wird verarbeitet.",
    low: "low" | "niedrig",
    medium: "medium" | "mittel",
    high: "high" | "hoch",
    positive: "positive" | "gut",
    neutral: "neutral" | "neutral",
    negative: "negative" | "schlecht",
}}

impl LiveTexts {
    /// The word for a mood or an urgency.
    pub(crate) fn word<'a>(&self, name: &'a str) -> &'a str {
        match name {
            "low" => self.low,
            "medium" => self.medium,
            "high" => self.high,
            "positive" => self.positive,
            "neutral" => self.neutral,
            "negative" => self.negative,
            other => other,
        }
    }
}
