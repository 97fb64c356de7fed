//! The words of accounts: signing in, people, keys, and the audit.

use domain::account::{Role, WeakPassword};
use providers::oidc::OidcError;
use web::AccountError;

use super::{fill, texts};

texts! { AccountTexts {
    sign_in: "Sign in" | "Anmelden",
    login: "E-mail address or name" | "E-Mail-Adresse oder Name",
    password: "Password" | "Passwort",
    sign_in_with: "Sign in with {}" | "Anmelden mit {}",
    oidc_not_begun: "This sign-in was not begun in this browser, or it took too long. Try again." |
        "Diese Anmeldung wurde nicht in diesem Browser begonnen, oder sie hat zu lange gedauert. Versuchen Sie es noch einmal.",
    oidc_refused: "The provider refused: {}." | "Der Anbieter hat abgelehnt: {}.",
    oidc_unusable: "The provider cannot be used at the moment. An administrator finds the reason in the log." |
        "Der Anbieter ist gerade nicht erreichbar. Den Grund findet ein Administrator im Protokoll.",
    oidc_not_accepted: "What the provider says about you is not accepted. An administrator finds the reason in the log." |
        "Die Angaben des Anbieters werden nicht anerkannt. Den Grund findet ein Administrator im Protokoll.",
    oidc_no_address: "The address of this installation is not known: set DEBRIEF_PUBLIC_URL." |
        "Die Adresse dieser Installation ist nicht bekannt: setzen Sie DEBRIEF_PUBLIC_URL.",
    not_encrypted: "This address is not encrypted, so your browser will not keep the sign-in. Use https, or ask on this machine itself." |
        "Diese Adresse ist nicht verschlüsselt, deshalb behält Ihr Browser die Anmeldung nicht. Nutzen Sie https oder diesen Rechner selbst.",
    register: "Make your account" | "Konto anlegen",
    register_first: "Make the first administrator" | "Ersten Administrator anlegen",
    first_needs_key: "Nobody has an account yet. Show the API key of the configuration to make the first administrator." |
        "Noch hat niemand ein Konto. Geben Sie den API-Schlüssel der Konfiguration an, um den ersten Administrator anzulegen.",
    first_is_open: "Nobody has an account yet. Once there is one, everybody has to sign in, and programs need a key." |
        "Noch hat niemand ein Konto. Sobald es eines gibt, müssen sich alle anmelden, und Programme brauchen einen Schlüssel.",
    api_key: "API key" | "API-Schlüssel",
    wrong_key: "This key may not make an administrator." | "Mit diesem Schlüssel kann kein Administrator angelegt werden.",
    name: "Your name" | "Ihr Name",
    password_rule: "At least 8 characters, with a small letter, a capital and a digit." |
        "Mindestens 8 Zeichen, mit einem kleinen und einem großen Buchstaben und einer Ziffer.",
    wrong: "The name or the password is wrong." | "Der Name oder das Passwort ist falsch.",
    too_many: "Too many wrong passwords. Try again in {} seconds." | "Zu viele falsche Passwörter. Versuchen Sie es in {} Sekunden noch einmal.",
    busy: "Too many people sign in at this moment. Try again." | "Gerade melden sich zu viele an. Versuchen Sie es noch einmal.",
    too_simple: "The password is too simple." | "Das Passwort ist zu einfach.",
    too_long: "The password is longer than 1024 bytes." | "Das Passwort ist länger als 1024 Bytes.",
    has_login: "The password contains the name with which you sign in." | "Das Passwort enthält den Namen, mit dem Sie sich anmelden.",
    unusable_login: "This is no e-mail address and no name of letters, digits and - _ ." |
        "Das ist weder eine E-Mail-Adresse noch ein Name aus Buchstaben, Ziffern und - _ .",
    login_taken: "This name has an account already." | "Dieser Name hat schon ein Konto.",
    closed: "Registration is closed: there is an administrator already. An administrator has to invite you." |
        "Die Registrierung ist geschlossen: es gibt schon einen Administrator. Ein Administrator muss Sie einladen.",
    invitation_gone: "The invitation was used or taken back, or its time is over. Ask for a new one." |
        "Die Einladung wurde benutzt oder zurückgezogen, oder sie ist abgelaufen. Bitten Sie um eine neue.",
    not_invited: "Nobody has invited {}." | "{} wurde nicht eingeladen.",
    not_verified: "The provider has not verified your e-mail address." | "Der Anbieter hat Ihre E-Mail-Adresse nicht bestätigt.",
    failed: "The store cannot be used at the moment." | "Die Datenbank ist gerade nicht erreichbar.",
    own_password: "Change your password" | "Passwort ändern",
    old_password: "Password until now" | "Bisheriges Passwort",
    new_password: "New password" | "Neues Passwort",
    change: "Change" | "Ändern",
    users: "People" | "Personen",
    keys: "Keys" | "Schlüssel",
    audit: "Changes" | "Änderungen",
    sessions: "Where you are signed in" | "Wo Sie angemeldet sind",
    sessions_of: "Sessions" | "Sitzungen",
    this_session: "this browser" | "dieser Browser",
    end: "End" | "Beenden",
    end_all: "End all" | "Alle beenden",
    end_others: "End all others" | "Alle anderen beenden",
    since: "Since" | "Seit",
    last_seen: "Last seen" | "Zuletzt gesehen",
    address: "Address" | "Adresse",
    browser: "Browser" | "Browser",
    workspace: "Workspace" | "Arbeitsbereich",
    workspaces: "Workspaces" | "Arbeitsbereiche",
    enter: "Enter" | "Betreten",
    role: "Role" | "Rolle",
    administrator: "Administrator" | "Administrator",
    manager: "Manager" | "Manager",
    agent: "Agent, sees only her own calls" | "Agent, sieht nur die eigenen Anrufe",
    viewer: "Viewer" | "Betrachter",
    unknown_role: "unknown" | "unbekannt",
    agent_name: "Name of the agent in the calls" | "Name des Agenten in den Anrufen",
    agent_hint: "For an agent: the name as it stands in the calls, or the address or number of the directory of agents." |
        "Für Agenten: der Name, wie er in den Anrufen steht, oder Adresse oder Nummer aus dem Verzeichnis der Agenten.",
    agent_missing: "An agent needs the name that stands in the calls." | "Ein Agent braucht den Namen, der in den Anrufen steht.",
    wrong_role: "There is no such role." | "Diese Rolle gibt es nicht.",
    state: "State" | "Zustand",
    active: "active" | "aktiv",
    disabled: "disabled" | "gesperrt",
    disable: "Disable" | "Sperren",
    enable: "Enable" | "Freigeben",
    set_password: "Give a new password" | "Neues Passwort vergeben",
    last_administrator: "This is the last administrator of the workspace." | "Das ist der letzte Administrator des Arbeitsbereichs.",
    invite: "Invite" | "Einladen",
    invitations: "Open invitations" | "Offene Einladungen",
    invited: "Send this link to {}. It is shown only now, and is good for seven days." |
        "Schicken Sie diesen Link an {}. Er wird nur jetzt gezeigt und gilt sieben Tage.",
    expires: "Good until" | "Gültig bis",
    take_back: "Take back" | "Zurückziehen",
    make_first: "Nobody has an account yet." | "Noch hat niemand ein Konto.",
    new_key: "Make a key" | "Schlüssel anlegen",
    key_name: "Name" | "Name",
    scopes: "What it may do" | "Was er darf",
    key_made: "This is the key. It is shown only now." | "Das ist der Schlüssel. Er wird nur jetzt gezeigt.",
    key_taken: "There is a key of this name already." | "Einen Schlüssel dieses Namens gibt es schon.",
    key_name_wrong: "A name is 1 to 64 letters, digits and - _ . @, and begins with a letter or a digit." |
        "Ein Name hat 1 bis 64 Buchstaben, Ziffern und - _ . @ und beginnt mit einem Buchstaben oder einer Ziffer.",
    scopes_missing: "Choose at least one thing that the key may do." | "Wählen Sie mindestens eine Sache, die der Schlüssel darf.",
    revoke: "Revoke" | "Widerrufen",
    revoked: "revoked" | "widerrufen",
    made: "Made" | "Angelegt",
    by: "By" | "Von",
    no_keys: "No key was made yet." | "Es wurde noch kein Schlüssel angelegt.",
    when: "Time" | "Zeit",
    who: "Who" | "Wer",
    what: "What" | "Was",
    asked: "Asked for" | "Verlangt",
    done: "Changed" | "Geändert",
    all: "all" | "alle",
    filter: "Show" | "Zeigen",
    older: "Older" | "Ältere",
    nothing: "Nothing is on record here." | "Hier ist nichts verzeichnet.",
    ended: "Your session has ended, and nothing was done. What you typed is below. Sign in, and then send it again." |
        "Ihre Sitzung ist abgelaufen, und es wurde nichts getan. Was Sie eingegeben haben, steht unten. Melden Sie sich an und schicken Sie es dann noch einmal.",
    typed: "What you typed" | "Was Sie eingegeben haben",
}}

impl AccountTexts {
    /// What a role is called. `None` is a role that only a newer version of the program knows.
    pub(crate) fn role_name(&self, role: Option<&Role>) -> &'static str {
        role.map_or(self.unknown_role, |role| self.role_word(role))
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template passes references")]
    pub(crate) fn role_word(&self, role: &Role) -> &'static str {
        match role {
            Role::Administrator => self.administrator,
            Role::Manager => self.manager,
            Role::Agent => self.agent,
            Role::Viewer => self.viewer,
        }
    }

    pub(crate) fn oidc_error(&self, error: &OidcError) -> String {
        match error {
            OidcError::NotBegunHere => self.oidc_not_begun.to_owned(),
            OidcError::Refused(word) => fill(self.oidc_refused, &[word]),
            OidcError::Unusable(_) => self.oidc_unusable.to_owned(),
            OidcError::NotAccepted(_) => self.oidc_not_accepted.to_owned(),
        }
    }

    pub(crate) fn error(&self, error: &AccountError) -> String {
        match error {
            AccountError::Wrong => self.wrong.to_owned(),
            AccountError::TooMany(wait) => fill(self.too_many, &[&wait.as_secs().max(1).to_string()]),
            AccountError::Busy(_) => self.busy.to_owned(),
            AccountError::Weak(WeakPassword::TooSimple) => {
                format!("{} {}", self.too_simple, self.password_rule)
            }
            AccountError::Weak(WeakPassword::TooLong) => self.too_long.to_owned(),
            AccountError::Weak(WeakPassword::HasTheLogin) => self.has_login.to_owned(),
            AccountError::UnusableLogin => self.unusable_login.to_owned(),
            AccountError::LoginTaken => self.login_taken.to_owned(),
            AccountError::Closed => self.closed.to_owned(),
            AccountError::InvitationGone => self.invitation_gone.to_owned(),
            AccountError::NotInvited(login) => fill(self.not_invited, &[login]),
            AccountError::NotVerified => self.not_verified.to_owned(),
            AccountError::Store(_) => self.failed.to_owned(),
        }
    }
}
