//! Signs people in, and makes their accounts. The console, the API of the first pages and the command all use this.
//!
//! Nobody learns whether an account exists: a wrong name and a wrong password get the same answer after the same time.

use std::time::Duration;

use domain::account::{self, Role, UserId, WeakPassword};
use domain::call::WorkspaceId;
use domain::sign_in;
use secrecy::{ExposeSecret as _, SecretString};
use store::{
    Acceptance, Invitation, InvitationRow, NewAccount, NewInvitation, NewSession, NewUser, SignedIn, Store,
    StoreError, UserChange, UserRow,
};

use crate::passwords::{Busy, Passwords};
use crate::session::{self, Client};
use crate::{INSTALLATION, key};

/// How long a browser stays signed in at most.
pub const SESSION_LIFETIME: Duration = Duration::from_hours(24 * 7);
/// How long a token of `POST /login` is good.
pub const TOKEN_LIFETIME: Duration = Duration::from_hours(1);
const INVITATION_LIFETIME: Duration = Duration::from_hours(24 * 7);
const INVITATION_PREFIX: &str = "invite_";
const MAX_NAME_CHARS: usize = 200;

/// Why somebody is not signed in, or gets no account.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("Could not verify! The name or the password is wrong.")]
    Wrong,
    #[error("Too many wrong passwords. Try again in {} seconds.", .0.as_secs().max(1))]
    TooMany(Duration),
    #[error("{0}")]
    Busy(#[from] Busy),
    #[error("{0}")]
    Weak(#[from] WeakPassword),
    #[error("The name to sign in with is an e-mail address, or letters, digits and - _ .")]
    UnusableLogin,
    #[error("Username already exists!")]
    LoginTaken,
    #[error(
        "Registration is closed: there is an administrator already. An account is made by an invitation, which an administrator sends."
    )]
    Closed,
    #[error("The invitation was used or taken back, or its time is over. Ask for a new one.")]
    InvitationGone,
    #[error("Nobody has invited {0}. Ask an administrator for an invitation.")]
    NotInvited(String),
    #[error("The provider has not verified your e-mail address, so it is not known which account is yours.")]
    NotVerified,
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// A session that was made. The token is shown to the browser and is kept nowhere.
#[derive(Debug)]
pub struct Begun {
    pub token: SecretString,
    pub lifetime: Duration,
    pub user: UserRow,
}

/// What a provider says of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub issuer: String,
    pub subject: String,
    /// The address, where the provider says that it belongs to her.
    pub verified_email: Option<String>,
    pub name: Option<String>,
}

#[derive(Debug)]
pub struct Accounts {
    store: Store,
    passwords: Passwords,
}

impl Accounts {
    pub fn new(store: Store) -> Self {
        Self { store, passwords: Passwords::new() }
    }

    /// Signs somebody in with her password.
    pub async fn sign_in(
        &self,
        login: &str,
        password: &SecretString,
        client: &Client,
        (how, lifetime): (&'static str, Duration),
    ) -> Result<Begun, AccountError> {
        let user = self.check(login, password, client).await?;
        self.begin(user, client, how, lifetime).await
    }

    /// Signs somebody in whom a provider has recognised. `role` is what somebody gets whom nobody has invited.
    pub async fn sign_in_verified(
        &self,
        who: &Identity,
        role: Option<Role>,
        client: &Client,
    ) -> Result<Begun, AccountError> {
        if let Some(user) = self.store.user_by_subject(&who.issuer, &who.subject).await? {
            return self.begin(user, client, "oidc", SESSION_LIFETIME).await;
        }
        let email =
            who.verified_email.as_deref().and_then(account::login).ok_or(AccountError::NotVerified)?;
        let user = match self.store.user_by_login(&email).await? {
            Some(known) => known.user,
            None => self.make_verified(who, &email, role).await?,
        };
        self.store.link_subject(&user, &who.issuer, &who.subject).await?;
        self.begin(user, client, "oidc", SESSION_LIFETIME).await
    }

    async fn make_verified(
        &self,
        who: &Identity,
        email: &str,
        role: Option<Role>,
    ) -> Result<UserRow, AccountError> {
        let name = shown_name(who.name.as_deref().unwrap_or_default(), email);
        let account = NewAccount { name: &name, password_hash: None };
        match self.store.accept_invitation(Invitation::Login(email), account).await? {
            Acceptance::Accepted(user) => return Ok(user),
            Acceptance::LoginTaken => return Err(AccountError::LoginTaken),
            Acceptance::Gone => {}
        }
        let role = role.ok_or_else(|| AccountError::NotInvited(email.to_owned()))?;
        let actor = format!("oidc:{}", who.issuer);
        let new = NewUser {
            workspace: INSTALLATION,
            login: email,
            name: &name,
            role,
            agent: (role == Role::Agent).then_some(&*name),
            password_hash: None,
            actor: &actor,
        };
        self.store.create_user(new).await?.ok_or(AccountError::LoginTaken)
    }

    /// Makes the first administrator of the installation. `actor` is who shows that she may.
    pub async fn register_first(
        &self,
        login: &str,
        name: &str,
        password: &SecretString,
        actor: &str,
    ) -> Result<UserRow, AccountError> {
        let login = account::login(login).ok_or(AccountError::UnusableLogin)?;
        account::check_password(password.expose_secret(), &login)?;
        let hash = self.passwords.hash(password).await?;
        let name = shown_name(name, &login);
        let new = NewUser {
            workspace: INSTALLATION,
            login: &login,
            name: &name,
            role: Role::Administrator,
            agent: None,
            password_hash: Some(&hash),
            actor,
        };
        self.store.create_first_administrator(new).await?.ok_or(AccountError::Closed)
    }

    /// Makes an account without an invitation. This is for whoever runs the installation.
    pub async fn create(
        &self,
        workspace: WorkspaceId,
        login: &str,
        (role, agent): (Role, Option<&str>),
        password: &SecretString,
        actor: &str,
    ) -> Result<UserRow, AccountError> {
        let login = account::login(login).ok_or(AccountError::UnusableLogin)?;
        account::check_password(password.expose_secret(), &login)?;
        let hash = self.passwords.hash(password).await?;
        let new = NewUser {
            workspace,
            login: &login,
            name: &login,
            role,
            agent,
            password_hash: Some(&hash),
            actor,
        };
        self.store.create_user(new).await?.ok_or(AccountError::LoginTaken)
    }

    /// Invites somebody. Returns the token of the invitation, which is kept nowhere.
    pub async fn invite(
        &self,
        (workspace, actor): (WorkspaceId, &str),
        login: &str,
        role: Role,
        agent: Option<&str>,
    ) -> Result<(String, SecretString), AccountError> {
        let login = account::login(login).ok_or(AccountError::UnusableLogin)?;
        let token = key::generate_with(INVITATION_PREFIX);
        let new = NewInvitation {
            workspace,
            login: &login,
            role,
            agent,
            token_hash: &key::hash(token.expose_secret()),
            lifetime: INVITATION_LIFETIME,
            actor,
        };
        if self.store.invite(new).await? { Ok((login, token)) } else { Err(AccountError::LoginTaken) }
    }

    /// The open invitation with this token.
    pub async fn invitation(&self, token: &str) -> Result<Option<InvitationRow>, AccountError> {
        if !key::has_form(token, INVITATION_PREFIX) {
            return Ok(None);
        }
        Ok(self.store.invitation(&key::hash(token)).await?)
    }

    /// Makes the account of an invitation.
    pub async fn accept(
        &self,
        token: &str,
        name: &str,
        password: &SecretString,
    ) -> Result<UserRow, AccountError> {
        let invitation = self.invitation(token).await?.ok_or(AccountError::InvitationGone)?;
        account::check_password(password.expose_secret(), &invitation.login)?;
        let hash = self.passwords.hash(password).await?;
        let name = shown_name(name, &invitation.login);
        let account = NewAccount { name: &name, password_hash: Some(&hash) };
        let invitation = Invitation::Token(&key::hash(token));
        match self.store.accept_invitation(invitation, account).await? {
            Acceptance::Accepted(user) => Ok(user),
            Acceptance::Gone => Err(AccountError::InvitationGone),
            Acceptance::LoginTaken => Err(AccountError::LoginTaken),
        }
    }

    /// Changes the password of who is signed in. Every session ends, and a new one begins.
    pub async fn change_password(
        &self,
        who: &SignedIn,
        old: &SecretString,
        new: &SecretString,
        client: &Client,
    ) -> Result<Begun, AccountError> {
        let user = self.check(&who.login, old, client).await?;
        self.set_password((user.workspace, &user.actor()), user.id, &user.login, new).await?;
        self.begin(user, client, "password", SESSION_LIFETIME).await
    }

    /// Gives an account a new password, and ends its sessions. Returns whether there is such an account.
    pub async fn set_password(
        &self,
        who: (WorkspaceId, &str),
        user: UserId,
        login: &str,
        password: &SecretString,
    ) -> Result<bool, AccountError> {
        account::check_password(password.expose_secret(), login)?;
        let hash = self.passwords.hash(password).await?;
        let set = self.store.set_password(who, user, &hash).await?;
        Ok(set == UserChange::Done)
    }

    /// Begins a session for somebody who has just got her account.
    pub async fn begin(
        &self,
        user: UserRow,
        client: &Client,
        how: &'static str,
        lifetime: Duration,
    ) -> Result<Begun, AccountError> {
        if user.disabled_at.is_some() {
            return Err(AccountError::Wrong);
        }
        // Every sign-in has a token of its own, so nobody can know it from before.
        let token = session::generate();
        let new = NewSession {
            user: user.id,
            workspace: user.workspace,
            token_hash: &key::hash(token.expose_secret()),
            lifetime,
            how,
            user_agent: &client.user_agent,
            network: &client.network,
        };
        self.store.create_session(new).await?;
        Ok(Begun { token, lifetime, user })
    }

    /// Ends the session of this token.
    pub async fn sign_out(&self, token: &str) -> Result<(), AccountError> {
        Ok(self.store.sign_out(&key::hash(token)).await?)
    }

    async fn check(
        &self,
        login: &str,
        password: &SecretString,
        client: &Client,
    ) -> Result<UserRow, AccountError> {
        // A text that is no name is counted, too, as one and the same.
        let login = account::login(login).unwrap_or_default();
        let tried = self.store.begin_sign_in(&login, &client.network).await?;
        if let Some(wait) = sign_in::wait(&tried.failures) {
            self.store.forget_sign_in(&tried).await?;
            return Err(AccountError::TooMany(wait));
        }
        if password.expose_secret().len() > account::MAX_PASSWORD_BYTES {
            return Err(AccountError::Wrong);
        }
        let known = self.store.user_by_login(&login).await?;
        let hash = known.as_ref().and_then(|known| known.password_hash.as_deref());
        let is_right = match self.passwords.is(password, hash).await {
            Ok(is_right) => is_right,
            Err(busy) => {
                self.store.forget_sign_in(&tried).await?;
                return Err(busy.into());
            }
        };
        match known.map(|known| known.user).filter(|user| is_right && user.disabled_at.is_none()) {
            Some(user) => {
                self.store.forgive_sign_ins(&login, &client.network).await?;
                Ok(user)
            }
            None => Err(AccountError::Wrong),
        }
    }
}

/// Makes a password that nobody chose. It has a character of each kind that a password needs.
pub fn generate_password() -> SecretString {
    let random = key::generate_with("Aa1-");
    let short: String = random.expose_secret().chars().take(24).collect();
    short.into()
}

/// The name that pages show.
fn shown_name(name: &str, login: &str) -> String {
    let name: String = domain::shown_text::visible(name).trim().chars().take(MAX_NAME_CHARS).collect();
    if name.is_empty() { login.to_owned() } else { name }
}
