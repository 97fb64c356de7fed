//! The Slack worker. It writes the message of a call, cuts it into parts that Slack does not break itself, and posts
//! each part once.
//!
//! [`message`], `meeting`, `concern`, `escape` and `split` are pure; [`Post`] is the stage that joins them.

mod concern;
mod escape;
pub mod message;
mod settings;
mod split;
mod stage;

pub use settings::Settings;
pub use split::MAX_CHARS;
pub use stage::Post;
