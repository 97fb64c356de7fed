//! Hashes passwords and compares them with their hashes, by Argon2id.
//!
//! A hash takes 19 MiB and some 30 ms on purpose. So only a few are made at once, and outside the threads that answer
//! requests.

use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;
use tokio::time::timeout;

const AT_ONCE: usize = 2;
const PATIENCE: Duration = Duration::from_secs(5);
/// The hash of a text that nobody knows. It is compared where there is no account, so that the time tells nobody whether
/// there is one.
const OF_NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$8hVKj2Wl0sOQ9d0m5mJ1Ag$7gPvK1m8oYb1y2bS8f6F3mZ8Qe1q9wXo0Kf0n3W4d2E";

/// Too many passwords are being hashed.
#[derive(Debug, thiserror::Error)]
#[error("too many people sign in at this moment")]
pub struct Busy;

#[derive(Debug)]
pub(crate) struct Passwords(Semaphore);

impl Passwords {
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }

    pub(crate) async fn hash(&self, password: &SecretString) -> Result<String, Busy> {
        let password = password.clone();
        let hashed = self.apart(move || hash(&password)).await?;
        hashed.ok_or(Busy)
    }

    /// Whether it is the password of this hash. Without a hash it takes as long and is not.
    pub(crate) async fn is(&self, password: &SecretString, hash: Option<&str>) -> Result<bool, Busy> {
        let (password, has_hash) = (password.clone(), hash.is_some());
        let hash = hash.unwrap_or(OF_NOBODY).to_owned();
        let is = self.apart(move || {
            Argon2::default().verify_password(password.expose_secret().as_bytes(), hash.as_str()).is_ok()
        });
        Ok(is.await? && has_hash)
    }

    async fn apart<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let Ok(Ok(_place)) = timeout(PATIENCE, self.0.acquire()).await else { return Err(Busy) };
        tokio::task::spawn_blocking(work).await.map_err(|_| Busy)
    }
}

fn hash(password: &SecretString) -> Option<String> {
    let hash = Argon2::default().hash_password(password.expose_secret().as_bytes());
    hash.inspect_err(|error| tracing::error!(%error, "failed to hash a password"))
        .ok()
        .map(|hash| hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_found_right_by_its_hash_and_no_other_is() {
        let passwords = Passwords::new();
        let hash = passwords.hash(&"Passw0rd".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(
            hash,
            passwords.hash(&"Passw0rd".into()).await.unwrap(),
            "each hash has a salt of its own"
        );
        assert!(passwords.is(&"Passw0rd".into(), Some(&hash)).await.unwrap());
        assert!(!passwords.is(&"passw0rd".into(), Some(&hash)).await.unwrap());
        assert!(!passwords.is(&"Passw0rd".into(), None).await.unwrap());
    }

    #[test]
    fn the_hash_of_nobody_costs_what_every_hash_costs() {
        assert!(argon2::password_hash::phc::PasswordHash::new(OF_NOBODY).is_ok());
    }
}
