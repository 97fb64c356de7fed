//! The words of the views of the list of calls.

use super::texts;

texts! { ViewTexts {
    title: "Views of the list of calls" | "Ansichten der Anrufliste",
    hint: "A view keeps the filters and the columns of the list under a name." |
        "Eine Ansicht behält die Filter und die Spalten der Liste unter einem Namen.",
    keep: "Keep this list" | "Diese Liste behalten",
    this_list: "The list that will be kept" | "Die Liste, die behalten wird",
    all_calls: "All calls, with the usual columns" | "Alle Anrufe mit den üblichen Spalten",
    name: "Name" | "Name",
    shared: "For everybody who sees all calls" | "Für alle, die alle Anrufe sehen",
    save: "Keep" | "Behalten",
    kept: "Views" | "Ansichten",
    none: "There is no view yet." | "Es gibt noch keine Ansicht.",
    for_whom: "For" | "Für",
    for_you: "you" | "Sie",
    for_all: "everybody" | "alle",
    by: "Kept by" | "Behalten von",
    remove: "Remove" | "Entfernen",
    remove_view: "Remove the view {}" | "Die Ansicht {} entfernen",
    wrong_name: "A name has 1 to 100 characters, and no control character." |
        "Ein Name hat 1 bis 100 Zeichen und kein Steuerzeichen.",
    wrong_list: "A filter of this list cannot be read." | "Ein Filter dieser Liste ist nicht lesbar.",
    name_taken: "There is a view for everybody with this name. Choose another name, or remove that view first." |
        "Es gibt eine Ansicht für alle mit diesem Namen. Wählen Sie einen anderen, oder entfernen Sie jene zuerst.",
    too_many: "There are {} views already. Remove one first." | "Es gibt schon {} Ansichten. Entfernen Sie zuerst eine.",
    may_not_share: "You may not keep a view for everybody." | "Sie dürfen keine Ansicht für alle behalten.",
    no_such_view: "There is no such view." | "Diese Ansicht gibt es nicht.",
    to_the_list: "To the list of calls" | "Zur Anrufliste",
}}
