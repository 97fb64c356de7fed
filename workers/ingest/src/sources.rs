//! One file for each door: how what it sends becomes an [`Arrival`](crate::arrival::Arrival).

pub(crate) mod assemblyai;
pub(crate) mod meeting;
pub(crate) mod session;
pub(crate) mod upload;
pub(crate) mod zapier;
