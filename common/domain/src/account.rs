//! The account of a person: her name at sign-in, her role, and the rules for her password.

use std::fmt;

use strum::{EnumString, IntoStaticStr, VariantArray};
use uuid::Uuid;

use crate::principal::{Scope, Scopes};
use crate::{email_address, shown_text};

/// The id of a person's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type), sqlx(transparent))]
pub struct UserId(pub Uuid);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a person may do in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, EnumString, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Role {
    /// She may do everything, and decides who else gets in.
    Administrator,
    /// She sees every call, corrects it, and has work done again.
    Manager,
    /// She sees her own calls, and nothing else.
    Agent,
    /// She sees every call and changes nothing.
    Viewer,
}

impl Role {
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;

    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    pub fn scopes(self) -> Scopes {
        match self {
            Self::Administrator => Scopes::ALL,
            Self::Manager => [Scope::BringIn, Scope::Read, Scope::Operate].into_iter().collect(),
            Self::Agent | Self::Viewer => [Scope::Read].into_iter().collect(),
        }
    }
}

/// The longest name with which somebody signs in, in characters. No e-mail address is longer.
pub const MAX_LOGIN_CHARS: usize = 254;
/// The longest password in bytes. A longer text would only make the hash slow.
pub const MAX_PASSWORD_BYTES: usize = 1024;
const MIN_PASSWORD_CHARS: usize = 8;

/// Reads the name with which somebody signs in: an e-mail address, or a name of letters, digits and `- _ .`. Capitals do
/// not matter. `None` for everything else.
pub fn login(text: &str) -> Option<String> {
    if text.contains('@') {
        return email_address::read(text);
    }
    let name = shown_text::visible(text).trim().to_lowercase();
    let is_usable = name.starts_with(char::is_alphanumeric)
        && name.chars().count() <= MAX_LOGIN_CHARS
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    is_usable.then_some(name)
}

/// Why a password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    #[error(
        "Password does not meet security requirements! It needs at least 8 characters, among them a lower-case letter, an upper-case letter and a digit."
    )]
    TooSimple,
    #[error("The password is longer than 1024 bytes.")]
    TooLong,
    #[error("The password is the name with which you sign in, or contains it.")]
    HasTheLogin,
}

/// Checks a new password: at least eight characters, with a lower-case letter, an upper-case letter and a digit.
pub fn check_password(password: &str, login: &str) -> Result<(), WeakPassword> {
    if password.len() > MAX_PASSWORD_BYTES {
        return Err(WeakPassword::TooLong);
    }
    let has = |what: fn(char) -> bool| password.chars().any(what);
    let is_long_enough = password.chars().count() >= MIN_PASSWORD_CHARS;
    if !(is_long_enough && has(char::is_lowercase) && has(char::is_uppercase) && has(char::is_numeric)) {
        return Err(WeakPassword::TooSimple);
    }
    let name = login.split('@').next().unwrap_or_default();
    if name.chars().count() >= 4 && password.to_lowercase().contains(name) {
        return Err(WeakPassword::HasTheLogin);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_gives_what_it_says_and_no_more() {
        let text = |role: Role| role.scopes().to_string();
        assert_eq!(text(Role::Administrator), "bring_in read operate administer");
        assert_eq!(text(Role::Manager), "bring_in read operate");
        assert_eq!(text(Role::Agent), "read");
        assert_eq!(text(Role::Viewer), "read");
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(*role));
        }
    }

    #[test]
    fn a_login_is_an_address_or_a_plain_name_without_capitals() {
        for (text, wanted) in [
            (" Ada@Example.com ", Some("ada@example.com")),
            ("Ada", Some("ada")),
            ("ada.b-c_1", Some("ada.b-c_1")),
            ("\u{200b}ada", Some("ada")),
            ("", None),
            ("a b", None),
            ("-a", None),
            ("a\0b", None),
            ("a@b@c.com", None),
            ("<script>", None),
        ] {
            assert_eq!(login(text).as_deref(), wanted, "{text:?}");
        }
        assert_eq!(login(&"a".repeat(255)), None);
    }

    #[test]
    fn a_password_needs_eight_characters_of_three_kinds() {
        for good in ["Passw0rd", "Grüße aus Köln 7", "aA1aA1aA"] {
            assert_eq!(check_password(good, "ada@example.com"), Ok(()), "{good}");
        }
        for bad in ["", "Passw0r", "password1", "PASSWORD1", "Password", "12345678"] {
            assert_eq!(check_password(bad, "ada@example.com"), Err(WeakPassword::TooSimple), "{bad}");
        }
        assert_eq!(check_password(&"aA1".repeat(400), "ada"), Err(WeakPassword::TooLong));
        assert_eq!(check_password("1Grace.Hopper", "grace.hopper@x.com"), Err(WeakPassword::HasTheLogin));
    }
}
