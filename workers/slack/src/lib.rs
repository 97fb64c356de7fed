//! The Slack worker: what a call's message says, how it is cut into parts that Slack takes whole, and how
//! the parts get there once.
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
