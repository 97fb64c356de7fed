//! What the rest of Debrief has to know of a provider without knowing the provider.

use domain::refusal::Refusal;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use platform::config::{ConfigError, Group, Values};

use crate::Slots;

/// One provider, and how a `T` (a speech-to-text client, a model, an org) is made of its settings.
pub struct Descriptor<T> {
    /// Names the provider to people: `assemblyai`.
    pub name: &'static str,
    /// The service that it is, or is part of, as `/health` shows it. Absent: it is not shown.
    pub service: Option<&'static str>,
    /// The setting that turns it on.
    pub key: &'static str,
    pub settings: Group,
    /// Reads its settings. Absent where it is not turned on.
    pub make: fn(&Values, &Slots) -> Result<Option<T>, ConfigError>,
}

/// A client that can say whether its provider would do what it is asked.
pub trait Check {
    /// Asks without leaving anything behind and without cost: whether the account is good, and whether the models,
    /// versions and places exist that the settings name.
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>>;

    /// What a person should know about the settings that it was made of, without that anybody is asked.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// The provider answers as it should. `notes` are what a person should know all the same.
    Reached { notes: Vec<String> },
    /// It cannot be tried without leaving something behind.
    Untried { why: &'static str },
}

impl Checked {
    pub fn reached() -> Self {
        Self::Reached { notes: Vec::new() }
    }
}

/// A [`Descriptor`] of any kind of client.
pub trait Provider: Sync {
    fn name(&self) -> &'static str;
    fn service(&self) -> Option<&'static str>;
    fn settings(&'static self) -> &'static Group;
    /// Whether it is turned on. An error says what is wrong with its settings.
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

/// The first of `all` that is turned on. The settings of the others are read too, so that what is wrong with them is
/// said.
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
