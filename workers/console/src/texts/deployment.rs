//! The words of the page of the deployment.

use super::texts;

texts! { DeploymentTexts {
    version: "Version" | "Version",
    kind: "Kind" | "Art",
    embedded: "embedded: store and queue are in this process and its data folder" |
        "eingebettet: Datenbank und Warteschlange sind in diesem Prozess und seinem Ordner",
    servers: "on servers: the processes share a database and a broker" |
        "auf Servern: Die Prozesse teilen sich Datenbank und Broker",
    broker: "Broker" | "Broker",
    database: "Database" | "Datenbank",
    connected: "connected" | "verbunden",
    blocked: "blocked" | "blockiert",
    disconnected: "disconnected" | "getrennt",
    recordings: "Recordings" | "Aufnahmen",
    folder: "in the data folder" | "im Datenordner",
    zone: "Times are shown in" | "Zeiten gelten in",
    retention: "Largest upload" | "Größter Upload",
    processes: "Processes" | "Prozesse",
    processes_intro: "A process holds a lease and renews it. When a lease runs out, other processes take over what its process was working on." |
        "Ein Prozess hält eine Frist und erneuert sie. Läuft sie ab, übernehmen andere Prozesse seine Arbeit.",
    host: "Machine" | "Rechner",
    roles: "Roles" | "Rollen",
    since: "Since" | "Seit",
    lease: "Lease" | "Frist",
    runs: "Works on" | "Arbeitet an",
    alive: "until {}" | "bis {}",
    gone: "ran out at {}" | "abgelaufen um {}",
    unnamed: "an older version" | "eine ältere Version",
    versions_differ: "The processes have different versions. That is normal during an update, and only then." |
        "Die Prozesse haben verschiedene Versionen. Das ist während eines Updates normal, sonst nicht.",
    nobody: "Nobody runs the role {}." | "Niemand führt die Rolle {} aus.",
}}
