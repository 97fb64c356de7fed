//! The words of the search.

use super::texts;

texts! { SearchTexts {
    title: "Search" | "Suche",
    query: "What to look for" | "Suchbegriff",
    from: "From" | "Von",
    to: "To" | "Bis",
    go: "Search" | "Suchen",
    help: "All words have to be there. Put words in quotes that stand side by side. `refund*` finds every word that begins so." |
        "Alle Wörter müssen vorkommen. Wörter, die nebeneinander stehen, gehören in Anführungszeichen. `rück*` findet jedes Wort, das so beginnt.",
    none: "No call was found." | "Es wurde kein Anruf gefunden.",
    found: "{} calls, the newest first" | "{} Anrufe, die neuesten zuerst",
    first_found: "The {} newest calls that match" | "Die {} neuesten passenden Anrufe",
    too_slow: "The search took too long and was stopped. Look for rarer words, or for a shorter time." |
        "Die Suche dauerte zu lange und wurde abgebrochen. Suchen Sie seltenere Wörter oder einen kürzeren Zeitraum.",
    wrong_query: "This cannot be looked for: use at least one letter or digit, two before `*`, and no more than 400 characters." |
        "Danach kann nicht gesucht werden: mindestens ein Buchstabe oder eine Ziffer, zwei vor `*`, und höchstens 400 Zeichen.",
    wrong_day: "Use a day such as 2026-03-31." | "Geben Sie einen Tag an, zum Beispiel 2026-03-31.",
}}
