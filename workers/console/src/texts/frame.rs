//! The words around every page.

use axum::http::StatusCode;

use super::texts;

texts! { FrameTexts {
    skip: "Skip to the content" | "Zum Inhalt springen",
    navigation: "Rooms" | "Bereiche",
    search: "Search calls" | "Anrufe durchsuchen",
    search_go: "Search" | "Suchen",
    language: "Language" | "Sprache",
    language_go: "Change" | "Ändern",
    open: "This console needs no sign-in, because no key is set and only this machine can reach it." |
        "Diese Konsole braucht keine Anmeldung, weil kein Schlüssel gesetzt ist und nur dieser Rechner sie erreicht.",
    overview: "Overview" | "Übersicht",
    analytics: "Analytics" | "Auswertung",
    calls: "Calls" | "Anrufe",
    live: "Live calls" | "Laufende Anrufe",
    practice: "Practice" | "Üben",
    upload: "Bring calls in" | "Hereinholen",
    operations: "Operations" | "Betrieb",
    administration: "Administration" | "Verwaltung",
    users: "People" | "Personen",
    keys: "Keys" | "Schlüssel",
    audit: "Audit" | "Änderungsprotokoll",
    account: "Your account" | "Ihr Konto",
    sign_out: "Sign out" | "Abmelden",
    elsewhere: "You work in another workspace than your own." | "Sie arbeiten in einem anderen Arbeitsbereich als Ihrem eigenen.",
    queues: "Queues" | "Warteschlangen",
    dead_letters: "Dead letters" | "Aufgegebene Arbeit",
    effects: "Effects" | "Wirkungen",
    providers: "Providers" | "Anbieter",
    deployment: "Deployment" | "Installation",
    settings: "Settings" | "Einstellungen",
    to_the_overview: "To the overview" | "Zur Übersicht",
    store_unavailable: "The store cannot be used at the moment. Nothing was changed. Try again in a moment." |
        "Die Datenbank ist gerade nicht erreichbar. Es wurde nichts geändert. Versuchen Sie es gleich noch einmal.",
    page_failed: "This page could not be written. The log of the process says why." |
        "Diese Seite konnte nicht erzeugt werden. Das Protokoll des Prozesses nennt den Grund.",
    not_found: "There is no such page" | "Diese Seite gibt es nicht",
    sign_in_first: "Sign in first" | "Bitte zuerst anmelden",
    not_allowed: "You may not do this" | "Das dürfen Sie nicht",
    wrong_request: "This cannot be done" | "Das ist nicht möglich",
    our_fault: "Something is wrong here" | "Hier stimmt etwas nicht",
}}

impl FrameTexts {
    /// The heading of a page that tells why something was refused.
    pub(crate) fn refusal_title(&self, status: StatusCode) -> &'static str {
        match status {
            StatusCode::NOT_FOUND => self.not_found,
            StatusCode::UNAUTHORIZED => self.sign_in_first,
            StatusCode::FORBIDDEN => self.not_allowed,
            status if status.is_server_error() => self.our_fault,
            _ => self.wrong_request,
        }
    }
}
