//! The commands of the program. Each command has a module of its own.

pub(crate) mod audio;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod blobs;
pub(crate) mod calls;
pub(crate) mod check;
pub(crate) mod dead;
pub(crate) mod demo;
pub(crate) mod effects;
pub(crate) mod import;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod practice;
mod print;
pub(crate) mod queues;
pub(crate) mod replay;
pub(crate) mod restore;
pub(crate) mod run;
pub(crate) mod topology;
pub(crate) mod usage;
pub(crate) mod users;
