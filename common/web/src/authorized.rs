//! The argument with which a handler declares who may call it.
//!
//! A handler gets its workspace only from this argument, and the type of the argument names the right that the
//! handler needs. So a handler cannot read or change anything without a declaration of who may do that.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use domain::principal::Principal;

use crate::{Access, Door, Problem};

/// A right that a handler needs its caller to have.
pub trait Needs {
    const DOOR: Door;
}

/// The right to bring calls in; see [`Door::BringIn`].
pub struct BringIn;
/// The right to bring calls in, for a product that cannot send a header; see [`Door::Unsigned`].
pub struct BringInUnsigned;
/// The right to read data of the workspace.
pub struct Read;
/// The right to read calls, of which the handler shows only those that the principal may see; see [`Door::ReadOwn`].
pub struct ReadOwn;
/// The right to read data about the whole installation.
pub struct ReadInstallation;
/// The right to start work again.
pub struct Operate;
/// The right to take part in practice; see [`Door::Practise`].
pub struct Practise;
/// The right to decide who else gets access.
pub struct Administer;

impl Needs for BringIn {
    const DOOR: Door = Door::BringIn;
}

impl Needs for BringInUnsigned {
    const DOOR: Door = Door::Unsigned;
}

impl Needs for Read {
    const DOOR: Door = Door::Read;
}

impl Needs for ReadOwn {
    const DOOR: Door = Door::ReadOwn;
}

impl Needs for Administer {
    const DOOR: Door = Door::Administer;
}

impl Needs for ReadInstallation {
    const DOOR: Door = Door::ReadInstallation;
}

impl Needs for Practise {
    const DOOR: Door = Door::Practise;
}

impl Needs for Operate {
    const DOOR: Door = Door::Operate;
}

/// The state of a router, which can find the principal of a request.
pub trait Guarded {
    fn access(&self) -> &Access;
}

impl<T: Guarded> Guarded for Arc<T> {
    fn access(&self) -> &Access {
        self.as_ref().access()
    }
}

/// The principal of a request, which has the right that `N` names. It is the first argument of a handler, so that
/// nobody without the right learns anything from the errors of the other arguments.
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
        let principal = state.access().admit(N::DOOR, parts).await?;
        Ok(Self { principal, needs: PhantomData })
    }
}
