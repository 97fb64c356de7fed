//! Places where people talk, into which we post.

pub mod slack;
