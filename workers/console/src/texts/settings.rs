//! The words of the page of settings. What a setting does is said in the words of the settings file, which are English.

use super::texts;

texts! { SettingTexts {
    intro: "Settings are read once, when a process starts. They are shown as this process read them; a secret is never shown." |
        "Einstellungen werden einmal beim Start gelesen. Gezeigt wird, was dieser Prozess gelesen hat; ein Geheimnis wird nie gezeigt.",
    off: "What is off" | "Was aus ist",
    off_intro: "Each of these does nothing until its setting is given." |
        "Nichts davon geschieht, bis die Einstellung gegeben ist.",
    all_on: "Everything is on." | "Alles ist an.",
    turned_on_by: "turned on by" | "eingeschaltet durch",
    misspelt: "Variables without an effect" | "Variablen ohne Wirkung",
    all: "Every setting" | "Alle Einstellungen",
    only_set: "Only what is set" | "Nur was gesetzt ist",
    show_all: "All settings" | "Alle Einstellungen",
    name: "Name" | "Name",
    value: "Value" | "Wert",
    source: "From" | "Woher",
    secret: "set, and not shown" | "gesetzt, wird nicht gezeigt",
    not_set: "not set" | "nicht gesetzt",
    default: "default" | "Vorgabe",
    program: "the program itself" | "vom Programm selbst",
    environment: "environment" | "Umgebung",
    environment_file: "environment, in the file {}" | "Umgebung, in der Datei {}",
    file: "file {}" | "Datei {}",
    file_file: "file {}, in the file {}" | "Datei {}, in der Datei {}",
}}
