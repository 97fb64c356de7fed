//! The words of the page that takes files.

use super::texts;

texts! { UploadTexts {
    title: "Bring calls in" | "Anrufe hereinholen",
    files: "Files" | "Dateien",
    files_hint: "Recordings and transcripts, up to {} MB each. Each file becomes a call." |
        "Aufnahmen und Transkripte, je bis {} MB. Jede Datei wird ein Anruf.",
    choose: "Choose files, or drop them here" | "Dateien wählen oder hier ablegen",
    send: "Bring them in" | "Hereinholen",
    not_taken: "This file was not taken." | "Diese Datei wurde nicht angenommen.",
    progress: "Sent" | "Gesendet",
    coming: "Your calls" | "Ihre Anrufe",
    name: "File" | "Datei",
    status: "Status" | "Status",
    stages: "Stages" | "Schritte",
    webhook: "By a webhook" | "Über einen Webhook",
    webhook_hint: "Telephony providers, Zoom and Zapier send each call when it has ended:" |
        "Telefonieanbieter, Zoom und Zapier senden jeden Anruf, wenn er zu Ende ist:",
    import: "From a folder" | "Aus einem Ordner",
    import_hint: "A command takes what is in a folder, and can watch it:" |
        "Ein Befehl nimmt, was in einem Ordner liegt, und kann ihn beobachten:",
}}
