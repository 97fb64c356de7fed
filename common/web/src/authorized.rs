//! The argument by which a handler says who may call it.
//!
//! A handler learns its workspace from this argument and from nothing else, and its type names what the handler needs:
//! so no handler can read or change anything without having said who may ask for that.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use domain::principal::Principal;

use crate::{Access, Door, Problem};

/// What a handler needs of who calls it.
pub trait Needs {
    const DOOR: Door;
}

/// Sends something in; see [`Door::BringIn`].
pub struct BringIn;
/// Sends something in for a product that cannot send a header; see [`Door::Unsigned`].
pub struct BringInUnsigned;
/// Reads what belongs to the workspace.
pub struct Read;
/// Reads what tells of the whole installation.
pub struct ReadInstallation;
/// Has something done again.
pub struct Operate;

impl Needs for BringIn {
    const DOOR: Door = Door::BringIn;
}

impl Needs for BringInUnsigned {
    const DOOR: Door = Door::Unsigned;
}

impl Needs for Read {
    const DOOR: Door = Door::Read;
}

impl Needs for ReadInstallation {
    const DOOR: Door = Door::ReadInstallation;
}

impl Needs for Operate {
    const DOOR: Door = Door::Operate;
}

/// A router's state that knows how to find who asks.
pub trait Guarded {
    fn access(&self) -> &Access;
}

impl<T: Guarded> Guarded for Arc<T> {
    fn access(&self) -> &Access {
        self.as_ref().access()
    }
}

/// Who asks, and may do what `N` names. It stands before a handler's other arguments, so that nobody else is told
/// anything.
pub struct Authorized<N> {
    principal: Principal,
    needs: PhantomData<N>,
}

impl<N> Deref for Authorized<N> {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}

impl<S, N> FromRequestParts<S> for Authorized<N>
where
    S: Guarded + Send + Sync,
    N: Needs + Send,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let principal = state.access().admit(N::DOOR, &parts.headers, &parts.uri).await?;
        Ok(Self { principal, needs: PhantomData })
    }
}
