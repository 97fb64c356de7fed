//! Describes a provider to the rest of Debrief, which does not know the providers themselves.

use std::time::Duration;

use domain::refusal::Refusal;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::config::{ConfigError, Group, Values};

use crate::Slots;

/// One provider, and how a `T` (a speech-to-text client, a model, an org) is made from its settings.
pub struct Descriptor<T> {
    /// The name that people see, such as `assemblyai`.
    pub name: &'static str,
    /// The name of the provider's service on `/health`. Several providers can belong to one service. `None` where the
    /// provider is not shown.
    pub service: Option<&'static str>,
    /// The name of the setting that turns the provider on.
    pub key: &'static str,
    pub settings: Group,
    /// Makes the client from the provider's settings. `None` where the provider is not turned on.
    pub make: fn(&Values, &Slots) -> Result<Option<T>, ConfigError>,
}

/// A client that can check whether its provider would accept its requests.
pub trait Check {
    /// Checks whether the account is valid, and whether the models, versions and places of the settings exist. A
    /// check costs nothing and changes nothing at the provider.
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>>;

    /// What a person should know about the settings that it was made of, without that anybody is asked.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The provider answers as it should. `notes` hold what a person should know nevertheless.
    Reached { notes: Vec<String> },
    /// The provider cannot be checked without changing something there.
    Untried { why: &'static str },
}

impl Checked {
    pub fn reached() -> Self {
        Self::Reached { notes: Vec::new() }
    }
}

/// Why a check found nothing good.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error(transparent)]
    Refused(Refusal),
    #[error("no answer in {0:?}")]
    NoAnswer(Duration),
}

/// How long a provider may take for a check.
const PATIENCE: Duration = Duration::from_secs(10);

/// Checks a provider with these settings. `None` where it is off.
pub async fn tried(
    provider: &'static dyn Provider,
    values: &Values,
) -> Result<Option<Result<Checked, CheckError>>, ConfigError> {
    match tokio::time::timeout(PATIENCE, provider.check(values)).await {
        Ok(checked) => Ok(checked?.map(|checked| checked.map_err(CheckError::Refused))),
        Err(_) => Ok(Some(Err(CheckError::NoAnswer(PATIENCE)))),
    }
}

/// A [`Descriptor`] for any type of client.
pub trait Provider: Sync {
    fn name(&self) -> &'static str;
    fn service(&self) -> Option<&'static str>;
    /// The name of the setting that turns the provider on.
    fn key(&self) -> &'static str;
    fn settings(&'static self) -> &'static Group;
    /// Whether the provider is turned on. An error says what is wrong with its settings.
    fn is_on(&self, values: &Values) -> Result<bool, ConfigError>;
    /// What a person should know about its settings. Nothing where it is not turned on.
    fn remarks(&self, values: &Values) -> Result<Vec<String>, ConfigError>;
    /// What a check of it found. Absent where it is not turned on.
    fn check<'a>(
        &'a self,
        values: &'a Values,
    ) -> BoxFuture<'a, Result<Option<Result<Checked, Refusal>>, ConfigError>>;
}

impl<T: Check + Send + Sync> Provider for Descriptor<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn service(&self) -> Option<&'static str> {
        self.service
    }

    fn key(&self) -> &'static str {
        self.key
    }

    fn settings(&'static self) -> &'static Group {
        &self.settings
    }

    fn is_on(&self, values: &Values) -> Result<bool, ConfigError> {
        Ok((self.make)(values, &Slots::of_this_process())?.is_some())
    }

    fn remarks(&self, values: &Values) -> Result<Vec<String>, ConfigError> {
        let made = (self.make)(values, &Slots::of_this_process())?;
        Ok(made.map(|client| client.remarks()).unwrap_or_default())
    }

    fn check<'a>(
        &'a self,
        values: &'a Values,
    ) -> BoxFuture<'a, Result<Option<Result<Checked, Refusal>>, ConfigError>> {
        async {
            let Some(client) = (self.make)(values, &Slots::of_this_process())? else { return Ok(None) };
            Ok(Some(client.check().await))
        }
        .boxed()
    }
}

/// Makes the first provider of `all` that is turned on. The settings of the others are read too, so that mistakes in
/// them are reported.
pub(crate) fn first<T>(
    all: &[&Descriptor<T>],
    values: &Values,
    slots: &Slots,
) -> Result<Option<T>, ConfigError> {
    let mut first = None;
    for descriptor in all {
        let made = (descriptor.make)(values, slots)?;
        first = first.or(made);
    }
    Ok(first)
}
